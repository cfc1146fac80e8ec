//! One run: started, followed and waited for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callgate_core::{AgentId, SessionId};
use callgate_doors::tools::{Conduct, Progress};
use callgate_sandbox::{Finished, Host, LaunchError, Launcher, Plan, Request, Running, Sink, Streams, compile};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::{MissedTickBehavior, interval};

use super::kept::Kept;
use super::pool::{Key, Pool};
use super::{Setting, Task};
use crate::command::run::report::Walked;

/// The shell that reads a command. Policy judged the line as this one reads it; another would read some lines
/// otherwise, so there is none in its place.
const SHELL: &str = "/bin/bash";

/// The word by which this program becomes the contained one.
pub(crate) const WORK: &str = "work-contained";

/// What is kept of a command's output, at its beginning and at its end.
const KEPT: usize = 64 << 10;

/// The least time between two words of progress.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// A launch that only has to be carried out.
pub(super) struct Program {
    plan: Plan,
    input: Option<Vec<u8>>,
    kept: Kept,
    tells: bool,
}

/// Where runs come from: sandboxes that stand by for who calls, or nothing.
pub(super) struct Source {
    pub(super) launcher: Launcher,
    pub(super) pool: Arc<Pool>,
    pub(super) agent: AgentId,
    pub(super) session: Option<SessionId>,
    /// How many stand by from now on.
    pub(super) warm: usize,
}

/// What came of it.
pub(super) struct Ran {
    pub(super) finished: Finished,
    /// What it changed.
    pub(super) walked: Walked,
    pub(super) output: Kept,
}

/// What the machine offers.
pub(super) async fn probe(launcher: &Launcher) -> Result<Host, String> {
    let launcher = launcher.clone();
    let probed = tokio::task::spawn_blocking(move || launcher.probe()).await;
    probed.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

impl Program {
    /// Works out the launch, or says why it is refused.
    pub(super) fn compile(task: &Task, setting: &Setting, host: &Host) -> Result<Self, String> {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let (command, program, deadline) = match task {
            Task::Terminal { command, deadline } => {
                if !Path::new(SHELL).exists() {
                    return Err(format!("There is no {SHELL} on this machine."));
                }
                (words(&[SHELL, "--noprofile", "--norc", "-c", command]), callgate_sandbox::Program::Named, *deadline)
            }
            Task::File { .. } => (words(&["callgate", WORK]), callgate_sandbox::Program::Own, None),
        };
        let request = Request {
            command,
            program,
            deadline,
            workspace: Some(setting.workspace.clone()),
            directory: None,
            environment: std::env::vars_os().collect::<BTreeMap<_, _>>(),
        };
        let plan = compile(&setting.profile, &request, host).map_err(|refusal| refusal.to_string())?;
        let (input, kept) = match task {
            Task::Terminal { .. } => (None, Kept::new(KEPT, KEPT)),
            Task::File { request } => (Some(request.clone()), Kept::new(callgate_tools::contained::MOST_OUT, 0)),
        };
        Ok(Self { plan, input, kept, tells: matches!(task, Task::Terminal { .. }) })
    }
}

/// Runs it to its end, which comes early if it is cancelled. `seeing` is what the model may see of a text.
pub(super) async fn run<S, F>(source: Source, program: Program, conduct: &Conduct, seeing: S) -> io::Result<Ran>
where
    S: Fn(String) -> F,
    F: Future<Output = Option<String>>,
{
    let Program { plan, input, mut kept, tells } = program;
    let (running, output) = blocking(move || launch(source, &plan, input)).await?;
    let canceller = running.canceller()?;
    let ended = blocking(move || running.wait().map_err(io::Error::other));
    let followed = follow(output, &mut kept, conduct, tells, seeing);
    let cancelling = async {
        conduct.cancelled().await;
        canceller.cancel();
        // It ends by that, and says so.
        std::future::pending().await
    };
    let (followed, finished) = tokio::select! {
        both = async { tokio::join!(followed, ended) } => both,
        never = cancelling => never,
    };
    followed?;
    walked(finished?, kept).await
}

/// What it changed, found by walking it.
async fn walked(mut finished: Finished, output: Kept) -> io::Result<Ran> {
    let written = std::mem::take(&mut finished.written);
    Ok(Ran { finished, walked: blocking(move || Ok(Walked::of(written))).await?, output })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Starts it.
fn launch(source: Source, plan: &Plan, input: Option<Vec<u8>>) -> io::Result<(Running, OwnedFd)> {
    let Source { launcher, pool, agent, session, warm } = source;
    if warm == 0 {
        return start(input.as_deref(), |streams| launcher.launch(plan, streams));
    }
    let key = Key { agent, session, ground: plan.ground().clone() };
    let fitting = pool.take(&key, plan);
    let started = match fitting.map(|fitting| start(input.as_deref(), |streams| fitting.launch(streams))) {
        Some(Ok(started)) => Ok(started),
        // It has ended since it was looked at; then it was told nothing that it could run.
        Some(Err(error)) => {
            tracing::debug!("a sandbox that stood by: {error}");
            start(input.as_deref(), |streams| launcher.launch(plan, streams))
        }
        None => start(input.as_deref(), |streams| launcher.launch(plan, streams)),
    };
    pool.want(key, warm);
    started
}

/// Starts it somehow. Of a command both streams come the same way, as on a terminal; the contained program only answers.
fn start(
    input: Option<&[u8]>,
    launch: impl FnOnce(Streams) -> Result<Running, LaunchError>,
) -> io::Result<(Running, OwnedFd)> {
    let (read, write) = io::pipe()?;
    let (stdin, stderr) = match input {
        None => (None, Sink::To(write.try_clone()?.into())),
        Some(input) => (Some(in_memory(input)?), Sink::Nowhere),
    };
    let streams = Streams { stdin, stdout: Sink::To(write.into()), stderr };
    let running = launch(streams).map_err(io::Error::other)?;
    Ok((running, read.into()))
}

/// The bytes as a file that is nowhere, so that nobody has to write while it is read.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("request", rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads output to its end, and tells how far it is.
async fn follow<S, F>(output: OwnedFd, kept: &mut Kept, conduct: &Conduct, tells: bool, seeing: S) -> io::Result<()>
where
    S: Fn(String) -> F,
    F: Future<Output = Option<String>>,
{
    let mut output = pipe::Receiver::from_owned_fd(output)?;
    let mut buffer = vec![0; 64 << 10];
    let mut tick = interval(TELL_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = 0;
    loop {
        tokio::select! {
            count = output.read(&mut buffer) => match count? {
                0 => return Ok(()),
                count => kept.take(buffer.get(..count).unwrap_or_default()),
            },
            _ = tick.tick(), if tells && kept.total() > told => {
                told = kept.total();
                let message = match kept.last_line() {
                    Some(line) => seeing(line).await,
                    None => None,
                };
                conduct.tell(Progress { done: told, message });
            }
        }
    }
}
