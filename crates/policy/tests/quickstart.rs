//! The example gate directory loads without a finding, and all of its own tests pass.

use std::path::Path;

use callgate_core::gate::NOW;
use callgate_policy::{GateFiles, load, render, run_tests};

fn quickstart() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/quickstart"))
}

#[test]
fn the_quickstart_passes_check_and_its_own_tests() {
    let files = GateFiles::read(quickstart()).unwrap_or_else(|error| panic!("{}", render(error.findings(), false)));
    let loaded = load(&files, &[NOW]).unwrap_or_else(|error| panic!("{}", render(error.findings(), false)));
    assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, false));
    let report =
        run_tests(&loaded.snapshot, &files).unwrap_or_else(|error| panic!("{}", render(error.findings(), false)));
    for result in &report.results {
        assert!(result.passed(), "{}: {:?}", result.name, result.failures);
    }
    assert_eq!(report.uncovered().count(), 0, "every policy is satisfied by some test");
    assert!(report.results.len() > 20);
}
