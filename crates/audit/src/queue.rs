//! What waits for the writer: one queue per lane, served in turn, so that none can starve another.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use callgate_core::Lane;
use callgate_core::seam::LogError;

use crate::budget::{Account, Budget};
use crate::leaf::Encoded;
use crate::oneshot::Sender;

/// A record on its way.
pub(crate) struct Pending {
    pub(crate) lane: Lane,
    pub(crate) encoded: Encoded,
    /// Resolved with the index once the record is durable.
    pub(crate) reply: Sender<Result<u64, LogError>>,
}

/// How much may wait and how much goes into one batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) lane_records: usize,
    pub(crate) lane_bytes: u64,
    pub(crate) batch_records: usize,
    pub(crate) batch_bytes: u64,
    pub(crate) budget: Budget,
    /// How often the log counts what one lane's budget left out.
    pub(crate) fold_every: Duration,
}

/// What one lane's budget left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folded {
    pub(crate) lane: Lane,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<Pending>,
    bytes: u64,
    account: Option<Account>,
    folded_records: u64,
    folded_bytes: u64,
    folded_at: Option<Duration>,
}

/// All lanes.
pub(crate) struct Lanes {
    limits: Limits,
    lanes: BTreeMap<Lane, Waiting>,
    /// The lanes with something in their queue, in the order in which they are served.
    turn: VecDeque<Lane>,
    /// How many records wait in all.
    queued: usize,
    /// How many lanes have something folded.
    folding: usize,
}

impl Lanes {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, lanes: BTreeMap::new(), turn: VecDeque::new(), queued: 0, folding: 0 }
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn has_folded(&self) -> bool {
        self.folding > 0
    }

    /// Queues a record, if its lane's budget and queue have room for it.
    pub(crate) fn push(&mut self, pending: Pending, now: Duration) -> Result<(), (LogError, Pending)> {
        let weight = pending.encoded.weight();
        let limits = self.limits;
        let waiting = self.lanes.entry(pending.lane.clone()).or_default();
        let full = waiting.queue.len() >= limits.lane_records
            || (!waiting.queue.is_empty() && waiting.bytes.saturating_add(weight) > limits.lane_bytes);
        if pending.lane == Lane::Operator {
            if full {
                return Err((LogError::Unavailable("too many records of the operator wait".to_owned()), pending));
            }
        } else {
            let account = waiting.account.get_or_insert_with(|| Account::new(&limits.budget, now));
            let within = account.take(&limits.budget, now, weight) && !full;
            // An outcome follows a decision that was within the budget, so there are no more of them than of
            // those; without it, a call that ran would look as if nobody knew.
            if !within && !pending.encoded.is_outcome {
                self.folding += usize::from(waiting.folded_records == 0);
                waiting.folded_records = waiting.folded_records.saturating_add(1);
                waiting.folded_bytes = waiting.folded_bytes.saturating_add(weight);
                return Err((LogError::OverBudget, pending));
            }
        }
        if waiting.queue.is_empty() {
            match pending.lane {
                // First, but once: the operator's records are few, and revocations must not wait.
                Lane::Operator => self.turn.push_front(Lane::Operator),
                _ => self.turn.push_back(pending.lane.clone()),
            }
        }
        waiting.bytes = waiting.bytes.saturating_add(weight);
        waiting.queue.push_back(pending);
        self.queued += 1;
        Ok(())
    }

    /// The next batch: one record of each lane in turn, until it is full or nothing waits.
    pub(crate) fn take_batch(&mut self) -> Vec<Pending> {
        let mut batch = Vec::new();
        let mut bytes = 0_u64;
        while batch.len() < self.limits.batch_records && bytes < self.limits.batch_bytes {
            let Some(lane) = self.turn.pop_front() else { break };
            let Some(waiting) = self.lanes.get_mut(&lane) else { continue };
            let Some(pending) = waiting.queue.pop_front() else { continue };
            let weight = pending.encoded.weight();
            waiting.bytes = waiting.bytes.saturating_sub(weight);
            self.queued = self.queued.saturating_sub(1);
            if !waiting.queue.is_empty() {
                self.turn.push_back(lane);
            }
            bytes = bytes.saturating_add(weight);
            batch.push(pending);
        }
        batch
    }

    /// What was left out and is due to be counted in the log: at most `most` lanes at once. `all` ignores when
    /// each was counted last.
    pub(crate) fn take_folded(&mut self, now: Duration, most: usize, all: bool) -> Vec<Folded> {
        if self.folding == 0 {
            return Vec::new();
        }
        let every = self.limits.fold_every;
        let due = self.lanes.iter_mut().filter(|(_, waiting)| {
            waiting.folded_records > 0
                && (all || waiting.folded_at.is_none_or(|last| now.saturating_sub(last) >= every))
        });
        let folded: Vec<_> = due
            .take(most)
            .map(|(lane, waiting)| {
                waiting.folded_at = Some(now);
                Folded {
                    lane: lane.clone(),
                    records: std::mem::take(&mut waiting.folded_records),
                    bytes: std::mem::take(&mut waiting.folded_bytes),
                }
            })
            .collect();
        self.folding = self.folding.saturating_sub(folded.len());
        folded
    }

    /// Puts back what could not be counted in the log after all.
    pub(crate) fn put_back(&mut self, folded: Vec<Folded>) {
        for one in folded {
            let waiting = self.lanes.entry(one.lane).or_default();
            self.folding += usize::from(waiting.folded_records == 0);
            waiting.folded_records = waiting.folded_records.saturating_add(one.records);
            waiting.folded_bytes = waiting.folded_bytes.saturating_add(one.bytes);
        }
    }

    /// Takes everything that waits, to refuse it.
    pub(crate) fn drain(&mut self) -> Vec<Pending> {
        self.turn.clear();
        self.queued = 0;
        self.lanes.values_mut().flat_map(|waiting| std::mem::take(&mut waiting.queue)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::oneshot::channel;

    fn pending(lane: &Lane) -> Pending {
        let encoded = Encoded { leaf: vec![b'x'; 100], opened: Vec::new(), is_outcome: false };
        Pending { lane: lane.clone(), encoded, reply: channel().0 }
    }

    fn limits() -> Limits {
        Limits {
            lane_records: 1000,
            lane_bytes: 1 << 20,
            batch_records: 8,
            batch_bytes: 1 << 20,
            budget: Budget { records_per_second: 1, burst: 500, bytes_per_day: 1 << 30 },
            fold_every: Duration::from_secs(10),
        }
    }

    #[test]
    fn a_flood_does_not_delay_another_lane() {
        let mut lanes = Lanes::new(limits());
        let [hostile, quiet] = ["eve", "ann"].map(|name| Lane::Agent(name.parse().unwrap()));
        let mut refused = 0;
        for _ in 0..10_000 {
            refused += usize::from(lanes.push(pending(&hostile), Duration::ZERO).is_err());
        }
        assert_eq!(refused, 9_500);
        assert!(lanes.push(pending(&quiet), Duration::ZERO).is_ok());
        assert!(lanes.push(pending(&Lane::Operator), Duration::ZERO).is_ok());
        let batch: Vec<_> = lanes.take_batch().into_iter().map(|pending| pending.lane).collect();
        assert_eq!(batch.len(), 8);
        assert_eq!(batch.first(), Some(&Lane::Operator));
        assert!(batch.contains(&quiet));
        let folded = lanes.take_folded(Duration::ZERO, 10, false);
        assert_eq!(folded, [Folded { lane: hostile.clone(), records: 9_500, bytes: 950_000 }]);
        assert!(lanes.push(pending(&hostile), Duration::ZERO).is_err());
        assert_eq!(lanes.take_folded(Duration::from_secs(9), 10, false), []);
        assert_eq!(lanes.take_folded(Duration::from_secs(10), 10, false).len(), 1);
        assert!(!lanes.has_folded());
    }

    #[test]
    fn the_outcome_of_a_call_that_ran_is_kept_beyond_the_budget() {
        let mut lanes = Lanes::new(limits());
        let lane = Lane::Agent("ann".parse().unwrap());
        while lanes.push(pending(&lane), Duration::ZERO).is_ok() {}
        let mut outcome = pending(&lane);
        outcome.encoded.is_outcome = true;
        assert!(lanes.push(outcome, Duration::ZERO).is_ok());
        assert!(lanes.push(pending(&lane), Duration::ZERO).is_err());
    }
}
