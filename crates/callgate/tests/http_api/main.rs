//! Schemathesis, which reads nothing but the OpenAPI document, finds no server error, no answer that the document does
//! not tell of, nothing invalid that is accepted and nothing valid that is not.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect"
)]

#[path = "../e2e/house.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod house;
#[path = "../../../../tests/peers/peers.rs"]
mod peers;
#[path = "../e2e/wire.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod wire;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use house::{House, missing, text};
use wire::{secret, serve_http};

/// What only the operator's credential opens.
const OPERATORS: [&str; 3] = ["/v1/preview", "/v1/status", "/metrics"];

/// A gate whose budgets are no part of what is tested.
fn house() -> House {
    let house = House::quickstart();
    let config = house.gate().join("callgate.toml");
    let mut settings = fs::read_to_string(&config).expect("reads");
    settings.push_str("\n[log]\nagent_records_per_minute = 60000000\nagent_bytes_per_minute = 100000000000\n");
    fs::write(&config, settings).expect("writes");
    house
}

/// Runs Schemathesis with this credential on the endpoints that `filters` leave.
fn run(python: &Path, address: SocketAddr, token: &str, filters: &[&str], folder: &Path) {
    let long = std::env::var_os("CALLGATE_LONG").is_some();
    let mut schemathesis = Command::new(python);
    schemathesis.args(["-m", "schemathesis.cli", "run"]).arg(format!("http://{address}/openapi.json"));
    schemathesis.arg("--header").arg(format!("Authorization: Bearer {token}")).args(filters);
    // All checks, on data that fits the document and on data that does not. What was found once is found again.
    schemathesis.args(["--checks", "all", "--mode", "all", "--continue-on-failure", "--no-color"]);
    schemathesis.args(["--max-examples", if long { "20000" } else { "600" }]);
    if !long {
        schemathesis.args(["--seed", "1"]);
    }
    schemathesis.current_dir(folder).env("SCHEMATHESIS_HOOKS", peers::folder().join("http_api.py"));
    let output = schemathesis.output().expect("runs");
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", text(&output.stderr));
    assert!(told.contains("No issues found"), "{told}");
    let tested = told.split("Tested: ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a count");
    assert_ne!(tested, "0", "{told}");
}

fn python() -> Option<std::path::PathBuf> {
    let python = peers::python()?;
    let there = Command::new(&python).args(["-c", "import schemathesis"]).output().is_ok_and(|it| it.status.success());
    (!missing("Schemathesis", there)).then_some(python)
}

#[test]
fn an_agent_finds_the_api_as_its_document_describes_it() {
    let Some(python) = python() else { return };
    let house = house();
    let (serve, address) = serve_http(&house, &["--http", "127.0.0.1:0"]);
    let filters: Vec<&str> = OPERATORS.iter().flat_map(|path| ["--exclude-path", path]).collect();
    run(&python, address, &secret(house.token("support-1")), &filters, house.path());
    serve.terminate();
    assert!(house.run(&["audit", "verify"], b"").status.success());
}

#[test]
fn the_operator_finds_the_api_as_its_document_describes_it() {
    let Some(python) = python() else { return };
    let house = house();
    let (serve, address) = serve_http(&house, &["--http", "127.0.0.1:0"]);
    let token = house.path().join("operator.token");
    let made = house.run(&["operator", "token", "--out", token.to_str().unwrap()], b"");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let filters: Vec<&str> = OPERATORS.iter().flat_map(|path| ["--include-path", path]).collect();
    run(&python, address, &secret(token), &filters, house.path());
    serve.terminate();
}
