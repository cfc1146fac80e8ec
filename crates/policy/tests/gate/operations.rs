//! What the gate itself does for an agent: running contained, and bringing back what that wrote.

use callgate_core::seam::Snapshot;
use callgate_policy::{GateFiles, Rule, load};

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
