//! What only the operator may ask, through the socket of the running gate or of a gate in this process.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use callgate_audit::Selector;
use callgate_core::seam::{Clock, Later};
use callgate_core::{AgentId, CallFault, Caller, Code, DoorName, Kind, Reason, Request, SessionId};
use callgate_doors::socket::{Client, ClientError, Greeting, Operator, Peer};
use callgate_identity::{Credential, Holder};
use callgate_policy::{Exposure, Mode, render};
use callgate_text::Json;

use crate::assembly::{Assembly, count};
use crate::cli::Place;
use crate::place::State;
use crate::proofs::Proof;
use crate::system::SystemClock;

/// The operator's operations on a gate.
pub(crate) struct Desk {
    assembly: Arc<Assembly>,
}

impl Desk {
    pub(crate) fn new(assembly: Arc<Assembly>) -> Self {
        Self { assembly }
    }
}

impl Operator for Desk {
    fn operate<'a>(&'a self, _: &'a Peer, op: &'a str, body: &'a Json) -> Later<'a, Result<Json, String>> {
        Box::pin(async move { self.run(op, body).await.map_err(|error| format!("{error:#}")) })
    }
}

/// Asks the running gate, or, where none runs, a gate in this process that holds the state's lock
/// meanwhile. Both answer with the same code.
pub(crate) async fn ask(place: &Place, op: &str, body: Json) -> Result<Json> {
    let state = State::of(place)?;
    match ask_running(&state, op, body.clone()).await? {
        Some(answer) => Ok(answer),
        None => {
            let assembly = Arc::new(Assembly::open(&place.gate, &state)?);
            let answer = Desk::new(assembly.clone()).run(op, &body).await;
            assembly.log.stop()?;
            answer
        }
    }
}

/// Asks the running gate; `None` if none runs.
pub(crate) async fn ask_running(state: &State, op: &str, body: Json) -> Result<Option<Json>> {
    match Client::new(state.socket(), Greeting::default()).ask(op, body).await {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::NoGate) => Ok(None),
        Err(ClientError::Refused(reason)) => Err(anyhow!(reason.message)),
        Err(error) => Err(error.into()),
    }
}

/// The body of `decide_as` and `explain`. Bytes that are no text could be no call.
pub(crate) fn call_body(place: &Place, bytes: &[u8]) -> Json {
    let gate = std::fs::canonicalize(&place.gate).ok().map(|gate| Json::from(gate.display().to_string()));
    let call = std::str::from_utf8(bytes).ok().map(Json::from);
    let body = [("gate", gate), ("call", call)];
    Json::object(body.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

impl Desk {
    async fn run(&self, op: &str, body: &Json) -> Result<Json> {
        match op {
            "decide_as" => self.decide_as(body).await,
            "explain" => {
                self.same_gate(body)?;
                explain(&self.assembly.gate, body).await
            }
            "status" => Ok(self.status()),
            "canary" => Ok(Json::object([("word", Json::from(self.assembly.gate.canary()?))])),
            "heard" => self.heard(body),
            "proved" => self.proved(body).await,
            "reload" => self.reload().await,
            "agent_token" => self.agent_token(body).await,
            "agent_list" => Ok(self.credentials(|holder| holder.agent().is_some())),
            "agent_revoke" => self.revoke(body, |holder| holder.agent().is_some()).await,
            "operator_token" => self.mint(Holder::Operator).await,
            "operator_list" => Ok(self.credentials(|holder| *holder == Holder::Operator)),
            "operator_revoke" => self.revoke(body, |holder| *holder == Holder::Operator).await,
            "erase" => self.blocking(|log, selector| Ok(log.erase(&selector)?), selector(body)?).await.map(erased),
            "rotate_key" => {
                let key = self.blocking(|log, ()| Ok(log.rotate_key()?), ()).await?;
                Ok(Json::object([("vkey", key.to_string())]))
            }
            "retire_key" => {
                let key = self.blocking(|log, ()| Ok(log.retire_key()?), ()).await?;
                Ok(Json::object([("retired", key.to_string())]))
            }
            other => bail!("this gate has no operation `{}`", other.escape_debug()),
        }
    }

    /// Who asks about one directory must not be answered by the policy of another.
    fn same_gate(&self, body: &Json) -> Result<()> {
        let own = std::fs::canonicalize(self.assembly.policy.dir())?.display().to_string();
        match body.get("gate").and_then(Json::as_str) {
            Some(asked) if asked != own => bail!("the running gate serves {own}, not {asked}; choose another --state"),
            _ => Ok(()),
        }
    }

    async fn decide_as(&self, body: &Json) -> Result<Json> {
        self.same_gate(body)?;
        let (caller, request) = presented(body);
        Ok(self.assembly.gate.decide(&caller, request).await.to_json())
    }

    async fn reload(&self) -> Result<Json> {
        self.assembly.reload().await.map_err(|error| anyhow!("{}", render(error.findings(), false)))
    }

    /// Whether a canary came to the gate, and whose call it was.
    fn heard(&self, body: &Json) -> Result<Json> {
        let word = body.get("word").and_then(Json::as_str).context("no canary is named")?;
        let heard = self.assembly.gate.heard(word);
        let agent = heard.as_ref().and_then(|heard| heard.agent.as_ref()).map(Json::from);
        Ok(Json::object([("heard", Json::Bool(heard.is_some())), ("agent", agent.unwrap_or(Json::Null))]))
    }

    /// What `doctor` found out about a host, for the log and for `status`.
    async fn proved(&self, body: &Json) -> Result<Json> {
        let text = |key| body.get(key).and_then(Json::as_str).with_context(|| format!("a proof without `{key}`"));
        let host: DoorName = text("host")?.parse()?;
        let holds = body.get("holds").and_then(Json::as_bool).context("a proof that does not say whether it holds")?;
        let proof = Proof { at: SystemClock.now().to_string(), version: text("version")?.to_owned(), holds };
        self.assembly.proofs.keep(host.clone(), proof)?;
        let details =
            vec![("door", Json::from(&host)), ("version", Json::from(text("version")?)), ("holds", Json::Bool(holds))];
        self.assembly.note(Kind::Proof, details).await;
        Ok(Json::Null)
    }

    async fn agent_token(&self, body: &Json) -> Result<Json> {
        let agent = agent(body)?;
        if !self.assembly.policy.last_good().knows(&agent) {
            bail!("entities.toml declares no agent `{agent}`; add it there first");
        }
        self.mint(Holder::Agent(agent)).await
    }

    async fn mint(&self, holder: Holder) -> Result<Json> {
        let (token, credential) = self.assembly.tokens.mint(holder, SystemClock.now())?;
        self.note_credential("made", &credential).await;
        let mut made = described(&credential);
        made.push(("token", Json::from(token.secret())));
        Ok(Json::object(made))
    }

    fn credentials(&self, shown: impl Fn(&Holder) -> bool) -> Json {
        let all = self.assembly.tokens.list().into_iter().filter(|credential| shown(&credential.holder));
        Json::object([(
            "credentials",
            Json::Array(all.map(|credential| Json::object(described(&credential))).collect()),
        )])
    }

    /// Revokes a credential of the kind that was asked for.
    async fn revoke(&self, body: &Json, kind: impl Fn(&Holder) -> bool) -> Result<Json> {
        let id = body.get("id").and_then(Json::as_str).context("no credential is named")?;
        let unknown = || anyhow!("there is no credential `{}`", id.escape_debug());
        let named = self.assembly.tokens.list().into_iter().find(|credential| credential.id == id);
        named.filter(|credential| kind(&credential.holder)).ok_or_else(unknown)?;
        let credential = self.assembly.tokens.revoke(id)?.ok_or_else(unknown)?;
        self.note_credential("revoked", &credential).await;
        let mut revoked = vec![("revoked", Json::from(id))];
        revoked.extend(credential.holder.agent().map(|agent| ("agent", Json::from(agent))));
        Ok(Json::object(revoked))
    }

    async fn note_credential(&self, step: &str, credential: &Credential) {
        let mut details = vec![("step", Json::from(step)), ("credential", Json::from(credential.id.as_str()))];
        details.extend((credential.holder == Holder::Operator).then_some(("operator", Json::Bool(true))));
        self.assembly.note(Kind::Credential, details).await;
    }

    fn status(&self) -> Json {
        use callgate_core::seam::Snapshot;
        let policy = self.assembly.policy.last_good();
        let log = self.assembly.log.status();
        let failure = self.assembly.policy.failure();
        let stale = self.assembly.gate.snapshot().is_none();
        let size = |size: u64| Json::integer(i64::try_from(size).unwrap_or(i64::MAX));
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend(stale.then(|| "the policy is stale: every call is denied".to_owned()));
        wrong.extend(
            failure.map(|error| format!("the policy on disk could not be taken:\n{}", render(error.findings(), false))),
        );
        wrong.extend(log.poisoned.map(|why| format!("the log is closed, every call is denied: {why}")));
        wrong.extend(log.refusing_agents.then(|| "the disk is nearly full: agents' calls are denied".to_owned()));
        wrong.extend(log.last_error.map(|why| format!("the log: {why}")));
        let config = policy.config();
        wrong.extend(
            config
                .observing()
                .map(|door| format!("the door {door} only watches: what policy denies there runs all the same")),
        );
        let proofs = self.assembly.proofs.all();
        let mut unproved = Vec::new();
        for host in crate::host::ALL {
            let enforces = config.doors.iter().any(|(door, mode)| door.as_str() == host && *mode == Mode::Enforce);
            if enforces && !proofs.iter().any(|(door, proof)| door.as_str() == host && proof.holds) {
                unproved.push(host);
            }
        }
        let proofs = proofs.iter().map(|(door, proof)| (door.as_str(), proof.to_json()));
        let doors = config.doors.iter().map(|(door, mode)| (door.as_str(), mode.as_str()));
        let mode = if config.observing().next().is_none() { Mode::Enforce } else { Mode::Observe };
        let posture = if self.assembly.is_advisory() { "advisory" } else { "enforced" };
        Json::object([
            ("mode", Json::from(mode.as_str())),
            ("doors", Json::object(doors)),
            ("proofs", Json::object(proofs)),
            ("posture", Json::from(posture)),
            ("policy", Json::from(policy.digest())),
            ("policies", count(policy.policies().len())),
            ("agents", count(policy.agents().len())),
            ("servers", Json::Array(policy.servers().into_iter().map(Json::from).collect())),
            ("tools", count(policy.tools().len())),
            ("credentials", count(self.assembly.tokens.list().len())),
            (
                "log",
                Json::object([
                    ("origin", Json::from(self.assembly.log.dir().origin())),
                    ("size", size(log.durable_size)),
                    ("checkpoint", size(log.checkpoint_size)),
                    ("bytes_free", size(log.bytes_free)),
                ]),
            ),
            ("sandboxes_ready", Json::integer(self.assembly.metrics.sandboxes_ready())),
            ("findings", count(self.assembly.policy.findings().len())),
            ("well", Json::Bool(wrong.is_empty() && unproved.is_empty())),
            ("unproved", Json::Array(unproved.into_iter().map(Json::from).collect())),
            ("wrong", Json::from(wrong)),
        ])
    }

    /// Runs what waits for the disk away from the tasks that decide.
    async fn blocking<I: Send + 'static, T: Send + 'static>(
        &self,
        work: impl FnOnce(&callgate_audit::Writer, I) -> Result<T> + Send + 'static,
        input: I,
    ) -> Result<T> {
        let log = Arc::clone(&self.assembly.log);
        tokio::task::spawn_blocking(move || work(&log, input)).await?
    }
}

/// Judges a call without consequences; needs no state.
pub(crate) async fn explain(gate: &callgate_core::Gate, body: &Json) -> Result<Json> {
    let (caller, request) = presented(body);
    let previewed = match request {
        Ok(request) => gate.preview(&caller, request).await,
        Err(fault) => Err(Reason::new(Code::InvalidArguments, fault.to_string())),
    };
    let (verdict, trace) = match previewed {
        Ok(preview) => (preview.verdict, preview.trace),
        Err(reason) => (callgate_core::Verdict::denial(reason), Json::object::<&str, Json>([])),
    };
    Ok(Json::object([("verdict", verdict.to_json()), ("trace", trace)]))
}

/// Explains by the gate directory alone, where no gate runs.
pub(crate) async fn explain_from(dir: &Path, body: &Json) -> Result<Json> {
    let policy = Arc::new(crate::assembly::load(dir, Exposure::Warn)?);
    explain(&crate::assembly::explaining(policy)?, body).await
}

/// The caller that the operator names, and the call. What cannot be read is the operator's own.
fn presented(body: &Json) -> (Caller, Result<Request, CallFault>) {
    let read = match body.get("call").and_then(Json::as_str) {
        Some(text) => Request::parse(text.as_bytes()),
        None => Err(CallFault::Shape("is not UTF-8")),
    };
    match read {
        Ok((Some(agent), request)) => (Assembly::named(agent), Ok(request)),
        Ok((None, request)) => (Caller::Unrecognised { why: "the call names no agent" }, Ok(request)),
        Err(fault) => match "operator".parse() {
            Ok(operator) => (Assembly::named(operator), Err(fault)),
            Err(_) => (Caller::Unrecognised { why: "the call cannot be read" }, Err(fault)),
        },
    }
}

/// A credential, without what only its holder knows.
fn described(credential: &Credential) -> Vec<(&'static str, Json)> {
    let mut members = vec![("id", Json::from(credential.id.as_str()))];
    members.extend(credential.holder.agent().map(|agent| ("agent", Json::from(agent))));
    members.push(("created", Json::from(credential.created.to_string())));
    members
}

fn agent(body: &Json) -> Result<AgentId> {
    let name = body.get("agent").and_then(Json::as_str).context("no agent is named")?;
    Ok(name.parse::<AgentId>()?)
}

fn selector(body: &Json) -> Result<Selector> {
    let text = |key| body.get(key).and_then(Json::as_str);
    let index = body.get("index").and_then(Json::as_i64).map(u64::try_from).transpose()?;
    let session = text("session").map(str::parse::<SessionId>).transpose()?;
    let agent = text("agent").map(str::parse::<AgentId>).transpose()?;
    Ok(Selector { index, agent, session, ..Selector::default() })
}

fn erased(erased: callgate_audit::Erased) -> Json {
    let size = |size: u64| Json::integer(i64::try_from(size).unwrap_or(i64::MAX));
    Json::object([("records", size(erased.records)), ("values", size(erased.values)), ("index", size(erased.index))])
}
