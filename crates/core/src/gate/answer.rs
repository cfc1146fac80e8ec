//! What a door gets back, and what of it the model may read.

use callgate_text::Json;

use crate::{Code, Containment, Decision, Disclose, Reason, Verdict};

use super::Permit;

/// Where a record stands: the log's origin and the record's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The origin line of the log's checkpoints.
    pub log: String,
    /// The index of the record in that log.
    pub index: u64,
}

impl Receipt {
    /// `{log, index}`.
    pub fn to_json(&self) -> Json {
        let index = i64::try_from(self.index).unwrap_or(i64::MAX);
        Json::object([("log", Json::from(self.log.as_str())), ("index", Json::integer(index))])
    }
}

/// The answer to `decide`.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Answer {
    /// The decision's id, a ULID; empty if not even that could be made.
    pub id: String,
    /// What was decided.
    pub verdict: Verdict,
    /// The permit, exactly for an allowed call.
    pub permit: Option<Permit>,
    /// What the call is held to if it is released.
    pub containment: Option<Containment>,
    /// Where the decision is recorded; absent only for denials that could not be.
    pub receipt: Option<Receipt>,
}

/// What a model may be told at most, in characters.
const MOST_FOR_MODEL: usize = 400;

impl Answer {
    /// A denial that no record could be made of.
    pub(super) fn unrecorded(id: String, reason: Reason) -> Self {
        Self { id, verdict: Verdict::denial(reason), permit: None, containment: None, receipt: None }
    }

    /// The decision.
    pub fn decision(&self) -> Decision {
        self.verdict.decision
    }

    /// The answer of `callgate decide` and of the HTTP API:
    /// `{decision, id, call, policy, facts, permit, reasons, hint, approvals?, sandbox?, receipt}`.
    pub fn to_json(&self) -> Json {
        let mut json = self.verdict.to_json();
        if let Json::Object(object) = &mut json {
            object.set("id", self.id.as_str());
            object.set("permit", self.permit.as_ref().map(|permit| permit.token().to_owned()));
            if let Some(containment) = &self.containment {
                object.set("sandbox", containment.to_json());
            }
            object.set("receipt", self.receipt.as_ref().map(Receipt::to_json));
        }
        json
    }

    /// The sentence for the model, at most 400 characters, as much of it as policy discloses.
    ///
    /// A door that cannot wait says `approval_required` for an escalation.
    pub fn for_model(&self) -> String {
        let escalated = self.decision() == Decision::Escalate;
        let code = match self.verdict.reasons.first() {
            _ if escalated => Code::ApprovalRequired,
            Some(reason) => reason.code,
            None => Code::Internal,
        };
        let id = if self.id.is_empty() { String::new() } else { format!(" [decision {}]", self.id) };
        let text = match self.verdict.disclose {
            Disclose::None => "Denied by policy.".to_owned(),
            Disclose::Code => format!("Denied: {code}."),
            Disclose::Full => self.in_full(code),
        };
        let room = MOST_FOR_MODEL.saturating_sub(id.chars().count());
        format!("{}{id}", shortened(&text, room))
    }

    fn in_full(&self, code: Code) -> String {
        let mut text = format!("Denied: {code}.");
        for reason in &self.verdict.reasons {
            text.push(' ');
            if let Some(policy) = &reason.policy {
                text.push_str(&format!("{} ({}): ", policy.id, policy.at));
            }
            text.push_str(reason.message.trim_end_matches('.'));
            text.push('.');
        }
        if let Some(hint) = &self.verdict.hint {
            text.push(' ');
            text.push_str(hint);
        }
        text
    }
}

fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}
