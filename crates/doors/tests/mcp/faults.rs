//! Servers that flood, hang, die and babble; clients that leave and stall.

use std::time::Duration;

use callgate_core::Outcome;
use callgate_doors::mcp::{Cause, Limits};
use callgate_text::Json;

use crate::harness::*;

#[tokio::test]
async fn a_server_that_dies_leaves_no_question_open() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("1", "echo")).await;
    client.passes(server, r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#).await;
    server.say_bytes(br#"{"jsonrpc":"2.0","id":1,"resu"#).await;
    server.hang_up().await;
    let answer = client.hear_json().await;
    assert!(text(&answer, &["result", "content", "0", "text"]).contains("the server srv ended"), "{answer:?}");
    let answer = client.hear_json().await;
    assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(-32603));
    assert_eq!(client.try_hear().await, None);
    let gate = rig.gate.clone();
    let ended = rig.ended().await;
    assert_eq!((ended.cause, ended.unanswered), (Cause::ServerEnded, 2));
    assert_ne!(ended.code(), 0);
    assert_eq!(gate.completed(), [Outcome::Timeout]);
}

#[tokio::test]
async fn garbage_is_counted_and_harms_nobody() {
    let mut rig = Rig::ready(TOOLS).await;
    rig.server.say("Server listening on stdio").await;
    rig.server.say_bytes(b"\xff\xfe\x00\x01 binary \x1b[2J\n\n\r\n  \n").await;
    rig.server
        .say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":\"\\ud800\"}}")
        .await;
    rig.server.say("[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]").await;
    rig.client.say_bytes(b"\n\r\n \n").await;
    rig.nothing_reaches_the_client().await;
    rig.nothing_reaches_the_server().await;
    rig.client.hang_up().await;
    let ended = rig.ended().await;
    assert_eq!(ended.anomalies.server_garbage, 4);
    assert_eq!((ended.cause, ended.code()), (Cause::ClientLeft, 0));
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_not_strict_is_withheld() {
    let limits = Limits { from_server: 4096, ..quick() };
    let mut rig = Rig::with(FakeGate::default(), limits);
    rig.shake_hands(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    let large = "x".repeat(100_000);
    for (id, result) in [
        ("1", format!(r#"{{"result":{{"content":[],"id":7,"x":"{large}"}},"jsonrpc":"2.0","id":1}}"#)),
        ("\"two\"", format!(r#"{{"jsonrpc":"2.0","id":"two","result":{{"content":[],"x":"{large}"}}}}"#)),
        ("3", r#"{"jsonrpc":"2.0","id":3,"result":{"a":1,"a":2}}"#.to_owned()),
        ("4", r#"{"jsonrpc":"2.0","id":4,"result":{"n":12345678901234567890}}"#.to_owned()),
        ("5", r#"{"jsonrpc":"2.0","id":5,"Result":{}}"#.to_owned()),
    ] {
        client.passes(server, &call(id, "echo")).await;
        server.say(&result).await;
        let answer = client.hear_json().await;
        assert!(
            text(&answer, &["result", "content", "0", "text"]).starts_with("Withheld: result_withheld."),
            "{answer:?}"
        );
        assert_eq!(at(&answer, &["id"]).canonical(), id.as_bytes());
    }
    rig.events(10).await;
    assert_eq!(rig.gate.completed().len(), 5);
}

#[tokio::test]
async fn a_message_of_the_client_that_is_too_large_is_a_denied_call() {
    let limits = Limits { from_client: 4096, ..quick() };
    let mut rig = Rig::with(FakeGate::default(), limits);
    rig.shake_hands(TOOLS).await;
    let large = "x".repeat(100_000);
    rig.client.say(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"x":"{large}"}}}}}}"#)).await;
    let answer = rig.client.hear_json().await;
    assert_eq!(at(&answer, &["result", "isError"]).as_bool(), Some(true));
    assert!(matches!(rig.gate.events().as_slice(), [Event::Faulty(_)]));
    rig.client.say(&format!(r#"{{"jsonrpc":"2.0","id":2,"method":"ping","x":"{large}"}}"#)).await;
    assert_eq!(at(&rig.client.hear_json().await, &["id"]).as_i64(), Some(2));
    rig.nothing_reaches_the_server().await;
}

/// Many small values take far more memory than their literals.
#[tokio::test]
async fn a_message_of_very_many_values_is_not_built() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("1", "echo")).await;
    server.say(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"x":[{}1]}}}}"#, "1,".repeat(3_000_000))).await;
    assert!(client.hear().await.contains("result_withheld"));
}

#[tokio::test]
async fn a_large_result_passes_whole() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("1", "echo")).await;
    let result = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{}"}}]}}}}"#,
        "x".repeat(7 << 20)
    );
    let saying = server.say(&result);
    let (heard, ()) = tokio::join!(client.hear(), saying);
    assert_eq!(heard, result);
}

/// The server floods while the client does not read: the server is held up, memory is not taken.
#[tokio::test]
async fn a_flood_is_held_up_not_kept() {
    let limits = Limits { unread: 64 << 10, ..quick() };
    let mut rig = Rig::with_pipes(FakeGate::default(), limits, 4096);
    rig.shake_hands(TOOLS).await;
    let line = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{{\"data\":\"{}\"}}}}\n",
        "x".repeat(1000)
    );
    let mut sent = 0;
    let writer = rig.server.writer.as_mut().unwrap();
    while sent < 50_000_000 {
        let write = tokio::io::AsyncWriteExt::write_all(writer, line.as_bytes());
        match tokio::time::timeout(Duration::from_millis(200), write).await {
            Ok(written) => written.unwrap(),
            Err(_) => break,
        }
        sent += line.len();
    }
    assert!(sent < 1_000_000, "{sent} bytes were taken from a server that nobody reads");
    // And yet it ends in time.
    rig.stop.take().unwrap().send(()).unwrap();
    let ended = rig.ended().await;
    assert_eq!(ended.cause, Cause::Stopped);
}

#[tokio::test]
async fn a_hung_server_does_not_hang_the_end() {
    for stop in [true, false] {
        let mut rig = Rig::ready(TOOLS).await;
        let Rig { client, server, .. } = &mut rig;
        client.passes(server, &call("1", "echo")).await;
        if stop {
            rig.stop.take().unwrap().send(()).unwrap();
        } else {
            rig.client.hang_up().await;
        }
        let answer = rig.client.hear_json().await;
        assert!(text(&answer, &["result", "content", "0", "text"]).contains("may have run"));
        let gate = rig.gate.clone();
        let ended = rig.ended().await;
        assert_eq!((ended.unanswered, ended.code()), (1, 0));
        assert_eq!(gate.completed(), [Outcome::Timeout]);
    }
}

/// `printf '…' | callgate mcp -- server`: what was asked before the end is still answered.
#[tokio::test]
async fn a_client_that_leaves_still_gets_its_answers() {
    let gate = FakeGate { decisions: tokio::sync::Semaphore::new(0), ..FakeGate::default() };
    let mut rig = Rig::with(gate, quick());
    rig.shake_hands(TOOLS).await;
    rig.client.say(&call("1", "echo")).await;
    rig.client.hang_up().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    rig.gate.decisions.add_permits(5);
    assert!(rig.server.hear().await.contains("tools/call"));
    assert_eq!(rig.server.try_hear().await, None, "the server's input ends");
    rig.server.say(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#).await;
    rig.server.hang_up().await;
    assert!(rig.client.hear().await.contains("\"result\""));
    let gate = rig.gate.clone();
    assert_eq!(rig.ended().await.code(), 0);
    assert_eq!(gate.completed(), [Outcome::Ok], "the last report is not lost");
}

#[tokio::test]
async fn what_is_undecided_at_the_end_does_not_run() {
    let gate = FakeGate { decisions: tokio::sync::Semaphore::new(0), ..FakeGate::default() };
    let mut rig = Rig::with(gate, quick());
    rig.shake_hands(TOOLS).await;
    rig.client.say(&call("1", "echo")).await;
    rig.nothing_reaches_the_server().await;
    rig.stop.take().unwrap().send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    rig.gate.decisions.add_permits(5);
    assert_eq!(rig.server.try_hear().await, None);
    let gate = rig.gate.clone();
    rig.ended().await;
    assert_eq!(gate.completed(), [Outcome::NotRun]);
}

#[tokio::test]
async fn too_many_requests_are_refused() {
    let limits = Limits { in_flight: 3, ..quick() };
    let mut rig = Rig::with(FakeGate::default(), limits);
    rig.shake_hands(TOOLS).await;
    for id in 1..=3 {
        let Rig { client, server, .. } = &mut rig;
        client.passes(server, &call(&id.to_string(), "echo")).await;
    }
    rig.client.say(&call("4", "echo")).await;
    let answer = rig.client.hear_json().await;
    assert_eq!(at(&answer, &["id"]).as_i64(), Some(4));
    assert!(text(&answer, &["error", "message"]).contains("too many"));
    for id in 1..=4 {
        rig.server.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)).await;
    }
    assert!(rig.server.hear().await.contains("too many"));
    let first: Json = rig.client.hear_json().await;
    assert_eq!(at(&first, &["id"]).as_i64(), Some(1));
}
