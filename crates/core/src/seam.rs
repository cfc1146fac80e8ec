//! What the gate stands on. Each trait is implemented by one layer; the gate names none of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use callgate_text::{Digest, Json};

use crate::{
    AgentId, Call, Changes, CommandLine, Containment, Entry, Evaluation, Fact, Facts, ProfileAsked, Reason, Receipt,
    ServerName, Timestamp,
};

/// A future on the heap, so that a seam can be an object.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The signed log.
pub trait Log: Send + Sync {
    /// Resolves once the record is durable (fsync returned); until then nothing may be released.
    fn append(&self, entry: Entry) -> Later<'_, Result<Receipt, LogError>>;
}

/// Why a record could not be kept. Each denies the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The agent used up its budget of records or bytes; the log counts what it left out.
    #[error("the agent's budget of log records is used up")]
    OverBudget,
    /// The disk is full, the log is read-only, or the writer stopped after an error. Holds the cause.
    #[error("the log cannot be written: {0}")]
    Unavailable(String),
    /// The record is larger than a leaf may be.
    #[error("the record is larger than 60 KiB")]
    TooLarge,
}

/// Time. `judge` never sees it; the gate reads it once per call.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> Later<'static, ()>;
}

/// Randomness for ids and permits, from the operating system.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`, or says that it cannot.
    ///
    /// # Errors
    /// If the system's generator fails; the call is then denied.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The system's random generator failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct EntropyError;

/// Where the policy in force comes from.
pub trait Policies: Send + Sync {
    /// The snapshot that the next call is judged by.
    ///
    /// # Errors
    /// [`Stale`] once a changed policy could not be loaded for longer than `stale_limit`.
    fn current(&self) -> Result<Arc<dyn Snapshot>, Stale>;
}

/// The policy on disk could not be taken for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy on disk could not be loaded for longer than `stale_limit`")]
pub struct Stale;

/// One policy, immutable: every call is judged by exactly one.
pub trait Snapshot: Send + Sync {
    /// The digest of everything that can change a verdict.
    fn digest(&self) -> Digest;

    /// Evaluates the call. Pure: no clock, randomness, I/O or hash order.
    fn evaluate(&self, call: &Call, facts: &Facts) -> Evaluation;

    /// The arguments of the call that are commands; none, unless its tool takes one.
    fn commands(&self, _call: &Call) -> Vec<CommandLine> {
        Vec::new()
    }

    /// The profile under which the call's tool runs; none, if it does not run contained.
    fn profile(&self, _call: &Call) -> Option<ProfileAsked> {
        None
    }

    /// The changes without those that policy cannot tell from another one: of the same classes, and inside all the same
    /// places that it names.
    fn tell_apart(&self, _call: &Call, changes: &Changes) -> Changes {
        changes.clone()
    }

    /// What [`Snapshot::evaluate`] did, step by step, for `explain`.
    fn trace(&self, call: &Call, facts: &Facts) -> Json;

    /// How each of the things that a server offers stands, in the given order.
    fn standing(&self, agent: &AgentId, server: &ServerName, offers: &[Offer]) -> Vec<Standing>;
}

/// Something that a server offers: its kind and its definition, as the server gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it is.
    pub kind: OfferKind,
    /// The definition; for instructions a string.
    pub definition: Json,
}

/// What a server can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfferKind {
    /// An item of `tools/list`.
    Tool,
    /// An item of `prompts/list`.
    Prompt,
    /// An item of `resources/list`: not pinned, decided when it is read.
    Resource,
    /// An item of `resources/templates/list`.
    Template,
    /// The server's instructions, from its answer to `initialize`.
    Instructions,
}

impl OfferKind {
    /// The word in records and on the socket.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "template",
            Self::Instructions => "instructions",
        }
    }
}

/// How an offer stands for one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Pinned as it is, and policy has a permit in scope: shown.
    Shown,
    /// Pinned as it is, but nothing permits it to this agent: hidden.
    Hidden,
    /// Changed since it was pinned, or never pinned: hidden and denied until the operator pins it.
    Quarantined,
}

/// A layer that establishes facts, declared by [`crate::FactSpec`]s.
pub trait FactSource: Send + Sync {
    /// The facts of one call.
    ///
    /// # Errors
    /// A sentence for the operator; the call is then denied.
    fn establish(&self, call: &Call, now: Timestamp) -> Result<Vec<(&'static str, Fact)>, String>;

    /// What the commands among a call's arguments would do: facts of the whole go into `facts`, and one act for each
    /// program that could run.
    ///
    /// # Errors
    /// Why the call is denied.
    fn take_apart(&self, _commands: &[CommandLine], _facts: &mut Facts) -> Result<(), Reason> {
        Ok(())
    }

    /// What a run under this profile is held to; `None` from a layer that runs nothing.
    ///
    /// # Errors
    /// Why there is no such profile; the call is then denied.
    fn contain(&self, _asked: &ProfileAsked) -> Option<Result<Containment, Reason>> {
        None
    }

    /// What a contained run wants to bring back: one act for each change.
    ///
    /// # Errors
    /// Why the call is denied.
    fn weigh(&self, _changes: &Changes, _facts: &mut Facts) -> Result<(), Reason> {
        Ok(())
    }
}
