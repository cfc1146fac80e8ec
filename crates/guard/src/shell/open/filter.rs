//! `jq` and its kin: programs in a language of their own, which reads the environment and loads libraries.

use super::super::secret::is_secret_name;
use super::super::table::Kind;
use super::super::walk::{Act, Walker};
use super::super::{Argument, Dynamic, Effect};

/// Variables that say where and how one works.
const ORDINARY: &[&str] =
    &["HOME", "PATH", "PWD", "USER", "SHELL", "LANG", "TERM", "HOSTNAME", "TMPDIR", "CI", "EDITOR", "LC_ALL", "SHLVL"];

/// Reads the arguments of `jq`, of which some options take two.
pub(super) fn jq(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    let mut program = false;
    let mut texts = false;
    let mut ended = false;
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        if argument.prefix().is_empty() && (argument.is_unknown() && argument.is_many() || argument.is_glob()) {
            // It may be a name that is read as an option.
            act.dynamic(Dynamic::Argument);
        }
        let text = argument.text();
        if ended || !text.starts_with('-') || text == "-" {
            if !program {
                query(argument, act);
                program = true;
            } else if !texts {
                walker.role(Kind::Reads, argument, act);
            }
            continue;
        }
        match text {
            "--" => ended = true,
            "--args" | "--jsonargs" => texts = true,
            "--arg" | "--argjson" => at += 2,
            "--slurpfile" | "--rawfile" => {
                arguments.get(at + 1).into_iter().for_each(|file| walker.role(Kind::Reads, file, act));
                at += 2;
            }
            "--indent" => at += 1,
            "--from-file" | "--library-path" => {
                arguments.get(at).into_iter().for_each(|file| walker.run_file(file, act));
                program |= text == "--from-file";
                at += 1;
            }
            _ if text.starts_with("--") => {
                // `--from-file=…`, `--in-place`: not every one of its kin has the same.
                if text.contains('=') || text.starts_with("--in") {
                    act.dynamic(Dynamic::Argument);
                }
            }
            _ => {
                if let Some(place) = text.find('L') {
                    let directory = argument.after(place + 1);
                    let attached = !directory.text().is_empty() || directory.is_unknown();
                    let directory = if attached { Some(directory) } else { arguments.get(at).cloned() };
                    directory.iter().for_each(|directory| walker.run_file(directory, act));
                    at += usize::from(!attached);
                } else if text.contains('f') {
                    arguments.get(at).into_iter().for_each(|file| walker.run_file(file, act));
                    program = true;
                    at += 1;
                }
                if text.contains('i') {
                    act.dynamic(Dynamic::Argument);
                }
            }
        }
    }
}

/// What the arguments of a kin of `jq` say; its rule reads them, too.
pub(super) fn kin(arguments: &[Argument], act: &mut Act) -> bool {
    let words = arguments.iter().filter(|argument| !argument.prefix().starts_with('-'));
    words.filter(|argument| !argument.is_unknown()).for_each(|argument| query(argument, act));
    false
}

/// A program: what it takes from the environment, and what it loads.
fn query(program: &Argument, act: &mut Act) {
    if program.is_unknown() {
        act.dynamic(Dynamic::Code);
    }
    let letters: Vec<char> = program.text().chars().collect();
    // Where a comment ends depends on which `jq` reads it, so that with one every word counts.
    let strings = !letters.contains(&'#');
    let mut at = 0;
    let mut inside = false;
    // For each string that is open, how many parentheses are open in its `\(…)`.
    let mut open: Vec<usize> = Vec::new();
    while let Some(letter) = letters.get(at).copied() {
        if inside {
            match letter {
                '\\' if letters.get(at + 1) == Some(&'(') => {
                    open.push(0);
                    inside = false;
                    at += 2;
                }
                '\\' => at += 2,
                _ => {
                    inside = letter != '"';
                    at += 1;
                }
            }
            continue;
        }
        let start = at;
        while letters.get(at).is_some_and(|letter| *letter == '_' || letter.is_ascii_alphanumeric()) {
            at += 1;
        }
        if at > start {
            let name: String = letters.get(start..at).unwrap_or_default().iter().collect();
            let before = start.checked_sub(1).and_then(|before| letters.get(before)).copied();
            word(&name, before, letters.get(at..).unwrap_or_default(), act);
            continue;
        }
        at += 1;
        match (letter, open.last_mut()) {
            ('"', _) => inside = strings,
            ('(', Some(depth)) => *depth += 1,
            (')', Some(0)) => {
                open.pop();
                inside = true;
            }
            (')', Some(depth)) => *depth -= 1,
            _ => {}
        }
    }
}

/// One word of a program, with what stands before and behind it.
fn word(name: &str, before: Option<char>, behind: &[char], act: &mut Act) {
    // `.env` is a field, `{env: …}` a key.
    let field = before == Some('.');
    let key = behind.iter().find(|letter| !letter.is_whitespace()) == Some(&':');
    match name {
        "ENV" if before == Some('$') => environment(behind, act),
        "env" | "strenv" | "envsubst" if !field && !key && before != Some('$') => environment(behind, act),
        "import" | "include" | "load" | "load_str" | "load_xml" | "load_props" | "get_search_list"
            if !field && !key && before != Some('$') =>
        {
            act.dynamic(Dynamic::Code);
        }
        // Miller's, and those of others that run programs.
        "system" | "exec" | "hostname" | "tee" | "ENV" | "os" if !field && !key && before != Some('$') => {
            act.dynamic(Dynamic::Code);
        }
        _ => {}
    }
}

/// `env.HOME`, `env(HOME)`: one variable; otherwise all of them.
fn environment(behind: &[char], act: &mut Act) {
    let name: String = match behind.first() {
        Some('.' | '(') => {
            let plain = |letter: &&char| **letter == '_' || letter.is_ascii_alphanumeric();
            behind.iter().skip(1).take_while(plain).collect()
        }
        _ => String::new(),
    };
    if name.is_empty() || is_secret_name(&name) {
        act.effect(Effect::ReadsCredentials);
    } else if !ORDINARY.contains(&name.as_str()) {
        // What a filter prints of it goes wherever the rest of the pipe goes.
        act.dynamic(Dynamic::Argument);
    }
}
