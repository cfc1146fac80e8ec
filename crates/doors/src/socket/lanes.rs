//! Fair shares: a bounded amount of work under way for each agent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use callgate_core::{AgentId, Caller};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Limits, Peer};

/// What one unit of work covers.
const UNIT: usize = 16 * 1024;

/// Whose share a request is taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Agent(AgentId),
    /// Whoever has no accepted credential, by user.
    User(u32),
}

/// One agent's share.
#[derive(Debug)]
pub(super) struct Lane {
    work: Arc<Semaphore>,
    /// One message beyond the small size at a time, from its first byte to its answer.
    bulk: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    most_connections: usize,
    units: u32,
}

/// A part of a lane that is taken; the lane lives at least as long.
#[derive(Debug)]
pub(super) struct Taken {
    _permit: OwnedSemaphorePermit,
    _lane: Arc<Lane>,
}

/// All shares.
#[derive(Debug)]
pub(super) struct Lanes {
    units: u32,
    connections: usize,
    table: Mutex<BTreeMap<Owner, Weak<Lane>>>,
}

impl Lanes {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            units: limits.lane.max(1),
            connections: limits.connections_per_agent,
            table: Mutex::new(BTreeMap::new()),
        }
    }

    pub(super) fn of(&self, caller: &Caller, peer: &Peer) -> Arc<Lane> {
        let owner = match caller {
            Caller::Agent { id, .. } => Owner::Agent(id.clone()),
            Caller::Unrecognised { .. } => Owner::User(peer.uid),
        };
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = table.get(&owner).and_then(Weak::upgrade) {
            return lane;
        }
        table.retain(|_, lane| lane.strong_count() > 0);
        let lane = Arc::new(Lane {
            work: Arc::new(Semaphore::new(usize::try_from(self.units).unwrap_or(1))),
            bulk: Arc::new(Semaphore::new(1)),
            connections: Arc::new(Semaphore::new(self.connections)),
            most_connections: self.connections,
            units: self.units,
        });
        table.insert(owner, Arc::downgrade(&lane));
        lane
    }
}

impl Lane {
    /// Waits until there is room for a message of `bytes`.
    pub(super) async fn enter(self: Arc<Self>, bytes: usize) -> Option<Taken> {
        let weight = u32::try_from(1 + bytes / UNIT).unwrap_or(u32::MAX).min(self.units);
        let permit = self.work.clone().acquire_many_owned(weight).await.ok()?;
        Some(Taken { _permit: permit, _lane: self })
    }

    /// Waits until no other long message of this agent is being read.
    pub(super) async fn enter_bulk(self: Arc<Self>) -> Option<Taken> {
        let permit = self.bulk.clone().acquire_owned().await.ok()?;
        Some(Taken { _permit: permit, _lane: self })
    }

    /// Whether this agent has no connection yet.
    pub(super) fn is_unconnected(&self) -> bool {
        self.connections.available_permits() == self.most_connections
    }

    /// A place for one more connection, if there is one.
    pub(super) fn connect(self: Arc<Self>) -> Option<Taken> {
        let permit = self.connections.clone().try_acquire_owned().ok()?;
        Some(Taken { _permit: permit, _lane: self })
    }
}
