//! What is wrong with a policy set that parses, and what somebody should look at.

mod advice;
mod bounding;
mod contradiction;
mod dodged;
mod footgun;
mod names;
mod pinned;
mod sense;
mod subject;
mod validate;

use std::collections::BTreeSet;

use crate::cache::Cache;
use crate::finding::Finding;
use crate::policies::Policy;
use crate::snapshot::GateSnapshot;

/// Everything that is found, in no particular order.
pub(crate) fn run(snapshot: &GateSnapshot, cache: &Cache) -> Vec<Finding> {
    let mut findings = Vec::new();
    validate::run(snapshot, cache, &mut findings);
    for policy in &snapshot.policies {
        names::run(snapshot, policy, &mut findings);
        footgun::run(snapshot, policy, &mut findings);
        dodged::run(policy, &mut findings);
        contradiction::run(snapshot, policy, &mut findings);
    }
    names::misspelt(snapshot, &mut findings);
    pinned::run(snapshot, &mut findings);
    advice::run(snapshot, &mut findings);
    findings
}

/// The actions that a policy's head covers.
pub(crate) fn covered(snapshot: &GateSnapshot, policy: &Policy) -> BTreeSet<usize> {
    let catalogue = &snapshot.catalogue;
    let scope = &policy.parsed.scope;
    let mut places = BTreeSet::new();
    match &scope.actions {
        None => places.extend(0..catalogue.actions().len()),
        Some((uids, whole)) => {
            for uid in uids {
                let id = uid.id().unescaped();
                places.extend(catalogue.named(id));
                if *whole {
                    places.extend(catalogue.covered(id).iter().copied());
                }
            }
        }
    }
    places.retain(|place| catalogue.actions().get(*place).is_some_and(|action| scope.admits_resource(&action.server)));
    places
}
