//! What wants all there is of something, or does not want to end: ended within limits, and nothing left.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use std::fs;
use std::time::Duration;

use bench::{As, Bench, Run, copy_program};
use callgate_sandbox::{Exit, Sink, Streams};

/// Runs the attacking program under these limits.
fn bomb(bench: &Bench, clauses: &str, words: &[&str]) -> Run {
    let attacker = bench.workspace.join("attacker");
    copy_program(&bench.attacker(), &attacker);
    let profile = bench.tighter("workspace", clauses);
    let command: Vec<String> =
        std::iter::once(attacker.display().to_string()).chain(words.iter().map(|word| (*word).to_owned())).collect();
    bench.run_in(&profile, &command)
}

/// Processes of the host whose command line holds `marker`.
fn processes(marker: &str) -> usize {
    let lines = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == marker.as_bytes())).count()
}

/// Whether the bomb was stopped, not at once, and at this count at the latest.
fn stopped_by(run: &Run, most: u32) -> bool {
    let count = run.stdout.split("after ").nth(1).and_then(|text| text.split_whitespace().next()?.parse::<u32>().ok());
    run.stdout.starts_with("NO ") && count.is_some_and(|count| count <= most && count >= most / 2)
}

/// Everything of ours that could be left on the host: mounts, control groups, processes.
fn left(bench: &Bench) -> Vec<String> {
    let mut left = Vec::new();
    let marker = bench.workspace.display().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    left.extend(mounts.lines().filter(|line| line.contains(&marker)).map(str::to_owned));
    for (_, folder) in [("memory", &bench.host.groups.memory), ("unified", &bench.host.groups.unified)] {
        for entry in folder.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Groups of other launchers, which run beside this test, are theirs.
            let owner = name.strip_prefix("callgate-").and_then(|owner| owner.parse::<u32>().ok());
            if owner.is_some_and(|owner| !fs::exists(format!("/proc/{owner}")).unwrap()) {
                left.push(name);
            }
        }
    }
    let attacker = bench.workspace.join("attacker").display().to_string();
    if processes(&attacker) > 0 {
        left.push(format!("{} processes", processes(&attacker)));
    }
    left
}

#[test]
fn bombs_end_within_their_limits_and_leave_nothing() {
    for who in As::both() {
        let bench = Bench::new(who);
        let run = bomb(&bench, "processes = 60", &["fork-bomb", "1500"]);
        assert!(stopped_by(&run, 60), "{run:?}");
        let run = bomb(&bench, "memory = \"192MiB\"", &["memory-bomb"]);
        assert!(run.exit == Exit::OutOfMemory || run.stdout.starts_with("NO refused after"), "{who:?} {run:?}");
        let run = bomb(&bench, "memory = \"192MiB\"\nwall = \"30s\"", &["many-memories"]);
        assert_eq!(run.exit, Exit::OutOfMemory, "{who:?} {run:?}");
        let work = bench.workspace.display().to_string();
        for folder in ["/tmp", "/home/agent", "/dev/shm", work.as_str()] {
            let run = bomb(&bench, "disk = \"20480KiB\"", &["disk-bomb", folder]);
            assert!(stopped_by(&run, 20), "{who:?} {folder} {run:?}");
            let run = bomb(&bench, "max_files = 500", &["many-files", folder]);
            assert!(stopped_by(&run, 500), "{who:?} {folder} {run:?}");
        }
        let run = bomb(&bench, "open_files = 256", &["descriptor-bomb"]);
        assert!(stopped_by(&run, 256), "{run:?}");
        let run = bomb(&bench, "output = \"1024KiB\"", &["flood"]);
        assert_eq!((run.exit, run.stdout.len() + run.stderr.len()), (Exit::OutputCap, 1 << 20));
        let run = bomb(&bench, "wall = \"1s\"", &["ignore"]);
        assert_eq!(run.exit, Exit::TimedOut);
        assert!(run.usage.wall_millis < 5000, "{:?}", run.usage);
        let marker = format!("{}", 800_000 + std::process::id());
        let run = bomb(&bench, "wall = \"60s\"", &["daemon", &marker]);
        assert_eq!(
            (run.exit, processes(&marker)),
            (Exit::Code(0), 0),
            "the end of the program is the end of its daemon"
        );
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(left(&bench), Vec::<String>::new(), "{who:?}");
    }
}

#[test]
fn whoever_dies_nothing_is_left() {
    for who in As::both() {
        let bench = Bench::new(who);
        let attacker = bench.workspace.join("attacker");
        copy_program(&bench.attacker(), &attacker);
        let plan = bench.plan(&bench.profile("workspace"), &[attacker.display().to_string(), "sleep".to_owned()]);
        let start = || {
            let mut running = bench.launcher.launch(&plan, Streams::none()).unwrap();
            running.started().unwrap().unwrap();
            running
        };
        // The supervisor loses interest.
        drop(start());
        assert_eq!(left(&bench), Vec::<String>::new(), "{who:?}: dropped");
        // The launcher is killed.
        let running = start();
        let launcher = i32::try_from(running.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(launcher, rustix::process::Signal::KILL).unwrap();
        assert!(running.wait().is_err());
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(left(&bench), Vec::<String>::new(), "{who:?}: launcher killed");
        // Somebody cancels.
        let running = start();
        running.canceller().unwrap().cancel();
        assert_eq!(running.wait().unwrap().ending.exit, Exit::Cancelled);
        assert_eq!(left(&bench), Vec::<String>::new(), "{who:?}: cancelled");
    }
}

#[test]
fn a_reader_who_stops_reading_does_not_hold_the_deadline_up() {
    let bench = Bench::new(As::Unprivileged);
    let profile = bench.tighter("workspace", "wall = \"1s\"");
    let plan = bench.plan(&profile, &["/bin/sh", "-c", "yes"]);
    let streams = Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Nowhere };
    let mut running = bench.launcher.launch(&plan, streams).unwrap();
    // Held open, and never read.
    let held = running.stdout().unwrap();
    assert_eq!(running.wait().unwrap().ending.exit, Exit::TimedOut);
    drop(held);
}

/// Two runs beside each other, of which one attacks and the other is attacked.
#[test]
fn runs_do_not_reach_each_other() {
    for who in As::both() {
        let (one, two) = (Bench::new(who), Bench::new(who));
        let script = "import socket,time,os\n\
            s=socket.socket(); s.bind(('127.0.0.1',47474)); s.listen()\n\
            open('/tmp/mine','w').write('mine'); open('/dev/shm/mine','w').write('mine')\n\
            print('READY',flush=True); time.sleep(8)";
        let plan = one.plan(&one.profile("workspace"), &["/usr/bin/python3", "-c", script]);
        let streams = Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Nowhere };
        let mut running = one.launcher.launch(&plan, streams).unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(&mut running.stdout().unwrap(), &mut ready).unwrap();
        let attack = "import socket,os\n\
            got=[]\n\
            try:\n  socket.create_connection(('127.0.0.1',47474),2); got.append('tcp')\n\
            except OSError: pass\n\
            for p in ['/tmp/mine','/dev/shm/mine']:\n  if os.path.exists(p): got.append(p)\n\
            pids=[p for p in os.listdir('/proc') if p.isdigit() and int(p)!=os.getpid()]\n\
            print(got,pids)";
        let run = two.run("workspace", &["/usr/bin/python3", "-c", attack]);
        assert_eq!(run.stdout.trim(), "[] []", "{who:?} {run:?}");
        let uid = running.started().unwrap().unwrap().uid;
        if who == As::Root {
            assert_ne!(uid, run.got.unwrap().uid, "as root, each run is a user of its own");
        }
    }
}
