//! What is allowed and still worth a look.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Effect;

use super::bounding;
use crate::entities::Sort;
use crate::finding::{Finding, Rule};
use crate::policies::{Policy, Who};
use crate::snapshot::GateSnapshot;

pub(super) fn run(snapshot: &GateSnapshot, findings: &mut Vec<Finding>) {
    for policy in &snapshot.policies {
        let parsed = &policy.parsed;
        if parsed.effect != Effect::Permit || parsed.annotations.approval.is_some() {
            continue;
        }
        if parsed.is_unconditional() && parsed.scope.is_open() {
            findings.push(policy.finding(Rule::UnboundedPermit, "every agent may call every tool with any arguments"));
            continue;
        }
        if bounding::bounds(snapshot, policy) {
            continue;
        }
        for place in super::covered(snapshot, policy) {
            let Some(action) = snapshot.catalogue.actions().get(place) else { continue };
            if let Some(danger) = action.danger {
                let message = format!("{} is permitted with any arguments, and {danger}", action.name);
                findings.push(policy.finding(Rule::DangerousPermit, message));
            }
        }
    }
    covered(snapshot, findings);
}

/// Policies that never matter, because another one of the same effect always applies where they do.
fn covered(snapshot: &GateSnapshot, findings: &mut Vec<Finding>) {
    let wide: Vec<(usize, &Policy, BTreeSet<usize>)> = snapshot
        .policies
        .iter()
        .enumerate()
        .filter(|(_, policy)| policy.parsed.is_unconditional() && policy.parsed.annotations.approval.is_none())
        .map(|(place, policy)| (place, policy, super::covered(snapshot, policy)))
        .collect();
    let mut by_action: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, (_, _, actions)) in wide.iter().enumerate() {
        for action in actions {
            by_action.entry(*action).or_default().push(index);
        }
    }
    for (place, policy) in snapshot.policies.iter().enumerate() {
        let actions = super::covered(snapshot, policy);
        let Some(candidates) = actions.first().and_then(|action| by_action.get(action)) else { continue };
        let covering = candidates.iter().filter_map(|index| wide.get(*index)).find(|(other, covering, theirs)| {
            // Of two that cover each other, the later one is reported.
            let mutual = *other > place
                && policy.parsed.is_unconditional()
                && policy.parsed.annotations.approval.is_none()
                && reaches(snapshot, &policy.parsed.scope.principal, &covering.parsed.scope.principal)
                && actions.is_superset(theirs);
            *other != place
                && !mutual
                && covering.parsed.effect == policy.parsed.effect
                && theirs.is_superset(&actions)
                && reaches(snapshot, &covering.parsed.scope.principal, &policy.parsed.scope.principal)
        });
        if let Some((_, covering, _)) = covering {
            let message = format!("`{}` at {} applies wherever this policy does", covering.at.id, covering.at.at);
            findings.push(policy.finding(Rule::Covered, message));
        }
    }
}

/// Whether everybody that `narrow` admits is admitted by `wide`.
fn reaches(snapshot: &GateSnapshot, wide: &Who, narrow: &Who) -> bool {
    let (place, uid) = match (wide, narrow) {
        (Who::Anyone, _) => return true,
        (Who::Exactly(wide), Who::Exactly(narrow)) => return wide == narrow,
        (Who::Inside(wide), Who::Exactly(narrow) | Who::Inside(narrow)) => (wide, narrow),
        _ => return false,
    };
    let sort = Sort::ALL.into_iter().find(|sort| sort.type_name() == uid.type_name().basename());
    let ancestors = sort.map(|sort| snapshot.declarations.ancestors(sort, uid.id().unescaped())).unwrap_or_default();
    place == uid || (place.type_name().basename() == "Blueprint" && ancestors.contains(place.id().unescaped()))
}
