//! The folder inside the workspace where the new lies before a commit, and the old after it.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Mode, OFlags, fstat, mkdirat, openat, unlinkat};

use super::CommitError;

/// What such a folder is called: this and the committing process's number. Nothing that runs contained may bring one.
const PREFIX: &str = ".callgate-commit-";

/// The folder, open. Dropping it leaves it where it is.
#[derive(Debug)]
pub(super) struct Staging<'a> {
    root: &'a OwnedFd,
    name: String,
    folder: OwnedFd,
}

impl<'a> Staging<'a> {
    /// The name that this process's next one has.
    pub(super) fn name() -> String {
        format!("{PREFIX}{}", std::process::id())
    }

    /// Makes it.
    pub(super) fn make(root: &'a OwnedFd, name: String) -> Result<Self, CommitError> {
        let at = |error| CommitError::at(Path::new(&name), error);
        mkdirat(root, &name, Mode::from_raw_mode(0o700)).map_err(at)?;
        let folder = open(root, &name).map_err(at)?;
        Ok(Self { root, name, folder })
    }

    /// One that an interrupted commit has left.
    pub(super) fn left(root: &'a OwnedFd, name: &str) -> Option<Self> {
        if !is_name(OsStr::new(name)) {
            return None;
        }
        Some(Self { root, name: name.to_owned(), folder: open(root, name).ok()? })
    }

    pub(super) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Removes it with all that is in it: files, links, and folders, each of which was empty when it came here. Says
    /// whether it is gone.
    pub(super) fn remove(self) -> bool {
        if let Ok(entries) = rustix::fs::Dir::read_from(&self.folder) {
            for entry in entries.flatten() {
                let name = entry.file_name();
                let _ = unlinkat(&self.folder, name, AtFlags::empty());
                let _ = unlinkat(&self.folder, name, AtFlags::REMOVEDIR);
            }
        }
        unlinkat(self.root, &self.name, AtFlags::REMOVEDIR).is_ok()
    }

    /// Whom the workspace belongs to, and so what is new in it.
    pub(super) fn owner(&self) -> rustix::io::Result<rustix::fs::Stat> {
        fstat(self.root)
    }
}

/// Whether `path`, below a workspace, is or lies in such a folder.
pub(super) fn holds(path: &Path) -> bool {
    matches!(path.components().next(), Some(Component::Normal(name)) if is_name(name))
}

fn is_name(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX) && !name.contains('/'))
}

fn open(root: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    openat(root, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}
