//! A commit is all or nothing, whatever modes, owners and other writers it meets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use bench::{As, Bench, SOMEBODY};
use callgate_sandbox::{Class, CommitError, Exit, Sink, Streams, WriteSet};

fn writes(bench: &Bench, script: &str) -> WriteSet {
    let run = bench.run("workspace", &["/bin/sh", "-ec", script]);
    assert_eq!(run.exit, Exit::Code(0), "{script}: {run:?}");
    WriteSet::of(run.written.into_iter().next().unwrap()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// As the ordinary user that the sandbox ran as: a commit as root meets no modes.
fn committed_as_somebody(bench: &Bench, set: WriteSet) -> Result<usize, CommitError> {
    let root = rustix::process::getuid().is_root();
    bench.own_workspace();
    let journals = bench.journals();
    if !root {
        return set.commit(&BTreeSet::new(), &bench.journals());
    }
    // Only this thread becomes somebody else.
    let somebody = std::thread::spawn(move || {
        let (user, group) = (rustix::process::Uid::from_raw(SOMEBODY), rustix::process::Gid::from_raw(SOMEBODY));
        rustix::thread::set_thread_groups(&[]).unwrap();
        rustix::thread::set_thread_res_gid(group, group, group).unwrap();
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        set.commit(&BTreeSet::new(), &journals)
    });
    somebody.join().unwrap()
}

/// As a cache of modules leaves them: folders that their own owner may not write to.
#[test]
fn folders_that_are_closed_come_go_and_change() {
    let bench = Bench::new(As::Unprivileged);
    let work = bench.workspace.clone();
    let made =
        writes(&bench, "mkdir -p m/v1/deep m/empty; echo a > m/v1/deep/a; chmod 444 m/v1/deep/a; chmod -R a-w m");
    committed_as_somebody(&bench, made).unwrap();
    assert_eq!(
        (mode(&work.join("m")), mode(&work.join("m/v1/deep")), mode(&work.join("m/empty"))),
        (0o555, 0o555, 0o555)
    );
    assert_eq!(fs::read_to_string(work.join("m/v1/deep/a")).unwrap(), "a\n");
    // In one that stays closed, and in one that is opened and closed again.
    let changed = writes(&bench, "chmod u+w m/v1/deep m; echo b > m/v1/deep/b; echo c > m/c; chmod a-w m/v1/deep");
    committed_as_somebody(&bench, changed).unwrap();
    assert_eq!((mode(&work.join("m")), mode(&work.join("m/v1/deep"))), (0o755, 0o555));
    assert_eq!(fs::read_to_string(work.join("m/v1/deep/b")).unwrap(), "b\n");
    // One that fails leaves every mode as it was.
    let fails = writes(&bench, "chmod -R u+w m; rm -r m; echo z > zzz");
    fs::write(work.join("zzz"), "here first\n").unwrap();
    committed_as_somebody(&bench, fails).unwrap_err();
    assert_eq!((mode(&work.join("m/v1")), mode(&work.join("m/v1/deep"))), (0o555, 0o555));
    assert_eq!(fs::read_to_string(work.join("m/v1/deep/b")).unwrap(), "b\n");
    let gone = writes(&bench, "chmod -R u+w m; rm -r m");
    committed_as_somebody(&bench, gone).unwrap();
    assert!(!work.join("m").exists());
    assert_eq!(fs::read_dir(&work).unwrap().count(), 1);
}

/// A name that the staging folder would have keeps nobody from committing, and is left alone.
#[test]
fn a_folder_in_the_way_of_staging_is_passed_by() {
    let bench = Bench::new(As::Unprivileged);
    let taken = bench.workspace.join(format!(".callgate-commit-{}-0", std::process::id()));
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("0"), "somebody's\n").unwrap();
    bench.own_workspace();
    writes(&bench, "echo a > a").commit(&BTreeSet::new(), &bench.journals()).unwrap();
    assert_eq!(fs::read_to_string(taken.join("0")).unwrap(), "somebody's\n");
    assert_eq!(fs::read_to_string(bench.workspace.join("a")).unwrap(), "a\n");
}

/// What an agent writes is never in the place of root's file as root's.
#[test]
fn a_file_of_somebody_elses_cannot_be_replaced() {
    if !As::both().contains(&As::Root) {
        return;
    }
    let bench = Bench::new(As::Root);
    chown(&bench.workspace, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    for (name, user, group) in [("roots", 0, 0), ("own", SOMEBODY, SOMEBODY)] {
        fs::write(bench.workspace.join(name), "before\n").unwrap();
        chown(bench.workspace.join(name), Some(user), Some(group)).unwrap();
    }
    let set = writes(&bench, "! rm -f roots; ! mv roots away; ! echo evil > roots; echo after > own; echo new > new");
    set.commit(&BTreeSet::new(), &bench.journals()).unwrap();
    for (name, owner, text) in [("roots", 0, "before\n"), ("own", SOMEBODY, "after\n"), ("new", SOMEBODY, "new\n")] {
        let stat = fs::metadata(bench.workspace.join(name)).unwrap();
        assert_eq!((stat.uid(), stat.gid()), (owner, owner), "{name}");
        assert_eq!(fs::read_to_string(bench.workspace.join(name)).unwrap(), text);
    }
}

/// The bound of an access list is not the rights of the group.
#[test]
fn an_access_list_stays_with_its_file() {
    let bench = Bench::new(As::Unprivileged);
    let file = bench.workspace.join("listed");
    fs::write(&file, "before\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    bench.own_workspace();
    // One entry for user 12345, who may read and write: version 2, then tag, rights and id of each.
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in
        [(1_u16, 6_u16, u32::MAX), (2, 6, 12345), (4, 0, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let name = "system.posix_acl_access";
    match rustix::fs::setxattr(&file, name, &list, rustix::fs::XattrFlags::empty()) {
        Ok(()) => {}
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "CI must have a file system with access lists: {error}");
            eprintln!("SKIPPED: no access lists here: {error}");
            return;
        }
    }
    writes(&bench, "rm listed; echo after > listed; chmod 660 listed")
        .commit(&BTreeSet::new(), &bench.journals())
        .unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "after\n");
    let mut kept = vec![0; 200];
    let length = rustix::fs::getxattr(&file, name, &mut kept).unwrap();
    assert_eq!(kept[..length], list[..], "the group itself has no rights still");
}

/// A run has seen the host as it was when it looked: what somebody changed since then is not overwritten unasked, nor
/// is what he made in a folder that the run takes for empty.
#[test]
fn what_changed_on_the_host_during_the_run_is_not_overwritten() {
    for (theirs, ours, meanwhile) in [
        ("echo theirs > file", "echo ours > file", true),
        ("echo theirs > file; touch -d 2001-01-01 file", "echo ours > file", true),
        ("echo theirs > next; mv next file", "rm file", true),
        ("echo theirs > folder/new", "rm -r folder", true),
        ("echo theirs > folder/new", "rm -r folder; mkdir folder; echo ours > folder/new", true),
        ("echo theirs > new; chown --reference=file new", "echo ours > new", true),
        ("echo theirs > other; chmod 600 folder/old", "echo ours > file", false),
        ("echo theirs > folder/new", "echo ours > folder/old; chmod 700 folder", false),
        ("cat file", "echo ours > file", false),
    ] {
        let bench = Bench::new(As::Unprivileged);
        fs::create_dir(bench.workspace.join("folder")).unwrap();
        for file in ["file", "folder/old"] {
            fs::write(bench.workspace.join(file), "before\n").unwrap();
        }
        bench.own_workspace();
        // It says that it runs, and goes on when it is told to.
        let plan = bench.plan(&bench.profile("workspace"), &["/bin/sh", "-ec", &format!("echo go; read go; {ours}")]);
        let (go_read, go) = std::io::pipe().unwrap();
        let streams = Streams { stdin: Some(go_read.into()), stdout: Sink::Pipe, stderr: Sink::Nowhere };
        let mut running = bench.launcher.launch(&plan, streams).unwrap();
        let mut said = [0; 3];
        std::io::Read::read_exact(&mut running.stdout().unwrap(), &mut said).unwrap();
        let host = Command::new("/bin/sh").args(["-ec", theirs]).current_dir(&bench.workspace).status().unwrap();
        assert!(host.success());
        std::io::Write::write_all(&mut { go }, b"go\n").unwrap();
        let finished = running.wait().unwrap();
        assert_eq!(finished.ending.exit, Exit::Code(0), "{ours}");
        let set = WriteSet::of(finished.written.into_iter().next().unwrap()).unwrap();
        let expected = if meanwhile { BTreeSet::from([Class::ChangedMeanwhile]) } else { BTreeSet::new() };
        assert_eq!(set.needs(), expected, "{theirs} / {ours}: {:?}", set.changes());
        assert_eq!(set.commit(&BTreeSet::new(), &bench.journals()).is_err(), meanwhile);
    }
}

/// Somebody who writes while a commit is on its way is not overwritten, and one that is done is whole.
#[test]
fn whoever_writes_meanwhile_is_heard() {
    let bench = Bench::new(As::Unprivileged);
    let file = bench.workspace.join("file");
    let mut lost = 0;
    for round in 0..32 {
        fs::write(&file, "before\n").unwrap();
        bench.own_workspace();
        let set = writes(&bench, "echo after > file; for i in 1 2 3 4 5 6 7 8; do echo $i > n$i; done");
        let mut writer = Command::new("/bin/sh");
        let script =
            format!("i=0; while [ $i -lt {} ]; do i=$((i+1)); done; echo host > new; mv new file", 1 << (round % 16));
        let mut writer = writer.args(["-c", &script]).current_dir(&bench.workspace).spawn().unwrap();
        let committed = set.commit(&BTreeSet::new(), &bench.journals());
        writer.wait().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        // He was last, or nothing came but what he wrote.
        lost += usize::from(text != "host\n");
        let come = (1..=8).filter(|i| bench.workspace.join(format!("n{i}")).exists()).count();
        assert_eq!(come, if committed.is_ok() { 8 } else { 0 }, "{committed:?}");
        for entry in fs::read_dir(&bench.workspace).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    assert_eq!(lost, 0);
}
