//! A hostile agent at full speed never denies another agent's call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use callgate_core::{Decision, Request};
use callgate_doors::Operations;
use callgate_text::{Digest, Json, Object};

use crate::house::House;
use crate::wire::{Wire, secret, serve_http};

fn request(tool: &str, name: &str, value: String) -> Request {
    let arguments: Object = [(name.to_owned(), Json::from(value))].into_iter().collect();
    Request {
        tool: tool.parse().expect("a tool"),
        session: None,
        arguments: Some(arguments),
        members: Object::default(),
        original: Digest::of(b"frame"),
        offered: None,
        host_call: None,
        cwd: None,
    }
}

#[test]
fn a_hostile_agent_at_full_speed_never_denies_another_agents_call() {
    let house = House::quickstart();
    let _serve = house.serve();
    house.token("engineer-1");
    house.token("support-1");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (floods, denied) = runtime.block_on(async {
        let flooded = Arc::new(AtomicU64::new(0));
        let mut hostile = tokio::task::JoinSet::new();
        for door in 0..24 {
            let (client, flooded) = (Arc::new(house.client("engineer-1")), flooded.clone());
            // Small calls, and ones as large as a call may be; allowed, denied and malformed.
            let value = if door % 6 == 0 { "x".repeat(900_000) } else { "git status".to_owned() };
            for _ in 0..8 {
                let (client, flooded, value) = (client.clone(), flooded.clone(), value.clone());
                hostile.spawn(async move {
                    loop {
                        let _ = client.decide(Ok(request("shell.terminal", "command", value.clone()))).await;
                        flooded.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
        // And connections that never greet, as many as the kernel gives.
        for _ in 0..4 {
            let path = house.client("engineer-1").path().to_owned();
            hostile.spawn(async move {
                let mut held = std::collections::VecDeque::new();
                loop {
                    match tokio::net::UnixStream::connect(&path).await {
                        Ok(stream) => held.push_back(stream),
                        Err(_) => tokio::task::yield_now().await,
                    }
                    if held.len() > 100 {
                        held.pop_front();
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut client = house.client("support-1");
        let mut denied = Vec::new();
        for call in 0..100 {
            if call % 10 == 0 {
                // A new door.
                client = house.client("support-1");
            }
            let ruling = client.decide(Ok(request("desk.read_ticket", "id", "T-1".to_owned()))).await;
            if ruling.decision != Decision::Allow {
                denied.push(ruling.for_model);
            }
        }
        hostile.abort_all();
        (flooded.load(Ordering::Relaxed), denied)
    });
    assert!(denied.is_empty(), "{} of 100 calls denied: {denied:?}", denied.len());
    assert!(floods > 200, "the flood was only {floods} calls");
}

/// The same over HTTP: calls, bodies as large as they may be, connections that say nothing, and callers who are nobody.
#[test]
fn a_hostile_agent_at_full_speed_over_http_never_denies_another_agents_call() {
    let house = House::quickstart();
    let (_serve, address) = serve_http(&house, &["--http", "127.0.0.1:0"]);
    let (hostile, honest) = (secret(house.token("engineer-1")), secret(house.token("support-1")));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (floods, denied) = runtime.block_on(async {
        let flooded = Arc::new(AtomicU64::new(0));
        let mut flood = tokio::task::JoinSet::new();
        for door in 0..48 {
            let flooded = flooded.clone();
            let token = if door % 8 == 7 { "cgt_nobody".to_owned() } else { hostile.clone() };
            let value = if door % 8 == 6 { "x".repeat(900_000) } else { "git status".to_owned() };
            let call = format!("{{\"tool\":\"shell.terminal\",\"arguments\":{{\"command\":\"{value}\"}}}}");
            flood.spawn(async move {
                loop {
                    let Ok(mut wire) = Wire::open(address).await else { continue };
                    while wire.post(&token, "/v1/decide", &call).await.is_ok() {
                        flooded.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for _ in 0..4 {
            flood.spawn(async move {
                let mut held = std::collections::VecDeque::new();
                loop {
                    match tokio::net::TcpStream::connect(address).await {
                        Ok(stream) => held.push_back(stream),
                        Err(_) => tokio::task::yield_now().await,
                    }
                    if held.len() > 100 {
                        held.pop_front();
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let call = r#"{"tool":"desk.read_ticket","arguments":{"id":"T-1"}}"#;
        let mut denied = Vec::new();
        for turn in 0..10 {
            // A new door. All of this runs as one user, among whose silent connections the oldest gives way: a door that
            // is shut before its first answer is tried again, as the socket's client does.
            let mut tries = 0;
            let (mut wire, first) = loop {
                tries += 1;
                assert!(tries <= 20, "no door stays open");
                let mut wire = Wire::open(address).await.expect("connects");
                if let Ok(first) = wire.post(&honest, "/v1/decide", call).await {
                    break (wire, first);
                }
            };
            let mut answers = vec![Ok(first)];
            for _ in 1..10 {
                answers.push(wire.post(&honest, "/v1/decide", call).await);
            }
            let is_allowed = |answer: &std::io::Result<(u16, String)>| {
                answer.as_ref().is_ok_and(|(status, text)| *status == 200 && text.contains("\"decision\":\"allow\""))
            };
            denied.extend(
                answers.iter().filter(|answer| !is_allowed(answer)).map(|answer| format!("{turn}: {answer:?}")),
            );
        }
        flood.abort_all();
        (flooded.load(Ordering::Relaxed), denied)
    });
    assert!(denied.is_empty(), "{} of 100 calls denied: {denied:?}", denied.len());
    assert!(floods > 100, "only {floods} calls flooded");
}
