//! Ways in which Cedar, used plainly, lets calls through. Each is closed, and stays closed.

use callgate_policy::Rule;

use crate::support::{check, gate, refused};

#[test]
fn p04_overflow_cannot_be_written() {
    for condition in [
        "context.input.copies + 1 > 5",
        "context.input.copies * 2 > 5",
        "context.input.copies - 1 > 5",
        "-context.input.copies > 5",
        "context.env.now.offset(duration(\"1d\")) > context.env.now",
    ] {
        let policy = format!(
            "forbid (principal, action == Action::\"bank.pay\", resource) unless {{ context.input has copies && {condition} }};"
        );
        assert!(refused(&policy).contains(&Rule::Arithmetic), "{condition}");
    }
    assert_eq!(refused("permit (principal, action, resource) when { context.env.risk < -5 };"), []);
}

#[test]
fn leaving_an_argument_out_does_not_slip_past_a_forbid() {
    let slips = r#"forbid (principal, action == Action::"bank.pay", resource)
        when { context.input has memo && context.input.memo == "secret" };"#;
    assert_eq!(refused(slips), [Rule::OptionalInForbid]);
    let slips_too = r#"forbid (principal, action == Action::"bank.pay", resource)
        unless { !(context.input has copies && context.input.copies > 3) };"#;
    assert_eq!(refused(slips_too), [Rule::OptionalInForbid]);
    let either = r#"forbid (principal, action == Action::"bank.pay", resource)
        when { if context.input has copies then context.input.copies > 3 else false };"#;
    assert_eq!(refused(either), [Rule::OptionalInForbid]);
    check(
        r#"permit (principal, action, resource);
           forbid (principal, action == Action::"bank.pay", resource)
           unless { context.input has copies && context.input.copies <= 3 };"#,
        &[
            ("s1", "bank.pay", r#"{"amount": 1, "recipient": "x"}"#, "deny forbidden"),
            ("s1", "bank.pay", r#"{"amount": 1, "recipient": "x", "copies": 4}"#, "deny forbidden"),
            ("s1", "bank.pay", r#"{"amount": 1, "recipient": "x", "copies": 3}"#, "allow permitted"),
        ],
    );
}

#[test]
fn an_entity_that_is_not_there_is_an_error_and_not_a_miss() {
    for policy in [
        r#"forbid (principal in Blueprint::"tainted", action, resource);"#,
        r#"forbid (principal == Agent::"ghost", action, resource);"#,
        r#"forbid (principal, action, resource == Server::"nowhere");"#,
        r#"forbid (principal, action, resource) when { principal in Blueprint::"fiance" };"#,
        r#"permit (principal, action, resource) when { principal == Agent::"ghost" };"#,
    ] {
        assert!(refused(policy).contains(&Rule::UnknownEntity), "{policy}: {:?}", refused(policy));
    }
    for policy in [
        r#"forbid (principal, action == Action::"bank.Pay", resource);"#,
        r#"forbid (principal, action in Action::"finanse", resource);"#,
        r#"forbid (principal, action, resource) when { context.session.labels.contains(Label::"untrustd") };"#,
    ] {
        assert!(!refused(policy).is_empty(), "{policy}");
    }
}

#[test]
fn arguments_cannot_forge_entities_or_extension_values() {
    check(
        r#"permit (principal, action == Action::"bank.pay", resource) when { context.input.recipient == "x" };"#,
        &[
            (
                "s1",
                "bank.pay",
                r#"{"amount": 1, "recipient": {"__entity": {"type": "Agent", "id": "f1"}}}"#,
                "deny invalid_arguments",
            ),
            (
                "s1",
                "bank.pay",
                r#"{"amount": {"__extn": {"fn": "decimal", "arg": "1.0"}}, "recipient": "x"}"#,
                "deny invalid_arguments",
            ),
            ("s1", "bank.pay", r#"{"amount": 1, "recipient": "x"}"#, "allow permitted"),
        ],
    );
}

#[test]
fn a_string_in_a_list_must_be_asked_with_contains() {
    // `in` on strings errors at run time in plain Cedar, and a forbid with it never closes.
    let policy =
        r#"forbid (principal, action == Action::"bank.pay", resource) unless { context.input.recipient in ["a"] };"#;
    assert_eq!(refused(policy), [Rule::Invalid]);
}

#[test]
fn like_is_refused_where_spelling_deceives() {
    for policy in [
        r#"permit (principal, action == Action::"bank.pay", resource) when { context.input.recipient like "vendor-*" };"#,
        r#"forbid (principal, action == Action::"bank.pay", resource) when { context.input.recipient like "*evil*" };"#,
    ] {
        assert!(refused(policy).contains(&Rule::LikeOnIdentity), "{policy}");
    }
    assert_eq!(
        refused(
            r#"permit (principal, action == Action::"fs.write", resource) when { context.input.path like "/work/*" };"#
        ),
        [Rule::LikeOnIdentity, Rule::Invalid]
    );
    assert_eq!(
        refused(
            r#"permit (principal, action == Action::"bank.pay", resource) when { context.input has memo && context.input.memo like "x*" };"#
        ),
        [],
        "free text may be matched"
    );
}

#[test]
fn identities_are_not_denied_one_by_one() {
    for policy in [
        r#"forbid (principal, action == Action::"bank.pay", resource) when { context.input.recipient == "evil" };"#,
        r#"forbid (principal, action == Action::"bank.pay", resource) when { ["evil", "worse"].contains(context.input.recipient) };"#,
        r#"forbid (principal, action == Action::"bank.pay", resource) unless { context.input.recipient != "evil" };"#,
    ] {
        assert_eq!(refused(policy), [Rule::DenyList], "{policy}");
    }
    let listed = r#"forbid (principal, action == Action::"bank.pay", resource) unless { ["good"].contains(context.input.recipient) };"#;
    assert_eq!(refused(listed), []);
}

#[test]
fn a_fact_that_may_be_unknown_is_not_tested_for_equality() {
    for condition in [
        "when { context.env.risk == 9 }",
        "when { context.env.zone == \"public\" }",
        "when { [\"public\"].contains(context.env.zone) }",
        "unless { context.env.zone != \"public\" }",
    ] {
        let policy = format!("forbid (principal, action, resource) {condition};");
        assert_eq!(refused(&policy), [Rule::UnknownFact], "{condition}");
    }
    for condition in
        ["unless { context.env.risk <= 9 }", "unless { context.env.zone == \"home\" }", "when { context.env.night }"]
    {
        let policy = format!("forbid (principal, action, resource) {condition};");
        assert_eq!(refused(&policy), [], "{condition}");
    }
}

#[test]
fn warnings_are_errors() {
    let dead = r#"permit (principal, action == Action::"bank.pay", resource) when { context.input.recipient == "a" && false };"#;
    assert!(refused(dead).contains(&Rule::Impossible));
    let mixed =
        "permit (principal, action == Action::\"bank.pay\", resource) when { context.input.recipient == \"vеndor\" };";
    assert!(refused(mixed).contains(&Rule::Suspicious), "{:?}", refused(mixed));
}

#[test]
fn ids_are_ours_and_stay() {
    let one = gate("@id(\"b\") permit (principal, action, resource) when { context.env.night };");
    let two = gate(
        "permit (principal, action, resource) when { context.env.risk < 2 }; @id(\"b\") permit (principal, action, resource) when { context.env.night };",
    );
    let ids =
        |gate: &callgate_policy::GateSnapshot| gate.policies().map(|policy| policy.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&one), ["b"]);
    assert_eq!(ids(&two)[1], "b");
    assert!(ids(&two)[0].starts_with("p.cedar#"), "{:?}", ids(&two));
    let commented = gate(
        "// moved\n\npermit (principal, action,\n resource) when { context.env.risk < 2 /* no */ };"
            .replace("/* no */", "")
            .as_str(),
    );
    assert_eq!(ids(&commented)[0], ids(&two)[0], "layout and comments are not the policy");
}

#[test]
fn comments_and_strings_do_not_hide_policies() {
    let policies = "permit (principal, action, resource) when { context.input.recipient == \"x; // permit\" };";
    assert!(refused(policies).contains(&Rule::Invalid), "not every tool has a recipient");
    let gate = gate(
        "@message(\"a; permit (principal, action, resource);\") @id(\"only\")\nforbid (principal, action, resource);",
    );
    assert_eq!(gate.policies().len(), 1);
}
