//! The calls of one connection that can be cancelled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Ids that were cancelled before they were heard of, at most; the smallest are forgotten first.
const MOST_EARLY: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Running(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    calls: BTreeMap<i64, watch::Sender<bool>>,
    /// Requests run side by side: a cancellation may overtake the call that it means.
    early: BTreeSet<i64>,
    /// The connection is gone.
    ended: bool,
}

/// A call under way; forgotten when this is dropped.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    running: &'a Running,
    id: i64,
}

impl Running {
    /// Enters a call; `None` if another one of this id is under way.
    pub(super) fn enter(&self, id: i64, cancel: watch::Sender<bool>) -> Option<Entry<'_>> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.calls.contains_key(&id) {
            return None;
        }
        if table.ended || table.early.remove(&id) {
            cancel.send_replace(true);
        }
        table.calls.insert(id, cancel);
        Some(Entry { running: self, id })
    }

    /// Cancels a call, now or as soon as it begins; whether it is under way.
    pub(super) fn cancel(&self, id: i64) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancel) = table.calls.get(&id) {
            cancel.send_replace(true);
            return true;
        }
        table.early.insert(id);
        if table.early.len() > MOST_EARLY {
            table.early.pop_first();
        }
        false
    }

    /// Cancels everything, and whatever is still to begin.
    pub(super) fn end(&self) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.ended = true;
        for cancel in table.calls.values() {
            cancel.send_replace(true);
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).calls.remove(&self.id);
    }
}
