//! What follows a `$`.

use std::rc::Rc;

use super::super::ast::{Change, Parameter, Part, Word};
use super::word::{Mode, Parts};
use super::{Fault, Parser};

/// How often the whole text is looked at in all, at most, to tell arithmetic from commands in parentheses.
const LOOKS: usize = 16;

impl Parser<'_> {
    /// One expansion, at its `$`.
    pub(super) fn dollar(&mut self, parts: &mut Parts, quoted: bool) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'\'') if !quoted => {
                self.at += 1;
                self.bashism = true;
                return self.ansi(parts);
            }
            Some(b'"') if !quoted => {
                self.at += 1;
                self.bashism = true;
                let inner = self.nested(Self::double)?;
                parts.push(Part::Double(Rc::new(inner)));
            }
            Some(b'(') => {
                self.at += 1;
                if self.peek() == Some(b'(') && self.closes_as_arithmetic()? {
                    self.eat("(");
                    let inner = self.nested(|parser| parser.arithmetic("))"))?;
                    parts.push(Part::Arithmetic(Rc::new(inner)));
                    return Ok(());
                }
                let list = self.substitution()?;
                parts.push(Part::Substitution(Rc::new(list)));
            }
            Some(b'[') => {
                self.at += 1;
                self.bashism = true;
                let inner = self.nested(|parser| parser.arithmetic("]"))?;
                parts.push(Part::Arithmetic(Rc::new(inner)));
            }
            Some(b'{') => {
                self.at += 1;
                let parameter = self.nested(|parser| parser.braced(quoted))?;
                parts.push(Part::Parameter(Rc::new(parameter)));
            }
            Some(byte) if is_special(byte) || byte.is_ascii_digit() => {
                self.at += 1;
                parts.push(plain(char::from(byte).to_string()));
            }
            Some(byte) if byte == b'_' || byte.is_ascii_alphabetic() => {
                let name = self.name();
                parts.push(plain(name));
            }
            _ => parts.quoted("$"),
        }
        Ok(())
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(byte) = self.peek().filter(|byte| *byte == b'_' || byte.is_ascii_alphanumeric()) {
            name.push(char::from(byte));
            self.at += 1;
        }
        name
    }

    /// After `${`, up to and with `}`.
    fn braced(&mut self, quoted: bool) -> Result<Parameter, Fault> {
        const UNCLOSED: Fault = Fault::Syntax("a `${` that is not closed");
        let next = self.peek().ok_or(UNCLOSED)?;
        let after = self.peek_second();
        let named = |byte: Option<u8>| byte.is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        let mut length = false;
        let mut indirect = false;
        if next == b'#' && after != Some(b'}') && (named(after) || after.is_some_and(is_special)) {
            self.at += 1;
            length = true;
        } else if next == b'!' && (named(after) || after.is_some_and(|byte| matches!(byte, b'@' | b'*' | b'#'))) {
            self.at += 1;
            indirect = true;
            self.bashism = true;
        }
        let name = match self.peek() {
            Some(byte) if byte.is_ascii_digit() => {
                let mut digits = String::new();
                while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
                    digits.push(char::from(digit));
                    self.at += 1;
                }
                digits
            }
            Some(byte) if byte == b'_' || byte.is_ascii_alphabetic() => self.name(),
            Some(byte) if is_special(byte) => {
                self.at += 1;
                char::from(byte).to_string()
            }
            _ => return Err(Fault::Syntax("a `${` that expands nothing")),
        };
        let mut index = None;
        if self.peek() == Some(b'[') {
            self.at += 1;
            self.bashism = true;
            index = Some(Word(self.arithmetic("]")?));
        }
        if self.eat("}") {
            let change = if length { Change::Length } else { Change::Nothing };
            return Ok(Parameter { name, index, indirect, change });
        }
        if length {
            return Err(Fault::Syntax("a length of something that has none"));
        }
        let change = self.change(quoted)?;
        if !self.eat("}") {
            return Err(UNCLOSED);
        }
        Ok(Parameter { name, index, indirect, change })
    }

    fn change(&mut self, quoted: bool) -> Result<Change, Fault> {
        let kind = self.take().ok_or(Fault::Syntax("a `${` that is not closed"))?;
        match kind {
            ':' if matches!(self.peek(), Some(b'-' | b'=' | b'?' | b'+')) => {
                let kind = self.take().unwrap_or('-');
                Ok(Change::Test { kind, colon: true, word: self.operand(quoted)? })
            }
            '-' | '=' | '?' | '+' => Ok(Change::Test { kind, colon: false, word: self.operand(quoted)? }),
            '#' | '%' => {
                let longest = self.eat(if kind == '#' { "#" } else { "%" });
                Ok(Change::Trim { kind, longest, pattern: self.operand(false)? })
            }
            '/' | ':' | '^' | ',' | '@' => {
                self.bashism = true;
                Ok(Change::Other { kind, word: self.operand(false)? })
            }
            _ => Err(Fault::Syntax("an expansion that no shell has")),
        }
    }

    /// What stands between an operator and `}`. In double quotes, `'` is a letter.
    fn operand(&mut self, quoted: bool) -> Result<Word, Fault> {
        if !quoted {
            return Ok(self.word(Mode { braced: true, ..Mode::default() })?.unwrap_or_default());
        }
        let mut parts = Parts::default();
        loop {
            match self.peek() {
                None => return Err(Fault::Syntax("a `${` that is not closed")),
                Some(b'}') => return Ok(Word(parts.into_parts())),
                Some(b'"') => {
                    self.at += 1;
                    let inner = self.nested(Self::double)?;
                    parts.push(Part::Double(Rc::new(inner)));
                }
                Some(b'\\') if self.byte(1) == Some(b'}') => {
                    self.at += 2;
                    parts.quoted("}");
                }
                Some(_) => {
                    let before = self.at;
                    self.quoted_run(&mut parts)?;
                    if self.at == before {
                        return Err(Fault::Syntax("a `${` that is not closed"));
                    }
                }
            }
        }
    }

    /// A piece in double quotes that stops before `}`.
    fn quoted_run(&mut self, parts: &mut Parts) -> Result<(), Fault> {
        if matches!(self.byte(0), Some(b'\\' | b'$' | b'`')) {
            return self.quoted_piece(parts, true);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let stop = rest.bytes().position(|byte| matches!(byte, b'\\' | b'$' | b'`' | b'"' | b'}'));
        let length = stop.unwrap_or(rest.len());
        parts.quoted(rest.get(..length).unwrap_or_default());
        self.at += length;
        Ok(())
    }

    /// Whether the second of two opening parentheses, which comes next, is closed together with the first: `((1))`,
    /// not `((a); (b))`. Looks ahead without reading, so that nothing is read twice at every depth; and not forever: a
    /// comment may hold parentheses that are never closed, again and again.
    pub(super) fn closes_as_arithmetic(&mut self) -> Result<bool, Fault> {
        let (closes, looked) = self.look_for_the_end();
        self.looked += looked;
        if self.looked > LOOKS * self.text.len() {
            return Err(Fault::Syntax("parentheses that are looked for too often"));
        }
        Ok(closes)
    }

    /// Whether it closes so, and how many bytes were looked at.
    fn look_for_the_end(&self) -> (bool, usize) {
        let bytes = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
        let mut open: usize = 0;
        let mut quote = None;
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match (quote, byte) {
                (None | Some(b'"'), b'\\') => at += 1,
                (Some(closing), byte) if closing == *byte => quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') => quote = Some(*byte),
                (None, b'(') => open += 1,
                (None, b')') if open == 0 => return (bytes.get(at + 1) == Some(&b')'), at),
                (None, b')') => open -= 1,
                _ => {}
            }
            at += 1;
        }
        (false, at)
    }

    /// The inside of an arithmetic expression up to and with `end`.
    pub(super) fn arithmetic(&mut self, end: &str) -> Result<Vec<Part>, Fault> {
        const UNCLOSED: Fault = Fault::Syntax("an arithmetic expression that is not closed");
        let mut parts = Parts::default();
        let mut open: u32 = 0;
        let (opening, closing) = if end == "]" { (b'[', b']') } else { (b'(', b')') };
        loop {
            let byte = self.peek().ok_or(UNCLOSED)?;
            match byte {
                _ if byte == closing && open == 0 => {
                    return if self.eat(end) { Ok(parts.into_parts()) } else { Err(UNCLOSED) };
                }
                _ if byte == opening || byte == closing => {
                    open = if byte == opening { open.saturating_add(1) } else { open.saturating_sub(1) };
                    self.at += 1;
                    parts.quoted(if byte == opening { "(" } else { ")" });
                }
                b'"' => {
                    self.at += 1;
                    parts.push(Part::Double(Rc::new(self.nested(Self::double)?)));
                }
                b'\'' => {
                    self.at += 1;
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    let length = rest.find('\'').ok_or(UNCLOSED)?;
                    parts.quoted(rest.get(..length).unwrap_or_default());
                    self.at += length + 1;
                }
                b'\\' | b'$' | b'`' => self.quoted_piece(&mut parts, true)?,
                _ => {
                    let start = self.at;
                    self.take();
                    parts.quoted(self.since(start));
                }
            }
        }
    }

    /// After `$'`, up to and with `'`.
    fn ansi(&mut self, parts: &mut Parts) -> Result<(), Fault> {
        let mut text = String::new();
        let mut decodable = true;
        loop {
            match self.take().ok_or(Fault::Syntax("a `$'` that is not closed"))? {
                '\'' => break,
                '\\' => self.escape(&mut text, &mut decodable)?,
                other => text.push(other),
            }
        }
        parts.push(if decodable { Part::Quoted(text) } else { Part::Undecodable });
        Ok(())
    }

    fn escape(&mut self, text: &mut String, decodable: &mut bool) -> Result<(), Fault> {
        let character = self.take().ok_or(Fault::Syntax("a `$'` that is not closed"))?;
        let code = match character {
            'n' => 0x0A,
            't' => 0x09,
            'r' => 0x0D,
            'a' => 0x07,
            'b' => 0x08,
            'e' | 'E' => 0x1B,
            'f' => 0x0C,
            'v' => 0x0B,
            '\\' | '\'' | '"' | '?' => u32::from(character),
            '0'..='7' => {
                self.at -= 1;
                self.digits(8, 3) & 0xFF
            }
            'x' => self.digits(16, 2),
            'u' => self.digits(16, 4),
            'U' => self.digits(16, 8),
            'c' => self.take().map_or(0, |control| u32::from(control) & 0x1F),
            other => {
                text.push('\\');
                u32::from(other)
            }
        };
        // A NUL ends the string for bash, and bytes above 0x7F are parts of characters at best.
        let byte = matches!(character, '0'..='7' | 'x');
        match char::from_u32(code) {
            Some(decoded) if code != 0 && !(byte && code > 0x7F) => text.push(decoded),
            _ => *decodable = false,
        }
        Ok(())
    }

    fn digits(&mut self, radix: u32, most: usize) -> u32 {
        let mut value: u32 = 0;
        for _ in 0..most {
            let Some(digit) = self.byte(0).and_then(|byte| char::from(byte).to_digit(radix)) else { break };
            value = value.wrapping_mul(radix).wrapping_add(digit);
            self.at += 1;
        }
        value
    }
}

fn plain(name: String) -> Part {
    Part::Parameter(Rc::new(Parameter { name, index: None, indirect: false, change: Change::Nothing }))
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')
}
