//! Peers that are slow, silent or many.

use std::time::Duration;

use callgate_doors::http::Limits;
use tokio::time::Instant;

use crate::harness::*;

fn brisk() -> Limits {
    Limits {
        head: Duration::from_millis(300),
        idle: Duration::from_millis(900),
        body: Duration::from_millis(300),
        unread: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_head_that_trickles_is_not_waited_for() {
    let rig = Rig::with(brisk());
    for first in ["", "GET /healthz HTTP/1.1\r\n"] {
        let mut wire = rig.connect().await;
        wire.say(first).await;
        let began = Instant::now();
        let over = async { wire.is_over().await };
        tokio::pin!(over);
        loop {
            tokio::select! {
                over = &mut over => { assert!(over); break }
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    assert!(began.elapsed() < Duration::from_secs(10), "still waited for");
                }
            }
        }
    }
    // A byte now and then is no better.
    let mut wire = rig.connect().await;
    let mut cut = false;
    for byte in "GET /healthz HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".bytes() {
        use tokio::io::AsyncWriteExt;
        if wire.stream.write_all(&[byte]).await.is_err() {
            cut = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(cut || wire.is_over().await);
    // Nor behind a request that was answered.
    let mut wire = rig.connect().await;
    assert_eq!(wire.get("", "/healthz").await.status, 200);
    let began = Instant::now();
    wire.say("GET /healthz").await;
    assert!(wire.is_over().await);
    assert!(began.elapsed() < brisk().idle, "that is a head, and not an idle connection");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_denial_and_recorded() {
    let rig = Rig::with(brisk());
    let mut wire = rig.connect().await;
    wire.say(&format!(
        "POST /v1/decide HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer agent-1\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{",
        rig.address
    ))
    .await;
    wire.heard("POST", "/v1/decide").await.denies(408, "invalid_arguments");
    assert!(wire.is_over().await);
    assert_eq!(rig.records(), 1);
}

#[tokio::test]
async fn an_idle_connection_ends_and_one_in_use_does_not() {
    let rig = Rig::with(brisk());
    let mut wire = rig.connect().await;
    for _ in 0..3 {
        assert_eq!(wire.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow");
        // Longer than a head may take, and not as long as a connection may be idle.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // A request that takes longer than a connection may be idle is not idle.
    rig.world.disk.forget_permits(1_000_000);
    let world = rig.world.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        world.disk.add_permits(1_000_000);
    });
    assert_eq!(wire.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow");
    assert!(wire.is_over().await, "idle, and over");
}

#[tokio::test]
async fn a_reader_that_stalls_is_cut() {
    let rig = Rig::with(brisk());
    let mut wire = rig.connect().await;
    // More answers than the kernel holds for somebody who reads none of them.
    let one = format!("GET /openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", rig.address);
    use tokio::io::AsyncWriteExt;
    let cut = tokio::time::timeout(Duration::from_secs(20), async {
        while wire.stream.write_all(one.repeat(100).as_bytes()).await.is_ok() {}
    });
    assert!(cut.await.is_ok(), "it goes on writing");
    eventually("its place is free", || rig.attendance.now().waiting == 0).await;
}

#[tokio::test]
async fn connecting_without_a_credential_keeps_nobody_out() {
    let rig = Rig::with(Limits { waiting: 16, waiting_per_uid: 8, ..Limits::default() });
    let mut known = rig.connect().await;
    assert_eq!(known.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow");
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(rig.connect().await);
    }
    assert_eq!(rig.post("agent-2", "/v1/decide", &echo()).await.said().1, "allow");
    assert!(silent[0].is_over().await, "the eldest has given way");
    assert_eq!(known.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow", "who has a seat keeps it");
    // What has no credential takes no seat, however often it asks.
    let before = rig.attendance.now().seated;
    let youngest = silent.last_mut().unwrap();
    youngest.post("no!agent", "/v1/decide", &echo()).await.denies(401, "unknown_agent");
    assert_eq!(youngest.get("", "/healthz").await.status, 200);
    assert_eq!(rig.attendance.now().seated, before);
}

#[tokio::test]
async fn the_last_places_are_for_who_has_none_and_for_the_operator() {
    let rig = Rig::with(Limits { connections: 8, ..Limits::default() });
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut wire = rig.connect().await;
        assert_eq!(wire.post("greedy", "/v1/decide", &echo()).await.status, 200);
        held.push(wire);
    }
    let mut seventh = rig.connect().await;
    seventh.post("greedy", "/v1/decide", &echo()).await.denies(503, "internal");
    assert!(seventh.is_over().await);
    for agent in ["agent-2", "agent-3"] {
        let mut wire = rig.connect().await;
        assert_eq!(wire.post(agent, "/v1/decide", &echo()).await.status, 200);
        held.push(wire);
    }
    rig.post("agent-4", "/v1/decide", &echo()).await.denies(503, "internal");
    assert_eq!(rig.get(OPERATOR, "/metrics").await.status, 200);
    held.pop();
    eventually("a seat is free", || rig.attendance.now().seated == 7).await;
    assert_eq!(rig.post("agent-4", "/v1/decide", &echo()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_connections_delays_and_denies_no_new_door() {
    let rig = Rig::new();
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let address = rig.address;
        flood.spawn(async move {
            let mut held = std::collections::VecDeque::new();
            loop {
                match tokio::net::TcpStream::connect(address).await {
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
        assert_eq!(rig.post("honest", "/v1/decide", &echo()).await.said().1, "allow");
    }
    flood.abort_all();
}

#[tokio::test]
async fn stopping_lets_what_is_under_way_finish_and_takes_nothing_more() {
    let mut rig = Rig::new();
    let mut idle = rig.connect().await;
    assert_eq!(idle.post("agent-2", "/v1/decide", &echo()).await.status, 200);
    let mut silent = rig.connect().await;
    rig.world.disk.forget_permits(1_000_000);
    let mut wire = rig.connect().await;
    let deciding = tokio::spawn(async move {
        let reply = wire.post("agent-1", "/v1/decide", &echo()).await;
        (reply.said().1, wire.is_over().await)
    });
    let world = rig.world.clone();
    eventually("it waits for the disk", move || world.waiting.lock().unwrap().0 == 1).await;
    rig.tell_to_stop();
    assert!(idle.is_over().await);
    assert!(tokio::net::TcpStream::connect(rig.address).await.is_err());
    rig.world.disk.add_permits(1_000_000);
    assert_eq!(deciding.await.unwrap(), ("allow".to_owned(), true));
    rig.stopped().await;
    assert!(silent.is_over().await);
}
