//! A kernel that gives less than was asked for, and says that it gave all of it: nothing runs, and nothing is recorded as
//! if it had.
//!
//! `strace` plays that kernel: it answers a system call with success and does not carry it out.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house::{Serve, finish, missing, text};
use crate::rig::{Rig, texts, until};
use crate::states::{Then, rig};

/// `command`, whose calls of `call` do nothing; none of them, if there is no such name.
fn pretending(call: Option<&str>, command: &Command) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={}", call.unwrap_or("prctl"))]);
    if let Some(call) = call {
        strace.args(["-e", &format!("inject={call}:retval=0")]);
    }
    strace.arg(command.get_program()).args(command.get_args());
    command.get_envs().filter(|(_, value)| value.is_none()).for_each(|(name, _)| {
        strace.env_remove(name);
    });
    strace
}

fn no_strace() -> bool {
    missing("strace", Path::new("/usr/bin/strace").exists())
}

/// Each record about `tool`, as far as it says whether something ran.
fn story(rig: &mut Rig, tool: &str) -> Vec<(Value, Value, Value)> {
    let records = rig.records().into_iter().filter(|record| record["tool"] == tool);
    records.map(|mut record| (record["kind"].take(), record["status"].take(), record["exit"].take())).collect()
}

#[test]
fn p11_a_run_that_got_less_than_its_plan_never_ran() {
    if no_strace() {
        return;
    }
    for (call, why) in [
        (None, ""),
        (Some("seccomp"), "no system call filter is in force"),
        (Some("landlock_restrict_self"), ""),
        (Some("capset"), "it holds capabilities"),
        (Some("prctl"), ""),
        (Some("unshare"), ""),
    ] {
        let mut rig = rig(Then::Nothing);
        let mut run = rig.house.command(&["run", "--profile", "tight"]);
        run.arg("--workspace").arg(&rig.workspace).arg("--credential").arg(rig.house.token("developer-1"));
        run.args(["--", "/bin/sh", "-c", "echo ran; echo x > made"]);
        let ran = finish(&mut pretending(call, &run), b"");
        let said = text(&ran.stderr);
        let outcome = match call {
            None => {
                assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(0), "ran\n"), "{said}");
                (json!("outcome"), json!("ok"), json!("exit"))
            }
            Some(call) => {
                assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(70), ""), "{call}: {said}");
                assert!(said.contains("never ran") && said.contains(why), "{call}: {said}");
                (json!("outcome"), json!("not_run"), json!("refused"))
            }
        };
        assert_eq!(rig.read("made").is_some(), call.is_none(), "{call:?}");
        let decision = (json!("decision"), Value::Null, Value::Null);
        assert_eq!(story(&mut rig, "callgate.run"), [decision, outcome], "{call:?}: {said}");
    }
}

#[test]
fn p11_a_tool_that_got_less_than_its_plan_never_ran() {
    if no_strace() {
        return;
    }
    for call in [None, Some("seccomp"), Some("capset")] {
        let mut rig = rig(Then::Nothing);
        rig.serve.take().unwrap().terminate();
        let mut strace = pretending(call, &rig.house.serve_command());
        let strace = Serve(strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the gate listens", || UnixStream::connect(rig.house.socket()).is_ok());
        // The gate is what strace started; strace ends with it.
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", strace.0.id())).unwrap();
        let gate = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a child");
        let result = rig.call("terminal", json!({"command": "echo ran; echo x > made"}));
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(gate).expect("a process"),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        until("the gate is gone", || UnixStream::connect(rig.house.socket()).is_err());
        drop(strace);
        let ran = call.is_none();
        let state = if ran { "exit" } else { "refused" };
        assert_eq!(result["structuredContent"]["state"], state, "{call:?}: {result}");
        assert_eq!((texts(&result).contains("ran\n"), rig.read("made").is_some()), (ran, ran), "{call:?}: {result}");
        rig.serve = Some(rig.house.serve());
        let outcome = (json!("outcome"), json!(if ran { "ok" } else { "not_run" }), json!(state));
        let decision = (json!("decision"), Value::Null, Value::Null);
        assert_eq!(story(&mut rig, "callgate.terminal"), [decision, outcome], "{call:?}");
    }
}
