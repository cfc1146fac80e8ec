//! Durable decisions over the socket and over HTTP, beside what the disk alone takes. Run by `cargo bench -p callgate`.
//!
//! Floors are measured in the same run on the same file system: one appended record and its fdatasync,
//! and a bare group commit of 64 records. Ratios mean something elsewhere, absolute times do not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench may fail"
)]

#[path = "shared/floor.rs"]
mod floor;
#[path = "../tests/e2e/house.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod house;
#[path = "../tests/e2e/wire.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod wire;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate_core::{Decision, Request};
use callgate_doors::Operations;
use callgate_doors::socket::Client;
use callgate_text::{Digest, Json, Object};

use floor::{percentile, syncs};
use house::House;
use wire::{Wire, secret, serve_http};

fn main() {
    let house = House::quickstart();
    let config = house.gate().join("callgate.toml");
    let mut text = fs::read_to_string(&config).expect("reads");
    text.push_str("\n[log]\nagent_records_per_minute = 60000000\nagent_bytes_per_minute = 100000000000\n");
    fs::write(config, text).expect("writes");
    let entities = house.gate().join("entities.toml");
    let mut text = fs::read_to_string(&entities).expect("reads");
    // Over HTTP each caller needs a connection, and 64 are all that one agent may have.
    text.push_str("\n[agent.support-2]\nblueprint = \"customer-support\"\n");
    fs::write(entities, text).expect("writes");
    let (serve, address) = serve_http(&house, &["--http", "127.0.0.1:0"]);
    println!("idle gate                    {} MiB resident", resident(serve.0.id()) >> 20);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let client = Arc::new(house.client("support-1"));

    let tokens = ["support-1", "support-2"].map(|agent| secret(house.token(agent)));
    let mut wire = runtime.block_on(Wire::open(address)).expect("connects");

    runtime.block_on(one_caller(&client, 200));
    runtime.block_on(one_caller_over_http(&mut wire, &tokens[0], 200));
    let (mut floors, mut decisions, mut over_http) = (Vec::new(), Vec::new(), Vec::new());
    // Alternating, so that a disk that changes its mind changes all.
    for _ in 0..10 {
        floors.extend(syncs(&house.state(), 1, 50));
        decisions.extend(runtime.block_on(one_caller(&client, 50)));
        over_http.extend(runtime.block_on(one_caller_over_http(&mut wire, &tokens[0], 50)));
    }
    for percent in [50, 99] {
        let floor = percentile(&mut floors, percent);
        let (socket, http) = (percentile(&mut decisions, percent), percentile(&mut over_http, percent));
        println!(
            "one caller, p{percent}              socket {socket:?}, http {http:?} (one fdatasync {floor:?}; added {:?} and {:?})",
            socket.saturating_sub(floor),
            http.saturating_sub(floor),
        );
    }

    let (mut bare, mut through, mut through_http) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    const ROUNDS: usize = 5;
    const EACH: usize = 100;
    for _ in 0..ROUNDS {
        bare += syncs(&house.state(), 64, EACH).iter().sum::<Duration>();
        through += runtime.block_on(many_callers(&house, 64, EACH));
        through_http += runtime.block_on(many_callers_over_http(address, &tokens, 64, EACH));
    }
    let rate = |took: Duration| (ROUNDS * EACH * 64) as f64 / took.as_secs_f64();
    println!(
        "64 callers                   socket {:.0}, http {:.0} decisions/s (bare group commit of 64: {:.0} records/s, ratios {:.2} and {:.2})",
        rate(through),
        rate(through_http),
        rate(bare),
        rate(through) / rate(bare),
        rate(through_http) / rate(bare),
    );
}

fn request() -> Request {
    let arguments: Object = [("id".to_owned(), Json::from("T-1"))].into_iter().collect();
    Request {
        tool: "desk.read_ticket".parse().expect("a tool"),
        session: None,
        arguments: Some(arguments),
        members: Object::default(),
        original: Digest::of(b"frame"),
        offered: None,
        host_call: None,
        cwd: None,
    }
}

async fn decide(client: &Client) {
    let ruling = client.decide(Ok(request())).await;
    assert_eq!(ruling.decision, Decision::Allow, "{}", ruling.for_model);
}

async fn one_caller(client: &Client, times: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        decide(client).await;
        took.push(start.elapsed());
    }
    took
}

/// So many callers over 16 connections, each with `times` decisions; how long all of them took.
async fn many_callers(house: &House, callers: usize, times: usize) -> Duration {
    let clients: Vec<_> = (0..16).map(|_| Arc::new(house.client("support-1"))).collect();
    for client in &clients {
        client.connect().await.expect("connects");
    }
    let start = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for client in clients.iter().cycle().take(callers).map(Arc::clone) {
        all.spawn(async move {
            for _ in 0..times {
                decide(&client).await;
            }
        });
    }
    while let Some(done) = all.join_next().await {
        done.expect("no caller fails");
    }
    start.elapsed()
}

async fn decide_over_http(wire: &mut Wire, token: &str) {
    let call = r#"{"tool":"desk.read_ticket","arguments":{"id":"T-1"}}"#;
    let (status, answer) = wire.post(token, "/v1/decide", call).await.expect("answers");
    assert!(status == 200 && answer.contains("\"decision\":\"allow\""), "{status} {answer}");
}

/// One connection, kept alive.
async fn one_caller_over_http(wire: &mut Wire, token: &str, times: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        decide_over_http(wire, token).await;
        took.push(start.elapsed());
    }
    took
}

/// So many callers, each on a connection of its own that is kept alive.
async fn many_callers_over_http(address: SocketAddr, tokens: &[String], callers: usize, times: usize) -> Duration {
    let mut wires = Vec::with_capacity(callers);
    for token in tokens.iter().cycle().take(callers) {
        let mut wire = Wire::open(address).await.expect("connects");
        decide_over_http(&mut wire, token).await;
        wires.push((wire, token.clone()));
    }
    let start = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for (mut wire, token) in wires {
        all.spawn(async move {
            for _ in 0..times {
                decide_over_http(&mut wire, &token).await;
            }
        });
    }
    while let Some(done) = all.join_next().await {
        done.expect("no caller fails");
    }
    start.elapsed()
}

/// The resident memory of a process, in bytes (`/proc/PID/statm`, second field, pages of 4 KiB).
fn resident(pid: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).expect("reads");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}
