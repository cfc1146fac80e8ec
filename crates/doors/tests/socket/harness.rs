use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate_core::gate::{Deadlines, Seams};
use callgate_core::seam::{
    Clock, Entropy, EntropyError, Later, Log, LogError, Offer, Policies, Snapshot, Stale, Standing,
};
use callgate_core::{
    AgentId, Call, Caller, Disclose, Entry, Evaluation, Facts, Gate, Offered, PolicyRef, Posture, Receipt, Record,
    Request, Satisfied, ServerName, Timestamp,
};
use callgate_doors::socket::{Access, Client, Greeting, Identify, Limits, Listening, Operator, Peer, Server, Services};
use callgate_doors::tools::Tools;
use callgate_text::{Digest, Json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

pub(crate) struct World {
    pub(crate) records: Mutex<Vec<Record>>,
    pub(crate) revoked: AtomicBool,
    /// Records wait here, if there are no permits.
    pub(crate) disk: Semaphore,
    /// What the log answers in place of a receipt, if anything.
    pub(crate) failing: Mutex<Option<LogError>>,
    /// Records that wait now, and the most that ever did.
    pub(crate) waiting: Mutex<(usize, usize)>,
    random: AtomicU64,
}

impl World {
    /// A gate over this world.
    pub(crate) fn with_gate() -> (Arc<Self>, Arc<Gate>) {
        let world = Arc::new(Self {
            records: Mutex::default(),
            revoked: AtomicBool::new(false),
            disk: Semaphore::new(1_000_000),
            failing: Mutex::default(),
            waiting: Mutex::default(),
            random: AtomicU64::new(0),
        });
        let seams = Seams {
            policies: Arc::new(OnePolicy),
            log: world.clone(),
            clock: world.clone(),
            entropy: world.clone(),
            facts: Vec::new(),
        };
        (world, Arc::new(Gate::new(seams, Deadlines::default())))
    }
}

impl Log for World {
    fn append(&self, entry: Entry) -> Later<'_, Result<Receipt, LogError>> {
        Box::pin(async move {
            {
                let mut waiting = self.waiting.lock().unwrap();
                waiting.0 += 1;
                waiting.1 = waiting.1.max(waiting.0);
            }
            self.disk.acquire().await.unwrap().forget();
            self.waiting.lock().unwrap().0 -= 1;
            if let Some(error) = self.failing.lock().unwrap().clone() {
                return Err(error);
            }
            let mut records = self.records.lock().unwrap();
            records.push(entry.record);
            Ok(Receipt { log: "log".to_owned(), index: records.len() as u64 - 1 })
        })
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000)
    }

    fn sleep(&self, duration: Duration) -> Later<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let next = self.random.fetch_add(1, Ordering::SeqCst);
        bytes.fill(7);
        bytes[..8].copy_from_slice(&next.to_be_bytes());
        Ok(())
    }
}

struct OnePolicy;

impl Policies for OnePolicy {
    fn current(&self) -> Result<Arc<dyn Snapshot>, Stale> {
        Ok(Arc::new(Self))
    }
}

impl Snapshot for OnePolicy {
    fn digest(&self) -> Digest {
        Digest::of(b"policy")
    }

    fn evaluate(&self, call: &Call, _: &Facts) -> Evaluation {
        assert!(!call.tool().as_str().contains("panic"), "as asked");
        let policy = PolicyRef { id: "p".into(), at: "p.cedar:1".into() };
        let permit = Satisfied { policy, code: None, message: None, approval: None, disclose: Disclose::Full };
        let permits = if call.tool().as_str().contains("forbidden") { Vec::new() } else { vec![permit] };
        Evaluation::Evaluated { permits, forbids: Vec::new(), errors: Vec::new(), nearest: None }
    }

    fn trace(&self, _: &Call, _: &Facts) -> Json {
        Json::object([("steps", Json::Array(Vec::new()))])
    }

    fn standing(&self, _: &AgentId, _: &ServerName, offers: &[Offer]) -> Vec<Standing> {
        let all = [Standing::Shown, Standing::Hidden, Standing::Quarantined];
        offers.iter().enumerate().map(|(index, _)| all[index % 3]).collect()
    }
}

impl Identify for World {
    /// A token is an agent's name; without one nobody is known.
    fn identify(&self, _: &Peer, greeting: &Greeting) -> Caller {
        let token = greeting.token.as_deref();
        let id = token.and_then(|token| token.parse().ok()).filter(|_| !self.revoked.load(Ordering::SeqCst));
        id.map_or(Caller::Unrecognised { why: "no" }, |id| Caller::Agent { id, posture: Posture::Enforced })
    }
}

impl Operator for World {
    fn operate<'a>(&'a self, peer: &'a Peer, op: &'a str, body: &'a Json) -> Later<'a, Result<Json, String>> {
        Box::pin(async move {
            match op {
                "status" => Ok(Json::object([("uid", Json::integer(peer.uid.into())), ("body", body.clone())])),
                "large" => Ok(Json::from("x".repeat(1 << 20))),
                "panic" => panic!("as asked"),
                "slow" => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    Ok(Json::Null)
                }
                _ => Err("unknown operation".to_owned()),
            }
        })
    }
}

pub(crate) struct Rig {
    pub(crate) world: Arc<World>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) path: PathBuf,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) server: JoinHandle<()>,
    _directory: Option<tempfile::TempDir>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/gate.sock");
        Self { _directory: Some(directory), ..Self::at(path, limits) }
    }

    pub(crate) fn at(path: PathBuf, limits: Limits) -> Self {
        Self::offering(path, limits, None)
    }

    pub(crate) fn offering(path: PathBuf, limits: Limits, tools: Option<Arc<dyn Tools>>) -> Self {
        let (world, gate) = World::with_gate();
        let services = Services { gate: gate.clone(), identify: world.clone(), operator: world.clone() };
        let listening = Listening::bind(&path, Access::Group).unwrap();
        let server = Server::new(listening, services, limits);
        if let Some(tools) = tools {
            server.offer(tools);
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { world, gate, path, stop: Some(stop), server, _directory: None }
    }

    pub(crate) fn client(&self, agent: Option<&str>) -> Client {
        Client::new(&self.path, Greeting { token: agent.map(str::to_owned), ..Greeting::default() })
    }

    pub(crate) async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), &mut self.server).await.unwrap().unwrap();
    }

    pub(crate) async fn raw(&self) -> Raw {
        let (reader, writer) = UnixStream::connect(&self.path).await.unwrap().into_split();
        Raw { reader: BufReader::new(reader), writer }
    }
}

/// A connection that says what it likes.
pub(crate) struct Raw {
    pub(crate) reader: BufReader<tokio::net::unix::OwnedReadHalf>,
    pub(crate) writer: tokio::net::unix::OwnedWriteHalf,
}

impl Raw {
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> bool {
        self.writer.write_all(bytes).await.is_ok() && self.writer.write_all(b"\n").await.is_ok()
    }

    pub(crate) async fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), self.reader.read_line(&mut line));
        match read.await.expect("an answer or the end in time") {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line),
        }
    }

    pub(crate) async fn greet(&mut self, agent: &str) {
        assert!(self.say(format!(r#"{{"hello":{{"protocol":1,"token":"{agent}"}}}}"#).as_bytes()).await);
        assert_eq!(self.hear().await.unwrap(), "{\"hello\":{\"protocol\":1}}\n");
    }
}

pub(crate) fn request(tool: &str) -> Request {
    Request {
        tool: tool.parse().unwrap(),
        session: Some("s-1".parse().unwrap()),
        arguments: Json::parse(br#"{"b":1.50,"a":["x"]}"#).unwrap().as_object().cloned(),
        members: Json::parse(br#"{"task":{}}"#).unwrap().as_object().cloned().unwrap(),
        original: Digest::of(b"original"),
        offered: Some(Offered::Definition(Digest::of(b"offered"))),
        host_call: None,
        cwd: None,
    }
}
