//! Callgate as its users run it: real processes, real sockets, real logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(clippy::disallowed_methods, reason = "what we print must be readable for other parsers")]

mod decide;
mod demo;
mod durability;
mod evidence;
mod fairness;
mod faults;
mod governed;
mod house;
mod http;
mod operator;
mod somebody;
mod trace;
mod wire;
