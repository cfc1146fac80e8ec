//! What goes in and what comes out: so far, what a shell line does.
//!
//! [`shell::analyse`] reads a line as `bash` and `sh` would and says, for every simple command that could run, which
//! program it starts with which arguments, and what that program then does: what it reads, writes and deletes, whom it
//! talks to, which [`shell::Effect`]s it has. It is deterministic and linear in the length of the line, starts nothing
//! and touches no file. What cannot be known before the line runs is said to be [`shell::Command::dynamic`]; it is never
//! guessed.

mod facts;
pub mod shell;

pub use facts::{FACTS, ShellFacts};
