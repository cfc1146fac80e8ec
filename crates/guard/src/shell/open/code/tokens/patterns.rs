//! Patterns between slashes, and whether a slash begins one.

use super::perl::perl_expands_plainly;
use super::{Language, Reader, Token};

impl Reader {
    /// Whether a value stands before, so that an operator follows; `None` if that is not sure.
    pub(super) fn after_value(&self) -> Option<bool> {
        let before = self.out.len().checked_sub(2).and_then(|at| self.out.get(at));
        Some(match self.out.last() {
            None => false,
            Some(Token::Name(_) | Token::Text(_) | Token::Vague | Token::Number | Token::Shell(_)) => true,
            Some(Token::Sign(']')) => true,
            // In awk a statement begins with each line.
            Some(Token::Sign('}' | '\n')) if self.language == Language::Awk => false,
            Some(Token::Sign('}' | '\n' | ')') | Token::Odd) => return None,
            Some(Token::Sign(sign @ ('+' | '-'))) if before.is_some_and(|before| before.is(*sign)) => return None,
            Some(Token::Sign(_)) => false,
            Some(Token::Word(word)) => {
                if before.is_some_and(|before| before.is('.') || before.is('>')) {
                    return (self.language == Language::Node).then_some(true);
                }
                if TERMS.contains(&word.as_str()) {
                    false
                } else if matches!(self.language, Language::Node | Language::Awk) {
                    true
                } else {
                    return None;
                }
            }
        })
    }

    pub(super) fn slash(&mut self, closed_control: bool) {
        let after = match self.out.last() {
            Some(Token::Sign(')')) if !closed_control => Some(true),
            _ => self.after_value(),
        };
        match after {
            Some(true) => self.push(Token::Sign('/')),
            Some(false) => self.pattern('/', '/'),
            // If it is the only one, it begins nothing.
            None if !self.letters.get(self.at..).unwrap_or_default().contains(&'/') => self.push(Token::Sign('/')),
            None => self.odd(),
        }
    }

    /// A pattern, from behind its opening sign, with its flags.
    pub(super) fn pattern(&mut self, open: char, close: char) {
        let mut text = String::new();
        let mut class = false;
        loop {
            let Some(letter) = self.peek(0) else { return self.odd() };
            self.at += 1;
            match letter {
                '\\' => {
                    text.push('\\');
                    text.extend(self.peek(0));
                    self.at += 1;
                    continue;
                }
                // In a class a slash of JavaScript's is a letter; elsewhere it ends the pattern.
                '[' if self.language == Language::Node => class = true,
                ']' => class = false,
                // Whether it ends a pattern of awk's differs.
                '[' if self.language == Language::Awk => {
                    let rest = self.letters.get(self.at + 1..).unwrap_or_default();
                    let class: String = rest.iter().take_while(|letter| **letter != ']').collect();
                    if class.contains('/') {
                        return self.odd();
                    }
                }
                '\n' if matches!(self.language, Language::Node | Language::Awk) => return self.odd(),
                letter if letter == close && !class => break,
                letter if letter == open && open != close => return self.odd(),
                _ => {}
            }
            text.push(letter);
        }
        while self.peek(0).is_some_and(|letter| letter.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let runs = match self.language {
            Language::Perl => text.contains("(?{") || text.contains("(??{") || !perl_expands_plainly(&text),
            Language::Ruby => text.contains("#{"),
            _ => false,
        };
        self.push(if runs { Token::Odd } else { Token::Vague });
    }

    pub(super) fn is_modulo(&self) -> bool {
        match self.out.last() {
            Some(Token::Sign(')')) => true,
            Some(Token::Word(_)) => self.peek(0) == Some(' '),
            _ => self.after_value() == Some(true),
        }
    }
}

/// Words behind which a value begins: a slash there begins a pattern.
const TERMS: &[&str] = &[
    "if", "unless", "and", "or", "not", "while", "until", "split", "grep", "map", "join", "push", "unshift", "print",
    "return", "x", "eq", "ne", "lt", "gt", "le", "ge", "cmp", "when", "puts", "p", "case", "typeof", "in", "of",
    "void", "new", "else", "do", "printf", "getline", "delete", "exit", "yield", "await", "then", "elsif",
];
