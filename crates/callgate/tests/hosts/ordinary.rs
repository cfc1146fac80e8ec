//! Ordinary work passes: what the real host did on a small project, call by call, through the pack.

use crate::house::{House, bare, finish, text};

/// The documents of `PreToolUse` of real sessions on a small project, with its folder as `@WORKSPACE@`.
const CALLS: &str = include_str!("ordinary.jsonl");

#[test]
fn ordinary_work_passes_without_asking() {
    let house = House::empty();
    let workspace = house.path().join("project");
    std::fs::create_dir(&workspace).unwrap();
    let (gate, workspace) = (house.gate(), workspace.to_str().unwrap().to_owned());
    let init = ["init", gate.to_str().unwrap(), "--pack", "claude-code", "--workspace", &workspace];
    assert!(finish(&mut bare(&init), b"").status.success());
    let configuration = std::fs::read_to_string(gate.join("callgate.toml")).unwrap();
    let enforced = configuration.replace("claude-code = \"observe\"", "claude-code = \"enforce\"");
    assert_ne!(enforced, configuration);
    std::fs::write(gate.join("callgate.toml"), enforced).unwrap();
    let _gate = house.serve();

    let mut tools = std::collections::BTreeMap::<String, usize>::new();
    for (at, line) in CALLS.lines().enumerate() {
        let document = line.replace("@WORKSPACE@", &workspace);
        let name = line.split("\"tool_name\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        *tools.entry(name.to_owned()).or_default() += 1;
        let hook = ["hook", "claude-code", "--socket", house.socket().to_str().unwrap()].map(str::to_owned);
        let said = finish(&mut bare(&hook.each_ref().map(String::as_str)), document.as_bytes());
        let (stdout, stderr) = (text(&said.stdout), text(&said.stderr));
        assert_eq!((said.status.code(), stdout.as_str()), (Some(0), "{}"), "call {at}, {name}: {stderr}");
    }
    assert!(tools.values().sum::<usize>() >= 200 && tools.len() >= 8, "{tools:?}");
}
