//! Checked arguments as Cedar values.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entity, EntityUid, RestrictedExpression};

use super::lift::Node;
use super::pointer::At;
use super::shape::{Form, Record};
use crate::value::{Ancestors, Fault, Place, Value, ValueType, common_path};

/// Builds the expressions of one call, and the entities that they name.
pub(super) struct Express<'a> {
    ancestors: &'a Ancestors,
    /// The paths of the call: one argument may be inside another.
    paths: BTreeSet<&'a str>,
    entities: BTreeMap<EntityUid, Entity>,
}

impl<'a> Express<'a> {
    /// For the arguments `node`.
    pub(super) fn new(ancestors: &'a Ancestors, node: &'a Node<'_>) -> Self {
        let mut paths = BTreeSet::new();
        collect_paths(node, &mut paths);
        Self { ancestors, paths, entities: BTreeMap::new() }
    }

    /// The entities of all expressions built so far, each once.
    pub(super) fn entities(self) -> Vec<Entity> {
        self.entities.into_values().collect()
    }

    /// The value itself.
    pub(super) fn value(&mut self, node: &Node<'_>) -> Result<RestrictedExpression, Fault> {
        Ok(match node {
            Node::Bool(flag) => RestrictedExpression::new_bool(*flag),
            Node::Long(long) => RestrictedExpression::new_long(*long),
            Node::Decimal(decimal) => RestrictedExpression::new_decimal(decimal_text(*decimal)),
            Node::Text(text) => RestrictedExpression::new_string((*text).to_owned()),
            Node::Value(value) => self.place(self.ancestors.place(value, &self.paths))?,
            Node::List(nodes) => {
                let items: Result<Vec<_>, _> = nodes.iter().map(|node| self.value(node)).collect();
                RestrictedExpression::new_set(items?)
            }
            Node::Record(nodes) => {
                let members: Result<Vec<_>, Fault> =
                    nodes.iter().map(|(name, node)| Ok(((*name).to_owned(), self.value(node)?))).collect();
                record_of(members?)?
            }
        })
    }

    /// The record of what the values in each list have in common. `nodes` are all values that stand for
    /// `record` in one call: several, if it lies in a list.
    pub(super) fn common(
        &mut self,
        record: &Record,
        nodes: &[&Node<'_>],
        at: &At<'_>,
    ) -> Result<RestrictedExpression, Fault> {
        let mut members = Vec::new();
        for (name, member) in record.members.iter().filter(|(_, member)| member.placed) {
            let inner = nodes.iter().map(|node| match node {
                Node::Record(members) => members.get(name.as_str()),
                _ => None,
            });
            // Absent from one is absent: a tool may put anything in its place.
            if let Some(inner) = inner.collect::<Option<Vec<_>>>() {
                members.push((name.clone(), self.common_of(&member.shape.form, inner, &At::Member(at, name))?));
            }
        }
        record_of(members)
    }

    fn common_of(&mut self, form: &Form, nodes: Vec<&Node<'_>>, at: &At<'_>) -> Result<RestrictedExpression, Fault> {
        match form {
            Form::List { item, .. } => {
                let elements = nodes.into_iter().flat_map(|node| match node {
                    Node::List(elements) => elements.as_slice(),
                    _ => &[],
                });
                self.common_of(item, elements.collect(), at)
            }
            Form::Record(record) => self.common(record, &nodes, at),
            Form::Value { value_type, .. } => {
                let values: Vec<&Value> = nodes
                    .into_iter()
                    .filter_map(|node| match node {
                        Node::Value(value) => Some(value),
                        _ => None,
                    })
                    .collect();
                self.common_value(*value_type, &values, at)
            }
            _ => Err(Fault("has no place in a hierarchy")),
        }
    }

    fn common_value(
        &mut self,
        value_type: ValueType,
        values: &[&Value],
        at: &At<'_>,
    ) -> Result<RestrictedExpression, Fault> {
        let place = match common_path(values) {
            Some(path) => self.ancestors.place(&path, &self.paths),
            None => {
                let places: Vec<Place> = values.iter().map(|value| self.ancestors.place(value, &self.paths)).collect();
                Place::common(&places, value_type, &format!("(every {at})"))
                    .unwrap_or_else(|| self.ancestors.nothing(value_type, &format!("(no {at})")))
            }
        };
        self.place(place)
    }

    fn place(&mut self, place: Place) -> Result<RestrictedExpression, Fault> {
        let expression = place.expression();
        place.collect(&mut self.entities)?;
        Ok(expression)
    }
}

fn collect_paths<'a>(node: &'a Node<'_>, paths: &mut BTreeSet<&'a str>) {
    match node {
        Node::Value(value) => paths.extend(value.as_path()),
        Node::List(nodes) => nodes.iter().for_each(|node| collect_paths(node, paths)),
        Node::Record(nodes) => nodes.values().for_each(|node| collect_paths(node, paths)),
        Node::Bool(_) | Node::Long(_) | Node::Decimal(_) | Node::Text(_) => {}
    }
}

fn record_of(members: Vec<(String, RestrictedExpression)>) -> Result<RestrictedExpression, Fault> {
    RestrictedExpression::new_record(members).map_err(|_| Fault("has a member twice"))
}

/// Cedar's spelling of a number of ten-thousandths.
fn decimal_text(decimal: i64) -> String {
    let sign = if decimal < 0 { "-" } else { "" };
    let magnitude = decimal.unsigned_abs();
    format!("{sign}{}.{:04}", magnitude / 10_000, magnitude % 10_000)
}

#[cfg(test)]
mod tests {
    use super::decimal_text;

    #[test]
    fn decimals_are_written_exactly() {
        for (decimal, text) in [
            (0, "0.0000"),
            (1, "0.0001"),
            (-1, "-0.0001"),
            (500_000, "50.0000"),
            (i64::MAX, "922337203685477.5807"),
            (i64::MIN, "-922337203685477.5808"),
        ] {
            assert_eq!(decimal_text(decimal), text);
        }
    }
}
