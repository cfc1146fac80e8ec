//! How a run went, as JSON: for whoever asked for a file, and for the log.

use std::fs::File;
use std::io::{self, Write};

use callgate_core::RunReport;
use callgate_sandbox::{Finished, ReadBack, WriteSet, shown};
use callgate_text::Json;

/// Writes all of it.
pub(super) fn write(file: File, finished: &Finished, sets: &[WriteSet]) -> io::Result<()> {
    put(file, &json(finished, sets, true))
}

/// Writes that nothing ran, since the gate did not allow it.
pub(super) fn write_denied(file: File, why: &str) -> io::Result<()> {
    put(file, &Json::object([("exit", "denied"), ("detail", why)]))
}

fn put(mut file: File, json: &Json) -> io::Result<()> {
    let mut bytes = json.canonical();
    bytes.push(b'\n');
    file.write_all(&bytes)
}

/// What the log keeps: every change, or, where they are too many, how many and the digest of all.
pub(crate) fn for_log(finished: &Finished, sets: &[WriteSet]) -> RunReport {
    let exit = finished.ending.exit.word().to_owned();
    let full = RunReport { exit, report: json(finished, sets, true) };
    if full.is_fit() { full } else { RunReport { report: json(finished, sets, false), ..full } }
}

fn json(finished: &Finished, sets: &[WriteSet], changes: bool) -> Json {
    let usage = &finished.ending.usage;
    let number = |number: u64| Json::String(number.to_string());
    let written = sets.iter().map(|set| {
        let mut members = vec![
            ("folder", Json::String(shown(set.folder()))),
            ("digest", Json::from(set.digest())),
            ("changes", number(u64::try_from(set.changes().len()).unwrap_or(u64::MAX))),
        ];
        if changes {
            members.push(("write_set", set.to_json()));
        }
        Json::object(members)
    });
    Json::object([
        ("exit", Json::String(finished.ending.exit.word().to_owned())),
        ("detail", Json::String(finished.ending.exit.to_string())),
        ("got", finished.got.as_ref().map_or(Json::Null, ReadBack::to_json)),
        ("wall_millis", number(usage.wall_millis)),
        ("cpu_micros", number(usage.cpu_micros)),
        ("peak_kib", number(usage.peak_kib)),
        ("stdout", number(usage.stdout)),
        ("stderr", number(usage.stderr)),
        ("written", Json::Array(written.collect())),
    ])
}
