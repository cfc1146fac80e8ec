//! One small world, and one way to ask it.

use std::collections::BTreeMap;

use callgate_core::gate::NOW;
use callgate_core::{Call, Decision, Fact, FactSpec, FactType, Facts, Request, Timestamp, Verdict, judge};
use callgate_policy::{Finding, GateFiles, GateSnapshot, LoadError, Loaded, Rule, Severity, load};

/// The facts of these tests.
pub(crate) const FACTS: &[FactSpec] = &[
    NOW,
    FactSpec {
        path: "session.labels",
        kind: FactType::Labels { entity: "Label", ids: &["untrusted", "confidential"] },
    },
    FactSpec { path: "env.risk", kind: FactType::Long },
    FactSpec { path: "env.zone", kind: FactType::Text },
    FactSpec { path: "env.night", kind: FactType::Bool },
];

const CONFIG: &str = r#"
[tool."bank.pay"]
groups = ["finance"]
[tool."fs.write"]
groups = ["destructive"]
kinds = { path = "path" }
[tool."mail.send"]
groups = ["egress"]
kinds = { to = "mailbox" }
"#;

const ENTITIES: &str = r#"
[blueprint.staff]
level = 1
[blueprint.finance]
parents = ["staff"]
level = 3
payees = ["vendor-a", "vendor-b"]
[blueprint.finance-eu]
parents = ["finance"]
level = 3
[blueprint.support]
parents = ["staff"]
level = 1
[agent.f1]
blueprint = "finance"
[agent.f2]
blueprint = "finance-eu"
[agent.s1]
blueprint = "support"
uid = 1001
[agent.gone]
blueprint = "finance"
revoked = true
[agent.loner]
blueprint = "support"
[group.oncall]
[user.ann]
groups = ["oncall"]
"#;

const TOOLS: &[(&str, &str)] = &[
    (
        "tools/bank.json",
        r#"{"server": "bank", "instructions": "Be careful.", "prompts": [{"name": "greet"}],
            "templates": [{"uriTemplate": "note://{id}", "name": "note"}], "tools": [
            {"name": "pay", "inputSchema": {"type": "object", "additionalProperties": false, "required": ["amount", "recipient"],
              "properties": {"amount": {"type": "number"}, "recipient": {"type": "string"}, "memo": {"type": "string"},
                             "urgent": {"type": "boolean"}, "copies": {"type": "integer"}}}},
            {"name": "balance", "inputSchema": {"type": "object", "properties": {}, "additionalProperties": false}}]}"#,
    ),
    (
        "tools/fs.json",
        r#"{"server": "fs", "tools": [
            {"name": "write", "annotations": {"destructiveHint": true}, "inputSchema": {"type": "object",
              "additionalProperties": false, "required": ["path"], "properties": {"path": {"type": "string"}, "mode": {"type": "string"}}}}]}"#,
    ),
    (
        "tools/mail.json",
        r#"{"server": "mail", "tools": [{"name": "send", "inputSchema": {"type": "object", "additionalProperties": false,
            "required": ["to"], "properties": {"to": {"type": "array", "items": {"type": "string"}}, "subject": {"type": "string"}}}}]}"#,
    ),
];

/// The texts of the world with these policies.
pub(crate) fn texts(policies: &str) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> =
        TOOLS.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    texts.insert("callgate.toml".to_owned(), CONFIG.to_owned());
    texts.insert("entities.toml".to_owned(), ENTITIES.to_owned());
    texts.insert("policies/p.cedar".to_owned(), policies.to_owned());
    texts
}

pub(crate) fn files(policies: &str) -> GateFiles {
    GateFiles::from_texts(texts(policies))
}

/// The world with these policies, or what is wrong with them.
pub(crate) fn try_gate(policies: &str) -> Result<Loaded, LoadError> {
    load(&files(policies), FACTS)
}

pub(crate) fn gate(policies: &str) -> GateSnapshot {
    match try_gate(policies) {
        Ok(loaded) => loaded.snapshot,
        Err(error) => panic!("{}", callgate_policy::render(error.findings(), false)),
    }
}

/// As [`refused`], in a world with a tool `fs2.blob` whose argument `data` policy cannot see.
pub(crate) fn refused_with_blob(policies: &str) -> Vec<Rule> {
    let mut texts = texts(policies);
    texts.insert(
        "tools/fs2.json".to_owned(),
        r#"{"server": "fs2", "tools": [{"name": "blob", "inputSchema": {"type": "object", "additionalProperties": false,
            "properties": {"data": {"type": "object"}, "size": {"type": "integer"}}}}]}"#
            .to_owned(),
    );
    let config = format!("{CONFIG}\n[tool.\"fs2.blob\"]\nopaque = [\"data\"]");
    texts.insert("callgate.toml".to_owned(), config);
    match load(&GateFiles::from_texts(texts), FACTS) {
        Ok(_) => Vec::new(),
        Err(error) => rules(error.findings()),
    }
}

/// The rules that keep these policies from loading.
pub(crate) fn refused(policies: &str) -> Vec<Rule> {
    match try_gate(policies) {
        Ok(_) => Vec::new(),
        Err(error) => rules(error.findings()),
    }
}

/// The rules of the warnings.
pub(crate) fn warned(policies: &str) -> Vec<Rule> {
    match try_gate(policies) {
        Ok(loaded) => rules(&loaded.findings),
        Err(error) => panic!("{}", callgate_policy::render(error.findings(), false)),
    }
}

fn rules(findings: &[Finding]) -> Vec<Rule> {
    let mut rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    let errors = findings.iter().any(|finding| finding.severity() == Severity::Error);
    // Beside errors, advice is noise.
    rules.retain(|rule| !errors || rule.severity() == Severity::Error);
    rules.dedup();
    rules
}

pub(crate) fn call(agent: &str, tool: &str, arguments: &str) -> Call {
    let text = format!(r#"{{"agent": "{agent}", "tool": "{tool}", "arguments": {arguments}}}"#);
    let (agent, request) = Request::parse(text.as_bytes()).expect("a call");
    Call::new(agent.expect("an agent"), request)
}

pub(crate) fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.insert(NOW.path, Fact::Datetime(Timestamp::from_millis(1_795_386_614_007)));
    facts.insert("session.labels", Fact::Labels([].into()));
    facts.insert("env.risk", Fact::Long(0));
    facts.insert("env.zone", Fact::Text("home".into()));
    facts.insert("env.night", Fact::Bool(false));
    facts
}

pub(crate) fn decide(gate: &GateSnapshot, agent: &str, tool: &str, arguments: &str) -> Verdict {
    judge(&call(agent, tool, arguments), &facts(), gate)
}

/// `decision code, …`, as tables write it.
pub(crate) fn brief(verdict: &Verdict) -> String {
    let codes: Vec<_> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
    format!("{} {}", verdict.decision, codes.join(", "))
}

/// Checks a table of (agent, tool, arguments, expected).
pub(crate) fn check(policies: &str, table: &[(&str, &str, &str, &str)]) {
    let gate = gate(policies);
    for (agent, tool, arguments, expected) in table {
        let verdict = decide(&gate, agent, tool, arguments);
        assert_eq!(brief(&verdict), *expected, "{agent} {tool} {arguments}: {:?}", verdict.reasons);
        assert!(verdict.decision == Decision::Allow || !verdict.reasons.is_empty());
    }
}
