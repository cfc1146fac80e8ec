//! Words of Python.

use super::plain::Reading;
use super::tokens::Token;

pub(super) fn is_plain(mut reading: Reading<'_>) -> bool {
    if !imports(&mut reading) {
        return false;
    }
    definitions(&mut reading);
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(token) = reading.token(at) {
        let here = at;
        at += 1;
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            // What reads members by a text can read any.
            Token::Word(word) if matches!(word.as_str(), "format") && reading.is_member(here) => {
                let text = here.checked_sub(2).and_then(|at| reading.token(at));
                if !matches!(text, Some(Token::Text(text)) if !text.contains("__")) {
                    return false;
                }
            }
            Token::Word(_) if reading.accounted.contains(&here) => {}
            Token::Word(word) if reading.is_member(here) => {
                // A path's `replace` is no text's.
                let moves = word == "replace" && reading.tokens.iter().any(|token| token.word() == Some("Path"));
                if moves || !reading.vocabulary.members.contains(word.as_str()) {
                    return false;
                }
            }
            Token::Word(word) if depth > 0 && reading.is(at, '=') && !reading.is(at + 1, '=') => {
                match KEYWORDS.contains(&word.as_str()) {
                    true => {}
                    false => return false,
                }
            }
            Token::Word(word) => {
                if let Some(module) = reading.modules.get(word) {
                    let Some(end) = reading.chain(module, here) else { return false };
                    if reading.modules.get(word).is_some_and(|module| module == "sys")
                        && reading.word(end) == Some("path")
                        && !search_path(&reading, end)
                    {
                        return false;
                    }
                    at = end + 1;
                } else if !reading.vocabulary.names.contains(word.as_str()) && !reading.defined.contains(word) {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// `sys.path` is looked at, or gets a directory that has been accounted for.
fn search_path(reading: &Reading<'_>, path: usize) -> bool {
    !reading.is(path + 1, '.') && !reading.is(path + 1, '[') && !reading.is(path + 1, '=') && !reading.is(path + 1, '+')
        || reading.accounted.contains(&(path + 2))
}

/// Names of arguments.
const KEYWORDS: &[&str] = &[
    "sep",
    "end",
    "file",
    "flush",
    "key",
    "reverse",
    "default",
    "indent",
    "sort_keys",
    "ensure_ascii",
    "separators",
    "encoding",
    "errors",
    "newline",
    "shell",
    "check",
    "capture_output",
    "text",
    "timeout",
    "universal_newlines",
    "stdout",
    "stderr",
    "maxsplit",
    "strict",
    "start",
    "step",
    "base",
    "delimiter",
    "quotechar",
    "fieldnames",
    "flags",
    "count",
    "exist_ok",
    "parents",
    "missing_ok",
    "ignore_errors",
    "recursive",
    "width",
    "tz",
    "days",
    "hours",
    "minutes",
    "seconds",
    "weeks",
    "allow_nan",
    "repeat",
    "maxlen",
    "data",
    "usedforsecurity",
];

fn imports(reading: &mut Reading<'_>) -> bool {
    let mut at = 0;
    let mut unknown = Vec::new();
    while let Some(token) = reading.token(at) {
        let starts = matches!(reading.before(at), None | Some(Token::Sign('\n' | ';' | ':')));
        match token {
            Token::Word(word) if word == "import" && starts => {
                reading.accounted.insert(at);
                loop {
                    at += 1;
                    let Some((name, end)) = dotted(reading, at) else { return false };
                    at = end + 1;
                    let (bound, module) = match reading.word(at) {
                        Some("as") => {
                            reading.accounted.extend([at, at + 1]);
                            let Some(alias) = reading.word(at + 1) else { return false };
                            at += 2;
                            (alias.to_owned(), name)
                        }
                        _ => {
                            let first = name.split('.').next().unwrap_or_default().to_owned();
                            (first.clone(), first)
                        }
                    };
                    if RUNS_BY_ITSELF.contains(&module.as_str()) || !bind(reading, &bound, module) {
                        return false;
                    }
                    if !reading.is(at, ',') {
                        break;
                    }
                }
            }
            Token::Word(word) if word == "from" && starts => {
                reading.accounted.insert(at);
                let Some((module, end)) = dotted(reading, at + 1) else { return false };
                if reading.word(end + 1) != Some("import") || RUNS_BY_ITSELF.contains(&module.as_str()) {
                    return false;
                }
                reading.accounted.insert(end + 1);
                at = end + 2;
                if reading.is(at, '(') {
                    at += 1;
                }
                loop {
                    let Some(name) = reading.word(at) else { return false };
                    reading.accounted.insert(at);
                    let mut bound = name;
                    let renamed = reading.word(at + 1) == Some("as");
                    if renamed {
                        let Some(alias) = reading.word(at + 2) else { return false };
                        bound = alias;
                        reading.accounted.extend([at + 1, at + 2]);
                        at += 2;
                    }
                    at += 1;
                    let below = format!("{module}.{name}");
                    let members = reading.vocabulary.module(&module);
                    if reading.vocabulary.module(&below).is_some() {
                        if !bind(reading, bound, below) {
                            return false;
                        }
                    } else if members.is_some_and(|members| members.contains(name)) {
                        if !reading.vocabulary.names.contains(bound) || renamed || name != bound {
                            reading.defined.insert(bound.to_owned());
                        }
                    } else if reading.vocabulary.opened.contains(&module.as_str()) {
                        // Of these the calls are opened, under their own names.
                        if renamed || !super::is_opened(name) {
                            return false;
                        }
                    } else {
                        // It is there, and that is all that may be made of it.
                        unknown.push(bound.to_owned());
                    }
                    if !reading.is(at, ',') {
                        break;
                    }
                    at += 1;
                }
            }
            Token::Word(word)
                if word == "import" || word == "from" && reading.word(at.saturating_sub(2)) != Some("yield") =>
            {
                return false;
            }
            _ => at += 1,
        }
    }
    unknown.iter().all(|name| {
        let times = reading.tokens.iter().filter(|token| token.word() == Some(name)).count();
        times == 1 && !reading.modules.contains_key(name)
    })
}

/// Modules that do something when they are imported.
const RUNS_BY_ITSELF: &[&str] = &["antigravity", "site", "__main__", "idlelib.idle", "turtledemo", "this.main"];

fn bind(reading: &mut Reading<'_>, name: &str, module: String) -> bool {
    if !name.is_ascii() || reading.modules.get(name).is_some_and(|before| *before != module) {
        return false;
    }
    reading.modules.insert(name.to_owned(), module);
    true
}

/// `a.b.c` from `at`, and where it ends.
fn dotted(reading: &mut Reading<'_>, at: usize) -> Option<(String, usize)> {
    let mut name = reading.word(at)?.to_owned();
    let mut end = at;
    reading.accounted.insert(at);
    while reading.is(end + 1, '.') {
        name.push('.');
        name.push_str(reading.word(end + 2)?);
        end += 2;
        reading.accounted.insert(end);
    }
    Some((name, end))
}

/// Names in places where names are bound. Too many do no harm: a name that means nothing stays without meaning.
fn definitions(reading: &mut Reading<'_>) {
    for at in 0..reading.tokens.len() {
        let Some(word) = reading.word(at) else { continue };
        if reading.is_member(at) || reading.accounted.contains(&at) {
            continue;
        }
        let sets = reading.is(at + 1, '=') && !reading.is(at + 2, '=');
        let among = matches!(reading.token(at + 1), Some(Token::Sign(',' | '=' | ')' | ':')));
        match word {
            "for" => {
                let names = (at + 1..reading.tokens.len()).take_while(|at| reading.word(*at) != Some("in"));
                let names: Vec<&str> = names.filter_map(|at| reading.word(at)).collect();
                names.into_iter().for_each(|name| reading.define(name));
            }
            "lambda" => {
                let names = (at + 1..reading.tokens.len()).take_while(|at| !reading.is(*at, ':'));
                let names: Vec<&str> = names.filter_map(|at| reading.word(at)).collect();
                names.into_iter().for_each(|name| reading.define(name));
            }
            "def" => {
                let end = reading.closing(at + 2).unwrap_or(at);
                let names: Vec<&str> = (at + 1..end).filter_map(|at| reading.word(at)).collect();
                names.into_iter().for_each(|name| reading.define(name));
            }
            "as" => {
                if let Some(name) = reading.word(at + 1) {
                    reading.define(name);
                }
            }
            _ if sets || reading.is(at + 1, ':') && reading.is(at + 2, '=') => reading.define(word),
            // `a, b = …`
            _ if among && matches!(reading.before(at), None | Some(Token::Sign('\n' | ';' | ',' | '('))) => {
                let rest = (at + 1..reading.tokens.len())
                    .take_while(|at| matches!(reading.token(*at), Some(Token::Word(_) | Token::Sign(',' | '(' | ')'))));
                let end = rest.last().unwrap_or(at) + 1;
                if reading.is(end, '=') && !reading.is(end + 1, '=') {
                    reading.define(word);
                }
            }
            _ => {}
        }
    }
}
