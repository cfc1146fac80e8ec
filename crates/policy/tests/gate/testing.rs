//! Policy tests as their authors write them.

use callgate_core::Decision;
use callgate_policy::{GateFiles, LoadError, Rule, TestReport, load, run_tests};

use crate::support::{FACTS, texts};

const POLICIES: &str = r#"@id("small") permit (principal in Blueprint::"finance", action == Action::"bank.pay", resource)
when { context.input.amount.lessThanOrEqual(decimal("100.00")) };
@id("unused") permit (principal in Blueprint::"support", action == Action::"bank.pay", resource) when { context.env.night };
@id("labels") @deny("untrusted_data") forbid (principal, action in Action::"finance", resource) when { context.session.labels.contains(Label::"untrusted") };"#;

fn run(tests: &str) -> Result<TestReport, LoadError> {
    let mut texts = texts(POLICIES);
    texts.insert("tests/t.toml".to_owned(), tests.to_owned());
    let files = GateFiles::from_texts(texts);
    run_tests(&load(&files, FACTS).expect("loaded").snapshot, &files)
}

const GOOD: &str = r#"
[[test]]
name = "small"
agent = "f1"
tool = "bank.pay"
arguments = { amount = 100.00, recipient = "x" }
session = "s-1"
expect = "allow"
policy = "small"
[[test]]
name = "tainted"
agent = "f1"
tool = "bank.pay"
arguments = { amount = 100.00, recipient = "x" }
facts = { "session.labels" = ["untrusted"], "env.now" = 2026-11-22T22:30:00Z, "env.risk" = 5, "env.night" = false, "env.zone" = "x" }
expect = "deny"
code = "untrusted_data"
[[test]]
name = "raw <&>"
call = '{"agent": "f1", "tool": "bank.pay", "arguments": {"amount": 1e400, "recipient": "x"}}'
expect = "deny"
code = "invalid_arguments"
"#;

#[test]
fn tests_run_and_cover() {
    let report = run(GOOD).expect("run");
    assert!(report.passed(), "{:?}", report.to_json());
    let covered: Vec<_> = report.coverage.iter().map(|covered| (&*covered.policy.id, covered.satisfied)).collect();
    assert_eq!(covered, [("small", 2), ("unused", 0), ("labels", 1)]);
    assert_eq!(report.uncovered().map(|policy| &*policy.id).collect::<Vec<_>>(), ["unused"]);
    assert_eq!(report.results[1].verdict.decision, Decision::Deny);
    assert_eq!((report.results[0].line, report.results[1].line), (2, 10));
}

#[test]
fn failures_say_what_differs() {
    let wrong = GOOD.replace(
        "expect = \"allow\"\npolicy = \"small\"",
        "expect = \"deny\"\ncode = \"forbidden\"\npolicy = \"other\"\nsays = \"never\"",
    );
    let report = run(&wrong).expect("run");
    assert!(!report.passed());
    assert_eq!(report.results[0].failures.len(), 4, "{:?}", report.results[0].failures);
    let junit = report.to_junit();
    assert!(junit.contains("tests=\"3\" failures=\"1\"") && junit.contains("raw &lt;&amp;&gt;"), "{junit}");
    assert_eq!(junit.matches("<failure").count(), 1);
}

#[test]
fn a_test_that_is_none_is_an_error_at_its_place() {
    for bad in [
        "[[test]]\nname = \"x\"",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank.pay\"\nexpect = \"allowed\"",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank\"\nexpect = \"allow\"",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank.pay\"\nexpect = \"allow\"\ncode = \"nonsense\"",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank.pay\"\nexpect = \"allow\"\ntypo = 1",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank.pay\"\nexpect = \"allow\"\nfacts = { \"env.nothing\" = 1 }",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank.pay\"\nexpect = \"allow\"\nfacts = { \"env.risk\" = \"1\" }",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank.pay\"\nexpect = \"allow\"\nfacts = { \"session.labels\" = [\"nope\"] }",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank.pay\"\nexpect = \"allow\"\narguments = 5",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ntool = \"bank.pay\"\nexpect = \"allow\"\narguments = { x = inf }",
        "[[test]]\nname = \"x\"\nagent = \"f1\"\ncall = \"{}\"\nexpect = \"allow\"",
        "[test]\nname = \"x\"",
        "[[tests]]\nname = \"x\"",
    ] {
        let error = run(bad).expect_err(bad);
        assert_eq!(error.findings()[0].rule, Rule::BadTest, "{bad}");
        assert!(error.findings()[0].line.is_some(), "{bad}");
    }
    assert_eq!(run("[[test").expect_err("bad").findings()[0].rule, Rule::BadToml);
}
