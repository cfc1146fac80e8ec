//! Where groups are made, for a launcher that finds itself in one or another place of the tree. Each of these runs in a
//! process of its own, which `init.sh` has put there.

use std::fs;
use std::path::{Path, PathBuf};

use callgate_sandbox::{Exit, Part};

use crate::bench::{As, Bench};
use crate::is_guest;

/// The tree, as it is mounted in a guest.
pub(crate) const GROUPS: &str = "/sys/fs/cgroup";

/// This process's own group.
fn own_group() -> String {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap();
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned()
}

fn group(name: &str) -> PathBuf {
    Path::new(GROUPS).join(name)
}

/// Runs something that is held by the kernel, in a group below `parent`, which is gone afterwards.
fn is_held_below(bench: &Bench, parent: &Path) {
    let who = bench.who;
    assert_eq!(bench.host.groups.unified.as_deref(), Some(parent), "{who:?} {:?}", bench.host.missing);
    assert_eq!((bench.host.groups.memory.as_ref(), bench.host.has(Part::MemoryGroup)), (None, true));
    let run = bench.run_in(&bench.tighter("workspace", "memory = \"64MiB\""), &["/bin/sh", "-c", "echo fine"]);
    assert_eq!((run.exit, run.stdout.as_str()), (Exit::Code(0), "fine\n"), "{who:?}");
    let [held] = &run.got.unwrap().groups[..] else { panic!("{who:?}: one group holds it") };
    assert!(Path::new(held).starts_with(parent) && held.contains("/callgate-"), "{held}");
    assert!(!Path::new(held).exists(), "{who:?}: {held} is left");
    let lean = bench.tighter("workspace", "memory = \"64MiB\"");
    let run = bench.run_in(&lean, &["/usr/bin/python3", "-c", "x = bytearray(100 << 20)"]);
    assert_eq!(run.exit, Exit::OutOfMemory, "{who:?} {run:?}");
}

/// No group can be had: the profile that wants one is refused by name, and told what to do; the one that does not runs.
pub(crate) fn is_refused(bench: &Bench, words: &[&str]) {
    let who = bench.who;
    assert_eq!((&bench.host.groups.unified, &bench.host.groups.memory), (&None, &None), "{who:?}");
    let why = bench.host.why_not(Part::MemoryGroup).unwrap_or_default();
    for word in words {
        assert!(why.contains(word), "{who:?}: no {word:?} in {why:?}");
    }
    let wanted = callgate_sandbox::Profiles::default().get("workspace").unwrap().clone();
    let refusal = callgate_sandbox::compile(&wanted, &bench.request(&["/bin/true"]), &bench.host).unwrap_err();
    let clauses: Vec<&str> = refusal.clauses.iter().map(|(clause, _)| clause.as_str()).collect();
    assert_eq!(clauses, ["memory"], "{who:?}");
    assert_eq!(bench.host.floor().unwrap().0, "workspace-watched");
    let run = bench.run("workspace", &["/bin/sh", "-c", "echo fine"]);
    assert_eq!((run.exit, run.stdout.as_str()), (Exit::Code(0), "fine\n"), "{who:?}");
    assert_eq!(run.got.unwrap().groups, Vec::<String>::new());
}

#[test]
#[ignore = "runs in a guest alone"]
fn the_top_of_all_hands_down() {
    if !is_guest() {
        return;
    }
    assert_eq!(own_group(), "/");
    is_held_below(&Bench::new(As::Root), Path::new(GROUPS));
    is_refused(&Bench::new(As::Unprivileged), &["control group that it may write to"]);
}

/// In a unit that is handed over as a whole, with nobody else in it.
#[test]
#[ignore = "runs in a guest alone"]
fn whoever_is_alone_moves_into_a_leaf() {
    if !is_guest() {
        return;
    }
    let before = own_group();
    let unit = group(before.trim_start_matches('/'));
    assert!(!unit.join("callgate-supervisor").exists());
    let who = if before == "/alone-root" { As::Root } else { As::Unprivileged };
    let bench = Bench::new(who);
    assert_eq!(own_group(), format!("{before}/callgate-supervisor"));
    is_held_below(&bench, &unit);
    // Whoever comes later finds it so.
    is_held_below(&Bench::new(who), &unit);
}

#[test]
#[ignore = "runs in a guest alone"]
fn strangers_are_not_moved() {
    if !is_guest() {
        return;
    }
    let before = fs::read_to_string(group("crowded/cgroup.procs")).unwrap();
    let words = ["not this program's", "systemd-run --user --scope -p Delegate=yes"];
    is_refused(&Bench::new(As::Unprivileged), &words);
    assert_eq!(own_group(), "/crowded");
    let after = fs::read_to_string(group("crowded/cgroup.procs")).unwrap();
    assert!(before.lines().all(|pid| after.lines().any(|other| other == pid)), "{before} {after}");
    assert!(!group("crowded/callgate-supervisor").exists());
    assert_eq!(fs::read_to_string(group("crowded/cgroup.subtree_control")).unwrap().trim(), "");
}

/// What a user's own manager runs lies side by side in a group that hands down already.
#[test]
#[ignore = "runs in a guest alone"]
fn a_group_above_that_lets_us_in() {
    if !is_guest() {
        return;
    }
    assert_eq!(own_group(), "/slice/leaf");
    for who in As::both() {
        is_held_below(&Bench::new(who), &group("slice"));
    }
}

/// As in a container: the top of what can be seen holds processes, and is not the top of all.
#[test]
#[ignore = "runs in a guest alone"]
fn a_container_alone() {
    if !is_guest() {
        return;
    }
    assert_eq!(own_group(), "/");
    for who in As::both() {
        is_held_below(&Bench::new(who), Path::new(GROUPS));
    }
    assert_eq!(own_group(), "/callgate-supervisor");
}

#[test]
#[ignore = "runs in a guest alone"]
fn a_container_with_others() {
    if !is_guest() {
        return;
    }
    for who in As::both() {
        is_refused(&Bench::new(who), &["alone in a control group that it may write to"]);
    }
    assert_eq!(own_group(), "/");
}
