//! What coins and accounts are worth, now and then: for limits, not for profit.

use super::{Engine, SymbolState};
use cex_core::{Asset, Decimal, NumError, Price, Timestamp, VenueId};
use std::time::Duration;

/// How often accounts are valued.
const EVERY: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn wake_equity(&mut self, now: Timestamp) {
        if now < self.equity_at {
            return;
        }
        self.equity_at = now + EVERY;
        for state in self.symbols.iter_mut().flatten() {
            state.last_bid = state.bid().or(state.last_bid);
        }
        for index in 0..self.venues.len() {
            self.value_account(self.venues[index].id);
        }
    }

    /// What an account holds is worth so much from now on (R13).
    pub(super) fn value_account(&mut self, venue: VenueId) {
        // What does not fit is more than any limit.
        let equity = self.equity(venue).unwrap_or(Decimal::from(i64::MAX));
        self.gate.set_equity(venue, equity);
    }

    fn equity(&self, venue: VenueId) -> Result<Decimal, NumError> {
        let held = self.gate.funds().all_held().into_iter().filter(|(known, _, _)| *known == venue);
        held.into_iter().try_fold(Decimal::ZERO, |sum, (_, asset, held)| {
            sum.checked_add(held.checked_mul(self.worth(asset))?)
        })
    }

    /// Quote for one coin, by the best bid of the first book that tells, or the last that one told; one for a quote, nothing for
    /// a coin of which no book has told yet. All symbols of a run have one quote.
    pub(super) fn worth(&self, asset: Asset) -> Decimal {
        let mut states = self.symbols.iter().flatten();
        if states.any(|state| state.symbol.quote == asset) {
            return Decimal::ONE;
        }
        let traded = || self.symbols.iter().flatten().filter(|state| state.symbol.base == asset);
        let value = |state: &SymbolState, bid| state.scale.price_value(bid);
        let now = traded().find_map(|state| Some(value(state, state.bid()?)));
        // A book that was lost took nothing of what is held with it: without a price a whole account could go unnoticed.
        let last = || traded().find_map(|state| Some(value(state, state.last_bid?)));
        now.or_else(last).unwrap_or(Decimal::ZERO)
    }
}

impl SymbolState {
    /// The best bid of the first book that can be used.
    fn bid(&self) -> Option<Price> {
        let mut usable = self.slots.iter().flatten().filter_map(|slot| slot.sync.usable());
        usable.find_map(|book| Some(book.best_bid()?.price))
    }
}
