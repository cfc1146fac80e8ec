//! `sed`, whose scripts run programs and write files.

use super::super::table::Kind;
use super::super::walk::{Act, Walker};
use super::super::{Argument, Dynamic};

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
                    letters
                        .get(at..)
                        .unwrap_or_default()
                        .iter()
                        .position(|letter| matches!(letter, ';' | '}' | '\n'))
                        .map_or(letters.len(), |place| at + place)
                } else {
                    skip_to(at, '\n')
                };
            }
            _ => {}
        }
    }
}
