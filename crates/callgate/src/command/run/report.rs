//! How a run went, as JSON: for whoever asked for a file, and for the log.

use std::fs::File;
use std::io::{self, Write};

use callgate_core::RunReport;
use callgate_sandbox::{Finished, ReadBack, WriteSet, Written, shown};
use callgate_text::Json;

/// What a run wrote, walked.
pub(crate) struct Walked {
    /// One for each copy-on-write folder; none, if it could not all be walked.
    pub(crate) sets: Vec<WriteSet>,
    /// Why it could not be. That a run left what cannot be walked is its own doing, and no reason to forget the run.
    pub(crate) failed: Option<String>,
}

impl Walked {
    pub(crate) fn of(written: Vec<Written>) -> Self {
        match written.into_iter().map(WriteSet::of).collect() {
            Ok(sets) => Self { sets, failed: None },
            Err(error) => Self { sets: Vec::new(), failed: Some(error.to_string()) },
        }
    }
}

/// Writes all of it.
pub(super) fn write(file: File, finished: &Finished, walked: &Walked) -> io::Result<()> {
    put(file, &json(finished, walked, true))
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
pub(crate) fn for_log(finished: &Finished, walked: &Walked) -> RunReport {
    let exit = finished.ending.exit.word().to_owned();
    let full = RunReport { exit, report: json(finished, walked, true) };
    if full.is_fit() { full } else { RunReport { report: json(finished, walked, false), ..full } }
}

fn json(finished: &Finished, walked: &Walked, changes: bool) -> Json {
    let usage = &finished.ending.usage;
    let number = |number: u64| Json::String(number.to_string());
    let written = walked.sets.iter().map(|set| {
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
    let mut members = vec![
        ("exit", Json::String(finished.ending.exit.word().to_owned())),
        ("detail", Json::String(finished.ending.exit.to_string())),
        ("got", finished.got.as_ref().map_or(Json::Null, ReadBack::to_json)),
        ("wall_millis", number(usage.wall_millis)),
        ("cpu_micros", number(usage.cpu_micros)),
        ("peak_kib", number(usage.peak_kib)),
        ("stdout", number(usage.stdout)),
        ("stderr", number(usage.stderr)),
        ("written", Json::Array(written.collect())),
    ];
    members.extend(walked.failed.as_deref().map(|why| ("not_walked", Json::from(why))));
    Json::object(members)
}
