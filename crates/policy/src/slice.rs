//! The policies that can apply to one kind of agent and one action, and the entities that they can reach.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use cedar_policy::{AuthorizationError, Authorizer, Effect, Entities, Entity, EntityUid, PolicySet, Request};

use crate::catalogue::Action;
use crate::policies::Policy;
use crate::population::Class;
use crate::snapshot::GateSnapshot;
use crate::value::{Value, ValueType};

/// A slice of the policy set.
#[derive(Debug)]
pub(crate) struct Slice {
    /// Places in the set, in order.
    pub(crate) places: Vec<usize>,
    all: PolicySet,
    /// The permits alone, for the case that a forbid hides them from Cedar's answer.
    permits: OnceLock<PolicySet>,
    /// Entities that the policies name.
    literals: BTreeSet<EntityUid>,
}

/// What Cedar found, by places in the set, each list sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) permits: Vec<usize>,
    pub(crate) forbids: Vec<usize>,
    pub(crate) errors: Vec<(usize, String)>,
}

impl Slice {
    pub(crate) fn new(snapshot: &GateSnapshot, class: &Class, action: &Action) -> Self {
        let agent = class.agent.as_deref().unwrap_or_default();
        let blueprints = class.blueprints.iter().map(String::as_str);
        Self::of(snapshot.index.slice(&snapshot.policies, agent, blueprints, action), &snapshot.policies)
    }

    /// The policies at `places`.
    pub(crate) fn of(places: Vec<usize>, policies: &[Policy]) -> Self {
        let mut all = PolicySet::new();
        let mut literals = BTreeSet::new();
        for policy in places.iter().filter_map(|place| policies.get(*place)) {
            // Ids are places in the set, so that none is there twice.
            let _ = all.add(policy.cedar.clone());
            literals.extend(policy.parsed.literals.iter().cloned());
        }
        Self { places, all, permits: OnceLock::new(), literals }
    }

    /// The entities that a call of this agent and action can reach, its arguments aside.
    pub(crate) fn stage(&self, snapshot: &GateSnapshot, agent: &EntityUid, action: &Action) -> Entities {
        let (declared, others) = snapshot.population.closure(std::iter::once(agent).chain(&self.literals));
        let mut entities: BTreeMap<EntityUid, Entity> = BTreeMap::new();
        for uid in others {
            if let Some((_, named)) = uid.id().unescaped().parse().ok().and_then(|name| snapshot.catalogue.find(&name))
                && named.uid == *uid
            {
                entities.insert(uid.clone(), named.entity.clone());
            }
            place(snapshot, uid, &mut entities);
        }
        let own = [action.entity.clone(), Entity::with_uid(action.server.clone())];
        entities.extend(declared.into_iter().chain(own).map(|entity| (entity.uid(), entity)));
        // Uids are there once and blueprints have no cycles, so that this cannot fail; if it did, `in` would
        // find nothing, and attributes would be errors, which deny.
        Entities::from_entities(entities.into_values(), None).unwrap_or_else(|_| Entities::empty())
    }

    pub(crate) fn evaluate(
        &self,
        authorizer: &Authorizer,
        policies: &[Policy],
        request: &Request,
        entities: &Entities,
    ) -> Found {
        let response = authorizer.is_authorized(request, &self.all, entities);
        let mut found = Found::default();
        for place in response.diagnostics().reason().filter_map(Policy::index_of) {
            match policies.get(place).map(|policy| policy.parsed.effect) {
                Some(Effect::Permit) => found.permits.push(place),
                Some(Effect::Forbid) => found.forbids.push(place),
                None => {}
            }
        }
        for AuthorizationError::PolicyEvaluationError(error) in response.diagnostics().errors() {
            // An id that is none of ours must not make an error vanish.
            let place = Policy::index_of(error.policy_id()).unwrap_or_default();
            found.errors.push((place, error.inner().to_string()));
        }
        if !found.forbids.is_empty() {
            let response = authorizer.is_authorized(request, self.permits(policies), entities);
            found.permits.extend(response.diagnostics().reason().filter_map(Policy::index_of));
        }
        found.permits.sort_unstable();
        found.forbids.sort_unstable();
        found.errors.sort_unstable();
        found
    }

    fn permits(&self, policies: &[Policy]) -> &PolicySet {
        self.permits.get_or_init(|| {
            let mut permits = PolicySet::new();
            for policy in self.places.iter().filter_map(|place| policies.get(*place)) {
                if policy.parsed.effect == Effect::Permit {
                    // As in `of`.
                    let _ = permits.add(policy.cedar.clone());
                }
            }
            permits
        })
    }
}

/// A path, host, URL or mailbox that a policy or an attribute names is inside of what holds it, as an
/// argument would be.
fn place(snapshot: &GateSnapshot, uid: &EntityUid, entities: &mut BTreeMap<EntityUid, Entity>) {
    let kinds = [ValueType::Path, ValueType::Host, ValueType::Url, ValueType::Mailbox];
    let Some(kind) = kinds.into_iter().find(|kind| kind.as_str() == uid.type_name().basename()) else { return };
    if let Ok(value) = Value::read(kind, uid.id().unescaped(), None) {
        // What cannot be read was reported as misspelt when the gate was loaded.
        let _ = snapshot.ancestors.place(&value, &BTreeSet::new()).collect(entities);
    }
}

#[cfg(test)]
mod tests;
