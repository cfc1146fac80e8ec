//! What the server handed out in this session: tasks of this door's own calls, cursors of its own lists. Whoever
//! holds a handle proves nothing by it, and one that was never handed out is no handle but a message.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use callgate_text::{Json, Object};

/// Handles that are remembered; the oldest is forgotten first.
const MOST: usize = 1024;
/// The longest handle.
const LONGEST: usize = 4 << 10;

#[derive(Debug, Default)]
pub(super) struct Handles(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    handles: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Handles {
    /// Learns the handle in the answer to a call that asked for a task.
    pub(super) fn learn_task(&self, result: &Json) {
        self.learn(result.get("task").and_then(|task| task.get("taskId")));
    }

    /// Learns the handle that a call of the stateless era was answered with.
    pub(super) fn learn_created_task(&self, result: &Json) {
        self.learn(result.get("taskId"));
    }

    /// Learns where the next page of a list begins.
    pub(super) fn learn_cursor(&self, result: &Json) {
        self.learn(result.get("nextCursor"));
    }

    fn learn(&self, handle: Option<&Json>) {
        let Some(handle) = handle.and_then(Json::as_str).filter(|handle| handle.len() <= LONGEST) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.handles.insert(handle.to_owned()) {
            known.order.push_back(handle.to_owned());
            if known.order.len() > MOST
                && let Some(oldest) = known.order.pop_front()
            {
                known.handles.remove(&oldest);
            }
        }
    }

    /// Whether `params` name a task that is known.
    pub(super) fn knows_task(&self, params: Option<&Object>) -> bool {
        self.knows(params.and_then(|params| params.get("taskId")))
    }

    /// Whether `params` begin at the beginning, or at a page that is known.
    pub(super) fn knows_cursor(&self, params: Option<&Object>) -> bool {
        params.and_then(|params| params.get("cursor")).is_none_or(|cursor| self.knows(Some(cursor)))
    }

    fn knows(&self, handle: Option<&Json>) -> bool {
        handle.and_then(Json::as_str).is_some_and(|handle| self.holds(handle))
    }

    /// Whether this was handed out.
    pub(super) fn holds(&self, handle: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.handles.contains(handle)
    }

    /// The result of `tasks/list` without tasks that are not known; `None` if there are no such.
    pub(super) fn only_known(&self, result: &Json) -> Option<Json> {
        let mut object = result.as_object()?.clone();
        let tasks = object.get("tasks").and_then(Json::as_array).unwrap_or_default();
        let kept: Vec<Json> = tasks.iter().filter(|task| self.knows_task(task.as_object())).cloned().collect();
        if kept.len() == tasks.len() && object.contains("tasks") {
            return None;
        }
        object.set("tasks", Json::Array(kept));
        Some(Json::Object(object))
    }
}
