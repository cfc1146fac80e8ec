//! Strings, and the code inside of them.

use super::perl::perl_expands_plainly;
use super::{Language, Reader, Token};

impl Reader {
    /// Text up to `close`, where a backslash keeps the next letter; `None` if there is no end. With brackets, they nest.
    pub(super) fn delimited(&mut self, open: char, close: char) -> Option<String> {
        let mut text = String::new();
        let mut depth = 0_usize;
        while let Some(letter) = self.peek(0) {
            self.at += 1;
            if letter == '\\' {
                text.push(letter);
                text.extend(self.peek(0));
                self.at += 1;
                continue;
            }
            if letter == close && depth == 0 {
                return Some(text);
            }
            if open != close && letter == open {
                depth += 1;
            } else if letter == close {
                depth -= 1;
            }
            text.push(letter);
        }
        None
    }

    pub(super) fn string(&mut self, quote: char, prefix: &str) {
        let triple = self.language == Language::Python && self.peek(0) == Some(quote) && self.peek(1) == Some(quote);
        if triple {
            self.at += 2;
        }
        let mut raw = String::new();
        let mut holes = false;
        loop {
            let Some(letter) = self.peek(0) else {
                self.odd();
                return;
            };
            self.at += 1;
            if letter == '\\' {
                raw.push(letter);
                raw.extend(self.peek(0));
                self.at += 1;
                continue;
            }
            let ends = letter == quote && (!triple || self.peek(0) == Some(quote) && self.peek(1) == Some(quote));
            if ends {
                self.at += if triple { 2 } else { 0 };
                break;
            }
            // What Ruby puts into a string is code.
            if letter == '#' && self.language == Language::Ruby && quote == '"' && self.peek(0) == Some('{') {
                self.at += 1;
                self.hole();
                holes = true;
                continue;
            }
            if letter == '\n'
                && !triple
                && matches!(self.language, Language::Python | Language::Node | Language::Lua | Language::Awk)
            {
                self.odd();
                return;
            }
            raw.push(letter);
        }
        if prefix.contains('f') {
            return self.formatted(&raw);
        }
        let expands = match self.language {
            Language::Perl => quote == '"' && !perl_expands_plainly(&raw),
            Language::Php => quote == '"' && (raw.contains("{$") || raw.contains("${")),
            _ => false,
        };
        if expands {
            return self.odd();
        }
        let varies = quote == '"'
            && match self.language {
                Language::Perl => raw.contains(['$', '@']),
                Language::Php => raw.contains('$'),
                _ => false,
            };
        let plain = if prefix.contains('r') { (!raw.contains('\\')).then_some(raw) } else { unescaped(&raw) };
        self.push(match plain {
            Some(text) if !varies && !holes => Token::Text(text),
            _ => Token::Vague,
        });
    }

    /// Code inside of a string, from behind its `{`.
    pub(super) fn hole(&mut self) {
        self.push(Token::Vague);
        self.push(Token::Sign('+'));
        self.push(Token::Sign('('));
        self.code(true);
        self.push(Token::Sign(')'));
        self.push(Token::Sign('+'));
    }

    pub(super) fn template(&mut self) {
        let mut text = String::new();
        let mut holes = false;
        loop {
            let Some(letter) = self.peek(0) else { return self.odd() };
            self.at += 1;
            match letter {
                '`' => break,
                '\\' => {
                    holes = true;
                    self.at += 1;
                }
                '$' if self.peek(0) == Some('{') => {
                    self.at += 1;
                    holes = true;
                    self.hole();
                }
                other => text.push(other),
            }
        }
        self.push(if holes { Token::Vague } else { Token::Text(text) });
    }

    pub(super) fn shell(&mut self) {
        match self.delimited('`', '`') {
            Some(script) => self.push(Token::Shell(script)),
            None => self.odd(),
        }
    }

    /// The inside of an f-string.
    pub(super) fn formatted(&mut self, raw: &str) {
        let letters: Vec<char> = raw.chars().collect();
        let mut at = 0;
        while let Some(letter) = letters.get(at).copied() {
            at += 1;
            if letter != '{' {
                continue;
            }
            if letters.get(at) == Some(&'{') {
                at += 1;
                continue;
            }
            let mut code = String::new();
            let mut open = 0_usize;
            let mut quoted = None;
            let mut spec = false;
            loop {
                let Some(letter) = letters.get(at).copied() else { return self.odd() };
                at += 1;
                match (quoted, letter) {
                    (None, '}') if open == 0 => break,
                    (_, '{' | '\\') => return self.odd(),
                    (None, '(' | '[') => open += 1,
                    (None, ')' | ']') => open = open.saturating_sub(1),
                    (None, '\'' | '"') => quoted = Some(letter),
                    (Some(quote), letter) if letter == quote => quoted = None,
                    // A conversion or a format is no code.
                    (None, ':') if open == 0 => spec = true,
                    (None, '!') if open == 0 && letters.get(at) != Some(&'=') => spec = true,
                    _ => {}
                }
                if !spec {
                    code.push(letter);
                }
            }
            let mut inner = Self {
                letters: code.chars().collect(),
                at: 0,
                language: self.language,
                depth: self.depth,
                out: Vec::new(),
            };
            inner.code(false);
            self.push(Token::Vague);
            self.push(Token::Sign('+'));
            self.push(Token::Sign('('));
            self.out.append(&mut inner.out);
            self.push(Token::Sign(')'));
            self.push(Token::Sign('+'));
        }
        self.push(Token::Vague);
    }
}

/// A string's text, if its escapes are of the few that all languages share.
fn unescaped(raw: &str) -> Option<String> {
    if !raw.contains('\\') {
        return Some(raw.to_owned());
    }
    let mut text = String::with_capacity(raw.len());
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next()? {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            escaped @ ('\\' | '"' | '\'' | '/') => text.push(escaped),
            _ => return None,
        }
    }
    Some(text)
}
