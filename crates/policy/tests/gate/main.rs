//! Gates from texts: what they decide, what they refuse to load, and how they change.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod always;
mod decisions;
mod deny_lists;
mod determinism;
mod entities;
mod explanation;
mod exposure;
mod files;
mod footguns;
mod lints;
mod operations;
mod pinned;
mod reload;
mod standing;
mod support;
mod testing;
