//! The log's view of time, so that tests need not sleep.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use callgate_core::Timestamp;

/// Two clocks: one that says when, one that only ever goes forward.
pub trait Time: Send + Sync {
    /// The wall clock. May be set back; the log then says so.
    fn wall(&self) -> Timestamp;

    /// How long since some fixed moment. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemTimes {
    start: Instant,
}

impl Default for SystemTimes {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Time for SystemTimes {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Timestamp::from_millis(millis)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Reads what [`Timestamp`] prints: `YYYY-MM-DDTHH:MM:SS.mmmZ`, years 0000 to 9999.
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = bytes.len() == shape.len()
        && bytes.iter().zip(shape).all(|(byte, kind)| if *kind == b'd' { byte.is_ascii_digit() } else { byte == kind });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970-01-01, counted in years that begin in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let parsed = Timestamp::from_millis((days * 86_400 + seconds) * 1000 + number(20, 23)?);
    (parsed.to_string() == text).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for millis in [0, -1, 951_782_400_000, 1_795_386_614_007, 4_102_444_799_999, -62_135_596_800_000] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(parse_timestamp(&at.to_string()), Some(at));
        }
        for bad in ["", "2026-02-30T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-01-01T25:00:00.000Z", "x"] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
    }
}
