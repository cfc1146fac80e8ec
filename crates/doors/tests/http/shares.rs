//! An agent has one share, whatever the doors through which it comes.

use std::sync::Arc;

use callgate_core::Decision;
use callgate_doors::http::Limits;
use callgate_doors::socket::{Access, Client, Greeting, Listening, Server, Services};
use callgate_doors::{Lanes, Operations};

use crate::harness::*;
use crate::world::request;

#[tokio::test]
async fn one_agents_work_is_bounded_over_all_its_connections() {
    let rig = Rig::sharing(Limits::default(), Arc::new(Lanes::new(4, 64)));
    rig.world.disk.forget_permits(1_000_000);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut wire = rig.connect().await;
        asking.spawn(async move { wire.post("greedy", "/v1/decide", &echo()).await.said().1 });
    }
    let world = rig.world.clone();
    eventually("its share is used up", move || world.waiting.lock().unwrap().0 == 4).await;
    // Another agent waits for the disk alone.
    let mut wire = rig.connect().await;
    asking.spawn(async move { wire.post("agent-2", "/v1/decide", &echo()).await.said().1 });
    let world = rig.world.clone();
    eventually("the other's call is under way", move || world.waiting.lock().unwrap().0 == 5).await;
    rig.world.disk.add_permits(1_000_000);
    while let Some(said) = asking.join_next().await {
        assert_eq!(said.unwrap(), "allow");
    }
    assert_eq!(rig.world.waiting.lock().unwrap().1, 5);
}

#[tokio::test]
async fn the_socket_and_http_have_one_share_together() {
    let rig = Rig::sharing(Limits::default(), Arc::new(Lanes::new(64, 2)));
    let mut wire = rig.connect().await;
    assert_eq!(wire.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow");
    let mut second = rig.connect().await;
    assert_eq!(second.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow");
    let mut third = rig.connect().await;
    third.post("agent-1", "/v1/decide", &echo()).await.denies(429, "rate_exceeded");
    assert!(third.is_over().await);
    assert_eq!(rig.post("agent-2", "/v1/decide", &echo()).await.said().1, "allow");

    // The same two places, at a socket that shares them.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gate.sock");
    let services = Services { gate: rig.gate.clone(), identify: rig.world.clone(), operator: rig.world.clone() };
    let limits = callgate_doors::socket::Limits { connections_per_agent: 2, ..Default::default() };
    let socket = Server::new(Listening::bind(&path, Access::Owner).unwrap(), services, limits);
    let shared = Rig::sharing(Limits::default(), socket.lanes());
    let serving = tokio::spawn(socket.run(std::future::pending()));
    let client = || Client::new(&path, Greeting { token: Some("agent-1".to_owned()), ..Greeting::default() });
    let (one, two) = (client(), client());
    for client in [&one, &two] {
        assert_eq!(client.decide(Ok(request("srv.echo"))).await.decision, Decision::Allow);
    }
    shared.post("agent-1", "/v1/decide", &echo()).await.denies(429, "rate_exceeded");
    assert_eq!(shared.post("agent-2", "/v1/decide", &echo()).await.said().1, "allow");
    drop(one);
    for _ in 0..200 {
        if shared.post("agent-1", "/v1/decide", &echo()).await.status == 200 {
            serving.abort();
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the socket's place was never free again");
}
