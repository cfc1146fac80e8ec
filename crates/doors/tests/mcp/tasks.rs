//! Tasks of the stateless era: what they ask for, and what is said to them.

use callgate_core::Outcome;
use callgate_doors::mcp::DENIED;

use crate::harness::*;
use crate::questions::{ELICIT, NAME, REPLY, ROOTS, result};

const TASK: &str = r#""taskId":"t-1","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttlMs":null"#;

fn with_tasks(line: &str) -> String {
    line.replace(r#"Capabilities":{}"#, r#"Capabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#)
}

/// A rig in which a call was answered with the task `t-1`.
async fn tasked() -> Rig {
    let mut rig = Rig::stateless(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &with_tasks(&request("1", "tools/call", r#""name":"echo""#))).await;
    server.passes(client, &result(1, &format!(r#"{{"resultType":"task",{TASK}}}"#))).await;
    rig.events(2).await;
    rig
}

#[tokio::test]
async fn a_task_of_this_session_may_be_looked_at_answered_and_cancelled() {
    let mut rig = tasked().await;
    let Rig { client, server, .. } = &mut rig;
    client.say(&request("2", "tasks/update", &format!(r#""taskId":"t-1","inputResponses":{{"a":{NAME}}}"#))).await;
    assert!(client.hear().await.contains("the task asks for nothing"));
    let get = |id: &str| -> String { with_tasks(&request(id, "tasks/get", r#""taskId":"t-1""#)) };
    client.passes(server, &get("2")).await;
    server.passes(client, &result(2, &format!(r#"{{"resultType":"complete",{TASK}}}"#))).await;
    // What it asks for is decided, once for as long as it asks the same.
    let task = TASK.replace("working", "input_required");
    let asking = format!(r#"{{"resultType":"complete",{task},"inputRequests":{{"a":{ELICIT}}}}}"#);
    for id in [3, 4] {
        client.passes(server, &get(&id.to_string())).await;
        server.passes(client, &result(id, &asking)).await;
    }
    assert_eq!(rig.gate.decided().len(), 2);
    let Rig { client, server, .. } = &mut rig;
    let update = |id: &str, answers: &str| -> String {
        with_tasks(&request(id, "tasks/update", &format!(r#""taskId":"t-1","inputResponses":{{{answers}}}"#)))
    };
    client.say(&update("5", &format!(r#""a":{REPLY}"#))).await;
    assert_eq!(at(&client.hear_json().await, &["error", "code"]).as_i64(), Some(-32602));
    client.say(&update("6", &format!(r#""a":{NAME},"b":"secret""#))).await;
    let heard = server.hear().await;
    assert!(!heard.contains("secret") && heard.contains("Ann"), "{heard}");
    server.passes(client, &result(6, r#"{"resultType":"complete"}"#)).await;
    rig.events(4).await;
    assert_eq!(rig.gate.completed(), [Outcome::Ok, Outcome::Ok]);
    let Rig { client, server, .. } = &mut rig;
    // Long answers pass, too: they were asked for.
    let long = NAME.replace("Ann", &"x".repeat(20_000));
    client.passes(server, &update("7", &format!(r#""a":{long}"#))).await;
    server.passes(client, &result(7, r#"{"resultType":"complete"}"#)).await;
    client.passes(server, &with_tasks(&request("8", "tasks/cancel", r#""taskId":"t-1""#))).await;
    server.passes(client, &result(8, r#"{"resultType":"complete"}"#)).await;
    for (method, id) in [("tasks/get", "t-2"), ("tasks/update", "t-2"), ("tasks/cancel", "T-1")] {
        client.say(&request("9", method, &format!(r#""taskId":"{id}""#))).await;
        assert_eq!(at(&client.hear_json().await, &["error", "code"]).as_i64(), Some(-32602), "{method}");
    }
    rig.no_more_at_the_server().await;
}

#[tokio::test]
async fn what_a_task_may_not_ask_is_not_asked() {
    for ask in ["get", "tell"] {
        let mut rig = tasked().await;
        rig.gate.forbid("srv.elicitation/create");
        let Rig { client, server, .. } = &mut rig;
        let task = TASK.replace("working", "input_required");
        for more in [
            format!(r#""inputRequests":{{"a":{ELICIT}}}"#),
            r#""inputRequests":[]"#.to_owned(),
            format!(r#""InputRequests":{{"a":{ROOTS}}}"#),
            format!(r#""inputRequests":{{"a":{}}}"#, r#"{"method":"tools/call"}"#),
            format!(r#""result":{{"resultType":"input_required","inputRequests":{{"a":{ROOTS}}}}}"#),
        ] {
            if ask == "get" {
                client.passes(server, &request("2", "tasks/get", r#""taskId":"t-1""#)).await;
                server.say(&result(2, &format!(r#"{{"resultType":"complete",{task},{more}}}"#))).await;
                assert_eq!(at(&client.hear_json().await, &["error", "code"]).as_i64(), Some(DENIED), "{more}");
            } else {
                client
                    .passes(
                        server,
                        &with_tasks(&request("3", "subscriptions/listen", r#""notifications":{"taskIds":["t-1"]}"#)),
                    )
                    .await;
                let meta = r#""_meta":{"io.modelcontextprotocol/subscriptionId":3}"#;
                server.passes(client, &format!(r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{{meta},"notifications":{{"taskIds":["t-1"]}}}}}}"#)).await;
                server
                    .passes(
                        client,
                        &format!(r#"{{"jsonrpc":"2.0","method":"notifications/tasks","params":{{{meta},{TASK}}}}}"#),
                    )
                    .await;
                server
                    .say(&format!(
                        r#"{{"jsonrpc":"2.0","method":"notifications/tasks","params":{{{meta},{task},{more}}}}}"#
                    ))
                    .await;
                server.passes(client, &result(3, r#"{"resultType":"complete"}"#)).await;
            }
        }
        rig.no_more_at_the_client().await;
    }
}

/// A client that did not say so takes no task, and no task of elsewhere is listened to.
#[tokio::test]
async fn a_task_comes_only_to_who_takes_it() {
    let mut rig = Rig::stateless(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    for (method, params) in [("tools/call", r#""name":"echo""#), ("resources/read", r#""uri":"a:b""#)] {
        let line = request("1", method, params);
        let line = if method == "tools/call" { line } else { with_tasks(&line) };
        client.passes(server, &line).await;
        server.say(&result(1, &format!(r#"{{"resultType":"task",{TASK}}}"#))).await;
        assert!(client.hear().await.contains("result_withheld"), "{method}");
    }
    for (method, params) in
        [("tasks/get", r#""taskId":"t-1""#), ("subscriptions/listen", r#""notifications":{"taskIds":["t-1"]}"#)]
    {
        client.say(&request("2", method, params)).await;
        assert_eq!(at(&client.hear_json().await, &["error", "code"]).as_i64(), Some(-32602), "{method}");
    }
    rig.no_more_at_the_server().await;
}
