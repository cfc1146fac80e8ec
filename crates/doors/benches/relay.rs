//! What the relay adds to a message, beside the same message without it.
//!
//! The server is this program, started as a process: it answers each line. Directly, the client talks to
//! it through pipes; relayed, through a socket to the relay, which talks to it through pipes. The gate
//! allows everything and keeps nothing, so that the numbers are the door's own: a decision's fsync and
//! the socket to the gate come on top. What is not measured: a busy machine, a client in another process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench may fail"
)]
#![allow(missing_docs, reason = "a bench")]

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate_core::gate::{Observed, Passing};
use callgate_core::seam::{Later, Offer, Standing};
use callgate_core::{CallFault, Code, Completion, Decision, Reason, Receipt, Request, ServerName};
use callgate_doors::mcp::{Limits, Relay, relay};
use callgate_doors::{Operations, Ruling};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

struct Open;

impl Operations for Open {
    fn decide(&self, _: Result<Request, CallFault>) -> Later<'_, Ruling> {
        let ruling = Ruling {
            id: "D".to_owned(),
            decision: Decision::Allow,
            code: Code::Permitted,
            for_model: String::new(),
            permit: Some("P".to_owned()),
        };
        Box::pin(async { ruling })
    }

    fn complete(&self, _: Completion) -> Later<'_, Result<Receipt, Reason>> {
        Box::pin(async { Ok(Receipt { log: String::new(), index: 0 }) })
    }

    fn standing(&self, _: ServerName, offers: Vec<Offer>) -> Later<'_, Result<Vec<Standing>, Reason>> {
        Box::pin(async move { Ok(vec![Standing::Shown; offers.len()]) })
    }

    fn observe(&self, texts: Vec<Passing>) -> Later<'_, Result<Vec<Observed>, Reason>> {
        Box::pin(async move { Ok(vec![Observed::Unchanged; texts.len()]) })
    }
}

/// Answers every request by its id, which is the last member of each line; a call with a text of as many
/// bytes as its argument says.
fn serve() {
    use std::io::{BufRead, Write};
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let Some((_, id)) = line.rsplit_once("\"id\":") else { continue };
        let result = match () {
            () if line.contains("\"initialize\"") => {
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#.to_owned()
            }
            () if line.contains("tools/list") => r#"{"tools":[{"name":"echo"}]}"#.to_owned(),
            () if line.contains("tools/call") => {
                let size = line.split("\"size\":").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
                format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, "x".repeat(size.parse().unwrap()))
            }
            () => "{}".to_owned(),
        };
        let id = id.split(['}', ',']).next().unwrap();
        writeln!(out, r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).unwrap();
        out.flush().unwrap();
    }
}

struct Client<R, W> {
    reader: BufReader<R>,
    writer: W,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Client<R, W> {
    async fn round_trip(&mut self, message: &str) -> Duration {
        let begin = Instant::now();
        self.writer.write_all(message.as_bytes()).await.unwrap();
        self.line.clear();
        self.reader.read_until(b'\n', &mut self.line).await.unwrap();
        begin.elapsed()
    }

    async fn measure(&mut self, message: &str, rounds: usize) -> (f64, f64) {
        let mut times = Vec::new();
        for round in 0..rounds + rounds / 10 {
            let time = self.round_trip(&message.replace("ID", &format!("{}", round + 100))).await;
            if round >= rounds / 10 {
                times.push(time.as_secs_f64() * 1e6);
            }
        }
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[times.len() * 99 / 100])
    }

    async fn greet(&mut self) {
        self.round_trip("{\"jsonrpc\":\"2.0\",\"method\":\"initialize\",\"id\":0}\n").await;
        self.writer.write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n").await.unwrap();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if std::env::args().any(|argument| argument == "--serve") {
        return tokio::task::spawn_blocking(serve).await.unwrap();
    }
    let program = std::env::current_exe().unwrap();
    let mut server = tokio::process::Command::new(&program);
    server.arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut server = server.spawn().unwrap();
    let (writer, reader) = (server.stdin.take().unwrap(), server.stdout.take().unwrap());
    let mut direct = Client { reader: BufReader::new(reader), writer, line: Vec::new() };
    direct.greet().await;

    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let settings = Relay {
        server: "bench".parse().unwrap(),
        session: None,
        command: vec![program.into_os_string(), "--serve".into()],
        limits: Limits::default(),
    };
    // As `callgate mcp` does: one thread for the whole relay.
    let theirs = theirs.into_std().unwrap();
    let relaying = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (input, output) = tokio::net::UnixStream::from_std(theirs).unwrap().into_split();
            relay(settings, Arc::new(Open), input, output, std::future::pending()).await.unwrap()
        })
    });
    let (reader, writer) = ours.into_split();
    let mut relayed = Client { reader: BufReader::new(reader), writer, line: Vec::new() };
    relayed.greet().await;

    println!(
        "{:<28} {:>11} {:>11} {:>9} {:>7} {:>11} {:>11}",
        "round trip, µs", "direct p50", "relay p50", "added", "ratio", "direct p99", "relay p99"
    );
    let ping = "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":ID}\n";
    let call = |size: usize| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{{\"size\":{size}}}}},\"id\":ID}}\n"
        )
    };
    for (name, message, rounds) in [
        ("ping (undecided)", ping.to_owned(), 5000),
        ("tools/list (filtered)", "{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"id\":ID}\n".to_owned(), 5000),
        ("call, result 100 B", call(100), 5000),
        ("call, result 10 KiB", call(10 << 10), 2000),
        ("call, result 1 MiB", call(1 << 20), 100),
    ] {
        let (direct_half, direct_most) = direct.measure(&message, rounds).await;
        let (relay_half, relay_most) = relayed.measure(&message, rounds).await;
        println!(
            "{name:<28} {direct_half:>11.1} {relay_half:>11.1} {:>9.1} {:>7.2} {direct_most:>11.1} {relay_most:>11.1}",
            relay_half - direct_half,
            relay_half / direct_half,
        );
    }
    drop(relayed);
    let _ = relaying.join();
}
