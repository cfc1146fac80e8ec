//! Programs that take scripts on their input, for later or between other lines: `at`, `crontab -`, `ed`.

use super::super::table::Kind;
use super::super::walk::{Act, Nested, Walker};
use super::super::{Argument, Dynamic};

/// `at now`: what comes in is a script, unless a file is.
pub(super) fn at(arguments: &[Argument], act: &mut Act) -> bool {
    let other = ["-f", "-l", "-d", "-r", "-c"];
    if !arguments.iter().any(|argument| other.iter().any(|option| argument.text().starts_with(option))) {
        act.nested.push(Nested::Standard { wrapper: "at".to_owned(), bash: false });
    }
    false
}

/// `crontab -`: what comes in is a table of times and commands.
pub(super) fn crontab(walker: &Walker<'_>, arguments: &[Argument], act: &mut Act) -> bool {
    if !arguments.iter().any(|argument| matches!(argument.text(), "-" | "/dev/stdin")) {
        return false;
    }
    let input = act.input.as_ref().unwrap_or_else(|| walker.input());
    let Some(text) = input.text.clone() else {
        act.dynamic(Dynamic::Input);
        return false;
    };
    for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        // `@daily command`, or five fields of time.
        let fields = if line.starts_with('@') { 1 } else { 5 };
        let mut rest = line;
        for _ in 0..fields {
            rest = rest.split_once([' ', '\t']).map_or("", |(_, rest)| rest.trim_start());
        }
        if rest.is_empty() {
            // A variable of all that follows.
            act.dynamic(Dynamic::Code);
        } else {
            act.script("crontab", Argument::literal(rest), false);
        }
    }
    false
}

/// `ed file`: lines that change a file, and lines that run programs.
pub(super) fn ed(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        match argument.prefix() {
            "-p" => at += 1,
            text if text.starts_with('-') => {}
            text if text.starts_with('!') => act.script("ed", argument.after(1), false),
            "" if argument.is_unknown() => act.dynamic(Dynamic::Code),
            _ => walker.role(Kind::Changes, argument, act),
        }
    }
    let input = act.input.clone().unwrap_or_else(|| walker.input().clone());
    let Some(text) = input.text else {
        if input.given {
            act.dynamic(Dynamic::Input);
        }
        return;
    };
    for line in text.lines() {
        // Behind an address or a command, or in a list of commands: which of these is not read here.
        if let Some((_, script)) = line.split_once('!') {
            act.script("ed", Argument::literal(script), false);
            act.dynamic(Dynamic::Code);
        }
        let command = line.trim_start_matches(|letter: char| {
            letter.is_ascii_digit() || letter.is_whitespace() || matches!(letter, ',' | ';' | '.' | '$' | '%')
        });
        let Some((command, file)) = command.split_once([' ', '\t']) else { continue };
        let file = Argument::literal(file.trim());
        match command {
            "w" | "W" | "wq" => walker.role(Kind::Writes, &file, act),
            "r" | "e" | "E" => walker.role(Kind::Reads, &file, act),
            "f" => act.dynamic(Dynamic::Path),
            _ => {}
        }
    }
}
