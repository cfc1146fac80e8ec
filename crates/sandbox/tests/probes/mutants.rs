//! For each layer, a sandbox without it, and the probe that notices. Some things two layers stop; then both are left
//! out, and each is shown to be enough alone.

use std::time::Duration;

use callgate_sandbox::{Exit, Layer, Plan, Sink, Streams};

use crate::bench::As;
use crate::fixture::Fixture;
use crate::matrix::plan;
use crate::table::{PROBES, Probe};

fn probe(what: &str) -> &'static Probe {
    PROBES.iter().find(|probe| probe.what == what).unwrap_or_else(|| panic!("no probe `{what}`"))
}

/// Whether the probe succeeds in a sandbox without these layers.
fn succeeds_without(fixture: &Fixture, layers: &[Layer], profile: &str, probe: &Probe) -> bool {
    fixture.reset();
    let unique = format!("m{}{:?}{layers:?}", probe.words.len(), fixture.bench.who).replace([' ', ',', '[', ']'], "");
    let plan = layers.iter().fold(plan(fixture, profile, probe, &unique), |plan, layer| plan.without(*layer));
    let run = fixture.bench.run_plan(&plan);
    assert!(!matches!(run.exit, Exit::Refused(_)), "{layers:?}: {run:?}");
    if let Some(got) = &run.got {
        assert_eq!(got.weakened, layers, "a weakened run says so");
    }
    let succeeded = fixture.succeeded(probe, &unique, &run.stdout);
    fixture.clean(probe, &unique);
    succeeded
}

/// Layers, the profile, and the probe that succeeds only without all of them.
const MUTANTS: &[(&[Layer], &str, &str)] = &[
    (&[Layer::Seccomp], "workspace", "a user namespace by unshare"),
    (&[Layer::Seccomp], "workspace", "a key in the user's keyring"),
    (&[Layer::Seccomp], "workspace", "io_uring"),
    (&[Layer::Seccomp], "workspace", "trace one's own child"),
    (&[Layer::Seccomp], "workspace", "a socket to the hypervisor"),
    (&[Layer::Seccomp], "workspace", "calls of i386"),
    (&[Layer::Seccomp], "workspace", "type into a terminal, with a bit in the upper half"),
    (&[Layer::Landlock], "workspace", "a file that only Landlock closes"),
    (&[Layer::Network], "workspace", "TCP to the host, v4"),
    (&[Layer::Network, Layer::Seccomp, Layer::Landlock], "workspace", "an abstract Unix socket"),
    (&[Layer::Ipc, Layer::Seccomp], "workspace", "shared memory that stays"),
    (&[Layer::HostName], "workspace", "the host's name"),
    (&[Layer::ProcMasks], "workspace", "the kernel's command line"),
    (&[Layer::CloseFiles, Layer::Landlock], "workspace", "an inherited descriptor"),
    (&[Layer::CopyOnWrite], "workspace", "plant a hook"),
    (&[Layer::CopyOnWrite], "workspace", "replace all of .git"),
    (&[Layer::CopyOnWrite], "workspace", "change an instruction file"),
    (&[Layer::ReadOnly, Layer::Landlock], "read-only", "plant a hook"),
    (&[Layer::HiddenInit], "workspace", "the command line of process 1"),
];

#[test]
fn without_a_layer_a_probe_notices() {
    let mut wrong = Vec::new();
    for who in As::both() {
        let fixture = Fixture::new(who);
        for (layers, profile, what) in MUTANTS {
            let probe = probe(what);
            if !succeeds_without(&fixture, layers, profile, probe) {
                wrong.push(format!("{who:?}: without {layers:?} `{what}` is still stopped"));
            }
            // Any one of them is enough.
            for kept in *layers {
                let others: Vec<Layer> = layers.iter().copied().filter(|layer| layer != kept).collect();
                if succeeds_without(&fixture, &others, profile, probe) {
                    wrong.push(format!("{who:?}: with {kept:?} and without {others:?} `{what}` succeeds"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As an ordinary user the victim is the same user, so that nothing but the two layers is in the way.
#[test]
fn without_its_process_namespace_a_run_kills_the_hosts_processes() {
    let fixture = Fixture::new(As::Unprivileged);
    let probe = probe("kill a process of the host");
    assert!(succeeds_without(&fixture, &[Layer::Processes, Layer::Landlock], "workspace", probe));
    assert!(!succeeds_without(&fixture, &[Layer::Landlock], "workspace", probe));
}

#[test]
fn without_dropping_capabilities_the_read_back_shows_them() {
    for who in As::both() {
        let fixture = Fixture::new(who);
        let plan = fixture.bench.plan(&fixture.bench.profile("workspace"), &["/bin/true"]);
        let with = fixture.bench.run_plan(&plan).got.unwrap();
        let without = fixture.bench.run_plan(&plan.without(Layer::Capabilities)).got.unwrap();
        assert_eq!(with.capabilities, 0);
        assert_ne!(without.capabilities, 0);
    }
}

/// A plan of a bomb, under limits that it is to run into.
fn bomb(fixture: &Fixture, clauses: &str, words: &[&str]) -> Plan {
    let bench = &fixture.bench;
    fixture.reset();
    let attacker = bench.workspace.join("attacker");
    crate::bench::copy_program(&bench.attacker(), &attacker);
    let profile = bench.tighter("workspace", clauses);
    let command: Vec<String> =
        std::iter::once(attacker.display().to_string()).chain(words.iter().map(|word| (*word).to_owned())).collect();
    bench.plan(&profile, &command)
}

#[test]
fn without_limits_bombs_go_off() {
    for who in As::both() {
        let fixture = Fixture::new(who);
        for (clauses, words) in
            [("processes = 40", vec!["fork-bomb", "200"]), ("open_files = 200", vec!["descriptor-bomb"])]
        {
            let held = fixture.bench.run_plan(&bomb(&fixture, clauses, &words));
            assert!(held.stdout.starts_with("NO "), "{who:?} {words:?} {held:?}");
            let free = fixture.bench.run_plan(&bomb(&fixture, clauses, &words).without(Layer::Limits));
            let most: u64 =
                free.stdout.rsplit("after ").next().and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
            assert!(most > 300 || free.stdout.starts_with("GOT "), "{who:?} {words:?} {free:?}");
        }
    }
}

#[test]
fn without_its_cap_output_goes_on() {
    let fixture = Fixture::new(As::Unprivileged);
    let held = fixture.bench.run_plan(&bomb(&fixture, "output = \"64KiB\"", &["flood"]));
    assert_eq!((held.exit, held.stdout.len() + held.stderr.len()), (Exit::OutputCap, 64 << 10));
    let free = bomb(&fixture, "output = \"64KiB\"\nwall = \"1s\"", &["flood"]).without(Layer::OutputCap);
    let free = fixture.bench.run_plan(&free);
    assert_eq!(free.exit, Exit::TimedOut);
    assert!(free.stdout.len() > 64 << 10);
}

#[test]
fn without_its_deadline_a_run_goes_on() {
    let fixture = Fixture::new(As::Unprivileged);
    let bomb = |words: &[&str]| bomb(&fixture, "wall = \"1s\"", words);
    assert_eq!(fixture.bench.run_plan(&bomb(&["ignore"])).exit, Exit::TimedOut);
    let plan = bomb(&["ignore"]).without(Layer::Deadline);
    let running = fixture.bench.launcher.launch(&plan, Streams::none()).unwrap();
    let canceller = running.canceller().unwrap();
    let waiting = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        canceller.cancel();
    });
    let finished = running.wait().unwrap();
    waiting.join().unwrap();
    assert_eq!(finished.ending.exit, Exit::Cancelled);
    assert!(finished.ending.usage.wall_millis >= 2500, "{:?}", finished.ending.usage);
}

#[test]
fn without_its_group_memory_is_not_held() {
    for who in As::both() {
        let fixture = Fixture::new(who);
        if !fixture.bench.host.has(callgate_sandbox::Part::MemoryGroup) {
            eprintln!("SKIPPED: {who:?} has no control group for memory here");
            continue;
        }
        let held = fixture.bench.run_plan(&bomb(&fixture, "memory = \"128MiB\"", &["memory-bomb"]));
        assert_eq!(held.exit, Exit::OutOfMemory, "{held:?}");
        let free =
            fixture.bench.run_plan(&bomb(&fixture, "memory = \"128MiB\"", &["memory-bomb"]).without(Layer::Groups));
        assert!(free.stdout.starts_with("GOT "), "{free:?}");
    }
}

/// The launcher is killed by `SIGKILL`, and nothing tells the init but the kernel.
#[test]
fn without_the_death_signal_a_run_outlives_its_launcher() {
    for who in As::both() {
        let fixture = Fixture::new(who);
        let marker = format!("{}", 700_000 + std::process::id());
        for (weak, survives) in [(false, false), (true, true)] {
            let plan = fixture.bench.plan(&fixture.bench.profile("workspace"), &["/bin/sleep", &marker]);
            let plan = if weak { plan.without(Layer::DeathSignal) } else { plan };
            let streams = Streams { stdin: None, stdout: Sink::Nowhere, stderr: Sink::Nowhere };
            let mut running = fixture.bench.launcher.launch(&plan, streams).unwrap();
            running.started().unwrap();
            std::thread::sleep(Duration::from_millis(200));
            let launcher = i32::try_from(running.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
            rustix::process::kill_process(launcher, rustix::process::Signal::KILL).unwrap();
            assert!(running.wait().is_err(), "the supervisor is told");
            std::thread::sleep(Duration::from_millis(200));
            let left = processes(&marker);
            assert_eq!(!left.is_empty(), survives, "{who:?} {weak}");
            for pid in left {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Processes of the host whose last word is `marker`.
pub(crate) fn processes(marker: &str) -> Vec<rustix::process::Pid> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        if words.contains(&marker.as_bytes()) {
            let pid = entry.file_name().to_string_lossy().parse().ok().and_then(rustix::process::Pid::from_raw);
            found.extend(pid);
        }
    }
    found
}
