//! What the server tells.

use callgate_core::Outcome;
use callgate_core::seam::OfferKind;

use crate::outbox::Gone;

use super::actions;
use super::asking::{self, Unfit};
use super::client_side::cancelled_id;
use super::era::Era;
use super::inflight::Cancelled;
use super::inspect::inspected_params;
use super::questions::Target;
use super::session::Session;
use super::subscriptions;
use super::{Id, Message, undecided};

/// Passes on a notification of the server, if it may.
pub(super) async fn notification(session: &Session, message: Message, method: &str) -> Result<(), Gone> {
    let era = session.phase.stage().era().unwrap_or(Era::Handshake);
    if !actions::told_by_server(method, era) {
        session.counters.unknown_notifications();
        return Ok(());
    }
    if undecided::from_server(&message).is_err() {
        session.counters.withheld();
        return Ok(());
    }
    match method {
        "notifications/tools/list_changed" => session.catalog.expire(OfferKind::Tool),
        "notifications/prompts/list_changed" => session.catalog.expire(OfferKind::Prompt),
        _ => {}
    }
    let belongs = match era {
        Era::Handshake => belongs(session, &message, method).await,
        Era::Stateless => belongs_stateless(session, &message, method).await,
    };
    if !belongs {
        return Ok(());
    }
    let Ok(message) = inspected_params(&*session.gate, message).await else {
        session.counters.withheld();
        return Ok(());
    };
    if method == "notifications/tasks" && !may_tell(session, &message).await {
        return Ok(());
    }
    session.to_client.send(message.bytes).await
}

/// Whether a notification of the older era belongs to something; what it means is done.
async fn belongs(session: &Session, message: &Message, method: &str) -> bool {
    match method {
        "notifications/progress" => {
            if let Some(token) = message.params().and_then(|params| params.get("progressToken")) {
                session.asked.progressed(token);
            }
            true
        }
        "notifications/cancelled" => match cancelled_id(message).map(|id| session.asked_back.cancel(&id)) {
            Some(Cancelled::Sent(entry)) => {
                session.report(entry.released, Outcome::Timeout, None).await;
                true
            }
            Some(Cancelled::Dropped) => false,
            Some(Cancelled::Nothing) | None => stray(session),
        },
        _ => true,
    }
}

/// The same for the stateless era, in which everything belongs to a request under way or to a subscription.
async fn belongs_stateless(session: &Session, message: &Message, method: &str) -> bool {
    let Some(params) = message.params() else { return stray(session) };
    match method {
        "notifications/message" => true,
        "notifications/progress" => {
            let known = params.get("progressToken").is_some_and(|token| session.asked.progressed(token));
            known || stray(session)
        }
        // It ends a subscription; nothing else of the client's is the server's to cancel.
        "notifications/cancelled" => {
            let Some(id) = cancelled_id(message) else { return stray(session) };
            let Some(unused) = session.subscriptions.end(&id) else { return stray(session) };
            session.asked.answer(&id);
            session.report_all(unused, Outcome::Error).await;
            true
        }
        "notifications/subscriptions/acknowledged" => {
            let Some(id) = theirs(session, message) else { return false };
            let Some(used) = session.subscriptions.acknowledge(&id, params) else { return stray(session) };
            session.asked.stay(&id);
            session.report_all(used, Outcome::Ok).await;
            true
        }
        _ => {
            let Some(id) = theirs(session, message) else { return false };
            session.subscriptions.admits(&id, method, params) || stray(session)
        }
    }
}

/// The client's subscription to which a notification belongs. What the door listens to itself ends here.
fn theirs(session: &Session, message: &Message) -> Option<Id> {
    let id = subscriptions::id_of(message);
    if id.is_none() {
        stray(session);
    }
    id.filter(|id| !session.own.is_own(id))
}

/// Whether the server may tell of this task, and ask for what it asks for.
async fn may_tell(session: &Session, message: &Message) -> bool {
    let id = message.params().and_then(|params| params.get("taskId")).and_then(|id| id.as_str());
    let Some(id) = id.filter(|id| session.tasks.holds(id)) else { return stray(session) };
    match asking::task_asks(session, Target::task(id), message, "params").await {
        Ok(()) => true,
        Err(Unfit::Withheld(_)) => {
            session.counters.withheld();
            false
        }
        Err(Unfit::MayNotAsk(..)) => false,
    }
}

fn stray(session: &Session) -> bool {
    session.counters.stray_answers();
    false
}
