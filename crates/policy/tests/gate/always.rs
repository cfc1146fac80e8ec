//! Conditions that only look like conditions.

use callgate_core::seam::{Offer, OfferKind, Snapshot, Standing};
use callgate_policy::Rule;

use crate::support::{gate, warned};

fn pay(condition: &str) -> String {
    format!("permit (principal in Blueprint::\"finance\", action == Action::\"bank.pay\", resource) {condition};")
}

#[test]
fn a_condition_that_bounds_nothing_silences_no_warning() {
    for idle in [
        "when { true }",
        "unless { false }",
        "when { 1 == 1 }",
        "when { principal == principal }",
        "when { context.env.risk < 5 || true }",
        "when { \"a\" like \"*\" }",
        "when { context.input.recipient like \"*\" }",
        "when { context.env.risk <= 5 || context.env.risk > 5 }",
        "when { context.env.night || !context.env.night }",
        // Who, when, and whether something is there: any payment passes still.
        "when { principal.level > 2 }",
        "when { principal in Blueprint::\"finance\" }",
        "when { context.env.now < datetime(\"2030-01-01\") }",
        "when { context.input has memo }",
        "unless { context.input has memo }",
        "when { principal.blueprint.level > 2 || context.input.amount.lessThan(decimal(\"5.0\")) }",
        "unless { principal.blueprint.level > 2 && context.env.night }",
        "when { if principal.blueprint.level > 2 then true else context.env.night }",
    ] {
        let idle = idle.replace("principal.level", "principal.blueprint.level");
        let policy = pay(&idle);
        match crate::support::try_gate(&policy) {
            Ok(loaded) => {
                let rules: Vec<_> = loaded.findings.iter().map(|finding| finding.rule).collect();
                assert_eq!(rules, [Rule::DangerousPermit], "{idle}");
            }
            // `like` on a recipient, and what Cedar's validator knows for constant, are errors already.
            Err(error) => assert!(idle.contains("recipient like"), "{idle}: {error}"),
        }
    }
    for bound in [
        "when { context.input.amount.lessThan(decimal(\"5.0\")) }",
        "when { true && context.input.amount.lessThan(decimal(\"5.0\")) }",
        "when { principal.blueprint.level > 2 && context.input.amount.lessThan(decimal(\"5.0\")) }",
        "when { principal.blueprint.level > 2 } when { context.env.risk < 5 }",
        "unless { context.input.recipient != \"vendor-a\" }",
        "when { principal.blueprint has payees && principal.blueprint.payees.contains(context.input.recipient) }",
        "when { if principal.blueprint.level > 2 then context.env.night else context.env.risk < 5 }",
        "when { context.env.risk < 5 || context.env.night }",
    ] {
        assert_eq!(warned(&pay(bound)), [], "{bound}");
    }
}

#[test]
fn conditions_inside_of_conditions_cost_no_more_than_their_length() {
    let test =
        (0..60).fold("context.env.night".to_owned(), |test, _| format!("(if {test} then context.env.night else true)"));
    assert_eq!(warned(&pay(&format!("when {{ {test} }}"))), []);
}

#[test]
fn always_and_unconditional_are_the_same() {
    assert_eq!(warned("permit (principal, action, resource) when { 1 == 1 };"), [Rule::UnboundedPermit]);
    assert_eq!(warned("permit (principal, action, resource) when { context.env.night };"), []);
    let second =
        "permit (principal == Agent::\"f1\", action == Action::\"bank.balance\", resource) when { context.env.night };";
    let covering = |condition: &str| {
        format!("permit (principal, action == Action::\"bank.balance\", resource) {condition}; {second}")
    };
    assert_eq!(warned(&covering("when { true }")), [Rule::Covered]);
    assert_eq!(warned(&covering("when { context.env.risk < 2 }")), []);
}

#[test]
fn a_forbid_that_always_holds_hides_its_tools() {
    for (condition, expected) in [
        ("when { true }", Standing::Hidden),
        ("unless { false }", Standing::Hidden),
        ("when { context.env.night }", Standing::Shown),
    ] {
        let gate = gate(&format!(
            "permit (principal, action, resource); forbid (principal, action == Action::\"bank.balance\", resource) {condition};"
        ));
        let (_, definition) = gate.tools().into_iter().find(|(name, _)| name.as_str() == "bank.balance").unwrap();
        let offers = [Offer { kind: OfferKind::Tool, definition: definition.clone() }];
        let standing = gate.standing(&"s1".parse().unwrap(), &"bank".parse().unwrap(), &offers);
        assert_eq!(standing, [expected], "{condition}");
    }
}
