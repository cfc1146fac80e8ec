//! Which policies can apply to whom and what: by action or group, then by principal or ancestor. Cedar scans
//! a set from end to end, so it is never given more than a slice.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::EntityUid;

use crate::catalogue::Action;
use crate::policies::{Policy, Who};

/// Places of policies in the set, by head.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// By the id of an action or group, `None` for an open head; then by principal.
    heads: BTreeMap<Option<String>, BTreeMap<Key, Vec<usize>>>,
    /// Agents that a head names.
    named: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Anyone,
    Agent(String),
    Blueprint(String),
}

impl Index {
    pub(crate) fn new(policies: &[Policy]) -> Self {
        let mut index = Self::default();
        for (place, policy) in policies.iter().enumerate() {
            let Some(key) = key(&policy.parsed.scope.principal) else { continue };
            if let Key::Agent(agent) = &key {
                index.named.insert(agent.clone());
            }
            let actions = match &policy.parsed.scope.actions {
                None => vec![None],
                Some((uids, _)) => uids.iter().map(|uid| Some(uid.id().unescaped().to_owned())).collect(),
            };
            for action in actions {
                let places = index.heads.entry(action).or_default().entry(key.clone()).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        index
    }

    /// Whether a head names this agent, so that it cannot share slices with the others of its blueprints.
    pub(crate) fn names(&self, agent: &str) -> bool {
        self.named.contains(agent)
    }

    /// The policies whose heads may admit this agent, inside these blueprints, and this action; in order.
    pub(crate) fn slice<'a>(
        &self,
        policies: &[Policy],
        agent: &str,
        blueprints: impl Iterator<Item = &'a str>,
        action: &Action,
    ) -> Vec<usize> {
        let mut keys = vec![Key::Anyone, Key::Agent(agent.to_owned())];
        keys.extend(blueprints.map(|blueprint| Key::Blueprint(blueprint.to_owned())));
        let own = [None, Some(action.name.as_str().to_owned())];
        let heads = own.into_iter().chain(action.groups.iter().cloned().map(Some));
        let mut places = BTreeSet::new();
        for head in heads {
            let Some(by_principal) = self.heads.get(&head) else { continue };
            for key in &keys {
                places.extend(by_principal.get(key).into_iter().flatten().copied());
            }
        }
        let admitted = |place: &usize| {
            policies.get(*place).is_some_and(|policy| {
                let scope = &policy.parsed.scope;
                scope.admits_resource(&action.server) && admits_action(scope.actions.as_ref(), action)
            })
        };
        places.into_iter().filter(admitted).collect()
    }
}

/// `action == Action::"group"` does not mean what is in the group.
fn admits_action(named: Option<&(Vec<EntityUid>, bool)>, action: &Action) -> bool {
    match named {
        Some((uids, false)) => uids.contains(&action.uid),
        Some((_, true)) | None => true,
    }
}

fn key(who: &Who) -> Option<Key> {
    let of = |uid: &EntityUid, whole: bool| match uid.type_name().to_string().as_str() {
        "Agent" => Some(Key::Agent(uid.id().unescaped().to_owned())),
        "Blueprint" if whole => Some(Key::Blueprint(uid.id().unescaped().to_owned())),
        _ => None,
    };
    match who {
        Who::Anyone => Some(Key::Anyone),
        Who::Exactly(uid) => of(uid, false),
        Who::Inside(uid) => of(uid, true),
        Who::Nobody => None,
    }
}
