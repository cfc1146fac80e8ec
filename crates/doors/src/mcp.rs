//! A gate in front of an MCP server that speaks over stdio: with a handshake (2024-11-05 to 2025-11-25), or
//! stateless (2026-07-28).
//!
//! [`relay`] starts the server and passes messages between it and the client. **Bytes pass unchanged
//! in both directions except where policy acts**; two things alone are done to every message, and
//! neither changes what a parser reads from it:
//!
//! - it is parsed strictly, and not passed on if parsers could disagree about it;
//! - what some line readers take for the end of a line (a carriage return between tokens, and U+0085,
//!   U+2028, U+2029 in strings) is written as a space or an escape: Python's universal newlines and
//!   Node's `readline` would otherwise see a second message inside the first.
//!
//! # What policy acts on
//!
//! | message | becomes |
//! | --- | --- |
//! | `tools/call` | the call `<server>.<tool>`; a denial is a result with `isError`, the reason as its text and the decision in `_meta` |
//! | `prompts/get`, `resources/read`, `resources/subscribe`, `resources/unsubscribe`, `completion/complete` | the call `<server>.<method>`; a denial is a JSON-RPC error ([`DENIED`]) |
//! | the server's `sampling/createMessage`, `elicitation/create`, `roots/list` | the call `<server>.<method>`; a denial is a JSON-RPC error to the server |
//! | the answers to `tools/list`, `prompts/list`, `resources/list`, `resources/templates/list` | what does not stand as `Shown` is taken out |
//! | `instructions` in the answers to `initialize` and `server/discover` | taken out unless they stand as `Shown` |
//! | what a server of the stateless era asks for in its answers (`inputRequests`) | the calls `<server>.<method>`; a denial makes the answer an error |
//! | `inputResponses` and `requestState` of a request made again | part of the call; pass only in return for what the server asked, see `questions` |
//! | the resources of `subscriptions/listen` | the calls `<server>.resources/subscribe`; a denial is a JSON-RPC error |
//! | `cacheScope` in an answer | is `private` |
//! | text in results, errors, notifications and requests of the server | goes through `observe` |
//! | `tasks/*` | passes for tasks that came from this door's own calls |
//! | `ping`, `logging/setLevel`, `server/discover`, the lists, known notifications | pass undecided, with nothing but what the protocol gives them |
//! | a request of a stateless revision that this door does not know | is refused with −32022 |
//! | any other request, and what belongs to the other era | is refused with −32601 |
//! | any other notification, answers to no question, answers of a kind that nobody knows | are dropped and counted, or withheld |
//!
//! What the client says first fixes the era of the session (`phase`); what the two eras share is one path.
//!
//! A decided request may have no members but those of JSON-RPC, and in `params` only those that the
//! specification lists for it; `_meta` and `task` are part of the call's digest, the progress token
//! alone is not. Whatever a permit was given for is forwarded byte for byte, in the order in which the
//! client asked.
//!
//! [`serve`] is another door: there the gate's own tools are the server, and what may run runs where the gate does.
//!
//! The door lists the server's tools itself and binds each call to the definition that the server
//! offers now ([`callgate_core::Offered`]).

mod actions;
mod anomalies;
mod asking;
mod catalog;
mod child;
mod client_side;
mod completions;
mod decided;
mod deciding;
mod ended;
mod era;
mod greeting;
mod handles;
mod inflight;
mod inspect;
mod limits;
mod listing;
mod message;
mod overdue;
mod own;
mod phase;
mod pin;
mod pin_diff;
mod questions;
mod relay;
mod replies;
mod server_side;
mod serving;
mod session;
mod stdio;
mod subscriptions;
mod told;
mod undecided;

pub use anomalies::Anomalies;
pub use ended::{Cause, Ended};
pub use limits::Limits;
pub use message::{Fault, Id, Message, Refused, Shape};
pub use pin::{PinError, pin};
pub use pin_diff::{Change, PinDiff, diff};
pub use relay::{Relay, RelayError, relay, relay_over};
pub use replies::DENIED;
pub use serving::{Serving, serve};
pub use stdio::{Input, Output, stdio};
