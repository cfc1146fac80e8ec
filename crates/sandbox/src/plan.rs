//! A launch, worked out to the end before anything starts: [`compile`] is a pure function of profile, request and host.
//!
//! Every clause of the profile has its place in the [`Plan`], or the launch is refused with all the clauses that
//! cannot be enforced.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use callgate_text::Digest;

use crate::host::{Host, Part};
use crate::profile::is_plain;
use crate::profile::{Access, Limits, MemoryBy, Network, Profile, Tier};
use crate::wire::{Malformed, Wire, fields, variants};

/// Which program a [`Request`] means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Program {
    /// The one that the first word of the command names, by path or by name, as the sandbox sees it.
    #[default]
    Named,
    /// The launcher's own, whatever stands at its path by now and whether or not any place inside shows it. The first
    /// word is only what it will see as its name.
    Own,
}

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Which program that is.
    pub program: Program,
    /// Seconds from start to end, if this run is to have fewer than its profile gives.
    pub deadline: Option<u64>,
    /// The folder that `@workspace` stands for: absolute, plain, and without symbolic links in it.
    pub workspace: Option<PathBuf>,
    /// Where to start; the workspace if not given.
    pub directory: Option<PathBuf>,
    /// The caller's environment, from which the profile may pass variables.
    pub environment: BTreeMap<OsString, OsString>,
}

/// Why a profile cannot be enforced for a request on a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// Each clause and what is in its way.
    pub clauses: Vec<(String, String)>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sandbox refuses to start:")?;
        for (clause, why) in &self.clauses {
            write!(f, " {clause}: {why};")?;
        }
        Ok(())
    }
}

/// A launch that only has to be carried out: the ground that it stands on, and the errand that is run there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(crate) ground: Ground,
    pub(crate) errand: Errand,
}

fields!(Plan { ground, errand });

/// The part of a [`Plan`] that follows from profile and host alone. A sandbox that was made ready for it, before anybody
/// knew what would run, can run every plan on an equal ground, and none on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    pub(crate) profile: String,
    /// The system's places that are only read, and the empty ones; see [`divided`].
    pub(crate) mounts: Vec<Mount>,
    pub(crate) loopback: bool,
    pub(crate) unix_sockets: bool,
    pub(crate) limits: Limits,
    pub(crate) landlock: u32,
    pub(crate) unified: Option<PathBuf>,
    pub(crate) memory_group: Option<PathBuf>,
    pub(crate) without: Without,
}

fields!(Ground { profile, mounts, loopback, unix_sockets, limits, landlock, unified, memory_group, without });

/// The part of a [`Plan`] that is known only when something is to run, and is looked for on the host no earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    pub(crate) command: Vec<OsString>,
    pub(crate) program: Program,
    pub(crate) directory: PathBuf,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// What of the host is laid over the ground.
    pub(crate) mounts: Vec<Mount>,
    pub(crate) terminal: bool,
    /// Seconds from start to end.
    pub(crate) wall: u64,
}

fields!(Errand { command, program, directory, environment, mounts, terminal, wall });

/// One place in the file system inside. It lies at the same path as outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    /// Whether a missing source is an error: one that would be written to, or that could be made from around it.
    pub(crate) required: bool,
}

fields!(Mount { path, access, required });
variants!(Program { Named, Own });
variants!(Access { Hidden, Tmpfs, Ro, Cow, Rw });
variants!(MemoryBy { Kernel, Watched });
fields!(Limits { wall, cpu, memory, memory_by, processes, open_files, output, disk, files });

/// A layer of the defence. Tests leave one out, to see that a probe notices. Nothing else can: without the feature
/// `mutants`, which only this crate's own tests switch on, no plan says so, and a launcher neither reads one that does
/// nor knows how to leave anything out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The filter on system calls.
    Seccomp,
    /// Landlock.
    Landlock,
    /// A process namespace of its own.
    Processes,
    /// A network namespace of its own.
    Network,
    /// An IPC namespace of its own.
    Ipc,
    /// A host name of its own.
    HostName,
    /// Read-only mounts.
    ReadOnly,
    /// The masks over `/proc`.
    ProcMasks,
    /// Dropping all capabilities.
    Capabilities,
    /// The limits of `setrlimit`.
    Limits,
    /// Control groups.
    Groups,
    /// Closing what the launcher had open.
    CloseFiles,
    /// Copy-on-write: the workspace is written in place.
    CopyOnWrite,
    /// The deadline.
    Deadline,
    /// The cap on output.
    OutputCap,
    /// Ending the tree when the launcher dies.
    DeathSignal,
    /// Hiding the init from what runs beside it.
    HiddenInit,
}

variants!(Layer {
    Seccomp,
    Landlock,
    Processes,
    Network,
    Ipc,
    HostName,
    ReadOnly,
    ProcMasks,
    Capabilities,
    Limits,
    Groups,
    CloseFiles,
    CopyOnWrite,
    Deadline,
    OutputCap,
    DeathSignal,
    HiddenInit,
});

impl Plan {
    /// The digest of everything that will be done.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// What can be made ready ahead of it.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Gives the program a terminal of its own, which is the only one that it can reach. Its standard input must then
    /// be a terminal, which is lent to it for the time of the run; its standard error goes where its output goes.
    #[must_use]
    pub fn with_terminal(mut self) -> Self {
        self.errand.terminal = true;
        self
    }

    /// The environment that the program will have.
    pub fn environment(&self) -> &[(OsString, OsString)] {
        &self.errand.environment
    }

    /// Leaves `layer` out, so that a test can see that it matters. A run of such a plan says `weakened` in its
    /// read-back, and so in whatever records it.
    #[cfg(any(test, feature = "mutants"))]
    #[must_use]
    pub fn without(mut self, layer: Layer) -> Self {
        self.ground.without.0.push(layer);
        if layer == Layer::CopyOnWrite {
            for mount in self.errand.mounts.iter_mut().filter(|mount| mount.access == Access::Cow) {
                mount.access = Access::Rw;
            }
        }
        self
    }
}

impl Ground {
    /// The digest of the profile, as text.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    #[cfg(any(test, feature = "mutants"))]
    pub(crate) fn has(&self, layer: Layer) -> bool {
        !self.without.0.contains(&layer)
    }

    #[cfg(not(any(test, feature = "mutants")))]
    #[allow(clippy::unused_self, reason = "what tests leave out stands in the plan")]
    pub(crate) const fn has(&self, _: Layer) -> bool {
        true
    }

    /// The layers that are left out.
    pub(crate) fn weakened(&self) -> &[Layer] {
        &self.without.0
    }
}

/// The layers that a plan leaves out: none, but in a test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Without(Vec<Layer>);

impl Wire for Without {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        let layers = Vec::take(from)?;
        if cfg!(any(test, feature = "mutants")) || layers.is_empty() { Ok(Self(layers)) } else { Err(Malformed) }
    }
}

/// Folders that no workspace may be, contain or lie in: the view inside is built there.
const RESERVED: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/proc", "/sys", "/dev", "/boot", "/run"];

/// Works a launch out, or says every reason why it cannot be.
///
/// # Errors
/// The clauses of the profile that cannot be enforced here, or that the request contradicts.
pub fn compile(profile: &Profile, request: &Request, host: &Host) -> Result<Plan, Refusal> {
    let mut refused = Vec::new();
    let mut refuse = |clause: &str, why: String| refused.push((clause.to_owned(), why));

    match host.tier() {
        None => {
            for missing in &host.missing {
                refuse("tier", format!("no {} here: {}", missing.part, missing.why));
            }
        }
        Some(tier) if profile.tier > tier => {
            refuse("tier", format!("{} is asked for, the native sandbox is {tier}", profile.tier));
        }
        Some(Tier::Confined | Tier::Namespaces | Tier::UserKernel | Tier::GuestKernel) => {}
    }

    let workspace = request.workspace.as_deref();
    if let Some(why) = workspace.and_then(unfit) {
        refuse("workspace", why);
    }
    let mounts = mounts(profile, workspace);
    let copies = mounts.iter().any(|mount| mount.access == Access::Cow);
    // As root a run is a user of its own, to whom what is not the system's must seem to belong.
    let foreign = host.root && mounts.iter().any(|mount| mount.access >= Access::Ro && !is_system(&mount.path));
    let by_kernel = profile.limits.memory_by == MemoryBy::Kernel;
    for (asked, clause, part) in [
        (copies, "files", Part::CopyOnWrite),
        (foreign, "files", Part::MappedOwner),
        (by_kernel, "memory", Part::MemoryGroup),
    ] {
        if let Some(why) = host.why_not(part).filter(|_| asked) {
            refuse(clause, format!("no {part} here: {why}"));
        }
    }
    let open_to_host =
        |mount: &&Mount| mount.access == Access::Rw || (mount.access == Access::Ro && !is_system(&mount.path));
    if let (true, Some(mount)) = (profile.unix_sockets, mounts.iter().find(open_to_host)) {
        let path = mount.path.display();
        refuse("unix_sockets", format!("a socket of the host's in `{path}` would be in reach: make it cow or hidden"));
    }
    let Some(program) = request.command.first() else {
        refuse("command", "there is none".to_owned());
        return Err(Refusal { clauses: refused });
    };
    let nul = |text: &OsString| text.as_encoded_bytes().contains(&0);
    if program.is_empty() || request.command.iter().any(nul) {
        refuse("command", "it is empty or has a NUL in it".to_owned());
    }
    let directory = request.directory.as_deref().or(workspace).unwrap_or(Path::new("/tmp")).to_owned();
    if !is_plain(&directory) {
        refuse("directory", format!("`{}` is not a plain absolute path", directory.display()));
    }
    if !refused.is_empty() {
        return Err(Refusal { clauses: refused });
    }

    let groups = &host.groups;
    let (ready, late) = divided(mounts);
    let ground = Ground {
        profile: profile.digest().to_string(),
        mounts: ready,
        loopback: profile.network == Network::Loopback,
        unix_sockets: profile.unix_sockets,
        limits: profile.limits,
        landlock: host.landlock,
        unified: groups.unified.clone(),
        memory_group: groups.memory.clone().filter(|_| by_kernel && groups.unified.is_none()),
        without: Without::default(),
    };
    let errand = Errand {
        command: request.command.clone(),
        program: request.program,
        directory,
        environment: environment(profile, &request.environment),
        mounts: late,
        terminal: false,
        wall: request.deadline.map_or(profile.limits.wall, |deadline| deadline.min(profile.limits.wall)),
    };
    Ok(Plan { ground, errand })
}

/// Those of the places that can be made ready ahead of a launch, and those that are looked for when it comes, each in
/// their order. Ahead of it come places that are empty, and what the system itself has to read, if they do not lie in
/// one that comes late. Late is what may change meanwhile: what can be written to, what lies below a copy (the kernel
/// does not say what happens if that changes), what belongs to somebody, and what hides something that may have come.
fn divided(mounts: Vec<Mount>) -> (Vec<Mount>, Vec<Mount>) {
    let (mut ready, mut late) = (Vec::new(), Vec::<Mount>::new());
    for mount in mounts {
        let steady = match mount.access {
            Access::Tmpfs => true,
            Access::Ro => is_system(&mount.path),
            Access::Hidden | Access::Cow | Access::Rw => false,
        };
        let on_late = late.iter().any(|above| mount.path.starts_with(&above.path));
        if steady && !on_late { &mut ready } else { &mut late }.push(mount);
    }
    (ready, late)
}

/// Why a folder cannot be the workspace.
fn unfit(workspace: &Path) -> Option<String> {
    if !is_plain(workspace) {
        return Some(format!("`{}` is not a plain absolute path", workspace.display()));
    }
    if workspace == Path::new("/") {
        return Some("the whole file system cannot be one".to_owned());
    }
    let reserved = RESERVED.iter().find(|reserved| workspace.starts_with(reserved));
    reserved.map(|reserved| format!("`{}` lies in `{reserved}`, which the sandbox builds itself", workspace.display()))
}

/// Whether `path` is of the system rather than of somebody who works on it.
pub(crate) fn is_system(path: &Path) -> bool {
    RESERVED.iter().any(|reserved| path.starts_with(reserved))
}

/// The places inside, parents before what lies in them.
fn mounts(profile: &Profile, workspace: Option<&Path>) -> Vec<Mount> {
    let entries = profile.files.iter().filter_map(|(place, access)| Some((place.at(workspace)?, *access)));
    // Of two names for one path (a workspace, and its path), the tighter counts.
    let mut by_path: BTreeMap<PathBuf, Access> = BTreeMap::new();
    for (path, access) in entries {
        by_path.entry(path).and_modify(|now| *now = access.min(*now)).or_insert(access);
    }
    // What lies in a folder of the host's that is written in place is protected by a mount, which needs something to
    // stand on: were it missing, the program could make it.
    let open = |path: &Path| path.ancestors().skip(1).find_map(|around| by_path.get(around)) == Some(&Access::Rw);
    let mount = |(path, access): (&PathBuf, &Access)| Mount {
        path: path.clone(),
        access: *access,
        required: *access >= Access::Cow || (*access != Access::Tmpfs && open(path)),
    };
    by_path.iter().map(mount).collect()
}

/// The environment inside, sorted: what is set, then what is passed and was not set; placeholders for secrets last,
/// which nothing else can replace.
fn environment(profile: &Profile, caller: &BTreeMap<OsString, OsString>) -> Vec<(OsString, OsString)> {
    let mut variables = BTreeMap::new();
    for name in &profile.environment.pass {
        if let Some(value) = caller.get(&OsString::from(name)).filter(|value| !value.as_encoded_bytes().contains(&0)) {
            variables.insert(OsString::from(name), value.clone());
        }
    }
    for (name, value) in &profile.environment.set {
        variables.insert(name.into(), value.into());
    }
    for (name, reference) in &profile.secrets {
        variables.insert(name.into(), format!("callgate-secret:{reference}").into());
    }
    variables.into_iter().collect()
}

#[cfg(test)]
mod tests;
