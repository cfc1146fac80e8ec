//! Processor time is the whole tree's: many who use a little each are held like one who uses much.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

#[path = "support/bench.rs"]
mod bench;

use bench::{As, Bench};
use callgate_sandbox::{Exit, Limited};

/// So many processes that use three tenths of a second each, at once (`&`) or one after the other (`;`).
fn busy(many: usize, then: &str) -> String {
    let one = "python3 -c 'import time\nwhile time.process_time() < 0.3: pass'";
    format!("i=0; while [ $i -lt {many} ]; do {one} {then} i=$((i+1)); done; wait")
}

#[test]
fn a_tree_is_held_to_its_processor_time() {
    for who in As::both() {
        let bench = Bench::new(who);
        let profile = bench.tighter("workspace", "cpu = \"1s\"\nwall = \"60s\"");
        for then in ["&", ";"] {
            let run = bench.run_in(&profile, &["/bin/sh", "-c", &busy(40, then)]);
            assert_eq!(run.exit, Exit::Limit(Limited::Cpu), "{who:?} {then} {run:?}");
            assert!(run.usage.cpu_micros >= 1_000_000, "{who:?} {run:?}");
            assert!(run.usage.cpu_micros < 4_000_000, "{who:?}: long after its time: {run:?}");
        }
    }
}

#[test]
fn a_tree_within_its_processor_time_is_not_touched() {
    for who in As::both() {
        let bench = Bench::new(who);
        let profile = bench.tighter("workspace", "cpu = \"4s\"\nwall = \"60s\"");
        let run = bench.run_in(&profile, &["/bin/sh", "-c", &busy(1, "&")]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?} {run:?}");
        assert!(run.usage.cpu_micros >= 300_000, "{who:?} {run:?}");
    }
}

/// Nobody has to use much: waiting costs nothing.
#[test]
fn time_that_passes_is_not_processor_time() {
    let bench = Bench::new(As::Unprivileged);
    let profile = bench.tighter("workspace", "cpu = \"1s\"\nwall = \"60s\"");
    assert_eq!(bench.run_in(&profile, &["/bin/sleep", "2"]).exit, Exit::Code(0));
}
