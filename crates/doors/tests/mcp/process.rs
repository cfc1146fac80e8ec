//! Real servers: processes that end, do not end, and leave others behind.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate_doors::mcp::{Cause, Ended, Limits, Relay, RelayError, diff, pin, relay};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::harness::*;

const SERVER: &str = r#"
import sys, json, os, time, subprocess, signal
def say(**m): print(json.dumps({"jsonrpc": "2.0", **m}), flush=True)
mode = sys.argv[1] if len(sys.argv) > 1 else ""
for line in sys.stdin:
    m = json.loads(line)
    method, id = m.get("method"), m.get("id")
    if method == "initialize":
        say(id=id, result={"protocolVersion": "2025-06-18", "instructions": "be nice",
            "capabilities": {"tools": {}, "prompts": {}, "resources": {}}, "serverInfo": {"name": "py"}})
    elif method == "tools/list": say(id=id, result={"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]})
    elif method == "prompts/list": say(id=id, result={"prompts": [{"name": "p"}]})
    elif method == "server/discover" or method == "resources/templates/list": say(id=id, error={"code": -32601, "message": "no"})
    elif method == "tools/call":
        name = m["params"]["name"]
        if name == "die": os._exit(3)
        if name == "killed": os.kill(os.getpid(), signal.SIGKILL)
        if name == "orphan":
            child = subprocess.Popen(["sleep", "1000"])
            say(id=id, result={"content": [{"type": "text", "text": str(child.pid)}]})
            os._exit(0)
        if name == "environment":
            say(id=id, result={"content": [{"type": "text", "text": ",".join(k for k in os.environ if k.startswith("CALLGATE") or k == "CARGO")}]})
        elif name == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            say(id=id, result={"content": [{"type": "text", "text": str(os.getpid())}]})
            while True: time.sleep(1)
        else: say(id=id, result={"content": [{"type": "text", "text": name}]})
"#;

fn command() -> Vec<OsString> {
    ["python3", "-c", SERVER].map(OsString::from).to_vec()
}

struct Client {
    writer: tokio::io::DuplexStream,
    reader: BufReader<tokio::io::DuplexStream>,
    relay: tokio::task::JoinHandle<Result<Ended, RelayError>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Client {
    async fn start() -> Self {
        let (writer, input) = tokio::io::duplex(1 << 16);
        let (output, reader) = tokio::io::duplex(1 << 16);
        let settings = Relay { server: "srv".parse().unwrap(), session: None, command: command(), limits: quick() };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let relay = tokio::spawn(async move {
            let stop = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            relay(settings, Arc::new(FakeGate::default()), input, output, stop).await
        });
        let mut client = Self { writer, reader: BufReader::new(reader), relay, stop: Some(stop) };
        client.say(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
        assert!(client.hear().await.contains("be nice"));
        client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        client
    }

    async fn say(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> String {
        let mut line = String::new();
        tokio::time::timeout(Duration::from_secs(20), self.reader.read_line(&mut line)).await.unwrap().unwrap();
        line
    }

    async fn call(&mut self, name: &str) -> String {
        self.say(&call("1", name)).await;
        self.hear().await
    }

    async fn ended(mut self) -> Ended {
        let ended = tokio::time::timeout(Duration::from_secs(20), &mut self.relay).await.unwrap();
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).await.unwrap();
        ended.unwrap().unwrap()
    }
}

fn number_in(line: &str) -> i32 {
    let digits: Vec<&str> = line.split("\"text\": \"").nth(1).unwrap().split('"').collect();
    digits[0].parse().unwrap()
}

/// Whether a process is there and not merely unreaped.
fn lives(id: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with(['Z', 'X']))
}

async fn dies(id: i32) -> bool {
    for _ in 0..400 {
        if !lives(id) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn an_ordinary_session_with_a_real_server() {
    let mut client = Client::start().await;
    assert!(client.call("echo").await.contains(r#""text": "echo""#), "bytes of Python's writer, unchanged");
    client.writer.shutdown().await.unwrap();
    let ended = client.ended().await;
    assert_eq!((ended.cause, ended.code(), ended.unanswered), (Cause::ClientLeft, 0, 0));
    assert!(ended.server.unwrap().success());
}

#[tokio::test]
async fn a_server_that_dies_in_a_call_is_named_and_shows_in_the_exit_code() {
    for (name, code) in [("die", 3), ("killed", 137)] {
        let mut client = Client::start().await;
        let answer = client.call(name).await;
        assert!(answer.contains("the server srv ended before it answered. The call may have run"), "{answer}");
        assert_eq!(client.ended().await.code(), code);
    }
}

#[tokio::test]
async fn a_stubborn_server_is_ended_with_all_that_it_started() {
    let mut client = Client::start().await;
    let id = number_in(&client.call("stubborn").await);
    assert!(lives(id));
    let begin = Instant::now();
    client.stop.take().unwrap().send(()).unwrap();
    client.ended().await;
    assert!(dies(id).await);
    assert!(begin.elapsed() < Duration::from_secs(10));

    let mut client = Client::start().await;
    let id = number_in(&client.call("orphan").await);
    let ended = client.ended().await;
    assert_eq!((ended.cause, ended.code()), (Cause::ServerEnded, 0), "the orphan holds the pipe open");
    assert!(dies(id).await, "nothing of the server's group is left");
}

#[tokio::test]
async fn variables_of_callgate_do_not_reach_the_server() {
    if std::env::var_os("CALLGATE_SECRET").is_none() {
        let name = "process::variables_of_callgate_do_not_reach_the_server";
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        assert!(again.args(["--exact", name]).env("CALLGATE_SECRET", "x").status().unwrap().success());
        return;
    }
    // `CARGO` is set for the tests; only the variables of Callgate's own are taken out.
    let mut client = Client::start().await;
    let answer = client.call("environment").await;
    assert!(answer.contains(r#""text": "CARGO""#), "{answer}");
}

#[tokio::test]
async fn a_server_that_cannot_be_started_says_so() {
    for command in [vec![], vec![OsString::from("/nonexistent/server")]] {
        let settings = Relay { server: "srv".parse().unwrap(), session: None, command, limits: quick() };
        let gate = Arc::new(FakeGate::default());
        let result = relay(settings, gate, tokio::io::empty(), tokio::io::sink(), std::future::pending()).await;
        assert!(matches!(result, Err(RelayError::Start(_))));
    }
}

#[tokio::test]
async fn what_a_server_offers_is_pinned_as_given() {
    let name = "py".parse().unwrap();
    let document = pin(&name, &command(), quick()).await.unwrap();
    assert_eq!(
        String::from_utf8(document.canonical()).unwrap(),
        r#"{"instructions":"be nice","prompts":[{"name":"p"}],"server":"py","templates":[],"tools":[{"inputSchema":{"type":"object"},"name":"echo"}]}"#
    );
    assert!(diff(&document, &pin(&name, &command(), quick()).await.unwrap()).is_empty());
    let dead = ["python3", "-c", "pass"].map(OsString::from).to_vec();
    assert!(pin(&name, &dead, quick()).await.is_err());
}

/// Speaks the stateless era, the older one, or both, in different ways.
const ERAS: &str = r#"
import sys, json, time
def say(**m): print(json.dumps({"jsonrpc": "2.0", **m}), flush=True)
mode, opened, slept = sys.argv[1], None, False
VERSION = "io.modelcontextprotocol/protocolVersion"
for line in sys.stdin:
    m = json.loads(line)
    method, id, meta = m.get("method"), m.get("id"), m.get("params", {}).get("_meta", {})
    refuse = lambda code=-32601, **data: say(id=id, error={"code": code, "message": "no", **({"data": data} if data else {})})
    if id is None: continue
    if opened is None: opened = "handshake" if method == "initialize" else "stateless"
    if method == "initialize":
        # Locked by the probe that came too late, or without a handshake at all.
        if mode == "stateless" or mode == "slow" and opened == "stateless":
            refuse(-32022, supported=["2026-07-28"], requested="2025-11-25")
            continue
        say(id=id, result={"protocolVersion": "2025-11-25", "instructions": "be nice", "capabilities": {"tools": {}}, "serverInfo": {"name": "py"}})
        continue
    if method == "server/discover":
        if mode == "older": refuse()
        if mode == "older-says-so": say(id=id, result={"supportedVersions": ["2025-11-25"], "capabilities": {}, "resultType": "complete"})
        if mode == "other": refuse(-32022, supported=["2099-01-01"], requested="2026-07-28")
        if mode in ("older", "older-says-so", "silent", "other"):
            opened = None
            continue
        if mode == "slow" and not slept: slept = time.sleep(1.6) or True
        assert meta[VERSION] == "2026-07-28" and meta["io.modelcontextprotocol/clientCapabilities"]
        say(id=id, result={"supportedVersions": ["2026-07-28"], "instructions": "be nice", "capabilities": {"tools": {}}, "resultType": "complete"})
    elif method == "subscriptions/listen":
        say(method="notifications/subscriptions/acknowledged", params={"_meta": {"io.modelcontextprotocol/subscriptionId": id}, "notifications": {"toolsListChanged": True}})
    elif method == "tools/list":
        if (opened == "stateless") != (VERSION in meta): refuse(-32602)
        else: say(id=id, result={"tools": [{"name": "echo", "inputSchema": {"type": "object"}}], "resultType": "complete"})
    else: refuse()
"#;

/// Whatever a server speaks, the pins are the same: those of one era hold in the other.
#[tokio::test]
async fn a_server_of_either_era_is_pinned_alike() {
    let name = "py".parse().unwrap();
    let limits = Limits { listing: Duration::from_secs(10), ..quick() };
    for mode in ["stateless", "older", "older-says-so", "silent", "other", "slow", "both"] {
        let command = ["python3", "-c", ERAS, mode].map(OsString::from).to_vec();
        // The probe waits for less than a server that is slow to start takes.
        let limits = if ["silent", "slow"].contains(&mode) {
            Limits { listing: Duration::from_millis(1200), ..limits }
        } else {
            limits
        };
        let document = pin(&name, &command, limits).await.unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert_eq!(
            String::from_utf8(document.canonical()).unwrap(),
            r#"{"instructions":"be nice","prompts":[],"server":"py","templates":[],"tools":[{"inputSchema":{"type":"object"},"name":"echo"}]}"#,
            "{mode}"
        );
    }
}
