//! Accepting connections, within bounds, until told to stop.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use callgate_core::Gate;
use rustix::process::geteuid;
use tokio::sync::watch;
use tokio::task::JoinSet;

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

/// How long to wait when the system has no file descriptor left for another connection.
const BREATH: Duration = Duration::from_millis(50);

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
        let (halt, halted) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = listening.listener.accept() => match accepted {
                    Err(_) => {
                        places.shed();
                        tokio::time::sleep(BREATH).await;
                    }
                    Ok((stream, _)) => {
                        let Ok(credentials) = stream.peer_cred() else { continue };
                        let peer = Peer { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() };
                        let connection = Connection::new(shared.clone(), stream, peer, halted.clone());
                        connections.spawn(connection.run(places.arrive(peer.uid)));
                    }
                },
            }
        }
        drop(listening);
        let _ = halt.send(true);
        let finish = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(shared.limits.stop, finish).await.is_err() {
            tracing::warn!("connections were closed with work under way");
        }
    }
}
