//! What a message that is not decided may carry.
//!
//! A call is judged with all that is in it. A ping, a list or a notification is not, so it carries what the
//! protocol gives it and nothing else: otherwise an agent could tell a server that conspires with it anything,
//! past every policy. Members that nobody knows refuse the message; keys of `_meta` that nobody knows are taken
//! out of it, since well-meaning clients put their own there.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use callgate_text::{Digest, Json, Object};

use super::Message;
use super::era::{CAPABILITIES, CLIENT, Envelope, Era, LEVELS, LOG_LEVEL, VERSION};
use super::subscriptions::Filter;

/// The longest undecided message; a handshake may tell more.
const LONGEST: usize = 16 << 10;
const LONGEST_HANDSHAKE: usize = 64 << 10;
/// The longest token, cursor or handle.
const LONGEST_TOKEN: usize = 4 << 10;

/// What a client may word freely in the undecided messages of a session: its name and what it can do, which the
/// stateless era repeats in every request. Different wordings count together as much as one handshake may tell.
#[derive(Debug, Default)]
pub(super) struct Wording(Mutex<(BTreeSet<Digest>, usize)>);

impl Wording {
    /// Whether this may be said, as it was said before or there is room for it.
    pub(super) fn admits(&self, (digest, length): (Digest, usize)) -> bool {
        if length > LONGEST {
            return false;
        }
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.0.contains(&digest) {
            return true;
        }
        let told = said.1.saturating_add(length);
        let fits = told <= LONGEST_HANDSHAKE;
        if fits {
            said.1 = told;
            said.0.insert(digest);
        }
        fits
    }
}

/// The members of `params` besides `_meta` of what a client says undecided.
const fn members(method: &str) -> &'static [&'static str] {
    match method.as_bytes() {
        b"initialize" => &["protocolVersion", "capabilities", "clientInfo"],
        b"logging/setLevel" => &["level"],
        b"tools/list" | b"prompts/list" | b"resources/list" | b"resources/templates/list" | b"tasks/list" => {
            &["cursor"]
        }
        b"tasks/get" | b"tasks/result" | b"tasks/cancel" => &["taskId"],
        b"tasks/update" => &["taskId", "inputResponses"],
        b"subscriptions/listen" => &["notifications"],
        b"notifications/cancelled" => &["requestId", "reason"],
        b"notifications/progress" => &["progressToken", "progress", "total", "message"],
        b"notifications/tasks/status" => {
            &["taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt", "ttl", "pollInterval"]
        }
        _ => &[],
    }
}

/// What an undecided message of the client becomes on its way to the server.
///
/// # Errors
/// What it carries that its method does not.
pub(super) fn from_client(
    message: Message,
    method: &str,
    era: Era,
    wording: &Wording,
) -> Result<Message, &'static str> {
    let longest = match method {
        "initialize" => LONGEST_HANDSHAKE,
        // Its answers were held against the questions, which were decided.
        "tasks/update" => usize::MAX,
        // It names resources, which are decided one by one.
        "subscriptions/listen" => usize::MAX,
        _ => LONGEST,
    };
    if message.bytes.len() > longest {
        return Err("it is too long for a message that is not decided");
    }
    if message.json.iter().any(|(key, _)| !["jsonrpc", "id", "method", "params"].contains(&key)) {
        return Err("it has a member beside `jsonrpc`, `id`, `method` and `params`");
    }
    let Some(params) = message.params() else { return Ok(message) };
    let known = members(method);
    if params.iter().any(|(key, _)| key != "_meta" && !known.contains(&key)) {
        return Err("`params` has a member that is not part of this method");
    }
    for (key, value) in params.iter() {
        if !is_fit(key, value) {
            return Err("a member of `params` is not what the protocol says");
        }
    }
    let kept = match params.get("_meta") {
        None => return Ok(message),
        Some(Json::Object(meta)) => {
            let envelope = if era == Era::Stateless { Envelope::of(Some(params)).ok() } else { None };
            if envelope.as_ref().is_some_and(|envelope| !wording.admits(envelope.wording())) {
                return Err("the client says too many different things about itself");
            }
            kept_meta(meta, envelope.is_some())?
        }
        Some(_) => return Err("`_meta` is not an object"),
    };
    let Some(kept) = kept else { return Ok(message) };
    let mut params = params.clone();
    params.set("_meta", kept);
    Ok(message.with("params", params))
}

/// A notification of the server, or a request of it that is not decided. Its texts are inspected elsewhere.
///
/// # Errors
/// What would not be inspected.
pub(super) fn from_server(message: &Message) -> Result<(), &'static str> {
    let tokens = ["progressToken", "requestId"];
    let mut params = message.params().into_iter().flat_map(Object::iter);
    if params.any(|(key, value)| tokens.contains(&key) && !is_fit(key, value)) {
        return Err("a token is neither a string nor a number");
    }
    Ok(())
}

/// Whether a member that is no free text has the form that the protocol gives it.
fn is_fit(key: &str, value: &Json) -> bool {
    match key {
        "level" => value.as_str().is_some_and(|level| LEVELS.contains(&level)),
        "cursor" | "taskId" => value.as_str().is_some_and(|text| text.len() <= LONGEST_TOKEN),
        "progressToken" | "requestId" => is_token(value),
        "progress" | "total" => matches!(value, Json::Number(_)),
        "reason" | "message" => matches!(value, Json::String(_)),
        "notifications" => Filter::of(value).is_some(),
        _ => true,
    }
}

fn is_token(value: &Json) -> bool {
    match value {
        Json::String(text) => text.len() <= LONGEST_TOKEN,
        Json::Number(_) => true,
        _ => false,
    }
}

/// `_meta` with nothing in it but what the protocol itself puts there; `None` if it is so already.
///
/// What a request of the stateless era says about itself stays if it was `read` as such.
fn kept_meta(meta: &Object, read: bool) -> Result<Option<Object>, &'static str> {
    if meta.get("progressToken").is_some_and(|token| !is_token(token)) {
        return Err("the progress token is neither a string nor a number");
    }
    let keeps = |key: &str, value: &Json| match key {
        "progressToken" => true,
        "io.modelcontextprotocol/related-task" => {
            value.as_object().is_some_and(|task| task.len() == 1 && task.get("taskId").is_some_and(is_token))
        }
        VERSION | CLIENT | CAPABILITIES | LOG_LEVEL => read,
        // W3C Trace Context: fixed in form, so that it holds an id and no message.
        "traceparent" => value.as_str().is_some_and(is_traceparent),
        _ => false,
    };
    if meta.iter().all(|(key, value)| keeps(key, value)) {
        return Ok(None);
    }
    let kept = meta.iter().filter(|(key, value)| keeps(key, value));
    Ok(Some(kept.map(|(key, value)| (key.to_owned(), value.clone())).collect()))
}

/// `00-<32 hex>-<16 hex>-<2 hex>`.
fn is_traceparent(text: &str) -> bool {
    let lengths = [2, 32, 16, 2];
    let parts: Vec<&str> = text.split('-').take(lengths.len() + 1).collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
}
