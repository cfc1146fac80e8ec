//! What a server offers, as it gives it, for `callgate tool pin`.

use std::ffi::OsString;
use std::time::Duration;

use callgate_core::ServerName;
use callgate_text::{Json, Object};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::frames::{Frame, Frames};

use super::child::Child;
use super::era::{CAPABILITIES, CLIENT, HANDSHAKE, STATELESS, VERSION};
use super::{Id, Limits, Message, Shape, replies};

/// Why a server could not be asked what it offers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// The command is empty, not there, or may not be run.
    #[error("the server cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// It ended, or closed its end, before it had answered.
    #[error("the server ended before it answered `{0}`")]
    Ended(&'static str),
    /// It did not answer in time.
    #[error("the server did not answer `{0}` in time")]
    Late(&'static str),
    /// It answered with something that cannot be pinned: not strict JSON, too long, or not a list.
    #[error("the server's answer to `{0}` cannot be read: {1}")]
    Unreadable(&'static str, String),
    /// It answered with an error.
    #[error("the server refused `{0}`")]
    Refused(&'static str),
    /// Its lists kept changing while they were read.
    #[error("the server's lists keep changing")]
    Restless,
}

/// How long a server may take to say that it is of the stateless era; others may not answer at all.
const PROBE: Duration = Duration::from_secs(3);
/// How long a server may take to announce what it offers only once it knows the client.
const SETTLE: Duration = Duration::from_millis(300);
/// How often a changing list is read.
const ROUNDS: usize = 5;
const MOST_PAGES: usize = 200;

/// Starts the server, asks what it offers and ends it:
/// `{"server","instructions"?,"tools":[…],"prompts":[…],"templates":[…]}`, definitions as given.
///
/// The server is told that the client can do everything, so that it offers everything that it has.
///
/// # Errors
/// [`PinError`].
pub async fn pin(server: &ServerName, command: &[OsString], limits: Limits) -> Result<Json, PinError> {
    let (mut child, stdin, stdout) = Child::start(command).map_err(PinError::Start)?;
    let document = pin_over(server, (stdout, stdin), limits).await;
    child.end(limits.grace).await;
    document
}

async fn pin_over<R, W>(server: &ServerName, (reader, writer): (R, W), limits: Limits) -> Result<Json, PinError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let frames = Frames::new(reader, limits.from_server);
    let mut asking = Asking { frames, writer, limits, next: 1, changed: false, meta: None };
    let hello = asking.greet().await?;
    let offers = |name: &str| hello.get("capabilities").is_some_and(|capabilities| capabilities.get(name).is_some());
    for _ in 0..ROUNDS {
        asking.changed = false;
        let mut document = vec![("server", Json::from(server))];
        document.extend(hello.get("instructions").map(|text| ("instructions", text.clone())));
        for (capability, method, member, key) in [
            ("tools", "tools/list", "tools", "tools"),
            ("prompts", "prompts/list", "prompts", "prompts"),
            ("resources", "resources/templates/list", "resourceTemplates", "templates"),
        ] {
            let items = if offers(capability) { asking.list(method, member).await } else { Ok(Vec::new()) };
            let items = match items {
                // Resources without templates: many servers do not know the method at all.
                Err(PinError::Refused("resources/templates/list")) => Vec::new(),
                items => items?,
            };
            document.push((key, Json::Array(items)));
        }
        asking.settle().await?;
        if !asking.changed {
            return Ok(Json::object(document));
        }
    }
    Err(PinError::Restless)
}

fn hello() -> Json {
    Json::object([
        ("protocolVersion", Json::from(HANDSHAKE[0])),
        ("capabilities", capabilities()),
        ("clientInfo", client()),
    ])
}

/// What a request of the stateless era says about itself.
fn meta() -> Json {
    Json::object([(VERSION, Json::from(STATELESS[0])), (CLIENT, client()), (CAPABILITIES, capabilities())])
}

fn capabilities() -> Json {
    let nothing = || Json::Object(Object::default());
    let elicitation = Json::object([("form", nothing()), ("url", nothing())]);
    let roots = Json::object([("listChanged", true)]);
    Json::object([("roots", roots), ("sampling", nothing()), ("elicitation", elicitation)])
}

fn client() -> Json {
    Json::object([("name", "callgate"), ("version", env!("CARGO_PKG_VERSION"))])
}

/// The client's side of a session with nobody behind it.
struct Asking<R, W> {
    frames: Frames<R>,
    writer: W,
    limits: Limits,
    next: i64,
    changed: bool,
    /// What each request says about itself, in the stateless era.
    meta: Option<Json>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Asking<R, W> {
    /// Finds out which era the server is of, as the specification tells clients of both: what does not answer
    /// `server/discover` as a server of the stateless era gets a handshake. What the server says of itself.
    async fn greet(&mut self) -> Result<Object, PinError> {
        let patience = PROBE.min(self.limits.listing);
        match self.discover(patience).await {
            Ok(Some(hello)) => return Ok(hello),
            Ok(None) | Err(PinError::Refused(_) | PinError::Late(_)) => {}
            Err(error) => return Err(error),
        }
        match self.ask("initialize", Some(hello())).await {
            Ok(hello) => {
                self.tell("notifications/initialized").await?;
                Ok(hello)
            }
            // It was slow to start, and took the question for what fixes the era.
            Err(PinError::Refused(method)) => {
                self.discover(self.limits.listing).await?.ok_or(PinError::Refused(method))
            }
            Err(error) => Err(error),
        }
    }

    /// `None` if the server speaks no revision of the stateless era that is known here.
    async fn discover(&mut self, patience: Duration) -> Result<Option<Object>, PinError> {
        self.meta = Some(meta());
        let answer = self.ask_within("server/discover", None, patience).await;
        let speaks = |versions: &[Json]| {
            versions.iter().any(|version| version.as_str().is_some_and(|version| STATELESS.contains(&version)))
        };
        let hello = answer.as_ref().ok();
        let versions = hello.and_then(|hello| hello.get("supportedVersions")).and_then(Json::as_array);
        if !versions.is_some_and(speaks) {
            self.meta = None;
            return answer.map(|_| None);
        }
        // A server of this era says that its lists changed only to who listens. One that does not know that has
        // lists that do not change.
        let wanted = Json::object([("toolsListChanged", true), ("promptsListChanged", true)]);
        let (_, request) = self.request("subscriptions/listen", Some(Json::object([("notifications", wanted)])));
        self.send("subscriptions/listen", request).await?;
        answer.map(Some)
    }

    async fn list(&mut self, method: &'static str, member: &str) -> Result<Vec<Json>, PinError> {
        let unreadable = |why: &str| PinError::Unreadable(method, why.to_owned());
        let (mut items, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let params = cursor.map(|cursor: String| Json::object([("cursor", cursor)]));
            let mut page = self.ask(method, params).await?;
            let Some(Json::Array(page_items)) = page.remove(member) else { return Err(unreadable("not a list")) };
            items.extend(page_items);
            match page.remove("nextCursor") {
                None | Some(Json::Null) => return Ok(items),
                Some(Json::String(next)) => cursor = Some(next),
                Some(_) => return Err(unreadable("its cursor is not text")),
            }
        }
        Err(unreadable("too many pages"))
    }

    async fn ask(&mut self, method: &'static str, params: Option<Json>) -> Result<Object, PinError> {
        self.ask_within(method, params, self.limits.listing).await
    }

    /// The bytes of a request, and its id.
    fn request(&mut self, method: &'static str, params: Option<Json>) -> (i64, Vec<u8>) {
        let id = self.next;
        self.next += 1;
        let params = match (params, &self.meta) {
            (params, None) => params,
            (params, Some(meta)) => {
                let mut params = params.and_then(|params| params.as_object().cloned()).unwrap_or_default();
                params.set("_meta", meta.clone());
                Some(Json::Object(params))
            }
        };
        let mut request =
            vec![("jsonrpc", Json::from("2.0")), ("id", Json::integer(id)), ("method", Json::from(method))];
        request.extend(params.map(|params| ("params", params)));
        (id, Json::object(request).canonical())
    }

    async fn ask_within(
        &mut self,
        method: &'static str,
        params: Option<Json>,
        patience: Duration,
    ) -> Result<Object, PinError> {
        let (id, request) = self.request(method, params);
        self.send(method, request).await?;
        let deadline = Instant::now() + patience;
        loop {
            let message = timeout_at(deadline, self.hear(method)).await.map_err(|_| PinError::Late(method))??;
            if !matches!(&message.shape, Shape::Response { id: Some(answered), .. } if *answered == Id::Number(id)) {
                continue;
            }
            let mut json = message.json;
            return match (json.remove("result"), json.remove("error")) {
                (Some(Json::Object(result)), None) => Ok(result),
                (_, Some(_)) => Err(PinError::Refused(method)),
                _ => Err(PinError::Unreadable(method, "not an object".to_owned())),
            };
        }
    }

    /// The next message that answers something; questions of the server are answered on the way.
    async fn hear(&mut self, method: &'static str) -> Result<Message, PinError> {
        loop {
            let frame = self.frames.next().await.map_err(|_| PinError::Ended(method))?;
            let line = match frame {
                None => return Err(PinError::Ended(method)),
                Some(Frame::TooLong(_)) => return Err(PinError::Unreadable(method, "too long".to_owned())),
                Some(Frame::Line(line)) if line.iter().all(u8::is_ascii_whitespace) => continue,
                Some(Frame::Line(line)) => line,
            };
            let message = Message::read(line, self.limits.from_server);
            let message = message.map_err(|line| PinError::Unreadable(method, line.fault.to_string()))?;
            match &message.shape {
                Shape::Response { .. } => return Ok(message),
                Shape::Notification { method } => self.changed |= method.ends_with("/list_changed"),
                Shape::Request { id, method: asked } => {
                    let answer = match asked.as_str() {
                        "ping" => self::answer(id, Json::Object(Object::default())),
                        "roots/list" => self::answer(id, Json::object([("roots", Json::Array(Vec::new()))])),
                        _ => replies::error(Some(id), replies::METHOD_NOT_FOUND, "nobody is here to answer"),
                    };
                    self.send(method, answer).await?;
                }
            }
        }
    }

    /// Gives the server a moment to say that its lists changed.
    async fn settle(&mut self) -> Result<(), PinError> {
        let deadline = Instant::now() + SETTLE;
        loop {
            match timeout_at(deadline, self.hear("tools/list")).await {
                Err(_) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(_)) => {}
            }
        }
    }

    async fn tell(&mut self, method: &'static str) -> Result<(), PinError> {
        let message = Json::object([("jsonrpc", "2.0"), ("method", method)]);
        self.send(method, message.canonical()).await
    }

    async fn send(&mut self, method: &'static str, mut line: Vec<u8>) -> Result<(), PinError> {
        line.push(b'\n');
        let write = async {
            self.writer.write_all(&line).await?;
            self.writer.flush().await
        };
        let written = timeout(self.limits.listing, write).await.map_err(|_| PinError::Late(method))?;
        written.map_err(|_| PinError::Ended(method))
    }
}

fn answer(id: &Id, result: Json) -> Vec<u8> {
    Json::object([("jsonrpc", Json::from("2.0")), ("id", Json::from(id)), ("result", result)]).canonical()
}
