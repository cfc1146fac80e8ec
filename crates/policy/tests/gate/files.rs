//! The directory as an attacker, an editor or a crash may leave it.

use std::os::unix::fs::symlink;
use std::path::Path;

use callgate_policy::{GateFiles, Rule, lock};

use crate::support::texts;

fn world() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path());
    dir
}

pub(crate) fn write(dir: &Path) {
    for (path, text) in texts("permit (principal, action == Action::\"bank.balance\", resource);") {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn refused(dir: &Path) -> Rule {
    GateFiles::read(dir).expect_err("refused").findings()[0].rule
}

#[test]
fn reads_what_is_there_and_nothing_else() {
    let dir = world();
    std::fs::write(dir.path().join("README.md"), "x").unwrap();
    std::fs::write(dir.path().join("policies/.p.cedar.swp"), "x").unwrap();
    std::fs::write(dir.path().join("policies/p.cedar~"), "x").unwrap();
    std::fs::write(dir.path().join("policies/README.md"), "x").unwrap();
    let files = GateFiles::read(dir.path()).expect("read");
    assert_eq!(
        files.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        ["callgate.toml", "entities.toml", "policies/p.cedar", "tools/bank.json", "tools/fs.json", "tools/mail.json"]
    );
}

#[test]
fn a_misnamed_file_is_not_dropped_in_silence() {
    for name in [
        "policies/forbid.ceder",
        "policies/forbid",
        "policies/x.cedar.bak",
        "tools/x.toml",
        "tests/x.cedar",
        "forbid.cedar",
        "policies/a\nb.cedar",
    ] {
        let dir = world();
        std::fs::create_dir_all(dir.path().join("tests")).unwrap();
        std::fs::write(dir.path().join(name), "x").unwrap();
        assert_eq!(refused(dir.path()), Rule::UnexpectedFile, "{name}");
    }
}

/// What is said of a directory in which `name` was written.
fn remarks(name: &str) -> Vec<(Rule, String)> {
    let dir = world();
    let path = dir.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "x").unwrap();
    let files = GateFiles::read(dir.path()).expect("read");
    let loaded = callgate_policy::load(&files, crate::support::FACTS).expect("loaded");
    assert_eq!(files.remarks().len(), loaded.findings.len(), "check shows what reading found");
    files.remarks().iter().map(|remark| (remark.rule, remark.to_string())).collect()
}

#[test]
fn what_looks_like_configuration_and_is_not_loaded_is_shown() {
    for (name, expected) in [
        ("policies/.x.cedar", "policies/.x.cedar: is hidden, and therefore not loaded"),
        ("tools/.x.json", "tools/.x.json: is hidden, and therefore not loaded"),
        ("policies/x.cedar.md", "policies/x.cedar.md: is taken for a remark, and not loaded"),
        ("policy/x.cedar", "policy: is not loaded; the gate reads `policies`"),
        ("Policies/x.cedar", "Policies: is not loaded; the gate reads `policies`"),
        (".policies/x.cedar", ".policies: is not loaded; the gate reads `policies`"),
        ("tool/x.json", "tool: is not loaded; the gate reads `tools`"),
        ("enities.toml", "enities.toml: is not loaded; the gate reads `entities.toml`"),
        ("callgate.yaml", "callgate.yaml: is not loaded; the gate reads `callgate.toml`"),
        (".x.cedar", ".x.cedar: holds policies that are not loaded; the gate reads those in policies/"),
        ("rules/x.cedar", "rules: holds policies that are not loaded; the gate reads those in policies/"),
        ("agents.yaml", "agents.yaml: is not loaded"),
    ] {
        assert_eq!(remarks(name), [(Rule::NotLoaded, expected.to_owned())], "{name}");
    }
    for silent in [
        "README.md",
        "LICENSE",
        ".git/config",
        ".gitignore",
        "policies/README.md",
        "policies/.gitkeep",
        "policies/x.cedar~",
        "policies/.x.cedar.swp",
        "policies/#x.cedar#",
        ".#callgate.toml",
        "entities.toml~",
    ] {
        assert_eq!(remarks(silent), [], "{silent}");
    }
}

#[test]
fn a_typo_in_a_name_is_shown_beside_what_it_breaks() {
    let dir = world();
    std::fs::rename(dir.path().join("tools"), dir.path().join("tool")).unwrap();
    let error =
        callgate_policy::load(&GateFiles::read(dir.path()).unwrap(), crate::support::FACTS).expect_err("refused");
    assert!(error.findings().iter().any(|finding| finding.rule == Rule::NotLoaded && &*finding.file == "tool"));
}

#[test]
fn links_may_not_leave_the_directory() {
    let dir = world();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("p.cedar"), "permit (principal, action, resource);").unwrap();
    symlink(outside.path().join("p.cedar"), dir.path().join("policies/q.cedar")).unwrap();
    assert_eq!(refused(dir.path()), Rule::Outside);
    std::fs::remove_file(dir.path().join("policies/q.cedar")).unwrap();
    symlink(dir.path().join("policies/p.cedar"), dir.path().join("policies/q.cedar")).unwrap();
    assert!(GateFiles::read(dir.path()).is_ok(), "within the directory they may point");
    std::fs::remove_file(dir.path().join("policies/q.cedar")).unwrap();
    symlink("nowhere", dir.path().join("policies/q.cedar")).unwrap();
    assert_eq!(refused(dir.path()), Rule::Unreadable);
    std::fs::remove_file(dir.path().join("policies/q.cedar")).unwrap();
    std::fs::rename(dir.path().join("tools"), outside.path().join("tools")).unwrap();
    symlink(outside.path().join("tools"), dir.path().join("tools")).unwrap();
    assert_eq!(refused(dir.path()), Rule::Outside);
}

#[test]
fn what_is_no_text_file_is_refused() {
    let dir = world();
    std::fs::write(dir.path().join("policies/q.cedar"), [0xff, 0xfe]).unwrap();
    assert_eq!(refused(dir.path()), Rule::Unreadable);
    std::fs::remove_file(dir.path().join("policies/q.cedar")).unwrap();
    std::fs::create_dir(dir.path().join("policies/q.cedar")).unwrap();
    assert_eq!(refused(dir.path()), Rule::Unreadable);
    std::fs::remove_dir(dir.path().join("policies/q.cedar")).unwrap();
    // A pipe would keep a careless reader waiting for ever.
    let pipe = dir.path().join("policies/q.cedar");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(refused(dir.path()), Rule::Unreadable);
    std::fs::remove_file(pipe).unwrap();
    std::fs::File::create(dir.path().join("policies/q.cedar")).unwrap().set_len(17 << 20).unwrap();
    assert_eq!(refused(dir.path()), Rule::TooLarge);
    assert_eq!(refused(Path::new("/no/such/gate")), Rule::Unreadable);
}

#[test]
fn only_what_was_locked_is_loaded() {
    let dir = world();
    let files = GateFiles::read(dir.path()).unwrap();
    lock::write(dir.path(), &files).unwrap();
    assert_eq!(GateFiles::read(dir.path()).unwrap(), files);

    let policy = dir.path().join("policies/p.cedar");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, format!("{text} ")).unwrap();
    assert_eq!(refused(dir.path()), Rule::Locked, "changed");
    assert!(GateFiles::read_unlocked(dir.path()).is_ok());
    std::fs::write(&policy, &text).unwrap();

    std::fs::write(dir.path().join("policies/q.cedar"), "").unwrap();
    assert_eq!(refused(dir.path()), Rule::Locked, "added");
    std::fs::remove_file(dir.path().join("policies/q.cedar")).unwrap();

    std::fs::remove_file(dir.path().join("entities.toml")).unwrap();
    assert_eq!(refused(dir.path()), Rule::Locked, "removed");
    std::fs::write(dir.path().join("entities.toml"), files.get("entities.toml").unwrap().as_bytes()).unwrap();
    assert!(GateFiles::read(dir.path()).is_ok());

    for broken in ["", "callgate-lock 2\n", "callgate-lock 1\nsha256:00 x\n", "callgate-lock 1\nnonsense\n"] {
        std::fs::write(dir.path().join("gate.lock"), broken).unwrap();
        assert_eq!(refused(dir.path()), Rule::Locked, "{broken:?}");
    }
    let whole = lock::text(&files);
    std::fs::write(dir.path().join("gate.lock"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(refused(dir.path()), Rule::Locked, "half-written");
}
