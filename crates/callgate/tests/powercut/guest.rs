//! What runs inside the guest: this same test program, started by `init.sh`. It looks at the log as the last cut
//! left it, and then calls the gate until the power goes. What it saw goes out at once, a line each, through a
//! port that no cut reaches.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use callgate_core::Request;
use callgate_core::gate::{Completion, Outcome};
use callgate_doors::Operations as _;
use callgate_doors::socket::{Client, Greeting};
use callgate_text::{Digest, Json};

use crate::report::Report;

const GATE: &str = "/gate";
const STATE: &str = "/disk/state";
const SOCKET: &str = "/tmp/gate.sock";
const AGENTS: [&str; 3] = ["support-1", "analyst-1", "finance-1"];
/// How many callers each agent has.
const CALLERS: usize = 3;

/// What the host wants of this boot; the kernel's command line carries it, as the environment of the first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Make the state, and stop in good order.
    Prepare,
    /// Look, then call the gate until the power goes.
    Load,
    /// Look, call the gate for a moment, kill it, start it again, and call it no more.
    Restart,
    /// As [`Phase::Load`], with a gate whose syncs do nothing and say that they did.
    Unsynced,
    /// Look, and stop in good order.
    Look,
}

impl Phase {
    const ALL: [Self; 5] = [Self::Prepare, Self::Load, Self::Restart, Self::Unsynced, Self::Look];

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }
}

/// The way out.
#[derive(Clone)]
struct Port(Arc<Mutex<File>>);

impl Port {
    fn open() -> Self {
        let path = std::env::var_os("POWERCUT_PORT").expect("`init.sh` found it");
        Self(Arc::new(Mutex::new(File::options().write(true).open(path).expect("a port"))))
    }

    fn tell(&self, report: &Report) {
        let line = format!("{report}\n");
        self.0.lock().expect("whole").write_all(line.as_bytes()).expect("the host listens");
    }
}

#[test]
#[ignore = "runs inside the guest alone, where the other tests of this file start it"]
fn is_driven_by_its_first_process() {
    let wanted = std::env::var("POWERCUT_PHASE").unwrap_or_default();
    let Some(phase) = Phase::ALL.into_iter().find(|phase| phase.name() == wanted) else {
        eprintln!("SKIPPED: this is not the guest");
        return;
    };
    let port = Port::open();
    if phase == Phase::Prepare {
        for agent in AGENTS {
            // From a start that was cut short: what is in it may be nothing.
            let _ = fs::remove_file(token(agent));
            let output = callgate(&["agent", "token", agent, "--out", &token(agent)]);
            assert!(output.status.success(), "{output:?}");
        }
    }
    let mut gate = match Gate::start(phase == Phase::Unsynced) {
        Ok(gate) => gate,
        Err(why) => {
            look(&port);
            return port.tell(&Report::Refused(why));
        }
    };
    look(&port);
    match phase {
        Phase::Prepare | Phase::Look => {
            gate.terminate();
            port.tell(&Report::Done);
        }
        Phase::Load | Phase::Unsynced => {
            port.tell(&Report::Ready);
            load(&port, Duration::MAX);
        }
        Phase::Restart => {
            load(&port, Duration::from_millis(1500));
            gate.kill();
            let _gate = Gate::start(false).expect("a gate that was killed starts again");
            // Long enough for a checkpoint, and not for the kernel to write anything back by itself.
            std::thread::sleep(Duration::from_millis(1500));
            port.tell(&Report::Ready);
            std::thread::park();
        }
    }
}

fn token(agent: &str) -> String {
    format!("/disk/{agent}.token")
}

fn callgate(arguments: &[&str]) -> Output {
    let mut command = Command::new("/bin/callgate");
    command.args(arguments).args(["--gate", GATE, "--state", STATE]);
    command.output().expect("runs")
}

/// A running gate.
struct Gate(Child);

impl Gate {
    fn start(unsynced: bool) -> Result<Self, String> {
        let log = File::create("/tmp/gate.log").expect("a file");
        let mut command = if unsynced {
            let mut strace = Command::new("/bin/strace");
            strace.args(["-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]);
            strace.args(["-e", "inject=fdatasync,fsync:retval=0", "/bin/callgate"]);
            strace
        } else {
            Command::new("/bin/callgate")
        };
        command.args(["serve", GATE, "--state", STATE, "--socket", SOCKET]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let _ = fs::remove_file(SOCKET);
        let mut child = command.spawn().expect("starts");
        let limit = Instant::now() + Duration::from_secs(60);
        while std::os::unix::net::UnixStream::connect(SOCKET).is_err() {
            if child.try_wait().expect("waits").is_some() || Instant::now() > limit {
                return Err(fs::read_to_string("/tmp/gate.log").expect("a file"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self(child))
    }

    fn kill(&mut self) {
        self.0.kill().expect("kills");
        self.0.wait().expect("waits");
    }

    fn terminate(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signals");
        assert!(self.0.wait().expect("waits").success());
    }
}

/// Reports whether the log verifies, and what is in it.
fn look(port: &Port) {
    let mut verify = vec!["audit", "verify", "--format", "json"];
    // A checkpoint that was published before the cut, as somebody elsewhere has kept it.
    let saved = std::env::var("POWERCUT_CHECKPOINT").ok().map(|saved| saved.replace('|', "\n").replace('_', " "));
    if let Some(saved) = &saved {
        fs::write("/tmp/saved", saved).expect("writes");
        verify.extend(["--checkpoint", "/tmp/saved"]);
    }
    let output = callgate(&verify);
    let said = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    port.tell(&if output.status.success() { Report::Verified(said) } else { Report::Refused(said) });
    let output = callgate(&["audit", "export", "--format", "json"]);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        let id = line["record"]["id"].as_str().unwrap_or_default().to_owned();
        match line["record"]["kind"].as_str() {
            Some("decision") => port.tell(&Report::Decision(id)),
            Some("outcome") => port.tell(&Report::Outcome(id)),
            _ => {}
        }
    }
    port.tell(&Report::Looked);
}

/// A call that policy allows, with arguments of any length, and one that it denies.
fn request(agent: &str, number: usize) -> Request {
    let text = "x".repeat(number * 97 % 3000);
    let (tool, arguments) = match (agent, number % 5) {
        ("support-1", 4) => {
            ("desk.send_email", vec![("to", "ann@company.com.evil.example"), ("subject", ""), ("body", "")])
        }
        ("support-1", 3) => ("desk.read_ticket", vec![("id", "T-1")]),
        ("support-1", _) => {
            ("desk.send_email", vec![("to", "ann@company.com"), ("subject", "s"), ("body", text.as_str())])
        }
        ("analyst-1", _) => ("desk.query_db", vec![("query", text.as_str())]),
        _ => ("bank.payment_send", vec![("recipient", "vendor-a")]),
    };
    let mut arguments: Vec<_> =
        arguments.into_iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect();
    if tool == "bank.payment_send" {
        arguments.push(("amount".to_owned(), Json::parse(b"50").expect("a number")));
    }
    Request {
        tool: tool.parse().expect("a tool"),
        session: None,
        arguments: Some(arguments.into_iter().collect()),
        members: callgate_text::Object::default(),
        original: Digest::of(b"frame"),
        offered: None,
        host_call: None,
        cwd: None,
    }
}

/// Calls the gate from all sides for so long, and tells what it released.
fn load(port: &Port, long: Duration) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut work = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            for agent in AGENTS {
                work.spawn(call(agent, caller, port.clone()));
            }
        }
        work.spawn(keep_checkpoints(port.clone()));
        let _ = tokio::time::timeout(long, async { while work.join_next().await.is_some() {} }).await;
    });
}

async fn call(agent: &'static str, caller: usize, port: Port) {
    let token = fs::read_to_string(token(agent)).expect("a credential").trim().to_owned();
    let client = Client::new(SOCKET, Greeting { token: Some(token), ..Default::default() });
    for number in caller.. {
        let ruling = client.decide(Ok(request(agent, number))).await;
        let Some(permit) = ruling.permit() else { continue };
        port.tell(&Report::Released(ruling.id.clone()));
        if number.is_multiple_of(2) {
            let (id, permit) = (ruling.id.clone(), permit.to_owned());
            let completion =
                Completion { id, permit, outcome: Outcome::Ok, result: Some(Digest::of(b"result")), run: None };
            if client.complete(completion).await.is_ok() {
                port.tell(&Report::Completed(ruling.id));
            }
        }
    }
}

/// Tells each checkpoint as it appears: whoever fetches it then keeps it.
async fn keep_checkpoints(port: Port) {
    let mut last = String::new();
    loop {
        let now = fs::read_to_string(Path::new(STATE).join("log/public/checkpoint")).unwrap_or_default();
        if now != last && !now.is_empty() {
            port.tell(&Report::Checkpoint(now.replace(' ', "_").replace('\n', "|")));
            last = now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
