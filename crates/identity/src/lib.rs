//! Layer 1: from a credential to the agent that it proves.
//!
//! A door carries a credential, never a name: a token from a file that `callgate agent token` made, or
//! the uid that the kernel reports for the peer of a socket. Both lead to exactly one agent or to
//! nobody. A token that is presented and not accepted never falls back to the uid. The operator has tokens of another
//! kind ([`is_operator`]): they make no call, and an agent's opens nothing of the operator's.

mod caller;
mod store;
mod token;

pub use caller::{Peer, identify, is_operator};
pub use store::{Credential, Holder, StoreError, TokenStore};
pub use token::{Token, TokenError};
