//! Words of Perl and of PHP, whose variables carry a sign of their own.

use super::plain::Reading;
use super::tokens::{Language, Token};

pub(super) fn is_plain(reading: Reading<'_>, language: Language) -> bool {
    (0..reading.tokens.len()).all(|at| match reading.token(at) {
        Some(Token::Name(name)) => {
            let name = name.trim_start_matches(['$', '@', '%']);
            let called = reading.is(at + 1, '(')
                || reading.before(at).is_some_and(|before| before.is('&')) && !is_operator(&reading, at - 1)
                || follows_arrow(&reading, at)
                || at >= 2 && reading.is(at - 1, ':') && reading.is(at - 2, ':')
                || reading.before(at).and_then(Token::word) == Some("new");
            let known = !reading.vocabulary.taken.contains(name) || reading.accounted.contains(&at);
            known && !called
        }
        Some(Token::Word(_)) if reading.accounted.contains(&at) => true,
        Some(Token::Word(word)) => {
            // The key of a hash.
            let key = reading.is(at + 1, '=') && reading.is(at + 2, '>')
                || reading.before(at).is_some_and(|before| before.is('{'))
                    && reading.is(at + 1, '}')
                    && language == Language::Perl
                    && matches!(
                        at.checked_sub(2).and_then(|at| reading.token(at)),
                        Some(Token::Name(_) | Token::Sign('>' | '}' | ']'))
                    );
            let listed =
                if follows_arrow(&reading, at) { &reading.vocabulary.members } else { &reading.vocabulary.names };
            key || match language {
                // PHP does not tell the case of functions apart.
                Language::Php => listed.contains(word.as_str()) || listed.contains(word.to_ascii_lowercase().as_str()),
                _ => listed.contains(word.as_str()),
            }
        }
        // `&{…}`, `->(…)`, `$x[0](…)`: calls of what is only known when it runs.
        Some(Token::Sign('(')) => {
            !follows_arrow(&reading, at)
                && !matches!(reading.before(at), Some(Token::Sign(']' | '}') | Token::Text(_) | Token::Vague))
                || language == Language::Perl && matches!(reading.before(at), Some(Token::Vague))
        }
        Some(Token::Sign('{')) => {
            !reading.before(at).is_some_and(|before| before.is('&')) && !follows_arrow_in_php(&reading, at, language)
        }
        Some(Token::Sign('[')) if language == Language::Php => true,
        _ => true,
    })
}

fn follows_arrow(reading: &Reading<'_>, at: usize) -> bool {
    at >= 2 && reading.is(at - 1, '>') && reading.is(at - 2, '-')
}

fn follows_arrow_in_php(reading: &Reading<'_>, at: usize, language: Language) -> bool {
    language == Language::Php && follows_arrow(reading, at)
}

/// Whether the `&` at `at` stands between two values.
fn is_operator(reading: &Reading<'_>, at: usize) -> bool {
    matches!(
        reading.before(at),
        Some(Token::Name(_) | Token::Number | Token::Text(_) | Token::Vague | Token::Sign(')' | ']' | '&'))
    )
}
