//! Where a session works: the host says it, and what a call means depends on it.

use crate::house::{House, bare, finish, text};

#[test]
fn a_call_is_judged_where_the_session_is() {
    let house = House::empty();
    let workspace = house.path().join("project");
    std::fs::create_dir(&workspace).unwrap();
    let (gate, workspace) = (house.gate(), workspace.to_str().unwrap().to_owned());
    let init = ["init", gate.to_str().unwrap(), "--pack", "claude-code", "--workspace", &workspace];
    assert!(finish(&mut bare(&init), b"").status.success());
    let configuration = std::fs::read_to_string(gate.join("callgate.toml")).unwrap();
    let enforced = configuration.replace("claude-code = \"observe\"", "claude-code = \"enforce\"");
    std::fs::write(gate.join("callgate.toml"), enforced).unwrap();
    let _gate = house.serve();

    let hook = |event: &str, cwd: &str, command: &str, id: usize| {
        let document = format!(
            r#"{{"session_id":"s-1",{cwd}"hook_event_name":"{event}","tool_name":"Bash","tool_input":{{"command":"{command}"}},"tool_response":{{}},"tool_use_id":"t-{id}"}}"#
        );
        let document = if event == "PreToolUse" { document.replace(r#""tool_response":{},"#, "") } else { document };
        let hook = ["hook", "claude-code", "--socket", house.socket().to_str().unwrap()].map(str::to_owned);
        let said = finish(&mut bare(&hook.each_ref().map(String::as_str)), document.as_bytes());
        (said.status.code().unwrap(), text(&said.stderr))
    };
    let at = |cwd: &str| format!(r#""cwd":"{cwd}","#);
    let inside = format!("{workspace}/sub");
    for (id, (cwd, command, code)) in [
        (at(&workspace), "rm -rf target", 0),
        (at(&inside), "rm -rf ../target", 0),
        (String::new(), "rm -rf target", 0),
        (at("/home/dev/.ssh"), "cat id_rsa", 2),
        (at("/"), "rm -rf target", 2),
        (at("/home/dev"), "cat .ssh/id_rsa", 2),
        (at("/home/dev"), "cat /etc/hostname", 0),
        // Not a place: no call.
        (at("work"), "ls", 2),
        (at("/work/.."), "ls", 2),
    ]
    .into_iter()
    .enumerate()
    {
        let (said, stderr) = hook("PreToolUse", &cwd, command, id);
        assert_eq!(said, code, "{command} in {cwd:?}: {stderr}");
    }
    // The first call has moved on, and is still the one that was decided: the session goes on.
    assert_eq!(hook("PostToolUse", &at("/elsewhere"), "rm -rf target", 0).0, 0);
    let (said, stderr) = hook("PreToolUse", &at(&workspace), "ls", 20);
    assert_eq!(said, 0, "{stderr}");
}
