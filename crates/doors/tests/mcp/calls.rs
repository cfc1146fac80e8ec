//! What is decided, and what becomes of it.

use std::time::Duration;

use callgate_core::Outcome;
use callgate_doors::mcp::DENIED;
use callgate_text::{Digest, Json};
use tokio::sync::Semaphore;

use crate::harness::*;

#[tokio::test]
async fn an_allowed_call_passes_byte_for_byte_both_ways() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    let call = r#" { "params" : {"arguments":{"z":1,"a":50.00,"u":"\u0041"},"_meta":{"progressToken":7,"trace":"x"},"name":"echo"},"method":"tools/call","id":"c-1", "jsonrpc":"2.0"} "#;
    client.passes(server, call).await;
    let result = r#"{"result": {"content":[{"type":"text","text":"h\u0069"}],"isError":false,"zz":1.50},"jsonrpc":"2.0","id":"c-1"}"#;
    server.passes(client, result).await;
    let events = rig.events(2).await;
    let [Event::Decided(request), Event::Completed(_, Outcome::Ok, true)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(request.tool.as_str(), "srv.echo");
    assert_eq!(request.original, Digest::of(call.as_bytes()));
    assert_eq!(
        request.offered,
        Some(callgate_core::Offered::Definition(Digest::of(&Json::parse(TOOLS.as_bytes()).unwrap().canonical())))
    );
    let members = Json::Object(request.members.clone()).canonical();
    assert_eq!(String::from_utf8(members).unwrap(), r#"{"_meta":{"trace":"x"}}"#, "all but the progress token");
}

#[tokio::test]
async fn a_denied_call_never_reaches_the_server_and_says_why() {
    let mut rig = Rig::ready(TOOLS).await;
    rig.client.say(&call("9", "forbidden")).await;
    let answer = rig.client.hear_json().await;
    assert_eq!(at(&answer, &["id"]).as_i64(), Some(9));
    assert_eq!(at(&answer, &["result", "isError"]).as_bool(), Some(true));
    assert_eq!(text(&answer, &["result", "content", "0", "text"]), "Denied: not_permitted. [decision D1]");
    let decision = at(&answer, &["result", "_meta", "dev.callgate/decision"]);
    assert_eq!(decision.canonical(), br#"{"code":"not_permitted","decision":"deny","id":"D1"}"#);
    rig.nothing_reaches_the_server().await;
    assert!(rig.gate.completed().is_empty());
}

#[tokio::test]
async fn a_malformed_call_is_a_recorded_denial() {
    for (params, _why) in [
        (r#"{"name":"echo","arguments":{"recipient":"a","Recipient":"b"}}"#, "colliding keys"),
        (r#"{"name":"echo","name":"forbidden"}"#, "a key twice"),
        (r#"{"name":"echo","arguments":null}"#, "null arguments"),
        (r#"{"name":"echo","arguments":[]}"#, "an array"),
        (r#"{"name":"echo","extra":1}"#, "a member too many"),
        (r#"{"Name":"echo"}"#, "another spelling"),
        (r#"{"name":"echo","Arguments":{}}"#, "another spelling"),
        (r#"{"name":"echo","_Meta":{}}"#, "another spelling"),
        (r#"{"name":"echo","_meta":[]}"#, "no object"),
        (r#"{"name":"echo","_meta":{"progressToken":{}}}"#, "no token"),
        (r#"{"name":"echo","task":true}"#, "no object"),
        (r#"{"name":"ech\u00f6"}"#, "no tool name"),
        (r#"{"name":"\u0065cho "}"#, "no tool name"),
        (r#"{"name":7}"#, "no text"),
        ("{}", "no name"),
        (r#"{"name":"echo","arguments":{"n":12345678901234567890}}"#, "inexact number"),
        (r#"{"name":"echo","arguments":{"n":-0}}"#, "minus zero"),
        (r#"{"name":"echo","arguments":{"s":"\ud800"}}"#, "lone surrogate"),
    ] {
        let mut rig = Rig::ready(TOOLS).await;
        rig.client.say(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)).await;
        let answer = rig.client.hear_json().await;
        if params.contains("task") {
            assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(DENIED), "{params}");
        } else {
            assert_eq!(at(&answer, &["result", "isError"]).as_bool(), Some(true), "{params}");
        }
        assert!(matches!(rig.gate.events().as_slice(), [Event::Faulty(_)]), "{params}");
        rig.nothing_reaches_the_server().await;
    }
}

#[tokio::test]
async fn other_actions_are_decided_with_their_arguments() {
    let mut rig = Rig::ready(TOOLS).await;
    for (method, params, arguments) in [
        ("resources/read", r#"{"uri":"file:///x"}"#, r#"{"uri":"file:///x"}"#),
        ("resources/subscribe", r#"{"uri":"file:///x"}"#, r#"{"uri":"file:///x"}"#),
        ("resources/unsubscribe", r#"{"uri":"file:///x"}"#, r#"{"uri":"file:///x"}"#),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"}}"#,
            r#"{"argument":{"name":"a","value":"v"},"ref":{"name":"p","type":"ref/prompt"}}"#,
        ),
    ] {
        let before = rig.gate.events().len();
        let Rig { client, server, .. } = &mut rig;
        client.passes(server, &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)).await;
        server.passes(client, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
        let events = rig.events(before + 2).await;
        let Event::Decided(request) = &events[before] else { panic!("{events:?}") };
        assert_eq!(request.tool.as_str(), format!("srv.{method}"));
        let seen = Json::Object(request.arguments.clone().unwrap()).canonical();
        assert_eq!(String::from_utf8(seen).unwrap(), arguments);
    }
}

#[tokio::test]
async fn questions_of_the_server_are_decided_and_answered_once() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    server.passes(client, r#"{"jsonrpc":"2.0","id":0,"method":"roots/list"}"#).await;
    client.passes(server, r#"{"jsonrpc":"2.0","id":0,"result":{"roots":[]}}"#).await;
    server.passes(client, r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"Name?","requestedSchema":{}}}"#).await;
    client.passes(server, r#"{"jsonrpc":"2.0","id":1,"result":{"action":"decline"}}"#).await;
    server
        .passes(
            client,
            r#"{"jsonrpc":"2.0","id":2,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":5}}"#,
        )
        .await;
    client.say(r#"{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"no"}}"#).await;
    client.say(r#"{"jsonrpc":"2.0","id":2,"result":{"again":true}}"#).await;
    assert!(server.hear().await.contains("\"no\""));
    rig.nothing_reaches_the_server().await;
    let arguments: Vec<String> = rig
        .gate
        .decided()
        .iter()
        .map(|request| {
            let arguments = Json::Object(request.arguments.clone().unwrap()).canonical();
            format!("{} {}", request.tool, String::from_utf8(arguments).unwrap())
        })
        .collect();
    assert_eq!(
        arguments,
        [
            "srv.roots/list {}",
            r#"srv.elicitation/create {"message":"Name?","requestedSchema":{}}"#,
            r#"srv.sampling/createMessage {"maxTokens":5,"messages":[]}"#,
        ]
    );
}

#[tokio::test]
async fn a_denied_question_of_the_server_is_refused_to_the_server() {
    let mut rig = Rig::with(FakeGate { gone: true, ..FakeGate::default() }, quick());
    let Rig { client, server, .. } = &mut rig;
    server.say(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#).await;
    let answer = server.hear_json().await;
    assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(DENIED));
    assert!(text(&answer, &["error", "message"]).contains("callgate serve"));
    server.say(r#"{"jsonrpc":"2.0","id":2,"method":"elicitation/create","params":{}}"#).await;
    assert_eq!(at(&server.hear_json().await, &["error", "code"]).as_i64(), Some(DENIED));
    client.hang_up().await;
    server.hang_up().await;
    assert_eq!(client.try_hear().await, None);
}

#[tokio::test]
async fn calls_are_released_in_the_order_of_asking() {
    let gate = FakeGate { decisions: Semaphore::new(0), ..FakeGate::default() };
    let mut rig = Rig::with(gate, quick());
    rig.shake_hands(TOOLS).await;
    for id in 0..20 {
        let name = if id % 3 == 0 { "forbidden" } else { "echo" };
        rig.client.say(&call(&id.to_string(), name)).await;
    }
    rig.nothing_reaches_the_server().await;
    rig.gate.decisions.add_permits(1000);
    for id in (0..20).filter(|id| id % 3 != 0) {
        assert_eq!(at(&rig.server.hear_json().await, &["id"]).as_i64(), Some(id));
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_before_it_is_decided_does_not_run() {
    let gate = FakeGate { decisions: Semaphore::new(0), ..FakeGate::default() };
    let mut rig = Rig::with(gate, quick());
    rig.shake_hands(TOOLS).await;
    rig.client.say(&call("5", "echo")).await;
    rig.nothing_reaches_the_server().await;
    rig.client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#).await;
    rig.nothing_reaches_the_server().await;
    rig.gate.decisions.add_permits(10);
    assert_eq!(rig.events(2).await[1], Event::Completed("D1".to_owned(), Outcome::NotRun, false));
    rig.nothing_reaches_the_server().await;
    rig.nothing_reaches_the_client().await;
}

#[tokio::test]
async fn a_call_that_is_cancelled_later_passes_its_cancellation_and_takes_no_late_answer() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("5", "echo")).await;
    client
        .passes(server, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5,"reason":"x"}}"#)
        .await;
    // The id is not free until the server answered it: the late answer must not complete another call.
    client.say(&call("5", "echo")).await;
    assert_eq!(at(&client.hear_json().await, &["id"]), &Json::Null);
    server.say(r#"{"jsonrpc":"2.0","id":5,"result":{"content":[]}}"#).await;
    rig.nothing_reaches_the_client().await;
    assert_eq!(rig.events(2).await[1], Event::Completed("D1".to_owned(), Outcome::Timeout, false));
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("5", "echo")).await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_answered_and_cancelled() {
    let limits = callgate_doors::mcp::Limits { call: Some(Duration::from_millis(50)), ..quick() };
    let mut rig = Rig::with(FakeGate::default(), limits);
    rig.shake_hands(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("5", "echo")).await;
    let answer = client.hear_json().await;
    assert!(text(&answer, &["result", "content", "0", "text"]).contains("did not answer in time"));
    assert!(server.hear().await.contains("notifications/cancelled"));
    server.say(r#"{"jsonrpc":"2.0","id":5,"result":{"content":[]}}"#).await;
    rig.nothing_reaches_the_client().await;
    assert_eq!(rig.events(2).await[1], Event::Completed("D1".to_owned(), Outcome::Timeout, false));
}

#[tokio::test]
async fn tasks_pass_for_own_calls_alone() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.say(r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t-1"}}"#).await;
    assert_eq!(at(&client.hear_json().await, &["error", "code"]).as_i64(), Some(DENIED));
    client
        .passes(server, r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","task":{"ttl":5}}}"#)
        .await;
    server.passes(client, r#"{"jsonrpc":"2.0","id":2,"result":{"task":{"taskId":"t-1","status":"working"}}}"#).await;
    for (id, method) in [(3, "tasks/get"), (4, "tasks/result"), (5, "tasks/cancel")] {
        client
            .passes(
                server,
                &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"taskId":"t-1"}}}}"#),
            )
            .await;
    }
    server
        .say("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"a\u{200b}b\"}]}}")
        .await;
    assert_eq!(text(&client.hear_json().await, &["result", "content", "0", "text"]), "ab");
    client.passes(server, r#"{"jsonrpc":"2.0","id":6,"method":"tasks/list"}"#).await;
    server.say(r#"{"jsonrpc":"2.0","id":6,"result":{"tasks":[{"taskId":"t-1"},{"taskId":"other"}]}}"#).await;
    assert_eq!(at(&client.hear_json().await, &["result", "tasks"]).canonical(), br#"[{"taskId":"t-1"}]"#);
    let members = Json::Object(rig.gate.decided()[0].members.clone()).canonical();
    assert_eq!(members, br#"{"task":{"ttl":5}}"#);
}

#[tokio::test]
async fn without_a_gate_every_call_is_denied_with_what_to_do() {
    let mut rig = Rig::with(FakeGate { gone: true, ..FakeGate::default() }, quick());
    rig.shake_hands(TOOLS).await;
    rig.client.say(&call("1", "echo")).await;
    let answer = rig.client.hear_json().await;
    assert!(
        text(&answer, &["result", "content", "0", "text"])
            .contains("no gate is running: start it with `callgate serve`")
    );
}

/// `printf 'initialize…\ninitialized…\ntools/call…' | callgate mcp -- server`
#[tokio::test]
async fn a_session_may_be_piped_in_at_once() {
    let mut rig = Rig::new();
    rig.client.say(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
    rig.client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    rig.client.say(&call("1", "forbidden")).await;
    rig.client.say(&call("2", "echo")).await;
    rig.client.hang_up().await;
    assert!(rig.server.hear().await.contains("initialize"));
    assert!(rig.server.hear().await.contains("initialized"));
    rig.server
        .say(r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}"#)
        .await;
    assert!(rig.client.hear().await.contains("protocolVersion"), "before anything else");
    rig.list_tools(TOOLS).await;
    assert!(rig.client.hear().await.contains("not_permitted"));
    assert!(rig.server.hear().await.contains("tools/call"));
    rig.server.say(r#"{"jsonrpc":"2.0","id":2,"result":{"content":[]}}"#).await;
    assert!(rig.client.hear().await.contains("content"));
}

#[tokio::test]
async fn a_server_that_never_answers_the_handshake_hangs_nobody() {
    let mut rig = Rig::new();
    rig.client.say(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
    rig.client.say(&call("1", "echo")).await;
    rig.client.hang_up().await;
    let mut answers = Vec::new();
    while let Some(answer) = rig.client.try_hear().await {
        answers.push(answer);
    }
    assert_eq!(answers.len(), 2, "{answers:?}");
    rig.ended().await;
}
