//! Calls of the gate's own tools, which run where the gate does.
//!
//! The other doors ask whether somebody else may run something. Here the gate itself runs what it permitted, so that
//! the permit never leaves it, and what it says of the run is its own word: the socket's operation `call_tool` is
//! decided, run and reported in one. Whatever really runs the tools is behind [`Tools`].

use callgate_core::seam::Later;
use callgate_core::{CallFault, Caller, Code, Decision, Request};
use callgate_text::{Json, Object};
use tokio::sync::watch;

use crate::Ruling;
use crate::shapes::{Fields, Malformed};

/// Whoever runs the gate's own tools.
pub trait Tools: Send + Sync {
    /// Decides a call and, if it is allowed, runs it to its end and reports what became of it. Never fails: what goes
    /// wrong is a denial, or a result that says so.
    fn call(
        &self,
        caller: Caller,
        door: &'static str,
        call: Result<Request, CallFault>,
        conduct: Conduct,
    ) -> Later<'_, Called>;
}

/// How whoever called follows a call, and ends it.
#[derive(Debug)]
pub struct Conduct {
    progress: watch::Sender<Option<Progress>>,
    cancelled: watch::Receiver<bool>,
}

/// How far a call is. Only the latest counts: whoever reads slowly misses some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What has been done, in a unit of the tool's own; grows.
    pub done: u64,
    /// What the model may read of it, already observed.
    pub message: Option<String>,
}

/// What becomes of a call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// It did not run.
    Denied(Ruling),
    /// It was allowed, and this came of it.
    Ran {
        /// The decision's id.
        id: String,
        /// What was decided: one of those that release.
        decision: Decision,
        /// What the model may read.
        result: ToolResult,
    },
}

/// A result, as MCP knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolResult {
    /// Pieces of text.
    pub texts: Vec<String>,
    /// Whether the tool failed.
    pub is_error: bool,
    /// The same for programs.
    pub structured: Object,
}

impl Conduct {
    /// The tool's side, and the door's: where progress comes from, and by which it cancels.
    pub fn new() -> (Self, watch::Receiver<Option<Progress>>, watch::Sender<bool>) {
        let (progress, followed) = watch::channel(None);
        let (cancel, cancelled) = watch::channel(false);
        (Self { progress, cancelled }, followed, cancel)
    }

    /// Tells how far it is.
    pub fn tell(&self, progress: Progress) {
        self.progress.send_replace(Some(progress));
    }

    /// Resolves when the call is to end; that nobody is left who could say so means the same.
    pub async fn cancelled(&self) {
        let _ = self.cancelled.clone().wait_for(|cancelled| *cancelled).await;
    }
}

impl Progress {
    pub(crate) fn to_json(&self) -> Json {
        let done = Json::integer(i64::try_from(self.done).unwrap_or(i64::MAX));
        let message = self.message.as_deref().map(|message| ("message", Json::from(message)));
        Json::object([("done", done)].into_iter().chain(message))
    }

    pub(crate) fn from_json(json: &Json) -> Option<Self> {
        let done = u64::try_from(json.get("done")?.as_i64()?).ok()?;
        Some(Self { done, message: json.get("message").and_then(Json::as_str).map(str::to_owned) })
    }
}

impl Called {
    /// `{decision, id, code, model}` of a denial, `{decision, id, result: {texts, is_error, structured}}` of what ran.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Denied(ruling) => Json::object([
                ("decision", ruling.decision.as_str()),
                ("id", ruling.id.as_str()),
                ("code", ruling.code.as_str()),
                ("model", ruling.for_model.as_str()),
            ]),
            Self::Ran { id, decision, result } => {
                let texts = result.texts.iter().map(|text| Json::from(text.as_str())).collect();
                let result = Json::object([
                    ("texts", Json::Array(texts)),
                    ("is_error", Json::Bool(result.is_error)),
                    ("structured", Json::Object(result.structured.clone())),
                ]);
                Json::object([
                    ("decision", Json::from(decision.as_str())),
                    ("id", Json::from(id.as_str())),
                    ("result", result),
                ])
            }
        }
    }

    pub(crate) fn from_json(json: Json) -> Result<Self, Malformed> {
        let mut answer = Fields::of(json)?;
        let decision = answer.text("decision")?.as_deref().and_then(Decision::from_word);
        let decision = decision.ok_or("the answer has no decision")?;
        let id = answer.text("id")?.ok_or("the answer has no id")?;
        if let Some(result) = answer.object("result")? {
            answer.end()?;
            if !decision.releases() {
                return Err("the answer has a result of what was denied");
            }
            return Ok(Self::Ran { id, decision, result: result_from_json(result)? });
        }
        let code = answer.text("code")?.and_then(|code| code.parse().ok()).unwrap_or(Code::Internal);
        let for_model = answer.text("model")?.ok_or("the answer has no sentence")?;
        answer.end()?;
        if decision.releases() {
            return Err("the answer has no result of what was allowed");
        }
        Ok(Self::Denied(Ruling { id, decision, code, for_model, permit: None }))
    }
}

fn result_from_json(result: Object) -> Result<ToolResult, Malformed> {
    let mut result = Fields::of(Json::Object(result))?;
    let Some(Json::Array(texts)) = result.take("texts") else { return Err("`texts` is not an array") };
    let text = |text| match text {
        Json::String(text) => Ok(text),
        _ => Err("`texts` holds something other than text"),
    };
    let texts = texts.into_iter().map(text).collect::<Result<_, _>>()?;
    let Some(Json::Bool(is_error)) = result.take("is_error") else { return Err("`is_error` is missing") };
    let structured = result.object("structured")?.ok_or("`structured` is missing")?;
    result.end()?;
    Ok(ToolResult { texts, is_error, structured })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_called_crosses_the_wire() {
        let mut structured = Object::default();
        structured.set("state", "exit");
        let result = ToolResult { texts: vec!["a".to_owned(), String::new()], is_error: true, structured };
        let ran = Called::Ran { id: "1".to_owned(), decision: Decision::Allow, result };
        assert_eq!(Called::from_json(ran.to_json()), Ok(ran));
        let denied = Called::Denied(Ruling {
            id: "2".to_owned(),
            decision: Decision::Escalate,
            code: Code::ApprovalRequired,
            for_model: "no".to_owned(),
            permit: None,
        });
        assert_eq!(Called::from_json(denied.to_json()), Ok(denied));
    }

    /// Closed by default: neither a denial with a result nor an allow without one is an answer.
    #[test]
    fn an_answer_that_contradicts_itself_is_none() {
        for text in [
            r#"{"decision":"deny","id":"1","result":{"texts":[],"is_error":false,"structured":{}}}"#,
            r#"{"decision":"allow","id":"1","code":"internal","model":"x"}"#,
            r#"{"decision":"allow","id":"1"}"#,
            r#"{"decision":"allow","id":"1","result":{"texts":[1],"is_error":false,"structured":{}}}"#,
            r#"{"decision":"allow","id":"1","result":{"texts":[],"structured":{}}}"#,
            r#"{"decision":"allow","id":"1","result":{"texts":[],"is_error":false,"structured":{}},"x":1}"#,
            "[]",
        ] {
            assert!(Called::from_json(Json::parse(text.as_bytes()).unwrap()).is_err(), "{text}");
        }
    }
}
