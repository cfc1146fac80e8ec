//! Which characters of a pinned text a model reads and a person does not see.

use std::collections::BTreeSet;

use callgate_text::{Json, reveal};

/// All of them, in names and values at any depth.
pub(crate) fn characters(json: &Json) -> BTreeSet<char> {
    match json {
        Json::String(text) => of_text(text),
        Json::Array(items) => items.iter().flat_map(characters).collect(),
        Json::Object(members) => {
            members.iter().flat_map(|(name, value)| of_text(name).into_iter().chain(characters(value))).collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => BTreeSet::new(),
    }
}

/// `U+202E, U+200B`.
pub(crate) fn named(characters: &BTreeSet<char>) -> String {
    const MOST: usize = 8;
    let mut names: Vec<_> =
        characters.iter().take(MOST).map(|character| format!("U+{:04X}", *character as u32)).collect();
    names.extend((characters.len() > MOST).then(|| format!("{} others", characters.len() - MOST)));
    names.join(", ")
}

/// What is in the text and not in what of it can be seen, which has the same order.
fn of_text(text: &str) -> BTreeSet<char> {
    let Some(revealed) = reveal(text) else { return BTreeSet::new() };
    let mut visible = revealed.text.chars().peekable();
    text.chars().filter(|character| visible.next_if_eq(character).is_none()).collect()
}
