//! Claude Code, the real program, with a stand-in for its model.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callgate_text::Json;

use crate::house::{CALLGATE, House, missing, part};
use crate::model::{Model, Say, Script, Told, results};

/// The program, if `.ci/install` put it there.
pub(crate) fn program() -> Option<PathBuf> {
    let program = part("claude", crate::peers::folder().join("../hosts/node_modules/.bin/claude"));
    (!missing("Claude Code (.ci/install provides it)", program.exists())).then_some(program)
}

/// The machine's settings, which all tests share: held, nobody else changes them or runs a host beneath them.
pub(crate) struct Managed(#[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

static MACHINE: Mutex<()> = Mutex::new(());
const SETTINGS: &str = "/etc/claude-code/managed-settings.json";

impl Managed {
    /// Nobody's settings stand there now. `None` where they are not ours to change.
    pub(crate) fn take() -> Option<Self> {
        let guard = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let free = rustix::process::geteuid().is_root() && !Path::new(SETTINGS).exists();
        let ours = std::env::var_os("CI").is_some() || std::env::var_os("CALLGATE_TEST_MANAGED").is_some();
        if missing("root, on a machine whose managed settings are free (CALLGATE_TEST_MANAGED=1)", free && ours) {
            return None;
        }
        Some(Self(guard))
    }

    /// Installs our hook as an operator would.
    pub(crate) fn install(&self, house: &House, mode: &str) {
        let program = program().expect("looked for before");
        let program = program.to_str().expect("utf-8");
        let output = house.run(&["install", "claude-code", "--mode", mode, "--program", program], b"");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn write(&self, settings: &str) {
        std::fs::create_dir_all(Path::new(SETTINGS).parent().unwrap()).unwrap();
        std::fs::write(SETTINGS, settings).unwrap();
    }
}

impl Managed {
    /// Takes away whatever stands there.
    pub(crate) fn clear(&self) {
        for file in [SETTINGS.to_owned(), format!("{SETTINGS}.before-callgate")] {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A gate on the pack, in which `Bash` runs exactly what is described as `allowed`.
pub(crate) fn gate(workspace: &Path) -> House {
    let house = House::empty();
    let gate = house.gate();
    let init = ["init", gate.to_str().unwrap(), "--pack", "claude-code", "--workspace", workspace.to_str().unwrap()];
    assert!(crate::house::finish(&mut crate::house::bare(&init), b"").status.success());
    let bound = "@id(\"as-described\")\nforbid (principal, action == Action::\"claude-code.Bash\", resource)\n\
                 unless { context.input has description && context.input.description == \"allowed\" };\n";
    std::fs::write(gate.join("policies/tests.cedar"), bound).unwrap();
    house
}

/// One directory to work in, and one for the host's own.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a session was like.
#[derive(Debug)]
pub(crate) struct Session {
    /// What the host told its model about each call, by the call's id.
    pub(crate) results: Vec<Told>,
    /// Turns of the model, sub-agents' included.
    pub(crate) turns: usize,
    #[allow(dead_code, reason = "printed where a test fails")]
    pub(crate) output: String,
}

/// Calls of one turn: a tool and its input.
pub(crate) type Turn = Vec<(&'static str, Json)>;

/// What the model was told about calls, and how many turns it took.
pub(crate) type Seen = Arc<Mutex<(Vec<Told>, usize)>>;

/// A model that takes these turns, and in sub-agents those, and then is done.
pub(crate) fn script<N>(turns: Vec<Vec<(N, Json)>>, inner: Vec<Vec<(N, Json)>>, seen: Seen) -> Arc<Script>
where
    N: ToString + Send + Sync + 'static,
{
    Arc::new(move |request: &Json| {
        let mut seen = seen.lock().unwrap();
        seen.1 += 1;
        let messages = request.get("messages").and_then(Json::as_array).unwrap_or_default();
        let is_inner = messages
            .first()
            .is_some_and(|first| String::from_utf8_lossy(&first.canonical()).contains("a task for a sub-agent"));
        let answered = results(request);
        if answered.len() > seen.0.len() || is_inner {
            seen.0 = answered;
        }
        let spoken = |message: &&Json| message.get("role").and_then(Json::as_str) == Some("assistant");
        let at = messages.iter().filter(spoken).count();
        let Some(calls) = if is_inner { &inner } else { &turns }.get(at) else { return Say::Text("done".to_owned()) };
        let whose = if is_inner { "inner" } else { "main" };
        let call = |(n, (name, input)): (usize, &(N, Json))| {
            (format!("toolu_{whose}_{at}_{n}"), name.to_string(), input.clone())
        };
        Say::Call(calls.iter().enumerate().map(call).collect())
    })
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("work/.claude")).unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn user_settings(&self, settings: &str) {
        std::fs::write(self.folder.path().join("home/settings.json"), settings).unwrap();
    }

    /// `Bash` that leaves this mark if it runs.
    pub(crate) fn leave(&self, mark: &str, description: &str) -> (&'static str, Json) {
        let command = format!("printf ran > '{}'", self.work().join(mark).display());
        ("Bash", Json::object([("command", command.as_str()), ("description", description)]))
    }

    pub(crate) fn ran(&self, mark: &str) -> bool {
        self.work().join(mark).exists()
    }

    /// Runs a session in which the model takes these turns, and sub-agents those.
    pub(crate) fn session(&self, turns: Vec<Turn>, inner: Vec<Turn>, arguments: &[&str]) -> Session {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.converse(turns, inner, arguments, &[]))
    }

    pub(crate) async fn converse(
        &self,
        turns: Vec<Turn>,
        inner: Vec<Turn>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Session {
        let seen = Arc::default();
        let model = Model::start(script(turns, inner, Arc::clone(&seen))).await.unwrap();
        let mut host = tokio::process::Command::new(program().expect("looked for before"));
        host.args(["-p", "--dangerously-skip-permissions"]).args(arguments).arg("go");
        host.current_dir(self.work()).env_clear().stdin(Stdio::null()).kill_on_drop(true);
        let home = self.folder.path().join("home");
        host.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", &home).env("CLAUDE_CONFIG_DIR", &home);
        host.envs([
            ("ANTHROPIC_BASE_URL", model.url().as_str()),
            ("ANTHROPIC_API_KEY", "none"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("ENABLE_TOOL_SEARCH", "false"),
            ("IS_SANDBOX", "1"),
        ]);
        host.envs(variables.iter().copied());
        let ended = tokio::time::timeout(Duration::from_secs(120), host.output()).await.expect("ends").unwrap();
        let output = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        let (mut results, turns) = seen.lock().unwrap().clone();
        results.sort_by(|a, b| a.id.cmp(&b.id));
        Session { results, turns, output }
    }
}

/// `--mcp-config` for the demo's help desk, which notes in a journal what really ran.
pub(crate) fn desk(journal: &Path) -> String {
    let arguments = ["demo-server", "desk", "--journal", journal.to_str().unwrap()];
    let server =
        Json::object([("command", Json::from(CALLGATE)), ("args", Json::from(arguments.map(str::to_owned).to_vec()))]);
    let servers = Json::object([("mcpServers", Json::object([("desk", server)]))]);
    String::from_utf8(servers.canonical()).unwrap()
}

/// The records of the log, once this many of a kind are under a checkpoint.
pub(crate) fn records(house: &House, kind: &str, count: usize) -> Vec<serde_json::Value> {
    for _ in 0..50 {
        let (_, shown) = house.json(&["audit", "tail", "-n", "1000"], b"");
        let records: Vec<_> = shown.as_array().unwrap().iter().map(|shown| shown["record"].clone()).collect();
        if records.iter().filter(|record| record["kind"] == kind).count() >= count {
            return records;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("{count} records of {kind} do not come");
}
