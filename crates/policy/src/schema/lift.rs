//! Arguments checked against their shape, member by member.

use std::collections::{BTreeMap, BTreeSet};

use callgate_core::{Code, Reason, WorkingDirectory};
use callgate_text::{Json, Object};

use super::check::MAX_REASONS;
use super::pointer::At;
use super::settle::fold;
use super::shape::{Form, Member, Record, Shape};
use crate::value::{Fault, Value};

/// How many values policy looks at in one call.
const MAX_VALUES: usize = 4096;

/// An argument that has the shape that policy expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node<'a> {
    Bool(bool),
    Long(i64),
    /// Ten-thousandths.
    Decimal(i64),
    Text(&'a str),
    Value(Value),
    List(Vec<Node<'a>>),
    /// What is there and visible.
    Record(BTreeMap<&'a str, Node<'a>>),
}

/// Checks `arguments` against `record`.
///
/// `cwd` is where the host works: relative paths start there and not at their root.
pub(super) fn read<'a>(
    record: &'a Record,
    arguments: &'a Object,
    cwd: Option<&WorkingDirectory>,
) -> Result<Node<'a>, Vec<Reason>> {
    let mut reader = Reader { reasons: BTreeSet::new(), values: 0, cwd };
    let node = reader.record(record, arguments, &At::Top);
    match node {
        Some(node) if reader.reasons.is_empty() => Ok(node),
        _ => Err(reader.reasons.into_iter().take(MAX_REASONS).collect()),
    }
}

struct Reader<'c> {
    reasons: BTreeSet<Reason>,
    values: usize,
    cwd: Option<&'c WorkingDirectory>,
}

impl Reader<'_> {
    /// `None` if it is refused; the reason is then noted.
    fn record<'a>(&mut self, record: &'a Record, object: &'a Object, at: &At<'_>) -> Option<Node<'a>> {
        let mut found: BTreeMap<&str, &Json> = BTreeMap::new();
        let folded: BTreeSet<String> =
            if record.open { record.members.keys().map(|name| fold(name)).collect() } else { BTreeSet::new() };
        for (name, value) in object.iter() {
            if record.members.contains_key(name) {
                found.insert(name, value);
            } else if !record.open {
                return self.refuse(
                    at,
                    &format!("has a member that the tool does not declare; declared {}", declared(record)),
                );
            } else if folded.contains(&fold(name)) {
                return self.refuse(
                    at,
                    "has a member whose name differs from a declared one only in case, width or composition",
                );
            }
        }
        let mut nodes = BTreeMap::new();
        for (name, Member { shape, required, .. }) in &record.members {
            let at = At::Member(at, name);
            match found.get(name.as_str()) {
                None if *required => return self.refuse(&at, "is missing"),
                None => {}
                Some(value) => {
                    if let Some(node) = self.shape(shape, value, &at) {
                        nodes.insert(name.as_str(), node);
                    }
                }
            }
        }
        Some(Node::Record(nodes))
    }

    /// `None` also if there is nothing for policy to see.
    fn shape<'a>(&mut self, shape: &'a Shape, value: &'a Json, at: &At<'_>) -> Option<Node<'a>> {
        match (&shape.form, value) {
            (Form::Opaque, _) => None,
            (_, Json::Null) if shape.null => None,
            (form, value) => self.form(form, value, at),
        }
    }

    fn form<'a>(&mut self, form: &'a Form, value: &'a Json, at: &At<'_>) -> Option<Node<'a>> {
        self.values += 1;
        if self.reasons.len() >= MAX_REASONS {
            return None;
        }
        if self.values > MAX_VALUES {
            return self.refuse(&At::Top, "holds more values than policy looks at");
        }
        match (form, value) {
            (Form::Bool, Json::Bool(flag)) => Some(Node::Bool(*flag)),
            (Form::Text, Json::String(text)) => Some(Node::Text(text)),
            (Form::Long { scale }, Json::Number(number)) => match (number.scaled(*scale), scale) {
                (Some(long), _) => Some(Node::Long(long)),
                (None, 0) => self.refuse(at, "is not an integer of 64 bits"),
                (None, scale) => self.refuse(at, &format!("has more than {scale} fractional digits, or is too large")),
            },
            (Form::Decimal, Json::Number(number)) => match number.scaled(4) {
                Some(decimal) => Some(Node::Decimal(decimal)),
                None => self.refuse(at, "has more than 4 fractional digits, or is too large"),
            },
            (Form::Money, Json::Number(number)) => match number.scaled(2).and_then(|cents| cents.checked_mul(100)) {
                Some(decimal @ 0..) => Some(Node::Decimal(decimal)),
                Some(_) => self.refuse(at, "is a negative amount"),
                None => self.refuse(at, "has more than 2 fractional digits, or is too large"),
            },
            (Form::Value { value_type, root }, Json::String(text)) => {
                let read = match (self.cwd, root) {
                    (Some(cwd), Some(_)) => Value::read_in(*value_type, text, cwd.as_str()),
                    _ => Value::read(*value_type, text, root.as_ref()),
                };
                match read {
                    Ok(value) => Some(Node::Value(value)),
                    Err(Fault(fault)) => self.refuse(at, fault),
                }
            }
            (Form::List { item, .. }, Json::Array(items)) => {
                let mut nodes = Vec::new();
                for (index, value) in items.iter().enumerate() {
                    nodes.push(self.form(item, value, &At::Element(at, index))?);
                }
                Some(Node::List(nodes))
            }
            (Form::List { item, single: true }, value) => Some(Node::List(vec![self.form(item, value, at)?])),
            (Form::Record(record), Json::Object(object)) => self.record(record, object, at),
            (form, value) => {
                self.refuse(at, &format!("is of type {}, and policy expects {}", value.type_name(), expected(form)))
            }
        }
    }

    /// Notes a reason about the argument at `at`; the call itself if that is empty.
    fn refuse<T>(&mut self, at: &At<'_>, fault: &str) -> Option<T> {
        let (subject, pointer) = match at {
            At::Top => ("the call".to_owned(), String::new()),
            at => (format!("`{at}`"), format!("/{at}")),
        };
        self.reasons.insert(Reason::new(Code::InvalidArguments, format!("{subject} {fault}")).about(pointer));
        None
    }
}

fn expected(form: &Form) -> &'static str {
    match form {
        Form::Nothing => "nothing but null",
        Form::Opaque => "anything",
        Form::Bool => "a boolean",
        Form::Long { scale: 0 } => "an integer",
        Form::Long { .. } | Form::Decimal | Form::Money => "a number",
        Form::Text | Form::Value { .. } => "a string",
        Form::List { .. } => "an array",
        Form::Record(_) => "an object",
    }
}

/// The names that would have been right, while they are few.
fn declared(record: &Record) -> String {
    match record.members.len() {
        0 => "are none".to_owned(),
        1..=8 => {
            let names: Vec<_> = record.members.keys().map(String::as_str).collect();
            format!("are {}", names.join(", "))
        }
        more => format!("are {more} others"),
    }
}
