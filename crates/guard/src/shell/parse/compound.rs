//! Compound commands.

use std::rc::Rc;

use super::super::ast::{Compound, List, Node, Part, Redirect, Word};
use super::word::Mode;
use super::{Fault, Parser, is_name};

impl Parser<'_> {
    /// A compound command or a function definition, if one comes next.
    pub(super) fn compound(&mut self) -> Result<Option<Node>, Fault> {
        self.blanks();
        if self.peek() == Some(b'(') {
            return self.nested(Self::parenthesis).map(Some);
        }
        let Some(word) = self.reserved() else { return Ok(None) };
        if matches!(word, "-p" | "in") {
            return Ok(None);
        }
        self.nested(|parser| parser.opened(word)).map(Some)
    }

    fn opened(&mut self, word: &'static str) -> Result<Node, Fault> {
        self.take_reserved();
        let compound = match word {
            "{" => {
                let list = self.list()?;
                self.expect("}")?;
                Compound::Brace(list)
            }
            "if" => self.conditional()?,
            "while" | "until" => {
                let condition = self.list()?;
                Compound::While { condition, body: self.do_group()? }
            }
            "for" | "select" => self.for_loop()?,
            "case" => self.case()?,
            "[[" => Compound::Test(self.test()?),
            "function" => {
                self.bashism = true;
                self.blanks();
                let name = self.word(Mode::default())?;
                let name = name.as_ref().and_then(Word::bare).ok_or(Fault::Syntax("a function without a name"))?;
                let name = name.to_owned();
                self.blanks();
                if self.peek() == Some(b'(') && self.peek_second() == Some(b')') {
                    self.eat("()");
                }
                return self.function_body(name);
            }
            "coproc" => {
                self.blanks();
                let start = self.at;
                // `coproc NAME compound`: the name only counts before a compound command.
                if let Some(name) = self.word(Mode::default())?
                    && name.bare().is_some_and(is_name)
                    && let Some(body) = self.compound()?
                {
                    return Ok(Node::Compound(Compound::Coprocess(Rc::new(body)), Vec::new()));
                }
                self.at = start;
                let body = self.command()?;
                return Ok(Node::Compound(Compound::Coprocess(Rc::new(body)), Vec::new()));
            }
            _ => return Err(Fault::Syntax("a reserved word where none can be")),
        };
        Ok(Node::Compound(compound, self.redirects()?))
    }

    pub(super) fn redirects(&mut self) -> Result<Vec<Redirect>, Fault> {
        let mut redirects = Vec::new();
        loop {
            self.blanks();
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(redirects),
            }
        }
    }

    fn expect(&mut self, word: &'static str) -> Result<(), Fault> {
        self.blanks();
        if self.eat_reserved(word) { Ok(()) } else { Err(Fault::Syntax("a compound command that is not closed")) }
    }

    /// `((…))`, or else `( … )`.
    fn parenthesis(&mut self) -> Result<Node, Fault> {
        self.at += 1;
        if self.peek() == Some(b'(') && self.closes_as_arithmetic()? {
            self.at += 1;
            self.bashism = true;
            let parts = self.arithmetic("))")?;
            return Ok(Node::Compound(Compound::Arithmetic(Word(parts)), self.redirects()?));
        }
        let list = self.list()?;
        if !self.eat(")") {
            return Err(Fault::Syntax("a `(` that is not closed"));
        }
        Ok(Node::Compound(Compound::Subshell(list), self.redirects()?))
    }

    fn conditional(&mut self) -> Result<Compound, Fault> {
        let mut arms = Vec::new();
        let mut otherwise = None;
        loop {
            let condition = self.list()?;
            self.expect("then")?;
            arms.push((condition, self.list()?));
            self.blanks();
            match self.reserved() {
                Some("elif") => self.take_reserved(),
                Some("else") => {
                    self.take_reserved();
                    otherwise = Some(self.list()?);
                    self.expect("fi")?;
                    return Ok(Compound::If { arms, otherwise });
                }
                _ => {
                    self.expect("fi")?;
                    return Ok(Compound::If { arms, otherwise });
                }
            }
        }
    }

    fn do_group(&mut self) -> Result<List, Fault> {
        self.lines()?;
        self.expect("do")?;
        let body = self.list()?;
        self.expect("done")?;
        Ok(body)
    }

    fn for_loop(&mut self) -> Result<Compound, Fault> {
        self.blanks();
        if self.eat("((") {
            self.bashism = true;
            let header = self.arithmetic("))")?;
            self.blanks();
            self.eat(";");
            self.lines()?;
            let body = if self.reserved() == Some("{") {
                self.take_reserved();
                let list = self.list()?;
                self.expect("}")?;
                list
            } else {
                self.do_group()?
            };
            return Ok(Compound::ArithmeticFor { header: Word(header), body });
        }
        let name = self.word(Mode::default())?;
        let name = name.as_ref().and_then(Word::bare).filter(|name| is_name(name));
        let name = name.ok_or(Fault::Syntax("a loop without a variable"))?.to_owned();
        self.lines()?;
        let mut words = None;
        if self.eat_reserved("in") {
            let mut list = Vec::new();
            loop {
                self.blanks();
                match self.word(Mode::default())? {
                    Some(word) => list.push(word),
                    None => break,
                }
            }
            words = Some(list);
        }
        self.blanks();
        self.eat(";");
        self.lines()?;
        if self.reserved() == Some("{") {
            // An old spelling that bash still reads.
            self.take_reserved();
            let body = self.list()?;
            self.expect("}")?;
            return Ok(Compound::For { name, words, body });
        }
        Ok(Compound::For { name, words, body: self.do_group()? })
    }

    fn case(&mut self) -> Result<Compound, Fault> {
        self.blanks();
        let subject = self.word(Mode::default())?.ok_or(Fault::Syntax("a case without a word"))?;
        self.lines()?;
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.lines()?;
            if self.eat_reserved("esac") {
                return Ok(Compound::Case { subject, arms });
            }
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                let pattern = self.word(Mode::default())?.ok_or(Fault::Syntax("a case without a pattern"))?;
                patterns.push(pattern);
                self.blanks();
                if !self.eat("|") {
                    break;
                }
            }
            if !self.eat(")") {
                return Err(Fault::Syntax("a case pattern that is not closed"));
            }
            arms.push((patterns, self.list()?));
            self.blanks();
            if self.eat(";;&") || self.eat(";;") || self.eat(";&") {
                continue;
            }
            self.lines()?;
            self.expect("esac")?;
            return Ok(Compound::Case { subject, arms });
        }
    }

    /// The words up to `]]`; its operators are words, too.
    fn test(&mut self) -> Result<Vec<Word>, Fault> {
        self.bashism = true;
        let mut words: Vec<Word> = Vec::new();
        loop {
            self.lines()?;
            if self.reserved_is_end_of_test() {
                self.at += 2;
                return Ok(words);
            }
            let pattern = words.last().and_then(Word::bare).is_some_and(|operator| operator == "=~");
            if pattern && let Some(word) = self.word(Mode { pattern: true, ..Mode::default() })? {
                words.push(word);
                continue;
            }
            match self.peek() {
                None => return Err(Fault::Syntax("a `[[` that is not closed")),
                Some(b'(' | b')') => self.at += 1,
                Some(b'<' | b'>') if self.peek_second() != Some(b'(') => self.at += 1,
                Some(b'&') if self.eat("&&") => words.push(Word(vec![Part::Bare("&&".to_owned())])),
                Some(b'|') if self.eat("||") => words.push(Word(vec![Part::Bare("||".to_owned())])),
                Some(b'&' | b'|' | b';') => return Err(Fault::Syntax("an operator that no test has")),
                _ => match self.word(Mode::default())? {
                    Some(word) => words.push(word),
                    None => return Err(Fault::Syntax("something that no test has")),
                },
            }
        }
    }

    fn reserved_is_end_of_test(&mut self) -> bool {
        self.peek() == Some(b']') && self.byte(1) == Some(b']') && self.byte(2).is_none_or(super::is_meta)
    }
}
