//! Fair shares: a bounded amount of work under way for each agent, whatever the doors through which it comes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use callgate_core::{AgentId, Caller};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one unit of work covers.
const UNIT: usize = 16 * 1024;

/// Whose share a request is taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Agent(AgentId),
    /// Whoever has no accepted credential, by user.
    User(u32),
    /// The operator, where a credential proves that.
    Operator,
}

/// One agent's share.
#[derive(Debug)]
pub(crate) struct Lane {
    work: Arc<Semaphore>,
    /// One message beyond the small size at a time, from its first byte to its answer.
    bulk: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    most_connections: usize,
    units: u32,
}

/// A part of a lane that is taken; the lane lives at least as long.
#[derive(Debug)]
pub(crate) struct Taken {
    _permit: OwnedSemaphorePermit,
    _lane: Arc<Lane>,
}

/// All shares. The doors of one gate have one of these together.
#[derive(Debug)]
pub struct Lanes {
    units: u32,
    connections: usize,
    table: Mutex<BTreeMap<Owner, Weak<Lane>>>,
}

impl Lanes {
    /// Shares of so many units of work, and so many connections, for each agent.
    pub fn new(units: u32, connections: usize) -> Self {
        Self { units: units.max(1), connections, table: Mutex::new(BTreeMap::new()) }
    }

    /// The share of the caller; of its user, if nothing proves who it is.
    pub(crate) fn of(&self, caller: &Caller, uid: u32) -> Arc<Lane> {
        self.owned(match caller {
            Caller::Agent { id, .. } => Owner::Agent(id.clone()),
            Caller::Unrecognised { .. } => Owner::User(uid),
        })
    }

    /// The share of whoever holds an operator's credential.
    pub(crate) fn of_operator(&self) -> Arc<Lane> {
        self.owned(Owner::Operator)
    }

    fn owned(&self, owner: Owner) -> Arc<Lane> {
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
    pub(crate) async fn enter(self: Arc<Self>, bytes: usize) -> Option<Taken> {
        let weight = u32::try_from(1 + bytes / UNIT).unwrap_or(u32::MAX).min(self.units);
        let permit = self.work.clone().acquire_many_owned(weight).await.ok()?;
        Some(Taken { _permit: permit, _lane: self })
    }

    /// Waits until no other long message of this agent is being read.
    pub(crate) async fn enter_bulk(self: Arc<Self>) -> Option<Taken> {
        let permit = self.bulk.clone().acquire_owned().await.ok()?;
        Some(Taken { _permit: permit, _lane: self })
    }

    /// Whether this agent has no connection yet.
    pub(crate) fn is_unconnected(&self) -> bool {
        self.connections.available_permits() == self.most_connections
    }

    /// A place for one more connection, if there is one.
    pub(crate) fn connect(self: Arc<Self>) -> Option<Taken> {
        let permit = self.connections.clone().try_acquire_owned().ok()?;
        Some(Taken { _permit: permit, _lane: self })
    }
}
