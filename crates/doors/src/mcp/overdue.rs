//! Giving up on a server that does not answer.

use std::sync::Arc;
use std::time::Duration;

use super::inflight::{Asked, Entry};
use super::session::Session;
use super::{Id, replies};

/// How often to look: a fraction of the limit, so that nobody waits much longer than that.
const LOOKS: u32 = 8;
const SELDOM: Duration = Duration::from_secs(1);
const OFTEN: Duration = Duration::from_millis(5);

/// Answers for the server what it leaves unanswered beyond [`super::Limits::call`], for as long as it is polled.
pub(super) async fn run(session: Arc<Session>) {
    let Some(limit) = session.limits.call else { return };
    loop {
        tokio::time::sleep((limit / LOOKS).clamp(OFTEN, SELDOM)).await;
        for (id, entry) in session.asked.overdue(limit) {
            give_up(&session, &id, entry).await;
        }
    }
}

async fn give_up(session: &Session, id: &Id, entry: Entry) {
    let asked = entry.asked.clone();
    session.give_up(id, entry, "the server did not answer in time").await;
    match asked {
        // It must not be cancelled, and may be tried again.
        Asked::Initialize => session.phase.answer(false),
        asked => {
            if asked == Asked::Discover {
                session.phase.probed(false);
            }
            let _ = session.to_server.send(replies::cancelled(id, "timeout")).await;
        }
    }
}
