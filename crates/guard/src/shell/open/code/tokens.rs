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

    /// Text up to `close`, where a backslash keeps the next letter; `None` if there is no end. With brackets, they nest.
    fn delimited(&mut self, open: char, close: char) -> Option<String> {
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

    fn string(&mut self, quote: char, prefix: &str) {
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
    fn hole(&mut self) {
        self.push(Token::Vague);
        self.push(Token::Sign('+'));
        self.push(Token::Sign('('));
        self.code(true);
        self.push(Token::Sign(')'));
        self.push(Token::Sign('+'));
    }

    fn template(&mut self) {
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

    fn shell(&mut self) {
        match self.delimited('`', '`') {
            Some(script) => self.push(Token::Shell(script)),
            None => self.odd(),
        }
    }

    /// The inside of an f-string.
    fn formatted(&mut self, raw: &str) {
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

    /// Whether a value stands before, so that an operator follows; `None` if that is not sure.
    fn after_value(&self) -> Option<bool> {
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

    fn slash(&mut self, closed_control: bool) {
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
    fn pattern(&mut self, open: char, close: char) {
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

    fn is_modulo(&self) -> bool {
        match self.out.last() {
            Some(Token::Sign(')')) => true,
            Some(Token::Word(_)) => self.peek(0) == Some(' '),
            _ => self.after_value() == Some(true),
        }
    }

    /// `<` in Perl: less, a handle that is read, or a pattern of names.
    fn perl_angle(&mut self) {
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

    fn perl_name(&mut self, sigil: char) {
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

    /// `q(…)`, `s/…/…/`, …: says whether it is one.
    fn quote_like(&mut self, word: &str) -> bool {
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

    fn replacement(&mut self, word: &str, open: char, close: char) {
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

/// Words behind which a value begins: a slash there begins a pattern.
const TERMS: &[&str] = &[
    "if", "unless", "and", "or", "not", "while", "until", "split", "grep", "map", "join", "push", "unshift", "print",
    "return", "x", "eq", "ne", "lt", "gt", "le", "ge", "cmp", "when", "puts", "p", "case", "typeof", "in", "of",
    "void", "new", "else", "do", "printf", "getline", "delete", "exit", "yield", "await", "then", "elsif",
];

fn is_document_mark(letter: char) -> bool {
    matches!(letter, '~' | '-' | '"' | '\'' | '`' | '_') || letter.is_ascii_uppercase()
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

/// Whether what Perl puts into `text` are variables, and no code in their indices.
fn perl_expands_plainly(text: &str) -> bool {
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
