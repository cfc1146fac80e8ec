//! Whose files and processes are whose, across the sandbox's edge. User 0 of the host is never mapped to anybody.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::fstat;
use rustix::process::Pid;

use crate::ending::{Fault, Step};
use crate::sys::{self, Sleeper};

/// Makes the one user and the one group inside (`.0`) those outside (`.1`), for the user namespace of `init`.
pub(super) fn map_identity(init: Pid, user: (u32, u32), group: (u32, u32)) -> Result<(), Fault> {
    let file = |name: &str| format!("/proc/{}/{name}", init.as_raw_nonzero());
    std::fs::write(file("setgroups"), "deny").step("setgroups")?;
    std::fs::write(file("gid_map"), format!("{} {} 1", group.0, group.1)).step("gid_map")?;
    std::fs::write(file("uid_map"), format!("{} {} 1", user.0, user.1)).step("uid_map")
}

/// As root, a run is a user of its own, to whom the workspace's files must seem to belong.
pub(super) struct Mapper {
    user: u32,
    group: u32,
    /// In whose namespaces the mappings were named. They may end.
    over: Vec<Sleeper>,
}

impl Mapper {
    pub(super) fn new(user: u32, group: u32) -> Self {
        Self { user, group, over: Vec::new() }
    }

    /// Shows the files of `mount` that belong to the owner of its root as the run's own. What the run makes there
    /// belongs, on disk, to that owner; set-ID bits cannot be made (the system call filter) nor used (`nosuid`).
    pub(super) fn map(&mut self, mount: &OwnedFd) -> Result<(), Fault> {
        let root = fstat(mount).step("owner of a mount")?;
        let namespace = self.namespace(root.st_uid, root.st_gid)?;
        sys::map_owners(mount.as_fd(), namespace.as_fd()).step("show a mount as another owner's")
    }

    /// A user namespace in which the owner on disk stands for the run's user. It only serves to name that mapping;
    /// nothing runs in it.
    fn namespace(&mut self, user: u32, group: u32) -> Result<OwnedFd, Fault> {
        let sleeper = Sleeper::start().step("clone for a mapping")?;
        let pid = sleeper.pid();
        map_identity(pid, (user, self.user), (group, self.group))?;
        let path = format!("/proc/{}/ns/user", pid.as_raw_nonzero());
        let namespace = std::fs::File::open(path).step("open a mapping")?;
        sleeper.end();
        self.over.push(sleeper);
        Ok(namespace.into())
    }

    /// Waits for the processes that the mappings needed, which takes no time once others have gone on.
    pub(super) fn wait(self) {
        drop(self.over);
    }
}
