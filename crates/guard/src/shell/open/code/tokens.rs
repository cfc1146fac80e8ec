//! Code in another language as a row of words, strings and signs.
//!
//! What matters is that no string is taken for code and no code for a string. Where that depends on more than is read
//! here (a slash that may begin a pattern, a document inside of the code, an escape that ends a name), the token is
//! [`Token::Odd`], and code with an odd token is never taken for understood.

/// The languages that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
    Perl,
    Ruby,
    Php,
    Lua,
    Awk,
    /// Any other: its words are looked at, and nothing is made of them.
    Other,
}

impl Language {
    /// By how the interpreter's name begins.
    pub(super) fn of(interpreter: &str) -> Self {
        let known: [(&str, Self); 14] = [
            ("python", Self::Python),
            ("pypy", Self::Python),
            ("ipython", Self::Python),
            ("perl", Self::Perl),
            ("ruby", Self::Ruby),
            ("irb", Self::Ruby),
            ("node", Self::Node),
            ("deno", Self::Node),
            ("bun", Self::Node),
            ("ts-node", Self::Node),
            ("tsx", Self::Node),
            ("zx", Self::Node),
            ("php", Self::Php),
            ("lua", Self::Lua),
        ];
        known.iter().find(|(name, _)| interpreter.starts_with(name)).map_or(Self::Other, |(_, language)| *language)
    }
}

/// A piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// A variable with its sigil: `$x`, `@x`.
    Name(String),
    /// A string without escapes or expansions.
    Text(String),
    /// A string or a pattern, of which no more is known than that it is one.
    Vague,
    /// A string that a shell runs.
    Shell(String),
    Number,
    Sign(char),
    /// Something that could be read in more than one way.
    Odd,
}

impl Token {
    pub(super) fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }

    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }
}

mod patterns;
mod perl;
mod strings;

/// How deep code may stand in strings of code.
const DEEP: usize = 12;

/// The tokens of `text`.
pub(super) fn tokens(text: &str, language: Language) -> Vec<Token> {
    let mut reader = Reader { letters: text.chars().collect(), at: 0, language, depth: 0, out: Vec::new() };
    reader.code(false);
    reader.out
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    language: Language,
    depth: usize,
    out: Vec<Token>,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.at + ahead).copied()
    }

    fn looks_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(nth, letter)| self.peek(nth) == Some(letter))
    }

    fn push(&mut self, token: Token) {
        self.out.push(token);
    }

    fn odd(&mut self) {
        self.push(Token::Odd);
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|letter| letter != '\n') {
            self.at += 1;
        }
    }

    /// Reads code to its end; with `inner`, to the `}` that closes what was opened outside of it.
    fn code(&mut self, inner: bool) {
        if self.depth > DEEP {
            self.odd();
            self.at = self.letters.len();
            return;
        }
        self.depth += 1;
        let mut open = 0_usize;
        // For each `(`, whether it belongs to `if (…)` and the like, behind which a statement begins.
        let mut control = Vec::new();
        let mut closed_control = false;
        while let Some(letter) = self.peek(0) {
            let next = self.peek(1);
            self.at += 1;
            match letter {
                '{' => open += 1,
                '}' if inner && open == 0 => break,
                '}' => open = open.saturating_sub(1),
                '(' => control.push(self.before_control()),
                ')' => closed_control = control.pop().unwrap_or(true),
                _ => {}
            }
            match (self.language, letter) {
                (_, ' ' | '\t' | '\r') => {}
                (Language::Python | Language::Perl | Language::Ruby | Language::Php | Language::Awk, '#') => {
                    self.skip_line()
                }
                (Language::Node | Language::Php, '/') if next == Some('/') => self.skip_line(),
                (Language::Node | Language::Php, '/') if next == Some('*') => self.block_comment(),
                (Language::Lua, '-') if next == Some('-') => {
                    if self.peek(1) == Some('[') {
                        self.odd();
                    }
                    self.skip_line();
                }
                // Comments of another age, documents, and the end of the code.
                (Language::Node, '<') if self.looks_at("!--") => self.odd(),
                (Language::Node, '-') if self.looks_at("->") => self.odd(),
                (Language::Php, '?') if next == Some('>') => self.odd(),
                (Language::Php, '<') if next == Some('<') => self.odd(),
                (Language::Lua, '[') if matches!(next, Some('[' | '=')) => self.odd(),
                (Language::Perl | Language::Ruby, '=') if self.starts_a_document() => self.odd(),
                (Language::Ruby, '<') if next == Some('<') && self.peek(1).is_some_and(is_document_mark) => self.odd(),
                (Language::Ruby, '?') if matches!(next, Some('\'' | '"' | '`' | '\\')) => self.odd(),
                (Language::Ruby, '%') if !self.is_modulo() => self.odd(),
                (Language::Perl, '<') => self.perl_angle(),
                (Language::Node | Language::Perl | Language::Ruby | Language::Awk, '/') => self.slash(closed_control),
                (Language::Perl, '$' | '@' | '%') => self.perl_name(letter),
                (Language::Ruby, '$' | '@') => self.ruby_name(letter),
                (Language::Php, '$') => match next {
                    Some(next) if next == '_' || next.is_ascii_alphabetic() => {
                        let name = self.identifier();
                        self.push(Token::Name(format!("${name}")));
                    }
                    // `$$x` and `${…}`: variables whose names are made.
                    _ => self.odd(),
                },
                (Language::Awk, '\'') => self.push(Token::Sign(letter)),
                (Language::Awk, '\\') if next == Some('\n') => self.at += 1,
                (_, '\'' | '"') => self.string(letter, ""),
                (Language::Node, '`') => self.template(),
                (Language::Perl | Language::Ruby | Language::Php, '`') => self.shell(),
                (Language::Perl, '\\') => self.push(Token::Sign('\\')),
                (_, '`' | '\\') => self.odd(),
                (_, letter) if letter == '_' || letter.is_alphabetic() => {
                    self.at -= 1;
                    self.word();
                }
                (_, letter) if letter.is_ascii_digit() => self.number(),
                (_, letter) if !letter.is_ascii() => self.odd(),
                (_, letter) => self.push(Token::Sign(letter)),
            }
        }
        self.depth -= 1;
    }

    fn before_control(&self) -> bool {
        matches!(self.out.last(), Some(Token::Word(word)) if matches!(word.as_str(), "if" | "while" | "for" | "with" | "unless" | "until" | "foreach" | "elsif"))
    }

    fn block_comment(&mut self) {
        self.at += 1;
        while !self.looks_at("*/") {
            if self.peek(0).is_none() {
                self.odd();
                return;
            }
            self.at += 1;
        }
        self.at += 2;
    }

    /// `=begin`, `=pod`, …, at the start of a line.
    fn starts_a_document(&self) -> bool {
        let starts = self.at < 2 || self.letters.get(self.at - 2) == Some(&'\n');
        starts && self.peek(0).is_some_and(char::is_alphabetic)
    }

    fn identifier(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) = self.peek(0).filter(|letter| *letter == '_' || letter.is_alphanumeric()) {
            word.push(letter);
            self.at += 1;
            let joins = matches!(self.language, Language::Perl | Language::Ruby) && self.looks_at("::");
            if joins && self.peek(2).is_some_and(|letter| letter == '_' || letter.is_alphabetic()) {
                word.push_str("::");
                self.at += 2;
            }
        }
        word
    }

    fn number(&mut self) {
        while let Some(letter) = self.peek(0) {
            let point = letter == '.' && self.peek(1).is_some_and(|next| next.is_ascii_digit());
            if !(letter == '_' || letter.is_ascii_alphanumeric() || point) {
                break;
            }
            self.at += 1;
        }
        self.push(Token::Number);
    }

    fn word(&mut self) {
        let mut word = self.identifier();
        let quote = self.peek(0).filter(|next| matches!(next, '\'' | '"'));
        match (self.language, quote) {
            (Language::Python, Some(quote)) => {
                let prefix = word.to_ascii_lowercase();
                if !matches!(prefix.as_str(), "r" | "b" | "u" | "f" | "br" | "rb" | "fr" | "rf") {
                    // A keyword may stand close to a string.
                    if !matches!(word.as_str(), "in" | "if" | "else" | "and" | "or" | "not" | "is" | "return") {
                        self.odd();
                        return;
                    }
                    self.push(Token::Word(word));
                    return;
                }
                self.at += 1;
                self.string(quote, &prefix);
                return;
            }
            // The separator of packages in old Perl.
            (Language::Perl, Some('\''))
                if !matches!(word.as_str(), "q" | "qq" | "m" | "s" | "y" | "tr" | "qr" | "qw" | "qx" | "print") =>
            {
                self.odd();
                return;
            }
            _ => {}
        }
        if self.language == Language::Ruby && matches!(self.peek(0), Some('?' | '!')) && self.peek(1) != Some('=') {
            // `empty?`, `map!`; a condition needs a blank before its `?`.
            word.extend(self.peek(0));
            self.at += 1;
        }
        if self.language == Language::Perl
            && matches!(word.as_str(), "q" | "qq" | "qw" | "qr" | "qx" | "m" | "s" | "tr" | "y")
            && !matches!(self.out.last(), Some(Token::Sign('>')))
            && self.quote_like(&word)
        {
            return;
        }
        self.push(Token::Word(word));
    }

    fn ruby_name(&mut self, sigil: char) {
        if sigil == '@' && self.peek(0) == Some('@') {
            self.at += 1;
        }
        match self.peek(0) {
            Some(letter) if letter == '_' || letter.is_ascii_alphanumeric() => {
                let name = self.identifier();
                self.push(Token::Name(format!("{sigil}{name}")));
            }
            Some(letter @ (',' | '/' | ';' | '.' | '!' | '&' | '~')) if sigil == '$' => {
                self.at += 1;
                self.push(Token::Name(format!("${letter}")));
            }
            _ => self.odd(),
        }
    }
}

fn is_document_mark(letter: char) -> bool {
    matches!(letter, '~' | '-' | '"' | '\'' | '`' | '_') || letter.is_ascii_uppercase()
}
