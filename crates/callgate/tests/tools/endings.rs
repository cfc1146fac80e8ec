//! Each way in which a call ends is told apart.

use serde_json::json;

use crate::rig::{Rig, texts};

#[test]
fn a_program_that_ends_by_itself_or_by_a_signal() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    let result = mcp.terminal("echo out; echo err >&2");
    assert_eq!(
        (&result["structuredContent"]["state"], &result["structuredContent"]["code"]),
        (&json!("exit"), &json!(0))
    );
    assert_eq!((texts(&result).as_str(), &result["isError"]), ("out\nerr\n", &json!(false)));
    let result = mcp.terminal("exit 7");
    assert_eq!(
        (&result["structuredContent"]["state"], &result["structuredContent"]["code"]),
        (&json!("exit"), &json!(7))
    );
    assert_eq!(result["isError"], true);
    let result = mcp.terminal("kill -9 $$");
    assert_eq!(
        (&result["structuredContent"]["state"], &result["structuredContent"]["signal"]),
        (&json!("signal"), &json!(9))
    );
}

#[test]
fn a_program_that_a_limit_ends() {
    let rig = Rig::with("memory = \"96MiB\"\noutput = \"256KiB\"\ncpu = \"1s\"").serving();
    let mut mcp = rig.mcp();
    let state =
        |result: serde_json::Value| result["structuredContent"]["state"].as_str().unwrap_or_default().to_owned();
    assert_eq!(state(mcp.call("terminal", json!({"command": "sleep 60", "timeout": 1}))), "timeout");
    assert_eq!(state(mcp.terminal("while :; do :; done")), "limit");
    let result = mcp.terminal("yes");
    assert!(texts(&result).len() < 200 << 10 && texts(&result).contains("bytes left out"), "{}", texts(&result).len());
    assert_eq!(state(result), "output_cap");
    let hold = "python3 -c 'import time; x = bytearray(60 << 20); time.sleep(6)'";
    assert_eq!(state(mcp.terminal(&format!("{hold} & {hold} & {hold} & wait"))), "out_of_memory");
    // And what is within the limits still runs.
    assert_eq!(state(mcp.terminal("true")), "exit");
}

/// What cannot be walked is not kept; but how the run ended is known, told and recorded all the same.
#[test]
fn what_cannot_be_walked_hides_no_run() {
    let mut rig = Rig::with("disk = \"16MiB\"").serving();
    let result =
        rig.call("terminal", json!({"command": "echo said; for i in 1 2 3; do truncate -s 15M $i; done; exit 5"}));
    assert_eq!(
        (&result["structuredContent"]["state"], &result["structuredContent"]["code"]),
        (&json!("exit"), &json!(5)),
        "{result}"
    );
    assert_eq!((&result["structuredContent"]["discarded"], &result["isError"]), (&json!("all"), &json!(true)));
    assert!(texts(&result).starts_with("said\n") && texts(&result).contains("files with holes"), "{result}");
    assert_eq!(rig.read("1"), None);
    let records = rig.records();
    let run = records.iter().find(|record| record["exit"] == "exit").expect("its outcome");
    assert!(run.to_string().contains("sandbox") || run["status"] == "error", "{run}");
}

#[test]
fn a_program_that_never_started() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    std::fs::rename(&rig.workspace, rig.workspace.with_extension("away")).unwrap();
    let result = mcp.terminal("true");
    assert_eq!(
        (&result["structuredContent"]["state"], &result["isError"]),
        (&json!("refused"), &json!(true)),
        "{result}"
    );
    let result = mcp.call("read_file", json!({"path": "src/main.rs"}));
    assert_eq!(
        (&result["structuredContent"]["state"], &result["isError"]),
        (&json!("refused"), &json!(true)),
        "{result}"
    );
    // A link in its place is not followed.
    std::os::unix::fs::symlink(rig.workspace.with_extension("away"), &rig.workspace).unwrap();
    assert_eq!(mcp.terminal("true")["structuredContent"]["state"], "refused");
    std::fs::remove_file(&rig.workspace).unwrap();
    std::fs::rename(rig.workspace.with_extension("away"), &rig.workspace).unwrap();
    assert_eq!(mcp.terminal("true")["structuredContent"]["state"], "exit");
}

/// Without a workspace, or without a profile, nothing runs, and it is said what is missing.
#[test]
fn what_nothing_contains_does_not_run() {
    let rig = Rig::new();
    rig.change("callgate.toml", |text| text.replacen("profile = \"floor\"\n", "", 1));
    rig.change("policies/tools.cedar", |text| text.replace("when { context.env.sandbox >= 2 }", ""));
    let mut rig = rig.serving();
    let result = rig.call("terminal", json!({"command": "touch ran"}));
    assert!(texts(&result).contains("profile") && result["structuredContent"]["state"] == "refused", "{result}");
    assert!(rig.read("ran").is_none());
    let records = rig.records();
    let outcome = records.iter().find(|record| record["kind"] == "outcome").unwrap();
    assert_eq!(outcome["status"], "not_run", "{outcome}");

    let rig = Rig::new();
    rig.change("callgate.toml", |text| {
        text.lines().filter(|line| !line.starts_with("workspace =")).map(|line| format!("{line}\n")).collect()
    });
    let rig = rig.serving();
    let result = rig.call("terminal", json!({"command": "true"}));
    assert!(texts(&result).contains("workspace") && result["isError"] == true, "{result}");
}

/// Keys and policy are out of the tools' reach: where they are not, nothing runs.
#[test]
fn p07_where_the_gate_itself_is_in_reach_nothing_runs() {
    // A workspace around everything of the gate's.
    let rig = Rig::new();
    let around = rig.house.path().canonicalize().unwrap();
    rig.change("callgate.toml", |text| text.replace(rig.workspace.to_str().unwrap(), around.to_str().unwrap()));
    let rig = rig.serving();
    for (tool, arguments) in [
        ("terminal", json!({"command": "echo > gate/policies/x.cedar; ls state/log"})),
        ("list_directory", json!({})),
        ("write_file", json!({"path": "x", "content": ""})),
    ] {
        let result = rig.call(tool, arguments);
        assert!(result["isError"] == true && result["structuredContent"]["state"] != "exit", "{tool}: {result}");
    }
    assert!(!around.join("gate/policies/x.cedar").exists() && !around.join("x").exists());
    // A profile that shows it.
    let rig = Rig::new();
    let state = std::path::absolute(rig.house.state()).unwrap();
    rig.change("callgate.toml", |text| {
        let text = text.replacen("profile = \"floor\"", "profile = \"wide\"", 1);
        format!("{text}\n[sandbox.profile.wide]\n[sandbox.profile.wide.files]\n\"{}\" = \"ro\"\n", state.display())
    });
    let rig = rig.serving();
    let result = rig.call("terminal", json!({"command": "true"}));
    assert!(result["structuredContent"]["state"] == "refused" && texts(&result).contains("own folder"), "{result}");
    // And a new gate is not written where it would be.
    let inside = rig.workspace.join("gate");
    let init = crate::house::bare(&["init", "--pack", "tools", "--workspace"])
        .arg(&rig.workspace)
        .arg(&inside)
        .output()
        .unwrap();
    assert!(!init.status.success() && !inside.exists(), "{}", crate::house::text(&init.stderr));
}
