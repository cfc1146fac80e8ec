//! The file system inside, built from nothing.

mod devices;
mod proc;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering;

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
use crate::plan::{self, Layer};
use crate::profile::Access;
use crate::sys::{self, attribute};

/// Where a probe attaches what it tries out. Every system has this folder.
pub(super) const BASE: &str = "/usr";

/// The view while it is built. Its root lies over the host's, where no path leads: what is looked up, with or without
/// symbolic links, is the host's until [`Ground::enter`].
pub(super) struct Ground {
    root: OwnedFd,
    /// The one file system that everything written inside lies on, so that one size bounds it all. It is attached, since
    /// the kernel asks for that, where no path leads either, and goes with the old root.
    scratch: OwnedFd,
    view: View,
}

/// The view, built.
#[derive(Default)]
pub(super) struct View {
    /// The root, by the numbers of its file system and of itself.
    pub(super) root: (u64, u64),
    /// The open folders that hold what will be written, one for each copy-on-write place.
    pub(super) written: Vec<OwnedFd>,
    /// What stands at the plan's places, for the rules on it.
    pub(super) placed: Vec<Placed>,
    /// Folders that were made mounts so that nobody renames them.
    pinned: BTreeSet<PathBuf>,
}

/// One place of the plan.
pub(super) struct Placed {
    pub(super) path: PathBuf,
    pub(super) access: Access,
    pub(super) folder: bool,
    /// The mount that stands there.
    pub(super) mount: OwnedFd,
}

impl Ground {
    /// Builds what needs nothing of the host: `/proc` and `/etc`.
    pub(super) fn lay(ground: &plan::Ground) -> Result<Self, Fault> {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).step("make mounts private")?;
        // It lies in memory, of which it can be no more than the run may have.
        let size = ground.limits.disk.min(ground.limits.memory);
        let scratch = tmpfs(&size.to_string(), ground.limits.files).step("scratch file system")?;
        attach(&scratch, "/").step("scratch file system")?;
        let root = tmpfs("64k", 512).step("root file system")?;
        attach(&root, "/").step("root file system")?;

        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let canary = openat(&root, CANARY.trim_start_matches('/'), flags, Mode::from_raw_mode(0o644));
        let mut canary = std::fs::File::from(canary.step("root file system")?);
        std::io::Write::write_all(&mut canary, b"unreadable\n").step("root file system")?;
        drop(canary);
        // Only a process namespace of one's own has a `/proc` of one's own.
        if ground.has(Layer::Processes) {
            proc::own(&root, &scratch, ground)?;
        }
        etc(&root)?;
        Ok(Self { root, scratch, view: View::default() })
    }

    /// Adds `/dev`, and what of the host is there whatever will run.
    pub(super) fn add(&mut self, sources: Sources) -> Result<(), Fault> {
        devices::make(&self.root, &self.scratch, &sources.devices)?;
        self.place(sources.places)
    }

    /// Puts sources where they belong, each after those that were before it.
    fn place(&mut self, places: Vec<Source>) -> Result<(), Fault> {
        let Self { root, scratch, view } = self;
        places.into_iter().try_for_each(|source| place(view, root, scratch, source))
    }

    /// Lays over it what is there for the one run that there will be, and makes it the root. The old one lies over it
    /// until [`detach_old_root`].
    pub(super) fn enter(mut self, ground: &plan::Ground, late: Sources, terminal: bool) -> Result<View, Fault> {
        if terminal {
            devices::terminals(&self.root, &late.devices)?;
        }
        // Overlayfs finds what belongs together by its name.
        rustix::process::fchdir(&self.scratch).step("scratch file system")?;
        self.place(late.places)?;
        let Self { root, scratch, mut view } = self;
        let itself = rustix::fs::fstat(&root).step("enter the root")?;
        view.root = (itself.st_dev, itself.st_ino);
        // A home that no place has made.
        let _ = make_folders(root.as_fd(), Path::new(HOME));

        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let old = rustix::fs::open("/", flags, Mode::empty()).step("old root")?;
        rustix::process::fchdir(&root).step("enter the root")?;
        rustix::process::pivot_root(".", ".").step("pivot_root")?;
        // From over the old root, where it would be in the way of letting that go, to below it.
        attach_in(&scratch, &old, ANY_FOLDER).step("scratch file system")?;
        if ground.has(Layer::ReadOnly) {
            // The root alone: what is mounted below it keeps its own attributes.
            sys::restrict_mount_alone(root.as_fd(), attribute::READ_ONLY).step("make the root read-only")?;
        }
        Ok(view)
    }
}

/// A folder that the root of every system has.
const ANY_FOLDER: &str = "dev";

/// Lets the old root go, which lies over the new one since [`Ground::enter`], and with it all that is below it, the
/// scratch file system, too. Once: each time a mount goes, the kernel waits until nobody uses it. When this returns no
/// path leads there any more; what is left of it in the kernel may still be waiting.
pub(super) fn detach_old_root(view: &View) -> Result<(), Fault> {
    let here = |error: std::io::Error| Fault::new("detach the old root", error);
    match sys::begin_to_unmount() {
        // No room for one more process under the limits, perhaps.
        Err(_) => unmount(".", UnmountFlags::DETACH).step("detach the old root")?,
        Ok(state) => loop {
            let state = state.load(Ordering::Acquire);
            // What lies over a root is what is above it.
            let above = rustix::fs::stat("/..").step("detach the old root")?;
            match state {
                _ if (above.st_dev, above.st_ino) == view.root => break,
                0 => rustix::thread::sched_yield(),
                1 => return Err(Fault::new("detach the old root", "it is still there")),
                error => return Err(here(std::io::Error::from_raw_os_error(-error))),
            }
        },
    }
    rustix::process::chdir("/").step("enter the root")
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

/// Attaches `mount` at what is open as `target`.
fn attach_to(mount: &OwnedFd, target: &OwnedFd) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}

/// Attaches `mount` at `name` in `folder`, in which nothing is that we have not made.
fn attach_in(mount: &OwnedFd, folder: &OwnedFd, name: impl rustix::path::Arg) -> rustix::io::Result<()> {
    move_mount(mount, "", folder, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
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

/// The folder at `path` below `root`, made if it is not there.
fn folder(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    match below(root.as_fd(), path) {
        Err(Errno::NOENT) => {
            make_folders(root.as_fd(), path)?;
            below(root.as_fd(), path)
        }
        found => found,
    }
}

/// The folder that `path` below `root` lies in, made if it is not there, and the last name of `path`.
fn parent<'a>(root: &OwnedFd, path: &'a Path) -> rustix::io::Result<(OwnedFd, &'a OsStr)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::INVAL) };
    let parent = match parent.strip_prefix("/").unwrap_or(parent) {
        relative if relative.as_os_str().is_empty() => root.try_clone().map_err(|_| Errno::MFILE)?,
        relative => folder(root, relative)?,
    };
    Ok((parent, name))
}

/// Makes an empty file called `name` in `folder`, unless something is there.
fn make_file(folder: &OwnedFd, name: impl rustix::path::Arg) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    match openat(folder, name, flags, Mode::from_raw_mode(0o644)) {
        // Read-only and not there: the caller finds out.
        Ok(_) | Err(Errno::EXIST | Errno::ROFS) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The file at `path` below `root`, made with its folders if it is not there.
fn file(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    match below(root.as_fd(), path) {
        Err(Errno::NOENT) => {
            let (parent, name) = parent(root, path)?;
            make_file(&parent, name)?;
            below(parent.as_fd(), Path::new(name))
        }
        found => found,
    }
}

/// Puts one source where it belongs. No symbolic link is followed on the way: the workspace may have planted one.
fn place(view: &mut View, root: &OwnedFd, scratch: &OwnedFd, source: Source) -> Result<(), Fault> {
    // Unlike any before it: each but a link adds one.
    let index = view.placed.len();
    let Source { path, access, what } = source;
    let here = || format!("place {}", shown(&path));
    let (mount, folder) = match what {
        What::Link(target) => {
            let (parent, name) = parent(root, &path).step(here())?;
            return match symlinkat(&target, &parent, name) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(Fault::new(here(), error)),
            };
        }
        What::File(tree) => (tree, false),
        What::Folder(tree) if access == Access::Cow => {
            let (overlay, upper) = copy_on_write(scratch, index, &path, &tree)?;
            view.written.push(upper);
            (overlay, true)
        }
        What::Folder(tree) => (tree, true),
        What::Empty { folder } => {
            let name = format!("empty-{index}");
            let mode = Mode::from_raw_mode(if access == Access::Tmpfs { 0o700 } else { 0o555 });
            if folder { mkdirat(scratch, &name, mode) } else { make_file(scratch, &name) }.step(here())?;
            let node = below(scratch.as_fd(), Path::new(&name)).step(here())?;
            let tree = detach(node.as_fd(), false).step(here())?;
            if access == Access::Hidden {
                sys::restrict_mount(tree.as_fd(), attribute::READ_ONLY | attribute::NO_PROGRAMS).step(here())?;
            }
            (tree, folder)
        }
    };
    pin(view, root, &path).step(here())?;
    let target = if folder { self::folder(root, &path) } else { file(root, &path) }.step(here())?;
    attach_to(&mount, &target).step(here())?;
    view.placed.push(Placed { path, access, folder, mount });
    Ok(())
}

/// Makes the folders between a place and the writable folder of the host's that it lies in mounts of their own. What is
/// mounted cannot be renamed; else whoever renames one of them, and makes another in its stead, has replaced what is
/// protected in it, for the host.
fn pin(view: &mut View, root: &OwnedFd, path: &Path) -> rustix::io::Result<()> {
    let Some(around) = view.placed.iter().rev().find(|placed| path.starts_with(&placed.path)) else { return Ok(()) };
    if around.access != Access::Rw {
        return Ok(());
    }
    let between: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| *folder != around.path).collect();
    for folder in between.into_iter().rev() {
        if view.pinned.insert(folder.to_owned()) {
            let node = below(root.as_fd(), folder)?;
            attach_to(&detach(node.as_fd(), true)?, &node)?;
        }
    }
    Ok(())
}

/// A folder to write in, laid over the host's, and where what is written lies. `scratch` is the working folder: its names
/// lead nowhere else.
fn copy_on_write(scratch: &OwnedFd, index: usize, path: &Path, lower: &OwnedFd) -> Result<(OwnedFd, OwnedFd), Fault> {
    let here = || format!("copy-on-write {}", shown(path));
    let [lower_name, upper_name, work_name] = ["lower", "upper", "work"].map(|name| format!("{name}-{index}"));
    for name in [&lower_name, &upper_name, &work_name] {
        mkdirat(scratch, name.as_str(), Mode::from_raw_mode(0o755)).step(here())?;
    }
    let like = rustix::fs::fstat(lower).step(here())?;
    rustix::fs::chmodat(scratch, &upper_name, Mode::from_raw_mode(like.st_mode & 0o777), rustix::fs::AtFlags::empty())
        .step(here())?;
    attach_in(lower, scratch, &lower_name).step(here())?;
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).step(here())?;
    for (key, value) in [("lowerdir", &lower_name), ("upperdir", &upper_name), ("workdir", &work_name)] {
        fsconfig_set_string(&context, key, value.as_str()).step(here())?;
    }
    // Marks in `user.` attributes: those in `trusted.` need privileges outside.
    rustix::mount::fsconfig_set_flag(&context, "userxattr").step(here())?;
    fsconfig_create(&context).step(here())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let overlay = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).step(here())?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let upper = openat(scratch, &upper_name, flags, Mode::empty()).step(here())?;
    Ok((overlay, upper))
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
