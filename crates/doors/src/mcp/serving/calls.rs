//! Calls under way, each until its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use callgate_core::{CallFault, Request};
use callgate_text::Json;
use tokio::sync::{Notify, mpsc, watch};

use crate::Ruling;
use crate::outbox::Outbox;
use crate::socket::Client;
use crate::tools::Called;

use super::super::{Id, replies};

/// Progress that waits to be written; what comes while it is full is no longer news.
const PROGRESS: usize = 4;

#[derive(Debug)]
pub(super) struct Calls {
    most: usize,
    table: Mutex<BTreeMap<Id, watch::Sender<End>>>,
    fewer: Notify,
}

/// Whether, and why, a call is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Not,
    /// The client gave it up, and waits for no answer.
    GivenUp,
    /// The door closes.
    Closing,
}

/// One call. It stays in the table until this is dropped.
pub(super) struct Call {
    calls: Arc<Calls>,
    id: Id,
    call: Result<Request, CallFault>,
    token: Option<Json>,
    stateless: bool,
    end: watch::Receiver<End>,
}

impl Calls {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, table: Mutex::default(), fewer: Notify::new() })
    }

    /// Enters a call; `None` if there is no room, or one of this id.
    pub(super) fn begin(
        self: &Arc<Self>,
        id: Id,
        call: Result<Request, CallFault>,
        token: Option<Json>,
        stateless: bool,
    ) -> Option<Call> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= self.most || table.contains_key(&id) {
            return None;
        }
        let (sender, end) = watch::channel(End::Not);
        table.insert(id.clone(), sender);
        Some(Call { calls: self.clone(), id, call, token, stateless, end })
    }

    pub(super) fn holds(&self, id: &Id) -> bool {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    pub(super) fn cancel(&self, id: &Id) {
        if let Some(end) = self.table.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            end.send_replace(End::GivenUp);
        }
    }

    pub(super) fn cancel_all(&self) {
        for end in self.table.lock().unwrap_or_else(PoisonError::into_inner).values() {
            end.send_if_modified(|end| std::mem::replace(end, End::Closing) == End::Not);
        }
    }

    /// Resolves when none is under way.
    pub(super) async fn done(&self) {
        loop {
            let fewer = self.fewer.notified();
            if self.table.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            fewer.await;
        }
    }
}

impl Call {
    /// Has the gate run it, and answers unless the client gave it up.
    pub(super) async fn run(self, gate: Arc<Client>, to_client: Outbox) {
        let (progress, mut told) = mpsc::channel(PROGRESS);
        let mut end = self.end.clone();
        let cancelled = async {
            let _ = end.wait_for(|end| *end != End::Not).await;
        };
        let called = gate.call_tool(&self.call, progress, cancelled);
        let telling = async {
            let mut last = None;
            while let Some(progress) = told.recv().await {
                // What does not grow is no progress to this protocol.
                let news = last.is_none_or(|last| progress.done > last);
                if let (Some(token), true) = (&self.token, news && *self.end.borrow() == End::Not) {
                    last = Some(progress.done);
                    if to_client.send(replies::progress(token, &progress)).await.is_err() {
                        break;
                    }
                }
            }
        };
        let ((), called) = tokio::join!(telling, called);
        let called = called.unwrap_or_else(|error| Called::Denied(Ruling::unreachable(&error.into())));
        if *self.end.borrow() != End::GivenUp {
            let _ = to_client.send(replies::called(&self.id, called, self.stateless)).await;
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.calls.fewer.notify_waiters();
    }
}
