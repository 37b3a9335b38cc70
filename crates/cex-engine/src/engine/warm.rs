//! What frames and openings of a symbol read, kept in the processor's caches.
//!
//! Between two frames of a symbol, and far more so between two openings on it, everything else passes through the caches, and
//! what is read again then comes from memory, one wait after the other. Whoever waits for frames reads it meanwhile.

use super::{Engine, Slot};
use cex_core::{SymbolId, Timestamp};
use std::hint::black_box;

impl Engine {
    /// Reads what the next frames of a symbol and an opening on it will read, and does nothing with it; the symbol. Turns take
    /// one symbol after the other, and begin anew after the last; a turn may find nothing.
    pub fn warm(&self, now: Timestamp, turn: usize) -> Option<SymbolId> {
        let index = turn.checked_rem(self.symbols.len())?;
        let (id, state) = (SymbolId(u32::try_from(index).ok()?), self.symbols[index].as_ref()?);
        let slots = || state.slots.iter().flatten();
        // Each with the one after it, so that every venue buys once and sells once.
        for (buy, sell) in slots().zip(slots().cycle().skip(1)) {
            buy.warm();
            black_box(state.tops.pair(buy.market.venue.index(), sell.market.venue.index()));
            // Nearly always there is no edge, and planning ends after reading what it needs to know that.
            let _ = black_box(self.plan(now, id, state, buy, sell));
        }
        self.gate.warm(now, id, state.symbol);
        Some(id)
    }
}

impl Slot {
    fn warm(&self) {
        self.sync.warm();
        black_box((self.snapshot, self.live, self.changed, self.touched_at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::setups;

    #[test]
    fn every_symbol_has_its_turn_and_nothing_traded_has_none() {
        let (config, setups) = setups();
        let engine = Engine::new(config.clone(), &setups, 1);
        let now = Timestamp::from_secs(1_000);
        let turns: Vec<_> = (0..3).chain([usize::MAX]).map(|turn| engine.warm(now, turn)).collect();
        assert_eq!(turns, [Some(SymbolId(0)); 4], "before its books are joined, too");
        assert_eq!(Engine::new(config, &[], 1).warm(now, 0), None);
    }
}
