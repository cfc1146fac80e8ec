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
#[path = "../e2e/somebody.rs"]
mod somebody;
mod states;
mod warm;
mod weaker;

/// What other people's clients need lies where an ordinary user may not come; who they are makes no difference to them.
#[test]
fn all_of_this_as_an_ordinary_user() {
    somebody::runs("", &["all_of_this_as_an_ordinary_user", "peers::"], &[]);
}
