//! Reports of what became of released calls, off the path of the results.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callgate_core::{Completion, Outcome};
use callgate_text::Digest;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::Operations;

use super::inflight::Released;

/// Reports that wait; a relay that is faster than its log waits for it here.
const WAITING: usize = 1024;
/// Reports under way.
const UNDER_WAY: usize = 64;

#[derive(Debug)]
pub(super) struct Completions {
    queue: Mutex<Option<mpsc::Sender<Completion>>>,
    work: Mutex<Option<JoinHandle<()>>>,
}

impl Completions {
    pub(super) fn new(gate: Arc<dyn Operations>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let work = tokio::spawn(run(receiver, gate));
        Self { queue: Mutex::new(Some(sender)), work: Mutex::new(Some(work)) }
    }

    pub(super) async fn report(&self, released: Released, outcome: Outcome, result: Option<Digest>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(queue) = queue else { return };
        let completion = Completion { id: released.decision, permit: released.permit, outcome, result, run: None };
        let _ = queue.send(completion).await;
    }

    /// Waits until all reports are made, at most for `patience`.
    pub(super) async fn finish(&self, patience: Duration) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut work) = work else { return };
        if tokio::time::timeout(patience, &mut work).await.is_err() {
            work.abort();
            tracing::warn!("not every outcome could be reported; the log shows them as unreported");
        }
    }
}

async fn run(mut queue: mpsc::Receiver<Completion>, gate: Arc<dyn Operations>) {
    let mut reports = JoinSet::new();
    while let Some(completion) = queue.recv().await {
        if reports.len() >= UNDER_WAY {
            let _ = reports.join_next().await;
        }
        while reports.try_join_next().is_some() {}
        let gate = gate.clone();
        reports.spawn(async move {
            if let Err(reason) = gate.complete(completion).await {
                tracing::warn!(code = reason.code.as_str(), "an outcome could not be reported");
            }
        });
    }
    while reports.join_next().await.is_some() {}
}
