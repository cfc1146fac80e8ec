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
                // What Perl reads as a file it opens as a shell would: `id|` is a program.
                if base == "perl" && arguments.iter().skip(at - 1).any(|file| file.text().contains(['|', '>', '<'])) {
                    act.dynamic(Dynamic::Code);
                }
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
            // Options of PHP and Perl that set or load what the code then meets.
            "-d" if base == "php" => {
                if !arguments.get(at).is_some_and(harmless_setting) {
                    act.dynamic(Dynamic::Code);
                }
                at += 1;
                continue;
            }
            "-l" if base.starts_with("lua") => {
                if let Some(library) = arguments.get(at) {
                    walker.run_file(library, act);
                }
                at += 1;
                continue;
            }
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
        if let Some((option, _)) = text.split_once('=')
            && matches!(option, "--require" | "--import" | "--loader" | "--experimental-loader" | "--env-file")
        {
            walker.run_file(&argument.after(option.len() + 1), act);
            continue;
        }
        if text.starts_with("--print=") || base == "php" && (text.starts_with("--run") || text.starts_with("-d")) {
            act.dynamic(Dynamic::Code);
        }
        if text.starts_with("--") {
            continue;
        }
        if perlish && loads(walker, base, argument, arguments.get(at), act) {
            at += usize::from(text == "-r");
            continue;
        }
        if base == "php" && text.contains(['B', 'R', 'E', 'F', 'z']) {
            act.dynamic(Dynamic::Code);
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

/// Settings of PHP that say how much it may use and what it shows.
fn harmless_setting(setting: &Argument) -> bool {
    let harmless =
        ["memory_limit", "display_errors", "error_reporting", "max_execution_time", "date.timezone", "precision"];
    setting.known().is_some_and(|text| harmless.contains(&text.split('=').next().unwrap_or_default()))
}

/// `perl -MList::Util=sum`, `ruby -rjson`: says whether the option loads something.
fn loads(walker: &mut Walker<'_>, base: &str, option: &Argument, next: Option<&Argument>, act: &mut Act) -> bool {
    let text = option.text();
    let library = match (base, text.get(..2)) {
        ("perl", Some("-M" | "-m")) => option.after(2),
        ("ruby", Some("-r")) if text.len() > 2 => option.after(2),
        ("ruby", Some("-r")) => next.cloned().unwrap_or_default(),
        // A directory in which libraries are looked for, or a debugger.
        (_, Some("-I")) => option.after(2),
        ("perl", Some("-d")) => {
            return text.len() > 2 && {
                act.dynamic(Dynamic::Code);
                true
            };
        }
        _ => return false,
    };
    if text.starts_with("-I") || library.text().starts_with(['/', '.']) {
        walker.run_file(&library, act);
        return true;
    }
    let name = library.known().map(|library| library.trim_start_matches('-'));
    let name = name.map(|library| library.split(['=', ' ']).next().unwrap_or_default());
    // Behind the name stands what is asked of it: names, and `…;code` for Perl.
    let plain = library.known().is_some_and(|library| {
        library
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'=' | b',' | b'/'))
    });
    if !plain || !name.is_some_and(|name| super::code::is_library(base, name)) {
        act.dynamic(Dynamic::Code);
    }
    true
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
        Some("x" | "create" | "dlx") => super::packages::run(walker, rest, act),
        Some("install" | "add" | "i" | "remove" | "update" | "upgrade" | "link") => {
            act.effect(Effect::Installs);
            for package in rest.iter().filter(|argument| !argument.prefix().starts_with('-')) {
                super::package(walker, package, true, act);
            }
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
        Some("pip" | "uv" | "pipx" | "poetry" | "ensurepip" | "pytest") => {
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
        // They run what their arguments, their input or another file say.
        Some("timeit") => {
            for argument in rest.iter().filter(|argument| !is_number_or_option(argument)) {
                super::code(walker, "python", argument, act);
            }
        }
        Some("pdb" | "cProfile" | "profile" | "trace" | "runpy" | "doctest" | "zipapp" | "pyclbr") => {
            match rest.iter().find(|argument| argument.text().contains(['/', '.']) && !argument.text().starts_with('-'))
            {
                Some(file) => walker.run_file(file, act),
                None => act.dynamic(Dynamic::Program),
            }
            if module.and_then(Argument::known) == Some("pdb") {
                act.dynamic(Dynamic::Input);
            }
        }
        Some("code" | "codeop" | "asyncio" | "idlelib" | "IPython" | "bpython" | "ptpython" | "sqlite3") => {
            act.dynamic(Dynamic::Input);
        }
        Some("antigravity" | "webbrowser" | "turtledemo" | "pydoc" | "telnetlib" | "smtplib" | "nntplib") => {
            act.effects(&[Effect::Sends, Effect::Fetches, Effect::Listens]);
            act.dynamic(Dynamic::Host);
        }
        Some("pty" | "ctypes" | "multiprocessing" | "subprocess" | "os" | "shutil") => act.dynamic(Dynamic::Code),
        Some("zipfile" | "tarfile") => {
            act.command.effects.remove(&Effect::Executes);
            for argument in rest.iter().filter(|argument| !argument.text().starts_with('-')) {
                walker.role(Kind::Changes, argument, act);
            }
        }
        Some(_) => {}
        None => act.dynamic(Dynamic::Program),
    }
}

fn is_number_or_option(argument: &Argument) -> bool {
    let text = argument.text();
    text.bytes().all(|byte| byte.is_ascii_digit()) || text.starts_with('-') && text != "-s" && !text.starts_with("-s")
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
                        let shells = ["sh", "bash", "/bin/sh", "/bin/bash", "/usr/bin/bash", "/usr/bin/sh"];
                        if !value.known().is_some_and(|shell| shells.contains(&shell)) {
                            act.effect(Effect::Hijacks);
                        }
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
