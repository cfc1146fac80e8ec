//! What a tool may do where it runs, as plain data: a [`Profile`].
//!
//! A profile has one canonical form and so one digest. Everything in it is a bound: what it does not grant is not
//! there. Profiles inherit, and inheritance only tightens (`profile::tighten`); in `callgate.toml` they stand below
//! `[sandbox.profile.NAME]` (`profile::toml`).

mod canonical;
mod place;
mod tighten;
mod toml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub(crate) use place::is_plain;
pub use place::{Place, PlaceError};
pub use tighten::Loosened;
pub use toml::{ProfileError, Profiles};

/// How strongly a run is separated from the host. More is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Landlock and seccomp.
    Confined,
    /// Namespaces, a built root, Landlock, seccomp and limits.
    Namespaces,
    /// A kernel in user space.
    UserKernel,
    /// A guest kernel.
    GuestKernel,
}

impl Tier {
    /// The number that policy sees as `context.env.sandbox`: 1 to 4.
    pub const fn number(self) -> u8 {
        match self {
            Self::Confined => 1,
            Self::Namespaces => 2,
            Self::UserKernel => 3,
            Self::GuestKernel => 4,
        }
    }

    /// The tier with this number.
    pub const fn numbered(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Confined),
            2 => Some(Self::Namespaces),
            3 => Some(Self::UserKernel),
            4 => Some(Self::GuestKernel),
            _ => None,
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// What is done with a place in the file system. Later ones grant more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing of the host shows: an empty, read-only file or folder stands there.
    Hidden,
    /// An empty folder that may be written and is gone at the end.
    Tmpfs,
    /// The host's files, to read and to execute.
    Ro,
    /// The host's files; what is written is kept apart, and only a commit brings it to the host.
    Cow,
    /// The host's files, and writes reach them at once.
    Rw,
}

impl Access {
    /// The word in a profile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Tmpfs => "tmpfs",
            Self::Ro => "ro",
            Self::Cow => "cow",
            Self::Rw => "rw",
        }
    }
}

/// What of a network there is. A way out will lead through the gate's broker alone; there is none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Network {
    /// No internet socket can be made.
    None,
    /// A loopback of the sandbox's own; nothing else is reachable.
    Loopback,
}

impl Network {
    /// The word in a profile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Loopback => "loopback",
        }
    }
}

/// Who holds the whole tree of processes to its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryBy {
    /// The kernel, by a control group: nothing is ever above the limit.
    Kernel,
    /// The kernel for each process, and the launcher for the sum: it counts several times a second and ends the tree
    /// when it is above. For machines where no control group can be had.
    Watched,
}

impl MemoryBy {
    /// The word in a profile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Watched => "watched",
        }
    }
}

/// How much of each thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Seconds from start to end.
    pub wall: u64,
    /// Seconds of processor time for any one process.
    pub cpu: u64,
    /// Bytes of memory for the whole tree of processes.
    pub memory: u64,
    /// Who counts them.
    pub memory_by: MemoryBy,
    /// Processes and threads at one time.
    pub processes: u64,
    /// Open files for any one process.
    pub open_files: u64,
    /// Bytes on standard output and standard error together.
    pub output: u64,
    /// Bytes written to disk, all places together, as far as they are `tmpfs` or `cow`.
    pub disk: u64,
    /// Files, folders and links made, likewise.
    pub files: u64,
}

/// The environment inside, from empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Variables taken over from the caller, if it has them.
    pub pass: BTreeSet<String>,
    /// Variables set to a value.
    pub set: BTreeMap<String, String>,
}

/// What a tool may do where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What tools' overlays call it.
    pub name: String,
    /// The least tier that it may run at.
    pub tier: Tier,
    /// The file system: what is not listed is not there.
    pub files: BTreeMap<Place, Access>,
    /// The network.
    pub network: Network,
    /// Whether Unix sockets with a name can be made. Pairs without one always can.
    pub unix_sockets: bool,
    /// How much.
    pub limits: Limits,
    /// The environment.
    pub environment: Environment,
    /// Variables that hold a placeholder, by the reference of the secret that it stands for. The secret itself never
    /// enters.
    pub secrets: BTreeMap<String, String>,
}

impl Profile {
    /// What is done with `place`: the entry of the deepest place that it lies in.
    pub fn access(&self, place: &Place) -> Access {
        let around = self.files.iter().filter(|(around, _)| around.contains(place));
        around.max_by_key(|(around, _)| around.depth()).map_or(Access::Hidden, |(_, access)| *access)
    }
}
