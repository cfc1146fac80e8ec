//! `gate.lock`: the digests of a reviewed gate directory. If it is there, only what matches is loaded.
//!
//! ```text
//! callgate-lock 1
//! sha256:9f86… callgate.toml
//! sha256:60303… policies/finance.cedar
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use callgate_text::Digest;

use crate::files::GateFiles;
use crate::finding::{Finding, LoadError, Rule};

/// The name of the file.
pub const FILE: &str = "gate.lock";
const HEADER: &str = "callgate-lock 1";

/// The text of the lock of `files`.
pub fn text(files: &GateFiles) -> String {
    let mut text = format!("{HEADER}\n");
    for (path, digest) in files.digests() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{digest} {path}");
    }
    text
}

/// Locks the directory as it was read: whoever edits it afterwards must lock it again.
///
/// # Errors
/// If the lock cannot be written.
pub fn write(dir: &Path, files: &GateFiles) -> Result<(), LoadError> {
    let fault = |error: std::io::Error| Finding::new(Rule::Unreadable, FILE, format!("cannot be written: {error}"));
    let draft = dir.join(".gate.lock.new");
    std::fs::write(&draft, text(files)).map_err(fault)?;
    std::fs::rename(&draft, dir.join(FILE)).map_err(fault)?;
    Ok(())
}

/// Checks that `files` are exactly those that the lock names.
pub(crate) fn verify(lock: &Arc<str>, files: &GateFiles) -> Result<(), LoadError> {
    let locked = parse(lock)?;
    let found = files.digests();
    let mut findings = Vec::new();
    for (path, (digest, span)) in &locked {
        let message = match found.get(path) {
            Some(now) if now == digest => continue,
            Some(_) => format!("{path} is not the file that was locked"),
            None => format!("{path} was locked and is missing"),
        };
        findings.push(Finding::new(Rule::Locked, FILE, message).at(lock, span.clone()));
    }
    for path in found.keys().filter(|path| !locked.contains_key(*path)) {
        findings.push(Finding::new(Rule::Locked, *path, "is not named in gate.lock"));
    }
    if findings.is_empty() { Ok(()) } else { Err(findings.into()) }
}

type Locked<'a> = BTreeMap<&'a str, (Digest, std::ops::Range<usize>)>;

fn parse(lock: &Arc<str>) -> Result<Locked<'_>, LoadError> {
    let mut locked = BTreeMap::new();
    let mut start = 0;
    for (index, line) in lock.split('\n').enumerate() {
        let span = start..start + line.len();
        start = span.end + 1;
        let fault = |what: &str| Finding::new(Rule::Locked, FILE, what).at(lock, span.clone());
        match index {
            0 if line == HEADER => {}
            0 => return Err(fault("does not start with `callgate-lock 1`").into()),
            _ if line.is_empty() => {}
            _ => {
                let (digest, path) = line.split_once(' ').ok_or_else(|| fault("expected `sha256:… path`"))?;
                let digest = digest.parse().map_err(|error| fault(&format!("{error}")))?;
                if locked.insert(path, (digest, span.clone())).is_some() {
                    return Err(fault("names a file twice").into());
                }
            }
        }
    }
    Ok(locked)
}
