//! Every way in which what runs contained can end, told apart from all others: by the terminal over MCP and on the
//! socket, by `callgate run` to shells and to programs, and in the log.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Output, Stdio};

use callgate_doors::tools::{Called, Progress};
use callgate_text::Json;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::conduct::request;
use crate::house::text;
use crate::rig::{Rig, texts};

/// What happens to a run beside what its command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// Its time is one second.
    Hurry,
    /// Somebody cancels it once it has said `started`.
    Cancel,
    /// Its profile asks for more than there is.
    TooStrong,
}

/// The state, a number that comes with it, and what `callgate run` exits with.
type Row = (&'static str, &'static str, Then, Option<(&'static str, i64)>, i32);

/// Each by itself is within the limit, since where no control group can be had, the kernel refuses a process more.
const HOLD: &str = "python3 -c 'import time; x = bytearray(60 << 20); time.sleep(6)'";

fn rows() -> Vec<(Row, String)> {
    let hungry = format!("{HOLD} & {HOLD} & {HOLD} & wait");
    let row = |row: Row| (row, row.1.to_owned());
    vec![
        row(("exit", "touch kept", Then::Nothing, Some(("code", 0)), 0)),
        row(("exit", "printf '{\"state\":\"exit\"' >&2; exit 7", Then::Nothing, Some(("code", 7)), 7)),
        row(("signal", "kill -9 $$", Then::Nothing, Some(("signal", 9)), 137)),
        row(("timeout", "touch lost; sleep 60", Then::Hurry, None, 124)),
        row(("limit", "touch lost; while :; do :; done", Then::Nothing, None, 125)),
        row(("output_cap", "touch lost; yes", Then::Nothing, None, 125)),
        (("out_of_memory", "", Then::Nothing, None, 125), format!("touch lost; {hungry}")),
        row(("cancelled", "touch lost; echo started; sleep 60", Then::Cancel, None, 143)),
        row(("refused", "touch lost", Then::TooStrong, None, 70)),
    ]
}

/// The pack, with profiles for each of them, and with a permit for `callgate run`.
pub(crate) fn rig(then: Then) -> Rig {
    let rig = Rig::with("memory = \"96MiB\"\noutput = \"256KiB\"\ncpu = \"1s\"");
    rig.change("callgate.toml", |text| {
        let text = text + "\n[sandbox.profile.hurried]\nextends = \"tight\"\nwall = \"1s\"\n";
        let text = text + "\n[sandbox.profile.strong]\nextends = \"tight\"\ntier = 3\n";
        if then == Then::TooStrong { text.replacen("profile = \"tight\"", "profile = \"strong\"", 1) } else { text }
    });
    rig.change("policies/tools.cedar", |text| {
        let permit = "permit (principal in Blueprint::\"developer\", action == Action::\"callgate.run\", resource)";
        format!("{text}\n@id(\"runs\")\n{permit}\nwhen {{ context.env.sandbox >= 2 }};\n")
    });
    rig.serving()
}

/// What the log says about runs of `tool`, in order.
fn logged(rig: &mut Rig, tool: &str) -> Vec<Value> {
    let outcomes = rig.records().into_iter().filter(|record| record["kind"] == "outcome" && record["tool"] == tool);
    outcomes.map(|record| record["exit"].clone()).collect()
}

/// The result of the terminal, as a client of MCP reads it; that of a cancelled call comes over the socket alone.
fn by_terminal(rig: &Rig, command: &str, then: Then) -> Value {
    if then == Then::Cancel {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(cancelled(rig, command));
    }
    let mut arguments = json!({"command": command});
    if then == Then::Hurry {
        arguments["timeout"] = json!(1);
    }
    rig.call("terminal", arguments)["structuredContent"].clone()
}

async fn cancelled(rig: &Rig, command: &str) -> Value {
    let (progress, mut told) = mpsc::channel::<Progress>(16);
    let started = async {
        assert!(told.recv().await.is_some_and(|progress| progress.message.as_deref() == Some("started")));
    };
    let called = rig.house.client("developer-1").call_tool(&Ok(request(command)), progress, started).await.unwrap();
    let Called::Ran { result, .. } = called else { panic!("{called:?}") };
    serde_json::from_slice(&Json::Object(result.structured).canonical()).unwrap()
}

/// `callgate run` of the same, and what it says to programs.
fn by_run(rig: &Rig, command: &str, then: Then) -> (Output, Value) {
    let profile = match then {
        Then::Nothing | Then::Cancel => "tight",
        Then::Hurry => "hurried",
        Then::TooStrong => "strong",
    };
    let mut run = rig.house.command(&["run", "--format", "json", "--profile", profile]);
    run.arg("--workspace").arg(&rig.workspace).arg("--credential").arg(rig.house.token("developer-1"));
    run.args(["--", "/bin/bash", "-c", command]);
    let mut child = run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = match then {
        Then::Cancel => terminated(child),
        // What it says is much: somebody must read it.
        _ => {
            let mut out = child.stdout.take().unwrap();
            let reader = std::thread::spawn(move || out.read_to_end(&mut Vec::new()));
            let output = child.wait_with_output().unwrap();
            reader.join().unwrap().unwrap();
            output
        }
    };
    let said = text(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    let last = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output, last)
}

fn terminated(mut child: Child) -> Output {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn every_end_is_told_apart_wherever_it_is_told() {
    let mut states = BTreeSet::new();
    for ((state, _, then, number, code), command) in rows() {
        let mut rig = rig(then);
        let told = by_terminal(&rig, &command, then);
        assert_eq!(told["state"], state, "{command}: {told}");
        let numbers = |told: &Value| ["code", "signal"].map(|key| told[key].as_i64().map(|number| (key, number)));
        assert_eq!(numbers(&told).into_iter().flatten().next(), number, "{command}: {told}");
        let kept = rig.read("kept").is_some();
        let (output, said) = by_run(&rig, &command, then);
        assert_eq!((said["state"].as_str(), output.status.code()), (Some(state), Some(code)), "{command}: {said}");
        assert_eq!(numbers(&said).into_iter().flatten().next(), number, "{command}: {said}");
        // What did not end by itself is not kept, by either.
        assert!(rig.read("lost").is_none(), "{command}");
        assert_eq!(kept, command == "touch kept", "{command}");
        // What is refused before anybody is asked is no record of `callgate run`.
        let runs = if then == Then::TooStrong { vec![] } else { vec![json!(state)] };
        assert_eq!(logged(&mut rig, "callgate.run"), runs, "{command}");
        states.insert(state);
    }
    assert_eq!(states.len(), 8, "one row at least for each of them");
}

/// What the table does not show since nothing runs: it is said so in the same place.
#[test]
fn what_does_not_run_is_told_as_well() {
    let rig = Rig::new().serving();
    let mut run = rig.house.command(&["run", "--format", "json"]);
    run.arg("--workspace").arg(&rig.workspace).arg("--credential").arg(rig.house.token("developer-1"));
    let denied = crate::house::finish(run.args(["--", "true"]), b"");
    let state = |output: &Output| {
        let said = text(&output.stderr);
        serde_json::from_str::<Value>(said.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{said}"))
    };
    assert_eq!((denied.status.code(), &state(&denied)["state"]), (Some(2), &json!("denied")), "{}", state(&denied));
    let mut run = rig.house.command(&["run", "--format", "json", "--profile", "nothing"]);
    let failed = crate::house::finish(run.args(["--", "true"]), b"");
    assert_eq!((failed.status.code(), &state(&failed)["state"]), (Some(70), &json!("failed")), "{}", state(&failed));
    assert!(texts(&rig.call("terminal", json!({"command": "rm -rf /production-data"}))).starts_with("Denied"));
}
