//! Files: what is changed lands in the workspace, as far as policy lets it, and nothing leads out.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::rig::{Rig, texts};

#[test]
fn what_is_written_lands_in_the_workspace() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    assert_eq!(texts(&mcp.call("read_file", json!({"path": "src/main.rs"}))), "fn main() {}\n");
    let result = mcp.call("write_file", json!({"path": "a/b.txt", "content": "one\n", "create_parents": true}));
    assert_eq!((&result["isError"], &result["structuredContent"]["committed"]), (&json!(false), &json!(2)), "{result}");
    assert_eq!(rig.read("a/b.txt").as_deref(), Some("one\n"));
    let edits = json!({"path": "a/b.txt", "edits": [{"old_text": "one", "new_text": "two"}]});
    assert_eq!(mcp.call("edit_file", edits)["isError"], false);
    assert_eq!(rig.read("a/b.txt").as_deref(), Some("two\n"));
    mcp.terminal("echo three >> a/b.txt; rm src/main.rs");
    assert_eq!((rig.read("a/b.txt").as_deref(), rig.read("src/main.rs")), (Some("two\nthree\n"), None));
    assert_eq!(texts(&mcp.call("search_files", json!({"pattern": "^t"}))), "a/b.txt:1:two\na/b.txt:2:three\n");
    assert_eq!(texts(&mcp.call("list_directory", json!({"path": "a"}))), "b.txt  10 bytes\n");
    let left: Vec<_> = std::fs::read_dir(&rig.workspace).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("callgate")), "{left:?}");
}

/// What makes somebody else's next command run what was written needs a person, whatever tool wrote it.
#[test]
fn what_needs_a_person_is_not_kept() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    std::fs::create_dir_all(rig.workspace.join(".git/hooks")).unwrap();
    for command in [
        "echo evil > .git/hooks/pre-commit",
        "echo evil > CLAUDE.md",
        "mkdir -p .github/workflows && echo evil > .github/workflows/x.yml",
        "ln -s /etc/passwd outward",
        "echo good > good; echo evil > .envrc",
    ] {
        let result = mcp.terminal(command);
        let (content, text) = (&result["structuredContent"], texts(&result));
        assert!(content["discarded"].as_i64().is_some_and(|count| count > 0), "{command}: {result}");
        assert!(result["isError"] == true && text.contains("approval_required"), "{command}: {text}");
    }
    let result = mcp.call("write_file", json!({"path": "AGENTS.md", "content": "evil"}));
    assert!(result["isError"] == true && texts(&result).contains("AGENTS.md (instructions)"), "{result}");
    for path in [".git/hooks/pre-commit", "CLAUDE.md", ".github", "outward", "good", ".envrc", "AGENTS.md"] {
        assert!(rig.workspace.join(path).symlink_metadata().is_err(), "{path} was kept");
    }
    assert_eq!(mcp.terminal("echo good > good")["isError"], false);
    assert_eq!(rig.read("good").as_deref(), Some("good\n"));
}

/// A file that is not for tools is not read by another tool, nor found by one that looks through its folder.
#[test]
fn what_is_hidden_is_hidden_from_all_tools() {
    let rig = Rig::new().serving();
    std::fs::write(rig.workspace.join(".env"), "TOKEN=s3cret\n").unwrap();
    std::fs::write(rig.workspace.join("settings"), "TOKEN=none\n").unwrap();
    let mut mcp = rig.mcp();
    for (tool, arguments) in [
        ("read_file", json!({"path": ".env"})),
        ("search_files", json!({"pattern": "TOKEN", "path": ".env"})),
        ("search_files", json!({"pattern": "TOKEN", "glob": ".env"})),
        ("search_files", json!({"pattern": "TOKEN"})),
        ("edit_file", json!({"path": ".env", "edits": [{"old_text": "TOKEN=s3cret", "new_text": "TOKEN=s3cret"}]})),
        ("terminal", json!({"command": "grep -r TOKEN ."})),
        ("terminal", json!({"command": "head -c 100 $(ls -A | grep env)"})),
        ("terminal", json!({"command": "cp -r . /tmp/all && grep -r s3c /tmp/all"})),
    ] {
        let result = mcp.call(tool, arguments.clone());
        let changed = result["structuredContent"]["replaced"].is_number();
        assert!(!result.to_string().contains("s3cret") && !changed, "{tool} {arguments}: {result}");
    }
    let found = texts(&mcp.call("search_files", json!({"pattern": "TOKEN"})));
    assert_eq!(found, "settings:1:TOKEN=none\n", "everything else is found");
    assert_eq!(rig.read(".env").as_deref(), Some("TOKEN=s3cret\n"));
}

/// What was cut short is not half kept.
#[test]
fn what_was_cut_short_is_not_kept() {
    let rig = Rig::new().serving();
    let result = rig.call("terminal", json!({"command": "echo half > half; sleep 60", "timeout": 1}));
    assert_eq!(
        (&result["structuredContent"]["state"], &result["structuredContent"]["discarded"]),
        (&json!("timeout"), &json!(1))
    );
    assert!(rig.read("half").is_none());
}

#[test]
fn nothing_leads_out() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    symlink("/etc/shadow", rig.workspace.join("shadow")).unwrap();
    symlink("../secret", rig.workspace.join("secret")).unwrap();
    symlink("..", rig.workspace.join("up")).unwrap();
    for path in ["/etc/shadow", "../secret", "src/../../secret", "shadow", "secret", "up/secret", "/proc/1/environ"] {
        for (tool, arguments) in [
            ("read_file", json!({"path": path})),
            ("search_files", json!({"path": path, "pattern": "."})),
            ("write_file", json!({"path": path, "content": "evil"})),
            ("edit_file", json!({"path": path, "edits": [{"old_text": "secret", "new_text": "evil"}]})),
        ] {
            let result = mcp.call(tool, arguments);
            let text = texts(&result);
            assert!(
                result["isError"] == true && !text.contains("secret\n") && !text.contains("root:"),
                "{tool} {path}: {text}"
            );
        }
    }
    // The terminal is not kept from trying, and finds nothing of the host: it has files of its own by these names.
    let result = mcp.terminal("cat ../secret; echo; ls -A ..; wc -l < /etc/passwd; ls /root /home");
    let text = texts(&result);
    assert!(!text.contains("secret\n") && text.contains("\nws\n2\n") && text.contains("/home:\nagent\n"), "{text}");
    let secret = rig.workspace.parent().unwrap().join("secret");
    assert_eq!(std::fs::read_to_string(secret).unwrap(), "secret\n");
}

/// What hides from a reader does not reach the model, whoever wrote it.
#[test]
fn hidden_characters_are_taken_out() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    std::fs::write(rig.workspace.join("x"), "a\u{200b}b\u{e0041}c\u{202e}d\n").unwrap();
    assert_eq!(texts(&mcp.call("read_file", json!({"path": "x"}))), "abcd\n");
    assert_eq!(texts(&mcp.terminal("cat x; printf '\\033[2Jz'")), "abcd\n[2Jz");
}

/// The bytes that were judged are those that bash reads: no aliases, no start files, no variables of the gate's.
#[test]
fn the_shell_is_the_gates_own() {
    let rig = Rig::new().serving();
    let mut mcp = rig.mcp();
    let result =
        mcp.terminal("echo $0 $- $HOME $PWD; shopt -q login_shell || echo no-login; compgen -e | sort | tr '\\n' ' '");
    let text = texts(&result);
    let mut lines = text.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with("/bin/bash hBc /home/agent") && first.ends_with("/ws"), "{text}");
    assert_eq!(lines.next(), Some("no-login"));
    let known = [
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LOGNAME",
        "OLDPWD",
        "PATH",
        "PWD",
        "SHELL",
        "SHLVL",
        "TERM",
        "COLORTERM",
        "NO_COLOR",
        "TMPDIR",
        "TZ",
        "USER",
        "_",
    ];
    let unknown: Vec<&str> = lines.next().unwrap().split_whitespace().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
