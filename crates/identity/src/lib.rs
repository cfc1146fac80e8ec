//! Layer 1: from a credential to the agent that it proves.
//!
//! A door carries a credential, never a name: a token from a file that `callgate agent token` made, or
//! the uid that the kernel reports for the peer of a socket. Both lead to exactly one agent or to
//! nobody. A token that is presented and not accepted never falls back to the uid.

mod caller;
mod store;
mod token;

pub use caller::{Peer, identify};
pub use store::{Credential, StoreError, TokenStore};
pub use token::{Token, TokenError};
