//! Contained runs under a gate: it decides before the run and before the commit, and records both.

use std::fs;
use std::path::Path;
use std::process::Output;

use callgate_core::{ChangeGroup, Changes, Code, Decision, Request};
use callgate_doors::Operations;
use serde_json::Value;

use crate::house::{House, bare, finish, text};

/// A gate on the quickstart, and a folder to work in.
fn house() -> (House, tempfile::TempDir) {
    let house = House::quickstart();
    let workspace = tempfile::tempdir_in("/var/tmp").expect("a folder");
    house.token("engineer-1");
    (house, workspace)
}

fn run(house: &House, agent: &str, workspace: &Path, words: &[&str]) -> Output {
    let mut command = house.command(&["run"]);
    command.arg("--credential").arg(house.token(agent)).arg("--workspace").arg(workspace).args(words);
    finish(&mut command, b"")
}

fn records(house: &House) -> Vec<Value> {
    let output = house.run(&["audit", "export"], b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// The members of records about contained runs: kind, tool, decision, exit.
fn story(house: &House) -> Vec<[String; 4]> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let records = records(house);
    let leaves = records.iter().map(|record| &record["record"]);
    leaves
        .filter(|leaf| leaf["tool"].as_str().is_some_and(|tool| tool.starts_with("callgate.")))
        .map(|leaf| [&leaf["kind"], &leaf["tool"], &leaf["decision"], &leaf["details"]["exit"]].map(word))
        .collect()
}

#[test]
fn a_run_and_its_commit_are_decided_and_recorded() {
    let (house, workspace) = house();
    let serve = house.serve();
    let ran = run(&house, "engineer-1", workspace.path(), &["--", "sh", "-c", "echo x > made.txt; exit 3"]);
    assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
    assert_eq!(fs::read_to_string(workspace.path().join("made.txt")).expect("committed"), "x\n");
    serve.terminate();
    let row = |kind: &str, tool: &str, decision: &str, exit: &str| [kind, tool, decision, exit].map(str::to_owned);
    assert_eq!(
        story(&house),
        [
            row("decision", "callgate.run", "allow", ""),
            row("outcome", "callgate.run", "", "exit"),
            row("decision", "callgate.commit", "allow", ""),
            row("outcome", "callgate.commit", "", ""),
        ]
    );
    let all = text(&house.run(&["audit", "export"], b"").stdout);
    assert!(all.contains("\"sandbox\":{\"digest\":\"sha256:"), "the decision says what it holds the run to: {all}");
}

#[test]
fn what_policy_does_not_let_back_stays_out_and_a_permit_lets_it_in() {
    let (house, workspace) = house();
    let _serve = house.serve();
    let plants = |words: &str| run(&house, "engineer-1", workspace.path(), &["--", "sh", "-c", words]);
    for (script, planted, class) in [
        ("mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit", ".git/hooks/pre-commit", "repository_hook"),
        ("mkdir -p .github/workflows; echo a > .github/workflows/ci.yml", ".github/workflows/ci.yml", "pipeline"),
        ("echo {} > .mcp.json", ".mcp.json", "agent_config"),
        ("echo obey > CLAUDE.md", "CLAUDE.md", "instructions"),
        ("ln -s /etc/passwd out", "out", "outward_link"),
    ] {
        let ran = plants(&format!("echo harmless > beside.txt; {script}"));
        assert_eq!(ran.status.code(), Some(2), "{class}: {}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains(class), "{}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains("engineer-brings-back"), "{}", text(&ran.stderr));
        assert!(fs::symlink_metadata(workspace.path().join(planted)).is_err(), "{class}");
        assert!(!workspace.path().join("beside.txt").exists(), "all or nothing");
    }
    // Each class needs a permit of its own: one for pipelines lets no hook in.
    let permit = "@id(\"pipelines\")\npermit (principal in Blueprint::\"engineer\", action == \
                  Action::\"callgate.commit\", resource)\nwhen { [Change::\"pipeline\"].containsAll(context.change.classes) }\n\
                  when { context.change.path in Path::\"/var/tmp\" };\n";
    fs::write(house.gate().join("policies/pipelines.cedar"), permit).expect("writes");
    let reloaded = house.run(&["reload"], b"");
    assert!(reloaded.status.success(), "{}", text(&reloaded.stderr));
    let both =
        plants("mkdir -p .github/workflows .git/hooks; echo a > .github/workflows/ci.yml; echo b > .git/hooks/x");
    assert_eq!(both.status.code(), Some(2), "{}", text(&both.stderr));
    assert!(!workspace.path().join(".github").exists());
    let one = plants("mkdir -p .github/workflows; echo a > .github/workflows/ci.yml");
    assert_eq!(one.status.code(), Some(0), "{}", text(&one.stderr));
    assert!(workspace.path().join(".github/workflows/ci.yml").exists());
}

#[test]
fn p06_without_a_decision_nothing_starts() {
    let (house, workspace) = house();
    let touch = ["--", "sh", "-c", "echo x > made.txt; echo started"];
    // No gate.
    let ran = run(&house, "engineer-1", workspace.path(), &touch);
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(70), String::new()), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("callgate serve"), "{}", text(&ran.stderr));
    let support = house.token("support-1");
    let _serve = house.serve();
    // An agent that may not.
    let ran = run(&house, "support-1", workspace.path(), &touch);
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(2), String::new()), "{}", text(&ran.stderr));
    // Flags that would permit what policy does not.
    let mut command = house.command(&["run", "--permit", "repository_hook"]);
    command.arg("--credential").arg(support).arg("--workspace").arg(workspace.path()).args(touch);
    assert_eq!(finish(&mut command, b"").status.code(), Some(64));
    assert!(!workspace.path().join("made.txt").exists());
}

/// The gate's keys, and the credential of whoever asks, are not for what runs.
#[test]
fn p07_a_run_that_could_reach_the_gates_state_does_not_start() {
    let (house, workspace) = house();
    let _serve = house.serve();
    for near in [house.path().to_owned(), house.state(), house.state().join("run")] {
        let ran = run(&house, "engineer-1", &near, &["--", "sh", "-c", "echo started; touch planted"]);
        assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(70), String::new()), "{}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains("belongs to the gate"), "{}", text(&ran.stderr));
        assert!(!near.join("planted").exists());
    }
    let token = workspace.path().join("my.token");
    fs::copy(house.token("engineer-1"), &token).expect("copies");
    let mut command = house.command(&["run"]);
    command.arg("--workspace").arg(workspace.path()).arg("--credential").arg(&token).args(["--", "cat", "my.token"]);
    let ran = finish(&mut command, b"");
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(70), String::new()), "{}", text(&ran.stderr));
    fs::remove_file(token).expect("removes");
    let ran = run(&house, "engineer-1", workspace.path(), &["--", "echo", "started"]);
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(0), "started\n".to_owned()), "{}", text(&ran.stderr));
}

#[test]
fn p11_a_profile_that_the_gate_does_not_hold_runs_nothing() {
    let (house, workspace) = house();
    let profile = |wall: &str| format!("\n[sandbox.profile.quick]\nextends = \"{}\"\nwall = \"{wall}\"\n", base());
    let settings = house.gate().join("callgate.toml");
    let before = fs::read_to_string(&settings).expect("reads");
    fs::write(&settings, before.clone() + &profile("1s")).expect("writes");
    let _serve = house.serve();
    let ran = run(&house, "engineer-1", workspace.path(), &["--profile", "quick", "--", "sleep", "30"]);
    assert_eq!(ran.status.code(), Some(124), "{}", text(&ran.stderr));
    // The same name, and another profile behind it.
    let other = House::quickstart();
    let looser = fs::read_to_string(other.gate().join("callgate.toml")).expect("reads") + &profile("59m");
    fs::write(other.gate().join("callgate.toml"), looser).expect("writes");
    let mut command = bare(&["run", "--profile", "quick", "--gate"]);
    command.arg(other.gate()).arg("--socket").arg(house.socket()).arg("--workspace").arg(workspace.path());
    command.arg("--credential").arg(house.token("engineer-1")).args(["--", "sh", "-c", "echo started"]);
    let ran = finish(&mut command, b"");
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(70), String::new()), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("holds another profile"), "{}", text(&ran.stderr));
}

fn base() -> &'static str {
    let probe = finish(&mut bare(&["--format", "json", "sandbox", "probe"]), b"");
    if text(&probe.stdout).contains("\"floor\":\"workspace\"") { "workspace" } else { "workspace-watched" }
}

/// Without a place for its report nothing starts; and if that is found out when it is too late, the gate is told that
/// nobody knows what ran, and nothing of it is kept.
#[test]
fn a_report_that_cannot_be_written_keeps_everything_out() {
    let (house, workspace) = house();
    house.token("support-1");
    let serve = house.serve();
    let script = ["--", "sh", "-c", "echo started; echo x > made.txt"];
    let reporting = |to: &str| run(&house, "engineer-1", workspace.path(), &[&["--report", to], &script[..]].concat());
    let ran = reporting("/no/such/folder/report.json");
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(70), String::new()), "{}", text(&ran.stderr));
    let ran = reporting("/dev/full");
    assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(70), "started\n"), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("/dev/full"), "{}", text(&ran.stderr));
    assert!(!workspace.path().join("made.txt").exists());
    let good = house.path().join("report.json");
    let ran = reporting(good.to_str().expect("utf-8"));
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert!(workspace.path().join("made.txt").exists());
    let reported = || callgate_text::Json::parse(&fs::read(&good).expect("a report")).expect("JSON");
    let exit =
        |report: &callgate_text::Json| report.get("exit").and_then(callgate_text::Json::as_str).map(str::to_owned);
    assert_eq!(exit(&reported()).as_deref(), Some("exit"));
    // Not what an earlier run left there.
    let words = [&["--report", good.to_str().expect("utf-8")], &script[..]].concat();
    let denied = run(&house, "support-1", workspace.path(), &words);
    assert_eq!((denied.status.code(), exit(&reported()).as_deref()), (Some(2), Some("denied")));
    serve.terminate();
    let row = |kind: &str, tool: &str, decision: &str, exit: &str| [kind, tool, decision, exit].map(str::to_owned);
    assert_eq!(
        story(&house),
        [
            row("decision", "callgate.run", "allow", ""),
            row("outcome", "callgate.run", "", ""),
            row("decision", "callgate.run", "allow", ""),
            row("outcome", "callgate.run", "", "exit"),
            row("decision", "callgate.commit", "allow", ""),
            row("outcome", "callgate.commit", "", ""),
            row("decision", "callgate.run", "deny", ""),
        ]
    );
    let outcomes = records(&house).into_iter().map(|mut record| record["record"].take());
    let lost = outcomes.filter(|leaf| leaf["kind"] == "outcome").map(|leaf| leaf["details"]["status"].clone());
    assert_eq!(lost.collect::<Vec<_>>(), ["timeout", "ok", "ok"]);
}

#[tokio::test]
async fn p08_what_was_changed_is_never_the_caller_s_argument() {
    let (house, _) = house();
    let _serve = house.serve();
    let client = house.client("engineer-1");
    let bytes = br#"{"tool":"callgate.commit","arguments":{"folder":"/work","write_set":"sha256:00"}}"#;
    let (_, request) = Request::parse(bytes).expect("a call");
    let ruling = client.decide(Ok(request.clone())).await;
    assert_eq!((ruling.decision, ruling.code), (Decision::Deny, Code::InvalidArguments), "{}", ruling.for_model);
    let group = |class: &[&str], path: &str| ChangeGroup {
        classes: class.iter().map(|class| (*class).into()).collect(),
        paths: [path.into()].into(),
    };
    let decided = async |groups: Vec<ChangeGroup>| {
        let answer = client.decide_changes(&request, &Changes(groups)).await.expect("an answer");
        answer.get("decision").and_then(callgate_text::Json::as_str).expect("decided").to_owned()
    };
    assert_eq!(decided(vec![group(&[], "/work/a")]).await, "allow");
    // Nothing, a class that there is not, no path, and paths that lead elsewhere than they say.
    assert_eq!(decided(vec![]).await, "deny");
    assert_eq!(decided(vec![group(&["harmless"], "/work/a")]).await, "deny");
    assert_eq!(decided(vec![ChangeGroup::default()]).await, "deny");
    assert_eq!(decided(vec![group(&[], "/work/a"), group(&["set_id"], "/work/b")]).await, "deny");
    // However many there are, one that is not permitted is found among them.
    let many = |last: &[&str]| {
        let ordinary =
            ChangeGroup { classes: [].into(), paths: (0..20_000).map(|n| format!("/work/{n}").into()).collect() };
        vec![ordinary, group(last, "/work/x")]
    };
    assert_eq!(decided(many(&[])).await, "allow");
    assert_eq!(decided(many(&["pipeline"])).await, "deny");
    assert_eq!(decided(vec![group(&[], "work/relative")]).await, "deny");
}

#[test]
fn a_gate_that_is_gone_commits_nothing() {
    let (house, workspace) = house();
    let serve = house.serve();
    let started = workspace.path().join("started");
    let mut command = house.command(&["run", "--profile", base()]);
    command.arg("--credential").arg(house.token("engineer-1")).arg("--workspace").arg(workspace.path());
    command.args(["--", "sh", "-c", "echo started; sleep 2; echo x > made.txt"]);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().expect("piped")), &mut line)
        .expect("reads");
    assert_eq!(line, "started\n");
    drop(serve);
    let ran = child.wait_with_output().expect("waits");
    assert_eq!(ran.status.code(), Some(70), "{}", text(&ran.stderr));
    assert!(!workspace.path().join("made.txt").exists() && !started.exists());
}

#[test]
fn all_of_this_as_an_ordinary_user() {
    crate::somebody::runs("governed::", &["all_of_this_as_an_ordinary_user"], &[]);
}
