//! One JSON-RPC message, read strictly.

use std::borrow::Cow;

use callgate_text::{Digest, Json, JsonError, JsonFault, Number, Object};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::frames::{Skimmed, too_many_values};

/// A request's id. `1` and `"1"` are two ids; `1.0` and `1e0` are none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// An integer that every parser reads alike.
    Number(i64),
    /// A string of at most 256 bytes.
    Text(String),
}

/// The longest id.
const LONGEST_ID: usize = 256;

impl From<&Id> for Json {
    fn from(id: &Id) -> Self {
        match id {
            Id::Number(number) => Self::integer(*number),
            Id::Text(text) => Self::from(text.as_str()),
        }
    }
}

impl Id {
    /// The id that a value elsewhere in a message is, as a reference to a request.
    pub(super) fn of(value: &Json) -> Option<Self> {
        match value {
            Json::String(text) => (text.len() <= LONGEST_ID).then(|| Self::Text(text.clone())),
            number => number.as_i64().map(Self::Number),
        }
    }

    /// Reads an id from its literal.
    fn from_literal(literal: &[u8]) -> Option<Self> {
        match literal {
            [b'"', ..] => match Json::parse_within(literal, LONGEST_ID).ok()? {
                Json::String(text) => Some(Self::Text(text)),
                _ => None,
            },
            _ => {
                let digits = literal.strip_prefix(b"-").unwrap_or(literal);
                let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                let number = Json::parse_within(literal, LONGEST_ID).ok()?.as_i64()?;
                (plain && Number::from_integer(number).is_some()).then_some(Self::Number(number))
            }
        }
    }
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It asks for an answer.
    Request {
        /// By which it is answered.
        id: Id,
        /// What it asks for.
        method: String,
    },
    /// It tells.
    Notification {
        /// What it tells.
        method: String,
    },
    /// It answers.
    Response {
        /// Which request; `None` for an error that names none.
        id: Option<Id>,
        /// The digest of the literal of `result` or `error`.
        digest: Digest,
    },
}

/// A message that every parser reads alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The bytes to pass on.
    pub bytes: Vec<u8>,
    /// The same, parsed.
    pub json: Object,
    /// What it is.
    pub shape: Shape,
}

/// Why a line is not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not JSON, or parsers could disagree about it.
    #[error("the message is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// It would take too much memory.
    #[error("the message holds too many values")]
    TooManyValues,
    /// It is an array.
    #[error("batches are not accepted")]
    Batch,
    /// It is JSON, but not one JSON-RPC 2.0 message.
    #[error("the message {0}")]
    Envelope(&'static str),
}

/// A line that is not a message, and what could be seen of it for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub fault: Fault,
    /// The id that it seems to have.
    pub id: Option<Id>,
    /// The method that it seems to have.
    pub method: Option<String>,
    /// The requests that it seems to answer, if it is a batch.
    pub batched: Vec<Id>,
}

/// The members of JSON-RPC 2.0. Another spelling of these makes no message.
pub(super) const MEMBERS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

impl Message {
    /// Reads one line of at most `limit` bytes.
    ///
    /// # Errors
    /// [`Refused`], for every line that is not exactly one message. Never panics, whatever the bytes.
    pub fn read(line: Vec<u8>, limit: usize) -> Result<Self, Box<Refused>> {
        match Self::parse(&line, limit) {
            Ok((json, shape)) => Ok(Self { bytes: without_line_ends(line), json, shape }),
            Err(fault) => Err(Box::new(Refused::seen(fault, &line))),
        }
    }

    fn parse(line: &[u8], limit: usize) -> Result<(Object, Shape), Fault> {
        if too_many_values(line) {
            return Err(Fault::TooManyValues);
        }
        let object = match Json::parse_within(line, limit)? {
            Json::Object(object) => object,
            Json::Array(_) => return Err(Fault::Batch),
            _ => return Err(Fault::Envelope("is not an object")),
        };
        let shape = shape(&object, line)?;
        Ok((object, shape))
    }

    /// The member `params`, which is an object if it is there.
    pub fn params(&self) -> Option<&Object> {
        self.json.get("params").and_then(Json::as_object)
    }

    /// The token by which the other side may tell of progress.
    pub(super) fn progress_token(&self) -> Option<Json> {
        self.params()?.get("_meta")?.get("progressToken").cloned()
    }

    /// The same message with another value for one member, in canonical form.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Json>) -> Self {
        self.json.set(member, value);
        let json = Json::Object(self.json);
        self.bytes = without_line_ends(json.canonical());
        match json {
            Json::Object(object) => Self { json: object, ..self },
            _ => Self { json: Object::default(), ..self },
        }
    }
}

fn shape(object: &Object, line: &[u8]) -> Result<Shape, Fault> {
    if object.iter().any(|(key, _)| MEMBERS.iter().any(|member| is_variant(key, member))) {
        return Err(Fault::Envelope("has a member in another spelling"));
    }
    if object.get("jsonrpc").and_then(Json::as_str) != Some("2.0") {
        return Err(Fault::Envelope("is not of JSON-RPC 2.0"));
    }
    let literals = Literals::of(line).ok_or(Fault::Envelope("cannot be taken apart"))?;
    let id = match object.get("id") {
        None => None,
        Some(Json::Null) => Some(None),
        Some(_) => {
            let literal = literals.id.map(|id| id.get().as_bytes()).unwrap_or_default();
            let id = Id::from_literal(literal);
            Some(Some(id.ok_or(Fault::Envelope("has an id that is neither a string nor an integer"))?))
        }
    };
    let answer = (object.get("result").is_some(), object.get("error"));
    match (object.get("method"), answer, id) {
        (Some(Json::String(method)), (false, None), id) => {
            if object.get("params").is_some_and(|params| params.as_object().is_none()) {
                return Err(Fault::Envelope("has params that are not an object"));
            }
            let method = method.clone();
            match id {
                None => Ok(Shape::Notification { method }),
                Some(Some(id)) => Ok(Shape::Request { id, method }),
                Some(None) => Err(Fault::Envelope("has null for an id")),
            }
        }
        (Some(Json::String(_)), _, _) => Err(Fault::Envelope("is a request and an answer at once")),
        (Some(_), _, _) => Err(Fault::Envelope("has a method that is not a string")),
        (None, (true, None), Some(Some(id))) => Ok(Shape::Response { id: Some(id), digest: literals.digest() }),
        (None, (false, Some(Json::Object(_))), Some(id)) => Ok(Shape::Response { id, digest: literals.digest() }),
        (None, (false, Some(Json::Object(_))), None) => Ok(Shape::Response { id: None, digest: literals.digest() }),
        (None, _, _) => Err(Fault::Envelope("is neither a request nor an answer")),
    }
}

/// Whether `key` is another spelling of `member` for a parser that ignores case.
pub(super) fn is_variant(key: &str, member: &str) -> bool {
    if key == member {
        return false;
    }
    if key.is_ascii() {
        return key.eq_ignore_ascii_case(member);
    }
    key.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .eq(member.chars().flat_map(char::to_lowercase))
}

/// Literals of the top level, for what a parsed value no longer tells.
#[derive(Deserialize)]
struct Literals<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl<'a> Literals<'a> {
    /// `line` was parsed strictly: no key stands twice.
    #[expect(clippy::disallowed_methods, reason = "only takes apart what the strict parser accepted")]
    fn of(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    fn digest(&self) -> Digest {
        let literal = self.result.or(self.error).map(RawValue::get);
        Digest::of(literal.unwrap_or("null").as_bytes())
    }
}

/// What a lenient parser sees, of a line that a strict one refuses.
#[derive(Deserialize)]
struct Lenient<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
}

impl Refused {
    #[expect(
        clippy::disallowed_methods,
        reason = "what it finds is only used to refuse; `Lenient` errs on a key twice"
    )]
    fn seen(fault: Fault, line: &[u8]) -> Self {
        let batch: Vec<Lenient<'_>> = match fault {
            Fault::Batch => serde_json::from_slice(line).unwrap_or_default(),
            _ => Vec::new(),
        };
        let answers = batch.iter().filter(|seen| seen.method.is_none());
        let batched = answers.filter_map(|seen| Id::from_literal(seen.id?.get().as_bytes())).collect();
        let is_object = line.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let lenient: Option<Lenient<'_>> = is_object.then(|| serde_json::from_slice(line).ok()).flatten();
        Self {
            fault,
            id: lenient.as_ref().and_then(|seen| Id::from_literal(seen.id?.get().as_bytes())),
            method: lenient.and_then(|seen| seen.method).map(Cow::into_owned),
            batched,
        }
    }

    /// A line that was too long to keep.
    pub(super) fn too_long(skimmed: &Skimmed) -> Self {
        let offset = skimmed.bytes;
        Self {
            fault: Fault::Json(JsonError { fault: JsonFault::TooLong, offset }),
            id: skimmed.id.as_deref().and_then(Id::from_literal),
            method: skimmed.method.as_deref().and_then(|method| match Json::parse(method) {
                Ok(Json::String(method)) => Some(method),
                _ => None,
            }),
            batched: Vec::new(),
        }
    }
}

/// Takes out what a line reader could mistake for the end of a line; what a parser reads stays.
///
/// Only for a document that was parsed strictly: there, a carriage return stands between tokens, and
/// the other three stand in strings.
fn without_line_ends(line: Vec<u8>) -> Vec<u8> {
    let body = line.strip_suffix(b"\r").unwrap_or(&line);
    let is_end =
        |at: usize| matches!(body.get(at..), Some([b'\r', ..] | [0xC2, 0x85, ..] | [0xE2, 0x80, 0xA8 | 0xA9, ..]));
    if !memchr::memchr3_iter(b'\r', 0xC2, 0xE2, body).any(is_end) {
        return line;
    }
    let text = String::from_utf8_lossy(body);
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\r' => safe.push(' '),
            '\u{85}' => safe.push_str("\\u0085"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe.into_bytes()
}

#[cfg(test)]
mod tests;
