//! Control groups: the kernel's limits for a whole tree of processes, of version 1 or 2, whichever can be had.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::ending::{Fault, Step};
use crate::plan::{Ground, Layer};

mod places;

pub(super) use places::{memory, unified};

/// What our groups are called: this, and the launcher's process number.
const PREFIX: &str = "callgate-";

/// Of the memory of a run, what buffers of sockets may hold beside it: one part of so many.
const SHARE_OF_SOCKETS: u64 = 8;

/// A group that was made. Dropping it removes it, if nothing is in it any more.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // The last process may be gone for us a moment before it is for the group.
        for _ in 0..100 {
            match fs::remove_dir(&self.0) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                _ => break,
            }
        }
    }
}

/// The groups of one run. Dropping them removes them, if nothing is in them any more.
#[derive(Default)]
pub(super) struct Made {
    unified: Option<(Removed, OwnedFd)>,
    memory: Option<(Removed, Option<OwnedFd>)>,
    /// What they said last, before they were removed.
    last: Said,
}

/// What the kernel says about a group.
#[derive(Clone, Copy, Default)]
struct Said {
    /// Whether it has killed something for its memory.
    out_of_memory: bool,
    /// Processor time of all that ever was in the group, in microseconds.
    cpu_micros: Option<u64>,
}

/// Makes the groups that the plan names. In that of version 2 the init is to be born; that of version 1, which holds
/// memory, it enters itself.
pub(super) fn make(plan: &Ground) -> Result<Made, Fault> {
    let mut made = Made::default();
    if !plan.has(Layer::Groups) {
        return Ok(made);
    }
    let limits = &plan.limits;
    if let Some(parent) = &plan.unified {
        let group = folder(parent)?;
        let path = group.0.clone();
        made.unified = Some((group, opened(&path)?));
        set(&path, "memory.max", limits.memory)?;
        set_if_there(&path, "memory.swap.max", 0)?;
        set(&path, "memory.oom.group", 1)?;
        set(&path, "pids.max", limits.processes.saturating_add(1))?;
    }
    if let Some(parent) = &plan.memory_group {
        let group = folder(parent)?;
        let path = group.0.clone();
        let tasks = path.join("tasks");
        let tasks = fs::OpenOptions::new().write(true).open(&tasks).step(format!("open {}", tasks.display()))?;
        made.memory = Some((group, Some(tasks.into())));
        set(&path, "memory.limit_in_bytes", limits.memory)?;
        set_if_there(&path, "memory.memsw.limit_in_bytes", limits.memory)?;
        let _ = set(&path, "memory.swappiness", 0);
        // Buffers of TCP and UDP are not of the group's memory; they are counted from the moment at which they have a
        // limit. Without the host's protocols in this kernel there is no such file.
        let _ = set(&path, "memory.kmem.tcp.limit_in_bytes", limits.memory / SHARE_OF_SOCKETS);
    }
    Ok(made)
}

impl Made {
    /// The folder of version 2 in which the init is to be born.
    pub(super) fn unified_folder(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(|(_, folder)| folder.as_fd())
    }

    /// What the init enters the group of version 1 by; only the init's own copy of this may give it away.
    pub(super) fn entrance(&mut self) -> Option<OwnedFd> {
        self.memory.as_mut()?.1.take()
    }

    /// Whether process `pid` is in every one of them.
    pub(super) fn hold(&self, pid: i32) -> std::io::Result<bool> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let mut own = self.unified.iter().map(|_| "").chain(self.memory.iter().map(|_| "memory"));
        let name = format!("/{PREFIX}{}", std::process::id());
        Ok(own.all(|controller| {
            groups.lines().any(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let controllers = parts.next().unwrap_or_default();
                let path = parts.next().unwrap_or_default();
                controllers.split(',').any(|one| one == controller) && path.ends_with(&name)
            })
        }))
    }

    /// Whether the kernel has killed something for its memory; after they were removed, whether it had.
    pub(super) fn out_of_memory(&self) -> bool {
        self.say().out_of_memory
    }

    /// Processor time of all that ever was in them, in microseconds, if they count it: the whole tree's, whoever has
    /// ended and whoever waited for it. After they were removed, what it was then.
    pub(super) fn cpu_micros(&self) -> Option<u64> {
        self.say().cpu_micros
    }

    fn say(&self) -> Said {
        let count = |group: &Removed, file: &str, name: &str| -> Option<u64> {
            let text = fs::read_to_string(group.0.join(file)).ok()?;
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
        };
        let unified = self.unified.as_ref().map(|(group, _)| group);
        let memory = self.memory.as_ref().map(|(group, _)| group);
        let killed = |group: Option<&Removed>, file| {
            group.and_then(|group| count(group, file, "oom_kill")).is_some_and(|kills| kills > 0)
        };
        Said {
            out_of_memory: self.last.out_of_memory
                || killed(unified, "memory.events")
                || killed(memory, "memory.oom_control"),
            cpu_micros: unified.and_then(|group| count(group, "cpu.stat", "usage_usec")).or(self.last.cpu_micros),
        }
    }

    /// Kills whatever is in the group of version 2, at once.
    pub(super) fn kill(&self) {
        if let Some((group, _)) = &self.unified {
            let _ = fs::write(group.0.join("cgroup.kill"), "1");
        }
    }

    /// Removes the groups. They must be empty.
    pub(super) fn remove(&mut self) {
        self.last = self.say();
        self.unified = None;
        self.memory = None;
    }

    /// Where they are, for the record and for who must clean up if the launcher cannot.
    pub(super) fn names(&self) -> Vec<String> {
        let unified = self.unified.iter().map(|(group, _)| group);
        let all = unified.chain(self.memory.iter().map(|(group, _)| group));
        all.map(|group| group.0.display().to_string()).collect()
    }
}

/// Puts this process into the group whose `tasks` are open. A process that moves itself by this file, with its one
/// thread, does not wait for all others, as a move by `cgroup.procs` does.
pub(super) fn enter(tasks: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::write(tasks, b"0").map(drop)
}

/// A new group for this launcher. What launchers that are no more have left there is removed.
fn folder(parent: &Path) -> Result<Removed, Fault> {
    sweep(parent);
    let group = parent.join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir(&group).step(format!("make control group {}", group.display()))?;
    Ok(Removed(group))
}

fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        // Who had our own process number before us is no more, either.
        let is_gone = |owner: u32| owner == std::process::id() || !Path::new(&format!("/proc/{owner}")).exists();
        if owner.is_some_and(is_gone) {
            // Refused if anything lives in it.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn opened(group: &Path) -> Result<OwnedFd, Fault> {
    fs::File::open(group).map(OwnedFd::from).step(format!("open control group {}", group.display()))
}

fn set(group: &Path, name: &str, value: u64) -> Result<(), Fault> {
    fs::write(group.join(name), value.to_string()).step(format!("{name} of {}", group.display()))
}

/// As [`set`]; a kernel that does not account for swap has no such file.
fn set_if_there(group: &Path, name: &str, value: u64) -> Result<(), Fault> {
    if fs::exists(group.join(name)).step(format!("{name} of {}", group.display()))? {
        set(group, name, value)?;
    }
    Ok(())
}
