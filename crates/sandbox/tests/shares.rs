//! What the host's processes share with a run, beside files: one run does not take it from them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

#[path = "support/bench.rs"]
mod bench;

use std::process::Command;

use bench::{As, Bench};
use callgate_sandbox::{Exit, Part};

const WATCHERS: &str = "
import ctypes, sys, time
libc = ctypes.CDLL(None)
made = 0
while made < 1000 and libc.inotify_init1(0) >= 0: made += 1
print(made)
";

#[test]
fn watchers_of_files_are_left_for_the_user() {
    for who in As::both() {
        let bench = Bench::new(who);
        let run = bench.run("workspace", &["/usr/bin/python3", "-c", WATCHERS]);
        assert_eq!(run.exit, Exit::Code(0), "{run:?}");
        let made: u32 = run.stdout.trim().parse().unwrap();
        assert!((8..=32).contains(&made), "{who:?}: {made}");
    }
    // Outside there are more, or the test above says nothing.
    let outside = Command::new("/usr/bin/python3").args(["-c", WATCHERS]).output().unwrap();
    let made: u32 = String::from_utf8(outside.stdout).unwrap().trim().parse().unwrap();
    assert!(made > 32, "{made}");
}

/// Who may only read a file must not keep its owner from writing to it.
#[test]
fn a_file_that_is_shown_cannot_be_held() {
    const LEASE: &str = "
import fcntl, os, signal
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open('file', os.O_RDONLY)
fcntl.fcntl(file, 1024, 0)
";
    for who in As::both() {
        let bench = Bench::new(who);
        std::fs::write(bench.workspace.join("file"), "x").unwrap();
        bench.own_workspace();
        let profile = bench.tighter("workspace", "[profile.tighter.files]\n\"@workspace\" = \"ro\"");
        let run = bench.run_in(&profile, &["/usr/bin/python3", "-c", LEASE]);
        assert_eq!(run.exit, Exit::Code(1), "{who:?}");
        assert!(run.stderr.contains("Operation not permitted"), "{}", run.stderr);
        // In the copy, locks work as always.
        let locks = "
import fcntl
with open('file', 'r+') as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.fcntl(file, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
";
        let run = bench.run("workspace", &["/usr/bin/python3", "-c", locks]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?}: {run:?}");
    }
    let bench = Bench::new(As::Unprivileged);
    std::fs::write(bench.workspace.join("file"), "x").unwrap();
    let outside = Command::new("/usr/bin/python3").args(["-c", LEASE]).current_dir(&bench.workspace).status().unwrap();
    assert!(outside.success(), "outside it can be held, or the test above says nothing");
}

/// What waits in sockets is the kernel's memory, and is held to the run's all the same.
#[test]
fn sockets_do_not_hold_more_than_the_run_may() {
    const FLOOD: &str = "
import socket
kept, sent = [], 0
for _ in range(900):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(('127.0.0.1', 0))
    one.setblocking(False)
    kept.append(one)
    for _ in range(8):
        try: one.sendto(b'x' * 60000, one.getsockname())
        except OSError: break
held = int([line for line in open('/proc/net/sockstat') if line.startswith('UDP:')][0].split()[-1]) * 4096
print(held >> 20)
";
    for who in As::both() {
        let bench = Bench::new(who);
        if !bench.host.has(Part::MemoryGroup) {
            // Then only what processes hold is counted, as the page says.
            continue;
        }
        let profile = bench.tighter("workspace", "memory = \"128MiB\"");
        let run = bench.run_in(&profile, &["/usr/bin/python3", "-c", FLOOD]);
        // Where the group counts it as memory, the run may end for it.
        if run.exit == Exit::OutOfMemory {
            continue;
        }
        assert_eq!(run.exit, Exit::Code(0), "{run:?}");
        let held: u64 = run.stdout.trim().parse().unwrap();
        assert!(held <= 64, "{who:?}: {held} MiB");
        // And what is ordinary goes through.
        let talk = "
import socket
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname())
other, _ = server.accept()
import threading
sender = threading.Thread(target=lambda: (client.sendall(b'x' * 5000000), client.close()))
sender.start()
total = 0
while (part := other.recv(1 << 16)): total += len(part)
assert total == 5000000
";
        let run = bench.run_in(&profile, &["/usr/bin/python3", "-c", talk]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?}: {run:?}");
    }
}

/// Of the internet's protocols there are the two that everybody has.
#[test]
fn rarer_protocols_are_not_in_this_kernel() {
    const TRY: &str = "
import errno, socket
for family in (socket.AF_INET, socket.AF_INET6):
    for kind, protocol in ((socket.SOCK_STREAM, 262), (socket.SOCK_DGRAM, 136), (socket.SOCK_STREAM, 132)):
        try: socket.socket(family, kind, protocol)
        except OSError as error: assert error.errno == errno.EPROTONOSUPPORT, error
        else: raise SystemExit(f'{kind} {protocol}')
    for kind, protocol in ((socket.SOCK_STREAM, 6), (socket.SOCK_DGRAM, 17), (socket.SOCK_STREAM | socket.SOCK_CLOEXEC, 0)):
        socket.socket(family, kind, protocol)
";
    for who in As::both() {
        let bench = Bench::new(who);
        let run = bench.run("workspace", &["/usr/bin/python3", "-c", TRY]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?}: {run:?}");
    }
}
