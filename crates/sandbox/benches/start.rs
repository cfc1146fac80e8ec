//! What containment costs: from start to exit of `/bin/true`, plain, contained, and with bubblewrap; and a system call
//! that is denied. Prints ratios to a floor of the same run; see docs/benches.md for what they do not mean.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench stops at what it did not expect")]

use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use callgate_sandbox::{Exit, Launcher, Part, Plan, Profiles, Request, Streams, compile};

/// Sorted times of `runs` runs of `what`, which must succeed.
fn times(runs: usize, mut what: impl FnMut()) -> Vec<Duration> {
    for _ in 0..runs / 10 {
        what();
    }
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            what();
            start.elapsed()
        })
        .collect();
    times.sort();
    times
}

/// The same with a launcher that was started before, as a gate keeps one.
fn warm(runs: usize, launcher: &Launcher, plan: &Plan) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let standby = launcher.stand_by().unwrap();
            // Until it waits.
            std::thread::sleep(Duration::from_millis(3));
            let start = Instant::now();
            let finished = standby.launch(plan, Streams::none()).unwrap().wait().unwrap();
            assert_eq!(finished.ending.exit, Exit::Code(0));
            start.elapsed()
        })
        .collect();
    times.sort();
    times
}

fn print(name: &str, times: &[Duration], floor: &[Duration]) {
    let at = |part: usize| times[times.len() * part / 100];
    let ratio = at(50).as_secs_f64() / floor[floor.len() / 2].as_secs_f64();
    println!("{name:<44} p50 {:>9.2?}  p95 {:>9.2?}  min {:>9.2?}  {ratio:>6.2} × plain", at(50), at(95), times[0]);
}

fn main() {
    let runs = std::env::var("CALLGATE_LONG").map_or(200, |_| 1000);
    let launcher = Launcher::at(env!("CARGO_BIN_EXE_callgate-launcher"), Vec::<String>::new());
    let host = launcher.probe().unwrap();
    let profiles = Profiles::default();
    let name = if host.has(Part::MemoryGroup) { "workspace" } else { "workspace-watched" };
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let request =
        |workspace: Option<PathBuf>| Request { command: vec!["/bin/true".into()], workspace, ..Request::default() };
    let run = |profile: &str, workspace: Option<PathBuf>| {
        let plan = compile(profiles.get(profile).unwrap(), &request(workspace), &host).unwrap();
        let launcher = launcher.clone();
        move || {
            let finished = launcher.launch(&plan, Streams::none()).unwrap().wait().unwrap();
            assert_eq!(finished.ending.exit, Exit::Code(0));
        }
    };
    let plain = times(runs, || assert!(Command::new("/bin/true").status().unwrap().success()));
    print("plain", &plain, &plain);
    print("native, counted memory, no workspace", &times(runs, run("workspace-watched", None)), &plain);
    print(&format!("native, {name}, no workspace"), &times(runs, run(name, None)), &plain);
    let workspace = Some(folder.path().to_owned());
    print(&format!("native, {name}, copy-on-write"), &times(runs, run(name, workspace)), &plain);
    let plan = compile(profiles.get(name).unwrap(), &request(None), &host).unwrap();
    print(&format!("native, {name}, launcher standing by"), &warm(runs, &launcher, &plan), &plain);
    let wrapped = |arguments: &[&str]| {
        let mut command = Command::new("bwrap");
        command.args(arguments).arg("/bin/true").stdout(Stdio::null());
        command
    };
    let everything = ["--ro-bind", "/", "/", "--unshare-all"];
    if wrapped(&everything).status().is_ok_and(|status| status.success()) {
        let wrap = times(runs, || assert!(wrapped(&everything).status().unwrap().success()));
        print("bwrap --ro-bind / / --unshare-all", &wrap, &plain);
    } else {
        assert!(std::env::var_os("CI").is_none(), "CI must have bubblewrap to compare with");
        println!("SKIPPED: bwrap, which is not installed or cannot run here");
    }
    black_box(());
}
