//! Places at a door: a waiting room before a caller is known, and the seats after it.
//!
//! Anybody may connect, so the waiting room never refuses: when it is full, the newcomer takes the place of
//! the oldest one of the user who has most there. An honest client greets at once and is through before that
//! comes to it, however many others connect and say nothing.
//!
//! A seat is had by a greeting, or by a first accepted credential. One caller has a bounded number of them, the last quarter is for callers who
//! have none yet, and a few beyond are the operator's, who must be able to look while others flood.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::lanes::{Lane, Taken};

/// Seats of the operator alone.
const RESERVED: usize = 16;

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rooms {
    /// For connections that nobody is known behind; beyond that, the oldest gives way to the newest.
    pub(crate) waiting: usize,
    /// The same of one user.
    pub(crate) waiting_per_uid: usize,
    /// Seats. The last quarter is for callers who have none yet.
    pub(crate) seats: usize,
}

/// How many places are taken at one door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Connections of whoever is not known yet.
    pub waiting: usize,
    /// Connections of callers who are.
    pub seated: usize,
}

/// What tells how many places are taken at a door.
#[derive(Clone)]
pub struct Attendance(Arc<Places>);

impl Attendance {
    /// How many now.
    pub fn now(&self) -> Occupancy {
        let table = self.0.table();
        Occupancy { waiting: table.waiting.len(), seated: table.seated }
    }
}

/// All places of one door.
pub(crate) struct Places {
    rooms: Rooms,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    /// In the order of their arrival.
    waiting: BTreeMap<u64, Waiting>,
    seated: usize,
}

struct Waiting {
    uid: u32,
    /// Dropped to show the connection out.
    _stay: oneshot::Sender<()>,
}

/// A connection that nobody is known behind yet. Its place is free again when this is dropped.
pub(crate) struct Arrival {
    places: Arc<Places>,
    ticket: u64,
    stay: oneshot::Receiver<()>,
}

/// The seat of a caller's connection.
pub(crate) struct Seat {
    places: Arc<Places>,
    _own: Taken,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// This caller has all that it may have.
    Caller,
    /// The gate has no more to give.
    Gate,
}

impl Places {
    pub(crate) fn new(rooms: Rooms) -> Arc<Self> {
        Arc::new(Self { rooms, table: Mutex::default() })
    }

    pub(crate) fn attendance(self: &Arc<Self>) -> Attendance {
        Attendance(self.clone())
    }

    /// A place in the waiting room for a connection of `uid`.
    pub(crate) fn arrive(self: &Arc<Self>, uid: u32) -> Arrival {
        let (sender, stay) = oneshot::channel();
        let mut table = self.table();
        if table.waiting_of(uid) >= self.rooms.waiting_per_uid {
            table.show_out_oldest_of(uid);
        } else if table.waiting.len() >= self.rooms.waiting {
            table.show_out_of_the_fullest();
        }
        let ticket = table.next;
        table.next += 1;
        table.waiting.insert(ticket, Waiting { uid, _stay: sender });
        Arrival { places: self.clone(), ticket, stay }
    }

    /// Shows one out who waits: the system has no descriptor left for another connection.
    pub(crate) fn shed(&self) {
        self.table().show_out_of_the_fullest();
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn waiting_of(&self, uid: u32) -> usize {
        self.waiting.values().filter(|waiting| waiting.uid == uid).count()
    }

    fn show_out_oldest_of(&mut self, uid: u32) {
        let oldest = self.waiting.iter().find(|(_, waiting)| waiting.uid == uid).map(|(ticket, _)| *ticket);
        oldest.map(|ticket| self.waiting.remove(&ticket));
    }

    fn show_out_of_the_fullest(&mut self) {
        let mut counts = BTreeMap::<u32, usize>::new();
        for waiting in self.waiting.values() {
            *counts.entry(waiting.uid).or_default() += 1;
        }
        if let Some((uid, _)) = counts.into_iter().max_by_key(|(_, count)| *count) {
            self.show_out_oldest_of(uid);
        }
    }
}

impl Arrival {
    /// Resolves when somebody else needs the place.
    pub(crate) async fn shown_out(&mut self) {
        std::future::poll_fn(|context| self.poll_shown_out(context)).await;
    }

    /// Whether somebody else needs the place.
    pub(crate) fn poll_shown_out(&mut self, context: &mut Context<'_>) -> Poll<()> {
        std::pin::Pin::new(&mut self.stay).poll(context).map(|_| ())
    }

    /// Known: from the waiting room to a seat, of the caller to whom `lane` belongs.
    pub(crate) fn sit(self, lane: &Arc<Lane>, operator: bool) -> Result<Seat, NoSeat> {
        let first = lane.is_unconnected();
        let own = lane.clone().connect().ok_or(NoSeat::Caller)?;
        let seats = self.places.rooms.seats;
        let open_to_it = match (operator, first) {
            (true, _) => seats + RESERVED,
            (false, true) => seats,
            (false, false) => seats - seats / 4,
        };
        {
            let mut table = self.places.table();
            if table.seated >= open_to_it {
                return Err(NoSeat::Gate);
            }
            table.seated += 1;
        }
        Ok(Seat { places: self.places.clone(), _own: own })
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.places.table().waiting.remove(&self.ticket);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.places.table();
        table.seated = table.seated.saturating_sub(1);
    }
}
