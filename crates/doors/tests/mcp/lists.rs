//! What is shown, and what hides in text.

use callgate_core::{Offered, Outcome};
use callgate_doors::mcp::DENIED;

use crate::harness::*;

const INIT: &str =
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}"#;

#[tokio::test]
async fn a_list_that_loses_nothing_passes_as_it_is() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    for (method, member) in [
        ("tools/list", "tools"),
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        client.passes(server, &format!(r#"{{"method":"{method}","id":1,"jsonrpc":"2.0"}}"#)).await;
        let list = format!(
            r#"{{"result":{{"nextCursor":"x","{member}":[{{"name":"a","x":1.50}},{{"name":"b"}}],"ttl":9}},"id":1,"jsonrpc":"2.0"}}"#
        );
        server.passes(client, &list).await;
        client.passes(server, &format!(r#"{{"method":"{method}","id":1,"jsonrpc":"2.0"}}"#)).await;
        server.say(&format!(r#"{{"result":{{"{member}":[{{"name":"a"}},{{"name":"evil"}},{{"name":"hidden"}}],"ttl":9}},"id":1,"jsonrpc":"2.0"}}"#)).await;
        let shown = format!(r#"{{"id":1,"jsonrpc":"2.0","result":{{"{member}":[{{"name":"a"}}],"ttl":9}}}}"#);
        assert_eq!(client.hear().await, shown);
    }
}

#[tokio::test]
async fn a_list_in_another_spelling_is_withheld() {
    for result in [r#"{"Tools":[{"name":"evil"}]}"#, r#"{"tool\u017f":[]}"#, "{}", r#"{"tools":{}}"#, "[]", "null"] {
        let mut rig = Rig::ready(TOOLS).await;
        let Rig { client, server, .. } = &mut rig;
        client.passes(server, r#"{"method":"tools/list","id":1,"jsonrpc":"2.0"}"#).await;
        server.say(&format!(r#"{{"result":{result},"id":1,"jsonrpc":"2.0"}}"#)).await;
        let answer = client.hear_json().await;
        assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(DENIED), "{result}");
    }
}

#[tokio::test]
async fn instructions_pass_only_as_pinned() {
    for (instructions, shown) in [("be nice", true), ("be evil", false)] {
        let mut rig = Rig::new();
        let Rig { client, server, .. } = &mut rig;
        client.passes(server, INIT).await;
        let answer = format!(
            r#"{{"result":{{"protocolVersion":"2025-06-18","instructions":"{instructions}","capabilities":{{}}}},"jsonrpc":"2.0","id":0}}"#
        );
        server.say(&answer).await;
        let heard = client.hear().await;
        if shown {
            assert_eq!(heard, answer);
        } else {
            assert_eq!(
                heard,
                r#"{"id":0,"jsonrpc":"2.0","result":{"capabilities":{},"protocolVersion":"2025-06-18"}}"#
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_revision_or_spelling_in_the_handshake_is_refused() {
    for result in [
        r#"{"protocolVersion":"2026-07-28","capabilities":{}}"#,
        r#"{"protocolVersion":"2025-06-18","Instructions":"evil"}"#,
        r#"{"protocolVersion":"2025-06-18","in\u017ftructions":"evil"}"#,
        "[]",
    ] {
        let mut rig = Rig::new();
        let Rig { client, server, .. } = &mut rig;
        client.passes(server, INIT).await;
        server.say(&format!(r#"{{"jsonrpc":"2.0","id":0,"result":{result}}}"#)).await;
        assert_eq!(at(&client.hear_json().await, &["error", "code"]).as_i64(), Some(DENIED), "{result}");
        client.say(&call("1", "echo")).await;
        assert!(client.hear().await.contains("not initialised"));
    }
}

#[tokio::test]
async fn hidden_text_is_taken_out_wherever_it_stands() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("1", "echo")).await;
    server.say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"t\u{200b}\",\"progress\":1,\"message\":\"do\u{200b}ne\"}}").await;
    let progress = client.hear_json().await;
    assert_eq!(text(&progress, &["params", "message"]), "done");
    assert_eq!(text(&progress, &["params", "progressToken"]), "t\u{200b}", "tokens pass unchanged");
    server.say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":{\"k\u{e0041}\":[\"x\u{202e}\"]}}}").await;
    assert_eq!(at(&client.hear_json().await, &["params", "data"]).canonical(), br#"{"k":["x"]}"#);
    server.say("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"a\u{200b}\"},{\"type\":\"resource\",\"resource\":{\"text\":\"b\u{200b}\"}},{\"type\":\"new\",\"words\":\"c\u{200b}\"}],\"structuredContent\":{\"d\u{200b}\":1}}}").await;
    assert_eq!(
        client.hear().await,
        r#"{"id":1,"jsonrpc":"2.0","result":{"content":[{"text":"a","type":"text"},{"resource":{"text":"b"},"type":"resource"},{"type":"new","words":"c"}],"structuredContent":{"d":1}}}"#
    );
    client.passes(server, &call("2", "echo")).await;
    server.say("{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,\"message\":\"e\u{200b}\"}}").await;
    assert_eq!(text(&client.hear_json().await, &["error", "message"]), "e");
    server.say("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"sampling/createMessage\",\"params\":{\"systemPrompt\":\"s\u{200b}\"}}").await;
    let sampling = client.hear().await;
    assert!(sampling.contains("\"systemPrompt\":\"s\""));
    let original = rig.gate.decided().last().unwrap().original;
    assert_eq!(original, callgate_text::Digest::of(sampling.as_bytes()), "what was decided is what is asked");
}

#[tokio::test]
async fn a_result_that_may_not_be_handed_over_is_withheld_by_name() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, &call("1", "echo")).await;
    server.say(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"unfit"}]}}"#).await;
    let answer = client.hear_json().await;
    assert!(text(&answer, &["result", "content", "0", "text"]).starts_with("Withheld: injection_suspected."));
    // Two keys that hidden characters alone tell apart.
    client.passes(server, &call("2", "echo")).await;
    server.say("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"a\":1,\"a\u{200b}\":2}}").await;
    assert!(client.hear().await.contains("result_withheld"));
    server.say(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"unfit"}}"#).await;
    rig.nothing_reaches_the_client().await;
    rig.events(4).await;
    assert_eq!(rig.gate.completed(), [Outcome::Ok, Outcome::Ok]);
}

#[tokio::test]
async fn a_call_is_bound_to_what_is_offered_now() {
    let mut rig = Rig::ready(TOOLS).await;
    let known = rig.gate_offered("1", "echo").await;
    // A later list that the client asked for counts as well.
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, r#"{"method":"tools/list","id":11,"jsonrpc":"2.0"}"#).await;
    server.passes(client, r#"{"jsonrpc":"2.0","id":11,"result":{"tools":[{"name":"echo","changed":1}]}}"#).await;
    let changed = rig.gate_offered("2", "echo").await;
    assert_ne!(known, changed);
    // So does an announced change.
    let Rig { client, server, .. } = &mut rig;
    server.passes(client, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    client.say(&call("3", "echo")).await;
    rig.list_tools(&format!("{TOOLS},{{\"name\":\"two\",\"a\":1}},{{\"name\":\"two\",\"a\":2}}")).await;
    assert!(rig.server.hear().await.contains("tools/call"));
    assert_eq!(rig.gate.decided().last().unwrap().offered, Some(known));
    // Neither a tool in two forms nor one that is not offered is bound to any definition.
    let two = rig.gate_offered("4", "two").await;
    let none = rig.gate_offered("5", "absent").await;
    assert_eq!((two, none), (Offered::Unsettled, Offered::Nothing));
}

#[tokio::test]
async fn pages_are_followed_and_a_server_that_does_not_list_is_bound_to_nothing() {
    let mut rig = Rig::new();
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, INIT).await;
    server
        .passes(
            client,
            r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}}}}"#,
        )
        .await;
    client.passes(server, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    for (page, cursor) in [("{\"name\":\"a\"}", ",\"nextCursor\":\"2\""), ("{\"name\":\"b\"}", "")] {
        let question = server.hear_json().await;
        let id = text(&question, &["id"]);
        server.say(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{"tools":[{page}]{cursor}}}}}"#)).await;
    }
    let a = rig.gate_offered("1", "a").await;
    let b = rig.gate_offered("2", "b").await;
    assert_eq!(b, Offered::Definition(callgate_text::Digest::of(br#"{"name":"b"}"#)));
    assert_ne!(a, b);
    // An error to the door's own question leaves nothing known.
    rig.server.say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    rig.client.hear().await;
    rig.client.say(&call("3", "a")).await;
    let question = rig.server.hear_json().await;
    let id = text(&question, &["id"]).to_owned();
    rig.server.say(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","error":{{"code":1,"message":"no"}}}}"#)).await;
    assert!(rig.server.hear().await.contains("tools/call"), "this gate allows everything");
    assert_eq!(rig.gate.decided().last().unwrap().offered, Some(Offered::Unlisted));
    // The list is due still: the next call asks for it again.
    rig.client.say(&call("4", "a")).await;
    assert!(rig.server.hear().await.contains("tools/list"));
}

#[tokio::test]
async fn a_tool_that_changes_between_decision_and_release_is_decided_anew() {
    let gate = FakeGate { decisions: tokio::sync::Semaphore::new(0), ..FakeGate::default() };
    let mut rig = Rig::with(gate, quick());
    rig.shake_hands(TOOLS).await;
    rig.client.say(&call("1", "echo")).await;
    rig.nothing_reaches_the_server().await;
    let Rig { client, server, gate, .. } = &mut rig;
    server.passes(client, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    gate.decisions.add_permits(10);
    rig.list_tools(r#"{"name":"echo","changed":true}"#).await;
    assert!(rig.server.hear().await.contains("tools/call"));
    let decided = rig.gate.decided();
    assert_eq!(decided.len(), 2);
    assert_ne!(decided[0].offered, decided[1].offered);
    assert_eq!(
        rig.events(3).await.iter().filter(|event| matches!(event, Event::Completed(_, Outcome::NotRun, _))).count(),
        1
    );
}

#[tokio::test]
async fn prompts_are_fetched_only_as_pinned() {
    let mut rig = Rig::new();
    let Rig { client, server, .. } = &mut rig;
    client.passes(server, INIT).await;
    server
        .passes(
            client,
            r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"prompts":{}}}}"#,
        )
        .await;
    client.passes(server, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    let question = server.hear_json().await;
    assert_eq!(text(&question, &["method"]), "prompts/list");
    let id = text(&question, &["id"]);
    server
        .say(&format!(
            r#"{{"jsonrpc":"2.0","id":"{id}","result":{{"prompts":[{{"name":"good"}},{{"name":"bad","d":"evil"}}]}}}}"#
        ))
        .await;
    client.passes(server, r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"good"}}"#).await;
    server.passes(client, r#"{"jsonrpc":"2.0","id":1,"result":{"messages":[]}}"#).await;
    for name in ["bad", "absent"] {
        client.say(&format!(r#"{{"jsonrpc":"2.0","id":2,"method":"prompts/get","params":{{"name":"{name}"}}}}"#)).await;
        let answer = client.hear_json().await;
        assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(DENIED));
        assert!(text(&answer, &["error", "message"]).contains("tool_changed"));
    }
    rig.nothing_reaches_the_server().await;
}

impl Rig {
    /// Calls a tool and says to which definition the call was bound.
    async fn gate_offered(&mut self, id: &str, name: &str) -> Offered {
        self.client.say(&call(id, name)).await;
        assert!(self.server.hear().await.contains("tools/call"));
        self.gate.decided().last().unwrap().offered.unwrap()
    }
}

/// Only what is no text may pass unseen, wherever it claims to stand.
#[tokio::test]
async fn text_does_not_hide_behind_the_name_of_a_token_or_a_payload() {
    let mut rig = Rig::ready(TOOLS).await;
    let Rig { client, server, .. } = &mut rig;
    for (id, hidden) in [
        (1, r#""requestId":"un\u200bseen""#),
        (2, r#""progressToken":"un\u200bseen""#),
        (3, r#""type":"image","mimeType":"image/png","data":"un\u200bseen""#),
        (4, r#""mimeType":"text/plain","data":"unfit""#),
        (5, r#""blob":"un fit un\u200bseen""#),
    ] {
        client.passes(server, &call(&id.to_string(), "echo")).await;
        server.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"structuredContent":{{{hidden}}}}}}}"#)).await;
        let heard = client.hear().await;
        assert!(heard.contains("unseen") || heard.contains("Withheld"), "{heard}");
    }
    client.passes(server, &call("6", "echo")).await;
    let image =
        r#"{"jsonrpc":"2.0","id":6,"result":{"content":[{"type":"image","mimeType":"image/png","data":"unfit+/="}]}}"#;
    server.passes(client, image).await;
}

/// While the new list is on its way for one call, another that was bound to the old one is not released.
#[tokio::test]
async fn a_call_is_not_released_while_the_list_is_read_anew() {
    let gate = FakeGate { decisions: tokio::sync::Semaphore::new(0), ..FakeGate::default() };
    let mut rig = Rig::with(gate, quick());
    rig.shake_hands(TOOLS).await;
    rig.client.say(&call("1", "echo")).await;
    rig.nothing_reaches_the_server().await;
    let Rig { client, server, .. } = &mut rig;
    server.passes(client, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    client.say(&call("2", "echo")).await;
    let question = server.hear_json().await;
    assert_eq!(text(&question, &["method"]), "tools/list");
    rig.gate.decisions.add_permits(10);
    assert!(matches!(rig.events(2).await[1], Event::Completed(_, Outcome::NotRun, _)));
    rig.nothing_reaches_the_server().await;
    let id = text(&question, &["id"]);
    rig.server
        .say(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{"tools":[{{"name":"echo","new":1}}]}}}}"#))
        .await;
    for id in [1, 2] {
        assert_eq!(at(&rig.server.hear_json().await, &["id"]).as_i64(), Some(id));
    }
    let offered: Vec<_> = rig.gate.decided().iter().map(|request| request.offered).collect();
    assert!(offered.len() == 3 && offered[1] == offered[2] && offered[0] != offered[1]);
}
