//! What a run writes comes to the host as a whole and permitted, or not at all.
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

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::Path;

use bench::{As, Bench, SOMEBODY};
use callgate_sandbox::{Class, CommitError, Exit, Op, WriteSet};
use tree::tree;

/// A workspace with something in it, all of which belongs to whoever starts the launcher.
fn bench(who: As) -> Bench {
    let bench = Bench::new(who);
    let work = &bench.workspace;
    for folder in ["src", "old", "old/deep", ".git", ".git/hooks"] {
        fs::create_dir(work.join(folder)).unwrap();
    }
    for (file, text) in [
        ("src/main.rs", "fn main() {}\n"),
        ("src/lib.rs", "// lib\n"),
        ("old/a", "a\n"),
        ("old/deep/b", "b\n"),
        (".git/config", "[core]\n"),
        ("AGENTS.md", "be good\n"),
    ] {
        fs::write(work.join(file), text).unwrap();
    }
    own(work, who);
    bench
}

fn own(path: &Path, who: As) {
    if who == As::Unprivileged && rustix::process::getuid().is_root() {
        std::os::unix::fs::lchown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        if path.symlink_metadata().unwrap().is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                own(&entry.unwrap().path(), who);
            }
        }
    }
}

/// Whether folders can be removed and replaced here, which some kernels cannot do in a copy; that is shown.
fn replaces_folders(bench: &Bench) -> bool {
    let why = bench.host.why_not(callgate_sandbox::Part::RemovedFolders);
    if let Some(why) = why {
        eprintln!("LEFT OUT: what replaces folders, for this kernel cannot: {why}");
    }
    why.is_none()
}

fn writes(bench: &Bench, script: &str) -> WriteSet {
    let run = bench.run("workspace", &["/bin/sh", "-ec", script]);
    assert_eq!(run.exit, Exit::Code(0), "{script}: {run:?}");
    WriteSet::of(run.written.into_iter().next().unwrap()).unwrap()
}

fn listed(set: &WriteSet) -> Vec<(String, Op)> {
    set.changes().iter().map(|change| (change.path.display().to_string(), change.op)).collect()
}

#[test]
fn what_was_done_is_what_is_listed_and_what_is_committed() {
    for who in As::both() {
        let bench = bench(who);
        if !replaces_folders(&bench) {
            continue;
        }
        let before = tree(&bench.workspace);
        let script = "echo new > src/new.rs; echo changed > src/lib.rs; rm src/main.rs; rm -r old; mkdir -p old/other; \
                      echo x > old/other/x; ln -s lib.rs src/link; chmod 700 src; cat AGENTS.md; touch .git/config";
        let set = writes(&bench, script);
        assert_eq!(tree(&bench.workspace), before, "nothing reaches the host before the commit");
        let owned = |list: &[(&str, Op)]| list.iter().map(|(path, op)| ((*path).to_owned(), *op)).collect::<Vec<_>>();
        let expected = owned(&[
            ("old/a", Op::Deleted),
            ("old/deep", Op::Deleted),
            ("old/deep/b", Op::Deleted),
            ("old/other", Op::Created),
            ("old/other/x", Op::Created),
            ("src", Op::Changed),
            ("src/lib.rs", Op::Changed),
            ("src/link", Op::Created),
            ("src/main.rs", Op::Deleted),
            ("src/new.rs", Op::Created),
        ]);
        assert_eq!(listed(&set), expected);
        assert_eq!(set.needs(), BTreeSet::new());
        let digest = set.digest();
        assert_eq!(set.digest(), digest);
        assert_eq!(set.commit(&BTreeSet::new(), &bench.journals()), Ok(expected.len()));
        let after = tree(&bench.workspace);
        assert_eq!(after["src/lib.rs"], "644 changed\n");
        assert_eq!(after["src/new.rs"], "644 new\n");
        assert_eq!(after["src/link"], "777 -> lib.rs");
        assert_eq!(after["old/other/x"], "644 x\n");
        assert_eq!(after["src"], "700 /");
        assert!(!after.keys().any(|path| path.contains("callgate-commit") || path == "old/a" || path == "src/main.rs"));
        let owner = fs::metadata(bench.workspace.join("src/new.rs")).unwrap().uid();
        assert_eq!(
            owner,
            fs::metadata(&bench.workspace).unwrap().uid(),
            "new files belong to whom the folder belongs to"
        );
    }
}

#[test]
fn nothing_done_is_nothing_to_commit() {
    let bench = bench(As::Unprivileged);
    let set = writes(&bench, "cat src/main.rs > /dev/null; touch src/main.rs; chmod 644 src/lib.rs; echo x > y; rm y");
    assert_eq!(listed(&set), []);
}

#[test]
fn what_would_run_later_needs_its_permit_and_is_committed_with_it() {
    for who in As::both() {
        for (script, class, path) in [
            ("echo evil > .git/hooks/pre-commit", Class::RepositoryHook, ".git/hooks/pre-commit"),
            (
                "mv .git away; mkdir -p .git/hooks; echo evil > .git/hooks/post-merge",
                Class::RepositoryHook,
                ".git/hooks/post-merge",
            ),
            ("printf '[core]\\nfsmonitor=evil\\n' > .git/config", Class::RepositoryConfig, ".git/config"),
            (
                "mkdir -p .github/workflows; echo evil > .github/workflows/x.yml",
                Class::Pipeline,
                ".github/workflows/x.yml",
            ),
            ("mkdir .claude; echo evil > .claude/settings.json", Class::AgentConfig, ".claude/settings.json"),
            ("echo evil >> AGENTS.md", Class::Instructions, "AGENTS.md"),
            ("echo evil > .envrc", Class::ShellStart, ".envrc"),
            ("ln -s /etc/passwd src/data", Class::OutwardLink, "src/data"),
            ("ln -s ../../outside src/out", Class::OutwardLink, "src/out"),
            (
                "mkdir x; mkdir x/objects x/refs; echo ref: refs/heads/m > x/HEAD; echo evil > x/config",
                Class::RepositoryConfig,
                "x/config",
            ),
        ] {
            let bench = bench(who);
            if script.starts_with("mv .git away") && !replaces_folders(&bench) {
                continue;
            }
            let before = tree(&bench.workspace);
            let set = writes(&bench, script);
            let flagged =
                set.changes().iter().any(|change| change.path == Path::new(path) && change.classes.contains(&class));
            assert!(flagged, "{script}: {:?}", set.changes());
            let all_but: BTreeSet<Class> = Class::ALL.into_iter().filter(|other| *other != class).collect();
            assert!(
                matches!(set.commit(&all_but, &bench.journals()), Err(CommitError::NotPermitted { class: asked, .. }) if asked == class)
            );
            assert_eq!(tree(&bench.workspace), before, "{script}");
            let set = writes(&bench, script);
            set.commit(&Class::ALL.into_iter().collect(), &bench.journals()).unwrap();
            assert!(bench.workspace.join(path).symlink_metadata().is_ok(), "{script}");
        }
    }
}

#[test]
fn pipes_and_sockets_are_never_committed() {
    let bench = bench(As::Unprivileged);
    let set = writes(&bench, "mkfifo pipe; echo x > fine");
    assert_eq!(set.needs(), BTreeSet::from([Class::SpecialNode]));
    assert_eq!(
        set.commit(&Class::ALL.into_iter().collect(), &bench.journals()),
        Err(CommitError::Special("pipe".to_owned()))
    );
    assert!(!bench.workspace.join("fine").exists());
}

#[test]
fn a_host_that_changed_meanwhile_is_a_conflict() {
    for change in ["src/lib.rs", "src/main.rs"] {
        let bench = bench(As::Unprivileged);
        let set = writes(&bench, "echo changed > src/lib.rs; rm src/main.rs; echo a > a");
        fs::write(bench.workspace.join(change), "somebody else\n").unwrap();
        let before = tree(&bench.workspace);
        assert_eq!(set.commit(&BTreeSet::new(), &bench.journals()), Err(CommitError::Conflict(change.to_owned())));
        assert_eq!(tree(&bench.workspace), before);
    }
}

#[test]
fn a_folder_that_became_a_link_is_not_followed() {
    let bench = bench(As::Unprivileged);
    let set = writes(&bench, "echo changed > src/lib.rs");
    fs::rename(bench.workspace.join("src"), bench.workspace.join("moved")).unwrap();
    fs::write(bench.outside.join("lib.rs"), "// lib\n").unwrap();
    symlink(&bench.outside, bench.workspace.join("src")).unwrap();
    assert!(set.commit(&BTreeSet::new(), &bench.journals()).is_err());
    assert_eq!(fs::read_to_string(bench.outside.join("lib.rs")).unwrap(), "// lib\n");
}

#[test]
fn a_step_that_fails_takes_those_before_it_back() {
    let bench = bench(As::Unprivileged);
    let set = writes(&bench, "echo changed > src/lib.rs; rm src/main.rs; mkdir a; echo x > a/x; echo z > zzz");
    // A name that the walk did not see, at the last step's place.
    fs::write(bench.workspace.join("zzz"), "here first\n").unwrap();
    let before = tree(&bench.workspace);
    assert!(set.commit(&BTreeSet::new(), &bench.journals()).is_err());
    assert_eq!(tree(&bench.workspace), before);
}

#[test]
fn kinds_change_places() {
    for who in As::both() {
        let bench = bench(who);
        if !replaces_folders(&bench) {
            continue;
        }
        let set = writes(
            &bench,
            "rm src/lib.rs; mkdir src/lib.rs; echo x > src/lib.rs/x; rm -r old; echo file > old; rm src/main.rs; ln -s lib.rs src/main.rs",
        );
        set.commit(&BTreeSet::new(), &bench.journals()).unwrap();
        let after = tree(&bench.workspace);
        assert_eq!(after["src/lib.rs/x"], "644 x\n");
        assert_eq!(after["old"], "644 file\n");
        assert_eq!(after["src/main.rs"], "777 -> lib.rs");
    }
}

/// Whatever of it this kernel refuses: what comes back is what the run had before its eyes, no more and no less.
#[test]
fn what_comes_back_is_what_the_run_saw() {
    for who in As::both() {
        let bench = bench(who);
        let script = "rm -r old; mkdir -p old/x; echo x > old/x/y; rm src/lib.rs; mkdir src/lib.rs; mv .git away; \
                      mkdir -p .git/hooks; mv src elsewhere; echo new > new; find . | sort; exit 0";
        let run = bench.run("workspace", &["/bin/sh", "-c", script]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?} {run:?}");
        if bench.host.has(callgate_sandbox::Part::RemovedFolders) {
            assert_eq!(run.stderr, "", "{who:?}");
        } else {
            assert!(run.stderr.contains("Input/output error"), "{who:?} {}", run.stderr);
        }
        WriteSet::of(run.written.into_iter().next().unwrap())
            .unwrap()
            .commit(&Class::ALL.into_iter().collect(), &bench.journals())
            .unwrap();
        let seen: BTreeSet<&str> = run.stdout.lines().filter_map(|line| line.strip_prefix("./")).collect();
        let after = tree(&bench.workspace);
        assert_eq!(after.keys().map(String::as_str).collect::<BTreeSet<_>>(), seen, "{who:?} {}", run.stderr);
    }
}

#[test]
fn odd_names_are_shown_escaped_and_need_a_permit() {
    let bench = bench(As::Unprivileged);
    let set = writes(&bench, "touch \"$(printf 'new\\nline')\"; touch \"$(printf 'bad\\377')\"; touch -- -rf");
    assert_eq!(set.needs(), BTreeSet::from([Class::StrangeName]));
    let json = String::from_utf8(set.to_json().canonical()).unwrap();
    assert!(json.contains("new\\\\nline") && json.contains("bad\\\\xff"), "{json}");
    let _ = chown::<&Path>;
}

/// Whoever writes the names does not decide how much memory the walk takes.
#[test]
fn names_beyond_all_measure_are_refused() {
    let bench = Bench::new(As::Unprivileged);
    let long = |files: u32| {
        let script = format!(
            "import os\nfor _ in range(18):\n  os.mkdir('d' * 200); os.chdir('d' * 200)\n\
             for i in range({files}): os.close(os.open('f' * 200 + str(i), os.O_CREAT))"
        );
        let run = bench.run("workspace", &["/usr/bin/python3", "-c", &script]);
        assert_eq!(run.exit, Exit::Code(0), "{run:?}");
        WriteSet::of(run.written.into_iter().next().unwrap()).map(|set| set.changes().len())
    };
    assert_eq!(long(1000), Ok(1018));
    assert!(matches!(long(18_000), Err(CommitError::TooDeep(_))));
}
