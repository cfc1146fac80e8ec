//! What the gate itself does for an agent: running contained, and bringing back what that wrote.

use callgate_core::seam::{FactSource, Snapshot};
use callgate_core::{Call, ChangeGroup, Changes, Verdict, judge};
use callgate_policy::{GateFiles, GateSnapshot, Rule, load};
use callgate_sandbox::SandboxFacts;
use proptest::prelude::*;

use crate::support::{FACTS, call, decide, gate, refused, texts};

const RUN: &str = r#"{"command": ["true"], "profile": "build", "workspace": "/work"}"#;

#[test]
fn every_gate_has_them_and_closed() {
    let gate = gate("permit (principal == Agent::\"s1\", action == Action::\"bank.balance\", resource);");
    let verdict = decide(&gate, "s1", "callgate.run", RUN);
    assert_eq!(verdict.reasons.first().map(|reason| reason.code.as_str()), Some("not_permitted"), "{verdict:?}");
    let asked = gate.profile(&call("s1", "callgate.run", RUN)).expect("a profile");
    assert_eq!(&*asked.name, "build");
    let commit = r#"{"folder": "/work", "write_set": "x"}"#;
    assert_eq!(gate.profile(&call("s1", "callgate.commit", commit)), None);
    // A run starts in its workspace, and what it runs is taken apart as any command.
    let commands = gate.commands(&call("s1", "callgate.run", RUN));
    assert_eq!(commands.iter().map(|command| command.cwd.as_deref()).collect::<Vec<_>>(), [Some("/work")]);
}

#[test]
fn only_what_the_gate_runs_has_a_profile() {
    let with = |overlay: &str| {
        let mut texts = texts("");
        texts.entry("callgate.toml".to_owned()).or_default().push_str(overlay);
        match load(&GateFiles::from_texts(texts), FACTS) {
            Ok(_) => Vec::new(),
            Err(error) => error.findings().iter().map(|finding| finding.rule).collect(),
        }
    };
    assert_eq!(with("\n[tool.\"callgate.run\"]\ngroups = [\"destructive\"]\n"), []);
    assert_eq!(with("\n[tool.\"callgate.run\"]\nprofile = \"build\"\n"), [Rule::UnknownName]);
    assert_eq!(with("\n[tool.\"bank.balance\"]\nprofile = \"build\"\n"), [Rule::UnknownName]);
    assert_eq!(with("\n[tool.\"callgate.nothing\"]\n"), [Rule::UnknownName]);
}

#[test]
fn policies_name_them_as_they_name_tools() {
    assert_eq!(refused("permit (principal == Agent::\"s1\", action == Action::\"callgate.run\", resource);"), []);
    let server =
        "permit (principal == Agent::\"s1\", action in Action::\"callgate\", resource == Server::\"callgate\");";
    assert_eq!(refused(server), []);
    assert!(!refused("permit (principal, action == Action::\"callgate.nothing\", resource);").is_empty());
}

const CHANGES: &str = r#"
@id("ordinary") permit (principal == Agent::"s1", action == Action::"callgate.commit", resource)
when { context.change.classes.isEmpty() } when { context.change.path in Path::"/work" };
@id("pipelines") permit (principal == Agent::"s1", action == Action::"callgate.commit", resource)
when { context.change.classes == [Change::"pipeline"] } when { context.change.path in Path::"/work/ci" };
@id("asks") @approval("oncall")
forbid (principal == Agent::"s1", action == Action::"callgate.commit", resource)
when { context.change.path in Path::"/work/deploy" };
@id("never")
forbid (principal == Agent::"s1", action == Action::"callgate.commit", resource)
when { context.change.path == Path::"/work/a/b" };
"#;

fn changing() -> GateSnapshot {
    let specs: Vec<_> = FACTS.iter().chain(callgate_sandbox::FACTS).copied().collect();
    match load(&GateFiles::from_texts(texts(CHANGES)), &specs) {
        Ok(loaded) => loaded.snapshot,
        Err(error) => panic!("{}", callgate_policy::render(error.findings(), false)),
    }
}

fn judged(gate: &GateSnapshot, call: &Call, changes: &Changes) -> Verdict {
    let mut facts = crate::support::facts();
    SandboxFacts::default().weigh(changes, &mut facts).expect("not too many");
    judge(call, &facts, gate)
}

proptest! {
    #[test]
    fn what_policy_cannot_tell_apart_it_need_not_be_asked_twice(
        groups in prop::collection::vec(
            (prop::sample::subsequence(vec!["pipeline", "set_id"], 0..=2),
             prop::collection::btree_set("/(work|work/(a|ci|deploy|x|ab)(/[ab]){0,2}|other)", 1..12)),
            1..4,
        ),
    ) {
        let gate = changing();
        let call = call("s1", "callgate.commit", r#"{"folder": "/work", "write_set": "x"}"#);
        let group = |(classes, paths): (Vec<&str>, std::collections::BTreeSet<String>)| ChangeGroup {
            classes: classes.into_iter().map(Into::into).collect(),
            paths: paths.into_iter().map(Into::into).collect(),
        };
        let all = Changes(groups.into_iter().map(group).collect());
        let few = gate.tell_apart(&call, &all);
        prop_assert!(few.0.iter().map(|group| group.paths.len()).sum::<usize>() <= 4 * 7);
        let (whole, told) = (judged(&gate, &call, &all), judged(&gate, &call, &few));
        prop_assert_eq!((whole.decision, &whole.approvals), (told.decision, &told.approvals));
        let policies = |verdict: &Verdict| {
            verdict.reasons.iter().map(|reason| (reason.code, reason.policy.clone())).collect::<std::collections::BTreeSet<_>>()
        };
        prop_assert_eq!(policies(&whole), policies(&told));
    }
}

#[test]
fn one_change_among_many_decides() {
    let gate = changing();
    let call = call("s1", "callgate.commit", r#"{"folder": "/work", "write_set": "x"}"#);
    let decided = |extra: &[(&[&str], &str)]| {
        let group = |classes: &[&str], paths: Vec<String>| ChangeGroup {
            classes: classes.iter().map(|class| (*class).into()).collect(),
            paths: paths.into_iter().map(Into::into).collect(),
        };
        let many = (0..20_000).map(|n| format!("/work/x/{n}")).collect();
        let extra = extra.iter().map(|(classes, path)| group(classes, vec![(*path).to_owned()]));
        let changes = Changes(std::iter::once(group(&[], many)).chain(extra).collect());
        judged(&gate, &call, &gate.tell_apart(&call, &changes)).decision.as_str()
    };
    assert_eq!(decided(&[]), "allow");
    assert_eq!(decided(&[(&["pipeline"], "/work/ci/main.yml")]), "allow");
    assert_eq!(decided(&[(&["pipeline"], "/work/x/main.yml")]), "deny");
    assert_eq!(decided(&[(&[], "/work/deploy/now")]), "escalate");
    assert_eq!(decided(&[(&[], "/work/a/b")]), "deny");
    assert_eq!(decided(&[(&[], "/work/a/b/c")]), "allow");
    assert_eq!(decided(&[(&[], "/elsewhere")]), "deny");
    assert_eq!(decided(&[(&[], "/work/../elsewhere")]), "deny");
    assert_eq!(decided(&[(&[], "relative")]), "deny");
}
