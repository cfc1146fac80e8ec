//! Clients and servers written elsewhere work through the gate as without it.
//!
//! For each reference server and each client, the steps of `tests/peers/plans.json` are played twice: against
//! the server, and against `callgate mcp` in front of it, under a policy that permits everything and pins made
//! by `callgate tool pin`. What the client sees must be the same, down to the last member.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and reads what peers wrote with other parsers"
)]

mod gated;
#[path = "../e2e/house.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod house;
mod page;
#[path = "../../../../tests/peers/peers.rs"]
mod peers;
mod plan;

use house::House;
use plan::{Client, Plan};
use serde_json::{Value, json};

#[track_caller]
fn same(what: &str, steps: &[Value], direct: &Value, gated: &Value) {
    assert_eq!(direct["initialize"], gated["initialize"], "{what}: initialize");
    for (number, step) in steps.iter().enumerate() {
        assert_eq!(direct["steps"][number], gated["steps"][number], "{what}: {step}");
    }
}

/// Plays the server's plan with every client, with and without the gate.
fn works_as_without(server: &'static str) {
    let Some(plan) = Plan::load(server) else { return };
    let gated = plan.gated();
    for client in [Client::Python, Client::TypeScript, Client::TypeScriptLegacy] {
        let direct = plan.play(client, plan.command(), false);
        let through = plan.play(client, &gated.command(plan.command()), false);
        same(&format!("{server} with {client:?}"), plan.steps(), &direct, &through);
    }
    for arguments in plan.inspections() {
        let direct = plan.inspect(plan.command(), arguments);
        let through = plan.inspect(&gated.command(plan.command()), arguments);
        assert_eq!(direct, through, "{server} with the Inspector: {arguments:?}");
        assert!(direct.is_object(), "{server} with the Inspector: {direct}");
    }
}

#[test]
fn everything_works_as_without() {
    works_as_without("everything");
}

#[test]
fn filesystem_works_as_without() {
    works_as_without("filesystem");
}

#[test]
fn memory_works_as_without() {
    works_as_without("memory");
}

#[test]
fn git_works_as_without() {
    works_as_without("git");
}

#[test]
fn time_works_as_without() {
    works_as_without("time");
}

#[test]
fn fetch_works_as_without() {
    works_as_without("fetch");
}

/// A server of both eras: with a client of the older one, and with clients that find out that they can speak the
/// newer. It asks for input, tells of progress, is listened to.
#[test]
fn dual_works_as_without_in_both_eras() {
    works_as_without("dual");
    let Some(plan) = Plan::load("dual") else { return };
    let gated = plan.gated();
    for client in [Client::Python, Client::TypeScript] {
        let direct = plan.play(client, plan.command(), true);
        let through = plan.play(client, &gated.command(plan.command()), true);
        let era = match client {
            Client::Python => &direct["initialize"],
            _ => &direct["initialize"]["era"],
        };
        assert!([json!("2026-07-28"), json!("modern")].contains(era), "{client:?}: {era}");
        let asked = &direct["steps"][5]["content"][0]["text"];
        assert_eq!(asked, &json!("Hello, <name>, who likes <colour>"), "{client:?}");
        same(&format!("dual with {client:?}, which negotiates"), plan.steps(), &direct, &through);
    }
}

/// A client that asks for a newer protocol first finds one that both sides speak: that of the server.
#[test]
fn clients_that_negotiate_agree_on_an_era() {
    for server in ["time", "memory"] {
        let Some(plan) = Plan::load(server) else { return };
        let gated = plan.gated();
        for client in [Client::Python, Client::TypeScript] {
            let direct = plan.play(client, plan.command(), true);
            let through = plan.play(client, &gated.command(plan.command()), true);
            assert_eq!(direct["initialize"], through["initialize"], "{server} with {client:?}");
            for (number, step) in plan.steps().iter().enumerate() {
                let (direct, through) = (&direct["steps"][number], &through["steps"][number]);
                // Each refuses in its own words what the era does not have.
                if step["do"] == json!("ping") {
                    assert_eq!(direct["code"], through["code"], "{server} with {client:?}: {step}");
                } else {
                    assert_eq!(direct, through, "{server} with {client:?}: {step}");
                }
            }
        }
    }
}

/// What a server asks of the client is an action of its own in both eras: forbidden, it is not asked.
#[test]
fn a_question_that_policy_forbids_is_not_asked() {
    let Some(plan) = Plan::load("dual") else { return };
    let forbids = "@id(\"no-questions\")\nforbid (principal, action in [Action::\"elicitation/create\"], resource);\n";
    let gated = plan.gated_but(forbids);
    let greets = plan.steps().iter().position(|step| step["name"] == json!("greet")).expect("a step that asks");
    for (client, negotiate) in
        [(Client::Python, false), (Client::Python, true), (Client::TypeScript, false), (Client::TypeScript, true)]
    {
        let through = plan.play(client, &gated.command(plan.command()), negotiate);
        let answer = &through["steps"][greets];
        let what = format!("{client:?}, {negotiate}: {answer}");
        // In the older era the server is told, and makes of it what it likes.
        let told = answer["content"][0]["text"].as_str().or(answer["failed"].as_str()).expect("text");
        assert!(told.contains("forbidden") && !told.contains("<name>"), "{what}");
        assert!(!negotiate || answer["isError"] == json!(true) && told.contains("elicitation/create"), "{what}");
        // The rest works as ever.
        assert_eq!(through["steps"][greets - 1]["isError"], json!(false), "{client:?}: {through}");
    }
}

/// Without a permit nothing runs, and the client is told why in a form that it understands.
#[test]
fn p03_an_unknown_credential_is_told_so() {
    let Some(plan) = Plan::load("time") else { return };
    let gated = plan.gated();
    // A real credential, but another gate's.
    std::fs::copy(House::quickstart().token("support-1"), &gated.credential).expect("writable");
    for client in [Client::Python, Client::TypeScript, Client::TypeScriptLegacy] {
        let through = plan.play(client, &gated.command(plan.command()), false);
        let call = plan.steps().iter().position(|step| step["do"] == json!("call")).expect("a call");
        let answer = &through["steps"][call];
        assert_eq!(answer["isError"], json!(true), "{client:?}: {answer}");
        assert!(answer["content"][0]["text"].as_str().is_some_and(|text| text.contains("unknown_agent")), "{answer}");
    }
}
