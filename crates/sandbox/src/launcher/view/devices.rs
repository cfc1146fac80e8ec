//! `/dev`: five devices, shared memory, the usual links, and terminals if they are asked for.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, mkdirat, symlinkat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};

use super::{attach_in, below, make_file};
use crate::ending::{Fault, Step};
use crate::launcher::mounts::detach;
use crate::sys::{self, attribute};

/// Makes it, in `root`; shared memory lies in `scratch`.
pub(super) fn make(root: &OwnedFd, scratch: &OwnedFd, devices: &[(PathBuf, OwnedFd)]) -> Result<(), Fault> {
    mkdirat(root, "dev", Mode::from_raw_mode(0o755)).step("/dev")?;
    let dev = below(root.as_fd(), Path::new("dev")).step("/dev")?;
    add(&dev, devices)?;
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlinkat(target, &dev, name).step("/dev")?;
    }
    mkdirat(&dev, "shm", Mode::from_raw_mode(0o755)).step("/dev/shm")?;
    mkdirat(scratch, "shm", Mode::from_raw_mode(0o700)).step("/dev/shm")?;
    let shm = below(scratch.as_fd(), Path::new("shm")).step("/dev/shm")?;
    let tree = detach(shm.as_fd(), false).step("/dev/shm")?;
    sys::restrict_mount(tree.as_fd(), attribute::NO_PROGRAMS).step("/dev/shm")?;
    attach_in(&tree, &dev, "shm").step("/dev/shm")
}

fn add(dev: &OwnedFd, devices: &[(PathBuf, OwnedFd)]) -> Result<(), Fault> {
    devices.iter().try_for_each(|(name, tree)| {
        make_file(dev, name).step("/dev")?;
        attach_in(tree, dev, name).step("/dev")
    })
}

/// Makes `/dev/pts`, in which only terminals of the sandbox's own are, and adds these devices.
pub(super) fn terminals(root: &OwnedFd, devices: &[(PathBuf, OwnedFd)]) -> Result<(), Fault> {
    let dev = below(root.as_fd(), Path::new("dev")).step("/dev")?;
    add(&dev, devices)?;
    mkdirat(&dev, "pts", Mode::from_raw_mode(0o755)).step("/dev/pts")?;
    // Each mount of this kind is an instance by itself.
    let context = fsopen("devpts", FsOpenFlags::FSOPEN_CLOEXEC).step("/dev/pts")?;
    for (key, value) in [("mode", "0620"), ("ptmxmode", "0666"), ("max", "64")] {
        fsconfig_set_string(&context, key, value).step("/dev/pts")?;
    }
    fsconfig_create(&context).step("/dev/pts")?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let tree = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).step("/dev/pts")?;
    attach_in(&tree, &dev, "pts").step("/dev/pts")?;
    symlinkat("pts/ptmx", &dev, "ptmx").step("/dev/ptmx")
}
