//! How a writer behaves.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::queue::Limits;
use crate::storage::{Disk, Storage};
use crate::time::{SystemTimes, Time};

/// How a writer behaves. The defaults suit one gate on one machine.
#[derive(Clone)]
pub struct WriterOptions {
    /// What each agent may fill.
    pub budget: Budget,
    /// How many records of one lane may wait; more are refused as over budget.
    pub lane_records: usize,
    /// How many bytes of one lane may wait, disclosures included. One record may be larger.
    pub lane_bytes: u64,
    /// The most records in one batch.
    pub batch_records: usize,
    /// How many bytes close a batch.
    pub batch_bytes: u64,
    /// How many bytes close a segment.
    pub segment_bytes: u64,
    /// How many bytes are allocated ahead in a segment.
    pub allocate_bytes: u64,
    /// How long at most after the first record that is not yet covered a checkpoint is begun.
    pub checkpoint_every: Duration,
    /// How often at most the log counts what one lane's budget left out.
    pub fold_every: Duration,
    /// How many bytes are kept in a file that is given up when the disk is full, so that records of the
    /// operator still find room.
    pub reserve_bytes: u64,
    /// With fewer bytes free on the file system, records of agents are refused.
    pub floor_bytes: u64,
    /// How far the wall clock may go back before the log says so.
    pub clock_tolerance: Duration,
    /// The file system.
    pub storage: Arc<dyn Storage>,
    /// Time.
    pub time: Arc<dyn Time>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            lane_records: 1024,
            lane_bytes: 16 << 20,
            batch_records: 512,
            batch_bytes: 4 << 20,
            segment_bytes: 32 << 20,
            allocate_bytes: 1 << 20,
            checkpoint_every: Duration::from_millis(500),
            fold_every: Duration::from_secs(10),
            reserve_bytes: 16 << 20,
            floor_bytes: 32 << 20,
            clock_tolerance: Duration::from_secs(1),
            storage: Arc::new(Disk),
            time: Arc::new(SystemTimes::default()),
        }
    }
}

impl WriterOptions {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            lane_records: self.lane_records.max(1),
            lane_bytes: self.lane_bytes,
            batch_records: self.batch_records.clamp(1, 4096),
            batch_bytes: self.batch_bytes.max(1),
            budget: self.budget,
            fold_every: self.fold_every,
        }
    }
}
