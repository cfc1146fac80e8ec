//! The hook in a user's settings: shown first, backed up, written once, taken out again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::house::{House, bare, finish, text};

/// A user, and a program that only tells a version.
struct User {
    folder: tempfile::TempDir,
    house: House,
}

impl User {
    fn new(version: &str) -> Self {
        let user = Self { folder: tempfile::tempdir().unwrap(), house: House::empty() };
        let program = user.folder.path().join("claude");
        fs::write(&program, format!("#!/bin/sh\necho '{version}'\n")).unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let gate = user.house.gate();
        let workspace = user.folder.path().to_str().unwrap();
        let init = ["init", gate.to_str().unwrap(), "--pack", "claude-code", "--workspace", workspace];
        assert!(finish(&mut bare(&init), b"").status.success());
        user
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("config/settings.json")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = match arguments[0] {
            "install" => self.house.command(arguments),
            _ => bare(arguments),
        };
        if arguments[0] == "install" {
            command.arg("--program").arg(self.folder.path().join("claude"));
        }
        finish(command.arg("--user").env("CLAUDE_CONFIG_DIR", self.folder.path().join("config")), b"")
    }

    fn install(&self, more: &[&str]) -> Output {
        self.run(&[&["install", "claude-code"], more].concat())
    }
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[test]
fn installing_is_shown_backed_up_idempotent_and_undone() {
    let user = User::new("2.1.330 (Claude Code)");
    fs::create_dir(user.folder.path().join("config")).unwrap();
    let before = "{\n  \"model\": \"opus\",\n  \"hooks\": {\"Stop\": [{\"hooks\": []}]}\n}\n";
    fs::write(user.settings(), before).unwrap();

    let shown = user.install(&["--dry-run"]);
    assert!(shown.status.success() && text(&shown.stdout).contains("+    \"PreToolUse\""), "{}", text(&shown.stdout));
    assert_eq!(read(&user.settings()).as_deref(), Some(before), "nothing was written");

    // Nothing is denied before the operator says so, and nothing depends on a gate that runs.
    let watching = user.install(&[]);
    assert!(text(&watching.stdout).contains("only watches"), "{}", text(&watching.stdout));
    let settings = read(&user.settings()).unwrap();
    assert!(settings.contains("--observe") && !settings.contains("onFailure"), "{settings}");
    let backup = user.folder.path().join("config/settings.json.before-callgate");
    assert_eq!(read(&backup).as_deref(), Some(before));

    let enforcing = user.install(&["--mode", "enforce"]);
    assert!(text(&enforcing.stdout).contains("Advisory"), "{}", text(&enforcing.stdout));
    let settings = read(&user.settings()).unwrap();
    assert!(!settings.contains("--observe") && settings.contains("\"onFailure\": \"block\""), "{settings}");
    assert!(settings.contains("\"model\": \"opus\""), "{settings}");
    let configuration = read(&user.house.gate().join("callgate.toml")).unwrap();
    assert!(configuration.contains("claude-code = \"enforce\""), "the gate's door follows");

    // Again, without a word about the mode: as it is.
    let again = user.install(&[]);
    assert!(text(&again.stdout).contains("nothing was changed"), "{}", text(&again.stdout));
    assert_eq!(read(&user.settings()).unwrap(), settings);
    assert_eq!(read(&backup).as_deref(), Some(before), "the first backup stays");

    assert!(user.run(&["uninstall", "claude-code"]).status.success());
    let after = read(&user.settings()).unwrap();
    let same = |text: &str| callgate_text::Json::parse(text.as_bytes()).unwrap().canonical();
    assert_eq!(same(&after), same(before));
    let gone = user.run(&["uninstall", "claude-code"]);
    assert!(text(&gone.stdout).contains("nothing was changed"));
}

#[test]
fn a_running_gate_enforces_at_once() {
    let user = User::new("2.1.330 (Claude Code)");
    let _serve = user.house.serve();
    for mode in ["enforce", "observe", "enforce"] {
        let installed = user.install(&["--mode", mode]);
        assert!(installed.status.success(), "{}", text(&installed.stderr));
        let (_, status) = user.house.json(&["status"], b"");
        assert_eq!(status["doors"]["claude-code"], mode, "not after a while");
    }
}

#[test]
fn without_settings_before_there_are_none_after() {
    let user = User::new("2.1.330 (Claude Code)");
    assert!(user.install(&["--mode", "enforce"]).status.success());
    assert!(user.settings().exists());
    assert!(user.run(&["uninstall", "claude-code"]).status.success());
    assert!(!user.settings().exists());
}

#[test]
fn what_cannot_be_done_safely_is_refused() {
    for (version, why) in [("2.1.294 (Claude Code)", "update it"), ("", "does not tell its version")] {
        let user = User::new(version);
        let refused = user.install(&["--mode", "enforce"]);
        assert!(!refused.status.success() && text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
        assert!(!user.settings().exists());
    }
    let user = User::new("2.1.330 (Claude Code)");
    fs::create_dir(user.folder.path().join("config")).unwrap();
    for odd in ["{\"a\":1,\"a\":2}", "[]", "{", "{\"hooks\":[]}", "// no\n{}"] {
        fs::write(user.settings(), odd).unwrap();
        assert!(!user.install(&[]).status.success(), "{odd}");
        assert_eq!(read(&user.settings()).as_deref(), Some(odd), "left alone");
    }
    fs::remove_file(user.settings()).unwrap();
    let lock = ["policy", "check", "--lock", user.house.gate().to_str().unwrap()].map(str::to_owned);
    assert!(finish(&mut bare(&lock.each_ref().map(String::as_str)), b"").status.success());
    let refused = user.install(&["--mode", "enforce"]);
    assert!(text(&refused.stderr).contains("gate.lock"), "{}", text(&refused.stderr));
    assert!(!user.settings().exists());
}

#[test]
fn a_hook_denies_whatever_is_wrong_with_it() {
    let house = House::empty();
    let call =
        br#"{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{},"tool_use_id":"t"}"#;
    let socket = house.path().join("none.sock");
    let socket = socket.to_str().unwrap();
    let good = ["hook", "claude-code", "--socket", socket];
    for (arguments, input) in [
        (good.to_vec(), &call[..]),
        (good.to_vec(), b""),
        (good.to_vec(), b"not json"),
        (good.to_vec(), &call[..40]),
        (vec!["hook"], call),
        (vec!["hook", "codex"], call),
        (vec!["hook", "claude-code", "--no-such-flag"], call),
        (vec!["hook", "claude-code", "--socket"], call),
        (vec!["hook", "claude-code", "--socket", socket, "--credential", "/no/such/file"], call),
    ] {
        let said = finish(&mut bare(&arguments), input);
        let stdout = text(&said.stdout);
        assert_eq!(said.status.code(), Some(2), "{arguments:?} {stdout}");
        let document = callgate_text::Json::parse(&said.stdout).expect("one document and nothing else");
        let decision = document.get("hookSpecificOutput").and_then(|answer| answer.get("permissionDecision"));
        assert_eq!(decision.and_then(callgate_text::Json::as_str), Some("deny"), "{stdout}");
        let stderr = text(&said.stderr);
        assert_eq!(stderr.lines().count(), 1, "one line for people: {stderr:?}");
    }
    // A host that never ends its document, and a variable that points elsewhere.
    let mut stalled = bare(&good);
    let mut stalled = stalled.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let kept = stalled.stdin.take();
    assert_eq!(stalled.wait().unwrap().code(), Some(2));
    drop(kept);
    // With --observe nothing is denied, not even this.
    let watched = finish(bare(&good).arg("--observe"), call);
    assert_eq!((watched.status.code(), text(&watched.stdout).as_str()), (Some(0), "{}"));
}

#[test]
fn no_variable_on_the_agents_side_points_the_hook_elsewhere() {
    let user = User::new("2.1.330 (Claude Code)");
    let call = br#"{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"TaskList","tool_input":{},"tool_use_id":"t"}"#;
    assert!(user.install(&["--mode", "enforce"]).status.success());
    let _gate = user.house.serve();
    let socket = user.house.socket();
    let hook = |variables: &[(&str, &str)]| {
        let mut command = bare(&["hook", "claude-code", "--socket", socket.to_str().unwrap()]);
        finish(command.envs(variables.iter().copied()), call).status.code()
    };
    assert_eq!(hook(&[]), Some(0), "a harmless call of this user is allowed");
    assert_eq!(hook(&[("CALLGATE_SOCKET", "/nowhere"), ("CALLGATE_GATE", "/nowhere"), ("HOME", "/nowhere")]), Some(0));

    // And what has no dynamic loader obeys none of its variables.
    let library = user.folder.path().join("evil.so");
    let source = user.folder.path().join("evil.c");
    let code = "#include <unistd.h>\n__attribute__((constructor)) static void f(void) { _exit(0); }\n";
    fs::write(&source, code).unwrap();
    let compiler =
        std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    if crate::house::missing("a C compiler", compiler.is_ok_and(|status| status.success())) {
        return;
    }
    let library = library.to_str().unwrap();
    let denied =
        br#"{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Nope","tool_input":{},"tool_use_id":"t"}"#;
    let mut command = bare(&["hook", "claude-code", "--socket", socket.to_str().unwrap()]);
    let said = finish(command.envs([("LD_PRELOAD", library), ("LD_AUDIT", library)]), denied);
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        assert_eq!(said.status.code(), Some(2), "the hook is linked statically: see .cargo/config.toml");
    }
}
