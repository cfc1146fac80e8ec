//! Requests of the client that are decided, on their way to the gate.

use std::sync::Arc;

use callgate_core::CallFault;
use callgate_text::{Digest, Json};

use crate::outbox::Gone;

use super::actions::{self, Action};
use super::decided::{self, Listening, Question, Turns};
use super::era::{Envelope, Era};
use super::inflight::{Asked, Expected};
use super::questions::{Answers, Target};
use super::replies::INVALID_PARAMS;
use super::session::Session;
use super::subscriptions::Filter;
use super::{Id, Message};

/// What a decided request asks, and how.
pub(super) struct Asking {
    /// What is forwarded if it is allowed.
    bytes: Vec<u8>,
    token: Option<Json>,
    call: Result<callgate_core::Request, CallFault>,
    answers: Option<Answers>,
}

impl Asking {
    pub(super) fn faulty(fault: CallFault) -> Self {
        Self { bytes: Vec::new(), token: None, call: Err(fault), answers: None }
    }
}

/// Reads a decided request. What answers no question of the server is taken out of it before.
pub(super) fn read(
    session: &Session,
    action: Action,
    message: Message,
    envelope: Option<&Envelope>,
) -> (Asked, Asking) {
    let (mut message, mut answers) = (message, None);
    let (era, expects) = match envelope {
        None => {
            let task = message.params().is_some_and(|params| params.contains("task"));
            (Era::Handshake, Expected::task(task))
        }
        Some(envelope) => {
            let target = Target::of(action, message.params());
            if action.takes_input() {
                match session.fit(target, message) {
                    Ok((fitted, fit)) => (message, answers) = (fitted, Some(fit)),
                    // The protocol's own error, since it is the protocol's own member; and a denial on record.
                    Err(why) => return (Asked::Plain, Asking::faulty(CallFault::Shape(why))),
                }
            }
            (Era::Stateless, Expected::Stateless { target, task: envelope.takes_tasks() })
        }
    };
    let original = Digest::of(&message.bytes);
    let call = actions::read(action, &message.json, session.reader(era), original);
    let token = message.progress_token();
    (Asked::Decided { action, expects }, Asking { bytes: message.bytes, token, call, answers })
}

/// Resources are subscribed to one by one, as the older era does it: by the same actions.
pub(super) async fn listen(session: &Arc<Session>, message: Message, id: Id, turns: &mut Turns) -> Result<(), Gone> {
    let filter = message.params().and_then(|params| params.get("notifications")).and_then(Filter::of);
    let Some(filter) = filter else {
        return session.refuse(&id, INVALID_PARAMS, "`params` must say what is listened to").await;
    };
    if !filter.tasks.iter().all(|task| session.tasks.holds(task)) {
        return session.refuse(&id, INVALID_PARAMS, "no call of this session made this task").await;
    }
    let original = Digest::of(&message.bytes);
    let call = |uri: &String| {
        let action = Action::Subscribe;
        let params = Json::object([("uri", uri.as_str())]);
        let request = [("method".to_owned(), Json::from(action.method())), ("params".to_owned(), params)];
        actions::read(action, &request.into_iter().collect(), session.reader(Era::Stateless), original)
    };
    let calls = filter.uris.iter().map(call).collect();
    let serial = match session.asked.begin(&id, Asked::Listen, None) {
        Ok(serial) => serial,
        Err(busy) => return session.refuse_busy(&id, busy).await,
    };
    let room = session.room.take(message.bytes.len()).await.ok_or(Gone)?;
    let listening = Listening { id, serial, filter, bytes: message.bytes, calls, room };
    tokio::spawn(decided::listening(session.clone(), listening, turns.next()));
    Ok(())
}

/// Has a request decided, in the background and in its turn.
pub(super) async fn decide(
    session: &Arc<Session>,
    id: Id,
    asked: Asked,
    action: Action,
    asking: Asking,
    turns: &mut Turns,
) -> Result<(), Gone> {
    let Asking { bytes, token, call, answers } = asking;
    let serial = match session.asked.begin(&id, asked.clone(), token) {
        Ok(serial) => serial,
        Err(busy) => return session.refuse_busy(&id, busy).await,
    };
    let room = session.room.take(bytes.len()).await.ok_or(Gone)?;
    let question = Question { id, serial, asked, action, bytes, call, answers, room };
    tokio::spawn(decided::from_client(session.clone(), question, turns.next()));
    Ok(())
}

impl Session {
    /// Takes out of a request what answers no question of the server.
    pub(super) fn fit(&self, target: Target, message: Message) -> Result<(Message, Answers), &'static str> {
        let mut params = message.params().cloned().unwrap_or_default();
        let answers = self.questions.fit(target, &mut params).inspect_err(|_| self.counters.withheld())?;
        let changed = message.params().is_some_and(|before| *before != params);
        Ok((if changed { message.with("params", params) } else { message }, answers))
    }
}
