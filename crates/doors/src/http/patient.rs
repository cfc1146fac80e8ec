//! Losing patience: with a peer that sends no request, and with one that does not read its answer.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::Limits;

/// Who waits for whom on one connection.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<State>);

#[derive(Debug)]
struct State {
    /// Counts the beginnings and the ends of answering, so it is odd in between.
    turns: AtomicU64,
    /// Whether a head has begun to come; at the beginning, whether one is waited for.
    in_head: AtomicBool,
}

/// Until this is dropped, a request is being answered: the peer is not the one who is waited for.
#[derive(Debug)]
pub(super) struct Answering(Pace);

impl Default for Pace {
    fn default() -> Self {
        Self(Arc::new(State { turns: AtomicU64::new(0), in_head: AtomicBool::new(true) }))
    }
}

impl Pace {
    pub(super) fn begin(&self) -> Answering {
        self.0.in_head.store(false, Ordering::Release);
        self.0.turns.fetch_add(1, Ordering::AcqRel);
        Answering(self.clone())
    }

    fn turns(&self) -> u64 {
        self.0.turns.load(Ordering::Acquire)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.turns.fetch_add(1, Ordering::AcqRel);
    }
}

const fn is_answering(turns: u64) -> bool {
    turns % 2 == 1
}

/// Whether the next request of a connection is waited for too long. Bytes that trickle in change nothing; only a
/// request that is answered does.
///
/// To be polled on the connection's own task, after the connection: whatever ends a turn wakes that task.
pub(super) struct Lateness {
    pace: Pace,
    seen: u64,
    head: Alarm,
    idle: Alarm,
}

impl Lateness {
    pub(super) fn new(pace: Pace, limits: &Limits) -> Self {
        Self { pace, seen: 0, head: Alarm::new(limits.head), idle: Alarm::new(limits.idle) }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let turns = self.pace.turns();
        if turns != self.seen {
            self.seen = turns;
            self.head.calm();
            self.idle.calm();
        }
        match self.pace.0.in_head.load(Ordering::Acquire) {
            _ if is_answering(turns) => Poll::Pending,
            true => self.head.poll(context),
            false => self.idle.poll(context),
        }
    }
}

/// A stream whose reader must read, and which tells when a head begins.
pub(super) struct Patient<S> {
    stream: S,
    pace: Pace,
    unread: Alarm,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, pace: Pace, limits: &Limits) -> Self {
        Self { stream, pace, unread: Alarm::new(limits.unread) }
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
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before && !is_answering(this.pace.turns()) {
            this.pace.0.in_head.store(true, Ordering::Release);
        }
        read
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
