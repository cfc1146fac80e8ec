//! What the client of the stateless era listens to.
//!
//! `subscriptions/listen` opens a stream: the server says which of the asked-for notifications it will send, then
//! sends them, each with the id of that request, until either side ends it. A notification that belongs to no live
//! subscription, or that the client did not ask for, does not pass.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use callgate_text::{Json, Object};

use super::era::SUBSCRIPTION;
use super::inflight::Released;
use super::{Id, Message};

/// Resources, and tasks, of one subscription.
const MOST_NAMED: usize = 64;
/// The longest of their names.
const LONGEST_NAME: usize = 4 << 10;

/// Which notifications are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    tools: bool,
    prompts: bool,
    resources: bool,
    pub(super) uris: Vec<String>,
    pub(super) tasks: Vec<String>,
}

impl Filter {
    /// Reads a filter; `None` if it has another form than the protocol gives it.
    pub(super) fn of(value: &Json) -> Option<Self> {
        let mut filter = Self::default();
        for (key, value) in value.as_object()?.iter() {
            match key {
                "toolsListChanged" => filter.tools = value.as_bool()?,
                "promptsListChanged" => filter.prompts = value.as_bool()?,
                "resourcesListChanged" => filter.resources = value.as_bool()?,
                "resourceSubscriptions" => filter.uris = names(value)?,
                "taskIds" => filter.tasks = names(value)?,
                _ => return None,
            }
        }
        Some(filter)
    }

    fn is_within(&self, other: &Self) -> bool {
        let listed = |mine: &[String], theirs: &[String]| mine.iter().all(|name| theirs.contains(name));
        self.tools <= other.tools
            && self.prompts <= other.prompts
            && self.resources <= other.resources
            && listed(&self.uris, &other.uris)
            && listed(&self.tasks, &other.tasks)
    }

    fn admits(&self, method: &str, params: &Object) -> bool {
        let text = |key: &str| params.get(key).and_then(Json::as_str);
        match method {
            "notifications/tools/list_changed" => self.tools,
            "notifications/prompts/list_changed" => self.prompts,
            "notifications/resources/list_changed" => self.resources,
            "notifications/resources/updated" => {
                text("uri").is_some_and(|uri| self.uris.iter().any(|asked| is_part(uri, asked)))
            }
            "notifications/tasks" => text("taskId").is_some_and(|id| self.tasks.iter().any(|asked| asked == id)),
            _ => false,
        }
    }
}

fn names(value: &Json) -> Option<Vec<String>> {
    let names = value.as_array()?;
    if names.len() > MOST_NAMED {
        return None;
    }
    let name = |name: &Json| name.as_str().filter(|name| name.len() <= LONGEST_NAME).map(str::to_owned);
    names.iter().map(name).collect()
}

/// Whether a resource is the one that was asked for, or lies in it.
fn is_part(uri: &str, asked: &str) -> bool {
    uri.strip_prefix(asked)
        .is_some_and(|rest| rest.is_empty() || asked.ends_with('/') || rest.starts_with(['/', '?', '#']))
}

#[derive(Debug)]
struct Subscription {
    filter: Filter,
    acknowledged: bool,
    /// The permits for its resources, until the server acknowledged it.
    released: Vec<Released>,
}

/// The live ones, by the ids of their requests.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<BTreeMap<Id, Subscription>>);

impl Subscriptions {
    /// The request is about to be sent on.
    pub(super) fn begin(&self, id: &Id, filter: Filter, released: Vec<Released>) {
        self.live().insert(id.clone(), Subscription { filter, acknowledged: false, released });
    }

    /// The server says what it will send: the permits that are used by it, if it may say so now.
    pub(super) fn acknowledge(&self, id: &Id, params: &Object) -> Option<Vec<Released>> {
        let honoured = Filter::of(params.get("notifications")?)?;
        let mut live = self.live();
        let subscription = live.get_mut(id).filter(|subscription| !subscription.acknowledged)?;
        if !honoured.is_within(&subscription.filter) {
            return None;
        }
        subscription.acknowledged = true;
        subscription.filter = honoured;
        Some(std::mem::take(&mut subscription.released))
    }

    /// Whether this notification belongs to a live subscription that asked for it.
    pub(super) fn admits(&self, id: &Id, method: &str, params: &Object) -> bool {
        let live = self.live();
        let subscription = live.get(id).filter(|subscription| subscription.acknowledged);
        subscription.is_some_and(|subscription| subscription.filter.admits(method, params))
    }

    /// It ended; the permits that were not used.
    pub(super) fn end(&self, id: &Id) -> Option<Vec<Released>> {
        self.live().remove(id).map(|subscription| subscription.released)
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<Id, Subscription>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To which subscription a notification says that it belongs.
pub(super) fn id_of(message: &Message) -> Option<Id> {
    Id::of(message.params()?.get("_meta")?.get(SUBSCRIPTION)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_the_form_of_the_protocol() {
        let of = |text: &str| Filter::of(&Json::parse(text.as_bytes()).unwrap());
        assert!(of(r#"{"toolsListChanged":true,"resourceSubscriptions":["a:b"],"taskIds":[]}"#).is_some());
        for wrong in [
            r#"{"toolsListChanged":"yes"}"#,
            r#"{"secret":true}"#,
            r#"{"ToolsListChanged":true}"#,
            r#"{"resourceSubscriptions":"a:b"}"#,
            r#"{"resourceSubscriptions":[1]}"#,
            "[]",
            "true",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        let many = format!(r#"{{"resourceSubscriptions":[{}]}}"#, vec![r#""a""#; MOST_NAMED + 1].join(","));
        assert_eq!(of(&many), None);
        assert_eq!(of(&format!(r#"{{"taskIds":["{}"]}}"#, "x".repeat(LONGEST_NAME + 1))), None);
    }

    #[test]
    fn a_part_of_a_resource_lies_in_it() {
        for (uri, asked, is) in [
            ("file:///a", "file:///a", true),
            ("file:///a/b", "file:///a", true),
            ("file:///a/b", "file:///a/", true),
            ("file:///a#b", "file:///a", true),
            ("file:///ab", "file:///a", false),
            ("file:///b", "file:///a", false),
            ("file:///", "file:///a", false),
        ] {
            assert_eq!(is_part(uri, asked), is, "{uri} in {asked}");
        }
    }
}
