//! Promise 2 against parsers and a canonical form that were written elsewhere, in Python and in Node.js.
#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]
#![allow(clippy::disallowed_methods, reason = "the answers come from our own scripts")]

#[path = "support/documents.rs"]
mod documents;
#[path = "../../../tests/peers/peers.rs"]
mod peers;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use callgate_text::Json;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

/// Documents that we accept, and our canonical form of each. The same ones in every run.
fn accepted() -> Vec<(String, String)> {
    let number = if std::env::var_os("CALLGATE_LONG").is_some() { 200_000 } else { 5_000 };
    let mut runner = TestRunner::deterministic();
    let documents = documents::document();
    let mut accepted = Vec::new();
    for _ in 0..number {
        let document = documents.new_tree(&mut runner).expect("the strategy rejects little").current();
        if let Ok(json) = Json::parse(document.as_bytes()) {
            accepted.push((document, String::from_utf8(json.canonical()).expect("canonical JSON is UTF-8")));
        }
    }
    assert!(accepted.len() > number / 3, "most documents should be valid: {}", accepted.len());
    accepted
}

/// What the script at `peer` says about each of `documents`.
fn ask(program: &Path, peer: &str, documents: &[(String, String)]) -> Vec<Value> {
    let mut child = Command::new(program)
        .arg(peers::folder().join(peer))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    let questions: String =
        documents.iter().map(|(document, _)| serde_json::json!(document).to_string() + "\n").collect();
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("the peer ends");
    writer.join().expect("the writer does not panic").expect("the peer reads everything");
    assert!(output.status.success(), "{peer} failed");
    let text = String::from_utf8(output.stdout).expect("the peer writes UTF-8");
    let answers: Vec<_> = text.lines().map(|line| serde_json::from_str(line).expect("the peer writes JSON")).collect();
    assert_eq!(answers.len(), documents.len());
    answers
}

#[test]
fn p02_python_reads_the_same_values_and_rfc8785_writes_the_same_form() {
    let Some(python) = peers::python() else { return };
    let documents = accepted();
    for ((document, canonical), answer) in documents.iter().zip(ask(&python, "canonical.py", &documents)) {
        assert_eq!(answer, serde_json::json!([canonical, true]), "{document}");
    }
}

#[test]
fn p02_node_reads_the_same_values_and_writes_the_same_form() {
    let Some(node) = peers::node() else { return };
    let documents = accepted();
    for ((document, canonical), answer) in documents.iter().zip(ask(&node, "canonical.mjs", &documents)) {
        assert_eq!(answer, serde_json::json!([canonical]), "{document}");
    }
}
