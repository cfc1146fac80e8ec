//! What is not decided carries nothing past policy, and nothing hangs on a server that does not answer.

use std::time::Duration;

use callgate_core::Outcome;
use callgate_doors::mcp::Limits;
use callgate_text::Json;

use crate::harness::*;

#[tokio::test]
async fn an_undecided_message_takes_no_passengers() {
    let long = "x".repeat(17 << 10);
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"secret":"s"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","secret":"s"}"#.to_owned(),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{"progressToken":"{long}"}}}}}}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"progressToken":{"a":1}}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":"s"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"s"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"never given"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":{"s":1}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/list","params":{"cursor":"never given"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"secret"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info","s":1}}"#.to_owned(),
    ] {
        let mut rig = Rig::ready(TOOLS).await;
        rig.client.say(&line).await;
        let answer = rig.client.hear_json().await;
        assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(-32602), "{line}: {answer:?}");
        rig.nothing_reaches_the_server().await;
    }
    let mut rig = Rig::ready(TOOLS).await;
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{"secret":"s"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":{"s":1},"progress":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":"secret"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed","secret":"s"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"s","status":"secret"}}"#,
    ] {
        rig.client.say(line).await;
    }
    rig.nothing_reaches_the_server().await;
}

#[tokio::test]
async fn what_the_protocol_says_passes_undecided() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    for line in [
        r#"{"id":1,"jsonrpc":"2.0","method":"ping","params":{"_meta":{"progressToken":"p"}}}"#,
        r#"{"id":2,"jsonrpc":"2.0","method":"ping","params":{"_meta":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}"#,
        r#"{"id":3,"jsonrpc":"2.0","method":"logging/setLevel","params":{"level":"warning"}}"#,
        r#"{"id":4,"jsonrpc":"2.0","method":"tools/list","params":{"_meta":{"progressToken":7}}}"#,
    ] {
        client.passes(server, line).await;
    }
    // A page goes on where the server said.
    server.passes(client, r#"{"jsonrpc":"2.0","id":4,"result":{"tools":[],"nextCursor":"two"}}"#).await;
    client.passes(server, r#"{"id":5,"jsonrpc":"2.0","method":"tools/list","params":{"cursor":"two"}}"#).await;
    client
        .passes(
            server,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5,"reason":"enough"}}"#,
        )
        .await;
    client.passes(server, r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":0.5,"total":1,"message":"half"}}"#).await;
    // What a client adds of its own to `_meta` is taken out, and the message passes.
    client
        .say(r#"{"jsonrpc":"2.0","id":6,"method":"ping","params":{"_meta":{"vendor/x":"secret","progressToken":1,"traceparent":"secret"}}}"#)
        .await;
    let heard = server.hear_json().await;
    assert_eq!(at(&heard, &["params", "_meta"]).canonical(), br#"{"progressToken":1}"#);
}

/// Whatever the server adds to an answer or a notification is looked at, or is not handed on.
#[tokio::test]
async fn the_server_hides_nothing_beside_what_is_inspected() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
    server
        .say("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"x\":\"un\u{200b}seen\"},\"beside\":\"un\u{200b}seen\"}")
        .await;
    assert_eq!(
        client.hear_json().await.canonical(),
        br#"{"beside":"unseen","id":1,"jsonrpc":"2.0","result":{"x":"unseen"}}"#
    );
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"},"beside":"unfit"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"},"be\u200bside":"x"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":{"a":"x"},"progress":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":["x"]}}"#,
    ] {
        server.say(line).await;
    }
    server.say(r#"{"jsonrpc":"2.0","id":1,"method":"ping","beside":"unfit"}"#).await;
    assert_eq!(at(&server.hear_json().await, &["error", "code"]).as_i64(), Some(-33050));
    server
        .passes(client, r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#)
        .await;
    rig.nothing_reaches_the_client().await;
}

#[tokio::test]
async fn a_batch_of_answers_fails_the_requests_that_it_answers() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("1", "echo")).await;
    client.passes(server, &call("\"two\"", "echo")).await;
    server
        .say(r#"[{"jsonrpc":"2.0","id":1,"result":{"content":[]}},{"jsonrpc":"2.0","id":"two","result":{"content":[]}},{"jsonrpc":"2.0","id":3,"method":"ping"}]"#)
        .await;
    for id in [Json::integer(1), Json::from("two")] {
        let answer = client.hear_json().await;
        assert_eq!(at(&answer, &["id"]), &id);
        assert!(text(&answer, &["result", "content", "0", "text"]).contains("result_withheld"));
    }
    rig.events(4).await;
    assert_eq!(rig.gate.completed(), [Outcome::Ok, Outcome::Ok]);
}

fn hurried() -> Limits {
    Limits { call: Some(Duration::from_millis(200)), ..quick() }
}

#[tokio::test]
async fn progress_keeps_a_call_alive_and_silence_ends_it() {
    let mut rig = Rig::with(FakeGate::default(), hurried());
    rig.shake_hands(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client
        .passes(
            server,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":"p"}}}"#,
        )
        .await;
    for step in 0..4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server
            .passes(client, &format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":"p","progress":{step}}}}}"#))
            .await;
    }
    // Progress with something else does not count; nor does any for ever.
    let answer = loop {
        let line = client.hear_json().await;
        if line.get("id").is_some() {
            break line;
        }
    };
    assert!(text(&answer, &["result", "content", "0", "text"]).contains("did not answer in time"));
    assert!(server.hear().await.contains("notifications/cancelled"));
}

#[tokio::test]
async fn progress_does_not_keep_a_call_alive_for_ever() {
    let limits = Limits { call: Some(Duration::from_millis(100)), ..quick() };
    let mut rig = Rig::with(FakeGate::default(), limits);
    rig.shake_hands(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client
        .passes(
            server,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":"p"}}}"#,
        )
        .await;
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}"#;
    let mut told = 0;
    let answer = loop {
        server.say(progress).await;
        let line = client.hear_json().await;
        if line.get("id").is_some() {
            break line;
        }
        told += 1;
        assert!(told < 1000, "still alive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(text(&answer, &["result", "content", "0", "text"]).contains("did not answer in time"));
}

/// Neither the handshake, nor a list, nor a call that waits for the door's own list hangs.
#[tokio::test]
async fn a_server_that_says_nothing_hangs_nobody() {
    let mut rig = Rig::with(FakeGate::default(), hurried());
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
    assert!(text(&client.hear_json().await, &["error", "message"]).contains("did not answer in time"));
    // It was not cancelled, and may be tried again.
    client.passes(server, r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#).await;
    server
        .passes(
            client,
            r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}"#,
        )
        .await;
    client.passes(server, r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#).await;
    assert!(text(&client.hear_json().await, &["error", "message"]).contains("did not answer in time"));
    assert!(server.hear().await.contains("notifications/cancelled"));
    client.say(&call("3", "forbidden")).await;
    assert!(server.hear().await.contains("tools/list"));
    assert!(client.hear().await.contains("not_permitted"));
    assert_eq!(rig.gate.decided().last().unwrap().offered, Some(callgate_core::Offered::Unlisted));
}
