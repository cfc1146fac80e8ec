//! In a subtree of version 2 that is handed over: the limits are the kernel's, the whole tree ends at once, and nothing
//! is left, whoever dies.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use callgate_sandbox::{Exit, Layer, Limited, Plan, Running, Streams};

use crate::bench::{As, Bench, copy_program};
use crate::is_guest;
use crate::places::GROUPS;

fn parent() -> PathBuf {
    Path::new(GROUPS).join("handed")
}

/// A bench whose groups are made in the subtree.
fn bench(who: As) -> Bench {
    let bench = Bench::new(who);
    assert_eq!(bench.host.groups.unified, Some(parent()), "{who:?} {:?}", bench.host.missing);
    bench
}

/// The groups of runs that are there now.
fn groups() -> Vec<String> {
    let entries =
        fs::read_dir(parent()).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    entries.filter(|name| name.starts_with("callgate-")).collect()
}

fn attack(bench: &Bench, clauses: &str, words: &[&str]) -> Plan {
    let attacker = bench.workspace.join("attacker");
    copy_program(&bench.attacker(), &attacker);
    let command: Vec<&Path> = std::iter::once(attacker.as_path()).chain(words.iter().map(Path::new)).collect();
    bench.plan(&bench.tighter("workspace", clauses), &command)
}

fn start(bench: &Bench, plan: &Plan) -> Running {
    let mut running = bench.launcher.launch(plan, Streams::none()).unwrap();
    running.started().unwrap().unwrap();
    running
}

/// Processes of this machine that have `word` among their arguments.
fn processes(word: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let with = entries.filter(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
    });
    with.filter_map(|entry| std::str::from_utf8(entry.file_name().as_bytes()).ok()?.parse().ok()).collect()
}

fn eventually(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "runs in a guest alone"]
fn the_limits_are_those_of_the_group() {
    if !is_guest() {
        return;
    }
    for who in As::both() {
        let bench = bench(who);
        let marker = "10017";
        let profile = bench.tighter("workspace", "memory = \"96MiB\"\nprocesses = 40");
        let running = start(&bench, &bench.plan(&profile, &["/bin/sleep", marker]));
        let name = format!("callgate-{}", running.id());
        let read = |file: &str| fs::read_to_string(parent().join(&name).join(file)).unwrap().trim().to_owned();
        assert_eq!(read("memory.max"), (96 << 20).to_string());
        assert_eq!((read("memory.oom.group"), read("pids.max")), ("1".to_owned(), "41".to_owned()));
        if parent().join(&name).join("memory.swap.max").exists() {
            assert_eq!(read("memory.swap.max"), "0");
        }
        eventually("it runs", || !processes(marker).is_empty());
        for pid in processes(marker) {
            let line = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
            assert_eq!(line.trim(), format!("0::/handed/{name}"), "{who:?}");
        }
        // The init, and the program.
        assert_eq!(read("cgroup.procs").lines().count(), 2);
        drop(running);
        assert_eq!(groups(), Vec::<String>::new(), "{who:?}");
    }
}

/// Each bomb goes off where its group is left out, and by the same profile is stopped where it is not.
#[test]
#[ignore = "runs in a guest alone"]
fn memory_and_processes_are_held_by_the_group() {
    if !is_guest() {
        return;
    }
    for who in As::both() {
        let bench = bench(who);
        let lean = bench.tighter("workspace", "memory = \"64MiB\"");
        let plan = bench.plan(&lean, &["/usr/bin/python3", "-c", "x = bytearray(100 << 20)"]);
        assert_eq!(bench.run_plan(&plan).exit, Exit::OutOfMemory, "{who:?}");
        assert_eq!(bench.run_plan(&plan.without(Layer::Groups)).exit, Exit::Code(0), "{who:?}");
        // What is written to memory counts as well.
        let run = bench.run_plan(&attack(&bench, "memory = \"64MiB\"", &["disk-bomb", "/dev/shm"]));
        assert_eq!(run.exit, Exit::OutOfMemory, "{who:?} {run:?}");
        // Of processes there are two limits, and each is enough.
        let bomb = || attack(&bench, "processes = 40", &["fork-bomb", "120"]);
        for left_out in [Layer::Limits, Layer::Groups] {
            let run = bench.run_plan(&bomb().without(left_out));
            assert!(run.stdout.starts_with("NO "), "{who:?} without {left_out:?}: {run:?}");
        }
        let run = bench.run_plan(&bomb().without(Layer::Limits).without(Layer::Groups));
        assert_eq!(run.stdout, "GOT 120 processes\n", "{who:?}");
        assert_eq!(groups(), Vec::<String>::new(), "{who:?}");
    }
}

/// Without a process namespace nothing but the group ends what the program leaves behind.
#[test]
#[ignore = "runs in a guest alone"]
fn the_group_is_killed_as_a_whole() {
    if !is_guest() {
        return;
    }
    for (who, marker) in [(As::Root, "20017"), (As::Unprivileged, "20018")] {
        let bench = bench(who);
        let run = bench.run_plan(&attack(&bench, "wall = \"60s\"", &["daemon", marker]).without(Layer::Processes));
        assert_eq!(run.exit, Exit::Code(0), "{who:?} {run:?}");
        assert_eq!((processes(marker), groups()), (Vec::new(), Vec::new()), "{who:?}");
        // What is left holds the output open, which is waited for until the deadline.
        let plan = attack(&bench, "wall = \"6s\"", &["daemon", marker]);
        let run = bench.run_plan(&plan.without(Layer::Processes).without(Layer::Groups));
        assert_eq!(
            (run.exit, processes(marker).is_empty()),
            (Exit::Code(0), false),
            "{who:?}: nothing else would have"
        );
        for pid in processes(marker) {
            rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
                .unwrap();
        }
    }
}

#[test]
#[ignore = "runs in a guest alone"]
fn what_dead_launchers_leave_is_removed() {
    if !is_guest() {
        return;
    }
    for who in As::both() {
        let bench = bench(who);
        let running = start(&bench, &bench.plan(&bench.profile("workspace"), &["/bin/sleep", "30017"]));
        let launcher = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
        rustix::process::kill_process(launcher, rustix::process::Signal::KILL).unwrap();
        // The supervisor removes what its launcher could not.
        assert!(running.wait().is_err());
        assert_eq!((groups(), processes("30017")), (Vec::new(), Vec::new()), "{who:?}");
        // If that is killed as well, the next launcher does. A group whose launcher lives is left alone, and so is
        // what only looks like one.
        let stays = [format!("callgate-{}", std::process::id()), "callgate-notes".to_owned()];
        let stale = ["callgate-4194303".to_owned()];
        for name in stays.iter().chain(&stale) {
            make(who, name);
        }
        assert_eq!(bench.run("workspace", &["/bin/true"]).exit, Exit::Code(0));
        let mut left = groups();
        left.sort();
        let mut expected = stays.to_vec();
        expected.sort();
        assert_eq!(left, expected, "{who:?}");
        for name in stays {
            fs::remove_dir(parent().join(name)).unwrap();
        }
    }
}

/// A launcher whose number a dead one had before it is not kept from starting by what that has left.
#[test]
#[ignore = "runs in a guest alone"]
fn a_number_comes_again() {
    if !is_guest() {
        return;
    }
    for who in As::both() {
        let bench = bench(who);
        let last: u32 =
            fs::read_to_string("/proc/loadavg").unwrap().trim().rsplit(' ').next().unwrap().parse().unwrap();
        for number in last..last + 60 {
            make(who, &format!("callgate-{number}"));
        }
        let run = bench.run("workspace", &["/bin/true"]);
        let taken = run.got.unwrap().groups;
        let number: u32 = taken[0].rsplit('-').next().unwrap().parse().unwrap();
        assert!((last..last + 60).contains(&number), "{who:?}: {taken:?}, after {last}");
        assert_eq!((run.exit, Path::new(&taken[0]).exists()), (Exit::Code(0), false), "{who:?}");
        // Those whose numbers somebody has now, who may be a launcher.
        for name in groups() {
            fs::remove_dir(parent().join(name)).unwrap();
        }
    }
}

/// Of children that nobody waits for the kernel counts nothing, but for the group.
#[test]
#[ignore = "runs in a guest alone"]
fn processor_time_of_unwaited_children_counts() {
    if !is_guest() {
        return;
    }
    let script = "import os, signal, sys, time\n\
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
        for _ in range(int(sys.argv[1])):\n\
        \x20   r, w = os.pipe()\n\
        \x20   if os.fork() == 0:\n\
        \x20       while time.process_time() < 0.5: pass\n\
        \x20       os._exit(0)\n\
        \x20   os.close(w); os.read(r, 1); os.close(r)\n";
    for who in As::both() {
        let bench = bench(who);
        let profile = bench.tighter("workspace", "cpu = \"2s\"");
        let run = bench.run_in(&profile, &["/usr/bin/python3", "-c", script, "20"]);
        assert_eq!(run.exit, Exit::Limit(Limited::Cpu), "{who:?} {run:?}");
        assert!(run.usage.cpu_micros >= 2_000_000, "{:?}", run.usage);
        let run = bench.run_in(&profile, &["/usr/bin/python3", "-c", script, "2"]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?} {run:?}");
        assert!(run.usage.cpu_micros >= 1_000_000, "{:?}", run.usage);
    }
}

/// Makes a group as whoever starts the launcher would have.
fn make(who: As, name: &str) {
    let path = parent().join(name);
    fs::create_dir(&path).unwrap();
    if who == As::Unprivileged {
        std::os::unix::fs::chown(&path, Some(crate::bench::SOMEBODY), Some(crate::bench::SOMEBODY)).unwrap();
    }
}
