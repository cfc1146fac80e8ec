use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callgate_core::{Caller, Gate, Posture};
use callgate_doors::http::{Credentials, Instruments, Limits, Listening, Server, Services, openapi};
use callgate_doors::socket::{Greeting, Identify, Peer};
use callgate_doors::{Attendance, Lanes};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::World;

pub(crate) const OPERATOR: &str = "operator-token";

/// A token is an agent's name, or the operator's. What begins with `watched` comes through a door that only watches.
struct Keys(Arc<World>);

impl Identify for Keys {
    fn identify(&self, peer: &Peer, greeting: &Greeting) -> Caller {
        assert_eq!(greeting.door.as_ref().unwrap().as_str(), "http");
        if greeting.token.as_deref() == Some(OPERATOR) {
            return Caller::Unrecognised { why: "no agent's" };
        }
        match self.0.identify(peer, greeting) {
            Caller::Agent { id, .. } if id.as_str().starts_with("watched") => {
                Caller::Agent { id, posture: Posture::Observing }
            }
            caller => caller,
        }
    }
}

impl Credentials for Keys {
    fn is_operator(&self, token: &str) -> bool {
        token == OPERATOR && !self.0.revoked.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
pub(crate) struct Dials {
    pub(crate) unready: AtomicBool,
}

impl Instruments for Dials {
    fn is_ready(&self) -> bool {
        !self.unready.load(Ordering::SeqCst)
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }
}

pub(crate) struct Rig {
    pub(crate) world: Arc<World>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) dials: Arc<Dials>,
    pub(crate) address: SocketAddr,
    pub(crate) attendance: Attendance,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::sharing(limits, Arc::new(Lanes::new(64, 64)))
    }

    pub(crate) fn sharing(limits: Limits, lanes: Arc<Lanes>) -> Self {
        let (world, gate) = World::with_gate();
        let dials = Arc::new(Dials::default());
        let services = Services {
            gate: gate.clone(),
            credentials: Arc::new(Keys(world.clone())),
            operator: world.clone(),
            instruments: dials.clone(),
            origins: vec!["http://localhost:3000".to_owned()],
        };
        let listening = Listening::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listening.address();
        let server = Server::new(listening, services, lanes, limits);
        let attendance = server.attendance();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { world, gate, dials, address, attendance, stop: Some(stop), server }
    }

    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn stopped(&mut self) {
        tokio::time::timeout(Duration::from_secs(15), &mut self.server).await.unwrap().unwrap();
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire { stream: TcpStream::connect(self.address).await.unwrap(), address: self.address, unread: Vec::new() }
    }

    /// One request on a connection of its own.
    pub(crate) async fn post(&self, token: &str, path: &str, body: &str) -> Reply {
        self.connect().await.post(token, path, body).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Reply {
        self.connect().await.get(token, path).await
    }

    /// The newest record.
    pub(crate) fn last(&self) -> callgate_core::Record {
        self.world.records.lock().unwrap().last().cloned().expect("a record")
    }

    pub(crate) fn records(&self) -> usize {
        self.world.records.lock().unwrap().len()
    }
}

/// A connection that says what it likes.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    address: SocketAddr,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Wire {
    pub(crate) async fn post(&mut self, token: &str, path: &str, body: &str) -> Reply {
        let length = body.len();
        self.say(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.address
        ))
        .await;
        self.heard("POST", path).await
    }

    pub(crate) async fn get(&mut self, token: &str, path: &str) -> Reply {
        let credential = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{credential}\r\n", self.address)).await;
        self.heard("GET", path).await
    }

    /// As [`Wire::get`], of an answer that is this rig's and not the gate's.
    pub(crate) async fn raw_get(&mut self, token: &str, path: &str) -> Reply {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n", self.address);
        self.say(&head).await;
        self.hear().await.expect("an answer")
    }

    /// The status of the next answer, whatever comes behind its head.
    pub(crate) async fn hear_head(&mut self) -> u16 {
        while !self.unread.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            tokio::time::timeout(Duration::from_secs(20), self.more()).await.expect("in time").expect("an answer");
        }
        String::from_utf8_lossy(&self.unread).split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) async fn say(&mut self, text: &str) {
        // What hangs up on us says more by its answer than by the broken pipe.
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// The next answer, which must be one that the OpenAPI document describes.
    pub(crate) async fn heard(&mut self, method: &str, path: &str) -> Reply {
        let reply = self.hear().await.unwrap_or_else(|| panic!("{method} {path}: hung up"));
        reply.check(method, path);
        reply
    }

    /// The next answer; `None` if there is none to come.
    pub(crate) async fn hear(&mut self) -> Option<Reply> {
        tokio::time::timeout(Duration::from_secs(20), self.read()).await.expect("an answer, or the end, in time")
    }

    async fn read(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
        while self.unread.len() < length && status != 100 {
            self.more().await?;
        }
        let body = if status == 100 { Vec::new() } else { self.unread.drain(..length).collect() };
        Some(Reply { status, headers, body: String::from_utf8(body).unwrap() })
    }

    async fn more(&mut self) -> Option<()> {
        let mut chunk = vec![0; 65536];
        match self.stream.read(&mut chunk).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.unread.extend_from_slice(&chunk[..count]);
                Some(())
            }
        }
    }

    /// Whether the other side has hung up.
    pub(crate) async fn is_over(&mut self) -> bool {
        self.hear().await.is_none()
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Decision and first code.
    pub(crate) fn said(&self) -> (u16, String, String) {
        let json = self.json();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (self.status, word(&json["decision"]), word(&json["reasons"][0]["code"]))
    }

    #[track_caller]
    pub(crate) fn denies(&self, status: u16, code: &str) {
        assert_eq!(self.said(), (status, "deny".to_owned(), code.to_owned()), "{self:?}");
        assert_eq!(self.json()["permit"], Value::Null);
    }

    /// Every answer is one that the document describes, and no cache or browser may make more of it.
    #[track_caller]
    fn check(&self, method: &str, path: &str) {
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        if self.status != 200 {
            assert!(!self.body.contains("\"allow\""), "{self:?}");
        }
        let document: Value = serde_json::from_slice(&openapi().canonical()).unwrap();
        let path = path.split('?').next().unwrap();
        let operation = &document["paths"][path][method.to_ascii_lowercase()];
        if operation.is_null() {
            assert!([404, 405, 400, 403].contains(&self.status), "{self:?}");
            return;
        }
        let response = &operation["responses"][self.status.to_string()];
        assert!(response.is_object(), "{path} does not tell of {self:?}");
        for (name, _) in response["headers"].as_object().into_iter().flatten() {
            assert!(self.header(&name.to_ascii_lowercase()).is_some(), "no {name}: {self:?}");
        }
        let (media_type, content) = response["content"].as_object().unwrap().iter().next().unwrap();
        assert!(self.header("content-type").unwrap().starts_with(media_type.as_str()), "{self:?}");
        if media_type == "application/json" {
            let mut schema = content["schema"].clone();
            schema["components"] = document["components"].clone();
            let validator = jsonschema::validator_for(&schema).unwrap();
            let errors: Vec<_> = validator.iter_errors(&self.json()).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}: {self:?}");
        }
    }
}

/// A call that is allowed.
pub(crate) fn echo() -> String {
    json!({"tool": "srv.echo", "session": "s-1", "arguments": {"a": [1, "x"]}}).to_string()
}

/// Waits for something that happens soon.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never: {what}");
}
