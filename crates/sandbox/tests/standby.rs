//! Sandboxes that are made ready before anybody knows what will run in them: they do all that others do, for one run
//! each, on their own ground only, and leave nothing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::{As, Bench, copy_program, followed};
use callgate_sandbox::{
    Change, Exit, Layer, Plan, Profile, Program, Sink, Standby, Streams, Unfit, WriteSet, Written, compile,
};
use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn alive(id: u32) -> bool {
    // One that nobody has waited for is dead.
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Whom `id` has started, and whom those have.
fn descendants(id: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = list.split_whitespace().map(|word| word.parse::<u32>().unwrap());
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

fn kill(id: u32) {
    kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
}

/// Control groups of a launcher.
fn groups(bench: &Bench, launcher: u32) -> usize {
    let parents = bench.host.groups.memory.iter().chain(&bench.host.groups.unified);
    parents.filter(|parent| parent.join(format!("callgate-{launcher}")).exists()).count()
}

fn stand_by(bench: &Bench, profile: &Profile) -> Standby {
    bench.launcher.stand_by(bench.plan(profile, &["/bin/true"]).ground()).unwrap()
}

/// What a plan came to, without what differs between any two runs.
fn compared(run: &bench::Run) -> String {
    let got = run.got.as_ref().unwrap();
    let kinds: Vec<&String> = got.namespaces.keys().collect();
    let map: Vec<&str> = got.uid_map.split(' ').collect();
    format!(
        "{:?} {} {} {} {} {:x} {kinds:?} {} {} {} {} {:?}",
        run.exit,
        run.stdout,
        got.profile,
        got.no_new_privileges,
        got.seccomp,
        got.capabilities,
        map[0],
        map[2],
        got.landlock,
        got.groups.len(),
        got.weakened
    )
}

fn changes(written: Vec<Written>) -> Vec<Change> {
    written.into_iter().flat_map(|written| WriteSet::of(written).unwrap().changes().to_vec()).collect()
}

#[test]
fn it_does_all_that_a_launch_from_nothing_does() {
    let script = "id -u; pwd; ls /; cat file; echo new > made; echo x > /tmp/x; cat /tmp/x; ulimit -a; env | sort; \
                  ls /proc/self/fd; tr '\\0' ' ' < /proc/1/cmdline; grep -c . /proc/net/dev; umask; exit 7";
    for who in As::both() {
        let bench = Bench::new(who);
        fs::write(bench.workspace.join("file"), "there\n").unwrap();
        for clauses in ["", "unix_sockets = true", "network = \"none\"", "files = { \"@workspace\" = \"ro\" }"] {
            let text = format!("[profile.x]\nextends = \"{}\"\n{clauses}\n", bench.profile("workspace").name);
            let own = format!("[profile.x]\nmemory_by = \"watched\"\n{clauses}\n");
            for text in [text, own] {
                let Ok(profiles) = callgate_sandbox::Profiles::parse(&text) else { continue };
                let plan = bench.plan(profiles.get("x").unwrap(), &["/bin/bash", "-c", script]);
                let (cold, warm) = (bench.run_plan(&plan), bench.run_warm(&plan));
                assert_eq!(compared(&cold), compared(&warm), "{who:?} {text}");
                assert_eq!(cold.stderr, warm.stderr, "{who:?} {text}");
                let stood_by = |run: &bench::Run| run.got.as_ref().unwrap().stood_by;
                assert!(!stood_by(&cold) && stood_by(&warm), "and the record says so");
                assert!(cold.stdout.contains("there"), "{cold:?}");
                let (cold, warm) = (changes(cold.written), changes(warm.written));
                assert_eq!(cold, warm);
            }
        }
    }
}

#[test]
fn each_is_another_and_serves_one_run() {
    for who in As::both() {
        let bench = Bench::new(who);
        let profile = bench.profile("workspace");
        let plan = bench.plan(&profile, &["/bin/sh", "-c", "echo mine > /tmp/x; echo mine > /dev/shm/x; ls /proc"]);
        let (one, two) = (bench.fitting(&plan), bench.fitting(&plan));
        let run = |fitting: callgate_sandbox::Fitting<'_>| {
            let streams = Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Pipe };
            followed(fitting.launch(streams).unwrap()).got.unwrap()
        };
        let (one, two) = (run(one), run(two));
        for (kind, inode) in &one.namespaces {
            assert_ne!(Some(inode), two.namespaces.get(kind), "{who:?}: {kind} is shared");
        }
        if who == As::Root {
            assert_ne!(one.uid, two.uid, "as root, each run is a user of its own");
        }
    }
}

#[test]
fn it_runs_nothing_on_another_ground() {
    let bench = Bench::new(As::both()[0]);
    let workspace = bench.profile("workspace");
    let other = |clauses: &str| bench.plan(&bench.tighter("workspace", clauses), &["/bin/true"]);
    let mut others: Vec<Plan> = [
        "wall = \"59m\"",
        "cpu = \"5m\"",
        "memory = \"1GiB\"",
        "processes = 5",
        "open_files = 100",
        "output = \"1MiB\"",
        "disk = \"1GiB\"",
        "max_files = 100",
        "network = \"none\"",
        "files = { \"/usr/local\" = \"hidden\" }",
        "files = { \"/tmp\" = \"hidden\" }",
        "env = { pass = [] }",
    ]
    .into_iter()
    .map(other)
    .collect();
    let plan = bench.plan(&workspace, &["/bin/true"]);
    others.extend([Layer::Seccomp, Layer::Groups, Layer::OutputCap].map(|layer| plan.clone().without(layer)));
    for other in others {
        let standby = stand_by(&bench, &workspace);
        let id = standby.id();
        assert!(matches!(standby.fit(&other), Err(Unfit::OtherGround)), "{other:?}");
        assert!(!alive(id) && groups(&bench, id) == 0);
    }
    // What only the errand says is no other ground.
    let mut request = bench.request(&["/bin/echo", "x"]);
    request.deadline = Some(5);
    request.workspace = Some(bench.outside.clone());
    request.directory = Some("/tmp".into());
    request.environment.insert("TERM".into(), "other".into());
    let errand = compile(&workspace, &request, &bench.host).unwrap();
    assert_eq!(errand.ground(), plan.ground());
    assert_eq!(bench.run_warm(&errand).stdout, "x\n");
}

/// The workspace, and what else belongs to somebody, is looked for when the launch comes.
#[test]
fn what_changes_on_the_host_meanwhile_is_seen() {
    for who in As::both() {
        let bench = Bench::new(who);
        let text = format!(
            "[profile.x]\nmemory_by = \"watched\"\n[profile.x.files]\n\"{}\" = \"ro\"\n\"@workspace/.env\" = \"hidden\"\n\
             \"/usr/share/doc\" = \"hidden\"\n",
            bench.outside.display()
        );
        let profile = callgate_sandbox::Profiles::parse(&text).unwrap().get("x").unwrap().clone();
        let show = format!("cat file .env {}/other; ls -A /usr/share/doc", bench.outside.display());
        let plan = bench.plan(&profile, &["/bin/sh", "-c", &show]);
        let fitting = bench.fitting(&plan);
        for (path, text) in [("file", "later\n"), (".env", "secret\n")] {
            fs::write(bench.workspace.join(path), text).unwrap();
        }
        fs::write(bench.outside.join("other"), "beside\n").unwrap();
        let run = followed(fitting.launch(Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Pipe }).unwrap());
        assert_eq!(run.stdout, "later\nbeside\n", "{who:?} {run:?}");

        // Another folder in its place is the workspace now; a link to one is none.
        let moved = bench.workspace.with_extension("away");
        let fitting = bench.fitting(&plan);
        fs::rename(&bench.workspace, &moved).unwrap();
        fs::create_dir(&bench.workspace).unwrap();
        fs::write(bench.workspace.join("file"), "another\n").unwrap();
        let run = followed(fitting.launch(Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Pipe }).unwrap());
        assert_eq!(run.stdout, "another\nbeside\n", "{who:?} {run:?}");
        let fitting = bench.fitting(&plan);
        fs::remove_dir_all(&bench.workspace).unwrap();
        symlink(&moved, &bench.workspace).unwrap();
        let run = followed(fitting.launch(Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Pipe }).unwrap());
        assert!(matches!(run.exit, Exit::Refused(_)) && run.stdout.is_empty(), "{who:?} {run:?}");
        let fitting = bench.fitting(&plan);
        fs::remove_file(&bench.workspace).unwrap();
        let run = followed(fitting.launch(Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Pipe }).unwrap());
        assert!(matches!(run.exit, Exit::Refused(_)), "{who:?} {run:?}");
    }
}

/// What it shows of the system it shows as it was found; when that is another, so is the sandbox that is needed.
#[test]
fn it_is_not_used_when_the_system_is_another() {
    if !rustix::process::getuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "CI must run as root");
        eprintln!("SKIPPED: only root may change what is the system's");
        return;
    }
    for who in As::both() {
        let bench = Bench::new(who);
        let place = format!("/run/callgate-standby-{}", std::process::id());
        let text = format!("[profile.x]\nmemory_by = \"watched\"\n[profile.x.files]\n\"{place}\" = \"ro\"\n");
        let profile = callgate_sandbox::Profiles::parse(&text).unwrap().get("x").unwrap().clone();
        let plan = bench.plan(&profile, &["/bin/cat", &place]);
        let changed = |change: &dyn Fn()| {
            let standby = bench.launcher.stand_by(plan.ground()).unwrap();
            change();
            standby.fit(&plan).err()
        };
        let other = format!("{place}-other");
        let write = |path: &str, text: &str| fs::write(path, text).unwrap();
        let replace = || fs::rename(&other, &place).unwrap();
        let appears = || write(&place, "one");
        let goes = || fs::remove_file(&place).unwrap();
        let is_linked = || symlink("/etc/passwd", &place).unwrap();
        let link_moves = || {
            fs::remove_file(&place).unwrap();
            symlink("/etc/group", &place).unwrap();
        };
        let _ = fs::remove_file(&place);
        assert!(matches!(changed(&appears), Some(Unfit::PlaceChanged(_))), "{who:?}: it appears");
        write(&other, "two");
        assert!(matches!(changed(&replace), Some(Unfit::PlaceChanged(_))), "{who:?}: it is replaced");
        assert!(matches!(changed(&goes), Some(Unfit::PlaceChanged(_))), "{who:?}: it goes");
        assert!(matches!(changed(&is_linked), Some(Unfit::PlaceChanged(_))), "{who:?}: a link appears");
        assert!(matches!(changed(&link_moves), Some(Unfit::PlaceChanged(_))), "{who:?}: a link leads elsewhere");
        goes();
        // What stays the same thing is shown as it is now.
        write(&place, "one");
        let fitting = bench.fitting(&plan);
        write(&place, "changed");
        let run = followed(fitting.launch(Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Pipe }).unwrap());
        assert_eq!(run.stdout, "changed", "{who:?} {run:?}");
        goes();

        let folder = bench.outside.join("mounted");
        fs::create_dir(&folder).unwrap();
        let mount = |words: &[&str]| assert!(Command::new(words[0]).args(&words[1..]).status().unwrap().success());
        let folder = folder.to_str().unwrap();
        let mounted = || mount(&["mount", "-t", "tmpfs", "none", folder]);
        assert!(matches!(changed(&mounted), Some(Unfit::MountsChanged)), "{who:?}: mounted");
        let unmounted = || mount(&["umount", folder]);
        assert!(matches!(changed(&unmounted), Some(Unfit::MountsChanged)), "{who:?}: unmounted");
    }
}

#[test]
fn limits_hold_and_time_begins_with_the_launch() {
    for who in As::both() {
        let bench = Bench::new(who);
        let attacker = bench.workspace.join("attacker");
        copy_program(&bench.attacker(), &attacker);
        let attacker = attacker.to_str().unwrap();
        let quick = bench.tighter("workspace", "wall = \"2s\"\ncpu = \"1s\"\noutput = \"64KiB\"");
        let sleeps = bench.plan(&quick, &["/bin/sleep", "0.1"]);
        let fitting = bench.fitting(&sleeps);
        std::thread::sleep(Duration::from_millis(2500));
        let run = followed(fitting.launch(Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Pipe }).unwrap());
        assert_eq!(run.exit, Exit::Code(0), "{who:?}: what it waited is not its time");
        assert!((100..2000).contains(&run.usage.wall_millis), "{:?}", run.usage);
        assert_eq!(bench.run_warm(&bench.plan(&quick, &["/bin/sleep", "60"])).exit, Exit::TimedOut);
        let busy = bench.run_warm(&bench.plan(&quick, &["/bin/sh", "-c", "while :; do :; done"]));
        assert!(matches!(busy.exit, Exit::Limit(_)), "{busy:?}");
        let flood = bench.run_warm(&bench.plan(&quick, &["/usr/bin/yes"]));
        assert_eq!((flood.exit, flood.stdout.len()), (Exit::OutputCap, 64 << 10));
        let mut request = bench.request(&["/bin/sleep", "60"]);
        request.deadline = Some(1);
        assert_eq!(bench.run_warm(&compile(&quick, &request, &bench.host).unwrap()).exit, Exit::TimedOut);
        for (clauses, words, stopped) in [
            ("processes = 60", ["fork-bomb", "1500"].as_slice(), "NO "),
            ("open_files = 256", &["descriptor-bomb"], "NO "),
            ("disk = \"20480KiB\"", &["disk-bomb", "/tmp"], "NO "),
            ("max_files = 500", &["many-files", "/home/agent"], "NO "),
        ] {
            let command: Vec<&str> = std::iter::once(attacker).chain(words.iter().copied()).collect();
            let run = bench.run_warm(&bench.plan(&bench.tighter("workspace", clauses), &command));
            assert!(run.stdout.starts_with(stopped), "{who:?} {words:?} {run:?}");
        }
        let lean = bench.tighter("workspace", "memory = \"192MiB\"\nwall = \"60s\"");
        let run = bench.run_warm(&bench.plan(&lean, &[attacker, "many-memories"]));
        assert_eq!(run.exit, Exit::OutOfMemory, "{who:?} {run:?}");
    }
}

#[test]
fn own_program_input_and_terminal_come_with_the_launch() {
    for who in As::both() {
        let bench = Bench::new(who);
        let profile = bench.profile("workspace");
        let mut request = bench.request(&["own"]);
        request.program = Program::Own;
        let run = bench.run_warm(&compile(&profile, &request, &bench.host).unwrap());
        assert_eq!(run.exit, Exit::Code(1), "{who:?} {run:?}");

        let plan = bench.plan(&profile, &["/usr/bin/wc", "-c"]);
        let (read, mut write) = std::io::pipe().unwrap();
        let streams = Streams { stdin: Some(read.into()), stdout: Sink::Pipe, stderr: Sink::Pipe };
        let running = bench.fitting(&plan).launch(streams).unwrap();
        let writing = std::thread::spawn(move || write.write_all(&vec![b'x'; 300_000]).unwrap());
        assert_eq!(followed(running).stdout, "300000\n", "{who:?}");
        writing.join().unwrap();

        let host = terminal::Terminal::new();
        host.resize(31, 97);
        let plan = bench.plan(&profile, &["/bin/sh", "-c", "tty; stty size; test -c /dev/tty && echo own"]);
        let plan = plan.with_terminal();
        let program = host.program();
        let streams = Streams {
            stdin: Some(program.try_clone().unwrap()),
            stdout: Sink::To(program.try_clone().unwrap()),
            stderr: Sink::To(program),
        };
        let running = bench.fitting(&plan).launch(streams).unwrap();
        let shown = host.until("own");
        assert!(shown.contains("/dev/pts/0") && shown.contains("31 97"), "{who:?} {shown:?}");
        assert_eq!(running.wait().unwrap().ending.exit, Exit::Code(0));

        // A command that fills the socket several times over.
        let long = "y".repeat(100_000);
        let words: Vec<&str> = ["/bin/sh", "-c", "echo $#", "x"].into_iter().chain([long.as_str(); 12]).collect();
        let run = bench.run_warm(&bench.plan(&profile, &words));
        assert_eq!(run.stdout, "12\n", "{who:?} {:?}", run.exit);
    }
}

#[test]
fn whoever_dies_nothing_is_left() {
    for who in As::both() {
        let bench = Bench::new(who);
        let profile = bench.profile("workspace");
        let plan = bench.plan(&profile, &["/bin/true"]);
        let gone = |id: u32, inside: &[u32]| {
            until("all of it is gone", || !alive(id) && inside.iter().all(|id| !alive(*id)) && groups(&bench, id) == 0);
        };
        // It is never used.
        let standby = stand_by(&bench, &profile);
        let (id, inside) = (standby.id(), descendants(standby.id()));
        assert_eq!(inside.len(), 2, "the init, and what will be the program");
        assert_eq!(groups(&bench, id), usize::from(plan_is_grouped(&bench)));
        drop(standby);
        assert!(!alive(id) && inside.iter().all(|id| !alive(*id)) && groups(&bench, id) == 0, "{who:?}: at once");
        // The launcher, the init, and the program's process are killed.
        for victim in [0, 1, 2] {
            let standby = stand_by(&bench, &profile);
            let all = [vec![standby.id()], descendants(standby.id())].concat();
            kill(all[victim]);
            until("its launcher ends", || !alive(all[0]));
            assert!(matches!(standby.fit(&plan), Err(Unfit::Ended)), "{who:?} {victim}");
            gone(all[0], &all[1..]);
        }
        // Between the look at it and the launch.
        for victim in [0, 1, 2] {
            let standby = stand_by(&bench, &profile);
            let all = [vec![standby.id()], descendants(standby.id())].concat();
            let fitting = match standby.fit(&plan) {
                Ok(fitting) => fitting,
                Err(Unfit::MountsChanged) => continue,
                Err(unfit) => panic!("{unfit}"),
            };
            kill(all[victim]);
            let ended = fitting.launch(Streams::none()).and_then(|running| running.wait());
            if let Ok(finished) = ended {
                assert!(matches!(finished.ending.exit, Exit::Refused(_)), "{who:?} {victim} {finished:?}");
            }
            gone(all[0], &all[1..]);
        }
    }
}

fn plan_is_grouped(bench: &Bench) -> bool {
    bench.host.has(callgate_sandbox::Part::MemoryGroup)
}

/// Holds one, and says which, until it is killed: for the test below, which starts this very program again.
#[test]
#[ignore = "started by another test, as somebody who can be killed"]
fn holds_one() {
    let bench = Bench::new(if std::env::var_os("HOLDS_AS_ROOT").is_some() { As::Root } else { As::Unprivileged });
    let standby = stand_by(&bench, &bench.profile("workspace"));
    println!("HOLDS {} IN {}", standby.id(), bench.workspace.parent().unwrap().display());
    std::io::stdout().flush().unwrap();
    std::thread::sleep(PATIENCE);
}

#[test]
fn it_ends_with_whoever_holds_it() {
    for who in As::both() {
        let mut holder = Command::new(std::env::current_exe().unwrap());
        holder.args(["--exact", "holds_one", "--ignored", "--nocapture"]).stdout(Stdio::piped());
        if who == As::Root {
            holder.env("HOLDS_AS_ROOT", "1");
        }
        let mut holder = holder.spawn().unwrap();
        let mut lines = std::io::BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said = lines.find_map(|line| line.split_once("HOLDS ").map(|(_, said)| said.to_owned())).unwrap();
        let (id, folder) = said.split_once(" IN ").unwrap();
        let id: u32 = id.parse().unwrap();
        let all = [vec![id], descendants(id)].concat();
        assert!(all.len() == 3 && all.iter().all(|id| alive(*id)), "{who:?} {all:?}");
        holder.kill().unwrap();
        holder.wait().unwrap();
        let bench = Bench::new(who);
        until("it ends with its holder", || all.iter().all(|id| !alive(*id)) && groups(&bench, id) == 0);
        fs::remove_dir_all(Path::new(folder)).unwrap();
    }
}
