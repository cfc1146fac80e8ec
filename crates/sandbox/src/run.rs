//! The supervisor's side: start a launcher, hand it a plan, and hear how it went.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::ending::{Ending, Exit, Fault, Usage};
use crate::host::Host;
use crate::launcher;
use crate::message::{Answer, Order, receive, send};
use crate::plan::{Errand, Plan};
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
    /// It could not make a sandbox ready.
    #[error("no sandbox can be made ready: {0}")]
    Refused(#[source] Fault),
    /// It ended without saying how the run ended: something killed it. Everything inside died with it.
    #[error("the launcher ended before the run did")]
    Died,
}

/// Where launchers come from. The first one that is asked for starts a process, their mother, which lives as long as
/// this and its clones do; each launcher is a process of its own, forked from her, and serves one run.
#[derive(Clone, Debug)]
pub struct Launcher {
    program: PathBuf,
    arguments: Vec<OsString>,
    mother: Arc<Mutex<Option<Mother>>>,
}

/// The process that launchers are forked from. It has a single thread and is told nothing of any run.
#[derive(Debug)]
struct Mother {
    child: Child,
    socket: OwnedFd,
}

impl Mother {
    fn start(program: &Path, arguments: &[OsString]) -> Result<Self, LaunchError> {
        let (ours, theirs) = sockets()?;
        let mut command = Command::new(program);
        command.arg0("callgate-launcher").args(arguments).env_clear();
        command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| LaunchError::Start(program.display().to_string(), error))?;
        Ok(Self { child, socket: ours })
    }

    /// A launcher, which is told `first` over its socket while it is being born; nothing if she is gone.
    fn bear(&self, first: &dyn Fn(BorrowedFd<'_>) -> io::Result<()>) -> io::Result<Option<Running>> {
        let (ours, theirs) = sockets()?;
        let gone = |error: &io::Error| {
            use io::ErrorKind::{BrokenPipe, ConnectionReset};
            matches!(error.kind(), BrokenPipe | ConnectionReset)
        };
        let asked = send(&self.socket, &launcher::BIRTH, &[theirs.as_fd()]);
        drop(theirs);
        let told = asked.and_then(|()| first(ours.as_fd()));
        let (id, handles) = match told.and_then(|()| receive::<i32>(&self.socket)) {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(None),
            Err(error) if gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let handle = handles.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
        let id = u32::try_from(id).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Some(Running {
            id,
            handle,
            socket: ours,
            over: false,
            copies: Vec::new(),
            since: clock_gettime(ClockId::Realtime),
            groups: Vec::new(),
            got: None,
            stdout: None,
            stderr: None,
        }))
    }
}

impl Drop for Mother {
    fn drop(&mut self) {
        // She sees that we are gone, and ends; launchers that still serve a run do not.
        let _ = shutdown(&self.socket, Shutdown::Both);
        let _ = self.child.wait();
    }
}

fn sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
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
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            mother: Arc::default(),
        }
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
        let asked = self.bear(&|socket| send(socket, &Order::Probe, &[]))?;
        match receive::<Answer>(&asked.socket)? {
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
        let order = Order::Run(Box::new(plan.clone()));
        let ends = Ends::open(streams)?;
        let running = self.bear(&|socket| send(socket, &order, &ends.descriptors()))?;
        Ok(running.with(&plan.errand, ends))
    }

    pub(crate) fn bear(&self, first: &dyn Fn(BorrowedFd<'_>) -> io::Result<()>) -> Result<Running, LaunchError> {
        let mut mother = self.mother.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have ended her since; then another takes her place.
        if let Some(alive) = &*mother
            && let Some(running) = alive.bear(first)?
        {
            return Ok(running);
        }
        *mother = None;
        let another = mother.insert(Mother::start(&self.program, &self.arguments)?);
        another.bear(first)?.ok_or(LaunchError::Died)
    }
}

/// The program's three streams, open.
pub(crate) struct Ends {
    stdin: Option<OwnedFd>,
    stdout: (OwnedFd, Option<PipeReader>),
    stderr: (OwnedFd, Option<PipeReader>),
}

impl Ends {
    pub(crate) fn open(streams: Streams) -> io::Result<Self> {
        let stdout = streams.stdout.open(io::stdout().as_fd())?;
        let stderr = streams.stderr.open(io::stderr().as_fd())?;
        Ok(Self { stdin: streams.stdin, stdout, stderr })
    }

    /// What goes to the launcher with what is to run, in this order.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        [self.stdout.0.as_fd(), self.stderr.0.as_fd()].into_iter().chain(self.stdin.iter().map(AsFd::as_fd)).collect()
    }
}

/// A run that has been started. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    id: u32,
    handle: OwnedFd,
    pub(crate) socket: OwnedFd,
    /// Whether the launcher has said its last word: nothing of the run is left.
    over: bool,
    /// The copy-on-write folders, each with what the profile closes in it.
    copies: Vec<(PathBuf, Closed)>,
    /// By the clock that files are dated by.
    since: Timespec,
    /// The control groups that it is known to be in.
    pub(crate) groups: Vec<String>,
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
    /// When the run began. What changed on the host since then, the run may not have seen.
    pub(crate) since: Timespec,
    /// What the profile closes in the folder.
    pub(crate) closed: Closed,
}

/// Places below a folder at which nothing of it may be changed, with what the profile says of each.
pub(crate) type Closed = BTreeMap<PathBuf, Access>;

/// What lies in a copy is never made ready ahead of it, and so comes with the errand.
fn closed(errand: &Errand, folder: &Path) -> Closed {
    let others = errand.mounts.iter().filter(|mount| mount.access < Access::Cow);
    others.filter_map(|mount| Some((mount.path.strip_prefix(folder).ok()?.to_owned(), mount.access))).collect()
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
    /// The run of `errand`, of whose streams the launcher has its ends by now.
    pub(crate) fn with(mut self, errand: &Errand, ends: Ends) -> Self {
        self.since = clock_gettime(ClockId::Realtime);
        let copies = errand.mounts.iter().filter(|mount| mount.access == Access::Cow);
        self.copies = copies.map(|mount| (mount.path.clone(), closed(errand, &mount.path))).collect();
        self.stdout = ends.stdout.1;
        self.stderr = ends.stderr.1;
        self
    }

    /// A way to end it from another thread.
    ///
    /// # Errors
    /// If no descriptor is left.
    pub fn canceller(&self) -> io::Result<Canceller> {
        self.socket.try_clone().map(Canceller)
    }

    /// The launcher's process number.
    pub fn id(&self) -> u32 {
        self.id
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
                Some((Answer::Started(got), _)) => self.begun(*got),
                Some((Answer::Refused(fault), _)) => {
                    self.over = true;
                    return Err(LaunchError::Talk(io::Error::other(fault)));
                }
                _ => return Err(LaunchError::Died),
            }
        }
        Ok(self.got.as_ref())
    }

    fn begun(&mut self, got: ReadBack) {
        self.groups.clone_from(&got.groups);
        self.got = Some(got);
    }

    /// Waits until everything of the run has ended.
    ///
    /// # Errors
    /// If the launcher was killed. Then, too, nothing of the run is left.
    pub fn wait(mut self) -> Result<Finished, LaunchError> {
        loop {
            match receive::<Answer>(&self.socket) {
                Ok(Some((Answer::Started(got), _))) => self.begun(*got),
                Ok(Some((Answer::Refused(fault), _))) => {
                    self.over = true;
                    let ending = Ending { exit: Exit::Refused(fault), usage: Usage::default() };
                    return Ok(Finished { ending, got: None, written: Vec::new() });
                }
                Ok(Some((Answer::Ended(ending), folders))) => {
                    self.over = true;
                    let copies = std::mem::take(&mut self.copies);
                    if folders.len() != copies.len() {
                        return Err(LaunchError::Died);
                    }
                    let since = self.since;
                    let written = copies.into_iter().zip(folders);
                    let written = written.map(|((folder, closed), changes)| Written { folder, changes, since, closed });
                    return Ok(Finished { ending, got: self.got.take(), written: written.collect() });
                }
                Ok(Some((Answer::Offers(_) | Answer::Ready(_), _)) | None) | Err(_) => return Err(LaunchError::Died),
            }
        }
    }

    /// Waits for the end of a launcher that has lost us, or was killed.
    fn reap(&mut self) {
        let mut ended = [PollFd::new(&self.handle, PollFlags::IN)];
        while poll(&mut ended, None) == Err(Errno::INTR) {}
        // If it was killed, its control groups are still there, and empty by now or in a moment.
        for group in &self.groups {
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
        // A launcher that has said its last word has nothing left to do but to end.
        if !self.over {
            // It sees that we are gone, and ends everything before it ends itself.
            let _ = shutdown(&self.socket, Shutdown::Both);
            self.reap();
        }
    }
}
