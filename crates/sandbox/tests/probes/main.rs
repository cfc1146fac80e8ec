//! The probe suite: every attack, with a positive control outside, an oracle out here, and for each layer a mutant that
//! drops it. `CALLGATE_BLESS=1 cargo test -p callgate-sandbox --test probes` writes docs/sandbox-matrix.md.
//! `PROBE_SHOW=1` prints what each attacker said, and `PROBE_ONLY=network` tries those alone whose `part: name` holds
//! the word.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "../support/bench.rs"]
mod bench;
mod clauses;
mod fixture;
mod listening;
mod matrix;
mod mutants;
mod neighbour;
mod table;
mod traps;
mod trial;
mod watch;
