//! Whether something that happened was predicted.

use std::collections::BTreeSet;

use callgate_guard::shell::{Argument, Command, Line};

use super::generate::Script;
use super::trace::Event;

/// `Err` says what was not predicted; `then` is what happened after it.
pub(crate) fn predicted(event: &Event, then: &[Event], line: &Line, script: &Script) -> Result<(), String> {
    let world = script.world();
    let ours = |path: &str| path.starts_with(&world) && !path.starts_with("/s/");
    let covered = |path: &str, of: &dyn Fn(&Command) -> &BTreeSet<String>| {
        line.commands.iter().any(|command| of(command).iter().any(|known| covers(known, path)))
    };
    match event {
        Event::Started { program, argv } => {
            let base = program.rsplit('/').next().unwrap_or_default();
            let started = |command: &Command| {
                let name = command.program.rsplit('/').next().unwrap_or_default();
                // What a program is told that it is called (`exec -a`) says nothing.
                name == base && matches(command.argv.get(1..).unwrap_or_default(), argv.get(1..).unwrap_or_default())
            };
            // Programs in other languages run their scripts through this; what it starts is traced, too.
            let between = base == "sh" && argv.get(1).is_some_and(|option| option == "-c")
                // `gunzip` is a script that starts this.
                || base == "gzip" && line.commands.iter().any(|command| command.program == "gunzip");
            match between || line.commands.iter().any(started) {
                true => Ok(()),
                false => Err(format!("started {argv:?}")),
            }
        }
        Event::Read(path) if ours(path) && !is_directory(path, &world) => {
            let known = covered(path, &|command| &command.reads) || covered(path, &|command| &command.writes);
            if known { Ok(()) } else { Err(format!("read {path}")) }
        }
        Event::Wrote(path) if ours(path) => {
            // What is deleted may be written over first.
            let known = covered(path, &|command| &command.writes)
                || covered(path, &|command| &command.deletes)
                || is_temporary(path);
            if known { Ok(()) } else { Err(format!("wrote {path}")) }
        }
        Event::Deleted(path) if ours(path) => {
            // `tar` takes away what it is about to write, and so does `install`, which reads its source in between.
            let written = then.iter().take(2).any(|event| *event == Event::Wrote(path.clone()));
            let replaced = written && covered(path, &|command| &command.writes);
            let known = covered(path, &|command| &command.deletes) || replaced || is_temporary(path);
            if known { Ok(()) } else { Err(format!("deleted {path}")) }
        }
        _ => Ok(()),
    }
}

/// Whether a path is a directory of the world: names in it are no contents.
fn is_directory(path: &str, world: &str) -> bool {
    let inside = path.strip_prefix(world).unwrap_or_default();
    ["", "/work", "/work/sub", "/work/sub/deep", "/work/other", "/data", "/data/dir", "/home", "/home/.cfg"]
        .contains(&inside)
}

/// `sed -i`, `perl -i` and `ln -f` make a file of their own beside the one that they change, and rename it; `shred -u`
/// gives a file shorter and shorter names of zeros.
fn is_temporary(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let letters =
        |rest: &str, count: usize| rest.len() == count && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    ["sed", "XX", "Cu"].iter().any(|own| name.strip_prefix(own).is_some_and(|rest| letters(rest, 6)))
        || !name.is_empty() && name.bytes().all(|byte| byte == b'0')
}

/// Whether a predicted path, with a glob at its end perhaps, is `path` or holds it.
fn covers(known: &str, path: &str) -> bool {
    match known.find(['*', '?', '[']) {
        Some(at) => path.starts_with(&known[..at]),
        None => known == "/" || path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

fn matches(predicted: &[Argument], actual: &[String]) -> bool {
    let Some((first, rest)) = predicted.split_first() else { return actual.is_empty() };
    if first.is_many() {
        return (0..=actual.len()).any(|taken| matches(rest, &actual[taken..]));
    }
    let Some((word, others)) = actual.split_first() else { return false };
    let fits = match first.known() {
        Some(known) => known == word || known.starts_with("/dev/fd/") && word.starts_with("/dev/fd/"),
        None => word.starts_with(first.prefix()),
    };
    fits && matches(rest, others)
}

/// The prediction, for people.
pub(crate) fn shown(line: &Line) -> String {
    let mut text = String::new();
    for command in &line.commands {
        let argv: Vec<_> = command.argv.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "{:?} {} reads {:?} writes {:?} deletes {:?}\n",
            command.within,
            argv.join(" "),
            command.reads,
            command.writes,
            command.deletes
        ));
    }
    text
}
