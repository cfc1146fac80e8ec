//! From the client to the server.

use std::sync::Arc;

use callgate_core::seam::OfferKind;
use callgate_core::{CallFault, Outcome};
use callgate_text::{Digest, Json};
use tokio::io::AsyncRead;

use crate::frames::{Frame, Frames};
use crate::outbox::Gone;

use super::actions::{self, Action, Method, TaskMethod};
use super::decided::Turns;
use super::deciding::{Asking, decide, listen, read};
use super::era::{self, Envelope, Era, NoEnvelope, STATELESS};
use super::inflight::{Asked, Busy, Cancelled, Expected};
use super::phase::Stage;
use super::questions::Target;
use super::replies::{self, DENIED, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR};
use super::session::Session;
use super::{Fault, Id, Message, Refused, Shape, undecided};

/// Requests that wait until the server has answered `initialize` or `server/discover`.
const MOST_HELD: usize = 64;

/// Passes on what the client says until it stops; then waits until what it asked was decided.
pub(super) async fn run<R: AsyncRead + Unpin>(session: Arc<Session>, input: R) {
    let mut frames = Frames::new(input, session.limits.from_client);
    let mut saying = Saying { session, turns: Turns::default(), held: Vec::new() };
    loop {
        let waits = !saying.held.is_empty();
        let session = saying.session.clone();
        let taken = tokio::select! {
            biased;
            () = session.phase.settled(), if waits => saying.resume().await,
            frame = frames.next() => match frame {
                Ok(Some(frame)) => saying.take(frame).await,
                Ok(None) | Err(_) => break,
            },
        };
        if taken.is_err() {
            break;
        }
    }
    if !saying.held.is_empty() {
        let _ = tokio::time::timeout(saying.session.limits.grace, saying.session.phase.settled()).await;
        let _ = saying.resume().await;
    }
    saying.turns.next().come().await;
}

struct Saying {
    session: Arc<Session>,
    turns: Turns,
    /// What the client asked before it knew that it may.
    held: Vec<(Message, Id, String)>,
}

impl Saying {
    async fn take(&mut self, frame: Frame) -> Result<(), Gone> {
        let session = &self.session;
        let message = match frame {
            Frame::TooLong(skimmed) => return refused(session, Refused::too_long(&skimmed), &mut self.turns).await,
            Frame::Line(line) if line.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Frame::Line(line) => match Message::read(line, session.limits.from_client) {
                Err(line) => return refused(session, *line, &mut self.turns).await,
                Ok(message) => message,
            },
        };
        match message.shape.clone() {
            Shape::Request { id, method } if self.waits(&method) => {
                self.held.push((message, id, method));
                Ok(())
            }
            Shape::Request { id, method } => request(session, message, id, &method, &mut self.turns).await,
            Shape::Notification { method } => {
                notification(session, message, &method).await;
                Ok(())
            }
            Shape::Response { id, digest } => {
                response(session, message, id, digest).await;
                Ok(())
            }
        }
    }

    /// A script pipes its whole session in at once: what follows the question that fixes the era waits for its
    /// answer. A client that waited long enough may turn to the other one.
    fn waits(&self, method: &str) -> bool {
        let overtakes = match self.session.phase.stage() {
            Stage::Asked => ["initialize", "ping"].contains(&method),
            Stage::Probing => ["initialize", "ping", "server/discover"].contains(&method),
            Stage::New | Stage::Ready | Stage::Stateless => true,
        };
        let known = [Era::Handshake, Era::Stateless].iter().any(|era| actions::from_client(method, *era).is_some());
        !overtakes && known && self.held.len() < MOST_HELD
    }

    async fn resume(&mut self) -> Result<(), Gone> {
        for (message, id, method) in std::mem::take(&mut self.held) {
            request(&self.session, message, id, &method, &mut self.turns).await?;
        }
        Ok(())
    }
}

/// A line that is not a message. One that means to call a tool is a denied call, with its record.
async fn refused(session: &Arc<Session>, line: Refused, turns: &mut Turns) -> Result<(), Gone> {
    session.counters.client_garbage();
    let calls = line.method.as_deref() == Some(Action::Call.method());
    match line.id {
        Some(id) if calls && matches!(session.phase.stage(), Stage::Ready | Stage::Stateless) => {
            let fault = match line.fault {
                Fault::Json(error) => CallFault::Json(error),
                Fault::TooManyValues => CallFault::Shape("holds too many values"),
                Fault::Batch => CallFault::Shape("is a batch"),
                Fault::Envelope(what) => CallFault::Shape(what),
            };
            let expects = match session.phase.stage() {
                Stage::Stateless => Expected::Stateless { target: Target::of(Action::Call, None), task: false },
                _ => Expected::Result,
            };
            let asked = Asked::Decided { action: Action::Call, expects };
            decide(session, id, asked, Action::Call, Asking::faulty(fault), turns).await
        }
        id => {
            let code = match (&line.fault, &id) {
                (Fault::Json(_), None) => PARSE_ERROR,
                _ => INVALID_REQUEST,
            };
            // An answer by an id that is under way would complete the other request.
            let id = id.filter(|id| line.method.is_some() && !session.asked.holds(id));
            session.to_client.send(replies::error(id.as_ref(), code, &line.fault.to_string())).await
        }
    }
}

async fn request(
    session: &Arc<Session>,
    message: Message,
    id: Id,
    method: &str,
    turns: &mut Turns,
) -> Result<(), Gone> {
    let refuse = |code, why| session.refuse(&id, code, why);
    if session.own.is_own(&id) {
        return refuse(INVALID_REQUEST, "this id is reserved").await;
    }
    let stage = session.phase.stage();
    let claims = era::claims(message.params());
    let era = match stage.era() {
        Some(era) => era,
        None if claims || method == "server/discover" => Era::Stateless,
        None => Era::Handshake,
    };
    let Some(known) = actions::from_client(method, era) else {
        session.counters.unknown_requests();
        if method == "initialize" && !claims {
            let requested = message.params().and_then(|params| params.get("protocolVersion")).and_then(Json::as_str);
            return session.unsupported(&id, requested.unwrap_or_default()).await;
        }
        return refuse(METHOD_NOT_FOUND, "this gate passes only methods that it knows, in the era of the session")
            .await;
    };
    let envelope = match era {
        Era::Stateless => match Envelope::of(message.params()) {
            Ok(envelope) => Some(envelope),
            Err(NoEnvelope::Malformed(why)) => return refuse(INVALID_PARAMS, why).await,
            Err(NoEnvelope::Unknown { requested }) => {
                return session.unsupported(&id, &requested).await;
            }
        },
        Era::Handshake if claims => {
            return refuse(INVALID_REQUEST, "the session was begun in another era of the protocol").await;
        }
        Era::Handshake if !session.phase.is_ready() && known != Method::Initialize && method != "ping" => {
            return refuse(INVALID_REQUEST, "the session is not initialised").await;
        }
        Era::Handshake => None,
    };
    if let Some(envelope) = &envelope {
        // The door's own requests are not decided, whatever the request is that begins the session.
        if session.envelope.meta().is_none() {
            let said = session.wording.admits(envelope.wording());
            session.envelope.keep(&if said { envelope.clone() } else { envelope.bare() });
        }
        if known != Method::Discover {
            session.speak_stateless();
        }
    }
    let asked = match known {
        Method::Initialize => Asked::Initialize,
        Method::Discover => Asked::Discover,
        Method::Plain => Asked::Plain,
        Method::Listen => Asked::Listen,
        Method::List(kind) => Asked::List(kind),
        Method::Task(method) => {
            let id = message.params().and_then(|params| params.get("taskId")).and_then(Json::as_str);
            Asked::Task { method, target: envelope.and_then(|_| id.map(Target::task)) }
        }
        Method::Decided(action) => {
            let (asked, asking) = read(session, action, message, envelope.as_ref());
            return decide(session, id, asked, action, asking, turns).await;
        }
    };
    let mut message = match undecided::from_client(message, method, era, &session.wording) {
        Ok(message) => message,
        Err(why) => {
            session.counters.withheld();
            return refuse(INVALID_PARAMS, why).await;
        }
    };
    // What would fix the era must be under way before the rest waits for its answer.
    if matches!(asked, Asked::Initialize | Asked::Discover) && session.asked.holds(&id) {
        return session.refuse_busy(&id, Busy::Repeated).await;
    }
    let mut answers = None;
    match &asked {
        Asked::Task { method, .. } if *method != TaskMethod::List && !session.tasks.knows_task(message.params()) => {
            let code = if era == Era::Stateless { INVALID_PARAMS } else { DENIED };
            return refuse(code, "no call of this session made this task").await;
        }
        Asked::List(_) | Asked::Task { .. } if !session.cursors.knows_cursor(message.params()) => {
            return refuse(INVALID_PARAMS, "the server gave no such cursor in this session").await;
        }
        Asked::Task { method: TaskMethod::Update, target: Some(target) } => match session.fit(*target, message) {
            Ok((_, fit)) if !fit.unseen.is_empty() => {
                return refuse(INVALID_PARAMS, "the task asks for nothing").await;
            }
            Ok((fitted, fit)) => (message, answers) = (fitted, Some(fit)),
            Err(why) => return refuse(INVALID_PARAMS, why).await,
        },
        Asked::Initialize if !session.phase.ask() => {
            return refuse(INVALID_REQUEST, "the session was initialised before").await;
        }
        Asked::Discover => session.phase.probe(),
        Asked::Listen => return listen(session, message, id, turns).await,
        _ => {}
    }
    session.pass(message, &id, asked).await?;
    session.answered(answers).await;
    Ok(())
}

async fn notification(session: &Arc<Session>, message: Message, method: &str) {
    let era = session.phase.stage().era().unwrap_or(Era::Handshake);
    // Whatever the era, a client may give up what it asked; a probe is asked before there is one.
    if !actions::told_by_client(method, era) {
        return session.counters.unknown_notifications();
    }
    let told = undecided::from_client(message, method, era, &session.wording);
    let Ok(message) = told else { return session.counters.withheld() };
    // Progress and the state of a task are told to who asked for them: of calls that the server made.
    if method == "notifications/tasks/status" && !session.tasks_back.knows_task(message.params()) {
        return session.counters.stray_answers();
    }
    if method == "notifications/cancelled" {
        let Some(id) = cancelled_id(&message) else { return session.counters.stray_answers() };
        return match session.asked.cancel(&id) {
            Cancelled::Dropped => {}
            Cancelled::Nothing => session.counters.stray_answers(),
            Cancelled::Sent(entry) => {
                let _ = session.to_server.send(message.bytes).await;
                match entry.asked {
                    Asked::Discover => session.phase.probed(false),
                    Asked::Listen => session.stop_listening(&id, Outcome::Timeout).await,
                    _ => {}
                }
                session.report(entry.released, Outcome::Timeout, None).await;
            }
        };
    }
    let _ = session.to_server.send(message.bytes).await;
    if method == "notifications/initialized" && session.phase.is_ready() {
        session.look_ahead();
    }
}

/// The request that a cancellation names.
pub(super) fn cancelled_id(message: &Message) -> Option<Id> {
    Id::of(message.params()?.get("requestId")?)
}

/// An answer to a question of the server.
async fn response(session: &Arc<Session>, message: Message, id: Option<Id>, digest: Digest) {
    let Some(entry) = id.and_then(|id| session.asked_back.answer(&id)) else {
        return session.counters.stray_answers();
    };
    let outcome = outcome(&message);
    let known = match (&entry.asked, message.json.get("result")) {
        (Asked::Decided { expects: Expected::Task, .. }, Some(result)) => {
            session.tasks_back.learn_task(result);
            None
        }
        (Asked::Task { method: TaskMethod::List, .. }, Some(result)) => session.tasks_back.only_known(result),
        _ => None,
    };
    let message = match known {
        None => message,
        Some(known) => message.with("result", known),
    };
    let _ = session.to_server.send(message.bytes).await;
    session.report(entry.released, outcome, Some(digest)).await;
}

/// How a call ended, by its answer.
pub(super) fn outcome(answer: &Message) -> Outcome {
    let result = answer.json.get("result");
    let failed = result.is_none_or(|result| result.get("isError").and_then(Json::as_bool) == Some(true));
    if failed { Outcome::Error } else { Outcome::Ok }
}

impl Session {
    /// The client speaks without a handshake. What the server offers is not known then.
    fn speak_stateless(&self) {
        let begins = self.phase.stage() != Stage::Stateless;
        if self.phase.speak_stateless() && begins {
            self.catalog.expire(OfferKind::Tool);
            self.catalog.expire(OfferKind::Prompt);
        }
    }

    async fn unsupported(&self, id: &Id, requested: &str) -> Result<(), Gone> {
        let id = Some(id).filter(|id| !self.asked.holds(id));
        self.to_client.send(replies::unsupported(id, &STATELESS, requested)).await
    }

    /// Refuses a request of the client before anything was entered for it.
    pub(super) async fn refuse(&self, id: &Id, code: i64, why: &str) -> Result<(), Gone> {
        let id = Some(id).filter(|id| !self.asked.holds(id));
        self.to_client.send(replies::error(id, code, why)).await
    }
}
