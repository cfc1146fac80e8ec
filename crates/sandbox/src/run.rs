//! The supervisor's side: start a launcher, hand it a plan, and hear how it went.

use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};

use crate::ending::{Ending, Exit, Usage};
use crate::host::Host;
use crate::message::{Answer, Order, receive, send};
use crate::plan::Plan;
use crate::profile::Access;
use crate::readback::ReadBack;

/// The launcher could not be talked to. No program ran, or whatever ran has been ended with it.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// It cannot be started.
    #[error("cannot start the launcher `{0}`: {1}")]
    Start(String, #[source] io::Error),
    /// The socket to it failed.
    #[error("cannot talk to the launcher: {0}")]
    Talk(#[from] io::Error),
    /// It ended without saying how the run ended: something killed it. Everything inside died with it.
    #[error("the launcher ended before the run did")]
    Died,
}

/// How to start a launcher.
#[derive(Clone, Debug)]
pub struct Launcher {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// Where output goes.
#[derive(Debug)]
pub enum Sink {
    /// It is thrown away.
    Nowhere,
    /// To whoever reads [`Running::stdout`] or [`Running::stderr`].
    Pipe,
    /// To this process's own.
    Inherit,
    /// There.
    To(OwnedFd),
}

/// Where the program's three streams lead.
#[derive(Debug)]
pub struct Streams {
    /// What it may read; without it, nothing. It is read by the launcher and never reaches the program itself.
    pub stdin: Option<OwnedFd>,
    /// Where its standard output goes.
    pub stdout: Sink,
    /// Where its standard error goes.
    pub stderr: Sink,
}

impl Streams {
    /// No input, and output thrown away.
    pub fn none() -> Self {
        Self { stdin: None, stdout: Sink::Nowhere, stderr: Sink::Nowhere }
    }
}

impl Sink {
    /// The end to write to, and for a pipe the end to read from.
    fn open(self, own: BorrowedFd<'_>) -> io::Result<(OwnedFd, Option<PipeReader>)> {
        match self {
            Self::Nowhere => Ok((std::fs::OpenOptions::new().write(true).open("/dev/null")?.into(), None)),
            Self::Pipe => {
                let (read, write) = io::pipe()?;
                Ok((write.into(), Some(read)))
            }
            Self::Inherit => Ok((own.try_clone_to_owned()?, None)),
            Self::To(there) => Ok((there, None)),
        }
    }
}

impl Launcher {
    /// A launcher program of its own, or another way to start one.
    pub fn at(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// This program itself, started again with `word` as its only argument, at which it must call
    /// [`launcher::main`](crate::launcher::main) before anything else. It is found by the running process, not by a
    /// path, which somebody may have replaced.
    pub fn this_program(word: &str) -> Self {
        Self::at("/proc/self/exe", [word])
    }

    /// What the machine offers, found out by trying.
    ///
    /// # Errors
    /// If no launcher can be started or it fails to answer.
    pub fn probe(&self) -> Result<Host, LaunchError> {
        let standby = self.stand_by()?;
        send(&standby.running.socket, &Order::Probe, &[])?;
        match receive::<Answer>(&standby.running.socket)? {
            Some((Answer::Offers(host), _)) => Ok(host),
            _ => Err(LaunchError::Died),
        }
    }

    /// Starts a run.
    ///
    /// # Errors
    /// If no launcher can be started or spoken to. A launch that is refused is no error here: [`Running::wait`] says
    /// so.
    pub fn launch(&self, plan: &Plan, streams: Streams) -> Result<Running, LaunchError> {
        self.stand_by()?.launch(plan, streams)
    }

    /// Starts a launcher that waits for its plan. It knows nothing of any agent yet, and serves one run; to have one
    /// at hand saves a run the start of a process.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn stand_by(&self) -> Result<Standby, LaunchError> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(io::Error::from)?;
        let mut command = Command::new(&self.program);
        command.arg0("callgate-launcher").args(&self.arguments).env_clear();
        command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| LaunchError::Start(self.program.display().to_string(), error))?;
        let running = Running { child, socket: ours, copies: Vec::new(), got: None, stdout: None, stderr: None };
        Ok(Standby { running })
    }
}

/// A launcher that waits. Dropping it ends it.
#[derive(Debug)]
pub struct Standby {
    running: Running,
}

impl Standby {
    /// Starts the run.
    ///
    /// # Errors
    /// If the launcher cannot be spoken to.
    pub fn launch(self, plan: &Plan, streams: Streams) -> Result<Running, LaunchError> {
        let mut running = self.running;
        let copies = plan.mounts.iter().filter(|mount| mount.access == Access::Cow).map(|mount| mount.path.clone());
        running.copies = copies.collect();
        let (stdout, read) = streams.stdout.open(io::stdout().as_fd())?;
        running.stdout = read;
        let (stderr, read) = streams.stderr.open(io::stderr().as_fd())?;
        running.stderr = read;
        let mut descriptors = vec![stdout.as_fd(), stderr.as_fd()];
        descriptors.extend(streams.stdin.iter().map(AsFd::as_fd));
        send(&running.socket, &Order::Run(Box::new(plan.clone())), &descriptors)?;
        Ok(running)
    }
}

/// A run that has been started. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    socket: OwnedFd,
    copies: Vec<PathBuf>,
    got: Option<ReadBack>,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
}

/// Ends a run from elsewhere.
#[derive(Debug)]
pub struct Canceller(OwnedFd);

impl Canceller {
    /// Ends the run; nothing of it is left when [`Running::wait`] returns.
    pub fn cancel(&self) {
        let _ = shutdown(&self.0, Shutdown::Write);
    }
}

/// What was written over one copy-on-write folder.
#[derive(Debug)]
pub struct Written {
    /// The folder, on the host.
    pub folder: PathBuf,
    /// What was written, open: an overlayfs upper folder. Nothing can change it any more.
    pub changes: OwnedFd,
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// How it ended and what it used.
    pub ending: Ending,
    /// What it really got; nothing if it never started.
    pub got: Option<ReadBack>,
    /// What it wrote, for a commit.
    pub written: Vec<Written>,
}

impl Running {
    /// A way to end it from another thread.
    ///
    /// # Errors
    /// If no descriptor is left.
    pub fn canceller(&self) -> io::Result<Canceller> {
        self.socket.try_clone().map(Canceller)
    }

    /// The launcher's process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The read end of standard output, if it was asked for as a pipe.
    pub fn stdout(&mut self) -> Option<PipeReader> {
        self.stdout.take()
    }

    /// The read end of standard error, likewise.
    pub fn stderr(&mut self) -> Option<PipeReader> {
        self.stderr.take()
    }

    /// Waits until the program is about to be executed, and says what it got; nothing if the launch is refused, which
    /// [`Running::wait`] explains.
    ///
    /// # Errors
    /// If the launcher died.
    pub fn started(&mut self) -> Result<Option<&ReadBack>, LaunchError> {
        if self.got.is_none() {
            match receive::<Answer>(&self.socket)? {
                Some((Answer::Started(got), _)) => self.got = Some(*got),
                Some((Answer::Refused(fault), _)) => {
                    self.reap();
                    return Err(LaunchError::Talk(io::Error::other(fault)));
                }
                _ => return Err(LaunchError::Died),
            }
        }
        Ok(self.got.as_ref())
    }

    /// Waits until everything of the run has ended.
    ///
    /// # Errors
    /// If the launcher was killed. Then, too, nothing of the run is left.
    pub fn wait(mut self) -> Result<Finished, LaunchError> {
        loop {
            match receive::<Answer>(&self.socket) {
                Ok(Some((Answer::Started(got), _))) => self.got = Some(*got),
                Ok(Some((Answer::Refused(fault), _))) => {
                    self.reap();
                    let ending = Ending { exit: Exit::Refused(fault), usage: Usage::default() };
                    return Ok(Finished { ending, got: None, written: Vec::new() });
                }
                Ok(Some((Answer::Ended(ending), folders))) => {
                    self.reap();
                    let copies = std::mem::take(&mut self.copies);
                    if folders.len() != copies.len() {
                        return Err(LaunchError::Died);
                    }
                    let written = copies.into_iter().zip(folders);
                    let written = written.map(|(folder, changes)| Written { folder, changes }).collect();
                    return Ok(Finished { ending, got: self.got.take(), written });
                }
                Ok(Some((Answer::Offers(_), _)) | None) | Err(_) => return Err(LaunchError::Died),
            }
        }
    }

    /// Waits for the launcher, which has said its last word or lost us.
    fn reap(&mut self) {
        let _ = self.child.wait();
        // If it was killed, its control groups are still there, and empty by now or in a moment.
        for group in self.got.iter().flat_map(|got| &got.groups) {
            for _ in 0..50 {
                match std::fs::remove_dir(group) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                    _ => break,
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The launcher sees that we are gone, and ends everything before it ends itself.
        let _ = shutdown(&self.socket, Shutdown::Both);
        self.reap();
    }
}
