//! HTTP over real connections: a real gate over scripted seams.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(clippy::disallowed_methods, reason = "what we send must be readable for other parsers")]

mod bounds;
mod credentials;
mod harness;
mod hostile;
mod operations;
mod oracle;
mod page;
mod shares;
#[path = "../socket/harness.rs"]
#[allow(dead_code, reason = "the socket's tests use more of it")]
mod world;
