//! What follows from a call, its facts and the policy.

use std::fmt;
use std::sync::Arc;

use callgate_text::{Digest, Json};

use crate::Reason;

/// May this exact call run?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Decision {
    /// It may, once.
    Allow,
    /// It may not.
    Deny,
    /// A person must approve it first.
    Escalate,
    /// Policy says that it may not, or not yet; it runs all the same, because the operator lets this door only watch.
    WouldDeny,
}

impl Decision {
    /// The word in answers and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Escalate => "escalate",
            Self::WouldDeny => "would_deny",
        }
    }

    /// Reads [`Decision::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Allow, Self::Deny, Self::Escalate, Self::WouldDeny]
            .into_iter()
            .find(|decision| decision.as_str() == word)
    }

    /// Whether the call runs.
    pub const fn releases(self) -> bool {
        match self {
            Self::Allow | Self::WouldDeny => true,
            Self::Deny | Self::Escalate => false,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of a denial the model may read. The default hides nothing that helps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disclose {
    /// Code, policy, sentence and hint.
    #[default]
    Full,
    /// The code alone.
    Code,
    /// That it was denied, and the decision id.
    None,
}

/// Who must approve, as a policy's annotations say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approval {
    /// The group of approvers, from `@approval`.
    pub group: Arc<str>,
    /// How many of them, from `@quorum`; at least 1.
    pub quorum: u32,
    /// Where they are asked, from `@channel`.
    pub channel: Option<Arc<str>>,
}

impl Approval {
    fn to_json(&self) -> Json {
        let mut object = vec![("group", Json::from(&*self.group)), ("quorum", Json::integer(i64::from(self.quorum)))];
        if let Some(channel) = &self.channel {
            object.push(("channel", Json::from(&**channel)));
        }
        Json::object(object)
    }
}

/// The deterministic part of an answer: the same call, facts and policy give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// Why, sorted and without repetition.
    pub reasons: Vec<Reason>,
    /// What would be allowed, or whom to ask.
    pub hint: Option<String>,
    /// Who must approve; not empty exactly when the decision is [`Decision::Escalate`].
    pub approvals: Vec<Approval>,
    /// How much of this the model may read.
    pub disclose: Disclose,
    /// The digest of the call, if it could be read.
    pub call: Option<Digest>,
    /// The digest of the policy in force, if there was one.
    pub policy: Option<Digest>,
    /// The digest of the facts, if they were established.
    pub facts: Option<Digest>,
}

impl Verdict {
    /// A denial for one reason, before policy was asked.
    pub fn denial(reason: Reason) -> Self {
        Self {
            decision: Decision::Deny,
            reasons: vec![reason],
            hint: None,
            approvals: Vec::new(),
            disclose: Disclose::Full,
            call: None,
            policy: None,
            facts: None,
        }
    }

    /// `{decision, reasons, hint, approvals?, call, policy, facts}`.
    pub fn to_json(&self) -> Json {
        let mut members = vec![
            ("decision", Json::from(self.decision.as_str())),
            ("call", Json::from(self.call)),
            ("policy", Json::from(self.policy)),
            ("facts", Json::from(self.facts)),
            ("reasons", Json::Array(self.reasons.iter().map(Reason::to_json).collect())),
            ("hint", Json::from(self.hint.clone())),
        ];
        if !self.approvals.is_empty() {
            members.push(("approvals", Json::Array(self.approvals.iter().map(Approval::to_json).collect())));
        }
        Json::object(members)
    }

    /// The canonical bytes that two gates must agree on.
    pub fn canonical(&self) -> Vec<u8> {
        self.to_json().canonical()
    }
}
