//! Accepting connections, within bounds, until told to stop.

use std::sync::Arc;
use std::time::Duration;

use callgate_core::DoorName;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::lanes::Lanes;
use crate::places::{Attendance, Places, Rooms};
use crate::socket::Peer;

use super::owner::owner;
use super::{DOOR, Limits, Listening, Services, connection};

/// What all connections share.
pub(super) struct Shared {
    pub(super) services: Services,
    pub(super) limits: Limits,
    pub(super) lanes: Arc<Lanes>,
    pub(super) port: u16,
    /// This door, as [`crate::socket::Identify`] hears of it.
    pub(super) door: Option<DoorName>,
}

/// The gate's side of HTTP.
pub struct Server {
    listening: Listening,
    shared: Arc<Shared>,
    places: Arc<Places>,
}

/// How long to wait when the system has no file descriptor left for another connection.
const BREATH: Duration = Duration::from_millis(50);

impl Server {
    /// A server for `services` on an open port. The agents' shares are those of the gate's other doors.
    pub fn new(listening: Listening, services: Services, lanes: Arc<Lanes>, limits: Limits) -> Self {
        let rooms =
            Rooms { waiting: limits.waiting, waiting_per_uid: limits.waiting_per_uid, seats: limits.connections };
        let port = listening.address.port();
        let shared = Shared { services, limits, lanes, port, door: DOOR.parse().ok() };
        Self { listening, shared: Arc::new(shared), places: Places::new(rooms) }
    }

    /// How many connections there are.
    pub fn attendance(&self) -> Attendance {
        self.places.attendance()
    }

    /// Serves until `stop` resolves; then takes no new work, lets what is under way finish within
    /// [`Limits::stop`] and closes what is left.
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
                        let Some(peer) = peer(&stream) else { continue };
                        let arrival = places.arrive(peer.uid);
                        connections.spawn(connection::run(shared.clone(), stream, peer, arrival, halted.clone()));
                        // Its first request may be there already: it comes before whoever connects next.
                        tokio::task::yield_now().await;
                    }
                },
            }
        }
        drop(listening);
        let _ = halt.send(true);
        let finish = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(shared.limits.stop, finish).await.is_err() {
            tracing::warn!("HTTP connections were closed with work under way");
        }
    }
}

/// Who is at the other end, as far as the kernel says; `None` if nobody is any more.
///
/// Where it does not say, the peer is taken for root, who could get around the gate: that claims nothing.
fn peer(stream: &TcpStream) -> Option<Peer> {
    let (own, peer) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
    // Answers are small and whole; waiting to send more at once would cost each of them a round.
    stream.set_nodelay(true).ok()?;
    let uid = owner(own, peer).unwrap_or(UNKNOWN);
    Some(Peer { uid, gid: UNKNOWN, pid: None })
}

const UNKNOWN: u32 = 0;
