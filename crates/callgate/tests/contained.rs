//! `callgate run` and `callgate sandbox`, as a person uses them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

#[path = "../../sandbox/tests/support/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use terminal::Terminal;

fn callgate(words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    command.args(words).current_dir(folder).stdin(Stdio::null()).env_remove("CALLGATE_GATE");
    command.env("SECRET_OF_THE_CALLER", "s3cret").output().unwrap()
}

fn workspace() -> TempDir {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::write(folder.path().join("a.txt"), "one\n").unwrap();
    fs::create_dir_all(folder.path().join(".git/hooks")).unwrap();
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_ran_contained_comes_back_committed() {
    let folder = workspace();
    let run = callgate(&["run", "sh", "-c", "echo two >> a.txt; echo out; echo err >&2; env; exit 3"], folder.path());
    assert_eq!(run.status.code(), Some(3), "{run:?}");
    assert!(text(&run.stdout).starts_with("out\n"));
    assert!(text(&run.stderr).starts_with("err\n"), "{run:?}");
    assert!(!text(&run.stdout).contains("s3cret"));
    assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), "one\ntwo\n");
    let run = callgate(&["run", "--discard", "--", "sh", "-c", "echo three >> a.txt"], folder.path());
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), "one\ntwo\n");
}

#[test]
fn a_planted_hook_stops_the_commit_and_is_shown() {
    let folder = workspace();
    let script = "echo evil > .git/hooks/pre-commit; echo '{}' > .mcp.json; ln -s /etc/passwd notes; echo two >> a.txt";
    let run = callgate(&["run", "sh", "-c", script], folder.path());
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    let said = text(&run.stderr);
    for line in ["pre-commit (repository_hook)", ".mcp.json (agent_config)", "notes (outward_link)"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!folder.path().join(".git/hooks/pre-commit").exists());
    assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), "one\n");
    // Nobody can be asked here, so the answer is no.
    let run = callgate(&["run", "--review", "sh", "-c", script], folder.path());
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    assert!(text(&run.stderr).contains("+evil"), "{run:?}");
    let permitted = ["run", "--permit", "repository_hook", "--permit", "agent_config", "--permit", "outward_link"];
    let run = callgate(&[&permitted[..], &["sh", "-c", script]].concat(), folder.path());
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert!(folder.path().join(".git/hooks/pre-commit").exists());
}

/// A signal to `callgate` ends the run and keeps nothing of it, unless whoever started it said that it should not.
#[test]
fn a_run_is_broken_off_by_what_would_end_its_caller() {
    const IGNORING: &str = "trap '' HUP; ";
    for (first, signal, code, made) in [("", "INT", 130, false), ("", "HUP", 129, false), (IGNORING, "HUP", 0, true)] {
        let folder = workspace();
        let script = format!("{first}exec \"$0\" run sh -c 'echo started; sleep 2; echo x > made'");
        let mut shell = Command::new("bash");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_callgate")]);
        shell.current_dir(folder.path()).env_remove("CALLGATE_GATE").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut run = shell.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        let sent = Command::new("kill").args(["-s", signal, &run.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(run.wait().unwrap().code(), Some(code), "{first}{signal}");
        assert_eq!(folder.path().join("made").exists(), made, "{first}{signal}");
    }
}

#[test]
fn profiles_of_a_gate_only_tighten() {
    let (folder, gate) = (workspace(), tempfile::tempdir().unwrap());
    let write = |text: &str| fs::write(gate.path().join("callgate.toml"), text).unwrap();
    let at = gate.path().display().to_string();
    let base = text(&callgate(&["--format", "json", "sandbox", "probe"], folder.path()).stdout);
    let base = if base.contains("\"floor\":\"workspace\"") { "workspace" } else { "workspace-watched" };
    write(&format!("[sandbox.profile.quick]\nextends = \"{base}\"\nwall = \"99h\"\n"));
    let run = callgate(&["run", "--gate", &at, "--profile", "quick", "true"], folder.path());
    assert_eq!(run.status.code(), Some(70), "{run:?}");
    assert!(text(&run.stderr).contains("may only tighten"), "{run:?}");
    write(&format!("[sandbox.profile.strong]\nextends = \"{base}\"\ntier = 4\n"));
    let run = callgate(&["run", "--gate", &at, "--profile", "strong", "true"], folder.path());
    assert_eq!(run.status.code(), Some(70), "{run:?}");
    assert!(text(&run.stderr).contains("tier: 4 is asked for"), "{run:?}");
}

/// What `docs/sandbox.md` shows is a configuration.
#[test]
fn the_profiles_of_the_page_can_be_read() {
    let gate = tempfile::tempdir().unwrap();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sandbox.md")).unwrap();
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    fs::write(gate.path().join("callgate.toml"), blocks.join("\n")).unwrap();
    for profile in ["build", "publish", "coding-agent"] {
        let shown = callgate(&["sandbox", "profile", profile, "--gate", "."], gate.path());
        assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    }
}

#[test]
fn the_report_says_what_the_kernel_gave() {
    let folder = workspace();
    let report = tempfile::tempdir().unwrap();
    let path = report.path().join("report.json");
    let run = callgate(&["run", "--report", &path.display().to_string(), "sh", "-c", "echo b > b"], folder.path());
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    let json = callgate_text::Json::parse(&fs::read(path).unwrap()).unwrap();
    let got = json.get("got").unwrap();
    assert_eq!(got.get("no_new_privileges").and_then(callgate_text::Json::as_bool), Some(true));
    assert_eq!(got.get("seccomp").and_then(callgate_text::Json::as_i64), Some(2));
    assert_eq!(got.get("capabilities").and_then(callgate_text::Json::as_str), Some("0000000000000000"));
    assert_eq!(json.get("exit").and_then(callgate_text::Json::as_str), Some("exit"));
    assert_eq!(json.get("written").and_then(callgate_text::Json::as_array).unwrap().len(), 1);
}

#[test]
fn the_probe_says_what_this_machine_offers() {
    let probe = callgate(&["sandbox", "probe"], Path::new("/"));
    assert_eq!(probe.status.code(), Some(0), "{probe:?}");
    assert!(text(&probe.stdout).contains("Tier 2"), "{probe:?}");
    // The whole file system cannot be a workspace.
    let run = callgate(&["run", "true"], Path::new("/"));
    assert_eq!(run.status.code(), Some(70), "{run:?}");
}

/// `callgate` with all three streams at a terminal.
fn at(host: &Terminal, words: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    command.args(words).current_dir(folder).env_remove("CALLGATE_GATE");
    command.stdin(host.program()).stdout(host.program()).stderr(host.program());
    command
}

#[test]
fn a_person_works_with_what_runs_inside_as_with_anything_at_a_terminal() {
    let (folder, host) = (workspace(), Terminal::new());
    host.resize(33, 101);
    let script = "tty; stty size; trap 'stty size; exec sleep 100' WINCH; while :; do sleep 0.1; done";
    let mut run = at(&host, &["run", "sh", "-c", script], folder.path()).spawn().unwrap();
    host.until("/dev/pts/0\r\n33 101\r\n");
    assert!(host.is_raw());
    host.resize(22, 55);
    host.until("22 55\r\n");
    // The shell becomes `sleep` a moment later, in which the trap still holds the signal off.
    while run.try_wait().unwrap().is_none() {
        host.types(b"\x03");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(run.wait().unwrap().code(), Some(130), "{}", host.text());
    assert!(host.is_as_before());
    let run = at(&host, &["run", "sh", "-c", "echo two >> a.txt"], folder.path()).status().unwrap();
    assert_eq!(run.code(), Some(0), "{}", host.text());
    assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), "one\ntwo\n");
    assert!(host.is_as_before());
}

/// Whatever the program did to the terminal, a person sees what is asked, and only what is said after that is an answer.
#[test]
fn a_question_is_seen_and_answered_by_a_person() {
    for (answer, code) in [("y", 0), ("n", 2)] {
        let (folder, host) = (workspace(), Terminal::new());
        // It hides, colours, opens a string that swallows what follows, and asks the terminal something.
        let script = "printf '\\033[8m\\033[?1049h\\033P'; seq 5000 > many; echo evil > .git/hooks/pre-commit; sleep 1";
        let mut shell = Command::new("setsid");
        let line = "\"$0\" run --review sh -c \"$1\" </dev/null";
        shell.args(["--ctty", "--wait", "bash", "-c", line, env!("CARGO_BIN_EXE_callgate"), script]);
        shell.current_dir(folder.path()).env_remove("CALLGATE_GATE");
        shell.stdin(host.program()).stdout(host.program()).stderr(host.program());
        let mut run = shell.spawn().unwrap();
        // Somebody's keys, or a terminal's own word, before there is a question.
        host.types(b"y\ny\n");
        host.until("changes to ");
        let seen = host.text();
        let calm = seen.rfind("\u{18}\u{1b}\\").expect("ends what was begun");
        assert!(calm > seen.find("\u{1b}P").unwrap(), "{seen:?}");
        host.until("? [y/N] ");
        let seen = host.text();
        let shown = &seen[calm..];
        assert!(shown.contains("more lines that differ are not shown"), "{shown}");
        let last: Vec<&str> = shown.lines().rev().take(2).collect();
        assert!(last[1].contains(".git/hooks/pre-commit") && last[1].contains("! repository_hook"), "{last:?}");
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(run.try_wait().unwrap().is_none(), "it waits for an answer: {shown}");
        host.types(format!("{answer}\n").as_bytes());
        assert_eq!(run.wait().unwrap().code(), Some(code), "{}", host.text());
        assert_eq!(folder.path().join(".git/hooks/pre-commit").exists(), code == 0);
    }
}

#[test]
fn a_terminal_is_given_back_even_if_nobody_is_left_who_could_say_so() {
    let (folder, host) = (workspace(), Terminal::new());
    let mut run = at(&host, &["run", "sh", "-c", "echo ready; sleep 100"], folder.path()).spawn().unwrap();
    host.until("ready\r\n");
    assert!(host.is_raw());
    run.kill().unwrap();
    run.wait().unwrap();
    // The launcher outlives it for a moment.
    let start = std::time::Instant::now();
    while !host.is_as_before() {
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "still raw");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // Only half a terminal is none.
    let mut piped = at(&host, &["run", "tty"], folder.path());
    let piped = piped.stdin(Stdio::null()).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(text(&piped.stdout), "not a tty\n");
}

#[test]
fn a_run_in_the_background_leaves_the_terminal_to_whom_it_belongs() {
    for (suffix, says) in [("", "/dev/pts/0\r\n"), (" & wait", "not a tty\r\n")] {
        let (folder, host) = (workspace(), Terminal::new());
        let script = format!("\"$0\" run tty{suffix}");
        let mut shell = Command::new("setsid");
        shell.args(["--ctty", "--wait", "bash", "-mc", &script, env!("CARGO_BIN_EXE_callgate")]);
        shell.current_dir(folder.path()).env_remove("CALLGATE_GATE");
        shell.stdin(host.program()).stdout(host.program()).stderr(host.program());
        shell.status().unwrap();
        host.until(says);
    }
}
