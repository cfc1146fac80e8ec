//! What both directions of one relay share.

use std::sync::Arc;

use callgate_core::{Outcome, ServerName, SessionId};
use callgate_text::Digest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Operations;
use crate::outbox::{Gone, Outbox};

use super::anomalies::Counters;
use super::catalog::Catalog;
use super::completions::Completions;
use super::era::FirstEnvelope;
use super::handles::Handles;
use super::inflight::{Asked, Busy, Entry, InFlight, Released};
use super::own::Own;
use super::phase::Phase;
use super::questions::Questions;
use super::subscriptions::Subscriptions;
use super::undecided::Wording;
use super::{Id, Limits, Message, replies};

pub(super) struct Session {
    pub(super) server: ServerName,
    pub(super) session: Option<SessionId>,
    pub(super) limits: Limits,
    pub(super) gate: Arc<dyn Operations>,
    pub(super) to_client: Outbox,
    pub(super) to_server: Outbox,
    /// The client's requests.
    pub(super) asked: InFlight,
    /// The server's requests. Its ids have nothing to do with the client's.
    pub(super) asked_back: InFlight,
    /// The door's own requests.
    pub(super) own: Own,
    pub(super) catalog: Catalog,
    /// Tasks of the server that came from the client's calls, and the other way round.
    pub(super) tasks: Handles,
    pub(super) tasks_back: Handles,
    /// Where the server's lists go on.
    pub(super) cursors: Handles,
    pub(super) completions: Completions,
    pub(super) counters: Counters,
    pub(super) phase: Phase,
    /// How the door itself asks a server of the stateless era.
    pub(super) envelope: FirstEnvelope,
    /// What the client says of itself in messages that are not decided.
    pub(super) wording: Wording,
    /// What the server asked in its answers.
    pub(super) questions: Questions,
    /// What the client listens to.
    pub(super) subscriptions: Subscriptions,
    /// Room for requests of the client, and of the server, that wait for a decision.
    pub(super) room: Room,
    pub(super) room_back: Room,
}

impl Session {
    /// Passes on a request that is not decided.
    pub(super) async fn pass(&self, message: Message, id: &Id, asked: Asked) -> Result<(), Gone> {
        let serial = match self.asked.send(id, asked.clone(), message.progress_token()) {
            Ok(serial) => serial,
            Err(busy) => return self.refuse_busy(id, busy).await,
        };
        if self.to_server.send(message.bytes).await.is_err() && self.asked.expire(id, serial).is_some() {
            return self.to_client.send(replies::unanswered(&asked, id, None, "the server is gone")).await;
        }
        Ok(())
    }

    /// Refuses a request of the client whose id is taken, or for which there is no room. A repeated id
    /// is not answered by that id: the answer would complete the other request.
    pub(super) async fn refuse_busy(&self, id: &Id, busy: Busy) -> Result<(), Gone> {
        let answer = match busy {
            Busy::Repeated => {
                self.counters.repeated_ids();
                replies::error(None, replies::INVALID_REQUEST, "a request with this id is under way")
            }
            Busy::Full => replies::error(Some(id), replies::UNANSWERED, "too many requests are under way"),
        };
        self.to_client.send(answer).await
    }

    /// Reports the end of something released, in the background.
    pub(super) async fn report(&self, released: Option<Released>, outcome: Outcome, result: Option<Digest>) {
        if let Some(released) = released {
            self.completions.report(released, outcome, result).await;
        }
    }

    /// Answers for a server that did not, and reports that the call may have run.
    pub(super) async fn give_up(&self, id: &Id, entry: Entry, why: &str) {
        let answer = replies::unanswered(&entry.asked, id, entry.released.as_ref(), why);
        let _ = self.to_client.send(answer).await;
        if entry.asked == Asked::Listen {
            self.stop_listening(id, Outcome::Timeout).await;
        }
        self.report(entry.released, Outcome::Timeout, None).await;
    }
}

/// A bounded number of bytes.
#[derive(Debug)]
pub(super) struct Room {
    semaphore: Arc<Semaphore>,
    capacity: u32,
}

impl Room {
    pub(super) fn new(capacity: u32) -> Self {
        let permits = usize::try_from(capacity).unwrap_or(1);
        Self { semaphore: Arc::new(Semaphore::new(permits)), capacity }
    }

    /// Waits for room for `bytes`.
    pub(super) async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let size = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, self.capacity);
        self.semaphore.clone().acquire_many_owned(size).await.ok()
    }

    /// Waits until nothing takes room any more.
    pub(super) async fn empty(&self) {
        let _ = self.semaphore.acquire_many(self.capacity).await;
    }
}
