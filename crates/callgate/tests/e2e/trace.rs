//! Promise 6, by the system's own word: the `fdatasync` that covers a record has returned before the
//! first byte of its call is released.
//!
//! The gate and the door run under one `strace`; the client is this test, outside of it. So every
//! traced write of a `tools/call` is a release.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house::{CALLGATE, House, missing};
use crate::wire::{Wire, secret, start_http};

const CALLS: usize = 12;

/// Makes [`CALLS`] allowed calls through a traced gate and door, one after the other.
fn traced(inject: Option<&str>) -> String {
    let house = House::quickstart();
    let (token, trace, journal) = (house.token("support-1"), house.path().join("trace"), house.path().join("journal"));
    let script = r#"
        "$0" serve "$1" --state "$2" >/dev/null 2>&1 & gate=$!
        while [ ! -S "$2/run/gate.sock" ]; do sleep 0.05; done
        "$0" mcp --server desk --gate "$1" --state "$2" --credential "$3" -- "$0" demo-server desk --journal "$4"
        kill $gate; wait"#;
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-s",
        "20000",
        "-e",
        "trace=write,writev,pwrite64,pwritev,fdatasync,fsync,sendto,sendmsg",
    ]);
    if let Some(inject) = inject {
        command.args(["-e", inject]);
    }
    command.arg("-o").arg(&trace).args(["sh", "-c", script, CALLGATE]);
    command.arg(house.gate()).arg(house.state()).arg(token).arg(journal);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("strace runs");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut ask = |message: Value| -> Option<Value> {
        writeln!(stdin, "{message}").expect("the door reads");
        message.get("id")?;
        loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).expect("the door answers") > 0, "the door hung up");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            if answer["id"] == message["id"] {
                return Some(answer);
            }
        }
    };
    let client =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    ask(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}));
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    for id in 1..=CALLS {
        let params = json!({"name": "read_ticket", "arguments": {"id": format!("T-{id}")}});
        let answer = ask(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}));
        assert!(answer.is_some_and(|answer| answer["result"]["isError"] != json!(true)), "call {id} was denied");
    }
    drop(stdin);
    child.wait().expect("ends");
    String::from_utf8_lossy(&fs::read(trace).expect("a trace")).into_owned()
}

/// What a trace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// This many records of allowed calls were handed to the system, not yet durable.
    Recorded(usize),
    /// An fdatasync or fsync really returned.
    Synced,
    /// The first byte of a call is about to go to the server.
    Released,
}

/// Reads a trace. A call that another thread's line interrupts is two lines: a release counts from the
/// first, a sync from the second. A return value that strace injected is no sync at all.
fn events(trace: &str, is_release: fn(&str) -> bool) -> Vec<Event> {
    let mut unfinished = BTreeMap::new();
    let mut events = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            events.extend(is_release(start).then_some(Event::Released));
            unfinished.insert(thread, start.to_owned());
            continue;
        }
        let (whole, fresh) = match rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            Some((_, end)) => (format!("{}{end}", unfinished.remove(thread).unwrap_or_default()), false),
            None => (rest.to_owned(), true),
        };
        let is_sync = whole.starts_with("fdatasync(") || whole.starts_with("fsync(");
        let records = whole.matches(r#"\"decision\":\"allow\""#).count();
        if is_sync && whole.ends_with("= 0") {
            events.push(Event::Synced);
        } else if records > 0 && whole.contains(r#"\"commitments\":"#) {
            events.push(Event::Recorded(records));
        } else if fresh && is_release(&whole) {
            events.push(Event::Released);
        }
    }
    events
}

fn to_server(call: &str) -> bool {
    call.starts_with("write") && call.contains(r#"\"method\":\"tools/call\""#)
}

/// Over HTTP a call is released by the answer with its permit: what runs then is the client's.
fn over_http(call: &str) -> bool {
    (call.starts_with("write") || call.starts_with("send"))
        && call.contains("HTTP/1.1 200 OK")
        && call.contains(r#"\"permit\":\""#)
}

/// How many releases there are, if each came after the sync of its record.
fn check(events: &[Event]) -> Result<usize, String> {
    let (mut pending, mut durable, mut released) = (0, 0, 0);
    for event in events {
        match event {
            Event::Recorded(count) => pending += count,
            Event::Synced => durable += std::mem::take(&mut pending),
            Event::Released => released += 1,
        }
        if released > durable {
            return Err(format!("release {released} came when {durable} records were durable"));
        }
    }
    Ok(released)
}

fn no_strace() -> bool {
    missing("strace", Path::new("/usr/bin/strace").exists())
}

#[test]
fn p06_the_sync_of_a_record_returns_before_its_call_is_released() {
    if no_strace() {
        return;
    }
    let trace = traced(None);
    let events = events(&trace, to_server);
    assert_eq!(check(&events), Ok(CALLS), "{events:?}");
}

#[test]
fn p06_a_gate_whose_syncs_do_nothing_fails_that_test() {
    if no_strace() {
        return;
    }
    let trace = traced(Some("inject=fdatasync,fsync:retval=0"));
    assert!(trace.contains("(INJECTED)"));
    assert!(check(&events(&trace, to_server)).is_err());
}

#[test]
fn p06_the_sync_of_a_record_returns_before_its_permit_leaves_over_http() {
    if no_strace() {
        return;
    }
    let house = House::quickstart();
    let (token, trace) = (secret(house.token("support-1")), house.path().join("trace"));
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-s", "20000", "-e"]);
    traced.arg("trace=write,writev,pwrite64,pwritev,fdatasync,fsync,sendto,sendmsg").arg("-o").arg(&trace);
    traced.arg(CALLGATE).arg("serve").arg(house.gate()).arg("--state").arg(house.state());
    let (mut serve, address) = start_http(traced);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut wire = Wire::open(address).await.expect("connects");
        for id in 1..=CALLS {
            let call = json!({"tool": "desk.read_ticket", "arguments": {"id": format!("T-{id}")}}).to_string();
            let (status, answer) = wire.post(&token, "/v1/decide", &call).await.expect("answers");
            assert!(status == 200 && answer.contains("\"decision\":\"allow\""), "{answer}");
        }
    });
    // The gate is what strace started; strace ends with it.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", serve.0.id())).expect("reads");
    let gate = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a child");
    let gate = rustix::process::Pid::from_raw(gate).expect("a process");
    rustix::process::kill_process(gate, rustix::process::Signal::TERM).expect("signals");
    assert!(serve.0.wait().expect("waits").success());
    let trace = String::from_utf8_lossy(&fs::read(trace).expect("a trace")).into_owned();
    let events = events(&trace, over_http);
    assert_eq!(check(&events), Ok(CALLS), "{events:?}");
}
