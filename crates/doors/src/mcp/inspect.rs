//! Text on its way to a model: gathered from a message, shown to the gate, put back.

use std::collections::BTreeSet;

use callgate_core::gate::{Observed, Passing};
use callgate_core::{Code, Reason};
use callgate_text::{Json, Object};

use crate::Operations;

use super::Message;
use super::message::MEMBERS;

/// Shows every text in `value` to the gate; what comes back if a text was changed.
///
/// Texts are all strings at any depth, and keys that are not plain ASCII. Left out are the payloads of
/// images, sounds and blobs as long as they are base64.
///
/// # Errors
/// The reason for which the message must not be handed on.
pub(super) async fn inspect(gate: &dyn Operations, value: &Json) -> Result<Option<Json>, Reason> {
    let mut texts = Vec::new();
    gather(value, &mut texts);
    if texts.is_empty() {
        return Ok(None);
    }
    let count = texts.len();
    let observed = gate.observe(texts).await?;
    if observed.len() != count {
        return Err(Reason::new(Code::Internal, "the gate did not look at every text"));
    }
    if observed.iter().all(|observed| *observed == Observed::Unchanged) {
        return Ok(None);
    }
    let mut observed = observed.into_iter();
    rebuild(value, &mut observed).map(Some)
}

/// The message with the texts of one member inspected.
///
/// # Errors
/// As [`inspect`].
pub(super) async fn inspected(gate: &dyn Operations, message: Message, member: &str) -> Result<Message, Reason> {
    let Some(value) = message.json.get(member) else { return Ok(message) };
    Ok(match inspect(gate, value).await? {
        None => message,
        Some(value) => message.with(member, value),
    })
}

/// As [`inspected`] for what stands beside the members of JSON-RPC.
///
/// # Errors
/// As [`inspect`].
pub(super) async fn inspected_beside(gate: &dyn Operations, message: Message) -> Result<Message, Reason> {
    let beside = message.json.iter().filter(|(key, _)| !MEMBERS.contains(key));
    let beside: Vec<(String, Json)> = beside.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    if beside.is_empty() {
        return Ok(message);
    }
    let keys: Vec<String> = beside.iter().map(|(key, _)| key.clone()).collect();
    let Some(Json::Object(seen)) = inspect(gate, &Json::Object(beside.into_iter().collect())).await? else {
        return Ok(message);
    };
    // In their order, so that each new key belongs to its old one.
    let renamed = keys.iter().zip(seen.iter()).any(|(key, (seen, _))| key != seen);
    if renamed {
        return Err(Reason::new(Code::ResultWithheld, "a member beside the result has hidden characters in its name"));
    }
    Ok(seen.iter().fold(message, |message, (key, value)| message.with(key, value.clone())))
}

/// As [`inspected`] for `params` and what stands beside them, leaving the tokens alone by which the two sides
/// correlate messages.
///
/// # Errors
/// As [`inspect`].
pub(super) async fn inspected_params(gate: &dyn Operations, message: Message) -> Result<Message, Reason> {
    let message = inspected_beside(gate, message).await?;
    let Some(mut params) = message.params().cloned() else { return Ok(message) };
    let tokens = ["progressToken", "requestId"].map(|key| (key, params.remove(key)));
    match inspect(gate, &Json::Object(params)).await? {
        Some(Json::Object(mut params)) => {
            for (key, token) in tokens {
                if let Some(token) = token {
                    params.set(key, token);
                }
            }
            Ok(message.with("params", params))
        }
        _ => Ok(message),
    }
}

/// What of an object is text.
enum Part {
    /// Neither the key nor the value.
    Nothing,
    /// The value, and the key if it is not plain.
    Value { key: bool },
}

fn part(object: &Object, key: &str, value: &Json) -> Part {
    let media = || matches!(object.get("type").and_then(Json::as_str), Some("image" | "audio"));
    if (key == "blob" || key == "data" && media()) && is_base64(value) {
        return Part::Nothing;
    }
    Part::Value { key: !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') }
}

fn is_base64(value: &Json) -> bool {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
    value.as_str().is_some_and(|text| text.bytes().all(base64))
}

fn gather(value: &Json, texts: &mut Vec<Passing>) {
    match value {
        Json::String(text) if !text.is_empty() => texts.push(Passing { text: text.clone() }),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        Json::Array(items) => items.iter().for_each(|item| gather(item, texts)),
        Json::Object(object) => {
            for (key, value) in object.iter() {
                if let Part::Value { key: too } = part(object, key, value) {
                    if too {
                        texts.push(Passing { text: key.to_owned() });
                    }
                    gather(value, texts);
                }
            }
        }
    }
}

/// Walks as [`gather`] did, and takes one observation for each text.
fn rebuild(value: &Json, observed: &mut impl Iterator<Item = Observed>) -> Result<Json, Reason> {
    Ok(match value {
        Json::String(text) if !text.is_empty() => Json::String(shown(text, observed)?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
        Json::Array(items) => Json::Array(items.iter().map(|item| rebuild(item, observed)).collect::<Result<_, _>>()?),
        Json::Object(object) => {
            // Built from a list at once: looking each key up in an object would take time in the square of them.
            let (mut rebuilt, mut keys) = (Vec::with_capacity(object.len()), BTreeSet::new());
            for (key, value) in object.iter() {
                match part(object, key, value) {
                    Part::Nothing => {
                        keys.insert(key.to_owned());
                        rebuilt.push((key.to_owned(), value.clone()));
                    }
                    Part::Value { key: too } => {
                        let key = if too { shown(key, observed)? } else { key.to_owned() };
                        if !keys.insert(key.clone()) {
                            return Err(Reason::new(
                                Code::ResultWithheld,
                                "two keys are one without hidden characters",
                            ));
                        }
                        rebuilt.push((key, rebuild(value, observed)?));
                    }
                }
            }
            Json::Object(rebuilt.into_iter().collect())
        }
    })
}

fn shown(text: &str, observed: &mut impl Iterator<Item = Observed>) -> Result<String, Reason> {
    match observed.next() {
        Some(Observed::Unchanged) => Ok(text.to_owned()),
        Some(Observed::Sanitised(revealed)) => Ok(revealed.text),
        None => Err(Reason::new(Code::Internal, "the gate did not look at every text")),
    }
}
