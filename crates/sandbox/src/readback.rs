//! What a run really got, read from the kernel after the program's process was bound and before it executed anything.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use callgate_text::Json;

use crate::plan::{Ground, Layer};
use crate::wire::fields;

/// What the kernel says about the process that is about to execute the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBack {
    /// The digest of the profile.
    pub profile: String,
    /// `NoNewPrivs` of `/proc/PID/status`.
    pub no_new_privileges: bool,
    /// `Seccomp`: 2 is a filter.
    pub seccomp: u32,
    /// The union of all capability sets.
    pub capabilities: u64,
    /// The user id outside.
    pub uid: u32,
    /// `/proc/PID/uid_map`, spaces folded.
    pub uid_map: String,
    /// Namespaces, by kind; each is another than the launcher's.
    pub namespaces: BTreeMap<String, String>,
    /// Landlock's version, if a file that no rule covers could not be opened.
    pub landlock: u32,
    /// Control groups that hold the run.
    pub groups: Vec<String>,
    /// Whether the sandbox was made ready before it was known what would run. All else here was read after that.
    pub stood_by: bool,
    /// Layers that were left out, for a test; any makes the run worthless as protection.
    pub weakened: Vec<Layer>,
}

fields!(ReadBack {
    profile,
    no_new_privileges,
    seccomp,
    capabilities,
    uid,
    uid_map,
    namespaces,
    landlock,
    groups,
    stood_by,
    weakened,
});

/// The kinds of namespace that a run has of its own.
const NAMESPACES: [&str; 7] = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"];

/// The launcher's own namespaces.
pub(crate) struct Namespaces(BTreeMap<&'static str, PathBuf>);

impl Namespaces {
    pub(crate) fn own() -> std::io::Result<Self> {
        let links = NAMESPACES.into_iter().map(|kind| Ok((kind, fs::read_link(format!("/proc/self/ns/{kind}"))?)));
        links.collect::<std::io::Result<_>>().map(Self)
    }
}

/// Where a process is: what it was born into and cannot leave once it has no capabilities.
pub(crate) struct Surroundings {
    pid: i32,
    uid_map: String,
    namespaces: BTreeMap<String, String>,
}

impl Surroundings {
    /// Reads those of process `pid`; of its namespaces, those that are not `ours`.
    pub(crate) fn of(pid: i32, ours: &Namespaces) -> std::io::Result<Self> {
        let mut namespaces = BTreeMap::new();
        for kind in NAMESPACES {
            let theirs = fs::read_link(format!("/proc/{pid}/ns/{kind}"))?;
            if ours.0.get(kind) != Some(&theirs) {
                namespaces.insert(kind.to_owned(), theirs.to_string_lossy().into_owned());
            }
        }
        let map = fs::read_to_string(format!("/proc/{pid}/uid_map"))?;
        Ok(Self { pid, uid_map: map.split_whitespace().collect::<Vec<_>>().join(" "), namespaces })
    }

    /// Its mount namespace. The process must not hide, as it does not before it is the program.
    pub(crate) fn mounts(&self) -> std::io::Result<OwnedFd> {
        fs::File::open(format!("/proc/{}/ns/mnt", self.pid)).map(OwnedFd::from)
    }
}

impl ReadBack {
    /// Reads what the process that is in `surroundings` got. What cannot be read there
    /// is told.
    pub(crate) fn of(
        surroundings: Surroundings,
        ground: &Ground,
        landlock: u32,
        groups: Vec<String>,
        stood_by: bool,
    ) -> std::io::Result<Self> {
        let Surroundings { pid, uid_map, namespaces } = surroundings;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let hex = |name: &str| field(name).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(u64::MAX);
        let number = |name: &str| field(name).and_then(|text| text.split_whitespace().next()?.parse::<u32>().ok());
        Ok(Self {
            profile: ground.profile.clone(),
            no_new_privileges: number("NoNewPrivs") == Some(1),
            seccomp: number("Seccomp").unwrap_or(0),
            capabilities: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(hex).into_iter().fold(0, |a, b| a | b),
            uid: number("Uid").unwrap_or(0),
            uid_map,
            namespaces,
            landlock,
            groups,
            stood_by,
            weakened: ground.weakened().to_vec(),
        })
    }

    /// What is missing against the ground that was planned; nothing may be.
    pub(crate) fn shortfall(&self, ground: &Ground) -> Option<&'static str> {
        let own = |kind: &str, layer| self.namespaces.contains_key(kind) || !ground.has(layer);
        let mapped: Option<u32> = self.uid_map.split(' ').nth(1).and_then(|outside| outside.parse().ok());
        match () {
            () if !self.no_new_privileges => Some("no-new-privileges is not set"),
            () if self.seccomp != 2 && ground.has(Layer::Seccomp) => Some("no system call filter is in force"),
            () if self.capabilities != 0 && ground.has(Layer::Capabilities) => Some("it holds capabilities"),
            () if self.uid == 0 || mapped == Some(0) || mapped.is_none() => Some("it is root outside"),
            () if self.uid_map.split(' ').count() != 3 => Some("more than one user id is mapped"),
            () if !own("pid", Layer::Processes) => Some("it shares the process namespace"),
            () if !own("net", Layer::Network) => Some("it shares the network"),
            () if !own("ipc", Layer::Ipc) => Some("it shares IPC"),
            () if !own("uts", Layer::HostName) => Some("it shares the host name"),
            () if ["user", "mnt", "cgroup"].iter().any(|kind| !self.namespaces.contains_key(*kind)) => {
                Some("it shares a namespace")
            }
            () if self.landlock == 0 && ground.has(Layer::Landlock) => Some("Landlock is not in force"),
            () => None,
        }
    }

    /// For records.
    pub fn to_json(&self) -> Json {
        let texts = |texts: &[String]| Json::Array(texts.iter().cloned().map(Json::String).collect());
        let weakened: Vec<String> = self.weakened.iter().map(|layer| format!("{layer:?}")).collect();
        Json::object([
            ("profile", Json::String(self.profile.clone())),
            ("no_new_privileges", Json::Bool(self.no_new_privileges)),
            ("seccomp", Json::integer(self.seccomp.into())),
            ("capabilities", Json::String(format!("{:016x}", self.capabilities))),
            ("uid", Json::integer(self.uid.into())),
            ("uid_map", Json::String(self.uid_map.clone())),
            ("namespaces", Json::object(self.namespaces.iter().map(|(k, v)| (k.clone(), Json::String(v.clone()))))),
            ("landlock", Json::integer(self.landlock.into())),
            ("groups", texts(&self.groups)),
            ("stood_by", Json::Bool(self.stood_by)),
            ("weakened", texts(&weakened)),
        ])
    }
}
