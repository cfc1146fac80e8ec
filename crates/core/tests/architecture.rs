//! The house as ARCHITECTURE.md draws it: which room may lean on which, and how a room is kept.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each crate, and the crates of ours that it may use. A new crate takes its place here first.
const ARROWS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("core", &["text"]),
    ("identity", &["core", "text"]),
    ("policy", &["core", "text"]),
    ("ledger", &["core", "text"]),
    ("audit", &["core", "text"]),
    ("guard", &["core", "text"]),
    ("sandbox", &["core", "text"]),
    ("tools", &["text"]),
    ("doors", &["core", "text"]),
    ("callgate", &["text", "core", "identity", "policy", "ledger", "audit", "guard", "sandbox", "tools", "doors"]),
];

/// A file longer than this is two.
const MOST_LINES: usize = 450;

fn crates() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files below `folder`.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Our own crates that `manifest` names, in any table but that of dev-dependencies.
fn own_dependencies(manifest: &str) -> BTreeSet<String> {
    let mut counts = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            counts = line.contains("dependencies") && !line.contains("dev-dependencies");
        } else if let (true, Some(rest)) = (counts, line.strip_prefix("callgate-")) {
            found.insert(rest.split(['.', ' ', '=']).next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// The arrows point one way: `callgate → doors → core ← layers`, and `text` lies below all.
#[test]
fn rooms_lean_only_on_the_rooms_below() {
    let mut seen = 0;
    for entry in fs::read_dir(crates()).expect("crates/ is there") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("named").to_string_lossy().into_owned();
        let (_, allowed) = ARROWS
            .iter()
            .find(|(room, _)| *room == name)
            .unwrap_or_else(|| panic!("crates/{name} has no place in the house yet"));
        for dependency in own_dependencies(&read(&path.join("Cargo.toml"))) {
            assert!(allowed.contains(&&*dependency), "crates/{name} must not lean on {dependency}");
        }
        seen += 1;
    }
    assert!(seen >= 7, "the house has its rooms");
}

/// `core` names no file, clock, random source, environment or runtime: all of that comes through its seams.
#[test]
fn p05_core_has_no_outside() {
    let outside = [
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::process",
        "std::thread",
        "std::os",
        "SystemTime",
        "Instant",
        "tokio",
        "rand::",
        "HashMap",
        "HashSet",
    ];
    for path in sources(&crates().join("core/src")) {
        let text = read(&path);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for word in outside {
                assert!(!line.contains(word), "{}: {word} in `{line}`", path.display());
            }
        }
    }
    for entry in own_lines(&read(&crates().join("core/Cargo.toml")), "[dependencies]") {
        let name = entry.split(['.', ' ', '=']).next().unwrap_or_default();
        assert!(["callgate-text", "thiserror"].contains(&name), "core depends on {name}");
    }
}

/// The lines of one table of a manifest.
fn own_lines<'a>(manifest: &'a str, table: &str) -> Vec<&'a str> {
    let lines = manifest.lines().skip_while(|line| line.trim() != table).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.trim().is_empty()).collect()
}

/// `unsafe` stands in one file of the product, which wraps the system calls of the sandbox that nobody else wraps. The
/// sandbox's attacker, which no release contains, makes such calls raw.
#[test]
fn unsafe_code_has_one_place() {
    const ALLOWED: &[&str] = &["sandbox/src/lib.rs", "sandbox/attacker/main.rs"];
    const WRITTEN: &[&str] = &["sandbox/src/sys.rs", "sandbox/attacker/"];
    for file in sources(&crates()) {
        let at = file.display().to_string();
        let is_one_of = |places: &[&str]| places.iter().any(|place| at.contains(place));
        for line in read(&file).lines().filter(|line| !line.trim_start().starts_with("//")) {
            if line.contains(concat!("allow(unsafe", "_code")) {
                assert!(is_one_of(ALLOWED), "{at}: {line}");
            }
            if line.contains(concat!("unsafe", " {")) || line.contains(concat!("unsafe", " fn")) {
                assert!(is_one_of(WRITTEN), "{at}: {line}");
            }
        }
    }
}

#[test]
fn rooms_are_kept_tidy() {
    for entry in fs::read_dir(crates()).expect("crates/ is there") {
        let path = entry.expect("readable").path();
        for file in sources(&path) {
            let at = file.display();
            let text = read(&file);
            assert!(file.file_name().is_some_and(|name| name != "mod.rs"), "{at}: a folder's module stands beside it");
            assert!(text.lines().count() <= MOST_LINES, "{at} has more than {MOST_LINES} lines: make it two");
            let left_open =
                [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!("), concat!("#[ign", "ore]")];
            for mark in left_open {
                assert!(!text.contains(mark), "{at}: {mark} was left in");
            }
        }
        let manifest = read(&path.join("Cargo.toml"));
        assert_eq!(own_lines(&manifest, "[lints]"), ["workspace = true"], "{}", path.display());
    }
}
