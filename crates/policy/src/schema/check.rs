//! The tool's own schema, enforced: patterns, limits, listed values, whatever the types do not say.

use std::collections::BTreeSet;

use callgate_core::{Code, Reason};
use callgate_text::{Json, Object};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::pattern::HEAVY_PATTERN;
use super::plain::{Plain, size};
use super::pointer::unescape;
use super::shape::{Form, Record};
use super::unchecked::Unchecked;

/// How many pairs of a schema and a value one call may cost.
const MAX_WORK: usize = 16_000_000;

/// How many pairs a call may cost that is told in detail what is wrong with it.
const MAX_DETAIL: usize = 100_000;

/// How many bytes of text one call may hold if the schema has a heavy pattern.
const MAX_HEAVY_TEXT: usize = 1 << 14;

/// How many reasons one call may be given.
pub(super) const MAX_REASONS: usize = 8;

/// A compiled schema. It needs no network, and its patterns take linear time.
#[derive(Debug)]
pub(super) struct Check {
    validator: Validator,
    nodes: usize,
    heavy: bool,
    /// Whatever has the tool's types also matches its schema.
    implied: bool,
    unchecked: BTreeSet<Unchecked>,
}

impl Check {
    /// Compiles `plain`, of which policy sees `record`; what the validator says if it cannot.
    pub(super) fn compile(plain: Plain, record: &Record) -> Result<Self, String> {
        let validator = compile(&to_value(&plain.schema), HEAVY_PATTERN)?;
        let implied = record.opaque().is_empty() && only_types(&plain.schema);
        Ok(Self { validator, nodes: plain.nodes, heavy: plain.heavy, implied, unchecked: plain.unchecked })
    }

    /// What of the schema is not enforced here.
    pub(super) fn unchecked(&self) -> &BTreeSet<Unchecked> {
        &self.unchecked
    }

    /// Whether the schema accepts `arguments`, asked of the validator alone.
    pub(super) fn accepts(&self, arguments: &Object) -> bool {
        self.validator.is_valid(&members(arguments))
    }

    /// Why `arguments`, of the shape of `record`, do not match the schema.
    pub(super) fn faults(&self, arguments: &Object, record: &Record) -> Vec<Reason> {
        if self.implied {
            return Vec::new();
        }
        let values: usize = arguments.iter().map(|(_, value)| size(value)).sum();
        let work = values.saturating_mul(self.nodes);
        if work > MAX_WORK {
            return vec![Reason::new(
                Code::InvalidArguments,
                "the arguments hold more values than the gate will check",
            )];
        }
        if self.heavy && arguments.iter().map(|(_, value)| text_bytes(value)).sum::<usize>() > MAX_HEAVY_TEXT {
            return vec![Reason::new(
                Code::InvalidArguments,
                "the arguments hold more text than the tool's patterns allow to check",
            )];
        }
        let value = members(arguments);
        if self.validator.is_valid(&value) {
            return Vec::new();
        }
        let detailed = (work <= MAX_DETAIL).then(|| self.validator.iter_errors(&value));
        let reasons: BTreeSet<_> = detailed
            .into_iter()
            .flatten()
            .map(|error| {
                let pointer = declared(record, error.instance_path().as_str());
                let subject = if pointer.is_empty() {
                    "the call".to_owned()
                } else {
                    format!("`{}`", pointer.trim_start_matches('/'))
                };
                Reason::new(Code::InvalidArguments, format!("{subject} {}", sentence(error.kind()))).about(pointer)
            })
            .collect();
        match reasons.is_empty() {
            true => vec![Reason::new(Code::InvalidArguments, "the arguments do not match the tool's schema")],
            false => reasons.into_iter().take(MAX_REASONS).collect(),
        }
    }
}

/// Whether a schema says nothing but what lifting checks by itself.
fn only_types(schema: &Json) -> bool {
    let Json::Object(keywords) = schema else { return false };
    keywords.iter().all(|(keyword, value)| match keyword {
        "type" | "required" | "format" => true,
        "items" => only_types(value),
        // Undeclared members are refused whatever this says.
        "additionalProperties" => true,
        "properties" => value.as_object().is_some_and(|members| members.iter().all(|(_, member)| only_types(member))),
        _ => false,
    })
}

/// A validator whose patterns are compiled to at most `pattern_size` bytes each.
pub(super) fn compile(schema: &Value, pattern_size: usize) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(false)
        .with_pattern_options(PatternOptions::regex().size_limit(pattern_size).dfa_size_limit(HEAVY_PATTERN))
        .offline()
        .build(schema)
        .map_err(|error| format!("its schema cannot be compiled: {}", error.masked()))
}

/// What a keyword asks for. Says nothing of the argument; limits come from the pinned schema.
fn sentence(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Minimum { limit } => format!("is below the minimum {limit}"),
        Kind::Maximum { limit } => format!("is above the maximum {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("is not above {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("is not below {limit}"),
        Kind::MinLength { limit } => format!("is shorter than {limit} characters"),
        Kind::MaxLength { limit } => format!("is longer than {limit} characters"),
        Kind::MinItems { limit } => format!("has fewer than {limit} elements"),
        Kind::MaxItems { limit } => format!("has more than {limit} elements"),
        Kind::Enum { options } if options.as_array().is_some_and(|options| options.len() <= 8) => {
            format!("is none of {options}")
        }
        Kind::Enum { .. } => "is none of the values that the tool lists".to_owned(),
        Kind::Required { property } => format!("lacks {property}"),
        other => format!("does not match the tool's schema (`{}`)", other.keyword()),
    }
}

fn text_bytes(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(text_bytes).sum(),
        Json::Object(members) => members.iter().map(|(name, value)| name.len() + text_bytes(value)).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}

/// As much of `pointer` as names declared arguments: what lies in an opaque one is the caller's.
fn declared(record: &Record, pointer: &str) -> String {
    let mut known = String::new();
    let mut members = Some(record);
    let mut form: Option<&Form> = None;
    for token in pointer.split('/').skip(1) {
        form = match (form, members) {
            (Some(Form::List { item, .. }), _) if token.bytes().all(|byte| byte.is_ascii_digit()) => Some(item),
            (_, Some(record)) => record.members.get(&unescape(token)).map(|member| &member.shape.form),
            _ => None,
        };
        let Some(found) = form else { break };
        known.push('/');
        known.push_str(token);
        members = match found {
            Form::Record(record) => Some(record),
            _ => None,
        };
    }
    known
}

/// For the validator.
fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.scaled(0) {
            Some(integer) => Value::from(integer),
            None => Value::from(number.as_f64()),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => items.iter().map(to_value).collect(),
        Json::Object(object) => members(object),
    }
}

fn members(object: &Object) -> Value {
    object.iter().map(|(name, value)| (name.to_owned(), to_value(value))).collect()
}
