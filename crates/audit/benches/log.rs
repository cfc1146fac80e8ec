//! The log beside its floors, in the same run and on the same file system: `cargo bench -p callgate-audit`.
//!
//! The floor of appending is a bare group commit: as many records of the same size written at once to a file
//! with allocated space, and one `fdatasync`. Times depend on the machine; the ratios are what counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/support/log.rs"]
mod support;

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use callgate_audit::{VerifyOptions, Writer, WriterOptions, verify};
use callgate_core::gate::Receipt;
use callgate_core::seam::{Later, Log as _, LogError};
use support::{Log, decision, options};

const LEAF: usize = 900;

/// Records per second of a bare group commit of `batch`.
fn floor(directory: &Path, batch: usize, rounds: u64) -> f64 {
    let path = directory.join("floor");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    let length = u64::try_from(batch * LEAF).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, length * rounds).unwrap();
    file.sync_all().unwrap();
    let bytes = vec![b'x'; batch * LEAF];
    let start = Instant::now();
    for round in 0..rounds {
        file.write_all_at(&bytes, round * length).unwrap();
        file.sync_data().unwrap();
    }
    per_second(u64::try_from(batch).unwrap() * rounds, start.elapsed())
}

fn per_second(count: u64, elapsed: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / elapsed.as_secs_f64()
}

/// Records per second with `callers` records always in flight.
fn append(writer: &Writer, callers: usize, records: u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let start = Instant::now();
    runtime.block_on(async {
        let mut flight: VecDeque<Later<'_, Result<Receipt, LogError>>> = VecDeque::new();
        for at in 0..records {
            if flight.len() == callers
                && let Some(first) = flight.pop_front()
            {
                first.await.unwrap();
            }
            flight.push_back(writer.append(decision("ann", at)));
        }
        for rest in flight {
            rest.await.unwrap();
        }
    });
    per_second(records, start.elapsed())
}

fn main() {
    // `cargo test --benches` asks whether it runs at all.
    let quick = std::env::args().any(|argument| argument == "--test");
    let scale = if quick { 100 } else { 1 };
    let log = Log::new();
    let options = WriterOptions { lane_records: 4096, ..options() };
    let writer = Writer::open(&log.dir, options.clone()).unwrap();
    for (callers, rounds) in [(1_usize, 2000 / scale), (64, 500 / scale), (512, 100 / scale)] {
        let records = rounds.max(1) * u64::try_from(callers).unwrap();
        let mut ratios: Vec<(f64, f64)> = (0..3)
            .map(|_| (floor(log.dir.root(), callers, rounds.max(1)), append(&writer, callers, records)))
            .collect();
        ratios.sort_by(|one, other| (one.1 / one.0).total_cmp(&(other.1 / other.0)));
        let (floor, append) = ratios[1];
        println!("append, {callers:>3} in flight: {append:>8.0}/s, floor {floor:>8.0}/s, ratio {:.2}", append / floor);
    }
    for at in 0..200_000 / scale {
        drop(writer.append(decision(["ann", "bob", "cid"][usize::try_from(at % 3).unwrap()], at)));
        if at % 500 == 499 {
            writer.append_blocking(decision("dee", at)).unwrap();
        }
    }
    writer.stop().unwrap();
    let bare = VerifyOptions { disclosures: false, ..log.trusted() };
    for (what, options) in [("verify", bare), ("verify with disclosures", log.trusted())] {
        let start = Instant::now();
        let size = verify(&log.dir, &options).unwrap().checkpoint.size;
        println!("{what}: {size} records, {:.0}/s", per_second(size, start.elapsed()));
    }
    let start = Instant::now();
    let writer = Writer::open(&log.dir, options).unwrap();
    println!(
        "start: {} records, {:.0}/s",
        writer.status().durable_size,
        per_second(writer.status().durable_size, start.elapsed())
    );
}
