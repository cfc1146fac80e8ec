//! Interpreters, and the small languages of `awk`, `sed` and `make`.

use super::super::table::Kind;
use super::super::walk::{Act, Walker};
use super::super::{Argument, Dynamic, Effect};

/// `python -c`, `perl -e`, `node -e`, `ruby -e`, `php -r`, `lua -e`, `deno eval`, `osascript -e`, …
pub(super) fn interpreter(walker: &mut Walker<'_>, name: &str, arguments: &[Argument], act: &mut Act) {
    act.effect(Effect::Executes);
    let base = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let perlish = matches!(base, "perl" | "ruby");
    let code_letters: &[char] = match base {
        "python" | "pypy" => &['c'],
        "perl" => &['e', 'E'],
        "ruby" | "lua" | "luajit" | "osascript" | "Rscript" | "groovy" | "julia" | "elixir" | "scala" => &['e'],
        "php" => &['r'],
        "node" | "bun" => &['e', 'p'],
        _ => &['e'],
    };
    let mut at = 0;
    let mut ran = false;
    let mut in_place = false;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        let text = argument.text();
        if argument.prefix().is_empty() && argument.is_unknown() {
            act.dynamic(Dynamic::Argument);
        }
        if text == "-" && argument.known().is_some() {
            break;
        }
        if !argument.prefix().starts_with('-') {
            if ran {
                let kind = if in_place { Kind::Changes } else { Kind::Reads };
                let data = argument.text().contains('/') || perlish;
                if data {
                    arguments.iter().skip(at - 1).for_each(|file| walker.role(kind, file, act));
                }
                return;
            }
            if base == "deno" || base == "bun" {
                return subcommand(walker, argument, arguments.get(at..).unwrap_or_default(), act);
            }
            walker.run_file(argument, act);
            return;
        }
        match text {
            "--eval" | "--print" | "--require" | "--import" | "--loader" | "--experimental-loader" => {
                if let Some(value) = arguments.get(at) {
                    if text.starts_with("--e") && text != "--experimental-loader" || text == "--print" {
                        super::code(walker, base, value, act);
                        ran = true;
                    } else {
                        walker.run_file(value, act);
                    }
                }
                at += 1;
                continue;
            }
            "-m" if base == "python" || base == "pypy" => {
                module(walker, arguments.get(at), arguments.get(at + 1..).unwrap_or_default(), act);
                return;
            }
            "--version" | "-V" | "--help" | "-h" | "-v" if arguments.len() == 1 => {
                act.command.effects.remove(&Effect::Executes);
                return;
            }
            "-r" if base == "node" => {
                if let Some(value) = arguments.get(at) {
                    walker.run_file(value, act);
                }
                at += 1;
                continue;
            }
            "-W" | "-X" | "-I" | "-C" | "--check-hash-based-pycs" if !text.starts_with("--") && base != "node" => {
                at += 1;
                continue;
            }
            _ => {}
        }
        if let Some(value) = text.strip_prefix("--eval=") {
            super::code(walker, base, &argument.after(text.len() - value.len()), act);
            ran = true;
            continue;
        }
        if text.starts_with("--") {
            continue;
        }
        in_place |= perlish && text.contains('i');
        if let Some(place) = text.find(code_letters) {
            let rest = argument.after(place + 1);
            if rest.text().is_empty() && !rest.is_unknown() || base == "node" {
                if let Some(value) = arguments.get(at) {
                    super::code(walker, base, value, act);
                    at += 1;
                }
            } else {
                super::code(walker, base, &rest, act);
            }
            ran = true;
        } else if perlish && text.contains(['M', 'r', 'I']) && base == "ruby" && text == "-r" {
            at += 1;
        }
    }
    if !ran {
        // Reads its program from what comes in.
        let input = act.input.clone().unwrap_or_else(|| walker.input().clone());
        match input.text {
            Some(text) => super::code(walker, base, &Argument::literal(text.to_string()), act),
            None if input.given => {
                act.dynamic(Dynamic::Input);
                if input.download {
                    act.effect(Effect::ExecutesDownload);
                }
            }
            None => {}
        }
    }
}

fn subcommand(walker: &mut Walker<'_>, first: &Argument, rest: &[Argument], act: &mut Act) {
    match first.known() {
        Some("eval") => {
            if let Some(code) = rest.iter().find(|argument| !argument.text().starts_with('-')) {
                super::code(walker, "node", code, act);
            }
        }
        Some("run" | "test" | "bench") => {
            let file = rest.iter().find(|argument| !argument.text().starts_with('-'));
            match file {
                Some(file) if file.text().contains("://") => {
                    walker.url(file, act);
                    act.effect(Effect::ExecutesDownload);
                }
                Some(file) if file.text().contains(['/', '.']) => walker.run_file(file, act),
                _ => {}
            }
        }
        Some("install" | "add" | "i" | "remove" | "update" | "upgrade" | "x" | "create") => act.effect(Effect::Installs),
        Some("fmt" | "lint" | "check" | "doc" | "info" | "types" | "pm") => {}
        Some(_) if first.text().contains(['/', '.']) => walker.run_file(first, act),
        Some(_) => {}
        None => act.dynamic(Dynamic::Argument),
    }
}

/// `python -m module`.
fn module(walker: &mut Walker<'_>, module: Option<&Argument>, rest: &[Argument], act: &mut Act) {
    match module.and_then(Argument::known) {
        Some("pip" | "uv" | "pipx" | "poetry" | "ensurepip") => {
            let argv: Vec<Argument> = module.into_iter().chain(rest).cloned().collect();
            act.argv("python -m", &argv);
        }
        Some("http.server" | "SimpleHTTPServer" | "smtpd" | "ftplib" | "pyftpdlib") => {
            act.effects(&[Effect::Listens, Effect::Sends]);
            let here = Argument::literal(".");
            walker.role(Kind::Reads, &here, act);
            act.recursive = true;
        }
        Some("venv" | "virtualenv") => {
            act.command.effects.remove(&Effect::Executes);
            rest.iter()
                .filter(|argument| !argument.text().starts_with('-'))
                .for_each(|directory| walker.role(Kind::Writes, directory, act));
        }
        Some("json.tool" | "compileall" | "py_compile" | "site" | "sysconfig" | "platform" | "calendar" | "this" | "base64" | "gzip" | "tabnanny" | "tokenize" | "ast" | "dis") => {
            act.command.effects.remove(&Effect::Executes);
            rest.iter()
                .filter(|argument| !argument.text().starts_with('-'))
                .for_each(|file| walker.role(Kind::Reads, file, act));
        }
        Some(_) => {}
        None => act.dynamic(Dynamic::Program),
    }
}

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
            b'>' if before != Some(&b'>') && after != Some(&b'=') && prints_before(&stripped, at) => match first_literal(rest) {
                Some("/dev/stderr" | "/dev/stdout") => {}
                Some(file) if file.starts_with("/inet/") => {
                    act.effects(&[Effect::Sends, Effect::Fetches]);
                    act.dynamic(Dynamic::Host);
                }
                Some(file) => walker.role(Kind::Writes, &Argument::literal(file), act),
                None => act.dynamic(Dynamic::Path),
            },
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

pub(super) fn sed(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    act.filters = true;
    let mut in_place = false;
    let mut scripts = Vec::new();
    let mut operands = Vec::new();
    let mut ended = false;
    let mut given = false;
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        let text = argument.prefix();
        if ended || !text.starts_with('-') || text == "-" {
            if argument.prefix().is_empty() && argument.is_unknown() && !ended {
                act.dynamic(Dynamic::Argument);
            }
            operands.push(argument.clone());
            continue;
        }
        match text {
            "--" => ended = true,
            "-e" | "--expression" => {
                scripts.extend(arguments.get(at).cloned());
                given = true;
                at += 1;
            }
            "-f" | "--file" => {
                if let Some(file) = arguments.get(at) {
                    walker.run_file(file, act);
                }
                given = true;
                at += 1;
            }
            "-l" | "--line-length" => at += 1,
            _ if text.starts_with("--in-place") => in_place = true,
            _ if text.starts_with("--expression=") => {
                scripts.push(argument.after("--expression=".len()));
                given = true;
            }
            _ if text.starts_with("--file=") => {
                walker.run_file(&argument.after("--file=".len()), act);
                given = true;
            }
            _ if text.starts_with("--") => {}
            _ => {
                for (place, letter) in text.char_indices().skip(1) {
                    match letter {
                        'i' => {
                            in_place = true;
                            break;
                        }
                        'e' => {
                            let rest = argument.after(place + 1);
                            if rest.text().is_empty() && !rest.is_unknown() {
                                scripts.extend(arguments.get(at).cloned());
                                at += 1;
                            } else {
                                scripts.push(rest);
                            }
                            given = true;
                            break;
                        }
                        'f' => {
                            if let Some(file) = arguments.get(at) {
                                walker.run_file(file, act);
                            }
                            at += 1;
                            given = true;
                            break;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    // BSD's `-i ''` takes an argument.
    if in_place && operands.first().is_some_and(|first| first.known() == Some("")) {
        operands.remove(0);
    }
    let mut operands = operands.into_iter();
    if !given {
        scripts.extend(operands.next());
    }
    for script in &scripts {
        sed_script(walker, script, act);
    }
    for file in operands {
        walker.role(if in_place { Kind::Changes } else { Kind::Reads }, &file, act);
    }
}

/// Commands of sed that run programs or touch files: `e`, `w`, `W`, `r`, `R`, and the flags of `s`.
fn sed_script(walker: &mut Walker<'_>, script: &Argument, act: &mut Act) {
    let Some(text) = script.known() else {
        // An expansion inside `s/…/…/` could end it and begin another command.
        act.dynamic(Dynamic::Code);
        return;
    };
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    let skip_to = |from: usize, stop: char| {
        let mut place = from;
        let mut class = false;
        while let Some(letter) = letters.get(place) {
            match letter {
                '\\' => place += 1,
                '[' if stop != '\n' => class = true,
                ']' => class = false,
                letter if *letter == stop && (!class || stop == '\n') => return place,
                _ => {}
            }
            place += 1;
        }
        letters.len()
    };
    while let Some(letter) = letters.get(at).copied() {
        at += 1;
        let line = |from: usize| letters.get(from..skip_to(from, '\n')).unwrap_or_default().iter().collect::<String>();
        match letter {
            '/' => at = skip_to(at, '/') + 1,
            '\\' => {
                let Some(stop) = letters.get(at).copied() else { break };
                at = skip_to(at + 1, stop) + 1;
            }
            's' | 'y' => {
                let Some(stop) = letters.get(at).copied() else { break };
                let middle = skip_to(at + 1, stop);
                // In the replacement no bracket is a class.
                let mut end = middle + 1;
                while let Some(letter) = letters.get(end).filter(|letter| **letter != stop) {
                    end += 1 + usize::from(*letter == '\\');
                }
                at = end + 1;
                if letter == 's' {
                    while let Some(flag) = letters.get(at).copied() {
                        match flag {
                            'e' => act.dynamic(Dynamic::Code),
                            'w' => {
                                walker.role(Kind::Writes, &Argument::literal(line(at + 1).trim()), act);
                                at = skip_to(at, '\n');
                            }
                            'g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9' => {}
                            _ => break,
                        }
                        at += 1;
                    }
                }
            }
            'e' => {
                let command = line(at);
                at = skip_to(at, '\n');
                if command.trim().is_empty() {
                    act.dynamic(Dynamic::Code);
                } else {
                    act.script("sed e", Argument::literal(command.trim()), false);
                }
            }
            'w' | 'W' => {
                walker.role(Kind::Writes, &Argument::literal(line(at).trim()), act);
                at = skip_to(at, '\n');
            }
            'r' | 'R' => {
                walker.role(Kind::Reads, &Argument::literal(line(at).trim()), act);
                at = skip_to(at, '\n');
            }
            'a' | 'i' | 'c' | ':' | 'b' | 't' | 'T' | '#' => {
                at = if matches!(letter, 'b' | 't' | 'T') {
                    letters.get(at..).unwrap_or_default().iter().position(|letter| matches!(letter, ';' | '}' | '\n')).map_or(letters.len(), |place| at + place)
                } else {
                    skip_to(at, '\n')
                };
            }
            _ => {}
        }
    }
}

pub(super) fn make(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    act.effect(Effect::Executes);
    let mut directory = Argument::literal(".");
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        let text = argument.prefix();
        match text {
            "-f" | "--file" | "--makefile" => {
                if let Some(file) = arguments.get(at) {
                    walker.run_file(file, act);
                }
                at += 1;
            }
            "-C" | "--directory" => {
                directory = arguments.get(at).cloned().unwrap_or(directory);
                at += 1;
            }
            "-E" | "--eval" => {
                act.dynamic(Dynamic::Code);
                at += 1;
            }
            "-I" | "-o" | "-W" => at += 1,
            _ if text.starts_with("--eval=") => act.dynamic(Dynamic::Code),
            _ if text.starts_with("--directory=") => directory = argument.after("--directory=".len()),
            _ if text.starts_with("-C") => directory = argument.after(2),
            _ if text.starts_with("-f") => walker.run_file(&argument.after(2), act),
            _ if text.starts_with('-') => {}
            _ => {
                if let Some((name, _)) = text.split_once('=') {
                    let value = argument.after(name.len() + 1);
                    if matches!(name, "SHELL" | ".SHELLFLAGS") {
                        act.script("make", value, false);
                    } else {
                        walker.environment(name, &value, false, act);
                    }
                } else if argument.is_unknown() {
                    act.dynamic(Dynamic::Argument);
                }
            }
        }
    }
    walker.run_file(&directory, act);
}

