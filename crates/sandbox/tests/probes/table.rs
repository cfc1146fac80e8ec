//! All probes: what is tried, how success would show outside, and who can do it without a sandbox.
//!
//! Words in braces are filled in by the fixture: `{outside}` a folder beside the workspace, `{work}` the workspace,
//! `{token}` a secret that stands on the host, `{victim}` a process of the same user, addresses of listeners, and
//! `{unique}`, which no other trial has. Words of the form `NAME=value` before the attack's name are variables of whoever
//! starts it.

mod benign;
mod commit;
mod facts;
mod files;
mod identity;
mod kernel;
mod limits;
mod neighbours;
mod network;
mod processes;
mod variables;
mod workspace;

/// The parts of the table.
const PARTS: &[&[Probe]] = &[
    files::PROBES,
    workspace::PROBES,
    commit::PROBES,
    identity::PROBES,
    variables::PROBES,
    processes::PROBES,
    neighbours::PROBES,
    network::PROBES,
    kernel::PROBES,
    limits::PROBES,
    facts::PROBES,
];

/// The whole table.
pub(crate) fn probes() -> impl Iterator<Item = &'static Probe> {
    PARTS.iter().copied().flatten()
}

/// What must work, inside as well.
pub(crate) fn benign() -> &'static [Probe] {
    benign::PROBES
}

/// How success shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shows {
    /// The attacker prints this, which it can only have from the host.
    Says(&'static str),
    /// This file of the host exists or holds `planted`; after `!`, this one is gone.
    File(&'static str),
    /// At this path of the host there is something now, be it what it may.
    There(&'static str),
    /// This file of the host has this mode, in octal.
    Mode(&'static str, u32),
    /// This file of the host has an extended attribute of this name.
    Attribute(&'static str, &'static str),
    /// The files of the workspace, on the host, come to this many MiB.
    Grown(u64),
    /// The victim is dead.
    Death,
    /// The victim's limit on open files is 7.
    VictimLimit,
    /// The victim's priority is 15.
    VictimPriority,
    /// The neighbour is dead.
    NeighbourDeath,
    /// The host's listener heard this.
    Heard(&'static str),
    /// The host has a System V segment of the probe's key.
    Segment,
    /// At its worst it had, seen from outside, as much of this.
    Peak(Resource, u64),
    /// It handed on as many bytes as this.
    Output(usize),
    /// While it ran, another process of the same user could not get one of these.
    Starves(&'static str),
    /// Something of it lives on.
    Survives,
    /// The kernel carried it out; there is nothing else to see.
    Claims,
}

/// What is counted outside while an attack runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Processes.
    Processes,
    /// MiB of memory, over all of them.
    Memory,
    /// Open files of one process.
    Descriptors,
    /// MiB on disk in the folder that is its second word.
    Disk,
    /// Files in that folder.
    Files,
    /// Tenths of a second from the first sight of it to the last.
    Time,
    /// Tenths of a second of processor time, over all of them.
    Processor,
}

/// Who succeeds without a sandbox: the positive control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// Root and an ordinary user.
    Both,
    /// Root alone.
    Root,
    /// An ordinary user alone: root is exempt.
    User,
    /// An ordinary user; never tried as root without a sandbox, for what it would do: what.
    UserOnly(&'static str),
    /// Not provable on the machine that this was written on: why.
    Nobody(&'static str),
    /// Never tried without a sandbox, for what it would do: what.
    Never(&'static str),
}

/// For whom a probe succeeds inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllowedTo {
    /// Whoever starts the launcher.
    Everybody,
    /// Only where an ordinary user does.
    User,
}

/// What happens around an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// Nothing.
    Alone,
    /// Another run of the same user over the same workspace goes on beside it; outside, another program.
    Neighbour,
    /// Whoever started it is killed by `SIGKILL`.
    Orphaned,
}

/// Instead of a program: that this machine has a way out itself.
pub(crate) const ROUTE: &str = "a default route";

pub(crate) struct Probe {
    pub(crate) part: &'static str,
    pub(crate) what: &'static str,
    pub(crate) words: &'static str,
    pub(crate) shows: Shows,
    pub(crate) outside: Outside,
    /// Clauses under which it runs inside, upon those of `workspace`.
    pub(crate) under: &'static str,
    pub(crate) scene: Scene,
    /// A program that a user's machine may lack.
    pub(crate) needs: Option<&'static str>,
    /// For whom it succeeds inside, and why that is no way to the host.
    pub(crate) allowed: Option<(AllowedTo, &'static str)>,
}

pub(crate) const fn p(
    part: &'static str,
    what: &'static str,
    words: &'static str,
    shows: Shows,
    outside: Outside,
) -> Probe {
    Probe { part, what, words, shows, outside, under: "", scene: Scene::Alone, needs: None, allowed: None }
}

impl Probe {
    const fn under(mut self, clauses: &'static str) -> Self {
        self.under = clauses;
        self
    }

    const fn scene(mut self, scene: Scene) -> Self {
        self.scene = scene;
        self
    }

    const fn needs(mut self, program: &'static str) -> Self {
        self.needs = Some(program);
        self
    }

    const fn allowed(mut self, why: &'static str) -> Self {
        self.allowed = Some((AllowedTo::Everybody, why));
        self
    }

    const fn allowed_to_users(mut self, why: &'static str) -> Self {
        self.allowed = Some((AllowedTo::User, why));
        self
    }
}
