//! Showing a person what a run changed, and asking.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use callgate_sandbox::{Change, Node, WriteSet, shown};
use similar::TextDiff;

use crate::output::{complain, harmless};

/// The longest file whose lines are shown.
const MOST_BYTES: u64 = 256 << 10;

/// Prints every change, with the lines of texts.
pub(super) fn show(set: &WriteSet) -> Result<()> {
    complain(&format!("callgate: {} changes to {}", set.changes().len(), shown(set.folder())));
    for change in set.changes() {
        let classes: Vec<&str> = change.classes.iter().map(|class| class.as_str()).collect();
        let mark = if classes.is_empty() { String::new() } else { format!("   ! {}", classes.join(", ")) };
        complain(&format!("{} {}{}{mark}", change.op.as_str(), shown(&change.path), kind(change)));
        if matches!(change.after, Some(Node::File { .. })) {
            let before = set.before(change).map(text).transpose()?;
            let after = set.after(change).map(text).transpose()?;
            match (before.flatten().unwrap_or_default(), after.flatten()) {
                (before, Some(after)) => {
                    let diff = TextDiff::from_lines(&before, &after);
                    let lines = diff.unified_diff().context_radius(2).to_string();
                    for line in lines.lines() {
                        complain(&format!("    {}", harmless(line)));
                    }
                }
                (_, None) => complain("    (not shown: large, or no text)"),
            }
        }
    }
    Ok(())
}

fn kind(change: &Change) -> String {
    match &change.after {
        Some(Node::Link { target }) => format!(" -> {}", shown(target)),
        Some(Node::File { mode, .. }) if mode & 0o111 != 0 => format!(" (mode {mode:o})"),
        Some(Node::Folder { .. }) => "/".to_owned(),
        Some(Node::File { .. } | Node::Special { .. }) | None => String::new(),
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

/// Asks on the terminal, past standard input, which was the program's. Without one the answer is no.
pub(super) fn asked(set: &WriteSet) -> Result<bool> {
    let Ok(terminal) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        complain("callgate: there is no terminal to ask on");
        return Ok(false);
    };
    let mut terminal = BufReader::new(terminal);
    write!(terminal.get_mut(), "Commit {} changes to {}? [y/N] ", set.changes().len(), shown(set.folder()))?;
    let mut answer = String::new();
    terminal.by_ref().take(64).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
