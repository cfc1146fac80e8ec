//! Words of JavaScript, as Node runs it.

use super::plain::Reading;
use super::tokens::Token;

pub(super) fn is_plain(mut reading: Reading<'_>) -> bool {
    if !required(&mut reading) {
        return false;
    }
    definitions(&mut reading);
    let mut at = 0;
    while let Some(token) = reading.token(at) {
        let here = at;
        at += 1;
        match token {
            Token::Sign('[') if !index(&reading, here) => return false,
            Token::Word(_) if reading.accounted.contains(&here) => {}
            Token::Word(word) if REACHING.contains(&word.as_str()) => return false,
            Token::Word(word) if reading.is_member(here) => match reading.vocabulary.members.contains(word.as_str()) {
                true => {}
                false => return false,
            },
            // The name of a member, or a label.
            Token::Word(_) if reading.is(at, ':') && matches!(reading.before(here), Some(Token::Sign('{' | ','))) => {}
            Token::Word(word) => {
                if let Some(module) = reading.modules.get(word).cloned() {
                    match module.as_str() {
                        DATA => match data(&reading, here) {
                            Some(end) => at = end + 1,
                            None => return false,
                        },
                        module => match reading.chain(module, here) {
                            Some(end) => at = end + 1,
                            None => return false,
                        },
                    }
                } else if reading.vocabulary.module(word).is_some() && reading.is(at, '.') {
                    let Some(end) = reading.chain(word, here) else { return false };
                    at = end + 1;
                    if word == "JSON" && reading.word(end) == Some("parse") {
                        let Some(close) = reading.closing(end + 1) else { return false };
                        let Some(last) = data(&reading, close) else { return false };
                        reading.accounted.extend(close + 1..=last);
                    }
                } else if !reading.vocabulary.names.contains(word.as_str()) && !reading.defined.contains(word) {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// What a name of a module stands for when it holds no code but data.
const DATA: &str = "\u{1}data";

/// Members by which everything can be reached.
const REACHING: &[&str] = &[
    "constructor",
    "__proto__",
    "prototype",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "caller",
    "callee",
    "arguments",
    "mainModule",
    "binding",
    "prepareStackTrace",
    "getThis",
    "getFunction",
    "_load",
    "dlopen",
    "getBuiltinModule",
    "this",
    "eval",
    "Function",
    "import",
    "with",
    "Reflect",
    "Proxy",
];

/// Members of data, from the name or bracket at `at`: where they end, if none of them is called or reaches more.
fn data(reading: &Reading<'_>, at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        // `?.`
        let step = usize::from(reading.is(at + 1, '?') && reading.is(at + 2, '.'));
        if reading.is(at + 1 + step, '.') && reading.word(at + 2 + step).is_some() {
            let member = reading.word(at + 2 + step)?;
            if REACHING.contains(&member) {
                return None;
            }
            let called = reading.is(at + 3 + step, '(');
            if called {
                return reading.vocabulary.members.contains(member).then_some(at + 2 + step);
            }
            at += 2 + step;
        } else if reading.is(at + 1, '[') && reading.is(at + 3, ']') && index(reading, at + 1) {
            at += 3;
        } else {
            return Some(at);
        }
    }
}

/// Whether the bracket at `at` begins a list, or an index that is a number or a harmless name.
fn index(reading: &Reading<'_>, at: usize) -> bool {
    let computed = matches!(reading.before(at), Some(Token::Sign('{' | ',')))
        && reading.closing(at).is_some_and(|end| reading.is(end + 1, ':') || reading.is(end + 1, '('));
    let of_value = match reading.before(at) {
        Some(Token::Sign(')' | ']' | '}' | '.') | Token::Text(_) | Token::Vague | Token::Name(_) | Token::Number) => {
            true
        }
        Some(Token::Word(word)) => !matches!(
            word.as_str(),
            "return" | "of" | "in" | "const" | "let" | "var" | "typeof" | "case" | "await" | "new"
        ),
        _ => false,
    };
    if !of_value {
        return !computed;
    }
    let literal = match reading.token(at + 1) {
        Some(Token::Number) => true,
        Some(Token::Text(name)) => !REACHING.contains(&name.as_str()),
        _ => false,
    };
    literal && reading.is(at + 2, ']')
}

/// `require(…)`: what it gives, and which names stand for it. Fails where it is something that is not known.
fn required(reading: &mut Reading<'_>) -> bool {
    for at in 0..reading.tokens.len() {
        if reading.word(at) != Some("require") {
            continue;
        }
        let Some(Token::Text(name)) = reading.token(at + 2) else { return false };
        if reading.is_member(at) || !reading.is(at + 1, '(') || !reading.is(at + 3, ')') {
            return false;
        }
        reading.accounted.insert(at);
        let end = at + 3;
        let name = name.strip_prefix("node:").unwrap_or(name);
        let is_data = name.ends_with(".json");
        let known = reading.vocabulary.module(name).is_some() || reading.vocabulary.opened.contains(name);
        // `NAME = require(…)`
        let alias = at.checked_sub(2).filter(|_| reading.is(at - 1, '=')).and_then(|at| reading.word(at));
        let pattern = at.checked_sub(2).filter(|_| reading.is(at - 1, '=')).filter(|at| reading.is(*at, '}'));
        let kind = if is_data { DATA.to_owned() } else { name.to_owned() };
        if reading.is(end + 1, '.') {
            let done = match is_data {
                true => data(reading, end),
                false => reading.chain(&kind, end),
            };
            let Some(done) = done else { return false };
            reading.accounted.extend(end..=done);
        } else if let Some(alias) = alias {
            if !reading.is_free(alias) && alias != name || reading.modules.contains_key(alias) {
                return false;
            }
            reading.accounted.insert(at - 2);
            reading.modules.insert(alias.to_owned(), kind);
        } else if let Some(close) = pattern {
            let mut open = close;
            while open > 0 && !reading.is(open, '{') {
                open -= 1;
            }
            for at in open + 1..close {
                match reading.token(at) {
                    Some(Token::Sign(',' | '\n')) => {}
                    Some(Token::Word(member)) => {
                        let listed =
                            reading.vocabulary.module(name).is_some_and(|members| members.contains(member.as_str()));
                        let opened = reading.vocabulary.opened.contains(name) && super::is_opened(member);
                        if is_data || listed {
                            if !reading.is_free(member) {
                                return false;
                            }
                            reading.defined.insert(member.clone());
                        } else if !opened {
                            return false;
                        }
                        reading.accounted.insert(at);
                    }
                    _ => return false,
                }
            }
        } else if !is_data && (known || reading.is(end + 1, '(') || reading.is(end + 1, '[')) {
            return false;
        }
    }
    true
}

/// Names in places where names are bound.
fn definitions(reading: &mut Reading<'_>) {
    for at in 0..reading.tokens.len() {
        let Some(word) = reading.word(at) else {
            // `(a, b) => …`
            let arrow = reading.is(at, '(')
                && reading.closing(at).is_some_and(|end| reading.is(end + 1, '=') && reading.is(end + 2, '>'));
            if arrow {
                define_all(reading, at, reading.closing(at).unwrap_or(at));
            }
            continue;
        };
        if reading.is_member(at) || reading.accounted.contains(&at) {
            continue;
        }
        match word {
            "const" | "let" | "var" => match reading.token(at + 1) {
                Some(Token::Sign('{' | '[')) => define_all(reading, at + 1, reading.closing(at + 1).unwrap_or(at)),
                Some(Token::Word(name)) => reading.define(name),
                _ => {}
            },
            "function" => {
                let open = (at + 1..at + 4).find(|at| reading.is(*at, '(')).unwrap_or(at);
                define_all(reading, at, reading.closing(open).unwrap_or(at));
            }
            "catch" => define_all(reading, at, at + 3),
            // `x => …`, `x = …`
            _ if reading.is(at + 1, '=') && !reading.is(at + 2, '=') => reading.define(word),
            _ => {}
        }
    }
}

fn define_all(reading: &mut Reading<'_>, from: usize, to: usize) {
    let names: Vec<&str> = (from..to).filter_map(|at| reading.word(at)).collect();
    names.into_iter().for_each(|name| reading.define(name));
}
