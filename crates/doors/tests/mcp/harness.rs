use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate_core::gate::{Observed, Passing};
use callgate_core::seam::{Later, Offer, Standing};
use callgate_core::{CallFault, Code, Completion, Decision, Outcome, Reason, Receipt, Request, ServerName};
use callgate_doors::mcp::{Ended, Limits, Relay, relay_over};
use callgate_doors::{Operations, Ruling};
use callgate_text::{Json, reveal};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

/// What the gate was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Decided(Request),
    Faulty(String),
    Completed(String, Outcome, bool),
}

/// Allows everything but tools whose name holds `forbidden`; `evil` definitions are quarantined,
/// `hidden` ones hidden.
pub(crate) struct FakeGate {
    pub(crate) events: Mutex<Vec<Event>>,
    /// Decisions wait here, if there are no permits.
    pub(crate) decisions: Semaphore,
    pub(crate) observe: bool,
    pub(crate) gone: bool,
    /// More that is forbidden: tools, and resources.
    pub(crate) forbidden: Mutex<Vec<String>>,
}

impl Default for FakeGate {
    fn default() -> Self {
        Self {
            events: Mutex::default(),
            decisions: Semaphore::new(100_000),
            observe: true,
            gone: false,
            forbidden: Mutex::default(),
        }
    }
}

impl FakeGate {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn decided(&self) -> Vec<Request> {
        let decided = |event| match event {
            Event::Decided(request) => Some(request),
            _ => None,
        };
        self.events().into_iter().filter_map(decided).collect()
    }

    pub(crate) fn completed(&self) -> Vec<Outcome> {
        let completed = |event| match event {
            Event::Completed(_, outcome, _) => Some(outcome),
            _ => None,
        };
        self.events().into_iter().filter_map(completed).collect()
    }

    /// From now on this tool, or every action on this resource, is forbidden; `*` is everything.
    pub(crate) fn forbid(&self, what: &str) {
        self.forbidden.lock().unwrap().push(what.to_owned());
    }

    fn forbids(&self, request: &Request) -> bool {
        let uri = request.arguments.as_ref().and_then(|arguments| arguments.get("uri")).and_then(Json::as_str);
        let forbidden = self.forbidden.lock().unwrap();
        request.tool.as_str().contains("forbidden")
            || forbidden.iter().any(|one| one == "*" || one == request.tool.as_str() || Some(one.as_str()) == uri)
    }

    fn note(&self, event: Event) -> usize {
        let mut events = self.events.lock().unwrap();
        events.push(event);
        events.len()
    }
}

fn gone() -> Reason {
    Reason::new(Code::Internal, "no gate is running: start it with `callgate serve`")
}

impl Operations for FakeGate {
    fn decide(&self, request: Result<Request, CallFault>) -> Later<'_, Ruling> {
        Box::pin(async move {
            if self.gone {
                return Ruling::unreachable(&gone());
            }
            self.decisions.acquire().await.unwrap().forget();
            let (allowed, code, number) = match request {
                Err(fault) => (false, Code::InvalidArguments, self.note(Event::Faulty(fault.to_string()))),
                Ok(request) => {
                    let allowed = !self.forbids(&request);
                    (allowed, Code::NotPermitted, self.note(Event::Decided(request)))
                }
            };
            Ruling {
                id: format!("D{number}"),
                decision: if allowed { Decision::Allow } else { Decision::Deny },
                code: if allowed { Code::Permitted } else { code },
                for_model: format!("Denied: {code}. [decision D{number}]"),
                permit: allowed.then(|| format!("P{number}")),
            }
        })
    }

    fn complete(&self, completion: Completion) -> Later<'_, Result<Receipt, Reason>> {
        assert_eq!(completion.id.replace('D', "P"), completion.permit);
        self.note(Event::Completed(completion.id, completion.outcome, completion.result.is_some()));
        Box::pin(async { Ok(Receipt { log: "log".to_owned(), index: 0 }) })
    }

    fn standing(&self, _: ServerName, offers: Vec<Offer>) -> Later<'_, Result<Vec<Standing>, Reason>> {
        Box::pin(async move {
            if self.gone {
                return Err(gone());
            }
            let standing = |offer: &Offer| {
                let text = String::from_utf8(offer.definition.canonical()).unwrap();
                match () {
                    () if text.contains("evil") => Standing::Quarantined,
                    () if text.contains("hidden") => Standing::Hidden,
                    () => Standing::Shown,
                }
            };
            Ok(offers.iter().map(standing).collect())
        })
    }

    fn observe(&self, texts: Vec<Passing>) -> Later<'_, Result<Vec<Observed>, Reason>> {
        Box::pin(async move {
            if self.gone {
                return Err(gone());
            }
            if texts.iter().any(|text| text.text.contains("unfit")) {
                return Err(Reason::new(Code::InjectionSuspected, "the text is unfit"));
            }
            let look = |text: Passing| reveal(&text.text).map_or(Observed::Unchanged, Observed::Sanitised);
            Ok(texts.into_iter().map(|text| if self.observe { look(text) } else { Observed::Unchanged }).collect())
        })
    }
}

/// One end of a pipe, line by line.
pub(crate) struct End {
    reader: BufReader<ReadHalf<DuplexStream>>,
    pub(crate) writer: Option<WriteHalf<DuplexStream>>,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl End {
    fn new(stream: DuplexStream) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self { reader: BufReader::new(reader), writer: Some(writer) }
    }

    pub(crate) async fn say(&mut self, line: &str) {
        self.say_bytes(format!("{line}\n").as_bytes()).await;
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().expect("open");
        tokio::time::timeout(PATIENCE, writer.write_all(bytes)).await.expect("takes what is said").expect("open");
    }

    /// The next line, without its end; `None` at the end.
    pub(crate) async fn try_hear(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line);
        let count = tokio::time::timeout(PATIENCE, read).await.expect("something is said in time").expect("open");
        (count > 0).then(|| {
            assert_eq!(line.pop(), Some(b'\n'));
            String::from_utf8(line).unwrap()
        })
    }

    pub(crate) async fn hear(&mut self) -> String {
        self.try_hear().await.expect("not the end")
    }

    pub(crate) async fn hear_json(&mut self) -> Json {
        Json::parse_within(self.hear().await.as_bytes(), 64 << 20).unwrap()
    }

    /// Says something and expects it at the other end, byte for byte.
    pub(crate) async fn passes(&mut self, other: &mut Self, line: &str) {
        self.say(line).await;
        assert_eq!(other.hear().await, line);
    }

    pub(crate) async fn hang_up(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            writer.shutdown().await.unwrap();
        }
    }
}

pub(crate) struct Rig {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) gate: Arc<FakeGate>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) relay: JoinHandle<Ended>,
    /// The id by which the door listens to the server.
    pub(crate) own_subscription: String,
}

/// The first message of a session of the older era, and its answer.
pub(crate) const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
pub(crate) const WELCOME: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"0"}}}"#;
/// What a server of the stateless era says of itself.
pub(crate) const DISCOVERED: &str = r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"prompts":{}},"ttlMs":0,"cacheScope":"private","resultType":"complete"}"#;

pub(crate) const TOOLS: &str = r#"{"name":"echo","inputSchema":{}}"#;

impl Rig {
    pub(crate) fn with(gate: FakeGate, limits: Limits) -> Self {
        Self::with_pipes(gate, limits, 1 << 16)
    }

    pub(crate) fn with_pipes(gate: FakeGate, limits: Limits, pipe: usize) -> Self {
        let gate = Arc::new(gate);
        let (client, client_door) = tokio::io::duplex(pipe);
        let (server, server_door) = tokio::io::duplex(pipe);
        let (stop, stopped) = oneshot::channel::<()>();
        let relay = Relay { server: "srv".parse().unwrap(), session: None, command: Vec::new(), limits };
        let operations: Arc<dyn Operations> = gate.clone();
        let relay = tokio::spawn(async move {
            let stop = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let client = tokio::io::split(client_door);
            let server = tokio::io::split(server_door);
            relay_over(relay, operations, client, server, stop).await.unwrap()
        });
        Self {
            client: End::new(client),
            server: End::new(server),
            gate,
            stop: Some(stop),
            relay,
            own_subscription: String::new(),
        }
    }

    pub(crate) fn new() -> Self {
        Self::with(FakeGate::default(), quick())
    }

    /// A rig after the handshake with a server that offers `tools`.
    pub(crate) async fn ready(tools: &str) -> Self {
        let mut rig = Self::new();
        rig.shake_hands(tools).await;
        rig
    }

    pub(crate) async fn shake_hands(&mut self, tools: &str) {
        let Self { client, server, .. } = self;
        client.passes(server, HELLO).await;
        server.passes(client, WELCOME).await;
        client.passes(server, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        self.list_tools(tools).await;
    }

    /// A rig of the stateless era, with a server that offers `tools` and the prompt `p`.
    pub(crate) async fn stateless(tools: &str) -> Self {
        let mut rig = Self::with(FakeGate::default(), quick());
        rig.discover(tools).await;
        rig
    }

    pub(crate) async fn discover(&mut self, tools: &str) {
        let Self { client, server, .. } = self;
        client.passes(server, &request("0", "server/discover", "")).await;
        server.passes(client, &format!(r#"{{"jsonrpc":"2.0","id":0,"result":{DISCOVERED}}}"#)).await;
        self.door_looks(tools).await;
    }

    /// The door listens, and lists what there is.
    pub(crate) async fn door_looks(&mut self, tools: &str) {
        self.door_looks_at(tools, "{}", true).await;
    }

    /// As [`Rig::door_looks`], for a client with these capabilities.
    pub(crate) async fn door_looks_at(&mut self, tools: &str, capabilities: &str, prompts: bool) {
        let listens = self.server.hear_json().await;
        assert_eq!(text(&listens, &["method"]), "subscriptions/listen");
        let meta = at(&listens, &["params", "_meta"]);
        assert_eq!(text(meta, &["io.modelcontextprotocol/protocolVersion"]), "2026-07-28");
        let can = at(meta, &["io.modelcontextprotocol/clientCapabilities"]).canonical();
        assert_eq!(String::from_utf8(can).unwrap(), capabilities);
        self.own_subscription = text(&listens, &["id"]).to_owned();
        self.list_tools(tools).await;
        if prompts {
            let question = self.server.hear_json().await;
            assert_eq!(text(&question, &["method"]), "prompts/list");
            let id = text(&question, &["id"]);
            self.server
                .say(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{"prompts":[{{"name":"p"}}]}}}}"#))
                .await;
        }
    }

    /// Nothing more may arrive at the server: a list that the client asks for is the next thing it hears.
    pub(crate) async fn no_more_at_the_server(&mut self) {
        let Self { client, server, .. } = self;
        let ask = request("\"nothing\"", "resources/list", "");
        client.passes(server, &ask).await;
        server.passes(client, r#"{"jsonrpc":"2.0","id":"nothing","result":{"resources":[]}}"#).await;
    }

    /// Nothing more may arrive at the client: what the server logs is the next thing it hears.
    pub(crate) async fn no_more_at_the_client(&mut self) {
        let Self { client, server, .. } = self;
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"nothing"}}"#;
        server.passes(client, log).await;
    }

    /// Answers the door's own question.
    pub(crate) async fn list_tools(&mut self, tools: &str) {
        let question = self.server.hear_json().await;
        assert_eq!(question.get("method").and_then(Json::as_str), Some("tools/list"), "{question:?}");
        let id = question.get("id").and_then(Json::as_str).unwrap().to_owned();
        assert!(id.starts_with("callgate-"));
        self.server.say(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{"tools":[{tools}]}}}}"#)).await;
    }

    /// Waits until the gate heard `count` events.
    pub(crate) async fn events(&self, count: usize) -> Vec<Event> {
        for _ in 0..1000 {
            if self.gate.events().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.gate.events()
    }

    /// Nothing more may arrive at the server: a ping from the client is the next thing it hears.
    pub(crate) async fn nothing_reaches_the_server(&mut self) {
        let Self { client, server, .. } = self;
        client.passes(server, r#"{"jsonrpc":"2.0","id":"nothing","method":"ping"}"#).await;
        server.passes(client, r#"{"jsonrpc":"2.0","id":"nothing","result":{}}"#).await;
    }

    /// Nothing more may arrive at the client.
    pub(crate) async fn nothing_reaches_the_client(&mut self) {
        let Self { client, server, .. } = self;
        server.passes(client, r#"{"jsonrpc":"2.0","id":"nothing","method":"ping"}"#).await;
        client.passes(server, r#"{"jsonrpc":"2.0","id":"nothing","result":{}}"#).await;
    }

    pub(crate) async fn ended(self) -> Ended {
        tokio::time::timeout(PATIENCE, self.relay).await.expect("ends in time").unwrap()
    }
}

pub(crate) fn quick() -> Limits {
    Limits { grace: Duration::from_millis(300), flush: Duration::from_secs(2), ..Limits::default() }
}

pub(crate) fn call(id: &str, name: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}","arguments":{{}}}}}}"#)
}

/// A request of the stateless era; `params` are members besides `_meta`.
pub(crate) fn request(id: &str, method: &str, params: &str) -> String {
    let separator = if params.is_empty() { "" } else { "," };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{separator}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    )
}

pub(crate) fn at<'a>(json: &'a Json, path: &[&str]) -> &'a Json {
    path.iter().fold(json, |json, key| match key.parse::<usize>() {
        Ok(index) => &json.as_array().expect("an array")[index],
        Err(_) => json.get(key).unwrap_or_else(|| panic!("no {key} in {json:?}")),
    })
}

pub(crate) fn text<'a>(json: &'a Json, path: &[&str]) -> &'a str {
    at(json, path).as_str().expect("text")
}
