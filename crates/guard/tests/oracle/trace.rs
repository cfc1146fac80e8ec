//! Reads what `strace` saw.

use std::collections::BTreeMap;

/// Something that a script did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Started { program: String, argv: Vec<String> },
    Read(String),
    Wrote(String),
    Deleted(String),
}

/// A finished system call.
struct Call<'t> {
    pid: u32,
    name: &'t str,
    arguments: String,
    result: i64,
}

/// The events of each of `count` scripts.
pub(crate) fn read(text: &str, count: usize) -> Vec<Vec<Event>> {
    let calls = calls(text);
    let mut parents: BTreeMap<u32, u32> = BTreeMap::new();
    for call in &calls {
        if matches!(call.name, "fork" | "vfork" | "clone" | "clone3") && call.result > 0 {
            parents.insert(u32::try_from(call.result).expect("a pid"), call.pid);
        }
    }
    let mut owners: BTreeMap<u32, usize> = BTreeMap::new();
    for call in &calls {
        if call.name == "execve" && call.result == 0 {
            let argv = strings(&call.arguments);
            if let [_, _, profile, _, script] = &argv[..argv.len().min(5)]
                && profile == "--noprofile"
                && let Some(number) = script.strip_prefix("/s/").and_then(|name| name.strip_suffix(".sh")?.parse().ok())
            {
                owners.insert(call.pid, number);
            }
        }
    }
    let owner = |pid: u32| {
        let mut pid = pid;
        loop {
            if let Some(owner) = owners.get(&pid) {
                return Some(*owner);
            }
            pid = *parents.get(&pid)?;
        }
    };
    let mut events = vec![Vec::new(); count];
    for call in &calls {
        if call.result < 0 {
            continue;
        }
        let Some(number) = owner(call.pid) else { continue };
        if let Some(events) = events.get_mut(number) {
            add(call, events);
        }
    }
    events
}

fn add(call: &Call<'_>, events: &mut Vec<Event>) {
    let texts = strings(&call.arguments);
    let path = |nth: usize| resolve(&call.arguments, &texts, nth);
    match call.name {
        "execve" => {
            let Some((program, argv)) = texts.split_first() else { return };
            let root = argv.get(1).is_some_and(|first| first == "--noprofile")
                && argv.iter().any(|word| word.starts_with("/s/"));
            if !root {
                events.push(Event::Started { program: program.clone(), argv: argv.to_vec() });
            }
        }
        "open" | "openat" | "creat" => {
            let Some(path) = path(0) else { return };
            let flags = &call.arguments;
            if flags.contains("O_WRONLY") || flags.contains("O_RDWR") || call.name == "creat" {
                events.push(Event::Wrote(path.clone()));
            }
            if !flags.contains("O_WRONLY")
                && !flags.contains("O_DIRECTORY")
                && call.name != "creat"
                && !flags.contains("O_RDWR")
            {
                events.push(Event::Read(path));
            }
        }
        "unlink" | "unlinkat" | "rmdir" => events.extend(path(0).map(Event::Deleted)),
        "rename" | "renameat" | "renameat2" => {
            events.extend(path(0).map(Event::Deleted));
            events.extend(path(1).map(Event::Wrote));
        }
        "truncate" | "mkdir" | "mkdirat" => events.extend(path(0).map(Event::Wrote)),
        "link" | "linkat" | "symlink" | "symlinkat" => events.extend(path(1).map(Event::Wrote)),
        _ => {}
    }
}

/// The `nth` path of a call, absolute: relative to the directory that stands in `<…>` before it.
fn resolve(arguments: &str, texts: &[String], nth: usize) -> Option<String> {
    let text = texts.get(nth)?;
    if text.starts_with('/') {
        return Some(normal(text));
    }
    let directories: Vec<&str> = arguments
        .match_indices('<')
        .filter_map(|(at, _)| Some(&arguments[at + 1..at + arguments[at..].find('>')?]))
        .filter(|directory| directory.starts_with('/'))
        .collect();
    let directory = directories.get(nth).or(directories.first())?;
    Some(normal(&format!("{directory}/{text}")))
}

fn normal(path: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop();
            }
            other => components.push(other),
        }
    }
    format!("/{}", components.join("/"))
}

/// All calls that returned, with those that were interrupted put together again.
fn calls(text: &str) -> Vec<Call<'_>> {
    let mut unfinished: BTreeMap<u32, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let Ok(pid) = pid.parse::<u32>() else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(pid, start);
            continue;
        }
        let (head, tail) = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let Some((_, tail)) = resumed.split_once("resumed>") else { continue };
                (unfinished.remove(&pid).unwrap_or_default(), tail)
            }
            None => ("", rest),
        };
        let whole = if head.is_empty() { tail } else { head };
        let Some((name, _)) = whole.split_once('(') else { continue };
        let both = format!("{head}{tail}");
        let Some((arguments, result)) = both.rsplit_once(" = ") else { continue };
        let result = result.split([' ', '<']).next().unwrap_or_default();
        let Ok(result) = result.parse::<i64>() else { continue };
        calls.push(Call {
            pid,
            name,
            arguments: arguments.split_once('(').map_or(String::new(), |(_, rest)| rest.to_owned()),
            result,
        });
    }
    calls
}

/// The strings in the arguments of a call, without their escapes; the path first, then `argv`.
fn strings(arguments: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut bytes = arguments.bytes().peekable();
    let mut angle = false;
    while let Some(byte) = bytes.next() {
        match byte {
            // Directories of descriptors are no arguments.
            b'<' => angle = true,
            b'>' => angle = false,
            // The environment is not shown; its address is a comment.
            b'"' if !angle => {
                let mut text = Vec::new();
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => match bytes.next() {
                            Some(b'n') => text.push(b'\n'),
                            Some(b't') => text.push(b'\t'),
                            Some(b'r') => text.push(b'\r'),
                            Some(b'v') => text.push(0x0B),
                            Some(b'f') => text.push(0x0C),
                            Some(digit @ b'0'..=b'7') => {
                                let mut value = u32::from(digit - b'0');
                                for _ in 0..2 {
                                    if let Some(next @ b'0'..=b'7') = bytes.peek().copied() {
                                        value = value * 8 + u32::from(next - b'0');
                                        bytes.next();
                                    }
                                }
                                text.push(u8::try_from(value & 0xFF).expect("a byte"));
                            }
                            Some(other) => text.push(other),
                            None => {}
                        },
                        other => text.push(other),
                    }
                }
                strings.push(String::from_utf8_lossy(&text).into_owned());
            }
            _ => {}
        }
    }
    strings
}
