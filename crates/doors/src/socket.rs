//! The gate's Unix socket: how every other process asks it.
//!
//! Lines of strict JSON. The first from the client is a greeting, answered by one from the gate:
//!
//! ```json
//! {"hello":{"protocol":1,"token":"cgt_…","door":"mcp"}}
//! {"hello":{"protocol":1}}
//! ```
//!
//! `token` may be absent: then the kernel's word about the peer is all there is. `door` names the door or the host
//! that asks, `session` the host's session; see [`Greeting`]. After that come
//! requests, any number under way at once, answered in any order:
//!
//! ```json
//! {"id":1,"op":"decide","body":{"tool":"bank.pay","arguments":{"amount":50},"original":"sha256:…"}}
//! {"id":1,"ok":{"decision":"allow",…}}
//! {"id":2,"op":"observe","body":{"texts":["…"]}}
//! {"id":2,"error":{"code":"unknown_agent","message":"…"}}
//! ```
//!
//! `call_tool` takes the body of `decide` and runs the gate's own tool ([`crate::tools`]); until its answer, frames tell
//! how far it is. `cancel` ends one, and so does the end of the connection:
//!
//! ```json
//! {"id":3,"op":"call_tool","body":{"tool":"callgate.terminal","arguments":{"command":"make"},"original":"sha256:…"}}
//! {"id":3,"progress":{"done":812,"message":"cc -c main.c"}}
//! {"id":4,"op":"cancel","body":{"id":3}}
//! {"id":4,"ok":{"under_way":true}}
//! {"id":3,"ok":{"decision":"allow","id":"01JD…","result":{"texts":["…"],"is_error":true,"structured":{"state":"cancelled"}}}}
//! ```
//!
//! Who calls is established anew for every operation ([`Identify`]), so that a revoked token acts on
//! the next call. `decide`, `complete`, `report`, `preview`, `standing`, `observe`, `call_tool` and
//! `cancel` are the gate's operations; every other name is the operator's ([`Operator`]) and open only to the gate's own user and root, on a
//! connection that greeted without a token and as no door.
//!
//! **Nobody starves.** Each agent has a lane ([`Limits::lane`]): a bounded amount of work under way,
//! whatever the number of its connections. A request weighs one unit for each 16 KiB, so a flood of
//! small calls and a few huge ones cost the others the same. Readers that stall are cut, so are
//! connections that do not greet; these wait in a room of their own, where the oldest gives way to the newest, so
//! that connecting without greeting keeps nobody out. A panic ends one request.

mod calling;
mod client;
mod connection;
mod greeting;
mod link;
mod listen;
mod operate;
mod running;
mod server;
mod wire;

use std::time::Duration;

use callgate_core::Caller;
use callgate_core::seam::Later;
use callgate_text::Json;

pub use client::{Client, ClientError};
pub use greeting::Greeting;
pub use listen::{Access, Listening};
pub use server::{Server, Services};

/// The protocol that this page describes.
pub const PROTOCOL: i64 = 1;

/// The process at the other end, as the kernel reported it when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its process id, if the kernel knows one in our namespace. May be reused: never an identity.
    pub pid: Option<i32>,
}

/// Establishes who calls, anew for every operation.
pub trait Identify: Send + Sync {
    /// The caller that the greeting's token proves, or without one the peer's user.
    fn identify(&self, peer: &Peer, greeting: &Greeting) -> Caller;
}

/// What only the operator may ask: status, reload, erase, stop, ….
pub trait Operator: Send + Sync {
    /// Runs `op`. The peer is the gate's own user or root and greeted as nobody else.
    fn operate<'a>(&'a self, peer: &'a Peer, op: &'a str, body: &'a Json) -> Later<'a, Result<Json, String>>;
}

/// What one server allows. Every bound holds against a peer that does its worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that have yet to greet; beyond that, the oldest gives way to the newest.
    pub greeting: usize,
    /// The same of one user.
    pub greeting_per_uid: usize,
    /// Connections that have greeted. The last quarter is for agents that have none yet.
    pub connections: usize,
    /// Connections of one agent, counted once it has greeted.
    pub connections_per_agent: usize,
    /// Requests under way on one connection, answers that wait to be read included.
    pub in_flight: u32,
    /// Units of work under way for one agent; a request weighs one unit and one more for each 16 KiB.
    pub lane: u32,
    /// The longest message of an agent.
    pub message: usize,
    /// The longest message of somebody unrecognised, and what a connection may hold without a lane.
    pub small: usize,
    /// How long a new connection may take to greet.
    pub hello: Duration,
    /// How long a message may take from its first byte to its last.
    pub frame: Duration,
    /// How long a peer may leave an answer unread.
    pub unread: Duration,
    /// How long work under way may take once the server is told to stop.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            greeting: 512,
            greeting_per_uid: 256,
            connections: 1024,
            connections_per_agent: 64,
            in_flight: 64,
            lane: 64,
            message: 16 << 20,
            small: 64 << 10,
            hello: Duration::from_secs(5),
            frame: Duration::from_secs(10),
            unread: Duration::from_secs(10),
            stop: Duration::from_secs(10),
        }
    }
}

/// Why the socket could not be opened or reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// A gate listens there already. Stop it first.
    #[error("a gate is already listening on {0}")]
    InUse(std::path::PathBuf),
    /// Something that is not a socket has this name. Move it away.
    #[error("{0} exists and is not a socket")]
    NotASocket(std::path::PathBuf),
    /// Others could replace the socket. Make its directory writable by its owner alone.
    #[error("the directory of {0} can be written by others")]
    Exposed(std::path::PathBuf),
    /// The path has no directory or no name.
    #[error("{0} does not name a socket in a directory")]
    NoDirectory(std::path::PathBuf),
    /// The system refused.
    #[error("cannot use the socket: {0}")]
    Io(#[from] std::io::Error),
}
