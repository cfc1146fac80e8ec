//! What a message that is not decided may carry.
//!
//! A call is judged with all that is in it. A ping, a list or a notification is not, so it carries what the
//! protocol gives it and nothing else: otherwise an agent could tell a server that conspires with it anything,
//! past every policy. Members that nobody knows refuse the message; keys of `_meta` that nobody knows are taken
//! out of it, since well-meaning clients put their own there.

use callgate_text::{Json, Object};

use super::Message;

/// The longest undecided message; a handshake may tell more.
const LONGEST: usize = 16 << 10;
const LONGEST_HANDSHAKE: usize = 64 << 10;
/// The longest token, cursor or handle.
const LONGEST_TOKEN: usize = 4 << 10;

/// The levels of `logging/setLevel` (RFC 5424).
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// The members of `params` besides `_meta` of what a client says undecided.
const fn members(method: &str) -> &'static [&'static str] {
    match method.as_bytes() {
        b"initialize" => &["protocolVersion", "capabilities", "clientInfo"],
        b"logging/setLevel" => &["level"],
        b"tools/list" | b"prompts/list" | b"resources/list" | b"resources/templates/list" | b"tasks/list" => {
            &["cursor"]
        }
        b"tasks/get" | b"tasks/result" | b"tasks/cancel" => &["taskId"],
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
pub(super) fn from_client(message: Message, method: &str) -> Result<Message, &'static str> {
    let longest = if method == "initialize" { LONGEST_HANDSHAKE } else { LONGEST };
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
        Some(Json::Object(meta)) => kept_meta(meta)?,
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
fn kept_meta(meta: &Object) -> Result<Option<Object>, &'static str> {
    if meta.get("progressToken").is_some_and(|token| !is_token(token)) {
        return Err("the progress token is neither a string nor a number");
    }
    let keeps = |key: &str, value: &Json| match key {
        "progressToken" => true,
        "io.modelcontextprotocol/related-task" => {
            value.as_object().is_some_and(|task| task.len() == 1 && task.get("taskId").is_some_and(is_token))
        }
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
