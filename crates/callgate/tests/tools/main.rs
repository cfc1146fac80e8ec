//! The gate's own tools, end to end: a real gate, a real sandbox, and clients over MCP and the socket.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect"
)]

#[path = "../e2e/house.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod house;

mod conduct;
mod endings;
mod files;
mod limits;
mod peers;
mod rig;
mod session;
mod warm;
