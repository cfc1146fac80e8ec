//! What `git` takes for a repository, and what of one is configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::after::After;
use super::names::folded;
use super::{Change, Class, Op};

/// What `git` itself writes into its folder when one works with it; all else there can name programs.
const GIT_DATA: &[&str] = &[
    "objects",
    "refs",
    "logs",
    "index",
    "index.lock",
    "head",
    "head.lock",
    "orig_head",
    "fetch_head",
    "merge_head",
    "merge_msg",
    "merge_mode",
    "merge_rr",
    "merge_autostash",
    "rr-cache",
    "commit_editmsg",
    "tag_editmsg",
    "notes_editmsg",
    "packed-refs",
    "packed-refs.lock",
    "packed-refs.new",
    "shallow",
    "shallow.lock",
    "description",
    "auto_merge",
    "rebase-merge",
    "rebase-apply",
    "rebase_head",
    "cherry_pick_head",
    "revert_head",
    "squash_msg",
    "bisect_start",
    "bisect_log",
    "bisect_names",
    "bisect_terms",
    "bisect_expected_rev",
    "bisect_ancestors_ok",
    "gc.log",
    "gc.pid",
    "lfs",
];

/// What makes a folder a repository: the first, and either the two behind it or the last.
const MARKS: [&str; 4] = ["HEAD", "objects", "refs", "commondir"];

/// Folders that will be repositories though they are not called `.git`. Whoever runs `git` below one runs what its
/// configuration names.
pub(super) struct Bare<'a> {
    after: &'a After<'a>,
    known: BTreeMap<PathBuf, bool>,
}

impl<'a> Bare<'a> {
    pub(super) fn new(after: &'a After<'a>) -> Self {
        Self { after, known: BTreeMap::new() }
    }

    /// The class of a change because of the repositories that it lies in, or that it makes.
    pub(super) fn class(&mut self, change: &Change) -> Option<Class> {
        let mut found = None;
        for folder in change.path.ancestors().skip(1) {
            let below: Vec<String> = change.path.strip_prefix(folder).ok()?.iter().map(plain).collect();
            if folder.file_name().is_some_and(|name| plain(name) == ".git") || !self.is_one(folder) {
                continue;
            }
            let becomes = change.op == Op::Created
                && below.len() == 1
                && MARKS.iter().any(|mark| Some(mark.to_lowercase().as_str()) == below.first().map(String::as_str));
            let class = if becomes { Some(Class::RepositoryConfig) } else { in_git(&below) };
            // A hook is the worse.
            found = match (found, class) {
                (Some(Class::RepositoryHook), _) => found,
                (_, Some(class)) => Some(class),
                (_, None) => found,
            };
        }
        found
    }

    fn is_one(&mut self, folder: &Path) -> bool {
        if let Some(known) = self.known.get(folder) {
            return *known;
        }
        let [head, objects, refs, common] = MARKS.map(|mark| self.after.holds(folder, mark));
        let is = head && (objects && refs || common);
        self.known.insert(folder.to_owned(), is);
        is
    }
}

fn plain(name: &std::ffi::OsStr) -> String {
    folded(&name.to_string_lossy())
}

/// What a path below a `.git` is, in the plainest form of its names. The folder itself appearing, or a file in its
/// place that points elsewhere, is configuration, too.
pub(super) fn in_git(below: &[String]) -> Option<Class> {
    let names: Vec<&str> = below.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["hooks", ..] => Some(Class::RepositoryHook),
        // Those of a submodule, or of another working tree.
        ["modules" | "worktrees", rest @ ..] if rest.contains(&"hooks") => Some(Class::RepositoryHook),
        // A rebase keeps a list of what it will run.
        ["rebase-merge" | "rebase-apply", ..] => Some(Class::RepositoryConfig),
        // Where `git` finds objects that are not here.
        ["objects", "info", "alternates" | "http-alternates", ..] => Some(Class::RepositoryConfig),
        // What is packed where, for those who fetch by HTTP.
        ["info"] | ["info", "refs"] => None,
        [name, ..] if GIT_DATA.contains(name) => None,
        _ => Some(Class::RepositoryConfig),
    }
}
