//! A session that nothing is handed over to: what the kernel cannot hold is counted, or refused.

use std::time::Duration;

use callgate_sandbox::Exit;

use crate::bench::{As, Bench, copy_program};
use crate::is_guest;
use crate::places::is_refused;

#[test]
#[ignore = "runs in a guest alone"]
fn a_profile_that_wants_the_kernel_to_hold_memory_is_refused() {
    if !is_guest() {
        return;
    }
    is_refused(&Bench::new(As::Root), &["hands no memory and pids down", "systemd-run --scope -p Delegate=yes"]);
    is_refused(&Bench::new(As::Unprivileged), &["hands no memory and pids down", "systemd-run --user --scope"]);
}

#[test]
#[ignore = "runs in a guest alone"]
fn the_watcher_ends_what_takes_too_much() {
    if !is_guest() {
        return;
    }
    for who in As::both() {
        let bench = Bench::new(who);
        let attacker = bench.workspace.join("attacker");
        copy_program(&bench.attacker(), &attacker);
        let profile = bench.tighter("workspace", "memory = \"192MiB\"\nwall = \"60s\"");
        let run = bench.run_in(&profile, &[attacker.as_path(), "many-memories".as_ref()]);
        assert_eq!(run.exit, Exit::OutOfMemory, "{who:?} {run:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
