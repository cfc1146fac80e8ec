//! Sessions in which something ran that was not decided: nothing more runs in them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::{AgentId, SessionId};

/// Sessions that are remembered; the oldest is forgotten first.
const MOST: usize = 100_000;

/// What an agent does without naming a session is one session, too.
type Session = (AgentId, Option<SessionId>);

#[derive(Debug, Default)]
pub(super) struct EndedSessions(Mutex<(BTreeSet<Session>, VecDeque<Session>)>);

impl EndedSessions {
    pub(super) fn end(&self, agent: &AgentId, session: Option<&SessionId>) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, order) = &mut *table;
        let session = (agent.clone(), session.cloned());
        if known.insert(session.clone()) {
            order.push_back(session);
            if order.len() > MOST
                && let Some(oldest) = order.pop_front()
            {
                known.remove(&oldest);
            }
        }
    }

    pub(super) fn holds(&self, agent: &AgentId, session: Option<&SessionId>) -> bool {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.0.contains(&(agent.clone(), session.cloned()))
    }
}
