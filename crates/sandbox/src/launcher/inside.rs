//! The init: process 1 inside. It builds the view, forks the program, and collects what is orphaned.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::mounts::{self, Sources};
use super::start::{INSIDE_ID, Word, await_go};
use super::{groups, program, terminal, view};
use crate::ending::{Fault, Step};
use crate::plan::{Layer, Plan};
use crate::profile::MemoryBy;
use crate::seccomp::{self, Answer, Instruction, Rule};
use crate::sys::{self, Side};

/// What the init has open.
pub(super) struct Ends {
    pub(super) launcher: OwnedFd,
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// The launcher's own program, if that is what will run.
    pub(super) own: Option<OwnedFd>,
    /// The program's side of its terminal, which then takes the place of the three.
    pub(super) terminal: Option<OwnedFd>,
}

/// The whole life of the init. Never returns: it is a copy of the launcher and must not go on as one.
pub(super) fn main(plan: &Plan, ends: Ends, group: Option<OwnedFd>, sources: Option<Sources>) -> ! {
    let launcher = ends.launcher.as_fd().try_clone_to_owned();
    let Err(fault) = build_and_run(plan, ends, group, sources);
    if let Ok(launcher) = launcher {
        let _ = Word::Failed(fault).say(launcher, &[]);
    }
    sys::leave(1)
}

fn build_and_run(
    plan: &Plan,
    mut ends: Ends,
    group: Option<OwnedFd>,
    sources: Option<Sources>,
) -> Result<Infallible, Fault> {
    if let Some(group) = group {
        groups::enter(&group).step("enter the control group")?;
    }
    // Only now, so that nothing shows of what the group is called.
    sys::leave_control_groups().step("control group namespace")?;
    // The slowest of the namespaces, while the launcher sees to the rest.
    if plan.has(Layer::Network) {
        sys::leave_network().step("network namespace")?;
    }
    // Until the launcher says so, nobody inside has an identity.
    await_go(&ends.launcher)?;
    // Unless root has opened them, while this is still the user outside that it was.
    let sources = match sources {
        Some(sources) => sources,
        None => mounts::open_all(plan)?,
    };
    become_the_user(plan.has(Layer::DeathSignal))?;
    rustix::process::setsid().step("session")?;
    if plan.has(Layer::HostName) {
        rustix::system::sethostname(b"sandbox").step("host name")?;
    }
    if plan.loopback && plan.has(Layer::Network) {
        use rustix::net::{AddressFamily, SocketType, socket};
        let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).step("loopback")?;
        sys::raise_loopback(socket).step("loopback")?;
    }
    let view::View { written, placed, .. } = view::build(plan, sources)?;

    let mut launchers_side = None;
    if plan.terminal {
        let (ours, programs) = terminal::open_inside()?;
        (launchers_side, ends.terminal) = (Some(ours), Some(programs));
    }
    limits(plan)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    rustix::thread::set_no_new_privs(true).step("no-new-privileges")?;
    let bound = program::Bound::prepare(plan, &placed, ends.own.as_ref())?;
    drop(placed);
    // The launcher reads back what the program's process got, which it may not of one that hides; nothing else lives in
    // here yet that could.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).step("show oneself")?;
    let (first, handle) = match sys::fork(0, None).step("fork")? {
        Side::Child => program::main(plan, ends, bound),
        Side::Parent { pid, handle } => (pid.as_raw_nonzero().get(), handle),
    };
    // While the program's process binds itself. It does not start before the launcher has heard the next word.
    view::detach_old_root()?;
    drop_capabilities(plan)?;
    if plan.has(Layer::HiddenInit) {
        // Nobody inside may look into this process: it is a copy of the launcher, which knows the plan.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).step("hide the init")?;
    }
    let told: Vec<BorrowedFd<'_>> =
        std::iter::once(&handle).chain(&launchers_side).chain(&written).map(AsFd::as_fd).collect();
    Word::Forked.say(&ends.launcher, &told).step("tell the launcher")?;
    drop((handle, launchers_side, written));
    let launcher = ends.launcher;
    drop((ends.stdin, ends.stdout, ends.stderr, ends.terminal, ends.own));
    collect(plan, &launcher, first)
}

/// Collects what ends, until the program has. From here on every other descriptor is closed behind its owner's back,
/// so that this ends without coming back: nothing is dropped.
fn collect(plan: &Plan, launcher: &OwnedFd, first: i32) -> ! {
    let bound =
        sys::close_all_but(&[launcher.as_fd()]).step("close the rest").and_then(|()| match plan.has(Layer::Seccomp) {
            true => program::install(init_filter()),
            false => Ok(()),
        });
    if let Err(fault) = bound {
        let _ = Word::Failed(fault).say(launcher, &[]);
        sys::leave(1)
    }
    while let Some(ended) = sys::wait_for_child() {
        if ended.pid == first {
            // If the launcher does not hear it, it sees the end of this process, which ends everything else in here.
            let _ = Word::Ended(ended.status, ended.cpu_micros, ended.peak_kib).say(launcher, &[]);
            sys::leave(0)
        }
    }
    sys::leave(1)
}

/// From whoever it was outside to the one user there is inside, with all capabilities in here for now.
pub(super) fn become_the_user(dies_with_launcher: bool) -> Result<(), Fault> {
    rustix::thread::set_keep_capabilities(true).step("keep capabilities")?;
    let (user, group) = (Uid::from_raw(INSIDE_ID), Gid::from_raw(INSIDE_ID));
    rustix::thread::set_thread_res_gid(group, group, group).step("become the user")?;
    rustix::thread::set_thread_res_uid(user, user, user).step("become the user")?;
    if dies_with_launcher {
        // After the change of identity, which clears it. If the launcher has died before, nobody lets us go on.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step("death signal")?;
    }
    let all = rustix::thread::capabilities(None).step("capabilities")?;
    let sets =
        CapabilitySets { effective: all.permitted, permitted: all.permitted, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).step("capabilities")
}

/// Gives all capabilities up, for ever.
pub(super) fn drop_capabilities(plan: &Plan) -> Result<(), Fault> {
    if !plan.has(Layer::Capabilities) {
        return Ok(());
    }
    rustix::thread::clear_ambient_capability_set().step("ambient capabilities")?;
    for capability in CapabilitySet::all().iter() {
        // The kernel may know fewer than we do, and more: `u64::MAX` is read back as missing.
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(Fault::new("bounding set", error)),
        }
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).step("capabilities")
}

/// Both bounds of each, so that nothing inside can raise one.
fn limits(plan: &Plan) -> Result<(), Fault> {
    if !plan.has(Layer::Limits) {
        return Ok(());
    }
    let limits = &plan.limits;
    let mut list = vec![
        // Not 0: a handler that `core_pattern` names would still be started, as root and outside, on memory of the
        // program's choice. At 1 the kernel starts none (it is how it keeps handlers from dumping themselves), and the
        // system call filter lets nobody set another.
        (Resource::Core, 1),
        (Resource::Fsize, limits.disk),
        (Resource::Nofile, limits.open_files),
        // The init counts, too.
        (Resource::Nproc, limits.processes.saturating_add(1)),
        (Resource::Memlock, 64 << 10),
        (Resource::Msgqueue, 0),
        (Resource::Sigpending, 1024),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
    ];
    if limits.memory_by == MemoryBy::Watched {
        // What one process may hold by itself. Address space that is only reserved does not count, so that runtimes
        // which reserve much and use little still start.
        list.push((Resource::Data, limits.memory));
    }
    for (resource, most) in list {
        // Somebody outside may have set less, which nobody can raise.
        let now = rustix::process::getrlimit(resource);
        let most = Some(now.maximum.map_or(most, |maximum| most.min(maximum)));
        rustix::process::setrlimit(resource, Rlimit { current: most, maximum: most }).step("limits")?;
    }
    // The second before the kernel kills is for `SIGXCPU`, which says why.
    let cpu = Rlimit { current: Some(limits.cpu), maximum: Some(limits.cpu.saturating_add(1)) };
    rustix::process::setrlimit(Resource::Cpu, cpu).step("limits")
}

/// The filter for the init. It is made once, by the mother of launchers.
pub(super) fn init_filter() -> &'static [Instruction] {
    static FILTER: OnceLock<Vec<Instruction>> = OnceLock::new();
    FILTER.get_or_init(|| seccomp::program(&init_calls(), Answer::Kill))
}

/// All that the init still does: wait, tell, end.
fn init_calls() -> Vec<Rule> {
    [
        libc::SYS_wait4,
        libc::SYS_sendmsg,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_close,
        libc::SYS_rt_sigreturn,
        libc::SYS_restart_syscall,
    ]
    .into_iter()
    .map(|call| Rule { number: u32::try_from(call).unwrap_or(u32::MAX), clauses: Vec::new(), otherwise: Answer::Allow })
    .collect()
}
