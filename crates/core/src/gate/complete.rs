//! The second half of an action: what became of an allowed call.

use callgate_text::{Digest, Json};

use crate::guarded::{Cut, guarded};
use crate::{Caller, Code, Entry, Kind, Lane, Reason, Record, RunReport};

use super::{Gate, Receipt, internal, not_recorded};

/// How an allowed call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tool answered.
    Ok,
    /// The tool answered with an error.
    Error,
    /// The tool did not answer in time, or its server died. It may have run.
    Timeout,
    /// The door knows that nothing was sent.
    NotRun,
}

impl Outcome {
    /// The word in completions and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::NotRun => "not_run",
        }
    }

    /// Reads [`Outcome::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Ok, Self::Error, Self::Timeout, Self::NotRun].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// A door's report of an allowed call's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The decision's id.
    pub id: String,
    /// The permit's token.
    pub permit: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The digest of the result's bytes, if there was one.
    pub result: Option<Digest>,
    /// How it went, if it ran contained.
    pub run: Option<RunReport>,
}

impl Gate {
    /// Spends the permit and records the outcome. Only the agent that decided can complete.
    ///
    /// # Errors
    /// `permit_spent` for a permit that is not outstanding; a reason that names what else went wrong.
    pub async fn complete(&self, caller: &Caller, completion: Completion) -> Result<Receipt, Reason> {
        let work = self.complete_call(caller, completion);
        match guarded(work, &*self.seams.clock, self.deadlines.complete).await {
            Ok(result) => result,
            Err(Cut::Deadline) => Err(Reason::new(Code::DeadlineExceeded, "the outcome was not recorded in time")),
            Err(Cut::Panic) => Err(internal()),
        }
    }

    async fn complete_call(&self, caller: &Caller, completion: Completion) -> Result<Receipt, Reason> {
        let Caller::Agent { id: agent, posture } = caller else {
            return Err(Reason::new(Code::UnknownAgent, "only the agent that decided can complete"));
        };
        if completion.run.as_ref().is_some_and(|run| !run.is_fit()) {
            return Err(Reason::new(Code::InvalidArguments, "the report of the run is not one that the log takes"));
        }
        let spent = self.outstanding.spend(&completion.id, agent, &completion.permit);
        let Some(released) = spent else {
            return Err(Reason::new(Code::PermitSpent, "this permit is not outstanding for this agent"));
        };
        let mut record = Record::new(Kind::Outcome, completion.id, self.seams.clock.now());
        record.state = Some(posture.as_str());
        record.agent = Some(released.agent.clone());
        record.session = released.session;
        record.tool = Some(released.tool);
        record.prev = Some(released.index);
        record.details = vec![("status", Json::from(completion.outcome.as_str()))];
        record.seal("call", released.call);
        if let Some(run) = completion.run {
            record.details.push(("exit", Json::from(run.exit)));
            record.seal("run", run.report);
        }
        if let Some(result) = completion.result {
            record.seal("result", result);
        }
        let entry = Entry { record, lane: Lane::Agent(released.agent) };
        self.seams.log.append(entry).await.map_err(|error| not_recorded(&error))
    }
}
