//! Limits. Each denies the line; none shortens what is judged.

use std::cell::Cell;

use super::Refusal;

/// Bytes in a line.
pub(super) const LENGTH: usize = 64 * 1024;
/// How deep constructs may lie in each other, scripts in wrappers included.
pub(super) const DEPTH: usize = 40;
/// Words, after all expansions that are known.
const WORDS: usize = 64 * 1024;
/// Simple commands, with those of every branch and of every turn of a loop.
const COMMANDS: usize = 16 * 1024;
/// Bytes of arguments, after all expansions that are known.
const BYTES: usize = 1024 * 1024;

/// What one line has used up.
#[derive(Debug, Default)]
pub struct Limits {
    words: Cell<usize>,
    commands: Cell<usize>,
    bytes: Cell<usize>,
}

impl Limits {
    /// The longest line that is judged, in bytes.
    pub const LENGTH: usize = LENGTH;

    pub(super) fn word(&self, bytes: usize) -> Result<(), Refusal> {
        count(&self.words, 1, WORDS, "words")?;
        self.bytes(bytes)
    }

    pub(super) fn bytes(&self, bytes: usize) -> Result<(), Refusal> {
        count(&self.bytes, bytes, BYTES, "bytes of arguments")
    }

    pub(super) fn command(&self) -> Result<(), Refusal> {
        count(&self.commands, 1, COMMANDS, "commands")
    }

    /// How many more commands there may be.
    pub(super) fn commands_left(&self) -> usize {
        COMMANDS.saturating_sub(self.commands.get())
    }
}

fn count(counter: &Cell<usize>, more: usize, limit: usize, what: &'static str) -> Result<(), Refusal> {
    counter.set(counter.get().saturating_add(more));
    if counter.get() > limit { Err(Refusal::TooMany { what, limit }) } else { Ok(()) }
}
