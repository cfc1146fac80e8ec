//! The gate's operations over HTTP/1.1, on the loopback interface, for programs that speak nothing else.
//!
//! | | | whose |
//! | --- | --- | --- |
//! | `POST /v1/decide` | may this call run? | an agent's |
//! | `POST /v1/complete` | what became of it | an agent's |
//! | `POST /v1/observe` | text that passes without a call | an agent's |
//! | `POST /v1/preview` | what `decide` would say, and how it came to it | the operator's |
//! | `GET /v1/status`, `GET /metrics` | how the gate is | the operator's |
//! | `GET /healthz`, `GET /readyz`, `GET /openapi.json` | | anybody's |
//!
//! One table ([`endpoints`]) routes, and describes the API ([`openapi`]).
//!
//! Who calls is proved by `Authorization: Bearer`, anew for every request, once before the body is read and once more
//! after. The kernel says which user owns the other end of a connection; where it does not, nothing better than
//! `advisory` is claimed. Neither `Host` nor `Origin` may be a stranger's: a web page that reaches the loopback
//! interface from a browser is refused before anything else of it is read.
//!
//! **Closed by default.** Whatever goes wrong is answered by a document whose `decision` is `deny`, and no status but
//! 200 ever comes with a permit. What is not HTTP at all is answered by hyper, with no document, and hung up on.
//!
//! **Nobody starves.** An agent has one share of work and of connections at all doors together ([`crate::Lanes`]).
//! Connections without an accepted credential wait in a room of their own, where the oldest gives way to the newest.
//! Heads, bodies, idle connections and readers that stall have time limits.

#[cfg(test)]
mod agreement;
mod bearer;
mod body;
mod connection;
mod document;
mod endpoints;
mod hosts;
mod listen;
mod operate;
mod owner;
mod patient;
mod reply;
mod schema;
mod server;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use callgate_core::Gate;

use crate::socket::{Identify, Operator};

pub use document::openapi;
pub use listen::{HttpError, Listening};
pub use owner::owner;
pub use server::Server;

/// The name of this door, in configuration and in what [`Identify`] hears.
pub const DOOR: &str = "http";

/// Who is at the door, agent or operator.
pub trait Credentials: Identify {
    /// Whether this is an operator's token. No agent's is one.
    fn is_operator(&self, token: &str) -> bool;
}

/// What the endpoints for health and metrics read.
pub trait Instruments: Send + Sync {
    /// Whether a call could be allowed: the policy is not stale, the log is open, the disk is not nearly full.
    fn is_ready(&self) -> bool;

    /// All metrics, as OpenMetrics 1.0 text.
    fn metrics(&self) -> String;
}

/// What the door serves.
#[derive(Clone)]
pub struct Services {
    /// The gate.
    pub gate: Arc<Gate>,
    /// Who calls.
    pub credentials: Arc<dyn Credentials>,
    /// Its `status` is all that this door asks of it.
    pub operator: Arc<dyn Operator>,
    /// Health and metrics.
    pub instruments: Arc<dyn Instruments>,
    /// Values of `Origin` that are let in; every other is refused.
    pub origins: Vec<String>,
}

/// What one server allows. Every bound holds against a peer that does its worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections without an accepted credential; beyond that, the oldest gives way to the newest.
    pub waiting: usize,
    /// The same of one user.
    pub waiting_per_uid: usize,
    /// Connections of whoever is known. The last quarter is for callers who have none yet.
    pub connections: usize,
    /// The longest head of a request, in bytes.
    pub head_bytes: usize,
    /// The most header fields of a request.
    pub headers: usize,
    /// The longest body that is read beside others of its agent; a longer one waits for its turn.
    pub small: usize,
    /// How long a head may take from its first byte to its last; the first head, from the beginning of its
    /// connection.
    pub head: Duration,
    /// How long a connection may be open without a request after its last answer.
    pub idle: Duration,
    /// How long a body may take.
    pub body: Duration,
    /// How long a peer may leave an answer unread.
    pub unread: Duration,
    /// How long work under way may take once the server is told to stop.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            waiting: 1024,
            waiting_per_uid: 512,
            connections: 512,
            head_bytes: 16 << 10,
            headers: 64,
            small: 64 << 10,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            body: Duration::from_secs(10),
            unread: Duration::from_secs(10),
            stop: Duration::from_secs(10),
        }
    }
}
