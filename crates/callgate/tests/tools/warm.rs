//! Sandboxes that stand by: for one agent each, for what policy says now, and for nobody when the gate is gone.

use std::fs;

use serde_json::{Value, json};

use crate::house::{bare, text};
use crate::rig::{Mcp, Rig, texts, until};

const ON: &str = "\n[sandbox]\nwarm = 1\n";

fn warm_rig(tighter: &str) -> Rig {
    let rig = Rig::with(tighter);
    rig.change("callgate.toml", |text| text + ON);
    rig.serving()
}

fn ready(rig: &Rig) -> i64 {
    rig.house.json(&["status"], b"").1["sandboxes_ready"].as_i64().unwrap()
}

fn until_ready(rig: &Rig, count: i64) {
    until(&format!("{count} stand by"), || ready(rig) == count);
}

/// A client that speaks for `agent`.
fn client(rig: &Rig, agent: &str) -> Mcp {
    let mut mcp = rig.raw_mcp(agent);
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    mcp.ask("initialize", hello);
    mcp.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    mcp
}

/// What the log keeps of each run, in order, once the gate has ended: who, and the report.
fn runs(rig: &mut Rig) -> Vec<(String, Value)> {
    rig.serve.take().expect("serving").terminate();
    let output = rig.house.run(&["audit", "export", "--disclose"], b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| !line["disclosed"]["run"].is_null())
        .map(|line| (line["record"]["agent"].as_str().unwrap().to_owned(), line["disclosed"]["run"].clone()))
        .collect()
}

/// All whom the process has started, and whom those have.
fn descendants(id: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let lists = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children: Vec<u32> = lists.flat_map(|list| numbers(&list)).collect();
    children.into_iter().flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

fn numbers(list: &str) -> Vec<u32> {
    list.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

#[test]
fn none_stands_by_unless_asked_for() {
    let mut rig = Rig::new().serving();
    for _ in 0..3 {
        assert_eq!(texts(&rig.call("terminal", json!({"command": "echo x"}))), "x\n");
    }
    assert_eq!(ready(&rig), 0);
    assert!(runs(&mut rig).iter().all(|(_, run)| run["got"]["stood_by"] == false));
}

/// The second agent never gets what was made ready for the first, nor the other way round.
#[test]
fn one_stands_by_for_its_own_agent_alone() {
    let mut rig = warm_rig("");
    assert_eq!(ready(&rig), 0, "nothing is made ready for who has called nothing");
    let (mut one, mut two) = (client(&rig, "developer-1"), client(&rig, "developer-2"));
    one.terminal("echo 1");
    until_ready(&rig, 1);
    two.terminal("echo 2");
    until_ready(&rig, 2);
    for _ in 0..3 {
        assert_eq!(
            texts(&one.terminal("echo mine > /tmp/x; ls /tmp /dev/shm; id -u")),
            "/dev/shm:\n\n/tmp:\nx\n1000\n"
        );
        until_ready(&rig, 2);
        assert_eq!(texts(&two.terminal("ls /tmp /dev/shm; touch /dev/shm/y")), "/dev/shm:\n\n/tmp:\n");
        until_ready(&rig, 2);
    }
    // A file tool under the same profile.
    assert!(texts(&one.call("read_file", json!({"path": "src/main.rs"}))).contains("fn main"));
    drop((one, two));
    let runs = runs(&mut rig);
    let of = |agent: &str| -> Vec<bool> {
        let own = runs.iter().filter(|(who, _)| who == agent);
        own.map(|(_, run)| run["got"]["stood_by"].as_bool().unwrap()).collect()
    };
    assert_eq!(of("developer-1"), [false, true, true, true, true]);
    assert_eq!(of("developer-2"), [false, true, true, true], "its first call found what stood by for another");
}

#[test]
fn its_record_is_as_complete_and_its_changes_come_back() {
    let mut rig = warm_rig("");
    let mut mcp = rig.mcp();
    for name in ["cold", "warm"] {
        let result = mcp.terminal(&format!("echo {name} > {name}; cat src/main.rs"));
        assert_eq!(
            (texts(&result).lines().next(), &result["isError"]),
            (Some("fn main() {}"), &json!(false)),
            "{result}"
        );
        assert_eq!(rig.read(name).as_deref(), Some(&*format!("{name}\n")));
        until_ready(&rig, 1);
    }
    // The workspace is looked for when the call comes.
    fs::write(rig.workspace.join("src/main.rs"), "changed\n").unwrap();
    assert_eq!(texts(&mcp.terminal("cat src/main.rs")), "changed\n");
    until_ready(&rig, 1);
    let away = rig.workspace.with_extension("away");
    fs::rename(&rig.workspace, &away).unwrap();
    assert_eq!(mcp.terminal("true")["structuredContent"]["state"], "refused");
    fs::rename(&away, &rig.workspace).unwrap();
    drop(mcp);
    let runs = runs(&mut rig);
    let shape = |run: &Value| {
        let mut run = run.clone();
        for own in ["wall_millis", "cpu_micros", "peak_kib", "written"] {
            run[own] = Value::Null;
        }
        for own in ["uid", "uid_map", "groups", "stood_by"] {
            run["got"][own] = Value::Null;
        }
        for (_, inode) in run["got"]["namespaces"].as_object_mut().unwrap() {
            *inode = Value::Null;
        }
        run
    };
    let stood_by: Vec<bool> = runs.iter().take(2).map(|(_, run)| run["got"]["stood_by"].as_bool().unwrap()).collect();
    assert_eq!(stood_by, [false, true]);
    assert_eq!(shape(&runs[0].1), shape(&runs[1].1));
    assert_eq!(runs[1].1["got"]["namespaces"].as_object().unwrap().len(), 7);
    assert_eq!(runs[1].1["written"].as_array().unwrap().len(), runs[0].1["written"].as_array().unwrap().len());
}

#[test]
fn limits_hold() {
    let rig = warm_rig("memory = \"96MiB\"\noutput = \"256KiB\"\ncpu = \"1s\"\nprocesses = 40");
    let mut mcp = rig.mcp();
    let mut state = |arguments: Value| {
        let result = mcp.call("terminal", arguments);
        until_ready(&rig, 1);
        result["structuredContent"]["state"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(state(json!({"command": "true"})), "exit");
    assert_eq!(state(json!({"command": "sleep 60", "timeout": 1})), "timeout");
    assert_eq!(state(json!({"command": "while :; do :; done"})), "limit");
    assert_eq!(state(json!({"command": "yes"})), "output_cap");
    let hold = "python3 -c 'import time; x = bytearray(60 << 20); time.sleep(30)'";
    assert_eq!(state(json!({"command": format!("{hold} & {hold} & {hold} & wait")})), "out_of_memory");
    assert_eq!(state(json!({"command": "kill -9 $$"})), "signal");
    assert_eq!(state(json!({"command": "true"})), "exit");
}

#[test]
fn what_stood_by_under_another_policy_is_ended_and_not_used() {
    let mut rig = warm_rig("wall = \"50m\"");
    let mut mcp = rig.mcp();
    mcp.terminal("true");
    until_ready(&rig, 1);
    let serve = rig.serve.as_ref().unwrap().0.id();
    let before = descendants(serve);
    // What changes nothing of the profile ends nothing.
    rig.change("callgate.toml", |text| text + "\n# more to read\n");
    assert!(rig.house.run(&["reload"], b"").status.success());
    mcp.terminal("true");
    until_ready(&rig, 1);
    rig.change("callgate.toml", |text| text.replace("wall = \"50m\"", "wall = \"40m\""));
    assert!(rig.house.run(&["reload"], b"").status.success());
    until_ready(&rig, 0);
    mcp.terminal("true");
    until_ready(&rig, 1);
    mcp.terminal("true");
    until_ready(&rig, 1);
    // An agent that is none any more.
    client(&rig, "developer-2").terminal("true");
    until_ready(&rig, 2);
    rig.change("entities.toml", |text| text.replace("[agent.developer-2]", "[agent.developer-3]"));
    let reloaded = rig.house.run(&["reload"], b"");
    assert!(reloaded.status.success(), "{}", text(&reloaded.stderr));
    until_ready(&rig, 1);
    mcp.terminal("true");
    until_ready(&rig, 1);
    rig.change("callgate.toml", |text| text.replace(ON, "\n[sandbox]\nwarm = 0\n"));
    assert!(rig.house.run(&["reload"], b"").status.success());
    until_ready(&rig, 0);
    mcp.terminal("true");
    assert_eq!(ready(&rig), 0);
    let now = descendants(serve);
    assert!(before.len() > 1 && now.len() == 1, "only who gives birth is left: {before:?} {now:?}");
    drop(mcp);
    let runs = runs(&mut rig);
    let own: Vec<&Value> = runs.iter().filter(|(who, _)| who == "developer-1").map(|(_, run)| &run["got"]).collect();
    let stood_by: Vec<bool> = own.iter().map(|got| got["stood_by"].as_bool().unwrap()).collect();
    assert_eq!(stood_by, [false, true, false, true, true, false]);
    let profiles: Vec<&Value> = own.iter().map(|got| &got["profile"]).collect();
    assert!(profiles[0] == profiles[1] && profiles[1] != profiles[2] && profiles[2] == profiles[3]);
}

#[test]
fn nothing_stands_by_when_the_gate_is_gone() {
    for orderly in [true, false] {
        let mut rig = warm_rig("");
        rig.change("callgate.toml", |text| text.replace("warm = 1", "warm = 4"));
        assert!(rig.house.run(&["reload"], b"").status.success());
        let mut mcp = rig.mcp();
        mcp.terminal("true");
        until_ready(&rig, 4);
        let serve = rig.serve.take().unwrap();
        let all = descendants(serve.0.id());
        assert_eq!(
            all.len(),
            1 + 4 * 3,
            "who gives birth, and four launchers with an init and a program each: {all:?}"
        );
        if orderly {
            serve.terminate()
        } else {
            drop(serve)
        }
        let alive = |id: &u32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
        };
        until("all are gone", || !all.iter().any(alive));
    }
}

/// Too many are a mistake of the operator's, which keeps the gate from loading.
#[test]
fn more_than_may_stand_by_are_refused() {
    let rig = Rig::new();
    let written = fs::read_to_string(rig.house.gate().join("callgate.toml")).unwrap();
    let check = |line: &str| {
        rig.change("callgate.toml", |_| format!("{written}\n[sandbox]\n{line}\n"));
        bare(&["policy", "check"]).arg(rig.house.gate()).output().unwrap()
    };
    for wrong in ["warm = 5", "warm = -1", "warm = \"1\"", "warm = 1.0", "cold = 1"] {
        let checked = check(wrong);
        assert!(!checked.status.success(), "{wrong}");
        let said = text(&checked.stdout) + &text(&checked.stderr);
        assert!(said.contains("bad_profile"), "{wrong}: {said}");
    }
    for right in ["warm = 0", "warm = 4"] {
        let checked = check(right);
        assert!(checked.status.success(), "{right}: {} {}", text(&checked.stdout), text(&checked.stderr));
    }
}
