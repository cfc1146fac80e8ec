//! `/proc` of the sandbox's own processes: read-only, without other users' processes, and with the host's parts masked.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, mkdirat, statat};
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
    "cmdline",
    "diskstats",
    "interrupts",
    "kallsyms",
    "key-users",
    "keys",
    "latency_stats",
    "locks",
    "partitions",
    "pressure",
    "scsi",
    "softirqs",
];

/// Makes it, in `root`; what covers a mask lies in `scratch`.
pub(super) fn own(root: &OwnedFd, scratch: &OwnedFd, ground: &Ground) -> Result<(), Fault> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).step("own /proc")?;
    if ground.has(Layer::HiddenInit) {
        fsconfig_set_string(&context, "hidepid", "invisible").step("own /proc")?;
    }
    fsconfig_create(&context).step("own /proc")?;
    let mut attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    if ground.has(Layer::ReadOnly) {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    let proc = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).step("own /proc")?;
    mkdirat(root, "proc", Mode::from_raw_mode(0o555)).step("own /proc")?;
    attach_in(&proc, root, "proc").step("own /proc")?;
    if ground.has(Layer::ProcMasks) { mask(&proc, scratch).step("mask /proc") } else { Ok(()) }
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
