//! A gate with the pack for its own tools, two agents, a workspace, and an MCP client.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::house::{House, Serve, bare, text};

/// Longer than anything here takes, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) house: House,
    pub(crate) serve: Option<Serve>,
    pub(crate) workspace: PathBuf,
    _root: tempfile::TempDir,
}

impl Rig {
    /// The pack as it is written.
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// The pack, with these clauses tightening the terminal's profile.
    pub(crate) fn with(tighter: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let workspace = root.path().canonicalize().unwrap().join("ws");
        fs::create_dir_all(workspace.join("src")).unwrap();
        fs::write(workspace.join("src/main.rs"), "fn main() {}\n").unwrap();
        fs::write(root.path().join("secret"), "secret\n").unwrap();
        let house = House::empty();
        let init =
            bare(&["init", "--pack", "tools", "--workspace"]).arg(&workspace).arg(house.gate()).output().unwrap();
        assert!(init.status.success(), "{}", text(&init.stderr));
        let rig = Self { house, serve: None, workspace, _root: root };
        rig.change("entities.toml", |text| text + "\n[agent.developer-2]\nblueprint = \"developer\"\n");
        if !tighter.is_empty() {
            rig.change("callgate.toml", |text| {
                let text = text.replacen("profile = \"floor\"", "profile = \"tight\"", 1);
                format!("{text}\n[sandbox.profile.tight]\nextends = \"floor\"\n{tighter}\n")
            });
        }
        rig
    }

    pub(crate) fn change(&self, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.house.gate().join(file);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    }

    /// With the gate running.
    pub(crate) fn serving(mut self) -> Self {
        self.house.token("developer-1");
        self.house.token("developer-2");
        self.serve = Some(self.house.serve());
        self
    }

    pub(crate) fn mcp(&self) -> Mcp {
        let mut mcp = self.raw_mcp("developer-1");
        let hello =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        assert_eq!(mcp.ask("initialize", hello)["result"]["protocolVersion"], "2025-11-25");
        mcp.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        mcp
    }

    /// A client that has said nothing yet.
    pub(crate) fn raw_mcp(&self, agent: &str) -> Mcp {
        let mut command = bare(&["tools", "--socket"]);
        command.arg(self.house.socket()).arg("--credential").arg(self.house.token(agent));
        Mcp::start(command)
    }

    pub(crate) fn call(&self, name: &str, arguments: Value) -> Value {
        self.mcp().call(name, arguments)
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.workspace.join(path)).ok()
    }

    /// The records of the log, once the gate has ended in order.
    pub(crate) fn records(&mut self) -> Vec<Value> {
        self.serve.take().expect("serving").terminate();
        let output = self.house.run(&["audit", "export"], b"");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines = text(&output.stdout);
        let record = |line: &str| {
            let mut record = serde_json::from_str::<Value>(line).unwrap()["record"].take();
            // What a kind of record has beside the others.
            let details = record["details"].as_object().cloned().unwrap_or_default();
            record.as_object_mut().unwrap().extend(details);
            record
        };
        lines.lines().map(record).collect()
    }
}

pub(crate) struct Mcp {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    next: i64,
}

impl Mcp {
    fn start(mut command: std::process::Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
            }
        });
        Self { child, stdin, lines, next: 0 }
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.write(message.to_string().as_bytes());
    }

    pub(crate) fn write(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().expect("open");
        stdin.write_all(line).unwrap();
        stdin.write_all(b"\n").unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn close(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn hear(&self) -> Option<Value> {
        self.lines.recv_timeout(PATIENCE).ok()
    }

    /// Asks, and gives the id back.
    pub(crate) fn send(&mut self, method: &str, params: Value) -> i64 {
        self.next += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}));
        self.next
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id).0
    }

    /// The answer, and what came before it.
    pub(crate) fn answer(&self, id: i64) -> (Value, Vec<Value>) {
        let mut before = Vec::new();
        loop {
            let message = self.hear().unwrap_or_else(|| panic!("no answer to {id}; {before:?}"));
            if message["id"] == id {
                return (message, before);
            }
            before.push(message);
        }
    }

    /// The result of a tool.
    pub(crate) fn call(&mut self, name: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": name, "arguments": arguments}));
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    pub(crate) fn terminal(&mut self, command: &str) -> Value {
        self.call("terminal", json!({"command": command}))
    }
}

impl Drop for Mcp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All texts of a result.
pub(crate) fn texts(result: &Value) -> String {
    let content = result["content"].as_array().unwrap_or_else(|| panic!("{result}"));
    content.iter().map(|item| item["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// How many processes of this machine have `mark` among their arguments: what the kernel says, not what a tool does.
pub(crate) fn processes(mark: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| line.windows(mark.len()).any(|part| part == mark.as_bytes()) && !line.starts_with(b"/proc/self"))
        .count()
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A number that no other test has.
pub(crate) fn mark(path: &Path) -> String {
    let tail: String = path.to_str().unwrap().bytes().rev().take(12).map(|byte| (b'0' + byte % 10) as char).collect();
    format!("4711.{tail}{}", std::process::id())
}
