//! Which disclosures to erase.

use callgate_core::{AgentId, SessionId, Timestamp};
use callgate_text::Json;

use crate::dir::LogDir;
use crate::error::AuditError;
use crate::leaf::{as_count, count};
use crate::reader::{Filter, Reader};

/// Which records' disclosures are erased: those that meet every condition that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// This record, and the outcome that follows it.
    pub index: Option<u64>,
    /// The records of this agent.
    pub agent: Option<AgentId>,
    /// The records of this session.
    pub session: Option<SessionId>,
    /// The records from this moment on.
    pub since: Option<Timestamp>,
    /// The records before this moment.
    pub until: Option<Timestamp>,
    /// All records: with this, nothing else need be given.
    pub everything: bool,
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many records the selector met, whether or not they had disclosures.
    pub records: u64,
    /// How many salted values are gone.
    pub values: u64,
    /// The index of the `erasure` record.
    pub index: u64,
}

impl Selector {
    /// The selector as the `erasure` record keeps it.
    pub fn to_json(&self) -> Json {
        let mut members = Vec::new();
        members.extend(self.index.map(|index| ("index", count(index))));
        members.extend(self.agent.as_ref().map(|agent| ("agent", Json::from(agent))));
        members.extend(self.session.as_ref().map(|session| ("session", Json::from(session))));
        members.extend(self.since.map(|since| ("since", Json::from(since.to_string()))));
        members.extend(self.until.map(|until| ("until", Json::from(until.to_string()))));
        if self.everything {
            members.push(("everything", Json::from(true)));
        }
        Json::object(members)
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The indexes that the selector meets among the first `size` records.
    pub(crate) fn indices(&self, dir: &LogDir, size: u64) -> Result<Vec<u64>, AuditError> {
        if self.is_empty() {
            return Err(AuditError::NothingSelected);
        }
        let filter = Filter {
            agent: self.agent.clone(),
            session: self.session.clone(),
            since: self.since,
            until: self.until,
            ..Filter::default()
        };
        let mut indices = Vec::new();
        let mut records = Reader::open(dir).records_below(self.index.unwrap_or_default(), size)?;
        while let Some(shown) = records.next_record()? {
            let meant = self
                .index
                .is_none_or(|index| shown.index == index || shown.leaf.get("prev").and_then(as_count) == Some(index));
            if meant && filter.matches(&shown.leaf) {
                indices.push(shown.index);
            }
        }
        Ok(indices)
    }
}
