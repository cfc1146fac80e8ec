//! `find`, `tar`, `dd`: files, and programs run over them.

use super::super::table::Kind;
use super::super::walk::{Act, Nested, Walker};
use super::super::{Argument, Dynamic, Effect};
use super::streams::replaced;

pub(super) fn find(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    let is_root = |argument: &&Argument| {
        let text = argument.prefix();
        !(text.starts_with('-') || text.starts_with(['(', '!', ',']))
    };
    let mut rest = arguments;
    while let Some((first, more)) = rest.split_first() {
        match first.known() {
            Some("-H" | "-L" | "-P") => rest = more,
            Some("-D") => rest = more.get(1..).unwrap_or_default(),
            Some(text) if text.starts_with("-O") => rest = more,
            _ => break,
        }
    }
    let count = rest.iter().take_while(|argument| is_root(argument)).count();
    let (roots, expression) = rest.split_at(count);
    let here = [Argument::literal(".")];
    let roots = if roots.is_empty() { &here } else { roots };
    for root in roots {
        walker.role(Kind::Reads, root, act);
    }
    let chosen = expression.iter().any(|test| test.known().is_some_and(|test| CHOOSE.contains(&test)));
    let found: Vec<Argument> = roots.iter().map(|root| below(root, chosen)).collect();
    act.names = found.clone();
    let mut at = 0;
    while let Some(test) = expression.get(at) {
        at += 1;
        let Some(text) = test.known() else {
            act.dynamic(Dynamic::Argument);
            continue;
        };
        match text {
            "-delete" => {
                for found in &found {
                    walker.role(Kind::Deletes, found, act);
                }
            }
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                let length = expression
                    .get(at..)
                    .unwrap_or_default()
                    .iter()
                    .position(|argument| matches!(argument.known(), Some(";" | "+")))
                    .unwrap_or(expression.len().saturating_sub(at));
                let command = expression.get(at..at + length).unwrap_or_default();
                at += length + 1;
                for found in &found {
                    let argv = command.iter().map(|argument| replaced(argument, "{}", found)).collect();
                    act.nested.push(Nested::Argv {
                        wrapper: format!("find {text}"),
                        argv,
                        assignments: Vec::new(),
                        loose: false,
                    });
                }
            }
            "-fprint" | "-fprint0" | "-fls" | "-fprintf" => {
                if let Some(file) = expression.get(at) {
                    walker.role(Kind::Writes, file, act);
                }
                at += 1;
            }
            "-files0-from" | "-newer" | "-anewer" | "-cnewer" | "-samefile" => {
                if let Some(file) = expression.get(at) {
                    walker.role(Kind::Reads, file, act);
                }
                at += 1;
            }
            _ => {}
        }
    }
}

/// Tests of `find` that choose some of what there is.
const CHOOSE: &[&str] = &[
    "-name",
    "-iname",
    "-path",
    "-ipath",
    "-wholename",
    "-regex",
    "-iregex",
    "-newer",
    "-mtime",
    "-mmin",
    "-ctime",
    "-cmin",
    "-atime",
    "-amin",
    "-size",
    "-empty",
    "-perm",
    "-user",
    "-group",
    "-lname",
    "-samefile",
    "-inum",
];

/// What lies below `root`, as a pattern: `*` for all of it, `**` for some of it.
fn below(root: &Argument, chosen: bool) -> Argument {
    let mut found = root.clone();
    found.push("/");
    found.push_pattern(if chosen { "**" } else { "*" });
    found
}

/// Options of `tar` without a value, and the letter that means the same, or `-` for what has none.
const LONG: &[(&str, char)] = &[
    ("create", 'c'),
    ("extract", 'x'),
    ("get", 'x'),
    ("list", 't'),
    ("append", 'r'),
    ("update", 'r'),
    ("delete", 'r'),
    ("catenate", 'r'),
    ("concatenate", 'r'),
    ("absolute-names", 'P'),
    ("remove-files", '-'),
];

pub(super) fn tar(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    let mut mode = None;
    let mut archive: Option<Argument> = None;
    let mut directory: Option<Argument> = None;
    let mut operands = Vec::new();
    let mut removes = false;
    let mut at = 0;
    let take = |at: &mut usize| {
        *at += 1;
        arguments.get(*at - 1).cloned()
    };
    let mut first = true;
    while let Some(argument) = take(&mut at) {
        let text = argument.text().to_owned();
        let was_first = std::mem::replace(&mut first, false);
        if argument.prefix().is_empty() && (argument.is_unknown() || argument.is_glob()) {
            // A name like `--checkpoint-action=exec=…` is an option.
            act.dynamic(Dynamic::Argument);
            operands.push(argument);
            continue;
        }
        if let Some(option) = text.strip_prefix("--") {
            let (name, attached) =
                option.split_once('=').map_or((option, None), |(name, _)| (name, Some(argument.after(name.len() + 3))));
            let valued = [
                "file",
                "directory",
                "to-command",
                "checkpoint-action",
                "use-compress-program",
                "info-script",
                "new-volume-script",
                "rsh-command",
                "rmt-command",
                "files-from",
                "exclude",
                "exclude-from",
                "transform",
            ];
            let full = valued.iter().find(|known| known.starts_with(name) && name.len() > 2).copied();
            let value = match (full, attached) {
                (Some(_), None) => take(&mut at),
                (_, attached) => attached,
            };
            // Long names may be cut short.
            let flag = LONG.iter().find(|(known, _)| known.starts_with(name) && name.len() > 2);
            match (flag, full, value) {
                (Some((_, letter @ ('c' | 'x' | 't' | 'r'))), ..) => mode = Some(*letter),
                (Some((_, 'P')), ..) => act.dynamic(Dynamic::Path),
                (Some(_), ..) => removes = true,
                (_, Some("file"), value) => archive = value,
                (_, Some("directory"), value) => directory = value,
                (_, Some("files-from" | "exclude-from"), Some(file)) => walker.role(Kind::Reads, &file, act),
                (_, Some("checkpoint-action"), Some(value)) => match value.known() {
                    Some(action) => {
                        if let Some(command) = action.strip_prefix("exec=") {
                            act.script("tar --checkpoint-action", Argument::literal(command), false);
                        }
                    }
                    None => act.dynamic(Dynamic::Code),
                },
                (
                    _,
                    Some(
                        "to-command"
                        | "use-compress-program"
                        | "info-script"
                        | "new-volume-script"
                        | "rsh-command"
                        | "rmt-command",
                    ),
                    Some(value),
                ) => act.script("tar", value, false),
                _ => {}
            }
        } else if text.starts_with('-') && text.len() > 1 || was_first && !text.contains(['/', '.']) {
            let letters: Vec<char> = text.trim_start_matches('-').chars().collect();
            for (nth, letter) in letters.iter().enumerate() {
                let dashed = text.starts_with('-');
                let rest: String = letters.get(nth + 1..).unwrap_or_default().iter().collect();
                let mut value = || match dashed && !rest.is_empty() {
                    true => Some(Argument::literal(rest.clone())),
                    false => take(&mut at),
                };
                match letter {
                    'c' | 'x' | 't' | 'r' | 'u' => mode = Some(*letter),
                    'f' => archive = value(),
                    'C' => directory = value(),
                    'I' | 'F' => {
                        if let Some(script) = value() {
                            act.script("tar", script, false);
                        }
                    }
                    'T' | 'X' => {
                        if let Some(file) = value() {
                            walker.role(Kind::Reads, &file, act);
                        }
                    }
                    'P' => act.dynamic(Dynamic::Path),
                    _ => continue,
                }
                if dashed && matches!(letter, 'f' | 'C' | 'I' | 'F' | 'T' | 'X') {
                    break;
                }
            }
        } else {
            operands.push(argument);
        }
    }
    let archive = archive.filter(|archive| archive.known() != Some("-"));
    match mode {
        Some('x') => {
            archive.iter().for_each(|archive| walker.role(Kind::Remote, archive, act));
            walker.role(Kind::Writes, directory.as_ref().unwrap_or(&Argument::literal(".")), act);
        }
        Some('t') => archive.iter().for_each(|archive| walker.role(Kind::Remote, archive, act)),
        _ => {
            act.recursive = true;
            archive.iter().for_each(|archive| walker.role(Kind::RemoteWrites, archive, act));
            for operand in &operands {
                let operand = match &directory {
                    Some(directory) if !operand.text().starts_with('/') => {
                        let mut joined = directory.clone();
                        joined.push("/");
                        joined.push_value(operand);
                        joined
                    }
                    _ => operand.clone(),
                };
                walker.role(Kind::Reads, &operand, act);
                if removes {
                    walker.role(Kind::Deletes, &operand, act);
                }
            }
        }
    }
}

pub(super) fn dd(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    for argument in arguments {
        let text = argument.prefix();
        if text.starts_with("if=") {
            walker.role(Kind::Reads, &argument.after(3), act);
        } else if text.starts_with("of=") {
            walker.role(Kind::Writes, &argument.after(3), act);
            act.effect(Effect::Destroys);
        } else if argument.is_unknown() {
            act.dynamic(Dynamic::Argument);
        }
    }
}
