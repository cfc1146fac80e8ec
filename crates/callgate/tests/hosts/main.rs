//! Coding agents' hosts: the real programs, their hooks, and what runs when something fails.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect"
)]

#[allow(dead_code, reason = "these tests need a part of it")]
#[path = "../e2e/house.rs"]
mod house;
#[path = "../../src/host/model.rs"]
mod model;
#[path = "../../../../tests/peers/peers.rs"]
mod peers;
#[path = "../e2e/somebody.rs"]
mod somebody;

mod calls;
mod claude;
mod contained;
mod directory;
mod failures;
mod install;
mod matrix;
mod ordinary;
