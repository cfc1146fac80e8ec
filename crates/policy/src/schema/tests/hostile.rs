//! Definitions, overlays and calls that are out to harm.

use super::{NO, YES, bench, mapped, properties};
use crate::schema::Overlay;

#[test]
fn hostile_definitions_are_refused_or_finite() {
    for schema in [
        r#"{"type":"object","properties":{"__entity":{"type":"string"}}}"#,
        r#"{"type":"object","properties":{"__extn":{}}}"#,
        r#"{"type":"object","properties":{"a":{"type":"object","properties":{"__proto__":{}}}}}"#,
        r#"{"type":"object","properties":{"":{"type":"string"}}}"#,
        r#"{"type":"object","properties":{"a\u0000":{}}}"#,
        r#"{"type":"object","properties":{"a\u202eb":{}}}"#,
        r#"{"type":"object","properties":{"a\u200bb":{}}}"#,
        r#"{"type":"object","properties":{"path":{}},"allOf":[{"properties":{"Path":{}}}]}"#,
        r#"{"type":"object","required":["a","A"]}"#,
        r#"{"type":"string"}"#,
        r#"{"type":"array","items":{}}"#,
        r#"{"type":"objekt"}"#,
        r#"{"type":1}"#,
        r#"{"properties":1}"#,
        r#"{"properties":{"a":1}}"#,
        r#"{"anyOf":[]}"#,
        r#"{"type":"object","properties":{"a":{"minLength":-1}}}"#,
        r#"{"type":"object","properties":{"a":{"multipleOf":0}}}"#,
        "1",
        "[]",
        "\"x\"",
        "null",
        "false",
    ] {
        assert!(mapped(schema, "").is_err() || schema == r#"{"type":"array","items":{}}"#, "{schema}");
    }
    let quoted = properties(
        r#"{"a\"b\\c":{"type":"string"},"in":{"type":"string"},"if ünï":{"type":"string"},"x\": String }, \"y":{"type":"integer"},"'":{"type":"string"},"😀":{"type":"string"}}"#,
        "",
    );
    quoted.check(
        "context.input has \"a\\\"b\\\\c\" && context.input[\"a\\\"b\\\\c\"] == \"v\"",
        &[(r#"{"a\"b\\c":"v"}"#, YES), (r#"{"x\": String }, \"y":1}"#, NO), (r#"{"😀":"x","'":"y"}"#, NO)],
    );
    for name in [
        "__cedar",
        "principal",
        "in",
        "has",
        "like",
        "is",
        "if",
        "true",
        "Set",
        "String",
        "?",
        "::",
        "action",
        "constructor",
        "a.b",
        "a/b",
        "a~b",
        "-",
        " ",
        "é",
    ] {
        let bench = properties(&format!(r#"{{{name:?}:{{"type":"string"}}}}"#), "");
        bench.check("true", &[("{}", YES)]);
    }
    let twice: String = (0..30).fold(r#"{"type":"string"}"#.to_owned(), |inner, _| {
        format!(
            r#"{{"type":["object","array","object","array"],"properties":{{"a":{inner}}},"items":{{"type":"string"}}}}"#
        )
    });
    assert!(mapped(&twice, "").is_ok());
    let deep: String = (0..30).fold(r#"{"type":"string"}"#.to_owned(), |inner, _| {
        format!(r#"{{"type":"object","properties":{{"a":{inner}}}}}"#)
    });
    assert_eq!(bench(&deep, "").tool.opaque().iter().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_typo_in_an_overlay_switches_nothing_off() {
    let schema = r#"{"type":"object","properties":{"path":{"type":"string"},"n":{"type":"number"},"o":{},"l":{"type":"array","items":{"type":"object","properties":{"to":{"type":"string"}}}}}}"#;
    for overlay in [
        r#"kinds = { paht = "path" }"#,
        r#"kinds = { n = "path" }"#,
        r#"kinds = { path = "money" }"#,
        r#"kinds = { o = "path" }"#,
        r#"kinds = { "l/2/to" = "mailbox" }"#,
        r#"scale = { path = 2 }"#,
        r#"scale = { n = 19 }"#,
        r#"scale = { x = 2 }"#,
        r#"kinds = { n = "money" }
           scale = { n = 2 }"#,
        r#"opaque = ["x"]"#,
        r#"roots = { path = "relative" }"#,
        r#"roots = { n = "/" }"#,
        r#"roots = { "l/to" = "/w" }"#,
        r#"roles = { x = "y" }"#,
        r#"kinds = { path = "text" }
           roots = { path = "/" }"#,
        r#"opaque = ["l"]
           kinds = { "l/to" = "mailbox" }"#,
    ] {
        assert!(mapped(schema, overlay).is_err(), "{overlay}");
    }
    let error = mapped(schema, r#"roots = { path = "x" }"#).expect_err("no root");
    assert_eq!(
        error.to_string(),
        "tool `t.x`, argument `path`: its root is a relative path, and the gate does not know where it starts"
    );
    assert_eq!(error.remedy.as_deref(), Some("[tool.\"t.x\"]\nroots = { \"path\" = \"/workspace\" }"));
    assert!(mapped(schema, r#"kinds = { "l/to" = "mailbox", path = "text" }"#).is_ok());
    assert!(
        toml::from_str::<Overlay>("kidns = {}").is_err()
            && toml::from_str::<Overlay>(r#"kinds = { a = "Path" }"#).is_err()
    );
}

#[test]
fn large_calls_are_refused_before_they_cost() {
    let bench = properties(r#"{"l":{"type":"array","items":{"type":"string"}},"o":{"type":"array"}}"#, "");
    let list = |count: usize, name: &str| format!(r#"{{"{name}":[{}]}}"#, vec!["\"x\""; count].join(","));
    assert_eq!(bench.refusal(&list(4000, "l")), "");
    assert!(bench.refusal(&list(5000, "l")).contains("more values"));
    assert_eq!(bench.refusal(&list(100_000, "o")), "", "opaque values are not lifted");
    let any: Vec<_> = (0..100).map(|n| format!(r#"{{"required":["k{n}"]}}"#)).collect();
    let unions = format!(r#"{{"o":{{"type":"array","items":{{"anyOf":[{},{{"type":"string"}}]}}}}}}"#, any.join(","));
    let refusal = properties(&unions, "").refusal(&format!(r#"{{"o":[{}]}}"#, vec!["{}"; 2000].join(",")));
    assert_eq!(refusal, "the arguments do not match the tool's schema");
}
