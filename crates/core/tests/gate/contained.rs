//! Calls that run contained: what they are held to, what is said of how they went, and what they bring back.

use callgate_core::{ChangeGroup, Changes, Code, Decision, Fact, Outcome, RunReport};
use callgate_text::{Digest, Json};

use super::house::{Disk, House, Ill, caller, request};
use super::{completion, denied};

#[tokio::test]
async fn p11_no_sandbox_is_a_denial_and_not_a_run_without_one() {
    let house = House::new(Ill::NoSandbox, [Disk::Keeps]);
    let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
    denied(&house, &answer, Code::SandboxUnavailable, true);
    assert_eq!(answer.containment, None);
}

#[tokio::test]
async fn p11_what_a_call_is_held_to_is_a_fact_before_and_in_the_answer_and_the_record() {
    for (ill, tier) in [(Ill::Nothing, 0), (Ill::Contained, 2)] {
        let house = House::new(ill, [Disk::Keeps]);
        let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
        assert_eq!(answer.decision(), Decision::Allow);
        let evaluated = house.evaluated.lock().expect("whole").clone();
        assert_eq!(evaluated.first().and_then(|facts| facts.get("env.sandbox")), Some(&Fact::Long(tier)));
        let held = answer.containment.as_ref().map(|held| (&*held.profile, held.digest, held.tier));
        assert_eq!(held, (tier > 0).then(|| ("build", Digest::of(b"build"), 2)));
        assert_eq!(answer.to_json().get("sandbox"), answer.containment.as_ref().map(|held| held.to_json()).as_ref());
        let details = house.entries().first().map(|entry| entry.record.details.clone()).expect("recorded");
        assert_eq!(details.iter().any(|(name, _)| *name == "sandbox"), tier > 0);
    }
}

#[tokio::test]
async fn p09_how_a_run_went_is_sealed_and_only_its_end_in_the_clear() {
    let house = House::new(Ill::Contained, [Disk::Keeps]);
    let report = |exit: &str, report: Json| Some(RunReport { exit: exit.to_owned(), report });
    let answer = house.gate.decide(&caller("finance-1"), Ok(request())).await;
    let permit = answer.permit.as_ref().expect("allowed").token();
    // What the log does not take is refused, and the permit is still there.
    let long = Json::from("x".repeat(RunReport::LONGEST));
    for unfit in [
        report("", Json::Null),
        report("Killed!", Json::Null),
        report(&"x".repeat(33), Json::Null),
        report("exit", long),
    ] {
        let completion = callgate_core::Completion { run: unfit, ..completion(&answer.id, permit) };
        let refused = house.gate.complete(&caller("finance-1"), completion).await;
        assert_eq!(refused.map_err(|reason| reason.code), Err(Code::InvalidArguments));
    }
    let run = report("out_of_memory", Json::object([("peak_kib", "17")]));
    let completion = callgate_core::Completion { run, outcome: Outcome::Error, ..completion(&answer.id, permit) };
    assert!(house.gate.complete(&caller("finance-1"), completion).await.is_ok());
    let record = house.entries().pop().expect("recorded").record;
    assert!(record.details.contains(&("exit", Json::from("out_of_memory"))));
    let sealed = record.sealed.iter().find(|sealed| sealed.name == "run").map(|sealed| &sealed.value);
    assert_eq!(sealed, Some(&Json::object([("peak_kib", "17")])));
}

#[tokio::test]
async fn policy_is_asked_about_each_change() {
    let house = House::new(Ill::Nothing, [Disk::Keeps]);
    let group = |path: &str| ChangeGroup { classes: [].into(), paths: [path.into()].into() };
    let changes = Changes(vec![group("/work/a"), group("/work/b")]);
    let answer = house.gate.decide_changes("test", &caller("finance-1"), request(), &changes).await;
    assert_eq!(answer.decision(), Decision::Allow);
    let evaluated = house.evaluated.lock().expect("whole").clone();
    let paths: Vec<_> = evaluated.iter().map(|facts| facts.get("change.path").cloned().expect("a fact")).collect();
    assert_eq!(paths, [Fact::Name("/work/a".into()), Fact::Name("/work/b".into())]);
}
