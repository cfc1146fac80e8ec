//! The example gate directory loads without a finding, and all of its own tests pass.

#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::path::Path;

use callgate_core::FactSpec;
use callgate_core::gate::{NOW, SANDBOX};
use callgate_core::seam::FactSource;
use callgate_guard::{FACTS, ShellFacts};
use callgate_policy::{GateFiles, GateSnapshot, LoadError, TestReport, load, render, run_tests_with};

fn specs() -> Vec<FactSpec> {
    [NOW, SANDBOX].iter().chain(FACTS).chain(callgate_sandbox::FACTS).copied().collect()
}

fn run_tests(snapshot: &GateSnapshot, files: &GateFiles) -> Result<TestReport, LoadError> {
    let shell = ShellFacts::new().expect("the table");
    run_tests_with(snapshot, files, &|commands, facts| shell.take_apart(commands, facts))
}

fn quickstart() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/quickstart"))
}

#[test]
fn the_quickstart_passes_check_and_its_own_tests() {
    let files = GateFiles::read(quickstart()).unwrap_or_else(|error| panic!("{}", render(error.findings(), false)));
    let loaded = load(&files, &specs()).unwrap_or_else(|error| panic!("{}", render(error.findings(), false)));
    assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, false));
    let report =
        run_tests(&loaded.snapshot, &files).unwrap_or_else(|error| panic!("{}", render(error.findings(), false)));
    for result in &report.results {
        assert!(result.passed(), "{}: {:?}", result.name, result.failures);
    }
    assert_eq!(report.uncovered().count(), 0, "every policy is satisfied by some test");
    assert!(report.results.len() > 20);
}

#[test]
fn every_policy_of_the_quickstart_is_needed_by_one_of_its_tests() {
    let files = GateFiles::read(quickstart()).expect("read");
    let texts = || files.iter().map(|(path, text)| (path.to_owned(), text.to_string()));
    for (path, text) in texts().filter(|(path, _)| path.ends_with(".cedar")) {
        for id in text.match_indices("@id(").map(|(start, _)| start) {
            let end = id + text[id..].find(";\n").expect("a policy ends") + 2;
            let without = format!("{}{}", &text[..id], &text[end..]);
            let changed =
                texts().map(|(other, text)| if other == path { (other, without.clone()) } else { (other, text) });
            let files = GateFiles::from_texts(changed);
            let loaded = load(&files, &specs()).expect("loads without it");
            let report = run_tests(&loaded.snapshot, &files).expect("tests");
            assert!(!report.passed(), "nothing fails without {}", &text[id..end]);
        }
    }
}
