//! Every endpoint, and what its statuses mean.

use std::sync::atomic::Ordering;

use callgate_core::seam::LogError;
use callgate_core::{Decision, Kind};
use serde_json::{Value, json};

use crate::harness::*;

#[tokio::test]
async fn a_call_is_decided_and_its_outcome_reported_once_by_its_own_agent() {
    let rig = Rig::new();
    let answer = rig.post("agent-1", "/v1/decide", &echo()).await;
    assert_eq!(answer.said(), (200, "allow".into(), "permitted".into()));
    let record = rig.last();
    assert_eq!((record.kind, record.decision), (Kind::Decision, Some(Decision::Allow)));
    assert_eq!(record.agent.unwrap().as_str(), "agent-1");

    let answer = answer.json();
    let outcome = |more: Value| {
        let mut body = json!({"id": answer["id"], "permit": answer["permit"], "status": "ok"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let digest = "sha256:".to_owned() + &"0".repeat(64);
    rig.post("agent-1", "/v1/complete", &outcome(json!({"result": 1, "result_digest": digest})))
        .await
        .denies(400, "invalid_arguments");
    rig.post("agent-2", "/v1/complete", &outcome(json!({}))).await.denies(409, "permit_spent");
    let kept = rig.post("agent-1", "/v1/complete", &outcome(json!({"result": {"b": 1.50, "a": "x"}}))).await;
    assert_eq!((kept.status, kept.json()), (200, json!({"receipt": {"log": "log", "index": 1}})));
    let result = rig.last().sealed.into_iter().find(|sealed| sealed.name == "result").unwrap().value;
    let canonical = callgate_text::Digest::of(br#"{"a":"x","b":1.5}"#);
    assert_eq!(result, callgate_text::Json::from(canonical));
    rig.post("agent-1", "/v1/complete", &outcome(json!({}))).await.denies(409, "permit_spent");
}

#[tokio::test]
async fn a_denied_call_is_an_answer_and_not_an_error() {
    let rig = Rig::new();
    let answer = rig.post("agent-1", "/v1/decide", r#"{"tool":"srv.forbidden"}"#).await;
    answer.denies(200, "not_permitted");
    assert!(answer.json()["model"].as_str().unwrap().starts_with("Denied: not_permitted."));
    assert_eq!(rig.last().decision, Some(Decision::Deny));
}

#[tokio::test]
async fn what_is_no_call_is_denied_and_recorded() {
    let rig = Rig::new();
    for (body, status) in [
        ("", 400),
        ("{}", 400),
        ("[]", 400),
        ("null", 400),
        ("{\"tool\":\"srv.echo\"", 400),
        ("{\"tool\":\"srv.echo\"} {}", 400),
        ("{\"tool\":\"srv\"}", 400),
        ("{\"tool\":1}", 400),
        ("{\"tool\":\"srv.echo\",\"arguments\":[]}", 400),
        ("{\"tool\":\"srv.echo\",\"arguments\":null}", 400),
        ("{\"tool\":\"srv.echo\",\"more\":1}", 400),
        ("{\"tool\":\"srv.forbidden\",\"tool\":\"srv.echo\"}", 400),
        ("{\"tool\":\"srv.echo\",\"Tool\":\"srv.forbidden\"}", 400),
        ("{\"tool\":\"srv.echo\",\"arguments\":{\"a\":1,\"A\":2}}", 400),
        ("{\"tool\":\"srv.echo\",\"arguments\":{\"a\":9007199254740993}}", 400),
        ("{\"tool\":\"srv.echo\",\"session\":\"\"}", 400),
        ("{\"tool\":\"srv.echo\",\"agent\":\"a b\"}", 400),
        ("tool=srv.echo", 400),
        // A call, and denied as one: over HTTP the credential says who calls.
        ("{\"tool\":\"srv.echo\",\"agent\":\"agent-2\"}", 200),
    ] {
        let before = rig.records();
        rig.post("agent-1", "/v1/decide", body).await.denies(status, "invalid_arguments");
        assert_eq!(rig.records(), before + 1, "{body}");
        let record = rig.last();
        assert_eq!((record.kind, record.decision), (Kind::Decision, Some(Decision::Deny)), "{body}");
    }
    let own = r#"{"tool":"srv.echo","agent":"agent-1"}"#;
    assert_eq!(rig.post("agent-1", "/v1/decide", own).await.said().1, "allow");
}

#[tokio::test]
async fn p04_what_the_gate_cannot_do_now_is_a_denial_with_a_status_of_its_own() {
    let rig = Rig::new();
    for (error, status, code) in [
        (LogError::OverBudget, 429, "rate_exceeded"),
        (LogError::Unavailable("disk".into()), 503, "audit_unavailable"),
        (LogError::TooLarge, 200, "invalid_arguments"),
    ] {
        *rig.world.failing.lock().unwrap() = Some(error);
        let reply = rig.post("agent-1", "/v1/decide", &echo()).await;
        reply.denies(status, code);
        assert_eq!(reply.json()["receipt"], Value::Null);
        assert!(!reply.body.contains("disk"), "the cause is the operator's");
    }
    *rig.world.failing.lock().unwrap() = None;
    rig.post("agent-1", "/v1/decide", r#"{"tool":"srv.panic"}"#).await.denies(503, "internal");
    assert_eq!(rig.post("agent-1", "/v1/decide", &echo()).await.said().1, "allow");
}

#[tokio::test]
async fn texts_are_observed() {
    let rig = Rig::new();
    let body = json!({"texts": ["plain", "hid\u{200b}den", "tag\u{e0041}"]}).to_string();
    let seen = rig.post("agent-1", "/v1/observe", &body).await;
    assert_eq!(
        seen.json(),
        json!({"changed": [{"at": 1, "text": "hidden", "removed": 1}, {"at": 2, "text": "tag", "removed": 1}]})
    );
    for body in ["{}", "[]", "{\"texts\":[1]}", "{\"texts\":\"x\"}", "{\"texts\":[],\"more\":1}", "x"] {
        rig.post("agent-1", "/v1/observe", body).await.denies(400, "invalid_arguments");
    }
    assert_eq!(rig.records(), 0, "texts are no decisions");
}

#[tokio::test]
async fn the_operator_previews_without_a_record() {
    let rig = Rig::new();
    let preview = |body: Value| {
        let body = body.to_string();
        let rig = &rig;
        async move { rig.post(OPERATOR, "/v1/preview", &body).await }
    };
    let seen = preview(json!({"agent": "agent-1", "tool": "srv.echo"})).await;
    assert_eq!((seen.status, &seen.json()["verdict"]["decision"]), (200, &json!("allow")));
    let seen = preview(json!({"agent": "agent-1", "tool": "srv.forbidden"})).await;
    assert_eq!((seen.status, &seen.json()["verdict"]["decision"]), (200, &json!("deny")));
    preview(json!({"tool": "srv.echo"})).await.denies(400, "invalid_arguments");
    preview(json!({"agent": "agent-1"})).await.denies(400, "invalid_arguments");
    preview(json!({"agent": "agent-1", "tool": "srv.panic"})).await.denies(503, "internal");
    assert_eq!(rig.records(), 0);
}

#[tokio::test]
async fn status_metrics_and_health_answer() {
    let rig = Rig::new();
    assert_eq!(rig.get(OPERATOR, "/metrics").await.body, "# EOF\n");
    for path in ["/healthz", "/readyz"] {
        let well = rig.get("", path).await;
        assert_eq!((well.status, well.body.as_str()), (200, "{\"status\":\"ok\"}"));
    }
    rig.dials.unready.store(true, Ordering::SeqCst);
    assert_eq!(rig.get("", "/healthz").await.status, 200);
    let unready = rig.get("", "/readyz").await;
    assert_eq!((unready.status, unready.body.as_str()), (503, "{\"status\":\"not_ready\"}"));
    assert_eq!(rig.get("", "/openapi.json").await.json()["openapi"], json!("3.1.0"));
    let status = rig.connect().await.raw_get(OPERATOR, "/v1/status").await;
    assert!(status.json()["uid"].is_number());
}

#[tokio::test]
async fn there_is_nothing_beside_the_table() {
    let rig = Rig::new();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/decide/",
        "//v1/decide",
        "/V1/decide",
        "/v1/./decide",
        "/v1/%64ecide",
        "/v1/decide;x",
        "/favicon.ico",
    ] {
        rig.get("agent-1", path).await.denies(404, "invalid_arguments");
    }
    for (path, allow) in [("/v1/decide", "POST"), ("/v1/complete", "POST"), ("/v1/preview", "POST")] {
        let reply = rig.get("agent-1", path).await;
        reply.denies(405, "invalid_arguments");
        assert_eq!(reply.header("allow"), Some(allow));
    }
    let reply = rig.post(OPERATOR, "/v1/status", "{}").await;
    reply.denies(405, "invalid_arguments");
    assert_eq!(reply.header("allow"), Some("GET"));
    for method in ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get", "QUERY"] {
        let mut wire = rig.connect().await;
        wire.say(&format!("{method} /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", rig.address)).await;
        assert_eq!(wire.hear_head().await, 405, "{method}");
    }
}

/// Where the operator lets the door only watch, nothing is denied, and no status says otherwise.
#[tokio::test]
async fn a_door_that_only_watches_denies_nothing() {
    let rig = Rig::new();
    for body in [r#"{"tool":"srv.forbidden"}"#, "{}", "not json", r#"{"tool":"srv.echo","agent":"another"}"#] {
        let answer = rig.post("watched-1", "/v1/decide", body).await;
        assert_eq!((answer.status, answer.said().1.as_str()), (200, "would_deny"), "{body}");
        assert!(answer.json()["permit"].is_string() && answer.json()["model"].is_null());
        assert_eq!(rig.last().decision, Some(Decision::WouldDeny));
    }
    let answer = rig.post("watched-1", "/v1/decide", r#"{"tool":"srv.panic"}"#).await;
    assert_eq!(answer.said().1, "deny", "what was cut short has no permit");
}
