//! The built-in tools: what they are, and what those do that work on files.
//!
//! [`definitions`] is what the server [`SERVER`] offers; policy pins exactly these. `terminal` runs a shell and has no
//! code here. The file tools are pure functions over one folder ([`Work::run`]); they run *inside* the sandbox that
//! policy chose, as this very program started again ([`contained::main`]), with one JSON request on standard input and
//! one JSON answer on standard output. `memory` runs no program: [`Memory`] is a small store per agent.
//!
//! A path means what policy read in it, or nothing: it is taken apart by its text alone, and no symbolic link on the
//! way is followed. So the sandbox bounds what a tool can reach, and policy decides about the file that it does reach.
#![cfg(target_os = "linux")]

pub mod contained;
mod definitions;
mod done;
mod edit;
mod folder;
mod list;
mod memory;
mod read;
mod search;
mod work;
mod write;

pub use definitions::{MEMORY, SERVER, TERMINAL, definition, definitions, pin};
pub use done::{Done, Fault, Kind};
pub use memory::{Memory, Operation};
pub use work::Work;
