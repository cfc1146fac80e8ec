//! Promises 3, 4, 5 and 10 of the pure `judge`: what follows from what policy found.
#![allow(clippy::expect_used, clippy::unreachable, reason = "a test stops at what it did not expect")]

use callgate_core::seam::{Offer, Snapshot, Standing};
use callgate_core::{
    AgentId, Approval, Call, Code, Decision, Disclose, Evaluation, Fact, Facts, Near, PolicyRef, Reason, Request,
    Satisfied, ServerName, Verdict, judge,
};
use callgate_text::{Digest, Json};
use proptest::prelude::*;

/// A policy that finds what it was told to find.
struct Found(Evaluation);

impl Snapshot for Found {
    fn digest(&self) -> Digest {
        Digest::of(b"policy")
    }

    fn evaluate(&self, _: &Call, _: &Facts) -> Evaluation {
        self.0.clone()
    }

    fn trace(&self, _: &Call, _: &Facts) -> Json {
        Json::Null
    }

    fn standing(&self, _: &AgentId, _: &ServerName, offers: &[Offer]) -> Vec<Standing> {
        vec![Standing::Hidden; offers.len()]
    }
}

fn call() -> Call {
    let (agent, request) =
        Request::parse(br#"{"agent":"finance-1","tool":"bank.payment_send","arguments":{"amount":50}}"#)
            .expect("a call");
    Call::new(agent.expect("names its agent"), request)
}

fn verdict(evaluation: Evaluation) -> Verdict {
    judge(&call(), &Facts::default(), &Found(evaluation))
}

fn evaluated(permits: &[Satisfied], forbids: &[Satisfied], errors: &[&str]) -> Verdict {
    let errors = errors.iter().map(|error| (policy("broken"), (*error).to_owned())).collect();
    verdict(Evaluation::Evaluated { permits: permits.to_vec(), forbids: forbids.to_vec(), errors, nearest: None })
}

fn policy(id: &str) -> PolicyRef {
    PolicyRef { id: id.into(), at: format!("policies/{id}.cedar:1").into() }
}

fn plain(id: &str) -> Satisfied {
    Satisfied { policy: policy(id), code: None, message: None, approval: None, disclose: Disclose::Full }
}

fn asking(id: &str, group: &str) -> Satisfied {
    let approval = Approval { group: group.into(), quorum: 1, channel: None };
    Satisfied { approval: Some(approval), ..plain(id) }
}

fn groups(verdict: &Verdict) -> Vec<&str> {
    verdict.approvals.iter().map(|approval| &*approval.group).collect()
}

/// The table of DESIGN § 6, *Approval*.
#[test]
fn p03_approval_follows_its_table() {
    use Decision::{Allow, Deny, Escalate};
    let (open, ask) = (plain("open"), asking("ask", "finance"));
    let (shut, wait) = (plain("shut"), asking("wait", "oncall"));
    for (case, permits, forbids, decision, asked) in [
        ("nothing", vec![], vec![], Deny, vec![]),
        ("a permit", vec![&open], vec![], Allow, vec![]),
        ("a permit that asks", vec![&ask], vec![], Escalate, vec!["finance"]),
        ("one of two permits asks", vec![&open, &ask], vec![], Allow, vec![]),
        ("a forbid", vec![], vec![&shut], Deny, vec![]),
        ("a forbid over a permit", vec![&open], vec![&shut], Deny, vec![]),
        ("a forbid over a permit that asks", vec![&ask], vec![&shut], Deny, vec![]),
        ("a forbid that asks, nothing permitted", vec![], vec![&wait], Deny, vec![]),
        ("a forbid that asks over a permit", vec![&open], vec![&wait], Escalate, vec!["oncall"]),
        ("both ask", vec![&ask], vec![&wait], Escalate, vec!["finance", "oncall"]),
        ("a permit is open, the forbid asks", vec![&open, &ask], vec![&wait], Escalate, vec!["oncall"]),
        ("one of two forbids asks", vec![&open], vec![&wait, &shut], Deny, vec![]),
    ] {
        let own = |policies: Vec<&Satisfied>| policies.into_iter().cloned().collect::<Vec<_>>();
        let verdict = evaluated(&own(permits), &own(forbids), &[]);
        assert_eq!(verdict.decision, decision, "{case}");
        assert_eq!(groups(&verdict), asked, "{case}");
    }
}

#[test]
fn p04_policy_error_denies() {
    for (permits, forbids) in [
        (vec![], vec![]),
        (vec![plain("open")], vec![]),
        (vec![asking("ask", "finance")], vec![]),
        (vec![plain("open")], vec![asking("wait", "oncall")]),
        (vec![plain("open")], vec![plain("shut")]),
    ] {
        let verdict = evaluated(&permits, &forbids, &["attribute not found"]);
        assert_eq!(verdict.decision, Decision::Deny);
        assert_eq!(verdict.reasons.iter().map(|reason| reason.code).collect::<Vec<_>>(), [Code::PolicyError]);
        assert!(verdict.approvals.is_empty());
    }
}

#[test]
fn p03_what_policy_refuses_is_denied_with_a_reason() {
    let verdict_of = |reasons| verdict(Evaluation::Refused(reasons));
    let unknown = verdict_of(vec![Reason::new(Code::UnknownTool, "no such tool")]);
    assert_eq!((unknown.decision, unknown.reasons.len()), (Decision::Deny, 1));
    let silent = verdict_of(vec![]);
    assert_eq!(silent.decision, Decision::Deny);
    assert_eq!(silent.reasons.first().map(|reason| reason.code), Some(Code::NotPermitted));
}

#[test]
fn p12_the_nearest_permit_explains_a_denial() {
    let near = Near {
        policy: policy("payments-small"),
        message: "amount 500 is above 100.00".to_owned(),
        hint: Some("Payments up to 100.00 are allowed.".to_owned()),
        disclose: Disclose::Code,
    };
    let verdict = verdict(Evaluation::Evaluated {
        permits: vec![],
        forbids: vec![asking("wait", "oncall")],
        errors: vec![],
        nearest: Some(near),
    });
    assert_eq!(verdict.decision, Decision::Deny);
    assert_eq!(verdict.hint.as_deref(), Some("Payments up to 100.00 are allowed."));
    assert_eq!(verdict.disclose, Disclose::Code);
    let [reason] = &*verdict.reasons else { unreachable!("one reason: {:?}", verdict.reasons) };
    assert_eq!(reason.policy.as_ref().map(|policy| &*policy.id), Some("payments-small"));
}

/// Bytes that other gates, and later versions of this one, must give.
#[test]
fn p05_verdict_bytes_are_these() {
    let verdict = evaluated(&[asking("b", "finance"), asking("a", "finance")], &[asking("c", "oncall")], &[]);
    let text = String::from_utf8(verdict.canonical()).expect("canonical JSON is UTF-8");
    assert_eq!(text, include_str!("golden/verdict.json").trim_end());
}

fn satisfied(prefix: &'static str) -> impl Strategy<Value = Vec<Satisfied>> {
    let disclose = prop::sample::select(vec![Disclose::Full, Disclose::Code, Disclose::None]);
    let code = prop::option::of(prop::sample::select(vec![Code::UntrustedData, Code::LimitExceeded]));
    let approval = prop::option::of((prop::sample::select(vec!["finance", "oncall", "board"]), 1_u32..3));
    let message = prop::option::of("[a-z ]{1,12}");
    prop::collection::vec((code, approval, message, disclose), 0..5).prop_map(move |policies| {
        let policies = policies.into_iter().enumerate();
        let satisfied = policies.map(|(number, (code, approval, message, disclose))| Satisfied {
            policy: policy(&format!("{prefix}-{number}")),
            code,
            message: message.map(Into::into),
            approval: approval.map(|(group, quorum)| Approval { group: group.into(), quorum, channel: None }),
            disclose,
        });
        satisfied.collect()
    })
}

fn errors() -> impl Strategy<Value = Vec<(PolicyRef, String)>> {
    prop_oneof![
        3 => Just(vec![]),
        1 => prop::collection::vec("[a-z ]{1,12}", 1..4).prop_map(|errors| {
            errors.into_iter().enumerate().map(|(n, error)| (policy(&format!("error-{n}")), error)).collect()
        }),
    ]
}

/// How far open a decision is.
fn openness(decision: Decision) -> u8 {
    match decision {
        Decision::Deny => 0,
        Decision::Escalate => 1,
        Decision::Allow => 2,
        // Policy never says so, only a door watches: more open than all, so that a verdict like this is found.
        Decision::WouldDeny => u8::MAX,
    }
}

/// The rule in four lines, to hold the code against.
fn expected(permits: &[Satisfied], forbids: &[Satisfied], errors: usize) -> Decision {
    let unconditional = |policies: &[Satisfied]| policies.iter().any(|policy| policy.approval.is_none());
    match () {
        () if errors > 0 || unconditional(forbids) || permits.is_empty() => Decision::Deny,
        () if forbids.is_empty() && unconditional(permits) => Decision::Allow,
        () => Decision::Escalate,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p03_nothing_opens_but_a_permit(
        permits in satisfied("permit"), forbids in satisfied("forbid"), errors in errors(),
    ) {
        let decision = expected(&permits, &forbids, errors.len());
        let verdict = verdict(Evaluation::Evaluated { permits, forbids, errors, nearest: None });
        prop_assert_eq!(verdict.decision, decision);
        prop_assert!(!verdict.reasons.is_empty(), "every verdict says why");
        prop_assert_eq!(!verdict.approvals.is_empty(), decision == Decision::Escalate);
        prop_assert!(verdict.reasons.is_sorted() && verdict.approvals.is_sorted());
    }

    #[test]
    fn p05_order_changes_no_byte(
        (permits, forbids, errors, shuffled) in (satisfied("permit"), satisfied("forbid"), errors()).prop_flat_map(
            |(permits, forbids, errors)| {
                let shuffled =
                    (Just(permits.clone()).prop_shuffle(), Just(forbids.clone()).prop_shuffle(), Just(errors.clone()).prop_shuffle());
                (Just(permits), Just(forbids), Just(errors), shuffled)
            }),
    ) {
        let one = verdict(Evaluation::Evaluated { permits, forbids, errors, nearest: None });
        let (permits, forbids, errors) = shuffled;
        let other = verdict(Evaluation::Evaluated { permits, forbids, errors, nearest: None });
        prop_assert_eq!(one.canonical(), other.canonical());
        prop_assert_eq!(one, other);
    }

    #[test]
    fn p10_one_more_forbid_or_error_never_opens(
        permits in satisfied("permit"), forbids in satisfied("forbid"), more in satisfied("more"), errors in errors(),
    ) {
        let before = evaluated(&permits, &forbids, &[]);
        let tightened: Vec<_> = forbids.iter().chain(&more).cloned().collect();
        let after = verdict(Evaluation::Evaluated { permits, forbids: tightened, errors, nearest: None });
        prop_assert!(openness(after.decision) <= openness(before.decision));
    }
}

/// A policy that finds something else for each act, by the fact `command.program`.
struct ByProgram;

impl Snapshot for ByProgram {
    fn digest(&self) -> Digest {
        Digest::of(b"policy")
    }

    fn evaluate(&self, _: &Call, facts: &Facts) -> Evaluation {
        let nothing = || (Vec::new(), Vec::new(), Vec::new());
        let (permits, forbids, errors) = match facts.get("command.program") {
            Some(Fact::Text(program)) => match &**program {
                "ls" => (vec![plain("looks")], Vec::new(), Vec::new()),
                "sudo" => (vec![asking("asks", "owners")], Vec::new(), Vec::new()),
                "rm" => (vec![plain("looks")], vec![plain("stays")], Vec::new()),
                "broken" => (vec![plain("looks")], Vec::new(), vec![(policy("broken"), "overflow".to_owned())]),
                _ => nothing(),
            },
            _ => nothing(),
        };
        Evaluation::Evaluated { permits, forbids, errors, nearest: None }
    }

    fn trace(&self, _: &Call, _: &Facts) -> Json {
        Json::Null
    }

    fn standing(&self, _: &AgentId, _: &ServerName, offers: &[Offer]) -> Vec<Standing> {
        vec![Standing::Hidden; offers.len()]
    }
}

fn acts(programs: &[&str]) -> Facts {
    let mut facts = Facts::default();
    for program in programs {
        facts.insert_act([("command.program", Fact::Text((*program).into()))].into());
    }
    facts
}

#[test]
fn p03_of_several_acts_the_strictest_verdict_is_that_of_the_call() {
    for (programs, decision, policies) in [
        (&["ls", "ls"] as &[_], Decision::Allow, &["looks"] as &[_]),
        (&["ls", "sudo"], Decision::Escalate, &["asks"]),
        (&["sudo", "ls"], Decision::Escalate, &["asks"]),
        (&["ls", "rm"], Decision::Deny, &["stays"]),
        (&["rm", "sudo", "ls"], Decision::Deny, &["stays"]),
        (&["sudo", "rm"], Decision::Deny, &["stays"]),
        (&["ls", "broken"], Decision::Deny, &["broken"]),
        (&["rm", "broken"], Decision::Deny, &["broken", "stays"]),
    ] {
        let verdict = judge(&call(), &acts(programs), &ByProgram);
        assert_eq!(verdict.decision, decision, "{programs:?}");
        let mut by: Vec<_> =
            verdict.reasons.iter().filter_map(|reason| reason.policy.as_ref()).map(|at| &*at.id).collect();
        by.sort_unstable();
        assert_eq!(by, policies, "{programs:?}");
        assert_eq!(verdict.approvals.is_empty(), decision != Decision::Escalate, "{programs:?}");
    }
    // An act that nothing permits denies, whatever the others are.
    assert_eq!(judge(&call(), &acts(&["ls", "dd"]), &ByProgram).decision, Decision::Deny);
    assert_eq!(judge(&call(), &acts(&[]), &ByProgram).decision, Decision::Deny);
}

#[test]
fn p05_the_facts_of_every_act_are_in_the_digest() {
    let digests: Vec<_> =
        [&["ls"] as &[_], &["ls", "rm"], &["rm", "ls"], &[]].iter().map(|all| acts(all).digest()).collect();
    let distinct: std::collections::BTreeSet<_> = digests.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), digests.len());
}
