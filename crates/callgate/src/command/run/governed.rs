//! A run that a gate decides about: whether it may start, and whether what it wrote may be committed. Both are records.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use callgate_core::{Completion, Decision, Outcome, Request, RunReport};
use callgate_doors::Operations;
use callgate_doors::socket::{Client, Greeting};
use callgate_identity::Token;
use callgate_policy::{COMMIT, RUN};
use callgate_sandbox::{Class, Profile, WriteSet};
use callgate_text::{Digest, Json, Object};

use super::{committed, stopped};
use crate::cli::{Place, RunAt};
use crate::output::{complain, harmless};
use crate::place;

/// Who decides about a run.
pub(super) enum Governed {
    /// Nobody but whoever started it.
    Alone,
    /// A running gate, which allowed it.
    By(Box<Allowed>),
}

/// A run that the gate allowed.
pub(super) struct Allowed {
    gate: Client,
    run: Released,
}

/// A decision and its permit.
struct Released {
    id: String,
    permit: String,
}

impl Governed {
    /// Asks the gate, if one is named. The error inside is what to say of a denial.
    ///
    /// # Errors
    /// If the gate cannot be asked, or holds another profile of that name: nothing may run then.
    pub(super) async fn ask(at: &RunAt, profile: &Profile, workspace: &Path) -> Result<Result<Self, String>> {
        let Some(gate) = &at.gate else { return Ok(Ok(Self::Alone)) };
        let place = Place { gate: gate.clone(), state: at.state.clone(), socket: at.socket.clone() };
        let token = at.credential.as_deref().map(Token::read).transpose().context("--credential")?;
        let token = token.map(|token| token.secret().to_owned());
        let greeting = Greeting { token, door: Some("run".parse()?), session: None };
        let gate = Client::new(place::socket(&place)?, greeting);
        let words: Option<Vec<Json>> = at.command.iter().map(|word| word.to_str().map(Json::from)).collect();
        let arguments = Json::object([
            ("command", Json::Array(words.context("the command is not all text, so no policy can judge it")?)),
            ("profile", Json::from(profile.name.as_str())),
            ("workspace", Json::from(workspace.to_str().context("the workspace's path is no text")?)),
        ]);
        let answer = gate.decide_in_full(&Ok(request(RUN, arguments)?)).await.map_err(|error| anyhow!("{error}"))?;
        let run = match released(&answer)? {
            Ok(run) => run,
            Err(denied) => return Ok(Err(denied)),
        };
        let allowed = Allowed { gate, run };
        let held_to = answer.get("sandbox").and_then(|sandbox| sandbox.get("digest")).and_then(Json::as_str);
        if held_to != Some(profile.digest().to_string().as_str()) {
            allowed.complete(Outcome::NotRun, None).await?;
            bail!(
                "the running gate holds another profile `{}` than {}; `callgate reload` makes it take this one",
                profile.name,
                place.gate.display()
            );
        }
        Ok(Ok(Self::By(Box::new(allowed))))
    }

    /// Tells the gate how it went.
    ///
    /// # Errors
    /// If that cannot be recorded; then nothing is committed.
    pub(super) async fn ended(&self, report: RunReport, ended_by_itself: bool) -> Result<()> {
        let Self::By(allowed) = self else { return Ok(()) };
        let outcome = match report.exit.as_str() {
            "refused" => Outcome::NotRun,
            "timeout" => Outcome::Timeout,
            _ if ended_by_itself => Outcome::Ok,
            _ => Outcome::Error,
        };
        allowed.complete(outcome, Some(report)).await
    }

    /// Tells the gate that nobody knows how it went.
    pub(super) async fn lost(&self) {
        if let Self::By(allowed) = self
            && let Err(error) = allowed.complete(Outcome::Timeout, None).await
        {
            complain(&format!("callgate: {error:#}"));
        }
    }
}

impl Allowed {
    async fn complete(&self, outcome: Outcome, run: Option<RunReport>) -> Result<()> {
        let Released { id, permit } = &self.run;
        let completion = Completion { id: id.clone(), permit: permit.clone(), outcome, result: None, run };
        recorded(self.gate.complete(completion).await)
    }

    /// Asks whether the changes may be committed, and commits them; `false` if not.
    ///
    /// # Errors
    /// If the gate cannot be asked, or the commit fails: nothing is committed then.
    pub(super) async fn commit(&self, set: WriteSet) -> Result<bool> {
        let arguments = Json::object([
            ("folder", Json::from(set.folder().to_str().context("the workspace's path is no text")?)),
            ("write_set", Json::from(set.digest())),
        ]);
        let request = request(COMMIT, arguments)?;
        let answer = self.gate.decide_changes(&request, &set.to_changes()?).await;
        let released = match released(&answer.map_err(|error| anyhow!("{error}"))?)? {
            Ok(released) => released,
            Err(denied) => {
                stopped(&set, &std::collections::BTreeSet::new());
                complain(&format!("callgate: nothing was committed. {denied}"));
                return Ok(false);
            }
        };
        let done = committed(set, &Class::ALL.into_iter().collect());
        let outcome = if done.is_ok() { Outcome::Ok } else { Outcome::Error };
        let Released { id, permit } = released;
        let told = self.gate.complete(Completion { id, permit, outcome, result: None, run: None }).await;
        done?;
        recorded(told)?;
        Ok(true)
    }
}

fn recorded<T>(told: Result<T, callgate_core::Reason>) -> Result<()> {
    told.map(drop).map_err(|reason| anyhow!("the gate did not record the outcome: {}", reason.message))
}

fn request(tool: &str, arguments: Json) -> Result<Request> {
    let original = Digest::of(&arguments.canonical());
    let Json::Object(arguments) = arguments else { bail!("the arguments are no object") };
    Ok(Request {
        tool: tool.parse()?,
        session: None,
        arguments: Some(arguments),
        members: Object::default(),
        original,
        offered: None,
        cwd: None,
        host_call: None,
    })
}

/// The permit of an answer, or what to say of a denial.
fn released(answer: &Json) -> Result<Result<Released, String>> {
    let text = |key| answer.get(key).and_then(Json::as_str).map(str::to_owned);
    let decision = text("decision").as_deref().and_then(Decision::from_word).context("an answer without a decision")?;
    match (decision.releases(), text("id"), text("permit")) {
        (true, Some(id), Some(permit)) => Ok(Ok(Released { id, permit })),
        (true, ..) => bail!("the gate's answer has no permit"),
        (false, ..) => Ok(Err(harmless(&text("model").unwrap_or_else(|| "Denied.".to_owned())))),
    }
}
