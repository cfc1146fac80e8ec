//! The gate's side of the socket: what its connections share.

use std::sync::{Arc, OnceLock};

use callgate_core::Gate;
use rustix::process::geteuid;

use crate::accepting::accept;
use crate::lanes::Lanes;
use crate::places::{Attendance, Places, Rooms};
use crate::tools::Tools;

use super::connection::{Connection, Shared};
use super::{Identify, Limits, Listening, Operator, Peer};

/// What the socket serves.
#[derive(Clone)]
pub struct Services {
    /// The gate.
    pub gate: Arc<Gate>,
    /// Who calls.
    pub identify: Arc<dyn Identify>,
    /// What only the operator may ask.
    pub operator: Arc<dyn Operator>,
}

/// The gate's side of the socket.
pub struct Server {
    listening: Listening,
    shared: Arc<Shared>,
    places: Arc<Places>,
}

impl Server {
    /// A server for `services` on an open socket.
    pub fn new(listening: Listening, services: Services, limits: Limits) -> Self {
        let lanes = Arc::new(Lanes::new(limits.lane, limits.connections_per_agent));
        let rooms =
            Rooms { waiting: limits.greeting, waiting_per_uid: limits.greeting_per_uid, seats: limits.connections };
        let shared = Shared { services, limits, lanes, own_uid: geteuid().as_raw(), tools: OnceLock::new() };
        Self { listening, shared: Arc::new(shared), places: Places::new(rooms) }
    }

    /// Lets agents call the gate's own tools. Only the first time counts.
    pub fn offer(&self, tools: Arc<dyn Tools>) {
        let _ = self.shared.tools.set(tools);
    }

    /// The agents' shares, for other doors to the same gate.
    pub fn lanes(&self) -> Arc<Lanes> {
        self.shared.lanes.clone()
    }

    /// How many connections there are.
    pub fn attendance(&self) -> Attendance {
        self.places.attendance()
    }

    /// Serves until `stop` resolves; then takes no new work, lets what is under way finish within
    /// [`Limits::stop`], closes what is left and removes the socket.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { listening, shared, places } = self;
        accept(listening, &places, shared.limits.stop, stop, |stream, halted| {
            let credentials = stream.peer_cred().ok()?;
            let peer = Peer { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() };
            let connection = Connection::new(shared.clone(), stream, peer, halted);
            Some(connection.run(places.arrive(peer.uid)))
        })
        .await;
    }
}
