//! What the door itself says, to the client or to the server.

use callgate_core::{Code, Reason};
use callgate_text::Json;

use crate::Ruling;

use super::Id;
use super::actions::Action;
use super::inflight::{Asked, Released};

/// The JSON-RPC code of a denial, and of anything else that policy keeps from passing.
pub const DENIED: i64 = -32050;
/// The server ended or did not answer in time.
pub(super) const UNANSWERED: i64 = -32000;
pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;

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

fn result(id: &Id, result: Json) -> Vec<u8> {
    Json::object([("jsonrpc", Json::from("2.0")), ("id", Json::from(id)), ("result", result)]).canonical()
}

/// The result of a tool that did not give one.
fn tool_error(id: &Id, text: &str, decision: Json) -> Vec<u8> {
    let content = Json::object([("type", "text"), ("text", text)]);
    let members = [
        ("content", Json::Array(vec![content])),
        ("isError", Json::Bool(true)),
        ("_meta", Json::object([(DECISION, decision)])),
    ];
    result(id, Json::object(members))
}

fn decision(id: &str, decision: &str, code: Code) -> Json {
    Json::object([("id", id), ("decision", decision), ("code", code.as_str())])
}

/// A tool's result, or an error for everything else and for whoever expects a task.
fn failed(asked: &Asked, id: &Id, code: i64, text: &str, data: Json) -> Vec<u8> {
    match asked {
        Asked::Decided { action: Action::Call, task: false } => tool_error(id, text, data),
        _ => error_with(Some(id), code, text, Some(Json::object([(DECISION, data)]))),
    }
}

/// A denial, to whoever asked.
pub(super) fn denied(asked: &Asked, id: &Id, ruling: &Ruling) -> Vec<u8> {
    let data = decision(&ruling.id, ruling.decision.as_str(), ruling.code);
    failed(asked, id, DENIED, &ruling.for_model, data)
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
