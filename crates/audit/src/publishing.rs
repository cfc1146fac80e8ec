//! What the writer and its callers tell the publisher, and what it tells them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::publish::until;

#[derive(Debug, Default)]
struct State {
    durable: u64,
    published: u64,
    /// Numbers the requests for a checkpoint at once, and those that were answered.
    asked: u64,
    answered: u64,
    resign: bool,
    stop: bool,
    gone: bool,
    error: Option<String>,
}

/// The state that both sides share.
#[derive(Debug, Default)]
pub(crate) struct Publishing {
    state: Mutex<State>,
    changed: Condvar,
}

impl Publishing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    pub(crate) fn start(&self, durable: u64, published: u64) {
        self.change(|state| (state.durable, state.published) = (durable, published));
    }

    pub(crate) fn durable_now(&self, durable: u64) {
        self.change(|state| state.durable = durable);
    }

    pub(crate) fn durable(&self) -> u64 {
        self.state().durable
    }

    pub(crate) fn published(&self) -> u64 {
        self.state().published
    }

    /// Why the last attempt failed, if it did.
    pub(crate) fn error(&self) -> Option<String> {
        self.state().error.clone()
    }

    /// Publish a checkpoint even if nothing is new: the keys changed.
    pub(crate) fn resign(&self) {
        self.change(|state| state.resign = true);
    }

    pub(crate) fn take_resign(&self) -> bool {
        std::mem::take(&mut self.state().resign)
    }

    pub(crate) fn stop(&self) {
        self.change(|state| state.stop = true);
    }

    pub(crate) fn gone(&self) {
        self.change(|state| state.gone = true);
    }

    /// Waits until there is something to publish, and then, unless somebody is waiting for it, as long as
    /// `every`, so that what comes meanwhile goes into the same checkpoint. Gives the durable size, the number
    /// of the request that this answers, and whether it is the last time.
    pub(crate) fn wait_for_work(&self, published: u64, every: Duration) -> (u64, u64, bool) {
        let mut state = self.state();
        let mut due = None;
        loop {
            let new = state.durable > published || state.resign;
            if state.stop || state.asked > state.answered {
                return (state.durable, state.asked, state.stop);
            }
            if !new {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let due = *due.get_or_insert_with(|| Instant::now() + every);
            if until(due).is_zero() {
                return (state.durable, state.asked, false);
            }
            state = self.changed.wait_timeout(state, until(due)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn done(&self, published: u64, answered: u64, error: Option<String>) {
        self.change(|state| {
            state.published = published;
            state.answered = answered;
            state.error = error;
        });
    }

    /// Asks for a checkpoint and waits for it; gives its size.
    pub(crate) fn now(&self) -> Result<u64, String> {
        let mut state = self.state();
        state.asked += 1;
        let mine = state.asked;
        self.changed.notify_all();
        while state.answered < mine && !state.gone {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match &state.error {
            Some(error) => Err(error.clone()),
            None if state.answered >= mine => Ok(state.published),
            None => Err("the log was stopped".to_owned()),
        }
    }
}
