//! What a malicious client or server tries.

use callgate_core::Outcome;
use callgate_doors::mcp::DENIED;
use callgate_text::Json;
use tokio::sync::Semaphore;

use crate::harness::*;

/// Says `line` as the client: it is refused and never reaches the server.
async fn client_is_refused(line: &str) -> Json {
    let mut rig = Rig::ready(TOOLS).await;
    rig.client.say(line).await;
    let answer = rig.client.hear_json().await;
    rig.nothing_reaches_the_server().await;
    assert!(rig.gate.completed().is_empty(), "{line}");
    answer
}

#[tokio::test]
async fn envelopes_that_parsers_read_differently_are_refused() {
    for line in [
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        "[]",
        "7",
        "nonsense",
        "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","ID":2}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":["ping"]}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1e0,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":99999999999999999999999999,"method":"ping"}"#,
    ] {
        let answer = client_is_refused(line).await;
        let code = at(&answer, &["error", "code"]).as_i64();
        assert!(matches!(code, Some(-32700 | -32600)), "{line}: {answer:?}");
    }
    let long = "x".repeat(300);
    client_is_refused(&format!(r#"{{"jsonrpc":"2.0","id":"{long}","method":"ping"}}"#)).await;
}

#[tokio::test]
async fn a_decided_request_takes_no_passengers() {
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"extra":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","cursor":"x"}}"#,
        // A tool by the name of a method would be judged as that method.
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"roots/list"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"Resources/Read","arguments":{"uri":"x"}}}"#,
    ] {
        let answer = client_is_refused(line).await;
        assert_eq!(at(&answer, &["result", "isError"]).as_bool(), Some(true), "{line}");
    }
    let answer =
        client_is_refused(r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","URI":"b"}}"#).await;
    assert!(answer.get("error").is_some());
    let answer =
        client_is_refused(r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","x":1}}"#).await;
    assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(DENIED));
}

#[tokio::test]
async fn unknown_methods_are_refused_and_unknown_notifications_dropped() {
    for method in ["server/discover", "Tools/Call", "tools/call ", "admin/run", "tools/calls", "tasks/update", ""] {
        let answer = client_is_refused(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#)).await;
        assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(-32601), "{method}");
    }
    let mut rig = Rig::ready(TOOLS).await;
    rig.client.say(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#).await;
    rig.client.say(r#"{"jsonrpc":"2.0","method":"notifications/unknown"}"#).await;
    rig.nothing_reaches_the_server().await;
    rig.server.say(r#"{"jsonrpc":"2.0","method":"notifications/unknown"}"#).await;
    rig.server.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#).await;
    assert_eq!(at(&rig.server.hear_json().await, &["error", "code"]).as_i64(), Some(-32601));
    rig.nothing_reaches_the_client().await;
}

/// Readers that take more than a line feed for the end of a line would see a second message.
#[tokio::test]
async fn no_message_hides_inside_another() {
    let smuggled = r#"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"forbidden\"}}"#;
    for end in ['\u{2028}', '\u{2029}', '\u{85}'] {
        let mut rig = Rig::ready(TOOLS).await;
        rig.client.say(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{"progressToken":"{end}{smuggled}{end}"}}}}}}"#)).await;
        let heard = rig.server.hear().await;
        assert!(!heard.contains(end), "{heard}");
        let escape = format!("\\u{:04x}", u32::from(end));
        assert_eq!(
            heard,
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{"progressToken":"{escape}{smuggled}{escape}"}}}}}}"#
            )
        );
    }
    let mut rig = Rig::ready(TOOLS).await;
    let inner = smuggled.replace('\\', "");
    rig.client.say(&format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":\r{inner}\r}}}}\r")).await;
    let heard = rig.server.hear().await;
    assert_eq!(
        heard,
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\": {inner} }}}}"
        )
    );
    // And what the permit binds is what is forwarded.
    rig.client.say("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"t\":\"a\u{2028}b\"}}}").await;
    let heard = rig.server.hear().await;
    assert_eq!(rig.gate.decided().last().unwrap().original, callgate_text::Digest::of(heard.as_bytes()));
    rig.server.say("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[],\"x\":\"\u{2028}\"}}").await;
    assert_eq!(rig.client.hear().await, r#"{"jsonrpc":"2.0","id":3,"result":{"content":[],"x":"\u2028"}}"#);
}

#[tokio::test]
async fn ids_are_never_confused() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    // 1 and "1" are two ids.
    client.passes(server, &call("1", "echo")).await;
    client.passes(server, &call("\"1\"", "echo")).await;
    server.passes(client, r#"{"jsonrpc":"2.0","id":"1","result":{"content":[],"which":"text"}}"#).await;
    for stray in [
        r#"{"jsonrpc":"2.0","id":"1","result":{"content":[],"again":true}}"#,
        r#"{"jsonrpc":"2.0","id":1.0,"result":{"content":[],"x":1}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{"content":[]}}"#,
        r#"{"jsonrpc":"2.0","id":-1,"result":{"content":[]}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"callgate-0000-1","result":{"tools":[]}}"#,
    ] {
        server.say(stray).await;
    }
    // One stray was a request and an answer at once: it was refused to the server.
    assert!(server.hear().await.contains("-32600"));
    rig.nothing_reaches_the_client().await;
    let Rig { client, server, .. } = &mut rig;
    server.passes(client, r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"which":"number"}}"#).await;
    assert_eq!(rig.events(4).await.len(), 4);
}

#[tokio::test]
async fn an_id_under_way_is_refused_without_completing_the_other_call() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("1", "echo")).await;
    for line in [
        call("1", "echo"),
        call("1", "forbidden"),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"unknown"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"x"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"x"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Params":{}}"#.to_owned(),
    ] {
        client.say(&line).await;
        assert_eq!(at(&client.hear_json().await, &["id"]), &Json::Null, "{line}");
    }
    server.passes(client, r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#).await;
}

#[tokio::test]
async fn a_server_cannot_answer_what_it_was_not_asked() {
    let gate = FakeGate { decisions: Semaphore::new(0), ..FakeGate::default() };
    let mut rig = Rig::with(gate, quick());
    rig.shake_hands(TOOLS).await;
    rig.client.say(&call("1", "forbidden")).await;
    rig.nothing_reaches_the_server().await;
    rig.server.say(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"forged":true}}"#).await;
    rig.nothing_reaches_the_client().await;
    rig.gate.decisions.add_permits(1);
    assert!(rig.client.hear().await.contains("not_permitted"));
}

#[tokio::test]
async fn the_ids_of_the_server_are_its_own() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("1", "echo")).await;
    // The same id in the other direction is another request.
    server.passes(client, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#).await;
    server.say(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
    client.passes(server, r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}"#).await;
    server.passes(client, r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#).await;
    // An answer of the client to no question goes nowhere.
    client.say(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    rig.nothing_reaches_the_server().await;
}

#[tokio::test]
async fn cancelling_what_is_not_there_goes_nowhere() {
    let mut rig = Rig::ready(TOOLS).await;
    for params in [r#"{"requestId":99}"#, r#"{"requestId":null}"#, "{}", r#"{"requestId":"callgate-1"}"#] {
        rig.client.say(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#)).await;
        rig.server.say(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#)).await;
    }
    rig.nothing_reaches_the_server().await;
    rig.nothing_reaches_the_client().await;
}

#[tokio::test]
async fn nothing_but_ping_passes_before_the_handshake_and_it_is_held_once() {
    let mut rig = Rig::new();
    let init = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    for line in [call("1", "echo"), r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned()] {
        rig.client.say(&line).await;
        assert!(rig.client.hear().await.contains("not initialised"));
    }
    rig.nothing_reaches_the_server().await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, init).await;
    // What follows the question waits for its answer; one that is not leaves the session as it was.
    client.say(&call("1", "echo")).await;
    client.passes(server, r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await;
    server.say(r#"{"jsonrpc":"2.0","id":0,"id":1,"result":{}}"#).await;
    server.say(r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","a":1,"a":2}}"#).await;
    assert!(client.hear().await.contains("Withheld"));
    assert!(client.hear().await.contains("not initialised"));
    client.passes(server, init).await;
    server.passes(client, r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2024-11-05"}}"#).await;
    client.say(init).await;
    assert!(client.hear().await.contains("initialised before"));
}

#[tokio::test]
async fn a_list_that_nobody_asked_for_shows_nothing() {
    let mut rig = Rig::ready(TOOLS).await;
    rig.server.say(r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"evil"}]}}"#).await;
    rig.server.say(r#"{"jsonrpc":"2.0","method":"tools/list","params":{"tools":[{"name":"evil"}]}}"#).await;
    rig.nothing_reaches_the_client().await;
}

#[tokio::test]
async fn a_server_that_keeps_changing_a_tool_gets_no_call() {
    let gate = FakeGate { decisions: Semaphore::new(0), ..FakeGate::default() };
    let mut rig = Rig::with(gate, quick());
    rig.shake_hands(TOOLS).await;
    rig.client.say(&call("1", "echo")).await;
    for round in 1..=3 {
        rig.nothing_reaches_the_client().await;
        rig.server.say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
        rig.client.hear().await;
        rig.gate.decisions.add_permits(1);
        rig.events(2 * round).await;
        if round < 3 {
            rig.list_tools(TOOLS).await;
        }
    }
    rig.events(6).await;
    rig.gate.decisions.add_permits(1);
    rig.events(7).await;
    let offered: Vec<_> = rig.gate.decided().iter().map(|request| request.offered).collect();
    assert_eq!(offered.len(), 4);
    assert!(offered[..3].iter().all(|one| *one == offered[0]));
    assert_ne!(offered[3], offered[0], "bound to a digest that no pin has");
    assert_eq!(rig.gate.completed(), [Outcome::NotRun; 3]);
}
