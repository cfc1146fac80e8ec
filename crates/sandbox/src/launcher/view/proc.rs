//! `/proc` of the sandbox's own processes: read-only, without other users' processes, and with the host's parts masked.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, statat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};

use super::{attach_in, below, make_file};
use crate::ending::{Fault, Step};
use crate::launcher::mounts::detach;
use crate::plan::{Ground, Layer};
use crate::sys::{self, attribute};

/// What of `/proc` is masked: what everybody may read and tells of the host. What only root can read or write needs no
/// mask: all of it is read-only here, and nobody inside is root outside.
const MASKED: &[&str] = &[
    "acpi",
    "asound",
    "buddyinfo",
    "bus",
    "cmdline",
    "config.gz",
    "diskstats",
    "interrupts",
    "iomem",
    "ioports",
    "irq",
    "kallsyms",
    "key-users",
    "keys",
    "latency_stats",
    "locks",
    "modules",
    "partitions",
    "pressure",
    "schedstat",
    "scsi",
    "softirqs",
    "swaps",
    "sys/kernel/random/boot_id",
    "zoneinfo",
];

/// What all runs of one user outside share, and how much of it one run may have: more of them in one run would leave the
/// user none. These are settings of the run's own user namespace.
const SHARES: &[(&str, &str)] = &[("sys/user/max_inotify_instances", "16"), ("sys/user/max_inotify_watches", "16384")];

/// Makes it, in `root`; what covers a mask lies in `scratch`.
pub(super) fn own(root: &OwnedFd, scratch: &OwnedFd, ground: &Ground) -> Result<(), Fault> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).step("own /proc")?;
    if ground.has(Layer::HiddenInit) {
        fsconfig_set_string(&context, "hidepid", "invisible").step("own /proc")?;
    }
    fsconfig_create(&context).step("own /proc")?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let proc = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).step("own /proc")?;
    if ground.has(Layer::Limits) {
        for (name, most) in SHARES {
            share(&proc, name, most).step(*name)?;
        }
    }
    if ground.has(Layer::ReadOnly) {
        sys::restrict_mount_alone(proc.as_fd(), attribute::READ_ONLY).step("own /proc")?;
    }
    mkdirat(root, "proc", Mode::from_raw_mode(0o555)).step("own /proc")?;
    attach_in(&proc, root, "proc").step("own /proc")?;
    if ground.has(Layer::ProcMasks) { mask(&proc, scratch).step("mask /proc") } else { Ok(()) }
}

/// Writes one setting, unless this kernel does not know it.
fn share(proc: &OwnedFd, name: &str, most: &str) -> rustix::io::Result<()> {
    match openat(proc, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(setting) => rustix::io::write(&setting, most.as_bytes()).map(drop),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Covers each with something empty that cannot be written to.
fn mask(proc: &OwnedFd, scratch: &OwnedFd) -> std::io::Result<()> {
    make_file(scratch, "masked-file")?;
    mkdirat(scratch, "masked-folder", Mode::from_raw_mode(0o555))?;
    let file = below(scratch.as_fd(), Path::new("masked-file"))?;
    let folder = below(scratch.as_fd(), Path::new("masked-folder"))?;
    for name in MASKED {
        let kind = match statat(proc, *name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => FileType::from_raw_mode(there.st_mode),
            // Not in this kernel, or not for us.
            Err(Errno::NOENT | Errno::ACCESS) => continue,
            Err(error) => return Err(error.into()),
        };
        let cover = if kind == FileType::Directory { &folder } else { &file };
        let tree = detach(cover.as_fd(), false)?;
        sys::restrict_mount(tree.as_fd(), attribute::READ_ONLY | attribute::NO_PROGRAMS)?;
        attach_in(&tree, proc, *name)?;
    }
    Ok(())
}
