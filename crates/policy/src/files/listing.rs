//! Which files of the directory are loaded, and which somebody may think are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags};

use super::exposure::Access;
use crate::finding::{Finding, LoadError, Rule};

/// There may not be more files.
const MAX_FILES: usize = 4096;
/// How many that are not loaded are named.
const MAX_STRAYS: usize = 64;

/// Where which files are loaded from: folder and extension.
const FOLDERS: &[(&str, &str)] = &[("policies", "cedar"), ("tests", "toml"), ("tools", "json")];
/// The files of the directory itself.
const ROOT: &[&str] = &["callgate.toml", "entities.toml", crate::load::PROGRAMS, crate::lock::FILE];

/// What lies in the gate directory.
#[derive(PartialEq, Eq)]
pub(super) struct Listing {
    /// What is loaded, by name relative to the directory; `gate.lock` is among it.
    pub(super) files: BTreeMap<String, PathBuf>,
    /// The directory itself, called by no name, and its folders.
    pub(super) folders: BTreeMap<String, Access>,
    /// What is not loaded, and could be taken for something that is.
    pub(super) strays: Vec<Finding>,
}

impl Listing {
    pub(super) fn read(root: &Path) -> Result<Self, LoadError> {
        let (names, access) = names(root, "")?;
        let mut listing =
            Self { files: BTreeMap::new(), folders: BTreeMap::from([(String::new(), access)]), strays: Vec::new() };
        for name in names {
            if ROOT.contains(&name.as_str()) {
                listing.files.insert(name.clone(), root.join(&name));
            } else if let Some((folder, extension)) = FOLDERS.iter().find(|(folder, _)| *folder == name) {
                listing.folder(root, folder, extension)?;
            } else if name.ends_with(".cedar") && !is_hidden(&name) {
                let expected = "policies belong into the folder policies/";
                return Err(Finding::new(Rule::UnexpectedFile, name, expected).into());
            } else if let Some(message) = stray(root, &name).filter(|_| listing.strays.len() < MAX_STRAYS) {
                listing.strays.push(Finding::new(Rule::NotLoaded, name, message));
            }
        }
        if listing.files.len() > MAX_FILES {
            return Err(Finding::new(Rule::TooLarge, "", format!("more than {MAX_FILES} files")).into());
        }
        Ok(listing)
    }

    fn folder(&mut self, root: &Path, folder: &str, extension: &str) -> Result<(), LoadError> {
        let (names, access) = names(&inside(root, &root.join(folder), folder)?, folder)?;
        self.folders.insert(folder.to_owned(), access);
        for file in names {
            let path = format!("{folder}/{file}");
            let (stem, ending) = file.rsplit_once('.').unwrap_or((&file, ""));
            let message = match ending {
                _ if is_leftover(&file) => continue,
                ending if is_hidden(&file) => {
                    if ending != extension {
                        continue;
                    }
                    "is hidden, and therefore not loaded"
                }
                ending if ending == extension => {
                    self.files.insert(path, root.join(folder).join(&file));
                    continue;
                }
                "md" if !FOLDERS.iter().any(|(_, extension)| stem.ends_with(&format!(".{extension}"))) => continue,
                "md" => "is taken for a remark, and not loaded",
                _ => {
                    let expected = format!("only *.{extension} files are loaded from {folder}/");
                    return Err(Finding::new(Rule::UnexpectedFile, path, expected).into());
                }
            };
            if self.strays.len() < MAX_STRAYS {
                self.strays.push(Finding::new(Rule::NotLoaded, path, message));
            }
        }
        Ok(())
    }
}

/// What to say of something in the directory itself that is not loaded; `None` if nobody would expect it to be.
fn stray(root: &Path, name: &str) -> Option<String> {
    let plain = name.trim_start_matches('.');
    let known = ROOT.iter().copied().chain(FOLDERS.iter().map(|(folder, _)| *folder));
    if is_leftover(name) {
        None
    } else if let Some(known) = known.into_iter().find(|known| resembles(plain, known)) {
        Some(format!("is not loaded; the gate reads `{known}`"))
    } else if holds_policies(&root.join(name)) || name.ends_with(".cedar") {
        Some("holds policies that are not loaded; the gate reads those in policies/".to_owned())
    } else if is_hidden(name) || name.ends_with(".md") || REMARKS.iter().any(|remark| name.starts_with(remark)) {
        None
    } else {
        Some("is not loaded".to_owned())
    }
}

/// What repositories hold for people.
const REMARKS: &[&str] = &["README", "LICENSE", "NOTICE", "CODEOWNERS"];

/// Whether `name` could be a slip for `known`: another case, number or a few letters.
fn resembles(name: &str, known: &str) -> bool {
    let name = name.to_lowercase();
    let alike = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
        a.zip(b).take_while(|(a, b)| a == b).count() * 2 > known.len()
    };
    name.len().abs_diff(known.len()) <= 2
        && (alike(&mut name.chars(), &mut known.chars()) || alike(&mut name.chars().rev(), &mut known.chars().rev()))
}

fn holds_policies(folder: &Path) -> bool {
    let entries = folder.read_dir().into_iter().flatten().take(MAX_FILES).flatten();
    entries.into_iter().any(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(".cedar")))
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// What editors leave while they work.
fn is_leftover(name: &str) -> bool {
    let swap = [".swp", ".swo", ".swx"].iter().any(|ending| name.ends_with(ending));
    name.ends_with('~') || name.starts_with('#') || name.starts_with(".#") || (is_hidden(name) && swap)
}

/// The names in a folder, sorted, and who may write to what was opened.
fn names(folder: &Path, shown: &str) -> Result<(Vec<String>, Access), LoadError> {
    let unreadable = |error: io::Error| Finding::new(Rule::Unreadable, shown, format!("cannot be listed: {error}"));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty()).map_err(|error| unreadable(error.into()))?;
    let opened = File::from(opened);
    let access = Access::of(&opened.metadata().map_err(unreadable)?);
    let mut names = Vec::new();
    for entry in Dir::read_from(&opened).map_err(|error| unreadable(error.into()))? {
        let entry = entry.map_err(|error| unreadable(error.into()))?;
        let Ok(name) = entry.file_name().to_str() else {
            return Err(Finding::new(Rule::UnexpectedFile, shown, "holds a file whose name is not UTF-8").into());
        };
        if name.chars().any(char::is_control) {
            return Err(
                Finding::new(Rule::UnexpectedFile, shown, "holds a file with control characters in its name").into()
            );
        }
        if !matches!(name, "." | "..") {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok((names, access))
}

/// Follows symbolic links, and refuses what lies outside `root`.
pub(super) fn inside(root: &Path, path: &Path, shown: &str) -> Result<PathBuf, LoadError> {
    let real = path
        .canonicalize()
        .map_err(|error| Finding::new(Rule::Unreadable, shown, format!("cannot be opened: {error}")))?;
    if real.starts_with(root) {
        return Ok(real);
    }
    Err(Finding::new(Rule::Outside, shown, "is a link to something outside the gate directory").into())
}

#[cfg(test)]
mod tests {
    use super::resembles;

    #[test]
    fn slips_are_known_by_their_likeness() {
        for (name, known, alike) in [
            ("policy", "policies", true),
            ("Policies", "policies", true),
            ("polices", "policies", true),
            ("tool", "tools", true),
            ("test", "tests", true),
            ("enities.toml", "entities.toml", true),
            ("callgate.yml", "callgate.toml", true),
            ("gate.lck", "gate.lock", true),
            ("docs", "tools", false),
            ("gateway", "gate.lock", false),
            ("agents.toml", "entities.toml", false),
            ("testdata", "tests", false),
        ] {
            assert_eq!(resembles(name, known), alike, "{name} {known}");
        }
    }
}
