//! `callgate decide` and `callgate explain`: one call, one decision, one record.

use serde_json::json;

use crate::house::{House, text};

fn call(agent: &str, tool: &str, arguments: serde_json::Value) -> Vec<u8> {
    json!({"agent": agent, "session": "s-81", "tool": tool, "arguments": arguments}).to_string().into_bytes()
}

#[test]
fn decide_prints_the_answer_and_exits_by_it() {
    let house = House::quickstart();
    let pay = |amount: serde_json::Value, to: &str| {
        house.json(&["decide"], &call("finance-1", "bank.payment_send", json!({"amount": amount, "recipient": to})))
    };
    let (code, allowed) = pay(json!(50.0), "vendor-a");
    assert_eq!((code, &allowed["decision"]), (0, &json!("allow")), "{allowed}");
    assert!(allowed["permit"].is_string());
    assert_eq!(allowed["id"].as_str().expect("an id").len(), 26);

    let (code, denied) = pay(json!(500), "attacker-wallet-xyz");
    assert_eq!((code, &denied["decision"]), (2, &json!("deny")), "{denied}");
    assert_eq!(denied["permit"], json!(null));
    let reason = &denied["reasons"][0];
    assert_eq!(reason["code"], "not_permitted");
    assert_eq!(reason["policy"], "payments-small");
    assert!(reason["at"].as_str().expect("a place").starts_with("policies/"), "{reason}");
    let message = reason["message"].as_str().expect("a sentence");
    assert!(message.contains("amount") && message.contains("recipient"), "{message}");
    assert!(denied["hint"].is_string());

    let (code, escalated) = pay(json!(2000), "vendor-a");
    assert_eq!((code, &escalated["decision"]), (3, &json!("escalate")), "{escalated}");
    assert_eq!(escalated["permit"], json!(null));

    let indexes: Vec<_> = [&allowed, &denied, &escalated].map(|answer| answer["receipt"]["index"].as_u64()).into();
    assert!(indexes.windows(2).all(|pair| pair[0] < pair[1]), "{indexes:?}");
    let (code, record) = house.json(&["audit", "show", &indexes[1].expect("an index").to_string()], b"");
    assert_eq!(code, 0);
    assert_eq!(record["record"]["id"], denied["id"], "{record}");
    assert!(!record["record"].to_string().contains("attacker-wallet-xyz"), "the leaf holds no values: {record}");
    assert_eq!(house.json(&["audit", "verify"], b"").0, 0);
}

#[test]
fn p03_bad_calls_are_denied_with_a_reason_and_recorded() {
    let house = House::quickstart();
    let deep = format!(
        "{{\"agent\":\"finance-1\",\"tool\":\"bank.payment_send\",\"arguments\":{}1{}}}",
        "{\"a\":".repeat(80),
        "}".repeat(80)
    );
    let huge = format!(
        "{{\"agent\":\"finance-1\",\"tool\":\"bank.payment_send\",\"arguments\":{{\"a\":\"{}\"}}}}",
        "x".repeat(1 << 20)
    );
    for (bytes, code) in [
        (&b""[..], "invalid_arguments"),
        (b"[]", "invalid_arguments"),
        (b"{}", "invalid_arguments"),
        (b"\xff\xfe", "invalid_arguments"),
        (b"{\"agent\":\"finance-1\",\"tool\":\"bank.payment_send\",\"tool\":\"bank.balance\"}", "invalid_arguments"),
        (b"{\"agent\":\"finance-1\",\"tool\":\"bank.payment_send\",\"Tool\":\"x\"}", "invalid_arguments"),
        (b"{\"agent\":\"finance-1\",\"tool\":\"bank.payment_send\"} x", "invalid_arguments"),
        (b"{\"agent\":\"finance-1\",\"tool\":\"bank.payment_send\",\"arguments\":{\"amount\":-0,\"recipient\":\"vendor-a\"}}", "invalid_arguments"),
        (b"{\"agent\":\"finance-1\",\"tool\":\"bank.payment_send\",\"arguments\":[]}", "invalid_arguments"),
        (b"{\"agent\":\"finance-1\",\"tool\":\"bank.payment_send\"}", "invalid_arguments"),
        (b"{\"agent\":\"finance-1\",\"tool\":\"bank.rob\"}", "unknown_tool"),
        (b"{\"agent\":\"nobody\",\"tool\":\"bank.payment_send\"}", "unknown_agent"),
        (b"{\"tool\":\"bank.payment_send\"}", "unknown_agent"),
        (deep.as_bytes(), "invalid_arguments"),
        (huge.as_bytes(), "invalid_arguments"),
    ] {
        let (exit, answer) = house.json(&["decide"], bytes);
        let shown = text(&bytes[..bytes.len().min(80)]);
        assert_eq!((exit, &answer["decision"]), (2, &json!("deny")), "{shown}: {answer}");
        assert_eq!(answer["reasons"][0]["code"], code, "{shown}: {answer}");
        assert!(answer["receipt"]["index"].is_u64(), "{shown}: {answer}");
    }
    assert_eq!(house.json(&["audit", "verify"], b"").0, 0);
}

#[test]
fn explain_agrees_with_decide_and_records_nothing() {
    let house = House::quickstart();
    for (agent, tool, arguments) in [
        ("finance-1", "bank.payment_send", json!({"amount": 50, "recipient": "vendor-a"})),
        ("finance-1", "bank.payment_send", json!({"amount": 500, "recipient": "x"})),
        ("finance-1", "bank.payment_send", json!({"amount": 2000, "recipient": "vendor-a"})),
        ("support-1", "shell.terminal", json!({"command": "rm -rf /production-data/*"})),
        ("support-1", "desk.send_email", json!({"to": "ann@company.com", "subject": "s", "body": "b"})),
    ] {
        let bytes = call(agent, tool, arguments);
        let (expected, decided) = house.json(&["decide"], &bytes);
        let before = house.json(&["audit", "report"], b"").1;
        let (exit, explained) = house.json(&["explain"], &bytes);
        assert_eq!(exit, expected, "{explained}");
        assert_eq!(explained["verdict"]["decision"], decided["decision"]);
        assert_eq!(explained["verdict"]["reasons"], decided["reasons"]);
        assert!(explained["trace"].is_object());
        assert_eq!(house.json(&["audit", "report"], b"").1, before);
    }
}

#[test]
fn decide_and_explain_use_the_running_gate_if_there_is_one() {
    let house = House::quickstart();
    let _serve = house.serve();
    let bytes = call("finance-1", "bank.payment_send", json!({"amount": 50, "recipient": "vendor-a"}));
    assert_eq!(house.json(&["decide"], &bytes).0, 0);
    assert_eq!(house.json(&["explain"], &bytes).0, 0);
    let malformed = house.json(&["decide"], b"\xff{");
    assert_eq!((malformed.0, &malformed.1["reasons"][0]["code"]), (2, &json!("invalid_arguments")));
}
