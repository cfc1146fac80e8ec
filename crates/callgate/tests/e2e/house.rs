//! A gate of its own for each test: configuration, state, and the processes on them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) const CALLGATE: &str = env!("CARGO_BIN_EXE_callgate");

/// Names the folder with copies of what tests start, where those that were built may be out of reach.
pub(crate) const PARTS: &str = "CALLGATE_TEST_PARTS";

/// Something that tests start or copy: in the folder [`PARTS`] if there is one, otherwise where it was `built`.
pub(crate) fn part(name: &str, built: impl Into<PathBuf>) -> PathBuf {
    std::env::var_os(PARTS).map_or_else(|| built.into(), |parts| Path::new(&parts).join(name))
}

/// The gate directory of the quickstart.
pub(crate) fn quickstart() -> PathBuf {
    part("quickstart", concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/quickstart"))
}

/// The folders of one gate, removed at the end of the test.
pub(crate) struct House {
    root: tempfile::TempDir,
}

impl House {
    /// Without a gate directory yet.
    pub(crate) fn empty() -> Self {
        Self { root: tempfile::tempdir().expect("a folder") }
    }

    /// A gate on a copy of the quickstart.
    pub(crate) fn quickstart() -> Self {
        let house = Self::empty();
        copy(&quickstart(), &house.gate());
        house
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn gate(&self) -> PathBuf {
        self.root.path().join("gate")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.state().join("run/gate.sock")
    }

    /// `callgate ARGUMENTS… --gate … --state …`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.arg("--gate").arg(self.gate()).arg("--state").arg(self.state());
        command
    }

    /// Runs a command to its end with `input` on its standard input.
    pub(crate) fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        finish(&mut self.command(arguments), input)
    }

    /// Runs a command that prints JSON, and its exit code.
    pub(crate) fn json(&self, arguments: &[&str], input: &[u8]) -> (i32, Value) {
        let output = finish(self.command(arguments).args(["--format", "json"]), input);
        let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{arguments:?}: {error}: {} {}", text(&output.stdout), text(&output.stderr))
        });
        (output.status.code().expect("no signal"), value)
    }

    /// Starts the gate and waits until it listens.
    pub(crate) fn serve(&self) -> Serve {
        let mut serve = Serve(self.serve_command().spawn().expect("starts"));
        let limit = Instant::now() + Duration::from_secs(30);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(serve.0.try_wait().expect("waits").is_none(), "the gate ended at its start");
            assert!(Instant::now() < limit, "the gate did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        serve
    }

    pub(crate) fn serve_command(&self) -> Command {
        let mut command = bare(&["serve"]);
        command.arg(self.gate()).arg("--state").arg(self.state());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// A credential file for an agent.
    pub(crate) fn token(&self, agent: &str) -> PathBuf {
        let path = self.path().join(format!("{agent}.token"));
        if !path.exists() {
            let output = self.run(&["agent", "token", agent, "--out", path.to_str().expect("utf-8")], b"");
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
        path
    }

    /// A client of the running gate with an agent's credential.
    pub(crate) fn client(&self, agent: &str) -> callgate_doors::socket::Client {
        let token = fs::read_to_string(self.token(agent)).expect("reads").trim().to_owned();
        callgate_doors::socket::Client::new(
            self.socket(),
            callgate_doors::socket::Greeting { token: Some(token), ..Default::default() },
        )
    }
}

/// The running gate. Dropped, it is killed as a crash would.
pub(crate) struct Serve(pub(crate) Child);

impl Serve {
    pub(crate) fn terminate(mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signals");
        assert!(self.0.wait().expect("waits").success());
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `callgate ARGUMENTS…`, with nothing in its environment that points it elsewhere.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(part("callgate", CALLGATE));
    for variable in ["CALLGATE_GATE", "CALLGATE_STATE", "CALLGATE_SOCKET"] {
        command.env_remove(variable);
    }
    command.args(arguments);
    command
}

pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A command may end without reading everything.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("ends");
    writer.join().expect("writes");
    output
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes a folder");
    for entry in fs::read_dir(from).expect("reads a folder") {
        let entry = entry.expect("reads an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("has a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// Whether a real part that a test needs is missing. Said aloud on a user's machine; an error in CI.
pub(crate) fn missing(part: &str, present: bool) -> bool {
    if present {
        return false;
    }
    assert!(std::env::var_os("CI").is_none(), "{part} is missing, and this is CI");
    eprintln!("SKIPPED: {part} is not installed");
    true
}
