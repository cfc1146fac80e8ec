//! Tasks that came from this door's own calls: their handles are no credentials.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use callgate_text::{Json, Object};

/// Handles that are known; the oldest is forgotten first.
const MOST: usize = 1024;
/// The longest handle.
const LONGEST: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    handles: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Tasks {
    /// Learns the handle in the answer to a call that asked for a task.
    pub(super) fn learn(&self, result: &Json) {
        let handle = result.get("task").and_then(|task| task.get("taskId")).and_then(Json::as_str);
        let Some(handle) = handle.filter(|handle| handle.len() <= LONGEST) else { return };
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
    pub(super) fn knows(&self, params: Option<&Object>) -> bool {
        let handle = params.and_then(|params| params.get("taskId")).and_then(Json::as_str);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handle.is_some_and(|handle| known.handles.contains(handle))
    }

    /// The result of `tasks/list` without tasks that are not known; `None` if there are no such.
    pub(super) fn only_known(&self, result: &Json) -> Option<Json> {
        let mut object = result.as_object()?.clone();
        let tasks = object.get("tasks").and_then(Json::as_array).unwrap_or_default();
        let kept: Vec<Json> = tasks.iter().filter(|task| self.knows(task.as_object())).cloned().collect();
        if kept.len() == tasks.len() && object.contains("tasks") {
            return None;
        }
        object.set("tasks", Json::Array(kept));
        Some(Json::Object(object))
    }
}
