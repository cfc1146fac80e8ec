//! What the log is asked to keep.

use callgate_text::{Digest, Json};

use crate::{AgentId, Decision, Reason, SessionId, Timestamp, ToolName};

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A call was decided.
    Decision,
    /// An allowed call ended, or was not run after all.
    Outcome,
    /// A host ran something else than what was decided, or without asking.
    ExecutedDiffers,
    /// A door was refused for its credential.
    CredentialRefused,
    /// A gate started or took a new policy.
    PolicyLoad,
    /// A new policy could not be taken; the last good one stays.
    PolicyRefused,
    /// The operator made a door enforce, or only watch.
    ModeChange,
    /// The operator proved that a host's door denies, or found that it does not.
    Proof,
    /// A gate started.
    Start,
    /// A gate stopped in order.
    Stop,
    /// The log was repaired after a crash.
    Recovery,
    /// A key was made or replaced.
    KeyChange,
    /// A credential was made or revoked.
    Credential,
    /// A server offered something other than what is pinned.
    ToolChanged,
    /// Disclosures were erased.
    Erasure,
    /// Records of one agent that its budget did not leave room for, as a count.
    Folded,
    /// The wall clock went backwards.
    ClockJump,
}

impl Kind {
    /// The word in the leaf.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Outcome => "outcome",
            Self::ExecutedDiffers => "executed_differs",
            Self::CredentialRefused => "credential_refused",
            Self::PolicyLoad => "policy_load",
            Self::PolicyRefused => "policy_refused",
            Self::ModeChange => "mode_change",
            Self::Proof => "proof",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Recovery => "recovery",
            Self::KeyChange => "key_change",
            Self::Credential => "credential",
            Self::ToolChanged => "tool_changed",
            Self::Erasure => "erasure",
            Self::Folded => "folded",
            Self::ClockJump => "clock_jump",
        }
    }
}

/// Whose budget a record is taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The gate's operator, and the gate itself: reserved space, no budget.
    Operator,
    /// One agent.
    Agent(AgentId),
    /// Everybody who has no credential, together.
    Unrecognised,
}

/// A value that the log commits to with a salt and keeps beside itself, erasable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What it is: `call`, `facts`, `bytes`, `argument:<ordinal>`, `arguments`, `reason:<ordinal>`,
    /// `hint`, `result`. Never a name that the caller chose.
    pub name: String,
    /// The value.
    pub value: Json,
}

/// The content of one record, before the log gives it an index, commitments and a place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is about.
    pub kind: Kind,
    /// The decision's id, or the record's own: a ULID.
    pub id: String,
    /// When, by the gate's clock.
    pub at: Timestamp,
    /// `enforced`, `advisory` or `observing` for what an agent did; absent for the gate's own records.
    pub state: Option<&'static str>,
    /// Who called.
    pub agent: Option<AgentId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// Which tool.
    pub tool: Option<ToolName>,
    /// The policy in force.
    pub policy: Option<Digest>,
    /// What was decided.
    pub decision: Option<Decision>,
    /// Why; the leaf holds code, policy and path, the sentence is sealed.
    pub reasons: Vec<Reason>,
    /// The index of the record that this one follows, for an outcome its decision's.
    pub prev: Option<u64>,
    /// What the operator's records say, in the clear: small, and without secrets.
    pub details: Vec<(&'static str, Json)>,
    /// What the log commits to.
    pub sealed: Vec<Sealed>,
}

impl Record {
    /// A record with nothing in it but what every record has.
    pub fn new(kind: Kind, id: String, at: Timestamp) -> Self {
        Self {
            kind,
            id,
            at,
            state: None,
            agent: None,
            session: None,
            tool: None,
            policy: None,
            decision: None,
            reasons: Vec::new(),
            prev: None,
            details: Vec::new(),
            sealed: Vec::new(),
        }
    }

    /// Adds a sealed value.
    pub fn seal(&mut self, name: impl Into<String>, value: impl Into<Json>) {
        self.sealed.push(Sealed { name: name.into(), value: value.into() });
    }
}

/// A record and whose budget it is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The content.
    pub record: Record,
    /// The budget.
    pub lane: Lane,
}
