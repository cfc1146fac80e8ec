//! Reading variables of the environment.

use super::tokens::{Language, Token};

/// Variables that are read, from the token at `at`.
pub(super) struct Read<'t> {
    /// Which one; `None` if it is not known, or if it is all of them.
    pub(super) name: Option<&'t str>,
    /// The last token of it.
    pub(super) end: usize,
    /// It is set, not read.
    pub(super) sets: bool,
}

/// What the token at `at` reads of the environment, if it is where that begins.
pub(super) fn read(tokens: &[Token], at: usize, language: Language) -> Option<Read<'_>> {
    let token = |ahead: usize| tokens.get(at + ahead);
    let text = |ahead: usize| match token(ahead) {
        Some(Token::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let is = |ahead: usize, sign: char| token(ahead).is_some_and(|token| token.is(sign));
    let word = |ahead: usize| token(ahead).and_then(Token::word);
    let (name, end) = match (language, token(0)?) {
        (Language::Python, Token::Word(name)) if name == "environ" || name == "environb" => match () {
            () if is(1, '[') && is(3, ']') => (text(2), 3),
            () if is(1, '.') && word(2) == Some("get") && is(3, '(') => {
                (text(4), if text(4).is_some() { 2 } else { 0 })
            }
            () => (None, 0),
        },
        (_, Token::Word(name)) if name == "getenv" || name == "getenvb" => (text(2).filter(|_| is(1, '(')), 0),
        (Language::Ruby, Token::Word(name)) if name == "ENV" => match () {
            () if is(1, '[') && is(3, ']') => (text(2), 3),
            () if is(1, '.') && matches!(word(2), Some("fetch" | "key?")) && is(3, '(') => (text(4), 2),
            () => (None, 0),
        },
        (Language::Node, Token::Word(name)) if name == "process" && is(1, '.') && word(2) == Some("env") => match () {
            () if is(3, '.') => (word(4), 4),
            () if is(3, '[') && is(5, ']') => (text(4), 5),
            () => (None, 2),
        },
        (Language::Node, Token::Word(name)) if name == "env" => (None, 0),
        (Language::Perl, Token::Name(name)) if name == "$ENV" && is(1, '{') && is(3, '}') => (word(2).or(text(2)), 3),
        (Language::Perl | Language::Php, Token::Name(name)) if matches!(name.as_str(), "%ENV" | "@ENV" | "$ENV") => {
            (None, 0)
        }
        (Language::Php, Token::Name(name)) if matches!(name.as_str(), "$_ENV" | "$_SERVER") => match () {
            () if is(1, '[') && is(3, ']') => (text(2), 3),
            () => (None, 0),
        },
        _ => return None,
    };
    let sets = is(end + 1, '=') && !is(end + 2, '=') && !is(end + 2, '~') || is(end + 2, '=') && is(end + 1, '.');
    Some(Read { name, end: at + end, sets })
}
