//! Promise 6: whatever the gate released is in the log, however it died.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate_core::{Decision, Request};
use callgate_doors::Operations;
use callgate_text::{Digest, Json, Object};

use crate::house::{House, finish, text};

/// How often the gate is killed. CI's long run and a release do it 200 times.
fn kills() -> u32 {
    std::env::var("CALLGATE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(12)
}

fn request() -> Request {
    let arguments: Object = [("id".to_owned(), Json::from("T-1"))].into_iter().collect();
    Request {
        tool: "desk.read_ticket".parse().expect("a tool"),
        session: None,
        arguments: Some(arguments),
        members: Object::default(),
        original: Digest::of(b"frame"),
        offered: None,
        host_call: None,
        cwd: None,
    }
}

#[test]
fn p06_every_released_call_has_its_record_after_kill_9_under_load() {
    let house = House::quickstart();
    house.token("support-1");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let released: Arc<Mutex<BTreeMap<String, ()>>> = Arc::default();
    for kill in 0..kills() {
        let serve = house.serve();
        // A different moment each time, spread over starting up, idling and full load.
        let moment = Duration::from_micros(u64::from(kill.wrapping_mul(2_654_435_761) % 120_000));
        runtime.block_on(async {
            let mut callers = tokio::task::JoinSet::new();
            for _ in 0..16 {
                let (client, released) = (house.client("support-1"), released.clone());
                callers.spawn(async move {
                    loop {
                        let ruling = client.decide(Ok(request())).await;
                        if ruling.id.is_empty() {
                            return;
                        }
                        if ruling.decision == Decision::Allow {
                            released.lock().expect("whole").insert(ruling.id, ());
                        }
                    }
                });
            }
            tokio::time::sleep(moment).await;
            drop(serve);
            while callers.join_next().await.is_some() {}
        });
    }
    let serve = house.serve();
    serve.terminate();
    let output = finish(&mut house.command(&["audit", "export", "--format", "json"]), b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut kept = BTreeMap::new();
    for line in text(&output.stdout).lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        if line["record"]["kind"] == "decision" {
            kept.insert(line["record"]["id"].as_str().expect("an id").to_owned(), ());
        }
    }
    let released = released.lock().expect("whole");
    assert!(released.len() > 100, "only {} calls were released", released.len());
    let lost: Vec<_> = released.keys().filter(|id| !kept.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} released calls have no record: {lost:?}", lost.len(), released.len());
    let (code, verified) = house.json(&["audit", "verify"], b"");
    assert_eq!(code, 0, "{verified}");
    eprintln!("{} kills, {} released calls, each has its record", kills(), released.len());
}
