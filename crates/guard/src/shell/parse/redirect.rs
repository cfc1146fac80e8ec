//! Redirections.

use std::cell::OnceCell;
use std::rc::Rc;

use super::super::ast::{Direction, Part, Redirect, Target, Word};
use super::word::Mode;
use super::{Fault, Parser, Pending, is_name};

impl Parser<'_> {
    /// A redirection, if one comes next.
    pub(super) fn redirect(&mut self) -> Result<Option<Redirect>, Fault> {
        let start = self.at;
        let fd = self.descriptor();
        let Some(kind) = self.operator() else {
            self.at = start;
            return Ok(None);
        };
        if matches!(kind, Operator::Here { .. }) {
            return self.here(fd, kind).map(Some);
        }
        let Operator::Plain(kind) = kind else { return Err(Fault::Syntax("a redirection that is none")) };
        if matches!(kind, Direction::Both | Direction::BothAppend) {
            self.bashism = true;
        }
        self.blanks();
        let target = self.word(Mode::default())?.ok_or(Fault::Syntax("a redirection to nothing"))?;
        Ok(Some(Redirect { fd, kind, target: Target::Word(target) }))
    }

    /// The number or `{name}` directly before a redirection.
    fn descriptor(&mut self) -> Option<String> {
        let start = self.at;
        let text = match self.peek()? {
            b'0'..=b'9' => {
                while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    self.at += 1;
                }
                self.since(start)
            }
            b'{' => {
                self.at += 1;
                while self.peek().is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
                    self.at += 1;
                }
                let name = self.since(start + 1);
                if !is_name(name) || !self.eat("}") {
                    self.at = start;
                    return None;
                }
                self.since(start)
            }
            _ => return None,
        };
        let fd = text.to_owned();
        if matches!(self.peek(), Some(b'<' | b'>')) {
            return Some(fd);
        }
        self.at = start;
        None
    }

    fn operator(&mut self) -> Option<Operator> {
        match self.peek()? {
            b'&' if self.eat("&>>") => Some(Operator::Plain(Direction::BothAppend)),
            b'&' if self.eat("&>") => Some(Operator::Plain(Direction::Both)),
            b'<' if self.peek_second() == Some(b'(') => None,
            b'>' if self.peek_second() == Some(b'(') => None,
            b'<' if self.eat("<<<") => Some(Operator::Plain(Direction::HereString)),
            b'<' if self.eat("<<-") => Some(Operator::Here { tabs: true }),
            b'<' if self.eat("<<") => Some(Operator::Here { tabs: false }),
            b'<' if self.eat("<&") => Some(Operator::Plain(Direction::DuplicateIn)),
            b'<' if self.eat("<>") => Some(Operator::Plain(Direction::ReadWrite)),
            b'<' => self.plain(Direction::Read),
            b'>' if self.eat(">>") => Some(Operator::Plain(Direction::Append)),
            b'>' if self.eat(">&") => Some(Operator::Plain(Direction::DuplicateOut)),
            b'>' if self.eat(">|") => Some(Operator::Plain(Direction::Write)),
            b'>' => self.plain(Direction::Write),
            _ => None,
        }
    }

    fn plain(&mut self, direction: Direction) -> Option<Operator> {
        self.at += 1;
        Some(Operator::Plain(direction))
    }

    fn here(&mut self, fd: Option<String>, operator: Operator) -> Result<Redirect, Fault> {
        let Operator::Here { tabs } = operator else { return Err(Fault::Syntax("a redirection that is none")) };
        self.blanks();
        let word = self.word(Mode { delimiter: true, ..Mode::default() })?;
        let word = word.ok_or(Fault::Syntax("a here-document without a delimiter"))?;
        let mut delimiter = String::new();
        let mut quoted = false;
        for part in &word.0 {
            match part {
                Part::Bare(text) => delimiter.push_str(text),
                Part::Quoted(text) => {
                    delimiter.push_str(text);
                    quoted = true;
                }
                Part::Double(parts) => {
                    quoted = true;
                    match parts.as_slice() {
                        [] => {}
                        [Part::Quoted(text)] => delimiter.push_str(text),
                        _ => return Err(Fault::Syntax("a delimiter with something to expand")),
                    }
                }
                _ => return Err(Fault::Syntax("a delimiter with something to expand")),
            }
        }
        let body = Rc::new(OnceCell::<Word>::new());
        self.pending.push(Pending { delimiter, quoted, tabs, body: Rc::clone(&body) });
        Ok(Redirect { fd, kind: Direction::HereDocument, target: Target::Document(body) })
    }
}

enum Operator {
    Plain(Direction),
    Here { tabs: bool },
}
