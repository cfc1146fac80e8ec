//! From TOML to what a door would have parsed, digit for digit.

use std::collections::BTreeSet;
use std::ops::Range;

use callgate_core::{Fact, FactSpec, FactType, Facts, Timestamp};
use callgate_text::{Json, Object};
use toml::Spanned;
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

type Fault = (Range<usize>, String);

/// 2026-01-01T00:00:00Z
const EPOCH: i64 = 1_767_225_600_000;

/// A table as the arguments of a call.
pub(super) fn object(value: &Spanned<DeValue<'_>>) -> Result<Object, Fault> {
    let mut text = String::new();
    write(value, &mut text)?;
    match Json::parse(text.as_bytes()) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err((value.span(), "`arguments` must be a table".to_owned())),
        Err(error) => {
            Err((value.span(), format!("the arguments are not strict JSON ({error}); use `call` to test that")))
        }
    }
}

/// Writes JSON, so that the strict parser judges it.
fn write(value: &Spanned<DeValue<'_>>, out: &mut String) -> Result<(), Fault> {
    let string = |text: &str| String::from_utf8(Json::from(text).canonical()).unwrap_or_default();
    match value.get_ref() {
        DeValue::String(text) => out.push_str(&string(text)),
        DeValue::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        DeValue::Integer(integer) if integer.radix() == 10 => out.push_str(&number(integer.as_str())),
        DeValue::Float(float) => out.push_str(&number(float.as_str())),
        DeValue::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        DeValue::Table(table) => {
            out.push('{');
            for (index, (key, item)) in table.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&string(key.get_ref()));
                out.push(':');
                write(item, out)?;
            }
            out.push('}');
        }
        DeValue::Integer(_) | DeValue::Datetime(_) => {
            return Err((value.span(), "JSON has no such value".to_owned()));
        }
    }
    Ok(())
}

fn number(literal: &str) -> String {
    let plain = literal.replace('_', "");
    plain.strip_prefix('+').unwrap_or(&plain).to_owned()
}

/// All declared facts: those given, and harmless values for the others.
pub(super) fn facts(specs: &[FactSpec], given: Option<&Spanned<DeValue<'_>>>) -> Result<Facts, Fault> {
    let mut facts = Facts::default();
    for spec in specs {
        facts.insert(
            spec.path,
            match spec.kind {
                FactType::Bool => Fact::Bool(false),
                FactType::Long => Fact::Long(0),
                FactType::Text => Fact::Text("".into()),
                FactType::Datetime => Fact::Datetime(Timestamp::from_millis(EPOCH)),
                FactType::Labels { .. } => Fact::Labels(BTreeSet::new()),
                FactType::Path => Fact::Name("/".into()),
                FactType::Paths | FactType::Hosts => Fact::Names(BTreeSet::new()),
            },
        );
    }
    let Some(given) = given else { return Ok(facts) };
    let DeValue::Table(table) = given.get_ref() else {
        return Err((given.span(), "`facts` must be a table of fact = value".to_owned()));
    };
    for (path, value) in table {
        let Some(spec) = specs.iter().find(|spec| spec.path == path.get_ref()) else {
            return Err((path.span(), "this gate establishes no such fact".to_owned()));
        };
        let fact = fact(spec.kind, value.get_ref());
        let fact = fact.ok_or_else(|| (value.span(), format!("{} has another type", spec.path)))?;
        facts.insert(spec.path, fact);
    }
    Ok(facts)
}

fn fact(kind: FactType, value: &DeValue<'_>) -> Option<Fact> {
    let fact = match (kind, value) {
        (FactType::Bool, DeValue::Boolean(flag)) => Fact::Bool(*flag),
        (FactType::Long, DeValue::Integer(integer)) if integer.radix() == 10 => {
            Fact::Long(number(integer.as_str()).parse().ok()?)
        }
        (FactType::Text, DeValue::String(text)) => Fact::Text((&**text).into()),
        (FactType::Datetime, DeValue::Datetime(at)) => Fact::Datetime(timestamp(at)?),
        (FactType::Labels { .. }, DeValue::Array(items)) => {
            let ids = items.iter().map(|item| item.get_ref().as_str().map(Into::into));
            Fact::Labels(ids.collect::<Option<_>>()?)
        }
        (FactType::Path, DeValue::String(path)) => Fact::Name(path.as_ref().into()),
        (FactType::Paths | FactType::Hosts, DeValue::Array(items)) => {
            let names = items.iter().map(|item| item.get_ref().as_str().map(Into::into));
            Fact::Names(names.collect::<Option<_>>()?)
        }
        _ => return None,
    };
    fact.is_a(kind).then_some(fact)
}

/// An instant; TOML's local dates and times are none.
fn timestamp(at: &Datetime) -> Option<Timestamp> {
    let (date, time) = (at.date?, at.time?);
    let minutes = match at.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let (year, month, day) = (i64::from(date.year), i64::from(date.month), i64::from(date.day));
    // Days since 1970-01-01, by counting years from March so that the leap day ends one.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds =
        i64::from(time.hour) * 3600 + (i64::from(time.minute) - minutes) * 60 + i64::from(time.second.unwrap_or(0));
    let millis = i64::from(time.nanosecond.unwrap_or(0)) / 1_000_000;
    Some(Timestamp::from_millis((days * 86_400 + seconds) * 1000 + millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_instants() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("2026-11-22T23:30:00.5+01:00", "2026-11-22T22:30:00.500Z"),
            ("2000-02-29T12:00:00-00:30", "2000-02-29T12:30:00.000Z"),
        ] {
            let at: Datetime = text.parse().expect("valid");
            assert_eq!(timestamp(&at).expect("an instant").to_string(), expected);
        }
        assert_eq!(timestamp(&"2026-11-22T23:30:00".parse().expect("valid")), None);
    }
}
