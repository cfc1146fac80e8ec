//! Who could change the configuration beside root and the gate itself: whoever may write to a file, to a folder
//! that it lies in, or to one on the way there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::finding::{Finding, Rule};

/// What to do with a directory that others can write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// To enforce it: an error.
    Refuse,
    /// To look at it: a warning.
    Warn,
}

/// How many symbolic links are followed, as the kernel does.
const MAX_LINKS: usize = 40;

const STICKY: u32 = 0o1000;
const BY_GROUP: u32 = 0o020;
const BY_OTHERS: u32 = 0o002;

/// Who may write to something that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    mode: u32,
    owner: u32,
    group: u32,
}

impl Access {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { mode: metadata.mode(), owner: metadata.uid(), group: metadata.gid() }
    }

    /// Whether it belongs to root or to the gate.
    fn is_ours(self) -> bool {
        self.owner == 0 || self.owner == rustix::process::geteuid().as_raw()
    }

    /// Who else may write to it, each with the command that mends it.
    fn faults(self) -> impl Iterator<Item = (String, &'static str)> {
        // Where each user has a group of the same name, what only that group may write is the user's own.
        let foreign = self.group != rustix::process::getegid().as_raw();
        let owner = (!self.is_ours()).then(|| (format!("belongs to user {}", self.owner), "chown root"));
        let group = (self.mode & BY_GROUP != 0 && foreign)
            .then(|| (format!("can be written by group {}", self.group), "chmod g-w"));
        let others = (self.mode & BY_OTHERS != 0).then(|| ("can be written by every user".to_owned(), "chmod o-w"));
        [owner, group, others].into_iter().flatten()
    }
}

/// What is exposed of the directory at `root`, which was asked for as `dir`. `opened` are its folders and files,
/// by path relative to it, and `linked` those files that are links.
pub(super) fn findings<'a>(
    dir: &Path,
    root: &Path,
    opened: impl Iterator<Item = (&'a str, Access)>,
    linked: impl Iterator<Item = &'a Path>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for (name, access) in opened {
        let path = if name.is_empty() { root.to_owned() } else { root.join(name) };
        report(name, &path, access.faults(), &mut found);
        known.insert(path);
    }
    let mut ways = BTreeMap::new();
    let mut links = MAX_LINKS;
    // A path that cannot be made absolute was not opened either.
    let asked = std::path::absolute(dir).unwrap_or_else(|_| root.to_owned());
    follow(&asked, &mut ways, &mut links);
    follow(root, &mut ways, &mut links);
    linked.for_each(|path| drop(follow(path, &mut ways, &mut links)));
    for (folder, steps) in ways.iter().filter(|(folder, _)| !known.contains(*folder)) {
        match access_on_the_way(folder, steps) {
            Ok(access) => report("", folder, access.faults(), &mut found),
            Err(error) => {
                let message = format!("{} cannot be looked at: {error}", folder.display());
                found.push(Finding::new(Rule::ExposedConfiguration, "", message));
            }
        }
    }
    found
}

/// How others than root and this process's user could change the file at `path`.
///
/// # Errors
/// If it cannot be looked at.
pub fn exposed(path: &Path) -> io::Result<Vec<Finding>> {
    let root = path.canonicalize()?;
    let access = Access::of(&root.metadata()?);
    Ok(findings(path, &root, [("", access)].into_iter(), std::iter::empty()))
}

/// Who may replace one of `steps`, which lie in `folder`.
fn access_on_the_way(folder: &Path, steps: &BTreeSet<PathBuf>) -> io::Result<Access> {
    let access = Access::of(&folder.metadata()?);
    for step in steps {
        if access.mode & STICKY == 0 || !Access::of(&step.symlink_metadata()?).is_ours() {
            return Ok(access);
        }
    }
    // In a sticky folder, only its owner and theirs may rename or remove them.
    Ok(Access { mode: 0, ..access })
}

fn report(name: &str, path: &Path, faults: impl Iterator<Item = (String, &'static str)>, found: &mut Vec<Finding>) {
    for (fault, mend) in faults {
        let message = if name.is_empty() { format!("{} {fault}", path.display()) } else { fault };
        let finding = Finding::new(Rule::ExposedConfiguration, name, message);
        found.push(finding.help(format!("{mend} {}", quoted(path))));
    }
}

/// Notes each folder on the way to `path`, with what is looked up in it; returns where the way ends.
fn follow(path: &Path, ways: &mut BTreeMap<PathBuf, BTreeSet<PathBuf>>, links: &mut usize) -> PathBuf {
    let mut at = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::RootDir | Component::Prefix(_) => at = PathBuf::from("/"),
            Component::CurDir => {}
            Component::ParentDir => drop(at.pop()),
            Component::Normal(name) => {
                let step = at.join(name);
                ways.entry(at.clone()).or_default().insert(step.clone());
                at = match step.read_link() {
                    Ok(target) if *links > 0 => {
                        *links -= 1;
                        follow(&at.join(target), ways, links)
                    }
                    _ => step,
                };
            }
        }
    }
    at
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|character| character.is_ascii_alphanumeric() || "/._-+@%:".contains(character));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn commands_can_be_copied() {
        for (path, shown) in [("/srv/gate-1", "/srv/gate-1"), ("/a b", "'/a b'"), ("/it's", r"'/it'\''s'")] {
            assert_eq!(quoted(path.as_ref()), shown);
        }
    }
}
