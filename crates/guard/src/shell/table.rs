//! What programs do with their arguments, as data: `programs/*.toml`, and the operator's own file.
//!
//! ```toml
//! [cp]
//! operands = ["reads*", "writes"]
//! options = { "-t --target-directory" = "writes =reads*", "-S --suffix" = "text" }
//! ```
//!
//! An operand or the value of an option has a *role*: `text` (says nothing), `reads`, `writes`, `deletes`, `changes`
//! (reads and writes), `moves` (reads and deletes), `packs` (reads and deletes it, and writes what is called alike but for
//! the ending), `prefix` (writes what is called so and more), `script` (a file that is run), `host`, `url`, `remote`
//! (`host:path`, or a path that is read), `remote-writes`, `variable` (one that is shown), `package` (a name, a path or an
//! address), `package-or-repository` (where `user/name` is one), `code:sh` (a shell script), `code` (a program in another
//! language), `argv` (a command and its arguments), `env-argv` (the same after `NAME=value`), `sh-argv` (words that a
//! shell reads as one script). A `*` behind a role of operands takes any number of them.
//!
//! An option says what it takes, and what it means: a role for its value (none: it has no value), `?` in front of the
//! role for a value that is only ever attached, `+effect` for effects that it adds, `-effect` for effects that it takes
//! away, `=role,role*` for the roles of the operands from then on,
//! `recursive` for one that makes it go down into directories, `backs-up` for one that keeps what stood where it writes.
//! Subcommands (`sub`) are rules of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;

use super::Effect;
use super::open::Opener;

mod parsed;

pub(super) use parsed::{Kind, Meaning, Role};

/// A file of the table cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {fault}")]
pub struct TableError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub fault: String,
    /// Which bytes of the file it is about.
    pub span: Option<Range<usize>>,
}

/// One program, or one subcommand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct Rule {
    /// Other names of it.
    also: Vec<String>,
    /// What it always does.
    pub(super) effects: Vec<Effect>,
    /// The roles of its operands.
    operands: Vec<Role>,
    /// Options by their names, separated by blanks.
    options: BTreeMap<String, Meaning>,
    /// Options cannot be joined (`-abc` is one option).
    pub(super) single: bool,
    /// Options stop at the first operand.
    pub(super) strict: bool,
    /// It has a way of its own to be read, in `open`.
    pub(super) opener: Option<Opener>,
    /// It goes down into directories and shows what it finds.
    pub(super) recursive: bool,
    /// If neither an operand nor an option is a `prefix`, it writes what begins with this.
    pub(super) default_prefix: Option<String>,
    /// What it prints comes from the network.
    pub(super) prints_download: bool,
    /// Without operands it does this.
    bare: Option<Box<Rule>>,
    /// Its subcommands, by name; of two words, `remote add`.
    sub: BTreeMap<String, Rule>,
    /// Subcommands that are not listed are as known as those that are.
    pub(super) open_ended: bool,
    #[serde(skip)]
    options_by_name: BTreeMap<String, Meaning>,
    /// Options of the program that this is a subcommand of.
    #[serde(skip)]
    inherited: Vec<(String, Meaning)>,
    #[serde(skip)]
    subs_by_name: BTreeMap<String, String>,
}

impl Rule {
    fn settle(&mut self) -> Result<(), String> {
        for (names, meaning) in &self.options {
            for name in names.split_ascii_whitespace() {
                if self.options_by_name.insert(name.to_owned(), meaning.clone()).is_some() {
                    return Err(format!("the option `{name}` is there twice"));
                }
            }
        }
        for (option, meaning) in std::mem::take(&mut self.inherited) {
            self.options_by_name.entry(option).or_insert(meaning);
        }
        for (name, rule) in &mut self.sub {
            // The program's own options may stand behind the subcommand, too.
            for (option, meaning) in &self.options_by_name {
                rule.inherited.push((option.clone(), meaning.clone()));
            }
            rule.settle().map_err(|fault| format!("{name}: {fault}"))?;
            for other in rule.also.iter().chain([name]) {
                if self.subs_by_name.insert(other.clone(), name.clone()).is_some() {
                    return Err(format!("the subcommand `{other}` is there twice"));
                }
            }
        }
        if let Some(bare) = &mut self.bare {
            bare.settle()?;
        }
        Ok(())
    }

    pub(super) fn operands(&self) -> &[Role] {
        &self.operands
    }

    pub(super) fn bare(&self) -> Option<&Self> {
        self.bare.as_deref()
    }

    /// What the option `name` means; long ones may be cut short, as GNU's are.
    pub(super) fn option(&self, name: &str) -> Option<&Meaning> {
        if let Some(meaning) = self.options_by_name.get(name) {
            return Some(meaning);
        }
        if !name.starts_with("--") || name.len() < 4 {
            return None;
        }
        let mut longer = self.options_by_name.range(name.to_owned()..).take_while(|(known, _)| known.starts_with(name));
        longer.next().map(|(_, meaning)| meaning)
    }

    pub(super) fn has_subs(&self) -> bool {
        !self.sub.is_empty()
    }

    /// The subcommand that the most of the first `words` call, and how many that are.
    pub(super) fn sub(&self, words: &[&str]) -> Option<(&Self, usize)> {
        (1..=words.len()).rev().find_map(|count| {
            let name = self.subs_by_name.get(&words.get(..count)?.join(" "))?;
            Some((self.sub.get(name)?, count))
        })
    }

    /// Whether some option could do what the operands do not say: an operand that may turn out an option matters then.
    pub(super) fn has_sharp_options(&self) -> bool {
        self.options_by_name.values().any(Meaning::is_sharp)
    }

    /// Whether some option runs a program. A glob that matches a file of that name would set it.
    pub(super) fn has_running_options(&self) -> bool {
        self.options_by_name.values().any(Meaning::runs)
    }
}

/// Where the table of the program called `name` begins.
fn header(text: &str, name: &str) -> Option<Range<usize>> {
    [format!("[{name}]"), format!("[{name:?}]"), format!("['{name}']")].iter().find_map(|header| {
        let start = text.find(header.as_str())?;
        Some(start..start + header.len())
    })
}

/// The table of programs.
#[derive(Clone, Debug)]
pub struct Table {
    rules: BTreeMap<String, Rule>,
    names: BTreeMap<String, String>,
}

const FILES: &[(&str, &str)] = &[
    ("builtins.toml", include_str!("../../programs/builtins.toml")),
    ("files.toml", include_str!("../../programs/files.toml")),
    ("text.toml", include_str!("../../programs/text.toml")),
    ("wrappers.toml", include_str!("../../programs/wrappers.toml")),
    ("system.toml", include_str!("../../programs/system.toml")),
    ("network.toml", include_str!("../../programs/network.toml")),
    ("git.toml", include_str!("../../programs/git.toml")),
    ("build.toml", include_str!("../../programs/build.toml")),
    ("packages.toml", include_str!("../../programs/packages.toml")),
    ("clouds.toml", include_str!("../../programs/clouds.toml")),
    ("languages.toml", include_str!("../../programs/languages.toml")),
];

impl Table {
    /// The table that comes with the gate.
    ///
    /// # Errors
    /// Never, unless the gate was built wrong; a test loads it.
    pub fn builtin() -> Result<Self, TableError> {
        let mut table = Self { rules: BTreeMap::new(), names: BTreeMap::new() };
        for (file, text) in FILES {
            table.add(file, text)?;
        }
        Ok(table)
    }

    /// Adds the operator's own programs; what they say of a program replaces what the table said.
    ///
    /// # Errors
    /// [`TableError`] names what is wrong.
    pub fn extend(&mut self, file: &str, text: &str) -> Result<(), TableError> {
        self.add(file, text)
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), TableError> {
        let error = |fault: String, span| TableError { file: file.to_owned(), fault, span };
        let rules: BTreeMap<String, Rule> =
            toml::from_str(text).map_err(|fault| error(fault.message().to_owned(), fault.span()))?;
        let mut seen = BTreeSet::new();
        for (name, mut rule) in rules {
            rule.settle().map_err(|fault| error(format!("{name}: {fault}"), header(text, &name)))?;
            for name_or_other in rule.also.iter().chain([&name]) {
                if !seen.insert(name_or_other.clone()) {
                    let fault = format!("the program `{name_or_other}` is there twice");
                    return Err(error(fault, header(text, &name)));
                }
                self.names.insert(name_or_other.clone(), name.clone());
            }
            self.rules.insert(name, rule);
        }
        Ok(())
    }

    /// What is known of the program called `name`.
    pub(super) fn rule(&self, name: &str) -> Option<&Rule> {
        if let Some(name) = self.names.get(name) {
            return self.rules.get(name);
        }
        // `python3.12`, `gcc-13`, `clang++-17`: the version says nothing.
        let plain = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == '-');
        let plain = if plain.len() < name.len() { plain } else { return None };
        self.names.get(plain).and_then(|name| self.rules.get(name))
    }

    /// How many programs it knows, other names included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
