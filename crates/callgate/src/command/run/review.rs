//! Showing a person what a run changed, and asking.
//!
//! All of this is text of an agent's making, on a terminal that its program has just written to. So the terminal is
//! first made to show what is printed; every line of a change is indented, made harmless and bounded; and what needs a
//! permit of its own stands once more at the end, right before the question, however much came before it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use callgate_sandbox::{Change, Node, WriteSet, shown};
use rustix::termios::{QueueSelector, tcflush};
use similar::{Algorithm, TextDiff};

use crate::output::{complain, harmless};

/// The longest file whose lines are shown.
const MOST_BYTES: u64 = 256 << 10;

/// Lines that are shown of one file, and of all.
const MOST_LINES: usize = 400;
const MOST_LINES_IN_ALL: usize = 10_000;

/// Characters that are shown of one line.
const MOST_OF_LINE: usize = 300;

/// How long two texts are compared before what differs is shown less exactly.
const MOST_TIME: Duration = Duration::from_millis(500);

/// Changes that are named once more before the question.
const MOST_NAMED: usize = 100;

/// Ends what a program has begun on a terminal: strings and escapes, the other screen, hidden, coloured or replaced
/// characters, colours that cannot be told apart, and lines below.
const CALM: &str = "\u{18}\u{1b}\\\u{1b}[?47l\u{1b}[!p\u{1b}[0m\u{1b}(B\u{f}\u{1b}]104\u{1b}\\\u{1b}]110\u{1b}\\\u{1b}]111\u{1b}\\\r\n\u{1b}[J";

/// Prints every change, with the lines of texts, and at the end what needs a permit.
pub(super) fn show(set: &WriteSet) -> Result<()> {
    let mut errors = std::io::stderr();
    if errors.is_terminal() {
        let _ = errors.write_all(CALM.as_bytes());
    }
    complain(&format!("callgate: {} changes to {}", set.changes().len(), shown(set.folder())));
    let mut left = MOST_LINES_IN_ALL;
    for change in set.changes() {
        complain(&line(change));
        if matches!(change.after, Some(Node::File { .. })) {
            let before = set.before(change).map(text).transpose()?;
            let after = set.after(change).map(text).transpose()?;
            match (before.flatten().unwrap_or_default(), after.flatten()) {
                (before, Some(after)) => differences(&before, &after, &mut left),
                (_, None) => complain("    (not shown: large, or no text)"),
            }
        }
    }
    let special: Vec<&Change> = set.changes().iter().filter(|change| !change.classes.is_empty()).collect();
    if !special.is_empty() {
        complain(&format!(
            "callgate: {} of {} changes need a permit of their own:",
            special.len(),
            set.changes().len()
        ));
        special.iter().take(MOST_NAMED).for_each(|change| complain(&line(change)));
        if special.len() > MOST_NAMED {
            complain(&format!("and {} more", special.len() - MOST_NAMED));
        }
    }
    if left == 0 {
        complain("callgate: not all lines of these changes have been shown");
    }
    Ok(())
}

/// One change, without its lines.
fn line(change: &Change) -> String {
    let classes: Vec<&str> = change.classes.iter().map(|class| class.as_str()).collect();
    let mark = if classes.is_empty() { String::new() } else { format!("   ! {}", classes.join(", ")) };
    let spelled = spelled(&change.path).map(|spelled| format!("   (spelled {spelled})")).unwrap_or_default();
    format!("{} {}{}{spelled}{mark}", change.op.as_str(), shown(&change.path), kind(change))
}

/// How a path is spelled in which letters of several alphabets stand beside each other, some of which may look alike.
fn spelled(path: &Path) -> Option<String> {
    let mixed = |name: &str| {
        let letters = || name.chars().filter(|character| character.is_alphabetic());
        letters().any(|letter| letter.is_ascii()) && letters().any(|letter| !letter.is_ascii())
    };
    let text = path.to_str().filter(|text| text.split('/').any(mixed))?;
    let plain = |character: char| {
        if character.is_ascii() { character.to_string() } else { format!("\\u{{{:x}}}", u32::from(character)) }
    };
    Some(harmless(&text.chars().map(plain).collect::<String>()))
}

/// The lines that differ, as far as there is room.
fn differences(before: &str, after: &str, left: &mut usize) {
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).timeout(MOST_TIME).diff_lines(before, after);
    let lines = diff.unified_diff().context_radius(2).to_string();
    let all = lines.lines().count();
    let room = MOST_LINES.min(*left);
    for line in lines.lines().take(room) {
        let line = harmless(line);
        let long = line.chars().count();
        if long <= MOST_OF_LINE {
            complain(&format!("    {line}"));
        } else {
            let short: String = line.chars().take(MOST_OF_LINE).collect();
            complain(&format!("    {short}… ({} more characters)", long - MOST_OF_LINE));
        }
    }
    *left -= room.min(all);
    if all > room {
        complain(&format!("    … {} more lines that differ are not shown", all - room));
    }
}

fn kind(change: &Change) -> String {
    let modes = |node: &Option<Node>| match node {
        Some(Node::File { mode, .. } | Node::Folder { mode }) => Some(*mode),
        Some(Node::Link { .. } | Node::Special { .. }) | None => None,
    };
    let slash = if matches!(change.after, Some(Node::Folder { .. })) { "/" } else { "" };
    match (&change.after, modes(&change.before), modes(&change.after)) {
        (Some(Node::Link { target }), ..) => format!(" -> {}", shown(target)),
        (Some(_), Some(before), Some(after)) if before != after => format!("{slash} (mode {before:o}, now {after:o})"),
        (Some(Node::File { .. }), None, Some(mode)) if mode & 0o111 != 0 => format!(" (mode {mode:o})"),
        _ => slash.to_owned(),
    }
}

/// The contents, if they are text and not too long.
fn text(file: OwnedFd) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    File::from(file).take(MOST_BYTES + 1).read_to_end(&mut bytes).context("read a changed file")?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        return Ok(None);
    }
    Ok(String::from_utf8(bytes).ok())
}

/// Asks on the terminal, past standard input, which was the program's. Without one the answer is no. Whoever waits for
/// it may stop waiting.
pub(super) async fn wanted(set: &WriteSet) -> Result<bool> {
    let question = format!("Commit {} changes to {}? [y/N] ", set.changes().len(), shown(set.folder()));
    Ok(tokio::task::spawn_blocking(move || asked(&question)).await.context("nobody was asked")??)
}

fn asked(question: &str) -> io::Result<bool> {
    let Ok(terminal) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        complain("callgate: there is no terminal to ask on");
        return Ok(false);
    };
    // What was typed before the question is no answer to it, nor is what the terminal itself has said since, to
    // something that the program printed.
    tcflush(&terminal, QueueSelector::IFlush)?;
    let mut terminal = BufReader::new(terminal);
    terminal.get_mut().write_all(question.as_bytes())?;
    let mut answer = String::new();
    terminal.by_ref().take(64).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_several_alphabets_are_spelled_out() {
        for (path, spells) in [
            ("src/m\u{430}in.rs", Some("src/m\\u{430}in.rs")),
            ("CL\u{391}UDE.md", Some("CL\\u{391}UDE.md")),
            ("src/main.rs", None),
            ("写真/猫", None),
            ("документ", None),
            ("a/猫", None),
        ] {
            assert_eq!(spelled(Path::new(path)).as_deref(), spells, "{path}");
        }
    }

    #[test]
    fn texts_that_are_slow_to_compare_are_compared_soon() {
        let text = |seed: u64| {
            let mut state = seed;
            let mut lines = String::new();
            for _ in 0..130_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                lines.push(char::from(b'a' + u8::try_from(state >> 60).unwrap_or(0)));
                lines.push('\n');
            }
            lines
        };
        let mut left = 1000;
        differences(&text(1), &text(2), &mut left);
        assert_eq!(left, 1000 - MOST_LINES);
        // Not one that has room.
        differences("a\nb\n", "a\nc\n", &mut left);
        assert!(left > 1000 - MOST_LINES - 10);
    }
}
