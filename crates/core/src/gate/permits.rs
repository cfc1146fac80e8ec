//! Single-use permits of allowed calls.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use callgate_text::Digest;

use crate::seam::{Entropy, EntropyError};
use crate::{AgentId, Call, SessionId, Timestamp, ToolName};

/// The single-use permit of an allowed call: 128 random bits that only the gate can mint.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit(String);

impl Permit {
    pub(super) fn mint(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bits = [0; 16];
        entropy.fill(&mut bits)?;
        Ok(Self(callgate_text::hex(&bits)))
    }

    /// The permit as it crosses a wall.
    pub fn token(&self) -> &str {
        &self.0
    }
}

/// What the gate remembers of an allowed call until its outcome is reported.
#[derive(Clone, Debug)]
pub(super) struct Released {
    pub(super) agent: AgentId,
    pub(super) session: Option<SessionId>,
    pub(super) tool: ToolName,
    pub(super) index: u64,
    pub(super) call: Digest,
    token: Digest,
    at: Timestamp,
}

/// An agent may have this many calls under way; the oldest then counts as unreported.
const MOST_PER_AGENT: usize = 4096;

/// After a day an outcome is no longer awaited.
const LONGEST_MILLIS: i64 = 86_400_000;

#[derive(Debug, Default)]
pub(super) struct Outstanding(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    calls: BTreeMap<String, Released>,
    order: BTreeMap<AgentId, VecDeque<String>>,
}

impl Outstanding {
    pub(super) fn add(&self, id: &str, permit: &Permit, call: &Call, index: u64, at: Timestamp) {
        let released = Released {
            agent: call.agent().clone(),
            session: call.session().cloned(),
            tool: call.tool().clone(),
            index,
            call: call.digest(),
            token: Digest::of(permit.0.as_bytes()),
            at,
        };
        let mut table = self.table();
        let Table { calls, order } = &mut *table;
        let own = order.entry(call.agent().clone()).or_default();
        while let Some(oldest) = own.front() {
            let old = calls.get(oldest).is_none_or(|call| at.as_millis() - call.at.as_millis() > LONGEST_MILLIS);
            if !old && own.len() < MOST_PER_AGENT {
                break;
            }
            calls.remove(oldest);
            own.pop_front();
        }
        own.push_back(id.to_owned());
        calls.insert(id.to_owned(), released);
    }

    /// Spends the permit of `id`: only its own agent can, only once, only with the right token.
    ///
    /// Tokens are compared by their digests, so that timing tells nothing about the token.
    pub(super) fn spend(&self, id: &str, agent: &AgentId, token: &str) -> Option<Released> {
        let mut table = self.table();
        let found = table.calls.get(id)?;
        if found.agent != *agent || found.token != Digest::of(token.as_bytes()) {
            return None;
        }
        let released = table.calls.remove(id);
        if let Some(own) = table.order.get_mut(agent) {
            own.retain(|other| other != id);
            if own.is_empty() {
                table.order.remove(agent);
            }
        }
        released
    }

    pub(super) fn forget(&self, id: &str) {
        self.table().calls.remove(id);
    }

    /// The table stays whole whatever panics around it: every change is one insertion or removal.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
