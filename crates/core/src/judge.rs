//! The pure heart: from what policy found to what is decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::seam::Snapshot;
use crate::{Approval, Call, Code, Decision, Disclose, Facts, PolicyRef, Reason, Verdict};

/// What policy found about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// The call was not even evaluated: unknown agent or tool, invalid arguments, a missing fact.
    Refused(Vec<Reason>),
    /// Every policy that could apply was evaluated.
    Evaluated {
        /// The permits whose conditions hold.
        permits: Vec<Satisfied>,
        /// The forbids whose conditions hold.
        forbids: Vec<Satisfied>,
        /// The policies that could not be evaluated, with what went wrong. Any one denies the call.
        errors: Vec<(PolicyRef, String)>,
        /// The permit that came closest, if none is satisfied.
        nearest: Option<Near>,
    },
}

/// A policy whose conditions hold, and what its annotations say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Satisfied {
    /// Which policy.
    pub policy: PolicyRef,
    /// The code of `@deny`, on a forbid.
    pub code: Option<Code>,
    /// The sentence of `@message`.
    pub message: Option<Arc<str>>,
    /// Who must approve.
    pub approval: Option<Approval>,
    /// How much the model may read.
    pub disclose: Disclose,
}

/// The permit that came closest to allowing a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// Which policy.
    pub policy: PolicyRef,
    /// Every conjunct that failed, as one sentence.
    pub message: String,
    /// What it would allow.
    pub hint: Option<String>,
    /// How much the model may read.
    pub disclose: Disclose,
}

/// Decides a call. Pure: the same call, facts and snapshot give the same verdict bytes.
///
/// Closed by default. An error in any policy denies (Cedar alone would skip an erring `forbid`); a
/// satisfied forbid without `@approval` denies; only then may permits open. Of a call that is several acts
/// ([`Facts::each`]) each is judged, and the strictest verdict is that of the call.
pub fn judge(call: &Call, facts: &Facts, snapshot: &dyn Snapshot) -> Verdict {
    let mut weighed: Option<Weighed> = None;
    for act in facts.each() {
        let one = match snapshot.evaluate(call, &act) {
            Evaluation::Refused(reasons) => Weighed::denied(reasons, None, Disclose::Full),
            Evaluation::Evaluated { permits, forbids, errors, nearest } => weigh(permits, forbids, errors, nearest),
        };
        weighed = Some(match weighed {
            None => one,
            Some(before) => before.and(one),
        });
    }
    let weighed = weighed.unwrap_or_else(|| Weighed::denied(Vec::new(), None, Disclose::Full));
    let reasons: BTreeSet<_> = weighed.reasons.into_iter().collect();
    let approvals: BTreeSet<_> = weighed.approvals.into_iter().collect();
    Verdict {
        decision: weighed.decision,
        reasons: reasons.into_iter().collect(),
        hint: weighed.hint,
        approvals: approvals.into_iter().collect(),
        disclose: weighed.disclose,
        call: Some(call.digest()),
        policy: Some(snapshot.digest()),
        facts: Some(facts.digest()),
    }
}

struct Weighed {
    decision: Decision,
    reasons: Vec<Reason>,
    approvals: Vec<Approval>,
    hint: Option<String>,
    disclose: Disclose,
}

impl Weighed {
    /// What follows for two acts of one call: the stricter decision, with the reasons for it alone.
    fn and(mut self, mut other: Self) -> Self {
        let strictness = |decision: Decision| match decision {
            Decision::Allow | Decision::WouldDeny => 0,
            Decision::Escalate => 1,
            Decision::Deny => 2,
        };
        if strictness(other.decision) > strictness(self.decision) {
            std::mem::swap(&mut self, &mut other);
        }
        if self.decision == other.decision {
            self.reasons.append(&mut other.reasons);
            self.approvals.append(&mut other.approvals);
            self.hint = match (self.hint, other.hint) {
                // Hints that name groups differ only in the groups; the approvals name them all.
                (Some(one), Some(two)) if one != two => Some(one.max(two)),
                (one, two) => one.or(two),
            };
        }
        self.disclose = self.disclose.max(other.disclose);
        self
    }

    /// A denial always has a reason, even if policy gave none.
    fn denied(mut reasons: Vec<Reason>, hint: Option<String>, disclose: Disclose) -> Self {
        if reasons.is_empty() {
            reasons.push(Reason::new(Code::NotPermitted, "no policy permits this call"));
        }
        Self { decision: Decision::Deny, reasons, approvals: Vec::new(), hint, disclose }
    }
}

fn weigh(
    permits: Vec<Satisfied>,
    forbids: Vec<Satisfied>,
    errors: Vec<(PolicyRef, String)>,
    nearest: Option<Near>,
) -> Weighed {
    if !errors.is_empty() {
        let reasons =
            errors.into_iter().map(|(policy, error)| Reason::new(Code::PolicyError, error).given_by(policy)).collect();
        return Weighed::denied(reasons, None, Disclose::Full);
    }
    let closed: Vec<_> = forbids.iter().filter(|forbid| forbid.approval.is_none()).collect();
    if !closed.is_empty() {
        let disclose = strictest(closed.iter().copied());
        let reasons = closed.into_iter().map(|forbid| stated(forbid, Code::Forbidden)).collect();
        return Weighed::denied(reasons, None, disclose);
    }
    if permits.is_empty() {
        return not_permitted(nearest, &forbids);
    }
    // One permit that asks nobody is enough to open; only if each asks does the call.
    let asking = match permits.iter().all(|permit| permit.approval.is_some()) {
        true => permits.iter().chain(&forbids).collect::<Vec<_>>(),
        false => forbids.iter().collect(),
    };
    if asking.is_empty() {
        let opening: Vec<_> = permits.iter().filter(|permit| permit.approval.is_none()).collect();
        let disclose = strictest(opening.iter().copied());
        let reasons = opening.into_iter().map(|permit| stated(permit, Code::Permitted)).collect();
        return Weighed { decision: Decision::Allow, reasons, approvals: Vec::new(), hint: None, disclose };
    }
    let approvals: Vec<_> = asking.iter().filter_map(|policy| policy.approval.clone()).collect();
    let groups: BTreeSet<&str> = approvals.iter().map(|approval| &*approval.group).collect();
    let hint = format!("Ask {} to approve this exact call.", groups.into_iter().collect::<Vec<_>>().join(" and "));
    Weighed {
        decision: Decision::Escalate,
        disclose: strictest(asking.iter().copied()),
        reasons: asking.iter().map(|policy| escalated(policy)).collect(),
        hint: Some(hint),
        approvals,
    }
}

/// No permit holds. The nearest one is named; forbids that only wait for approval explain nothing.
fn not_permitted(nearest: Option<Near>, forbids: &[Satisfied]) -> Weighed {
    let disclose = strictest(forbids);
    match nearest {
        None => Weighed::denied(Vec::new(), None, disclose),
        Some(near) => {
            let reason = Reason::new(Code::NotPermitted, near.message).given_by(near.policy);
            Weighed::denied(vec![reason], near.hint, disclose.max(near.disclose))
        }
    }
}

fn strictest<'a>(policies: impl IntoIterator<Item = &'a Satisfied>) -> Disclose {
    policies.into_iter().map(|policy| policy.disclose).max().unwrap_or_default()
}

fn stated(policy: &Satisfied, otherwise: Code) -> Reason {
    let code = policy.code.unwrap_or(otherwise);
    let message = policy.message.as_deref().map_or_else(|| plain_sentence(code), str::to_owned);
    Reason::new(code, message).given_by(policy.policy.clone())
}

fn escalated(policy: &Satisfied) -> Reason {
    let message = policy.message.as_deref().map_or_else(|| plain_sentence(Code::ApprovalRequired), str::to_owned);
    Reason::new(Code::ApprovalRequired, message).given_by(policy.policy.clone())
}

fn plain_sentence(code: Code) -> String {
    match code {
        Code::Permitted => "a policy permits this call",
        Code::Forbidden => "a policy forbids this call",
        Code::ApprovalRequired => "a person must approve this call",
        Code::UntrustedData => "this session has read untrusted data",
        Code::ConfidentialData => "this session has read confidential data",
        other => other.as_str(),
    }
    .to_owned()
}
