//! `callgate serve`: the gate, until it is told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use callgate_core::Kind;
use callgate_core::seam::Snapshot;
use callgate_doors::http;
use callgate_doors::socket::{Access, Limits, Listening, Server, Services};
use callgate_policy::Config;
use callgate_text::Json;
use notify::{RecursiveMode, Watcher};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::door;
use super::sandbox::launcher;
use crate::assembly::{Assembly, count};
use crate::cli::Place;
use crate::desk::Desk;
use crate::output::Output;
use crate::place::State;
use crate::toolbox::Toolbox;

/// How long the gate directory must be quiet before a change is taken.
const QUIET: Duration = Duration::from_millis(500);

/// Descriptors for all connections of the socket and of HTTP, and the files of the log.
const DESCRIPTORS: u64 = 4096;

/// How often the directory is looked at in any case: notifications can be lost.
const LOOK: Duration = Duration::from_secs(60);

pub(crate) async fn run(
    output: &Output,
    dir: PathBuf,
    state: Option<PathBuf>,
    socket: Option<PathBuf>,
    http: Option<SocketAddr>,
) -> Result<ExitCode> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let place = Place { gate: dir, state, socket };
    let state = State::of(&place)?;
    let stop = door::stop()?;
    let assembly = Arc::new(Assembly::open(&place.gate, &state)?);
    let config = assembly.policy.last_good().config().http.clone();
    let http = http.or(config.listen).map(http::Listening::bind).transpose()?;
    started(&assembly).await?;

    raise_descriptor_limit();
    let listening = Listening::bind(state.socket(), Access::Everyone)?;
    print_start(output, &assembly, &state, http.as_ref());
    let operator = Arc::new(Desk::new(assembly.clone()));
    let services = Services { gate: assembly.gate.clone(), identify: assembly.clone(), operator: operator.clone() };
    let server = Server::new(listening, services, Limits::default());
    let (gate, policy, metrics) = (assembly.gate.clone(), assembly.policy.clone(), assembly.metrics.clone());
    let toolbox = Arc::new(Toolbox::new(gate, policy, metrics, launcher(), state.root())?);
    server.offer(toolbox.clone());
    let following = tokio::spawn(toolbox.clone().follow(assembly.policies()));
    assembly.metrics.attend("socket", server.attendance());
    let (halt, halted) = watch::channel(false);
    let http = http.map(|listening| {
        let services = http::Services {
            gate: assembly.gate.clone(),
            credentials: assembly.clone(),
            operator,
            instruments: assembly.clone(),
            origins: config.origins,
        };
        let http = http::Server::new(listening, services, server.lanes(), http::Limits::default());
        assembly.metrics.attend(http::DOOR, http.attendance());
        let mut halted = halted.clone();
        tokio::spawn(http.run(async move {
            let _ = halted.wait_for(|halted| *halted).await;
        }))
    });
    let reloading = tokio::spawn(reload_on_change(assembly.clone(), place.gate.clone()));
    server
        .run(async move {
            stop.await;
            let _ = halt.send(true);
        })
        .await;
    if let Some(http) = http {
        http.await.context("the HTTP door failed")?;
    }
    reloading.abort();
    following.abort();
    tokio::task::spawn_blocking(move || toolbox.close()).await.context("what stood by could not be ended")?;
    assembly.note(Kind::Stop, Vec::new()).await;
    assembly.log.stop().context("the log could not be closed in order")?;
    Ok(ExitCode::SUCCESS)
}

/// Every connection is a descriptor, and the customary soft limit of 1024 is less than the socket may hold. What the
/// system does not give is no error: then connections that have not greeted give way earlier.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if limit.current.is_some_and(|current| current < enough) {
        let raised = Rlimit { current: Some(enough), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!("the limit of open files stays as it is: {error}");
        }
    }
}

/// The gate's first records. If they cannot be kept, no decision could be: the gate does not start.
async fn started(assembly: &Assembly) -> Result<()> {
    let policy = assembly.policy.last_good();
    let version = ("version", Json::from(env!("CARGO_PKG_VERSION")));
    assembly.gate.note(Kind::Start, vec![version]).await?;
    let details = vec![("policy", Json::from(policy.digest())), ("policies", count(policy.policies().len()))];
    assembly.gate.note(Kind::PolicyLoad, details).await?;
    // A door that enforces needs no word; one that only watches is told anew by every start.
    assembly.note_modes(&Config::default(), policy.config()).await;
    for finding in assembly.policy.findings() {
        tracing::warn!("{finding}");
    }
    Ok(())
}

fn print_start(output: &Output, assembly: &Assembly, state: &State, http: Option<&http::Listening>) {
    let policy = assembly.policy.last_good().digest();
    let http = http.map(|listening| format!("http://{}", listening.address()));
    let json = Json::object([
        ("socket", Json::from(state.socket().display().to_string())),
        ("http", Json::from(http.clone())),
        ("policy", Json::from(policy)),
        ("log", Json::from(assembly.log.dir().origin())),
    ]);
    output.print(&json, |_| {
        let http = http.map(|http| format!(" and on {http}")).unwrap_or_default();
        format!("callgate listens on {}{http}\npolicy {policy}", state.socket().display())
    });
}

/// Takes the policy after a quiet half second behind any change, and on SIGHUP.
async fn reload_on_change(assembly: Arc<Assembly>, dir: PathBuf) {
    let (changed, mut changes) = mpsc::channel::<()>(1);
    let watcher = watch(&dir, changed);
    if let Err(error) = &watcher {
        tracing::warn!("changes of {} are looked for once a minute: {error:#}", dir.display());
    }
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            _ = tokio::time::sleep(LOOK) => {}
            Some(()) = changes.recv() => {
                while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
            }
        }
        match assembly.reload().await {
            Ok(_) => {}
            Err(error) => tracing::error!(
                "the policy on disk could not be taken, the last good one stays:\n{}",
                callgate_policy::render(error.findings(), false)
            ),
        }
    }
}

fn watch(dir: &Path, changed: mpsc::Sender<()>) -> notify::Result<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let read_only = event.is_ok_and(|event| event.kind.is_access());
        if !read_only {
            // One that waits already says enough.
            let _ = changed.try_send(());
        }
    })?;
    watcher.watch(dir, RecursiveMode::Recursive)?;
    Ok(watcher)
}
