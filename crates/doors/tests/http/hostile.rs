//! Bytes that parsers disagree about, and clients that lie about what they send.

use std::time::Duration;

use callgate_core::Decision;

use crate::harness::*;

/// A request whose framing is exactly this, its body a call that would be allowed.
fn framed(rig: &Rig, framing: &str, body: &str) -> String {
    format!(
        "POST /v1/decide HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer agent-1\r\nContent-Type: application/json\r\n\
         {framing}\r\n{body}",
        rig.address
    )
}

fn allowed(rig: &Rig) -> usize {
    let records = rig.world.records.lock().unwrap();
    records.iter().filter(|record| record.decision == Some(Decision::Allow)).count()
}

#[tokio::test]
async fn a_body_has_one_length_or_none_of_it_counts() {
    let rig = Rig::new();
    let (body, n) = (echo(), echo().len());
    let chunked = format!("{n:x}\r\n{body}\r\n0\r\n\r\n");
    for (framing, body, status) in [
        (format!("Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n"), &chunked, 411),
        (format!("Transfer-Encoding: chunked\r\nContent-Length: {n}\r\n"), &chunked, 411),
        (format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", chunked.len()), &chunked, 411),
        ("Transfer-Encoding: chunked\r\n".into(), &chunked, 411),
        (format!("Transfer-Encoding: identity\r\nContent-Length: {n}\r\n"), &body, 400),
        (format!("Transfer-Encoding: chunked, identity\r\nContent-Length: {n}\r\n"), &chunked, 400),
        (format!("Transfer-Encoding: xchunked\r\nContent-Length: {n}\r\n"), &chunked, 400),
        (format!("Transfer-Encoding : chunked\r\nContent-Length: {n}\r\n"), &chunked, 400),
        (format!("Transfer-Encoding:\u{b}chunked\r\nContent-Length: {n}\r\n"), &chunked, 400),
        (format!("Content-Length: {n}\r\nContent-Length: {}\r\n", n + 1), &body, 400),
        (format!("Content-Length: {n}, {n}\r\n"), &body, 400),
        (format!("Content-Length: +{n}\r\n"), &body, 400),
        (format!("Content-Length: 0x{n:x}\r\n"), &body, 400),
        ("Content-Length: -1\r\n".into(), &body, 400),
        ("Content-Length: 18446744073709551616\r\n".into(), &body, 400),
        ("".into(), &body, 411),
        ("Content-Length: 1048577\r\nExpect: 100-continue\r\n".into(), &body, 413),
        // Obsolete line folding, a bare carriage return, a space in a name, no colon, a NUL.
        (format!("X: a\r\n b\r\nContent-Length: {n}\r\n"), &body, 400),
        (format!("X: a\rContent-Length: 0\r\nContent-Length: {n}\r\n"), &body, 400),
        (format!("X y: a\r\nContent-Length: {n}\r\n"), &body, 400),
        (format!("X\r\nContent-Length: {n}\r\n"), &body, 400),
        (format!("X: a\0\r\nContent-Length: {n}\r\n"), &body, 400),
    ] {
        let mut wire = rig.connect().await;
        wire.say(&framed(&rig, &framing, body)).await;
        let reply = wire.hear().await.unwrap_or_else(|| panic!("no answer: {framing}"));
        assert_eq!(reply.status, status, "{framing}");
        assert!(!reply.body.contains("allow\""), "{framing}");
        assert!(wire.is_over().await, "nothing behind it is a request: {framing}");
        assert_eq!(allowed(&rig), 0, "{framing}");
    }
    // Twins: said twice alike, or with more around it, a length is one.
    for framing in [format!("Content-Length: {n}\r\nContent-Length: {n}\r\n"), format!("content-length:{n}  \r\n")] {
        let mut wire = rig.connect().await;
        wire.say(&framed(&rig, &framing, &body)).await;
        assert_eq!(wire.heard("POST", "/v1/decide").await.said().1, "allow", "{framing}");
    }
}

/// What lies behind a request is the next one, and proves its own caller.
#[tokio::test]
async fn a_request_behind_another_has_no_credential_of_it() {
    let rig = Rig::new();
    let smuggled = format!(
        "POST /v1/decide HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        rig.address,
        echo().len(),
        echo()
    );
    let mut wire = rig.connect().await;
    wire.say(&framed(&rig, "Content-Length: 2\r\n", &format!("{{}}{smuggled}"))).await;
    wire.heard("POST", "/v1/decide").await.denies(400, "invalid_arguments");
    wire.heard("POST", "/v1/decide").await.denies(401, "unknown_agent");
    assert_eq!(allowed(&rig), 0);
    // Twin: many requests at once are answered in their order.
    let one = framed(&rig, &format!("Content-Length: {}\r\n", echo().len()), &echo());
    wire.say(&one.repeat(5)).await;
    for _ in 0..5 {
        assert_eq!(wire.heard("POST", "/v1/decide").await.said().1, "allow");
    }
}

const HUNG_UP: u16 = 0;

#[tokio::test]
async fn heads_are_bounded_and_plain() {
    let rig = Rig::new();
    let host = format!("Host: {}\r\n", rig.address);
    let many: String = (0..100).map(|n| format!("X-{n}: a\r\n")).collect();
    for (head, status) in [
        (format!("GET /healthz HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(20_000)), 431),
        (format!("GET /healthz HTTP/1.1\r\n{host}{many}\r\n"), 431),
        (format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(20_000)), 431),
        (format!("GET http://{}/healthz HTTP/1.1\r\n{host}\r\n", rig.address), 400),
        (format!("GET http://evil.example/healthz HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("CONNECT {} HTTP/1.1\r\n{host}\r\n", rig.address), 400),
        (format!("OPTIONS * HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("GET /healthz HTTP/2.0\r\n{host}\r\n"), 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), HUNG_UP),
        ("GET /healthz\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".to_owned(), 400),
        (format!("GET /healthz HTTP/1.1\r\n{host}Content-Length: 2\r\n\r\n{{}}"), 400),
        (format!("GET /healthz HTTP/1.1\r\n{host}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n"), 200),
        (format!("GET /healthz HTTP/1.0\r\n{host}\r\n"), 200),
        (format!("GET /healthz?token=x#f HTTP/1.1\r\n{host}\r\n"), 200),
        (format!("GET /healthz HTTP/1.1\r\n{host}\r\n"), 200),
    ] {
        let mut wire = rig.connect().await;
        wire.say(&head).await;
        let got = wire.hear().await.map_or(HUNG_UP, |reply| reply.status);
        assert_eq!(got, status, "{}", head.get(..60).unwrap_or(&head));
    }
}

#[tokio::test]
async fn what_is_not_declared_as_json_is_not_read_as_json() {
    let rig = Rig::new();
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
        let mut wire = rig.connect().await;
        wire.say(&format!(
            "POST /v1/decide HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer agent-1\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\n\r\n{}",
            rig.address,
            echo().len(),
            echo()
        ))
        .await;
        wire.heard("POST", "/v1/decide").await.denies(415, "invalid_arguments");
    }
    assert_eq!(allowed(&rig), 0);
}

#[tokio::test]
async fn a_call_may_have_one_mebibyte_and_no_more() {
    let rig = Rig::new();
    let call = |length: usize| {
        let bare = serde_json::json!({"tool": "srv.echo", "arguments": {"a": ""}}).to_string();
        bare.replace("\"\"", &format!("\"{}\"", "x".repeat(length - bare.len())))
    };
    // The canonical form has the agent's name, too, and counts as well.
    assert_eq!(rig.post("agent-1", "/v1/decide", &call((1 << 20) - 64)).await.said().1, "allow");
    rig.post("agent-1", "/v1/decide", &call(1 << 20)).await.denies(200, "invalid_arguments");
    rig.post("agent-1", "/v1/decide", &call((1 << 20) + 1)).await.denies(413, "invalid_arguments");
    rig.post("agent-1", "/v1/decide", &call(4 << 20)).await.denies(413, "invalid_arguments");
    rig.post("agent-1", "/v1/observe", &format!("{{\"texts\":[\"{}\"]}}", "x".repeat(1 << 20)))
        .await
        .denies(413, "invalid_arguments");
    let values = format!("{{\"tool\":\"srv.echo\",\"arguments\":{{\"a\":[{}1]}}}}", "[],".repeat(300_000));
    rig.post("agent-1", "/v1/decide", &values).await.denies(400, "invalid_arguments");
    let deep = format!("{{\"tool\":\"srv.echo\",\"arguments\":{{\"a\":{}{}}}}}", "[".repeat(70), "]".repeat(70));
    rig.post("agent-1", "/v1/decide", &deep).await.denies(400, "invalid_arguments");
    // Whoever asks first whether it may send learns that it may not, before it has sent anything.
    let mut wire = rig.connect().await;
    wire.say(&framed(&rig, "Content-Length: 2000000\r\nExpect: 100-continue\r\n", "")).await;
    wire.heard("POST", "/v1/decide").await.denies(413, "invalid_arguments");
    let mut wire = rig.connect().await;
    wire.say(&framed(&rig, &format!("Content-Length: {}\r\nExpect: 100-continue\r\n", echo().len()), "")).await;
    assert_eq!(wire.hear().await.unwrap().status, 100);
    wire.say(&echo()).await;
    assert_eq!(wire.heard("POST", "/v1/decide").await.said().1, "allow");
}

/// A client that hangs up before its answer leaves a record, and what it held is free again.
#[tokio::test]
async fn hanging_up_holds_nothing() {
    let rig = Rig::new();
    rig.world.disk.forget_permits(1_000_000);
    let whole = framed(&rig, &format!("Content-Length: {}\r\n", echo().len()), &echo());
    for cut in [10, 100, whole.len() - 1, whole.len()] {
        for _ in 0..20 {
            let mut wire = rig.connect().await;
            wire.say(&whole[..cut]).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    rig.world.disk.add_permits(1_000_000);
    eventually("every place is free", || {
        let now = rig.attendance.now();
        now.waiting == 0 && now.seated == 0
    })
    .await;
    assert_eq!(rig.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow");
}

/// Whoever is not known leaves nothing behind, however often it comes and hangs up while the disk is slow.
#[tokio::test]
async fn hanging_up_without_a_credential_leaves_no_work() {
    let rig = Rig::with(callgate_doors::http::Limits { waiting: 8, waiting_per_uid: 8, ..Default::default() });
    rig.world.disk.forget_permits(1_000_000);
    let head = format!("GET /v1/status HTTP/1.1\r\nHost: {}\r\n\r\n", rig.address);
    for _ in 0..200 {
        let mut wire = rig.connect().await;
        wire.say(&head).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (waiting, _) = *rig.world.waiting.lock().unwrap();
    assert!(waiting > 0, "some of it came to the gate");
    rig.world.disk.add_permits(1_000_000);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(rig.records() <= 16, "{} were still at work", rig.records());
    assert_eq!(rig.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow");
}
