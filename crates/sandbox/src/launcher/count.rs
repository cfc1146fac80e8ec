//! What a whole tree of processes uses, counted from `/proc` where no control group does.

use std::fs;
use std::time::Duration;

/// The least time between two counts.
const OFTEN: Duration = Duration::from_millis(20);

/// The most time between two looks at processor time.
const SELDOM: Duration = Duration::from_secs(1);

/// Every process of the tree below `root`, and that itself.
fn tree(root: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut left = vec![root];
    while let Some(pid) = left.pop() {
        found.push(pid);
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            left.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
    }
    found
}

/// Bytes of memory that the tree below `root` holds by itself: anonymous and shared, not the files it has mapped.
pub(super) fn memory(root: i32) -> u64 {
    let mut total = 0_u64;
    for pid in tree(root) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        for line in status.lines() {
            let amount = ["RssAnon:", "RssShmem:", "VmPTE:"].iter().find_map(|name| line.strip_prefix(name));
            let kib = amount.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
            total = total.saturating_add(kib.unwrap_or(0).saturating_mul(1024));
        }
    }
    total
}

/// Processor time in microseconds that the tree below `root` has used: of all that live, and of those that somebody
/// waited for.
pub(super) fn cpu_micros(root: i32) -> u64 {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let ticks = tree(root).into_iter().map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name, in brackets, may hold anything. Own time in user and kernel, and that of children waited for, are
        // the 14th to 17th field; the 3rd comes after the name.
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        rest.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>()
    });
    ticks.sum::<u64>().saturating_mul(1_000_000) / per_second
}

/// After a count that took so long, how long until the next.
pub(super) fn pause(took: Duration) -> Duration {
    OFTEN.max(10 * took)
}

/// How long `cpus` processors cannot have used `left` microseconds up, within bounds.
pub(super) fn pause_for(left: u64, cpus: usize, took: Duration) -> Duration {
    let cpus = u64::try_from(cpus).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(left / cpus).min(SELDOM).max(pause(took))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn what_this_process_uses_is_counted() {
        let before = cpu_micros(this());
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(300) {
            std::hint::spin_loop();
        }
        let mut held = vec![0_u8; 64 << 20];
        held.fill(1);
        assert!(memory(this()) >= 64 << 20);
        drop(held);
        assert!(cpu_micros(this()) > before);
    }

    #[test]
    fn the_nearer_the_limit_the_sooner_the_next_look() {
        let nothing = Duration::ZERO;
        assert_eq!(pause_for(u64::MAX, 2, nothing), SELDOM);
        assert_eq!(pause_for(1_000_000, 4, nothing), Duration::from_millis(250));
        assert_eq!(pause_for(0, 4, nothing), OFTEN);
        assert_eq!(pause_for(0, 0, Duration::from_secs(1)), Duration::from_secs(10));
    }
}
