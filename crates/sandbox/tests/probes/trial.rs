//! One attack, without a sandbox and in one, and whether it succeeded.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use callgate_sandbox::{Exit, Layer, Plan, Sink, Streams, WriteSet, Written};

use crate::bench::{followed_for, piped};
use crate::fixture::{Fixture, as_user};
use crate::neighbour::Neighbour;
use crate::table::{Probe, Resource, Scene, Shows};
use crate::watch::{self, Watch};

/// What an attack printed, and what was counted meanwhile.
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    /// Bytes, standard error among them.
    pub(crate) output: usize,
    pub(crate) most: u64,
}

/// After this long an attack is ended by whoever tries it: one that has no end by itself soon, any other when something
/// must be wrong, even on a busy machine.
fn patience(probe: &Probe) -> Duration {
    match probe.shows {
        Shows::Peak(Resource::Time, _) => Duration::from_secs(3),
        _ => Duration::from_secs(60),
    }
}

/// Without a sandbox, by the same user: whether it succeeds, and what it said.
pub(crate) fn outside(fixture: &Fixture, probe: &Probe, unique: &str) -> (bool, String) {
    fixture.reset();
    let neighbour = (probe.scene == Scene::Neighbour).then(|| Neighbour::outside(fixture));
    let words = fixture.words(probe, unique, neighbour.as_ref());
    let watch = watch(fixture, probe, unique, &words.attack);
    let mut command = as_user(fixture.bench.who);
    if probe.scene == Scene::Orphaned {
        command.args(["/bin/sh", "-c", "\"$@\"; :", "sh"]);
    }
    command
        .arg(fixture.bench.attacker())
        .args(&words.attack)
        .current_dir(&fixture.bench.workspace)
        .stdin(Stdio::null());
    command.env("PROBE_SECRET", fixture.token()).envs(words.variables);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
    let text = Arc::<Mutex<Vec<u8>>>::default();
    let readers = [drain(child.stdout.take().unwrap(), &text, true), drain(child.stderr.take().unwrap(), &text, false)];
    if probe.scene == Scene::Orphaned {
        await_sight(unique);
        child.kill().unwrap();
    }
    await_end(&mut child, patience(probe));
    // Unless somebody who goes on has its output open, too.
    let start = Instant::now();
    while readers.iter().any(|reader| !reader.is_finished()) && start.elapsed() < Duration::from_millis(200) {
        thread::sleep(Duration::from_millis(2));
    }
    let most = watch.map_or(0, Watch::most);
    let stdout = String::from_utf8_lossy(&text.lock().unwrap()).into_owned();
    let output = readers.into_iter().filter(|reader| reader.is_finished()).map(|reader| reader.join().unwrap()).sum();
    let outcome = Outcome { stdout, output, most };
    let succeeded = fixture.succeeded(probe, unique, &outcome, neighbour.as_ref());
    fixture.clean(probe, unique);
    drop(neighbour);
    (succeeded, outcome.stdout)
}

/// How a sandbox comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// It is made for the attack.
    Cold,
    /// It was made ready before.
    Warm,
}

/// In a sandbox without `layers`, from whose changes what needs no permit is committed if that is what is tried.
pub(crate) fn inside(
    fixture: &Fixture,
    probe: &Probe,
    unique: &str,
    profile: &str,
    layers: &[Layer],
    start: Start,
) -> (bool, String) {
    fixture.reset();
    let bench = &fixture.bench;
    let weaken = |plan: Plan| layers.iter().fold(plan, |plan, layer| plan.without(*layer));
    let neighbour = (probe.scene == Scene::Neighbour).then(|| Neighbour::inside(fixture, probe, &weaken));
    let words = fixture.words(probe, unique, neighbour.as_ref());
    let plan = weaken(fixture.plan(profile, probe, &words));
    let watch = watch(fixture, probe, unique, &words.attack);
    let launch = |streams| match start {
        Start::Cold => bench.launcher.launch(&plan, streams),
        Start::Warm => bench.fitting(&plan).launch(streams),
    };
    let (stdout, output, written) = if probe.scene == Scene::Orphaned {
        let streams = Streams { stdin: None, stdout: Sink::Nowhere, stderr: Sink::Nowhere };
        let mut running = launch(streams).unwrap();
        running.started().unwrap();
        await_sight(unique);
        let launcher = i32::try_from(running.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(launcher, rustix::process::Signal::KILL).unwrap();
        assert!(running.wait().is_err(), "the supervisor is told");
        (String::new(), 0, Vec::new())
    } else {
        let run = followed_for(launch(piped()).unwrap(), patience(probe));
        if let Exit::Refused(fault) = &run.exit {
            panic!("{}: the sandbox did not start: {fault}", probe.what);
        }
        assert!(!run.stdout.starts_with("UNKNOWN"), "{}: {}", probe.what, run.stdout);
        if let Some(got) = &run.got {
            assert_eq!(got.weakened, layers, "a weakened run says so");
        }
        let output = run.stdout.len() + run.stderr.len();
        (format!("{}({})", run.stdout, run.exit), output, run.written)
    };
    let most = watch.map_or(0, Watch::most);
    let mut stdout = stdout;
    if probe.part == "commit" {
        stdout.push_str(&commit(fixture, written));
    }
    let outcome = Outcome { stdout, output, most };
    let succeeded = fixture.succeeded(probe, unique, &outcome, neighbour.as_ref());
    fixture.clean(probe, unique);
    drop(neighbour);
    (succeeded, outcome.stdout)
}

/// Commits what was written, without any permit; what came of that.
fn commit(fixture: &Fixture, written: Vec<Written>) -> String {
    let (nothing, journals) = (BTreeSet::new(), fixture.bench.journals());
    let done = written.into_iter().map(|written| WriteSet::of(written)?.commit(&nothing, &journals));
    done.map(|done| match done {
        Ok(count) => format!(" [{count} changes committed]"),
        Err(error) => format!(" [not committed: {error}]"),
    })
    .collect()
}

fn watch(fixture: &Fixture, probe: &Probe, unique: &str, words: &[String]) -> Option<Watch> {
    match probe.shows {
        Shows::Peak(resource, _) => {
            let folder = matches!(resource, Resource::Disk | Resource::Files).then(|| words[1].clone());
            Some(Watch::start(resource, unique.to_owned(), folder))
        }
        Shows::Starves(what) => {
            let mut command = as_user(fixture.bench.who);
            command.arg(fixture.bench.attacker()).args(["have", what]).stdin(Stdio::null());
            Some(Watch::refusals(command))
        }
        _ => None,
    }
}

/// Reads all there is, keeps the first of it if it is wanted, and counts.
fn drain(mut from: impl Read + Send + 'static, to: &Arc<Mutex<Vec<u8>>>, keep: bool) -> thread::JoinHandle<usize> {
    let to = Arc::clone(to);
    thread::spawn(move || {
        let (mut total, mut buffer) = (0, vec![0; 64 << 10]);
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 {
                break;
            }
            total += count;
            let mut to = to.lock().unwrap();
            if keep && to.len() < 1 << 20 {
                to.extend(&buffer[..count]);
            }
        }
        total
    })
}

fn await_end(child: &mut Child, patience: Duration) {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > patience {
            let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Until the attack itself is seen on the host.
fn await_sight(unique: &str) {
    let start = Instant::now();
    while !watch::processes(unique).iter().any(|id| {
        // Not a shell or launcher that only has it among its words.
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).next().is_some_and(|first| first.ends_with(b"attacker"))
    }) {
        assert!(start.elapsed() < Duration::from_secs(10), "it was not seen");
        thread::sleep(Duration::from_millis(5));
    }
}
