//! One-liners in other languages: what can be said of them without running them.
//!
//! Two things are asked. What does the code do: calls that are known to run a program, to touch a file or to talk to a
//! host are opened where their first argument is a plain string. And is that all: it is if every word of it is in the
//! language's list of harmless words (`plain`), or belongs to a call that was opened. Anything else is dynamic, and so is
//! every language that is not read here.

use std::collections::BTreeSet;

use super::super::secret::is_secret_name;
use super::super::table::Kind;
use super::super::walk::{Act, Walker};
use super::super::{Argument, Dynamic, Effect};

mod awk;
mod environment;
mod node;
mod perl;
mod plain;
mod python;
mod ruby;
mod tokens;
mod vocabulary;
mod words;

pub(super) use awk::awk;
use tokens::{Language, Token};
use words::{DELETE, OPEN, READ, RUN, TALK, TWO, WRITE};

/// Adds what `code` in `language` does.
pub(in super::super) fn code(walker: &mut Walker<'_>, language: &str, code: &Argument, act: &mut Act) {
    act.effect(Effect::Executes);
    let Some(text) = code.known() else {
        act.dynamic(Dynamic::Code);
        return;
    };
    let named = language;
    let language = Language::of(language);
    let tokens = tokens::tokens(text, language);
    let mut opener = Opener { walker, act, tokens: &tokens, language, named, opened: BTreeSet::new() };
    for at in 0..tokens.len() {
        opener.token(at);
    }
    let opened = opener.opened;
    // `Path('/home/me') / '.ssh'`
    let joined = language == Language::Python
        && tokens.iter().any(|token| token.is('/'))
        && tokens.iter().any(|token| token.word() == Some("Path"));
    if joined {
        act.dynamic(Dynamic::Path);
    }
    if !plain::is_plain(&tokens, language, opened) {
        act.dynamic(Dynamic::Code);
    }
}

/// Whether calls of `name` are opened.
fn is_opened(name: &str) -> bool {
    [RUN, DELETE, WRITE, READ, OPEN].iter().any(|words| words.contains(&name))
        || matches!(name, "environ" | "getenv" | "urlopen")
}

/// Whether loading the library `name` brings nothing but names that are judged by themselves.
pub(super) fn is_library(language: &str, name: &str) -> bool {
    let language = Language::of(language);
    vocabulary::Vocabulary::of(language).is_some_and(|vocabulary| match language {
        Language::Ruby => vocabulary.libraries.contains(name),
        _ => name.contains("::") && vocabulary.names.contains(name) || vocabulary.libraries.contains(name),
    })
}

/// Opens calls.
struct Opener<'o, 'w> {
    walker: &'o mut Walker<'w>,
    act: &'o mut Act,
    tokens: &'o [Token],
    language: Language,
    named: &'o str,
    /// Tokens that belong to calls that have been opened.
    opened: BTreeSet<usize>,
}

impl Opener<'_, '_> {
    fn is(&self, at: usize, sign: char) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(sign))
    }

    fn text(&self, at: usize) -> Option<&str> {
        match self.tokens.get(at) {
            Some(Token::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn token(&mut self, at: usize) {
        if self.opened.contains(&at) {
            return;
        }
        if let Some(read) = environment::read(self.tokens, at, self.language) {
            // `env` in a pattern is all of it.
            if read.name.is_none_or(is_secret_name) {
                self.act.effect(Effect::ReadsCredentials);
            }
            if read.sets {
                self.act.dynamic(Dynamic::Code);
            }
            self.opened.extend(at..=read.end);
            return;
        }
        match self.tokens.get(at) {
            Some(Token::Shell(script)) => {
                self.act.script(self.named, Argument::literal(script.as_str()), false);
                self.act.dynamic(Dynamic::Code);
            }
            Some(Token::Word(word)) => self.word(at, word),
            _ => {}
        }
    }

    fn word(&mut self, at: usize, word: &str) {
        if TALK.contains(&word) {
            return self.talk(at, word);
        }
        let opens = self.is(at + 1, '(');
        // Perl and Ruby call without parentheses.
        let bare = matches!(self.language, Language::Perl | Language::Ruby) && self.text(at + 1).is_some();
        if !opens && !bare {
            return;
        }
        let first = at + if opens { 2 } else { 1 };
        let path = self.receiver(at);
        let of = self.owner(at);
        if self.language == Language::Ruby && matches!(of, Some("File" | "IO")) {
            let kind = match word {
                "read" | "readlines" | "foreach" | "binread" => Some(Kind::Reads),
                "write" | "binwrite" => Some(Kind::Changes),
                _ => None,
            };
            if let Some(kind) = kind {
                self.one(kind, first, opens, None);
                self.opened.insert(at);
                return;
            }
        }
        if self.language == Language::Python && of == Some("path") && matches!(word, "insert" | "append") {
            // Where libraries are looked for.
            let directory = if word == "insert" { first + 2 } else { first };
            if let Some(directory) = self.text(directory).filter(|_| ends(self.tokens.get(directory + 1), true)) {
                let directory = Argument::literal(directory);
                self.walker.run_file(&directory, self.act);
                self.opened.insert(at);
            }
            return;
        }
        if RUN.contains(&word) {
            // A pattern's `exec` looks at a text.
            let of_pattern = word == "exec"
                && self.is(at.saturating_sub(1), '.')
                && self.tokens.get(at.saturating_sub(2)) == Some(&Token::Vague);
            if word == "exec" && self.language == Language::Python {
                return;
            }
            if !of_pattern {
                self.run(first, at);
            }
            self.opened.insert(at);
        } else if DELETE.contains(&word) {
            self.one(Kind::Deletes, first, opens, path);
            self.opened.insert(at);
        } else if WRITE.contains(&word) {
            if word == "copy" && self.is(first, ')') && self.is(at.saturating_sub(1), '.') {
                // A list's own.
                self.opened.insert(at);
                return;
            }
            self.one(Kind::Changes, first, opens, path);
            if TWO.contains(&word) {
                match self
                    .text(first + 2)
                    .filter(|_| self.is(first + 1, ',') && ends(self.tokens.get(first + 3), opens))
                {
                    Some(second) => {
                        let second = Argument::literal(second);
                        self.walker.role(Kind::Writes, &second, self.act);
                    }
                    None => self.act.dynamic(Dynamic::Path),
                }
            }
            self.opened.insert(at);
        } else if READ.contains(&word) {
            self.one(Kind::Reads, first, opens, path);
            self.opened.insert(at);
        } else if OPEN.contains(&word) {
            self.open(word, first, opens);
            self.opened.insert(at);
        }
    }

    /// What the word at `at` is a member of.
    fn owner(&self, at: usize) -> Option<&str> {
        let owner = at.checked_sub(2).filter(|_| self.is(at - 1, '.'))?;
        self.tokens.get(owner).and_then(Token::word)
    }

    /// `Path('x').…`
    fn receiver(&self, at: usize) -> Option<String> {
        let path = at.checked_sub(5).and_then(|at| self.tokens.get(at)).and_then(Token::word) == Some("Path");
        let called =
            self.is(at.wrapping_sub(1), '.') && self.is(at.wrapping_sub(2), ')') && self.is(at.wrapping_sub(4), '(');
        self.text(at.wrapping_sub(3)).filter(|_| path && called).map(str::to_owned)
    }

    /// A call whose first argument, or what it is called on, is a path.
    fn one(&mut self, kind: Kind, first: usize, opens: bool, receiver: Option<String>) {
        if let Some(path) = receiver {
            return self.walker.role(kind, &Argument::literal(path), self.act);
        }
        if self.is(first, ')') && kind == Kind::Reads {
            return self.walker.role(kind, &Argument::literal("."), self.act);
        }
        match self.text(first).filter(|_| ends(self.tokens.get(first + 1), opens)) {
            Some(path) if self.language == Language::Ruby && path.starts_with('|') => {
                let script = path.trim_start_matches('|').to_owned();
                self.piped(&script);
            }
            Some(path) => {
                let path = Argument::literal(path);
                self.walker.role(kind, &path, self.act);
            }
            None => self.act.dynamic(Dynamic::Path),
        }
    }

    fn piped(&mut self, script: &str) {
        self.act.script(self.named, Argument::literal(script), false);
    }

    fn open(&mut self, word: &str, first: usize, opens: bool) {
        if self.language == Language::Perl {
            return self.open_in_perl(first);
        }
        let writes = match (self.is(first + 1, ','), self.text(first + 2)) {
            (true, Some(mode)) if ends(self.tokens.get(first + 3), opens) => mode.contains(['w', 'a', 'x', '+', '>']),
            (true, None)
                if self.language == Language::Python && self.tokens.get(first + 2).and_then(Token::word).is_some() =>
            {
                // An argument by its name; those that say how it is opened are in no list of harmless ones.
                !self.is(first + 3, '=')
            }
            (true, _) => true,
            (false, _) => word == "Path",
        };
        self.one(if writes { Kind::Changes } else { Kind::Reads }, first, opens, None);
    }

    /// `open(my $f, "<", "path")`
    fn open_in_perl(&mut self, first: usize) {
        let mut at = first + usize::from(self.tokens.get(first).and_then(Token::word) == Some("my"));
        at += 1;
        let mode = self.text(at + 1).filter(|_| self.is(at, ',')).map(str::to_owned);
        let path = self
            .text(at + 3)
            .filter(|_| self.is(at + 2, ',') && ends(self.tokens.get(at + 4), true))
            .map(str::to_owned);
        match (mode.as_deref(), path) {
            (Some(mode), Some(path)) if mode.contains('|') => {
                self.piped(&path);
                self.act.dynamic(Dynamic::Code);
            }
            (Some(mode), Some(path)) => {
                let kind = if mode.contains(['>', '+']) { Kind::Changes } else { Kind::Reads };
                self.walker.role(kind, &Argument::literal(path), self.act);
            }
            (Some(text), None) if text.contains('|') => {
                self.piped(text.trim_matches('|'));
                self.act.dynamic(Dynamic::Code);
            }
            _ => self.act.dynamic(Dynamic::Path),
        }
    }

    /// `requests.get("https://…")`, `fetch("https://…")`
    fn talk(&mut self, at: usize, word: &str) {
        let member =
            |ahead: usize| self.tokens.get(at + ahead).and_then(Token::word).filter(|_| self.is(at + ahead - 1, '.'));
        if word == "urllib" && member(2) != Some("request") || word == "urlopen" && !self.is(at + 1, '(') {
            return;
        }
        let mut end = at;
        while self.is(end + 1, '.') && self.tokens.get(end + 2).and_then(Token::word).is_some() {
            end += 2;
        }
        self.act.effects(&[Effect::Sends, Effect::Fetches]);
        let url = self
            .text(end + 2)
            .filter(|_| self.is(end + 1, '(') && ends(self.tokens.get(end + 3), true))
            .map(str::to_owned);
        let imports = matches!(self.tokens.get(at.wrapping_sub(1)).and_then(Token::word), Some("import" | "from"));
        match url {
            Some(url) if url.contains("://") => {
                self.walker.url(&Argument::literal(url), self.act);
                self.opened.extend(at..=end);
            }
            _ if imports => {}
            _ => self.act.dynamic(Dynamic::Host),
        }
    }

    fn run(&mut self, first: usize, nth: usize) {
        if self.is(first, '[') {
            let mut argv = Vec::new();
            for token in self.tokens.iter().skip(first + 1) {
                match token {
                    Token::Text(text) => argv.push(Argument::literal(text.as_str())),
                    Token::Sign(',') => {}
                    Token::Sign(']') => break,
                    _ => argv.push(Argument::unknown()),
                }
            }
            let rest = self.tokens.iter().skip(first + 1).skip_while(|token| !token.is(']'));
            if rest.take_while(|token| !token.is(')')).any(|token| token.is('*') || token.is('.')) {
                self.act.dynamic(Dynamic::Code);
            }
            self.act.argv(self.named, &argv);
            return;
        }
        let Some(script) = self.text(first) else { return self.act.dynamic(Dynamic::Code) };
        // `execFile("rm", ["-rf", "/"])`, `exec "rm", "-rf", "/"`.
        let mut script = script.to_owned();
        let mut known = true;
        let from = (nth..self.tokens.len()).find(|at| self.text(*at).is_some()).map_or(nth, |at| at + 1);
        for token in self.tokens.iter().skip(from) {
            match token {
                Token::Text(text) => {
                    script.push(' ');
                    script.push_str(text);
                }
                Token::Sign(',' | '[') => {}
                Token::Sign(')' | ']' | ';' | '\n') => break,
                _ => {
                    known = false;
                    break;
                }
            }
        }
        self.act.script(self.named, Argument::literal(script), false);
        if !known {
            self.act.dynamic(Dynamic::Code);
        }
    }
}

/// Whether the string before `token` is a whole argument.
fn ends(token: Option<&Token>, opens: bool) -> bool {
    match token {
        None | Some(Token::Sign(')' | ',' | ';' | '\n')) => true,
        // `unlink "x" if …`
        Some(Token::Word(_)) => !opens,
        _ => false,
    }
}
