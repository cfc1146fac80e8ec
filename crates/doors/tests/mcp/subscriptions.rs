//! What a client of the stateless era listens to.

use std::time::Duration;

use callgate_core::Outcome;
use callgate_doors::mcp::{DENIED, Limits};

use crate::harness::*;

fn listen(id: &str, filter: &str) -> String {
    request(id, "subscriptions/listen", &format!(r#""notifications":{{{filter}}}"#))
}

fn tells(id: &str, what: &str, more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/{what}","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}{more}}}}}"#
    )
}

fn acknowledges(id: &str, filter: &str) -> String {
    tells(id, "subscriptions/acknowledged", &format!(r#","notifications":{{{filter}}}"#))
}

#[tokio::test]
async fn notifications_belong_to_a_live_subscription_that_asked_for_them() {
    let mut rig = Rig::stateless(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &listen("5", r#""toolsListChanged":true,"promptsListChanged":false"#)).await;
    // Not before it was acknowledged, and not more than was asked for.
    server.say(&tells("5", "tools/list_changed", "")).await;
    for wrong in [r#""resourcesListChanged":true"#, r#""resourceSubscriptions":["a:b"]"#, r#""secret":"x""#] {
        server.say(&acknowledges("5", wrong)).await;
    }
    server.say(&acknowledges("6", r#""toolsListChanged":true"#)).await;
    server.say(&acknowledges(r#""5""#, r#""toolsListChanged":true"#)).await;
    server.passes(client, &acknowledges("5", r#""toolsListChanged":true"#)).await;
    server.passes(client, &tells("5", "tools/list_changed", "")).await;
    // Once, and nothing that it did not say it would send.
    server.say(&acknowledges("5", r#""toolsListChanged":true"#)).await;
    for what in ["prompts/list_changed", "resources/list_changed", "resources/updated", "tasks"] {
        server.say(&tells("5", what, r#","uri":"a:b","taskId":"t""#)).await;
    }
    for id in ["6", r#""5""#, "null", "5.5", r#"{"a":1}"#] {
        server.say(&tells(id, "tools/list_changed", "")).await;
    }
    server.say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    rig.no_more_at_the_client().await;
    // It ends with its answer.
    let Rig { client, server, .. } = &mut rig;
    server.passes(client, r#"{"jsonrpc":"2.0","id":5,"result":{"resultType":"complete"}}"#).await;
    server.say(&tells("5", "tools/list_changed", "")).await;
    // Or when the server takes it back, or the client.
    client.passes(server, &listen("7", r#""toolsListChanged":true"#)).await;
    server.passes(client, &acknowledges("7", r#""toolsListChanged":true"#)).await;
    server.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#).await;
    server.passes(client, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#).await;
    server.say(&tells("7", "tools/list_changed", "")).await;
    client.passes(server, &listen("8", r#""toolsListChanged":true"#)).await;
    server.passes(client, &acknowledges("8", r#""toolsListChanged":true"#)).await;
    client.passes(server, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8}}"#).await;
    server.say(&tells("8", "tools/list_changed", "")).await;
    rig.no_more_at_the_client().await;
    assert!(rig.gate.events().is_empty(), "that a list changed is no secret");
}

/// Resources are subscribed to by the same action as in the older era, one decision for each.
#[tokio::test]
async fn resources_are_decided_one_by_one() {
    let mut rig = Rig::stateless(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &listen("5", r#""resourceSubscriptions":["a:b","a:c/"]"#)).await;
    server.passes(client, &acknowledges("5", r#""resourceSubscriptions":["a:c/"]"#)).await;
    let tools: Vec<String> = rig.gate.decided().iter().map(|call| call.tool.to_string()).collect();
    assert_eq!(tools, ["srv.resources/subscribe", "srv.resources/subscribe"]);
    rig.events(4).await;
    assert_eq!(rig.gate.completed(), [Outcome::Ok, Outcome::Ok]);
    let Rig { client, server, .. } = &mut rig;
    server.passes(client, &tells("5", "resources/updated", r#","uri":"a:c/d""#)).await;
    for uri in ["a:b", "a:cd", "forbidden:x"] {
        server.say(&tells("5", "resources/updated", &format!(r#","uri":"{uri}""#))).await;
    }
    rig.no_more_at_the_client().await;

    // One that may not be subscribed to keeps the others from it, too.
    rig.gate.forbid("a:secret");
    rig.client.say(&listen("6", r#""toolsListChanged":true,"resourceSubscriptions":["a:b","a:secret","a:c"]"#)).await;
    let answer = rig.client.hear_json().await;
    assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(DENIED));
    rig.no_more_at_the_server().await;
    rig.events(7).await;
    assert_eq!(rig.gate.completed().last(), Some(&Outcome::NotRun));
    rig.server.say(&acknowledges("6", r#""toolsListChanged":true"#)).await;
    rig.no_more_at_the_client().await;
}

#[tokio::test]
async fn a_subscription_takes_no_passengers() {
    let many = vec![r#""a:b""#; 65].join(",");
    for line in [
        request("5", "subscriptions/listen", ""),
        request("5", "subscriptions/listen", r#""notifications":["toolsListChanged"]"#),
        listen("5", r#""secret":true"#),
        listen("5", r#""toolsListChanged":"secret""#),
        listen("5", &format!(r#""resourceSubscriptions":[{many}]"#)),
        listen("5", "").replace(r#""notifications""#, r#""secret":1,"notifications""#),
    ] {
        let mut rig = Rig::stateless(TOOLS).await;
        rig.client.say(&line).await;
        assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(-32602), "{line}");
        rig.no_more_at_the_server().await;
    }
}

/// A subscription stays for as long as both sides like; one that is never acknowledged does not.
#[tokio::test]
async fn only_what_was_acknowledged_stays_open() {
    let limits = Limits { call: Some(Duration::from_millis(200)), ..quick() };
    let mut rig = Rig::with(FakeGate::default(), limits);
    rig.discover(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &listen("5", r#""toolsListChanged":true"#)).await;
    server.passes(client, &acknowledges("5", r#""toolsListChanged":true"#)).await;
    client.passes(server, &listen("6", r#""resourceSubscriptions":["a:b"]"#)).await;
    let answer = client.hear_json().await;
    assert_eq!(at(&answer, &["id"]).as_i64(), Some(6));
    assert!(text(&answer, &["error", "message"]).contains("did not answer in time"));
    assert!(server.hear().await.contains("notifications/cancelled"));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    server.passes(client, &tells("5", "tools/list_changed", "")).await;
    server.say(&acknowledges("6", r#""resourceSubscriptions":["a:b"]"#)).await;
    // The id is taken for as long as it is open.
    client.say(&listen("5", "")).await;
    assert_eq!(at(&client.hear_json().await, &["id"]), &callgate_text::Json::Null);
    rig.events(2).await;
    assert_eq!(rig.gate.completed(), [Outcome::Timeout]);
    rig.client.hang_up().await;
    rig.server.hang_up().await;
    let ended = rig.ended().await;
    assert_eq!(ended.unanswered, 0);
}
