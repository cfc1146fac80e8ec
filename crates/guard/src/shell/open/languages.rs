//! Interpreters, and `make`.

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
        "expect" | "guile" | "gjs" => &['c', 'e'],
        "swipl" => &['g', 't'],
        "matlab" => &['r', 'b'],
        "clisp" => &['x'],
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
        Some("install" | "add" | "i" | "remove" | "update" | "upgrade" | "x" | "create") => {
            act.effect(Effect::Installs)
        }
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
        Some(
            "json.tool" | "compileall" | "py_compile" | "site" | "sysconfig" | "platform" | "calendar" | "this"
            | "base64" | "gzip" | "tabnanny" | "tokenize" | "ast" | "dis",
        ) => {
            act.command.effects.remove(&Effect::Executes);
            rest.iter()
                .filter(|argument| !argument.text().starts_with('-'))
                .for_each(|file| walker.role(Kind::Reads, file, act));
        }
        Some(_) => {}
        None => act.dynamic(Dynamic::Program),
    }
}

/// A file of rules, or rules on standard input, which are not read here.
fn rules(walker: &mut Walker<'_>, file: &Argument, act: &mut Act) {
    if matches!(file.prefix(), "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") {
        act.dynamic(Dynamic::Code);
    }
    walker.run_file(file, act);
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
                    rules(walker, file, act);
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
            _ if text.starts_with("-f") => rules(walker, &argument.after(2), act),
            _ if text.starts_with("--file=") => rules(walker, &argument.after("--file=".len()), act),
            _ if text.starts_with("--makefile=") => rules(walker, &argument.after("--makefile=".len()), act),
            // Options in one word, and the beginning of a long one, of which some take what follows.
            _ if text.starts_with("-") && !text.starts_with("--") && text.contains(['f', 'C', 'E', 'I', 'o', 'W']) => {
                act.dynamic(Dynamic::Code);
            }
            _ if ["--f", "--mak", "--dir", "--ev"].iter().any(|start| text.starts_with(start)) => {
                act.dynamic(Dynamic::Code);
            }
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
