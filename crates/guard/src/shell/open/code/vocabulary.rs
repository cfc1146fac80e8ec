//! The words of each language that do no harm, from `languages/*.txt`.
//!
//! A line begins with what its words are, and goes on in lines that are indented: `names` are keywords and what may be
//! used by its plain name; `members` what may be asked of any value; `module NAME` what may be asked of that module;
//! `of-any-module` what may be asked of one that is not listed; `opened` are modules of which some calls are opened
//! elsewhere; `libraries` what may be loaded; `taken` are names that mean something harmful, so that code cannot define them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::tokens::Language;

type Words = BTreeSet<&'static str>;

/// The words of a language.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    pub(super) names: Words,
    pub(super) members: Words,
    modules: BTreeMap<&'static str, Words>,
    pub(super) of_any_module: Words,
    pub(super) opened: Words,
    pub(super) taken: Words,
    pub(super) libraries: Words,
}

static PYTHON: LazyLock<Vocabulary> =
    LazyLock::new(|| Vocabulary::read(include_str!("../../../../languages/python.txt")));
static NODE: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::read(include_str!("../../../../languages/node.txt")));
static PERL: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::read(include_str!("../../../../languages/perl.txt")));
static PHP: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::read(include_str!("../../../../languages/php.txt")));
static RUBY: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::read(include_str!("../../../../languages/ruby.txt")));
static LUA: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::read(include_str!("../../../../languages/lua.txt")));

impl Vocabulary {
    /// Of a language that is read here.
    pub(super) fn of(language: Language) -> Option<&'static Self> {
        Some(match language {
            Language::Python => &PYTHON,
            Language::Node => &NODE,
            Language::Perl => &PERL,
            Language::Php => &PHP,
            Language::Ruby => &RUBY,
            Language::Lua => &LUA,
            Language::Awk | Language::Other => return None,
        })
    }

    /// A kind of words that is not known holds none that would do harm if it were left out, but for `taken`; a test
    /// sees that every line was read.
    fn read(text: &'static str) -> Self {
        let mut vocabulary = Self::default();
        let mut kind = "";
        let mut module = "";
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_ascii_whitespace();
            if !line.starts_with(' ') {
                kind = words.next().unwrap_or_default();
                module = if kind == "module" { words.next().unwrap_or_default() } else { "" };
            }
            match kind {
                "names" => vocabulary.names.extend(words),
                "members" => vocabulary.members.extend(words),
                "module" => vocabulary.modules.entry(module).or_default().extend(words),
                "of-any-module" => vocabulary.of_any_module.extend(words),
                "opened" => vocabulary.opened.extend(words),
                "libraries" => vocabulary.libraries.extend(words),
                "taken" => vocabulary.taken.extend(words),
                _ => {}
            }
        }
        vocabulary
    }

    /// What may be asked of `module`, if it is listed.
    pub(super) fn module(&self, module: &str) -> Option<&Words> {
        self.modules.get(module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_read_and_no_word_is_both_harmless_and_taken() {
        for language in [Language::Python, Language::Node, Language::Perl, Language::Php, Language::Ruby, Language::Lua]
        {
            let vocabulary = Vocabulary::of(language).expect("a language that is read");
            assert!(vocabulary.names.len() > 20 && !vocabulary.members.is_empty(), "{language:?}");
            assert!(vocabulary.taken.len() > 5, "{language:?}");
            let both: Vec<_> = vocabulary.names.intersection(&vocabulary.taken).collect();
            assert!(both.is_empty(), "{language:?}: {both:?}");
        }
    }
}
