//! What containment costs: from start to exit of `/bin/true`, plain, contained and with bubblewrap; memory; a real
//! build inside and outside; a system call that is denied. One command prints all of it, each figure beside a floor of
//! the same run; docs/performance.md says what the figures do not mean.
//!
//! An argument picks the parts whose name begins with it: `cargo bench -p callgate-sandbox --bench start -- start`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench stops at what it did not expect")]

mod build;
mod memory;
mod times;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use callgate_sandbox::{Exit, Host, Launcher, Plan, Profiles, Request, Sink, Streams, compile};
use times::Contest;

/// What every part stands on.
struct Ground {
    launcher: Launcher,
    host: Host,
    profiles: Profiles,
    /// The profile that this machine's `workspace` comes down to.
    profile: &'static str,
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let launcher = Launcher::at(env!("CARGO_BIN_EXE_callgate-launcher"), Vec::<String>::new());
        let host = launcher.probe().unwrap();
        let profile = if host.has(callgate_sandbox::Part::MemoryGroup) { "workspace" } else { "workspace-watched" };
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        Self { launcher, host, profiles: Profiles::default(), profile, folder }
    }

    fn plan(&self, profile: &str, workspace: Option<&Path>, command: &[&str]) -> Plan {
        let request = Request {
            command: command.iter().map(Into::into).collect(),
            workspace: workspace.map(PathBuf::from),
            ..Request::default()
        };
        compile(self.profiles.get(profile).unwrap(), &request, &self.host).unwrap()
    }

    fn run(&self, plan: &Plan) {
        let finished = self.launcher.launch(plan, Streams::none()).unwrap().wait().unwrap();
        assert_eq!(finished.ending.exit, Exit::Code(0));
    }
}

/// A part of the bench, by name.
type Part = (&'static str, fn(&Ground));

fn main() {
    // `cargo bench` passes `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let ground = Ground::new();
    let parts: [Part; 4] = [("start", start), ("memory", memory::measure), ("build", build::measure), ("calls", calls)];
    for (name, part) in parts {
        if name.starts_with(&wanted) {
            part(&ground);
        }
    }
}

/// From start to exit of `/bin/true`.
fn start(ground: &Ground) {
    let runs = std::env::var("CALLGATE_LONG").map_or(200, |_| 1000);
    let mut contest = Contest::new("start to exit of /bin/true");
    contest.enter("plain", || assert!(Command::new("/bin/true").status().unwrap().success()));
    let wrapped = || {
        let mut command = Command::new("bwrap");
        command.args(["--ro-bind", "/", "/", "--unshare-all", "/bin/true"]).stdout(Stdio::null());
        command.status()
    };
    if wrapped().is_ok_and(|status| status.success()) {
        contest.enter("bwrap --ro-bind / / --unshare-all", move || assert!(wrapped().unwrap().success()));
    } else {
        assert!(std::env::var_os("CI").is_none(), "CI must have bubblewrap to compare with");
        println!("SKIPPED: bwrap, which is not installed or cannot run here");
    }
    let workspace = ground.folder.path();
    for (name, profile, workspace) in [
        ("native, counted memory, no workspace".to_owned(), "workspace-watched", None),
        (format!("native, {}, no workspace", ground.profile), ground.profile, None),
        (format!("native, {}, copy-on-write", ground.profile), ground.profile, Some(workspace)),
    ] {
        let plan = ground.plan(profile, workspace, &["/bin/true"]);
        contest.enter(&name, move || ground.run(&plan));
    }
    for (name, workspace) in [("no workspace", None), ("copy-on-write", Some(workspace))] {
        let plan = ground.plan(ground.profile, workspace, &["/bin/true"]);
        contest.enter(&format!("native, {}, {name}, first run of all", ground.profile), move || {
            let launcher = Launcher::at(env!("CARGO_BIN_EXE_callgate-launcher"), Vec::<String>::new());
            assert_eq!(launcher.launch(&plan, Streams::none()).unwrap().wait().unwrap().ending.exit, Exit::Code(0));
        });
    }
    for (name, workspace) in [("no workspace", None), ("copy-on-write", Some(workspace))] {
        let plan = ground.plan(ground.profile, workspace, &["/bin/true"]);
        contest.enter_timed(&format!("native warm, {}, {name}", ground.profile), move || warm(ground, &plan));
    }
    contest.run(runs);
}

/// In a sandbox that was made ready before, as a gate keeps some.
fn warm(ground: &Ground, plan: &Plan) -> Duration {
    let standby = ground.launcher.stand_by(plan.ground()).unwrap();
    // What making it ready has left the kernel to tidy up is not the run's time.
    std::thread::sleep(Duration::from_millis(5));
    let start = Instant::now();
    let finished = standby.fit(plan).unwrap().launch(Streams::none()).unwrap().wait().unwrap();
    assert_eq!(finished.ending.exit, Exit::Code(0));
    start.elapsed()
}

/// What a system call costs, allowed and denied, inside and outside.
fn calls(ground: &Ground) {
    let attacker = ground.folder.path().join("attacker");
    std::fs::copy(env!("CARGO_BIN_EXE_callgate-attacker"), &attacker).unwrap();
    let costs = |text: &str| -> (f64, f64) {
        let mut words = text.strip_prefix("GOT ").unwrap().split_whitespace().map(|word| word.parse().unwrap());
        (words.next().unwrap(), words.next().unwrap())
    };
    let outside = Command::new(&attacker).arg("cost").output().unwrap();
    let outside = costs(&String::from_utf8_lossy(&outside.stdout));
    let plan = ground.plan(ground.profile, Some(ground.folder.path()), &[attacker.to_str().unwrap(), "cost"]);
    let streams = Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Nowhere };
    let mut running = ground.launcher.launch(&plan, streams).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut running.stdout().unwrap(), &mut text).unwrap();
    assert_eq!(running.wait().unwrap().ending.exit, Exit::Code(0));
    let inside = costs(&text);
    println!("one system call");
    for (name, cost, floor) in [
        ("getppid outside", outside.0, outside.0),
        ("getppid inside, allowed", inside.0, outside.0),
        ("keyctl outside, refused by the kernel", outside.1, outside.1),
        ("keyctl inside, denied by the filter", inside.1, outside.1),
    ] {
        println!("  {name:<46} {cost:>6.0} ns  {:>6.2} × outside", cost / floor);
    }
    println!("  denied beside allowed, inside {:>43.2} ×", inside.1 / inside.0);
}
