//! What is played against a server, by whom, and on which files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::gated::Gated;
use crate::{page, peers};

/// Who plays.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    /// The Python SDK.
    Python,
    /// The TypeScript SDK as it is now, `@modelcontextprotocol/client`.
    TypeScript,
    /// The TypeScript SDK as most hosts use it, `@modelcontextprotocol/sdk`.
    TypeScriptLegacy,
}

/// One server's part of `plans.json`.
pub(crate) struct Plan {
    server: &'static str,
    python: PathBuf,
    node: PathBuf,
    modules: PathBuf,
    root: tempfile::TempDir,
    command: Vec<String>,
    steps: Vec<Value>,
    inspections: Vec<Vec<String>>,
}

impl Plan {
    /// `None` if a peer is missing where that may be.
    pub(crate) fn load(server: &'static str) -> Option<Self> {
        let (python, node, modules) = (peers::python()?, peers::node()?, peers::node_modules()?);
        let root = tempfile::tempdir().expect("a folder");
        let text = fs::read_to_string(peers::folder().join("plans.json")).expect("readable");
        let filled = text
            .replace("{modules}", &literal(&modules.join("@modelcontextprotocol")))
            .replace("{python}", &literal(&python))
            .replace("{peers}", &literal(&fs::canonicalize(peers::folder()).expect("there")))
            .replace("{folder}", &literal(&root.path().join("work")))
            .replace("{page}", &page::serve());
        let plans: Value = serde_json::from_str(&filled).expect("JSON");
        let plan = &plans[server];
        let words = |words: &Value| -> Vec<String> { serde_json::from_value(words.clone()).expect("words") };
        Some(Self {
            server,
            command: words(&plan["command"]),
            steps: plan["steps"].as_array().expect("steps").clone(),
            inspections: plan["inspect"].as_array().expect("inspections").iter().map(words).collect(),
            python,
            node,
            modules,
            root,
        })
    }

    pub(crate) fn command(&self) -> &[String] {
        &self.command
    }

    pub(crate) fn steps(&self) -> &[Value] {
        &self.steps
    }

    pub(crate) fn inspections(&self) -> &[Vec<String>] {
        &self.inspections
    }

    /// A gate in front of the server.
    pub(crate) fn gated(&self) -> Gated {
        self.gated_but("")
    }

    /// A gate in front of the server that forbids something.
    pub(crate) fn gated_but(&self, forbids: &str) -> Gated {
        self.prepare();
        Gated::new(self.server, &self.command, forbids)
    }

    /// The same files before every run.
    pub(crate) fn prepare(&self) {
        let folder = self.root.path().join("work");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("creatable");
        fs::write(folder.join("a.txt"), "one\n").expect("writable");
        if self.server == "git" {
            for arguments in [
                &["init", "-q", "-b", "main"][..],
                &["config", "user.name", "Ann"],
                &["config", "user.email", "ann@company.com"],
                &["add", "a.txt"],
                &["commit", "-q", "-m", "Begin"],
            ] {
                let status = Command::new("git")
                    .args(arguments)
                    .current_dir(&folder)
                    .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00 +0000")
                    .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00 +0000")
                    .status();
                assert!(status.is_ok_and(|status| status.success()), "git {arguments:?}");
            }
            fs::write(folder.join("a.txt"), "one\ntwo\n").expect("writable");
        }
    }

    /// What `client` sees of the server that `command` starts.
    pub(crate) fn play(&self, client: Client, command: &[String], negotiate: bool) -> Value {
        self.prepare();
        let plan = self.root.path().join("plan.json");
        let text = json!({"command": command, "steps": self.steps, "negotiate": negotiate}).to_string();
        fs::write(&plan, text).expect("writable");
        let mut player = match client {
            Client::Python => {
                let mut player = Command::new(&self.python);
                player.arg(peers::folder().join("client.py"));
                player
            }
            Client::TypeScript | Client::TypeScriptLegacy => {
                let mut player = Command::new(&self.node);
                player.arg(peers::folder().join("client.mjs"));
                player.arg(if matches!(client, Client::TypeScript) { "client" } else { "sdk" });
                player
            }
        };
        printed(player.arg(plan), &format!("{} with {client:?}: {command:?}", self.server))
    }

    /// What the MCP Inspector's command line prints.
    pub(crate) fn inspect(&self, command: &[String], arguments: &[String]) -> Value {
        self.prepare();
        let config = self.root.path().join("inspector.json");
        let text = json!({"mcpServers": {"peer": {"command": command[0], "args": command[1..]}}}).to_string();
        fs::write(&config, text).expect("writable");
        let mut inspector = Command::new(&self.node);
        inspector.env("MCP_INSPECTOR_SECRET_STORE", "memory");
        inspector.arg(self.modules.join(".bin/mcp-inspector")).args(["--cli", "--server", "peer", "--config"]);
        printed(inspector.arg(config).args(arguments), &format!("the Inspector: {command:?} {arguments:?}"))
    }
}

/// The inside of a JSON string that names the path.
fn literal(path: &Path) -> String {
    let path = path.to_str().expect("UTF-8");
    assert!(!path.contains(['"', '\\']), "{path}");
    path.to_owned()
}

/// The JSON that a program prints.
fn printed(program: &mut Command, what: &str) -> Value {
    let output = program.stdin(std::process::Stdio::null()).output().expect("runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}\n{err}", output.status);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{what}: {error}\n{out}\n{err}"))
}
