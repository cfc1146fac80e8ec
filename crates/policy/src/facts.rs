//! From the facts that the gate established to the sections of Cedar's context.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use callgate_core::{Fact, FactSpec, FactType, Facts};
use cedar_policy::{EntityUid, RestrictedExpression};

use crate::entities::Sort;
use crate::finding::{Finding, LoadError, Rule};

/// Sections of the context that belong to the arguments.
const TAKEN: &[&str] = &["input", "common"];

/// The declared facts, ordered as the context is built.
#[derive(Debug, Default)]
pub(crate) struct FactPlan {
    specs: Vec<FactSpec>,
    /// Section, then field.
    sections: BTreeMap<&'static str, BTreeMap<&'static str, FactSpec>>,
    /// The uid of every label, by entity type and id.
    labels: BTreeMap<&'static str, BTreeMap<&'static str, EntityUid>>,
}

impl FactPlan {
    pub(crate) fn new(specs: &[FactSpec]) -> Result<Self, LoadError> {
        let mut plan = Self { specs: specs.to_vec(), ..Self::default() };
        plan.specs.sort_by_key(|spec| spec.path);
        for spec in specs {
            plan.add(spec).map_err(|fault| {
                Finding::new(Rule::BadSchema, "", format!("the declared fact `{}` {fault}", spec.path))
            })?;
        }
        Ok(plan)
    }

    fn add(&mut self, spec: &FactSpec) -> Result<(), &'static str> {
        let (section, field) = spec.path.split_once('.').ok_or("needs a section and a name")?;
        if !identifier(section) || !identifier(field) {
            return Err("must be two identifiers joined by a dot");
        }
        if TAKEN.contains(&section) {
            return Err("lies in a section that belongs to the arguments");
        }
        if self.sections.entry(section).or_default().insert(field, *spec).is_some() {
            return Err("is declared twice");
        }
        let FactType::Labels { entity, ids } = spec.kind else { return Ok(()) };
        if !identifier(entity) || ids.is_empty() || Sort::ALL.iter().any(|sort| sort.type_name() == entity) {
            return Err("has labels of an unusable entity type");
        }
        let uids = ids.iter().map(|id| Some((*id, crate::entities::uid(entity, id)?)));
        let uids: BTreeMap<_, _> = uids.collect::<Option<_>>().ok_or("has labels of an unusable entity type")?;
        match self.labels.insert(entity, uids) {
            Some(before) if !before.keys().eq(ids.iter().collect::<BTreeSet<_>>()) => {
                Err("gives its entity type other labels than another fact does")
            }
            _ => Ok(()),
        }
    }

    /// The declared facts, by path.
    pub(crate) fn specs(&self) -> &[FactSpec] {
        &self.specs
    }

    /// The type of the fact at `context.<section>.<field>`.
    pub(crate) fn kind(&self, section: &str, field: &str) -> Option<FactType> {
        Some(self.sections.get(section)?.get(field)?.kind)
    }

    /// The enumerated entity types, in Cedar's schema syntax.
    pub(crate) fn entity_types(&self) -> String {
        let mut text = String::new();
        for (entity, ids) in &self.labels {
            let ids: Vec<_> = ids.keys().map(|id| format!("\"{}\"", id.escape_debug())).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "entity {entity} enum [{}];", ids.join(", "));
        }
        text
    }

    /// The members of every action's context, in Cedar's schema syntax, each with a comma behind it.
    pub(crate) fn context_members(&self) -> String {
        let mut text = String::new();
        for (section, fields) in &self.sections {
            let _ = write!(text, "\"{section}\": {{");
            for (field, spec) in fields {
                let kind = match spec.kind {
                    FactType::Bool => "Bool".to_owned(),
                    FactType::Long => "Long".to_owned(),
                    FactType::Text => "String".to_owned(),
                    FactType::Datetime => "datetime".to_owned(),
                    FactType::Labels { entity, .. } => format!("Set<{entity}>"),
                };
                let _ = write!(text, "\"{field}\": {kind}, ");
            }
            text.push_str("}, ");
        }
        text
    }

    /// The sections of one call's context. All declared facts must be there ([`Facts::missing`]).
    pub(crate) fn context(&self, facts: &Facts) -> Result<Vec<(String, RestrictedExpression)>, &'static str> {
        let sections = self.sections.iter().map(|(section, fields)| {
            let members = fields.iter().map(|(field, spec)| {
                let fact = facts.get(spec.path).ok_or("a declared fact is missing")?;
                Ok(((*field).to_owned(), self.value(fact, spec.kind)?))
            });
            let members = members.collect::<Result<Vec<_>, &'static str>>()?;
            let record = RestrictedExpression::new_record(members).map_err(|_| "a fact is declared twice")?;
            Ok(((*section).to_owned(), record))
        });
        sections.collect()
    }

    fn value(&self, fact: &Fact, kind: FactType) -> Result<RestrictedExpression, &'static str> {
        Ok(match fact {
            Fact::Bool(flag) => RestrictedExpression::new_bool(*flag),
            Fact::Long(long) => RestrictedExpression::new_long(*long),
            Fact::Text(text) => RestrictedExpression::new_string(text.to_string()),
            Fact::Datetime(at) => RestrictedExpression::new_datetime(at.to_string()),
            Fact::Labels(ids) => {
                let FactType::Labels { entity, .. } = kind else { return Err("a fact has another type than declared") };
                let known = self.labels.get(entity).ok_or("a fact has another type than declared")?;
                let uids = ids.iter().map(|id| known.get(&**id).cloned().map(RestrictedExpression::new_entity_uid));
                RestrictedExpression::new_set(uids.collect::<Option<Vec<_>>>().ok_or("a fact has an unknown label")?)
            }
        })
    }
}

fn identifier(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
