//! What `callgate init` writes loads without a finding, and passes its own tests.

use callgate_core::gate::NOW;
use callgate_policy::{GateFiles, Rule, init, load, lock, render, run_tests, starter};

#[test]
fn the_starter_passes_check_and_its_own_tests() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = dir.path().join("gate");
    assert_eq!(init(&gate).expect("written").len(), 5);
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
    let error = init(dir.path()).expect_err("refused");
    assert_eq!(error.findings()[0].rule, Rule::UnexpectedFile);
    assert_eq!(std::fs::read_to_string(dir.path().join("entities.toml")).expect("there"), "# mine");
    assert!(!dir.path().join("policies").exists());
}
