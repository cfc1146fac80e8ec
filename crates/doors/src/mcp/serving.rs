//! The gate's own tools as an MCP server, in both eras of the protocol.
//!
//! Nothing runs here: `tools/call` becomes the socket's `call_tool`, and `tools/list` shows what stands as `Shown`.
//! What asks for anything else is told that there is nothing else. A client that goes away ends what it called.

mod calls;

use std::sync::Arc;

use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{CallFault, ServerName, SessionId};
use callgate_text::{Digest, Json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::Operations;
use crate::frames::{Frame, Frames};
use crate::outbox::{Gone, Outbox, outbox};
use crate::socket::Client;

use super::actions::{self, Action, Reader};
use super::client_side::cancelled_id;
use super::era::{self, Envelope, Era, HANDSHAKE, NoEnvelope, STATELESS};
use super::replies::{self, DENIED, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR};
use super::{Fault, Id, Limits, Message, Refused, Shape};

use calls::Calls;

/// Requests under way at one time.
const MOST_CALLS: usize = 32;

/// What is served, and how.
#[derive(Clone, Debug)]
pub struct Serving {
    /// What policy calls the server.
    pub server: ServerName,
    /// The server's version, as it tells clients.
    pub version: &'static str,
    /// The host's session, if it has one.
    pub session: Option<SessionId>,
    /// What is offered, as policy pins it.
    pub definitions: Vec<Json>,
    /// The bounds.
    pub limits: Limits,
}

/// Serves until the client goes away or `stop` resolves; then ends what is under way.
///
/// A client that only stops speaking has [`Limits::grace`] for the answers to what it asked.
pub async fn serve<R, W>(serving: Serving, gate: Arc<Client>, input: R, output: W, stop: impl Future<Output = ()>)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let limits = serving.limits;
    let (to_client, drain) = outbox(limits.unread);
    let mut writing = tokio::spawn(drain.run(output, None));
    let calls = Calls::new(MOST_CALLS);
    let mut desk = Desk {
        serving: Arc::new(serving),
        gate,
        to_client: to_client.clone(),
        calls: calls.clone(),
        initialised: false,
    };
    let left = tokio::select! {
        biased;
        () = stop => false,
        () = to_client.gone() => false,
        () = desk.attend(input) => true,
    };
    if left {
        let _ = timeout(limits.grace, calls.done()).await;
    }
    calls.cancel_all();
    let _ = timeout(limits.flush, calls.done()).await;
    to_client.close();
    if timeout(limits.flush, &mut writing).await.is_err() {
        writing.abort();
    }
}

struct Desk {
    serving: Arc<Serving>,
    gate: Arc<Client>,
    to_client: Outbox,
    calls: Arc<Calls>,
    /// The handshake of the older era is over.
    initialised: bool,
}

impl Desk {
    async fn attend(&mut self, input: impl AsyncRead + Unpin) {
        let mut frames = Frames::new(input, self.serving.limits.from_client);
        while let Ok(Some(frame)) = frames.next().await {
            if self.take(frame).await.is_err() {
                break;
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<(), Gone> {
        let message = match frame {
            Frame::TooLong(skimmed) => return self.refused(Refused::too_long(&skimmed)).await,
            Frame::Line(line) if line.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Frame::Line(line) => match Message::read(line, self.serving.limits.from_client) {
                Err(line) => return self.refused(*line).await,
                Ok(message) => message,
            },
        };
        match message.shape.clone() {
            Shape::Request { id, method } => self.request(message, id, &method).await,
            Shape::Notification { method } => {
                if method == "notifications/cancelled"
                    && let Some(id) = cancelled_id(&message)
                {
                    self.calls.cancel(&id);
                }
                Ok(())
            }
            // Nothing was asked.
            Shape::Response { .. } => Ok(()),
        }
    }

    /// A line that is not a message. One that means to call a tool is a denied call, with its record.
    async fn refused(&self, line: Refused) -> Result<(), Gone> {
        let calls = line.method.as_deref() == Some(Action::Call.method());
        match line.id {
            Some(id) if calls => {
                let fault = match line.fault {
                    Fault::Json(error) => CallFault::Json(error),
                    Fault::TooManyValues => CallFault::Shape("holds too many values"),
                    Fault::Batch => CallFault::Shape("is a batch"),
                    Fault::Envelope(what) => CallFault::Shape(what),
                };
                self.call(id, Err(fault), None, false).await
            }
            id => {
                let code =
                    if matches!(line.fault, Fault::Json(_)) && id.is_none() { PARSE_ERROR } else { INVALID_REQUEST };
                let id = id.filter(|id| line.method.is_some() && !self.calls.holds(id));
                self.to_client.send(replies::error(id.as_ref(), code, &line.fault.to_string())).await
            }
        }
    }

    async fn request(&mut self, message: Message, id: Id, method: &str) -> Result<(), Gone> {
        if self.calls.holds(&id) {
            return self.to_client.send(replies::error(None, INVALID_REQUEST, "this id is under way")).await;
        }
        let claims = era::claims(message.params());
        let era = if claims || method == "server/discover" { Era::Stateless } else { Era::Handshake };
        if era == Era::Stateless {
            match Envelope::of(message.params()) {
                Ok(_) => {}
                Err(NoEnvelope::Malformed(why)) => return self.refuse(&id, INVALID_PARAMS, why).await,
                Err(NoEnvelope::Unknown { requested }) => {
                    return self.to_client.send(replies::unsupported(Some(&id), &STATELESS, &requested)).await;
                }
            }
        } else if !self.initialised && !["initialize", "ping"].contains(&method) {
            return self.refuse(&id, INVALID_REQUEST, "the session is not initialised").await;
        }
        match (method, era) {
            ("initialize", Era::Handshake) => self.initialise(&message, &id).await,
            ("ping", Era::Handshake) => self.answer(&id, Vec::new(), era).await,
            ("server/discover", Era::Stateless) => self.discover(&id).await,
            ("tools/list", era) => self.list(&message, id, era).await,
            ("tools/call", era) => {
                let reader = Reader { server: &self.serving.server, session: self.serving.session.as_ref(), era };
                let original = Digest::of(&message.bytes);
                let call = actions::read(Action::Call, &message.json, reader, original);
                self.call(id, call, message.progress_token(), era == Era::Stateless).await
            }
            _ => self.refuse(&id, METHOD_NOT_FOUND, "there are tools here and nothing else").await,
        }
    }

    async fn initialise(&mut self, message: &Message, id: &Id) -> Result<(), Gone> {
        if std::mem::replace(&mut self.initialised, true) {
            return self.refuse(id, INVALID_REQUEST, "the session was initialised before").await;
        }
        let asked = message.params().and_then(|params| params.get("protocolVersion")).and_then(Json::as_str);
        let [newest, ..] = HANDSHAKE;
        let spoken = asked.filter(|asked| HANDSHAKE.contains(asked)).unwrap_or(newest);
        let members = vec![
            ("protocolVersion", Json::from(spoken)),
            ("capabilities", capabilities()),
            ("serverInfo", self.information()),
        ];
        self.answer(id, members, Era::Handshake).await
    }

    async fn discover(&self, id: &Id) -> Result<(), Gone> {
        let spoken = STATELESS.iter().map(|revision| Json::from(*revision)).collect();
        let members = vec![
            ("supportedVersions", Json::Array(spoken)),
            ("capabilities", capabilities()),
            ("serverInfo", self.information()),
            ("_meta", Json::object([("io.modelcontextprotocol/serverInfo", self.information())])),
            ("ttlMs", Json::integer(0)),
            ("cacheScope", Json::from("private")),
        ];
        self.answer(id, members, Era::Stateless).await
    }

    /// What the agent may see of what there is.
    async fn list(&self, message: &Message, id: Id, era: Era) -> Result<(), Gone> {
        if message.params().is_some_and(|params| params.contains("cursor")) {
            return self.refuse(&id, INVALID_PARAMS, "the list has one page").await;
        }
        let offer = |definition: &Json| Offer { kind: OfferKind::Tool, definition: definition.clone() };
        let offers = self.serving.definitions.iter().map(offer).collect();
        let standing = match self.gate.standing(self.serving.server.clone(), offers).await {
            Ok(standing) => standing,
            Err(reason) => {
                let why = format!("{}: {}", reason.code, reason.message);
                return self.refuse(&id, DENIED, &why).await;
            }
        };
        let shown = self.serving.definitions.iter().zip(&standing);
        let shown = shown.filter(|(_, standing)| **standing == Standing::Shown).map(|(tool, _)| tool.clone());
        let mut members = vec![("tools", Json::Array(shown.collect()))];
        if era == Era::Stateless {
            members.extend([("ttlMs", Json::integer(0)), ("cacheScope", Json::from("private"))]);
        }
        self.answer(&id, members, era).await
    }

    async fn call(
        &self,
        id: Id,
        call: Result<callgate_core::Request, CallFault>,
        token: Option<Json>,
        stateless: bool,
    ) -> Result<(), Gone> {
        let Some(call) = self.calls.begin(id.clone(), call, token, stateless) else {
            return self.refuse(&id, INVALID_REQUEST, "too many requests are under way").await;
        };
        tokio::spawn(call.run(self.gate.clone(), self.to_client.clone()));
        Ok(())
    }

    async fn answer(&self, id: &Id, mut members: Vec<(&str, Json)>, era: Era) -> Result<(), Gone> {
        if era == Era::Stateless {
            members.push(("resultType", Json::from("complete")));
        }
        self.to_client.send(replies::result(id, Json::object(members))).await
    }

    async fn refuse(&self, id: &Id, code: i64, why: &str) -> Result<(), Gone> {
        self.to_client.send(replies::error(Some(id), code, why)).await
    }

    fn information(&self) -> Json {
        Json::object([("name", self.serving.server.as_str()), ("version", self.serving.version)])
    }
}

fn capabilities() -> Json {
    Json::object([("tools", Json::object::<&str, Json>([]))])
}
