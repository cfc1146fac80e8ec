//! Requests under way in one direction, by their id.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callgate_core::seam::OfferKind;
use callgate_text::Json;
use tokio::time::Instant;

use super::Id;
use super::actions::{Action, TaskMethod};
use super::questions::Target;

/// What was asked, and so how the answer is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Initialize,
    Discover,
    Plain,
    List(OfferKind),
    Decided {
        action: Action,
        expects: Expected,
    },
    Listen,
    Task {
        method: TaskMethod,
        /// The task, in the stateless era, which asks for input by it.
        target: Option<Target>,
    },
}

/// What the answer to a decided request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A result.
    Result,
    /// A task, which was asked for instead of a result.
    Task,
    /// A result or, in the stateless era, questions.
    Stateless {
        /// In return for what.
        target: Target,
        /// Or a task, which the client says that it takes.
        task: bool,
    },
}

impl Expected {
    /// What a request of the older era expects.
    pub(super) const fn task(task: bool) -> Self {
        if task { Self::Task } else { Self::Result }
    }
}

/// The permit of what was released, for the report of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Released {
    pub(super) decision: String,
    pub(super) permit: String,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) asked: Asked,
    pub(super) released: Option<Released>,
    stage: Stage,
    /// Tells this request from a later one with the same id.
    serial: u64,
    /// By which the server tells of progress.
    token: Option<Json>,
    sent: Instant,
    /// The last sign of life.
    alive: Instant,
    /// It is open for as long as both sides like.
    stays: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not sent on yet: no answer to it can be genuine.
    Undecided,
    /// Cancelled before it was sent on: it will not be.
    Dropped,
    /// Sent on.
    Sent,
}

/// Why a request cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    Repeated,
    Full,
}

/// What a cancellation meets.
#[derive(Debug)]
pub(super) enum Cancelled {
    /// The request was sent on: so must be the cancellation.
    Sent(Entry),
    /// The request had not been sent on, and will not be.
    Dropped,
    /// There is no such request, or it cannot be cancelled.
    Nothing,
}

#[derive(Debug)]
pub(super) struct InFlight {
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<Id, Entry>,
    /// Ids that were given up while the other side may still answer: not to be used again until it did.
    given_up: VecDeque<Id>,
    serial: u64,
    shut: bool,
}

/// Progress buys time, but not more than this many times the limit in all.
const MOST_EXTENSIONS: u32 = 6;

/// How many ids are remembered as given up.
const MOST_GIVEN_UP: usize = 1024;

impl InFlight {
    pub(super) fn new(most: usize) -> Self {
        Self { most, table: Mutex::default() }
    }

    /// Enters a request that still has to be decided.
    pub(super) fn begin(&self, id: &Id, asked: Asked, token: Option<Json>) -> Result<u64, Busy> {
        self.enter(id, asked, token, Stage::Undecided)
    }

    /// Enters a request that is about to be sent on.
    pub(super) fn send(&self, id: &Id, asked: Asked, token: Option<Json>) -> Result<u64, Busy> {
        self.enter(id, asked, token, Stage::Sent)
    }

    fn enter(&self, id: &Id, asked: Asked, token: Option<Json>, stage: Stage) -> Result<u64, Busy> {
        let mut table = self.table();
        if table.entries.contains_key(id) || table.given_up.contains(id) {
            return Err(Busy::Repeated);
        }
        if table.entries.len() >= self.most {
            return Err(Busy::Full);
        }
        table.serial = table.serial.wrapping_add(1);
        let serial = table.serial;
        let now = Instant::now();
        let entry = Entry { asked, released: None, stage, serial, token, sent: now, alive: now, stays: false };
        table.entries.insert(id.clone(), entry);
        Ok(serial)
    }

    /// Marks a decided request as sent; `false` if it was cancelled, and is then forgotten.
    pub(super) fn release(&self, id: &Id, serial: u64, released: Option<Released>) -> bool {
        let mut table = self.table();
        let shut = table.shut;
        match table.entries.get_mut(id).filter(|entry| entry.serial == serial) {
            Some(entry) if entry.stage == Stage::Undecided && !shut => {
                entry.stage = Stage::Sent;
                entry.released = released;
                entry.sent = Instant::now();
                entry.alive = entry.sent;
                true
            }
            Some(_) => {
                table.entries.remove(id);
                false
            }
            None => false,
        }
    }

    /// Forgets a request that will not be sent on; `true` if whoever asked still wants an answer.
    pub(super) fn refuse(&self, id: &Id, serial: u64) -> bool {
        let mut table = self.table();
        if table.entries.get(id).is_none_or(|entry| entry.serial != serial) {
            return false;
        }
        table.entries.remove(id).is_some_and(|entry| entry.stage != Stage::Dropped)
    }

    /// Takes the request that an answer with this id completes: one that was sent on, once.
    pub(super) fn answer(&self, id: &Id) -> Option<Entry> {
        let mut table = self.table();
        if let Some(at) = table.given_up.iter().position(|given_up| given_up == id) {
            table.given_up.remove(at);
            return None;
        }
        table.entries.get(id).filter(|entry| entry.stage == Stage::Sent)?;
        table.entries.remove(id)
    }

    /// Cancels on behalf of whoever asked.
    pub(super) fn cancel(&self, id: &Id) -> Cancelled {
        let mut table = self.table();
        match table.entries.get_mut(id) {
            Some(Entry { asked: Asked::Initialize, .. }) | None => Cancelled::Nothing,
            Some(entry) if entry.stage == Stage::Sent => match table.give_up(id) {
                Some(entry) => Cancelled::Sent(entry),
                None => Cancelled::Nothing,
            },
            Some(entry) => {
                entry.stage = Stage::Dropped;
                Cancelled::Dropped
            }
        }
    }

    /// Gives up waiting for the answer to this very request.
    pub(super) fn expire(&self, id: &Id, serial: u64) -> Option<Entry> {
        let mut table = self.table();
        table.entries.get(id).filter(|entry| entry.serial == serial && entry.stage == Stage::Sent)?;
        table.give_up(id)
    }

    /// The server tells of progress with what was asked under this token; `false` if nothing was.
    pub(super) fn progressed(&self, token: &Json) -> bool {
        let now = Instant::now();
        let mut known = false;
        for entry in self.table().entries.values_mut().filter(|entry| entry.token.as_ref() == Some(token)) {
            entry.alive = now;
            known = true;
        }
        known
    }

    /// The server accepted a request that has no end of its own: its answer is not awaited any more.
    pub(super) fn stay(&self, id: &Id) {
        if let Some(entry) = self.table().entries.get_mut(id) {
            entry.stays = true;
        }
    }

    /// Gives up on everything that was sent on and shows no sign of life for `limit`.
    pub(super) fn overdue(&self, limit: Duration) -> Vec<(Id, Entry)> {
        let mut table = self.table();
        let now = Instant::now();
        let is_overdue = |entry: &Entry| {
            let silent = now.duration_since(entry.alive) >= limit;
            entry.stage == Stage::Sent
                && !entry.stays
                && (silent || now.duration_since(entry.sent) >= limit * MOST_EXTENSIONS)
        };
        let overdue = table.entries.iter().filter(|(_, entry)| is_overdue(entry));
        let ids: Vec<Id> = overdue.map(|(id, _)| id.clone()).collect();
        ids.into_iter().filter_map(|id| table.give_up(&id).map(|entry| (id, entry))).collect()
    }

    /// Takes everything that was sent on and not answered.
    pub(super) fn abandon(&self) -> Vec<(Id, Entry)> {
        let mut table = self.table();
        let all = std::mem::take(&mut table.entries);
        let (sent, other) = all.into_iter().partition(|(_, entry)| entry.stage == Stage::Sent);
        table.entries = other;
        let sent: BTreeMap<Id, Entry> = sent;
        sent.into_iter().collect()
    }

    /// Whether a request with this id is under way.
    pub(super) fn holds(&self, id: &Id) -> bool {
        self.table().entries.contains_key(id)
    }

    /// From now on nothing is released: what is still decided counts as cancelled.
    pub(super) fn shut(&self) {
        self.table().shut = true;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn give_up(&mut self, id: &Id) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        if self.given_up.len() >= MOST_GIVEN_UP {
            self.given_up.pop_front();
        }
        self.given_up.push_back(id.clone());
        Some(entry)
    }
}
