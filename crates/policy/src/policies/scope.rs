//! The head of a policy: to whom, to what and to which server it can apply.

use cedar_policy::{ActionConstraint, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

/// Which principals or resources a head admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// All of the one type that there is.
    Anyone,
    /// This one.
    Exactly(EntityUid),
    /// This one and whatever is inside it.
    Inside(EntityUid),
    /// None: the head asks for a type that is never there.
    Nobody,
}

/// The head of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) principal: Who,
    /// The actions or groups that are named, and whether they are meant with all that is in them; `None`: all.
    pub(crate) actions: Option<(Vec<EntityUid>, bool)>,
    pub(crate) resource: Who,
}

impl Scope {
    pub(super) fn of(policy: &Policy) -> Self {
        let typed = |name: String, expected: &str, then: Who| if name == expected { then } else { Who::Nobody };
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Any => Who::Anyone,
            PrincipalConstraint::Eq(uid) => Who::Exactly(uid),
            PrincipalConstraint::In(uid) => Who::Inside(uid),
            PrincipalConstraint::Is(name) => typed(name.to_string(), "Agent", Who::Anyone),
            PrincipalConstraint::IsIn(name, uid) => typed(name.to_string(), "Agent", Who::Inside(uid)),
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Any => Who::Anyone,
            ResourceConstraint::Eq(uid) => Who::Exactly(uid),
            ResourceConstraint::In(uid) => Who::Inside(uid),
            ResourceConstraint::Is(name) => typed(name.to_string(), "Server", Who::Anyone),
            ResourceConstraint::IsIn(name, uid) => typed(name.to_string(), "Server", Who::Inside(uid)),
        };
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(uid) => Some((vec![uid], false)),
            ActionConstraint::In(uids) => Some((uids, true)),
        };
        Self { principal, actions, resource }
    }

    /// Whether nothing at all is bounded.
    pub(crate) fn is_open(&self) -> bool {
        self.principal == Who::Anyone && self.actions.is_none() && self.resource == Who::Anyone
    }

    /// Whether the head admits the resource `server`; servers are in nothing.
    pub(crate) fn admits_resource(&self, server: &EntityUid) -> bool {
        match &self.resource {
            Who::Anyone => true,
            Who::Exactly(uid) | Who::Inside(uid) => uid == server,
            Who::Nobody => false,
        }
    }
}
