//! Durable decisions over the socket, beside what the disk alone takes. Run by `cargo bench -p callgate`.
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

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate_core::{Decision, Request};
use callgate_doors::Operations;
use callgate_doors::socket::Client;
use callgate_text::{Digest, Json, Object};

use floor::{percentile, syncs};
use house::House;

fn main() {
    let house = House::quickstart();
    let config = house.gate().join("callgate.toml");
    let mut text = fs::read_to_string(&config).expect("reads");
    text.push_str("\n[log]\nagent_records_per_minute = 60000000\nagent_bytes_per_minute = 100000000000\n");
    fs::write(config, text).expect("writes");
    let serve = house.serve();
    println!("idle gate                    {} MiB resident", resident(serve.0.id()) >> 20);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let client = Arc::new(house.client("support-1"));

    runtime.block_on(one_caller(&client, 200));
    let (mut floors, mut decisions) = (Vec::new(), Vec::new());
    // Alternating, so that a disk that changes its mind changes both.
    for _ in 0..10 {
        floors.extend(syncs(&house.state(), 1, 50));
        decisions.extend(runtime.block_on(one_caller(&client, 50)));
    }
    let (floor, decision) = (percentile(&mut floors, 50), percentile(&mut decisions, 50));
    println!(
        "one caller, p50              {decision:?} (one fdatasync {floor:?}, added {:?})",
        decision.saturating_sub(floor)
    );
    println!(
        "one caller, p99              {:?} (one fdatasync {:?})",
        percentile(&mut decisions, 99),
        percentile(&mut floors, 99)
    );

    let (mut bare, mut through) = (Duration::ZERO, Duration::ZERO);
    const ROUNDS: usize = 5;
    const EACH: usize = 100;
    for _ in 0..ROUNDS {
        bare += syncs(&house.state(), 64, EACH).iter().sum::<Duration>();
        through += runtime.block_on(many_callers(&house, 64, EACH));
    }
    let rate = |took: Duration| (ROUNDS * EACH * 64) as f64 / took.as_secs_f64();
    println!(
        "64 callers                   {:.0} decisions/s (bare group commit of 64: {:.0} records/s, ratio {:.2})",
        rate(through),
        rate(bare),
        rate(through) / rate(bare),
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

/// The resident memory of a process, in bytes (`/proc/PID/statm`, second field, pages of 4 KiB).
fn resident(pid: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).expect("reads");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}
