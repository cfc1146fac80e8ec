//! The Gate's promises, on seams that fail on demand.
#![allow(clippy::expect_used, clippy::unreachable, reason = "a test stops at what it did not expect")]

#[path = "gate/contained.rs"]
mod contained;
#[path = "support/house.rs"]
mod house;
#[path = "gate/reports.rs"]
mod reports;
#[path = "gate/watched.rs"]
mod watched;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use callgate_core::gate::{Observed, Passing};
use callgate_core::seam::{LogError, Offer, OfferKind};
use callgate_core::{
    Answer, Approval, Call, Caller, Code, Completion, Decision, Disclose, Evaluation, Kind, Lane, Outcome, PolicyRef,
    Reason, Request, Satisfied,
};
use callgate_text::{Digest, Json};
use house::{Disk, House, Ill, caller, request, token};
use proptest::prelude::*;

fn codes(answer: &Answer) -> Vec<Code> {
    answer.verdict.reasons.iter().map(|reason| reason.code).collect()
}

/// Denied for this, without a permit; and what the log holds says the same.
#[track_caller]
fn denied(house: &House, answer: &Answer, code: Code, recorded: bool) {
    assert_eq!((answer.decision(), codes(answer)), (Decision::Deny, vec![code]));
    assert_eq!(answer.permit, None);
    assert_eq!(answer.receipt.is_some(), recorded, "{answer:?}");
    if let Some(receipt) = &answer.receipt {
        let entries = house.entries();
        let record = &entries.get(usize::try_from(receipt.index).expect("small")).expect("kept").record;
        assert_eq!((&record.id, record.decision), (&answer.id, Some(Decision::Deny)));
        assert_eq!(record.reasons.iter().map(|reason| reason.code).collect::<Vec<_>>(), [code]);
    }
}

fn completion(id: &str, permit: &str) -> Completion {
    Completion { id: id.to_owned(), permit: permit.to_owned(), outcome: Outcome::Ok, result: None, run: None }
}

async fn spend(house: &House, agent: &str, id: &str, permit: &str) -> Result<u64, Code> {
    let receipt = house.gate.complete(&caller(agent), completion(id, permit)).await;
    receipt.map(|receipt| receipt.index).map_err(|reason| reason.code)
}

#[tokio::test]
async fn p06_an_allowed_call_has_a_permit_and_a_record() {
    let house = House::new(Ill::Nothing, [Disk::KeepsLater]);
    let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
    assert_eq!((answer.decision(), codes(&answer)), (Decision::Allow, vec![Code::Permitted]));
    assert_eq!(answer.receipt.as_ref().map(|receipt| receipt.index), Some(0));
    let permit = answer.permit.as_ref().expect("allowed").token();
    assert_eq!(permit, token(1));

    let [entry] = &*house.entries() else { unreachable!("one record") };
    let record = &entry.record;
    assert_eq!(entry.lane, Lane::Agent("finance-1".parse().expect("a name")));
    assert_eq!((record.kind, record.decision, record.state), (Kind::Decision, Some(Decision::Allow), Some("enforced")));
    assert_eq!((&record.id, record.id.len()), (&answer.id, 26));
    assert_eq!(record.policy, Some(Digest::of(b"policy")));
    let sealed: Vec<_> = record.sealed.iter().map(|sealed| &*sealed.name).collect();
    assert_eq!(sealed, ["call", "bytes", "argument:0", "argument:1", "facts", "reason:0"]);
    assert!(!format!("{:?}", record.details).contains("vendor-a"), "values are sealed, never in the clear");
    assert!(!format!("{entry:?}").contains(permit), "no permit stands in a record");
}

#[tokio::test]
async fn p06_without_a_record_there_is_no_permit() {
    for (disk, code) in [
        (
            Disk::Fails(LogError::Unavailable("no space left on device: /var/lib/secret".to_owned())),
            Code::AuditUnavailable,
        ),
        (Disk::Fails(LogError::OverBudget), Code::RateExceeded),
        (Disk::Fails(LogError::TooLarge), Code::InvalidArguments),
        (Disk::Panics, Code::Internal),
        (Disk::PanicsLater, Code::Internal),
        (Disk::Hangs, Code::DeadlineExceeded),
    ] {
        let house = House::new(Ill::Nothing, [disk]);
        let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
        denied(&house, &answer, code, false);
        assert!(!format!("{answer:?}").contains("/var/lib"), "the cause stays with the operator");
        assert_eq!(spend(&house, "finance-1", &answer.id, &token(1)).await, Err(Code::PermitSpent));
    }
}

#[tokio::test]
async fn p06_what_was_cut_short_is_recorded_as_denied() {
    for (disk, code) in
        [(Disk::Panics, Code::Internal), (Disk::PanicsLater, Code::Internal), (Disk::Hangs, Code::DeadlineExceeded)]
    {
        let house = House::new(Ill::Nothing, [disk, Disk::Keeps]);
        let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
        denied(&house, &answer, code, true);
        let [entry] = &*house.entries() else { unreachable!("one record") };
        assert_eq!(entry.record.tool.as_ref().map(|tool| tool.as_str()), Some("bank.payment_send"));
        assert_eq!(entry.record.session.as_ref().map(|session| session.as_str()), Some("s-81"));
        assert_eq!(spend(&house, "finance-1", &answer.id, &token(1)).await, Err(Code::PermitSpent));
    }
}

#[tokio::test]
async fn p03_every_illness_denies() {
    for (ill, code, recorded) in [
        (Ill::ClockPanics, Code::Internal, false),
        (Ill::AlarmPanics, Code::Internal, false),
        (Ill::EntropyFails { from: 0 }, Code::Internal, false),
        (Ill::EntropyPanics { from: 0 }, Code::Internal, false),
        (Ill::EntropyFails { from: 1 }, Code::Internal, true),
        (Ill::EntropyPanics { from: 1 }, Code::Internal, true),
        (Ill::PolicyStale, Code::PolicyStale, true),
        (Ill::PolicyPanics, Code::Internal, true),
        (Ill::EvaluationPanics, Code::Internal, true),
        (Ill::FactFails, Code::Internal, true),
        (Ill::FactPanics, Code::Internal, true),
    ] {
        let house = House::new(ill, [Disk::Keeps]);
        let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
        denied(&house, &answer, code, recorded);
        assert_eq!(house.entries().len(), usize::from(recorded), "{ill:?}");
        if ill == Ill::Nothing {
            continue;
        }
        // And again, so that nothing is left poisoned.
        assert_eq!(house.gate.decide(&caller("finance-1"), Ok(request())).await.decision(), Decision::Deny);
        let preview = house.gate.preview(&caller("finance-1"), request()).await;
        let opens = preview.is_ok_and(|preview| preview.verdict.decision == Decision::Allow);
        assert_eq!(opens, matches!(ill, Ill::EntropyFails { .. } | Ill::EntropyPanics { .. }), "{ill:?}");
    }
}

#[tokio::test]
async fn p03_who_is_not_recognised_is_denied_before_anything_is_read() {
    let house = House::new(Ill::PolicyPanics, [Disk::Keeps]);
    let nobody = Caller::Unrecognised { why: "the credential expired" };
    denied(&house, &house.gate.decide(&nobody, Ok(request())).await, Code::UnknownAgent, true);
    let [entry] = &*house.entries() else { unreachable!("one record") };
    assert_eq!((entry.record.kind, &entry.lane), (Kind::CredentialRefused, &Lane::Unrecognised));
    assert_eq!(entry.record.agent, None);
    assert!(house.gate.complete(&nobody, completion("x", "y")).await.is_err());
    assert!(house.gate.preview(&nobody, request()).await.is_err());
    assert!(house.gate.observe(&nobody, &[]).await.is_err());
    assert!(house.gate.standing(&nobody, &"bank".parse().expect("a name"), &[]).await.is_err());
}

#[tokio::test]
async fn p02_what_is_no_call_is_denied_and_recorded() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    for bytes in [
        &br#"{"tool":"a.b","tool":"a.c"}"#[..],
        br#"{"tool":"a.b","Tool":"a.c"}"#,
        br#"{"tool":"a.b","arguments":null}"#,
        br#"{"tool":"a.b","arguments":[]}"#,
        br#"{"tool":"a.b","agent":1}"#,
        br#"{"tool":"a.b","session":null}"#,
        br#"{"tool":"a.b","extra":1}"#,
        br#"{"tool":"ab"}"#,
        br#"{"arguments":{}}"#,
        br#"[]"#,
        b"hunter2",
    ] {
        let request = Request::parse(bytes).map(|(_, request)| request);
        let answer = house.gate.decide(&caller("finance-1"), request).await;
        denied(&house, &answer, Code::InvalidArguments, true);
        assert!(!format!("{answer:?}").contains("hunter2"));
    }
    assert!(house.evaluated.lock().expect("whole").is_empty(), "policy never saw them");
}

#[tokio::test]
async fn p06_a_permit_is_spent_once_by_its_own_agent() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
    let (id, permit) = (answer.id.clone(), answer.permit.expect("allowed").token().to_owned());
    let other = house.gate.decide(&caller("support-1"), Ok(request())).await;
    let other_permit = other.permit.expect("allowed").token().to_owned();

    for (agent, id, permit) in [
        ("support-1", &*id, &*permit),
        ("support-1", &id, &other_permit),
        ("finance-1", &id, &other_permit),
        ("finance-1", &other.id, &permit),
        ("finance-1", &id, ""),
        ("finance-1", "", &permit),
        ("finance-1", &id, &permit.to_uppercase()),
        ("finance-1", &id, &permit[1..]),
    ] {
        assert_eq!(spend(&house, agent, id, permit).await, Err(Code::PermitSpent), "{agent} {id} {permit}");
    }
    assert_eq!(spend(&house, "finance-1", &id, &permit).await, Ok(2), "nobody spent it for them");
    assert_eq!(spend(&house, "finance-1", &id, &permit).await, Err(Code::PermitSpent));

    let entries = house.entries();
    let outcome = &entries.last().expect("kept").record;
    assert_eq!((outcome.kind, &outcome.id, outcome.prev), (Kind::Outcome, &id, Some(0)));
}

#[tokio::test]
async fn p06_a_cancelled_decision_leaves_no_permit() {
    let house = House::new(Ill::Nothing, [Disk::KeepsLater]);
    let caller = caller("finance-1");
    {
        let mut decide = pin!(house.gate.decide(&caller, Ok(request())));
        assert!(decide.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    // The id and the token that the cancelled decision would have had.
    let twin = House::new(Ill::Nothing, [Disk::Keeps]).gate.decide(&caller, Ok(request())).await;
    assert_eq!(twin.permit.as_ref().expect("allowed").token(), token(1));
    assert_eq!(spend(&house, "finance-1", &twin.id, &token(1)).await, Err(Code::PermitSpent));

    let next = house.gate.decide(&caller, Ok(request())).await;
    assert_ne!(next.id, twin.id);
    assert_eq!(spend(&house, "finance-1", &next.id, &token(1)).await, Err(Code::PermitSpent));
    assert_eq!(spend(&house, "finance-1", &next.id, &token(3)).await, Ok(1));
}

#[tokio::test]
async fn p06_neither_a_denial_nor_an_escalation_has_a_permit() {
    let policy = PolicyRef { id: "ask".into(), at: "policies/ask.cedar:1".into() };
    let approval = Some(Approval { group: "finance".into(), quorum: 1, channel: None });
    let ask = Satisfied { policy, code: None, message: None, approval, disclose: Disclose::Full };
    let nothing = Evaluation::Evaluated { permits: vec![], forbids: vec![], errors: vec![], nearest: None };
    let asks = Evaluation::Evaluated { permits: vec![ask], forbids: vec![], errors: vec![], nearest: None };
    for (evaluation, decision, code) in
        [(nothing, Decision::Deny, Code::NotPermitted), (asks, Decision::Escalate, Code::ApprovalRequired)]
    {
        let house = House::judging(evaluation, Ill::Nothing, [Disk::Keeps]);
        let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
        assert_eq!((answer.decision(), codes(&answer), &answer.permit), (decision, vec![code], &None));
        assert!(answer.for_model().contains(code.as_str()), "{}", answer.for_model());
        assert!(answer.receipt.is_some());
        for throw in 0..4 {
            assert_eq!(spend(&house, "finance-1", &answer.id, &token(throw)).await, Err(Code::PermitSpent));
        }
    }
}

#[tokio::test]
async fn p01_a_preview_says_what_decide_would_and_leaves_nothing() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    let preview = house.gate.preview(&caller("finance-1"), request()).await.expect("judged");
    assert!(house.entries().is_empty());
    let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
    assert_eq!(preview.verdict.canonical(), answer.verdict.canonical());
    let facts = house.evaluated.lock().expect("whole").clone();
    assert_eq!(facts.first(), facts.last());
}

#[tokio::test]
async fn p11_a_quarantined_offer_is_noted_once() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    let server = "bank".parse().expect("a name");
    let offer = |definition| Offer { kind: OfferKind::Tool, definition };
    let offers = [offer(Json::Null), offer(Json::Bool(true))];
    for _ in 0..3 {
        let standing = house.gate.standing(&caller("finance-1"), &server, &offers).await.expect("listed");
        assert_eq!(standing.len(), 2);
    }
    assert_eq!(house.entries().iter().map(|entry| entry.record.kind).collect::<Vec<_>>(), [Kind::ToolChanged]);
}

#[tokio::test]
async fn p08_text_that_hides_is_taken_out() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    let passing = ["plain", "a\u{202E}b"].map(|text| Passing { text: text.to_owned() });
    let observed = house.gate.observe(&caller("support-1"), &passing).await.expect("observed");
    assert!(matches!(&*observed, [Observed::Unchanged, Observed::Sanitised(revealed)] if revealed.text == "ab"));
}

/// What the digests cover, and the digests themselves: SHA-256 of the documents written beside them.
#[test]
fn p02_digests_are_these() {
    for (document, canonical, digest) in [
        (
            r#"{"tool":"bank.balance"}"#,
            r#"{"agent":"finance-1","tool":"bank.balance"}"#,
            "sha256:ca20030d089157d4daa6de09ccd4321242d643b4f3611d0c754afced9fb4a2ac",
        ),
        (
            r#"{"arguments":{},"tool":"bank.balance"}"#,
            r#"{"agent":"finance-1","arguments":{},"tool":"bank.balance"}"#,
            "sha256:ba843431d94229b050e6b69e68ec9a68aae73255c98e267ec435ded652ad7953",
        ),
        (
            r#"{"tool":"bank.payment_send","session":"s-81","arguments":{"recipient":"vendor-a","amount":50.00}}"#,
            r#"{"agent":"finance-1","arguments":{"amount":50,"recipient":"vendor-a"},"session":"s-81","tool":"bank.payment_send"}"#,
            "sha256:48860a741aafdb942cd1716a573b23ca4b829b0af5b19781476747641d8bec8f",
        ),
    ] {
        let (agent, request) = Request::parse(document.as_bytes()).expect("a call");
        assert_eq!((agent, request.original), (None, Digest::of(document.as_bytes())));
        let call = Call::new("finance-1".parse().expect("a name"), request);
        assert_eq!(String::from_utf8(call.to_json().canonical()).expect("UTF-8"), canonical);
        assert_eq!(call.digest().to_string(), digest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p12_a_model_reads_at_most_400_characters(
        messages in prop::collection::vec(".{0,300}", 1..4), hint in prop::option::of(".{0,300}"), level in 0..3_u8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let reasons = messages.iter().map(|message| Reason::new(Code::Forbidden, message.as_str())).collect();
        let house = House::judging(Evaluation::Refused(reasons), Ill::Nothing, [Disk::Keeps]);
        let mut answer = runtime.block_on(house.gate.decide(&caller("finance-1"), Ok(request())));
        answer.verdict.hint = hint;
        answer.verdict.disclose = [Disclose::Full, Disclose::Code, Disclose::None][usize::from(level)];
        let text = answer.for_model();
        prop_assert!(text.chars().count() <= 400);
        prop_assert!(text.contains(&answer.id), "the decision's id is always there");
        prop_assert_eq!(text.contains("forbidden"), level < 2, "{}", text);
    }

    #[test]
    fn p02_what_parses_as_a_call_has_one_digest(arguments in prop::collection::btree_map("[a-z]{1,5}", any::<i32>(), 0..5)) {
        let members: Vec<_> = arguments.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let mut turned = members.clone();
        turned.reverse();
        let digest = |members: &[String], space: &str| {
            let document = format!("{{\"tool\":{space}\"a.b\",\"arguments\":{{{}}}}}", members.join(","));
            let (_, request) = Request::parse(document.as_bytes()).expect("a call");
            (Call::new("x".parse().expect("a name"), request.clone()).digest(), request.original)
        };
        let (one, other) = (digest(&members, ""), digest(&turned, " "));
        prop_assert_eq!(one.0, other.0);
        prop_assert_ne!(one.1, other.1, "the bytes differ, and so does their digest");
    }
}
