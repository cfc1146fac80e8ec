//! Clients written elsewhere use the gate's own tools, in both eras of the protocol.

#[path = "../../../../tests/peers/peers.rs"]
mod installed;

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house;
use crate::rig::Rig;

fn printed(program: &mut Command) -> Value {
    let output = program.stdin(Stdio::null()).output().expect("runs");
    let (out, err) = (house::text(&output.stdout), house::text(&output.stderr));
    assert!(output.status.success(), "{program:?}: {}\n{out}\n{err}", output.status);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}\n{out}\n{err}"))
}

fn command(rig: &Rig) -> Vec<String> {
    let path = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let words = ["tools", "--credential", &path(rig.house.token("developer-1")), "--socket", &path(rig.house.socket())];
    std::iter::once(house::CALLGATE).chain(words).map(str::to_owned).collect()
}

/// The same work with each client, with the handshake and without.
fn works(mut player: impl FnMut() -> Command, negotiates: &[bool]) {
    for negotiate in negotiates {
        let rig = Rig::new().serving();
        let steps = json!([
            {"do": "tools"},
            {"do": "call", "name": "write_file", "arguments": {"path": "a.txt", "content": "one\n"}},
            {"do": "call", "name": "edit_file", "arguments": {"path": "a.txt", "edits": [{"old_text": "one", "new_text": "two"}]}},
            {"do": "call", "name": "read_file", "arguments": {"path": "a.txt"}},
            {"do": "call", "name": "terminal", "arguments": {"command": "cat a.txt; exit 3"}},
            {"do": "call", "name": "read_file", "arguments": {"path": "/etc/shadow"}},
            {"do": "progress", "name": "terminal", "arguments": {"command": "for i in 1 2 3; do echo $i; sleep 0.5; done"}},
            {"do": "cancel", "name": "terminal", "arguments": {"command": "touch late; sleep 20"}},
            {"do": "call", "name": "memory", "arguments": {"operation": "set", "key": "k", "value": "v"}},
            {"do": "call", "name": "memory", "arguments": {"operation": "get", "key": "k"}},
        ]);
        let plan = rig.house.path().join("plan.json");
        let text = json!({"command": command(&rig), "steps": steps, "negotiate": negotiate}).to_string();
        std::fs::write(&plan, text).unwrap();
        let played = printed(player().arg(&plan));
        let steps = played["steps"].as_array().unwrap_or_else(|| panic!("{played}"));
        let what = |step: usize| format!("negotiating: {negotiate}, step {step}: {}", steps[step]);
        let text = |step: usize| steps[step]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{}", what(step)));
        assert_eq!(steps[0]["tools"].as_array().map(Vec::len), Some(7), "{}", what(0));
        assert_eq!((text(3), text(4)), ("two\n", "two\n"), "{}", what(3));
        assert_eq!(steps[4]["structuredContent"]["code"], 3, "{}", what(4));
        assert!(text(5).contains("not_permitted") && steps[5]["isError"] == true, "{}", what(5));
        assert!(steps[6]["progress"].as_array().is_some_and(|told| !told.is_empty()), "{}", what(6));
        assert_eq!(steps[6]["result"]["content"][0]["text"], "1\n2\n3\n", "{}", what(6));
        assert_eq!(steps[7]["cancelled"], true, "{}", what(7));
        assert_eq!(text(9), "v", "{}", what(9));
        assert_eq!(rig.read("a.txt").as_deref(), Some("two\n"));
        assert!(rig.read("late").is_none(), "what was cancelled is not kept");
    }
}

#[test]
fn the_python_sdk_works() {
    let Some(python) = installed::python() else { return };
    works(
        || {
            let mut player = Command::new(&python);
            player.arg(installed::folder().join("client.py"));
            player
        },
        &[false, true],
    );
}

#[test]
fn the_typescript_sdks_and_the_inspector_work() {
    let (Some(node), Some(modules)) = (installed::node(), installed::node_modules()) else { return };
    for (sdk, negotiates) in [("client", &[false, true][..]), ("sdk", &[false])] {
        works(
            || {
                let mut player = Command::new(&node);
                player.arg(installed::folder().join("client.mjs")).arg(sdk);
                player
            },
            negotiates,
        );
    }
    let rig = Rig::new().serving();
    let command = command(&rig);
    let config = rig.house.path().join("inspector.json");
    let servers = json!({"mcpServers": {"own": {"command": command[0], "args": command[1..]}}});
    std::fs::write(&config, servers.to_string()).unwrap();
    let mut inspector = Command::new(&node);
    inspector.env("MCP_INSPECTOR_SECRET_STORE", "memory");
    inspector.arg(modules.join(".bin/mcp-inspector")).args(["--cli", "--server", "own", "--config"]).arg(config);
    let listed = printed(inspector.args(["--method", "tools/list"]));
    assert_eq!(listed["tools"].as_array().map(Vec::len), Some(7), "{listed}");
}
