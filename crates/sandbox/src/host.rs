//! What a machine offers, found out by trying: [`Host::probe`].

use std::fmt;
use std::path::PathBuf;

use crate::profile::Tier;
use crate::wire::{fields, variants};

/// Something that a sandbox is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Linux's Landlock, which holds a process to files whatever its identity.
    Landlock,
    /// Filters on system calls.
    Seccomp,
    /// User, process, mount, network, IPC, host name and control-group namespaces of one's own.
    Namespaces,
    /// A process tree of its own in `/proc`.
    OwnProc,
    /// A file system of its own, by the mount calls of Linux 5.12.
    BuiltRoot,
    /// Copy-on-write by overlayfs within a user namespace.
    CopyOnWrite,
    /// Folders of the workspace that can be removed or replaced in the copy (in memory, from Linux 6.6 on). Without it
    /// what tries is told of an input/output error, and its copy stays as it was.
    RemovedFolders,
    /// A workspace that belongs to another user id than the one inside (only needed where the gate runs as root).
    MappedOwner,
    /// A control group that holds memory.
    MemoryGroup,
}

variants!(Part {
    Landlock,
    Seccomp,
    Namespaces,
    OwnProc,
    BuiltRoot,
    CopyOnWrite,
    RemovedFolders,
    MappedOwner,
    MemoryGroup
});

impl Part {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Landlock,
        Self::Seccomp,
        Self::Namespaces,
        Self::OwnProc,
        Self::BuiltRoot,
        Self::CopyOnWrite,
        Self::RemovedFolders,
        Self::MappedOwner,
        Self::MemoryGroup,
    ];

    /// What no native sandbox can do without.
    const NEEDED: [Self; 5] = [Self::Landlock, Self::Seccomp, Self::Namespaces, Self::OwnProc, Self::BuiltRoot];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Landlock => "Landlock",
            Self::Seccomp => "system call filter",
            Self::Namespaces => "namespaces",
            Self::OwnProc => "own /proc",
            Self::BuiltRoot => "built root",
            Self::CopyOnWrite => "copy-on-write workspace",
            Self::RemovedFolders => "removal of folders in the copy",
            Self::MappedOwner => "workspace of another owner",
            Self::MemoryGroup => "memory limit for the whole tree",
        })
    }
}

/// A part that is not to be had, and the reason, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub part: Part,
    /// Why: the step that failed and the system's error.
    pub why: String,
}

fields!(Missing { part, why });

/// What a machine offers to the user who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Whether the launcher would be root outside.
    pub root: bool,
    /// Landlock's version; 0 if there is none.
    pub landlock: u32,
    /// What was tried and did not work.
    pub missing: Vec<Missing>,
    /// Folders in which a control group can be made, by what it controls.
    pub groups: Groups,
}

fields!(Host { root, landlock, missing, groups });

/// Folders of the control group file system in which a run's own group is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Version 2 with memory and process controllers.
    pub unified: Option<PathBuf>,
    /// Version 1, memory.
    pub memory: Option<PathBuf>,
}

fields!(Groups { unified, memory });

impl Host {
    /// Whether `part` is to be had.
    pub fn has(&self, part: Part) -> bool {
        self.why_not(part).is_none()
    }

    /// Why `part` is not to be had.
    pub fn why_not(&self, part: Part) -> Option<&str> {
        self.missing.iter().find(|missing| missing.part == part).map(|missing| &*missing.why)
    }

    /// The strongest tier that the native sandbox reaches here; none if it cannot run at all.
    pub fn tier(&self) -> Option<Tier> {
        Part::NEEDED.iter().all(|part| self.has(*part)).then_some(Tier::Namespaces)
    }

    /// The strictest built-in profile that can be used here with a workspace, and what it gives up against
    /// `workspace`.
    pub fn floor(&self) -> Option<(&'static str, Vec<Part>)> {
        self.tier()?;
        let (name, without) = match (self.has(Part::CopyOnWrite), self.has(Part::MemoryGroup)) {
            (true, true) => ("workspace", None),
            (true, false) => ("workspace-watched", Some(Part::MemoryGroup)),
            (false, true) => return Some(("read-only", vec![Part::CopyOnWrite])),
            (false, false) => return None,
        };
        let folders = Some(Part::RemovedFolders).filter(|part| !self.has(*part));
        Some((name, without.into_iter().chain(folders).collect()))
    }
}
