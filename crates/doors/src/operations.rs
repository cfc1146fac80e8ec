//! What a door asks of the gate, whether the gate is in this process or behind a socket.

use std::sync::Arc;

use callgate_core::gate::{Observed, Passing};
use callgate_core::seam::{Later, Offer, Standing};
use callgate_core::{
    Answer, CallFault, Caller, Code, Completion, Decision, Disclose, Gate, Reason, Receipt, Request, ServerName,
};

/// The gate's operations for one caller whose identity is settled elsewhere.
pub trait Operations: Send + Sync {
    /// Decides a call. Never fails: what goes wrong is a denial that says why.
    fn decide(&self, request: Result<Request, CallFault>) -> Later<'_, Ruling>;

    /// Reports what became of an allowed call.
    fn complete(&self, completion: Completion) -> Later<'_, Result<Receipt, Reason>>;

    /// How each thing that a server offers stands, in the order of `offers`.
    fn standing(&self, server: ServerName, offers: Vec<Offer>) -> Later<'_, Result<Vec<Standing>, Reason>>;

    /// Looks at texts that pass, in their order.
    fn observe(&self, texts: Vec<Passing>) -> Later<'_, Result<Vec<Observed>, Reason>>;
}

/// What a door needs of the gate's answer to `decide`.
///
/// It crosses the socket, so its permit is text: only the gate that minted it can tell a real one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Ruling {
    /// The decision's id; empty if there is none.
    pub id: String,
    /// What was decided.
    pub decision: Decision,
    /// The first reason's code, or `approval_required` for an escalation.
    pub code: Code,
    /// What the model may read of a denial.
    pub for_model: String,
    /// The permit's token, exactly for an allowed call.
    pub permit: Option<String>,
}

impl Ruling {
    /// The denial of a door that cannot reach the gate, or cannot understand it.
    pub fn unreachable(reason: &Reason) -> Self {
        Self {
            id: String::new(),
            decision: Decision::Deny,
            code: reason.code,
            for_model: format!("Denied: {}. {}.", reason.code, reason.message),
            permit: None,
        }
    }

    /// The permit of an allowed call; whatever else there is, without one nothing may be released.
    pub fn permit(&self) -> Option<&str> {
        match self.decision {
            Decision::Allow | Decision::WouldDeny => self.permit.as_deref(),
            Decision::Deny | Decision::Escalate => None,
        }
    }
}

impl From<&Answer> for Ruling {
    fn from(answer: &Answer) -> Self {
        let code = match (answer.decision(), answer.verdict.reasons.first()) {
            (Decision::Escalate, _) => Code::ApprovalRequired,
            // Where policy discloses nothing, a denial by anything looks the same.
            (Decision::Deny, _) if answer.verdict.disclose == Disclose::None => Code::NotPermitted,
            (_, Some(reason)) => reason.code,
            (_, None) => Code::Internal,
        };
        Self {
            id: answer.id.clone(),
            decision: answer.decision(),
            code,
            for_model: answer.for_model(),
            permit: answer.permit.as_ref().map(|permit| permit.token().to_owned()),
        }
    }
}

/// The gate in this process, and the caller that it serves.
pub struct Local {
    gate: Arc<Gate>,
    caller: Caller,
}

impl Local {
    /// `gate`, asked on behalf of `caller`.
    pub fn new(gate: Arc<Gate>, caller: Caller) -> Self {
        Self { gate, caller }
    }
}

impl Operations for Local {
    fn decide(&self, request: Result<Request, CallFault>) -> Later<'_, Ruling> {
        Box::pin(async move { Ruling::from(&self.gate.decide(&self.caller, request).await) })
    }

    fn complete(&self, completion: Completion) -> Later<'_, Result<Receipt, Reason>> {
        Box::pin(self.gate.complete(&self.caller, completion))
    }

    fn standing(&self, server: ServerName, offers: Vec<Offer>) -> Later<'_, Result<Vec<Standing>, Reason>> {
        Box::pin(async move { self.gate.standing(&self.caller, &server, &offers).await })
    }

    fn observe(&self, texts: Vec<Passing>) -> Later<'_, Result<Vec<Observed>, Reason>> {
        Box::pin(async move { self.gate.observe(&self.caller, &texts).await })
    }
}
