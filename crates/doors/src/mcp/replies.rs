//! What the door itself says, to the client or to the server.

use callgate_core::{Code, Reason};
use callgate_text::Json;

use crate::Ruling;
use crate::tools::{Called, Progress};

use super::Id;
use super::actions::Action;
use super::inflight::{Asked, Expected, Released};

/// The JSON-RPC code of a denial, and of anything else that policy keeps from passing. It lies outside what
/// JSON-RPC (−32768 to −32000) and MCP within it reserve for themselves.
pub const DENIED: i64 = -33050;
/// The server ended or did not answer in time.
pub(super) const UNANSWERED: i64 = INTERNAL;
pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;
const INTERNAL: i64 = -32603;
/// The request is of a revision of the protocol that is not spoken here (MCP 2026-07-28).
const UNSUPPORTED_VERSION: i64 = -32022;

/// Where a result names the decision behind it.
const DECISION: &str = "dev.callgate/decision";

/// An error; without an id if none can be answered.
pub(super) fn error(id: Option<&Id>, code: i64, message: &str) -> Vec<u8> {
    error_with(id, code, message, None)
}

fn error_with(id: Option<&Id>, code: i64, message: &str, data: Option<Json>) -> Vec<u8> {
    let mut error = vec![("code", Json::integer(code)), ("message", Json::from(message))];
    error.extend(data.map(|data| ("data", data)));
    let message =
        [("jsonrpc", Json::from("2.0")), ("id", id.map_or(Json::Null, Json::from)), ("error", Json::object(error))];
    Json::object(message).canonical()
}

pub(super) fn result(id: &Id, result: Json) -> Vec<u8> {
    Json::object([("jsonrpc", Json::from("2.0")), ("id", Json::from(id)), ("result", result)]).canonical()
}

/// The result of a tool that did not give one.
fn tool_error(id: &Id, text: &str, decision: Json, stateless: bool) -> Vec<u8> {
    let content = Json::object([("type", "text"), ("text", text)]);
    let mut members = vec![
        ("content", Json::Array(vec![content])),
        ("isError", Json::Bool(true)),
        ("_meta", Json::object([(DECISION, decision)])),
    ];
    members.extend(stateless.then(|| ("resultType", Json::from("complete"))));
    result(id, Json::object(members))
}

/// The result of one of the gate's own tools.
pub(super) fn called(id: &Id, called: Called, stateless: bool) -> Vec<u8> {
    let (decided, ran) = match called {
        Called::Denied(ruling) => {
            let decided = decision(&ruling.id, ruling.decision.as_str(), ruling.code);
            return tool_error(id, &ruling.for_model, decided, stateless);
        }
        Called::Ran { id, decision, result } => {
            (Json::object([("id", id.as_str()), ("decision", decision.as_str())]), result)
        }
    };
    let content = ran.texts.into_iter().map(|text| Json::object([("type", Json::from("text")), ("text", text.into())]));
    let mut members = vec![
        ("content", Json::Array(content.collect())),
        ("structuredContent", Json::Object(ran.structured)),
        ("isError", Json::Bool(ran.is_error)),
        ("_meta", Json::object([(DECISION, decided)])),
    ];
    members.extend(stateless.then(|| ("resultType", Json::from("complete"))));
    result(id, Json::object(members))
}

/// How far a call is, to whoever gave it `token`.
pub(super) fn progress(token: &Json, progress: &Progress) -> Vec<u8> {
    let done = Json::integer(i64::try_from(progress.done).unwrap_or(i64::MAX));
    let mut params = vec![("progressToken", token.clone()), ("progress", done)];
    params.extend(progress.message.as_deref().map(|message| ("message", Json::from(message))));
    let method = Json::from("notifications/progress");
    Json::object([("jsonrpc", Json::from("2.0")), ("method", method), ("params", Json::object(params))]).canonical()
}

fn decision(id: &str, decision: &str, code: Code) -> Json {
    Json::object([("id", id), ("decision", decision), ("code", code.as_str())])
}

/// A tool's result, or an error for everything else and for whoever expects a task.
fn failed(asked: &Asked, id: &Id, code: i64, text: &str, data: Json) -> Vec<u8> {
    match asked {
        Asked::Decided { action: Action::Call, expects: Expected::Result } => tool_error(id, text, data, false),
        Asked::Decided { action: Action::Call, expects: Expected::Stateless { .. } } => {
            tool_error(id, text, data, true)
        }
        _ => error_with(Some(id), code, text, Some(Json::object([(DECISION, data)]))),
    }
}

/// A denial, to whoever asked.
pub(super) fn denied(asked: &Asked, id: &Id, ruling: &Ruling) -> Vec<u8> {
    let data = decision(&ruling.id, ruling.decision.as_str(), ruling.code);
    failed(asked, id, DENIED, &ruling.for_model, data)
}

/// The answer to a call asks for something that the server may not ask for.
pub(super) fn may_not_ask(asked: &Asked, id: &Id, action: Action, ruling: &Ruling) -> Vec<u8> {
    let mut text = format!("The server asks for {}, and may not. {}", action.method(), ruling.for_model);
    if matches!(asked, Asked::Decided { .. }) {
        text.push_str(" The call ran as far as that.");
    }
    failed(asked, id, DENIED, &text, decision(&ruling.id, ruling.decision.as_str(), ruling.code))
}

/// The request is of a revision that is not among `supported`.
pub(super) fn unsupported(id: Option<&Id>, supported: &[&str], requested: &str) -> Vec<u8> {
    let supported = supported.iter().map(|revision| Json::from(*revision)).collect();
    let data = Json::object([("supported", Json::Array(supported)), ("requested", Json::from(requested))]);
    error_with(id, UNSUPPORTED_VERSION, "this revision of the protocol is not supported", Some(data))
}

/// An answer that came but may not be handed over.
pub(super) fn withheld(asked: &Asked, id: &Id, released: Option<&Released>, reason: &Reason) -> Vec<u8> {
    let mut text = format!("Withheld: {}. {}.", reason.code, reason.message);
    if matches!(asked, Asked::Decided { .. }) {
        text.push_str(" The call ran.");
    }
    let data = decision(released.map_or("", |released| &released.decision), "allow", reason.code);
    failed(asked, id, DENIED, &text, data)
}

/// An answer that will not come.
pub(super) fn unanswered(asked: &Asked, id: &Id, released: Option<&Released>, why: &str) -> Vec<u8> {
    let mut text = format!("No answer: {why}.");
    if matches!(asked, Asked::Decided { .. }) {
        text.push_str(" The call may have run.");
    }
    let data = decision(released.map_or("", |released| &released.decision), "allow", Code::Internal);
    failed(asked, id, UNANSWERED, &text, data)
}

/// Tells the server that nobody waits for this answer any more.
pub(super) fn cancelled(id: &Id, reason: &str) -> Vec<u8> {
    let params = Json::object([("requestId", Json::from(id)), ("reason", Json::from(reason))]);
    let message =
        [("jsonrpc", Json::from("2.0")), ("method", Json::from("notifications/cancelled")), ("params", params)];
    Json::object(message).canonical()
}
