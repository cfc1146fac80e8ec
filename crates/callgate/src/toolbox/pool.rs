//! Sandboxes that stand by for those who have just run something, so that their next call starts sooner.
//!
//! Each was made ready for one agent, in one session if its calls have one, and for one ground (profile, limits, host),
//! and runs one call of theirs. Nobody else ever gets it. A thread of the pool's own makes them ready, off the path of
//! calls, and ends those that nobody came for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use callgate_core::{AgentId, SessionId};
use callgate_sandbox::{Fitting, Ground, Launcher, Plan, Standby};

use crate::metrics::Metrics;

/// Those that stand by for one agent, whatever its profiles and sessions.
const MOST_OF_AGENT: usize = 4;

/// Those that stand by for all agents.
const MOST_IN_ALL: usize = 16;

/// Wishes that wait. More are of agents that flood; they start from nothing.
const MOST_WANTED: usize = 64;

/// How long one waits for whom it was made ready.
const IDLE: Duration = Duration::from_secs(120);

/// For whom a sandbox stands by, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) agent: AgentId,
    pub(super) session: Option<SessionId>,
    pub(super) ground: Ground,
}

/// The sandboxes that stand by.
pub(super) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    launcher: Launcher,
    metrics: Arc<Metrics>,
    shelf: Mutex<Shelf<Standby>>,
    /// There is something to do for the thread.
    turn: Condvar,
}

/// What stands by, and what is to.
struct Shelf<S> {
    /// The oldest first.
    ready: Vec<Ready<S>>,
    /// How many are wanted, for whom.
    wanted: Vec<(Key, usize)>,
    /// Grows with each policy: what is made ready meanwhile is not kept.
    policy: u64,
    keeper: bool,
    closed: bool,
}

struct Ready<S> {
    key: Key,
    standby: S,
    since: Instant,
}

impl<S> Default for Shelf<S> {
    fn default() -> Self {
        Self { ready: Vec::new(), wanted: Vec::new(), policy: 0, keeper: false, closed: false }
    }
}

impl Pool {
    pub(super) fn new(launcher: Launcher, metrics: Arc<Metrics>) -> Self {
        let (shelf, turn) = (Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { launcher, metrics, shelf, turn }) }
    }

    /// One that stands by for `key` and can run `plan`; it is the caller's for this run. Those that no longer can are
    /// ended. This waits for processes.
    pub(super) fn take<'a>(&self, key: &Key, plan: &'a Plan) -> Option<Fitting<'a>> {
        loop {
            let standby = self.shared.change(|shelf| shelf.take(key))?;
            match standby.fit(plan) {
                Ok(fitting) => return Some(fitting),
                Err(unfit) => tracing::debug!("{unfit}"),
            }
        }
    }

    /// Has `count` stand by for `key` from now on, as far as there is room.
    pub(super) fn want(&self, key: Key, count: usize) {
        if !self.shared.change(|shelf| shelf.want(key, count)) {
            return;
        }
        self.shared.turn.notify_one();
        if !self.shared.change(|shelf| std::mem::replace(&mut shelf.keeper, true)) {
            let shared = Arc::clone(&self.shared);
            if let Err(error) = thread::Builder::new().name("standby".to_owned()).spawn(move || shared.keep()) {
                tracing::warn!("no sandbox stands by: {error}");
                self.shared.change(|shelf| shelf.keeper = false);
            }
        }
    }

    /// Another policy is in force: only those that `may` stay. This waits for processes.
    pub(super) fn retain(&self, may: impl Fn(&Key) -> bool) {
        let over = self.shared.change(|shelf| shelf.retain(may));
        drop(over);
    }

    /// Ends all, and makes none ready any more. This waits for processes.
    pub(super) fn close(&self) {
        let over = self.shared.change(|shelf| {
            shelf.closed = true;
            shelf.wanted.clear();
            std::mem::take(&mut shelf.ready)
        });
        self.shared.turn.notify_one();
        drop(over);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Shelf<Standby>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Shelf<Standby>) -> T) -> T {
        let mut shelf = self.lock();
        let changed = change(&mut shelf);
        self.metrics.standing_by(shelf.ready.len());
        changed
    }

    /// The life of the thread.
    fn keep(&self) {
        loop {
            let over = self.change(|shelf| shelf.idle(Instant::now()));
            drop(over);
            let (next, policy, made_room) = self.change(Shelf::next);
            drop(made_room);
            if let Some(key) = next {
                self.make_ready(key, policy);
                continue;
            }
            let shelf = self.lock();
            if shelf.closed {
                return;
            }
            if shelf.wanted.is_empty() {
                let until = shelf.ready.first().map_or(IDLE, |ready| IDLE.saturating_sub(ready.since.elapsed()));
                drop(self.turn.wait_timeout(shelf, until.max(Duration::from_millis(1))));
            }
        }
    }

    fn make_ready(&self, key: Key, policy: u64) {
        let standby = match self.launcher.stand_by(&key.ground) {
            Ok(standby) => standby,
            Err(error) => {
                tracing::warn!("a sandbox that was to stand by: {error}");
                // Until it is wanted again.
                return self.change(|shelf| shelf.wanted.retain(|(wanted, _)| *wanted != key));
            }
        };
        let too_late = self.change(|shelf| shelf.put(key, standby, policy, Instant::now()));
        drop(too_late);
    }
}

impl<S> Shelf<S> {
    fn take(&mut self, key: &Key) -> Option<S> {
        let place = self.ready.iter().rposition(|ready| ready.key == *key)?;
        Some(self.ready.remove(place).standby)
    }

    /// Whether the wish was taken.
    fn want(&mut self, key: Key, count: usize) -> bool {
        let room = self.wanted.len() < MOST_WANTED && self.wanted.iter().all(|(wanted, _)| *wanted != key);
        let taken = count > 0 && !self.closed && room;
        if taken {
            self.wanted.push((key, count.min(MOST_OF_AGENT)));
        }
        taken
    }

    /// Puts it where it is found; given back if nobody may have it any more.
    fn put(&mut self, key: Key, standby: S, policy: u64, now: Instant) -> Option<S> {
        if self.closed || self.policy != policy {
            return Some(standby);
        }
        self.ready.push(Ready { key, standby, since: now });
        None
    }

    /// Another policy is in force. What may not stay under it.
    fn retain(&mut self, may: impl Fn(&Key) -> bool) -> Vec<Ready<S>> {
        self.policy = self.policy.wrapping_add(1);
        self.wanted.retain(|(key, _)| may(key));
        self.ready.extract_if(.., |ready| !may(&ready.key)).collect()
    }

    /// What nobody came for in time.
    fn idle(&mut self, now: Instant) -> Vec<Ready<S>> {
        self.ready.extract_if(.., |ready| now.saturating_duration_since(ready.since) >= IDLE).collect()
    }

    /// What is to be made ready next, under which policy, and what gives way to it: of an agent that has as many as it
    /// may, the oldest. Where all have as many as all may, nobody gives way.
    fn next(&mut self) -> (Option<Key>, u64, Option<Ready<S>>) {
        while let Some((key, count)) = self.wanted.first() {
            let own = self.ready.iter().filter(|ready| ready.key.agent == key.agent).count();
            let enough = self.ready.iter().filter(|ready| ready.key == *key).count() >= *count;
            if enough || (own < MOST_OF_AGENT && self.ready.len() >= MOST_IN_ALL) {
                self.wanted.remove(0);
                continue;
            }
            let key = key.clone();
            let others = |ready: &Ready<S>| ready.key.agent == key.agent && ready.key != key;
            let oldest = self.ready.iter().position(others).filter(|_| own >= MOST_OF_AGENT);
            let gives_way = oldest.map(|place| self.ready.remove(place));
            return (Some(key), self.policy, gives_way);
        }
        (None, self.policy, None)
    }
}

#[cfg(test)]
mod tests;
