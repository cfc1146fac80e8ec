//! A gate put together: policy, log, credentials, clock and randomness behind core's seams.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use callgate_audit::{Budget, LogDir, Writer, WriterOptions};
use callgate_core::gate::{Deadlines, Seams};
use callgate_core::seam::{Entropy, Later, Log, LogError};
use callgate_core::{AgentId, Caller, Entry, Gate, Kind, Posture, Receipt};
use callgate_doors::http::Credentials;
use callgate_doors::socket::{Greeting, Identify, Peer};
use callgate_guard::ShellFacts;
use callgate_identity::TokenStore;
use callgate_policy::{Config, Exposure, LoadError, Mode, Store};
use callgate_sandbox::SandboxFacts;
use callgate_text::Json;
use tokio::sync::watch;

use crate::layers::{self, specs};
use crate::metrics::{Counted, Metrics};
use crate::place::State;
use crate::proofs::Proofs;
use crate::system::{SystemClock, SystemEntropy};

/// Everything that a running gate holds.
pub(crate) struct Assembly {
    pub(crate) gate: Arc<Gate>,
    pub(crate) policy: Arc<Store>,
    pub(crate) log: Arc<Writer>,
    pub(crate) tokens: TokenStore,
    pub(crate) proofs: Proofs,
    pub(crate) metrics: Arc<Metrics>,
    /// Tells that another policy is in force.
    taken: watch::Sender<()>,
    own_uid: u32,
    /// Whether an agent was seen that could get around the gate.
    advisory: AtomicBool,
}

impl Assembly {
    /// Opens the state under its exclusive lock. Anything unreadable refuses to start.
    pub(crate) fn open(dir: &Path, state: &State) -> Result<Self> {
        let policy = Arc::new(load(dir, Exposure::Refuse)?);
        state.prepare(dir)?;
        let config = policy.last_good().config().clone();
        let log_dir = log_dir(&state.log(), dir, &config)?;
        let options = WriterOptions { budget: budget(&config), ..WriterOptions::default() };
        let log = Writer::open(&log_dir, options).context("another gate may be running, or the log needs a look")?;
        let log = Arc::new(log);
        let tokens = TokenStore::open(state.root())?;
        let proofs = Proofs::open(state.root());
        let metrics = Arc::new(Metrics::new());
        let counted = Counted { log: log.clone(), metrics: metrics.clone() };
        let gate = Arc::new(gate(Arc::clone(&policy), Arc::new(counted))?.watched_by(metrics.clone()));
        let own_uid = rustix::process::geteuid().as_raw();
        let (taken, _) = watch::channel(());
        Ok(Self { gate, policy, log, tokens, proofs, metrics, taken, own_uid, advisory: AtomicBool::new(false) })
    }

    /// Changes whenever another policy is in force.
    pub(crate) fn policies(&self) -> watch::Receiver<()> {
        self.taken.subscribe()
    }

    /// Takes the policy that is on disk, and records that it was taken or refused.
    pub(crate) async fn reload(&self) -> Result<Json, LoadError> {
        let policy = Arc::clone(&self.policy);
        let before = policy.last_good();
        // Parsing and validation take long, and other calls are decided meanwhile.
        let result = tokio::task::spawn_blocking(move || policy.reload()).await;
        let result = result.unwrap_or_else(|_| Err(self.policy.failure().unwrap_or_else(failed)));
        use callgate_core::seam::Snapshot;
        if let Ok(snapshot) = &result {
            self.metrics.policy_taken();
            self.taken.send_replace(());
            self.note_modes(before.config(), snapshot.config()).await;
        }
        match &result {
            Ok(snapshot) if snapshot.digest() == before.digest() => {}
            Ok(snapshot) => {
                let details = vec![
                    ("policy", Json::from(snapshot.digest())),
                    ("replaces", Json::from(before.digest())),
                    ("policies", count(snapshot.policies().len())),
                ];
                self.note(Kind::PolicyLoad, details).await;
            }
            Err(error) => {
                let details =
                    vec![("policy", Json::from(before.digest())), ("findings", count(error.findings().len()))];
                self.note(Kind::PolicyRefused, details).await;
            }
        }
        result.map(|snapshot| Json::object([("policy", Json::from(snapshot.digest()))]))
    }

    /// Records each door that enforces or watches otherwise than before.
    pub(crate) async fn note_modes(&self, before: &Config, now: &Config) {
        let doors: BTreeSet<_> = before.doors.keys().chain(now.doors.keys()).collect();
        for door in doors.into_iter().filter(|door| before.mode(door) != now.mode(door)) {
            let details = vec![("door", Json::from(door)), ("mode", Json::from(now.mode(door).as_str()))];
            self.note(Kind::ModeChange, details).await;
        }
    }

    /// Adds a record of the gate's own. That it cannot shows in `status`, as the log is then closed.
    pub(crate) async fn note(&self, kind: Kind, details: Vec<(&'static str, Json)>) {
        if let Err(error) = self.gate.note(kind, details).await {
            tracing::error!("{}: {error}", kind.as_str());
        }
    }

    /// Whether an agent was seen that runs as the gate's own user or as root.
    pub(crate) fn is_advisory(&self) -> bool {
        self.advisory.load(Ordering::Relaxed)
    }

    /// The operator's own word for who calls, as `decide` and `explain` take it.
    pub(crate) fn named(agent: AgentId) -> Caller {
        Caller::Agent { id: agent, posture: Posture::Advisory }
    }
}

impl Identify for Assembly {
    fn identify(&self, peer: &Peer, greeting: &Greeting) -> Caller {
        let policy = self.policy.last_good();
        let door = greeting.door.as_ref();
        let near = callgate_identity::Peer {
            uid: peer.uid,
            mapped: policy.agent_at(peer.uid, door, greeting.session.as_ref()).cloned(),
            observed: door.is_some_and(|door| policy.config().mode(door) == Mode::Observe),
        };
        let caller = callgate_identity::identify(&self.tokens, self.own_uid, near, greeting.token.as_deref());
        if (peer.uid == self.own_uid || peer.uid == 0) && matches!(caller, Caller::Agent { .. }) {
            self.advisory.store(true, Ordering::Relaxed);
        }
        caller
    }
}

impl Credentials for Assembly {
    fn is_operator(&self, token: &str) -> bool {
        callgate_identity::is_operator(&self.tokens, token)
    }
}

/// Loads a gate directory; the error shows every finding at its place.
pub(crate) fn load(dir: &Path, exposure: Exposure) -> Result<Store> {
    Store::load_looking(dir, &specs(), exposure, layers::look).map_err(|error| {
        let rendered = callgate_policy::render(error.findings(), false);
        anyhow::anyhow!("{} cannot be loaded:\n{rendered}", dir.display())
    })
}

/// A gate that can explain and nothing else: it has no log, so it can allow nothing.
pub(crate) fn explaining(policy: Arc<Store>) -> Result<Gate> {
    gate(policy, Arc::new(NoLog))
}

/// The gate itself, on all layers.
pub(crate) fn gate(policies: Arc<Store>, log: Arc<dyn Log>) -> Result<Gate> {
    let shell = ShellFacts::new()?;
    let seams = Seams {
        policies,
        log,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        facts: vec![Arc::new(shell), Arc::new(SandboxFacts::default())],
    };
    Ok(Gate::new(seams, Deadlines::default()))
}

struct NoLog;

impl Log for NoLog {
    fn append(&self, _: Entry) -> Later<'_, Result<Receipt, LogError>> {
        Box::pin(std::future::ready(Err(LogError::Unavailable("this gate only explains".to_owned()))))
    }
}

/// The log of this state; a new one gets an origin that no other gate has.
fn log_dir(root: &Path, gate: &Path, config: &Config) -> Result<LogDir> {
    let origin = match &config.gate.origin {
        Some(origin) => origin.clone(),
        None => match LogDir::open(root) {
            Ok(log) => return Ok(log),
            Err(callgate_audit::AuditError::Missing { .. }) => new_origin(gate, config)?,
            Err(error) => return Err(error.into()),
        },
    };
    Ok(LogDir::create(root, &origin)?)
}

fn new_origin(gate: &Path, config: &Config) -> Result<String> {
    let name = match &config.gate.name {
        Some(name) => name.clone(),
        None => gate.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    };
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    let mut random = [0; 4];
    SystemEntropy.fill(&mut random)?;
    let tag = callgate_text::hex(&random);
    Ok(format!("callgate.local/{}-{tag}", if plain.is_empty() { "gate" } else { &plain }))
}

fn budget(config: &Config) -> Budget {
    let default = Budget::default();
    let per_minute = config.log.agent_records_per_minute;
    let records_per_second = per_minute.map_or(default.records_per_second, |records| (records / 60).max(1));
    let bytes = config.log.agent_bytes_per_minute;
    let bytes_per_day = bytes.map_or(default.bytes_per_day, |bytes| bytes.saturating_mul(24 * 60));
    Budget { records_per_second, bytes_per_day, ..default }
}

pub(crate) fn count(count: usize) -> Json {
    Json::integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A reload that panicked, and left no error behind.
fn failed() -> LoadError {
    use callgate_policy::{Finding, Rule};
    Finding::new(Rule::Unreadable, "", "the gate failed while it loaded the policy; the last good one stays").into()
}
