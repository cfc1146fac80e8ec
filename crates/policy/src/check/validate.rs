//! Cedar's strict validator, with warnings as errors. Each policy is validated against a schema of only the
//! actions that it covers or names: with thousands of tools that is what makes it affordable, and a changed
//! tool then concerns only the policies that cover it.

use std::collections::{BTreeMap, BTreeSet};

use callgate_text::Digest;
use cedar_policy::{PolicySet, ValidationMode, Validator};

use crate::cache::Cache;
use crate::catalogue;
use crate::finding::{Finding, Rule};
use crate::policies::{Fault, Policy};
use crate::snapshot::GateSnapshot;

pub(super) fn run(snapshot: &GateSnapshot, cache: &Cache, findings: &mut Vec<Finding>) {
    let mut validators = Validators { snapshot, made: BTreeMap::new() };
    for policy in &snapshot.policies {
        let actions = relevant(snapshot, policy);
        let excerpt = validators.digest(&actions);
        let key = Digest::of_parts(&[excerpt.as_bytes(), policy.parsed.canonical.as_bytes()]);
        // The places that a fault names are those of the text, comments and layout included.
        let text = policy.source.get(policy.span.clone()).unwrap_or_default();
        let key = Digest::of_parts(&[key.as_bytes(), text.as_bytes()]);
        let faults = cache.validated(key, || validators.validate(&actions, policy));
        findings.extend(faults.iter().map(|fault| {
            let finding = match fault.part.clone() {
                Some(part) => policy.finding_within(fault.rule, fault.message.as_str(), part),
                None => policy.finding(fault.rule, fault.message.as_str()),
            };
            match &fault.help {
                Some(help) => finding.help(help.as_str()),
                None => finding,
            }
        }));
    }
}

/// The actions that a policy covers by its head, and those that it names anywhere.
fn relevant(snapshot: &GateSnapshot, policy: &Policy) -> BTreeSet<usize> {
    let catalogue = &snapshot.catalogue;
    let mut actions = super::covered(snapshot, policy);
    for uid in &policy.parsed.literals {
        if uid.type_name().basename() == "Action" {
            actions.extend(catalogue.named(uid.id().unescaped()));
        }
    }
    if actions.is_empty() {
        // It names nothing that exists; let the validator say so.
        actions.extend(catalogue.actions().iter().enumerate().map(|(place, _)| place).take(1));
    }
    actions
}

struct Validators<'a> {
    snapshot: &'a GateSnapshot,
    made: BTreeMap<BTreeSet<usize>, Made>,
}

struct Made {
    digest: Digest,
    validator: Option<Result<Validator, String>>,
}

impl Validators<'_> {
    fn made(&mut self, actions: &BTreeSet<usize>) -> &mut Made {
        let catalogue = &self.snapshot.catalogue;
        self.made
            .entry(actions.clone())
            .or_insert_with(|| Made { digest: Digest::of(catalogue.excerpt(actions).as_bytes()), validator: None })
    }

    fn digest(&mut self, actions: &BTreeSet<usize>) -> Digest {
        self.made(actions).digest
    }

    fn validate(&mut self, actions: &BTreeSet<usize>, policy: &Policy) -> Vec<Fault> {
        let catalogue = &self.snapshot.catalogue;
        let whole = actions.len() == catalogue.actions().len();
        let validator = self.made(actions).validator.get_or_insert_with(|| {
            let schema = match whole {
                true => Ok(catalogue.schema.clone()),
                false => catalogue::parse(&catalogue.excerpt(actions)),
            };
            schema.map(Validator::new).map_err(|error| error.to_string())
        });
        let validator = match validator {
            Ok(validator) => validator,
            Err(error) => return vec![Fault::new(Rule::BadSchema, error.as_str())],
        };
        let mut set = PolicySet::new();
        if let Err(error) = set.add(policy.cedar.clone()) {
            return vec![Fault::new(Rule::Invalid, error.to_string())];
        }
        let result = validator.validate(&set, ValidationMode::Strict);
        let errors = result.validation_errors().map(|error| Fault::of(Rule::Invalid, error));
        let warnings = result.validation_warnings().map(|warning| {
            let impossible = matches!(
                warning,
                cedar_policy::ValidationWarning::ImpossiblePolicy(_)
                    | cedar_policy::ValidationWarning::InvalidActionApplication(_)
            );
            Fault::of(if impossible { Rule::Impossible } else { Rule::Suspicious }, warning)
        });
        errors.chain(warnings).collect()
    }
}
