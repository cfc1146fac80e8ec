//! From a record to its leaf, and back.
//!
//! A leaf is canonical JSON (RFC 8785), at most 60 KiB:
//!
//! | member | what |
//! | --- | --- |
//! | `v` | 1 |
//! | `kind`, `id` | as in [`Record`] |
//! | `at` | RFC 3339, UTC, milliseconds |
//! | `gate` | the log's origin |
//! | `state`, `agent`, `session`, `tool`, `policy`, `decision`, `prev` | as in [`Record`]; absent if it has none |
//! | `reasons` | `{code, policy?, at?, path?}` of the first 32; `reasons_omitted` counts the others |
//! | `call`, `facts` | the commitments to those two, base64 |
//! | `commitments` | name → commitment, base64, for every other sealed value |
//! | `details` | what the operator's records say |
//!
//! Values never appear. More than 64 sealed arguments are folded into one, `arguments`: an object from ordinal to
//! value; likewise more than 32 reasons' sentences into `reasons`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate_core::seam::LogError;
use callgate_core::{Kind, Reason, Record, Sealed, Timestamp};
use callgate_text::{Json, Object};

use crate::commitment::{Salt, commitment};
use crate::frame::MAX_LEAF;
use crate::time::parse_timestamp;
use crate::ulid::ulid;

const MOST_ARGUMENTS: usize = 64;
const MOST_REASONS: usize = 32;
const MOST_SEALED: usize = 256;
const LONGEST_NAME: usize = 128;

/// A leaf and what opens its commitments, not yet given an index.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) leaf: Vec<u8>,
    pub(crate) opened: Vec<Opened>,
    /// Whether the record is the outcome of an allowed call.
    pub(crate) is_outcome: bool,
}

/// A disclosure before its record has an index.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) salt: Salt,
    pub(crate) value: Vec<u8>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({})", self.name)
    }
}

impl Encoded {
    /// Leaf and disclosures, in bytes: what a budget is charged.
    pub(crate) fn weight(&self) -> u64 {
        let opened: usize = self.opened.iter().map(|opened| opened.name.len() + opened.value.len() + 64).sum();
        u64::try_from(self.leaf.len() + opened).unwrap_or(u64::MAX)
    }
}

/// The leaf of `record` in the log `origin`, with fresh salts.
///
/// # Errors
/// [`LogError::TooLarge`], or `Unavailable` if there is no randomness.
pub(crate) fn encode(record: Record, origin: &str) -> Result<Encoded, LogError> {
    let mut members = vec![
        ("v", Json::integer(1)),
        ("kind", Json::from(record.kind.as_str())),
        ("id", Json::from(record.id)),
        ("at", Json::from(record.at.to_string())),
        ("gate", Json::from(origin)),
    ];
    members.extend(record.state.map(|state| ("state", Json::from(state))));
    members.extend(record.agent.as_ref().map(|agent| ("agent", Json::from(agent))));
    members.extend(record.session.as_ref().map(|session| ("session", Json::from(session))));
    members.extend(record.tool.as_ref().map(|tool| ("tool", Json::from(tool))));
    members.extend(record.policy.map(|policy| ("policy", Json::from(policy))));
    members.extend(record.decision.map(|decision| ("decision", Json::from(decision.as_str()))));
    members.extend(record.prev.map(|prev| ("prev", count(prev))));
    if !record.reasons.is_empty() {
        let reasons = record.reasons.iter().take(MOST_REASONS).map(Reason::to_logged_json).collect();
        members.push(("reasons", Json::Array(reasons)));
        if let Some(omitted) = record.reasons.len().checked_sub(MOST_REASONS).filter(|omitted| *omitted > 0) {
            members.push(("reasons_omitted", count(u64::try_from(omitted).unwrap_or(u64::MAX))));
        }
    }
    if !record.details.is_empty() {
        members.push(("details", Json::object(record.details)));
    }
    let is_outcome = record.kind == Kind::Outcome;
    let opened = open(record.sealed)?;
    let mut others = Vec::new();
    for one in &opened {
        let sealed = Json::from(STANDARD.encode(commitment(&one.salt, &one.name, &one.value)));
        match one.name.as_str() {
            "call" => members.push(("call", sealed)),
            "facts" => members.push(("facts", sealed)),
            name => others.push((name, sealed)),
        }
    }
    if !others.is_empty() {
        members.push(("commitments", Json::object(others)));
    }
    let leaf = Json::object(members).canonical();
    if leaf.len() > MAX_LEAF {
        return Err(LogError::TooLarge);
    }
    Ok(Encoded { leaf, opened, is_outcome })
}

/// Salts every sealed value.
fn open(sealed: Vec<Sealed>) -> Result<Vec<Opened>, LogError> {
    let sealed = fold(fold(sealed, "argument:", "arguments", MOST_ARGUMENTS), "reason:", "reasons", MOST_REASONS);
    let distinct: std::collections::BTreeSet<_> = sealed.iter().map(|sealed| sealed.name.as_str()).collect();
    if distinct.len() > MOST_SEALED || sealed.iter().any(|sealed| sealed.name.len() > LONGEST_NAME) {
        return Err(LogError::TooLarge);
    }
    if distinct.len() < sealed.len() {
        return Err(LogError::Unavailable("the record seals one name twice".to_owned()));
    }
    let mut salts = vec![0; sealed.len() * 32];
    aws_lc_rs::rand::fill(&mut salts).map_err(|_| LogError::Unavailable("no randomness for salts".to_owned()))?;
    let (salts, _) = salts.as_chunks::<32>();
    let opened = salts.iter().zip(sealed).map(|(salt, sealed)| Opened {
        name: sealed.name,
        salt: *salt,
        value: sealed.value.canonical(),
    });
    Ok(opened.collect())
}

/// Puts all values whose names begin with `prefix` into one called `name`, if there are more than `most`.
fn fold(sealed: Vec<Sealed>, prefix: &str, name: &str, most: usize) -> Vec<Sealed> {
    if sealed.iter().filter(|sealed| sealed.name.starts_with(prefix)).count() <= most {
        return sealed;
    }
    let (folded, mut rest): (Vec<_>, Vec<_>) = sealed.into_iter().partition(|sealed| sealed.name.starts_with(prefix));
    let members = folded.into_iter().map(|sealed| (sealed.name.replacen(prefix, "", 1), sealed.value));
    rest.push(Sealed { name: name.to_owned(), value: Json::Object(members.collect::<Object>()) });
    rest
}

/// A record that the log itself makes.
pub(crate) fn own_record(kind: Kind, at: Timestamp, details: Vec<(&'static str, Json)>) -> Result<Record, LogError> {
    let id = ulid(at).ok_or_else(|| LogError::Unavailable("no randomness for an id".to_owned()))?;
    let mut record = Record::new(kind, id, at);
    record.details = details;
    Ok(record)
}

/// A count as JSON: a number, or a string beyond 2⁵³.
pub(crate) fn count(count: u64) -> Json {
    i64::try_from(count).map_or_else(|_| Json::from(count.to_string()), Json::integer)
}

/// A count that [`count`] wrote.
pub(crate) fn as_count(json: &Json) -> Option<u64> {
    match json {
        Json::String(text) => text.parse().ok(),
        _ => json.as_i64().and_then(|count| u64::try_from(count).ok()),
    }
}

/// Reads a leaf as JSON. `None` if it is not strict JSON.
pub(crate) fn parse(leaf: &[u8]) -> Option<Json> {
    Json::parse_within(leaf, MAX_LEAF).ok().filter(|json| json.as_object().is_some())
}

/// When the record of `leaf` was made, by its gate's clock.
pub(crate) fn at(leaf: &Json) -> Option<Timestamp> {
    parse_timestamp(leaf.get("at")?.as_str()?)
}

/// The commitments of a leaf by name, `call` and `facts` among them.
pub(crate) fn commitments(leaf: &Json) -> Vec<(&str, [u8; 32])> {
    let own = ["call", "facts"].into_iter().filter_map(|name| Some((name, leaf.get(name)?)));
    let others = leaf.get("commitments").and_then(Json::as_object);
    let others = others.into_iter().flat_map(Object::iter);
    own.chain(others)
        .filter_map(|(name, value)| Some((name, STANDARD.decode(value.as_str()?).ok()?.try_into().ok()?)))
        .collect()
}
