//! `awk`, whose programs run others and write files.

use std::collections::BTreeSet;

use super::super::super::secret::is_secret_name;
use super::super::super::table::Kind;
use super::super::super::walk::{Act, Walker};
use super::super::super::{Argument, Dynamic, Effect};
use super::tokens::{self, Language, Token};

pub(in super::super) fn awk(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    act.filters = true;
    let mut at = 0;
    let mut program = false;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        let text = argument.prefix();
        match text {
            "-F" | "-v" | "--field-separator" | "--assign" => at += 1,
            "-f" | "--file" | "-i" | "--include" | "-l" | "--load" => {
                if let Some(file) = arguments.get(at) {
                    walker.run_file(file, act);
                }
                program = true;
                at += 1;
            }
            "-e" | "--source" => {
                if let Some(code) = arguments.get(at) {
                    awk_program(walker, code, act);
                }
                program = true;
                at += 1;
            }
            "--" => {}
            _ if text.starts_with('-') && text.len() > 1 => {}
            _ if !program => {
                awk_program(walker, argument, act);
                program = true;
            }
            _ if text.contains('=') && !text.contains('/') => {}
            _ => walker.role(Kind::Reads, argument, act),
        }
    }
}

/// Functions that compute and do nothing else.
const FUNCTIONS: &[&str] = &[
    "length", "substr", "index", "split", "sub", "gsub", "gensub", "match", "sprintf", "tolower", "toupper", "int",
    "sqrt", "exp", "log", "sin", "cos", "atan2", "rand", "srand", "strftime", "systime", "mktime", "close", "fflush",
    "print", "printf", "if", "while", "for", "return", "delete", "asort", "asorti", "patsplit", "strtonum", "and",
    "or", "xor", "compl", "lshift", "rshift", "typeof", "isarray", "toupper", "exit", "in", "switch", "getline", "not",
];

/// What an awk program does beyond reading its input and printing.
fn awk_program(walker: &mut Walker<'_>, program: &Argument, act: &mut Act) {
    let Some(text) = program.known() else {
        act.dynamic(Dynamic::Code);
        return;
    };
    let tokens = tokens::tokens(text, Language::Awk);
    let words = || tokens.iter().map(Token::word);
    let defined: BTreeSet<&str> = words()
        .zip(words().skip(1))
        .filter_map(|(before, name)| name.filter(|_| matches!(before, Some("function" | "func"))))
        .collect();
    let reads = Reading { tokens: &tokens };
    let sets = (0..tokens.len()).any(|at| reads.is(at, '=') && !reads.is(at + 1, '=') && !reads.is(at + 1, '~'));
    // Statements that print, and how many brackets are open in them.
    let (mut prints, mut open) = (false, 0_usize);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Odd | Token::Sign('@') => act.dynamic(Dynamic::Code),
            Token::Text(text) if text.starts_with("/inet") => {
                act.effects(&[Effect::Sends, Effect::Fetches]);
                act.dynamic(Dynamic::Host);
            }
            Token::Sign('{' | '}' | ';' | '\n') => (prints, open) = (false, 0),
            Token::Sign('(') => open += 1,
            Token::Sign(')') => open = open.saturating_sub(1),
            Token::Word(word) => match word.as_str() {
                "print" | "printf" => prints = true,
                "system" => match reads.whole(at + 2).filter(|_| reads.is(at + 1, '(')) {
                    Some(script) => act.script("awk", Argument::literal(script), false),
                    None => act.dynamic(Dynamic::Code),
                },
                "ENVIRON" => {
                    let name = reads.text(at + 2).filter(|_| reads.is(at + 1, '[') && reads.is(at + 3, ']'));
                    if name.is_none_or(is_secret_name) {
                        act.effect(Effect::ReadsCredentials);
                    }
                }
                // What is read next can be set.
                "ARGV" | "ARGC" if sets => act.dynamic(Dynamic::Path),
                word if reads.is(at + 1, '(') && !FUNCTIONS.contains(&word) && !defined.contains(word) => {
                    // A variable may stand before a bracket, too, but nobody writes that.
                    act.dynamic(Dynamic::Code);
                }
                _ => {}
            },
            Token::Sign('|') if !reads.is(at + 1, '|') && !reads.before(at, '|') => {
                let from = at + 1 + usize::from(reads.is(at + 1, '&'));
                let reads_it = tokens.get(from).and_then(Token::word) == Some("getline");
                let script = if reads_it { reads.before_bar(at) } else { reads.whole(from) };
                match script {
                    Some(script) => act.script("awk", Argument::literal(script), false),
                    None => act.dynamic(Dynamic::Code),
                }
            }
            Token::Sign('>') if prints && open == 0 && !reads.before(at, '>') => {
                let from = at + 1 + usize::from(reads.is(at + 1, '>'));
                match reads.whole(from) {
                    Some("/dev/stderr" | "/dev/stdout") => {}
                    Some(file) => walker.role(Kind::Writes, &Argument::literal(file), act),
                    None => act.dynamic(Dynamic::Path),
                }
            }
            Token::Sign('<') if reads.follows_getline(at) => match reads.whole(at + 1) {
                Some(file) => walker.role(Kind::Reads, &Argument::literal(file), act),
                None => act.dynamic(Dynamic::Path),
            },
            _ => {}
        }
    }
}

/// A program's tokens, by their places.
struct Reading<'t> {
    tokens: &'t [Token],
}

impl<'t> Reading<'t> {
    fn is(&self, at: usize, sign: char) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(sign))
    }

    fn before(&self, at: usize, sign: char) -> bool {
        at.checked_sub(1).is_some_and(|at| self.is(at, sign))
    }

    fn text(&self, at: usize) -> Option<&'t str> {
        match self.tokens.get(at) {
            Some(Token::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The text at `at`, if nothing is joined to it.
    fn whole(&self, at: usize) -> Option<&'t str> {
        let ends = matches!(self.tokens.get(at + 1), None | Some(Token::Sign(')' | '}' | ';' | '\n' | '>' | ',')));
        self.text(at).filter(|_| ends)
    }

    /// The command in `"command" | getline`.
    fn before_bar(&self, bar: usize) -> Option<&'t str> {
        let at = bar.checked_sub(1)?;
        let starts = matches!(
            at.checked_sub(1).and_then(|at| self.tokens.get(at)),
            None | Some(Token::Sign('(' | '{' | ';' | '\n' | '!'))
        );
        self.text(at).filter(|_| starts)
    }

    /// `getline <`, `getline line <`
    fn follows_getline(&self, at: usize) -> bool {
        let statement = (0..at)
            .rev()
            .take(6)
            .take_while(|at| !matches!(self.tokens.get(*at), Some(Token::Sign('{' | '}' | ';' | '\n' | ')'))));
        statement.into_iter().any(|at| self.tokens.get(at).and_then(Token::word) == Some("getline"))
    }
}
