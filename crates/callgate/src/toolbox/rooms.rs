//! How many runs there may be at one time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use callgate_core::AgentId;

/// Counts of what runs.
#[derive(Debug)]
pub(super) struct Rooms {
    of_agent: usize,
    in_all: usize,
    running: Arc<Mutex<BTreeMap<AgentId, usize>>>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    agent: AgentId,
    running: Arc<Mutex<BTreeMap<AgentId, usize>>>,
}

impl Rooms {
    pub(super) fn new(of_agent: usize, in_all: usize) -> Self {
        Self { of_agent, in_all, running: Arc::default() }
    }

    /// A place for one more run of `agent`, if there is one. Nobody waits: whoever floods is told so at once.
    pub(super) fn enter(&self, agent: &AgentId) -> Option<Room> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let own = running.get(agent).copied().unwrap_or(0);
        // The last place of an agent that runs nothing yet is not for those that do.
        let others = running.values().sum::<usize>();
        if own >= self.of_agent || others >= self.in_all || (own > 0 && others + 1 >= self.in_all) {
            return None;
        }
        running.insert(agent.clone(), own + 1);
        Some(Room { agent: agent.clone(), running: self.running.clone() })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get_mut(&self.agent) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                running.remove(&self.agent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> AgentId {
        name.parse().unwrap()
    }

    #[test]
    fn one_agent_cannot_take_what_others_need() {
        let rooms = Rooms::new(3, 4);
        let a: Vec<Room> = (0..3).map(|_| rooms.enter(&agent("a")).unwrap()).collect();
        assert!(rooms.enter(&agent("a")).is_none());
        let b = rooms.enter(&agent("b")).unwrap();
        assert!(rooms.enter(&agent("b")).is_none() && rooms.enter(&agent("c")).is_none());
        drop(a);
        let more: Vec<Room> = (0..2).map(|_| rooms.enter(&agent("b")).unwrap()).collect();
        // One of four is left, for somebody who has none.
        assert!(rooms.enter(&agent("b")).is_none());
        assert!(rooms.enter(&agent("c")).is_some());
        drop((b, more));
        assert!(rooms.running.lock().unwrap().is_empty());
    }
}
