//! What a host says that it ran, held against what was decided.
//!
//! A hook cannot keep a permit: it is one process before the call and another one after it. So the host's own id of
//! the call finds the decision, and since the host says what it ran, that is compared. Another hook may have changed
//! the call behind ours, or ours may never have been asked.

use std::time::Duration;

use callgate_text::{Digest, Json};

use crate::guarded::{Cut, guarded};
use crate::{AgentId, Call, Caller, Code, Entry, Kind, Lane, Posture, Reason, Record, Request};

use super::{Gate, Outcome, Receipt, internal, not_recorded};

/// A host's report of a call that it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// What it ran, with [`Request::host_call`].
    pub request: Request,
    /// How it ended.
    pub outcome: Outcome,
    /// The digest of the result's bytes, if there was one.
    pub result: Option<Digest>,
    /// For how long it ran, if the host says so: a call that began before this gate did is unknown to it, and that
    /// alone is no offence.
    pub took: Option<Duration>,
}

impl Gate {
    /// Records the outcome of a call that its host names, if what ran is what was decided. Otherwise records
    /// `executed_differs` and ends the session: from then on every call in it is denied.
    ///
    /// # Errors
    /// `session_ended` if something else ran, or what was never allowed; a reason that names what else went wrong.
    pub async fn report(&self, caller: &Caller, reported: Reported) -> Result<Receipt, Reason> {
        let work = self.report_call(caller, reported);
        match guarded(work, &*self.seams.clock, self.deadlines.complete).await {
            Ok(result) => result,
            Err(Cut::Deadline) => Err(Reason::new(Code::DeadlineExceeded, "the outcome was not recorded in time")),
            Err(Cut::Panic) => Err(internal()),
        }
    }

    async fn report_call(&self, caller: &Caller, reported: Reported) -> Result<Receipt, Reason> {
        let Caller::Agent { id: agent, posture } = caller else {
            return Err(Reason::new(Code::UnknownAgent, "only the agent that decided can report"));
        };
        let Reported { request, outcome, result, took } = reported;
        let Some(host_call) = request.host_call.clone() else {
            return Err(Reason::new(Code::InvalidArguments, "the report does not name the call"));
        };
        let call = Call::new(agent.clone(), request);
        let decided = self.outstanding.spend_hosted(agent, call.session(), &host_call);
        match decided {
            Some((id, released)) if released.asked == call.asked() => {
                let mut record = self.about(Kind::Outcome, id, agent, *posture, &call, released.call);
                record.prev = Some(released.index);
                record.details = vec![("status", Json::from(outcome.as_str()))];
                if let Some(result) = result {
                    record.seal("result", result);
                }
                self.keep(record, agent).await
            }
            None if self.began_after(took) => {
                let Some((_, id)) = self.envelope() else { return Err(internal()) };
                let mut record = self.about(Kind::Outcome, id, agent, *posture, &call, call.digest());
                record.details =
                    vec![("status", Json::from(outcome.as_str())), ("decided", Json::from("before_start"))];
                self.keep(record, agent).await
            }
            other => {
                // Ended first: whatever becomes of the record, nothing more runs in this session.
                self.ended.end(agent, call.session());
                let Some((_, own)) = self.envelope() else { return Err(internal()) };
                let (id, prev, what) = match other {
                    Some((id, released)) => (id, Some(released.index), "changed"),
                    None => (own, None, "not_decided"),
                };
                let mut record = self.about(Kind::ExecutedDiffers, id, agent, *posture, &call, call.digest());
                record.prev = prev;
                record.details = vec![("what", Json::from(what)), ("status", Json::from(outcome.as_str()))];
                self.keep(record, agent).await?;
                Err(Reason::new(Code::SessionEnded, "what ran is not what was decided; this session is over"))
            }
        }
    }

    /// Whether a call that ended now after `took` began before this gate.
    fn began_after(&self, took: Option<Duration>) -> bool {
        let took = took.and_then(|took| i64::try_from(took.as_millis()).ok()).unwrap_or(0);
        let call_began = self.seams.clock.now().as_millis().saturating_sub(took);
        self.began.is_some_and(|began| call_began < began.as_millis())
    }

    fn about(&self, kind: Kind, id: String, agent: &AgentId, posture: Posture, call: &Call, digest: Digest) -> Record {
        let mut record = Record::new(kind, id, self.seams.clock.now());
        record.state = Some(posture.as_str());
        record.agent = Some(agent.clone());
        record.session = call.session().cloned();
        record.tool = Some(call.tool().clone());
        record.seal("call", digest);
        record
    }

    async fn keep(&self, record: Record, agent: &AgentId) -> Result<Receipt, Reason> {
        let entry = Entry { record, lane: Lane::Agent(agent.clone()) };
        self.seams.log.append(entry).await.map_err(|error| not_recorded(&error))
    }
}
