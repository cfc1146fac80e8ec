//! The other processes' side of the socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate_core::gate::{Observed, Passing, Reported};
use callgate_core::seam::{Later, Offer, Standing};
use callgate_core::{CallFault, Changes, Code, Completion, Reason, Receipt, Request, ServerName};
use callgate_text::Json;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::tools::{Called, Progress};
use crate::{Operations, Ruling};

use super::link::{Link, Lost};
use super::{Greeting, wire};

/// Why the gate gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens on the socket, or it may not be opened. Start a gate.
    #[error("no gate is running: start it with `callgate serve`")]
    NoGate,
    /// The gate has no place left for another connection. Try again.
    #[error("the gate is busy: it has no place left for another connection")]
    Busy,
    /// The connection was lost before the answer came. The gate may have acted.
    #[error("the connection to the gate was lost")]
    Lost,
    /// The gate did not answer in time.
    #[error("the gate did not answer in time")]
    Late,
    /// The answer is not one of this protocol: another version listens there.
    #[error("the gate's answer was not understood: {0}")]
    Garbled(&'static str),
    /// The gate refused.
    #[error("{}: {}", .0.code, .0.message)]
    Refused(Reason),
}

impl From<ClientError> for Reason {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(reason) => reason,
            ClientError::Late => Self::new(Code::DeadlineExceeded, error.to_string()),
            ClientError::NoGate | ClientError::Busy | ClientError::Lost | ClientError::Garbled(_) => {
                Self::new(Code::Internal, error.to_string())
            }
        }
    }
}

/// A client of the gate's socket, for one credential. Connects when it is first asked.
///
/// When the connection is lost, every call under way fails; the next one tries to connect again, once.
/// Nothing is ever sent twice.
pub struct Client {
    path: PathBuf,
    greeting: Greeting,
    patience: Duration,
    link: Mutex<Option<Arc<Link>>>,
}

/// Between attempts to get a place at a gate that is full.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Longer than the gate's own deadlines, which say more about what went wrong.
const PATIENCE: Duration = Duration::from_secs(15);

impl Client {
    /// A client of the gate at `path` that greets like this.
    pub fn new(path: impl Into<PathBuf>, greeting: Greeting) -> Self {
        Self { path: path.into(), greeting, patience: PATIENCE, link: Mutex::new(None) }
    }

    /// The same with another limit on how long an answer may take.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Where the gate listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Connects now, to find out early whether a gate is running.
    ///
    /// # Errors
    /// [`ClientError::NoGate`].
    pub async fn connect(&self) -> Result<(), ClientError> {
        self.link().await.map(drop)
    }

    /// Asks for any operation by name: the operator's, and `preview`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ask(&self, op: &str, body: Json) -> Result<Json, ClientError> {
        let link = self.link().await?;
        match timeout(self.patience, link.ask(op, body)).await {
            Err(_) => Err(ClientError::Late),
            Ok(Err(Lost)) => Err(ClientError::Lost),
            Ok(Ok(answer)) => answer.map_err(ClientError::Refused),
        }
    }

    /// What `decide` would say now: `{verdict, trace}`. The operator's alone: it shows the text of policies.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn preview(&self, request: Request) -> Result<Json, ClientError> {
        self.ask("preview", wire::request_to_json(&Ok(request))).await
    }

    /// The gate's whole answer to `decide`, as [`callgate_core::Answer::to_json`] gives it, with the
    /// sentence for the model as `model`.
    ///
    /// # Errors
    /// See [`ClientError`]. Without an answer, the call is denied.
    pub async fn decide_in_full(&self, request: &Result<Request, CallFault>) -> Result<Json, ClientError> {
        self.ask("decide", wire::request_to_json(request)).await
    }

    /// Decides whether what a contained run wrote may be brought back: the answer as [`Client::decide_in_full`].
    ///
    /// # Errors
    /// See [`ClientError`]. Without an answer, nothing may be brought back.
    pub async fn decide_changes(&self, request: &Request, changes: &Changes) -> Result<Json, ClientError> {
        self.ask("decide_changes", wire::changed_to_json(request, changes)).await
    }

    /// Reports what the host ran, as [`callgate_core::Gate::report`] takes it.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `session_ended` if that was not what was decided; see [`ClientError`].
    pub async fn report(&self, reported: Reported) -> Result<Receipt, ClientError> {
        self.expect("report", wire::reported_to_json(&reported), |json| wire::receipt_from_json(&json)).await
    }

    /// Looks at texts that pass, in their order.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn observe_texts(&self, texts: Vec<Passing>) -> Result<Vec<Observed>, ClientError> {
        let count = texts.len();
        self.expect("observe", wire::texts_to_json(texts), |json| wire::observed_from_json(json, count)).await
    }

    /// Has the gate run one of its own tools, for as long as that takes; `cancelled` ends it early, and its answer then
    /// says so. Progress that finds no room is lost.
    ///
    /// # Errors
    /// See [`ClientError`]. If the connection is lost, the gate ends the call.
    pub async fn call_tool(
        &self,
        call: &Result<Request, CallFault>,
        progress: mpsc::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Called, ClientError> {
        let link = self.link().await?;
        match link.follow("call_tool", wire::request_to_json(call), progress, cancelled).await {
            Err(Lost) => Err(ClientError::Lost),
            Ok(Err(reason)) => Err(ClientError::Refused(reason)),
            Ok(Ok(answer)) => Called::from_json(answer).map_err(ClientError::Garbled),
        }
    }

    async fn link(&self) -> Result<Arc<Link>, ClientError> {
        let mut link = self.link.lock().await;
        if let Some(live) = link.as_ref().filter(|link| !link.is_lost()) {
            return Ok(live.clone());
        }
        let opened = Arc::new(self.open().await?);
        *link = Some(opened.clone());
        Ok(opened)
    }

    /// Connects, waiting for a place as long as its patience lasts: others may be flooding the gate, and a
    /// full queue must not look like an absent gate.
    async fn open(&self) -> Result<Link, ClientError> {
        let (begun, mut pause) = (Instant::now(), SHORTEST_PAUSE);
        loop {
            let left = self.patience.saturating_sub(begun.elapsed());
            match Link::open(&self.path, &self.greeting, left).await {
                Ok(link) => return Ok(link),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::ConnectionReset
                    | ErrorKind::BrokenPipe
                    | ErrorKind::TimedOut => {}
                    ErrorKind::InvalidData => return Err(ClientError::Garbled("it speaks another protocol")),
                    _ => return Err(ClientError::NoGate),
                },
            }
            if begun.elapsed() + pause >= self.patience {
                return Err(ClientError::Busy);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn expect<T>(
        &self,
        op: &str,
        body: Json,
        read: impl FnOnce(Json) -> Result<T, wire::Malformed>,
    ) -> Result<T, ClientError> {
        read(self.ask(op, body).await?).map_err(ClientError::Garbled)
    }
}

impl Operations for Client {
    fn decide(&self, request: Result<Request, CallFault>) -> Later<'_, Ruling> {
        Box::pin(async move {
            let ruling = self.expect("decide", wire::request_to_json(&request), |json| wire::ruling_from_json(&json));
            ruling.await.unwrap_or_else(|error| Ruling::unreachable(&error.into()))
        })
    }

    fn complete(&self, completion: Completion) -> Later<'_, Result<Receipt, Reason>> {
        Box::pin(async move {
            let body = wire::completion_to_json(&completion);
            Ok(self.expect("complete", body, |json| wire::receipt_from_json(&json)).await?)
        })
    }

    fn standing(&self, server: ServerName, offers: Vec<Offer>) -> Later<'_, Result<Vec<Standing>, Reason>> {
        Box::pin(async move {
            let count = offers.len();
            let body = wire::offers_to_json(&server, offers);
            Ok(self.expect("standing", body, |json| wire::standing_from_json(&json, count)).await?)
        })
    }

    fn observe(&self, texts: Vec<Passing>) -> Later<'_, Result<Vec<Observed>, Reason>> {
        Box::pin(async move { Ok(self.observe_texts(texts).await?) })
    }
}
