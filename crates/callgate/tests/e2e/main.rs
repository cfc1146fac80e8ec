//! Callgate as its users run it: real processes, real sockets, real logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod decide;
mod demo;
mod durability;
mod fairness;
mod faults;
mod house;
mod operator;
mod trace;
