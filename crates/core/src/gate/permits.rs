//! Single-use permits of allowed calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use callgate_text::Digest;

use crate::seam::{Entropy, EntropyError};
use crate::{AgentId, Call, HostCall, SessionId, Timestamp, ToolName};

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
    /// The same without where it runs.
    pub(super) asked: Digest,
    host_call: Option<HostCall>,
    token: Digest,
    at: Timestamp,
    /// The how manieth this gate allowed.
    serial: u64,
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
    /// Each agent's calls in the order in which they were allowed. Found without a search: an agent that never
    /// reports an outcome must not make every later call of everybody slower.
    order: BTreeMap<AgentId, BTreeMap<u64, String>>,
    next: u64,
    /// The latest decision about each call that its host named.
    hosted: BTreeMap<Hosted, String>,
}

type Hosted = (AgentId, Option<SessionId>, HostCall);

impl Released {
    fn hosted(&self) -> Option<Hosted> {
        Some((self.agent.clone(), self.session.clone(), self.host_call.clone()?))
    }
}

impl Table {
    fn take(&mut self, id: &str) -> Option<Released> {
        let released = self.calls.remove(id)?;
        if let Some(own) = self.order.get_mut(&released.agent) {
            own.remove(&released.serial);
            if own.is_empty() {
                self.order.remove(&released.agent);
            }
        }
        self.unhost(id, &released);
        Some(released)
    }

    /// The agent's oldest call, if it waits too long or there is no room for another one beside it.
    fn superfluous(&self, agent: &AgentId, now: Timestamp) -> Option<String> {
        let own = self.order.get(agent)?;
        let (_, oldest) = own.first_key_value()?;
        let began = self.calls.get(oldest)?.at;
        let late = now.as_millis().saturating_sub(began.as_millis()) > LONGEST_MILLIS;
        (late || own.len() >= MOST_PER_AGENT).then(|| oldest.clone())
    }

    /// Forgets by which host's id the call was known, unless that already means a later one.
    fn unhost(&mut self, id: &str, released: &Released) {
        if let Some(hosted) = released.hosted()
            && self.hosted.get(&hosted).is_some_and(|latest| latest == id)
        {
            self.hosted.remove(&hosted);
        }
    }
}

impl Outstanding {
    pub(super) fn add(&self, id: &str, permit: &Permit, call: &Call, index: u64, at: Timestamp) {
        let mut table = self.table();
        let serial = table.next;
        table.next = serial.wrapping_add(1);
        let released = Released {
            agent: call.agent().clone(),
            session: call.session().cloned(),
            tool: call.tool().clone(),
            index,
            call: call.digest(),
            asked: call.asked(),
            host_call: call.host_call().cloned(),
            token: Digest::of(permit.0.as_bytes()),
            at,
            serial,
        };
        while let Some(oldest) = table.superfluous(call.agent(), at) {
            table.take(&oldest);
        }
        if let Some(hosted) = released.hosted() {
            table.hosted.insert(hosted, id.to_owned());
        }
        table.order.entry(call.agent().clone()).or_default().insert(serial, id.to_owned());
        table.calls.insert(id.to_owned(), released);
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
        table.take(id)
    }

    /// Spends the permit of the call that its host names; `None` if no such call is outstanding.
    pub(super) fn spend_hosted(
        &self,
        agent: &AgentId,
        session: Option<&SessionId>,
        call: &HostCall,
    ) -> Option<(String, Released)> {
        let mut table = self.table();
        let id = table.hosted.get(&(agent.clone(), session.cloned(), call.clone())).cloned()?;
        table.take(&id).map(|released| (id, released))
    }

    pub(super) fn forget(&self, id: &str) {
        self.table().take(id);
    }

    /// The table stays whole whatever panics around it: every change is one insertion or removal.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
