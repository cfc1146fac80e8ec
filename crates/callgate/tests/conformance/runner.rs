//! The conformance runner, and the bridge before a server that speaks over standard input and output.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::peers;

/// What the runner says of one scenario: each check and its status, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checks(Vec<(String, String)>);

/// The scenarios by name.
pub(crate) type Results = BTreeMap<String, Checks>;

impl Checks {
    /// Whether something was checked, and nothing failed.
    pub(crate) fn passes(&self) -> bool {
        let (passed, failed) = self.count();
        passed > 0 && failed == 0
    }

    /// How many checks succeeded, and how many failed.
    pub(crate) fn count(&self) -> (usize, usize) {
        let count = |status: &str| self.0.iter().filter(|(_, found)| found == status).count();
        (count("SUCCESS"), count("FAILURE"))
    }
}

/// The programs that it takes.
pub(crate) struct Runner {
    node: PathBuf,
    modules: PathBuf,
    server: Vec<String>,
}

/// How long one run over all scenarios may take.
const PATIENCE: Duration = Duration::from_secs(240);

impl Runner {
    /// `None` if a peer is missing where that may be.
    pub(crate) fn find() -> Option<Self> {
        let (node, modules) = (peers::newer_node()?, peers::node_modules()?);
        let folder = fs::canonicalize(peers::folder()).expect("there");
        let server = [fs::canonicalize(&node).expect("there"), folder.join("conformance.mjs")];
        let server = server.map(|path| path.to_str().expect("UTF-8").to_owned()).to_vec();
        // The bridge hands its command to a shell.
        assert!(server.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_graphic())), "{server:?}");
        Some(Self { node, modules, server })
    }

    /// What is tested: its command.
    pub(crate) fn server(&self) -> &[String] {
        &self.server
    }

    /// Runs everything that a revision asks of a server, or one scenario, against the server that `command` starts.
    pub(crate) fn run(&self, revision: &str, scenario: Option<&str>, command: &[String]) -> Results {
        let port = free_port();
        let mut bridge = Command::new(&self.node);
        bridge.arg(self.modules.join("supergateway/dist/index.js")).args([
            "--outputTransport",
            "streamableHttp",
            "--stateful",
        ]);
        bridge.args(["--logLevel", "none", "--port", &port.to_string(), "--stdio", &command.join(" ")]);
        let bridge = Group::start(bridge.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
        wait_for(port);
        let out = tempfile::tempdir().expect("a folder");
        let mut runner = Command::new(&self.node);
        runner.arg(self.modules.join("@modelcontextprotocol/conformance/dist/index.js"));
        runner.args(["server", "--url", &format!("http://127.0.0.1:{port}/mcp")]);
        match scenario {
            None => runner.args(["--requirements", revision]),
            Some(scenario) => runner.args(["--spec-version", revision, "--scenario", scenario]),
        };
        runner.arg("-o").arg(out.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut runner = Group::start(&mut runner);
        // It fails if a scenario does; which do is what it is run for.
        runner.end_within(PATIENCE);
        drop(bridge);
        let mut results = Results::new();
        for entry in fs::read_dir(out.path()).expect("readable") {
            let folder = entry.expect("readable");
            let name = name_of(folder.file_name().to_str().expect("UTF-8"));
            let text = fs::read_to_string(folder.path().join("checks.json")).expect("readable");
            let checks: Vec<Value> = serde_json::from_str(&text).expect("JSON");
            let word = |check: &Value, key: &str| check[key].as_str().expect("a word").to_owned();
            let checks = checks.iter().map(|check| (word(check, "id"), word(check, "status"))).collect();
            let before = results.insert(name, Checks(checks));
            assert!(before.is_none(), "a scenario ran twice");
        }
        results
    }
}

/// The scenario's name in the name of a folder: `server-NAME-2026-11-24T13-59-08-623Z`.
fn name_of(folder: &str) -> String {
    let name = folder.strip_prefix("server-").expect("a scenario for a server");
    let time = "-2026-11-24T13-59-08-623Z".len();
    name.get(..name.len() - time).expect("a time").to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

fn wait_for(port: u16) {
    let limit = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < limit, "the bridge did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process and all that it starts, ended together.
struct Group(Child);

impl Group {
    fn start(command: &mut Command) -> Self {
        Self(command.process_group(0).spawn().expect("starts"))
    }

    fn end_within(&mut self, patience: Duration) {
        let limit = Instant::now() + patience;
        while self.0.try_wait().expect("waits").is_none() {
            assert!(Instant::now() < limit, "the runner takes too long");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::TERM);
        std::thread::sleep(Duration::from_millis(200));
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}
