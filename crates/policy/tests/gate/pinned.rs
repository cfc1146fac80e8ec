//! What `policy check` says of pinned tools.

use callgate_policy::{Finding, GateFiles, Rule, load};

use crate::support::{FACTS, texts};

/// The warnings about a server `x` with one tool `t`, whose definition has these members.
fn warnings(definition: &str) -> Vec<Finding> {
    let mut texts = texts("");
    let pin = format!("{{\"server\": \"x\", \"tools\": [\n{{\"name\": \"t\", {definition}}}]}}");
    texts.insert("tools/x.json".to_owned(), pin);
    match load(&GateFiles::from_texts(texts), FACTS) {
        Ok(loaded) => loaded.findings,
        Err(error) => panic!("{}", callgate_policy::render(error.findings(), false)),
    }
}

#[test]
fn what_the_gate_does_not_enforce_is_shown() {
    let schema = |property: &str| {
        warnings(&format!(r#""inputSchema": {{"type": "object", "properties": {{"a": {property}}}}}"#))
    };
    let found = schema(r#"{"type": "string", "pattern": "^(?!secret)"}"#);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].rule, &*found[0].file, found[0].line), (Rule::UncheckedSchema, "tools/x.json", Some(2)));
    assert!(
        found[0].message.starts_with("x.t: `pattern` at /inputSchema/properties/a/pattern is not enforced: "),
        "{}",
        found[0].message
    );
    assert_eq!(schema(r#"{"type": "string", "pattern": "^[a-z]+$"}"#), []);
    let many: Vec<_> = (0..30).map(|n| format!(r##""p{n}": {{"$ref": "#/nowhere"}}"##)).collect();
    let many = schema(&format!(r#"{{"type": "object", "properties": {{{}}}}}"#, many.join(",")));
    assert_eq!(many.len(), 17);
    assert!(many.iter().any(|finding| finding.message.contains("14 more")), "{many:?}");
}

#[test]
fn what_hides_in_a_pinned_text_is_shown() {
    let described = |text: &str| warnings(&format!(r#""description": "{text}", "inputSchema": {{"type": "object"}}"#));
    for (text, expected) in [
        ("pay\u{202e}yap", "U+202E"),
        ("read\\u200bthis\\u200b", "U+200B"),
        ("a\u{e0041}\u{e0042}b", "U+E0041, U+E0042"),
        ("esc\\u001b[2J", "U+001B"),
    ] {
        let found = described(text);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert_eq!((found[0].rule, found[0].line), (Rule::HiddenCharacters, Some(2)));
        assert_eq!(found[0].message, format!("the definition of x.t holds hidden {expected}"));
    }
    for plain in ["pay", "zwei Zeilen\\nüber Straßen", "👩‍👩‍👧 family", "نامه‌ای"] {
        assert_eq!(described(plain), [], "{plain}");
    }
}

#[test]
fn what_hides_beside_the_tools_is_shown() {
    for (members, hides) in [
        (r#""instructions": "be\u202e careful""#, true),
        (r#""prompts": [{"name": "p", "description": "x\u2066y"}]"#, true),
        (r#""templates": [{"name": "p", "uriTemplate": "n\u200b://{id}"}]"#, true),
        (r#""instructions": "be careful", "prompts": [{"name": "p"}]"#, false),
    ] {
        let mut texts = texts("");
        texts.insert("tools/x.json".to_owned(), format!("{{\"server\": \"x\", {members}}}"));
        let found = load(&GateFiles::from_texts(texts), FACTS).expect("loaded").findings;
        assert_eq!(
            found.iter().map(|finding| finding.rule).collect::<Vec<_>>(),
            vec![Rule::HiddenCharacters; hides.into()]
        );
        assert!(found.iter().all(|finding| &*finding.file == "tools/x.json"), "{found:?}");
    }
}
