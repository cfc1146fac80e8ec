//! A hostile agent floods, and the others still work.

use serde_json::json;

use crate::rig::{Rig, mark, processes, texts, until};

#[test]
fn who_floods_is_told_so_and_others_still_run() {
    let mut rig = Rig::new().serving();
    let mark = mark(&rig.workspace);
    let mut hostile = rig.mcp();
    let calls: Vec<i64> = (0..24)
        .map(|_| {
            hostile.send("tools/call", json!({"name": "terminal", "arguments": {"command": format!("sleep {mark}")}}))
        })
        .collect();
    until("some run", || processes(&mark) >= 4);
    // All but the four that run are answered at once.
    let mut busy = 0;
    while busy < calls.len() - 4 {
        let answer = hostile.hear().expect("an answer");
        assert_eq!(answer["result"]["structuredContent"]["state"], "busy", "{answer}");
        busy += 1;
    }
    let mut other = rig.raw_mcp("developer-2");
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let answer =
        other.ask("tools/call", json!({"_meta": meta, "name": "terminal", "arguments": {"command": "echo mine"}}));
    assert_eq!(texts(&answer["result"]), "mine\n");
    // More than one client may have under way at all.
    drop((hostile, other));
    until("all is gone", || processes(&mark) == 0);
    let records = rig.records();
    let not_run = records.iter().filter(|record| record["status"] == "not_run").count();
    assert_eq!(not_run, calls.len() - 4, "each of them is in the log");
}

#[test]
fn one_client_cannot_have_any_number_under_way() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    let mark = mark(&rig.workspace);
    for _ in 0..40 {
        mcp.send("tools/call", json!({"name": "terminal", "arguments": {"command": format!("sleep {mark}")}}));
    }
    // Whether by the door or by the gate, what is too much is answered, and what is asked twice is no second call.
    for _ in 0..36 {
        let answer = mcp.hear().expect("an answer");
        assert!(answer["error"].is_object() || answer["result"]["structuredContent"]["state"] == "busy", "{answer}");
    }
    assert_eq!(mcp.ask("ping", json!({}))["result"], json!({}));
}

/// An answer stays within its bounds whatever a program prints, and the gate's memory does not grow with it.
#[test]
fn output_is_bounded() {
    let rig = Rig::new().serving();
    let result = rig.call("terminal", json!({"command": "head -c 30000000 /dev/zero | tr '\\0' x; echo; echo end"}));
    let text = texts(&result);
    assert!(text.len() < 150 << 10 && text.ends_with("end\n"), "{}", text.len());
    assert_eq!(result["structuredContent"]["output_bytes"], 30_000_005);
    let binary = rig.call("terminal", json!({"command": "head -c 20000 /dev/urandom"}));
    assert!(binary["result"].is_null() && binary["structuredContent"]["state"] == "exit");
}
