//! The relay from its start to its end.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use callgate_core::{ServerName, SessionId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Operations;
use crate::outbox::outbox;

use super::anomalies::Counters;
use super::catalog::Catalog;
use super::child::Child;
use super::completions::Completions;
use super::era::FirstEnvelope;
use super::handles::Handles;
use super::inflight::{Asked, InFlight};
use super::overdue;
use super::own::Own;
use super::phase::Phase;
use super::questions::Questions;
use super::session::{Room, Session};
use super::subscriptions::Subscriptions;
use super::undecided::Wording;
use super::{Cause, Ended, Limits, client_side, server_side};

/// What to relay.
#[derive(Clone, Debug)]
pub struct Relay {
    /// The server's name in policy.
    pub server: ServerName,
    /// The host's session, if it has one.
    pub session: Option<SessionId>,
    /// The program that is the server, and its arguments.
    pub command: Vec<OsString>,
    /// The bounds.
    pub limits: Limits,
}

/// Why a relay could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The command is empty, not there, or may not be run.
    #[error("the server cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// The system's random generator failed.
    #[error("no randomness: {0}")]
    Random(#[source] std::io::Error),
}

/// How long what the server wrote before it ended may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Starts the server and relays between it and the client until either ends or `stop` resolves.
///
/// The server is then given its grace to end, and ended. Every request that it left open is answered
/// with an error, and what became of every released call is reported, within [`Limits::flush`].
///
/// # Errors
/// [`RelayError`], if there was nothing to relay.
pub async fn relay<R, W>(
    relay: Relay,
    gate: Arc<dyn Operations>,
    input: R,
    output: W,
    stop: impl Future<Output = ()>,
) -> Result<Ended, RelayError>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let own = Own::new().map_err(RelayError::Random)?;
    let (child, stdin, stdout) = Child::start(&relay.command).map_err(RelayError::Start)?;
    Ok(run(relay, own, gate, (input, output), (stdout, stdin), Some(child), stop).await)
}

/// As [`relay`], with a server that was started elsewhere; `relay.command` is not used.
///
/// # Errors
/// [`RelayError::Random`].
pub async fn relay_over<R, W, SR, SW>(
    relay: Relay,
    gate: Arc<dyn Operations>,
    client: (R, W),
    server: (SR, SW),
    stop: impl Future<Output = ()>,
) -> Result<Ended, RelayError>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
    SR: AsyncRead + Unpin + Send + 'static,
    SW: AsyncWrite + Unpin + Send + 'static,
{
    let own = Own::new().map_err(RelayError::Random)?;
    Ok(run(relay, own, gate, client, server, None, stop).await)
}

async fn run<R, W, SR, SW>(
    relay: Relay,
    own: Own,
    gate: Arc<dyn Operations>,
    (input, output): (R, W),
    (server_output, server_input): (SR, SW),
    mut child: Option<Child>,
    stop: impl Future<Output = ()>,
) -> Ended
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
    SR: AsyncRead + Unpin + Send + 'static,
    SW: AsyncWrite + Unpin + Send + 'static,
{
    let limits = relay.limits;
    let (to_client, client_drain) = outbox(limits.unread);
    let (to_server, server_drain) = outbox(limits.unread);
    let session = Arc::new(Session {
        server: relay.server,
        session: relay.session,
        limits,
        completions: Completions::new(gate.clone()),
        gate,
        to_client,
        to_server,
        asked: InFlight::new(limits.in_flight),
        asked_back: InFlight::new(limits.in_flight),
        own,
        catalog: Catalog::default(),
        tasks: Handles::default(),
        tasks_back: Handles::default(),
        cursors: Handles::default(),
        counters: Counters::default(),
        phase: Phase::new(),
        envelope: FirstEnvelope::default(),
        wording: Wording::default(),
        questions: Questions::default(),
        subscriptions: Subscriptions::default(),
        room: Room::new(limits.undecided),
        room_back: Room::new(limits.undecided),
    });
    let mut client_writing = Task(tokio::spawn(client_drain.run(output, None)));
    let _server_writing = Task(tokio::spawn(server_drain.run(server_input, None)));
    let mut listening = Task(tokio::spawn(client_side::run(session.clone(), input)));
    let mut hearing = Task(tokio::spawn(server_side::run(session.clone(), server_output)));

    let _reminding = Task(tokio::spawn(overdue::run(session.clone())));

    let cause = tokio::select! {
        biased;
        () = stop => Cause::Stopped,
        _ = &mut client_writing.0 => Cause::ClientLeft,
        _ = &mut hearing.0 => Cause::ServerEnded,
        () = exited(&mut child) => Cause::ServerEnded,
        _ = &mut listening.0 => Cause::ClientLeft,
    };
    // Nothing is released from here on; what the server still says is passed on.
    listening.0.abort();
    session.asked.shut();
    session.to_server.close();
    let server = match (&mut child, cause) {
        (Some(child), _) => child.end(limits.grace).await,
        (None, Cause::ServerEnded) => None,
        (None, Cause::ClientLeft | Cause::Stopped) => {
            let _ = timeout(limits.grace, &mut hearing.0).await;
            None
        }
    };
    if !hearing.0.is_finished() {
        let _ = timeout(LAST_WORDS, &mut hearing.0).await;
    }
    hearing.0.abort();
    session.asked_back.shut();
    let unanswered = timeout(limits.flush, settle(&session, server.is_some())).await.unwrap_or(usize::MAX);
    session.to_client.close();
    if !client_writing.0.is_finished() {
        let _ = timeout(limits.flush, &mut client_writing.0).await;
    }
    session.completions.finish(limits.flush).await;
    Ended { cause, server, unanswered, anomalies: session.counters.read() }
}

/// Waits for the decisions under way, then answers for the server; how often it had to.
async fn settle(session: &Session, died: bool) -> usize {
    session.room.empty().await;
    session.room_back.empty().await;
    for (_, entry) in session.asked_back.abandon() {
        session.report(entry.released, callgate_core::Outcome::Timeout, None).await;
    }
    session.report_all(session.questions.abandon(), callgate_core::Outcome::Timeout).await;
    let open = session.asked.abandon();
    // A subscription has no answer before it ends.
    let count = open.iter().filter(|(_, entry)| entry.asked != Asked::Listen).count();
    let why = match died {
        true => format!("the server {} ended before it answered", session.server),
        false => format!("the connection to the server {} ended before it answered", session.server),
    };
    for (id, entry) in open {
        session.give_up(&id, entry, &why).await;
    }
    count
}

async fn exited(child: &mut Option<Child>) {
    match child {
        Some(child) => child.exited().await,
        None => std::future::pending().await,
    }
}

/// A task that ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
