//! Policies that close what they name and leave everything else open, each with the twin that does not.

use callgate_policy::{GateFiles, Rule, load};

use crate::support::{FACTS, refused, texts, try_gate};

const SEND: &str = "(principal, action == Action::\"mail.send\", resource)";
const PAY: &str = "(principal, action == Action::\"bank.pay\", resource)";

#[test]
fn what_all_elements_have_in_common_closes_nothing() {
    let here = "context.common.to in Domain::\"company.com\"";
    let eve = "Mailbox::\"eve@evil.example\"";
    for dodged in [
        format!("forbid {SEND} when {{ {here} }};"),
        format!("forbid {SEND} unless {{ !({here}) }};"),
        format!("forbid {SEND} when {{ context.env.night && {here} }};"),
        format!("forbid {SEND} when {{ context.common.to is Mailbox in Domain::\"evil.example\" }};"),
        format!("forbid {SEND} when {{ [{eve}].contains(context.common.to) }};"),
        format!("forbid {SEND} when {{ [{eve}].containsAny([context.common.to]) }};"),
        format!("forbid {SEND} when {{ [context.common.to].containsAny([{eve}]) }};"),
        format!("forbid {SEND} when {{ [{eve}].containsAll([context.common.to]) }};"),
        format!("forbid {SEND} when {{ [context.common.to].containsAll([{eve}]) }};"),
        format!("forbid {SEND} when {{ {{a: context.common.to}} == {{a: {eve}}} }};"),
        format!("forbid {SEND} when {{ context.common == {{to: {eve}}} }};"),
        format!("forbid {SEND} unless {{ context.common.to != {eve} }};"),
        format!("forbid {SEND} when {{ ({here}) == true }};"),
        format!("forbid {SEND} when {{ if {here} then true else false }};"),
        format!("forbid {SEND} when {{ if context.env.night then {here} else false }};"),
        format!("permit {SEND} unless {{ {here} }};"),
        format!("permit {SEND} when {{ !({here}) }};"),
        format!("permit {SEND} when {{ context.common.to != {eve} }};"),
        format!("permit {SEND} unless {{ context.common.to == {eve} }};"),
        format!("permit {SEND} unless {{ [{eve}].contains(context.common.to) }};"),
        format!("permit {SEND} unless {{ context.common.to is Mailbox in Domain::\"evil.example\" }};"),
        format!("permit {SEND} when {{ ({here}) == false }};"),
        format!("permit {SEND} when {{ ({here}) == context.env.night }};"),
        format!("permit {SEND} when {{ [{here}].contains(false) }};"),
        format!("permit {SEND} when {{ {{a: {here}}} == {{a: false}} }};"),
        format!("permit {SEND} when {{ (if {here} then 1 else 2) == 2 }};"),
        format!("permit {SEND} when {{ if {here} then false else true }};"),
        format!("permit {SEND} when {{ if {here} then context.env.night else true }};"),
    ] {
        assert!(refused(&dodged).contains(&Rule::CommonDodged), "{dodged}: {:?}", refused(&dodged));
    }
    for sound in [
        format!("forbid {SEND} unless {{ {here} }};"),
        format!("forbid {SEND} when {{ !({here}) }};"),
        format!("forbid {SEND} when {{ ({here}) == false }};"),
        format!("forbid {SEND} when {{ context.common.to != Mailbox::\"ann@company.com\" }};"),
        format!("forbid {SEND} unless {{ context.common.to is Mailbox in Domain::\"company.com\" }};"),
        format!("forbid {SEND} unless {{ [Mailbox::\"ann@company.com\"].containsAny([context.common.to]) }};"),
        format!("forbid {SEND} unless {{ if {here} then true else context.env.night }};"),
        format!("permit {SEND} when {{ {here} }};"),
        format!("permit {SEND} when {{ ({here}) == true }};"),
        format!("permit {SEND} unless {{ !({here}) }};"),
        format!("permit {SEND} unless {{ context.common.to != Mailbox::\"ann@company.com\" }};"),
        format!("permit {SEND} when {{ context.env.night || {here} }};"),
        format!("permit {SEND} when {{ if {here} then context.env.night else false }};"),
        format!("permit {SEND} when {{ if context.env.night then {here} else context.env.risk < 5 }};"),
        format!("permit {SEND} when {{ {{a: context.common.to}} == {{a: Mailbox::\"ann@company.com\"}} }};"),
        // Of single values, a forbid may name what it closes.
        "forbid (principal, action == Action::\"fs.write\", resource) when { context.input.path in Path::\"/etc\" };"
            .to_owned(),
    ] {
        assert!(try_gate(&sound).is_ok(), "{sound}: {:?}", try_gate(&sound).err());
    }
}

/// What keeps a policy from loading in a world with `web.fetch`, whose arguments are two optional lists.
fn refused_on_the_web(policy: &str) -> Vec<Rule> {
    let mut texts = texts(policy);
    let list = r#"{"type": "array", "items": {"type": "string"}}"#;
    let pin = format!(
        r#"{{"server": "web", "tools": [{{"name": "fetch", "inputSchema": {{"type": "object", "properties": {{"cc": {list}, "urls": {list}}}}}}}]}}"#
    );
    texts.insert("tools/web.json".to_owned(), pin);
    let config =
        texts["callgate.toml"].clone() + "\n[tool.\"web.fetch\"]\nkinds = { cc = \"mailbox\", urls = \"url\" }";
    texts.insert("callgate.toml".to_owned(), config);
    match load(&GateFiles::from_texts(texts), FACTS) {
        Ok(_) => Vec::new(),
        Err(error) => error.findings().iter().map(|finding| finding.rule).collect(),
    }
}

#[test]
fn to_ask_whether_a_list_is_given_is_no_deny_list() {
    const FETCH: &str = "(principal, action == Action::\"web.fetch\", resource)";
    let here = "context.common.cc in Domain::\"company.com\"";
    let urls = "context has common.urls && context.common.urls";
    for sound in [
        format!("forbid {FETCH} unless {{ if context.common has cc then {here} else true }};"),
        format!("forbid {FETCH} unless {{ context.common has cc && {here} }};"),
        format!("permit {FETCH} when {{ if context.common has cc then {here} else true }};"),
        format!("permit {FETCH} when {{ {urls}.port == 443 }};"),
        format!("permit {FETCH} when {{ {urls}.port >= 443 }};"),
        format!("permit {FETCH} unless {{ !({urls}.port > 80) }};"),
    ] {
        assert_eq!(refused_on_the_web(&sound), [], "{sound}");
    }
    for dodged in [
        format!("permit {FETCH} when {{ {urls}.port < 1024 }};"),
        format!("permit {FETCH} when {{ {urls}.port != 22 }};"),
        format!("permit {FETCH} when {{ context has common.urls && 1024 > context.common.urls.port }};"),
        format!("permit {FETCH} unless {{ {urls}.scheme == \"ftp\" }};"),
        format!("forbid {FETCH} when {{ {urls}.port == 22 }};"),
    ] {
        assert!(refused_on_the_web(&dodged).contains(&Rule::CommonDodged), "{dodged}");
    }
}

#[test]
fn identities_are_not_closed_one_by_one() {
    let evil = "context.input.recipient == \"evil\"";
    for listed in [
        format!("forbid {PAY} when {{ {evil} }};"),
        format!("forbid {PAY} when {{ [\"evil\", \"worse\"].contains(context.input.recipient) }};"),
        format!("forbid {PAY} unless {{ context.input.recipient != \"evil\" }};"),
        format!("forbid {PAY} when {{ [context.input.recipient].containsAny([\"evil\"]) }};"),
        format!("forbid {PAY} when {{ [\"evil\"].containsAny([context.input.recipient]) }};"),
        format!("forbid {PAY} when {{ [\"evil\", \"worse\"].containsAll([context.input.recipient]) }};"),
        format!("forbid {PAY} when {{ [context.input.recipient].containsAll([\"evil\"]) }};"),
        format!("forbid {PAY} when {{ {{a: context.input.recipient}} == {{a: \"evil\"}} }};"),
        format!(
            "forbid {PAY} when {{ context.input.recipient == (if context.env.night then \"evil\" else \"worse\") }};"
        ),
        format!("forbid {PAY} when {{ (if context.env.night then context.input.recipient else \"x\") == \"evil\" }};"),
    ] {
        assert_eq!(refused(&listed), [Rule::DenyList], "{listed}");
    }
    for sound in [
        format!("forbid {PAY} unless {{ [\"good\"].contains(context.input.recipient) }};"),
        format!("forbid {PAY} unless {{ [\"good\"].containsAll([context.input.recipient]) }};"),
        format!("forbid {PAY} unless {{ {{a: context.input.recipient}} == {{a: \"good\"}} }};"),
        format!("forbid {PAY} when {{ context.input.recipient != \"good\" }};"),
        format!("permit {PAY} when {{ context.input.recipient == \"good\" }};"),
        format!("permit {PAY} unless {{ context.input.recipient != \"good\" }};"),
        format!("permit {PAY} when {{ if context.input.recipient == \"good\" then true else context.env.risk < 2 }};"),
        format!(
            "permit {PAY} when {{ if context.input.recipient == \"good\" then context.env.risk < 9 else context.env.risk < 2 }};"
        ),
        // What is allowed may have exceptions.
        format!(
            "permit {PAY} when {{ [\"good\", \"fair\"].contains(context.input.recipient) && context.input.recipient != \"fair\" }};"
        ),
        // What has one spelling only may be closed by it.
        format!("forbid {PAY} when {{ context.input.amount == decimal(\"6.0\") }};"),
        format!("permit {PAY} unless {{ context.input has memo && context.input.memo == \"x\" }};"),
    ] {
        assert_eq!(refused(&sound), [], "{sound}");
    }
}

#[test]
fn a_permit_for_all_but_the_named_is_remarked() {
    let evil = "context.input.recipient == \"evil\"";
    for listed in [
        format!("permit {PAY} unless {{ {evil} }};"),
        format!("permit {PAY} when {{ !({evil}) }};"),
        format!("permit {PAY} when {{ context.input.recipient != \"evil\" }};"),
        format!("permit {PAY} unless {{ [\"evil\"].contains(context.input.recipient) }};"),
        format!("permit {PAY} when {{ if {evil} then false else context.env.night }};"),
    ] {
        let loaded = try_gate(&listed).unwrap_or_else(|error| panic!("{listed}: {error}"));
        let found = loaded.findings.iter().any(|finding| finding.rule == Rule::NamedDestination);
        assert!(found, "{listed}: {:?}", loaded.findings);
    }
    for sound in [
        format!("permit {PAY} when {{ context.input.recipient == \"good\" }};"),
        format!("permit {PAY} unless {{ context.input.recipient != \"good\" }};"),
        format!(
            "permit {PAY} when {{ if context.input.recipient == \"good\" then context.env.risk < 9 else context.env.risk < 2 }};"
        ),
        format!(
            "permit {PAY} when {{ [\"good\", \"fair\"].contains(context.input.recipient) && context.input.recipient != \"fair\" }};"
        ),
        format!("permit {PAY} unless {{ context.input has memo && context.input.memo == \"x\" }};"),
    ] {
        let loaded = try_gate(&sound).unwrap_or_else(|error| panic!("{sound}: {error}"));
        assert!(loaded.findings.iter().all(|finding| finding.rule != Rule::NamedDestination), "{sound}");
    }
}

#[test]
fn destinations_closed_by_name_are_remarked() {
    let eve = "Mailbox::\"eve@evil.example\"";
    for (policy, expected) in [
        (format!("forbid {SEND} when {{ context.input.to.contains({eve}) }};"), 1),
        (format!("forbid {SEND} when {{ context.input.to.containsAny([{eve}]) }};"), 1),
        (format!("forbid {SEND} when {{ [{eve}].containsAll(context.input.to) }};"), 1),
        (format!("forbid {SEND} when {{ [{eve}].containsAny(context.input.to) }};"), 1),
        (format!("permit {SEND} unless {{ context.input.to.containsAny([{eve}]) }};"), 1),
        (format!("permit {SEND} when {{ [{eve}].containsAll(context.input.to) }};"), 0),
        (format!("forbid {SEND} unless {{ [{eve}].containsAll(context.input.to) }};"), 0),
    ] {
        let loaded = try_gate(&policy).unwrap_or_else(|error| panic!("{policy}: {error}"));
        let found = loaded.findings.iter().filter(|finding| finding.rule == Rule::NamedDestination).count();
        assert_eq!(found, expected, "{policy}");
    }
}

#[test]
fn an_argument_that_must_be_given_may_be_tested() {
    for total in [
        "when { if context.input has copies then context.input.copies > 3 else true }",
        "unless { if context.input has copies then context.input.copies <= 3 else false }",
        "unless { if context.input has copies then context.input.copies <= 3 else true }",
        "unless { context.input has copies && context.input.copies <= 3 }",
    ] {
        assert_eq!(refused(&format!("forbid {PAY} {total};")), [], "{total}");
    }
    for slips in [
        "when { if context.input has copies then context.input.copies > 3 else false }",
        "when { if context.input has copies then context.input.copies > 3 else context.env.night }",
        "unless { if context.input has copies then context.input.copies <= 3 else context.env.night }",
    ] {
        assert_eq!(refused(&format!("forbid {PAY} {slips};")), [Rule::OptionalInForbid], "{slips}");
    }
}
