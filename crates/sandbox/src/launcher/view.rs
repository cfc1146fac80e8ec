//! The file system inside, built from nothing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, unmount,
};

use super::mounts::{Source, Sources, What, detach, shown};
use super::start::INSIDE_ID;
use crate::built_in::HOME;
use crate::ending::{Fault, Step};
use crate::plan::{Layer, Plan};
use crate::profile::Access;
use crate::sys::{self, attribute};

/// Where the new root stands until it is the root. Every system has this folder; what was there is open already.
pub(super) const BASE: &str = "/usr";

/// The one file system that everything written inside lies on, so that one size bounds it all. Gone from the view
/// before the program starts.
const SCRATCH: &str = ".scratch";

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

/// Builds the view, makes it the root, and returns the open folders that hold what will be written, one for each
/// copy-on-write place.
pub(super) fn build(plan: &Plan, sources: Sources) -> Result<Vec<OwnedFd>, Fault> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).step("make mounts private")?;
    let root = tmpfs("64k", 512).step("root file system")?;
    attach(&root, BASE).step("root file system")?;
    let root = open_folder(BASE).step("root file system")?;

    let scratch = tmpfs(&plan.limits.disk.to_string(), plan.limits.files).step("scratch file system")?;
    mkdirat(&root, SCRATCH, Mode::from_raw_mode(0o700)).step("scratch file system")?;
    attach_at(&scratch, &root, Path::new(SCRATCH))?;
    let scratch = below(root.as_fd(), Path::new(SCRATCH)).step("scratch file system")?;

    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let canary = openat(&root, CANARY.trim_start_matches('/'), flags, Mode::from_raw_mode(0o644));
    let mut canary = std::fs::File::from(canary.step("root file system")?);
    std::io::Write::write_all(&mut canary, b"unreadable\n").step("root file system")?;
    drop(canary);
    // Only a process namespace of one's own has a `/proc` of one's own.
    if plan.has(Layer::Processes) {
        own_proc(&root, plan)?;
    }
    devices(&root, &scratch, &sources)?;
    etc(&root)?;
    let mut written = Vec::new();
    for (index, source) in sources.places.iter().enumerate() {
        if let Some(folder) = place(&root, &scratch, index, source)? {
            written.push(folder);
        }
    }
    // A home that no place has made.
    let _ = make_folders(root.as_fd(), Path::new(HOME));

    unmount(format!("{BASE}/{SCRATCH}"), UnmountFlags::DETACH).step("detach scratch")?;
    rustix::fs::unlinkat(&root, SCRATCH, rustix::fs::AtFlags::REMOVEDIR).step("detach scratch")?;
    drop(scratch);

    rustix::process::fchdir(&root).step("enter the root")?;
    rustix::process::pivot_root(".", ".").step("pivot_root")?;
    // The old root lies over the new one now, and goes with all that is below it.
    unmount(".", UnmountFlags::DETACH).step("detach the old root")?;
    rustix::process::chdir("/").step("enter the root")?;
    let root = open_folder("/").step("root file system")?;
    if plan.has(Layer::ReadOnly) {
        read_only_alone(&root).step("make the root read-only")?;
    }
    Ok(written)
}

/// A new, empty file system in memory, attached nowhere.
pub(super) fn tmpfs(size: &str, files: u64) -> rustix::io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "size", size)?;
    fsconfig_set_string(&context, "nr_inodes", files.max(16).to_string())?;
    fsconfig_set_string(&context, "mode", "0755")?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

pub(super) fn attach(mount: &OwnedFd, to: &str) -> rustix::io::Result<()> {
    move_mount(mount, "", rustix::fs::CWD, to, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Attaches `mount` at `path` below `root`, which must exist and not lead over a symbolic link: the workspace may have
/// planted one.
fn attach_at(mount: &OwnedFd, root: &OwnedFd, path: &Path) -> Result<(), Fault> {
    let target = below(root.as_fd(), path).step(format!("place {}", shown(path)))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", &target, "", flags).step(format!("mount {}", shown(path)))
}

fn open_folder(path: &str) -> rustix::io::Result<OwnedFd> {
    openat(rustix::fs::CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens `path` below `root`, without following symbolic links and without leaving.
fn below(root: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<OwnedFd> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let node = openat2(root, relative, flags, Mode::empty(), resolve)?;
    // With NOFOLLOW and PATH the last part may be a link, which is opened as such.
    let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&node)?.st_mode);
    if kind == rustix::fs::FileType::Symlink { Err(Errno::LOOP) } else { Ok(node) }
}

/// Makes the folders of `path` below `root` that do not exist.
fn make_folders(root: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<()> {
    let mut so_far = std::path::PathBuf::new();
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        let parent = if so_far.as_os_str().is_empty() { None } else { Some(below(root, &so_far)?) };
        match mkdirat(parent.as_ref().map_or(root, AsFd::as_fd), name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            // Read-only and not there: the caller finds out.
            Err(Errno::ROFS) => return Ok(()),
            Err(error) => return Err(error),
        }
        so_far.push(name);
    }
    Ok(())
}

/// Makes an empty file at `path` below `root`, with its folders, unless something is there.
fn make_file(root: &OwnedFd, path: &Path) -> rustix::io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::INVAL) };
    make_folders(root.as_fd(), parent)?;
    let relative = parent.strip_prefix("/").unwrap_or(parent);
    let parent = if relative.as_os_str().is_empty() { None } else { Some(below(root.as_fd(), relative)?) };
    let parent = parent.as_ref().map_or(root.as_fd(), AsFd::as_fd);
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    match openat(parent, name, flags, Mode::from_raw_mode(0o644)) {
        Ok(_) | Err(Errno::EXIST | Errno::ROFS) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts one source where it belongs; for copy-on-write, returns the open folder of what will be written.
fn place(root: &OwnedFd, scratch: &OwnedFd, index: usize, source: &Source) -> Result<Option<OwnedFd>, Fault> {
    let path = &source.path;
    let here = || format!("place {}", shown(path));
    match &source.what {
        What::Link(target) => {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
            make_folders(root.as_fd(), parent).step(here())?;
            let relative = parent.strip_prefix("/").unwrap_or(parent);
            let parent =
                if relative.as_os_str().is_empty() { None } else { Some(below(root.as_fd(), relative).step(here())?) };
            match symlinkat(target, parent.as_ref().map_or(root.as_fd(), AsFd::as_fd), name) {
                Ok(()) | Err(Errno::EXIST) => Ok(None),
                Err(error) => Err(Fault::new(here(), error)),
            }
        }
        What::File(tree) => {
            make_file(root, path).step(here())?;
            attach_at(tree, root, path).map(|()| None)
        }
        What::Folder(tree) => {
            make_folders(root.as_fd(), path).step(here())?;
            if source.access == Access::Cow {
                return copy_on_write(root, scratch, index, path, tree).map(Some);
            }
            attach_at(tree, root, path).map(|()| None)
        }
        What::Empty { folder } => {
            let name = format!("empty-{index}");
            let mode = Mode::from_raw_mode(if source.access == Access::Tmpfs { 0o700 } else { 0o555 });
            let node = if *folder {
                mkdirat(scratch, &name, mode).step(here())?;
                make_folders(root.as_fd(), path).step(here())?;
                below(scratch.as_fd(), Path::new(&name)).step(here())?
            } else {
                make_file(scratch, Path::new(&name)).step(here())?;
                below(scratch.as_fd(), Path::new(&name)).step(here())?
            };
            let tree = detach(node.as_fd(), false).step(here())?;
            if source.access == Access::Hidden {
                sys::restrict_mount(tree.as_fd(), attribute::READ_ONLY | attribute::NO_PROGRAMS).step(here())?;
            }
            attach_at(&tree, root, path).map(|()| None)
        }
    }
}

/// Lays a folder to write in over the host's.
fn copy_on_write(
    root: &OwnedFd,
    scratch: &OwnedFd,
    index: usize,
    path: &Path,
    lower: &OwnedFd,
) -> Result<OwnedFd, Fault> {
    let here = || format!("copy-on-write {}", shown(path));
    let [below_name, upper_name, work_name] = ["lower", "upper", "work"].map(|name| format!("{name}-{index}"));
    for name in [&below_name, &upper_name, &work_name] {
        mkdirat(scratch, name.as_str(), Mode::from_raw_mode(0o755)).step(here())?;
    }
    let like = rustix::fs::fstat(lower).step(here())?;
    rustix::fs::chmodat(scratch, &upper_name, Mode::from_raw_mode(like.st_mode & 0o777), rustix::fs::AtFlags::empty())
        .step(here())?;
    attach_at(lower, scratch, Path::new(&below_name))?;
    let full = |name: &str| format!("{BASE}/{SCRATCH}/{name}");
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).step(here())?;
    for (key, value) in
        [("lowerdir", full(&below_name)), ("upperdir", full(&upper_name)), ("workdir", full(&work_name))]
    {
        fsconfig_set_string(&context, key, value).step(here())?;
    }
    // Marks in `user.` attributes: those in `trusted.` need privileges outside.
    rustix::mount::fsconfig_set_flag(&context, "userxattr").step(here())?;
    fsconfig_create(&context).step(here())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let overlay = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).step(here())?;
    attach_at(&overlay, root, path)?;
    unmount(full(&below_name), UnmountFlags::DETACH).step(here())?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(scratch, &upper_name, flags, Mode::empty()).step(here())
}

/// `/proc` of the sandbox's own processes: read-only, without other users' processes, and with the host's parts
/// masked.
fn own_proc(root: &OwnedFd, plan: &Plan) -> Result<(), Fault> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).step("own /proc")?;
    if plan.has(Layer::HiddenInit) {
        fsconfig_set_string(&context, "hidepid", "invisible").step("own /proc")?;
    }
    fsconfig_create(&context).step("own /proc")?;
    let mut attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    if plan.has(Layer::ReadOnly) {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    let proc = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).step("own /proc")?;
    mkdirat(root, "proc", Mode::from_raw_mode(0o555)).step("own /proc")?;
    attach_at(&proc, root, Path::new("proc"))?;
    if !plan.has(Layer::ProcMasks) {
        return Ok(());
    }
    // Two mounts that show nothing, read-only; every mask is a copy of one of them.
    let masks = tmpfs("4k", 16).step("mask /proc")?;
    mkdirat(root, ".mask", Mode::from_raw_mode(0o555)).step("mask /proc")?;
    attach_at(&masks, root, Path::new(".mask"))?;
    let masks = below(root.as_fd(), Path::new(".mask")).step("mask /proc")?;
    make_file(&masks, Path::new("file")).step("mask /proc")?;
    mkdirat(&masks, "folder", Mode::from_raw_mode(0o555)).step("mask /proc")?;
    sys::restrict_mount(masks.as_fd(), attribute::READ_ONLY | attribute::NO_PROGRAMS).step("mask /proc")?;
    let node = |name: &str| below(masks.as_fd(), Path::new(name)).step("mask /proc");
    let (file, folder) = (node("file")?, node("folder")?);
    let proc = below(root.as_fd(), Path::new("proc")).step("mask /proc")?;
    for name in MASKED {
        let node =
            match rustix::fs::openat(&proc, *name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
                Ok(node) => node,
                // Not in this kernel, or not for us.
                Err(Errno::NOENT | Errno::ACCESS) => continue,
                Err(error) => return Err(Fault::new("mask /proc", error)),
            };
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&node).step("mask /proc")?.st_mode);
        let mask = if kind == rustix::fs::FileType::Directory { &folder } else { &file };
        let tree = detach(mask.as_fd(), false).step("mask /proc")?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&tree, "", &node, "", flags).step(format!("mask /proc/{name}"))?;
    }
    unmount(format!("{BASE}/.mask"), UnmountFlags::DETACH).step("mask /proc")?;
    rustix::fs::unlinkat(root, ".mask", rustix::fs::AtFlags::REMOVEDIR).step("mask /proc")
}

/// `/dev`: five devices, shared memory, and the usual links.
fn devices(root: &OwnedFd, scratch: &OwnedFd, sources: &Sources) -> Result<(), Fault> {
    mkdirat(root, "dev", Mode::from_raw_mode(0o755)).step("/dev")?;
    for (name, tree) in &sources.devices {
        let path = Path::new("dev").join(name);
        make_file(root, &path).step("/dev")?;
        attach_at(tree, root, &path)?;
    }
    let dev = below(root.as_fd(), Path::new("dev")).step("/dev")?;
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
    attach_at(&tree, root, Path::new("dev/shm"))
}

/// `/etc`: who one is, and nothing about the host.
fn etc(root: &OwnedFd) -> Result<(), Fault> {
    mkdirat(root, "etc", Mode::from_raw_mode(0o755)).step("/etc")?;
    let etc = below(root.as_fd(), Path::new("etc")).step("/etc")?;
    let user =
        format!("agent:x:{INSIDE_ID}:{INSIDE_ID}:agent:{HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    for (name, text) in [
        ("passwd", user.as_str()),
        ("group", &format!("agent:x:{INSIDE_ID}:\nnogroup:x:65534:\n")),
        ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
        ("hostname", "sandbox\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
        ("resolv.conf", ""),
        ("machine-id", "00000000000000000000000000000001\n"),
    ] {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&etc, name, flags, Mode::from_raw_mode(0o644)).step("/etc")?;
        std::io::Write::write_all(&mut std::fs::File::from(file), text.as_bytes()).step("/etc")?;
    }
    Ok(())
}

/// A file that no rule of Landlock covers, to see that it holds.
pub(super) const CANARY: &str = "/.landlock";

/// The root alone: what is mounted below it keeps its own attributes.
fn read_only_alone(root: &OwnedFd) -> std::io::Result<()> {
    sys::restrict_mount_alone(root.as_fd(), attribute::READ_ONLY)
}
