//! From the facts that the gate established to the sections of Cedar's context.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use callgate_core::{Code, Fact, FactSpec, FactType, Facts, Reason, Subject};
use cedar_policy::{Entity, EntityUid, RestrictedExpression};

use crate::entities::Sort;
use crate::finding::{Finding, LoadError, Rule};
use crate::value::{Ancestors, Fault, Place, Root, Value, ValueType, common_path};

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

    /// The declared facts of a call about `subject`.
    pub(crate) fn specs_of(&self, subject: Subject) -> impl Iterator<Item = &FactSpec> {
        self.specs.iter().filter(move |spec| spec.is_of(subject))
    }

    /// The sections of a call about `subject`.
    fn sections_of(
        &self,
        subject: Subject,
    ) -> impl Iterator<Item = (&&'static str, &BTreeMap<&'static str, FactSpec>)> {
        self.sections.iter().filter(move |(section, _)| subject.has(section))
    }

    /// The members of an action's context, in Cedar's schema syntax, each with a comma behind it.
    pub(crate) fn context_members(&self, subject: Subject) -> String {
        let mut text = String::new();
        for (section, fields) in self.sections_of(subject) {
            let _ = write!(text, "\"{section}\": {{");
            for (field, spec) in fields {
                let kind = match spec.kind {
                    FactType::Bool => "Bool".to_owned(),
                    FactType::Long => "Long".to_owned(),
                    FactType::Text => "String".to_owned(),
                    FactType::Datetime => "datetime".to_owned(),
                    FactType::Labels { entity, .. } => format!("Set<{entity}>"),
                    FactType::Path => "Path".to_owned(),
                    FactType::Paths => "Set<Path>".to_owned(),
                    FactType::Hosts => "Set<Host>".to_owned(),
                };
                let _ = write!(text, "\"{field}\": {kind}, ");
                if let Some((value_type, _)) = placed(spec.kind) {
                    let _ = write!(text, "\"{field}{WITHIN}\": {}, ", value_type.as_str());
                }
            }
            text.push_str("}, ");
        }
        text
    }

    /// The sections of one act's context. All declared facts must be there ([`Facts::missing`]).
    ///
    /// # Errors
    /// What policy cannot place, or what is missing.
    pub(crate) fn context(
        &self,
        facts: &Facts,
        subject: Subject,
        ancestors: &Ancestors,
        entities: &mut BTreeMap<EntityUid, Entity>,
    ) -> Result<Vec<(String, RestrictedExpression)>, Reason> {
        let internal = |what: &str| Reason::new(Code::Internal, what);
        let mut sections = Vec::new();
        for (section, fields) in self.sections_of(subject) {
            let mut members = Vec::new();
            for (field, spec) in fields {
                let fact = facts.get(spec.path).ok_or_else(|| internal("a declared fact is missing"))?;
                let faulty = |Fault(fault): Fault| {
                    Reason::new(Code::InvalidArguments, format!("what the {section} {field} {fault}"))
                };
                if let Fact::Name(path) = fact {
                    let place = Value::read(ValueType::Path, path, None).map_err(faulty)?;
                    let place = ancestors.place(&place, &BTreeSet::new());
                    members.push(((*field).to_owned(), place.expression()));
                    place.collect(entities).map_err(faulty)?;
                } else if let (Fact::Names(names), Some((value_type, root))) = (fact, placed(spec.kind)) {
                    let placed = places(names, value_type, root, ancestors, field, entities);
                    let (all, within) = placed.map_err(faulty)?;
                    members.push(((*field).to_owned(), all));
                    members.push((format!("{field}{WITHIN}"), within));
                } else {
                    members.push(((*field).to_owned(), self.value(fact, spec.kind).map_err(internal)?));
                }
            }
            let record = RestrictedExpression::new_record(members).map_err(|_| internal("a fact is declared twice"))?;
            sections.push(((*section).to_owned(), record));
        }
        Ok(sections)
    }

    fn value(&self, fact: &Fact, kind: FactType) -> Result<RestrictedExpression, &'static str> {
        Ok(match fact {
            Fact::Bool(flag) => RestrictedExpression::new_bool(*flag),
            Fact::Long(long) => RestrictedExpression::new_long(*long),
            Fact::Text(text) => RestrictedExpression::new_string(text.to_string()),
            Fact::Datetime(at) => RestrictedExpression::new_datetime(at.to_string()),
            Fact::Name(_) | Fact::Names(_) => return Err("a fact has another type than declared"),
            Fact::Labels(ids) => {
                let FactType::Labels { entity, .. } = kind else { return Err("a fact has another type than declared") };
                let known = self.labels.get(entity).ok_or("a fact has another type than declared")?;
                let uids = ids.iter().map(|id| known.get(&**id).cloned().map(RestrictedExpression::new_entity_uid));
                RestrictedExpression::new_set(uids.collect::<Option<Vec<_>>>().ok_or("a fact has an unknown label")?)
            }
        })
    }
}

/// What stands behind the name of a set for what all its elements are in.
pub(crate) const WITHIN: &str = "_within";

/// The type of the elements of a set of values, and where relative ones start.
fn placed(kind: FactType) -> Option<(ValueType, Option<&'static str>)> {
    match kind {
        FactType::Paths => Some((ValueType::Path, Some("."))),
        FactType::Hosts => Some((ValueType::Host, None)),
        _ => None,
    }
}

/// The set of `names`, and what all of them are in; of none, that is a value inside every place that policies name.
fn places(
    names: &BTreeSet<Arc<str>>,
    value_type: ValueType,
    root: Option<&str>,
    ancestors: &Ancestors,
    field: &str,
    entities: &mut BTreeMap<EntityUid, Entity>,
) -> Result<(RestrictedExpression, RestrictedExpression), Fault> {
    let root = root.map(Root::read).transpose()?;
    let values: Vec<Value> =
        names.iter().map(|name| Value::read(value_type, name, root.as_ref())).collect::<Result<_, _>>()?;
    let beside = BTreeSet::new();
    let places: Vec<Place> = values.iter().map(|value| ancestors.place(value, &beside)).collect();
    let within = match common_path(&values.iter().collect::<Vec<_>>()) {
        Some(path) => ancestors.place(&path, &beside),
        None => Place::common(&places, value_type, &format!("(all that it {field})"))
            .unwrap_or_else(|| ancestors.nothing(value_type, &format!("(nothing that it {field})"))),
    };
    let within_expression = within.expression();
    within.collect(entities)?;
    let mut all = Vec::new();
    for place in places {
        all.push(place.expression());
        place.collect(entities)?;
    }
    Ok((RestrictedExpression::new_set(all), within_expression))
}

fn identifier(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
