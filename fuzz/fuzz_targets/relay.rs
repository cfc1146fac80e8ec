//! The MCP door between a client and a server that say anything. Each line of the input is said by one side, which
//! its first byte names. Nothing is permitted, so no call reaches the server and no question the client, whatever
//! either says and in whatever era; and the relay ends when both are gone.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "serde_json is the other parser here")]

use std::sync::Arc;
use std::time::Duration;

use callgate_core::gate::{Observed, Passing};
use callgate_core::seam::{Later, Offer, Standing};
use callgate_core::{CallFault, Code, Completion, Reason, Receipt, Request, ServerName};
use callgate_doors::mcp::{Limits, Relay, relay_over};
use callgate_doors::{Operations, Ruling};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Denies everything and shows everything.
struct Closed;

impl Operations for Closed {
    fn decide(&self, _: Result<Request, CallFault>) -> Later<'_, Ruling> {
        Box::pin(async { Ruling::unreachable(&Reason::new(Code::NotPermitted, "nothing is permitted")) })
    }

    fn complete(&self, _: Completion) -> Later<'_, Result<Receipt, Reason>> {
        Box::pin(async { Ok(Receipt { log: String::new(), index: 0 }) })
    }

    fn standing(&self, _: ServerName, offers: Vec<Offer>) -> Later<'_, Result<Vec<Standing>, Reason>> {
        Box::pin(async move { Ok(vec![Standing::Shown; offers.len()]) })
    }

    fn observe(&self, texts: Vec<Passing>) -> Later<'_, Result<Vec<Observed>, Reason>> {
        Box::pin(async move { Ok(vec![Observed::Unchanged; texts.len()]) })
    }
}

/// What is decided, by the side that hears it.
const DECIDED: [&str; 6] = [
    "tools/call",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
];
const ASKED: [&str; 3] = ["sampling/createMessage", "elicitation/create", "roots/list"];

fn method(line: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(line).expect("what the relay says is JSON");
    message["method"].as_str().map(str::to_owned)
}

async fn talk(input: &[u8]) {
    let (client, client_door) = tokio::io::duplex(1 << 20);
    let (server, server_door) = tokio::io::duplex(1 << 20);
    let limits = Limits {
        from_client: 4 << 10,
        from_server: 4 << 10,
        call: None,
        listing: Duration::from_millis(50),
        grace: Duration::from_millis(50),
        flush: Duration::from_secs(5),
        ..Limits::default()
    };
    let relay = Relay { server: "srv".parse().expect("a name"), session: None, command: Vec::new(), limits };
    let ends = (tokio::io::split(client_door), tokio::io::split(server_door));
    let relay = tokio::spawn(relay_over(relay, Arc::new(Closed), ends.0, ends.1, std::future::pending()));
    let ((mut from_door, mut to_door), (mut at_server, mut by_server)) =
        (tokio::io::split(client), tokio::io::split(server));
    for line in input.split(|byte| *byte == b'\n') {
        let Some((side, line)) = line.split_first() else { continue };
        let said = [line, b"\n"].concat();
        // A side that has left says nothing more.
        let _ = match side {
            b's' => by_server.write_all(&said).await,
            _ => to_door.write_all(&said).await,
        };
        tokio::task::yield_now().await;
    }
    drop((to_door.shutdown().await, by_server.shutdown().await));
    let (mut told, mut asked) = (Vec::new(), Vec::new());
    let heard = async { tokio::join!(from_door.read_to_end(&mut told), at_server.read_to_end(&mut asked)) };
    let (read, _) = tokio::join!(heard, async { relay.await.expect("does not panic").expect("has randomness") });
    drop(read);
    for line in asked.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(!method(line).is_some_and(|method| DECIDED.contains(&method.as_str())), "a call reached the server");
    }
    for line in told.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(!method(line).is_some_and(|method| ASKED.contains(&method.as_str())), "a question reached the client");
        let message: Value = serde_json::from_slice(line).expect("JSON");
        let kind = message["result"]["resultType"].as_str();
        assert_ne!(kind, Some("input_required"), "a question reached the client in an answer: {message}");
    }
}

fuzz_target!(|input: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(talk(input));
});
