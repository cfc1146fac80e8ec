//! What clients see of both eras, and what agents see of each other.

use serde_json::{Value, json};

use crate::house::bare;
use crate::rig::{Rig, texts};

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

const ALL: [&str; 7] = ["terminal", "read_file", "write_file", "edit_file", "search_files", "list_directory", "memory"];

fn envelope() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    })
}

#[test]
fn both_eras_are_spoken() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    assert_eq!(names(&mcp.ask("tools/list", json!({}))), ALL);
    assert_eq!(mcp.ask("ping", json!({}))["result"], json!({}));
    assert_eq!(mcp.ask("resources/list", json!({}))["error"]["code"], -32601);
    assert_eq!(mcp.ask("initialize", json!({}))["error"]["code"], -32600);

    let mut mcp = rig.raw_mcp("developer-1");
    let discovered = mcp.ask("server/discover", json!({"_meta": envelope()}));
    assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]), "{discovered}");
    let listed = mcp.ask("tools/list", json!({"_meta": envelope()}));
    assert_eq!(names(&listed), ALL);
    assert_eq!(
        (&listed["result"]["cacheScope"], &listed["result"]["resultType"]),
        (&json!("private"), &json!("complete"))
    );
    let called =
        mcp.ask("tools/call", json!({"_meta": envelope(), "name": "terminal", "arguments": {"command": "echo hi"}}));
    assert_eq!((texts(&called["result"]).as_str(), &called["result"]["resultType"]), ("hi\n", &json!("complete")));
    let mut other = envelope();
    other["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    assert_eq!(mcp.ask("tools/list", json!({"_meta": other}))["error"]["code"], -32022);
    // Without either, nothing is answered.
    assert_eq!(mcp.ask("tools/list", json!({}))["error"]["code"], -32600);
    assert_eq!(
        mcp.ask("tools/call", json!({"name": "terminal", "arguments": {"command": "touch ran"}}))["error"]["code"],
        -32600
    );
    assert!(rig.read("ran").is_none());
}

/// What nothing permits to an agent is not listed, and neither is what differs from its pin.
#[test]
fn only_what_stands_is_listed_and_runs() {
    let rig = Rig::new();
    rig.change("policies/tools.cedar", |text| {
        let from = text.find("@id(\"tools-memory\")").unwrap();
        let to = text[from..].find(";\n").unwrap() + from + 2;
        format!("{}{}", &text[..from], &text[to..])
    });
    rig.change("tests/tools.toml", |_| String::new());
    rig.change("tools/callgate.json", |text| {
        text.replace("Gives back lines of a text file", "Gives back all lines of a text file")
    });
    let rig = rig.serving();
    let mut mcp = rig.mcp();
    let listed = mcp.ask("tools/list", json!({}));
    assert_eq!(names(&listed), ["terminal", "write_file", "edit_file", "search_files", "list_directory"]);
    let result = mcp.call("read_file", json!({"path": "src/main.rs"}));
    assert!(result["isError"] == true && texts(&result).contains("tool_changed"), "{result}");
    let result = mcp.call("memory", json!({"operation": "list"}));
    assert!(result["isError"] == true && texts(&result).contains("not_permitted"), "{result}");
    for name in ["commit", "run", "tools/call", "nothing", "Terminal"] {
        let result = mcp.call(name, json!({"command": ["touch", "ran"], "profile": "floor", "workspace": rig.workspace, "folder": rig.workspace, "write_set": ""}));
        assert_eq!(result["isError"], true, "{name}: {result}");
    }
    assert!(rig.read("ran").is_none());
}

#[test]
fn what_is_denied_does_not_run() {
    let mut rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    let result = mcp.terminal("touch ran && rm -rf /production-data/*");
    assert!(result["isError"] == true && texts(&result).contains("shell-deletes-outside"), "{result}");
    // Somebody whom nobody knows.
    let mut stranger = bare(&["tools", "--socket"]);
    let other = Rig::new();
    stranger.arg(rig.house.socket()).arg("--credential").arg(other.house.token("developer-1"));
    let output = crate::house::finish(
        &mut stranger,
        format!("{}\n{}\n", json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"_meta": envelope(), "name": "terminal", "arguments": {"command": "touch ran"}}}), json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"_meta": envelope()}})).as_bytes(),
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("unknown_agent") && !said.contains("\"name\":\"terminal\""), "{said}");
    // Lines that are no messages, but mean to call.
    for line in [
        r#"{"jsonrpc":"2.0","id":90,"method":"tools/call","params":{"name":"terminal","arguments":{"command":"touch ran"},"name":"memory"}}"#,
        r#"{"jsonrpc":"2.0","id":91,"method":"tools/call","params":{"name":"terminal","arguments":{"command":"touch ran"},"task":{}},"x":1}"#,
        r#"[{"jsonrpc":"2.0","id":92,"method":"tools/call","params":{"name":"terminal","arguments":{"command":"touch ran"}}}]"#,
    ] {
        mcp.write(line.as_bytes());
        let answer = mcp.hear().unwrap();
        assert!(answer["result"]["isError"] == true || answer["error"].is_object(), "{line}: {answer}");
    }
    assert_eq!(mcp.terminal("ls ran")["isError"], true);
    assert!(rig.read("ran").is_none());
    let denied = rig.records().into_iter().filter(|record| record["decision"] == "deny").count();
    assert!(denied >= 3, "{denied} denials are in the log");
}

/// No gate, no tools; and with one again they work, without starting the door anew.
#[test]
fn without_a_gate_nothing_runs() {
    let mut rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    rig.serve.take().unwrap().terminate();
    let result = mcp.terminal("true");
    assert!(result["isError"] == true && texts(&result).contains("no gate is running"), "{result}");
    assert!(mcp.ask("tools/list", json!({}))["error"].is_object());
    rig.serve = Some(rig.house.serve());
    assert_eq!(mcp.terminal("true")["isError"], false);
}

#[test]
fn memory_is_each_agents_own_and_outlives_the_gate() {
    let mut rig = Rig::new().serving();
    let remember = |rig: &Rig, agent: &str, arguments: Value| {
        let mut mcp = rig.raw_mcp(agent);
        let answer = mcp.ask("tools/call", json!({"_meta": envelope(), "name": "memory", "arguments": arguments}));
        (answer["result"]["isError"].clone(), texts(&answer["result"]))
    };
    remember(&rig, "developer-1", json!({"operation": "set", "key": "k", "value": "of one"}));
    remember(&rig, "developer-2", json!({"operation": "set", "key": "k", "value": "of two"}));
    remember(&rig, "developer-2", json!({"operation": "set", "key": "other", "value": ""}));
    rig.serve.take().unwrap().terminate();
    rig.serve = Some(rig.house.serve());
    let get = json!({"operation": "get", "key": "k"});
    assert_eq!(remember(&rig, "developer-1", get.clone()), (json!(false), "of one".to_owned()));
    assert_eq!(remember(&rig, "developer-2", get.clone()), (json!(false), "of two".to_owned()));
    assert_eq!(remember(&rig, "developer-1", json!({"operation": "list"})).1, "k\n");
    // Not from inside the sandbox either.
    let state = rig.house.state();
    let result = rig.call("terminal", json!({"command": format!("cat {}/memory/*", state.display())}));
    assert!(!texts(&result).contains("of two"), "{result}");
    // What is damaged is refused, and the other agent's goes on.
    for entry in std::fs::read_dir(state.join("memory")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("of one", "of 0ne")).unwrap();
    }
    let (failed, said) = remember(&rig, "developer-1", get.clone());
    assert!(failed == json!(true) && said.contains("damaged"), "{said}");
    assert_eq!(remember(&rig, "developer-2", get).1, "of two");
}

/// What a call was held to, what it got and how it ended stand in the log, and the log verifies.
#[test]
fn a_run_leaves_its_records() {
    let mut rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    mcp.terminal("echo x > new");
    mcp.terminal("exit 3");
    drop(mcp);
    let records = rig.records();
    let of = |kind: &str, tool: &str| -> Vec<&Value> {
        records.iter().filter(|record| record["kind"] == kind && record["tool"] == tool).collect()
    };
    let decided = of("decision", "callgate.terminal");
    assert_eq!((decided.len(), &decided[0]["sandbox"]["profile"]), (2, &json!("floor")), "{decided:?}");
    let ended = of("outcome", "callgate.terminal");
    assert_eq!((&ended[0]["exit"], &ended[0]["status"]), (&json!("exit"), &json!("ok")), "{ended:?}");
    assert_eq!((&ended[1]["exit"], &ended[1]["status"]), (&json!("exit"), &json!("error")), "{ended:?}");
    assert_eq!(of("decision", "callgate.commit").len(), 1);
    assert_eq!(of("outcome", "callgate.commit")[0]["status"], "ok");
    let verified = rig.house.run(&["audit", "verify"], b"");
    assert!(verified.status.success(), "{}", crate::house::text(&verified.stderr));
}

/// The pack is what the tools are: it loads, passes its own tests, and pins exactly what is compiled in.
#[test]
fn the_pack_pins_what_is_compiled_in() {
    let rig = Rig::new();
    let tested = bare(&["policy", "test"]).arg(rig.house.gate()).output().unwrap();
    assert!(tested.status.success(), "{}", crate::house::text(&tested.stdout));
    let checked = bare(&["policy", "check"]).arg(rig.house.gate()).output().unwrap();
    let said = crate::house::text(&checked.stdout);
    assert!(checked.status.success() && !said.contains("⚠"), "{said}");
    let printed = bare(&["tools", "--definitions"]).output().unwrap();
    let pinned = std::fs::read_to_string(rig.house.gate().join("tools/callgate.json")).unwrap();
    assert_eq!(crate::house::text(&printed.stdout), pinned);
}

/// What is so of the gate's own tools is so whatever the operator's overlay says: the gate's own shell reads their
/// commands, from the workspace on, and their paths are paths.
#[test]
fn an_overlay_cannot_switch_off_how_the_gates_own_tools_are_judged() {
    let rig = Rig::new();
    rig.change("callgate.toml", |text| {
        let text = text.replace("[tool.\"callgate.terminal\"]", "[shell]\nof = \"host\"\nhome = \"/root\"\n\n[tool.\"callgate.terminal\"]\nkinds = { command = \"text\" }\nroots = { command = \"/elsewhere\" }");
        text.replace("[tool.\"callgate.read_file\"]", "[tool.\"callgate.read_file\"]\nkinds = { path = \"text\" }")
    });
    rig.change("policies/tools.cedar", |text| {
        text + "\n@id(\"own-shell\")\nforbid (principal, action == Action::\"callgate.terminal\", resource)\nunless { context.command.shell == \"gate\" };\n"
    });
    let rig = rig.serving();
    let mut mcp = rig.mcp();
    assert_eq!(mcp.terminal("rm src/main.rs")["isError"], false);
    let result = mcp.terminal("rm -rf /production-data/*");
    assert!(texts(&result).contains("shell-deletes-outside"), "{result}");
    // Home is the sandbox's.
    let result = mcp.terminal("rm -rf ~/x");
    assert!(texts(&result).contains("shell-deletes-outside"), "{result}");
    let result = mcp.call("read_file", json!({"path": "/etc/passwd"}));
    assert!(texts(&result).contains("not_permitted"), "{result}");
}
