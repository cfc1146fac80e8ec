//! What of a schema is enforced, and what is only named.

use super::{mapped, properties};
use crate::value::Ancestors;

/// The places of a schema that are not enforced, below `/inputSchema`.
fn unchecked(schema: &str) -> Vec<String> {
    let tool = mapped(schema, "").unwrap_or_else(|error| panic!("{error}"));
    tool.unchecked().iter().map(|part| part.pointer.trim_start_matches("/inputSchema").to_owned()).collect()
}

#[test]
fn what_the_validator_knows_is_enforced() {
    for (schema, fits, breaks) in [
        (r#""dependencies":{"a":["b"]}"#, r#"{"a":"x","b":"x"}"#, r#"{"a":"x"}"#),
        (r#""dependencies":{"a":{"required":["b"]}}"#, r#"{"b":"x"}"#, r#"{"a":"x"}"#),
        (r#""dependentSchemas":{"a":{"required":["b"]}}"#, r#"{"b":"x"}"#, r#"{"a":"x"}"#),
        (r#""dependentRequired":{"a":["b"]}"#, r#"{"b":"x"}"#, r#"{"a":"x"}"#),
        (r#""patternProperties":{"^a":{"maxLength":2}}"#, r#"{"a":"xx"}"#, r#"{"a":"xxx"}"#),
        (r#""if":{"required":["a"]},"then":{"required":["b"]}"#, r#"{"b":"x"}"#, r#"{"a":"x"}"#),
        (r#""if":{"required":["a"]},"else":{"required":["b"]}"#, r#"{"a":"x"}"#, r#"{}"#),
        (r#""not":{"required":["a"]}"#, r#"{"b":"x"}"#, r#"{"a":"x"}"#),
        (r#""propertyNames":{"maxLength":1}"#, r#"{"a":"x"}"#, r#"{"long":"x"}"#),
        (r#""unevaluatedProperties":false"#, r#"{"a":"x"}"#, r#"{"o":{"x":1}}"#),
        (r#""anyOf":[{"required":["a"]},{"required":["b"]}]"#, r#"{"a":"x"}"#, r#"{}"#),
    ] {
        let members = match schema.starts_with("\"unevaluated") {
            // `o` is declared in a branch that does not match, so that types alone would let it pass.
            true => {
                r#""properties":{"a":{"type":"string"}},"anyOf":[{"required":["a"]},{"properties":{"o":{"type":"object"}},"required":["b"]},{}]"#
            }
            false => r#""properties":{"a":{"type":"string"},"b":{"type":"string"},"long":{"type":"string"}}"#,
        };
        let schema = format!(r#"{{"type":"object",{members},{schema}}}"#);
        assert_eq!(unchecked(&schema), [""; 0], "{schema}");
        let tool = super::bench(&schema, "");
        assert_eq!(tool.refusal(fits), "", "{schema} {fits}");
        assert_ne!(tool.refusal(breaks), "", "{schema} {breaks}");
    }
    let list = properties(
        r#"{"l":{"type":"array","items":{"type":"string"},"additionalItems":false,"contains":{"const":"k"}}}"#,
        "",
    );
    assert_eq!(list.refusal(r#"{"l":["k","x"]}"#), "", "`additionalItems` says nothing without a list of items");
    assert_ne!(list.refusal(r#"{"l":["x"]}"#), "");
}

#[test]
fn what_is_not_enforced_is_named_with_its_place() {
    for (members, expected) in [
        (r#""properties":{"a/b":{"type":"string","pattern":"(?=x)"}}"#, vec!["/properties/a~1b/pattern"]),
        (
            r##""properties":{"a":{"$ref":"#/$defs/t"},"b":{"$ref":"#/$defs/t"}},"$defs":{"t":{"type":"string","pattern":"\\1(a)"}}"##,
            vec!["/$defs/t/pattern"],
        ),
        (
            r#""properties":{"a":{"type":"string"}},"patternProperties":{"(?=x)":{"maxLength":1}},"additionalProperties":false"#,
            vec!["/additionalProperties", "/patternProperties/(?=x)"],
        ),
        (
            r#""properties":{"a":{"type":"string"}},"allOf":[{"$ref":"other.json"}],"unevaluatedProperties":false"#,
            vec!["/allOf/0/$ref", "/unevaluatedProperties"],
        ),
        (r##""properties":{"a":{"$ref":"#"}},"unevaluatedProperties":false"##, vec!["/properties/a/$ref"]),
        (r#""properties":{"a":{"type":"string","required":true}}"#, vec!["/properties/a/required"]),
        (r##""properties":{"a":{"$dynamicRef":"#x"}}"##, vec!["/properties/a/$dynamicRef"]),
        (r#""properties":{"a":{"type":"integer","divisibleBy":2}}"#, vec!["/properties/a/divisibleBy"]),
        // Remarks narrow nothing.
        (r#""title":"t","properties":{"a":{"type":"string","default":"x","examples":[],"x-order":1}}"#, vec![]),
        // A listed value that looks like a keyword is none.
        (r#""properties":{"a":{"const":{"pattern":"(?=x)"}}}"#, vec![]),
    ] {
        assert_eq!(unchecked(&format!(r#"{{"type":"object",{members}}}"#)), expected, "{members}");
    }
    let chain: Vec<_> = (0..50).map(|n| format!(r##""d{n}":{{"$ref":"#/$defs/d{}"}}"##, n + 1)).collect();
    let chain = chain.join(",");
    let deep =
        format!(r##"{{"type":"object","properties":{{"a":{{"$ref":"#/$defs/d0"}}}},"$defs":{{{chain},"d50":{{}}}}}}"##);
    let deep = unchecked(&deep);
    assert!(deep.len() == 1 && deep[0].starts_with("/$defs/d"), "{deep:?}");
}

#[test]
fn members_by_pattern_pass_unseen_only_if_they_fit() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"string"}},"patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":false}"#;
    assert_ne!(super::bench(schema, "").refusal(r#"{"x-y":1}"#), "", "undeclared members are refused");
    let open = mapped(schema, r#"additional = "opaque""#).expect("a tool");
    let lifts = |arguments: &str| open.lift(super::json(arguments).as_object(), &Ancestors::default()).is_ok();
    assert!(lifts(r#"{"a":"x","x-y":1}"#));
    assert!(!lifts(r#"{"a":"x","x-y":"1"}"#) && !lifts(r#"{"a":"x","y":1}"#));
}

#[test]
fn what_validates_again_counts_again() {
    let nested = (0..14).fold(r#"{"type":"string"}"#.to_owned(), |inner, _| {
        format!(r#"{{"anyOf":[{{"properties":{{"a":{inner}}}}}],"unevaluatedProperties":false}}"#)
    });
    let error = mapped(&nested, "").expect_err("three to the fourteenth");
    assert!(error.to_string().contains("more than"), "{error}");
}
