//! What a policy names must exist: entities, approvers, arguments.

use cedar_policy::Effect;

use crate::finding::{Finding, Rule};
use crate::policies::Policy;
use crate::snapshot::GateSnapshot;

pub(super) fn run(snapshot: &GateSnapshot, policy: &Policy, findings: &mut Vec<Finding>) {
    for uid in &policy.parsed.literals {
        if !snapshot.may_name(uid) {
            findings.push(at(policy, &uid.to_string(), Rule::UnknownEntity, format!("{uid} is not declared")));
        }
    }
    let annotations = &policy.parsed.annotations;
    if let Some(approval) = &annotations.approval {
        match snapshot.declarations.members(&approval.group) {
            None => {
                let message = format!("there is no group `{}` to approve", approval.group.escape_debug());
                findings.push(
                    at(policy, "@approval", Rule::BadAnnotation, message)
                        .help("declare it as [group.NAME] in entities.toml"),
                );
            }
            Some(members) if members.len() < usize::try_from(approval.quorum).unwrap_or(usize::MAX) => {
                let message =
                    format!("{} of `{}` must approve, and it has {}", approval.quorum, approval.group, members.len());
                findings.push(at(policy, "@approval", Rule::NoApprovers, message));
            }
            Some(_) => {}
        }
    }
    if policy.parsed.effect == Effect::Permit {
        opaque(snapshot, policy, findings);
    }
}

/// A permit says which arguments it cannot see. MCP's own methods need it only if the head names them.
fn opaque(snapshot: &GateSnapshot, policy: &Policy, findings: &mut Vec<Finding>) {
    let annotations = &policy.parsed.annotations;
    let named = |id: &str| match &policy.parsed.scope.actions {
        None => false,
        Some((uids, _)) => uids.iter().any(|uid| uid.id().unescaped() == id),
    };
    let mut known = std::collections::BTreeSet::new();
    for place in super::covered(snapshot, policy) {
        let Some(action) = snapshot.catalogue.actions().get(place) else { continue };
        known.extend(action.kind.opaque().iter().map(String::as_str));
        let asked = action.method.is_none_or(|method| named(method) || named(action.name.as_str()));
        for argument in action.kind.opaque() {
            if asked && !annotations.opaque.iter().any(|name| **name == **argument) {
                let message =
                    format!("policy cannot see the argument `{}` of {}", argument.escape_debug(), action.name);
                findings.push(policy.finding(Rule::OpaqueArgument, message));
            }
        }
    }
    for name in &annotations.opaque {
        if !known.contains(&**name) {
            let message = format!("no tool that the permit covers has an opaque argument `{}`", name.escape_debug());
            findings.push(at(policy, "@opaque", Rule::BadAnnotation, message).help("take the name out of @opaque"));
        }
    }
}

/// Values that can never match, because no argument is ever spelt like that.
pub(super) fn misspelt(snapshot: &GateSnapshot, findings: &mut Vec<Finding>) {
    for (uid, fault) in snapshot.ancestors.misspelt() {
        let message = format!("{uid} {fault}");
        let mut found = false;
        for policy in snapshot.policies.iter().filter(|policy| policy.parsed.literals.contains(uid)) {
            found = true;
            findings.push(at(policy, &uid.to_string(), Rule::Misspelt, message.as_str()));
        }
        if !found {
            findings.push(Finding::new(Rule::Misspelt, crate::entities::FILE, message));
        }
    }
}

/// A finding at the first place of `mark` in the policy, or about all of it.
fn at(policy: &Policy, mark: &str, rule: Rule, message: impl Into<String>) -> Finding {
    let text = policy.source.get(policy.span.clone()).unwrap_or_default();
    match text.find(mark) {
        Some(start) => policy.finding_within(rule, message, start..start + mark.len()),
        None => policy.finding(rule, message),
    }
}
