//! A terminal inside: the program's own, bound to the host's by bytes and sizes alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/terminal.rs"]
mod terminal;

use bench::{As, Bench};
use callgate_sandbox::{Exit, Finished, Layer, Plan, Running, Sink, Streams};
use terminal::Terminal;

fn start(bench: &Bench, plan: Plan, host: &Terminal) -> Running {
    let streams = Streams { stdin: Some(host.program()), stdout: Sink::To(host.program()), stderr: Sink::Nowhere };
    bench.launcher.launch(&plan.with_terminal(), streams).unwrap()
}

fn run(bench: &Bench, script: &str, host: &Terminal) -> Finished {
    start(bench, bench.plan(&bench.profile("workspace"), &["sh", "-c", script]), host).wait().unwrap()
}

#[test]
fn it_is_a_terminal_and_follows_the_size() {
    for who in As::both() {
        let (bench, host) = (Bench::new(who), Terminal::new());
        host.resize(31, 97);
        let script = "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; (exec < /dev/tty) && echo own; ls -m /dev/pts; \
                      trap 'stty size; exit 4' WINCH; stty size; while :; do sleep 0.1; done";
        let plan = bench.plan(&bench.profile("workspace"), &["sh", "-c", script]);
        let running = start(&bench, plan, &host);
        host.until("31 97");
        assert!(host.is_raw());
        host.resize(20, 50);
        let finished = running.wait().unwrap();
        assert_eq!(finished.ending.exit, Exit::Code(4), "{who:?} {}", host.text());
        assert_eq!(host.until("20 50"), "/dev/pts/0\r\nall\r\nown\r\n0, ptmx\r\n31 97\r\n20 50\r\n");
        assert_eq!(finished.ending.usage.stdout, 45);
        assert!(host.is_as_before());
    }
}

#[test]
fn what_is_typed_goes_to_the_program_and_control_c_is_a_signal_to_it() {
    for who in As::both() {
        let (bench, host) = (Bench::new(who), Terminal::new());
        let script = "echo ready; read line; echo got $line; exec sleep 100";
        let plan = bench.plan(&bench.profile("workspace"), &["sh", "-c", script]);
        let running = start(&bench, plan, &host);
        host.until("ready");
        host.types(b"words\r");
        host.until("got words");
        host.types(b"\x03");
        assert_eq!(running.wait().unwrap().ending.exit, Exit::Signal(2), "{who:?} {}", host.text());
        assert!(host.is_as_before());
    }
}

#[test]
fn output_is_capped_as_elsewhere() {
    let (bench, host) = (Bench::new(As::Unprivileged), Terminal::new());
    let plan = bench.plan(&bench.tighter("workspace", "output = \"64KiB\""), &["yes"]);
    let finished = start(&bench, plan, &host).wait().unwrap();
    assert_eq!(finished.ending.exit, Exit::OutputCap);
    assert_eq!(finished.ending.usage.stdout, 64 << 10);
    assert!(host.is_as_before());
}

#[test]
fn nothing_is_typed_into_a_terminal_from_inside() {
    for who in As::both() {
        let (bench, host) = (Bench::new(who), Terminal::new());
        let attack = "exec python3 -c '
import fcntl, os, select, termios, tty
tty.setraw(0)
names = [0, 1, 2, os.open(\"/dev/tty\", os.O_RDWR), os.open(\"/dev/ptmx\", os.O_RDWR)]
for number in names:
    for request in 0x5412, 0x541c, 0x541d:
        try:
            fcntl.ioctl(number, request, b\"x\")
            print(\"done\")
        except OSError:
            pass
# Whatever is typed at the terminal of the host is handed on to here.
print(select.select([0], [], [], 0.5)[0], end=\"\")'";
        let finished = run(&bench, attack, &host);
        assert_eq!(finished.ending.exit, Exit::Code(0), "{who:?} {}", host.text());
        assert_eq!(host.until("]"), "[]");
        assert_eq!(host.waiting(), 0);
        // Without the filter it types, where the kernel still lets anybody, but at its own terminal only.
        let kernel = std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").unwrap_or("1".to_owned());
        let unfiltered = bench.plan(&bench.profile("workspace"), &["sh", "-c", attack]).without(Layer::Seccomp);
        let beside = Terminal::new();
        start(&bench, unfiltered, &beside).wait().unwrap();
        let shown = beside.until("]");
        assert_eq!(shown.contains("done"), kernel.trim() == "1", "{who:?} {shown}");
        assert_eq!(beside.waiting(), 0);
        // The twin: what is typed outside does arrive there.
        let script = "stty raw -echo; echo ready; exec head -c 1";
        let plan = bench.plan(&bench.profile("workspace"), &["sh", "-c", script]);
        let running = start(&bench, plan, &host);
        host.until("ready");
        host.types(b"Q");
        assert_eq!(running.wait().unwrap().ending.exit, Exit::Code(0));
        host.until("Q");
    }
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    let bench = Bench::new(As::Unprivileged);
    let host = Terminal::new();
    assert_eq!(run(&bench, "stty raw; exit 3", &host).ending.exit, Exit::Code(3));
    assert!(host.is_as_before());
    assert_eq!(run(&bench, "kill -9 $$", &host).ending.exit, Exit::Signal(9));
    assert!(host.is_as_before());
    let missing = bench.plan(&bench.profile("workspace"), &["/no/such/program"]);
    assert!(matches!(start(&bench, missing, &host).wait().unwrap().ending.exit, Exit::Refused(_)));
    assert!(host.is_as_before());
    let long = bench.plan(&bench.profile("workspace"), &["sh", "-c", "echo ready; exec sleep 100"]);
    let running = start(&bench, long, &host);
    host.until("ready");
    assert!(host.is_raw());
    // As if the supervisor had been killed.
    drop(running);
    assert!(host.is_as_before());
}

#[test]
fn there_is_none_unless_asked_for_and_none_without_one_outside() {
    let bench = Bench::new(As::Unprivileged);
    let script = "ls -d /dev/pts /dev/ptmx /dev/tty 2> /dev/null; tty";
    let run = bench.run("workspace", &["sh", "-c", script]);
    assert_eq!(run.stdout, "not a tty\n", "{run:?}");
    let plan = bench.plan(&bench.profile("workspace"), &["true"]).with_terminal();
    let file = std::fs::File::open("/dev/null").unwrap();
    for stdin in [None, Some(file.into())] {
        let streams = Streams { stdin, ..Streams::none() };
        let exit = bench.launcher.launch(&plan, streams).unwrap().wait().unwrap().ending.exit;
        assert!(matches!(&exit, Exit::Refused(fault) if fault.step == "terminal"), "{exit:?}");
    }
}
