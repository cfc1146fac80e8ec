//! From the server to the client, one message after the other, so that nothing overtakes.

use std::sync::Arc;

use callgate_core::seam::OfferKind;
use callgate_core::{Code, Outcome, Reason};
use callgate_text::{Digest, Json};
use tokio::io::AsyncRead;

use crate::frames::{Frame, Frames};
use crate::outbox::Gone;

use super::actions::{self, Method, TaskMethod};
use super::asking::{self, Kind, Unfit};
use super::client_side::outcome;
use super::decided::{self, Question, Turns};
use super::era::Era;
use super::greeting::{self, discovered, initialised};
use super::inflight::{Asked, Busy, Expected};
use super::inspect::{inspected, inspected_beside, inspected_params};
use super::listing::filtered;
use super::phase::Stage;
use super::replies::{self, DENIED, INVALID_REQUEST, METHOD_NOT_FOUND};
use super::session::Session;
use super::told::notification;
use super::{Id, Message, Refused, Shape, undecided};

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
    session.greeted(&entry.asked, false);
    if entry.asked == Asked::Listen {
        session.stop_listening(id, Outcome::Error).await;
    }
    session.report(entry.released, Outcome::Ok, None).await;
    sent
}

/// An answer to the client, or to the door itself. Any other answers nothing.
async fn answer(session: &Arc<Session>, message: Message, id: Id, digest: Digest) -> Result<(), Gone> {
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
        Ok(message) => {
            let accepted =
                outcome == Outcome::Ok && (entry.asked != Asked::Discover || greeting::is_stateless(&message));
            (message.bytes, accepted)
        }
        Err(Unfit::Withheld(reason)) => {
            session.counters.withheld();
            (replies::withheld(&entry.asked, &id, entry.released.as_ref(), &reason), false)
        }
        Err(Unfit::MayNotAsk(action, ruling)) => (replies::may_not_ask(&entry.asked, &id, action, &ruling), false),
    };
    let sent = session.to_client.send(bytes).await;
    // Only now, so that nothing that waited for this is answered before it.
    session.greeted(&entry.asked, accepted);
    if entry.asked == Asked::Discover && accepted && session.phase.stage() == Stage::Stateless {
        session.look_ahead();
    }
    if entry.asked == Asked::Listen {
        session.stop_listening(&id, outcome).await;
    }
    session.report(entry.released, outcome, Some(digest)).await;
    sent
}

/// The answer as it may be handed over.
async fn treated(session: &Session, asked: &Asked, message: Message) -> Result<Message, Unfit> {
    let gate = &*session.gate;
    let message = inspected_beside(gate, message).await?;
    let Some(result) = message.json.get("result") else {
        let message = inspected(gate, message, "error").await?;
        asking::error_asks(session, &message).await?;
        return Ok(message);
    };
    match asked {
        Asked::Initialize => return Ok(initialised(session, message).await?),
        Asked::Discover => {
            asking::kind(asked, result)?;
            return Ok(asking::kept_private(discovered(session, message).await?));
        }
        _ => {}
    }
    if session.phase.stage().era() == Some(Era::Stateless) {
        return treated_stateless(session, asked, message).await;
    }
    if asking::is_of_the_other_era(result) {
        return Err(Reason::new(Code::ResultWithheld, "the server's answer is of another era of the protocol").into());
    }
    match asked {
        Asked::List(kind) => listed(session, *kind, message).await,
        Asked::Task { method: TaskMethod::List, .. } => {
            session.cursors.learn_cursor(result);
            let known = session.tasks.only_known(result);
            let message = match known {
                None => message,
                Some(result) => message.with("result", result),
            };
            Ok(inspected(gate, message, "result").await?)
        }
        Asked::Decided { expects, .. } => {
            if *expects == Expected::Task {
                session.tasks.learn_task(result);
            }
            Ok(inspected(gate, message, "result").await?)
        }
        _ => Ok(inspected(gate, message, "result").await?),
    }
}

async fn treated_stateless(session: &Session, asked: &Asked, message: Message) -> Result<Message, Unfit> {
    let result = message.json.get("result").unwrap_or(&Json::Null);
    let message = match (asking::kind(asked, result)?, asked) {
        (Kind::Complete, Asked::List(kind)) => listed(session, *kind, message).await?,
        (Kind::InputRequired, Asked::Decided { expects: Expected::Stateless { target, .. }, .. }) => {
            asking::asks(session, *target, message).await?
        }
        (kind, _) => {
            let message = inspected(&*session.gate, message, "result").await?;
            if let Asked::Task { target: Some(target), .. } = asked {
                asking::task_asks(session, *target, &message, "result").await?;
            }
            if let (Kind::Task, Some(result)) = (kind, message.json.get("result")) {
                session.tasks.learn_created_task(result);
            }
            message
        }
    };
    Ok(asking::kept_private(message))
}

async fn listed(session: &Session, kind: OfferKind, message: Message) -> Result<Message, Unfit> {
    let Some(result) = message.json.get("result") else { return Ok(message) };
    session.cursors.learn_cursor(result);
    match filtered(session, kind, result).await? {
        None => Ok(message),
        Some(result) => Ok(message.with("result", result)),
    }
}

impl Session {
    /// The server answered, in the client's eyes, what fixes the era.
    fn greeted(&self, asked: &Asked, accepted: bool) {
        match asked {
            Asked::Initialize => self.phase.answer(accepted),
            Asked::Discover => self.phase.probed(accepted),
            _ => {}
        }
    }

    /// Looks at the lists in the background, so that the first call need not wait for them.
    pub(super) fn look_ahead(self: &Arc<Self>) {
        let session = self.clone();
        tokio::spawn(async move {
            session.refresh(OfferKind::Tool).await;
            session.refresh(OfferKind::Prompt).await;
        });
    }
}

/// A question of the server. Its ids are its own; they are never looked up among the client's. In the stateless
/// era a server asks in its answers alone.
async fn request(session: &Arc<Session>, message: Message, id: Id, method: &str, turns: &mut Turns) {
    let known = actions::from_server(method).filter(|_| session.phase.stage().era() != Some(Era::Stateless));
    let Some(known) = known else {
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
            let call = actions::read(action, &message.json, session.reader(Era::Handshake), original);
            let task = message.params().is_some_and(|params| params.contains("task"));
            let asked = Asked::Decided { action, expects: Expected::task(task) };
            let Some(serial) = session.enter_back(&id, session.asked_back.begin(&id, asked.clone(), None)).await else {
                return;
            };
            let Some(room) = session.room_back.take(message.bytes.len()).await else { return };
            let question = Question { id, serial, asked, action, bytes: message.bytes, call, answers: None, room };
            tokio::spawn(decided::from_server(session.clone(), question, turns.next()));
        }
        Method::Task(task) if task != TaskMethod::List && !session.tasks_back.knows_task(message.params()) => {
            session.refuse_back(&id, DENIED, "no question of this server made this task").await;
        }
        Method::Task(method) => session.pass_back(message, &id, Asked::Task { method, target: None }).await,
        Method::Plain | Method::Initialize | Method::Discover | Method::Listen | Method::List(_) => {
            session.pass_back(message, &id, Asked::Plain).await;
        }
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
