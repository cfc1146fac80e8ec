//! What was not passed on, counted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! anomalies {
    ($($(#[doc = $doc:literal])* $field:ident = $sentence:literal,)*) => {
        /// How often something was not passed on as it came.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Anomalies { $($(#[doc = $doc])* pub $field: u64,)* }

        #[derive(Debug, Default)]
        pub(super) struct Counters { $($field: AtomicU64,)* }

        impl Counters {
            $(pub(super) fn $field(&self) { count(&self.$field, $sentence); })*

            pub(super) fn read(&self) -> Anomalies {
                Anomalies { $($field: self.$field.load(Ordering::Relaxed),)* }
            }
        }

        impl fmt::Display for Anomalies {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut first = true;
                $(if self.$field > 0 {
                    write!(f, "{}{} × {}", if first { "" } else { ", " }, self.$field, $sentence)?;
                    first = false;
                })*
                if first { f.write_str("none") } else { Ok(()) }
            }
        }
    };
}

anomalies! {
    /// Lines of the client that are not messages.
    client_garbage = "a line of the client is not a message",
    /// Lines of the server that are not messages.
    server_garbage = "a line of the server is not a message",
    /// Requests of methods that this door does not know.
    unknown_requests = "a request names an unknown method",
    /// Notifications of methods that this door does not know.
    unknown_notifications = "a notification names an unknown method",
    /// Answers that belong to no question.
    stray_answers = "an answer belongs to no question",
    /// Requests with an id that is already under way.
    repeated_ids = "a request repeats an id that is under way",
    /// Messages that were not handed on because of what they hold.
    withheld = "a message was withheld",
}

/// Counts, and says so the 1st, 2nd, 4th, 8th, … time: a flood does not fill the journal. Nothing that
/// either side wrote is repeated.
fn count(counter: &AtomicU64, sentence: &'static str) {
    let times = counter.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    if times.is_power_of_two() {
        tracing::warn!(times, "{sentence}");
    }
}
