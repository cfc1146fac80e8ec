//! `callgate demo` succeeds, and fails when any one policy is missing.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::house::{House, bare, finish, text};

fn demo(gate: Option<&Path>) -> (i32, Value) {
    let mut command = bare(&["demo", "--format", "json"]);
    if let Some(gate) = gate {
        command.arg("--gate").arg(gate);
    }
    let output = finish(&mut command, b"");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)));
    (output.status.code().expect("no signal"), report)
}

#[test]
fn every_row_of_the_demo_is_as_expected() {
    let (code, report) = demo(None);
    assert_eq!(report["failures"], serde_json::json!([]), "{report:#}");
    assert_eq!(code, 0);
    if std::env::var_os("CI").is_some() {
        assert_eq!(report["uncontained"], Value::Null, "containment is tried where it must be had");
    }
    let rows = report["rows"].as_array().expect("rows");
    assert!(rows.len() >= 20);
    assert!(rows.iter().any(|row| row["decision"] == "allow") && rows.iter().any(|row| row["decision"] == "deny"));
    assert!(report["log"]["size"].as_u64().is_some_and(|size| size >= 20), "{report:#}");
    if report["uncontained"].is_null() {
        let own = rows.iter().filter(|row| row["agent"] == "developer-1");
        let own: Vec<_> = own.map(|row| (&row["decision"], &row["code"])).collect();
        let (deny, allow) = (&Value::from("deny"), &Value::from("allow"));
        let [forbidden, kept_out] = &["forbidden", "approval_required"].map(Value::from);
        assert_eq!(own, [(allow, &Value::Null), (deny, forbidden), (deny, kept_out)]);
        assert!(report["tools_log"]["size"].as_u64().is_some_and(|size| size >= 8), "{report:#}");
    }
}

#[test]
fn without_any_one_policy_the_demo_fails_and_names_the_row() {
    let house = House::quickstart();
    let policies = house.gate().join("policies");
    let mut removed = 0;
    for file in fs::read_dir(&policies).expect("reads").map(|entry| entry.expect("an entry").path()) {
        let whole = fs::read_to_string(&file).expect("reads");
        for (start, end) in statements(&whole) {
            let without = format!("{}{}", &whole[..start], &whole[end..]);
            fs::write(&file, without).expect("writes");
            let (code, report) = demo(Some(&house.gate()));
            let failures = report["failures"].as_array().expect("failures");
            let gone = &whole[start..end];
            assert_eq!(code, 1, "without {gone}\n{report:#}");
            assert!(!failures.is_empty(), "without {gone}\n{report:#}");
            let rows = report["rows"].as_array().expect("rows");
            let wrong = rows.iter().find(|row| row["as_expected"] == false).expect("a wrong row");
            let named = wrong["tool"].as_str().expect("a tool");
            assert!(failures.iter().any(|failure| failure.as_str().is_some_and(|said| said.contains(named))));
            removed += 1;
        }
        fs::write(&file, whole).expect("restores");
    }
    assert!(removed >= 6, "{removed} policies");
}

/// The policies of a file: each from behind the last `;` to its own, outside strings and comments.
fn statements(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let (mut start, mut quoted, mut comment, mut before) = (0, false, false, ' ');
    for (at, character) in text.char_indices() {
        match character {
            '\n' => comment = false,
            _ if comment => {}
            '"' if before != '\\' => quoted = !quoted,
            '/' if !quoted && before == '/' => comment = true,
            ';' if !quoted => {
                found.push((start, at + 1));
                start = at + 1;
            }
            _ => {}
        }
        before = character;
    }
    found
}
