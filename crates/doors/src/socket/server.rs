//! Accepting connections, within bounds, until told to stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callgate_core::Gate;
use rustix::process::geteuid;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::{Connection, Shared};
use super::lanes::Lanes;
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
}

/// How long to wait when the system has no file descriptor left for another connection.
const BREATH: Duration = Duration::from_millis(50);

impl Server {
    /// A server for `services` on an open socket.
    pub fn new(listening: Listening, services: Services, limits: Limits) -> Self {
        let lanes = Lanes::new(&limits);
        let shared = Shared { services, limits, lanes, own_uid: geteuid().as_raw() };
        Self { listening, shared: Arc::new(shared) }
    }

    /// Serves until `stop` resolves; then takes no new work, lets what is under way finish within
    /// [`Limits::stop`], closes what is left and removes the socket.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { listening, shared } = self;
        let (halt, halted) = watch::channel(false);
        let places = Places::default();
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = listening.listener.accept() => match accepted {
                    Err(_) => tokio::time::sleep(BREATH).await,
                    Ok((stream, _)) => {
                        let Some((peer, place)) = admit(&stream, &places, &shared.limits) else { continue };
                        let connection = Connection::new(shared.clone(), stream, peer, halted.clone());
                        connections.spawn(async move {
                            connection.run().await;
                            drop(place);
                        });
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

/// The peer as the kernel knows it, and its place; `None` if there is no room.
fn admit(stream: &UnixStream, places: &Places, limits: &Limits) -> Option<(Peer, Place)> {
    let credentials = stream.peer_cred().ok()?;
    let peer = Peer { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() };
    Some((peer, places.take(peer.uid, limits)?))
}

/// Connections by user.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<BTreeMap<u32, usize>>>);

/// One connection's place, given back when it ends, however it ends.
struct Place(Places, u32);

impl Places {
    fn take(&self, uid: u32, limits: &Limits) -> Option<Place> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = table.values().sum();
        let own = table.entry(uid).or_default();
        if all >= limits.connections || *own >= limits.connections_per_uid {
            return None;
        }
        *own += 1;
        drop(table);
        Some(Place(self.clone(), uid))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = table.get_mut(&self.1) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                table.remove(&self.1);
            }
        }
    }
}
