//! The program's process, from the fork to the moment when it becomes the program.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, Scope,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket, socketpair};

use super::inside::{self, Bound};
use super::start::{Word, await_go, go};
use super::terminal;
use super::view::{self, Placed};
use crate::ending::{Fault, Step};
use crate::message::receive;
use crate::plan::{self, Errand, Ground, Layer};
use crate::profile::Access;
use crate::seccomp::{self, Instruction, Switches};
use crate::sys::{self, Place, Program};

/// The newest version of Landlock whose rules are known here.
pub(super) const NEWEST_LANDLOCK: u32 = (ABI::V10 as i32).cast_unsigned();

/// What the program's process has of others'.
pub(super) struct Ends {
    /// Where all inside speak.
    pub(super) says: OwnedFd,
    /// Where the launcher speaks to it.
    pub(super) hears: OwnedFd,
    /// Between the init and it.
    pub(super) told: OwnedFd,
}

/// What the init says when the view is built. With it come the rules of Landlock, and the program's side of a terminal,
/// each if there is one.
pub(super) const BUILT: u8 = 1;

/// The two ends between the init and the program's process.
pub(super) fn channel() -> Result<(OwnedFd, OwnedFd), Fault> {
    socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).step("socket pair")
}

/// The whole life of the program's process up to the program. Never returns.
pub(super) fn main(ground: &Ground, ends: Ends) -> ! {
    let says = ends.says.as_fd().try_clone_to_owned();
    let fault = become_program(ground, ends);
    if let Ok(says) = says {
        let _ = Word::Failed(fault).say(says, &[]);
    }
    sys::leave(127)
}

/// Comes back only with what went wrong.
fn become_program(ground: &Ground, ends: Ends) -> Fault {
    let ready = stand_apart(ground, &ends).and_then(|()| {
        let (program, landlock) = bind(ground, &ends)?;
        Word::Bound(landlock).say(&ends.says, &[]).step("tell the launcher")?;
        await_go(&ends.hears)?;
        Ok(program)
    });
    match ready {
        Ok(program) => Fault::new("execute", program.execute()),
        Err(fault) => fault,
    }
}

/// What needs neither the view nor an errand. At its word the process can enter no namespace and gain nothing any more;
/// after this it makes only the system calls that the program may, too.
fn stand_apart(ground: &Ground, ends: &Ends) -> Result<(), Fault> {
    if ground.has(Layer::Network) {
        sys::leave_network().step("network namespace")?;
        if ground.loopback {
            let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).step("loopback")?;
            sys::raise_loopback(socket).step("loopback")?;
        }
        go(&ends.told)?;
    }
    inside::drop_capabilities(ground)?;
    // Where it is is read back while it goes on.
    Word::Apart.say(&ends.says, &[]).step("tell the launcher")?;
    // Its own session, so that no terminal of anybody's can be its own.
    rustix::process::setsid().step("session")?;
    sys::reset_signals();
    inside::limits(ground, Bound::ButDescriptors)?;
    if ground.has(Layer::Seccomp) {
        install(seccomp::filter(Switches { internet: ground.loopback, unix: ground.unix_sockets }))?;
    }
    Ok(())
}

/// Hears what is to run, and takes its place in the view. The program, ready to be executed, and the version of
/// Landlock that holds it.
fn bind(ground: &Ground, ends: &Ends) -> Result<(Program, u32), Fault> {
    let gone = || Fault::new("hear the errand", "nobody is there any more");
    let (errand, streams) = receive::<Errand>(&ends.hears).step("hear the errand")?.ok_or_else(gone)?;
    let mut streams = streams.into_iter();
    let own = if errand.program == plan::Program::Own { streams.next() } else { None };
    let program = executable(&errand, own)?;
    // The view is there, and it is this process's root, too.
    let Ok(Some((_, bounds))) = receive::<u8>(&ends.told) else {
        // What the init failed at it says itself, and that is what the launcher is to hear.
        sys::leave(1)
    };
    let mut bounds = bounds.into_iter();
    let rules = if ground.has(Layer::Landlock) { bounds.next() } else { None };
    match bounds.next() {
        Some(terminal) => terminal::take(&terminal)?,
        None if errand.terminal => return Err(Fault::new("terminal", "it did not come")),
        None => take_streams(streams)?,
    }
    rustix::process::chdir(&errand.directory).step(format!("enter {}", errand.directory.display()))?;
    if ground.has(Layer::CloseFiles) {
        sys::close_on_exec_from(3).step("close the rest")?;
    }
    inside::limits(ground, Bound::Descriptors)?;
    if !ground.has(Layer::Landlock) {
        return Ok((program, 0));
    }
    let rules = rules.ok_or_else(|| Fault::new("Landlock", "its rules did not come"))?;
    sys::restrict_by_landlock(rules.as_fd()).step("Landlock")?;
    // It says that it holds; see whether it does.
    match std::fs::File::open(view::CANARY) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok((program, ground.landlock)),
        Err(error) => Err(Fault::new("Landlock", error)),
        Ok(_) => Err(Fault::new("Landlock", "it does not hold")),
    }
}

/// Takes the program's streams: output, errors, and input, if any.
fn take_streams(mut streams: impl Iterator<Item = OwnedFd>) -> Result<(), Fault> {
    let (Some(stdout), Some(stderr)) = (streams.next(), streams.next()) else {
        return Err(Fault::new("standard output", "it did not come"));
    };
    match streams.next() {
        Some(stdin) => rustix::stdio::dup2_stdin(stdin).step("standard input")?,
        None => {
            let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
            rustix::stdio::dup2_stdin(null.step("standard input")?).step("standard input")?;
        }
    }
    rustix::stdio::dup2_stdout(stdout).step("standard output")?;
    rustix::stdio::dup2_stderr(stderr).step("standard error")
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
pub(super) fn rules(ground: &Ground, placed: &[Placed], own: Option<&OwnedFd>) -> Result<OwnedFd, Fault> {
    let abi = ABI::from(ground.landlock.cast_signed());
    let all = AccessFs::from_all(abi);
    let read = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute;
    let write = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let device = all & (AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate);
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset = ruleset.handle_access(all).step("Landlock")?;
    let net = AccessNet::from_all(abi);
    if !ground.loopback && !net.is_empty() {
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
            Err(_) if path == "/proc" && !ground.has(Layer::Processes) => {}
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
    Option::from(created).ok_or_else(|| Fault::new("Landlock", "it has no rules here"))
}

/// Where the program may be: what is open already; else at its path, or, if it is only a name, in the folders of the
/// `PATH` that it will have.
fn executable(errand: &Errand, own: Option<OwnedFd>) -> Result<Program, Fault> {
    let name = errand.command.first().cloned().unwrap_or_default();
    let paths: Vec<OsString> = if name.as_bytes().contains(&b'/') {
        vec![name]
    } else {
        let path = errand.environment.iter().find(|(key, _)| key == "PATH").map(|(_, value)| value.clone());
        let folders = path.unwrap_or_else(|| "/usr/bin:/bin".into());
        // An empty part would mean the folder that one happens to be in.
        let folders = folders.as_bytes().split(|byte| *byte == b':').filter(|folder| !folder.is_empty());
        folders.map(|folder| PathBuf::from(OsString::from_vec(folder.to_vec())).join(&name).into_os_string()).collect()
    };
    let variables = errand.environment.iter().map(|(name, value)| {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        variable
    });
    let place = own.map_or(Place::Paths(paths), Place::Open);
    Program::new(place, errand.command.iter().cloned(), variables)
        .ok_or_else(|| Fault::new("execute", "a NUL in the command"))
}
