//! What would run later is known however it is spelled, reached, put together or spread over several commits; and what
//! only looks like it needs nothing.
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
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use bench::{As, Bench};
use callgate_sandbox::{Class, CommitError, Exit, WriteSet};

/// A workspace that holds these files, and folders where the name ends in `/`, and links where the text starts with
/// `-> `.
fn bench(host: &[(&str, &str)]) -> Bench {
    let bench = Bench::new(As::Unprivileged);
    for (path, text) in host {
        let path = bench.workspace.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => symlink(target, path).unwrap(),
            None if path.to_str().unwrap().ends_with('/') => fs::create_dir_all(path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    bench.own_workspace();
    bench
}

fn writes(bench: &Bench, script: &str) -> WriteSet {
    let run = bench.run("workspace", &["/bin/sh", "-ec", script]);
    assert_eq!(run.exit, Exit::Code(0), "{script}: {run:?}");
    WriteSet::of(run.written.into_iter().next().unwrap()).unwrap()
}

/// The classes that `script` needs a permit for, over what the host has.
fn needs(host: &[(&str, &str)], script: &str) -> BTreeSet<Class> {
    writes(&bench(host), script).needs()
}

#[track_caller]
fn check(host: &[(&str, &str)], script: &str, expected: &[Class]) {
    assert_eq!(needs(host, script), expected.iter().copied().collect(), "{script}");
}

#[test]
fn a_link_that_is_inside_by_its_words_only_leads_out() {
    use Class::OutwardLink as Out;
    // `d` leads up to the top, and from there `..` leads out.
    check(&[], "mkdir -p p/q; ln -s ../.. p/q/d; ln -s d/../x p/q/l", &[Out]);
    check(&[("p/q/d", "-> ../..")], "ln -s d/../../x p/q/l", &[Out]);
    // Inside as long as `d` is a folder; a second commit could make it a link.
    check(&[("p/d/x", "")], "ln -s d/../../x p/l", &[Out]);
    check(&[], "ln -s $PWD/../x l", &[Out]);
    check(&[], "ln -s .. l", &[Out]);
    // Over a link of the host's that leads out.
    check(&[("vendor", "-> /opt")], "ln -s vendor/x l", &[Out]);
    // What leads around inside is nobody's business.
    check(&[("p/q/x", ""), ("t", "-> p/q")], "ln -s ../p/q/x p/l; ln -s ../.. p/q/top; ln -s t/x m", &[]);
    check(&[("p/x", "")], "ln -s \"$PWD/p/x\" l; mkdir -p node_modules/.bin; ln -s ../a/b.js node_modules/.bin/b", &[]);
}

#[test]
fn a_repository_is_known_when_it_is_complete_whoever_made_which_part() {
    let (config, hook) = (Class::RepositoryConfig, Class::RepositoryHook);
    let parts = [("x/objects/a", ""), ("x/refs/b", ""), ("x/config", "[core]\nfsmonitor = evil\n")];
    check(&parts, "echo ref: refs/heads/m > x/HEAD", &[config]);
    check(&parts, "echo ref: refs/heads/m > x/head", &[config]);
    let [objects, _, settings] = parts;
    check(&[objects, settings, ("x/HEAD", "ref: refs/heads/m")], "mkdir x/refs", &[config]);
    check(&[], "mkdir x; echo ref: refs/heads/m > x/HEAD; echo ../y > x/commondir", &[config]);
    // One that is there: its settings and hooks are guarded, and pushing to it is work.
    let there = [("x/objects/a", ""), ("x/refs/b", ""), ("x/HEAD", "ref: refs/heads/m"), ("x/config", "[core]\n")];
    check(&there, "echo evil >> x/config", &[config]);
    check(&there, "mkdir x/hooks; echo evil > x/hooks/update", &[hook]);
    check(
        &there,
        "mkdir x/objects/ab; echo y > x/objects/ab/cd; echo z > x/refs/m; echo ref: refs/heads/n > x/HEAD",
        &[],
    );
    // Folders of such names that are no repository.
    check(
        &[],
        "mkdir -p src/hooks src/objects config; echo x > src/hooks/a.ts; echo y > config/HEAD; echo z > src/config",
        &[],
    );
}

#[test]
fn what_the_hosts_settings_and_links_lead_to_is_what_they_are() {
    let hook = Class::RepositoryHook;
    let set = |name: &str| format!("[core]\n\thooksPath = {name}\n");
    for name in ["scripts/hooks", "./scripts/hooks", "\"scripts/hooks/\"", "src/../scripts/hooks"] {
        let config = set(name);
        let host = [(".git/config", config.as_str()), ("scripts/hooks/x", "")];
        check(&host, "echo evil > scripts/hooks/pre-commit", &[hook]);
        check(&host, "echo fine > scripts/build.sh", &[]);
    }
    let linked = [(".git/hooks/pre-commit", "-> ../../scripts/check.sh"), ("scripts/check.sh", "")];
    check(&linked, "echo evil > scripts/check.sh", &[hook]);
    check(&linked, "rm scripts/check.sh; ln -s other.sh scripts/check.sh; echo evil > scripts/other.sh", &[hook]);
    check(&linked, "echo fine > scripts/other.sh", &[]);
    check(
        &[(".git/config", "[include]\n\tpath = ../tools/gitconfig\n"), ("tools/gitconfig", "")],
        "echo evil > tools/gitconfig",
        &[Class::RepositoryConfig],
    );
    for line in [
        "[filter \"x\"] clean = sh tools/clean.sh %f",
        "[alias]\n go = \"!./tools/clean.sh\"",
        "[diff \"d\"]\n\ttextconv = tools/clean.sh",
    ] {
        check(&[(".git/config", line), ("tools/clean.sh", "")], "echo evil > tools/clean.sh", &[hook]);
        check(&[(".git/config", line), ("tools/clean.sh", "")], "echo fine > tools/other.sh", &[]);
    }
    check(
        &[(".git/config", "[remote \"o\"]\n\turl = ./src/main.rs\n"), ("src/main.rs", "")],
        "echo x > src/main.rs",
        &[],
    );
    // The repository of a submodule lies elsewhere.
    check(
        &[
            ("sub/.git", "gitdir: ../.git/modules/sub\n"),
            (".git/modules/sub/config", "[core]\nhooksPath = ci\n"),
            ("sub/ci/x", ""),
        ],
        "echo evil > sub/ci/post-checkout",
        &[hook],
    );
}

#[test]
fn what_instructions_are_made_of_is_instructions() {
    let instructions = Class::Instructions;
    check(&[("CLAUDE.md", "-> docs/guide.md"), ("docs/guide.md", "")], "echo evil >> docs/guide.md", &[instructions]);
    let named = [
        ("CLAUDE.md", "See @docs/guide.md, and (@./docs/more.md).\n"),
        ("docs/guide.md", "@deep.md"),
        ("docs/deep.md", ""),
    ];
    check(&named, "echo evil >> docs/guide.md", &[instructions]);
    check(&named, "echo evil >> docs/more.md", &[instructions]);
    check(&named, "echo evil >> docs/deep.md", &[instructions]);
    check(&named, "echo fine >> docs/other.md", &[]);
    check(
        &[(".claude/commands/go.md", "-> ../../docs/go.md"), ("docs/go.md", "")],
        "echo evil >> docs/go.md",
        &[Class::AgentConfig],
    );
    check(&[(".github/workflows", "-> ../ci"), ("ci/x.yml", "")], "echo evil > ci/y.yml", &[Class::Pipeline]);
}

#[test]
fn a_folder_does_not_become_another_by_a_link_of_its_name() {
    let pipeline = Class::Pipeline;
    check(&[], "mkdir -p x/workflows; echo evil > x/workflows/ci.yml; ln -s x .github", &[pipeline]);
    check(&[("x/workflows/ci.yml", "")], "ln -s x .github", &[pipeline]);
    check(&[("a/b/x/workflows/ci.yml", "")], "ln -s x a/b/.GitHub", &[pipeline]);
    // First the link, to nothing that matters; then what it makes matter.
    check(&[("x/readme", "")], "ln -s x .github", &[]);
    check(&[(".github", "-> x"), ("x/readme", "")], "mkdir x/workflows; echo evil > x/workflows/ci.yml", &[pipeline]);
    check(&[(".github", "-> x"), ("x/readme", "")], "echo fine > x/readme", &[]);
    check(&[], "mkdir -p c/git; echo evil > c/git/config; ln -s c .config", &[Class::RepositoryConfig]);
    check(
        &[],
        "mkdir -p real/share/systemd; echo evil > real/share/systemd/x; ln -s real .local",
        &[Class::ShellStart],
    );
    check(&[("t/build.py", "")], "ln -s t tools; echo fine > t/build.py", &[]);
}

#[test]
fn what_an_agents_settings_start_is_of_its_settings() {
    let config = Class::AgentConfig;
    let hook = |command: &str| {
        format!(
            r#"{{"permissions": {{"allow": ["Edit(docs/a.md)"]}}, "hooks": {{"Stop": [{{"hooks": [{{"type": "command", "command": "{command}"}}]}}]}}}}"#
        )
    };
    for command in [
        "./scripts/guard.sh --fast",
        "python3 scripts/guard.sh",
        "$CLAUDE_PROJECT_DIR/scripts/guard.sh",
        "\\\"$CLAUDE_PROJECT_DIR\\\"/scripts/guard.sh",
        "${CLAUDE_PROJECT_DIR}/scripts/guard.sh || true",
    ] {
        let settings = hook(command);
        let host = [(".claude/settings.json", settings.as_str()), ("scripts/guard.sh", ""), ("docs/a.md", "")];
        check(&host, "echo evil > scripts/guard.sh", &[config]);
        check(&host, "echo fine > scripts/other.sh; echo fine > docs/a.md", &[]);
    }
    let server = r#"{"mcpServers": {"own": {"command": "node", "args": ["tools/server.js", "--root", "docs"]}}}"#;
    for settings in [".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json"] {
        let host = [(settings, server), ("tools/server.js", ""), ("docs/x.md", "")];
        check(&host, "echo evil > tools/server.js", &[config]);
        check(&host, "echo fine > docs/x.md; echo fine > tools/client.js", &[]);
    }
    // What an editor runs when a person says so is the project's.
    let task = [(".vscode/tasks.json", r#"{"tasks": [{"command": "./scripts/build.sh"}]}"#), ("scripts/build.sh", "")];
    check(&task, "echo fine > scripts/build.sh", &[]);
}

#[test]
fn a_gates_own_policy_is_not_for_agents() {
    let gate = [("gate/callgate.toml", "[gate]\n"), ("gate/policies/a.cedar", ""), ("gate/entities.toml", "")];
    for script in [
        "echo evil > gate/policies/a.cedar",
        "echo evil > gate/policies/b.cedar",
        "echo evil >> gate/callgate.toml",
        "echo evil >> gate/entities.toml",
        "rm gate/policies/a.cedar",
    ] {
        check(&gate, script, &[Class::AgentConfig]);
    }
    check(&gate, "mkdir policies tools; echo x > policies/x.cedar; echo y > tools/y.sh; echo z > gate/README.md", &[]);
}

#[test]
fn ordinary_commands_of_git_need_nothing() {
    let bench = Bench::new(As::Unprivileged);
    let git = |script: &str| {
        let script = format!(
            "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; {script}"
        );
        writes(&bench, &script)
    };
    if !Path::new("/usr/bin/git").exists() {
        assert!(std::env::var_os("CI").is_none(), "CI must have git");
        eprintln!("SKIPPED: there is no git");
        return;
    }
    let made = git("git init -q -b main; echo a > a; git add a; git commit -q -m one");
    assert!(made.needs().contains(&Class::RepositoryConfig), "a repository that was not there");
    made.commit(&Class::ALL.into_iter().collect(), &bench.journals()).unwrap();
    for script in [
        "echo b >> a; git commit -q -a -m two",
        "git tag -a -m t v1; git notes add -m n; git branch side",
        "echo c > c; git add c; git stash -q; git stash pop -q; git commit -q -m three",
        "git checkout -q side; echo d > d; git add d; git commit -q -m four; git checkout -q main; git merge -q -m m side",
        "git rebase -q HEAD~1; git gc -q; git fsck; git reflog expire --expire=now --all",
        "git bisect start; git bisect bad; git bisect good v1 || true; git bisect reset",
        "git cherry-pick -x v1 --allow-empty --keep-redundant-commits -q 2>/dev/null || git cherry-pick --abort || true",
    ] {
        let set = git(script);
        assert_eq!(set.needs(), BTreeSet::new(), "{script}: {:?}", set.changes());
        set.commit(&BTreeSet::new(), &bench.journals()).unwrap();
    }
}

/// What takes next to nothing of the run's own room must not take the host's.
#[test]
fn holes_and_many_names_count_in_full() {
    let bench = Bench::new(As::Unprivileged);
    let profile = bench.tighter("workspace", "disk = \"16MiB\"");
    let walked = |script: &str| {
        let run = bench.run_in(&profile, &["/bin/sh", "-ec", script]);
        assert_eq!(run.exit, Exit::Code(0), "{run:?}");
        WriteSet::of(run.written.into_iter().next().unwrap())
    };
    for script in [
        "for i in 1 2 3; do truncate -s 15M hole-$i; done",
        "head -c 4M /dev/zero > one; for i in 1 2 3 4 5 6 7 8; do ln one name-$i; done",
    ] {
        assert!(matches!(walked(script), Err(CommitError::TooLarge(_))), "{script}");
    }
    let set = walked("truncate -s 8M hole; head -c 1M /dev/zero > one; ln one two").unwrap();
    set.commit(&BTreeSet::new(), &bench.journals()).unwrap();
    assert_eq!(fs::metadata(bench.workspace.join("hole")).unwrap().len(), 8 << 20);
    assert_eq!(fs::metadata(bench.workspace.join("two")).unwrap().len(), 1 << 20);
}

#[test]
fn names_that_deceive_a_reader_need_a_permit() {
    let strange = [Class::StrangeName];
    check(&[], "touch \"$(printf 'safe\\342\\200\\256txt.sh')\"", &strange);
    check(&[], "touch \"$(printf 'a\\342\\200\\213b')\"", &strange);
    check(&[], "touch \"$(printf 'a\\033[8mb')\"", &strange);
    check(&[], "touch 'Grüße 1.txt' '写真.png' '👩‍🔬.md' ' spaced ' ./-rf", &[]);
    let bench = Bench::new(As::Unprivileged);
    let long = "x".repeat(255);
    let set = writes(&bench, &format!("mkdir -p {long}/{long}; echo x > {long}/{long}/{long}"));
    set.commit(&BTreeSet::new(), &bench.journals()).unwrap();
    assert!(bench.workspace.join(&long).join(&long).join(&long).exists());
    assert_eq!(fs::metadata(&bench.workspace).unwrap().permissions().mode() & 0o7000, 0);
}
