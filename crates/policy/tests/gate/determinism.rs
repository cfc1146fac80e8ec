//! Promise 5: the same call, policy and facts give the same bytes, in this process and in any other.

use std::process::Command;

use callgate_core::seam::Snapshot;
use callgate_core::{Fact, judge};
use callgate_text::Digest;

use crate::support::{call, facts, gate};

const POLICIES: &str = r#"
@id("z") permit (principal in Blueprint::"finance", action in Action::"bank", resource) when { context.env.risk < 5 };
@id("a") permit (principal in Blueprint::"staff", action in [Action::"bank.pay", Action::"mail.send"], resource) when { context.env.risk < 9 };
permit (principal, action == Action::"bank.pay", resource) when { context.input.amount.lessThan(decimal("7.0")) };
@id("f2") @approval("oncall") forbid (principal, action, resource) when { context.env.night };
@id("f1") @approval("oncall") @quorum("1") forbid (principal, action in Action::"finance", resource) when { context.env.night };
@id("f3") forbid (principal, action, resource) unless { context.env.risk < 90 };
@id("f4") forbid (principal, action in Action::"egress", resource) unless { context.env.risk < 90 };
"#;

/// Everything that is signed about many calls, and everything that is shown.
fn everything() -> String {
    let gate = gate(POLICIES);
    let mut text = format!("policy {}\n", gate.digest());
    for agent in ["f1", "f2", "s1", "gone", "nobody"] {
        for (tool, arguments) in [
            ("bank.pay", r#"{"amount": 5, "recipient": "x"}"#),
            ("bank.pay", r#"{"amount": 500, "recipient": "x", "memo": "m"}"#),
            ("bank.pay", r#"{"b": 1, "a": 2, "amount": "x"}"#),
            ("mail.send", r#"{"to": ["b@x.example", "a@company.com"]}"#),
            ("mail.send", r#"{"to": ["not an address", "nor this"]}"#),
            ("fs.write", r#"{"path": "/workspace/x"}"#),
        ] {
            for (night, risk) in [(false, 0), (true, 0), (false, 7), (true, i64::MAX)] {
                let mut facts = facts();
                facts.insert("env.night", Fact::Bool(night));
                facts.insert("env.risk", Fact::Long(risk));
                let call = call(agent, tool, arguments);
                text.push_str(&String::from_utf8(judge(&call, &facts, &gate).canonical()).unwrap());
                text.push('\n');
                text.push_str(&String::from_utf8(gate.trace(&call, &facts).canonical()).unwrap());
                text.push('\n');
            }
        }
    }
    text
}

/// Not a test of its own: what `two_processes_agree` starts twice.
#[test]
fn prints_everything() {
    if std::env::var_os("CALLGATE_PRINT").is_some() {
        println!("everything: {}", Digest::of(everything().as_bytes()));
    }
}

#[test]
fn p05_two_processes_agree() {
    let run = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "determinism::prints_everything", "--nocapture"])
            .env("CALLGATE_PRINT", "1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find_map(|line| Some(line.split_once("everything: ")?.1.to_owned())).expect("printed")
    };
    let (first, second) = (run(), run());
    assert_eq!(first, second);
    assert_eq!(first, Digest::of(everything().as_bytes()).to_string());
}

#[test]
fn p05_repetition_and_warmth_change_nothing() {
    let gate = gate(POLICIES);
    let call = call("f1", "bank.pay", r#"{"amount": 5, "recipient": "x"}"#);
    let first = judge(&call, &facts(), &gate).canonical();
    for _ in 0..50 {
        assert_eq!(judge(&call, &facts(), &gate).canonical(), first);
    }
}
