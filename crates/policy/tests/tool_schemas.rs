//! Public servers' tools, and what hostile ones can try.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use callgate_core::ToolName;
use callgate_policy::{Ancestors, Overlay, Probed, ToolType, probe};
use callgate_text::{Json, Object};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};

const SERVERS: &[&str] =
    &["everything", "filesystem", "memory", "git", "time", "fetch", "playwright", "github", "kubernetes", "notion"];

fn crate_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn tools(server: &str) -> Vec<(ToolName, Json)> {
    let path = crate_dir().join(format!("tests/fixtures/tools/{server}.json"));
    let document = Json::parse(&std::fs::read(path).expect("a fixture")).expect("strict JSON");
    let tools = document.get("tools").and_then(Json::as_array).expect("a tools/list result");
    tools
        .iter()
        .map(|tool| {
            let name = tool.get("name").and_then(Json::as_str).expect("a name");
            (format!("{server}.{name}").parse().expect("a tool name"), tool.clone())
        })
        .collect()
}

#[derive(serde::Deserialize)]
struct Overlays {
    tool: BTreeMap<String, Overlay>,
}

fn shipped(path: &Path) -> BTreeMap<String, Overlay> {
    let text = std::fs::read_to_string(path).expect("an overlay file");
    toml::from_str::<Overlays>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).tool
}

#[test]
fn public_tools_map_without_an_overlay() {
    let (mut mapped, mut all) = (0, 0);
    for server in SERVERS {
        let tools = tools(server);
        let (mut failed, mut opaque) = (Vec::new(), Vec::new());
        for (name, tool) in &tools {
            match ToolType::from_definition(name, tool, &Overlay::default()) {
                Ok(mapped) => opaque.extend(mapped.opaque().iter().map(|argument| format!("{name} {argument}"))),
                Err(error) => failed.push(error.to_string()),
            }
        }
        println!("{server}: {} of {}, failed {failed:?}, opaque {opaque:?}", tools.len() - failed.len(), tools.len());
        mapped += tools.len() - failed.len();
        all += tools.len();
    }
    println!("{mapped} of {all}");
    assert!(mapped * 100 >= all * 95, "{mapped} of {all}");
}

#[test]
fn shipped_overlays_fit_their_tools() {
    let overlays = crate_dir().join("../../policies/overlays");
    for file in std::fs::read_dir(overlays).expect("the shipped overlays") {
        let path = file.expect("an entry").path();
        let server = path.file_stem().and_then(|stem| stem.to_str()).expect("a server").to_owned();
        let tools: BTreeMap<_, _> = tools(&server).into_iter().map(|(name, tool)| (name.to_string(), tool)).collect();
        for (name, overlay) in shipped(&path) {
            let tool = tools.get(&name).unwrap_or_else(|| panic!("{name} is no tool of {server}"));
            let mapped = ToolType::from_definition(&name.parse().expect("a name"), tool, &overlay);
            mapped.unwrap_or_else(|error| panic!("{error}"));
            assert_example(tool, &overlay);
        }
    }
}

/// The smallest call that a person would make of a schema.
fn example(schema: &Json, name: &str, document: &Json) -> Json {
    if let Some(pointer) = schema.get("$ref").and_then(Json::as_str) {
        let target = pointer.trim_start_matches("#/").split('/').try_fold(document, |at, token| at.get(token));
        return example(target.expect("a local reference"), name, document);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(value) = schema.get("enum").and_then(Json::as_array).and_then(<[Json]>::first) {
        return value.clone();
    }
    for union in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(union).and_then(Json::as_array).and_then(<[Json]>::first) {
            return example(first, name, document);
        }
    }
    let kind = schema.get("type").map(|kind| kind.as_array().map_or(kind, |kinds| &kinds[0]));
    match kind.and_then(Json::as_str) {
        Some("string") => Json::from(match (name.to_lowercase(), schema.get("format").and_then(Json::as_str)) {
            (_, Some("uri")) => "https://example.com/a",
            (_, Some("uuid")) => "6f1c0e9e-3a67-4d52-9b0e-5a4f3a1f7d11",
            (name, _) if ["source", "destination"].contains(&name.as_str()) => "/workspace/a",
            (name, _) if name.contains("path") || name.contains("dir") || name.contains("file") => "/workspace/a",
            (name, _) if name.ends_with("url") => "https://example.com/a",
            _ => "text",
        }),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| Json::integer(1)),
        Some("boolean") => Json::Bool(true),
        Some("array") => {
            Json::Array(schema.get("items").map(|items| example(items, name, document)).into_iter().collect())
        }
        Some("null") => Json::Null,
        _ => {
            let properties = schema.get("properties").and_then(Json::as_object).cloned().unwrap_or_default();
            Json::Object(
                properties.iter().map(|(name, schema)| (name.to_owned(), example(schema, name, document))).collect(),
            )
        }
    }
}

/// Cedar accepts the tool's schema, a full call and a least call.
fn assert_example(tool: &Json, overlay: &Overlay) {
    let schema = tool.get("inputSchema").expect("a schema");
    let full = example(schema, "", schema);
    let required: Vec<_> =
        schema.get("required").and_then(Json::as_array).unwrap_or_default().iter().filter_map(Json::as_str).collect();
    let least: Object = full
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(name, _)| required.contains(name))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    for call in [&full, &Json::Object(least)] {
        let call = call.canonical();
        let probed = probe(&tool.canonical(), &call, overlay);
        assert_eq!(probed, Ok(Probed::Lifted), "{:?} {}", tool.get("name"), String::from_utf8_lossy(&call));
    }
}

#[test]
fn a_call_of_every_public_tool_passes_request_validation() {
    for server in SERVERS {
        for (_, tool) in tools(server) {
            assert_example(&tool, &Overlay::default());
        }
    }
}

/// A schema, and a value that often matches it.
fn pair() -> impl Strategy<Value = (Value, Value)> {
    let names = || prop::sample::select(vec!["a", "b", "path", "url", "email", "host", "dir", "x y", "q\"", "é"]);
    let texts = prop::sample::select(vec![
        "",
        "x",
        "/workspace/a",
        "/a/../b",
        "https://Example.com/",
        "http://0x7f.1",
        "ann@mail.com",
        "127.1",
        "..",
        "\u{202e}",
        "a\\b",
        "~",
    ]);
    let leaf = prop_oneof![
        texts.prop_map(|text| (json!({"type": "string"}), json!(text))),
        "\\PC{0,6}".prop_map(|text| (json!({"type": ["string", "null"], "minLength": 0}), json!(text))),
        any::<i32>().prop_map(|number| (json!({"type": "integer"}), json!(number))),
        any::<i16>().prop_map(|number| (json!({"type": "number"}), json!(f64::from(number) / 64.0))),
        any::<bool>().prop_map(|flag| (json!({"type": "boolean"}), json!(flag))),
        Just((json!({}), json!({"free": [1, null]}))),
        Just((json!({"enum": ["a", 1, null]}), json!(1))),
        Just((json!({"type": "string", "nullable": true}), Value::Null)),
        Just((json!({"$ref": "#"}), json!({}))),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            (inner.clone(), 0..3_usize).prop_map(|((schema, value), count)| (
                json!({"type": "array", "items": schema}),
                json!(vec![value; count])
            )),
            (inner.clone(), inner.clone()).prop_map(|((a, value), (b, _))| (json!({"anyOf": [a, b]}), value)),
            (inner.clone(), inner.clone())
                .prop_map(|((a, value), (b, _))| (json!({"oneOf": [{"type": "array", "items": a}, b, a]}), value)),
            (inner.clone(), inner.clone())
                .prop_map(|((a, value), (b, _))| (json!({"allOf": [a, {}], "not": b}), value)),
            prop::collection::vec((names(), inner, 0..4_u8), 0..4).prop_map(object),
        ]
    })
}

/// An object of members: 0 is left out, 1 is required, 2 is optional, 3 is not declared closed.
fn object(members: Vec<(&'static str, (Value, Value), u8)>) -> (Value, Value) {
    let mut schema = json!({"type": "object", "properties": {}, "required": []});
    let mut value = json!({});
    for (name, (property, inner), how) in members {
        schema["properties"][name] = property;
        if how > 0 {
            value[name] = inner;
        }
        match how {
            1 => {
                if let Some(required) = schema["required"].as_array_mut() {
                    required.push(json!(name));
                }
            }
            3 => schema["additionalProperties"] = json!(false),
            _ => {}
        }
    }
    (schema, value)
}

/// Keywords with values that make no sense together.
fn junk() -> impl Strategy<Value = Value> {
    let keyword = prop::sample::select(vec![
        "type",
        "properties",
        "items",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "enum",
        "const",
        "required",
        "additionalProperties",
        "not",
        "if",
        "then",
        "prefixItems",
        "pattern",
        "format",
        "minimum",
        "maxLength",
        "patternProperties",
        "dependencies",
        "$defs",
        "nullable",
        "propertyNames",
        "a",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        prop::sample::select(vec![
            "string",
            "object",
            "array",
            "null",
            "number",
            "#",
            "#/$defs/a",
            "#/properties/a",
            "(",
            "^a*$",
            "uri",
            "email",
            ""
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keyword.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| json!(members)),
        ]
    })
}

fn definition(schema: &Value) -> Vec<u8> {
    json!({"name": "tool", "inputSchema": schema}).to_string().into_bytes()
}

#[test]
fn the_generators_reach_what_they_test() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut lifted = 0;
    for _ in 0..200 {
        let (schema, arguments) = object(vec![("m", pair().new_tree(&mut runner).expect("a tree").current(), 1)]);
        let probed = probe(&definition(&schema), arguments.to_string().as_bytes(), &Overlay::default());
        lifted += usize::from(probed == Ok(Probed::Lifted));
    }
    assert!(lifted >= 60, "{lifted}");
}

proptest! {
    #[test]
    fn what_is_lifted_passes_request_validation(members in prop::collection::vec((Just("m"), pair(), 1..4_u8), 1..2), overlay in 0..2_u8) {
        let (schema, arguments) = object(members);
        let overlay = toml::from_str(if overlay == 0 { "" } else { "additional = \"opaque\"" }).expect("an overlay");
        prop_assert!(probe(&definition(&schema), arguments.to_string().as_bytes(), &overlay).is_ok_and(|probed| probed != Probed::NoType), "{schema} {arguments}");
    }

    #[test]
    fn junk_neither_panics_nor_passes_unseen(schema in junk(), arguments in junk()) {
        let probed = probe(&definition(&schema), arguments.to_string().as_bytes(), &Overlay::default());
        prop_assert!(probed.is_ok(), "{probed:?} {schema} {arguments}");
    }

    #[test]
    fn bytes_do_not_panic(definition in prop::collection::vec(any::<u8>(), 0..64), arguments in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(probe(&definition, &arguments, &Overlay::default()).is_ok());
    }

    /// Two accepted calls that differ in what is neither opaque nor a list or entity differ to policy.
    #[test]
    fn policy_sees_every_difference((schema, arguments) in pair().prop_map(|pair| object(vec![("m", pair, 1)])), to in prop_oneof![Just(json!("other")), Just(json!(7)), Just(json!(true)), Just(json!({})), Just(Value::Null)], at in 0..8_usize) {
        let tool = Json::parse(&definition(&schema)).expect("JSON");
        let Ok(tool) = ToolType::from_definition(&"t.x".parse().expect("a name"), &tool, &Overlay::default()) else { return Ok(()) };
        let mut changed = arguments.clone();
        let mut seen = 0;
        replace(&mut changed, &to, at, &mut seen);
        let lift = |arguments: &Value| {
            let arguments = Json::parse(arguments.to_string().as_bytes()).ok()?;
            Some(format!("{:?}", tool.lift(arguments.as_object(), &Ancestors::default()).ok()?.input))
        };
        if let (Some(before), Some(after)) = (lift(&arguments), lift(&changed)) {
            let hidden = arguments == changed || tool.opaque().contains("m") || to.is_null();
            prop_assert!(hidden || before != after, "{schema} {arguments} {changed} {before}");
        }
    }
}

/// Replaces the leaf number `at`, elements of lists apart.
fn replace(value: &mut Value, to: &Value, at: usize, seen: &mut usize) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, to, at, seen)),
        Value::Array(_) => {}
        leaf => {
            if *seen == at {
                *leaf = to.clone();
            }
            *seen += 1;
        }
    }
}
