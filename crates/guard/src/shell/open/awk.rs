//! `awk`, whose programs run others and write files.

use super::super::table::Kind;
use super::super::walk::{Act, Walker};
use super::super::{Argument, Dynamic, Effect};

pub(super) fn awk(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    act.filters = true;
    let mut at = 0;
    let mut program = false;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        let text = argument.prefix();
        match text {
            "-F" | "-v" | "--field-separator" | "--assign" => at += 1,
            "-f" | "--file" | "-i" | "--include" | "-l" | "--load" => {
                if let Some(file) = arguments.get(at) {
                    walker.run_file(file, act);
                }
                program = true;
                at += 1;
            }
            "-e" | "--source" => {
                if let Some(code) = arguments.get(at) {
                    awk_program(walker, code, act);
                }
                program = true;
                at += 1;
            }
            "--" => {}
            _ if text.starts_with('-') && text.len() > 1 => {}
            _ if !program => {
                awk_program(walker, argument, act);
                program = true;
            }
            _ if text.contains('=') && !text.contains('/') => {}
            _ => walker.role(Kind::Reads, argument, act),
        }
    }
}

/// What an awk program does beyond reading its input and printing.
fn awk_program(walker: &mut Walker<'_>, program: &Argument, act: &mut Act) {
    let Some(text) = program.known() else {
        act.dynamic(Dynamic::Code);
        return;
    };
    let stripped = outside_patterns(text);
    for at in stripped.match_indices("system").map(|(at, word)| at + word.len()) {
        if stripped.get(at..).unwrap_or_default().trim_start().starts_with('(') {
            literal_or_dynamic(stripped.get(at..).unwrap_or_default().trim_start().trim_start_matches('('), act);
        }
    }
    let bytes = stripped.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + 1);
        let rest = stripped.get(at + 1..).unwrap_or_default().trim_start_matches(['>', '&']).trim_start();
        match byte {
            b'|' if before != Some(&b'|') && after != Some(&b'|') => {
                if rest.starts_with("getline") {
                    act.dynamic(Dynamic::Code);
                    if let Some(script) = last_literal(stripped.get(..at).unwrap_or_default()) {
                        act.script("awk", Argument::literal(script), false);
                    }
                } else {
                    literal_or_dynamic(rest, act);
                }
            }
            b'>' if before != Some(&b'>') && after != Some(&b'=') && prints_before(&stripped, at) => {
                match first_literal(rest) {
                    Some("/dev/stderr" | "/dev/stdout") => {}
                    Some(file) if file.starts_with("/inet/") => {
                        act.effects(&[Effect::Sends, Effect::Fetches]);
                        act.dynamic(Dynamic::Host);
                    }
                    Some(file) => walker.role(Kind::Writes, &Argument::literal(file), act),
                    None => act.dynamic(Dynamic::Path),
                }
            }
            b'<' if before.is_some() && stripped.get(..at).unwrap_or_default().trim_end().ends_with("getline")
                || stripped.get(..at).unwrap_or_default().trim_end().ends_with("getline line") =>
            {
                match first_literal(rest) {
                    Some(file) => walker.role(Kind::Reads, &Argument::literal(file), act),
                    None => act.dynamic(Dynamic::Path),
                }
            }
            _ => {}
        }
    }
    if stripped.contains("/inet/") || stripped.contains("ENVIRON") && stripped.contains("for") {
        act.dynamic(Dynamic::Code);
    }
    if stripped.contains('@') && !stripped.contains('"') {
        // gawk's indirect calls.
        act.dynamic(Dynamic::Code);
    }
}

/// Whether `>` at `at` redirects a `print` rather than compares.
fn prints_before(text: &str, at: usize) -> bool {
    let start = text.get(..at).and_then(|before| before.rfind(['{', ';', '\n'])).map_or(0, |start| start + 1);
    let statement = text.get(start..at).unwrap_or_default();
    let open = statement.matches('(').count();
    let closed = statement.matches(')').count();
    statement.contains("print") && open <= closed
}

/// The program without what is between slashes, where a bar is an alternative.
fn outside_patterns(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = '\n';
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        if quoted {
            out.push(letter);
            if letter == '\\' {
                out.extend(letters.next());
            } else if letter == '"' {
                quoted = false;
            }
            continue;
        }
        if letter == '"' {
            quoted = true;
        }
        let starts = letter == '/' && matches!(before, '\n' | '~' | '(' | ',' | '{' | ';' | '!' | '&' | '|' | '}');
        if starts {
            while let Some(inner) = letters.next() {
                match inner {
                    '\\' => {
                        letters.next();
                    }
                    '/' => break,
                    _ => {}
                }
            }
            before = ')';
            continue;
        }
        if !letter.is_whitespace() {
            before = letter;
        }
        out.push(letter);
    }
    out
}

fn literal_or_dynamic(rest: &str, act: &mut Act) {
    match first_literal(rest) {
        Some(script) => {
            act.script("awk", Argument::literal(script), false);
            let behind = rest.get(script.len() + 2..).unwrap_or_default().trim_start();
            // `"rm " $1`: the rest of the command comes from the input.
            if !behind.is_empty() && !behind.starts_with([')', '}', ';', '\n']) {
                act.dynamic(Dynamic::Code);
            }
        }
        None => act.dynamic(Dynamic::Code),
    }
}

/// The text of the string that `rest` starts with, if nothing in it is escaped.
fn first_literal(rest: &str) -> Option<&str> {
    let inner = rest.trim_start().strip_prefix('"')?;
    let literal = inner.get(..inner.find('"')?)?;
    (!literal.contains('\\')).then_some(literal)
}

fn last_literal(text: &str) -> Option<&str> {
    let inner = text.trim_end().strip_suffix('"')?;
    inner.get(inner.rfind('"')? + 1..)
}
