//! What the writer's callers and its two threads share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use callgate_core::seam::LogError;
use callgate_core::{Entry, Lane};

use crate::dir::LogDir;
use crate::disclosure::Store;
use crate::keys::Keys;
use crate::leaf;
use crate::oneshot::{Receiver, channel};
use crate::options::WriterOptions;
use crate::publish::until;
use crate::publishing::Publishing;
use crate::queue::{Folded, Lanes, Pending};

/// How a log stands. See [`crate::Writer::status`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// How many records are durable.
    pub durable_size: u64,
    /// How many of them a checkpoint covers.
    pub checkpoint_size: u64,
    /// Why nothing can be appended any more until the next start; none while all is well.
    pub poisoned: Option<String>,
    /// Whether records of agents are refused because the disk is nearly full.
    pub refusing_agents: bool,
    /// The last thing that went wrong and did not end the log: a full disk, a checkpoint that could not be
    /// written.
    pub last_error: Option<String>,
    /// How many bytes were free on the log's file system at the last write.
    pub bytes_free: u64,
    /// How many bytes of a torn write the start cut away.
    pub lost_bytes: u64,
}

/// The queue, and whether it is still served.
pub(crate) struct Inbox {
    pub(crate) lanes: Lanes,
    /// No more records are taken; what waits is still written.
    pub(crate) closing: bool,
    /// With fewer records than this, the engine goes on waiting for company for a moment: do not wake it.
    pub(crate) wanted: usize,
    /// Nothing is written any more; holds why.
    pub(crate) dead: Option<String>,
}

/// What the engine is to do next.
pub(crate) enum Work {
    /// Write these.
    Batch(Vec<Pending>, Vec<Folded>),
    /// Write these and end.
    Last(Vec<Folded>),
    /// End at once.
    Dead,
}

pub(crate) struct Shared {
    pub(crate) dir: LogDir,
    pub(crate) options: WriterOptions,
    pub(crate) inbox: Mutex<Inbox>,
    pub(crate) wake: Condvar,
    pub(crate) status: Mutex<LogStatus>,
    pub(crate) publishing: Publishing,
    pub(crate) store: Mutex<Store>,
    pub(crate) keys: Mutex<Keys>,
}

/// A panic while a lock is held ends the writer through its guard; the data stays readable.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        locked(&self.inbox)
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, LogStatus> {
        locked(&self.status)
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        locked(&self.store)
    }

    pub(crate) fn keys(&self) -> MutexGuard<'_, Keys> {
        locked(&self.keys)
    }

    /// Queues a record. What it resolves to is the index, once it is durable.
    pub(crate) fn submit(&self, entry: Entry) -> Result<Receiver<Result<u64, LogError>>, LogError> {
        let encoded = leaf::encode(entry.record, self.dir.origin())?;
        let (reply, receiver) = channel();
        let pending = Pending { lane: entry.lane, encoded, reply };
        let now = self.options.time.monotonic();
        let refused = {
            let mut inbox = self.inbox();
            if let Some(why) = &inbox.dead {
                return Err(LogError::Unavailable(why.clone()));
            }
            if inbox.closing {
                return Err(LogError::Unavailable("the log is being stopped".to_owned()));
            }
            let refused = inbox.lanes.push(pending, now);
            if inbox.lanes.queued() >= inbox.wanted {
                self.wake.notify_one();
            }
            refused
        };
        match refused {
            Ok(()) => Ok(receiver),
            Err((error, _pending)) => Err(error),
        }
    }

    /// Waits for something to write, and then at most `patience` longer for as many records as `expected`.
    ///
    /// The callers of the last batch come back one by one; taking the first of them alone would cost the others
    /// a sync more. Nobody is expected after a batch of one, so a single caller never waits.
    pub(crate) fn next_work(&self, expected: usize, patience: Duration) -> Work {
        const IDLE: Duration = Duration::from_secs(1);
        const MOST_FOLDED: usize = 64;
        let mut inbox = self.inbox();
        let mut deadline = None;
        loop {
            inbox.wanted = 0;
            if inbox.dead.is_some() {
                return Work::Dead;
            }
            let now = self.options.time.monotonic();
            let closing = inbox.closing;
            if inbox.lanes.queued() == 0 && closing {
                return Work::Last(inbox.lanes.take_folded(now, MOST_FOLDED, true));
            }
            if (1..expected).contains(&inbox.lanes.queued()) && !closing {
                let left = until(*deadline.get_or_insert_with(|| Instant::now() + patience));
                if !left.is_zero() {
                    inbox.wanted = expected;
                    inbox = self.wake.wait_timeout(inbox, left).unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
            }
            let folded = inbox.lanes.take_folded(now, MOST_FOLDED, false);
            if inbox.lanes.queued() > 0 || !folded.is_empty() {
                return Work::Batch(inbox.lanes.take_batch(), folded);
            }
            inbox = if inbox.lanes.has_folded() {
                self.wake.wait_timeout(inbox, IDLE).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.wake.wait(inbox).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// Ends the log until the next start: what waits is refused, and so is all that comes.
    pub(crate) fn poison(&self, why: &str) {
        let waiting = {
            let mut inbox = self.inbox();
            inbox.dead.get_or_insert_with(|| why.to_owned());
            inbox.lanes.drain()
        };
        self.status().poisoned.get_or_insert_with(|| why.to_owned());
        self.wake.notify_all();
        for pending in waiting {
            pending.reply.send(Err(LogError::Unavailable(why.to_owned())));
        }
    }

    /// The operator's and the agents' of a batch.
    pub(crate) fn split(batch: Vec<Pending>) -> (Vec<Pending>, Vec<Pending>) {
        batch.into_iter().partition(|pending| pending.lane == Lane::Operator)
    }
}
