//! Following a call, and ending it: by a word, by going away, by the gate's end. What still runs is asked of the kernel.

use std::time::{Duration, Instant};

use callgate_core::Request;
use callgate_doors::tools::{Called, Progress};
use callgate_text::{Digest, Json};
use serde_json::json;
use tokio::sync::mpsc;

use crate::rig::{Rig, mark, processes, texts, until};

/// Two processes that would outlive this test, one of which has left its session.
fn long(mark: &str) -> String {
    format!("echo started; setsid sleep {mark} & sleep {mark}; echo no")
}

/// A call of the terminal, as the socket carries it.
pub(crate) fn request(command: &str) -> Request {
    let arguments = Json::object([("command", Json::from(command))]);
    Request {
        tool: "callgate.terminal".parse().unwrap(),
        session: None,
        original: Digest::of(&arguments.canonical()),
        arguments: arguments.as_object().cloned(),
        members: callgate_text::Object::default(),
        offered: None,
        cwd: None,
        host_call: None,
    }
}

#[test]
fn progress_is_told_to_whoever_asked_for_it() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    let command = "for i in 1 2 3 4; do echo step $i; sleep 0.6; done";
    let id = mcp.send(
        "tools/call",
        json!({"name": "terminal", "arguments": {"command": command}, "_meta": {"progressToken": "p"}}),
    );
    let (answer, before) = mcp.answer(id);
    assert_eq!(answer["result"]["isError"], false);
    let told: Vec<_> = before.iter().filter(|message| message["method"] == "notifications/progress").collect();
    assert!(told.len() >= 2, "{before:?}");
    assert!(told.iter().all(|message| message["params"]["progressToken"] == "p"));
    let done: Vec<i64> = told.iter().map(|message| message["params"]["progress"].as_i64().unwrap()).collect();
    assert!(done.windows(2).all(|pair| pair[0] < pair[1]), "{done:?}");
    assert!(
        told.iter().any(|message| message["params"]["message"].as_str().is_some_and(|text| text.starts_with("step ")))
    );
    // Without a token nothing is told.
    let id = mcp.send("tools/call", json!({"name": "terminal", "arguments": {"command": command}}));
    assert!(mcp.answer(id).1.is_empty());
}

#[test]
fn a_cancelled_call_ends_with_all_it_started() {
    let mut rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    let mark = mark(&rig.workspace);
    let id = mcp.send("tools/call", json!({"name": "terminal", "arguments": {"command": long(&mark)}}));
    until("it runs", || processes(&mark) >= 2);
    let begun = Instant::now();
    mcp.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    until("it is gone", || processes(&mark) == 0);
    assert!(begun.elapsed() < Duration::from_secs(30));
    // Whoever gave it up gets no answer, and everything else goes on.
    let ping = mcp.send("ping", json!({}));
    let (_, before) = mcp.answer(ping);
    assert!(before.iter().all(|message| message["id"] != id), "{before:?}");
    let terminal = mcp.terminal("echo on");
    assert_eq!(texts(&terminal), "on\n");
    drop(mcp);
    let records = rig.records();
    assert!(records.iter().any(|record| record["exit"] == "cancelled" && record["status"] == "error"), "{records:?}");
}

/// Over the socket, where the answer to a cancelled call comes and says so.
#[tokio::test]
async fn the_socket_says_cancelled() {
    let rig = Rig::new().serving();
    let client = rig.house.client("developer-1");
    let mark = mark(&rig.workspace);
    let (progress, mut told) = mpsc::channel::<Progress>(16);
    let started = async {
        assert!(told.recv().await.is_some_and(|progress| progress.message.as_deref() == Some("started")));
    };
    let called = client.call_tool(&Ok(request(&long(&mark))), progress, started).await.unwrap();
    let Called::Ran { result, .. } = called else { panic!("{called:?}") };
    assert_eq!(result.structured.get("state").and_then(Json::as_str), Some("cancelled"));
    assert!(result.is_error);
    assert_eq!(processes(&mark), 0, "nothing is left when the answer comes");
    // One that is cancelled before it begins does not run.
    let (progress, _told) = mpsc::channel(1);
    let called = client.call_tool(&Ok(request("touch ran; sleep 30")), progress, std::future::ready(())).await.unwrap();
    let Called::Ran { result, .. } = called else { panic!("{called:?}") };
    assert_eq!(result.structured.get("state").and_then(Json::as_str), Some("cancelled"));
    assert!(rig.read("ran").is_none());
}

#[test]
fn a_client_that_goes_away_ends_what_it_called() {
    let rig = Rig::new().serving();
    for kill in [false, true] {
        let mut mcp = rig.mcp();
        let mark = format!("{}{}", mark(&rig.workspace), u8::from(kill));
        mcp.send("tools/call", json!({"name": "terminal", "arguments": {"command": long(&mark)}}));
        until("it runs", || processes(&mark) >= 2);
        match kill {
            // As a host that crashes.
            true => mcp.child.kill().unwrap(),
            // As a host that ends.
            false => mcp.close(),
        }
        until("it is gone", || processes(&mark) == 0);
    }
}

#[test]
fn the_gates_end_ends_what_runs() {
    for kill in [false, true] {
        let mut rig = Rig::new().serving();
        let mut mcp = rig.mcp();
        let mark = format!("{}{}", mark(&rig.workspace), u8::from(kill));
        mcp.send("tools/call", json!({"name": "terminal", "arguments": {"command": long(&mark)}}));
        until("it runs", || processes(&mark) >= 2);
        let serve = rig.serve.take().unwrap();
        match kill {
            true => drop(serve),
            false => serve.terminate(),
        }
        until("it is gone", || processes(&mark) == 0);
    }
}

/// A client that only stops speaking still gets the answers to what it asked.
#[test]
fn a_script_that_pipes_its_session_in_is_answered() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    let id = mcp.send("tools/call", json!({"name": "terminal", "arguments": {"command": "sleep 0.3; echo done"}}));
    mcp.close();
    assert_eq!(texts(&mcp.answer(id).0["result"]), "done\n");
    assert!(mcp.child.wait().unwrap().success());
}
