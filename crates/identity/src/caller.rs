//! Who is at the door.

use callgate_core::{AgentId, Caller, Posture};

use crate::{Holder, Token, TokenStore};

/// The process at the other end of a socket, as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user id when it connected.
    pub uid: u32,
    /// The agent to which the operator mapped that user.
    pub mapped: Option<AgentId>,
    /// Whether the operator lets the door only watch.
    pub observed: bool,
}

/// Proves who calls: by the token if one was presented, by the peer's uid otherwise.
///
/// `own_uid` is the user that the gate runs as. An agent that runs as that user, or as root, could
/// read the gate's keys and edit its policy: what it does is recorded as `advisory`.
pub fn identify(tokens: &TokenStore, own_uid: u32, peer: Peer, presented: Option<&str>) -> Caller {
    let agent = match presented {
        Some(text) => match holder(tokens, text) {
            Some(Holder::Agent(agent)) => Some(agent),
            Some(Holder::Operator) | None => None,
        },
        None => peer.mapped,
    };
    let posture = match peer.uid == own_uid || peer.uid == 0 {
        _ if peer.observed => Posture::Observing,
        true => Posture::Advisory,
        false => Posture::Enforced,
    };
    match (agent, presented) {
        (Some(id), _) => Caller::Agent { id, posture },
        (None, Some(_)) => {
            Caller::Unrecognised { why: "the credential is not one that this gate made, or it was revoked" }
        }
        (None, None) => {
            Caller::Unrecognised { why: "no credential was presented, and this user is mapped to no agent" }
        }
    }
}

/// Whether the presented text is an operator's token.
pub fn is_operator(tokens: &TokenStore, presented: &str) -> bool {
    holder(tokens, presented) == Some(Holder::Operator)
}

fn holder(tokens: &TokenStore, presented: &str) -> Option<Holder> {
    Token::parse(presented).ok().and_then(|token| tokens.find(&token))
}
