//! The probe suite: every attack, with a positive control outside, an oracle out here, and for each layer a mutant that
//! drops it. `CALLGATE_BLESS=1 cargo test -p callgate-sandbox --test probes` writes docs/sandbox-matrix.md.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;
#[path = "probes/fixture.rs"]
mod fixture;
#[path = "probes/matrix.rs"]
mod matrix;
#[path = "probes/mutants.rs"]
mod mutants;
#[path = "probes/table.rs"]
mod table;
