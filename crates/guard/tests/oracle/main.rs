//! Holds the analysis against bash itself.
//!
//! Scripts are generated, run by a real `bash` in namespaces of their own, and traced: every program that started, every
//! file that was read, written or deleted must have been predicted, or the line must have been said to be dynamic. And
//! of scripts that were generated without anything dynamic, at most one in a hundred may be called so.
//!
//! 2,000 scripts; 20,000 where `CALLGATE_LONG` is set, each construct at least 100 times among them (and as often, in
//! proportion, in any other number). `CALLGATE_SEED` changes which, `CALLGATE_SCRIPTS` how many, `CALLGATE_SHOW` prints
//! what is called dynamic without need.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail")]
#![allow(clippy::useless_format, reason = "the scripts are all written alike")]

mod compare;
mod generate;
mod random;
mod spell;
mod tally;
mod trace;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate_guard::shell::Table;

use generate::{CONSTRUCTS, Script};
use random::Random;
use tally::Tally;

/// Scripts that one bash drives, under one trace.
const BATCH: usize = 250;
/// Of this many scripts each construct must stand in [`LEAST`] or more.
const SCRIPTS: usize = 20_000;
const LEAST: usize = 100;

#[test]
fn everything_that_happens_was_predicted() {
    if !world::is_possible() {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let count = number("CALLGATE_SCRIPTS").unwrap_or(if std::env::var_os("CALLGATE_LONG").is_some() {
        SCRIPTS
    } else {
        SCRIPTS / 10
    });
    let mut random = Random::new(number("CALLGATE_SEED").unwrap_or(1) as u64);
    let batches: Vec<Vec<Script>> = (0..count.div_ceil(BATCH))
        .map(|_| (0..BATCH).map(|number| Script::generate(&mut random, number)).collect())
        .collect();
    let table = Table::builtin().expect("the table");
    let (next, tallies) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    // A trace is mostly waiting for one process after the other.
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(scripts) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut tally = Tally::default();
                    for (script, trace) in scripts.iter().zip(world::run(scripts)) {
                        tally.add(script, &trace, &table);
                    }
                    tallies.lock().expect("no panic").join(tally);
                }
            });
        }
    });
    let tally = tallies.into_inner().expect("no panic");
    tally.print();
    assert!(tally.events > count * 2, "hardly anything was traced: {} events", tally.events);
    assert!(tally.faults.is_empty(), "{}", Tally::first("things were not predicted", &tally.faults));
    assert!(
        tally.needless.len() * 100 <= tally.plain,
        "of {}, {}",
        tally.plain,
        Tally::first("are dynamic without need", &tally.needless)
    );
    let rare: Vec<_> = CONSTRUCTS
        .iter()
        .map(|construct| (construct, tally.constructs.get(construct).copied().unwrap_or_default()))
        .filter(|(_, times)| times * SCRIPTS < LEAST * count)
        .collect();
    assert!(rare.is_empty(), "constructs that stand in fewer than {LEAST} of {SCRIPTS} scripts: {rare:?}");
}
