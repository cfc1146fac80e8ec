//! Peers that do their worst.

use std::time::{Duration, Instant};

use callgate_core::Decision;
use callgate_doors::Operations;
use callgate_doors::socket::Limits;
use callgate_text::Json;

use crate::harness::*;

#[tokio::test]
async fn a_connection_that_does_not_greet_is_cut() {
    let limits = Limits { hello: Duration::from_millis(100), ..Limits::default() };
    let rig = Rig::with(limits);
    for beginning in [&b""[..], b"{\"hello\""] {
        let mut raw = rig.raw().await;
        let _ = tokio::io::AsyncWriteExt::write_all(&mut raw.writer, beginning).await;
        assert_eq!(raw.hear().await, None);
    }
    for greeting in [
        "{}",
        "[]",
        "garbage",
        r#"{"hello":{}}"#,
        r#"{"hello":{"protocol":2}}"#,
        r#"{"hello":{"protocol":"1"}}"#,
        r#"{"hello":{"protocol":1,"token":7}}"#,
        r#"{"hello":{"protocol":1,"agent":"root"}}"#,
        r#"{"hello":{"protocol":1},"id":1}"#,
        r#"{"id":1,"op":"status"}"#,
    ] {
        let mut raw = rig.raw().await;
        raw.say(greeting.as_bytes()).await;
        assert!(raw.hear().await.unwrap().contains("greeting"), "{greeting}");
        assert_eq!(raw.hear().await, None);
    }
}

#[tokio::test]
async fn malformed_requests_are_answered_and_harm_nobody() {
    let rig = Rig::new();
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    for (line, id) in [
        ("garbage", "null"),
        ("[]", "null"),
        (r#"{"id":1}"#, "null"),
        (r#"{"id":"x","op":"decide"}"#, "null"),
        (r#"{"id":1,"op":"decide","body":{},"agent":"root"}"#, "null"),
        (r#"{"id":1,"id":2,"op":"decide"}"#, "null"),
        (r#"{"id":1,"op":"complete","body":{}}"#, "1"),
        (r#"{"id":2,"op":"complete","body":{"id":"x","permit":"y","status":"fine"}}"#, "2"),
        (r#"{"id":3,"op":"observe","body":{"texts":[1]}}"#, "3"),
        (r#"{"id":4,"op":"standing","body":{"server":"a.b","offers":[]}}"#, "4"),
        (r#"{"id":5,"op":"standing","body":{"server":"a","offers":[{"kind":"x","definition":1}]}}"#, "5"),
        (r#"{"id":6,"op":"preview","body":{"tool":"a.b","original":"sha256:00"}}"#, "6"),
    ] {
        raw.say(line.as_bytes()).await;
        let answer = raw.hear().await.unwrap();
        assert!(answer.contains("\"error\"") && answer.contains(&format!("\"id\":{id}")), "{line}: {answer}");
    }
    // A call that is not one is a denial, with its record.
    for body in ["null", "{}", r#"{"tool":"a.b"}"#, r#"{"tool":"nodot","original":"sha256:x"}"#] {
        let before = rig.world.records.lock().unwrap().len();
        raw.say(format!(r#"{{"id":1,"op":"decide","body":{body}}}"#).as_bytes()).await;
        assert!(raw.hear().await.unwrap().contains("invalid_arguments"), "{body}");
        assert_eq!(rig.world.records.lock().unwrap().len(), before + 1);
    }
}

#[tokio::test]
async fn messages_are_bounded_in_size_and_time() {
    let limits = Limits { message: 300_000, small: 1000, frame: Duration::from_millis(300), ..Limits::default() };
    let rig = Rig::with(limits);
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    raw.say(&vec![b'x'; 400_000]).await;
    assert!(raw.hear().await.is_none_or(|answer| answer.contains("too long")));
    // Once begun, a message must come to its end.
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    tokio::io::AsyncWriteExt::write_all(&mut raw.writer, b"{\"id\":1").await.unwrap();
    assert_eq!(raw.hear().await, None);
    // A connection may be idle as long as it likes.
    let mut raw = rig.raw().await;
    raw.greet("agent-1").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    raw.say(br#"{"id":1,"op":"observe","body":{"texts":[]}}"#).await;
    assert!(raw.hear().await.unwrap().contains("changed"));
    // Somebody unrecognised gets no room for more than a small message.
    let mut raw = rig.raw().await;
    raw.say(br#"{"hello":{"protocol":1}}"#).await;
    raw.hear().await.unwrap();
    raw.say(&vec![b'x'; 200_000]).await;
    assert_eq!(raw.hear().await, None);
}

#[tokio::test]
async fn a_reader_that_stalls_is_cut() {
    let rig = Rig::with(Limits { unread: Duration::from_millis(200), in_flight: 4, ..Limits::default() });
    let mut raw = rig.raw().await;
    raw.say(br#"{"hello":{"protocol":1}}"#).await;
    raw.hear().await.unwrap();
    for id in 0..4 {
        raw.say(format!(r#"{{"id":{id},"op":"large"}}"#).as_bytes()).await;
    }
    // The connection is cut, however long that takes on a busy machine.
    let cut = async {
        while raw.say(br#"{"id":9,"op":"status"}"#).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), cut).await.expect("cut");
}

/// One agent floods through all its connections, with small calls and large ones; the other's call
/// is decided all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_agent_does_not_starve_another() {
    let rig = Rig::new();
    let large = format!(
        r#"{{"id":1,"op":"decide","body":{{"tool":"srv.echo","arguments":{{"x":"{}"}},"original":"sha256:{}"}}}}"#,
        "x".repeat(1 << 20),
        "0".repeat(64),
    );
    let small =
        format!(r#"{{"id":1,"op":"decide","body":{{"tool":"srv.echo","original":"sha256:{}"}}}}"#, "0".repeat(64));
    let mut flood = Vec::new();
    for index in 0..40 {
        let mut raw = rig.raw().await;
        raw.greet("hostile").await;
        let line = if index % 2 == 0 { large.clone() } else { small.clone() };
        let (mut reader, mut writer) = (raw.reader, raw.writer);
        flood.push(tokio::spawn(async move {
            let _ = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await;
        }));
        flood.push(tokio::spawn(async move {
            loop {
                if tokio::io::AsyncWriteExt::write_all(&mut writer, format!("{line}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let client = rig.client(Some("honest"));
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let begin = Instant::now();
        assert_eq!(client.decide(Ok(request("srv.echo"))).await.decision, Decision::Allow);
        slowest = slowest.max(begin.elapsed());
    }
    println!("slowest decision of the honest agent beside a flood: {slowest:?}");
    for task in flood {
        task.abort();
    }
}

/// Hanging up does not free a lane while the work goes on.
#[tokio::test]
async fn hanging_up_does_not_get_around_the_lane() {
    let rig = Rig::with(Limits { lane: 2, ..Limits::default() });
    rig.world.disk.forget_permits(1_000_000);
    for _ in 0..5 {
        let mut raw = rig.raw().await;
        raw.greet("hostile").await;
        for _ in 0..3 {
            raw.say(
                format!(
                    r#"{{"id":1,"op":"decide","body":{{"tool":"srv.echo","original":"sha256:{}"}}}}"#,
                    "0".repeat(64)
                )
                .as_bytes(),
            )
            .await;
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(*rig.world.waiting.lock().unwrap(), (2, 2), "two units are under way, whoever still listens");
    // Another agent is not held up by that: its record waits beside the two.
    let honest = rig.client(Some("honest"));
    let (ruling, ()) = tokio::join!(honest.decide(Ok(request("srv.echo"))), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(*rig.world.waiting.lock().unwrap(), (3, 3));
        rig.world.disk.add_permits(100);
    });
    assert_eq!(ruling.decision, Decision::Allow);
}

#[tokio::test]
async fn arbitrary_bytes_break_nothing() {
    let rig = Rig::new();
    let mut seed = 1_u64;
    for _ in 0..200 {
        let mut raw = rig.raw().await;
        if seed & 1 == 0 {
            raw.greet("agent-1").await;
        }
        let noise: Vec<u8> = (0..64)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 56) as u8
            })
            .collect();
        raw.say(&noise).await;
    }
    assert!(rig.client(None).ask("status", Json::Null).await.is_ok());
}
