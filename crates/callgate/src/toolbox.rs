//! The gate's own tools: decided, run contained, and reported, all in the gate's own process.
//!
//! ```text
//! decide ─► permit ─► room ─► launch in the profile that policy chose ─► complete, with what the kernel really gave
//!                                                                            │
//! answer ◄─ observe ◄─ commit, as far as policy decides that it may ◄────────┘
//! ```
//!
//! What a tool says of itself is never evidence: how a run ended is the launcher's word, what it changed is found by
//! walking it, and what it printed is text that passes.

mod contained;
mod kept;
mod pool;
mod result;
mod rooms;
mod settle;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callgate_core::gate::{Observed, Passing, Permit};
use callgate_core::seam::{Later, Snapshot};
use callgate_core::{
    AgentId, Answer, Call, CallFault, Caller, Completion, Decision, Gate, Offered, Outcome, Request, RunReport,
};
use callgate_doors::Ruling;
use callgate_doors::tools::{Called, Conduct, ToolResult, Tools};
use callgate_policy::{GateSnapshot, Store};
use callgate_sandbox::{Access, Host, Journals, Launcher, Place, Profile, SandboxFacts};
use callgate_text::Digest;
use callgate_tools::{MEMORY, Memory, Operation, SERVER, TERMINAL, Work};
use tokio::sync::{OnceCell, watch};

use crate::metrics::Metrics;

pub(crate) use contained::WORK;
use contained::{Program, Ran, Source};
use pool::{Key, Pool};
use result::{Said, State};
use rooms::Rooms;
use settle::Settled;

/// Runs of one agent at a time.
const MOST_OF_AGENT: usize = 4;

/// Runs of all agents at a time.
const MOST_IN_ALL: usize = 16;

/// A result that is longer is withheld.
const MOST_TEXT: usize = 8 << 20;

/// The gate's own tools.
pub(crate) struct Toolbox {
    gate: Arc<Gate>,
    policy: Arc<Store>,
    launcher: Launcher,
    pool: Arc<Pool>,
    /// What the machine offers, found out when it is first needed.
    host: OnceCell<Host>,
    profiles: SandboxFacts,
    memory: Arc<Memory>,
    /// The gate's state and its configuration, which no tool may come near.
    own: [PathBuf; 2],
    rooms: Rooms,
    settling: settle::Settling,
}

/// A call that policy allowed, until its end is reported.
struct Allowed<'a> {
    agent: &'a AgentId,
    caller: &'a Caller,
    door: &'static str,
    request: &'a Request,
    id: &'a str,
    permit: &'a Permit,
}

/// What a tool will do, read from its arguments.
enum Task {
    Terminal { command: String, deadline: Option<u64> },
    File { request: Vec<u8> },
}

/// Where and how a task runs.
struct Setting {
    workspace: PathBuf,
    profile: Profile,
    /// How many sandboxes stand by for the next calls.
    warm: usize,
}

impl Toolbox {
    /// Tools of the gate, whose state lies in the folder `state`.
    ///
    /// # Errors
    /// If it cannot be said where the gate's own folders really are.
    pub(crate) fn new(
        gate: Arc<Gate>,
        policy: Arc<Store>,
        metrics: Arc<Metrics>,
        launcher: Launcher,
        state: &Path,
    ) -> io::Result<Self> {
        let own = [state.canonicalize()?, policy.dir().canonicalize()?];
        Ok(Self {
            own,
            gate,
            policy,
            pool: Arc::new(Pool::new(launcher.clone(), metrics)),
            launcher,
            host: OnceCell::new(),
            profiles: SandboxFacts::default(),
            memory: Arc::new(Memory::at(state.join("memory"))),
            rooms: Rooms::new(MOST_OF_AGENT, MOST_IN_ALL),
            settling: settle::Settling::new(Journals::at(state.join("commits"))),
        })
    }

    /// Ends the sandboxes that stand by under what another policy says now, whenever there is another.
    pub(crate) async fn follow(self: Arc<Self>, mut policies: watch::Receiver<()>) {
        while policies.changed().await.is_ok() {
            let snapshot = self.policy.last_good();
            let profiles = self.profiles.profiles(snapshot.settings()).ok().filter(|profiles| profiles.warm() > 0);
            let pool = self.pool.clone();
            let retained = tokio::task::spawn_blocking(move || {
                let stays = |key: &Key| {
                    let digest = |profile: &Profile| profile.digest().to_string() == key.ground.profile();
                    snapshot.knows(&key.agent) && profiles.as_ref().is_some_and(|profiles| profiles.iter().any(digest))
                };
                pool.retain(stays);
            });
            if let Err(error) = retained.await {
                tracing::error!("sandboxes that stand by: {error}");
            }
        }
    }

    /// Ends the sandboxes that stand by. From here on every run begins from nothing.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    async fn decided(
        &self,
        caller: &Caller,
        door: &'static str,
        request: Result<Request, CallFault>,
        conduct: Conduct,
    ) -> Called {
        let request = request.map(offered);
        let answer = self.gate.decide_at(door, caller, request.clone()).await;
        let (Ok(request), Caller::Agent { id: agent, .. }, Some(permit)) = (&request, caller, &answer.permit) else {
            return Called::Denied(Ruling::from(&answer));
        };
        let allowed = Allowed { agent, caller, door, request, id: &answer.id, permit };
        let said = self.run(&allowed, &answer, &conduct).await;
        self.observed(caller, &answer.id, answer.decision(), said).await
    }

    /// Runs what was allowed, and reports what became of it, whatever that is.
    async fn run(&self, allowed: &Allowed<'_>, answer: &Answer, conduct: &Conduct) -> Said {
        let Some(_room) = self.rooms.enter(allowed.agent) else {
            return self.not_run(allowed, State::Busy, "Busy: as many calls as may are under way. Try again.").await;
        };
        if allowed.request.tool.server() != SERVER {
            return self.not_run(allowed, State::Refused, "This gate does not run that tool.").await;
        }
        match allowed.request.tool.tool() {
            MEMORY => self.remember(allowed).await,
            tool => match self.prepare(tool, allowed, answer) {
                Ok((task, setting)) => self.contain(allowed, task, setting, conduct).await,
                Err(why) => self.not_run(allowed, State::Refused, &why).await,
            },
        }
    }

    async fn remember(&self, allowed: &Allowed<'_>) -> Said {
        let (memory, agent) = (self.memory.clone(), allowed.agent.to_string());
        let result = match Operation::of(allowed.request.arguments.as_ref()) {
            Err(fault) => Err(fault),
            Ok(operation) => match tokio::task::spawn_blocking(move || memory.run(&agent, &operation)).await {
                Ok(result) => result,
                Err(_) => return self.not_known(allowed, "The memory failed.").await,
            },
        };
        let said = Said::of_tool(State::Done, result);
        self.complete(allowed, said, None).await
    }

    /// What will run, and under what: nothing of it is the agent's word.
    fn prepare(&self, tool: &str, allowed: &Allowed<'_>, answer: &Answer) -> Result<(Task, Setting), String> {
        let snapshot = self.policy.last_good();
        // Workspace and profile belong to the decision.
        if answer.verdict.policy != Some(snapshot.digest()) {
            return Err("The policy changed while this was decided. Try again.".to_owned());
        }
        let workspace = snapshot.config().tools.workspace.clone().ok_or(
            "This gate has no workspace: the operator names one as `workspace` below `[tools]` in callgate.toml.",
        )?;
        let (profile, warm) = self.profile(&snapshot, allowed, answer)?;
        self.keeps_out(Path::new(&workspace), &profile)?;
        let arguments = allowed.request.arguments.as_ref();
        let text = |key: &str| arguments.and_then(|arguments| arguments.get(key));
        let task = if tool == TERMINAL {
            let command = text("command").and_then(callgate_text::Json::as_str).ok_or("There is no command.")?;
            let deadline = text("timeout").and_then(callgate_text::Json::as_i64);
            let deadline = deadline.map(|seconds| u64::try_from(seconds).unwrap_or(1));
            Task::Terminal { command: command.to_owned(), deadline }
        } else {
            match Work::of(tool, arguments) {
                None => return Err("This gate has no such tool.".to_owned()),
                Some(Err(fault)) => return Err(fault.message),
                Some(Ok(_)) => {}
            }
            let request = callgate_tools::contained::request(Path::new(&workspace), tool, arguments);
            Task::File { request: request.ok_or("The workspace's path is no text.")? }
        };
        Ok((task, Setting { workspace: workspace.into(), profile, warm }))
    }

    /// The profile that the decision named, to the last bit, and how many sandboxes stand by.
    fn profile(
        &self,
        snapshot: &GateSnapshot,
        allowed: &Allowed<'_>,
        answer: &Answer,
    ) -> Result<(Profile, usize), String> {
        let held_to = answer.containment.as_ref().ok_or_else(|| {
            format!(
                "No profile contains this tool: the operator names one as `profile` below `[tool.\"{}\"]`.",
                allowed.request.tool
            )
        })?;
        let call = Call::new(allowed.agent.clone(), allowed.request.clone());
        let asked = snapshot.profile(&call).ok_or("The policy names no profile.")?;
        let profiles = self.profiles.profiles(&asked.settings).map_err(|reason| reason.message)?;
        let profile = profiles.get(&held_to.profile).filter(|profile| profile.digest() == held_to.digest);
        let profile = profile.cloned().ok_or("The profile is not the one that was decided about.")?;
        Ok((profile, profiles.warm()))
    }

    /// What could read the gate's keys, or change its policy, does not run.
    fn keeps_out(&self, workspace: &Path, profile: &Profile) -> Result<(), String> {
        for own in &self.own {
            let shown = || own.to_str().and_then(|own| own.parse().ok()).map(|own: Place| profile.access(&own));
            let near = own.starts_with(workspace) || workspace.starts_with(own);
            if near || shown().is_none_or(|access| access > Access::Tmpfs) {
                return Err(format!(
                    "The tools could reach the gate's own folder {}: the operator must keep it out of the workspace \
                     and of the profile.",
                    own.display()
                ));
            }
        }
        Ok(())
    }

    async fn contain(&self, allowed: &Allowed<'_>, task: Task, setting: Setting, conduct: &Conduct) -> Said {
        let host = self.host.get_or_try_init(|| contained::probe(&self.launcher)).await;
        let host = match host {
            Ok(host) => host,
            Err(error) => {
                tracing::error!("the sandbox cannot be started: {error}");
                return self.not_run(allowed, State::Refused, "The sandbox cannot be started.").await;
            }
        };
        if let Err(why) = self.settling.recover(&setting.workspace).await {
            return self.not_run(allowed, State::Refused, &why).await;
        }
        let program = match Program::compile(&task, &setting, host) {
            Ok(program) => program,
            Err(why) => return self.not_run(allowed, State::Refused, &why).await,
        };
        let seeing = |text: String| async move { self.seen(allowed.caller, text).await };
        let source = Source {
            launcher: self.launcher.clone(),
            pool: self.pool.clone(),
            agent: allowed.agent.clone(),
            session: allowed.request.session.clone(),
            warm: setting.warm,
        };
        let ran = match contained::run(source, program, conduct, seeing).await {
            Ok(ran) => ran,
            Err(error) => {
                tracing::error!("{}: {error}", allowed.request.tool);
                return self.not_known(allowed, "The sandbox failed; nothing of it was kept.").await;
            }
        };
        let Ran { finished, walked, output } = ran;
        let report = crate::command::run::report::for_log(&finished, &walked);
        let exit = &finished.ending.exit;
        let said = match task {
            Task::Terminal { .. } => Said::of_terminal(&finished.ending, &output),
            Task::File { .. } => Said::of_file(exit, &output),
        };
        let mut said = self.complete(allowed, said, Some(report)).await;
        if said.is_on_record() {
            let settled = match walked.failed {
                None => self.settling.settle(&self.gate, allowed, walked.sets, said.may_commit(exit)).await,
                Some(why) => Settled::Unknown(why),
            };
            said.settled(settled);
        }
        said
    }

    /// Text on its way to the model while a tool runs; nothing, if it must not go there.
    async fn seen(&self, caller: &Caller, text: String) -> Option<String> {
        let passing = Passing { text };
        match self.gate.observe(caller, std::slice::from_ref(&passing)).await.ok()?.pop()? {
            Observed::Unchanged => Some(passing.text),
            Observed::Sanitised(revealed) => Some(revealed.text),
        }
    }

    /// Reports that nothing ran.
    async fn not_run(&self, allowed: &Allowed<'_>, state: State, why: &str) -> Said {
        self.reported(allowed, Outcome::NotRun, Said::failed(state, why), None).await
    }

    /// Reports that nobody knows what ran.
    async fn not_known(&self, allowed: &Allowed<'_>, why: &str) -> Said {
        self.reported(allowed, Outcome::Timeout, Said::failed(State::Refused, why), None).await
    }

    async fn complete(&self, allowed: &Allowed<'_>, said: Said, run: Option<RunReport>) -> Said {
        let outcome = said.outcome();
        self.reported(allowed, outcome, said, run).await
    }

    /// Makes the outcome durable. Without that, nothing is kept and nothing is told.
    async fn reported(&self, allowed: &Allowed<'_>, outcome: Outcome, said: Said, run: Option<RunReport>) -> Said {
        let (id, permit) = (allowed.id.to_owned(), allowed.permit.token().to_owned());
        let result = Some(Digest::of(&said.result().canonical()));
        let completion = Completion { id, permit, outcome, result, run };
        match self.gate.complete(allowed.caller, completion).await {
            Ok(_) => said.on_record(),
            Err(reason) => {
                Said::failed(State::Refused, &format!("Withheld: the outcome was not recorded ({}).", reason.code))
            }
        }
    }

    /// What the model may see of it.
    async fn observed(&self, caller: &Caller, id: &str, decision: Decision, said: Said) -> Called {
        let ToolResult { texts, is_error, mut structured } = said.into_result();
        let withheld = |why: &str| ToolResult {
            texts: vec![format!("Withheld: {why} The call ran.")],
            is_error: true,
            structured: result::stated("withheld"),
        };
        let words: Vec<(String, String)> =
            structured.iter().filter_map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned()))).collect();
        let passing: Vec<Passing> =
            texts.iter().chain(words.iter().map(|(_, word)| word)).map(|text| Passing { text: text.clone() }).collect();
        let ran = |result| Called::Ran { id: id.to_owned(), decision, result };
        if passing.iter().map(|passing| passing.text.len()).sum::<usize>() > MOST_TEXT {
            return ran(withheld("the result is longer than 8 MiB."));
        }
        let Ok(observed) = self.gate.observe(caller, &passing).await else {
            return ran(withheld("the result could not be looked at."));
        };
        let mut seen = passing.into_iter().zip(observed).map(|(passing, observed)| match observed {
            Observed::Unchanged => passing.text,
            Observed::Sanitised(revealed) => revealed.text,
        });
        let texts: Vec<String> = seen.by_ref().take(texts.len()).collect();
        for ((key, _), word) in words.iter().zip(seen) {
            structured.set(key, word);
        }
        ran(ToolResult { texts, is_error, structured })
    }
}

impl Tools for Toolbox {
    fn call(
        &self,
        caller: Caller,
        door: &'static str,
        call: Result<Request, CallFault>,
        conduct: Conduct,
    ) -> Later<'_, Called> {
        Box::pin(async move { self.decided(&caller, door, call, conduct).await })
    }
}

/// What is offered by the call's name is what is compiled in here, whatever the door says.
fn offered(request: Request) -> Request {
    let own = (request.tool.server() == SERVER).then(|| callgate_tools::definition(request.tool.tool())).flatten();
    let offered = own.map_or(Offered::Nothing, |definition| Offered::Definition(Digest::of(&definition.canonical())));
    Request { offered: Some(offered), host_call: None, ..request }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test stops at what it did not expect")]
mod tests;
