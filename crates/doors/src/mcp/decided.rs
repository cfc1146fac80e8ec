//! From a request to its release or its refusal.

use std::sync::Arc;

use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{CallFault, Code, Offered, Outcome, Reason, Request};
use callgate_text::Json;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::Ruling;

use super::Id;
use super::actions::{self, Action, Reader};
use super::catalog::Seen;
use super::era::Era;
use super::inflight::{Asked, Released};
use super::phase::Stage;
use super::questions::{self, Answers};
use super::replies;
use super::session::Session;
use super::subscriptions::Filter;

/// How often a call is decided anew because the server changed the tool meanwhile.
const ATTEMPTS: usize = 3;

/// A request that is to be decided.
pub(super) struct Question {
    pub(super) id: Id,
    pub(super) serial: u64,
    pub(super) asked: Asked,
    pub(super) action: Action,
    /// What is forwarded if it is allowed.
    pub(super) bytes: Vec<u8>,
    pub(super) call: Result<Request, CallFault>,
    /// What it says to questions of the server.
    pub(super) answers: Option<Answers>,
    pub(super) room: OwnedSemaphorePermit,
}

/// A subscription, with one call for each resource that it names.
pub(super) struct Listening {
    pub(super) id: Id,
    pub(super) serial: u64,
    pub(super) filter: Filter,
    pub(super) bytes: Vec<u8>,
    pub(super) calls: Vec<Result<Request, CallFault>>,
    pub(super) room: OwnedSemaphorePermit,
}

/// Decides a request of the client; forwards it in its turn or answers it.
pub(super) async fn from_client(session: Arc<Session>, question: Question, mut turn: Turn) {
    let Question { id, serial, asked, action, bytes, call, answers, room: _room } = question;
    let (unseen, ruling) = match unseen(&session, answers.as_ref()).await {
        Ok(unseen) => (unseen, ruled(&session, action, call).await),
        Err(ruling) => (Vec::new(), ruling),
    };
    let Some(released) = released(&ruling) else {
        if session.asked.refuse(&id, serial) {
            let _ = session.to_client.send(replies::denied(&asked, &id, &ruling)).await;
        }
        session.report_all(unseen, Outcome::NotRun).await;
        return turn.come().await;
    };
    turn.come().await;
    if !session.asked.release(&id, serial, Some(released.clone())) {
        session.report_all(unseen, Outcome::NotRun).await;
        return session.report(Some(released), Outcome::NotRun, None).await;
    }
    if session.to_server.send(bytes).await.is_ok() {
        session.report_all(unseen, Outcome::Ok).await;
        return session.answered(answers).await;
    }
    session.report_all(unseen, Outcome::NotRun).await;
    if let Some(entry) = session.asked.expire(&id, serial) {
        let answer = replies::unanswered(&entry.asked, &id, Some(&released), "the server is gone");
        let _ = session.to_client.send(answer).await;
        session.report(Some(released), Outcome::NotRun, None).await;
    }
}

/// Decides what is answered without having been asked in this session; the permits of all of it, or why not.
async fn unseen(session: &Session, answers: Option<&Answers>) -> Result<Vec<Released>, Ruling> {
    let mut granted = Vec::new();
    for (kind, answer) in answers.into_iter().flat_map(|answers| &answers.unseen) {
        let call = actions::read(*kind, &questions::bare(*kind), session.reader(Era::Stateless), *answer);
        let ruling = session.gate.decide(call).await;
        match released(&ruling) {
            Some(released) => granted.push(released),
            None => {
                session.report_all(granted, Outcome::NotRun).await;
                return Err(ruling);
            }
        }
    }
    Ok(granted)
}

/// Decides a subscription, resource by resource; forwards it in its turn if all may be subscribed to.
pub(super) async fn listening(session: Arc<Session>, listening: Listening, mut turn: Turn) {
    let Listening { id, serial, filter, bytes, calls, room: _room } = listening;
    let mut granted = Vec::new();
    for call in calls {
        let ruling = session.gate.decide(call).await;
        match released(&ruling) {
            Some(released) => granted.push(released),
            None => {
                if session.asked.refuse(&id, serial) {
                    let _ = session.to_client.send(replies::denied(&Asked::Listen, &id, &ruling)).await;
                }
                session.report_all(granted, Outcome::NotRun).await;
                return turn.come().await;
            }
        }
    }
    turn.come().await;
    session.subscriptions.begin(&id, filter, granted);
    if !session.asked.release(&id, serial, None) {
        return session.stop_listening(&id, Outcome::NotRun).await;
    }
    if session.to_server.send(bytes).await.is_err() && session.asked.expire(&id, serial).is_some() {
        let answer = replies::unanswered(&Asked::Listen, &id, None, "the server is gone");
        let _ = session.to_client.send(answer).await;
        session.stop_listening(&id, Outcome::NotRun).await;
    }
}

/// Decides a request of the server; forwards it or refuses it to the server.
pub(super) async fn from_server(session: Arc<Session>, question: Question, mut turn: Turn) {
    let Question { id, serial, asked, bytes, call, .. } = question;
    let ruling = session.gate.decide(call).await;
    let Some(released) = released(&ruling) else {
        if session.asked_back.refuse(&id, serial) {
            let _ = session.to_server.send(replies::denied(&asked, &id, &ruling)).await;
        }
        return turn.come().await;
    };
    turn.come().await;
    let sent =
        session.asked_back.release(&id, serial, Some(released.clone())) && session.to_client.send(bytes).await.is_ok();
    if !sent {
        session.report(Some(released), Outcome::NotRun, None).await;
    }
}

pub(super) fn released(ruling: &Ruling) -> Option<Released> {
    let permit = ruling.permit()?;
    Some(Released { decision: ruling.id.clone(), permit: permit.to_owned() })
}

async fn ruled(session: &Session, action: Action, call: Result<Request, CallFault>) -> Ruling {
    match (action, call) {
        (Action::Call, Ok(request)) => ruled_call(session, request).await,
        (Action::GetPrompt, Ok(request)) => match quarantined(session, &request).await {
            Some(reason) => Ruling::unreachable(&reason),
            None => session.gate.decide(Ok(request)).await,
        },
        (_, call) => session.gate.decide(call).await,
    }
}

/// Binds the call to the definition that the server offers now. If that changes before the release,
/// nothing is released and the call is decided anew; a tool that keeps changing is denied.
async fn ruled_call(session: &Session, request: Request) -> Ruling {
    let name = request.tool.tool().to_owned();
    for _ in 0..ATTEMPTS {
        session.refresh(OfferKind::Tool).await;
        let offered = session.catalog.tool(&name);
        let ruling = session.gate.decide(Ok(Request { offered: Some(offered), ..request.clone() })).await;
        if ruling.permit().is_none() || session.catalog.stands(&name, offered) {
            return ruling;
        }
        session.report(released(&ruling), Outcome::NotRun, None).await;
    }
    session.gate.decide(Ok(Request { offered: Some(Offered::Unsettled), ..request })).await
}

/// Why the prompt may not be fetched whatever policy says: what the server offers by this name is not
/// what was pinned. The gate says so and records it.
async fn quarantined(session: &Session, request: &Request) -> Option<Reason> {
    session.refresh(OfferKind::Prompt).await;
    let changed = |message| Some(Reason::new(Code::ToolChanged, message));
    let name = request.arguments.as_ref().and_then(|arguments| arguments.get("name")).and_then(Json::as_str);
    let Some(name) = name else { return Some(Reason::new(Code::InvalidArguments, "the prompt is not named")) };
    let definition = match session.catalog.offered(OfferKind::Prompt, name) {
        None => return changed("the server does not offer this prompt"),
        Some(Seen::Twice) => return changed("the server offers this prompt in two forms"),
        Some(Seen::Once { definition, .. }) => definition?,
    };
    let offers = vec![Offer { kind: OfferKind::Prompt, definition }];
    match session.gate.standing(session.server.clone(), offers).await.as_deref() {
        Err(reason) => Some(reason.clone()),
        Ok([Standing::Shown | Standing::Hidden]) => None,
        Ok(_) => changed("this prompt is not pinned as the server offers it now"),
    }
}

impl Session {
    pub(super) async fn refresh(&self, kind: OfferKind) {
        let stateless = self.phase.stage() == Stage::Stateless;
        let meta = if stateless { self.envelope.meta() } else { None };
        if let Some(meta) = meta {
            self.own.listen(&self.to_server, meta).await;
        }
        self.catalog.refresh(kind, (&self.own, &self.to_server), &self.limits, meta).await;
    }

    /// The answers to questions of the server were passed on.
    pub(super) async fn answered(&self, answers: Option<Answers>) {
        let Some(answers) = answers else { return };
        for (released, outcome, digest) in self.questions.answered(&answers) {
            self.report(Some(released), outcome, Some(digest)).await;
        }
    }

    /// A subscription ended, or never began.
    pub(super) async fn stop_listening(&self, id: &Id, outcome: Outcome) {
        if let Some(released) = self.subscriptions.end(id) {
            self.report_all(released, outcome).await;
        }
    }

    pub(super) async fn report_all(&self, released: Vec<Released>, outcome: Outcome) {
        for released in released {
            self.report(Some(released), outcome, None).await;
        }
    }

    /// For whom calls of this era are read.
    pub(super) fn reader(&self, era: Era) -> Reader<'_> {
        Reader { server: &self.server, session: self.session.as_ref(), era }
    }
}

/// Hands out turns, so that what is decided at the same time is released in the order of asking.
#[derive(Debug, Default)]
pub(super) struct Turns {
    last: Option<oneshot::Receiver<()>>,
}

/// One place in the order. It must come before it is dropped: the next one comes when it is.
#[derive(Debug)]
pub(super) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _after: oneshot::Sender<()>,
}

impl Turns {
    pub(super) fn next(&mut self) -> Turn {
        let (after, next) = oneshot::channel();
        Turn { before: self.last.replace(next), _after: after }
    }
}

impl Turn {
    /// Waits until everything before it was released or refused.
    pub(super) async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            let _ = before.await;
        }
    }
}
