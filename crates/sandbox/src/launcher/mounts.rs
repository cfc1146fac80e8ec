//! The sources of the view inside, opened before anything that could be hostile runs.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::owners::Mapper;
use crate::ending::{Fault, Step};
use crate::plan::{Ground, Layer, Mount, is_system};
use crate::profile::Access;
use crate::sys::{self, attribute};

/// What stands at one place inside.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) access: Access,
    pub(super) what: What,
}

/// The thing itself.
pub(super) enum What {
    /// A folder of the host, as a mount that is not attached anywhere yet.
    Folder(OwnedFd),
    /// A file of the host, likewise.
    File(OwnedFd),
    /// A symbolic link, which is made anew: where it leads is looked up inside.
    Link(PathBuf),
    /// Nothing of the host: an empty folder, or an empty file where the host has a file.
    Empty {
        /// Whether it is a folder.
        folder: bool,
    },
}

/// Device nodes that exist inside.
pub(super) const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// The device of whoever has a terminal: opening it leads to that of one's own session.
pub(super) const TERMINAL: [&str; 1] = ["tty"];

/// What stands at some places, and some devices.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) places: Vec<Source>,
    pub(super) devices: Vec<(PathBuf, OwnedFd)>,
}

impl Sources {
    /// Opens what the host has at `mounts`, and the devices of these names. No symbolic link is followed anywhere on the
    /// way: a workspace whose parent was swapped for a link is refused, not followed.
    pub(super) fn open(ground: &Ground, mounts: &[Mount], devices: &[&str]) -> Result<Self, Fault> {
        let mut sources = Self::default();
        for mount in mounts {
            if let Some(what) = open(mount)? {
                if let What::Folder(tree) | What::File(tree) = &what {
                    sys::restrict_mount(tree.as_fd(), attributes(ground, mount))
                        .step(format!("restrict {}", shown(&mount.path)))?;
                }
                sources.places.push(Source { path: mount.path.clone(), access: mount.access, what });
            }
        }
        for name in devices {
            sources.devices.push((PathBuf::from(name), device(name)?));
        }
        Ok(sources)
    }

    /// Shows what is not the system's as the run's own.
    pub(super) fn map(&self, mapper: &mut Mapper) -> Result<(), Fault> {
        for Source { path, what, .. } in &self.places {
            if let What::Folder(tree) | What::File(tree) = what
                && !is_system(path)
            {
                mapper.map(tree)?;
            }
        }
        Ok(())
    }
}

fn device(name: &str) -> Result<OwnedFd, Fault> {
    let path = Path::new("/dev").join(name);
    let node = look(&path).step(shown(&path))?;
    let kind = rustix::fs::fstat(&node).step(shown(&path))?;
    if FileType::from_raw_mode(kind.st_mode) != FileType::CharacterDevice {
        return Err(Fault::new(shown(&path), "not a device"));
    }
    let tree = detach(node.as_fd(), false).step(shown(&path))?;
    // Read-only is the node, with its owner, mode and times; what is written to the device goes through.
    let attributes = attribute::NO_SET_ID | attribute::NO_PROGRAMS | attribute::READ_ONLY;
    sys::restrict_mount(tree.as_fd(), attributes).step(shown(&path))?;
    Ok(tree)
}

fn attributes(ground: &Ground, mount: &Mount) -> u64 {
    let always = attribute::NO_SET_ID | attribute::NO_DEVICES;
    // What is below a copy-on-write folder is only ever read; overlayfs takes it so by itself.
    if mount.access == Access::Ro && ground.has(Layer::ReadOnly) { always | attribute::READ_ONLY } else { always }
}

fn open(mount: &Mount) -> Result<Option<What>, Fault> {
    let path = &mount.path;
    if mount.access == Access::Tmpfs {
        return Ok(Some(What::Empty { folder: true }));
    }
    let node = match look(path) {
        Ok(node) => node,
        // Nothing there: nothing to show, and nothing to hide.
        Err(Errno::NOENT | Errno::NOTDIR) if !mount.required => return Ok(None),
        Err(error) => return Err(Fault::new(shown(path), error)),
    };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&node).step(shown(path))?.st_mode);
    if mount.access == Access::Hidden {
        return Ok(Some(What::Empty { folder: kind == FileType::Directory }));
    }
    match kind {
        FileType::Symlink if mount.required => {
            Err(Fault::new(shown(path), "a symbolic link cannot be written through, nor be kept from being replaced"))
        }
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&node, "", Vec::new()).step(shown(path))?;
            Ok(Some(What::Link(OsString::from_vec(target.into_bytes()).into())))
        }
        FileType::Directory | FileType::RegularFile => {
            let folder = kind == FileType::Directory;
            if !folder && mount.access == Access::Cow {
                return Err(Fault::new(shown(path), "only a folder can be copy-on-write"));
            }
            let tree = detach(node.as_fd(), folder).step(format!("clone the mount of {}", shown(path)))?;
            Ok(Some(if folder { What::Folder(tree) } else { What::File(tree) }))
        }
        _ => Err(Fault::new(shown(path), "neither a file nor a folder")),
    }
}

/// The program that this process runs, open to be executed and for nothing else. Found by the process itself: what
/// stands at its path may have been replaced meanwhile.
pub(super) fn own_program() -> Result<OwnedFd, Fault> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::open("/proc/self/exe", flags, Mode::empty()).step("open the launcher's own program")
}

fn look(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS)
}

/// A copy of the mount, from this node on, that is attached nowhere.
pub(super) fn detach(node: BorrowedFd<'_>, below: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if below {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(node, "", flags)
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}
