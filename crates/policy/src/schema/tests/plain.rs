//! What the copy of a schema holds.

use callgate_text::Json;

use crate::schema::plain::{Unfit, copy};

fn copied(schema: &str) -> Result<String, Unfit> {
    let schema = Json::parse(schema.as_bytes()).expect("JSON");
    copy(&schema).map(|plain| String::from_utf8(plain.schema.canonical()).expect("UTF-8"))
}

#[test]
fn references_are_expanded_and_recursion_is_cut() {
    let text = r##"{"$defs":{"a/b":{"type":"string"},"t":{"properties":{"next":{"$ref":"#/$defs/t"}}}},
        "properties":{"x":{"$ref":"#/$defs/a~1b","title":"X"},"y":{"$ref":"#/%24defs/a~1b","minLength":1},"t":{"$ref":"#/$defs/t"},
        "out":{"$ref":"https://evil.example/"},"gone":{"$ref":"#/nowhere"},"self":{"$ref":"#"}}}"##;
    let plain = copied(text).expect("fits");
    assert!(plain.contains(r#""x":{"type":"string"}"#), "{plain}");
    assert!(plain.contains(r#""y":{"allOf":[{"type":"string"}],"minLength":1}"#), "{plain}");
    assert!(plain.contains(r#""t":{"properties":{"next":true}}"#), "{plain}");
    assert!(plain.contains(r#""out":true"#) && plain.contains(r#""gone":true"#), "{plain}");
    assert!(!plain.contains("$"), "{plain}");
}

#[test]
fn older_drafts_are_rewritten() {
    for (old, new) in [
        (
            r#"{"items":[{"type":"string"}],"additionalItems":false}"#,
            r#"{"items":false,"prefixItems":[{"type":"string"}]}"#,
        ),
        (r#"{"minimum":0,"exclusiveMinimum":true}"#, r#"{"exclusiveMinimum":0,"minimum":0}"#),
        (r#"{"type":"string","nullable":true,"example":1}"#, r#"{"type":["string","null"]}"#),
    ] {
        assert_eq!(copied(old).as_deref(), Ok(new));
    }
}

#[test]
fn bombs_do_not_go_off() {
    let mut defs: Vec<_> = (0..40)
        .map(|n| format!(r##""a{n}":{{"anyOf":[{{"$ref":"#/$defs/a{0}"}},{{"$ref":"#/$defs/a{0}"}}]}}"##, n + 1))
        .collect();
    defs.push(r#""a40":{"type":"string"}"#.to_owned());
    let bomb = format!(r##"{{"$defs":{{{}}},"properties":{{"x":{{"$ref":"#/$defs/a0"}}}}}}"##, defs.join(","));
    assert_eq!(copied(&bomb), Err(Unfit::TooLarge));
    let wide: Vec<_> = (0..600).map(|n| format!(r#""p{n}":true"#)).collect();
    assert_eq!(copied(&format!(r#"{{"properties":{{{}}}}}"#, wide.join(","))), Err(Unfit::TooLarge));
}
