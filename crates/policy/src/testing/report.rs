//! What the policy tests showed, for people, programs and build servers.

use std::fmt::Write;
use std::sync::Arc;

use callgate_core::{PolicyRef, Verdict};
use callgate_text::Json;

/// How one test went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// The file, relative to the gate directory.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: usize,
    /// What was decided.
    pub verdict: Verdict,
    /// What differs from what was expected; empty if it passed.
    pub failures: Vec<String>,
}

impl TestResult {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// In how many tests a policy was satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Which policy.
    pub policy: PolicyRef,
    /// In how many tests its conditions held.
    pub satisfied: usize,
}

/// How all tests went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestReport {
    /// In order of file and place.
    pub results: Vec<TestResult>,
    /// Of every policy, in order of file and place.
    pub coverage: Vec<Coverage>,
}

impl TestReport {
    /// Whether all passed.
    pub fn passed(&self) -> bool {
        self.results.iter().all(TestResult::passed)
    }

    /// The policies that no test satisfies.
    pub fn uncovered(&self) -> impl Iterator<Item = &PolicyRef> {
        self.coverage.iter().filter(|covered| covered.satisfied == 0).map(|covered| &covered.policy)
    }

    /// `{passed, failed, tests: [{name, file, line, passed, failures, verdict}], coverage: [{policy, at, satisfied}]}`.
    pub fn to_json(&self) -> Json {
        let count = |n: usize| Json::integer(i64::try_from(n).unwrap_or(i64::MAX));
        let passed = self.results.iter().filter(|result| result.passed()).count();
        let tests = self.results.iter().map(|result| {
            Json::object([
                ("name", Json::from(result.name.as_str())),
                ("file", Json::from(&*result.file)),
                ("line", count(result.line)),
                ("passed", Json::Bool(result.passed())),
                ("failures", Json::Array(result.failures.iter().map(|failure| Json::from(failure.as_str())).collect())),
                ("verdict", result.verdict.to_json()),
            ])
        });
        let coverage = self.coverage.iter().map(|covered| {
            Json::object([
                ("policy", Json::from(&*covered.policy.id)),
                ("at", Json::from(&*covered.policy.at)),
                ("satisfied", count(covered.satisfied)),
            ])
        });
        Json::object([
            ("passed", count(passed)),
            ("failed", count(self.results.len() - passed)),
            ("tests", Json::Array(tests.collect())),
            ("coverage", Json::Array(coverage.collect())),
        ])
    }

    /// The XML that build servers read, one suite for each file.
    pub fn to_junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let failed = |results: &[&TestResult]| results.iter().filter(|result| !result.passed()).count();
        let all: Vec<_> = self.results.iter().collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            xml,
            "<testsuites name=\"callgate policy test\" tests=\"{}\" failures=\"{}\">",
            all.len(),
            failed(&all)
        );
        for suite in all.chunk_by(|a, b| a.file == b.file) {
            let file = suite.first().map_or("", |result| &*result.file);
            let _ = writeln!(
                xml,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">",
                escaped(file),
                suite.len(),
                failed(suite)
            );
            for result in suite {
                let (name, file) = (escaped(&result.name), escaped(&result.file));
                let _ = write!(
                    xml,
                    "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{}\"",
                    result.line
                );
                if result.passed() {
                    xml.push_str("/>\n");
                    continue;
                }
                let message = escaped(&result.failures.join("; "));
                let verdict = String::from_utf8_lossy(&result.verdict.canonical()).into_owned();
                let _ = writeln!(
                    xml,
                    ">\n      <failure message=\"{message}\">{}</failure>\n    </testcase>",
                    escaped(&verdict)
                );
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }
}

/// Text as XML 1.0 may hold it: what it cannot hold at all becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(safe, "&#{};", u32::from(character));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            plain => safe.push(plain),
        }
    }
    safe
}
