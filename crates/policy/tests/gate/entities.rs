//! `entities.toml` and the other files: what they may say, and what they may not.

use callgate_policy::{GateFiles, LoadError, Rule, load};

use crate::support::{FACTS, gate, texts};

fn with(path: &str, text: &str) -> Result<(), LoadError> {
    let mut texts = texts("");
    texts.insert(path.to_owned(), text.to_owned());
    load(&GateFiles::from_texts(texts), FACTS).map(|_| ())
}

fn refused(path: &str, text: &str) -> Rule {
    match with(path, text) {
        Ok(()) => panic!("loaded: {text}"),
        Err(error) => error.findings()[0].rule,
    }
}

#[test]
fn entities_must_make_sense() {
    for bad in [
        "[agent.a]\nblueprint = \"ghost\"",
        "[blueprint.a]\nparents = [\"b\"]\n[blueprint.b]\nparents = [\"a\"]",
        "[blueprint.a]\nparents = [\"a\"]",
        "[agent.a]\nuid = 1\n[agent.b]\nuid = 1",
        "[agent.a]\n[[door]]\nuid = 1\nagent = \"a\"\n[[door]]\nuid = 1\nagent = \"a\"",
        "[agent.a]\nuid = 1\n[agent.b]\n[[door]]\nuid = 1\nagent = \"b\"",
        "[[door]]\nuid = 1\nagent = \"a\"",
        "[agent.a]\n[[door]]\nagent = \"a\"",
        "[agent.a]\n[[door]]\nuid = 1",
        "[agent.a]\n[[door]]\nuid = 1\nagent = \"a\"\nhost = \"no such\"",
        "[agent.a]\n[[door]]\nuid = 1\nagent = \"a\"\nsession = \"a*b\"",
        "[agent.a]\n[[door]]\nuid = 1\nagent = \"a\"\nmode = \"observe\"",
        "[agent.a]\n[door]\nuid = 1\nagent = \"a\"",
        "[agent.a]\nuid = -1",
        "[agent.a]\nuid = \"1\"",
        "[agent.a]\nrevoked = \"yes\"",
        "[agent.\"a b\"]",
        "[agent.\"\"]",
        "[agnet.a]",
        "[group.g]\nrevoked = true",
        "[blueprint.a]\nx = 1\n[blueprint.b]\nx = \"1\"",
        "[blueprint.a]\nx = [1, \"a\"]",
        "[blueprint.a]\nx = 1.00001",
        "[blueprint.a]\nx = inf",
        "[blueprint.a]\nx = 1979-05-27",
        "[blueprint.a]\n\"x y\" = 1",
        "[blueprint.a]\n__entity = 1",
        "[blueprint.a]\nowner = { User = \"ghost\" }",
        "[blueprint.a]\nowner = { \"No such::type\" = \"x\" }",
        "[blueprint.a]\nowner = { Nothing = \"x\" }",
        "[blueprint.a.tags]\nx = 1\ny = \"2\"",
        "agent = 1",
    ] {
        assert!(matches!(refused("entities.toml", bad), Rule::BadEntity | Rule::BadSchema), "{bad}");
    }
    assert_eq!(refused("entities.toml", "[agent.a\n"), Rule::BadToml);
    assert_eq!(refused("entities.toml", "[agent.a]\n[agent.a]"), Rule::BadToml);
}

#[test]
fn entities_have_attributes_of_every_type() {
    let text = r#"
[blueprint.a]
flag = true
limit = 100.50
ids = [1, 2]
domains = [{ Domain = "company.com" }]
nested = { deep = "x", more = [true] }
empty = []
[blueprint.a.tags]
vendor-a = 100.00
"vendor b" = 5.0
[blueprint.b]
[agent.x]
blueprint = ["a", "b"]
owner = { User = "ann" }
[group.g]
[user.ann]
groups = ["g"]
"#;
    let mut texts = texts(
        r#"permit (principal, action == Action::"bank.pay", resource) when {
             principal has blueprint && principal.blueprint has limit && context.input.amount.lessThanOrEqual(principal.blueprint.limit) &&
             principal.blueprint.hasTag(context.input.recipient) && context.input.amount.lessThanOrEqual(principal.blueprint.getTag(context.input.recipient)) &&
             principal has owner && principal.owner in Group::"g" };
           permit (principal, action == Action::"mail.send", resource) when {
             principal has blueprint && principal.blueprint has domains && context.common.to in principal.blueprint.domains };"#,
    );
    texts.insert("entities.toml".to_owned(), text.to_owned());
    let gate = match load(&GateFiles::from_texts(texts), FACTS) {
        Ok(loaded) => loaded.snapshot,
        Err(error) => panic!("{}", callgate_policy::render(error.findings(), false)),
    };
    for (tool, arguments, expected) in [
        ("bank.pay", r#"{"amount": 100, "recipient": "vendor-a"}"#, "allow permitted"),
        ("bank.pay", r#"{"amount": 100.1, "recipient": "vendor-a"}"#, "deny not_permitted"),
        ("bank.pay", r#"{"amount": 1, "recipient": "vendor-c"}"#, "deny not_permitted"),
        ("mail.send", r#"{"to": ["a@company.com", "b@sub.company.com"]}"#, "allow permitted"),
        ("mail.send", r#"{"to": ["a@company.org"]}"#, "deny not_permitted"),
    ] {
        let verdict = crate::support::decide(&gate, "x", tool, arguments);
        assert_eq!(crate::support::brief(&verdict), expected, "{tool} {arguments}: {:?}", verdict.reasons);
    }
    assert_eq!(gate.blueprints(&"x".parse().unwrap()), ["a", "b"]);
    assert_eq!(gate.members("g"), Some(vec!["ann"]));
    assert_eq!(gate.members("nobody"), None);
}

#[test]
fn settings_must_speak_of_what_is_there() {
    for (bad, rule) in [
        ("[gate]\nnmae = \"x\"", Rule::BadToml),
        ("[gate]\nstale_limit = \"15\"", Rule::BadToml),
        ("[gate]\nstale_limit = \"0s\"", Rule::BadToml),
        ("[gate]\nstale_limit = \"99999999999999999999h\"", Rule::BadToml),
        ("[other]", Rule::BadToml),
        ("[tool.\"bank.nothing\"]", Rule::UnknownName),
        ("[tool.\"bank\"]", Rule::BadToml),
        ("[server.nowhere]", Rule::UnknownName),
        ("[tool.\"bank.pay\"]\ngroups = [\"fs\"]", Rule::UnknownName),
        ("[tool.\"bank.pay\"]\ngroups = [\"a.b\"]", Rule::UnknownName),
        ("[tool.\"bank.pay\"]\ngroups = [\"x\\\"y\"]", Rule::UnknownName),
        ("[tool.\"bank.pay\"]\nkinds = { nothing = \"path\" }", Rule::BadTool),
        ("[tool.\"bank.pay\"]\nkinds = { amount = \"gold\" }", Rule::BadToml),
    ] {
        assert_eq!(refused("callgate.toml", bad), rule, "{bad}");
    }
}

#[test]
fn pins_must_be_pins() {
    for (bad, rule) in [
        ("{", Rule::BadJson),
        (r#"{"server": "x", "server": "y"}"#, Rule::BadJson),
        ("[]", Rule::BadPin),
        (r#"{"tools": []}"#, Rule::BadPin),
        (r#"{"server": "a.b"}"#, Rule::BadPin),
        (r#"{"server": "bank"}"#, Rule::BadPin),
        (r#"{"server": "finance"}"#, Rule::UnknownName),
        (r#"{"server": "x", "toolz": []}"#, Rule::BadPin),
        (r#"{"server": "x", "tools": [{}]}"#, Rule::BadPin),
        (r#"{"server": "x", "tools": ["a"]}"#, Rule::BadPin),
        (r#"{"server": "x", "tools": [{"name": "a\"b", "inputSchema": {"type": "object"}}]}"#, Rule::BadPin),
        (
            r#"{"server": "x", "tools": [{"name": "a", "inputSchema": {"type": "object"}}, {"name": "a", "inputSchema": {"type": "object"}}]}"#,
            Rule::BadPin,
        ),
        (r#"{"server": "x", "tools": [{"name": "roots/list", "inputSchema": {"type": "object"}}]}"#, Rule::BadPin),
        (r#"{"server": "x", "tools": [{"name": "a", "inputSchema": 1}]}"#, Rule::BadTool),
    ] {
        assert_eq!(refused("tools/x.json", bad), rule, "{bad}");
    }
}

#[test]
fn facts_must_have_a_place() {
    use callgate_core::{FactSpec, FactType};
    let long = |path| FactSpec { path, kind: FactType::Long };
    for bad in [vec![long("risk")], vec![long("input.x")], vec![long("env.x"), long("env.x")], vec![long("env.x y")]] {
        assert!(load(&GateFiles::from_texts(texts("")), &bad).is_err(), "{bad:?}");
    }
    let labels = |path, ids| FactSpec { path, kind: FactType::Labels { entity: "Label", ids } };
    assert!(load(&GateFiles::from_texts(texts("")), &[labels("a.x", &["p"]), labels("a.y", &["p"])]).is_ok());
    assert!(load(&GateFiles::from_texts(texts("")), &[labels("a.x", &["p"]), labels("a.y", &["q"])]).is_err());
    let agent = FactSpec { path: "a.x", kind: FactType::Labels { entity: "Agent", ids: &["p"] } };
    assert!(load(&GateFiles::from_texts(texts("")), &[agent]).is_err());
}

#[test]
fn an_empty_directory_is_a_gate_that_denies() {
    let loaded = load(&GateFiles::default(), FACTS).expect("loaded");
    let verdict = crate::support::decide(&loaded.snapshot, "s1", "bank.pay", "{}");
    assert_eq!(crate::support::brief(&verdict), "deny unknown_agent");
}

#[test]
fn the_peer_is_mapped_to_its_agent() {
    let gate = gate("");
    assert_eq!(gate.agent_at(1001, None, None).map(|agent| agent.as_str()), Some("s1"));
    assert_eq!(gate.agent_at(0, None, None), None);
    assert_eq!(gate.agents().iter().filter(|(_, revoked)| *revoked).count(), 1);
}
