//! Keywords whose value is a name or a list of names.

use std::collections::BTreeSet;

use callgate_text::Json;

use super::plain::Unfit;

/// How many properties one object may declare.
pub(super) const MAX_PROPERTIES: usize = 512;

/// A `type`, each name once.
pub(super) fn types(value: &Json) -> Result<Json, Unfit> {
    const TYPES: &[&str] = &["null", "boolean", "integer", "number", "string", "array", "object"];
    let known = |name: &Json| name.as_str().is_some_and(|name| TYPES.contains(&name));
    let valid = match value {
        Json::Array(names) => !names.is_empty() && names.iter().all(known),
        name => known(name),
    };
    if valid { Ok(once(value)) } else { Err(Unfit::Malformed("a `type` that JSON Schema does not have")) }
}

/// A list of names, each once.
pub(super) fn strings(value: &Json, fault: &'static str) -> Result<Json, Unfit> {
    let names = value.as_array().ok_or(Unfit::Malformed(fault))?;
    if names.len() > MAX_PROPERTIES {
        return Err(Unfit::TooLarge);
    }
    if names.iter().all(|name| name.as_str().is_some()) { Ok(once(value)) } else { Err(Unfit::Malformed(fault)) }
}

/// A list of names with each name once.
fn once(value: &Json) -> Json {
    let mut seen = BTreeSet::new();
    match value {
        Json::Array(names) => Json::Array(names.iter().filter(|name| seen.insert(name.as_str())).cloned().collect()),
        name => name.clone(),
    }
}
