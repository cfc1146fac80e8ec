//! What a denial says: which permit came closest, every part that failed, and what would be allowed.

use callgate_core::seam::Snapshot;
use callgate_core::{Fact, Verdict, judge};
use callgate_text::Json;

use crate::support::{brief, call, decide, facts, gate};

fn said(verdict: &Verdict) -> (&str, &str) {
    (verdict.reasons[0].message.as_str(), verdict.hint.as_deref().unwrap_or(""))
}

const PAYMENTS: &str = r#"
@id("small") permit (principal in Blueprint::"finance", action == Action::"bank.pay", resource)
when { context.input.amount.lessThanOrEqual(decimal("100.00")) && ["vendor-a", "vendor-b"].contains(context.input.recipient) };
@id("large") @approval("oncall") permit (principal in Blueprint::"finance", action == Action::"bank.pay", resource)
when { context.input.amount.lessThanOrEqual(decimal("5000.00")) && ["vendor-a", "vendor-b"].contains(context.input.recipient) };"#;

#[test]
fn p12_every_failed_part_is_named() {
    let gate = gate(PAYMENTS);
    let verdict = decide(&gate, "f1", "bank.pay", r#"{"amount": 500, "recipient": "attacker-wallet-xyz"}"#);
    assert_eq!(
        said(&verdict),
        (
            "amount 500 is above 100.00; recipient is not vendor-a or vendor-b",
            "Allowed when amount ≤ 100.00 and recipient is vendor-a or vendor-b."
        )
    );
    assert_eq!(&*verdict.reasons[0].policy.as_ref().unwrap().id, "small");
    assert_eq!(&*verdict.reasons[0].policy.as_ref().unwrap().at, "policies/p.cedar:2");
    let verdict = decide(&gate, "f1", "bank.pay", r#"{"amount": 100.5, "recipient": "x"}"#);
    assert!(said(&verdict).0.starts_with("amount 100.5 is above 100.00;"));
}

#[test]
fn p12_other_agents_policy_is_not_told() {
    let gate = gate(PAYMENTS);
    let verdict = decide(&gate, "s1", "bank.pay", r#"{"amount": 500, "recipient": "x"}"#);
    assert_eq!(said(&verdict), ("tool not permitted: no policy permits bank.pay to agent s1", ""));
    assert_eq!(verdict.reasons[0].policy, None);
}

#[test]
fn p12_a_permit_that_fails_on_who_calls_is_not_told() {
    for who in [
        "principal == Agent::\"s1\"",
        "principal in Blueprint::\"support\"",
        "(principal == Agent::\"s1\" || context.input.recipient == \"mine\")",
    ] {
        let gate = gate(&format!(
            "permit (principal, action == Action::\"bank.pay\", resource) when {{ {who} && context.input.recipient == \"private-partner\" }};"
        ));
        let verdict = decide(&gate, "f1", "bank.pay", r#"{"amount": 5, "recipient": "x"}"#);
        let (message, hint) = said(&verdict);
        assert!(!message.contains("private-partner") && !message.contains("s1") && hint.is_empty(), "{message} {hint}");
    }
}

#[test]
fn conditions_read_as_words() {
    for (condition, arguments, expected, wish) in [
        (
            "when { context.input.amount.lessThan(decimal(\"5.0\")) }",
            r#"{"amount": 5, "recipient": "x"}"#,
            "amount 5 is not below 5.0",
            "amount < 5.0",
        ),
        (
            "unless { context.input.amount.lessThan(decimal(\"5.0\")) }",
            r#"{"amount": 4, "recipient": "x"}"#,
            "amount 4 is below 5.0",
            "amount ≥ 5.0",
        ),
        ("when { 3 < context.env.risk }", r#"{"amount": 5, "recipient": "x"}"#, "risk 0 is not above 3", "risk > 3"),
        (
            "when { context.input has memo && context.input.memo == \"m\" }",
            r#"{"amount": 5, "recipient": "x"}"#,
            "memo is missing",
            "memo is given and memo is m",
        ),
        (
            "when { context.input.recipient == \"a\" || context.input.recipient == \"b\" }",
            r#"{"amount": 5, "recipient": "x"}"#,
            "recipient is not a and recipient is not b",
            "(recipient is a or recipient is b)",
        ),
        (
            "unless { context.input.recipient == \"x\" || context.env.risk >= 0 }",
            r#"{"amount": 5, "recipient": "x"}"#,
            "recipient is x; risk 0 is not below 0",
            "recipient is not x and risk < 0",
        ),
        ("when { context.env.night }", r#"{"amount": 5, "recipient": "x"}"#, "night is false", "night is true"),
        (
            "when { context.session.labels.contains(Label::\"untrusted\") }",
            r#"{"amount": 5, "recipient": "x"}"#,
            "labels does not hold untrusted",
            "labels holds untrusted",
        ),
        (
            "when { principal.blueprint has payees && principal.blueprint.payees.contains(context.input.recipient) }",
            r#"{"amount": 5, "recipient": "x"}"#,
            "recipient is not among payees",
            "payees is given and recipient is among payees",
        ),
        (
            "when { context.env.risk > principal.blueprint.level }",
            r#"{"amount": 5, "recipient": "x"}"#,
            "risk 0 is not above level 3",
            "risk > level 3",
        ),
    ] {
        let gate = gate(&format!(
            "permit (principal in Blueprint::\"finance\", action == Action::\"bank.pay\", resource) {condition};"
        ));
        let verdict = decide(&gate, "f1", "bank.pay", arguments);
        assert_eq!(said(&verdict), (expected, format!("Allowed when {wish}.").as_str()), "{condition}");
    }
    let gate = gate(
        "permit (principal, action == Action::\"mail.send\", resource) when { context.common.to in Domain::\"company.com\" };",
    );
    let verdict = decide(&gate, "f1", "mail.send", r#"{"to": ["a@evil.example"]}"#);
    assert_eq!(said(&verdict), ("to is not in Domain company.com", "Allowed when to is in Domain company.com."));
}

#[test]
fn fewest_failures_then_file_order() {
    let gate = gate(
        r#"@id("a") permit (principal, action == Action::"bank.pay", resource) when { context.env.night && context.env.risk > 5 };
           @id("b") permit (principal, action == Action::"bank.pay", resource) when { context.env.risk > 7 };
           @id("c") permit (principal, action == Action::"bank.pay", resource) when { context.env.risk > 6 };"#,
    );
    let verdict = decide(&gate, "f1", "bank.pay", r#"{"amount": 5, "recipient": "x"}"#);
    assert_eq!(&*verdict.reasons[0].policy.as_ref().unwrap().id, "b");
}

#[test]
fn what_is_said_stays_short_and_visible() {
    let many: Vec<String> = (0..200).map(|index| format!("\"vendor-{index}\"")).collect();
    let policies = format!(
        "permit (principal, action == Action::\"bank.pay\", resource) when {{ [{}].contains(context.input.recipient) && context.input.recipient == \"{}\" }};",
        many.join(", "),
        "y".repeat(2000),
    );
    // Contradictory on purpose in what it asks, so it is not loaded; the long list alone is.
    assert!(!crate::support::refused(&policies).is_empty());
    let gate = gate(&format!(
        "permit (principal, action == Action::\"bank.pay\", resource) when {{ [{}].contains(context.input.recipient) }};",
        many.join(", ")
    ));
    let verdict = decide(&gate, "f1", "bank.pay", r#"{"amount": 5, "recipient": "x"}"#);
    let (message, hint) = said(&verdict);
    assert!(message.chars().count() <= 300 && hint.chars().count() <= 400, "{message} {hint}");
    assert!(message.contains("or 192 others"), "{message}");
}

#[test]
fn a_trace_shows_every_policy_of_the_slice_and_the_same_verdict() {
    let gate =
        gate(&format!("{PAYMENTS} @id(\"night\") forbid (principal, action, resource) when {{ context.env.night }};"));
    let pay = call("f1", "bank.pay", r#"{"amount": 500, "recipient": "vendor-a"}"#);
    let mut night = facts();
    night.insert("env.night", Fact::Bool(true));
    for facts in [facts(), night] {
        let trace = gate.trace(&pay, &facts);
        let verdict = judge(&pay, &facts, &gate);
        assert_eq!(trace.get("verdict"), Some(&verdict.to_json()), "{}", brief(&verdict));
        let outcomes: Vec<_> = trace
            .get("policies")
            .and_then(Json::as_array)
            .unwrap()
            .iter()
            .map(|step| {
                (step.get("id").and_then(Json::as_str).unwrap(), step.get("outcome").and_then(Json::as_str).unwrap())
            })
            .collect();
        let night = if brief(&verdict).starts_with("deny") { "satisfied" } else { "not satisfied" };
        assert_eq!(outcomes, [("small", "not satisfied"), ("large", "satisfied"), ("night", night)]);
    }
    let refused = gate.trace(&call("f1", "bank.pay", "{}"), &facts());
    assert!(refused.get("refused").is_some());
}

#[test]
fn p09_what_hides_or_controls_is_shown_as_what_it_is() {
    let gate = gate(
        "permit (principal, action == Action::\"bank.pay\", resource) when { context.input.recipient == context.env.zone };",
    );
    let mut odd = facts();
    odd.insert("env.zone", Fact::Text(format!("a\u{1b}[2J\u{202e}b\n{}", "c".repeat(500)).into()));
    let verdict = judge(&call("f1", "bank.pay", r#"{"amount": 5, "recipient": "x"}"#), &odd, &gate);
    let (message, hint) = said(&verdict);
    for text in [message, hint] {
        assert!(!text.chars().any(char::is_control) && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.chars().count() < 200, "{text}");
    }
}
