//! The parsers accept exactly what the OpenAPI document describes, of what is strict JSON at all.
#![allow(clippy::disallowed_methods, reason = "serde_json is what the schemas are checked with")]

use callgate_core::Request;
use callgate_text::Json;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::shapes::{completion_from_json, texts_from_json};

use super::schema::Shape;

fn accepts(shape: Shape, bytes: &[u8]) -> bool {
    let parsed = || Json::parse(bytes).ok();
    match shape {
        Shape::Call => Request::parse(bytes).is_ok(),
        Shape::NamedCall => Request::parse(bytes).is_ok_and(|(agent, _)| agent.is_some()),
        Shape::Completion => parsed().is_some_and(|json| completion_from_json(json).is_ok()),
        Shape::Texts => parsed().is_some_and(|json| texts_from_json(json).is_ok()),
        other => panic!("{other:?} is no body"),
    }
}

fn validator(shape: Shape) -> Validator {
    let schema: Value = serde_json::from_slice(&shape.schema().canonical()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// Names, and what is nearly one.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z0-9_][A-Za-z0-9._@:/-]{0,12}",
        4 => "[a-z_-]{0,3}\\.[a-z./-]{0,4}",
        1 => "[a-z.]{126,130}",
        1 => "\\PC{0,5}",
        1 => "[a-z]\\.[a-z]\n",
    ]
}

fn digest() -> impl Strategy<Value = String> {
    prop_oneof![4 => "sha256:[0-9a-f]{64}", 1 => "sha256:[0-9a-fA-F]{64}", 1 => "(sha256:)?[0-9a-f]{63,65}", 1 => "\\PC{0,5}"]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{1,2}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A member that may be as it should, or something else, or not there.
fn member(right: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![12 => right.prop_map(Some), 1 => anything().prop_map(Some), 3 => Just(None)]
}

fn object(members: Vec<(&'static str, Option<Value>)>, more: Option<(String, Value)>) -> Value {
    let members = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(members.chain(more).collect())
}

fn more() -> impl Strategy<Value = Option<(String, Value)>> {
    prop_oneof![10 => Just(None), 1 => ("[a-z_]{1,6}", anything()).prop_map(Some)]
}

fn call() -> impl Strategy<Value = Value> {
    let word = || name().prop_map(Value::from);
    let arguments = member(prop::collection::btree_map("[a-c]{1,2}", anything(), 0..3).prop_map(|map| json!(map)));
    (member(word()), member(word()), member(word()), arguments, more()).prop_map(
        |(agent, session, tool, arguments, more)| {
            object(vec![("agent", agent), ("session", session), ("tool", tool), ("arguments", arguments)], more)
        },
    )
}

fn completion() -> impl Strategy<Value = Value> {
    let text = || member("\\PC{0,5}".prop_map(Value::from));
    let status =
        member(prop::sample::select(vec!["ok", "error", "timeout", "not_run", "OK", ""]).prop_map(Value::from));
    let result = prop_oneof![2 => Just(None), 1 => anything().prop_map(Some)];
    (text(), text(), status, result, member(digest().prop_map(Value::from)), more()).prop_map(
        |(id, permit, status, result, digest, more)| {
            let members =
                vec![("id", id), ("permit", permit), ("status", status), ("result", result), ("result_digest", digest)];
            object(members, more)
        },
    )
}

fn texts() -> impl Strategy<Value = Value> {
    let text = prop_oneof![6 => "\\PC{0,5}".prop_map(Value::from), 1 => anything()];
    (member(prop::collection::vec(text, 0..4).prop_map(Value::from)), more())
        .prop_map(|(texts, more)| object(vec![("texts", texts)], more))
}

fn agree(shapes: &[Shape], values: impl Strategy<Value = Value>) {
    let validators: Vec<_> = shapes.iter().map(|shape| (*shape, validator(*shape))).collect();
    // How often each of them was accepted, and refused: agreement on one side alone would say little.
    let counts = std::cell::RefCell::new((0_u32, 0_u32));
    let mut runner = proptest::test_runner::TestRunner::default();
    let result = runner.run(&prop_oneof![20 => values, 1 => anything()], |value| {
        let bytes = value.to_string().into_bytes();
        if Json::parse(&bytes).is_err() {
            // Stricter than a schema can say: names that differ by their case alone.
            return Ok(());
        }
        for (shape, validator) in &validators {
            let described = validator.is_valid(&value);
            prop_assert_eq!(accepts(*shape, &bytes), described, "{:?}: {}", shape, value);
            let mut counts = counts.borrow_mut();
            if described { counts.0 += 1 } else { counts.1 += 1 }
        }
        Ok(())
    });
    result.unwrap();
    let (accepted, refused) = counts.into_inner();
    assert!(accepted > 5 && refused > 5, "{accepted} accepted, {refused} refused");
}

#[test]
fn a_call_is_what_the_document_calls_one() {
    agree(&[Shape::Call, Shape::NamedCall], call());
}

#[test]
fn a_completion_is_what_the_document_calls_one() {
    agree(&[Shape::Completion], completion());
}

#[test]
fn texts_are_what_the_document_calls_so() {
    agree(&[Shape::Texts], texts());
}
