//! What a host says that it ran, and doors that only watch.

use std::time::Duration;

use crate::house::{Disk, House, Ill, caller, request};
use callgate_core::gate::Reported;
use callgate_core::seam::LogError;
use callgate_core::{Call, Caller, Code, Decision, Evaluation, Kind, Outcome, Posture, Request};
use callgate_text::{Digest, Json};

fn hosted(id: &str) -> Request {
    Request { host_call: Some(id.parse().expect("a call id")), ..request() }
}

fn ran(request: Request) -> Reported {
    Reported { request, outcome: Outcome::Ok, result: Some(Digest::of(b"result")), took: None }
}

async fn decide(house: &House, agent: &str, request: Request) -> Decision {
    house.gate.decide(&caller(agent), Ok(request)).await.decision()
}

async fn report(house: &House, agent: &str, reported: Reported) -> Result<u64, Code> {
    let receipt = house.gate.report(&caller(agent), reported).await;
    receipt.map(|receipt| receipt.index).map_err(|reason| reason.code)
}

/// The newest record: its kind, the record that it follows, and what it says.
fn newest(house: &House) -> (Kind, Option<u64>, Vec<(&'static str, Json)>) {
    let record = house.entries().pop().expect("a record").record;
    (record.kind, record.prev, record.details)
}

#[tokio::test]
async fn what_ran_as_decided_is_its_outcome() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    assert_eq!(decide(&house, "dev", hosted("toolu_1")).await, Decision::Allow);
    assert_eq!(decide(&house, "dev", hosted("toolu_2")).await, Decision::Allow);
    assert_eq!(report(&house, "dev", ran(hosted("toolu_1"))).await, Ok(2));
    assert_eq!(newest(&house), (Kind::Outcome, Some(0), vec![("status", Json::from("ok"))]));
    let failed = Reported { outcome: Outcome::Error, result: None, ..ran(hosted("toolu_2")) };
    assert_eq!(report(&house, "dev", failed).await, Ok(3));
    assert_eq!(newest(&house), (Kind::Outcome, Some(1), vec![("status", Json::from("error"))]));
    assert_eq!(decide(&house, "dev", hosted("toolu_3")).await, Decision::Allow, "the session goes on");
}

#[tokio::test]
async fn what_ran_otherwise_ends_the_session() {
    let other = |text: &str| Request::parse(text.as_bytes()).expect("a call").1;
    let amount =
        other(r#"{"session":"s-81","tool":"bank.payment_send","arguments":{"amount":51,"recipient":"vendor-a"}}"#);
    let tool = other(r#"{"session":"s-81","tool":"bank.refund","arguments":{"amount":50,"recipient":"vendor-a"}}"#);
    for changed in [amount, tool] {
        let house = House::new(Ill::Nothing, [Disk::Keeps]);
        assert_eq!(decide(&house, "dev", hosted("c1")).await, Decision::Allow);
        let changed = Request { host_call: hosted("c1").host_call, ..changed };
        assert_eq!(report(&house, "dev", ran(changed)).await, Err(Code::SessionEnded));
        let (kind, prev, details) = newest(&house);
        assert_eq!((kind, prev, details[0].clone()), (Kind::ExecutedDiffers, Some(0), ("what", Json::from("changed"))));

        let answer = house.gate.decide(&caller("dev"), Ok(hosted("c2"))).await;
        assert_eq!((answer.decision(), answer.verdict.reasons[0].code), (Decision::Deny, Code::SessionEnded));
        assert_eq!(decide(&house, "dev", Request { host_call: None, ..hosted("c2") }).await, Decision::Deny);
        // Another session of the same agent, and the same session of another one, go on.
        assert_eq!(
            decide(&house, "dev", Request { session: "s-82".parse().ok(), ..hosted("c3") }).await,
            Decision::Allow
        );
        assert_eq!(decide(&house, "other", hosted("c4")).await, Decision::Allow);
    }
}

#[tokio::test]
async fn what_was_never_allowed_ends_the_session() {
    let denying = || Evaluation::Evaluated { permits: vec![], forbids: vec![], errors: vec![], nearest: None };
    let house = House::judging(denying(), Ill::Nothing, [Disk::Keeps]);
    assert_eq!(decide(&house, "dev", hosted("c1")).await, Decision::Deny);
    assert_eq!(report(&house, "dev", ran(hosted("c1"))).await, Err(Code::SessionEnded));
    assert_eq!(newest(&house).2[0], ("what", Json::from("not_decided")));

    // Another agent's call, another session's, one reported twice: none of them is known.
    for (agent, session, again) in [("other", "s-81", false), ("dev", "s-82", false), ("dev", "s-81", true)] {
        let house = House::new(Ill::Nothing, [Disk::Keeps]);
        assert_eq!(decide(&house, "dev", hosted("c1")).await, Decision::Allow);
        let reported = ran(Request { session: session.parse().ok(), ..hosted("c1") });
        if again {
            assert_eq!(report(&house, agent, reported.clone()).await, Ok(1));
        }
        assert_eq!(report(&house, agent, reported).await, Err(Code::SessionEnded));
    }
}

#[tokio::test]
async fn a_call_from_before_this_gate_is_no_offence() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    let long = Reported { took: Some(Duration::from_millis(1)), ..ran(hosted("c1")) };
    assert_eq!(report(&house, "dev", long).await, Ok(0));
    assert_eq!(newest(&house).2[1], ("decided", Json::from("before_start")));
    assert_eq!(decide(&house, "dev", hosted("c2")).await, Decision::Allow);
    // What is known is compared, however long it took.
    let changed = Request { arguments: None, ..hosted("c2") };
    let changed = Reported { took: Some(Duration::from_secs(9)), ..ran(changed) };
    assert_eq!(report(&house, "dev", changed).await, Err(Code::SessionEnded));
}

#[tokio::test]
async fn a_session_ends_even_without_a_record() {
    let fails = Disk::Fails(LogError::Unavailable("full".to_owned()));
    for disk in [fails, Disk::Hangs, Disk::Panics] {
        let house = House::new(Ill::Nothing, [disk, Disk::Keeps]);
        assert!(report(&house, "dev", ran(hosted("c1"))).await.is_err());
        assert_eq!(decide(&house, "dev", hosted("c2")).await, Decision::Deny);
    }
}

#[tokio::test]
async fn nobody_reports_without_a_name_for_the_call_or_himself() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    assert_eq!(report(&house, "dev", ran(request())).await, Err(Code::InvalidArguments));
    let nobody = Caller::Unrecognised { why: "no" };
    let refused = house.gate.report(&nobody, ran(hosted("c1"))).await;
    assert_eq!(refused.expect_err("nobody").code, Code::UnknownAgent);
    assert!(house.entries().is_empty());
}

#[tokio::test]
async fn p11_a_door_that_only_watches_says_so_in_every_record() {
    let watching = Caller::Agent { id: "dev".parse().expect("a name"), posture: Posture::Observing };
    let denying = Evaluation::Evaluated { permits: vec![], forbids: vec![], errors: vec![], nearest: None };
    let house = House::judging(denying, Ill::Nothing, [Disk::Keeps]);
    let answer = house.gate.decide(&watching, Ok(hosted("c1"))).await;
    assert_eq!((answer.decision(), answer.verdict.reasons[0].code), (Decision::WouldDeny, Code::NotPermitted));
    assert!(answer.permit.is_some() && answer.receipt.is_some());
    let record = house.entries().pop().expect("a record").record;
    assert_eq!((record.decision, record.state), (Some(Decision::WouldDeny), Some("observing")));
    assert!(house.gate.report(&watching, ran(hosted("c1"))).await.is_ok());

    // What policy permits is an allow here, too; nobody without a credential is let through; without a record,
    // nothing is.
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    assert_eq!(house.gate.decide(&watching, Ok(hosted("c1"))).await.decision(), Decision::Allow);
    let nobody = Caller::Unrecognised { why: "no" };
    assert_eq!(house.gate.decide(&nobody, Ok(hosted("c1"))).await.decision(), Decision::Deny);
    for disk in [Disk::Fails(LogError::OverBudget), Disk::Hangs, Disk::Panics] {
        let house = House::new(Ill::PolicyStale, [disk, Disk::Keeps]);
        let answer = house.gate.decide(&watching, Ok(hosted("c1"))).await;
        assert_eq!((answer.decision(), answer.permit), (Decision::Deny, None));
    }
}

#[tokio::test]
async fn a_canary_is_denied_wherever_it_comes() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    let word = house.gate.canary().expect("random");
    assert_eq!(house.gate.heard(&word), None);
    let with = |text: &str| {
        let bytes = format!(r#"{{"session":"s-81","tool":"sh.run","arguments":{{"deep":[{{"x":"a {text} b"}}]}}}}"#);
        Request::parse(bytes.as_bytes()).expect("a call").1
    };
    assert_eq!(decide(&house, "dev", with("callgate-canary-")).await, Decision::Allow, "must be the whole word");
    let answer = house.gate.decide(&caller("dev"), Ok(with(&word))).await;
    assert_eq!((answer.decision(), answer.verdict.reasons[0].code), (Decision::Deny, Code::Canary));
    assert!(answer.receipt.is_some());
    assert_eq!(house.gate.heard(&word).and_then(|heard| heard.agent), "dev".parse().ok());

    let nobody = Caller::Unrecognised { why: "no" };
    assert_eq!(house.gate.decide(&nobody, Ok(with(&word))).await.verdict.reasons[0].code, Code::UnknownAgent);
    assert_eq!(house.gate.heard(&word).map(|heard| heard.agent), Some(None));
    // A door that only watches cannot prove anything.
    let watching = Caller::Agent { id: "dev".parse().expect("a name"), posture: Posture::Observing };
    assert_eq!(house.gate.decide(&watching, Ok(with(&word))).await.decision(), Decision::WouldDeny);
}

#[tokio::test]
async fn where_a_call_runs_is_part_of_it_and_where_it_ended_is_not() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    let at = |cwd: &str, id: &str| Request { cwd: Some(cwd.parse().expect("a directory")), ..hosted(id) };
    assert_eq!(decide(&house, "dev", at("/work", "c1")).await, Decision::Allow);
    // `cd sub`: the host reports it from where it is now, or from nowhere.
    assert!(report(&house, "dev", ran(hosted("c1"))).await.is_ok());
    assert_eq!(decide(&house, "dev", at("/work", "c2")).await, Decision::Allow);
    assert!(report(&house, "dev", ran(at("/work/sub", "c2"))).await.is_ok());
    let call = |request: Request| Call::new("dev".parse().expect("an agent"), request);
    let (here, there, nowhere) = (call(at("/a", "c")), call(at("/b", "c")), call(hosted("c")));
    assert_ne!(here.digest(), there.digest());
    assert_ne!(here.digest(), nowhere.digest());
    assert_eq!((here.asked(), there.asked()), (nowhere.digest(), nowhere.digest()));
}
