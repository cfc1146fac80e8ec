//! What is decided: every rule with its twin that decides otherwise.

use callgate_core::{Call, Fact, Offered, Request, judge};
use callgate_text::Digest;

use crate::support::{brief, call, check, decide, facts, gate};

const PAY: &str = r#"@id("pay") permit (principal in Blueprint::"finance", action == Action::"bank.pay", resource)
    when { context.input.amount.lessThanOrEqual(decimal("100.00")) };"#;

#[test]
fn only_an_explicit_permit_opens() {
    check("", &[("f1", "bank.balance", "{}", "deny not_permitted")]);
    check(
        PAY,
        &[
            ("f1", "bank.pay", r#"{"amount": 100, "recipient": "x"}"#, "allow permitted"),
            ("f1", "bank.pay", r#"{"amount": 100.0001, "recipient": "x"}"#, "deny not_permitted"),
            ("f1", "bank.balance", "{}", "deny not_permitted"),
            ("s1", "bank.pay", r#"{"amount": 1, "recipient": "x"}"#, "deny not_permitted"),
            ("nobody", "bank.pay", r#"{"amount": 1, "recipient": "x"}"#, "deny unknown_agent"),
            ("gone", "bank.pay", r#"{"amount": 1, "recipient": "x"}"#, "deny agent_revoked"),
            ("f1", "bank.nothing", "{}", "deny unknown_tool"),
            ("f1", "other.pay", "{}", "deny unknown_tool"),
            ("f1", "bank.pay", r#"{"amount": "1", "recipient": "x"}"#, "deny invalid_arguments"),
            ("f1", "bank.pay", r#"{"amount": 1}"#, "deny invalid_arguments"),
            ("f1", "bank.pay", r#"{"amount": 1, "recipient": "x", "extra": 1}"#, "deny invalid_arguments"),
        ],
    );
}

#[test]
fn blueprints_nest_and_a_parents_forbid_cannot_be_undone() {
    let policies = format!(
        r#"{PAY}
        @id("no-memo") forbid (principal in Blueprint::"staff", action == Action::"bank.pay", resource)
        unless {{ !(context.input has memo) }};"#
    );
    check(
        &policies,
        &[
            ("f2", "bank.pay", r#"{"amount": 1, "recipient": "x"}"#, "allow permitted"),
            ("f2", "bank.pay", r#"{"amount": 1, "recipient": "x", "memo": "m"}"#, "deny forbidden"),
        ],
    );
}

#[test]
fn a_forbid_without_approval_always_wins() {
    let policies = format!(
        r#"{PAY}
        @id("closed") @deny("limit_exceeded") @message("Ten at most.")
        forbid (principal, action in Action::"finance", resource)
        unless {{ context.input.amount.lessThanOrEqual(decimal("10.00")) }};
        @id("ask") @approval("oncall") forbid (principal, action in Action::"bank", resource)
        unless {{ context.env.risk <= 5 }};"#
    );
    let gate = gate(&policies);
    let small = r#"{"amount": 5, "recipient": "x"}"#;
    let verdict = decide(&gate, "f1", "bank.pay", r#"{"amount": 50, "recipient": "x"}"#);
    assert_eq!(brief(&verdict), "deny limit_exceeded");
    assert_eq!(verdict.reasons[0].message, "Ten at most.");
    assert_eq!(brief(&decide(&gate, "f1", "bank.pay", small)), "allow permitted");

    let mut risky = facts();
    risky.insert("env.risk", Fact::Long(i64::MAX));
    assert_eq!(brief(&judge(&call("f1", "bank.pay", small), &risky, &gate)), "escalate approval_required");
    assert_eq!(
        brief(&judge(&call("s1", "bank.pay", small), &risky, &gate)),
        "deny not_permitted",
        "approval cannot open what no permit would"
    );
}

#[test]
fn a_permit_that_asks_a_person_escalates_only_if_no_other_opens() {
    let policies = format!(
        r#"{PAY}
        @id("large") @approval("oncall") @quorum("1") @channel("pager")
        permit (principal in Blueprint::"finance", action == Action::"bank.pay", resource)
        when {{ context.input.amount.lessThanOrEqual(decimal("5000.00")) }};"#
    );
    let gate = gate(&policies);
    assert_eq!(brief(&decide(&gate, "f1", "bank.pay", r#"{"amount": 50, "recipient": "x"}"#)), "allow permitted");
    let verdict = decide(&gate, "f1", "bank.pay", r#"{"amount": 500, "recipient": "x"}"#);
    assert_eq!(brief(&verdict), "escalate approval_required");
    let approval = &verdict.approvals[0];
    assert_eq!((&*approval.group, approval.quorum, approval.channel.as_deref()), ("oncall", 1, Some("pager")));
    assert_eq!(
        brief(&decide(&gate, "f1", "bank.pay", r#"{"amount": 5000.01, "recipient": "x"}"#)),
        "deny not_permitted"
    );
}

#[test]
fn labels_close_groups() {
    let policies = format!(
        r#"{PAY}
        @id("untrusted") @deny("untrusted_data") forbid (principal, action in Action::"finance", resource)
        when {{ context.session.labels.contains(Label::"untrusted") }};"#
    );
    let gate = gate(&policies);
    let pay = call("f1", "bank.pay", r#"{"amount": 1, "recipient": "x"}"#);
    assert_eq!(brief(&judge(&pay, &facts(), &gate)), "allow permitted");
    let mut tainted = facts();
    tainted.insert("session.labels", Fact::Labels(["untrusted".into()].into()));
    assert_eq!(brief(&judge(&pay, &tainted, &gate)), "deny untrusted_data");
}

#[test]
fn values_lie_in_hierarchies() {
    check(
        r#"permit (principal, action == Action::"fs.write", resource) when { context.input.path in Path::"/workspace" };
           permit (principal, action == Action::"mail.send", resource) when { context.common.to in Domain::"company.com" };"#,
        &[
            ("s1", "fs.write", r#"{"path": "/workspace/a"}"#, "allow permitted"),
            ("s1", "fs.write", r#"{"path": "/workspace2/a"}"#, "deny not_permitted"),
            ("s1", "mail.send", r#"{"to": ["a@company.com", "b@eu.company.com"]}"#, "allow permitted"),
            ("s1", "mail.send", r#"{"to": ["a@company.com", "b@company.com.evil.example"]}"#, "deny not_permitted"),
        ],
    );
}

#[test]
fn grants_are_attributes() {
    check(
        r#"permit (principal in Blueprint::"finance", action == Action::"bank.pay", resource)
           when { principal.blueprint has payees && principal.blueprint.payees.contains(context.input.recipient)
                  && principal.blueprint.level >= 3 };"#,
        &[
            ("f1", "bank.pay", r#"{"amount": 1, "recipient": "vendor-a"}"#, "allow permitted"),
            ("f1", "bank.pay", r#"{"amount": 1, "recipient": "vendor-c"}"#, "deny not_permitted"),
            ("f2", "bank.pay", r#"{"amount": 1, "recipient": "vendor-a"}"#, "deny not_permitted"),
        ],
    );
    check(
        r#"permit (principal, action == Action::"bank.pay", resource)
           when { Blueprint::"finance" has payees && Blueprint::"finance".payees.contains(context.input.recipient) };"#,
        &[
            ("s1", "bank.pay", r#"{"amount": 1, "recipient": "vendor-b"}"#, "allow permitted"),
            ("s1", "bank.pay", r#"{"amount": 1, "recipient": "vendor-c"}"#, "deny not_permitted"),
        ],
    );
}

#[test]
fn a_policy_may_name_one_agent() {
    check(
        r#"permit (principal == Agent::"loner", action == Action::"bank.balance", resource);"#,
        &[("loner", "bank.balance", "{}", "allow permitted"), ("s1", "bank.balance", "{}", "deny not_permitted")],
    );
}

#[test]
fn methods_of_the_protocol_are_actions() {
    check(
        r#"permit (principal in Blueprint::"support", action == Action::"bank.resources/read", resource)
           when { context.input.uri == "note://1" };
           @opaque("arguments")
           permit (principal in Blueprint::"support", action in Action::"prompts/get", resource) when { context.input.name == "greet" };
           permit (principal in Blueprint::"support", action in [Action::"roots/list"], resource);"#,
        &[
            ("s1", "bank.resources/read", r#"{"uri": "note://1"}"#, "allow permitted"),
            ("s1", "bank.resources/read", r#"{"uri": "note://2"}"#, "deny not_permitted"),
            ("s1", "bank.resources/read", r#"{"uri": 2}"#, "deny invalid_arguments"),
            ("s1", "bank.prompts/get", r#"{"name": "greet", "arguments": {"who": "ann"}}"#, "allow permitted"),
            ("s1", "fs.prompts/get", r#"{"name": "other"}"#, "deny not_permitted"),
            ("s1", "fs.roots/list", "{}", "allow permitted"),
            ("f1", "fs.roots/list", "{}", "deny not_permitted"),
            ("s1", "fs.sampling/createMessage", r#"{"messages": [], "maxTokens": 10}"#, "deny not_permitted"),
        ],
    );
}

#[test]
fn p03_a_missing_fact_denies() {
    let gate = gate("permit (principal, action, resource);");
    let mut lacking = facts();
    assert_eq!(brief(&judge(&call("s1", "bank.balance", "{}"), &lacking, &gate)), "allow permitted");
    lacking = lacking.iter().filter(|(path, _)| *path != "env.risk").fold(
        Default::default(),
        |mut facts: callgate_core::Facts, (path, fact)| {
            facts.insert(path, fact.clone());
            facts
        },
    );
    let verdict = judge(&call("s1", "bank.balance", "{}"), &lacking, &gate);
    assert_eq!(brief(&verdict), "deny internal");
    assert!(verdict.reasons[0].message.contains("env.risk"));
    lacking.insert("env.risk", Fact::Text("high".into()));
    assert_eq!(brief(&judge(&call("s1", "bank.balance", "{}"), &lacking, &gate)), "deny internal");
    lacking.insert("env.risk", Fact::Long(1));
    lacking.insert("session.labels", Fact::Labels(["no such label".into()].into()));
    assert_eq!(brief(&judge(&call("s1", "bank.balance", "{}"), &lacking, &gate)), "deny internal");
}

#[test]
fn a_changed_definition_denies() {
    let gate = gate("permit (principal, action, resource);");
    let offered = |offered: Option<Offered>| {
        let (_, mut request) = Request::parse(br#"{"tool": "bank.balance", "arguments": {}}"#).unwrap();
        request.offered = offered;
        brief(&judge(&Call::new("s1".parse().unwrap(), request), &facts(), &gate))
    };
    let pinned = gate.tools().into_iter().find(|(name, _)| name.as_str() == "bank.balance").unwrap().1;
    assert_eq!(offered(None), "allow permitted");
    assert_eq!(offered(Some(Offered::Definition(Digest::of(&pinned.canonical())))), "allow permitted");
    assert_eq!(offered(Some(Offered::Definition(Digest::of(b"another")))), "deny tool_changed");
    assert_eq!(offered(Some(Offered::Nothing)), "deny tool_changed");
    assert_eq!(offered(Some(Offered::Unsettled)), "deny tool_changed");
    assert_eq!(offered(Some(Offered::Unlisted)), "deny server_unavailable");
}

#[test]
fn disclosure_and_messages_come_from_annotations() {
    let policies = r#"@id("p") @disclose("none") permit (principal, action == Action::"bank.pay", resource)
        when { context.input.recipient == "vendor-a" };
        @id("f") @disclose("code") @message("Not at night.") forbid (principal, action, resource) when { context.env.night };"#;
    let gate = gate(policies);
    let verdict = decide(&gate, "f1", "bank.pay", r#"{"amount": 1, "recipient": "x"}"#);
    assert_eq!(verdict.disclose, callgate_core::Disclose::None);
    let mut night = facts();
    night.insert("env.night", Fact::Bool(true));
    let verdict = judge(&call("f1", "bank.pay", r#"{"amount": 1, "recipient": "vendor-a"}"#), &night, &gate);
    assert_eq!((brief(&verdict).as_str(), verdict.disclose), ("deny forbidden", callgate_core::Disclose::Code));
    assert_eq!(verdict.reasons[0].message, "Not at night.");
}

#[test]
fn values_in_attributes_and_policies_lie_in_hierarchies_too() {
    let mut texts = crate::support::texts(
        r#"permit (principal, action == Action::"fs.write", resource)
           when { principal has home && principal.home in Path::"/workspace" && context.input.path in principal.home };
           permit (principal, action == Action::"mail.send", resource)
           when { principal has boss && principal.boss in Domain::"company.com" && context.common.to == principal.boss };"#,
    );
    let entities = "[agent.in]\nhome = { Path = \"/workspace/in\" }\nboss = { Mailbox = \"b@company.com\" }
                    [agent.out]\nhome = { Path = \"/workspace2\" }\nboss = { Mailbox = \"b@company.org\" }";
    texts.insert("entities.toml".to_owned(), entities.to_owned());
    let loaded = callgate_policy::load(&callgate_policy::GateFiles::from_texts(texts), crate::support::FACTS);
    let gate = match loaded {
        Ok(loaded) => loaded.snapshot,
        Err(error) => panic!("{}", callgate_policy::render(error.findings(), false)),
    };
    for (agent, tool, arguments, expected) in [
        ("in", "fs.write", r#"{"path": "/workspace/in/x"}"#, "allow permitted"),
        ("in", "fs.write", r#"{"path": "/workspace/in"}"#, "allow permitted"),
        ("in", "fs.write", r#"{"path": "/workspace/out"}"#, "deny not_permitted"),
        ("out", "fs.write", r#"{"path": "/workspace2/x"}"#, "deny not_permitted"),
        ("in", "mail.send", r#"{"to": ["b@company.com"]}"#, "allow permitted"),
        ("in", "mail.send", r#"{"to": ["a@company.com"]}"#, "deny not_permitted"),
        ("out", "mail.send", r#"{"to": ["b@company.org"]}"#, "deny not_permitted"),
    ] {
        let verdict = decide(&gate, agent, tool, arguments);
        assert_eq!(brief(&verdict), expected, "{agent} {tool} {arguments}: {:?}", verdict.reasons);
    }
}
