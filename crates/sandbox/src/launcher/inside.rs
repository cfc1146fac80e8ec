//! The init: process 1 inside. It builds the view, forks the program, and collects what is orphaned.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::mounts::{self, Sources};
use super::start::{INSIDE_ID, Word, await_go};
use super::{groups, handed, program, terminal, view};
use crate::ending::{Fault, Step};
use crate::message::{receive, send};
use crate::plan::{Errand, Ground, Layer};
use crate::profile::MemoryBy;
use crate::seccomp::{self, Answer, Instruction, Rule};
use crate::sys::{self, Side};

/// What the init has of the launcher's.
pub(super) struct Ends {
    /// Where all inside speak.
    pub(super) says: OwnedFd,
    /// Where the launcher speaks to the init.
    pub(super) hears: OwnedFd,
    /// Where it speaks to the program's process.
    pub(super) program_hears: OwnedFd,
}

/// The whole life of the init. Never returns: it is a copy of the launcher and must not go on as one. `root`: whether
/// the launcher is root, and so hands over what the init could not reach.
pub(super) fn main(ground: &Ground, ends: Ends, group: Option<OwnedFd>, root: bool) -> ! {
    let says = ends.says.as_fd().try_clone_to_owned();
    let Err(fault) = build_and_run(ground, ends, group, root);
    if let Ok(says) = says {
        let _ = Word::Failed(fault).say(says, &[]);
    }
    sys::leave(1)
}

fn build_and_run(ground: &Ground, ends: Ends, group: Option<OwnedFd>, root: bool) -> Result<Infallible, Fault> {
    // Nobody inside has the launcher's socket to the supervisor.
    rustix::stdio::dup2_stdin(rustix::stdio::stdout()).step("standard input")?;
    if let Some(group) = group {
        groups::enter(&group).step("enter the control group")?;
    }
    // Only now, so that nothing shows of what the group is called.
    sys::leave_control_groups().step("control group namespace")?;
    let Ends { says, hears, program_hears } = ends;
    // Until the launcher says so, nobody inside has an identity.
    await_go(&hears)?;
    become_the_user(ground.has(Layer::DeathSignal))?;
    rustix::process::setsid().step("session")?;
    if ground.has(Layer::HostName) {
        rustix::system::sethostname(b"sandbox").step("host name")?;
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    rustix::thread::set_no_new_privs(true).step("no-new-privileges")?;
    empty_bounding_set(ground)?;
    // The launcher reads back what the program's process got, which it may not of one that hides; nothing else lives in
    // here yet that could.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).step("show oneself")?;
    // Early, so that what it can do for itself (the network's namespace takes longest of all) is done meanwhile.
    let (tells, told) = program::channel()?;
    let (first, handle) = match sys::fork(0, None).step("fork")? {
        Side::Child => {
            drop((hears, tells));
            program::main(ground, program::Ends { says, hears: program_hears, told })
        }
        Side::Parent { pid, handle } => (pid.as_raw_nonzero().get(), handle),
    };
    drop((program_hears, told));

    let mut laid = view::Ground::lay(ground)?;
    laid.add(match root {
        true => handed::take(&hears)?,
        false => Sources::open(ground, &ground.mounts, &mounts::DEVICES)?,
    })?;
    Word::Laid.say(&says, &[handle.as_fd()]).step("tell the launcher")?;

    let gone = || Fault::new("hear the errand", "the launcher is gone");
    let (errand, own) = receive::<Errand>(&hears).step("hear the errand")?.ok_or_else(gone)?;
    let sources = match root {
        true => handed::take(&hears)?,
        false => Sources::open(ground, &errand.mounts, devices(&errand))?,
    };
    drop(hears);
    let mut view = laid.enter(ground, sources, errand.terminal)?;
    let (mut launchers_side, mut terminal) = (None, None);
    if errand.terminal {
        let (ours, programs) = terminal::open_inside()?;
        (launchers_side, terminal) = (Some(ours), Some(programs));
    }
    let rules = match ground.has(Layer::Landlock) {
        true => Some(program::rules(ground, &view.placed, own.first())?),
        false => None,
    };
    view.placed.clear();
    drop(own);
    let bound: Vec<BorrowedFd<'_>> = rules.iter().chain(&terminal).map(AsFd::as_fd).collect();
    send(&tells, &program::BUILT, &bound).step("tell the program's process")?;
    drop((rules, terminal));
    // While that binds itself. It does not start before the launcher has heard the next word.
    view::detach_old_root(&view)?;
    if ground.has(Layer::Network) {
        // Its namespace is there by now, and this process belongs nowhere else.
        await_go(&tells)?;
        sys::join_network(handle.as_fd()).step("network namespace")?;
    }
    limits(ground, Bound::All)?;
    drop_capabilities(ground)?;
    if ground.has(Layer::HiddenInit) {
        // Nobody inside may look into this process: it is a copy of the launcher, which knows the plan.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).step("hide the init")?;
    }
    let kept: Vec<BorrowedFd<'_>> = launchers_side.iter().chain(&view.written).map(AsFd::as_fd).collect();
    Word::Built.say(&says, &kept).step("tell the launcher")?;
    drop((handle, launchers_side, view, tells));
    collect(ground, &says, first)
}

/// The devices that come with an errand.
pub(super) fn devices(errand: &Errand) -> &'static [&'static str] {
    if errand.terminal { &mounts::TERMINAL } else { &[] }
}

/// Collects what ends, until the program has. From here on every other descriptor is closed behind its owner's back,
/// so that this ends without coming back: nothing is dropped.
fn collect(ground: &Ground, says: &OwnedFd, first: i32) -> ! {
    let bound =
        sys::close_all_but(&[says.as_fd()]).step("close the rest").and_then(|()| match ground.has(Layer::Seccomp) {
            true => program::install(init_filter()),
            false => Ok(()),
        });
    if let Err(fault) = bound {
        let _ = Word::Failed(fault).say(says, &[]);
        sys::leave(1)
    }
    while let Some(ended) = sys::wait_for_child() {
        if ended.pid == first {
            // If the launcher does not hear it, it sees the end of this process, which ends everything else in here.
            let _ = Word::Ended(ended.status, ended.cpu_micros, ended.peak_kib).say(says, &[]);
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

/// Sees to it that nobody who comes from here gains a capability. It takes none away from who has some.
fn empty_bounding_set(ground: &Ground) -> Result<(), Fault> {
    if !ground.has(Layer::Capabilities) {
        return Ok(());
    }
    for capability in CapabilitySet::all().iter() {
        // The kernel may know fewer than we do, and more: `u64::MAX` is read back as missing.
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(Fault::new("bounding set", error)),
        }
    }
    Ok(())
}

/// Gives all capabilities up, for ever: the bounding set is empty by now.
pub(super) fn drop_capabilities(ground: &Ground) -> Result<(), Fault> {
    if !ground.has(Layer::Capabilities) {
        return Ok(());
    }
    rustix::thread::clear_ambient_capability_set().step("ambient capabilities")?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).step("capabilities")
}

/// Which of the limits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// All of them.
    All,
    /// All but that on descriptors, for who has some to take yet.
    ButDescriptors,
    /// That one.
    Descriptors,
}

/// Sets limits, both bounds of each, so that nothing inside can raise one.
pub(super) fn limits(ground: &Ground, which: Bound) -> Result<(), Fault> {
    if !ground.has(Layer::Limits) {
        return Ok(());
    }
    let limits = &ground.limits;
    if which != Bound::ButDescriptors {
        limit(Resource::Nofile, limits.open_files)?;
    }
    if which == Bound::Descriptors {
        return Ok(());
    }
    for (resource, most) in [
        // Not 0: a handler that `core_pattern` names would still be started, as root and outside, on memory of the
        // program's choice. At 1 the kernel starts none (it is how it keeps handlers from dumping themselves), and the
        // system call filter lets nobody set another.
        (Resource::Core, 1),
        (Resource::Fsize, limits.disk),
        // The init counts, too.
        (Resource::Nproc, limits.processes.saturating_add(1)),
        (Resource::Memlock, 64 << 10),
        (Resource::Msgqueue, 0),
        (Resource::Sigpending, 1024),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
    ] {
        limit(resource, most)?;
    }
    if limits.memory_by == MemoryBy::Watched {
        // What one process may hold by itself. Address space that is only reserved does not count, so that runtimes
        // which reserve much and use little still start.
        limit(Resource::Data, limits.memory)?;
    }
    // The second before the kernel kills is for `SIGXCPU`, which says why.
    let cpu = Rlimit { current: Some(limits.cpu), maximum: Some(limits.cpu.saturating_add(1)) };
    rustix::process::setrlimit(Resource::Cpu, cpu).step("limits")
}

fn limit(resource: Resource, most: u64) -> Result<(), Fault> {
    // Somebody outside may have set less, which nobody can raise.
    let now = rustix::process::getrlimit(resource);
    let most = Some(now.maximum.map_or(most, |maximum| most.min(maximum)));
    rustix::process::setrlimit(resource, Rlimit { current: most, maximum: most }).step("limits")
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
