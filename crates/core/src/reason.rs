//! Why a call was allowed, denied or sent to a person: one closed list of codes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use callgate_text::Json;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $code:ident = $text:literal,)*) => {
        /// Every reason that the gate can give. Codes are added when needed and never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])* $code,)* }

        impl Code {
            /// All codes, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The name that goes into answers and records.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text,)* }
            }

            /// What it means and what to do about it: the text of `docs/reasons.md`.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$code => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// A policy permits this call and nothing forbids it.
    Permitted = "permitted",
    /// The door's credential names no agent that this gate knows. Make one with `callgate agent token NAME`.
    UnknownAgent = "unknown_agent",
    /// The agent was revoked. Its operator must reinstate it.
    AgentRevoked = "agent_revoked",
    /// No pinned tool has this name. Pin the server's tools with `callgate tool pin`.
    UnknownTool = "unknown_tool",
    /// The server now offers another definition than the pinned one. Review it with `callgate tool diff`.
    ToolChanged = "tool_changed",
    /// The server could not be asked what it offers, so nothing is known to be as pinned. The next call asks again.
    ServerUnavailable = "server_unavailable",
    /// The arguments do not match the pinned schema, or parsers could read them differently.
    InvalidArguments = "invalid_arguments",
    /// No policy permits this call. The nearest permit is named.
    NotPermitted = "not_permitted",
    /// A policy forbids this call.
    Forbidden = "forbidden",
    /// A policy could not be evaluated, so the call is denied. `callgate policy check` finds the cause.
    PolicyError = "policy_error",
    /// A budget is used up.
    LimitExceeded = "limit_exceeded",
    /// The agent calls faster, or fills the log faster, than it may.
    RateExceeded = "rate_exceeded",
    /// The session has read untrusted data.
    UntrustedData = "untrusted_data",
    /// The session has read confidential data.
    ConfidentialData = "confidential_data",
    /// A person must approve this exact call.
    ApprovalRequired = "approval_required",
    /// The approval was given too long ago.
    ApprovalExpired = "approval_expired",
    /// The permit was used already, belongs to another call, or is not known.
    PermitSpent = "permit_spent",
    /// Something ran in this session that was not what was decided, so nothing more does. Find out what changed the
    /// call (another hook?), then start a new session.
    SessionEnded = "session_ended",
    /// The operator made this call with `callgate doctor`, to prove that a denial arrives at the host.
    Canary = "canary",
    /// The arguments hold a secret.
    SecretInArguments = "secret_in_arguments",
    /// Text in this call looks like an injected instruction.
    InjectionSuspected = "injection_suspected",
    /// The sandbox that the tool's profile asks for cannot be had on this machine.
    SandboxUnavailable = "sandbox_unavailable",
    /// The tool ran, but its result may not be handed over.
    ResultWithheld = "result_withheld",
    /// The decision could not be recorded durably, so nothing runs. Look at `callgate status`.
    AuditUnavailable = "audit_unavailable",
    /// The policy could not be reloaded for longer than `stale_limit`. Mend it and `callgate reload`.
    PolicyStale = "policy_stale",
    /// The gate did not decide in time.
    DeadlineExceeded = "deadline_exceeded",
    /// The gate itself failed. The call did not run.
    Internal = "internal",
}

/// A text that is none of [`Code::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason code; the known ones stand in docs/reasons.md")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A policy by its id, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyRef {
    /// The policy's `@id`, or `<file>#<hash>`.
    pub id: Arc<str>,
    /// `<file>:<line>`, the file relative to the gate directory.
    pub at: Arc<str>,
}

/// One reason of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// Which reason.
    pub code: Code,
    /// The policy that gave it, if one did.
    pub policy: Option<PolicyRef>,
    /// The argument it is about, as a JSON pointer (RFC 6901) of *declared* argument names.
    pub path: Option<String>,
    /// One plain sentence. May hold values of arguments, so the log only commits to it.
    pub message: String,
}

impl Reason {
    /// A reason that no policy gave.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, policy: None, path: None, message: message.into() }
    }

    /// The same reason, about the argument at `path`.
    #[must_use]
    pub fn about(self, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    /// The same reason, given by `policy`.
    #[must_use]
    pub fn given_by(self, policy: PolicyRef) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// `{code, policy?, at?, path?, message}`, as answers show it.
    pub fn to_json(&self) -> Json {
        let mut object = self.members();
        object.push(("message", Json::from(self.message.as_str())));
        Json::object(object)
    }

    /// `{code, policy?, at?, path?}`: what may stand in the log in the clear.
    pub fn to_logged_json(&self) -> Json {
        Json::object(self.members())
    }

    fn members(&self) -> Vec<(&'static str, Json)> {
        let mut members = vec![("code", Json::from(self.code.as_str()))];
        if let Some(policy) = &self.policy {
            members.push(("policy", Json::from(&*policy.id)));
            members.push(("at", Json::from(&*policy.at)));
        }
        if let Some(path) = &self.path {
            members.push(("path", Json::from(path.as_str())));
        }
        members
    }
}
