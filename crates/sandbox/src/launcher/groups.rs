//! Control groups: the kernel's limits for a whole tree of processes, of version 1 or 2, whichever can be had.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::ending::{Fault, Step};
use crate::host::Groups;
use crate::plan::{Ground, Layer};

/// What our groups are called: this, and the launcher's process number.
const PREFIX: &str = "callgate-";

/// Of the memory of a run, what buffers of sockets may hold beside it: one part of so many.
const SHARE_OF_SOCKETS: u64 = 8;

/// The groups of one run. Dropping them removes them, if nothing is in them any more.
#[derive(Default)]
pub(super) struct Made {
    unified: Option<(PathBuf, OwnedFd)>,
    memory: Option<(PathBuf, OwnedFd)>,
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
        made.unified = Some((group.clone(), opened(&group)?));
        set(&group, "memory.max", limits.memory)?;
        // Where there is no swap accounting there is no such file.
        let _ = set(&group, "memory.swap.max", 0);
        let _ = set(&group, "memory.oom.group", 1);
        set(&group, "pids.max", limits.processes.saturating_add(1))?;
    }
    if let Some(parent) = &plan.memory_group {
        let group = folder(parent)?;
        let tasks = group.join("tasks");
        let tasks = fs::OpenOptions::new().write(true).open(&tasks).step(format!("open {}", tasks.display()));
        match tasks {
            Ok(tasks) => made.memory = Some((group.clone(), tasks.into())),
            Err(fault) => {
                let _ = fs::remove_dir(&group);
                return Err(fault);
            }
        }
        set(&group, "memory.limit_in_bytes", limits.memory)?;
        // Where there is no swap accounting there is no such file.
        let _ = set(&group, "memory.memsw.limit_in_bytes", limits.memory);
        let _ = set(&group, "memory.swappiness", 0);
        // Buffers of TCP and UDP are not of the group's memory; they are counted from the moment at which they have a
        // limit. Without the host's protocols in this kernel there is no such file.
        let _ = set(&group, "memory.kmem.tcp.limit_in_bytes", limits.memory / SHARE_OF_SOCKETS);
    }
    Ok(made)
}

impl Drop for Made {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Made {
    /// The folder of version 2 in which the init is to be born.
    pub(super) fn unified_folder(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(|(_, folder)| folder.as_fd())
    }

    /// What the init enters the group of version 1 by; only the init's own copy of this may give it away.
    pub(super) fn entrance(&mut self) -> Option<OwnedFd> {
        self.memory.take().map(|(_, tasks)| tasks)
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

    /// Whether the kernel has killed something for its memory.
    pub(super) fn out_of_memory(&self) -> bool {
        let count = |path: PathBuf, name: &str| -> u64 {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok());
            line.unwrap_or(0)
        };
        let unified =
            self.unified.as_ref().is_some_and(|(group, _)| count(group.join("memory.events"), "oom_kill") > 0);
        unified
            || self.memory.as_ref().is_some_and(|(group, _)| count(group.join("memory.oom_control"), "oom_kill") > 0)
    }

    /// Kills whatever is in the group of version 2, at once.
    pub(super) fn kill(&self) {
        if let Some((group, _)) = &self.unified {
            let _ = fs::write(group.join("cgroup.kill"), "1");
        }
    }

    /// Removes the groups. They must be empty.
    pub(super) fn remove(&mut self) {
        let unified = self.unified.take().map(|(group, _)| group);
        for group in unified.into_iter().chain(self.memory.take().map(|(group, _)| group)) {
            // The last process may be gone for us a moment before it is for the group.
            for _ in 0..50 {
                match fs::remove_dir(&group) {
                    Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                    _ => break,
                }
            }
        }
    }

    /// Where they are, for the record and for who must clean up if the launcher cannot.
    pub(super) fn names(&self) -> Vec<String> {
        self.unified
            .iter()
            .chain(&self.memory)
            .map(|(group, _)| group)
            .map(|group| group.display().to_string())
            .collect()
    }
}

/// Puts this process into the group whose `tasks` are open. A process that moves itself by this file, with its one
/// thread, does not wait for all others, as a move by `cgroup.procs` does.
pub(super) fn enter(tasks: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::write(tasks, b"0").map(drop)
}

/// A new group for this launcher. What launchers that are no more have left there is removed.
fn folder(parent: &Path) -> Result<PathBuf, Fault> {
    sweep(parent);
    let group = parent.join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir(&group).step(format!("make control group {}", group.display()))?;
    Ok(group)
}

fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
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

/// Where this process could make groups. What is found here is tried before it is relied on.
pub(super) fn candidates() -> Groups {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut groups = Groups::default();
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (Some(root), Some(point), Some(kind)) = (left.get(3), left.get(4), right.first()) else { continue };
        let options: Vec<&str> = right.get(2).map(|options| options.split(',').collect()).unwrap_or_default();
        let within = |controller: &str| {
            let path = own.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let controllers = parts.next()?;
                let path = parts.next()?;
                controllers.split(',').any(|name| name == controller).then_some(path)
            })?;
            let below = Path::new(path).strip_prefix(root).ok()?;
            Some(Path::new(point).join(below))
        };
        match *kind {
            "cgroup" if options.contains(&"memory") => groups.memory = within("memory"),
            "cgroup2" => {
                let Some(here) = within("") else { continue };
                groups.unified = with_controllers(&here);
            }
            _ => {}
        }
    }
    groups
}

/// The folder itself or, since a group with processes in it cannot hand controllers down, the one above.
fn with_controllers(here: &Path) -> Option<PathBuf> {
    [Some(here), here.parent()].into_iter().flatten().find_map(|folder| {
        let control = fs::read_to_string(folder.join("cgroup.subtree_control")).ok()?;
        let has = |name| control.split_whitespace().any(|controller| controller == name);
        (has("memory") && has("pids")).then(|| folder.to_owned())
    })
}

/// Whether a group can really be made in `parent`.
pub(super) fn try_out(parent: &Path, file: &str) -> Result<(), Fault> {
    let group = folder(parent)?;
    let there = fs::symlink_metadata(group.join(file)).step(format!("{file} of {}", group.display()));
    let _ = fs::remove_dir(&group);
    there.map(drop)
}
