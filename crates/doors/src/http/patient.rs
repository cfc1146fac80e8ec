//! A stream that loses patience: with a peer that sends no request, and with one that does not read its answer.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Whether a request is being answered: then the peer is not the one who is waited for. Counts the beginnings and
/// the ends, so it is odd in between.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<AtomicU64>);

/// Until this is dropped, a request is being answered.
#[derive(Debug)]
pub(super) struct Answering(Busy);

impl Busy {
    pub(super) fn begin(&self) -> Answering {
        self.0.fetch_add(1, Ordering::AcqRel);
        Answering(self.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// See the module.
pub(super) struct Patient<S> {
    stream: S,
    busy: Busy,
    /// How far `busy` had counted when the stream was last read.
    seen: u64,
    idle: Alarm,
    unread: Alarm,
}

impl<S> Patient<S> {
    /// `idle` for the time from one answer to the next complete head, `unread` for a write that makes no progress.
    pub(super) fn new(stream: S, busy: Busy, idle: Duration, unread: Duration) -> Self {
        Self { stream, busy, seen: 0, idle: Alarm::new(idle), unread: Alarm::new(unread) }
    }

    fn wait_to_write<T>(
        &mut self,
        written: Poll<std::io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<T>> {
        match written {
            Poll::Ready(result) => {
                self.unread.calm();
                Poll::Ready(result)
            }
            Poll::Pending => {
                ready!(self.unread.poll(context));
                Poll::Ready(Err(ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    /// Bytes that trickle in do not calm the alarm; only a request that is being answered does.
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let now = this.busy.0.load(Ordering::Acquire);
        let busy = now % 2 == 1;
        if busy || now != this.seen {
            this.idle.calm();
            this.seen = now;
        }
        if !busy && this.idle.poll(context).is_ready() {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.wait_to_write(written, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_flush(context);
        this.wait_to_write(written, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_shutdown(context);
        this.wait_to_write(written, context)
    }
}

/// A timer that runs from the first time it is looked at.
struct Alarm {
    after: Duration,
    timer: Pin<Box<Sleep>>,
    running: bool,
}

impl Alarm {
    fn new(after: Duration) -> Self {
        Self { after, timer: Box::pin(sleep(after)), running: false }
    }

    fn calm(&mut self) {
        self.running = false;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.running {
            self.timer.as_mut().reset(Instant::now() + self.after);
            self.running = true;
        }
        self.timer.as_mut().poll(context)
    }
}
