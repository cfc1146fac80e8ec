//! Whatever a client says, in whatever order and era: where nothing is permitted, the server hears nothing of it
//! but what the protocol itself needs.

use callgate_text::Json;
use proptest::prelude::*;

use crate::harness::*;

/// What an agent would tell a server that conspires with it.
const SECRET: &str = "secret";

const METHODS: [&str; 26] = [
    "initialize",
    "ping",
    "logging/setLevel",
    "server/discover",
    "subscriptions/listen",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "tasks/result",
    "tasks/list",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "secret/method",
];

/// Where a secret may be put. Ids, progress tokens, and what a client says of itself, are bounded elsewhere.
fn member() -> impl Strategy<Value = (&'static str, Json)> {
    let elicited = Json::object([("action", Json::from("accept")), ("content", Json::object([("x", SECRET)]))]);
    let filter = |key: &'static str, value: Json| Json::object([(key, value)]);
    let texts = || Json::Array(vec![Json::from(SECRET)]);
    prop_oneof![
        prop::sample::select(vec![
            "name",
            "uri",
            "cursor",
            "taskId",
            "level",
            "requestState",
            "reason",
            "message",
            "secret",
            "task",
            "URI",
            "inputResponses",
            "arguments",
            "argument",
            "ref",
            "context",
            "notifications",
            "status",
            "protocolVersion",
        ])
        .prop_map(|key| (key, Json::from(SECRET))),
        prop::sample::select(vec!["arguments", "inputResponses", "task", "ref", "argument", "notifications", "secret"])
            .prop_map(|key| (key, Json::object([(SECRET, SECRET)]))),
        Just(("inputResponses", Json::object([("a", elicited)]))),
        Just(("notifications", filter("resourceSubscriptions", texts()))),
        Just(("notifications", filter("taskIds", texts()))),
        Just(("notifications", filter("toolsListChanged", Json::Bool(true)))),
        Just(("notifications", filter("toolsListChanged", Json::from(SECRET)))),
        Just(("name", Json::from("echo"))),
        Just(("level", Json::from("info"))),
    ]
}

fn meta() -> impl Strategy<Value = (&'static str, Json)> {
    prop_oneof![
        Just(("io.modelcontextprotocol/protocolVersion", Json::from("2026-07-28"))),
        Just(("io.modelcontextprotocol/protocolVersion", Json::from(SECRET))),
        Just(("io.modelcontextprotocol/clientCapabilities", Json::object::<&str, Json>([]))),
        Just(("io.modelcontextprotocol/logLevel", Json::from("info"))),
        prop::sample::select(vec![
            "io.modelcontextprotocol/logLevel",
            "io.modelcontextprotocol/subscriptionId",
            "io.modelcontextprotocol/related-task",
            "traceparent",
            "tracestate",
            "baggage",
            "vendor/x",
        ])
        .prop_map(|key| (key, Json::from(SECRET))),
    ]
}

/// A line of the client. Most say what makes them messages of an era, so that they get further than the first check.
fn line() -> impl Strategy<Value = String> {
    let method = prop::sample::select(METHODS.to_vec());
    let members = prop::collection::btree_map(any::<u8>(), member(), 0..3);
    let metas = prop::collection::btree_map(any::<u8>(), meta(), 0..3);
    (method, any::<u16>(), members, metas, 0..3_u8, prop::bool::weighted(0.1)).prop_map(
        |(method, id, members, metas, era, beside)| {
            let mut params = callgate_text::Object::default();
            for (key, value) in members.into_values() {
                params.set(key, value);
            }
            let mut meta = callgate_text::Object::default();
            for (key, value) in metas.into_values() {
                meta.set(key, value);
            }
            if era > 0 {
                meta.set("io.modelcontextprotocol/protocolVersion", "2026-07-28");
                meta.set("io.modelcontextprotocol/clientCapabilities", callgate_text::Object::default());
            }
            if !meta.is_empty() {
                params.set("_meta", meta);
            }
            let mut message = vec![("jsonrpc", Json::from("2.0")), ("method", Json::from(method))];
            if !method.starts_with("notifications/") {
                message.push(("id", Json::integer(i64::from(id))));
            }
            if !params.is_empty() {
                message.push(("params", Json::Object(params)));
            }
            if beside {
                message.push(("beside", Json::from(SECRET)));
            }
            String::from_utf8(Json::object(message).canonical()).unwrap()
        },
    )
}

/// How the session begins.
#[derive(Clone, Copy, Debug)]
enum Begins {
    Somehow,
    Handshake,
    Stateless,
}

async fn heard(begins: Begins, lines: &[String]) -> Vec<String> {
    let mut rig = Rig::new();
    match begins {
        Begins::Somehow => {}
        Begins::Handshake => rig.shake_hands(TOOLS).await,
        Begins::Stateless => rig.discover(TOOLS).await,
    }
    rig.gate.forbid("*");
    for line in lines {
        rig.client.say(line).await;
    }
    rig.client.hang_up().await;
    let mut heard = Vec::new();
    // The server answers everything, so that nothing waits for it; its lists and tasks are empty.
    while let Some(line) = rig.server.try_hear().await {
        let message = Json::parse(line.as_bytes()).unwrap();
        if let Some(id) = message.get("id") {
            let result = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"protocolVersion":"2025-11-25","capabilities":{},"tools":[],"prompts":[],"resources":[],"resourceTemplates":[],"tasks":[]}"#;
            let id = String::from_utf8(id.canonical()).unwrap();
            rig.server.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)).await;
        }
        heard.push(line);
    }
    heard
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if std::env::var_os("CALLGATE_LONG").is_some() { 5_000 } else { 256 }, ..ProptestConfig::default() })]
    #[test]
    fn nothing_reaches_a_server_past_policy(
        begins in prop::sample::select(vec![Begins::Somehow, Begins::Handshake, Begins::Stateless]),
        lines in prop::collection::vec(line(), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let heard = runtime.block_on(heard(begins, &lines));
        for line in heard {
            // A handshake tells what it tells once, and as much as it may; a cancellation gives a reason in words.
            let tells = ["\"initialize\"", "notifications/cancelled", "notifications/progress"].iter().any(|method| line.contains(method));
            prop_assert!(tells || !line.contains(SECRET), "{}", line);
        }
    }
}
