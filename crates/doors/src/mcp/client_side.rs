//! From the client to the server.

use std::sync::Arc;

use callgate_core::{CallFault, Outcome};
use callgate_text::{Digest, Json};
use tokio::io::AsyncRead;

use crate::frames::{Frame, Frames};
use crate::outbox::Gone;

use super::actions::{self, Action, Method, TOLD_BY_CLIENT, TaskMethod};
use super::decided::{self, Question, Turns};
use super::inflight::{Asked, Cancelled};
use super::replies::{self, DENIED, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR};
use super::session::{Session, Stage};
use super::{Fault, Id, Message, Refused, Shape, undecided};

/// Requests that wait until the server has answered `initialize`.
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

    /// A script pipes its whole session in at once: what follows `initialize` waits for its answer.
    fn waits(&self, method: &str) -> bool {
        let asks = actions::from_client(method).is_some_and(|known| known != Method::Initialize);
        asks && method != "ping" && self.session.phase.stage() == Stage::Asked && self.held.len() < MOST_HELD
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
        Some(id) if calls && session.phase.is_ready() => {
            let fault = match line.fault {
                Fault::Json(error) => CallFault::Json(error),
                Fault::TooManyValues => CallFault::Shape("holds too many values"),
                Fault::Batch => CallFault::Shape("is a batch"),
                Fault::Envelope(what) => CallFault::Shape(what),
            };
            let asked = Asked::Decided { action: Action::Call, task: false };
            decide(session, id, asked, Action::Call, (Vec::new(), None), Err(fault), turns).await
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
    let Some(known) = actions::from_client(method) else {
        session.counters.unknown_requests();
        return refuse(METHOD_NOT_FOUND, "this gate passes only methods that it knows").await;
    };
    if !session.phase.is_ready() && known != Method::Initialize && method != "ping" {
        return refuse(INVALID_REQUEST, "the session is not initialised").await;
    }
    let asked = match known {
        Method::Initialize => Asked::Initialize,
        Method::Plain => Asked::Plain,
        Method::List(kind) => Asked::List(kind),
        Method::Task(method) => Asked::Task(method),
        Method::Decided(action) => {
            let original = Digest::of(&message.bytes);
            let call = actions::read(action, &message.json, &session.server, session.session.as_ref(), original);
            let task = message.params().is_some_and(|params| params.contains("task"));
            let asked = Asked::Decided { action, task };
            let token = message.progress_token();
            return decide(session, id, asked, action, (message.bytes, token), call, turns).await;
        }
    };
    let message = match undecided::from_client(message, method) {
        Ok(message) => message,
        Err(why) => {
            session.counters.withheld();
            return refuse(INVALID_PARAMS, why).await;
        }
    };
    match &asked {
        Asked::Task(task) if *task != TaskMethod::List && !session.tasks.knows_task(message.params()) => {
            return refuse(DENIED, "no call of this session made this task").await;
        }
        Asked::List(_) | Asked::Task(_) if !session.cursors.knows_cursor(message.params()) => {
            return refuse(INVALID_PARAMS, "the server gave no such cursor in this session").await;
        }
        Asked::Initialize if !session.phase.ask() => {
            return refuse(INVALID_REQUEST, "the session was initialised before").await;
        }
        _ => {}
    }
    session.pass(message, &id, asked).await
}

async fn decide(
    session: &Arc<Session>,
    id: Id,
    asked: Asked,
    action: Action,
    (bytes, token): (Vec<u8>, Option<Json>),
    call: Result<callgate_core::Request, CallFault>,
    turns: &mut Turns,
) -> Result<(), Gone> {
    let serial = match session.asked.begin(&id, asked.clone(), token) {
        Ok(serial) => serial,
        Err(busy) => return session.refuse_busy(&id, busy).await,
    };
    let room = session.room.take(bytes.len()).await.ok_or(Gone)?;
    let question = Question { id, serial, asked, action, bytes, call, room };
    tokio::spawn(decided::from_client(session.clone(), question, turns.next()));
    Ok(())
}

async fn notification(session: &Arc<Session>, message: Message, method: &str) {
    if !TOLD_BY_CLIENT.contains(&method) {
        return session.counters.unknown_notifications();
    }
    let Ok(message) = undecided::from_client(message, method) else { return session.counters.withheld() };
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
                session.report(entry.released, Outcome::Timeout, None).await;
            }
        };
    }
    let _ = session.to_server.send(message.bytes).await;
    if method == "notifications/initialized" && session.phase.is_ready() {
        // So that the first call need not wait for the lists.
        let session = session.clone();
        tokio::spawn(async move {
            session.refresh(callgate_core::seam::OfferKind::Tool).await;
            session.refresh(callgate_core::seam::OfferKind::Prompt).await;
        });
    }
}

/// The request that a cancellation names.
pub(super) fn cancelled_id(message: &Message) -> Option<Id> {
    match message.params()?.get("requestId")? {
        Json::String(text) => Some(Id::Text(text.clone())),
        number => number.as_i64().map(Id::Number),
    }
}

/// An answer to a question of the server.
async fn response(session: &Arc<Session>, message: Message, id: Option<Id>, digest: Digest) {
    let Some(entry) = id.and_then(|id| session.asked_back.answer(&id)) else {
        return session.counters.stray_answers();
    };
    let outcome = outcome(&message);
    let known = match (&entry.asked, message.json.get("result")) {
        (Asked::Decided { task: true, .. }, Some(result)) => {
            session.tasks_back.learn_task(result);
            None
        }
        (Asked::Task(TaskMethod::List), Some(result)) => session.tasks_back.only_known(result),
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
    /// Refuses a request of the client before anything was entered for it.
    async fn refuse(&self, id: &Id, code: i64, why: &str) -> Result<(), Gone> {
        let id = Some(id).filter(|id| !self.asked.holds(id));
        self.to_client.send(replies::error(id, code, why)).await
    }
}
