//! With a gate that allows everything, both sides see what they would see directly.

use callgate_doors::mcp::{Message, Shape};
use callgate_text::Json;
use proptest::prelude::*;

use crate::harness::*;

/// A JSON text, with white space and escapes as a careless writer sets them.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i32>().prop_map(|number| number.to_string()),
        prop::sample::select(vec!["1.50", "0.1", "1E2", "-0.25", "5e-7", "100000000000000000000"])
            .prop_map(str::to_owned),
        string(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {} ]", items.join(" ,"))),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().rev().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
                format!("{{{}\t}}", members.join(", "))
            }),
        ]
    })
}

fn string() -> impl Strategy<Value = String> {
    ("[a-zA-Z0-9 äß日{}\\[\\],:]{0,12}", any::<bool>()).prop_map(|(text, escaped)| {
        if escaped { format!("\"{text}\\u0041\\/\\n\\ud83d\\ude00\"") } else { format!("\"{text}\"") }
    })
}

/// Members in an arbitrary order, with unknown ones among them.
fn object(known: Vec<(&'static str, String)>, unknown: Vec<String>, seed: usize) -> String {
    let mut members: Vec<String> = known.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    members.extend(unknown.into_iter().enumerate().map(|(index, value)| format!("\"x{index}\" : {value}")));
    let length = members.len();
    members.rotate_left(seed % length);
    if seed & 64 == 0 {
        members.reverse();
    }
    format!("{{{}}}", members.join(" , "))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_valid_message_passes_as_it_is(
        values in prop::collection::vec(json(), 6),
        extra in prop::collection::vec(json(), 0..3),
        arguments in prop::collection::btree_map("[a-z]{1,6}", json(), 0..4),
        id in prop_oneof![any::<i32>().prop_map(|id| id.to_string()), "[a-z0-9-]{1,12}".prop_map(|id| format!("\"{id}\""))],
        seed in 0usize..128,
    ) {
        let arguments: Vec<String> = arguments.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let arguments = format!("{{{}}}", arguments.join(","));
        let version = || ("jsonrpc", "\"2.0\"".to_owned());
        let params = object(vec![("name", "\"echo\"".to_owned()), ("arguments", arguments), ("_meta", format!("{{\"progressToken\":1,\"k\":{}}}", values[0]))], vec![], seed);
        let call = object(vec![version(), ("id", id.clone()), ("method", "\"tools/call\"".to_owned()), ("params", params)], vec![], seed);
        let result = object(vec![version(), ("id", id.clone()), ("result", object(vec![("content", "[]".to_owned()), ("structuredContent", values[1].clone())], extra.clone(), seed))], extra.clone(), seed);
        let ping = object(vec![version(), ("id", id.clone()), ("method", "\"ping\"".to_owned()), ("params", object(vec![("_meta", "{ }".to_owned())], vec![], seed))], vec![], seed);
        let pong = object(vec![version(), ("id", id.clone()), ("result", values[2].clone())], extra.clone(), seed);
        let told = object(vec![version(), ("method", "\"notifications/message\"".to_owned()), ("params", object(vec![("data", values[3].clone())], extra.clone(), seed))], extra.clone(), seed);
        let told_back = object(vec![version(), ("method", "\"notifications/progress\"".to_owned()), ("params", object(vec![("progress", "0.50".to_owned()), ("progressToken", id.clone())], vec![], seed))], vec![], seed);
        let asked = object(vec![version(), ("id", id.clone()), ("method", "\"sampling/createMessage\"".to_owned()), ("params", object(vec![("messages", values[4].clone())], extra.clone(), seed))], vec![], seed);
        let answered = object(vec![version(), ("id", id), ("error", object(vec![("code", "-1".to_owned()), ("data", values[5].clone())], extra.clone(), seed))], extra, seed);
        runtime().block_on(async {
            let mut rig = Rig::ready(TOOLS).await;
            let Rig { client, server, .. } = &mut rig;
            client.passes(server, &call).await;
            server.passes(client, &told).await;
            client.passes(server, &told_back).await;
            server.passes(client, &asked).await;
            client.passes(server, &answered).await;
            server.passes(client, &result).await;
            client.passes(server, &ping).await;
            server.passes(client, &pong).await;
        });
    }

    #[test]
    fn no_bytes_of_either_side_break_the_relay(
        client_noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
        server_noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
    ) {
        runtime().block_on(async {
            let mut rig = Rig::ready(TOOLS).await;
            for noise in client_noise {
                rig.client.say_bytes(&noise).await;
                rig.client.say_bytes(b"\n").await;
            }
            for noise in server_noise {
                rig.server.say_bytes(&noise).await;
                rig.server.say_bytes(b"\n").await;
            }
            let Rig { client, server, .. } = &mut rig;
            client.say(r#"{"jsonrpc":"2.0","id":"last","method":"ping"}"#).await;
            assert!(server.hear().await.contains("last"));
            server.say(r#"{"jsonrpc":"2.0","id":"last","result":{}}"#).await;
            while !client.hear().await.contains("last") {}
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What is read from a line is read alike from the bytes that are passed on, and no reader of
    /// lines finds an end within them.
    #[test]
    fn what_passes_is_one_line_with_the_same_meaning(
        text in "[a-z\u{2028}\u{2029}\u{85}\u{e2}\u{c2}é\r ]{0,20}", noise in "[\\PC\r\u{2028}]{0,30}",
    ) {
        let value = Json::from(text.as_str()).canonical();
        let line = format!("{{\"jsonrpc\":\"2.0\",\r\"method\" :\t\"m\",\"params\":{{\"t\":{}}}}}\r", String::from_utf8(value).unwrap());
        let message = Message::read(line.clone().into_bytes(), 1 << 20).unwrap();
        prop_assert_eq!(&Json::parse(&message.bytes).unwrap(), &Json::parse(line.as_bytes()).unwrap());
        let passed = String::from_utf8(message.bytes.clone()).unwrap();
        let ends = ['\r', '\n', '\u{85}', '\u{2028}', '\u{2029}'];
        prop_assert!(!passed.trim_end_matches('\r').contains(ends));
        prop_assert_eq!(message.shape, Shape::Notification { method: "m".to_owned() });
        let _ = Message::read(noise.into_bytes(), 1 << 20);
    }

    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), limit in 0usize..100) {
        let _ = Message::read(bytes, limit);
    }

    #[test]
    fn reading_mangled_messages_never_panics(
        at in 0usize..200, byte in any::<u8>(), cut in 0usize..200,
    ) {
        let mut line = call("\"abc\"", "echo").into_bytes();
        let place = at % line.len();
        line[place] = byte;
        line.truncate(cut.max(1));
        if let Ok(message) = Message::read(line.clone(), 1 << 20) {
            prop_assert_eq!(Json::parse(&message.bytes), Json::parse(&line));
        }
    }
}
