//! A small, lock-free memory of things that are worth keeping but can always be made again.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// A pair of places: of a kind of caller, and of an action.
pub(crate) type Pair = (usize, usize);

/// Each pair has one slot, which it shares with others; the last one made stays. Bounded, so that no caller
/// can fill the memory, and without influence on what is decided.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Box<[ArcSwapOption<(Pair, T)>]>,
}

impl<T> Slots<T> {
    /// At least `wanted` slots, within reason.
    pub(crate) fn new(wanted: usize) -> Self {
        let count = wanted.clamp(64, 1 << 15).next_power_of_two();
        Self { slots: (0..count).map(|_| ArcSwapOption::empty()).collect() }
    }

    /// What is kept for `pair`, or what `make` makes of it.
    pub(crate) fn get(&self, pair: Pair, make: impl FnOnce() -> T) -> Arc<(Pair, T)> {
        let mixed = pair.0.wrapping_mul(0x9E37_79B9).wrapping_add(pair.1.wrapping_mul(0x85EB_CA6B));
        let slot = self.slots.get((mixed ^ (mixed >> 15)) & (self.slots.len().wrapping_sub(1)));
        if let Some(kept) = slot.and_then(ArcSwapOption::load_full)
            && kept.0 == pair
        {
            return kept;
        }
        let made = Arc::new((pair, make()));
        if let Some(slot) = slot {
            slot.store(Some(Arc::clone(&made)));
        }
        made
    }
}
