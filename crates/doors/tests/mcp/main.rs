//! The MCP door between a scripted client, a scripted server and a scripted gate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod attacks;
mod calls;
mod channels;
mod eras;
mod faults;
mod harness;
mod lists;
mod process;
mod questions;
mod stateless;
mod subscriptions;
mod tasks;
mod transparency;
mod undecided;
