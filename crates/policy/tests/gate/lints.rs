//! What `policy check` refuses and what it remarks, each with its place.

use callgate_policy::{Rule, Severity};

use crate::support::{refused, refused_with_blob, try_gate, warned};

#[test]
fn every_error_has_its_place() {
    let error = try_gate("\n\n@id(\"x\")\n@idd(\"y\")\npermit (principal, action, resource);").expect_err("refused");
    let finding = &error.findings()[0];
    assert_eq!((finding.rule, &*finding.file, finding.line), (Rule::BadAnnotation, "policies/p.cedar", Some(4)));
    assert!(finding.help.is_some());
    let shown = callgate_policy::render(error.findings(), false);
    assert!(
        shown.contains("@idd") && shown.contains("policies/p.cedar") || shown.contains("unknown annotation"),
        "{shown}"
    );

    let error = try_gate("permit (principal, action, resource);\nforbid (principal, action == Action::\"bank.pay\", resource)\nwhen { context.input.nothing == 1 };").expect_err("refused");
    assert_eq!((error.findings()[0].rule, error.findings()[0].line), (Rule::Invalid, Some(3)));

    let error = try_gate("permit (principal, action, resource)\nwhen { 1 == };").expect_err("refused");
    assert_eq!((error.findings()[0].rule, error.findings()[0].line), (Rule::Syntax, Some(2)));
}

#[test]
fn annotations_carry_exactly_one_known_string() {
    for bad in [
        "@note(\"x\") permit (principal, action, resource);",
        "@id permit (principal, action, resource);",
        "@id(\"\") permit (principal, action, resource);",
        "@id(\"  \") permit (principal, action, resource);",
        "@id(\"a#b\") permit (principal, action, resource);",
        "@deny(\"forbidden\") permit (principal, action, resource);",
        "@deny(\"nonsense\") forbid (principal, action, resource);",
        "@deny(\"permitted\") forbid (principal, action, resource);",
        "@quorum(\"2\") permit (principal, action, resource);",
        "@channel(\"pager\") permit (principal, action, resource);",
        "@approval(\"oncall\") @quorum(\"0\") permit (principal, action, resource);",
        "@approval(\"oncall\") @quorum(\"two\") permit (principal, action, resource);",
        "@approval(\"nobody\") permit (principal, action, resource);",
        "@disclose(\"all\") permit (principal, action, resource);",
        "@message(\"a\u{202e}b\") permit (principal, action, resource);",
        "@opaque(\"nothing\") permit (principal, action == Action::\"bank.pay\", resource);",
        "@opaque(\"data\") forbid (principal, action == Action::\"bank.pay\", resource);",
    ] {
        assert_eq!(refused(bad), [Rule::BadAnnotation], "{bad}");
    }
    for good in [
        "@id(\"a\") @deny(\"rate_exceeded\") @message(\"m\") @review(\"2027-01-01\") forbid (principal, action, resource);",
        "@approval(\"oncall\") @quorum(\"1\") @channel(\"pager\") @disclose(\"code\") permit (principal, action == Action::\"bank.pay\", resource);",
    ] {
        assert_eq!(refused(good), [], "{good}");
    }
}

#[test]
fn duplicates_and_templates_are_refused() {
    assert_eq!(
        refused("@id(\"a\") permit (principal, action, resource); @id(\"a\") forbid (principal, action, resource);"),
        [Rule::DuplicateId]
    );
    assert_eq!(
        refused("forbid (principal, action, resource); forbid (principal, action, resource);"),
        [Rule::DuplicateId]
    );
    assert_eq!(refused("permit (principal == ?principal, action, resource);"), [Rule::Template]);
    assert_eq!(refused("permit (principal, action, resource)"), [Rule::Syntax], "a forgotten semicolon drops nothing");
    assert_eq!(refused("permit (principal, action, resource);;"), [Rule::Syntax]);
}

#[test]
fn opaque_arguments_must_be_acknowledged() {
    let blob = |annotation: &str, action: &str| {
        format!("{annotation} permit (principal in Blueprint::\"staff\", {action}, resource);")
    };
    assert_eq!(refused_with_blob(&blob("", "action == Action::\"fs2.blob\"")), [Rule::OpaqueArgument]);
    assert_eq!(refused_with_blob(&blob("", "action in Action::\"fs2\"")), [Rule::OpaqueArgument]);
    assert_eq!(refused_with_blob(&blob("", "action")), [Rule::OpaqueArgument]);
    assert_eq!(refused_with_blob(&blob("@opaque(\"data\")", "action == Action::\"fs2.blob\"")), []);
    assert_eq!(refused_with_blob(&blob("@opaque(\" data \")", "action")), []);
    assert_eq!(refused_with_blob(&blob("", "action == Action::\"bank.prompts/get\"")), [Rule::OpaqueArgument]);
    assert_eq!(
        refused_with_blob(&blob("", "action in Action::\"bank\"")),
        [],
        "methods that the head does not name need none"
    );
}

#[test]
fn contradictions_are_refused() {
    let pay = |condition: &str| {
        format!("permit (principal in Blueprint::\"finance\", action == Action::\"bank.pay\", resource) {condition};")
    };
    for impossible in [
        "when { context.input.recipient == \"a\" && context.input.recipient == \"b\" }",
        "when { context.input.recipient == \"a\" } unless { context.input.recipient == \"a\" }",
        "when { [\"a\", \"b\"].contains(context.input.recipient) && context.input.recipient == \"c\" }",
        "when { context.env.risk > 5 && context.env.risk <= 5 }",
        "when { context.env.risk > 5 } when { 3 > context.env.risk }",
        "unless { context.env.risk < 5 || context.env.risk >= 5 }",
        "when { context.input.amount.greaterThan(decimal(\"5.0\")) && context.input.amount.lessThan(decimal(\"5.0001\")) }",
        "when { context.env.risk == 7 && context.env.risk < 7 }",
    ] {
        assert!(refused(&pay(impossible)).contains(&Rule::Impossible), "{impossible}");
    }
    for possible in [
        "when { context.env.risk > 5 && context.env.risk <= 6 }",
        "when { context.input.amount.greaterThan(decimal(\"5.0\")) && context.input.amount.lessThan(decimal(\"5.0002\")) }",
        "when { context.input.recipient == \"a\" || context.input.recipient == \"b\" }",
        "when { [\"a\", \"b\"].contains(context.input.recipient) && context.input.recipient != \"a\" }",
    ] {
        assert_eq!(refused(&pay(possible)), [], "{possible}");
    }
}

#[test]
fn no_value_lies_in_two_places_apart() {
    let write = |condition: &str| {
        format!("permit (principal in Blueprint::\"finance\", action == Action::\"fs.write\", resource) {condition};")
    };
    for impossible in [
        "when { context.input.path in Path::\"/a\" && context.input.path in Path::\"/b\" }",
        "when { context.input.path in Path::\"/a\" } when { context.input.path in [Path::\"/b\", Path::\"/c\"] }",
        "when { context.input.path == Path::\"/a/x\" && context.input.path in Path::\"/b\" }",
        "when { [Path::\"/a\", Path::\"/b\"].contains(context.input.path) && context.input.path in Path::\"/c\" }",
        "when { context.input.path in Path::\"/a/b\" } unless { context.input.path in Path::\"/a\" }",
        "when { context.input.path in Path::\"/a\" && context.input.path is Path in Path::\"/ab\" }",
        "when { context.input.path in Path::\"/a\" && context.env.night && !context.env.night }",
        "when { principal in Blueprint::\"support\" && context.input.path in Path::\"/a\" }",
        "when { principal in Blueprint::\"finance\" } unless { principal in Blueprint::\"staff\" }",
        "when { principal == Agent::\"s1\" }",
    ] {
        assert!(refused(&write(impossible)).contains(&Rule::Impossible), "{impossible}");
    }
    for possible in [
        "when { context.input.path in Path::\"/a\" && context.input.path in Path::\"/a/b\" }",
        "when { context.input.path in Path::\"/a\" || context.input.path in Path::\"/b\" }",
        "when { context.input.path in [Path::\"/a\", Path::\"/b\"] && context.input.path in Path::\"/b/c\" }",
        "when { context.input.path in Path::\"/a\" } unless { context.input.path in Path::\"/a/b\" }",
        "when { principal in Blueprint::\"finance-eu\" && context.input.path in Path::\"/a\" }",
        "when { principal in Blueprint::\"staff\" && context.input.path in Path::\"/a\" }",
        "when { principal == Agent::\"f2\" && context.input.path in Path::\"/a\" } unless { principal in Blueprint::\"support\" }",
    ] {
        assert_eq!(refused(&write(possible)), [], "{possible}");
    }
    let mail = "permit (principal, action == Action::\"mail.send\", resource) when { context.common.to in Domain::\"a.com\" && context.common.to in Domain::\"b.com\" };";
    assert_eq!(refused(mail), [], "of an empty list, all elements are everywhere");
    let apart = "permit (principal in Blueprint::\"support\", action, resource) when { principal in Blueprint::\"staff\" && context.env.night };";
    assert_eq!(refused(apart), []);
}

#[test]
fn advice_does_not_keep_a_gate_from_loading() {
    for (policies, expected) in [
        ("permit (principal, action, resource);", vec![Rule::UnboundedPermit]),
        ("permit (principal in Blueprint::\"finance\", action == Action::\"bank.pay\", resource);", vec![Rule::DangerousPermit]),
        ("permit (principal in Blueprint::\"finance\", action in Action::\"destructive\", resource);", vec![Rule::DangerousPermit]),
        ("permit (principal in Blueprint::\"finance\", action == Action::\"bank.balance\", resource);", vec![]),
        ("@approval(\"oncall\") permit (principal in Blueprint::\"finance\", action == Action::\"bank.pay\", resource);", vec![]),
        ("@approval(\"oncall\") @quorum(\"2\") permit (principal in Blueprint::\"finance\", action == Action::\"bank.pay\", resource);", vec![Rule::NoApprovers]),
        (
            "forbid (principal, action == Action::\"mail.send\", resource) when { context.input.to.contains(Mailbox::\"eve@evil.example\") };",
            vec![Rule::NamedDestination],
        ),
        (
            "permit (principal in Blueprint::\"staff\", action == Action::\"bank.balance\", resource);
             permit (principal in Blueprint::\"finance\", action == Action::\"bank.balance\", resource) when { context.env.night };",
            vec![Rule::Covered],
        ),
        (
            "forbid (principal, action in Action::\"bank\", resource);
             forbid (principal == Agent::\"f1\", action == Action::\"bank.pay\", resource);",
            vec![Rule::Covered],
        ),
        (
            "permit (principal in Blueprint::\"finance\", action == Action::\"bank.balance\", resource);
             permit (principal in Blueprint::\"staff\", action == Action::\"bank.balance\", resource) when { context.env.night };",
            vec![],
        ),
        (
            "permit (principal in Blueprint::\"staff\", action == Action::\"bank.balance\", resource);
             forbid (principal in Blueprint::\"finance\", action == Action::\"bank.balance\", resource) when { context.env.night };",
            vec![],
        ),
    ] {
        assert_eq!(warned(policies), expected, "{policies}");
    }
}

#[test]
fn of_two_that_cover_each_other_one_is_reported() {
    let loaded = try_gate(
        "@id(\"a\") permit (principal, action == Action::\"bank.balance\", resource);
         @id(\"b\") permit (principal is Agent, action in [Action::\"bank.balance\"], resource);",
    )
    .expect("loaded");
    assert_eq!(loaded.findings.len(), 1);
    assert_eq!(loaded.findings[0].line, Some(2));
    assert_eq!(loaded.findings[0].severity(), Severity::Warning);
}

#[test]
fn values_that_can_never_match_are_refused() {
    for path in ["/workspace/", "/workspace/../etc"] {
        let policy = format!(
            "forbid (principal, action == Action::\"fs.write\", resource) unless {{ context.input.path in Path::\"{path}\" }};"
        );
        assert_eq!(refused(&policy), [Rule::Misspelt], "{path}");
    }
}

#[test]
fn all_rules_are_told_apart() {
    let mut texts: Vec<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), Rule::ALL.len());
    assert!(Rule::ALL.iter().all(|rule| !rule.meaning().is_empty()));
}

#[test]
fn a_policy_cannot_exhaust_the_stack() {
    let pay = |condition: &str| {
        format!("@id(\"deep\") permit (principal, action == Action::\"bank.pay\", resource) when {{ {condition} }};")
    };
    let chain = |n: usize| vec!["context.input.recipient != \"x\""; n].join(" && ");
    for deep in [
        chain(1_000),
        chain(20_000),
        format!("{}true{}", "(".repeat(3_000), ")".repeat(3_000)),
        format!("{}true{}", "[".repeat(3_000), "]".repeat(3_000)),
        format!("{}true{}", "if true then (".repeat(3_000), ") else false".repeat(3_000)),
        format!("{}true", "if true then true else ".repeat(2_000)),
        format!("{}true", "!".repeat(3_000)),
        format!("context{}", ".a".repeat(9_000)),
        format!("\"{}\" == \"\"", "x".repeat(70_000)),
    ] {
        assert!(refused(&pay(&deep)).iter().all(|rule| [Rule::TooLarge, Rule::Syntax].contains(rule)), "{deep:.60}");
        assert!(!refused(&pay(&deep)).is_empty(), "{deep:.60}");
    }
    let gate = crate::support::gate(&pay(&chain(100)));
    let verdict = crate::support::decide(&gate, "s1", "bank.pay", r#"{"amount": 1, "recipient": "y"}"#);
    assert_eq!(crate::support::brief(&verdict), "allow permitted");
}
