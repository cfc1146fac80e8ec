//! Attributes of entities: their values, and the Cedar types that follow from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use callgate_text::Json;
use cedar_policy::{EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use toml::de::DeValue;

/// A value as `entities.toml` writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attribute {
    Bool(bool),
    Long(i64),
    Text(String),
    /// With one to four digits behind the point, as Cedar wants it.
    Decimal(String),
    Entity {
        kind: String,
        id: String,
    },
    Set(BTreeSet<Attribute>),
    Record(BTreeMap<String, Attribute>),
}

/// The Cedar type of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Bool,
    Long,
    Text,
    Decimal,
    Entity(String),
    /// `None`: only empty sets were seen.
    Set(Option<Box<Shape>>),
    /// By name: the shape, and whether every record has it.
    Record(BTreeMap<String, (Shape, bool)>),
}

const MAX_DEPTH: usize = 4;

/// Attribute names are plain identifiers, so that policy can write `principal.name`.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let plain = name.len() <= 64
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__");
    if plain { Ok(()) } else { Err("an attribute's name must be a short identifier of A-Z a-z 0-9 _".to_owned()) }
}

impl Attribute {
    pub(crate) fn read(value: &DeValue<'_>, depth: usize) -> Result<Self, String> {
        if depth > MAX_DEPTH {
            return Err("is nested too deeply".to_owned());
        }
        match value {
            DeValue::String(text) => Ok(Self::Text(text.to_string())),
            DeValue::Boolean(flag) => Ok(Self::Bool(*flag)),
            DeValue::Integer(integer) if integer.radix() == 10 => {
                let digits = integer.as_str().replace('_', "");
                digits.parse().map(Self::Long).map_err(|_| "must be an integer of 64 bits".to_owned())
            }
            DeValue::Float(float) => decimal(float.as_str()).map(Self::Decimal),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| Self::read(item.get_ref(), depth + 1));
                items.collect::<Result<_, _>>().map(Self::Set)
            }
            DeValue::Table(table) => {
                let mut record = BTreeMap::new();
                for (name, value) in table {
                    record.insert(name.get_ref().to_string(), Self::read(value.get_ref(), depth + 1)?);
                }
                Self::entity_or_record(record)
            }
            DeValue::Integer(_) | DeValue::Datetime(_) => {
                Err("must be a string, a decimal integer, a float, a boolean, a list or a table".to_owned())
            }
        }
    }

    /// `{ Domain = "company.com" }` is an entity; lower-case names make a record.
    fn entity_or_record(record: BTreeMap<String, Self>) -> Result<Self, String> {
        if let Some((kind, Self::Text(id))) = record.first_key_value()
            && record.len() == 1
            && kind.starts_with(|first: char| first.is_ascii_uppercase())
        {
            return Ok(Self::Entity { kind: kind.clone(), id: id.clone() });
        }
        record.keys().try_for_each(|name| check_name(name))?;
        Ok(Self::Record(record))
    }

    /// The entities that this value refers to. Those in sets can only be compared with, so that policy never
    /// gets from them to others; they are left out unless `all` are asked for.
    pub(crate) fn references(&self, all: bool, found: &mut Vec<EntityUid>) {
        match self {
            Self::Entity { kind, id } => found.extend(uid(kind, id)),
            Self::Set(items) if all => items.iter().for_each(|item| item.references(all, found)),
            Self::Record(record) => record.values().for_each(|value| value.references(all, found)),
            Self::Set(_) | Self::Bool(_) | Self::Long(_) | Self::Text(_) | Self::Decimal(_) => {}
        }
    }

    /// The Cedar value; `None` if an entity type is not a name or a record repeats one.
    pub(crate) fn expression(&self) -> Option<RestrictedExpression> {
        Some(match self {
            Self::Bool(flag) => RestrictedExpression::new_bool(*flag),
            Self::Long(long) => RestrictedExpression::new_long(*long),
            Self::Text(text) => RestrictedExpression::new_string(text.clone()),
            Self::Decimal(text) => RestrictedExpression::new_decimal(text),
            Self::Entity { kind, id } => RestrictedExpression::new_entity_uid(uid(kind, id)?),
            Self::Set(items) => {
                RestrictedExpression::new_set(items.iter().map(Self::expression).collect::<Option<Vec<_>>>()?)
            }
            Self::Record(record) => {
                let pairs = record.iter().map(|(name, value)| Some((name.clone(), value.expression()?)));
                RestrictedExpression::new_record(pairs.collect::<Option<Vec<_>>>()?).ok()?
            }
        })
    }

    /// For digests and reports.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Long(long) => Json::object([("long", long.to_string())]),
            Self::Text(text) => Json::from(text.as_str()),
            Self::Decimal(text) => Json::object([("decimal", text.as_str())]),
            Self::Entity { kind, id } => Json::object([("type", kind.as_str()), ("id", id.as_str())]),
            Self::Set(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Record(record) => Json::object([(
                "record",
                Json::object(record.iter().map(|(name, value)| (name.as_str(), value.to_json()))),
            )]),
        }
    }
}

/// An entity's uid, if `kind` is a type name.
pub(crate) fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let kind: EntityTypeName = kind.parse().ok()?;
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

/// A TOML float as Cedar's decimal, digit for digit.
fn decimal(literal: &str) -> Result<String, String> {
    let text = literal.replace('_', "");
    let plain = text.strip_prefix('+').unwrap_or(&text);
    let exact = plain.strip_prefix('-').unwrap_or(plain).split_once('.').is_some_and(|(whole, digits)| {
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        all_digits(whole) && all_digits(digits) && digits.len() <= 4 && whole.len() <= 14
    });
    if exact {
        Ok(plain.to_owned())
    } else {
        Err("must have at most 14 digits before and 4 behind the point".to_owned())
    }
}

impl Shape {
    pub(crate) fn of(value: &Attribute) -> Result<Self, String> {
        Ok(match value {
            Attribute::Bool(_) => Self::Bool,
            Attribute::Long(_) => Self::Long,
            Attribute::Text(_) => Self::Text,
            Attribute::Decimal(_) => Self::Decimal,
            Attribute::Entity { kind, .. } => Self::Entity(kind.clone()),
            Attribute::Set(items) => {
                let mut element = None;
                for item in items {
                    let own = Self::of(item)?;
                    element = Some(match element {
                        None => own,
                        Some(before) => Self::join(before, own)?,
                    });
                }
                Self::Set(element.map(Box::new))
            }
            Attribute::Record(record) => Self::of_record(record)?,
        })
    }

    pub(crate) fn of_record(record: &BTreeMap<String, Attribute>) -> Result<Self, String> {
        let fields = record.iter().map(|(name, value)| Ok((name.clone(), (Self::of(value)?, true))));
        Ok(Self::Record(fields.collect::<Result<_, String>>()?))
    }

    /// The one type of two values; a field that one of them lacks becomes optional.
    pub(crate) fn join(a: Self, b: Self) -> Result<Self, String> {
        match (a, b) {
            (Self::Set(None), set @ Self::Set(_)) | (set @ Self::Set(_), Self::Set(None)) => Ok(set),
            (Self::Set(Some(a)), Self::Set(Some(b))) => Ok(Self::Set(Some(Box::new(Self::join(*a, *b)?)))),
            (Self::Record(mut a), Self::Record(b)) => {
                for (name, (_, required)) in &mut a {
                    *required &= b.contains_key(name);
                }
                for (name, (shape, required)) in b {
                    let joined = match a.remove(&name) {
                        None => (shape, false),
                        Some((before, both)) => {
                            let joined = Self::join(before, shape).map_err(|fault| format!("`{name}` {fault}"))?;
                            (joined, both && required)
                        }
                    };
                    a.insert(name, joined);
                }
                Ok(Self::Record(a))
            }
            (a, b) if a == b => Ok(a),
            (a, b) => Err(format!("has two types, {} and {}", a.cedar(), b.cedar())),
        }
    }

    /// Cedar's schema syntax.
    pub(crate) fn cedar(&self) -> String {
        match self {
            Self::Bool => "Bool".to_owned(),
            Self::Long => "Long".to_owned(),
            Self::Text => "String".to_owned(),
            Self::Decimal => "decimal".to_owned(),
            Self::Entity(kind) => kind.clone(),
            Self::Set(None) => "Set<String>".to_owned(),
            Self::Set(Some(element)) => format!("Set<{}>", element.cedar()),
            Self::Record(fields) => {
                let mut text = "{".to_owned();
                for (name, (shape, required)) in fields {
                    let mark = if *required { "" } else { "?" };
                    // Writing to a string cannot fail.
                    let _ = write!(text, "\"{name}\"{mark}: {}, ", shape.cedar());
                }
                text.push('}');
                text
            }
        }
    }
}
