//! From the server to the client, one message after the other, so that nothing overtakes.

use std::sync::Arc;

use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{Code, Outcome, Reason};
use callgate_text::{Digest, Json};
use tokio::io::AsyncRead;

use crate::frames::{Frame, Frames};
use crate::outbox::Gone;

use super::actions::{self, Method, TOLD_BY_SERVER, TaskMethod};
use super::client_side::{cancelled_id, outcome};
use super::decided::{self, Question, Turns};
use super::inflight::{Asked, Busy, Cancelled};
use super::inspect::{inspect, inspected, inspected_beside, inspected_params};
use super::listing::filtered;
use super::message::is_variant;
use super::replies::{self, DENIED, INVALID_REQUEST, METHOD_NOT_FOUND};
use super::session::Session;
use super::{Id, Message, Refused, Shape, undecided};

/// The revisions of the protocol that this door understands.
const REVISIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// Passes on what the server says until it stops.
pub(super) async fn run<R: AsyncRead + Unpin>(session: Arc<Session>, output: R) {
    let mut frames = Frames::new(output, session.limits.from_server);
    let mut turns = Turns::default();
    while let Ok(Some(frame)) = frames.next().await {
        let taken = match frame {
            Frame::TooLong(skimmed) => {
                refused(&session, Refused::too_long(&skimmed), "the server's answer is too large").await
            }
            Frame::Line(line) if line.iter().all(u8::is_ascii_whitespace) => Ok(()),
            Frame::Line(line) => match Message::read(line, session.limits.from_server) {
                Err(line) => refused(&session, *line, "the server's answer is not strict JSON-RPC").await,
                Ok(message) => take(&session, message, &mut turns).await,
            },
        };
        if taken.is_err() {
            break;
        }
    }
}

async fn take(session: &Arc<Session>, message: Message, turns: &mut Turns) -> Result<(), Gone> {
    match message.shape.clone() {
        Shape::Request { id, method } => {
            request(session, message, id, &method, turns).await;
            Ok(())
        }
        Shape::Notification { method } => notification(session, message, &method).await,
        Shape::Response { id: None, .. } => {
            session.counters.stray_answers();
            Ok(())
        }
        Shape::Response { id: Some(id), digest } => answer(session, message, id, digest).await,
    }
}

/// A line that is not a message. If it seems to answer a question, whoever asked is told.
async fn refused(session: &Session, line: Refused, why: &'static str) -> Result<(), Gone> {
    session.counters.server_garbage();
    if let (Some(id), Some(_)) = (&line.id, &line.method) {
        let answer = replies::error(Some(id), INVALID_REQUEST, &line.fault.to_string());
        let _ = session.to_server.send(answer).await;
        return Ok(());
    }
    for id in line.id.into_iter().chain(line.batched) {
        unreadable(session, &id, why).await?;
    }
    Ok(())
}

/// The request was answered, in a way that cannot be handed over.
async fn unreadable(session: &Session, id: &Id, why: &'static str) -> Result<(), Gone> {
    if session.own.is_own(id) {
        session.own.fail(id);
        return Ok(());
    }
    let Some(entry) = session.asked.answer(id) else { return Ok(()) };
    let reason = Reason::new(Code::ResultWithheld, why);
    let sent = session.to_client.send(replies::withheld(&entry.asked, id, entry.released.as_ref(), &reason)).await;
    if entry.asked == Asked::Initialize {
        session.phase.answer(false);
    }
    session.report(entry.released, Outcome::Ok, None).await;
    sent
}

/// An answer to the client, or to the door itself. Any other answers nothing.
async fn answer(session: &Session, message: Message, id: Id, digest: Digest) -> Result<(), Gone> {
    if session.own.is_own(&id) {
        session.own.deliver(&id, message);
        return Ok(());
    }
    let Some(entry) = session.asked.answer(&id) else {
        session.counters.stray_answers();
        return Ok(());
    };
    let outcome = outcome(&message);
    let (bytes, accepted) = match treated(session, &entry.asked, message).await {
        Ok(message) => (message.bytes, outcome == Outcome::Ok),
        Err(reason) => {
            session.counters.withheld();
            (replies::withheld(&entry.asked, &id, entry.released.as_ref(), &reason), false)
        }
    };
    let sent = session.to_client.send(bytes).await;
    if entry.asked == Asked::Initialize {
        // Only now, so that nothing that waited for this is answered before it.
        session.phase.answer(accepted);
    }
    session.report(entry.released, outcome, Some(digest)).await;
    sent
}

/// The answer as it may be handed over.
async fn treated(session: &Session, asked: &Asked, message: Message) -> Result<Message, Reason> {
    let gate = &*session.gate;
    let message = inspected_beside(gate, message).await?;
    let Some(result) = message.json.get("result") else {
        return inspected(gate, message, "error").await;
    };
    match asked {
        Asked::Plain => inspected(gate, message, "result").await,
        Asked::Initialize => initialised(session, message).await,
        Asked::List(kind) => {
            session.cursors.learn_cursor(result);
            match filtered(session, *kind, result).await? {
                None => Ok(message),
                Some(result) => Ok(message.with("result", result)),
            }
        }
        Asked::Task(TaskMethod::List) => {
            session.cursors.learn_cursor(result);
            let known = session.tasks.only_known(result);
            let message = match known {
                None => message,
                Some(result) => message.with("result", result),
            };
            inspected(gate, message, "result").await
        }
        Asked::Decided { task, .. } => {
            if *task {
                session.tasks.learn_task(result);
            }
            inspected(gate, message, "result").await
        }
        Asked::Task(_) => inspected(gate, message, "result").await,
    }
}

/// The handshake: instructions pass only as they are pinned.
async fn initialised(session: &Session, message: Message) -> Result<Message, Reason> {
    let not_one = |why| Reason::new(Code::ResultWithheld, why);
    let result = message.json.get("result").and_then(Json::as_object);
    let mut result = result.ok_or_else(|| not_one("the server's answer is not an object"))?.clone();
    if result.iter().any(|(key, _)| ["instructions", "capabilities"].iter().any(|name| is_variant(key, name))) {
        return Err(not_one("the server's answer has a member in another spelling"));
    }
    if !result.get("protocolVersion").and_then(Json::as_str).is_some_and(|revision| REVISIONS.contains(&revision)) {
        return Err(not_one("the server speaks a revision of the protocol that this gate does not know"));
    }
    session.catalog.declare(result.get("capabilities"));
    let instructions = result.remove("instructions");
    let shown = match &instructions {
        None => true,
        Some(instructions) => are_shown(session, instructions.clone()).await,
    };
    let sanitised = inspect(&*session.gate, &Json::Object(result.clone())).await.unwrap_or(None);
    if shown && sanitised.is_none() {
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

/// A question of the server. Its ids are its own; they are never looked up among the client's.
async fn request(session: &Arc<Session>, message: Message, id: Id, method: &str, turns: &mut Turns) {
    let Some(known) = actions::from_server(method) else {
        session.counters.unknown_requests();
        return session.refuse_back(&id, METHOD_NOT_FOUND, "this gate passes only methods that it knows").await;
    };
    match known {
        Method::Decided(action) => {
            let message = match inspected_params(&*session.gate, message).await {
                Ok(message) => message,
                Err(reason) => {
                    session.counters.withheld();
                    return session.refuse_back(&id, DENIED, &reason.message).await;
                }
            };
            let original = Digest::of(&message.bytes);
            let call = actions::read(action, &message.json, &session.server, session.session.as_ref(), original);
            let task = message.params().is_some_and(|params| params.contains("task"));
            let asked = Asked::Decided { action, task };
            let Some(serial) = session.enter_back(&id, session.asked_back.begin(&id, asked.clone(), None)).await else {
                return;
            };
            let Some(room) = session.room_back.take(message.bytes.len()).await else { return };
            let question = Question { id, serial, asked, action, bytes: message.bytes, call, room };
            tokio::spawn(decided::from_server(session.clone(), question, turns.next()));
        }
        Method::Task(task) if task != TaskMethod::List && !session.tasks_back.knows_task(message.params()) => {
            session.refuse_back(&id, DENIED, "no question of this server made this task").await;
        }
        Method::Task(task) => session.pass_back(message, &id, Asked::Task(task)).await,
        Method::Plain | Method::Initialize | Method::List(_) => session.pass_back(message, &id, Asked::Plain).await,
    }
}

impl Session {
    async fn pass_back(&self, message: Message, id: &Id, asked: Asked) {
        let message = match undecided::from_server(&message) {
            Ok(()) => inspected_params(&*self.gate, message).await.map_err(|reason| reason.message),
            Err(why) => Err(why.to_owned()),
        };
        let message = match message {
            Ok(message) => message,
            Err(why) => {
                self.counters.withheld();
                return self.refuse_back(id, DENIED, &why).await;
            }
        };
        if self.enter_back(id, self.asked_back.send(id, asked, None)).await.is_some() {
            let _ = self.to_client.send(message.bytes).await;
        }
    }

    async fn enter_back(&self, id: &Id, entered: Result<u64, Busy>) -> Option<u64> {
        match entered {
            Ok(serial) => Some(serial),
            Err(Busy::Repeated) => {
                self.counters.repeated_ids();
                None
            }
            Err(Busy::Full) => {
                let answer = replies::error(Some(id), replies::UNANSWERED, "too many requests are under way");
                let _ = self.to_server.send(answer).await;
                None
            }
        }
    }

    async fn refuse_back(&self, id: &Id, code: i64, why: &str) {
        let _ = self.to_server.send(replies::error(Some(id), code, why)).await;
    }
}

async fn notification(session: &Session, message: Message, method: &str) -> Result<(), Gone> {
    if !TOLD_BY_SERVER.contains(&method) {
        session.counters.unknown_notifications();
        return Ok(());
    }
    if undecided::from_server(&message).is_err() {
        session.counters.withheld();
        return Ok(());
    }
    match method {
        "notifications/progress" => {
            if let Some(token) = message.params().and_then(|params| params.get("progressToken")) {
                session.asked.progressed(token);
            }
        }
        "notifications/tools/list_changed" => session.catalog.expire(OfferKind::Tool),
        "notifications/prompts/list_changed" => session.catalog.expire(OfferKind::Prompt),
        "notifications/cancelled" => match cancelled_id(&message).map(|id| session.asked_back.cancel(&id)) {
            Some(Cancelled::Sent(entry)) => session.report(entry.released, Outcome::Timeout, None).await,
            Some(Cancelled::Dropped) => return Ok(()),
            Some(Cancelled::Nothing) | None => {
                session.counters.stray_answers();
                return Ok(());
            }
        },
        _ => {}
    }
    match inspected_params(&*session.gate, message).await {
        Ok(message) => session.to_client.send(message.bytes).await,
        Err(_) => {
            session.counters.withheld();
            Ok(())
        }
    }
}
