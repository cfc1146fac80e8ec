//! From text to a tree, as bash reads it without options: no aliases, no extended globs, no history.
//!
//! Ours, and not a crate: the text is hostile. One pass, depth bounded by a count, no backtracking except over the
//! parentheses of arithmetic (bounded by that count), and no way to panic. `tests/oracle` holds it against bash itself.

mod command;
mod compound;
mod dollar;
mod redirect;
mod word;

pub(super) use command::assignment;

use std::cell::OnceCell;
use std::rc::Rc;

use super::ast::{List, Word};

/// Why a text could not be read. The line is then dynamic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A shell would refuse it, or it uses what only some shells read.
    Syntax(&'static str),
    TooDeep,
    /// It holds white space outside quotes that a shell takes for letters.
    FalseSpace,
}

/// A script, and what was noticed about it.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) list: List,
    /// Something in it means one thing to bash and another to a plain `sh`.
    pub(super) bashism: bool,
}

/// Reads a script that may nest `depth` levels.
pub(super) fn script(text: &str, depth: usize) -> Result<Script, Fault> {
    let mut parser = Parser::new(text, depth);
    let list = parser.list()?;
    if parser.peek().is_some() {
        return Err(Fault::Syntax("something that no command starts with"));
    }
    parser.finish_documents()?;
    Ok(Script { list, bashism: parser.bashism })
}

/// A here-document whose body is still to come.
struct Pending {
    delimiter: String,
    quoted: bool,
    tabs: bool,
    body: Rc<OnceCell<Word>>,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    pending: Vec<Pending>,
    bashism: bool,
    /// Where the word that [`Parser::reserved`] found ends.
    reserved_end: usize,
    /// How many bytes were looked at ahead of where they are read.
    looked: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, depth: usize) -> Self {
        Self { text, at: 0, depth, pending: Vec::new(), bashism: false, reserved_end: 0, looked: 0 }
    }

    /// Runs `read` one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.depth = self.depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        let read = read(self);
        self.depth += 1;
        read
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at.checked_add(ahead)?).copied()
    }

    /// The next byte, after any line continuation.
    fn peek(&mut self) -> Option<u8> {
        while self.byte(0) == Some(b'\\') && self.byte(1) == Some(b'\n') {
            self.at += 2;
        }
        self.byte(0)
    }

    /// The next byte after this one, after any line continuation between them.
    fn peek_second(&mut self) -> Option<u8> {
        self.peek()?;
        let mut ahead = 1;
        while self.byte(ahead) == Some(b'\\') && self.byte(ahead + 1) == Some(b'\n') {
            ahead += 2;
        }
        self.byte(ahead)
    }

    /// Takes `operator` if it comes next.
    fn eat(&mut self, operator: &str) -> bool {
        let start = self.at;
        for byte in operator.bytes() {
            if self.peek() != Some(byte) {
                self.at = start;
                return false;
            }
            self.at += 1;
        }
        true
    }

    /// Takes one character as it is.
    fn take(&mut self) -> Option<char> {
        let character = self.text.get(self.at..)?.chars().next()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Skips blanks, and a comment where a word could start.
    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'#') => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and line ends.
    fn lines(&mut self) -> Result<(), Fault> {
        loop {
            self.blanks();
            if !self.line_end()? {
                return Ok(());
            }
        }
    }

    /// Takes a line end, and the bodies of the here-documents that begin after it.
    fn line_end(&mut self) -> Result<bool, Fault> {
        if self.peek() != Some(b'\n') {
            return Ok(false);
        }
        self.at += 1;
        self.documents()?;
        Ok(true)
    }

    fn documents(&mut self) -> Result<(), Fault> {
        for pending in std::mem::take(&mut self.pending) {
            self.document(&pending)?;
        }
        Ok(())
    }

    /// At the end of the text a here-document without an end is one that the end of the text ends.
    fn finish_documents(&mut self) -> Result<(), Fault> {
        self.documents()
    }

    fn document(&mut self, pending: &Pending) -> Result<(), Fault> {
        let mut body = String::new();
        let mut ended = false;
        while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
            // Unquoted, a line that ends in a backslash goes on; the delimiter is looked for in the joined line.
            let mut line = String::new();
            let mut taken = 0;
            for part in rest.split_inclusive('\n') {
                taken += part.len();
                let plain = part.strip_suffix('\n').unwrap_or(part);
                let slashes = plain.bytes().rev().take_while(|byte| *byte == b'\\').count();
                if !pending.quoted && slashes % 2 == 1 && part.ends_with('\n') {
                    line.push_str(plain.get(..plain.len().saturating_sub(1)).unwrap_or_default());
                    continue;
                }
                line.push_str(plain);
                break;
            }
            self.at += taken;
            let shown = if pending.tabs { line.trim_start_matches('\t') } else { &line };
            if shown == pending.delimiter {
                ended = true;
                break;
            }
            body.push_str(shown);
            body.push('\n');
        }
        if !ended && self.depth < super::limits::DEPTH && self.at < self.text.len() {
            return Err(Fault::Syntax("a here-document without an end"));
        }
        let word = if pending.quoted {
            Word(vec![super::ast::Part::Quoted(body)])
        } else {
            let mut inner = Parser::new(&body, self.depth);
            let word = inner.nested(|parser| parser.document_body())?;
            self.bashism |= inner.bashism;
            word
        };
        let _ = pending.body.set(word);
        Ok(())
    }
}

fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>')
}

fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}
