//! The steps of a commit. Each is one call that either happened or did not, and it can be seen afterwards which: by
//! where the inodes lie. So a commit can be taken back by whoever comes later, too, whatever ended it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, openat, openat2, renameat_with, statat};
use rustix::io::Errno;

use crate::wire::{Malformed, Wire, fields};

/// One step, at a path below the workspace. `staged` names what lies in the staging folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What stands there goes to the staging folder.
    TakeAway {
        path: PathBuf,
        staged: u32,
        /// What stands there.
        known: Known,
    },
    /// What is staged goes there, where nothing is.
    Put {
        path: PathBuf,
        staged: u32,
        /// What is staged.
        known: Known,
    },
    /// What stands there and what is staged change places.
    Exchange {
        path: PathBuf,
        staged: u32,
        /// What is staged before, and stands there after.
        known: Known,
    },
    /// The folder there gets another mode.
    Mode { path: PathBuf, before: u32, after: u32 },
}

impl Step {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::TakeAway { path, .. }
            | Self::Put { path, .. }
            | Self::Exchange { path, .. }
            | Self::Mode { path, .. } => path,
        }
    }

    pub(super) fn apply(&self, root: &OwnedFd, staging: &OwnedFd) -> rustix::io::Result<()> {
        let (parent, name) = (parent_of(root, self.path())?, name_of(self.path()));
        match self {
            Self::TakeAway { staged, .. } => {
                renameat_with(&parent, name, staging, staged_name(*staged), RenameFlags::NOREPLACE)
            }
            Self::Put { staged, .. } => {
                renameat_with(staging, staged_name(*staged), &parent, name, RenameFlags::NOREPLACE)
            }
            Self::Exchange { staged, .. } => {
                renameat_with(staging, staged_name(*staged), &parent, name, RenameFlags::EXCHANGE)
            }
            Self::Mode { after, .. } => set_mode(&parent, name, *after),
        }
    }

    /// Takes the step back if it happened and nobody has changed anything there since; otherwise there is nothing to
    /// do.
    fn take_back(&self, root: &OwnedFd, staging: &OwnedFd) -> rustix::io::Result<()> {
        let parent = match parent_of(root, self.path()) {
            Ok(parent) => parent,
            // What was put into a folder is gone with it. What was taken away must come back.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !matches!(self, Self::TakeAway { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let name = name_of(self.path());
        match self {
            Self::TakeAway { staged, known, .. } => {
                let staged = staged_name(*staged);
                if !known.stands(staging, OsStr::new(&staged))? {
                    return Ok(());
                }
                renameat_with(staging, staged, &parent, name, RenameFlags::NOREPLACE)
            }
            Self::Put { staged, known, .. } => {
                let staged = staged_name(*staged);
                if !known.stands(&parent, name)? {
                    return Ok(());
                }
                renameat_with(&parent, name, staging, staged, RenameFlags::NOREPLACE)
            }
            Self::Exchange { staged, known, .. } => {
                let staged = staged_name(*staged);
                if !known.stands(&parent, name)? || Known::at(staging, OsStr::new(&staged))?.is_none() {
                    return Ok(());
                }
                renameat_with(staging, staged, &parent, name, RenameFlags::EXCHANGE)
            }
            Self::Mode { before, after, .. } => {
                let now = match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => return Ok(()),
                    now => now?,
                };
                let folder = FileType::from_raw_mode(now.st_mode) == FileType::Directory;
                if folder && now.st_mode & 0o7777 == *after { set_mode(&parent, name, *before) } else { Ok(()) }
            }
        }
    }
}

/// Takes all of them back, the last first, as far as that goes; an error names the first that cannot be.
pub(super) fn take_back(steps: &[Step], root: &OwnedFd, staging: &OwnedFd) -> Result<(), (PathBuf, Errno)> {
    let mut failed = Ok(());
    for step in steps.iter().rev() {
        if let Err(error) = step.take_back(root, staging)
            && failed.is_ok()
        {
            failed = Err((step.path().to_owned(), error));
        }
    }
    failed
}

impl Wire for Step {
    fn put(&self, out: &mut Vec<u8>) {
        let (kind, path, number) = match self {
            Self::TakeAway { path, staged, .. } => (0_u8, path, *staged),
            Self::Put { path, staged, .. } => (1, path, *staged),
            Self::Exchange { path, staged, .. } => (2, path, *staged),
            Self::Mode { path, before, .. } => (3, path, *before),
        };
        kind.put(out);
        path.put(out);
        number.put(out);
        match self {
            Self::TakeAway { known, .. } | Self::Put { known, .. } | Self::Exchange { known, .. } => known.put(out),
            Self::Mode { after, .. } => after.put(out),
        }
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        let (kind, path, number) = (u8::take(from)?, PathBuf::take(from)?, u32::take(from)?);
        match kind {
            0 => Ok(Self::TakeAway { path, staged: number, known: Known::take(from)? }),
            1 => Ok(Self::Put { path, staged: number, known: Known::take(from)? }),
            2 => Ok(Self::Exchange { path, staged: number, known: Known::take(from)? }),
            3 => Ok(Self::Mode { path, before: number, after: u32::take(from)? }),
            _ => Err(Malformed),
        }
    }
}

/// What a thing is known by, beside its name. An inode's number alone may be another's by tomorrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    inode: u64,
    is_folder: bool,
    /// Of what is no folder: its size, and when it was last written.
    size: u64,
    written: (u64, u64),
}

fields!(Known { inode, is_folder, size, written });

impl Known {
    /// What stands at `name`, if anything does.
    pub(super) fn at(folder: impl AsFd, name: &OsStr) -> rustix::io::Result<Option<Self>> {
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            stat => stat?,
        };
        let known = Self { inode: stat.st_ino, ..Self::default() };
        // What comes into a folder and goes changes the rest.
        Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Self { is_folder: true, ..known },
            _ => Self {
                size: stat.st_size.unsigned_abs(),
                written: (stat.st_mtime.unsigned_abs(), stat.st_mtime_nsec),
                ..known
            },
        }))
    }

    pub(super) fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// Whether it stands at `name`, and nobody has written to it since.
    fn stands(&self, folder: impl AsFd, name: &OsStr) -> rustix::io::Result<bool> {
        Ok(Self::at(folder, name)? == Some(*self))
    }
}

/// What the thing of a change is called in the staging folder.
pub(super) fn staged_name(staged: u32) -> String {
    staged.to_string()
}

/// The last name of a path; the workspace's own, in itself, is `.`.
pub(super) fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or(OsStr::new("."))
}

/// The folder that `path` lies in, below `root`, without following any link.
pub(super) fn parent_of(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    folder_at(root, path.parent().unwrap_or(Path::new("")))
}

/// The folder at `path` below `root`, without following any link.
pub(super) fn folder_at(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), resolve)
}

/// The mode of a folder, which is opened so that no link is followed.
pub(super) fn set_mode(parent: &OwnedFd, name: &OsStr, mode: u32) -> rustix::io::Result<()> {
    // As a path alone: it may be closed to reading. What is open is a folder, so its name here is no link to elsewhere.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(parent, name, flags, Mode::empty())?;
    rustix::fs::chmod(format!("/proc/self/fd/{}", folder.as_raw_fd()), Mode::from_raw_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_they_were_written() {
        let path = || PathBuf::from("a/b");
        let steps = vec![
            Step::TakeAway { path: path(), staged: 1, known: Known { inode: u64::MAX, ..Known::default() } },
            Step::Put { path: path(), staged: u32::MAX, known: Known { is_folder: true, ..Known::default() } },
            Step::Exchange { path: path(), staged: 3, known: Known { written: (1, 2), size: 3, ..Known::default() } },
            Step::Mode { path: path(), before: 0o500, after: 0o7777 },
        ];
        let bytes = steps.to_bytes();
        assert_eq!(Vec::<Step>::from_bytes(&bytes), Ok(steps));
        for end in 0..bytes.len() {
            assert!(Vec::<Step>::from_bytes(bytes.get(..end).unwrap_or_default()).is_err(), "{end}");
        }
    }
}
