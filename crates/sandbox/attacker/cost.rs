//! No attack: what a system call costs, one that the filter lets pass and one that it denies.

use std::time::Instant;

use crate::{Try, call};

pub(crate) fn attack(name: &str, _: &[&str]) -> Option<Try> {
    (name == "cost").then(|| {
        // The kernel itself answers both at once: the second asks for a key that cannot be.
        let allowed = nanoseconds(|| call(libc::SYS_getppid, &[]).is_ok());
        let other = nanoseconds(|| call(libc::SYS_keyctl, &[u64::MAX]).is_ok());
        Ok(format!("{allowed} {other}"))
    })
}

/// The least time for one, of several series.
fn nanoseconds(mut once: impl FnMut() -> bool) -> u64 {
    const MANY: u32 = 20_000;
    let series = (0..10).map(|_| {
        let start = Instant::now();
        for _ in 0..MANY {
            std::hint::black_box(once());
        }
        u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX) / u64::from(MANY)
    });
    series.min().unwrap_or(0)
}
