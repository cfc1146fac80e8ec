//! What the disk alone takes, measured in the same run on the same file system.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// The size of a record of a small call, in bytes.
const RECORD: usize = 1200;

/// Bare appends of `batch` records at a time to a file in `folder`, each followed by one fdatasync.
pub(crate) fn syncs(folder: &Path, batch: usize, times: usize) -> Vec<Duration> {
    let mut file: File = OpenOptions::new().create(true).append(true).open(folder.join("floor")).expect("opens");
    let bytes = vec![b'x'; RECORD * batch];
    (0..times)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&bytes).expect("writes");
            file.sync_data().expect("syncs");
            start.elapsed()
        })
        .collect()
}

/// The time that so many percent of `times` stay within.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}
