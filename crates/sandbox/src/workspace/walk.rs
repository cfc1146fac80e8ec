//! Walking what a run wrote: an overlayfs upper folder, against the host's folder below it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use callgate_text::Digest;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::{Change, CommitError, Node, Op, shown};
use crate::profile::Access;
use crate::run::{Closed, Written};

/// Deeper folders are refused: a walk must end, and no tool works there.
const DEEPEST: usize = 200;

/// Nor are longer paths walked: the system takes none, so that nothing at one could be committed.
const LONGEST: usize = 4095;

/// Bytes of all paths together. Whoever writes the names must not decide how much memory the walk takes.
const ALL_PATHS: usize = 64 << 20;

/// All changes, unsorted and without classes.
pub(super) fn changes(written: &Written) -> Result<Vec<Change>, CommitError> {
    let lower = open_root(&written.folder)?;
    // A file system of the run's own, as large as the run may write in all.
    let most = rustix::fs::fstatfs(&written.changes).map_err(|error| CommitError::at(&written.folder, error))?;
    let left = most.f_blocks.saturating_mul(u64::try_from(most.f_bsize).unwrap_or(u64::MAX));
    let mut walk = Walk { changes: Vec::new(), closed: &written.closed, paths: 0, left };
    walk.folder(written.changes.as_fd(), Some(lower.as_fd()), Path::new(""), 0, false)?;
    Ok(walk.changes)
}

/// The host's folder, which must still be one, and not a link.
pub(super) fn open_root(folder: &Path) -> Result<OwnedFd, CommitError> {
    use rustix::fs::{CWD, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(CWD, folder, flags, Mode::empty(), resolve).map_err(|error| CommitError::at(folder, error))
}

struct Walk<'a> {
    changes: Vec<Change>,
    closed: &'a Closed,
    /// Bytes of their paths.
    paths: usize,
    /// Bytes that may still come. What has holes, or several names, takes less room there than it would here.
    left: u64,
}

impl Walk<'_> {
    /// One folder of what was written, and the one below it, if there is one. What `covers` lets nothing show through.
    fn folder(
        &mut self,
        upper: BorrowedFd<'_>,
        lower: Option<BorrowedFd<'_>>,
        path: &Path,
        depth: usize,
        covers: bool,
    ) -> Result<(), CommitError> {
        if depth > DEEPEST {
            return Err(CommitError::TooDeep(shown(path)));
        }
        let names = names(upper, path)?;
        for name in &names {
            let path = path.join(name);
            let at = |error| CommitError::at(&path, error);
            let now = statat(upper, name, AtFlags::SYMLINK_NOFOLLOW).map_err(at)?;
            // Where the profile closes a place that the host has not, nothing is mounted over it inside.
            match self.closed.get(&path) {
                // What an empty folder of the run's own was mounted on.
                Some(Access::Tmpfs) if FileType::from_raw_mode(now.st_mode) == FileType::Directory => continue,
                Some(_) => return Err(CommitError::Closed(shown(&path))),
                None => {}
            }
            let before = match lower {
                Some(lower) => look(lower, name, &path)?,
                None => None,
            };
            if is_whiteout(&now) {
                if let Some(before) = before {
                    self.delete(lower, name, &path, before, depth)?;
                }
                continue;
            }
            self.count(&now, &path)?;
            let after = node(upper, name, &now, &path)?;
            self.one(lower, name, &path, before.clone(), &after, depth)?;
            if matches!(after, Node::Folder { .. }) {
                let folder = open_folder(upper, name).map_err(at)?;
                let shows_through = matches!(before, Some(Node::Folder { .. }));
                let below = match lower.filter(|_| shows_through) {
                    Some(lower) => Some(open_folder(lower, name).map_err(at)?),
                    None => None,
                };
                match below {
                    Some(below) if covers || is_opaque(&folder) => self.replaced(&folder, &below, &path, depth)?,
                    below => self.folder(folder.as_fd(), below.as_ref().map(AsFd::as_fd), &path, depth + 1, false)?,
                }
            }
        }
        Ok(())
    }

    /// A folder that was deleted and made anew: what is not in it any more is gone.
    fn replaced(&mut self, upper: &OwnedFd, lower: &OwnedFd, path: &Path, depth: usize) -> Result<(), CommitError> {
        let kept: BTreeSet<OsString> = names(upper.as_fd(), path)?.into_iter().collect();
        for name in names(lower.as_fd(), path)?.iter().filter(|name| !kept.contains(*name)) {
            let path = path.join(name);
            if let Some(before) = look(lower.as_fd(), name, &path)? {
                self.delete(Some(lower.as_fd()), name, &path, before, depth + 1)?;
            }
        }
        // What is in it stands against what was there: the same contents are no change.
        self.folder(upper.as_fd(), Some(lower.as_fd()), path, depth + 1, true)
    }

    /// Counts what a file would take on the host, before it is read.
    fn count(&mut self, stat: &Stat, path: &Path) -> Result<(), CommitError> {
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            let left = u64::try_from(stat.st_size).ok().and_then(|size| self.left.checked_sub(size));
            self.left = left.ok_or_else(|| CommitError::TooLarge(shown(path)))?;
        }
        Ok(())
    }

    /// What became of one path that is there now.
    fn one(
        &mut self,
        lower: Option<BorrowedFd<'_>>,
        name: &OsStr,
        path: &Path,
        before: Option<Node>,
        after: &Node,
        depth: usize,
    ) -> Result<(), CommitError> {
        match before {
            Some(before) if before == *after => {}
            Some(before) if same_kind(&before, after) => {
                self.push(path, Op::Changed, Some(before), Some(after.clone()))?;
            }
            Some(before) => {
                self.delete(lower, name, path, before, depth)?;
                self.push(path, Op::Created, None, Some(after.clone()))?;
            }
            None => self.push(path, Op::Created, None, Some(after.clone()))?,
        }
        Ok(())
    }

    /// A path that is gone, and everything below it.
    fn delete(
        &mut self,
        lower: Option<BorrowedFd<'_>>,
        name: &OsStr,
        path: &Path,
        before: Node,
        depth: usize,
    ) -> Result<(), CommitError> {
        if depth > DEEPEST {
            return Err(CommitError::TooDeep(shown(path)));
        }
        if let (Some(lower), Node::Folder { .. }) = (lower, &before) {
            let folder = open_folder(lower, name).map_err(|error| CommitError::at(path, error))?;
            for name in names(folder.as_fd(), path)? {
                let path = path.join(&name);
                if let Some(before) = look(folder.as_fd(), &name, &path)? {
                    self.delete(Some(folder.as_fd()), &name, &path, before, depth + 1)?;
                }
            }
        }
        self.push(path, Op::Deleted, Some(before), None)
    }

    fn push(&mut self, path: &Path, op: Op, before: Option<Node>, after: Option<Node>) -> Result<(), CommitError> {
        self.paths += path.as_os_str().len();
        if path.as_os_str().len() > LONGEST || self.paths > ALL_PATHS {
            return Err(CommitError::TooDeep(shown(path)));
        }
        self.changes.push(Change { path: path.to_owned(), op, before, after, classes: BTreeSet::new() });
        Ok(())
    }
}

/// Files change into files and folders into folders; anything else is deleted and made.
fn same_kind(before: &Node, after: &Node) -> bool {
    matches!((before, after), (Node::File { .. }, Node::File { .. }) | (Node::Folder { .. }, Node::Folder { .. }))
}

/// overlayfs marks what is deleted by a character device of number 0.
fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// overlayfs marks a folder that hides the one below it.
fn is_opaque(folder: &OwnedFd) -> bool {
    let mut value = [0; 8];
    rustix::fs::fgetxattr(folder, "user.overlay.opaque", &mut value)
        .is_ok_and(|length| value.get(..length) == Some(b"y"))
}

/// The names in a folder, sorted.
fn names(folder: BorrowedFd<'_>, path: &Path) -> Result<Vec<OsString>, CommitError> {
    let at = |error| CommitError::at(path, error);
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(at)? {
        let name = entry.map_err(at)?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}

fn open_folder(parent: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// What stands at `name`, if anything does.
pub(super) fn look(parent: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<Option<Node>, CommitError> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => node(parent, name, &stat, path).map(Some),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(CommitError::at(path, error)),
    }
}

fn node(parent: BorrowedFd<'_>, name: &OsStr, stat: &Stat, path: &Path) -> Result<Node, CommitError> {
    let at = |error| CommitError::at(path, error);
    let mode = stat.st_mode & 0o7777;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(Node::Folder { mode }),
        FileType::RegularFile => {
            let file = open_file(parent, name).map_err(at)?;
            let (size, digest) = digest(file).map_err(|error| CommitError::Io(shown(path), error.to_string()))?;
            Ok(Node::File { mode, size, digest })
        }
        FileType::Symlink => {
            let target = readlinkat(parent, name, Vec::new()).map_err(at)?;
            Ok(Node::Link { target: PathBuf::from(OsStr::from_bytes(target.as_bytes())) })
        }
        _ => Ok(Node::Special { kind: stat.st_mode & libc::S_IFMT }),
    }
}

/// A file, to read. One that a tool made unreadable for its own user is an error for an ordinary user: it is not
/// committed.
pub(super) fn open_file(parent: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    // Not blocking: it could have become a pipe, were there anybody left to do that.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn digest(file: OwnedFd) -> std::io::Result<(u64, Digest)> {
    let mut file = File::from(file);
    let mut context = callgate_text::Digesting::new();
    let mut size = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((size, context.finish())),
            Ok(count) => {
                context.update(buffer.get(..count).unwrap_or_default());
                size += u64::try_from(count).unwrap_or(0);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
