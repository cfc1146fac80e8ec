//! What `callgate init` writes loads without a finding, and passes its own tests.

use callgate_core::gate::NOW;
use callgate_core::seam::FactSource;
use callgate_guard::{FACTS, ShellFacts};
use callgate_policy::{
    Developer, GateFiles, Rule, Template, init, load, lock, render, run_tests, run_tests_with, starter,
};

#[test]
fn the_starter_passes_check_and_its_own_tests() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = dir.path().join("gate");
    assert_eq!(init(&gate, &Template::Starter, "").expect("written").len(), 5);
    let files = GateFiles::read(&gate).expect("read");
    assert_eq!(files, starter());
    let loaded = load(&files, &[NOW]).unwrap_or_else(|error| panic!("{}", render(error.findings(), false)));
    assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, false));
    let report = run_tests(&loaded.snapshot, &files).expect("tests");
    for result in &report.results {
        assert!(result.passed(), "{}: {:?}", result.name, result.failures);
    }
    assert_eq!(report.uncovered().count(), 0);
    let junit = report.to_junit();
    assert!(junit.contains("tests=\"4\" failures=\"0\""), "{junit}");

    lock::write(&gate, &files).expect("locked");
    assert_eq!(GateFiles::read(&gate).expect("as locked"), files);
}

#[test]
fn init_overwrites_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("entities.toml"), "# mine").expect("written");
    let error = init(dir.path(), &Template::Starter, "").expect_err("refused");
    assert_eq!(error.findings()[0].rule, Rule::UnexpectedFile);
    assert_eq!(std::fs::read_to_string(dir.path().join("entities.toml")).expect("there"), "# mine");
    assert!(!dir.path().join("policies").exists());
}

fn developer(workspace: &str, home: &str) -> Template {
    let (workspace, home) = (workspace.to_owned(), home.to_owned());
    Template::ClaudeCode(Developer { workspace, home, uid: 1000, user: "me".to_owned() })
}

#[test]
fn the_pack_for_claude_code_loads_and_passes_its_own_tests() {
    for (workspace, home) in [("/home/me/work", "/home/me"), ("/tmp/x", "/root"), ("/srv/a b/ü", "/home/me")] {
        let texts = developer(workspace, home).texts();
        let files = GateFiles::from_texts(texts.iter().map(|(path, text)| (*path, text.as_str())));
        let specs: Vec<_> = std::iter::once(NOW).chain(FACTS.iter().copied()).collect();
        let loaded = load(&files, &specs).unwrap_or_else(|error| panic!("{}", render(error.findings(), false)));
        assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, false));
        let shell = ShellFacts::new().expect("the table");
        let take_apart = |commands: &[_], facts: &mut _| shell.take_apart(commands, facts);
        let report = run_tests_with(&loaded.snapshot, &files, &take_apart).expect("tests");
        for result in &report.results {
            assert!(result.passed(), "{}: {:?}", result.name, result.failures);
        }
        assert_eq!(report.uncovered().count(), 0);
    }
}

#[test]
fn a_workspace_that_the_files_cannot_say_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    for (workspace, home) in [
        ("work", "/home/me"),
        ("/", "/home/me"),
        ("/home", "/home/me"),
        ("/home/me", "/home/me"),
        ("/w\" }]\nx = [{ Path = \"/", "/home/me"),
        ("/work\n", "/home/me"),
        ("/@HOME@", "/home/me"),
        ("/work", "home"),
    ] {
        let error = init(&dir.path().join("gate"), &developer(workspace, home), "").expect_err(workspace);
        assert_eq!(error.findings()[0].rule, Rule::BadEntity, "{workspace}");
    }
    assert!(!dir.path().join("gate").exists());
}
