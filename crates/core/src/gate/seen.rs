//! What was noted already, so that repeating it leaves one record.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use callgate_text::Digest;

/// Beyond this many the set starts anew: a flood of novelties costs records, not memory.
const MOST: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<BTreeSet<Digest>>);

impl Seen {
    pub(super) fn first_time(&self, digest: Digest) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(digest)
    }
}
