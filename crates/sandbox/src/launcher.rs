//! The launcher: a process of its own with a single thread, which makes one sandbox, watches over it, and ends it.
//!
//! ```text
//! supervisor ──socket──► launcher ──clone──► init (process 1 inside) ──fork──► program
//! ```
//!
//! The launcher stays outside. It hands output on, keeps the deadline and the caps, and kills the tree when they are
//! reached, when the supervisor asks or dies, or when the program has ended. The init forks the program's process, builds
//! the view inside, and collects what is orphaned; when it ends, the kernel ends everything in its process namespace. The
//! program's process binds itself (network of its own, no capabilities, system call filter; and when the view is there,
//! Landlock), waits until the launcher has read back what it got, and only then executes what was asked for.
//!
//! What depends on the profile alone is done first, the same way whether it is known by then what will run or not; what
//! depends on the errand, and whatever lies on the host and may change, comes after that ([`start`]).
//!
//! A sandbox is never forked from the supervisor: that has threads, and a fork would copy their locks as they are. A
//! launcher is forked from its mother, which the supervisor started as a program of its own, and which does nothing
//! but that: it has one thread, sees no plan, and is told nothing of any run.

mod count;
mod groups;
mod handed;
mod inside;
mod mounts;
mod owners;
mod probe;
mod program;
mod start;
mod terminal;
mod view;
mod watch;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::Instant;

use self::start::Over;
use crate::ending::{Fault, Step};
use crate::message::{Answer, Order, receive, send};
use crate::plan::{Errand, Ground, Layer};
use crate::seccomp::{self, Switches};
use crate::sys::{self, Side};

/// The whole life of the mother of launchers. Standard input is the socket to the supervisor.
pub fn main() -> ExitCode {
    match bear() {
        Ok(()) => ExitCode::SUCCESS,
        // The supervisor is gone, or what it sent makes no sense: there is nobody to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

/// What asks for a launcher. With it comes the launcher's socket; the answer is its process number, with a handle to
/// the process.
pub(crate) const BIRTH: u8 = 1;

/// Forks a launcher whenever the supervisor wants one, until that is gone.
fn bear() -> Result<(), Fault> {
    sys::ignore_terminal_signals();
    // Nobody waits for launchers: the supervisor hears from each how it went.
    sys::forget_children(true);
    // Whoever started us could have done so. But a process that is started in another folder is forked off, with
    // copies of all that a large supervisor has mapped.
    rustix::process::chdir("/").step("working directory")?;
    let stdin = std::io::stdin();
    while let Some((asked, descriptors)) = receive::<u8>(stdin.as_fd()).step("birth")? {
        let Some(socket) = descriptors.into_iter().next().filter(|_| asked == BIRTH) else {
            return Err(Fault::new("birth", "no socket came"));
        };
        match sys::fork(0, None).step("birth")? {
            Side::Child => {
                sys::forget_children(false);
                let served = rustix::stdio::dup2_stdin(&socket).step("standard input").and_then(|()| {
                    drop(socket);
                    serve()
                });
                sys::leave(served.is_err().into())
            }
            Side::Parent { pid, handle } => {
                send(stdin.as_fd(), &pid.as_raw_nonzero().get(), &[handle.as_fd()]).step("birth")?;
                // What no plan has a say in is made once, for those to come. The first one does not wait for it.
                let _: (Vec<_>, _) = (Switches::all().map(seccomp::filter).collect(), inside::init_filter());
            }
        }
    }
    Ok(())
}

/// The whole life of a launcher. Standard input is its socket to the supervisor.
fn serve() -> Result<(), Fault> {
    let stdin = std::io::stdin();
    let socket = stdin.as_fd();
    let (order, descriptors) = receive::<Order>(socket).step("order")?.ok_or_else(|| Fault::new("order", "none"))?;
    let over = match order {
        Order::Probe => return send(socket, &Answer::Offers(probe::probe()), &[]).step("report"),
        Order::Run(plan) => run(&plan.ground, Some((plan.errand, descriptors)), socket),
        Order::Prepare(ground) => run(&ground, None, socket),
        Order::Launch(_) => Err(Fault::new("order", "no ground is ready for an errand")),
    };
    match over {
        Ok(Some(over)) => {
            let written: Vec<_> = over.written.iter().map(AsFd::as_fd).collect();
            send(socket, &Answer::Ended(over.ending.clone()), &written).step("report")
        }
        // It was never needed.
        Ok(None) => Ok(()),
        Err(fault) => send(socket, &Answer::Refused(fault), &[]).step("report"),
    }
}

/// Makes a sandbox ready, waits for the errand if it is not there yet, and runs it.
fn run(ground: &Ground, given: Option<(Errand, Vec<OwnedFd>)>, socket: BorrowedFd<'_>) -> Result<Option<Over>, Fault> {
    let mut started = Instant::now();
    if ground.has(Layer::CloseFiles) {
        close_inherited(given.as_ref().map(|(_, descriptors)| descriptors.as_slice()).unwrap_or_default())?;
    }
    let mut prepared = start::prepare(ground)?;
    let (errand, descriptors) = match given {
        Some(given) => given,
        None => {
            let groups = prepared.ready()?;
            send(socket, &Answer::Ready(groups), &[]).step("report")?;
            let Some(given) = prepared.errand(socket)? else { return Ok(None) };
            // What was done before anybody asked is nobody's time.
            started = Instant::now();
            given
        }
    };
    let mut descriptors = descriptors.into_iter();
    let (Some(out), Some(err)) = (descriptors.next(), descriptors.next()) else {
        return Err(Fault::new("order", "nowhere to write to"));
    };
    rustix::stdio::dup2_stdout(&out).step("standard output")?;
    rustix::stdio::dup2_stderr(&err).step("standard error")?;
    drop((out, err));
    prepared.launch(&errand, descriptors.next(), socket, started).map(Some)
}

/// Whatever the supervisor had open when it started us, by its own or a library's carelessness.
fn close_inherited(received: &[OwnedFd]) -> Result<(), Fault> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut kept: Vec<BorrowedFd<'_>> = received.iter().map(AsFd::as_fd).collect();
    kept.extend([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]);
    sys::close_all_but(&kept).step("close what was inherited")
}
