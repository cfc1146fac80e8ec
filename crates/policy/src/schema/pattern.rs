//! The regular expressions of one schema: which of them can be matched without backtracking, and at what cost.

use std::collections::BTreeMap;

use super::check::compile;
use super::plain::Unfit;

/// How large a compiled pattern may be that is matched against any text, in bytes.
const LIGHT_PATTERN: usize = 1 << 15;

/// How large a compiled pattern may be at all. Those above are not enforced.
pub(super) const HEAVY_PATTERN: usize = 1 << 20;

/// How many patterns a schema may have.
pub(super) const MAX_PATTERNS: usize = 64;

/// The patterns seen so far.
#[derive(Default)]
pub(super) struct Patterns {
    weights: BTreeMap<String, Weight>,
}

/// What it takes to match a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Light,
    Heavy,
    /// No linear-time engine can, or not with so little memory.
    Impossible,
}

impl Patterns {
    /// Whether the gate enforces `pattern`.
    pub(super) fn enforces(&mut self, pattern: &str) -> Result<bool, Unfit> {
        let weight = match self.weights.get(pattern) {
            Some(weight) => *weight,
            None if self.weights.len() >= MAX_PATTERNS => return Err(Unfit::Patterns),
            None => *self.weights.entry(pattern.to_owned()).or_insert(weigh(pattern)),
        };
        Ok(weight != Weight::Impossible)
    }

    /// Whether one of them takes much memory.
    pub(super) fn heavy(&self) -> bool {
        self.weights.values().any(|weight| *weight == Weight::Heavy)
    }
}

fn weigh(pattern: &str) -> Weight {
    let schema = serde_json::json!({ "pattern": pattern });
    if compile(&schema, LIGHT_PATTERN).is_ok() {
        Weight::Light
    } else if compile(&schema, HEAVY_PATTERN).is_ok() {
        Weight::Heavy
    } else {
        Weight::Impossible
    }
}
