//! Where control groups can be made, found out by trying, and what to do where none can.
//!
//! A group of version 2 that holds processes hands no controllers down, so the groups of runs never lie in one that
//! does. They lie in the launcher's own group where that may have both (the root of all), in the one above it, or in
//! its own once everybody who is in there has moved into a leaf of it.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{folder, opened, set};
use crate::ending::{Fault, Step};
use crate::sys::{self, Side};

/// Where the supervisor, and every launcher with it, moves when its own group is to hold the groups of runs.
const LEAF: &str = "callgate-supervisor";

/// What the groups of runs need from the one above them.
const NEEDED: [&str; 2] = ["memory", "pids"];

/// Where a system keeps the mark that its first process is systemd, which manages all groups that it does not hand
/// over.
const MANAGED: &str = "/run/systemd/system";

/// The folder of version 2 in which groups with limits can be made.
///
/// # Errors
/// Why there is none, and what to do about it.
pub(crate) fn unified() -> Result<PathBuf, Fault> {
    let none = |why: &str| Fault::new("control groups of version 2", why);
    let own = Own::find().ok_or_else(|| none("they are not mounted here"))?;
    let here = own.folder();
    let (here, above) = (here.as_path(), own.above());
    let above = above.as_deref();
    if ![Some(here), above].into_iter().flatten().any(offers) {
        return Err(none(&format!("neither memory nor pids reaches {}; {}", here.display(), advice())));
    }
    let mut refused = None;
    // Those that were handed over to us go before those that merely let us in.
    let ways = [
        (Some(here), Way::AsItIs),
        // Only that at the top of all may hand down what it has processes in.
        (Some(here).filter(|here| is_ours(here) && is_top(here)), Way::Enable),
        (above.filter(|above| is_ours(above)), Way::Enable),
        (Some(here).filter(|here| is_ours(here)), Way::Settle),
        (above, Way::AsItIs),
    ];
    for (folder, way) in ways {
        let Some(folder) = folder else { continue };
        match way.go(folder, own.supervisor).and_then(|()| try_out(folder)) {
            Ok(()) => return Ok(folder.to_owned()),
            Err(fault) => refused = refused.filter(|_| way == Way::AsItIs).or(Some(fault)),
        }
    }
    let why = refused.map_or_else(String::new, |fault| format!("{fault}; "));
    Err(none(&format!("{why}{}", advice())))
}

/// The folder of version 1 in which groups that hold memory can be made.
///
/// # Errors
/// Why there is none.
pub(crate) fn memory() -> Result<PathBuf, Fault> {
    let place = Mounted::all()
        .into_iter()
        .filter(|mounted| mounted.kind == "cgroup" && mounted.options.split(',').any(|option| option == "memory"))
        .find_map(|mounted| mounted.own("memory"));
    let parent = place.ok_or_else(|| Fault::new("control groups of version 1", "none holds memory here"))?.folder();
    let group = folder(&parent)?;
    let file = group.0.join("memory.limit_in_bytes");
    fs::symlink_metadata(&file).step(file.display().to_string())?;
    Ok(parent)
}

/// What an operator does so that there is one.
fn advice() -> &'static str {
    if !Path::new(MANAGED).exists() {
        "let this program be started alone in a control group that it may write to, with the controllers memory and pids"
    } else if rustix::process::getuid().is_root() {
        "start this program alone in a unit that is handed over: `systemd-run --scope -p Delegate=yes PROGRAM`, or \
         Delegate=yes in its service"
    } else {
        "start this program alone in a unit that is handed over: `systemd-run --user --scope -p Delegate=yes PROGRAM`, \
         or Delegate=yes in its service"
    }
}

/// What a group needs before others can be made in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing.
    AsItIs,
    /// To hand its controllers down.
    Enable,
    /// That those who are in it, who are all of ours, move into a leaf first.
    Settle,
}

impl Way {
    fn go(self, folder: &Path, supervisor: i32) -> Result<(), Fault> {
        if hands_down(folder) {
            return Ok(());
        }
        match self {
            Self::AsItIs => Err(Fault::new(folder.display().to_string(), "it hands no memory and pids down")),
            Self::Enable => enable(folder),
            Self::Settle => settle(folder, supervisor).and_then(|()| enable(folder)),
        }
    }
}

/// A control group file system, as this process sees it.
struct Mounted {
    kind: String,
    options: String,
    /// Which of its groups lies at its mount point.
    root: PathBuf,
    point: PathBuf,
}

impl Mounted {
    fn all() -> Vec<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        mounts.lines().filter_map(Self::of).collect()
    }

    /// A line of `/proc/self/mountinfo`.
    fn of(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let (mut left, mut right) = (left.split(' ').skip(3), right.split(' '));
        let (root, point) = (left.next()?, left.next()?);
        let kind = right.next().filter(|kind| kind.starts_with("cgroup"))?;
        // The kernel writes blanks and their like in octal. No group of ours has any in its path.
        let plain = |path: &str| (!path.contains('\\')).then(|| PathBuf::from(path));
        let options = right.nth(1)?.to_owned();
        Some(Self { kind: kind.to_owned(), options, root: plain(root)?, point: plain(point)? })
    }

    /// This process's own group in it; `controller` is empty for version 2.
    fn own(self, controller: &str) -> Option<Own> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let controllers = parts.next()?;
            let path = parts.next()?;
            controllers.split(',').any(|name| name == controller).then_some(path)
        })?;
        let below = Path::new(path).strip_prefix(&self.root).ok()?.to_owned();
        Some(Own { point: self.point, below, supervisor: supervisor() })
    }
}

/// This process's own group.
struct Own {
    point: PathBuf,
    /// Where it lies below the mount point.
    below: PathBuf,
    /// Who asked: the process that made our standard input.
    supervisor: i32,
}

impl Own {
    fn find() -> Option<Self> {
        Mounted::all().into_iter().filter(|mounted| mounted.kind == "cgroup2").find_map(|mounted| mounted.own(""))
    }

    fn folder(&self) -> PathBuf {
        self.point.join(&self.below)
    }

    /// The group above it, if that can be seen from here.
    fn above(&self) -> Option<PathBuf> {
        Some(self.point.join(self.below.parent()?))
    }
}

fn supervisor() -> i32 {
    let peer = rustix::net::sockopt::socket_peercred(std::io::stdin());
    peer.map_or(0, |peer| peer.pid.as_raw_nonzero().get())
}

/// The words in a file of a group; none if it cannot be read.
fn names(folder: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn has_all(folder: &Path, file: &str) -> bool {
    let names = names(folder, file);
    NEEDED.iter().all(|needed| names.iter().any(|name| name == needed))
}

/// Whether there is something for it to hand down.
fn offers(folder: &Path) -> bool {
    has_all(folder, "cgroup.controllers")
}

fn hands_down(folder: &Path) -> bool {
    has_all(folder, "cgroup.subtree_control")
}

fn is_top(folder: &Path) -> bool {
    fs::exists(folder.join("cgroup.type")).is_ok_and(|there| !there)
}

/// Whether whoever manages the groups of this machine has handed this one over. systemd marks those (an old one where
/// only root can see it), and gives them to the user that a service runs as; where there is no systemd, whoever put us
/// here did.
fn is_ours(folder: &Path) -> bool {
    if !Path::new(MANAGED).exists() {
        return true;
    }
    let marked = |name: &str| {
        let mut mark = [0; 2];
        rustix::fs::getxattr(folder, name, &mut mark).is_ok_and(|length| mark.get(..length) == Some(b"1"))
    };
    let owner = |folder: &Path| fs::metadata(folder).ok().map(|folder| folder.uid());
    let own = rustix::process::getuid();
    let given = owner(folder) == Some(own.as_raw()) && folder.parent().and_then(owner) != Some(own.as_raw());
    marked("user.delegate") || marked("trusted.delegate") || (given && !own.is_root())
}

fn enable(folder: &Path) -> Result<(), Fault> {
    let file = folder.join("cgroup.subtree_control");
    fs::write(&file, NEEDED.map(|name| format!("+{name}")).join(" ")).step(file.display().to_string())
}

/// Moves everybody who is in the group into a leaf of it, if all of them are the supervisor or come from it.
fn settle(folder: &Path, supervisor: i32) -> Result<(), Fault> {
    let others = || Fault::new(folder.display().to_string(), "there are processes in it that are not this program's");
    let leaf = folder.join(LEAF);
    let procs = |folder: &Path| fs::read_to_string(folder.join("cgroup.procs")).step(folder.display().to_string());
    // Some may be born meanwhile.
    for _ in 0..100 {
        let inside = procs(folder)?;
        let inside: Vec<i32> = inside.lines().map(|line| line.parse().unwrap_or(0)).collect();
        if inside.is_empty() {
            return Ok(());
        }
        if !inside.iter().all(|pid| comes_from(*pid, supervisor)) {
            return Err(others());
        }
        match fs::create_dir(&leaf) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error).step(leaf.display().to_string());
            }
            _ => {}
        }
        for pid in inside {
            let moved = fs::write(leaf.join("cgroup.procs"), pid.to_string());
            // It may have ended.
            if moved.as_ref().is_err_and(|error| error.raw_os_error() != Some(libc::ESRCH)) {
                return moved.step(format!("move into {}", leaf.display()));
            }
        }
    }
    Err(others())
}

/// Whether process `pid` is `ancestor`, was started by it or by somebody who was, or is no more.
fn comes_from(pid: i32, ancestor: i32) -> bool {
    let parent = |pid: i32| -> Option<i32> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
    };
    // One outside of our process namespace has no number.
    if pid <= 0 || ancestor <= 0 {
        return false;
    }
    let mut now = Some(pid);
    // So deep is no tree of ours.
    for _ in 0..64 {
        match now {
            Some(number) if number == ancestor => return true,
            Some(number) if number > 0 => now = parent(number),
            _ => break,
        }
    }
    // Whoever ended while we looked says nothing about the others.
    !Path::new(&format!("/proc/{pid}")).exists()
}

/// Whether a group with limits can really be made in `parent`, and a process be born in it.
fn try_out(parent: &Path) -> Result<(), Fault> {
    let group = folder(parent)?;
    for (file, value) in [("memory.max", 64 << 20), ("memory.oom.group", 1), ("pids.max", 8)] {
        set(&group.0, file, value)?;
    }
    let open = opened(&group.0)?;
    match sys::fork(0, Some(open.as_fd())).step(format!("start a process in {}", group.0.display()))? {
        Side::Child => sys::leave(0),
        Side::Parent { pid, .. } => {
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        }
    }
    Ok(())
}
