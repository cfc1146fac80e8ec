//! What this machine offers, found out by doing each thing once.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, mkdirat, unlinkat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, mount_change,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::getuid;

use super::inside::become_the_user;
use super::owners::{Mapper, map_identity};
use super::start::{INSIDE_ID, await_go, go};
use super::{groups, mounts, program, view};
use crate::ending::{Fault, Step};
use crate::host::{Groups, Host, Missing, Part};
use crate::seccomp;
use crate::sys::{self, Side};
use crate::wire::Wire;

/// Tries everything.
pub(super) fn probe() -> Host {
    let root = getuid().is_root();
    // Of one that is newer than the rules we write, what we can ask for.
    let landlock = sys::landlock_version().min(program::NEWEST_LANDLOCK);
    let mut missing = Vec::new();
    if landlock == 0 {
        missing.push(Missing { part: Part::Landlock, why: "the kernel has none, or it is not switched on".to_owned() });
    }
    match inside(root) {
        Ok(found) => missing.extend(found),
        Err(fault) => missing.push(Missing { part: Part::Namespaces, why: fault.to_string() }),
    }
    if let (true, Err(fault)) = (root, mapped_owner()) {
        missing.push(Missing { part: Part::MappedOwner, why: fault.to_string() });
    }
    let groups = usable(&mut missing);
    Host { root, landlock, missing, groups }
}

/// Where groups can really be made, and what that leaves without one.
fn usable(missing: &mut Vec<Missing>) -> Groups {
    let (unified, memory) = (groups::unified(), groups::memory());
    if let (Err(unified), Err(memory)) = (&unified, &memory) {
        missing.push(Missing { part: Part::MemoryGroup, why: format!("{unified}; {memory}") });
    }
    Groups { unified: unified.ok(), memory: memory.ok() }
}

/// Makes a process in namespaces of its own and lets it try the rest.
fn inside(root: bool) -> Result<Vec<Missing>, Fault> {
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).step("socket pair")?;
    let pid = match sys::fork(flags, None).step("clone")? {
        Side::Child => {
            drop(ours);
            if await_go(&theirs).is_ok() {
                let found = try_inside();
                let _ = rustix::net::send(&theirs, &found.to_bytes(), rustix::net::SendFlags::NOSIGNAL);
            }
            sys::leave(0)
        }
        Side::Parent { pid, .. } => pid,
    };
    drop(theirs);
    let outside = if root { 0x7000_0000 + std::process::id() } else { getuid().as_raw() };
    let group = if root { outside } else { rustix::process::getgid().as_raw() };
    let told = map_identity(pid, (INSIDE_ID, outside), (INSIDE_ID, group)).and_then(|()| {
        go(&ours)?;
        let mut bytes = vec![0; 16 << 10];
        let (count, _) = rustix::net::recv(&ours, &mut bytes, rustix::net::RecvFlags::empty()).step("listen")?;
        Vec::from_bytes(bytes.get(..count).unwrap_or_default()).step("listen")
    });
    // If it was never let go on, it sees that we are gone.
    drop(ours);
    let _ = sys::wait_for_child();
    told
}

fn try_inside() -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut note = |part: Part, tried: Result<(), Fault>| {
        if let Err(fault) = tried {
            missing.push(Missing { part, why: fault.to_string() });
        }
    };
    note(Part::Namespaces, become_the_user(true));
    note(Part::BuiltRoot, base());
    note(Part::OwnProc, own_proc().map(drop).step("mount proc"));
    match overlay().step("mount overlay") {
        Ok(copy) => note(Part::RemovedFolders, replace_folder(&copy)),
        Err(fault) => note(Part::CopyOnWrite, Err(fault)),
    }
    // Last: from here on this process can hardly do anything.
    note(Part::Seccomp, program::install(seccomp::filter(seccomp::Switches::default())));
    missing
}

fn base() -> Result<(), Fault> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).step("make mounts private")?;
    let tree = view::tmpfs("64k", 64).step("mount tmpfs")?;
    sys::restrict_mount(tree.as_fd(), sys::attribute::NO_PROGRAMS).step("mount_setattr")?;
    view::attach(&tree, view::BASE).step("move_mount")
}

fn own_proc() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "hidepid", "invisible")?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// A folder to be copied on write, in which there is another with something in it.
fn overlay() -> io::Result<OwnedFd> {
    for name in ["lower", "upper", "work", "lower/folder", "lower/folder/inner"] {
        mkdirat(rustix::fs::CWD, format!("{}/{name}", view::BASE), Mode::from_raw_mode(0o755))?;
    }
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, name) in [("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work")] {
        fsconfig_set_string(&context, key, format!("{}/{name}", view::BASE))?;
    }
    fsconfig_set_flag(&context, "userxattr")?;
    fsconfig_create(&context)?;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

/// Removes the folder with all that is in it, and makes another of its name. For that, overlayfs must mark folders by
/// attributes that not every file system keeps for it.
fn replace_folder(copy: &OwnedFd) -> Result<(), Fault> {
    let folder = rustix::fs::AtFlags::REMOVEDIR;
    unlinkat(copy, "folder/inner", folder)
        .and_then(|()| unlinkat(copy, "folder", folder))
        .and_then(|()| mkdirat(copy, "folder", Mode::from_raw_mode(0o755)))
        .step("remove and make a folder, which needs Linux 6.6 or newer")
}

fn mapped_owner() -> Result<(), Fault> {
    let node = rustix::fs::open(
        "/",
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
        Mode::empty(),
    )
    .step("open /")?;
    let tree = mounts::detach(node.as_fd(), false).step("clone a mount")?;
    let id = 0x7000_0000 + std::process::id();
    let mut mapper = Mapper::new(id, id);
    let mapped = mapper.map(&tree);
    mapper.wait();
    mapped
}
