//! Every operation, across the socket and beside it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use callgate_core::gate::{Observed, Passing, Reported};
use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{CallFault, Caller, Code, Completion, Decision, Kind, Outcome, Posture, Request};
use callgate_doors::socket::{ClientError, Greeting};
use callgate_doors::{Local, Operations};
use callgate_text::{Digest, Json};

use crate::harness::*;

#[tokio::test]
async fn the_socket_changes_no_answer() {
    let rig = Rig::new();
    let client = rig.client(Some("agent-1"));
    let caller = Caller::Agent { id: "agent-1".parse().unwrap(), posture: Posture::Enforced };
    let local = Local::new(rig.gate.clone(), caller);
    for call in [
        Ok(request("srv.echo")),
        Ok(request("srv.forbidden")),
        Ok(request("srv.panic")),
        Err(CallFault::Shape("lacks `tool`")),
    ] {
        let near = local.decide(call.clone()).await;
        let far = client.decide(call).await;
        assert_eq!((near.decision, near.code), (far.decision, far.code));
        assert_eq!(near.for_model.replace(&near.id, ""), far.for_model.replace(&far.id, ""));
        assert_eq!(near.permit.is_some(), far.permit.is_some());
        assert!(!far.id.is_empty() && far.id != near.id);
    }
    let records = rig.world.records.lock().unwrap().clone();
    for pair in records.chunks(2) {
        let call = |record: &callgate_core::Record| record.sealed.iter().find(|sealed| sealed.name == "call").cloned();
        assert_eq!(call(&pair[0]), call(&pair[1]), "the gate was asked the same");
    }
}

#[tokio::test]
async fn completions_standings_texts_and_previews_cross() {
    let rig = Rig::new();
    let client = rig.client(Some("agent-1"));
    let ruling = client.decide(Ok(request("srv.echo"))).await;
    assert_eq!(ruling.decision, Decision::Allow);
    let completion = Completion {
        id: ruling.id.clone(),
        permit: ruling.permit().unwrap().to_owned(),
        outcome: Outcome::Ok,
        result: Some(Digest::of(b"result")),
        run: None,
    };
    // Only the agent that decided can complete, and only once.
    let other = rig.client(Some("agent-2"));
    assert_eq!(other.complete(completion.clone()).await.unwrap_err().code, Code::PermitSpent);
    assert_eq!(client.complete(completion.clone()).await.unwrap().index, 1);
    assert_eq!(client.complete(completion).await.unwrap_err().code, Code::PermitSpent);

    let kinds = [OfferKind::Tool, OfferKind::Prompt, OfferKind::Resource, OfferKind::Template, OfferKind::Instructions];
    let offers = kinds.map(|kind| Offer { kind, definition: Json::from("d") }).to_vec();
    let standing = client.standing("srv".parse().unwrap(), offers).await.unwrap();
    let expected = [Standing::Shown, Standing::Hidden, Standing::Quarantined];
    assert_eq!(standing[..3], expected);
    assert_eq!(client.standing("srv".parse().unwrap(), Vec::new()).await.unwrap(), []);

    let texts = ["plain", "hid\u{200b}den", ""].map(|text| Passing { text: text.to_owned() }).to_vec();
    let observed = client.observe(texts).await.unwrap();
    let [Observed::Unchanged, Observed::Sanitised(revealed), Observed::Unchanged] = observed.as_slice() else {
        panic!("{observed:?}")
    };
    assert_eq!((revealed.text.as_str(), revealed.removed), ("hidden", 1));

    // A trace holds the text of policies: it is the operator's alone.
    assert!(client.preview(request("srv.echo")).await.is_err());
    let answer = client.decide_in_full(&Ok(request("srv.echo"))).await.unwrap();
    assert_eq!(answer.get("decision").and_then(Json::as_str), Some("allow"));
    assert!(answer.get("receipt").and_then(|receipt| receipt.get("index")).is_some());
}

#[tokio::test]
async fn a_report_crosses_and_is_compared() {
    let rig = Rig::new();
    let client = rig.client(Some("agent-1"));
    let hosted = |tool: &str| Request { host_call: "toolu_1".parse().ok(), ..request(tool) };
    let ran = |tool: &str| Reported {
        request: hosted(tool),
        outcome: Outcome::Error,
        result: Some(Digest::of(b"result")),
        took: Some(Duration::from_millis(7)),
    };
    assert_eq!(client.decide(Ok(hosted("srv.echo"))).await.decision, Decision::Allow);
    assert_eq!(client.report(ran("srv.echo")).await.unwrap().index, 1);
    let records = rig.world.records.lock().unwrap().clone();
    assert_eq!((records[1].kind, records[1].prev), (Kind::Outcome, Some(0)));
    assert_eq!(records[1].id, records[0].id);

    assert_eq!(client.decide(Ok(hosted("srv.echo"))).await.decision, Decision::Allow);
    let Err(ClientError::Refused(reason)) = client.report(ran("srv.other")).await else { panic!("not compared") };
    assert_eq!(reason.code, Code::SessionEnded);
    assert_eq!(client.decide(Ok(request("srv.echo"))).await.code, Code::SessionEnded);
}

#[tokio::test]
async fn a_door_is_not_the_operator_whoever_runs_it() {
    let rig = Rig::new();
    let greet = |greeting: Greeting| callgate_doors::socket::Client::new(&rig.path, greeting);
    let (door, session) = ("claude-code".parse().ok(), "s-1".parse().ok());
    for greeting in [
        Greeting { door, ..Greeting::default() },
        Greeting { session, ..Greeting::default() },
        Greeting { token: Some(String::new()), ..Greeting::default() },
    ] {
        let Err(ClientError::Refused(reason)) = greet(greeting).ask("status", Json::Null).await else {
            panic!("a door asked for the status")
        };
        assert_eq!(reason.code, Code::NotPermitted);
    }
    assert!(greet(Greeting::default()).ask("status", Json::Null).await.is_ok());
}

#[tokio::test]
async fn a_revoked_credential_acts_on_the_next_call() {
    let rig = Rig::new();
    let client = rig.client(Some("agent-1"));
    assert_eq!(client.decide(Ok(request("srv.echo"))).await.decision, Decision::Allow);
    rig.world.revoked.store(true, Ordering::SeqCst);
    assert_eq!(client.decide(Ok(request("srv.echo"))).await.code, Code::UnknownAgent);
    assert_eq!(client.observe(Vec::new()).await.unwrap_err().code, Code::UnknownAgent);
}

#[tokio::test]
async fn the_operator_is_the_gates_own_user_without_a_token() {
    let rig = Rig::new();
    let status = rig.client(None).ask("status", Json::from("x")).await.unwrap();
    assert_eq!(status.get("body").and_then(Json::as_str), Some("x"));
    let Err(ClientError::Refused(reason)) = rig.client(Some("agent-1")).ask("status", Json::Null).await else {
        panic!("an agent asked for the status")
    };
    assert_eq!(reason.code, Code::NotPermitted);
    assert!(rig.client(None).ask("nonsense", Json::Null).await.is_err());
    // Without a token there is no agent either.
    assert_eq!(rig.client(None).decide(Ok(request("srv.echo"))).await.code, Code::UnknownAgent);
}

#[tokio::test]
async fn a_panic_ends_one_request() {
    let rig = Rig::new();
    let client = rig.client(None);
    let Err(ClientError::Refused(reason)) = client.ask("panic", Json::Null).await else { panic!("no panic") };
    assert_eq!(reason.code, Code::Internal);
    assert!(client.ask("status", Json::Null).await.is_ok(), "on the same connection");
}

#[tokio::test]
async fn many_requests_are_under_way_at_once() {
    let rig = Rig::new();
    let client = rig.client(None);
    let begin = std::time::Instant::now();
    let slow = || client.ask("slow", Json::Null);
    let (a, b, c, d, status) = tokio::join!(slow(), slow(), slow(), slow(), async {
        client.ask("status", Json::Null).await.unwrap();
        begin.elapsed()
    });
    assert!([a, b, c, d].iter().all(Result::is_ok));
    assert!(begin.elapsed() < Duration::from_millis(900) && status < Duration::from_millis(250));
}

#[tokio::test]
async fn a_lost_gate_is_a_denial_that_says_what_to_do_and_a_new_one_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/gate.sock");
    let client = callgate_doors::socket::Client::new(
        &path,
        Greeting { token: Some("agent-1".to_owned()), ..Greeting::default() },
    );
    let ruling = client.decide(Ok(request("srv.echo"))).await;
    assert_eq!((ruling.decision, ruling.code, ruling.permit()), (Decision::Deny, Code::Internal, None));
    assert!(ruling.for_model.contains("no gate is running: start it with `callgate serve`"));
    let mut rig = Rig::at(path.clone(), callgate_doors::socket::Limits::default());
    assert_eq!(client.decide(Ok(request("srv.echo"))).await.decision, Decision::Allow);
    // What is under way when the gate goes is denied at once.
    rig.world.disk.forget_permits(1_000_000);
    let waiting = client.decide(Ok(request("srv.echo")));
    let (ruling, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        rig.server.abort();
        let _ = (&mut rig.server).await;
    });
    assert_eq!(ruling.decision, Decision::Deny);
    let _rig = Rig::at(path, callgate_doors::socket::Limits::default());
    assert_eq!(client.decide(Ok(request("srv.echo"))).await.decision, Decision::Allow);
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way() {
    let mut rig = Rig::new();
    let client = rig.client(None);
    client.connect().await.unwrap();
    let path = rig.path.clone();
    let (slow, ()) = tokio::join!(client.ask("slow", Json::Null), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        rig.stop().await;
    });
    assert!(slow.is_ok());
    assert!(!path.exists());
    assert_eq!(client.ask("status", Json::Null).await, Err(ClientError::NoGate));
}

/// A gate that answers nonsense never yields an allow.
#[tokio::test]
async fn an_answer_that_is_not_understood_is_a_denial() {
    for answer in [
        r#"{"id":1,"ok":{"decision":"allow","id":"x","model":"m","permit":null,"reasons":[]}}"#,
        r#"{"id":1,"ok":{"decision":"Allow","id":"x","model":"m","permit":"p","reasons":[]}}"#,
        r#"{"id":1,"ok":{"decision":"deny","id":"x","model":"m","permit":"p","reasons":[]}}"#,
        r#"{"id":1,"ok":{"decision":"allow","permit":"p"}}"#,
        r#"{"id":1,"ok":{"decision":"allow","decision":"deny","id":"x","model":"m","permit":"p"}}"#,
        r#"{"id":1,"ok":{},"error":{}}"#,
        r#"{"id":1}"#,
        "garbage",
        "",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let client =
            callgate_doors::socket::Client::new(&path, Greeting::default()).with_patience(Duration::from_millis(300));
        let serve = async {
            let (stream, _) = listener.accept().await.unwrap();
            let (reader, mut writer) = stream.into_split();
            let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(reader));
            lines.next_line().await.unwrap();
            let say = |text: &str| format!("{text}\n").into_bytes();
            tokio::io::AsyncWriteExt::write_all(&mut writer, &say(r#"{"hello":{"protocol":1}}"#)).await.unwrap();
            lines.next_line().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut writer, &say(answer)).await.unwrap();
            let _ = lines.next_line().await;
        };
        let decide = async {
            let ruling = client.decide(Ok(request("srv.echo"))).await;
            drop(client);
            ruling
        };
        let (ruling, _) = tokio::join!(decide, tokio::time::timeout(Duration::from_secs(2), serve));
        assert_eq!((ruling.decision, ruling.permit()), (Decision::Deny, None), "{answer}");
    }
}
