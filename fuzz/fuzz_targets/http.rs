//! Whatever comes over HTTP: the gate answers or hangs up, and allows nothing to whoever shows no credential.
#![no_main]
#![allow(clippy::expect_used, clippy::panic, reason = "what a fuzzer finds stops it")]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use callgate_core::gate::{Deadlines, Seams};
use callgate_core::seam::{
    Clock, Entropy, EntropyError, Later, Log, LogError, Offer, Policies, Snapshot, Stale, Standing,
};
use callgate_core::{
    AgentId, Call, Caller, Entry, Evaluation, Facts, Gate, PolicyRef, Posture, Receipt, Satisfied, ServerName,
    Timestamp,
};
use callgate_doors::Lanes;
use callgate_doors::http::{Credentials, Instruments, Limits, Listening, Server, Services};
use callgate_doors::socket::{Greeting, Identify, Operator, Peer};
use callgate_text::{Digest, Json};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

const TOKEN: &str = "the-token";

/// A gate that permits everything to whoever shows the token.
#[derive(Default)]
struct World(AtomicU64);

impl Log for World {
    fn append(&self, _: Entry) -> Later<'_, Result<Receipt, LogError>> {
        let index = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(Receipt { log: "log".to_owned(), index })))
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
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, next) in bytes.iter_mut().zip(next.iter().cycle()) {
            *byte = *next;
        }
        Ok(())
    }
}

struct Open;

impl Policies for Open {
    fn current(&self) -> Result<Arc<dyn Snapshot>, Stale> {
        Ok(Arc::new(Self))
    }
}

impl Snapshot for Open {
    fn digest(&self) -> Digest {
        Digest::of(b"policy")
    }

    fn evaluate(&self, _: &Call, _: &Facts) -> Evaluation {
        let policy = PolicyRef { id: "p".into(), at: "p.cedar:1".into() };
        let permit = Satisfied { policy, code: None, message: None, approval: None, disclose: Default::default() };
        Evaluation::Evaluated { permits: vec![permit], forbids: Vec::new(), errors: Vec::new(), nearest: None }
    }

    fn trace(&self, _: &Call, _: &Facts) -> Json {
        Json::Null
    }

    fn standing(&self, _: &AgentId, _: &ServerName, _: &[Offer]) -> Vec<Standing> {
        Vec::new()
    }
}

impl Identify for World {
    fn identify(&self, _: &Peer, greeting: &Greeting) -> Caller {
        match greeting.token.as_deref() {
            Some(TOKEN) => Caller::Agent { id: "agent-1".parse().expect("a name"), posture: Posture::Enforced },
            _ => Caller::Unrecognised { why: "no" },
        }
    }
}

impl Credentials for World {
    fn is_operator(&self, _: &str) -> bool {
        false
    }
}

impl Operator for World {
    fn operate<'a>(&'a self, _: &'a Peer, _: &'a str, _: &'a Json) -> Later<'a, Result<Json, String>> {
        Box::pin(std::future::ready(Err("nobody is the operator here".to_owned())))
    }
}

impl Instruments for World {
    fn is_ready(&self) -> bool {
        true
    }

    fn metrics(&self) -> String {
        String::new()
    }
}

/// The server, and the runtime that it lives on; one for all runs.
struct House {
    runtime: Runtime,
    address: SocketAddr,
}

impl House {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let address = runtime.block_on(async {
            let world = Arc::new(World::default());
            let seams = Seams {
                policies: Arc::new(Open),
                log: world.clone(),
                clock: world.clone(),
                entropy: world.clone(),
                facts: Vec::new(),
            };
            let services = Services {
                gate: Arc::new(Gate::new(seams, Deadlines::default())),
                credentials: world.clone(),
                operator: world.clone(),
                instruments: world,
                origins: Vec::new(),
            };
            let brief = Duration::from_millis(5);
            let limits = Limits { head: brief, idle: brief, body: brief, ..Limits::default() };
            let listening = Listening::bind(([127, 0, 0, 1], 0).into()).expect("a port");
            let address = listening.address();
            let server = Server::new(listening, services, Arc::new(Lanes::new(64, 64)), limits);
            tokio::spawn(server.run(std::future::pending()));
            address
        });
        Self { runtime, address }
    }

    /// All that the server says to these bytes.
    fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        self.runtime.block_on(async {
            let mut stream = TcpStream::connect(self.address).await.expect("connects");
            let _ = stream.write_all(bytes).await;
            let mut said = Vec::new();
            let all = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await;
            assert!(all.is_ok(), "it neither answers nor hangs up");
            said
        })
    }
}

thread_local! {
    static HOUSE: RefCell<Option<House>> = const { RefCell::new(None) };
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

fuzz_target!(|bytes: &[u8]| {
    HOUSE.with_borrow_mut(|house| {
        let house = house.get_or_insert_with(House::new);
        let port = house.address.port().to_string();
        // Seeds do not know the port.
        let text: Vec<u8> = match bytes.split_first() {
            // A request from its first byte.
            Some((b'~', rest)) => String::from_utf8_lossy(rest).replace("PORT", &port).into_bytes(),
            // What stands between the first lines of one and its body.
            _ => {
                let call = r#"{"tool":"srv.echo"}"#;
                let fields = String::from_utf8_lossy(bytes).replace("PORT", &port);
                format!("POST /v1/decide HTTP/1.1\r\n{fields}\r\nConnection: close\r\n\r\n{call}").into_bytes()
            }
        };
        let said = house.ask(&text);
        assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&said));
        assert!(!holds(&said, b"the gate failed over this request"), "a panic");
        if holds(&said, b"\"permit\":\"") {
            let shown = format!("bearer {TOKEN}");
            let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
            let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(&shown), "allowed to nobody: {text}");
            assert!(text.contains(&format!(":{port}")), "allowed for another host: {text}");
        }
    });
});
