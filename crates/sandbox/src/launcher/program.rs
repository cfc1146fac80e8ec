//! The program's process, from the fork to the moment when it becomes the program.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::inside::{self, Ends};
use super::start::{Word, await_go};
use super::terminal;
use super::view::{self, Placed};
use crate::ending::{Fault, Step};
use crate::plan::{Layer, Plan};
use crate::profile::Access;
use crate::seccomp::{self, Instruction, Switches};
use crate::sys::{self, Place, Program};

/// The newest version of Landlock whose rules are known here.
pub(super) const NEWEST_LANDLOCK: u32 = (ABI::V10 as i32).cast_unsigned();

/// Everything that binds the program, made before the fork so that little is left to do after it.
pub(super) struct Bound {
    rules: Option<RulesetCreated>,
    filter: &'static [Instruction],
    program: Program,
}

impl Bound {
    pub(super) fn prepare(plan: &Plan, placed: &[Placed], own: Option<&OwnedFd>) -> Result<Self, Fault> {
        let switches = Switches { internet: plan.loopback, unix: plan.unix_sockets };
        Ok(Self {
            rules: if plan.has(Layer::Landlock) { Some(rules(plan, placed, own)?) } else { None },
            filter: seccomp::filter(switches),
            program: executable(plan, own)?,
        })
    }
}

/// The whole life of the program's process up to the program. Never returns.
pub(super) fn main(plan: &Plan, ends: Ends, bound: Bound) -> ! {
    let launcher = ends.launcher.as_fd().try_clone_to_owned();
    let fault = become_program(plan, ends, bound);
    if let Ok(launcher) = launcher {
        let _ = Word::Failed(fault).say(launcher, &[]);
    }
    sys::leave(127)
}

/// Comes back only with what went wrong.
fn become_program(plan: &Plan, ends: Ends, bound: Bound) -> Fault {
    let Bound { rules, filter, program } = bound;
    let prepared = prepare(plan, &ends, rules, filter);
    match prepared.and_then(|landlock| {
        Word::Bound(landlock).say(&ends.launcher, &[]).step("tell the launcher")?;
        await_go(&ends.launcher)
    }) {
        Ok(()) => Fault::new("execute", program.execute()),
        Err(fault) => fault,
    }
}

fn prepare(plan: &Plan, ends: &Ends, rules: Option<RulesetCreated>, filter: &[Instruction]) -> Result<u32, Fault> {
    inside::drop_capabilities(plan)?;
    // Its own session, so that no terminal of anybody's can be its own.
    rustix::process::setsid().step("session")?;
    match &ends.terminal {
        Some(terminal) => terminal::take(terminal)?,
        None => streams(ends)?,
    }
    rustix::process::chdir(&plan.directory).step(format!("enter {}", plan.directory.display()))?;
    sys::reset_signals();
    if plan.has(Layer::CloseFiles) {
        sys::close_on_exec_from(3).step("close the rest")?;
    }
    let mut landlock = 0;
    if let Some(rules) = rules {
        let RestrictionStatus { ruleset, no_new_privs, .. } = rules.restrict_self().step("Landlock")?;
        if ruleset != RulesetStatus::FullyEnforced || !no_new_privs {
            return Err(Fault::new("Landlock", "it is not fully enforced"));
        }
        // It says that it holds; see whether it does.
        match std::fs::File::open(view::CANARY) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => landlock = plan.landlock,
            Err(error) => return Err(Fault::new("Landlock", error)),
            Ok(_) => return Err(Fault::new("Landlock", "it does not hold")),
        }
    }
    if plan.has(Layer::Seccomp) {
        install(filter)?;
    }
    Ok(landlock)
}

/// Gives the program its three streams.
fn streams(ends: &Ends) -> Result<(), Fault> {
    match &ends.stdin {
        Some(stdin) => rustix::stdio::dup2_stdin(stdin).step("standard input")?,
        None => {
            let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
            rustix::stdio::dup2_stdin(null.step("standard input")?).step("standard input")?;
        }
    }
    rustix::stdio::dup2_stdout(&ends.stdout).step("standard output")?;
    rustix::stdio::dup2_stderr(&ends.stderr).step("standard error")
}

/// Puts a filter in force for this process and all that come from it.
pub(super) fn install(filter: &[Instruction]) -> Result<(), Fault> {
    let filter: Vec<seccompiler::sock_filter> = filter
        .iter()
        .map(|step| seccompiler::sock_filter {
            code: step.code,
            jt: step.when_true,
            jf: step.when_false,
            k: step.operand,
        })
        .collect();
    seccompiler::apply_filter(&filter).step("system call filter")
}

/// The rules of Landlock: for each place what the plan says, for the rest nothing but listing folders.
fn rules(plan: &Plan, placed: &[Placed], own: Option<&OwnedFd>) -> Result<RulesetCreated, Fault> {
    let abi = ABI::from(plan.landlock.cast_signed());
    let all = AccessFs::from_all(abi);
    let read = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute;
    let write = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let device = all & (AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate);
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset = ruleset.handle_access(all).step("Landlock")?;
    let net = AccessNet::from_all(abi);
    if !plan.loopback && !net.is_empty() {
        ruleset = ruleset.handle_access(net).step("Landlock")?;
    }
    let scope = Scope::from_all(abi);
    if !scope.is_empty() {
        ruleset = ruleset.scope(scope).step("Landlock")?;
    }
    let mut created = ruleset.create().step("Landlock")?;
    let mut rule = |node: BorrowedFd<'_>, access: BitFlags<AccessFs>, path: &Path| {
        (&mut created)
            .add_rule(PathBeneath::new(node, access))
            .step(format!("Landlock for {}", path.display()))
            .map(drop)
    };
    for (path, access) in [
        ("/", AccessFs::ReadDir.into()),
        ("/proc", AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile),
        ("/dev/shm", write & !AccessFs::Execute),
        // Both were made here and are on a root that is read-only.
        ("/dev", device | AccessFs::ReadDir),
        ("/etc", AccessFs::ReadFile | AccessFs::ReadDir),
    ] {
        match PathFd::new(path) {
            Ok(node) => rule(node.as_fd(), access, Path::new(path))?,
            // For a test, one can be left out.
            Err(_) if path == "/proc" && !plan.has(Layer::Processes) => {}
            Err(error) => return Err(Fault::new(format!("Landlock for {path}"), error)),
        }
    }
    // A link gets its rights from where it leads.
    for Placed { path, access, folder, mount } in placed {
        let access = match access {
            Access::Hidden => AccessFs::ReadFile | AccessFs::ReadDir,
            Access::Ro => read,
            Access::Tmpfs | Access::Cow | Access::Rw => write,
        };
        let access = if *folder { access } else { access & AccessFs::from_file(abi) };
        rule(mount.as_fd(), access, path)?;
    }
    if let Some(own) = own {
        let access = AccessFs::ReadFile | AccessFs::Execute;
        (&mut created).add_rule(PathBeneath::new(own, access)).step("Landlock for the launcher's own program")?;
    }
    Ok(created)
}

/// Where the program may be: what is open already; else at its path, or, if it is only a name, in the folders of the
/// `PATH` that it will have.
fn executable(plan: &Plan, own: Option<&OwnedFd>) -> Result<Program, Fault> {
    let own = own.map(OwnedFd::try_clone).transpose().step("execute")?;
    let name = plan.command.first().cloned().unwrap_or_default();
    let paths: Vec<OsString> = if name.as_bytes().contains(&b'/') {
        vec![name]
    } else {
        let path = plan.environment.iter().find(|(key, _)| key == "PATH").map(|(_, value)| value.clone());
        let folders = path.unwrap_or_else(|| "/usr/bin:/bin".into());
        // An empty part would mean the folder that one happens to be in.
        let folders = folders.as_bytes().split(|byte| *byte == b':').filter(|folder| !folder.is_empty());
        folders.map(|folder| PathBuf::from(OsString::from_vec(folder.to_vec())).join(&name).into_os_string()).collect()
    };
    let variables = plan.environment.iter().map(|(name, value)| {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        variable
    });
    let place = own.map_or(Place::Paths(paths), Place::Open);
    Program::new(place, plan.command.iter().cloned(), variables)
        .ok_or_else(|| Fault::new("execute", "a NUL in the command"))
}
