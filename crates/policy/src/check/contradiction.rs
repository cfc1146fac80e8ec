//! Conditions whose parts exclude each other: the policy never applies.

use std::collections::BTreeSet;

use cedar_policy::EntityUid;

use crate::entities::Sort;
use crate::finding::{Finding, Rule};
use crate::policies::{Policy, Who};
use crate::snapshot::GateSnapshot;
use crate::truth::Limits;

pub(super) fn run(snapshot: &GateSnapshot, policy: &Policy, findings: &mut Vec<Finding>) {
    let limits = Limits::collect(policy.parsed.conditions());
    if let Some((subject, _)) = limits.iter().find(|(_, limits)| limits.contradict()) {
        let subject: String = subject.chars().take(80).collect();
        findings.push(policy.finding(Rule::Impossible, format!("no value of `{subject}` meets all conditions")));
    } else if limits.get("principal").is_some_and(|limits| excludes_all(snapshot, policy, limits)) {
        findings.push(policy.finding(Rule::Impossible, "no blueprint and no agent is inside of all that it names"));
    }
}

/// Whether no agent can be what the head and the conditions ask: neither one that is declared, nor one that
/// any of the declared blueprints would make.
fn excludes_all(snapshot: &GateSnapshot, policy: &Policy, limits: &Limits) -> bool {
    let mut inside = limits.inside();
    match &policy.parsed.scope.principal {
        Who::Exactly(uid) | Who::Inside(uid) => inside.push(vec![uid.clone()]),
        Who::Anyone => {}
        Who::Nobody => return false,
    }
    let outside = limits.outside();
    if !inside.iter().flatten().chain(outside).all(|uid| snapshot.may_name(uid)) {
        // That one of them is not there was found already.
        return false;
    }
    let declarations = &snapshot.declarations;
    let mut candidates = [Sort::Agent, Sort::Blueprint]
        .into_iter()
        .flat_map(|sort| declarations.of(sort).map(move |(id, _)| (sort, id, declarations.ancestors(sort, id))));
    let is_in = |uid: &EntityUid, (sort, id, above): &(Sort, &str, BTreeSet<&str>)| {
        let (kind, name) = (uid.type_name().basename(), uid.id().unescaped());
        (kind == sort.type_name() && name == *id) || (kind == Sort::Blueprint.type_name() && above.contains(name))
    };
    !candidates.any(|candidate| {
        inside.iter().all(|places| places.iter().any(|uid| is_in(uid, &candidate)))
            && !outside.iter().any(|uid| is_in(uid, &candidate))
    })
}
