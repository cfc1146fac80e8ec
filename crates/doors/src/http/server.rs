//! The gate's side of HTTP: what its connections share.

use std::sync::Arc;

use callgate_core::DoorName;
use tokio::net::TcpStream;

use crate::accepting::accept;
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
        accept(listening, &places, shared.limits.stop, stop, |stream, halted| {
            let peer = peer(&stream)?;
            Some(connection::run(shared.clone(), stream, peer, places.arrive(peer.uid), halted))
        })
        .await;
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
