//! The stateless era (2026-07-28): which session is in it, what passes in it, what is filtered.

use callgate_doors::mcp::DENIED;
use callgate_text::{Digest, Json};

use crate::harness::*;

#[tokio::test]
async fn a_session_without_a_handshake_passes_byte_for_byte() {
    let mut rig = Rig::stateless(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    for (ask, answer) in [
        (
            request("2", "tools/list", ""),
            r#"{"tools":[{"name":"echo","inputSchema":{}}],"ttlMs":0,"cacheScope":"private","resultType":"complete"}"#,
        ),
        (
            request("3", "resources/list", ""),
            r#"{"resources":[],"ttlMs":60000,"cacheScope":"private","resultType":"complete"}"#,
        ),
        (
            request("4", "tools/call", r#""name":"echo","arguments":{"n":1.50}"#),
            r#"{"content":[],"x":1.50,"resultType":"complete"}"#,
        ),
        (
            request("5", "resources/read", r#""uri":"a:b""#),
            r#"{"contents":[],"ttlMs":0,"cacheScope":"private","resultType":"complete"}"#,
        ),
        (
            request("6", "completion/complete", r#""ref":{},"argument":{}"#),
            r#"{"completion":{"values":[]},"resultType":"complete"}"#,
        ),
        (request("7", "server/discover", ""), DISCOVERED),
        // An answer of an older server has no kind.
        (request("8", "tools/call", r#""name":"echo""#), r#"{"content":[]}"#),
    ] {
        client.passes(server, &ask).await;
        let id = at(&Json::parse(ask.as_bytes()).unwrap(), &["id"]).as_i64().unwrap();
        server.passes(client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{answer}}}"#)).await;
    }
    // All that a call says is part of it, but the token by which progress is told.
    let decided = rig.gate.decided();
    assert_eq!(decided[0].tool.as_str(), "srv.echo");
    assert!(decided[0].offered.is_some());
    let meta = at(decided[0].members.get("_meta").unwrap(), &["io.modelcontextprotocol/protocolVersion"]);
    assert_eq!(meta.as_str(), Some("2026-07-28"));
    let Rig { client, server, .. } = &mut rig;
    let with_token =
        request("9", "tools/call", r#""name":"echo""#).replace(r#""_meta":{"#, r#""_meta":{"progressToken":9,"#);
    client.passes(server, &with_token).await;
    server
        .passes(
            client,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":9,"progress":1}}"#,
        )
        .await;
    let last = rig.gate.decided().pop().unwrap();
    assert!(last.members.get("_meta").unwrap().get("progressToken").is_none());
    assert_eq!(last.original, Digest::of(with_token.as_bytes()));
}

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

/// What a server says of itself passes as it is pinned; revisions that the door does not know are not offered.
#[tokio::test]
async fn what_a_server_says_of_itself_is_looked_at() {
    let mut rig = Rig::new();
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &request("0", "server/discover", "")).await;
    server
        .say("{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"supportedVersions\":[\"2026-07-28\",\"2027-01-01\",7,\"2025-11-25\"],\"capabilities\":{\"tools\":{}},\"instructions\":\"evil\",\"cacheScope\":\"public\",\"ttlMs\":9,\"x\":\"un\u{200b}seen\",\"resultType\":\"complete\"}}")
        .await;
    assert_eq!(
        client.hear_json().await.get("result").unwrap().canonical(),
        br#"{"cacheScope":"private","capabilities":{"tools":{}},"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25"],"ttlMs":9,"x":"unseen"}"#
    );
    for result in [
        r#"{"Instructions":"x","supportedVersions":["2026-07-28"]}"#,
        r#"{"supportedversions":["2026-07-28"]}"#,
        r#"{"resultType":"input_required","supportedVersions":["2026-07-28"],"requestState":"s"}"#,
        r#"{"requestState":"s","supportedVersions":["2026-07-28"]}"#,
        r#"["2026-07-28"]"#,
    ] {
        let mut rig = Rig::new();
        rig.client.passes(&mut rig.server, &request("0", "server/discover", "")).await;
        rig.server.say(&format!(r#"{{"jsonrpc":"2.0","id":0,"result":{result}}}"#)).await;
        assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(DENIED), "{result}");
        // Nothing is settled by it.
        rig.shake_hands(TOOLS).await;
    }
}

/// A list was filtered for this agent, and an answer was given to it: no cache may serve them to another.
#[tokio::test]
async fn nothing_is_kept_for_others() {
    let mut rig = Rig::stateless(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    for (method, params, member) in [
        ("tools/list", "", r#""tools":[{"name":"echo","inputSchema":{}},{"name":"hidden"}]"#),
        ("tools/list", "", r#""tools":[]"#),
        ("prompts/list", "", r#""prompts":[]"#),
        ("resources/list", "", r#""resources":[{"uri":"a:b","name":"n"}]"#),
        ("resources/templates/list", "", r#""resourceTemplates":[]"#),
        ("resources/read", r#""uri":"a:b""#, r#""contents":[]"#),
        ("tools/call", r#""name":"echo""#, r#""content":[]"#),
    ] {
        for scope in [r#""public""#, r#""shared""#, "null", "[]"] {
            client.passes(server, &request("2", method, params)).await;
            server.say(&format!(r#"{{"jsonrpc":"2.0","id":2,"result":{{{member},"cacheScope":{scope},"ttlMs":1,"resultType":"complete"}}}}"#)).await;
            let answer = client.hear_json().await;
            assert_eq!(text(&answer, &["result", "cacheScope"]), "private", "{method} {scope}");
            assert!(!format!("{answer:?}").contains("hidden"), "{method}");
        }
        client.passes(server, &request("2", method, params)).await;
        server.say(&format!(r#"{{"jsonrpc":"2.0","id":2,"result":{{{member},"CacheScope":"public"}}}}"#)).await;
        assert!(client.hear().await.contains("another spelling"));
    }
}

/// Every answer says of which kind it is, and clients act on that: one that nobody knows is none.
#[tokio::test]
async fn answers_of_unknown_kinds_are_withheld() {
    let mut rig = Rig::stateless(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    for (method, params) in [
        ("tools/call", r#""name":"echo""#),
        ("prompts/get", r#""name":"p""#),
        ("resources/read", r#""uri":"a:b""#),
        ("tools/list", ""),
        ("completion/complete", r#""ref":{},"argument":{}"#),
    ] {
        let asks = ["tools/call", "prompts/get", "resources/read"].contains(&method);
        for (result, fits) in [
            (r#"{"resultType":"other","content":[]}"#, false),
            (r#"{"resultType":"Complete"}"#, false),
            (r#"{"resultType":7}"#, false),
            (r#"{"resultType":null}"#, false),
            (r#"{"resulttype":"complete"}"#, false),
            // Some clients tell kinds apart by what an answer holds.
            (r#"{"inputRequests":{"a":{"method":"roots/list"}}}"#, false),
            (r#"{"resultType":"complete","inputRequests":{}}"#, false),
            (r#"{"resultType":"complete","requestState":"s"}"#, false),
            // Nobody said that it takes a task.
            (r#"{"resultType":"task","taskId":"t","status":"working"}"#, false),
            (r#"{"resultType":"input_required","requestState":"s"}"#, asks),
            ("[]", false),
            ("7", false),
        ] {
            client.passes(server, &request("2", method, params)).await;
            server.say(&format!(r#"{{"jsonrpc":"2.0","id":2,"result":{result}}}"#)).await;
            let answer = client.hear().await;
            assert_eq!(!answer.contains("result_withheld"), fits, "{method} {result}: {answer}");
            // What the door says has the form of the era.
            assert!(method != "tools/call" || fits || answer.contains(r#""resultType":"complete""#), "{answer}");
        }
    }
}

/// A client words its name and its abilities in every request, decided or not.
#[tokio::test]
async fn what_a_client_says_of_itself_is_bounded() {
    let mut rig = Rig::stateless(TOOLS).await;
    let secret = |n: usize| {
        let client = format!(r#""io.modelcontextprotocol/clientInfo":{{"name":"{n:09}{}"}},"#, "x".repeat(10_000));
        request("2", "tools/list", "").replace(r#""_meta":{"#, &format!(r#""_meta":{{{client}"#))
    };
    for n in 0..10 {
        rig.client.say(&secret(n)).await;
        if n < 6 {
            assert_eq!(rig.server.hear().await, secret(n));
            rig.server.say(r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}"#).await;
            rig.client.hear().await;
        } else {
            // As much as one handshake, and no more.
            assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(-32602), "{n}");
        }
    }
    rig.no_more_at_the_server().await;
    // What was said before may be said again, and what is decided may say anything.
    rig.client.passes(&mut rig.server, &secret(3)).await;
    rig.client
        .passes(
            &mut rig.server,
            &secret(99)
                .replace("tools/list", "tools/call")
                .replace(r#""params":{"#, r#""params":{"name":"echo","#)
                .replace(r#""id":2"#, r#""id":4"#),
        )
        .await;
    // What nobody knows is taken out, as in the older era.
    rig.client
        .say(&request("5", "tools/list", "").replace(
            r#""_meta":{"#,
            r#""_meta":{"vendor/x":"secret","baggage":"secret","io.modelcontextprotocol/logLevel":"info","#,
        ))
        .await;
    let heard = rig.server.hear().await;
    assert!(!heard.contains("secret") && heard.contains("logLevel"), "{heard}");
}

/// The door lists the tools in the form of the era and as the client would, and hears when they change.
#[tokio::test]
async fn a_call_is_bound_to_what_the_server_offers_now() {
    let mut rig = Rig::new();
    let named = request("1", "tools/call", r#""name":"echo""#)
        .replace(r#"Capabilities":{}"#, r#"Capabilities":{"sampling":{}}"#);
    rig.client.say(&named).await;
    rig.door_looks_at(TOOLS, r#"{"sampling":{}}"#, false).await;
    assert_eq!(rig.server.hear().await, named);
    let first = rig.gate.decided().pop().unwrap().offered;
    let own = rig.own_subscription.clone();
    // Said to the door alone: the client did not ask for it.
    rig.server.say(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":"{own}"}},"notifications":{{"toolsListChanged":true}}}}}}"#)).await;
    rig.server.say(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":"{own}"}}}}}}"#)).await;
    rig.no_more_at_the_client().await;
    rig.client.say(&request("2", "tools/call", r#""name":"echo""#)).await;
    rig.list_tools(r#"{"name":"echo","description":"evil","inputSchema":{}}"#).await;
    rig.server.hear().await;
    assert_ne!(rig.gate.decided().pop().unwrap().offered, first);
}

/// The door asks in the client's name before it knows whether the call may run: only as far as what is undecided may.
#[tokio::test]
async fn what_the_door_asks_carries_no_message() {
    let mut rig = Rig::new();
    let secret = "secret".repeat(5000);
    let client = format!(r#""_meta":{{"io.modelcontextprotocol/clientInfo":{{"name":"{secret}"}},"#);
    rig.client.say(&request("1", "tools/call", r#""name":"forbidden""#).replace(r#""_meta":{"#, &client)).await;
    rig.door_looks_at(TOOLS, "{}", false).await;
    assert_eq!(at(&rig.client.hear_json().await, &["result", "isError"]).as_bool(), Some(true));
    rig.no_more_at_the_server().await;
    let mut rig = Rig::new();
    rig.client
        .say(
            &request("1", "tools/call", r#""name":"forbidden""#)
                .replace(r#"Capabilities":{}"#, &format!(r#"Capabilities":{{"x":"{secret}"}}"#)),
        )
        .await;
    rig.door_looks_at(TOOLS, "{}", false).await;
    rig.client.hear().await;
    rig.no_more_at_the_server().await;
}

#[tokio::test]
async fn a_denied_call_is_a_result_of_the_era() {
    let mut rig = Rig::stateless(TOOLS).await;
    rig.client.say(&request("1", "tools/call", r#""name":"forbidden""#)).await;
    let answer = rig.client.hear_json().await;
    assert_eq!(at(&answer, &["result", "isError"]).as_bool(), Some(true));
    assert_eq!(text(&answer, &["result", "resultType"]), "complete");
    // Garbage that means to be a call is one on record.
    rig.client.say(&request("2", "tools/call", r#""name":"echo","name":"x""#)).await;
    assert_eq!(text(&rig.client.hear_json().await, &["result", "resultType"]), "complete");
    rig.client.say(&request("3", "tools/call", r#""name":"echo","task":{}"#)).await;
    assert_eq!(at(&rig.client.hear_json().await, &["result", "isError"]).as_bool(), Some(true));
    rig.no_more_at_the_server().await;
    assert!(rig.gate.completed().is_empty());
}
