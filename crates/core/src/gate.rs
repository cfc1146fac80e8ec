//! The one gate: every door goes through these four operations and no other way.
//!
//! ```text
//! door ─► identify ─► parse ─► establish facts ─► evaluate ─► record decision ─► permit ─► release
//! ```
//!
//! - [`Gate::decide`] before a tool runs: binding and recorded.
//! - [`Gate::complete`] after it ran; [`Gate::report`] where only the host knows what ran.
//! - [`Gate::preview`] and [`Gate::standing`]: the same evaluator, never binding, never a decision.
//! - [`Gate::observe`]: text that passes without a call.
//!
//! Each has a deadline, and a panic anywhere inside becomes a denial.

mod answer;
mod canary;
mod complete;
mod establish;
mod ids;
mod observe;
mod permits;
mod preview;
mod report;
mod seen;
mod sessions;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use callgate_text::{Json, MAX_BYTES};

use crate::guarded::{Cut, guarded};
use crate::seam::{Clock, Entropy, FactSource, Log, LogError, Policies, Snapshot};
use crate::{
    AgentId, Call, CallFault, Caller, Changes, Code, Containment, Decision, Entry, Kind, Lane, Posture, Reason, Record,
    Request, SessionId, Timestamp, ToolName, Verdict, judge,
};

pub use answer::{Answer, Receipt};
pub use canary::Heard;
pub use complete::{Completion, Outcome};
pub use establish::{NOW, SANDBOX};
pub use observe::{Observed, Passing};
pub use permits::Permit;
pub use preview::Preview;
pub use report::Reported;
pub use watched::{Decided, IN_PROCESS, Watch};

use canary::Canaries;
use establish::Established;
use permits::Outstanding;
use seen::Seen;
use sessions::EndedSessions;

/// What a gate is made of.
pub struct Seams {
    /// Where the policy in force comes from.
    pub policies: Arc<dyn Policies>,
    /// The signed log.
    pub log: Arc<dyn Log>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The layers that establish facts, beside the gate's own [`NOW`] and [`SANDBOX`].
    pub facts: Vec<Arc<dyn FactSource>>,
}

/// How long each operation may take before it becomes a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For [`Gate::decide`], the wait for the disk included.
    pub decide: Duration,
    /// For [`Gate::complete`].
    pub complete: Duration,
    /// For [`Gate::preview`] and [`Gate::standing`].
    pub preview: Duration,
    /// For [`Gate::observe`].
    pub observe: Duration,
    /// For recording that one of the others was cut short.
    pub epitaph: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            decide: Duration::from_secs(5),
            complete: Duration::from_secs(5),
            preview: Duration::from_secs(2),
            observe: Duration::from_secs(2),
            epitaph: Duration::from_secs(2),
        }
    }
}

/// The gate.
pub struct Gate {
    seams: Seams,
    deadlines: Deadlines,
    outstanding: Outstanding,
    quarantined: Seen,
    ended: EndedSessions,
    canaries: Canaries,
    /// When this gate began; it remembers nothing from before.
    began: Option<Timestamp>,
    watch: Option<Arc<dyn Watch>>,
}

impl Gate {
    /// A gate over `seams`.
    pub fn new(seams: Seams, deadlines: Deadlines) -> Self {
        let clock = std::panic::AssertUnwindSafe(&seams.clock);
        let began = std::panic::catch_unwind(move || clock.now()).ok();
        Self {
            seams,
            deadlines,
            outstanding: Outstanding::default(),
            quarantined: Seen::default(),
            ended: EndedSessions::default(),
            canaries: Canaries::default(),
            began,
            watch: None,
        }
    }

    /// Decides a call: binding, and durable in the log before this returns an allow.
    ///
    /// Never fails: what goes wrong is a denial that says why.
    pub async fn decide(&self, caller: &Caller, request: Result<Request, CallFault>) -> Answer {
        self.decide_at(IN_PROCESS, caller, request).await
    }

    async fn decide_unwatched(
        &self,
        caller: &Caller,
        request: Result<Request, CallFault>,
        changes: Option<&Changes>,
    ) -> Answer {
        let Some((at, id)) = self.envelope() else {
            return Answer::unrecorded(String::new(), internal());
        };
        let about = request.as_ref().ok().map(|request| (request.tool.clone(), request.session.clone()));
        let work = self.decide_call(caller, request, changes, at, &id);
        match guarded(work, &*self.seams.clock, self.deadlines.decide).await {
            Ok(answer) => answer,
            Err(cut) => self.cut_short(caller, about, at, id, cut).await,
        }
    }

    async fn decide_call(
        &self,
        caller: &Caller,
        request: Result<Request, CallFault>,
        changes: Option<&Changes>,
        at: Timestamp,
        id: &str,
    ) -> Answer {
        // Identify.
        let Caller::Agent { id: agent, posture } = caller else {
            if let Ok(request) = &request {
                self.canaries.hear(request, None, at);
            }
            return self.refuse(caller, at, id, request.ok()).await;
        };
        let canary = request.as_ref().is_ok_and(|request| self.canaries.hear(request, Some(agent), at));
        let mut draft = Draft::new(agent, *posture, at, id);

        // Parse.
        let request = match request {
            Ok(request) => request,
            Err(fault) => return self.settle(draft, deny(Code::InvalidArguments, fault.to_string())).await,
        };
        let call = Call::new(agent.clone(), request);
        if call.length() > MAX_BYTES {
            // Not held: what is refused for its size must not fill the log either.
            return self.settle(draft, deny(Code::InvalidArguments, "the call is longer than 1 MiB")).await;
        }
        draft.hold(&call);
        if canary {
            return self.settle(draft, deny(Code::Canary, CANARY)).await;
        }
        if self.ended.holds(agent, call.session()) {
            return self.settle(draft, deny(Code::SessionEnded, ENDED)).await;
        }

        // Establish facts.
        let Ok(snapshot) = self.seams.policies.current() else {
            return self.settle(draft, deny(Code::PolicyStale, STALE)).await;
        };
        let Established { facts, containment } = match self.establish(&call, changes, at, &*snapshot) {
            Ok(established) => established,
            Err(reason) => return self.settle(draft, Verdict::denial(reason)).await,
        };
        draft.hold_to(containment);
        draft.record.seal("facts", facts.to_json());

        // Evaluate; record; only then is there a permit.
        let verdict = judge(&call, &facts, &*snapshot);
        self.settle(draft, verdict).await
    }

    /// Makes the decision durable; an allowed call gets its permit only after that.
    async fn settle(&self, draft: Draft, mut verdict: Verdict) -> Answer {
        let Draft { mut record, lane, call, containment, observing } = draft;
        if observing && !verdict.decision.releases() {
            verdict = Verdict { decision: Decision::WouldDeny, approvals: Vec::new(), ..verdict };
        }
        verdict.call = call.as_ref().map(Call::digest);
        let id = record.id.clone();
        let minted = match verdict.decision {
            Decision::Deny | Decision::Escalate => Ok(None),
            Decision::Allow | Decision::WouldDeny => Permit::mint(&*self.seams.entropy).map(Some),
        };
        let permit = minted.unwrap_or_else(|error| {
            let Verdict { call, policy, facts, .. } = verdict;
            verdict = Verdict { call, policy, facts, ..deny(Code::Internal, error.to_string()) };
            None
        });
        record.policy = verdict.policy;
        record.decision = Some(verdict.decision);
        record.reasons = verdict.reasons.clone();
        for (ordinal, reason) in verdict.reasons.iter().enumerate() {
            record.seal(format!("reason:{ordinal}"), reason.message.as_str());
        }
        if let Some(hint) = &verdict.hint {
            record.seal("hint", hint.as_str());
        }
        let at = record.at;
        match self.seams.log.append(Entry { record, lane }).await {
            Err(error) => Answer::unrecorded(id, not_recorded(&error)),
            Ok(receipt) => {
                if let (Some(permit), Some(call)) = (&permit, &call) {
                    self.outstanding.add(&id, permit, call, receipt.index, at);
                }
                Answer { id, verdict, permit, containment, receipt: Some(receipt) }
            }
        }
    }

    /// A caller without an accepted credential: denied before anything it says is looked at.
    async fn refuse(&self, caller: &Caller, at: Timestamp, id: &str, request: Option<Request>) -> Answer {
        let why = match caller {
            Caller::Unrecognised { why } => why,
            Caller::Agent { .. } => "the credential names no agent",
        };
        let mut record = Record::new(Kind::CredentialRefused, id.to_owned(), at);
        record.tool = request.map(|request| request.tool);
        let draft = Draft { record, lane: Lane::Unrecognised, call: None, containment: None, observing: false };
        self.settle(draft, deny(Code::UnknownAgent, why)).await
    }

    /// Records that a decision was cut short. A record of an allow may already be there; nobody holds
    /// its permit, and this later record of the same id says that the call was denied.
    async fn cut_short(
        &self,
        caller: &Caller,
        about: Option<(ToolName, Option<SessionId>)>,
        at: Timestamp,
        id: String,
        cut: Cut,
    ) -> Answer {
        let reason = match cut {
            Cut::Deadline => Reason::new(Code::DeadlineExceeded, "the gate did not decide in time"),
            Cut::Panic => internal(),
        };
        self.outstanding.forget(&id);
        let mut draft = match caller {
            Caller::Agent { id: agent, posture } => Draft::new(agent, *posture, at, &id),
            Caller::Unrecognised { .. } => Draft {
                record: Record::new(Kind::CredentialRefused, id.clone(), at),
                lane: Lane::Unrecognised,
                call: None,
                containment: None,
                observing: false,
            },
        };
        // Denied for good: nobody gets a permit of what was cut short.
        draft.observing = false;
        if let Some((tool, session)) = about {
            draft.record.tool = Some(tool);
            draft.record.session = session;
        }
        let epitaph = self.settle(draft, Verdict::denial(reason.clone()));
        match guarded(epitaph, &*self.seams.clock, self.deadlines.epitaph).await {
            Ok(answer) => Answer { permit: None, ..answer },
            Err(_) => Answer::unrecorded(id, reason),
        }
    }

    /// Adds a record of the gate's own: a start, a policy load, a key change.
    ///
    /// # Errors
    /// As [`crate::seam::Log::append`].
    pub async fn note(&self, kind: Kind, details: Vec<(&'static str, Json)>) -> Result<Receipt, LogError> {
        let Some((at, id)) = self.envelope() else {
            return Err(LogError::Unavailable("no randomness for an id".to_owned()));
        };
        let mut record = Record::new(kind, id, at);
        record.details = details;
        self.seams.log.append(Entry { record, lane: Lane::Operator }).await
    }

    /// The policy in force, for `status`.
    pub fn snapshot(&self) -> Option<Arc<dyn Snapshot>> {
        self.seams.policies.current().ok()
    }

    /// The time and a fresh id; `None` if the clock or the random source fails or panics.
    fn envelope(&self) -> Option<(Timestamp, String)> {
        let seams = std::panic::AssertUnwindSafe(&self.seams);
        std::panic::catch_unwind(move || {
            let at = seams.clock.now();
            Some((at, ids::ulid(at, &*seams.entropy).ok()?))
        })
        .ok()
        .flatten()
    }
}

/// A decision record in the making, and the call it is about.
struct Draft {
    record: Record,
    lane: Lane,
    call: Option<Call>,
    containment: Option<Containment>,
    /// What is denied is released all the same.
    observing: bool,
}

impl Draft {
    fn new(agent: &AgentId, posture: Posture, at: Timestamp, id: &str) -> Self {
        let mut record = Record::new(Kind::Decision, id.to_owned(), at);
        record.agent = Some(agent.clone());
        record.state = Some(posture.as_str());
        let observing = posture == Posture::Observing;
        Self { record, lane: Lane::Agent(agent.clone()), call: None, containment: None, observing }
    }

    /// Says in the record what the call is held to if it is released.
    fn hold_to(&mut self, containment: Option<Containment>) {
        if let Some(containment) = &containment {
            self.record.details.push(("sandbox", containment.to_json()));
        }
        self.containment = containment;
    }

    /// Names the call in the record and seals what it holds.
    fn hold(&mut self, call: &Call) {
        let record = &mut self.record;
        record.session = call.session().cloned();
        record.tool = Some(call.tool().clone());
        record.seal("call", call.digest());
        record.seal("bytes", call.original());
        for (ordinal, (name, value)) in call.arguments().into_iter().flat_map(|all| all.iter()).enumerate() {
            let argument = Json::object([("name", Json::from(name)), ("value", value.clone())]);
            record.seal(format!("argument:{ordinal}"), argument);
        }
        if !call.members().is_empty() {
            record.seal("members", call.members().clone());
        }
        self.call = Some(call.clone());
    }
}

const CANARY: &str = "the operator made this call, to prove that a denial arrives";
const ENDED: &str = "something ran in this session that was not what was decided";
const STALE: &str = "the policy on disk could not be loaded for longer than stale_limit";

fn deny(code: Code, message: impl Into<String>) -> Verdict {
    Verdict::denial(Reason::new(code, message))
}

fn internal() -> Reason {
    Reason::new(Code::Internal, "the gate failed while it decided; the call did not run")
}

/// The cause goes to `status` and to the operator's journal, not to the agent.
fn not_recorded(error: &LogError) -> Reason {
    match error {
        LogError::OverBudget => Reason::new(Code::RateExceeded, "this agent's budget of log records is used up"),
        LogError::Unavailable(_) => Reason::new(Code::AuditUnavailable, "the decision could not be recorded"),
        LogError::TooLarge => Reason::new(Code::InvalidArguments, "the call is too large to be recorded"),
    }
}
