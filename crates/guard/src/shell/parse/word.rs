//! Words: quotes, escapes and what expands.

use std::rc::Rc;

use super::super::ast::{List, Part, Word};
use super::super::refusal::is_false_space;
use super::{Fault, Parser, is_meta, is_name};

/// How a word is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    /// `NAME=(…)` may come.
    pub(super) arrays: bool,
    /// The right side of `=~`: parentheses and bars are letters.
    pub(super) pattern: bool,
    /// The word ends a here-document: nothing expands.
    pub(super) delimiter: bool,
    /// Inside `${…}`: ends at `}` and at nothing else.
    pub(super) braced: bool,
}

/// Parts in the making; neighbouring text of one kind is one part.
#[derive(Default)]
pub(super) struct Parts(Vec<Part>);

impl Parts {
    fn bare(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Part::Bare(before)) => before.push_str(text),
            _ => self.0.push(Part::Bare(text.to_owned())),
        }
    }

    pub(super) fn quoted(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Part::Quoted(before)) => before.push_str(text),
            _ => self.0.push(Part::Quoted(text.to_owned())),
        }
    }

    pub(super) fn push(&mut self, part: Part) {
        self.0.push(part);
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.0
    }
}

impl Parser<'_> {
    /// A word, if one comes next.
    pub(super) fn word(&mut self, mode: Mode) -> Result<Option<Word>, Fault> {
        let mut parts = Parts::default();
        let mut parentheses = 0_u32;
        let mut some = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'}' if mode.braced => break,
                b'(' if mode.pattern => {
                    parentheses += 1;
                    self.at += 1;
                    parts.bare("(");
                }
                b')' if mode.pattern && parentheses > 0 => {
                    parentheses -= 1;
                    self.at += 1;
                    parts.bare(")");
                }
                b'|' if mode.pattern && (parentheses > 0 || self.peek_second() != Some(b'|')) => {
                    self.at += 1;
                    parts.bare("|");
                }
                b' ' | b'\t' if mode.pattern && parentheses > 0 => {
                    self.at += 1;
                    parts.bare(" ");
                }
                b'<' | b'>' if !mode.braced && !mode.delimiter && self.peek_second() == Some(b'(') => {
                    self.at += 1;
                    self.eat("(");
                    let list = self.substitution()?;
                    self.bashism = true;
                    parts.push(Part::Process(Rc::new(list)));
                }
                b'(' if mode.arrays && ends_in_assignment(&parts) => {
                    self.at += 1;
                    let items = self.nested(Self::array)?;
                    self.bashism = true;
                    parts.push(Part::Array(Rc::new(items)));
                }
                b'(' if !mode.braced && some => {
                    // `!(…)` and its kin: off in scripts, on where a person has set it. Nobody can tell here. And `f(`.
                    if let Some(Part::Bare(text)) = parts.0.last()
                        && text.ends_with(['?', '*', '+', '@', '!'])
                    {
                        return Err(Fault::Syntax("an extended glob, which only some shells read"));
                    }
                    break;
                }
                byte if !mode.braced && is_meta(byte) => break,
                _ => self.piece(&mut parts, mode)?,
            }
            some = true;
        }
        Ok(some.then(|| Word(parts.into_parts())))
    }

    /// One piece of a word that is not in double quotes.
    fn piece(&mut self, parts: &mut Parts, mode: Mode) -> Result<(), Fault> {
        match self.byte(0) {
            Some(b'\\') => {
                self.at += 1;
                match self.take() {
                    Some(character) => parts.quoted(character.encode_utf8(&mut [0; 4])),
                    None => parts.quoted("\\"),
                }
            }
            Some(b'\'') => {
                self.at += 1;
                let rest = self.text.get(self.at..).unwrap_or_default();
                let length = rest.find('\'').ok_or(Fault::Syntax("a `'` that is not closed"))?;
                parts.push(Part::Quoted(rest.get(..length).unwrap_or_default().to_owned()));
                self.at += length + 1;
            }
            Some(b'"') => {
                self.at += 1;
                let inner = self.nested(Self::double)?;
                parts.push(Part::Double(Rc::new(inner)));
            }
            Some(b'$') if !mode.delimiter => self.dollar(parts, false)?,
            Some(b'`') if !mode.delimiter => {
                let list = self.backquoted(false)?;
                parts.push(Part::Substitution(Rc::new(list)));
            }
            _ => {
                let start = self.at;
                let character = self.take().ok_or(Fault::Syntax("nothing"))?;
                if is_false_space(character) {
                    return Err(Fault::FalseSpace);
                }
                // Runs of plain letters are most of every script.
                if character.is_ascii_alphanumeric() {
                    let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                    self.at += rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                }
                parts.bare(self.since(start));
            }
        }
        Ok(())
    }

    /// After `"`, up to and with the closing one.
    pub(super) fn double(&mut self) -> Result<Vec<Part>, Fault> {
        let mut parts = Parts::default();
        loop {
            match self.peek() {
                None => return Err(Fault::Syntax("a `\"` that is not closed")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(parts.into_parts());
                }
                _ => self.quoted_piece(&mut parts, true)?,
            }
        }
    }

    /// The body of a here-document whose delimiter is not quoted.
    pub(super) fn document_body(&mut self) -> Result<Word, Fault> {
        let mut parts = Parts::default();
        while self.peek().is_some() {
            self.quoted_piece(&mut parts, false)?;
        }
        Ok(Word(vec![Part::Double(Rc::new(parts.into_parts()))]))
    }

    /// One piece inside double quotes; `"` itself can be escaped where it would end them.
    pub(super) fn quoted_piece(&mut self, parts: &mut Parts, quotes: bool) -> Result<(), Fault> {
        match self.byte(0) {
            Some(b'\\') => {
                self.at += 1;
                match self.byte(0) {
                    Some(b'$' | b'`' | b'\\') => {}
                    Some(b'"') if quotes => {}
                    _ => {
                        parts.quoted("\\");
                        return Ok(());
                    }
                }
                if let Some(character) = self.take() {
                    parts.quoted(character.encode_utf8(&mut [0; 4]));
                }
            }
            Some(b'$') => self.dollar(parts, true)?,
            Some(b'`') => {
                let list = self.backquoted(quotes)?;
                parts.push(Part::Substitution(Rc::new(list)));
            }
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let stop = rest.bytes().position(|byte| matches!(byte, b'\\' | b'$' | b'`' | b'"'));
                let length = match stop {
                    Some(0) => 1,
                    Some(at) => at,
                    None => rest.len(),
                };
                parts.quoted(rest.get(..length).unwrap_or_default());
                self.at += length;
            }
        }
        Ok(())
    }

    /// The words of `NAME=( … )`.
    fn array(&mut self) -> Result<Vec<Word>, Fault> {
        let mut items = Vec::new();
        loop {
            self.lines()?;
            if self.eat(")") {
                return Ok(items);
            }
            let item = self.word(Mode::default())?;
            items.push(item.ok_or(Fault::Syntax("an array that is not closed"))?);
        }
    }

    /// After `$(`: the list, with its `)`.
    pub(super) fn substitution(&mut self) -> Result<List, Fault> {
        let outer = std::mem::take(&mut self.pending);
        let list = self.list()?;
        let open = !self.pending.is_empty();
        self.pending = outer;
        if open || !self.eat(")") {
            return Err(Fault::Syntax("a `$(` that is not closed"));
        }
        Ok(list)
    }

    /// `` `…` ``: unescaped, then read as a script of its own.
    fn backquoted(&mut self, quotes: bool) -> Result<List, Fault> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.take() {
                None => return Err(Fault::Syntax("a backquote that is not closed")),
                Some('`') => break,
                Some('\\') => match self.take() {
                    Some(escaped @ ('$' | '`' | '\\')) => text.push(escaped),
                    Some('"') if quotes => text.push('"'),
                    Some(other) => {
                        text.push('\\');
                        text.push(other);
                    }
                    None => return Err(Fault::Syntax("a backquote that is not closed")),
                },
                Some(other) => text.push(other),
            }
        }
        let depth = self.depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        let script = super::script(&text, depth)?;
        self.bashism |= script.bashism;
        Ok(script.list)
    }
}

/// Whether the word so far is `NAME=` or `NAME+=`.
fn ends_in_assignment(parts: &Parts) -> bool {
    let [Part::Bare(text)] = parts.0.as_slice() else { return false };
    text.strip_suffix('=').map(|name| name.strip_suffix('+').unwrap_or(name)).is_some_and(is_name)
}
