//! Randomness that can be repeated.

use std::collections::BTreeMap;

/// SplitMix64.
pub(crate) struct Random {
    state: u64,
    /// What is left of each deck.
    decks: BTreeMap<&'static str, Vec<usize>>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, decks: BTreeMap::new() }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    /// The next of `count` cards of the deck called `name`: each comes once before one comes again.
    pub(crate) fn deal(&mut self, name: &'static str, count: usize) -> usize {
        let mut deck = self.decks.remove(name).filter(|deck| !deck.is_empty()).unwrap_or_else(|| (0..count).collect());
        let card = deck.swap_remove(self.below(deck.len()));
        self.decks.insert(name, deck);
        card
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
