//! Promise 2: bytes are a call for every parser alike, or for none.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "serde_json is the other parser here")]

use callgate_core::{Call, Request};
use callgate_text::{Json, MAX_BYTES, MAX_DEPTH, reveal};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn same(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Number(ours), Value::Number(theirs)) => theirs.as_f64() == Some(ours.as_f64()),
        (Json::String(ours), Value::String(theirs)) => ours == theirs,
        (Json::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => false,
    }
}

fn depth(json: &Json) -> usize {
    match json {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(object) => 1 + object.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

fuzz_target!(|bytes: &[u8]| {
    match Json::parse(bytes) {
        Err(error) => assert!(error.offset <= bytes.len()),
        Ok(json) => {
            assert!(bytes.len() <= MAX_BYTES && depth(&json) <= MAX_DEPTH);
            let theirs: Value = serde_json::from_slice(bytes).expect("serde_json reads what we accept");
            assert!(same(&json, &theirs), "{json:?} {theirs:?}");
            let canonical = json.canonical();
            let again = Json::parse_within(&canonical, usize::MAX).expect("we accept our canonical form");
            assert_eq!(again.canonical(), canonical);
            assert!(same(&again, &theirs));
        }
    }
    if let Ok((agent, request)) = Request::parse(bytes) {
        let agent = agent.unwrap_or_else(|| "fuzz".parse().expect("a name"));
        let call = Call::new(agent, request);
        let canonical = call.to_json().canonical();
        // A call's own document is a call, and the same one.
        if canonical.len() <= MAX_BYTES {
            let (agent, again) = Request::parse(&canonical).expect("the document of a call is a call");
            assert_eq!(Call::new(agent.expect("named"), again).digest(), call.digest());
        }
    }
    if let Some(revealed) = std::str::from_utf8(bytes).ok().and_then(reveal) {
        assert!(revealed.removed > 0 && reveal(&revealed.text).is_none());
    }
});
