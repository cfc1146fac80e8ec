//! A writer behind a queue that holds a bounded number of bytes.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The sending end: whole lines, in the order in which they were sent.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    queue: mpsc::UnboundedSender<Line>,
    room: Arc<Semaphore>,
    capacity: u32,
}

/// A line and what it occupies until it is written.
#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
    _held: Option<OwnedSemaphorePermit>,
    last: bool,
}

/// The writer is gone: nobody reads any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// The writing end.
#[derive(Debug)]
pub(crate) struct Drain {
    queue: mpsc::UnboundedReceiver<Line>,
    room: Arc<Semaphore>,
}

/// A queue for at most `capacity` bytes; a longer line waits until the queue is empty.
pub(crate) fn outbox(capacity: u32) -> (Outbox, Drain) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(usize::try_from(capacity).unwrap_or(usize::MAX >> 4)));
    let outbox = Outbox { queue: sender, room: room.clone(), capacity };
    (outbox, Drain { queue: receiver, room })
}

impl Outbox {
    /// Queues `line`, to which a line feed is added, once there is room.
    pub(crate) async fn send(&self, line: Vec<u8>) -> Result<(), Gone> {
        self.send_held(line, None).await
    }

    /// As [`Outbox::send`], keeping `held` until the line is written.
    pub(crate) async fn send_held(&self, mut line: Vec<u8>, held: Option<OwnedSemaphorePermit>) -> Result<(), Gone> {
        line.push(b'\n');
        let size = u32::try_from(line.len()).unwrap_or(u32::MAX).clamp(1, self.capacity);
        let room = self.room.clone().acquire_many_owned(size).await.map_err(|_| Gone)?;
        self.queue.send(Line { bytes: line, _room: Some(room), _held: held, last: false }).map_err(|_| Gone)
    }

    /// Ends the writing after what is queued already; what is sent later is lost.
    pub(crate) fn close(&self) {
        let _ = self.queue.send(Line { bytes: Vec::new(), _room: None, _held: None, last: true });
    }

    /// Resolves when the writer is gone.
    pub(crate) async fn gone(&self) {
        self.queue.closed().await;
    }
}

impl Drain {
    /// Writes until the outbox is closed, every sender is gone or the writer fails.
    ///
    /// A line that makes no progress for `patience` is a failure; without it, the reader may take as
    /// long as it likes.
    pub(crate) async fn run<W: AsyncWrite + Unpin>(
        mut self,
        mut writer: W,
        patience: Option<Duration>,
    ) -> std::io::Result<()> {
        while let Some(line) = self.queue.recv().await {
            if line.last {
                break;
            }
            let mut rest = line.bytes.as_slice();
            while !rest.is_empty() {
                let count = patiently(writer.write(rest), patience).await?;
                if count == 0 {
                    return Err(std::io::ErrorKind::WriteZero.into());
                }
                rest = rest.get(count..).unwrap_or_default();
            }
            if self.queue.is_empty() {
                patiently(writer.flush(), patience).await?;
            }
        }
        patiently(writer.shutdown(), patience).await
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.room.close();
        self.queue.close();
    }
}

async fn patiently<T>(
    work: impl Future<Output = std::io::Result<T>>,
    patience: Option<Duration>,
) -> std::io::Result<T> {
    match patience {
        None => work.await,
        Some(patience) => tokio::time::timeout(patience, work).await.map_err(std::io::Error::from)?,
    }
}
