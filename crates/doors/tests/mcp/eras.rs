//! Which era a session is in, and what belongs to the other one.

use callgate_text::Json;

use crate::harness::*;

/// A request says of which revision it is, whoever sends it, each time.
#[tokio::test]
async fn every_request_says_what_it_is_of() {
    for settled in [false, true] {
        for (line, code) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#.to_owned(), -32602),
            (r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{}}}"#.to_owned(), -32602),
            (
                request("1", "tools/list", "").replace("protocolVersion", "ProtocolVersion"),
                if settled { -32602 } else { -32600 },
            ),
            (request("1", "tools/list", "").replace("clientCapabilities", "clientcapabilities"), -32602),
            (request("1", "tools/list", "").replace(r#"Capabilities":{}"#, r#"Capabilities":[]"#), -32602),
            (request("1", "tools/call", r#""name":"echo""#).replace(r#""2026-07-28""#, "20260728"), -32602),
            (request("1", "tools/call", r#""name":"echo""#).replace("2026-07-28", "2026-07-29"), -32022),
            (request("1", "tools/list", "").replace("2026-07-28", "2025-11-25"), -32022),
            (request("1", "tools/list", "").replace("2026-07-28", "2026-07-28 "), -32022),
            (
                request("1", "tools/list", "")
                    .replace(r#""_meta":{"#, r#""_meta":{"io.modelcontextprotocol/logLevel":"secret","#),
                -32602,
            ),
            (
                request("1", "tools/list", "")
                    .replace(r#""_meta":{"#, r#""_meta":{"io.modelcontextprotocol/clientInfo":"secret","#),
                -32602,
            ),
            (request("1", "unknown/method", ""), -32601),
        ] {
            let mut rig = if settled { Rig::stateless(TOOLS).await } else { Rig::new() };
            rig.client.say(&line).await;
            let answer = rig.client.hear_json().await;
            assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(code), "{settled} {line}: {answer:?}");
            if code == -32022 {
                let supported = at(&answer, &["error", "data", "supported"]).as_array().unwrap();
                assert_eq!(supported.first().and_then(Json::as_str), Some("2026-07-28"));
                assert_eq!(supported.len(), 1, "of this era");
            }
            assert!(rig.gate.events().is_empty(), "{line}");
            rig.client.hang_up().await;
            assert_eq!(rig.server.try_hear().await, None, "{settled} {line}");
        }
    }
}

#[tokio::test]
async fn what_belongs_to_the_other_era_is_refused() {
    // The older one in a stateless session.
    let mut rig = Rig::stateless(TOOLS).await;
    for method in [
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
        "initialize",
    ] {
        rig.client.say(&request("1", method, "")).await;
        assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(-32601), "{method}");
    }
    rig.client.say(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#).await;
    let answer = rig.client.hear_json().await;
    assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(-32022));
    assert_eq!(text(&answer, &["error", "data", "requested"]), "2025-11-25");
    for method in ["initialized", "progress", "roots/list_changed", "tasks/status"] {
        rig.client.say(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}"}}"#)).await;
    }
    rig.client.say(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    for method in ["ping", "roots/list", "elicitation/create", "sampling/createMessage", "tasks/get"] {
        rig.server.say(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"message":"x"}}}}"#)).await;
        assert_eq!(at(&rig.server.hear_json().await, &["error", "code"]).as_i64(), Some(-32601), "{method}");
    }
    for method in ["elicitation/complete", "tasks/status"] {
        rig.server.say(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}"}}"#)).await;
    }
    rig.no_more_at_the_server().await;
    rig.no_more_at_the_client().await;
    assert!(rig.gate.decided().is_empty());

    // The stateless one after a handshake.
    let mut rig = Rig::ready(TOOLS).await;
    for (line, code) in [
        (request("1", "tools/call", r#""name":"echo""#), -32600),
        (request("1", "tools/list", ""), -32600),
        (request("1", "initialize", ""), -32600),
        (request("1", "server/discover", ""), -32601),
        (request("1", "subscriptions/listen", r#""notifications":{}"#), -32601),
        (request("1", "tasks/update", r#""taskId":"t""#), -32601),
    ] {
        rig.client.say(&line).await;
        assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(code), "{line}");
    }
    for params in [r#""inputResponses":{}"#, r#""requestState":"s""#] {
        rig.client
            .say(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo",{params}}}}}"#))
            .await;
        assert_eq!(at(&rig.client.hear_json().await, &["result", "isError"]).as_bool(), Some(true), "{params}");
    }
    rig.server
        .say(r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{}}}"#)
        .await;
    rig.nothing_reaches_the_server().await;
    rig.nothing_reaches_the_client().await;
    // A server that answers in the other era would ask a client of both eras past policy.
    for result in [
        r#"{"resultType":"input_required","requestState":"s"}"#,
        r#"{"content":[],"inputRequests":{"a":{"method":"roots/list"}}}"#,
        r#"{"resultType":"task","taskId":"t"}"#,
    ] {
        let Rig { client, server, .. } = &mut rig;
        client.passes(server, &call("7", "echo")).await;
        server.say(&format!(r#"{{"jsonrpc":"2.0","id":7,"result":{result}}}"#)).await;
        assert!(
            text(&client.hear_json().await, &["result", "content", "0", "text"]).contains("result_withheld"),
            "{result}"
        );
    }
}

/// A client that speaks both eras asks first, and turns to the older one as the specification says.
#[tokio::test]
async fn a_probe_that_fails_may_be_followed_by_a_handshake() {
    let discover = request("0", "server/discover", "");
    let older = r#"{"supportedVersions":["2025-11-25"],"capabilities":{},"resultType":"complete"}"#;
    for answer in [
        r#""error":{"code":-32601,"message":"no"}"#.to_owned(),
        r#""error":{"code":-32602,"message":"no"}"#.to_owned(),
        r#""error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25"],"requested":"2026-07-28"}}"#
            .to_owned(),
        format!(r#""result":{older}"#),
        r#""result":{"supportedVersions":"2026-07-28"}"#.to_owned(),
    ] {
        let mut rig = Rig::new();
        let Rig { client, server, .. } = &mut rig;
        client.passes(server, &discover).await;
        server.say(&format!(r#"{{"jsonrpc":"2.0","id":0,{answer}}}"#)).await;
        client.hear().await;
        rig.shake_hands(TOOLS).await;
        rig.client.say(&request("9", "tools/list", "")).await;
        assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(-32600), "{answer}");
    }
    // No answer at all; what comes too late settles nothing.
    let mut rig = Rig::new();
    rig.client.passes(&mut rig.server, &discover.replace(r#""id":0"#, r#""id":7"#)).await;
    rig.client.passes(&mut rig.server, HELLO).await;
    rig.server.say(&format!(r#"{{"jsonrpc":"2.0","id":7,"result":{DISCOVERED}}}"#)).await;
    rig.client.hear().await;
    rig.server.passes(&mut rig.client, WELCOME).await;
    rig.client.passes(&mut rig.server, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    rig.list_tools(TOOLS).await;
    rig.nothing_reaches_the_server().await;
    // An id that is under way fixes nothing.
    let mut rig = Rig::new();
    rig.client.passes(&mut rig.server, r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#).await;
    for line in [&discover, HELLO] {
        rig.client.say(line).await;
        assert_eq!(at(&rig.client.hear_json().await, &["id"]), &Json::Null);
    }
    rig.server.passes(&mut rig.client, r#"{"jsonrpc":"2.0","id":0,"result":{}}"#).await;
    rig.shake_hands(TOOLS).await;
    // Given up by the client.
    let mut rig = Rig::new();
    rig.client.passes(&mut rig.server, &discover.replace(r#""id":0"#, r#""id":7"#)).await;
    rig.client
        .passes(&mut rig.server, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#)
        .await;
    rig.shake_hands(TOOLS).await;
}

#[tokio::test]
async fn a_handshake_that_fails_may_be_followed_by_a_probe() {
    let mut rig = Rig::new();
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, HELLO).await;
    // Until the answer nothing else is said.
    client.say(&request("1", "server/discover", "")).await;
    server
        .passes(
            client,
            r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}"#,
        )
        .await;
    assert_eq!(server.hear().await, request("1", "server/discover", ""));
    server.passes(client, &format!(r#"{{"jsonrpc":"2.0","id":1,"result":{DISCOVERED}}}"#)).await;
    rig.door_looks(TOOLS).await;
    rig.client.say(HELLO).await;
    assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(-32022));
    rig.no_more_at_the_server().await;
}

/// After an answer of the stateless era there is no way back, whatever a client says.
#[tokio::test]
async fn a_probe_that_succeeds_settles_the_era() {
    let mut rig = Rig::stateless(TOOLS).await;
    rig.client.say(HELLO).await;
    assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(-32022));
    rig.no_more_at_the_server().await;
    // What follows a probe waits for its answer.
    let mut rig = Rig::new();
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &request("0", "server/discover", "")).await;
    client.say(&request("1", "tools/list", "")).await;
    server.passes(client, &format!(r#"{{"jsonrpc":"2.0","id":0,"result":{DISCOVERED}}}"#)).await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(text(&server.hear_json().await, &["method"]).to_owned());
    }
    heard.sort();
    assert_eq!(heard, ["subscriptions/listen", "tools/list", "tools/list"]);
}
