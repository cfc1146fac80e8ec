//! One connection of the client: many requests under way, answers in any order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callgate_core::Reason;
use callgate_text::Json;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::frames::{Frame, Frames};
use crate::outbox::{Outbox, outbox};
use crate::tools::Progress;

use super::{Greeting, PROTOCOL, wire};

/// The longest answer.
const LONGEST: usize = 32 << 20;
/// Requests that wait to be written, in bytes; one may be longer.
const UNWRITTEN: u32 = 1 << 20;

type Answer = Result<Json, Reason>;

/// A live connection. Dropping it ends its tasks.
pub(super) struct Link {
    outbox: Outbox,
    pending: Arc<Pending>,
    next: AtomicI64,
    reading: tokio::task::JoinHandle<()>,
}

/// Who waits for which answer; `None` once the connection is lost.
struct Pending(Mutex<Option<BTreeMap<i64, Waiter>>>);

struct Waiter {
    answer: oneshot::Sender<Answer>,
    /// Where it is told how far the work is; what finds no room there is lost.
    progress: Option<mpsc::Sender<Progress>>,
}

impl Pending {
    fn add(&self, id: i64, progress: Option<mpsc::Sender<Progress>>) -> Option<oneshot::Receiver<Answer>> {
        let (answer, receiver) = oneshot::channel();
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.as_mut()?.insert(id, Waiter { answer, progress });
        Some(receiver)
    }

    fn take(&self, id: i64) -> Option<oneshot::Sender<Answer>> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.as_mut()?.remove(&id).map(|waiter| waiter.answer)
    }

    fn tell(&self, id: i64, progress: Progress) {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiter = table.as_ref().and_then(|table| table.get(&id));
        if let Some(follower) = waiter.and_then(|waiter| waiter.progress.as_ref()) {
            let _ = follower.try_send(progress);
        }
    }

    /// Drops every waiting sender: each call learns that the connection is lost.
    fn lose(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn is_lost(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// The connection was lost, or was not understood.
#[derive(Debug)]
pub(super) struct Lost;

impl Link {
    pub(super) async fn open(path: &Path, greeting: &Greeting, patience: Duration) -> std::io::Result<Self> {
        let slow = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        timeout(patience, Self::greet(path, greeting)).await.map_err(slow)?
    }

    async fn greet(path: &Path, greeting: &Greeting) -> std::io::Result<Self> {
        let stream = UnixStream::connect(path).await?;
        let (reader, writer) = stream.into_split();
        let (outbox, drain) = outbox(UNWRITTEN);
        tokio::spawn(drain.run(writer, None));
        // Hung up before a greeting: the gate had no place left. An answer of another kind is no gate's.
        let full = || std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
        let refused = || std::io::Error::from(std::io::ErrorKind::InvalidData);
        outbox.send(greeting.to_json().canonical()).await.map_err(|_| full())?;
        let mut frames = Frames::new(reader, LONGEST);
        let Some(Frame::Line(answer)) = frames.next().await.map_err(|_| full())? else { return Err(full()) };
        let answer = Json::parse(&answer).map_err(|_| refused())?;
        let protocol = answer.get("hello").and_then(|hello| hello.get("protocol")).and_then(Json::as_i64);
        if protocol != Some(PROTOCOL) {
            return Err(refused());
        }
        let pending = Arc::new(Pending(Mutex::new(Some(BTreeMap::new()))));
        let reading = tokio::spawn(read(frames, pending.clone()));
        Ok(Self { outbox, pending, next: AtomicI64::new(1), reading })
    }

    pub(super) fn is_lost(&self) -> bool {
        self.pending.is_lost()
    }

    pub(super) async fn ask(&self, op: &str, body: Json) -> Result<Answer, Lost> {
        let (_waiting, answer) = self.send(op, body, None).await?;
        answer.await.map_err(|_| Lost)
    }

    /// As [`Link::ask`] for work that tells how far it is, and that `cancelled` ends: then, too, its answer comes.
    pub(super) async fn follow(
        &self,
        op: &str,
        body: Json,
        progress: mpsc::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Answer, Lost> {
        let (waiting, mut answer) = self.send(op, body, Some(progress)).await?;
        tokio::select! {
            biased;
            answer = &mut answer => return answer.map_err(|_| Lost),
            () = cancelled => {}
        }
        let cancel = self.ask("cancel", Json::object([("id", Json::integer(waiting.id))])).await?;
        // That it has ended meanwhile is no error; that it cannot be ended is.
        if let Err(reason) = cancel {
            return Ok(Err(reason));
        }
        answer.await.map_err(|_| Lost)
    }

    async fn send(
        &self,
        op: &str,
        body: Json,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<(Waiting<'_>, oneshot::Receiver<Answer>), Lost> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting { id, pending: &self.pending };
        let answer = self.pending.add(id, progress).ok_or(Lost)?;
        let request = Json::object([("id", Json::integer(id)), ("op", Json::from(op)), ("body", body)]);
        self.outbox.send(request.canonical()).await.map_err(|_| Lost)?;
        Ok((waiting, answer))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Forgets the question if whoever asked stops waiting.
struct Waiting<'a> {
    id: i64,
    pending: &'a Pending,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pending.take(self.id);
    }
}

async fn read(mut frames: Frames<OwnedReadHalf>, pending: Arc<Pending>) {
    while let Ok(Some(Frame::Line(line))) = frames.next().await {
        let Ok(Json::Object(mut answer)) = Json::parse_within(&line, LONGEST) else { break };
        let Some(id) = answer.get("id").and_then(Json::as_i64) else { break };
        if let Some(progress) = answer.get("progress") {
            let Some(progress) = Progress::from_json(progress) else { break };
            pending.tell(id, progress);
            continue;
        }
        let result = match (answer.remove("ok"), answer.remove("error")) {
            (Some(result), None) => Ok(result),
            (None, Some(error)) => Err(wire::reason_from_json(&error)),
            _ => break,
        };
        if let Some(waiting) = pending.take(id) {
            let _ = waiting.send(result);
        }
    }
    pending.lose();
}
