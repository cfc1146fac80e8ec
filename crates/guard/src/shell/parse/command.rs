//! Lists, pipelines and simple commands.

use std::rc::Rc;

use super::super::ast::{AndOr, Assignment, Join, List, Node, Part, Pipeline, Simple, Value, Word};
use super::word::Mode;
use super::{Fault, Parser, is_meta, is_name};

/// Words that end a list where a command could start.
const CLOSERS: &[&str] = &["then", "elif", "else", "fi", "do", "done", "esac", "}"];

/// Builtins whose arguments may be compound assignments.
const DECLARERS: &[&str] = &["declare", "typeset", "local", "export", "readonly", "eval", "builtin", "command"];

impl Parser<'_> {
    /// Commands up to the end of the text, a closing parenthesis, `;;`, or a word that closes.
    pub(super) fn list(&mut self) -> Result<List, Fault> {
        self.nested(|parser| {
            let mut items = Vec::new();
            loop {
                parser.lines()?;
                match parser.peek() {
                    None | Some(b')') => return Ok(List(items)),
                    Some(b';') => {
                        // `;;` and `;&` end a case; a lone `;` begins nothing.
                        return match parser.peek_second() {
                            Some(b';' | b'&') => Ok(List(items)),
                            _ => Err(Fault::Syntax("a `;` without a command before it")),
                        };
                    }
                    _ if parser.reserved().is_some_and(|word| CLOSERS.contains(&word)) => return Ok(List(items)),
                    _ => {}
                }
                let mut item = parser.and_or()?;
                parser.blanks();
                let mut separated = true;
                match parser.peek() {
                    Some(b'&') => {
                        parser.at += 1;
                        item.background = true;
                    }
                    Some(b';') if !matches!(parser.peek_second(), Some(b';' | b'&')) => parser.at += 1,
                    Some(b'\n') => {}
                    _ => separated = false,
                }
                items.push(item);
                if !separated {
                    parser.blanks();
                    return match parser.peek() {
                        None | Some(b')' | b';') => Ok(List(items)),
                        _ if parser.reserved().is_some_and(|word| CLOSERS.contains(&word)) => Ok(List(items)),
                        _ => Err(Fault::Syntax("two commands with nothing between them")),
                    };
                }
            }
        })
    }

    fn and_or(&mut self) -> Result<AndOr, Fault> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let join = if self.eat("&&") {
                Join::And
            } else if self.eat("||") {
                Join::Or
            } else {
                return Ok(AndOr { first, rest, background: false });
            };
            self.lines()?;
            rest.push((join, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, Fault> {
        let mut negated = false;
        let mut timed = false;
        loop {
            self.blanks();
            match self.reserved() {
                Some("!") => {
                    self.take_reserved();
                    negated = !negated;
                }
                Some("time") => {
                    self.take_reserved();
                    timed = true;
                    self.blanks();
                    self.eat_reserved("-p");
                }
                _ => break,
            }
        }
        self.blanks();
        let mut commands = Vec::new();
        let ends = matches!(self.peek(), None | Some(b'\n' | b';' | b')' | b'&' | b'|'));
        if ends && (timed || negated) {
            return Ok(Pipeline { negated, commands });
        }
        commands.push(Rc::new(self.command()?));
        loop {
            self.blanks();
            if self.peek() != Some(b'|') || self.peek_second() == Some(b'|') {
                return Ok(Pipeline { negated, commands });
            }
            if self.eat("|&") {
                self.bashism = true;
            } else {
                self.at += 1;
            }
            self.lines()?;
            commands.push(Rc::new(self.command()?));
        }
    }

    pub(super) fn command(&mut self) -> Result<Node, Fault> {
        self.blanks();
        if let Some(compound) = self.compound()? {
            return Ok(compound);
        }
        self.simple()
    }

    /// The literal word that comes next, if a shell would look it up among its reserved words.
    pub(super) fn reserved(&mut self) -> Option<&'static str> {
        const RESERVED: &[&str] = &[
            "!", "{", "}", "[[", "-p", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function",
            "if", "in", "select", "then", "time", "until", "while",
        ];
        let start = self.at;
        let mut word = [0; 9];
        let mut length = 0;
        while let Some(byte) = self.peek().filter(|byte| !is_meta(*byte)) {
            let Some(place) = word.get_mut(length) else {
                self.at = start;
                return None;
            };
            *place = byte;
            length += 1;
            self.at += 1;
        }
        self.reserved_end = self.at;
        self.at = start;
        let word = word.get(..length)?;
        RESERVED.iter().find(|reserved| reserved.as_bytes() == word).copied()
    }

    /// Takes the reserved word that [`Parser::reserved`] has just found.
    pub(super) fn take_reserved(&mut self) {
        self.at = self.reserved_end;
    }

    /// Takes the reserved word if it comes next.
    pub(super) fn eat_reserved(&mut self, word: &str) -> bool {
        let found = self.reserved() == Some(word);
        if found {
            self.take_reserved();
        }
        found
    }

    fn simple(&mut self) -> Result<Node, Fault> {
        let mut simple = Simple::default();
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
                continue;
            }
            let declares = match simple.words.first().map(Word::bare) {
                None => true,
                Some(name) => name.is_some_and(|name| DECLARERS.contains(&name)),
            };
            let Some(word) = self.word(Mode { arrays: declares, ..Mode::default() })? else { break };
            if simple.words.is_empty() {
                match assignment(word) {
                    Ok(assignment) => {
                        simple.assignments.push(assignment);
                        continue;
                    }
                    Err(word) => simple.words.push(word),
                }
                let only = simple.assignments.is_empty() && simple.redirects.is_empty();
                self.blanks();
                if only && self.peek() == Some(b'(') {
                    let name = simple.words.first().and_then(Word::bare).unwrap_or_default().to_owned();
                    return self.function(name);
                }
            } else {
                simple.words.push(word);
            }
        }
        if simple.assignments.is_empty() && simple.words.is_empty() && simple.redirects.is_empty() {
            return Err(Fault::Syntax("something that no command starts with"));
        }
        Ok(Node::Simple(simple))
    }

    /// After the name of a function: `() body`.
    fn function(&mut self, name: String) -> Result<Node, Fault> {
        self.at += 1;
        self.blanks();
        if !self.eat(")") || name.is_empty() {
            return Err(Fault::Syntax("a `(` where none can be"));
        }
        self.function_body(name)
    }

    pub(super) fn function_body(&mut self, name: String) -> Result<Node, Fault> {
        self.lines()?;
        match self.compound()? {
            Some(body @ Node::Compound(..)) => Ok(Node::Function { name, body: Rc::new(body) }),
            _ => Err(Fault::Syntax("a function without a body")),
        }
    }
}

/// Reads a word as `NAME=value`, `NAME+=value`, `NAME[index]=value`; gives it back if it is none.
pub(in super::super) fn assignment(word: Word) -> Result<Assignment, Word> {
    let Some(Part::Bare(first)) = word.0.first() else { return Err(word) };
    let end = first.bytes().position(|byte| !(byte == b'_' || byte.is_ascii_alphanumeric())).unwrap_or(first.len());
    let (name, rest) = first.split_at(end);
    if !is_name(name) {
        return Err(word);
    }
    let name = name.to_owned();
    if rest.starts_with('[') {
        return indexed(name, word);
    }
    let (append, value) = match (rest.strip_prefix('='), rest.strip_prefix("+=")) {
        (Some(value), _) => (false, value.to_owned()),
        (None, Some(value)) => (true, value.to_owned()),
        (None, None) => return Err(word),
    };
    let mut parts: Vec<Part> = word.0.into_iter().skip(1).collect();
    if value.is_empty()
        && let [Part::Array(items)] = parts.as_slice()
    {
        return Ok(Assignment { name, index: None, append, value: Value::Array(items.as_ref().clone()) });
    }
    if !value.is_empty() {
        parts.insert(0, Part::Bare(value));
    }
    Ok(Assignment { name, index: None, append, value: Value::Scalar(Word(parts)) })
}

fn indexed(name: String, word: Word) -> Result<Assignment, Word> {
    let closing = |part: &Part| match part {
        Part::Bare(text) => text.find("]=").map(|at| (at, 2)).or_else(|| text.find("]+=").map(|at| (at, 3))),
        _ => None,
    };
    let Some((place, (at, length))) = word.0.iter().enumerate().find_map(|(place, part)| Some((place, closing(part)?)))
    else {
        return Err(word);
    };
    let mut index = Vec::new();
    let mut value = Vec::new();
    for (nth, part) in word.0.into_iter().enumerate() {
        match part {
            Part::Bare(text) if nth == place => {
                let (before, after) = text.split_at(at);
                index.push(Part::Bare(before.to_owned()));
                value.push(Part::Bare(after.get(length..).unwrap_or_default().to_owned()));
            }
            part if nth < place => index.push(part),
            part => value.push(part),
        }
    }
    Ok(Assignment { name, index: Some(Word(index)), append: length == 3, value: Value::Scalar(Word(value)) })
}
