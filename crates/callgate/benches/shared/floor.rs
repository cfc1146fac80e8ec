//! What the disk alone takes, measured in the same run on the same file system.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// The size of a record of a small call, in bytes.
const RECORD: usize = 1200;

/// Writes of `batch` records at a time into a file in `folder`, each followed by one fdatasync.
///
/// The space is allocated before, as the log does it: a file that grows costs a journal's commit more with each sync,
/// and a floor above what stands on it is none.
pub(crate) fn syncs(folder: &Path, batch: usize, times: usize) -> Vec<Duration> {
    let options = OpenOptions::new().write(true).create(true).truncate(true).clone();
    let file = options.open(folder.join("floor")).expect("opens");
    let bytes = vec![b'x'; RECORD * batch];
    let length = bytes.len() as u64;
    let none = rustix::fs::FallocateFlags::empty();
    rustix::fs::fallocate(&file, none, 0, length * times as u64).expect("allocates");
    file.sync_all().expect("syncs");
    (0..times as u64)
        .map(|round| {
            let start = Instant::now();
            file.write_all_at(&bytes, round * length).expect("writes");
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
