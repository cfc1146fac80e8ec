//! How older drafts and OpenAPI spell what 2020-12 spells otherwise.

use callgate_text::{Json, Object};

/// Draft 4 wrote an exclusive limit as `"minimum": 0, "exclusiveMinimum": true`.
pub(super) fn exclusive_limit(copy: &mut Object, keywords: &Object, limit: &str, exclusive: &str) {
    if let (Some(Json::Bool(true)), Some(Json::Number(number))) = (keywords.get(exclusive), keywords.get(limit)) {
        copy.set(exclusive, Json::Number(number.clone()));
    }
}

/// OpenAPI's `nullable` beside a `type`.
pub(super) fn allow_null(copy: &mut Object) {
    let mut types = match copy.get("type") {
        Some(Json::Array(types)) => types.clone(),
        Some(name) => vec![name.clone()],
        None => return,
    };
    if !types.iter().any(|name| name.as_str() == Some("null")) {
        types.push(Json::from("null"));
    }
    copy.set("type", Json::Array(types));
}
