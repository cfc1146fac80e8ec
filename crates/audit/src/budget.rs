//! How much of the log one agent may fill.

use std::time::Duration;

/// The budget of each lane but the operator's, which has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Records per second, sustained. At least 1.
    pub records_per_second: u32,
    /// Records at once, after a quiet time. At least 1.
    pub burst: u32,
    /// Bytes per 24 hours: leaves and disclosures. The hours are counted from the lane's first record since
    /// the writer started, by the monotonic clock: setting the wall clock gains nothing.
    pub bytes_per_day: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { records_per_second: 200, burst: 5_000, bytes_per_day: 1 << 30 }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A record in units of the bucket, so that nothing is lost to rounding.
const RECORD: u64 = 1_000_000_000;

/// What one lane has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// In billionths of a record.
    tokens: u64,
    filled: Duration,
    bytes: u64,
    day: Duration,
}

impl Account {
    pub(crate) fn new(budget: &Budget, now: Duration) -> Self {
        Self { tokens: u64::from(budget.burst.max(1)) * RECORD, filled: now, bytes: 0, day: now }
    }

    /// Takes one record of `bytes` bytes, or says that there is not enough left.
    #[must_use]
    pub(crate) fn take(&mut self, budget: &Budget, now: Duration, bytes: u64) -> bool {
        let passed = u64::try_from(now.saturating_sub(self.filled).as_nanos()).unwrap_or(u64::MAX);
        let full = u64::from(budget.burst.max(1)) * RECORD;
        let earned = passed.saturating_mul(u64::from(budget.records_per_second.max(1)));
        self.tokens = self.tokens.saturating_add(earned).min(full);
        self.filled = self.filled.max(now);
        if now.saturating_sub(self.day) >= DAY {
            self.day = now;
            self.bytes = 0;
        }
        let total = self.bytes.saturating_add(bytes);
        if self.tokens < RECORD || total > budget.bytes_per_day {
            return false;
        }
        self.tokens -= RECORD;
        self.bytes = total;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills_at_its_rate_and_no_further_than_its_burst() {
        let budget = Budget { records_per_second: 2, burst: 3, bytes_per_day: 1000 };
        let mut account = Account::new(&budget, Duration::ZERO);
        let mut taken = |millis| (0..10).filter(|_| account.take(&budget, Duration::from_millis(millis), 1)).count();
        assert_eq!([taken(0), taken(499), taken(500), taken(1000), taken(60_000)], [3, 0, 1, 1, 3]);
    }

    #[test]
    fn bytes_are_counted_by_the_day() {
        let budget = Budget { records_per_second: 1000, burst: 1000, bytes_per_day: 100 };
        let mut account = Account::new(&budget, Duration::ZERO);
        assert!(account.take(&budget, Duration::ZERO, 60));
        assert!(!account.take(&budget, Duration::ZERO, 60));
        assert!(account.take(&budget, Duration::ZERO, 40));
        assert!(!account.take(&budget, DAY - Duration::from_millis(1), 1));
        assert!(account.take(&budget, DAY, 100));
    }
}
