//! Whether every word of a piece of code is known to be harmless.
//!
//! The argument is one of reach: code whose every name, member and import is harmless can only put harmless things
//! together, whatever it calls them. So a name that the code defines itself is as good as what it is made of; but no name
//! that means something already can be defined anew, and nothing that would reach more by a name that is made while it
//! runs (`getattr`, `constructor`, `send`) is in a list.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Language, Token};
use super::vocabulary::Vocabulary;
use super::{node, perl, python, ruby};

/// Code, what its calls that were opened are, and what its names mean.
pub(super) struct Reading<'t> {
    pub(super) tokens: &'t [Token],
    /// Tokens that have been accounted for: calls that were opened, with their modules, and imports.
    pub(super) accounted: BTreeSet<usize>,
    /// Names that are modules.
    pub(super) modules: BTreeMap<String, String>,
    /// Names that the code defines.
    pub(super) defined: BTreeSet<String>,
    pub(super) vocabulary: &'static Vocabulary,
    /// For each sign that opens, the one that closes it.
    closings: BTreeMap<usize, usize>,
}

impl<'t> Reading<'t> {
    pub(super) fn token(&self, at: usize) -> Option<&'t Token> {
        self.tokens.get(at)
    }

    pub(super) fn word(&self, at: usize) -> Option<&'t str> {
        self.token(at).and_then(Token::word)
    }

    pub(super) fn is(&self, at: usize, sign: char) -> bool {
        self.token(at).is_some_and(|token| token.is(sign))
    }

    pub(super) fn before(&self, at: usize) -> Option<&'t Token> {
        at.checked_sub(1).and_then(|at| self.token(at))
    }

    /// Whether the word at `at` is a member of what stands before.
    pub(super) fn is_member(&self, at: usize) -> bool {
        self.before(at).is_some_and(|before| before.is('.')) && !at.checked_sub(2).is_some_and(|at| self.is(at, '.'))
    }

    /// Whether `name` may be defined by code: it means nothing yet.
    pub(super) fn is_free(&self, name: &str) -> bool {
        name.is_ascii()
            && !name.starts_with("__")
            && !self.vocabulary.taken.contains(name)
            && !self.vocabulary.names.contains(name)
            && self.vocabulary.module(name).is_none()
    }

    pub(super) fn define(&mut self, name: &str) {
        if self.is_free(name) {
            self.defined.insert(name.to_owned());
        }
    }

    /// The place of the sign that closes the one at `open`.
    pub(super) fn closing(&self, open: usize) -> Option<usize> {
        self.closings.get(&open).copied()
    }

    /// `module.member.member` from `at`, which has been found to be `module`: where it ends, if it is harmless.
    pub(super) fn chain(&self, module: &str, at: usize) -> Option<usize> {
        let mut module = module.to_owned();
        let mut at = at;
        loop {
            let member = self.word(at + 2).filter(|_| self.is(at + 1, '.'))?;
            let below = format!("{module}.{member}");
            if self.vocabulary.module(&below).is_some() {
                module = below;
                at += 2;
                continue;
            }
            let known = match self.vocabulary.module(&module) {
                Some(members) => members.contains(member),
                None => self.vocabulary.of_any_module.contains(member),
            };
            let opened = self.accounted.contains(&(at + 2)) && self.vocabulary.opened.contains(module.as_str());
            return (known || opened).then_some(at + 2);
        }
    }
}

/// Whether `tokens` hold nothing that is not known; `accounted` are the calls that were opened.
pub(super) fn is_plain(tokens: &[Token], language: Language, accounted: BTreeSet<usize>) -> bool {
    if tokens.contains(&Token::Odd) {
        return false;
    }
    let Some(vocabulary) = Vocabulary::of(language) else { return false };
    let reading = Reading {
        tokens,
        accounted,
        modules: BTreeMap::new(),
        defined: BTreeSet::new(),
        vocabulary,
        closings: closings(tokens),
    };
    match language {
        Language::Python => python::is_plain(reading),
        Language::Node => node::is_plain(reading),
        Language::Perl | Language::Php => perl::is_plain(reading, language),
        Language::Ruby | Language::Lua => ruby::is_plain(reading, language),
        Language::Awk | Language::Other => false,
    }
}

fn closings(tokens: &[Token]) -> BTreeMap<usize, usize> {
    let mut closings = BTreeMap::new();
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(' | '[' | '{') => open.push(at),
            Token::Sign(')' | ']' | '}') => closings.extend(open.pop().map(|start| (start, at))),
            _ => {}
        }
    }
    closings
}
