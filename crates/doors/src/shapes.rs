//! Bodies that more than one door reads or writes.

use callgate_core::gate::{Observed, Passing, Preview};
use callgate_core::{Answer, Code, Completion, Disclose, Outcome};
use callgate_text::{Digest, Json, Object, Revealed};

use crate::Ruling;

/// A body that is not what it should be; names what is wrong, never the value.
pub(crate) type Malformed = &'static str;

/// The answer as other doors give it, no more of it than policy discloses, and the sentence for the model.
/// What is at the other end carries an agent's credential, and whatever it reads the agent may read.
pub(crate) fn answer_to_json(answer: &Answer) -> Json {
    let mut json = answer.to_json();
    if let Json::Object(object) = &mut json {
        let code = |code: Code| Json::object([("code", code.as_str())]);
        let reasons = match answer.verdict.disclose {
            Disclose::Full => None,
            Disclose::Code => Some(answer.verdict.reasons.iter().map(|reason| code(reason.code)).collect()),
            Disclose::None => Some(vec![code(Ruling::from(answer).code)]),
        };
        if let Some(reasons) = reasons {
            object.set("reasons", Json::Array(reasons));
            object.set("hint", Json::Null);
            object.remove("approvals");
        }
        object.set("model", answer.for_model());
    }
    json
}

pub(crate) fn preview_to_json(preview: &Preview) -> Json {
    Json::object([("verdict", preview.verdict.to_json()), ("trace", preview.trace.clone())])
}

/// `{id, permit, status, result? | result_digest?}`: of a result itself only the digest of its canonical form is kept.
pub(crate) fn completion_from_json(body: Json) -> Result<Completion, Malformed> {
    let mut body = Fields::of(body)?;
    let completion = Completion {
        id: body.text("id")?.ok_or("`id` is missing")?,
        permit: body.text("permit")?.ok_or("`permit` is missing")?,
        outcome: body.outcome()?,
        result: match (body.digest("result_digest")?, body.take("result")) {
            (Some(_), Some(_)) => return Err("there is both a result and a digest of one"),
            (digest, None) => digest,
            (None, Some(result)) => Some(Digest::of(&result.canonical())),
        },
        run: None,
    };
    body.end()?;
    Ok(completion)
}

pub(crate) fn texts_from_json(body: Json) -> Result<Vec<Passing>, Malformed> {
    let mut body = Fields::of(body)?;
    let Some(Json::Array(texts)) = body.take("texts") else { return Err("`texts` is not an array") };
    body.end()?;
    let passing = |text| match text {
        Json::String(text) => Ok(Passing { text }),
        _ => Err("`texts` holds something other than text"),
    };
    texts.into_iter().map(passing).collect()
}

/// Only what changed, by its place: `{"changed":[{"at","text","removed"}]}`.
pub(crate) fn observed_to_json(observed: Vec<Observed>) -> Json {
    let count = |count: usize| Json::integer(i64::try_from(count).unwrap_or(i64::MAX));
    let changed = observed.into_iter().enumerate().filter_map(|(at, observed)| match observed {
        Observed::Unchanged => None,
        Observed::Sanitised(Revealed { text, removed }) => {
            Some(Json::object([("at", count(at)), ("text", Json::from(text)), ("removed", count(removed))]))
        }
    });
    Json::object([("changed", Json::Array(changed.collect()))])
}

/// The members of a body, taken out one by one; what is left over is refused.
pub(crate) struct Fields(Object);

impl Fields {
    pub(crate) fn of(body: Json) -> Result<Self, Malformed> {
        match body {
            Json::Object(object) => Ok(Self(object)),
            _ => Err("not an object"),
        }
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Json> {
        self.0.remove(key)
    }

    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Malformed> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err("a member that should be text is not"),
        }
    }

    pub(crate) fn object(&mut self, key: &str) -> Result<Option<Object>, Malformed> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::Object(object)) => Ok(Some(object)),
            Some(_) => Err("a member that should be an object is not"),
        }
    }

    pub(crate) fn digest(&mut self, key: &str) -> Result<Option<Digest>, Malformed> {
        let text = self.text(key)?;
        text.map(|text| text.parse()).transpose().map_err(|_| "a member that should be a digest is not")
    }

    pub(crate) fn outcome(&mut self) -> Result<Outcome, Malformed> {
        self.text("status")?.as_deref().and_then(Outcome::from_word).ok_or("`status` is not one")
    }

    pub(crate) fn count(&mut self, key: &str) -> Result<usize, Malformed> {
        let count = self.take(key).and_then(|count| count.as_i64());
        count.and_then(|count| usize::try_from(count).ok()).ok_or("a member that should be a count is not")
    }

    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err("there is a member too many") }
    }
}
