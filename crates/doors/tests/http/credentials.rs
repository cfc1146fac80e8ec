//! Who may ask, and for whom a request was meant.

use std::sync::atomic::Ordering;
use std::time::Duration;

use callgate_core::Kind;

use crate::harness::*;

const ENDPOINTS: [(&str, &str, bool); 6] = [
    ("POST", "/v1/decide", false),
    ("POST", "/v1/complete", false),
    ("POST", "/v1/observe", false),
    ("POST", "/v1/preview", true),
    ("GET", "/v1/status", true),
    ("GET", "/metrics", true),
];

/// A request with exactly these header fields, and a body that would be right.
async fn ask(rig: &Rig, method: &str, path: &str, fields: &str) -> Reply {
    let body = if method == "GET" { String::new() } else { echo() };
    let framing = match body.len() {
        0 => String::new(),
        length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    let mut wire = rig.connect().await;
    wire.say(&format!("{method} {path} HTTP/1.1\r\n{fields}{framing}\r\n{body}")).await;
    wire.heard(method, path).await
}

#[tokio::test]
async fn p03_without_an_accepted_credential_nothing_opens_and_the_refusal_is_recorded() {
    let rig = Rig::new();
    let host = format!("Host: {}\r\n", rig.address);
    for (method, path, operators) in ENDPOINTS {
        let other = if operators { "a b" } else { OPERATOR };
        for (credential, challenge) in [
            (String::new(), "Bearer realm=\"callgate\""),
            ("Authorization: Bearer \r\n".into(), "Bearer realm=\"callgate\", error=\"invalid_token\""),
            ("Authorization: Bearer no!agent\r\n".into(), "Bearer realm=\"callgate\", error=\"invalid_token\""),
            ("Authorization: Basic YWdlbnQtMTp4\r\n".into(), "Bearer realm=\"callgate\", error=\"invalid_token\""),
            ("Authorization: agent-1\r\n".into(), "Bearer realm=\"callgate\", error=\"invalid_token\""),
            (format!("Authorization: Bearer {other}\r\n"), "Bearer realm=\"callgate\", error=\"invalid_token\""),
            (
                "Authorization: Bearer agent-1\r\nAuthorization: Bearer agent-1\r\n".into(),
                "Bearer realm=\"callgate\", error=\"invalid_token\"",
            ),
            (
                format!("Authorization: Bearer agent-1\r\nAuthorization: Bearer {OPERATOR}\r\n"),
                "Bearer realm=\"callgate\", error=\"invalid_token\"",
            ),
            ("Proxy-Authorization: Bearer agent-1\r\n".into(), "Bearer realm=\"callgate\""),
            ("Cookie: token=agent-1\r\n".into(), "Bearer realm=\"callgate\""),
            ("X-Api-Key: agent-1\r\n".into(), "Bearer realm=\"callgate\""),
        ] {
            let before = rig.records();
            let reply = ask(&rig, method, path, &format!("{host}{credential}")).await;
            reply.denies(401, "unknown_agent");
            assert_eq!(reply.header("www-authenticate"), Some(challenge), "{path} {credential}");
            assert_eq!((rig.records(), rig.last().kind), (before + 1, Kind::CredentialRefused), "{path}");
        }
        for query in ["?token=agent-1", "?access_token=agent-1", "?Authorization=Bearer%20agent-1"] {
            ask(&rig, method, &format!("{path}{query}"), &host).await.denies(401, "unknown_agent");
        }
    }
}

#[tokio::test]
async fn p07_an_agents_credential_opens_nothing_of_the_operators() {
    let rig = Rig::new();
    let host = format!("Host: {}\r\n", rig.address);
    for (method, path, operators) in ENDPOINTS {
        if operators {
            let reply = ask(&rig, method, path, &format!("{host}Authorization: Bearer agent-1\r\n")).await;
            reply.denies(403, "not_permitted");
            // Twin: the operator's does.
            let status = rig.connect().await.raw_get(OPERATOR, path).await.status;
            assert_eq!(status, if method == "GET" { 200 } else { 405 });
        }
    }
    assert_eq!(rig.records(), 0);
}

#[tokio::test]
async fn p03_a_refusal_that_cannot_be_recorded_is_one_all_the_same() {
    let rig = Rig::new();
    for error in [callgate_core::seam::LogError::OverBudget, callgate_core::seam::LogError::Unavailable("x".into())] {
        *rig.world.failing.lock().unwrap() = Some(error);
        rig.post("no!agent", "/v1/decide", &echo()).await.denies(401, "unknown_agent");
    }
}

/// The credential is asked for again when the body is there: a call that was begun before a revocation is not decided
/// after it.
#[tokio::test]
async fn p07_a_revocation_acts_on_a_request_that_has_begun() {
    let rig = Rig::new();
    for (token, path, code) in [("agent-1", "/v1/decide", "unknown_agent"), (OPERATOR, "/v1/preview", "unknown_agent")]
    {
        rig.world.revoked.store(false, Ordering::SeqCst);
        // As large as one may be, so that it holds all of its agent's share.
        let body =
            serde_json::json!({"agent": "agent-1", "tool": "srv.echo", "arguments": {"a": "x".repeat(1_048_000)}});
        let body = body.to_string();
        let (first, rest) = body.split_at(10);
        let mut wire = rig.connect().await;
        wire.say(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{first}",
            rig.address,
            body.len()
        ))
        .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        rig.world.revoked.store(true, Ordering::SeqCst);
        wire.say(rest).await;
        wire.heard("POST", path).await.denies(401, code);
        // And on the next one of the same connection.
        wire.post(token, path, &body).await.denies(401, code);
        rig.world.revoked.store(false, Ordering::SeqCst);
        assert_eq!(wire.post(token, path, &body).await.status, 200, "twin");
    }
}

#[tokio::test]
async fn p07_a_request_that_was_meant_for_others_or_made_by_a_page_is_refused() {
    let rig = Rig::new();
    let own = rig.address;
    for (fields, status) in [
        (format!("Host: {own}\r\n"), 200),
        (format!("Host: localhost:{}\r\n", own.port()), 200),
        (format!("Host: {own}\r\nOrigin: http://localhost:3000\r\n"), 200),
        (String::new(), 400),
        (format!("Host: {own}\r\nHost: {own}\r\n"), 400),
        ("Host: localhost\r\n".into(), 403),
        (format!("Host: evil.example:{}\r\n", own.port()), 403),
        (format!("Host: rebound.localhost:{}\r\n", own.port()), 403),
        (format!("Host: {own}\r\nOrigin: http://{own}\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: null\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: http://localhost:3000\r\nOrigin: http://evil.example\r\n"), 403),
    ] {
        for (method, path, operators) in ENDPOINTS {
            let token = if operators { OPERATOR } else { "agent-1" };
            let mut wire = rig.connect().await;
            let body = if method == "GET" { "" } else { "{}" };
            let framing = if method == "GET" { "" } else { "Content-Type: application/json\r\nContent-Length: 2\r\n" };
            let head = format!("{method} {path} HTTP/1.1\r\n{fields}Authorization: Bearer {token}\r\n{framing}\r\n");
            wire.say(&(head + body)).await;
            let reply = wire.hear().await.unwrap();
            if status == 200 {
                assert!([200, 400].contains(&reply.status), "{fields} {path}: {reply:?}");
                assert!(!reply.body.contains("not_permitted"));
            } else {
                reply.denies(status, "not_permitted");
                assert!(wire.is_over().await, "and no more of it is heard");
            }
        }
        for path in ["/healthz", "/openapi.json"] {
            assert_eq!(ask(&rig, "GET", path, &fields).await.status, status, "{fields}");
        }
    }
}

#[tokio::test]
async fn only_the_loopback_interface_is_listened_on() {
    use callgate_doors::http::{HttpError, Listening};
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = Listening::bind(address.parse().unwrap());
        assert!(matches!(refused, Err(HttpError::NotLoopback(_))), "{address}");
    }
    let held = Listening::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    assert!(matches!(Listening::bind(held.address()), Err(HttpError::InUse(_))));
    let address = held.address();
    drop(held);
    assert!(Listening::bind(address).is_ok(), "a gate that starts again");
}
