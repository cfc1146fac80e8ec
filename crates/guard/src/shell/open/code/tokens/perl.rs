//! What is Perl's alone: names with sigils, and strings with words in front.

use super::{Reader, Token};

impl Reader {
    /// `<` in Perl: less, a handle that is read, or a pattern of names.
    pub(super) fn perl_angle(&mut self) {
        if self.out.last().is_some_and(|last| last.is(')')) || self.after_value() == Some(true) {
            return self.push(Token::Sign('<'));
        }
        let rest = self.letters.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|letter| !(*letter == '$' || *letter == '_' || letter.is_ascii_alphanumeric()));
        let closes = end.is_some_and(|end| rest.get(end) == Some(&'>'));
        let quoted =
            rest.iter().take_while(|letter| **letter != '\n').any(|letter| matches!(letter, '\'' | '"' | '`' | '>'));
        if closes {
            self.at += end.unwrap_or_default() + 1;
            self.push(Token::Word("<>".to_owned()));
        } else if quoted || self.peek(0) == Some('<') {
            self.odd();
        } else {
            self.push(Token::Sign('<'));
        }
    }

    pub(super) fn perl_name(&mut self, sigil: char) {
        if sigil == '%' && self.after_value() != Some(false) {
            // What is left of it when something is divided is code.
            let last = self.out.last().and_then(Token::word).unwrap_or_default();
            if !matches!(last, "keys" | "values" | "each" | "my" | "our" | "local" | "delete") {
                return self.push(Token::Sign('%'));
            }
        }
        let length = sigil == '$' && self.peek(0) == Some('#');
        if length {
            self.at += 1;
        }
        match self.peek(0) {
            Some('{') => {
                // `@{$x}`, `@{[ … ]}`, `${ \ … }`: code, or the name of a variable.
                let inside = self.letters.get(self.at + 1..).unwrap_or_default().iter().find(|letter| **letter != ' ');
                match inside {
                    Some('$' | '[' | '\\' | '@') => {}
                    _ => self.odd(),
                }
            }
            Some('$') => {
                let name = self.letters.get(self.at + 1).copied();
                if name.is_some_and(|name| name == '_' || name.is_ascii_alphabetic()) {
                    self.at += 1;
                    let name = self.identifier();
                    self.push(Token::Name(format!("{sigil}${name}")));
                } else {
                    self.at += 1;
                    self.push(Token::Name("$$".to_owned()));
                }
            }
            Some(letter) if letter == '_' || letter.is_ascii_alphabetic() => {
                let name = self.identifier();
                if self.peek(0) == Some('\'') {
                    return self.odd();
                }
                self.push(Token::Name(format!("{sigil}{name}")));
            }
            Some(letter) if letter.is_ascii_digit() => {
                self.number();
                self.out.pop();
                self.push(Token::Name("$1".to_owned()));
            }
            Some(letter @ ('&' | '/' | '|' | ',' | '.' | '!' | '@' | '\\' | ';')) if sigil == '$' => {
                self.at += 1;
                self.push(Token::Name(format!("${letter}")));
            }
            Some('^') if sigil == '$' && matches!(self.peek(1), Some('X' | 'V' | 'W' | 'O' | 'T')) => {
                self.at += 2;
                self.push(Token::Name("$^".to_owned()));
            }
            _ if sigil == '%' => self.push(Token::Sign('%')),
            _ => self.odd(),
        }
    }

    /// `q(…)`, `s/…/…/`, …: says whether it is one.
    pub(super) fn quote_like(&mut self, word: &str) -> bool {
        let start = self.at;
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.at += 1;
        }
        let Some(open) = self.peek(0) else { return false };
        if matches!(open, ',' | ';' | ')' | '}' | '=' | '\n') || open == '#' && self.at > start {
            self.at = start;
            return false;
        }
        if open == '_' || open.is_alphanumeric() {
            self.odd();
            return true;
        }
        let close = match open {
            '(' => ')',
            '[' => ']',
            '{' => '}',
            '<' => '>',
            other => other,
        };
        self.at += 1;
        match word {
            "m" | "qr" => {
                self.pattern(open, close);
                return true;
            }
            "s" | "tr" | "y" => {
                self.replacement(word, open, close);
                return true;
            }
            _ => {}
        }
        let Some(text) = self.delimited(open, close) else {
            self.odd();
            return true;
        };
        match word {
            "qx" => self.push(Token::Shell(text)),
            "qw" => {
                self.push(Token::Sign('('));
                for item in text.split_ascii_whitespace() {
                    self.push(Token::Text(item.to_owned()));
                    self.push(Token::Sign(','));
                }
                self.push(Token::Sign(')'));
            }
            "qq" if !perl_expands_plainly(&text) => self.odd(),
            "qq" if text.contains(['$', '@', '\\']) => self.push(Token::Vague),
            _ if text.contains('\\') => self.push(Token::Vague),
            _ => self.push(Token::Text(text)),
        }
        true
    }

    pub(super) fn replacement(&mut self, word: &str, open: char, close: char) {
        let Some(from) = self.delimited(open, close) else { return self.odd() };
        let mut second = (open, close);
        if open != close {
            while self.peek(0).is_some_and(char::is_whitespace) {
                self.at += 1;
            }
            let Some(next) = self.peek(0) else { return self.odd() };
            second = match next {
                '(' => ('(', ')'),
                '[' => ('[', ']'),
                '{' => ('{', '}'),
                '<' => ('<', '>'),
                '/' => ('/', '/'),
                _ => return self.odd(),
            };
            self.at += 1;
        }
        let Some(to) = self.delimited(second.0, second.1) else { return self.odd() };
        let mut runs = 0;
        while let Some(flag) = self.peek(0).filter(char::is_ascii_alphabetic) {
            runs += usize::from(flag == 'e');
            self.at += 1;
        }
        if word == "s" {
            let sharp = from.contains("(?{") || from.contains("(??{") || !perl_expands_plainly(&from);
            if sharp || runs > 1 || runs == 0 && !perl_expands_plainly(&to) {
                return self.odd();
            }
            if runs == 1 {
                let letters = to.chars().collect();
                let mut inner = Self { letters, at: 0, language: self.language, depth: self.depth, out: Vec::new() };
                inner.code(false);
                self.push(Token::Sign('('));
                self.out.append(&mut inner.out);
                self.push(Token::Sign(')'));
                self.push(Token::Sign('.'));
            }
        }
        self.push(Token::Vague);
    }
}

/// Whether what Perl puts into `text` are variables, and no code in their indices.
pub(super) fn perl_expands_plainly(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while let Some(letter) = letters.get(at).copied() {
        at += 1;
        if letter == '\\' {
            at += 1;
            continue;
        }
        if !matches!(letter, '$' | '@') {
            continue;
        }
        while matches!(letters.get(at), Some('$' | '#')) {
            at += 1;
        }
        match letters.get(at) {
            Some('{') => {
                let end =
                    letters.iter().skip(at).position(|letter| *letter == '}').map_or(letters.len(), |end| at + end);
                let inside = letters.get(at + 1..end).unwrap_or_default();
                if end == letters.len() || !inside.iter().all(|letter| *letter == '_' || letter.is_ascii_alphanumeric())
                {
                    return false;
                }
                at = end + 1;
            }
            Some(letter) if *letter == '_' || letter.is_ascii_alphanumeric() => {
                while letters
                    .get(at)
                    .is_some_and(|letter| matches!(letter, '_' | ':') || letter.is_ascii_alphanumeric())
                {
                    at += 1;
                }
            }
            _ => continue,
        }
        // Indices.
        loop {
            let arrow = letters.get(at) == Some(&'-') && letters.get(at + 1) == Some(&'>');
            let from = if arrow { at + 2 } else { at };
            let close = match letters.get(from) {
                Some('[') => ']',
                Some('{') => '}',
                _ => break,
            };
            let Some(length) = letters.iter().skip(from).position(|letter| *letter == close) else { break };
            let inside = letters.get(from + 1..from + length).unwrap_or_default();
            if !inside.iter().all(|letter| matches!(letter, '_' | '-' | '$') || letter.is_ascii_alphanumeric()) {
                return false;
            }
            at = from + length + 1;
        }
    }
    true
}
