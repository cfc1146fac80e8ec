//! Lines that are not judged at all.

use callgate_text::reveal;

use super::limits::LENGTH;

/// Why a line is refused. The call is denied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It holds a carriage return, NUL, another control character, or one that changes or hides what a person reads.
    #[error("the command holds {0}, which hides from a reader what it does")]
    Hidden(&'static str),
    /// It is longer than is judged.
    #[error("the command is longer than {} KiB", LENGTH / 1024)]
    TooLong,
    /// Constructs lie deeper in each other than is judged.
    #[error("the command is nested too deeply")]
    TooDeep,
    /// There is more of something than is judged.
    #[error("the command holds more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much is judged.
        limit: usize,
    },
}

/// Refuses what a person who approves the line would not see as the shell does.
pub(super) fn inspect(text: &str) -> Result<(), Refusal> {
    if text.len() > LENGTH {
        return Err(Refusal::TooLong);
    }
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n')) {
        return Ok(());
    }
    if text.contains('\r') {
        return Err(Refusal::Hidden("a carriage return"));
    }
    if text.contains('\0') {
        return Err(Refusal::Hidden("a NUL"));
    }
    if reveal(text).is_some() {
        return Err(Refusal::Hidden("a control, bidirectional, tag or invisible character"));
    }
    Ok(())
}

/// White space that a shell takes for part of a word and a person does not.
pub(super) fn is_false_space(character: char) -> bool {
    !character.is_ascii() && (character.is_whitespace() || matches!(character, '\u{2800}' | '\u{3164}' | '\u{180E}'))
}
