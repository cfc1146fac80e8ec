//! Peers that connect and connect.

use std::time::Duration;

use callgate_core::Decision;
use callgate_doors::Operations;
use callgate_doors::socket::Limits;
use callgate_text::Json;

use crate::harness::*;

#[tokio::test]
async fn connections_of_one_agent_are_bounded() {
    let rig = Rig::with(Limits { connections_per_agent: 2, ..Limits::default() });
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut raw = rig.raw().await;
        raw.greet("agent-1").await;
        held.push(raw);
    }
    let mut third = rig.raw().await;
    third.say(br#"{"hello":{"protocol":1,"token":"agent-1"}}"#).await;
    assert!(third.hear().await.unwrap().contains("too many connections"));
    assert_eq!(third.hear().await, None);
    rig.raw().await.greet("agent-2").await;
    held.pop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.raw().await.greet("agent-1").await;
}

#[tokio::test]
async fn the_last_places_are_for_who_has_none_and_for_the_operator() {
    let rig = Rig::with(Limits { connections: 8, ..Limits::default() });
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut raw = rig.raw().await;
        raw.greet("greedy").await;
        held.push(raw);
    }
    let mut seventh = rig.raw().await;
    seventh.say(br#"{"hello":{"protocol":1,"token":"greedy"}}"#).await;
    assert_eq!(seventh.hear().await, None, "three quarters are the most that one may have");
    for agent in ["agent-2", "agent-3"] {
        let mut raw = rig.raw().await;
        raw.greet(agent).await;
        held.push(raw);
    }
    let mut last = rig.raw().await;
    last.say(br#"{"hello":{"protocol":1,"token":"agent-4"}}"#).await;
    assert_eq!(last.hear().await, None);
    // The tests run as the gate's own user, so without a token they are the operator.
    assert!(rig.client(None).ask("status", Json::Null).await.is_ok());
    held.pop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.raw().await.greet("agent-4").await;
}

#[tokio::test]
async fn connecting_without_greeting_keeps_nobody_out() {
    let rig = Rig::with(Limits { greeting: 16, greeting_per_uid: 8, ..Limits::default() });
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(rig.raw().await);
    }
    rig.raw().await.greet("honest").await;
    // The eldest have given way, long before the time for a greeting is over.
    assert_eq!(silent[0].hear().await, None);
    let youngest = silent.last_mut().unwrap();
    youngest.greet("honest").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_connections_delays_and_denies_no_new_door() {
    let rig = Rig::new();
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let path = rig.path.clone();
        flood.spawn(async move {
            let mut held = std::collections::VecDeque::new();
            loop {
                match tokio::net::UnixStream::connect(&path).await {
                    Ok(stream) => held.push_back(stream),
                    Err(_) => tokio::task::yield_now().await,
                }
                if held.len() > 60 {
                    held.pop_front();
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    for _ in 0..30 {
        let client = rig.client(Some("honest"));
        assert_eq!(client.decide(Ok(request("srv.echo"))).await.decision, Decision::Allow);
    }
    assert!(rig.client(None).ask("status", Json::Null).await.is_ok());
    flood.abort_all();
}

/// What another process calls a fault is told to a model: nothing in it may hide from a reader.
#[tokio::test]
async fn a_reported_fault_hides_nothing() {
    let rig = Rig::new();
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    raw.say("{\"id\":1,\"op\":\"decide\",\"body\":{\"fault\":\"bad\u{e0041}\u{202e}\u{200b} call\"}}".as_bytes()).await;
    let answer = raw.hear().await.unwrap();
    assert!(answer.contains("bad call") && answer.contains("invalid_arguments"), "{answer}");
}
