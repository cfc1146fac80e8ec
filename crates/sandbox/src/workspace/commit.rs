//! Bringing a write-set to the host: all of it, or nothing.
//!
//! Everything new is written to a staging folder inside the workspace first; then the host's state is compared with
//! what was walked; then each path is exchanged by one rename. If one of them fails, those before it are undone. A
//! machine that dies in between leaves the staging folder, and what was replaced lies in it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Uid, chownat, fchmod, fstat, mkdirat, openat, openat2,
    renameat, renameat_with, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::walk::{look, open_file, open_root};
use super::{Change, Class, Node, Op, WriteSet, shown};

/// Why nothing was committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Something cannot be read or written: the path, and the system's error.
    #[error("`{0}`: {1}")]
    Io(String, String),
    /// Folders in folders beyond all measure.
    #[error("`{0}` is too deep")]
    TooDeep(String),
    /// A class of change without a permit: the class, and the first path of it.
    #[error("`{path}` needs a permit for `{}`", class.as_str())]
    NotPermitted {
        /// Which class.
        class: Class,
        /// The first path of it.
        path: String,
    },
    /// What nobody can commit: a device or a socket.
    #[error("`{0}` is a device, a socket or a pipe, which cannot be committed")]
    Special(String),
    /// The host's file is no longer what it was when the changes were walked.
    #[error("`{0}` has changed on the host meanwhile")]
    Conflict(String),
}

impl CommitError {
    pub(super) fn at(path: &Path, error: Errno) -> Self {
        Self::Io(shown(path), error.to_string())
    }
}

/// How one step is taken back.
enum Undo {
    /// What lies at `path` goes back to the staging folder under `staged`, and the other way round.
    Exchange(PathBuf, String),
    /// What lies in the staging folder under `staged` goes back to `path`.
    Restore(PathBuf, String),
    /// What was made at `path` goes (a folder, or anything else).
    Remove(PathBuf, bool),
    /// A folder's mode.
    Mode(PathBuf, u32),
}

impl WriteSet {
    /// Refuses what needs a permit that is not among `permitted`.
    ///
    /// # Errors
    /// The first change that is not permitted.
    pub fn check(&self, permitted: &BTreeSet<Class>) -> Result<(), CommitError> {
        for change in self.changes() {
            if let Some(class) = change.classes.iter().find(|class| !permitted.contains(class)) {
                return Err(CommitError::NotPermitted { class: *class, path: shown(&change.path) });
            }
            if matches!(change.after, Some(Node::Special { .. })) {
                return Err(CommitError::Special(shown(&change.path)));
            }
        }
        Ok(())
    }

    /// Applies everything, if all of it is permitted and the host is as it was when the changes were walked.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn commit(self, permitted: &BTreeSet<Class>) -> Result<usize, CommitError> {
        self.check(permitted)?;
        let root = open_root(self.folder())?;
        let count = self.changes().len();
        if count == 0 {
            return Ok(0);
        }
        let staging = Staging::new(&root)?;
        for (index, change) in self.changes().iter().enumerate() {
            self.stage(&root, &staging, index, change)?;
        }
        for change in self.changes() {
            unchanged(&root, change)?;
        }
        let mut undo = Vec::new();
        // What goes before what comes, the deepest first; then what comes, from the top.
        let all = self.changes().iter().enumerate();
        let gone = all.clone().filter(|(_, change)| change.op == Op::Deleted).rev();
        let here = all.filter(|(_, change)| change.op != Op::Deleted);
        for (index, change) in gone.chain(here) {
            match apply(&root, &staging, index, change) {
                Ok(step) => undo.extend(step),
                Err(error) => {
                    for step in undo.into_iter().rev() {
                        take_back(&root, &staging, step);
                    }
                    return Err(error);
                }
            }
        }
        Ok(count)
    }

    /// Writes what will stand at a path into the staging folder.
    fn stage(&self, root: &OwnedFd, staging: &Staging, index: usize, change: &Change) -> Result<(), CommitError> {
        let at = |error: Errno| CommitError::at(&change.path, error);
        let name = staged(index);
        match &change.after {
            Some(Node::File { mode, size, digest }) => {
                let parent = parent_of(&self.written.changes, &change.path).map_err(at)?;
                let from = open_file(parent.as_fd(), name_of(&change.path)).map_err(at)?;
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                let to = openat(&staging.folder, &name, flags, Mode::from_raw_mode(0o600)).map_err(at)?;
                let io = |error: std::io::Error| CommitError::Io(shown(&change.path), error.to_string());
                let mut to = File::from(to);
                let copied = std::io::copy(&mut File::from(from), &mut to).map_err(io)?;
                if copied != *size {
                    return Err(CommitError::Conflict(shown(&change.path)));
                }
                to.sync_data().map_err(io)?;
                // What lands is what was walked, and recorded.
                let landed = look(staging.folder.as_fd(), OsStr::new(&name), &change.path)?;
                if !matches!(&landed, Some(Node::File { digest: landed, .. }) if landed == digest) {
                    return Err(CommitError::Conflict(shown(&change.path)));
                }
                self.give(root, staging, &name, change)?;
                // After the owner, whose change takes set-ID bits away.
                fchmod(&to, Mode::from_raw_mode(*mode)).map_err(at)
            }
            Some(Node::Link { target }) => {
                symlinkat(target, &staging.folder, &name).map_err(at)?;
                self.give(root, staging, &name, change)
            }
            Some(Node::Folder { .. } | Node::Special { .. }) | None => Ok(()),
        }
    }

    /// As root: a changed file keeps its owner, and a new one belongs to whom the folder belongs to.
    fn give(&self, root: &OwnedFd, staging: &Staging, name: &str, change: &Change) -> Result<(), CommitError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let at = |error: Errno| CommitError::at(&change.path, error);
        let owner = match &change.before {
            Some(_) => {
                let parent = parent_of(root, &change.path).map_err(at)?;
                rustix::fs::statat(&parent, name_of(&change.path), AtFlags::SYMLINK_NOFOLLOW).map_err(at)?
            }
            None => fstat(root).map_err(at)?,
        };
        let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
        chownat(&staging.folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW).map_err(at)
    }
}

/// The folder inside the workspace where the new lies before, and the old after, an exchange. It goes at the end.
struct Staging {
    root: OwnedFd,
    name: String,
    folder: OwnedFd,
}

impl Staging {
    fn new(root: &OwnedFd) -> Result<Self, CommitError> {
        let name = format!(".callgate-commit-{}", std::process::id());
        let at = |error: Errno| CommitError::at(Path::new(&name), error);
        mkdirat(root, &name, Mode::from_raw_mode(0o700)).map_err(at)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(root, &name, flags, Mode::empty()).map_err(at)?;
        let root = root.try_clone().map_err(|error| CommitError::Io(name.clone(), error.to_string()))?;
        Ok(Self { root, name, folder })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Ok(entries) = rustix::fs::Dir::read_from(&self.folder) {
            for entry in entries.flatten() {
                // Files and links; a folder that was deleted was empty when it came here.
                let name = entry.file_name();
                let _ = unlinkat(&self.folder, name, AtFlags::empty());
                let _ = unlinkat(&self.folder, name, AtFlags::REMOVEDIR);
            }
        }
        let _ = unlinkat(&self.root, &self.name, AtFlags::REMOVEDIR);
    }
}

fn staged(index: usize) -> String {
    format!("{index}")
}

fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// The folder that `path` lies in, below `root`, without following any link.
fn parent_of(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent: OsString = parent.map_or_else(|| ".".into(), |parent| parent.as_os_str().to_owned());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, parent, flags, Mode::empty(), resolve)
}

/// The file of a change below `root`, open to read.
pub(super) fn open_at(root: &OwnedFd, change: &Change) -> Option<OwnedFd> {
    let parent = parent_of(root, &change.path).ok()?;
    open_file(parent.as_fd(), name_of(&change.path)).ok()
}

/// The host's side is still what was walked.
fn unchanged(root: &OwnedFd, change: &Change) -> Result<(), CommitError> {
    let parent = match parent_of(root, &change.path) {
        Ok(parent) => parent,
        // It will be made, with the rest of what is new, or made where something else was.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if change.before.is_none() => return Ok(()),
        Err(error) => return Err(CommitError::at(&change.path, error)),
    };
    let now = look(parent.as_fd(), name_of(&change.path), &change.path)?;
    // Where something else is deleted first, what is made finds it still there.
    if now == change.before || change.op == Op::Created && change.before.is_none() {
        Ok(())
    } else {
        Err(CommitError::Conflict(shown(&change.path)))
    }
}

/// One change, in one step that either happened or did not.
fn apply(root: &OwnedFd, staging: &Staging, index: usize, change: &Change) -> Result<Option<Undo>, CommitError> {
    let at = |error: Errno| CommitError::at(&change.path, error);
    let parent = parent_of(root, &change.path).map_err(at)?;
    let (name, staged) = (name_of(&change.path), staged(index));
    let path = change.path.clone();
    match (change.op, &change.after) {
        (Op::Deleted, _) => {
            renameat(&parent, name, &staging.folder, &staged).map_err(at)?;
            Ok(Some(Undo::Restore(path, staged)))
        }
        (Op::Created, Some(Node::Folder { mode })) => {
            mkdirat(&parent, name, Mode::from_raw_mode(0o700)).map_err(at)?;
            let undo = Undo::Remove(path, true);
            let made = set_mode(&parent, name, *mode).and_then(|()| {
                let owner = fstat(root)?;
                if !rustix::process::geteuid().is_root() {
                    return Ok(());
                }
                let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
                chownat(&parent, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
            });
            match made {
                Ok(()) => Ok(Some(undo)),
                Err(error) => {
                    take_back(root, staging, undo);
                    Err(at(error))
                }
            }
        }
        (Op::Created, Some(_)) => {
            renameat_with(&staging.folder, &staged, &parent, name, RenameFlags::NOREPLACE).map_err(at)?;
            Ok(Some(Undo::Remove(path, false)))
        }
        (Op::Changed, Some(Node::Folder { mode })) => {
            let Some(Node::Folder { mode: before }) = change.before else { return Ok(None) };
            set_mode(&parent, name, *mode).map_err(at)?;
            Ok(Some(Undo::Mode(path, before)))
        }
        (Op::Changed, Some(_)) => {
            renameat_with(&staging.folder, &staged, &parent, name, RenameFlags::EXCHANGE).map_err(at)?;
            Ok(Some(Undo::Exchange(path, staged)))
        }
        (Op::Created | Op::Changed, None) => Ok(None),
    }
}

/// The mode of a folder, which is opened so that no link is followed.
fn set_mode(parent: &OwnedFd, name: &OsStr, mode: u32) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fchmod(openat(parent, name, flags, Mode::empty())?, Mode::from_raw_mode(mode))
}

/// As far as it can be: each step backwards is the same rename.
fn take_back(root: &OwnedFd, staging: &Staging, step: Undo) {
    let (Undo::Exchange(path, _) | Undo::Restore(path, _) | Undo::Remove(path, _) | Undo::Mode(path, _)) = &step;
    let Ok(parent) = parent_of(root, path) else { return };
    let name = name_of(path);
    let _ = match &step {
        Undo::Exchange(_, staged) => renameat_with(&staging.folder, staged, &parent, name, RenameFlags::EXCHANGE),
        Undo::Restore(_, staged) => renameat_with(&staging.folder, staged, &parent, name, RenameFlags::NOREPLACE),
        Undo::Remove(_, folder) => unlinkat(&parent, name, if *folder { AtFlags::REMOVEDIR } else { AtFlags::empty() }),
        Undo::Mode(_, mode) => set_mode(&parent, name, *mode),
    };
}
