//! The hook from the start of its process to its end, beside `/bin/true` and beside what the disk alone takes. Run by
//! `cargo bench -p callgate --bench hook`.
//!
//! A host waits this long before every tool call, so it is what a developer feels. The gate runs, the decision is
//! recorded, and the answer is read from the pipe, as a host does it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench may fail"
)]

#[path = "shared/floor.rs"]
mod floor;
#[path = "../tests/e2e/house.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod house;

use std::process::Command;
use std::time::{Duration, Instant};

use floor::{percentile, syncs};
use house::{House, bare, finish, text};

const ROUNDS: usize = 20;
const EACH: usize = 25;

fn main() {
    let house = House::empty();
    let workspace = house.path().join("project");
    std::fs::create_dir(&workspace).expect("a folder");
    let (gate, work) = (house.gate(), workspace.to_str().expect("utf-8"));
    let init = ["init", gate.to_str().expect("utf-8"), "--pack", "claude-code", "--workspace", work];
    assert!(finish(&mut bare(&init), b"").status.success());
    let _serve = house.serve();
    let socket = house.socket();
    let hook = ["hook", "claude-code", "--socket", socket.to_str().expect("utf-8")];

    let (mut floors, mut bares, mut reads, mut writes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut calls = 0;
    let mut ask = |tool: &str, input: &str, code: i32| {
        calls += 1;
        let document = format!(
            r#"{{"session_id":"bench","transcript_path":"/dev/null","cwd":"{work}","hook_event_name":"PreToolUse","tool_name":"{tool}","tool_input":{input},"tool_use_id":"toolu_{calls}"}}"#
        );
        timed(&mut bare(&hook), document.as_bytes(), code)
    };
    let inside = format!(r#"{{"file_path":"{work}/src/lib.rs"}}"#);
    let command = r#"{"command":"cargo test --workspace","description":"Run the tests"}"#;
    ask("Read", &inside, 0);
    // Alternating, so that a machine that changes its mind changes all of them.
    for _ in 0..ROUNDS {
        floors.extend(syncs(&house.state(), 1, EACH));
        bares.extend((0..EACH).map(|_| timed(&mut Command::new("/bin/true"), b"", 0)));
        reads.extend((0..EACH).map(|_| ask("Read", &inside, 0)));
        writes.extend((0..EACH).map(|_| ask("Bash", command, 0)));
    }
    for percent in [50, 99] {
        let [floor, bare, read, shell] =
            [&mut floors, &mut bares, &mut reads, &mut writes].map(|times| percentile(times, percent));
        println!(
            "hook, p{percent}    Read {read:?}, Bash {shell:?}; one fdatasync {floor:?}, /bin/true {bare:?}; beyond the \
             fdatasync {:?}, beyond both {:?}; {:.1} of the fdatasync",
            read.saturating_sub(floor),
            read.saturating_sub(floor + bare),
            read.as_secs_f64() / floor.as_secs_f64(),
        );
    }
}

/// One process from its start to its end, its output read.
fn timed(command: &mut Command, input: &[u8], code: i32) -> Duration {
    let start = Instant::now();
    let output = finish(command, input);
    let took = start.elapsed();
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    took
}
