//! What the native sandbox does for an ordinary program: it runs, it ends, and each way of ending is told apart.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use std::collections::BTreeMap;

use bench::{As, Bench};
use callgate_sandbox::{Exit, Limited, Program, Streams, compile};

#[test]
fn a_program_runs_and_what_it_got_is_read_back() {
    for who in As::both() {
        let bench = Bench::new(who);
        let run = bench.run("workspace", &["/bin/sh", "-c", "echo out; echo err >&2; id -u; exit 7"]);
        assert_eq!(run.exit, Exit::Code(7), "{who:?} {run:?}");
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("out\n1000\n", "err\n"));
        let got = run.got.unwrap();
        assert_eq!((got.no_new_privileges, got.seccomp, got.capabilities), (true, 2, 0));
        assert_eq!(got.namespaces.len(), 7, "{got:?}");
        assert_ne!(got.uid, 0);
        assert!(got.landlock >= 1);
        assert_eq!(got.weakened, []);
    }
}

#[test]
fn each_way_of_ending_is_told_apart() {
    for who in As::both() {
        let bench = Bench::new(who);
        let quick = bench.tighter("workspace", "wall = \"1s\"");
        assert_eq!(bench.run_in(&quick, &["sleep", "60"]).exit, Exit::TimedOut);
        assert_eq!(bench.run("workspace", &["sh", "-c", "kill -9 $$"]).exit, Exit::Signal(9));
        let busy = bench.tighter("workspace", "cpu = \"1s\"");
        assert_eq!(bench.run_in(&busy, &["sh", "-c", "while :; do :; done"]).exit, Exit::Limit(Limited::Cpu));
        let silent = bench.tighter("workspace", "output = \"64KiB\"");
        let run = bench.run_in(&silent, &["sh", "-c", "yes"]);
        assert_eq!((run.exit, run.stdout.len()), (Exit::OutputCap, 64 << 10));
        let small = bench.tighter("workspace", "disk = \"1024KiB\"");
        let run = bench.run_in(&small, &["sh", "-c", "exec head -c 5000000 /dev/zero > /tmp/x"]);
        assert!(matches!(run.exit, Exit::Code(1) | Exit::Limit(Limited::FileSize)), "{run:?}");
        let lean = bench.tighter("workspace", "memory = \"64MiB\"");
        let run = bench.run_in(&lean, &["python3", "-c", "x = bytearray(300 << 20)"]);
        assert!(matches!(run.exit, Exit::OutOfMemory | Exit::Code(1) | Exit::Refused(_)), "{run:?}");
        let run = bench.run("workspace", &["/no/such/program"]);
        assert!(matches!(&run.exit, Exit::Refused(fault) if fault.step == "execute"), "{run:?}");
    }
}

#[test]
fn a_run_can_have_less_time_than_its_profile_and_never_more() {
    let bench = Bench::new(As::Unprivileged);
    let profile = bench.profile("workspace");
    let mut request = bench.request(&["sleep", "60"]);
    request.deadline = Some(1);
    assert_eq!(bench.run_plan(&compile(&profile, &request, &bench.host).unwrap()).exit, Exit::TimedOut);
    let quick = bench.tighter("workspace", "wall = \"1s\"");
    request.deadline = Some(3600);
    assert_eq!(bench.run_plan(&compile(&quick, &request, &bench.host).unwrap()).exit, Exit::TimedOut);
}

/// The launcher's own program runs where no place inside shows it. With no supervisor on its standard input it fails,
/// by its own code and not by the sandbox's.
#[test]
fn the_own_program_runs_though_nothing_inside_shows_it() {
    for who in As::both() {
        let bench = Bench::new(who);
        let mut request = bench.request(&["own"]);
        request.program = Program::Own;
        let run = bench.run_plan(&compile(&bench.profile("workspace"), &request, &bench.host).unwrap());
        assert_eq!(run.exit, Exit::Code(1), "{who:?} {run:?}");
        assert_eq!(run.got.unwrap().seccomp, 2);
    }
}

#[test]
fn the_environment_starts_empty() {
    let bench = Bench::new(As::Unprivileged);
    let run = bench.run("workspace", &["env"]);
    let variables: BTreeMap<&str, &str> = run.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(variables.get("HOME"), Some(&"/home/agent"));
    assert!(!variables.contains_key("CARGO_MANIFEST_DIR"), "{variables:?}");
}

/// A handler of core dumps runs as root, outside, on what the program left; at a limit of 1 the kernel starts none.
#[test]
fn no_core_dump_reaches_a_handler() {
    for who in As::both() {
        let bench = Bench::new(who);
        let script = "grep core /proc/self/limits; ulimit -c 0 2>/dev/null && echo set; ulimit -S -c 0 2>/dev/null && echo set; exit 0";
        let run = bench.run("workspace", &["/bin/sh", "-c", script]);
        assert_eq!(
            run.stdout.split_whitespace().collect::<Vec<_>>(),
            ["Max", "core", "file", "size", "1", "1", "bytes"],
            "{run:?}"
        );
    }
}

/// The parent of process `id`.
fn parent(id: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn launchers_outlive_their_mother_and_another_takes_her_place() {
    for who in As::both() {
        let bench = Bench::new(who);
        let plan = bench.plan(&bench.profile("workspace"), &["/bin/sleep", "1"]);
        let mut running = bench.launcher.launch(&plan, Streams::none()).unwrap();
        running.started().unwrap();
        let mother = parent(running.id());
        let pid = i32::try_from(mother).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        // Runs of several threads at once, which all find her gone.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(bench.run("workspace", &["/bin/true"]).exit, Exit::Code(0)));
            }
        });
        assert_eq!(running.wait().unwrap().ending.exit, Exit::Code(0), "{who:?}");
        // She ends with the last who could ask her for anything.
        let mut running = bench.launcher.launch(&plan, Streams::none()).unwrap();
        running.started().unwrap();
        let mother = parent(running.id());
        assert!(std::fs::exists(format!("/proc/{mother}")).unwrap());
        drop(running);
        drop(bench);
        assert!(!std::fs::exists(format!("/proc/{mother}")).unwrap(), "{who:?}: the mother is still there");
    }
}
