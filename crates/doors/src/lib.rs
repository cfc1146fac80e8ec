//! The doors: ways into the gate. Doors translate; they never decide.
//!
//! - [`socket`]: the gate's Unix socket, through which every other process asks it.
//! - [`http`]: the same operations over HTTP on the loopback interface.
//! - [`hook`]: one process for each event of a coding agent's host.
//! - [`mcp`]: a gate in front of an MCP server that speaks over stdio; and the gate's own tools as one.
//! - [`tools`]: calls of the gate's own tools.
//!
//! A door asks the gate through [`Operations`], which the gate in process ([`Local`]) and the
//! socket's [`socket::Client`] both are. It gets a [`Ruling`] back, forwards the exact bytes that were
//! decided or hands on the refusal, and reports what became of the call.

mod accepting;
pub mod frames;
pub mod hook;
pub mod http;
mod lanes;
pub mod mcp;
mod operations;
mod outbox;
mod places;
mod shapes;
pub mod socket;
pub mod tools;

pub use lanes::Lanes;
pub use operations::{Local, Operations, Ruling};
pub use places::{Attendance, Occupancy};
