//! What will stand in the folder once the changes are on the host.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, readlinkat, statat};
use rustix::time::Timespec;

use super::names::folded;
use super::steps::{folder_at, name_of, parent_of};
use super::walk::open_file;
use super::{Change, Node};

/// The longest file of the host that is looked into.
const MOST_BYTES: u64 = 256 << 10;

/// The host's folder with the changes over it.
pub(super) struct After<'a> {
    root: &'a OwnedFd,
    changed: BTreeMap<&'a Path, Option<&'a Node>>,
    /// For each folder, what is made or changed in it, in the plainest form of its name.
    made: BTreeMap<&'a Path, BTreeSet<String>>,
}

impl<'a> After<'a> {
    pub(super) fn new(root: &'a OwnedFd, changes: &'a [Change]) -> Self {
        let mut changed: BTreeMap<&Path, Option<&Node>> = BTreeMap::new();
        let mut made: BTreeMap<&Path, BTreeSet<String>> = BTreeMap::new();
        for Change { path, after, .. } in changes {
            // What is deleted and made anew stands there twice.
            let stands = changed.entry(path).or_default();
            *stands = after.as_ref().or(*stands);
            if let (Some(_), Some(parent)) = (after, path.parent()) {
                made.entry(parent).or_default().insert(folded(&name_of(path).to_string_lossy()));
            }
        }
        Self { root, changed, made }
    }

    /// Where the link at `path` will lead, if there will be one.
    pub(super) fn link(&self, path: &Path) -> Option<PathBuf> {
        match self.changed.get(path) {
            Some(Some(Node::Link { target })) => Some(target.clone()),
            Some(_) => None,
            None => self.host_link(path),
        }
    }

    /// Whether `folder` will hold something of this name, which is in its plainest form unless the host's is meant.
    pub(super) fn holds(&self, folder: &Path, name: &str) -> bool {
        if self.made.get(folder).is_some_and(|made| made.contains(&name.to_lowercase())) {
            return true;
        }
        let path = folder.join(name);
        match self.changed.get(path.as_path()) {
            Some(after) => after.is_some(),
            None => self.host_kind(&path).is_some(),
        }
    }

    /// Whether something will stand at `path`, whose names are in their plainest form unless the host's are meant.
    pub(super) fn stands(&self, path: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return true };
        self.holds(folder, &name.to_string_lossy())
    }

    fn host_kind(&self, path: &Path) -> Option<FileType> {
        let parent = parent_of(self.root, path).ok()?;
        let stat = statat(&parent, name_of(path), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(FileType::from_raw_mode(stat.st_mode))
    }

    /// When the host's file at `path`, its owner or its mode was last changed, by whomever: unlike the time of its
    /// contents, nobody can set that. Nothing, if it is not there any more.
    pub(super) fn host_changed(&self, path: &Path) -> Option<Timespec> {
        let parent = parent_of(self.root, path).ok()?;
        let stat = statat(&parent, name_of(path), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Timespec { tv_sec: stat.st_ctime, tv_nsec: i64::try_from(stat.st_ctime_nsec).ok()? })
    }

    /// Where the host's link at `path` leads, if there is one.
    pub(super) fn host_link(&self, path: &Path) -> Option<PathBuf> {
        let parent = parent_of(self.root, path).ok()?;
        let target = readlinkat(&parent, name_of(path), Vec::new()).ok()?;
        Some(PathBuf::from(OsStr::from_bytes(target.as_bytes())))
    }

    /// The host's file at `path` as text, as far as it is of any use to look into it.
    pub(super) fn host_text(&self, path: &Path) -> Option<String> {
        if self.host_kind(path)? != FileType::RegularFile {
            return None;
        }
        let parent = parent_of(self.root, path).ok()?;
        let file = open_file(parent.as_fd(), name_of(path)).ok()?;
        let mut bytes = Vec::new();
        File::from(file).take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What the host's folder at `path` holds, by name and kind; nothing if there is none.
    pub(super) fn host_entries(&self, path: &Path) -> Vec<(String, FileType)> {
        let Ok(folder) = folder_at(self.root, path) else { return Vec::new() };
        let Ok(entries) = Dir::read_from(&folder) else { return Vec::new() };
        let named = |entry: DirEntry| {
            let name = entry.file_name().to_str().ok()?.to_owned();
            let kind = match entry.file_type() {
                FileType::Unknown => self.host_kind(&path.join(&name))?,
                kind => kind,
            };
            (name != "." && name != "..").then_some((name, kind))
        };
        entries.flatten().filter_map(named).collect()
    }
}
