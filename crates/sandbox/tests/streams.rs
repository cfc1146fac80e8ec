//! What a program does with its streams does not reach whoever watches over it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

#[path = "support/bench.rs"]
mod bench;

use std::sync::mpsc::channel;
use std::time::Duration;

use bench::{As, Bench};
use callgate_sandbox::{Exit, Sink, Streams};

/// Takes back what it wrote, between the moment when the launcher sees it and that when it would read it; whoever
/// reads and waits then waits for ever. It sees that this has happened by its other stream, which nobody empties then.
const STEAL: &str = r#"
import fcntl, os, struct, sys, termios, time
back = os.open('/proc/self/fd/1', os.O_RDONLY | os.O_NONBLOCK)
errors = os.open('/proc/self/fd/2', os.O_RDONLY | os.O_NONBLOCK)
def waiting():
    return struct.unpack('i', fcntl.ioctl(errors, termios.FIONREAD, b'\0' * 4))[0]
end, spins = time.time() + 3, 0
while time.time() < end:
    os.write(1, b'x')
    spins = (spins + 1) % 60
    for _ in range(spins): pass
    try: os.read(back, 1)
    except BlockingIOError: continue
    os.write(2, b'y')
    soon = time.time() + 0.004
    while waiting() and time.time() < soon: pass
    if waiting():
        time.sleep(0.1)
        if waiting(): time.sleep(1000)
time.sleep(1000)
"#;

/// The same with its input, which the launcher writes to when it sees that there is room.
const FILL: &str = r#"
import fcntl, os, sys, time
more = os.open('/proc/self/fd/0', os.O_WRONLY | os.O_NONBLOCK)
os.set_blocking(0, False)
end = time.time() + 3
while time.time() < end:
    try:
        while True: os.write(more, b'z' * 4096)
    except BlockingIOError: pass
    try: os.read(0, 4096 * (1 + int(time.time() * 1e6) % 3))
    except BlockingIOError: pass
try:
    while True: os.write(more, b'z' * 4096)
except BlockingIOError: pass
time.sleep(1000)
"#;

/// How a run of `script` ends whose deadline is four seconds.
fn ends(who: As, script: &str) -> Exit {
    let bench = Bench::new(who);
    let plan = bench.plan(&bench.tighter("workspace", "wall = \"4s\""), &["/usr/bin/python3", "-c", script]);
    // There is always more to read.
    let input = std::fs::File::open("/dev/zero").unwrap();
    let streams = Streams { stdin: Some(input.into()), stdout: Sink::Nowhere, stderr: Sink::Nowhere };
    let running = bench.launcher.launch(&plan, streams).unwrap();
    let launcher = i32::try_from(running.id()).unwrap();
    let (sender, ended) = channel();
    let waiting = std::thread::spawn(move || sender.send(running.wait().unwrap().ending.exit));
    let Ok(exit) = ended.recv_timeout(Duration::from_secs(60)) else {
        let pid = rustix::process::Pid::from_raw(launcher).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        panic!("{who:?}: the launcher waits for ever");
    };
    waiting.join().unwrap().unwrap();
    exit
}

#[test]
fn a_program_that_takes_its_output_back_still_ends_at_its_deadline() {
    for script in [STEAL, FILL] {
        // Side by side, since they mostly wait.
        let runs: Vec<_> =
            As::both().into_iter().map(|who| (who, std::thread::spawn(move || ends(who, script)))).collect();
        for (who, run) in runs {
            assert_eq!(run.join().unwrap(), Exit::TimedOut, "{who:?}");
        }
    }
}

#[test]
fn streams_can_be_opened_again_by_their_names() {
    for who in As::both() {
        let bench = Bench::new(who);
        let script = "echo a > /dev/stdout; echo b > /dev/stderr; echo c | tee /dev/stderr; echo d > /proc/self/fd/1";
        let run = bench.run("workspace", &["/bin/sh", "-ec", script]);
        assert_eq!(
            (run.exit, run.stdout.as_str(), run.stderr.as_str()),
            (Exit::Code(0), "a\nc\nd\n", "b\nc\n"),
            "{who:?}"
        );
    }
}
