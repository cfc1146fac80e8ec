//! The stateless era (2026-07-28): what passes in it, what is filtered, what is bounded.

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
