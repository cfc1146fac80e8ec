//! What a tool hands back.

use std::fmt;

use callgate_text::{Json, Object};

/// What a tool did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What the model asked for.
    pub text: String,
    /// What the model should know beside it: that there is more, that something was left out.
    pub note: Option<String>,
    /// The same in a form for programs.
    pub details: Object,
}

/// Why a tool did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of reason.
    pub kind: Kind,
    /// A sentence for the model, with what to do about it.
    pub message: String,
}

/// The kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The arguments are not those of the tool.
    Invalid,
    /// Nothing is there.
    NotFound,
    /// It is something else than a file.
    NotAFile,
    /// It is something else than a folder.
    NotAFolder,
    /// A symbolic link stands in the way.
    Link,
    /// It lies where this tool does not work.
    Outside,
    /// It is not text.
    Binary,
    /// It is above a bound.
    TooLarge,
    /// What was to be replaced is not there.
    NoMatch,
    /// What was to be replaced is there more than once.
    Ambiguous,
    /// What is stored cannot be trusted.
    Corrupt,
    /// The system refused.
    Failed,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Invalid,
        Self::NotFound,
        Self::NotAFile,
        Self::NotAFolder,
        Self::Link,
        Self::Outside,
        Self::Binary,
        Self::TooLarge,
        Self::NoMatch,
        Self::Ambiguous,
        Self::Corrupt,
        Self::Failed,
    ];

    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::NotAFile => "not_a_file",
            Self::NotAFolder => "not_a_folder",
            Self::Link => "link",
            Self::Outside => "outside",
            Self::Binary => "binary",
            Self::TooLarge => "too_large",
            Self::NoMatch => "no_match",
            Self::Ambiguous => "ambiguous",
            Self::Corrupt => "corrupt",
            Self::Failed => "failed",
        }
    }
}

impl Done {
    /// A text and nothing else.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), note: None, details: Object::default() }
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.details.set(key, value);
        self
    }

    pub(crate) fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl Fault {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A number of things, as JSON.
pub(crate) fn count(count: usize) -> Json {
    Json::integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// What the contained program writes: `{"ok": {text, note?, details}}` or `{"error": {kind, message}}`.
pub(crate) fn to_json(result: &Result<Done, Fault>) -> Json {
    match result {
        Ok(done) => {
            let mut members = vec![("text", Json::from(done.text.as_str()))];
            members.extend(done.note.as_deref().map(|note| ("note", Json::from(note))));
            members.push(("details", Json::Object(done.details.clone())));
            Json::object([("ok", Json::object(members))])
        }
        Err(fault) => {
            let error = [("kind", fault.kind.as_str()), ("message", fault.message.as_str())];
            Json::object([("error", Json::object(error))])
        }
    }
}

/// Reads [`to_json`] back; nothing if it is anything else. Whoever wrote it ran where hostile files lie.
pub(crate) fn from_json(json: Json) -> Option<Result<Done, Fault>> {
    let Json::Object(mut object) = json else { return None };
    let text = |object: &mut Object, key: &str| match object.remove(key) {
        Some(Json::String(text)) => Some(text),
        _ => None,
    };
    let result = match (object.remove("ok"), object.remove("error")) {
        (Some(Json::Object(mut ok)), None) => {
            let note = if ok.contains("note") { Some(text(&mut ok, "note")?) } else { None };
            let Some(Json::Object(details)) = ok.remove("details") else { return None };
            let done = Done { text: text(&mut ok, "text")?, note, details };
            ok.is_empty().then_some(Ok(done))?
        }
        (None, Some(Json::Object(mut error))) => {
            let word = text(&mut error, "kind")?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word)?;
            let fault = Fault { kind, message: text(&mut error, "message")? };
            error.is_empty().then_some(Err(fault))?
        }
        _ => return None,
    };
    object.is_empty().then_some(result)
}
