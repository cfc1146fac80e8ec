//! Printing: text for people, JSON for programs, colour only on a terminal.

use std::io::{IsTerminal, Write};

use callgate_core::Decision;
use callgate_text::Json;

use crate::cli::Format;

/// Where and how to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    colour: bool,
}

/// What a word means, so that it can be shown in a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Denied, or broken.
    Bad,
    /// Needs a person.
    Caution,
    /// Less important.
    Faint,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        Self { format, colour }
    }

    /// Whether there is colour.
    pub(crate) fn colours(&self) -> bool {
        self.colour
    }

    /// Whether a program reads what is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints the JSON, or what `text` makes of it. A reader that hung up ends the printing, not the program.
    pub(crate) fn print(&self, json: &Json, text: impl FnOnce(&Self) -> String) {
        let mut line = match self.format {
            Format::Json => String::from_utf8_lossy(&json.canonical()).into_owned(),
            Format::Text => text(self),
        };
        if !line.ends_with('\n') {
            line.push('\n');
        }
        let _ = std::io::stdout().write_all(line.as_bytes());
    }

    /// `text` in the colour of `tone`, if there is colour.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Caution => "33",
            Tone::Faint => "2",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Says what went wrong. A reader that hung up must not turn an error into a panic.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Text of an agent's making, without what could act on a terminal or deceive its reader.
pub(crate) fn harmless(text: &str) -> String {
    callgate_text::reveal(text).map_or_else(|| text.to_owned(), |revealed| revealed.text)
}

/// The tone of a decision.
pub(crate) fn tone(decision: Decision) -> Tone {
    match decision {
        Decision::Allow => Tone::Good,
        Decision::Deny => Tone::Bad,
        Decision::Escalate | Decision::WouldDeny => Tone::Caution,
    }
}

/// Rows in columns as wide as their widest cell; `paint` colours a finished cell.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]], paint: impl Fn(usize, usize, &str) -> String) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            out.push_str(&paint(at, column, cell));
            if column + 1 < N {
                out.extend(std::iter::repeat_n(' ', (width - cell.chars().count()) + 2));
            }
        }
        out.push('\n');
    }
    out
}
