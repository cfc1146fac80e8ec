//! Why a string is not a value of its kind.

use unicode_normalization::is_nfc;

/// What is wrong with a value, to be read behind the argument's name. Never repeats the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) &'static str);

/// Refuses what a person cannot see, or can see in two spellings: the value would look like another.
pub(crate) fn visible(text: &str) -> Result<(), Fault> {
    if text.chars().any(char::is_control) {
        return Err(Fault("holds a control character"));
    }
    let hides = |character| {
        matches!(character, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}')
            || (character != ' ' && character.is_whitespace())
    };
    if text.chars().any(hides) || callgate_text::reveal(text).is_some() {
        return Err(Fault("holds an invisible character"));
    }
    if !is_nfc(text) {
        return Err(Fault("is not in Unicode normal form C"));
    }
    Ok(())
}
