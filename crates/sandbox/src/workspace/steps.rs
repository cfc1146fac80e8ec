//! The steps of a commit. Each is one call that either happened or did not, and it can be seen afterwards which: by
//! where the inodes lie. So a commit can be taken back by whoever comes later, too, whatever ended it.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, openat, openat2, renameat_with, statat};
use rustix::io::Errno;

use crate::wire::{Malformed, Wire};

/// One step, at a path below the workspace. `staged` names what lies in the staging folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What stands there goes to the staging folder.
    TakeAway {
        path: PathBuf,
        staged: u32,
        /// Of what stands there.
        inode: u64,
    },
    /// What is staged goes there, where nothing is.
    Put {
        path: PathBuf,
        staged: u32,
        /// Of what is staged.
        inode: u64,
    },
    /// What stands there and what is staged change places.
    Exchange {
        path: PathBuf,
        staged: u32,
        /// Of what is staged before, and stands there after.
        inode: u64,
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
    pub(super) fn take_back(&self, root: &OwnedFd, staging: &OwnedFd) -> rustix::io::Result<()> {
        let parent = match parent_of(root, self.path()) {
            Ok(parent) => parent,
            // What was put into a folder is gone with it. What was taken away must come back.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !matches!(self, Self::TakeAway { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let name = name_of(self.path());
        match self {
            Self::TakeAway { staged, inode, .. } => {
                let staged = staged_name(*staged);
                if inode_at(staging, OsStr::new(&staged))? != Some(*inode) {
                    return Ok(());
                }
                renameat_with(staging, staged, &parent, name, RenameFlags::NOREPLACE)
            }
            Self::Put { staged, inode, .. } => {
                let staged = staged_name(*staged);
                if inode_at(&parent, name)? != Some(*inode) {
                    return Ok(());
                }
                renameat_with(&parent, name, staging, staged, RenameFlags::NOREPLACE)
            }
            Self::Exchange { staged, inode, .. } => {
                let staged = staged_name(*staged);
                let there = inode_at(&parent, name)? == Some(*inode);
                if !there || inode_at(staging, OsStr::new(&staged))?.is_none() {
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

impl Wire for Step {
    fn put(&self, out: &mut Vec<u8>) {
        let (kind, path, first, second) = match self {
            Self::TakeAway { path, staged, inode } => (0_u8, path, *staged, *inode),
            Self::Put { path, staged, inode } => (1, path, *staged, *inode),
            Self::Exchange { path, staged, inode } => (2, path, *staged, *inode),
            Self::Mode { path, before, after } => (3, path, *before, u64::from(*after)),
        };
        kind.put(out);
        path.put(out);
        first.put(out);
        second.put(out);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        let (kind, path) = (u8::take(from)?, PathBuf::take(from)?);
        let (first, second) = (u32::take(from)?, u64::take(from)?);
        match kind {
            0 => Ok(Self::TakeAway { path, staged: first, inode: second }),
            1 => Ok(Self::Put { path, staged: first, inode: second }),
            2 => Ok(Self::Exchange { path, staged: first, inode: second }),
            3 => Ok(Self::Mode { path, before: first, after: u32::try_from(second).map_err(|_| Malformed)? }),
            _ => Err(Malformed),
        }
    }
}

/// What the thing of a change is called in the staging folder.
pub(super) fn staged_name(staged: u32) -> String {
    staged.to_string()
}

pub(super) fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// The folder that `path` lies in, below `root`, without following any link.
pub(super) fn parent_of(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent: OsString = parent.map_or_else(|| ".".into(), |parent| parent.as_os_str().to_owned());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, parent, flags, Mode::empty(), resolve)
}

/// The inode of what stands at `name`, if anything does.
pub(super) fn inode_at(folder: impl AsFd, name: &OsStr) -> rustix::io::Result<Option<u64>> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat.st_ino)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
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
            Step::TakeAway { path: path(), staged: 1, inode: u64::MAX },
            Step::Put { path: path(), staged: u32::MAX, inode: 2 },
            Step::Exchange { path: path(), staged: 3, inode: 0 },
            Step::Mode { path: path(), before: 0o500, after: 0o7777 },
        ];
        let bytes = steps.to_bytes();
        assert_eq!(Vec::<Step>::from_bytes(&bytes), Ok(steps));
        for end in 0..bytes.len() {
            assert!(Vec::<Step>::from_bytes(bytes.get(..end).unwrap_or_default()).is_err(), "{end}");
        }
    }
}
