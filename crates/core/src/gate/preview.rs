//! The same evaluator without consequences: explanations, and what a listing may show.

use callgate_text::{Digest, Json};

use crate::guarded::{Cut, guarded};
use crate::seam::{Offer, Standing};
use crate::{Call, Caller, Code, Entry, Kind, Lane, Reason, Record, Request, ServerName, Verdict, judge};

use super::establish::Established;
use super::{Gate, STALE, internal};

/// What `decide` would say now, and how it would come to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The verdict.
    pub verdict: Verdict,
    /// Every step of the evaluation.
    pub trace: Json,
}

impl Gate {
    /// Judges a call by the policy in force, without a record, a permit or any other consequence.
    ///
    /// # Errors
    /// The reason for which `decide` would deny before it evaluated anything.
    pub async fn preview(&self, caller: &Caller, request: Request) -> Result<Preview, Reason> {
        let work = async {
            let Caller::Agent { id, .. } = caller else {
                return Err(Reason::new(Code::UnknownAgent, "the credential names no agent"));
            };
            let snapshot = self.seams.policies.current().map_err(|_| stale())?;
            let call = Call::new(id.clone(), request);
            let Established { facts, .. } = self.establish(&call, None, self.seams.clock.now(), &*snapshot)?;
            let verdict = judge(&call, &facts, &*snapshot);
            Ok(Preview { verdict, trace: snapshot.trace(&call, &facts) })
        };
        let cut = guarded(work, &*self.seams.clock, self.deadlines.preview).await;
        cut.unwrap_or_else(|cut| Err(named(&cut)))
    }

    /// How each thing that `server` offers stands for the caller, in the order of `offers`.
    ///
    /// What is quarantined leaves a record the first time it is seen in that form.
    ///
    /// # Errors
    /// The reason for which nothing may be shown.
    pub async fn standing(
        &self,
        caller: &Caller,
        server: &ServerName,
        offers: &[Offer],
    ) -> Result<Vec<Standing>, Reason> {
        let work = async {
            let Caller::Agent { id, .. } = caller else {
                return Err(Reason::new(Code::UnknownAgent, "the credential names no agent"));
            };
            let snapshot = self.seams.policies.current().map_err(|_| stale())?;
            let standing = snapshot.standing(id, server, offers);
            if standing.len() != offers.len() {
                return Err(internal());
            }
            for (offer, _) in offers.iter().zip(&standing).filter(|(_, stands)| **stands == Standing::Quarantined) {
                self.note_quarantine(id, server, offer).await;
            }
            Ok(standing)
        };
        let cut = guarded(work, &*self.seams.clock, self.deadlines.preview).await;
        cut.unwrap_or_else(|cut| Err(named(&cut)))
    }

    /// A listing is not held up by a log that cannot take this: the offer stays hidden all the same.
    async fn note_quarantine(&self, agent: &crate::AgentId, server: &ServerName, offer: &Offer) {
        let definition = offer.definition.canonical();
        if !self.quarantined.first_time(Digest::of_parts(&[server.as_str().as_bytes(), b"\0", &definition])) {
            return;
        }
        let Some((at, id)) = self.envelope() else { return };
        let mut record = Record::new(Kind::ToolChanged, id, at);
        record.agent = Some(agent.clone());
        record.details = vec![("server", Json::from(server)), ("offer", Json::from(offer.kind.as_str()))];
        record.seal("definition", offer.definition.clone());
        let _ = self.seams.log.append(Entry { record, lane: Lane::Agent(agent.clone()) }).await;
    }
}

fn stale() -> Reason {
    Reason::new(Code::PolicyStale, STALE)
}

fn named(cut: &Cut) -> Reason {
    match cut {
        Cut::Deadline => Reason::new(Code::DeadlineExceeded, "the gate did not answer in time"),
        Cut::Panic => internal(),
    }
}
