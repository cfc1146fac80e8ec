//! What a server says of itself: its answers to `initialize` and to `server/discover`.

use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{Code, Reason};
use callgate_text::{Json, Object};

use super::Message;
use super::era::{HANDSHAKE, STATELESS};
use super::inspect::inspect;
use super::message::is_variant;
use super::phase::Stage;
use super::session::Session;

/// The handshake: instructions pass only as they are pinned.
///
/// # Errors
/// The reason for which it must not be handed on.
pub(super) async fn initialised(session: &Session, message: Message) -> Result<Message, Reason> {
    let result = said(&message)?;
    if !result.get("protocolVersion").and_then(Json::as_str).is_some_and(|revision| HANDSHAKE.contains(&revision)) {
        return Err(withheld("the server speaks a revision of the protocol that this gate does not know"));
    }
    session.catalog.declare(result.get("capabilities"));
    shown(session, message, result, false).await
}

/// The same for a server of the stateless era. Revisions that this door does not know are taken out.
///
/// # Errors
/// The reason for which it must not be handed on.
pub(super) async fn discovered(session: &Session, message: Message) -> Result<Message, Reason> {
    let mut result = said(&message)?;
    let Some(Json::Array(versions)) = result.get("supportedVersions") else {
        return Err(withheld("the server does not say what it speaks"));
    };
    let is_known = |version: &&Json| {
        version.as_str().is_some_and(|version| STATELESS.contains(&version) || HANDSHAKE.contains(&version))
    };
    let known: Vec<Json> = versions.iter().filter(is_known).cloned().collect();
    let changed = known.len() < versions.len();
    if changed {
        result.set("supportedVersions", Json::Array(known));
    }
    // Asked again, a server tells nothing new: it says when its lists change.
    if session.phase.stage() != Stage::Stateless {
        session.catalog.declare(result.get("capabilities"));
    }
    shown(session, message, result, changed).await
}

/// Whether what is handed to the client is the answer of a server of the stateless era.
pub(super) fn is_stateless(message: &Message) -> bool {
    let versions = message.json.get("result").and_then(|result| result.get("supportedVersions"));
    let versions = versions.and_then(Json::as_array).unwrap_or_default();
    versions.iter().any(|version| version.as_str().is_some_and(|version| STATELESS.contains(&version)))
}

fn withheld(why: &'static str) -> Reason {
    Reason::new(Code::ResultWithheld, why)
}

fn said(message: &Message) -> Result<Object, Reason> {
    let result = message.json.get("result").and_then(Json::as_object);
    let result = result.ok_or_else(|| withheld("the server's answer is not an object"))?;
    let acted_on = ["instructions", "capabilities", "supportedVersions"];
    if result.iter().any(|(key, _)| acted_on.iter().any(|name| is_variant(key, name))) {
        return Err(withheld("the server's answer has a member in another spelling"));
    }
    Ok(result.clone())
}

/// The message with `result` for its result, without instructions that do not stand as shown.
async fn shown(session: &Session, message: Message, mut result: Object, changed: bool) -> Result<Message, Reason> {
    let instructions = result.remove("instructions");
    let shown = match &instructions {
        None => true,
        Some(instructions) => are_shown(session, instructions.clone()).await,
    };
    // Without a gate the client still gets a session, in which each call is told so.
    let sanitised = inspect(&*session.gate, &Json::Object(result.clone())).await.unwrap_or(None);
    if shown && !changed && sanitised.is_none() {
        return Ok(message);
    }
    let mut result = match sanitised {
        Some(Json::Object(sanitised)) => sanitised,
        _ => result,
    };
    if let Some(instructions) = instructions.filter(|_| shown) {
        result.set("instructions", instructions);
    }
    Ok(message.with("result", result))
}

async fn are_shown(session: &Session, instructions: Json) -> bool {
    let offers = vec![Offer { kind: OfferKind::Instructions, definition: instructions }];
    let standing = session.gate.standing(session.server.clone(), offers).await;
    let shown = standing.as_deref() == Ok(&[Standing::Shown]);
    if !shown {
        tracing::warn!("the server's instructions are not pinned as they are, and were taken out");
    }
    shown
}
