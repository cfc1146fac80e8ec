//! The socket between real processes' ends: a real gate over scripted seams.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod bounds;
mod flood;
mod harness;
mod listen;
mod operations;
mod tools;
