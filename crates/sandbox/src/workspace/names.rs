//! Which names mean something to a program that starts by itself: the tables, and what two spellings of one name are.
//!
//! All names stand here in lower case and in their plainest form: a path is brought to that form before it is looked
//! up, since a file system may not tell spellings apart.

mod files;
mod folders;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::Class;
use files::{NAMES, PATTERNS};
use folders::{DEPENDENCIES, FOLDERS};

/// The classes of a path whose `names` are [`folded`], by the tables alone.
pub(super) fn by_names(names: &[String]) -> impl Iterator<Item = Class> {
    let mut classes = Vec::new();
    let mut vendored = false;
    for (index, name) in names.iter().enumerate() {
        let known = table().get(name.as_str()).copied();
        let patterns = PATTERNS.iter().filter(|(start, end, _)| {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        });
        let up_to_here = names.get(..=index).unwrap_or_default();
        let found = known.into_iter().chain(patterns.map(|(_, _, class)| *class)).chain(by_folder(up_to_here));
        // `sitecustomize.py` is looked for there.
        classes.extend(found.filter(|class| !vendored || !is_deaf(*class) || name.ends_with("customize.py")));
        vendored |= DEPENDENCIES.contains(&name.as_str());
    }
    classes.into_iter()
}

/// Whether this class is about something that only works where work is done, and not among what others wrote.
fn is_deaf(class: Class) -> bool {
    matches!(class, Class::RepositoryHook | Class::RepositoryConfig | Class::Pipeline | Class::ToolConfig)
}

fn by_folder(names: &[String]) -> impl Iterator<Item = Class> {
    FOLDERS.iter().filter_map(move |(class, folders)| {
        let ends_with = |folder: &&&[&str]| {
            let tail = names.len().checked_sub(folder.len()).and_then(|from| names.get(from..));
            tail.is_some_and(|tail| tail.iter().zip(folder.iter()).all(|(here, known)| here == known))
        };
        folders.iter().any(|folder| ends_with(&folder)).then_some(*class)
    })
}

fn table() -> &'static BTreeMap<&'static str, Class> {
    static TABLE: OnceLock<BTreeMap<&str, Class>> = OnceLock::new();
    TABLE
        .get_or_init(|| NAMES.iter().flat_map(|(class, names)| names.iter().map(move |name| (*name, *class))).collect())
}

/// Whether something in a folder of this folded name could be one of the table's: where links are worth a look.
pub(super) fn leads_somewhere(name: &str) -> bool {
    let heads = || FOLDERS.iter().flat_map(|(_, folders)| folders.iter());
    heads().any(|folder| folder.first() == Some(&name))
}

/// The plainest form of a name: what a file system that does not tell spellings apart may take it for.
///
/// Case is folded in full (`ſ` is an `s`, the sign for kelvin a `k`, `ﬁ` two letters), and what some file systems
/// ignore is left out: characters that do not show, dots and spaces at the end, a stream's name behind a colon, and the
/// short form of `.git`.
pub(super) fn folded(name: &str) -> String {
    let visible = name.chars().filter(|character| callgate_text::reveal(character.encode_utf8(&mut [0; 4])).is_none());
    let upper: String = visible.flat_map(char::to_uppercase).collect();
    let lower = upper.to_lowercase();
    let file = lower.split(':').next().unwrap_or_default();
    let trimmed = file.trim_end_matches(['.', ' ']);
    let short = trimmed.strip_prefix("git~").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    match (short, trimmed.is_empty()) {
        (true, _) => ".git".to_owned(),
        (false, true) => lower,
        (false, false) => trimmed.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn every_entry_can_be_found() {
        let mut seen = BTreeMap::new();
        let plain = |name: &str| assert_eq!(folded(name), name, "an entry that no name is folded to");
        for (class, names) in NAMES {
            for name in *names {
                plain(name);
                assert_eq!(seen.insert(*name, *class), None, "`{name}` stands there twice");
            }
        }
        for (_, folders) in FOLDERS {
            folders.iter().flat_map(|folder| folder.iter()).for_each(|name| plain(name));
        }
        DEPENDENCIES.iter().for_each(|name| plain(name));
    }

    proptest::proptest! {
        /// Case, what does not show, and what is ignored at the end change nothing.
        #[test]
        fn a_name_is_known_however_it_is_spelled(
            pick in 0..1000_usize, upper in proptest::collection::vec(proptest::bool::ANY, 40),
            hidden in 0..40_usize, end in "[. ]{0,3}",
        ) {
            let all: Vec<&str> = table().keys().copied().collect();
            let name = all[pick % all.len()];
            let mut spelled: String = name
                .chars()
                .zip(&upper)
                .map(|(character, upper)| if *upper { character.to_ascii_uppercase() } else { character })
                .collect();
            spelled.insert(hidden % (name.len() + 1), '\u{200b}');
            assert_eq!(folded(&format!("{spelled}{end}")), name);
        }

        #[test]
        fn no_name_makes_it_panic(name in "\\PC*") {
            let _ = folded(&name);
            let _ = by_names(&[folded(&name)]).count();
        }
    }

    #[test]
    fn spellings_of_one_name_are_one() {
        for (spelled, name) in [
            (".GIT", ".git"),
            (".git.", ".git"),
            (".git . .", ".git"),
            (".gi\u{200b}t", ".git"),
            (".g\u{200c}it", ".git"),
            (".git::$INDEX_ALLOCATION", ".git"),
            ("GIT~1", ".git"),
            (".hu\u{17f}ky", ".husky"),
            (".v\u{17f}code", ".vscode"),
            ("CLAUDE.MD", "claude.md"),
            ("s\u{212a}ill.md", "skill.md"),
            (".gitcon\u{fb01}g", ".gitconfig"),
            ("g\u{131}thooks", "githooks"),
            ("...", "..."),
            (".", "."),
        ] {
            assert_eq!(folded(spelled), name, "{spelled:?}");
        }
        for other in [".gitx", "git", "git~x", ".git~1", "claude-md"] {
            assert!(folded(other) != ".git" && folded(other) != "claude.md", "{other}");
        }
    }
}
