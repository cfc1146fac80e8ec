//! What the gate tells whoever counts.

use std::time::Duration;

use crate::{Answer, CallFault, Caller, Changes, Code, Decision, Request};

use super::Gate;

/// The door of calls that are decided in the gate's own process, for its operator.
pub const IN_PROCESS: &str = "in_process";

/// Whoever counts what the gate decides. It learns no name, argument or text of a caller, so nothing that an agent
/// chose can reach a metric.
pub trait Watch: Send + Sync {
    /// Time since some fixed instant, that never goes back.
    fn monotonic(&self) -> Duration;

    /// A call was decided, or refused.
    fn decided(&self, decided: &Decided);
}

/// One decision, for [`Watch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Through which kind of door; one of a closed list.
    pub door: &'static str,
    /// What was decided.
    pub decision: Decision,
    /// The first reason's code.
    pub code: Code,
    /// Whether a credential proved who called.
    pub recognised: bool,
    /// How long it took, the wait for the disk included.
    pub took: Duration,
}

impl Gate {
    /// This gate, with `watch` told of every decision.
    #[must_use]
    pub fn watched_by(mut self, watch: std::sync::Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// [`Gate::decide`] through a door of a kind that is known: the same decision, counted as that door's.
    pub async fn decide_at(&self, door: &'static str, caller: &Caller, request: Result<Request, CallFault>) -> Answer {
        self.decide_watched(door, caller, request, None).await
    }

    /// [`Gate::decide_at`] for a call that brings back what a contained run wrote. The changes are the door's own
    /// word, as the call is.
    pub async fn decide_changes(
        &self,
        door: &'static str,
        caller: &Caller,
        request: Request,
        changes: &Changes,
    ) -> Answer {
        self.decide_watched(door, caller, Ok(request), Some(changes)).await
    }

    async fn decide_watched(
        &self,
        door: &'static str,
        caller: &Caller,
        request: Result<Request, CallFault>,
        changes: Option<&Changes>,
    ) -> Answer {
        let began = self.watched(|watch| watch.monotonic());
        let answer = self.decide_unwatched(caller, request, changes).await;
        self.watched(|watch| {
            watch.decided(&Decided {
                door,
                decision: answer.decision(),
                code: answer.verdict.reasons.first().map_or(Code::Internal, |reason| reason.code),
                recognised: matches!(caller, Caller::Agent { .. }),
                took: watch.monotonic().saturating_sub(began.unwrap_or_default()),
            });
        });
        answer
    }

    /// Nobody's counting can change an answer, not even by a panic.
    fn watched<T>(&self, count: impl FnOnce(&dyn Watch) -> T) -> Option<T> {
        let watch = self.watch.as_deref()?;
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| count(watch))).ok()
    }
}
