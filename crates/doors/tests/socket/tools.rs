//! `call_tool` and `cancel`: what the socket does around a tool, whatever the tool does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callgate_core::seam::Later;
use callgate_core::{CallFault, Caller, Decision, Request};
use callgate_doors::socket::{ClientError, Limits};
use callgate_doors::tools::{Called, Conduct, Progress, ToolResult, Tools};
use callgate_text::Json;
use tokio::sync::mpsc;

use crate::harness::*;

/// A tool that does as its name says, and counts what runs.
#[derive(Default)]
struct Scripted {
    running: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Tools for Scripted {
    fn call(
        &self,
        _: Caller,
        _: &'static str,
        call: Result<Request, CallFault>,
        conduct: Conduct,
    ) -> Later<'_, Called> {
        Box::pin(async move {
            self.running.fetch_add(1, Ordering::SeqCst);
            let tool = call.map(|call| call.tool.tool().to_owned()).unwrap_or_default();
            assert!(tool != "panics", "as asked");
            let state = match tool.as_str() {
                "waits" => {
                    conduct.tell(Progress { done: 1, message: Some("waiting".to_owned()) });
                    conduct.cancelled().await;
                    self.cancelled.fetch_add(1, Ordering::SeqCst);
                    "cancelled"
                }
                "chatters" => {
                    for done in 0..10_000 {
                        conduct.tell(Progress { done, message: Some("x".repeat(1000)) });
                        tokio::task::yield_now().await;
                    }
                    "done"
                }
                _ => "done",
            };
            self.running.fetch_sub(1, Ordering::SeqCst);
            let mut result = ToolResult { texts: vec![tool], ..ToolResult::default() };
            result.structured.set("state", state);
            Called::Ran { id: "1".to_owned(), decision: Decision::Allow, result }
        })
    }
}

fn rig() -> (Rig, Arc<Scripted>, tempfile::TempDir) {
    let tools = Arc::new(Scripted::default());
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::offering(directory.path().join("run/gate.sock"), Limits::default(), Some(tools.clone()));
    (rig, tools, directory)
}

fn state(called: Called) -> String {
    let Called::Ran { result, .. } = called else { panic!("{called:?}") };
    result.structured.get("state").and_then(Json::as_str).unwrap().to_owned()
}

async fn until(so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to that");
}

fn call(id: i64, tool: &str) -> Vec<u8> {
    let original = callgate_text::Digest::of(b"x");
    format!(r#"{{"id":{id},"op":"call_tool","body":{{"tool":"callgate.{tool}","original":"{original}"}}}}"#)
        .into_bytes()
}

#[tokio::test]
async fn a_call_is_followed_and_cancelled() {
    let (rig, tools, _directory) = rig();
    let client = rig.client(Some("agent-1"));
    let (progress, mut told) = mpsc::channel::<Progress>(4);
    let waiting = async {
        assert_eq!(told.recv().await.unwrap().message.as_deref(), Some("waiting"));
    };
    assert_eq!(state(client.call_tool(&Ok(request("callgate.waits")), progress, waiting).await.unwrap()), "cancelled");
    assert_eq!(tools.running.load(Ordering::SeqCst), 0);
    // Other operations go on beside it.
    let (progress, _told) = mpsc::channel(1);
    let called = client.call_tool(&Ok(request("callgate.quick")), progress, std::future::pending()).await.unwrap();
    assert_eq!(state(called), "done");
}

#[tokio::test]
async fn progress_never_holds_a_call_up() {
    let (rig, _, _directory) = rig();
    let client = rig.client(Some("agent-1"));
    // Nobody takes it out.
    let (progress, _told) = mpsc::channel(1);
    let called = client.call_tool(&Ok(request("callgate.chatters")), progress, std::future::pending()).await.unwrap();
    assert_eq!(state(called), "done");
    // And a peer that does not read is not waited for: what it would have read does not pile up.
    let mut raw = rig.raw().await;
    raw.greet("agent-2").await;
    assert!(raw.say(&call(1, "chatters")).await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut frames = 0;
    while !raw.hear().await.unwrap().contains("\"ok\"") {
        frames += 1;
    }
    assert!(frames < 10_000);
}

#[tokio::test]
async fn the_end_of_a_connection_ends_its_calls() {
    let (mut rig, tools, _directory) = rig();
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    for id in 0..3 {
        assert!(raw.say(&call(id, "waits")).await);
    }
    until(|| tools.running.load(Ordering::SeqCst) == 3).await;
    drop(raw);
    until(|| tools.cancelled.load(Ordering::SeqCst) == 3).await;
    // So does the end of the gate.
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    assert!(raw.say(&call(1, "waits")).await);
    until(|| tools.running.load(Ordering::SeqCst) == 1).await;
    rig.stop().await;
    assert_eq!((tools.running.load(Ordering::SeqCst), tools.cancelled.load(Ordering::SeqCst)), (0, 4));
}

/// Requests run side by side: a cancellation that overtakes its call must not be lost.
#[tokio::test]
async fn a_cancellation_may_come_first() {
    let (rig, tools, _directory) = rig();
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    assert!(raw.say(br#"{"id":1,"op":"cancel","body":{"id":7}}"#).await);
    assert!(raw.hear().await.unwrap().contains("\"under_way\":false"));
    assert!(raw.say(&call(7, "waits")).await);
    loop {
        let line = raw.hear().await.unwrap();
        if line.contains("\"ok\"") {
            assert!(line.contains("\"state\":\"cancelled\""), "{line}");
            break;
        }
    }
    // It counts for one call, not for every later one of this id; and a flood of them is forgotten.
    for id in 100..400 {
        assert!(raw.say(format!(r#"{{"id":{id},"op":"cancel","body":{{"id":{id}}}}}"#).as_bytes()).await);
        assert!(raw.hear().await.unwrap().contains("\"under_way\":false"));
    }
    assert!(raw.say(&call(7, "quick")).await);
    assert!(raw.hear().await.unwrap().contains("\"state\":\"done\""));
    assert_eq!(tools.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_no_call_is_refused() {
    let (rig, tools, _directory) = rig();
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    for body in ["{}", "[]", r#"{"id":"1"}"#, r#"{"id":1,"more":2}"#, "null"] {
        assert!(raw.say(format!(r#"{{"id":1,"op":"cancel","body":{body}}}"#).as_bytes()).await);
        assert!(raw.hear().await.unwrap().contains("\"error\""), "{body}");
    }
    // Two calls of one id at a time could not be told apart.
    assert!(raw.say(&call(5, "waits")).await);
    until(|| tools.running.load(Ordering::SeqCst) == 1).await;
    assert!(raw.say(&call(5, "quick")).await);
    loop {
        let line = raw.hear().await.unwrap();
        if !line.contains("progress") {
            assert!(line.contains("\"error\"") && line.contains("under way"), "{line}");
            break;
        }
    }
    // Another connection's ids are its own.
    let mut other = rig.raw().await;
    other.greet("agent-2").await;
    assert!(other.say(br#"{"id":1,"op":"cancel","body":{"id":5}}"#).await);
    assert!(other.hear().await.unwrap().contains("\"under_way\":false"));
    assert_eq!(tools.cancelled.load(Ordering::SeqCst), 0);
}

/// A tool that panics ends one request; a gate without tools says so.
#[tokio::test]
async fn a_failing_tool_is_an_answer() {
    let (rig, _, _directory) = rig();
    let client = rig.client(Some("agent-1"));
    let (progress, _told) = mpsc::channel(1);
    let called = client.call_tool(&Ok(request("callgate.panics")), progress.clone(), std::future::pending()).await;
    assert!(matches!(called, Err(ClientError::Refused(_))), "{called:?}");
    let called = client.call_tool(&Ok(request("callgate.quick")), progress.clone(), std::future::pending()).await;
    assert_eq!(state(called.unwrap()), "done");
    let bare = Rig::new();
    let client = bare.client(Some("agent-1"));
    let called = client.call_tool(&Ok(request("callgate.quick")), progress, std::future::pending()).await;
    assert!(matches!(called, Err(ClientError::Refused(reason)) if reason.message.contains("no tools")));
}
