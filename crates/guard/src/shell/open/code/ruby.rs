//! Words of Ruby and of Lua.

use super::plain::Reading;
use super::tokens::{Language, Token};

pub(super) fn is_plain(mut reading: Reading<'_>, language: Language) -> bool {
    definitions(&mut reading, language);
    let mut at = 0;
    while let Some(token) = reading.token(at) {
        let here = at;
        at += 1;
        let Token::Word(word) = token else {
            // Of Ruby's own variables the environment is the one that says too much, and it has no sign.
            if let Token::Name(name) = token
                && reading.vocabulary.taken.contains(name.as_str())
            {
                return false;
            }
            // `inject("system")`: a text that names what is called.
            continue;
        };
        if reading.accounted.contains(&here) {
            continue;
        }
        let word = word.as_str();
        if word == "require" && language == Language::Ruby && !reading.is_member(here) {
            let name = at + usize::from(reading.is(at, '('));
            let known = matches!(reading.token(name), Some(Token::Text(library)) if reading.vocabulary.libraries.contains(library.as_str()));
            let whole = matches!(reading.token(name + 1), None | Some(Token::Sign(';' | '\n' | ')' | '}')));
            if !known || !whole {
                return false;
            }
            continue;
        }
        let method = language == Language::Lua
            && reading.before(here).is_some_and(|before| before.is(':'))
            && !reading.is(here.saturating_sub(2), ':');
        if reading.is_member(here) || method {
            let by_text = matches!(word, "inject" | "reduce")
                && matches!(reading.token(at + 1), Some(Token::Text(_) | Token::Vague));
            if !reading.vocabulary.members.contains(word) || by_text {
                return false;
            }
        } else if language == Language::Ruby && reading.is(at, ':') && !reading.is(at + 1, ':') {
            // The name of an argument or the key of a hash.
            if matches!(word, "mode" | "flags" | "exception") {
                return false;
            }
        } else if language == Language::Ruby && reading.before(here).is_some_and(|before| before.is(':')) {
            // A symbol may name what is called.
            if !reading.vocabulary.members.contains(word) && !reading.vocabulary.names.contains(word) {
                return false;
            }
        } else if reading.vocabulary.module(word).is_some() {
            if language == Language::Ruby && !reading.is(at, '.') {
                return false;
            }
            let Some(end) = reading.chain(word, here) else { return false };
            at = end + 1;
        } else if reading.defined.contains(word) {
            let called = language == Language::Ruby
                && matches!(
                    reading.token(at),
                    Some(
                        Token::Sign('(')
                            | Token::Text(_)
                            | Token::Vague
                            | Token::Shell(_)
                            | Token::Number
                            | Token::Name(_)
                    )
                );
            if called {
                return false;
            }
        } else if !reading.vocabulary.names.contains(word) {
            return false;
        }
    }
    true
}

fn definitions(reading: &mut Reading<'_>, language: Language) {
    let mut block = false;
    for at in 0..reading.tokens.len() {
        if language == Language::Ruby && reading.is(at, '|') {
            // `{ |a, b| … }`
            let opens = matches!(reading.before(at), Some(Token::Sign('{')))
                || reading.before(at).and_then(Token::word) == Some("do");
            block = opens;
        }
        let Some(word) = reading.word(at) else { continue };
        if reading.is_member(at) {
            continue;
        }
        let sets = reading.is(at + 1, '=') && !matches!(reading.token(at + 2), Some(Token::Sign('=' | '~' | '>')));
        let listed = reading.is(at + 1, ',') || reading.before(at).is_some_and(|before| before.is(','));
        let local = matches!(reading.before(at).and_then(Token::word), Some("local" | "for" | "function"));
        let parameters = language == Language::Lua && parameter(reading, at);
        let loops = language == Language::Lua && listed && in_a_for(reading, at);
        if block || sets || local && language == Language::Lua || parameters || loops {
            reading.define(word);
        }
    }
}

/// How many tokens a list of names may take; of a longer one, the names count as nobody's.
const LISTED: usize = 64;

/// Whether the word at `at` is among the parameters of a function.
fn parameter(reading: &Reading<'_>, at: usize) -> bool {
    let open = (0..at)
        .rev()
        .take(LISTED)
        .take_while(|at| matches!(reading.token(*at), Some(Token::Word(_) | Token::Sign(',' | '('))));
    let open = open.into_iter().find(|at| reading.is(*at, '('));
    open.is_some_and(|open| {
        [1, 2].iter().any(|back| open.checked_sub(*back).and_then(|at| reading.word(at)) == Some("function"))
    })
}

/// `for a, b in`, `local a, b =`
fn in_a_for(reading: &Reading<'_>, at: usize) -> bool {
    let start = (0..at)
        .rev()
        .take(LISTED)
        .take_while(|at| matches!(reading.token(*at), Some(Token::Word(_) | Token::Sign(','))));
    start.into_iter().any(|at| matches!(reading.word(at), Some("for" | "local")))
}
