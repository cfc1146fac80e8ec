//! A commit that is killed, or that the system fails, at any of its steps: the workspace is the old or the new, whole,
//! as soon as somebody looks at it again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/tree.rs"]
mod tree;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use bench::{As, Bench};
use callgate_sandbox::{Class, CommitError, Journals, WriteSet};
use tree::tree;

/// Every kind of change: files, links and folders that come, change and go, and folders closed to their owner.
const WORK: &str = "echo 2 > changed; rm gone; echo new > new; ln -s new link; mkdir -p deep/er; echo x > deep/er/x; \
                    rm -r folder; chmod 500 deep/er closed; rm kind; mkdir kind; echo x > kind/x; chmod 700 shut; \
                    echo y > shut/y; chmod 500 shut";

/// Every system call by which a commit changes anything or makes it durable.
const CALLS: &str = "renameat2,rename,chmod,fchmod,mkdirat,symlinkat,unlinkat,unlink,fdatasync,fsync,flock,openat2";

/// More calls than any of these has.
const MOST: u32 = 200;

/// A workspace as it is before.
fn prepared() -> Bench {
    let bench = Bench::new(As::Root);
    let work = &bench.workspace;
    for folder in ["folder", "folder/in", "closed", "shut"] {
        fs::create_dir(work.join(folder)).unwrap();
    }
    for file in ["changed", "gone", "kind", "folder/a", "folder/in/b", "closed/c", "shut/d"] {
        fs::write(work.join(file), "1\n").unwrap();
    }
    fs::set_permissions(work.join("shut"), fs::Permissions::from_mode(0o500)).unwrap();
    bench
}

/// What a run of [`WORK`] wrote.
fn run(bench: &Bench) -> WriteSet {
    let ran = bench.run("workspace", &["/bin/sh", "-ec", WORK]);
    WriteSet::of(ran.written.into_iter().next().unwrap()).unwrap()
}

/// Does [`WORK`] and commits it, with `fault` at the `at`th call of a kind; whether all fared well.
fn with_fault(bench: &Bench, call: &str, fault: &str, at: impl std::fmt::Display) -> bool {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:{fault}:when={at}")]);
    command.arg(env!("CARGO_BIN_EXE_callgate-committer")).arg(bench.folder()).arg(WORK);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

fn strace_is_missing() -> bool {
    let there = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there {
        assert!(std::env::var_os("CI").is_none(), "CI must have strace");
        eprintln!("SKIPPED: without strace nothing can be killed at a given step");
    }
    !there
}

/// The tree before and after [`WORK`].
fn trees() -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let bench = prepared();
    let before = tree(&bench.workspace);
    run(&bench).commit(&BTreeSet::new(), &bench.journals()).unwrap();
    let after = tree(&bench.workspace);
    assert_ne!(before, after);
    (before, after)
}

/// Tries the fault at each call of each kind, and looks at what it left.
fn at_every_step(fault: &str, look: impl Fn(&Bench, bool)) {
    for call in CALLS.split(',') {
        for at in 1.. {
            assert!(at < MOST, "{call} never ends");
            let bench = prepared();
            let well = with_fault(&bench, call, fault, at);
            look(&bench, well);
            if well {
                break;
            }
        }
    }
}

#[test]
fn one_that_is_killed_is_taken_back_or_was_done() {
    if strace_is_missing() {
        return;
    }
    let (before, after) = trees();
    let (taken_back, done) = (Cell::new(0), Cell::new(0));
    at_every_step("signal=KILL", |bench, well| {
        let recovered = bench.journals().recover(&bench.workspace).unwrap();
        let now = tree(&bench.workspace);
        if now == after {
            assert!(!recovered);
            done.set(done.get() + 1);
        } else {
            assert!(!well);
            assert_eq!(now, before);
            taken_back.set(taken_back.get() + u32::from(recovered));
            // And all goes on as if it had never begun.
            run(bench).commit(&BTreeSet::new(), &bench.journals()).unwrap();
            assert_eq!(tree(&bench.workspace), after);
        }
        assert_eq!(fs::read_dir(bench.folder().join("state/journals")).map_or(0, Iterator::count), 0);
    });
    assert!(taken_back.get() > 10 && done.get() > 5, "{taken_back:?} were taken back, {done:?} were done");
}

#[test]
fn one_that_the_system_fails_is_taken_back_at_once() {
    if strace_is_missing() {
        return;
    }
    let (before, after) = trees();
    at_every_step("error=EIO", |bench, _| {
        let mut now = tree(&bench.workspace);
        now.retain(|path, _| !path.starts_with(".callgate-commit-"));
        assert!(now == before || now == after, "{now:#?}");
        // What could not be tidied up is, later.
        assert!(!bench.journals().recover(&bench.workspace).unwrap());
        assert_eq!(tree(&bench.workspace), now);
    });
}

/// A disk that is full stays so: nothing that is tried afterwards works, either.
#[test]
fn a_disk_that_is_full_from_some_step_on_leaves_nothing_behind() {
    if strace_is_missing() {
        return;
    }
    let (before, after) = trees();
    for call in ["fdatasync", "mkdirat", "renameat2", "rename", "fsync"] {
        for at in 1.. {
            assert!(at < MOST, "{call} never ends");
            let bench = prepared();
            let well = with_fault(&bench, call, "error=ENOSPC", format!("{at}+"));
            // What is left is known to whoever looks next.
            bench.journals().recover(&bench.workspace).unwrap();
            let now = tree(&bench.workspace);
            assert_eq!(now, if well { after.clone() } else { before.clone() }, "{call} {at}");
            if well {
                break;
            }
        }
    }
}

#[test]
fn what_somebody_did_since_stays() {
    let bench = prepared();
    if strace_is_missing() {
        return;
    }
    // At the last of the renames: all of it is there, and not settled.
    let renames = (1..MOST).find(|at| {
        let bench = prepared();
        with_fault(&bench, "renameat2", "signal=KILL", *at)
    });
    assert!(!with_fault(&bench, "renameat2", "signal=KILL", renames.unwrap() - 1));
    fs::remove_file(bench.workspace.join("changed")).unwrap();
    fs::write(bench.workspace.join("changed"), "somebody's\n").unwrap();
    assert!(bench.journals().recover(&bench.workspace).unwrap());
    assert_eq!(fs::read_to_string(bench.workspace.join("changed")).unwrap(), "somebody's\n");
    assert_eq!(fs::read_to_string(bench.workspace.join("gone")).unwrap(), "1\n");
}

#[test]
fn what_cannot_be_put_back_is_kept_and_named() {
    if strace_is_missing() {
        return;
    }
    let bench = prepared();
    // Until the file is away, and the rest is not yet there.
    let killed = (1..MOST).find(|at| {
        assert!(!with_fault(&bench, "renameat2", "signal=KILL", *at));
        let away = !bench.workspace.join("gone").exists();
        away || !bench.journals().recover(&bench.workspace).unwrap()
    });
    assert!(killed.is_some() && !bench.workspace.join("gone").exists());
    fs::write(bench.workspace.join("gone"), "somebody's\n").unwrap();
    for _ in 0..2 {
        let refused = bench.journals().recover(&bench.workspace);
        let Err(CommitError::HalfDone { path, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(path, "gone");
    }
    let now = tree(&bench.workspace);
    assert_eq!(now["gone"], "644 somebody's\n");
    assert!(now.iter().any(|(path, text)| path.starts_with(".callgate-commit-") && text == "644 1\n"));
    // Somebody has put it in order, and the rest comes back by itself.
    fs::remove_file(bench.workspace.join("gone")).unwrap();
    assert!(bench.journals().recover(&bench.workspace).unwrap());
    assert_eq!(tree(&bench.workspace), trees().0);
}

#[test]
fn without_what_was_replaced_nothing_goes_on() {
    if strace_is_missing() {
        return;
    }
    let bench = prepared();
    assert!(!with_fault(&bench, "renameat2", "signal=KILL", 3));
    let staging = fs::read_dir(&bench.workspace).unwrap().map(|entry| entry.unwrap().path());
    let staging = staging.filter(|path| path.display().to_string().contains("callgate-commit")).collect::<Vec<_>>();
    fs::remove_dir_all(&staging[0]).unwrap();
    let refused = bench.journals().recover(&bench.workspace);
    assert!(matches!(refused, Err(CommitError::HalfDone { .. })), "{refused:?}");
    assert!(run(&bench).commit(&BTreeSet::new(), &bench.journals()).is_err());
    // Somebody has looked.
    fs::remove_dir_all(bench.folder().join("state/journals")).unwrap();
    run(&bench).commit(&BTreeSet::new(), &bench.journals()).unwrap();
}

#[test]
fn only_the_journals_own_folder_is_closed() {
    let bench = prepared();
    let above = bench.folder().join("state/callgate");
    run(&bench).commit(&BTreeSet::new(), &Journals::at(above.join("commits"))).unwrap();
    let others_may = |path| fs::metadata(path).unwrap().permissions().mode() & 0o011;
    assert_eq!((others_may(above.clone()), others_may(above.join("commits"))), (0o011, 0));
}

#[test]
fn no_journal_no_commit() {
    let bench = prepared();
    let before = tree(&bench.workspace);
    let set = run(&bench);
    fs::write(bench.folder().join("state/journals"), "a file where the folder should be").unwrap();
    assert!(matches!(set.commit(&BTreeSet::new(), &bench.journals()), Err(CommitError::Journal(..))));
    assert_eq!(tree(&bench.workspace), before);
}

#[test]
fn a_journal_that_was_tampered_with_is_no_way_in() {
    let bench = prepared();
    run(&bench).commit(&BTreeSet::new(), &bench.journals()).unwrap();
    let path = {
        // Of this workspace, as a commit would call it.
        let digest = callgate_text::Digest::of(bench.workspace.as_os_str().as_encoded_bytes()).to_string();
        bench.folder().join("state/journals").join(format!("{}.journal", digest.trim_start_matches("sha256:")))
    };
    for bytes in [&b""[..], b"\xff", &[0; 16], &[0xff; 64]] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(bench.journals().recover(&bench.workspace), Err(CommitError::Journal(..))), "{bytes:?}");
    }
}

#[test]
fn the_sandboxs_own_is_not_for_tools() {
    let bench = Bench::new(As::Root);
    fs::create_dir(bench.workspace.join("journals")).unwrap();
    let own = Journals::at(bench.workspace.join("journals"));
    for script in ["echo x > journals/forged.journal", "mkdir .callgate-commit-1; echo x > .callgate-commit-1/0"] {
        let ran = bench.run("workspace", &["/bin/sh", "-ec", script]);
        let set = WriteSet::of(ran.written.into_iter().next().unwrap()).unwrap();
        let refused = set.commit(&Class::ALL.into_iter().collect(), &own);
        assert!(matches!(refused, Err(CommitError::Reserved(_))), "{script}: {refused:?}");
    }
    // Names that only resemble them are ordinary.
    let ran = bench.run("workspace", &["/bin/sh", "-ec", "mkdir -p sub/journals; echo x > sub/.callgate-commit"]);
    let set = WriteSet::of(ran.written.into_iter().next().unwrap()).unwrap();
    assert_eq!(set.commit(&BTreeSet::new(), &own), Ok(3));
}

#[test]
fn commits_to_one_folder_wait_for_each_other() {
    let bench = prepared();
    let set = run(&bench);
    let held = fs::File::open(&bench.workspace).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let before = tree(&bench.workspace);
    std::thread::scope(|scope| {
        let committing = scope.spawn(|| set.commit(&BTreeSet::new(), &bench.journals()));
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(tree(&bench.workspace), before);
        drop(held);
        assert!(committing.join().unwrap().is_ok());
    });
}
