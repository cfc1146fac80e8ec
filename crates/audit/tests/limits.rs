//! Budgets, fairness, clocks, sizes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/log.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callgate_audit::{Budget, Filter, Reader, Writer, WriterOptions, verify};
use callgate_core::seam::{Log as _, LogError};
use callgate_core::{Kind, Record, Timestamp};
use callgate_text::Json;
use faults::{Faults, Faulty};
use support::{Clocks, Log, START, decision, note, options};

fn kinds(log: &Log, kind: &str) -> Vec<callgate_audit::Shown> {
    let filter = Filter { kind: Some(kind.to_owned()), ..Filter::default() };
    let records = Reader::open(&log.dir).records(0).unwrap().map(Result::unwrap);
    records.filter(|shown| filter.matches(&shown.leaf)).collect()
}

#[test]
fn a_flood_of_one_agent_neither_refuses_nor_delays_another() {
    let log = Log::new();
    let faults = Faults::none();
    let mut hurried = WriterOptions { storage: Arc::new(Faulty(Arc::clone(&faults))), ..options() };
    hurried.budget = Budget { records_per_second: 1, burst: 2000, ..Budget::default() };
    hurried.lane_records = 600;
    hurried.checkpoint_every = Duration::from_secs(3600);
    let writer = Writer::open(&log.dir, hurried).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // While the disk stands still, one agent fills its queue; another comes last.
    let still = faults.gate.lock().unwrap();
    let mut refused = 0;
    let mut flood = Vec::new();
    for at in 0..5000 {
        flood.push(writer.append(decision("eve", at)));
    }
    let quiet = writer.append(decision("ann", 0));
    let before = faults.syncs.load(Ordering::SeqCst);
    drop(still);
    runtime.block_on(quiet).unwrap();
    let batches = faults.syncs.load(Ordering::SeqCst) - before;
    assert!(batches <= 3, "one batch was under way, one takes it: {batches}");
    for one in flood {
        match runtime.block_on(one) {
            Ok(_) => {}
            Err(LogError::OverBudget) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused >= 5000 - 2000, "{refused}");
    writer.stop().unwrap();
    let folded: u64 = kinds(&log, "folded")
        .iter()
        .map(|shown| {
            assert_eq!(shown.leaf.get("agent").unwrap().as_str(), Some("eve"));
            u64::try_from(shown.leaf.get("details").unwrap().get("records").unwrap().as_i64().unwrap()).unwrap()
        })
        .sum();
    assert_eq!(folded, refused, "what was left out is counted");
}

#[test]
fn at_full_speed_of_one_agent_all_calls_of_another_are_recorded() {
    let log = Log::new();
    let writer =
        Writer::open(&log.dir, WriterOptions { reserve_bytes: 0, floor_bytes: 0, ..WriterOptions::default() }).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for at in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    drop(writer.append(decision("eve", at)));
                }
            });
        }
        for at in 0..100 {
            writer.append_blocking(decision("ann", at)).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    });
    writer.stop().unwrap();
    verify(&log.dir, &log.trusted()).unwrap();
}

#[test]
fn budgets_are_counted_by_an_injected_clock_and_folded_rarely() {
    let log = Log::new();
    let clocks = Clocks::new();
    let time = Arc::clone(&clocks);
    let budget = Budget { records_per_second: 10, burst: 20, bytes_per_day: 200_000 };
    let writer = Writer::open(&log.dir, WriterOptions { time, budget, ..options() }).unwrap();
    let appended =
        |from: u64| (from..from + 50).filter(|at| writer.append_blocking(decision("eve", *at)).is_ok()).count();
    assert_eq!(appended(0), 20);
    clocks.pass(1000);
    assert_eq!(appended(50), 10);
    for _ in 0..50 {
        writer.append_blocking(note(Kind::Credential)).unwrap();
    }
    clocks.pass(11_000);
    assert_eq!(appended(100), 20);
    writer.stop().unwrap();
    assert!((2..=3).contains(&kinds(&log, "folded").len()));
    assert_eq!(kinds(&log, "credential").len(), 50);
}

#[test]
fn a_clock_that_is_set_back_shows() {
    let log = Log::new();
    let clocks = Clocks::new();
    let with = |time: &Arc<Clocks>| WriterOptions { time: Arc::clone(time) as _, ..options() };
    let writer = Writer::open(&log.dir, with(&clocks)).unwrap();
    writer.append_blocking(decision("ann", 0)).unwrap();
    clocks.wall.fetch_sub(3_600_000, Ordering::SeqCst);
    writer.append_blocking(decision("ann", 1)).unwrap();
    writer.append_blocking(decision("ann", 2)).unwrap();
    writer.stop().unwrap();
    assert_eq!(kinds(&log, "clock_jump").iter().map(|shown| shown.index).collect::<Vec<_>>(), [1]);
    // Also between a stop and the next start.
    let earlier = Clocks::new();
    earlier.wall.store(START - 86_400_000, Ordering::SeqCst);
    let writer = Writer::open(&log.dir, with(&earlier)).unwrap();
    writer.append_blocking(decision("ann", 3)).unwrap();
    writer.stop().unwrap();
    let jumps = kinds(&log, "clock_jump");
    assert_eq!(jumps.len(), 2);
    let details = jumps[1].leaf.get("details").unwrap();
    assert_eq!(
        details.get("to").unwrap().as_str(),
        Some(Timestamp::from_millis(START - 86_400_000).to_string().as_str())
    );
}

#[test]
fn large_records_are_kept_or_refused_whole() {
    let log = Log::new();
    let writer = log.writer();
    let mut entry = note(Kind::PolicyLoad);
    entry.record.details = vec![("text", Json::from("x".repeat(61 << 10)))];
    assert_eq!(writer.append_blocking(entry), Err(LogError::TooLarge));
    // Large values are no large leaf.
    let mut entry = decision("ann", 0);
    entry.record.seal("result", Json::from("x".repeat(9 << 20)));
    for at in 2..1000 {
        entry.record.seal(format!("argument:{at}"), Json::integer(at));
    }
    let index = writer.append_blocking(entry).unwrap().index;
    let mut entry = note(Kind::Credential);
    entry.record = Record {
        sealed: (0..300).map(|at| callgate_core::Sealed { name: format!("x{at}"), value: Json::Null }).collect(),
        ..entry.record
    };
    assert_eq!(writer.append_blocking(entry), Err(LogError::TooLarge));
    writer.stop().unwrap();
    let reader = Reader::open(&log.dir);
    let shown = reader.record(index).unwrap();
    let names: Vec<_> = reader.openings(&shown).unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"arguments".to_owned()) && names.contains(&"result".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("argument:")));
    let verified = verify(&log.dir, &log.trusted()).unwrap().disclosures.unwrap();
    assert_eq!((verified.gone, verified.stray), (0, 0));
}

#[test]
fn a_growing_log_is_read_without_a_false_alarm() {
    let log = Log::new();
    let small = WriterOptions { segment_bytes: 100 << 10, checkpoint_every: Duration::from_millis(2), ..options() };
    let writer = Writer::open(&log.dir, small).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for agent in ["ann", "bob"] {
            let (writer, stop) = (&writer, &stop);
            scope.spawn(move || {
                for at in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    writer.append_blocking(decision(agent, at)).unwrap();
                }
            });
        }
        let reader = Reader::open(&log.dir);
        let (mut largest, until) = (0, std::time::Instant::now() + Duration::from_secs(3));
        while std::time::Instant::now() < until {
            let verified = verify(&log.dir, &log.trusted()).unwrap();
            assert!(verified.live && verified.checkpoint.size >= largest);
            largest = verified.checkpoint.size;
            let tail = reader.tail(5).unwrap();
            if let Some(last) = tail.iter().rev().find(|shown| shown.index < largest) {
                reader.prove(last.index).unwrap();
            }
            reader.report(largest.saturating_sub(50)).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
        assert!(largest > 20, "{largest}");
    });
    writer.stop().unwrap();
    verify(&log.dir, &log.trusted()).unwrap();
}
