//! What a fee counts as that an exchange takes in its own coin: GT, MX, points.
//!
//! Profit, and every rule that looks at it, is in quote, so such a fee must be too. It never counts for less than it can
//! have been:
//!
//! | the coin | counts as |
//! |---|---|
//! | has a usable book here, priced in the symbol's quote | what buying it back costs, by the highest best ask of its books |
//! | has none | all that the account could have been charged: its taker fee without any discount, of what was filled |
//!
//! A last price that nothing renews is no better than the second and can be lower, so there is none. A rebate counts for
//! nothing. The amounts themselves stay exact, coin by coin; only what they come to in quote is an estimate.

use super::{Engine, Slot, SymbolState};
use cex_core::{Asset, Bps, Decimal, Fill, NumError, Symbol};

impl Engine {
    /// What a fill's fees in other coins than its symbol's own count as, in quote; nothing when it has none.
    pub(super) fn other_fee(&self, symbol: Symbol, fill: &Fill) -> Result<Decimal, NumError> {
        let charged = fill.fees_beside(symbol).filter(|(fee, _)| fee.is_positive());
        let (mut sum, mut unpriced) = (Decimal::ZERO, false);
        for (fee, asset) in charged {
            match self.dearest(asset, symbol.quote) {
                Some(price) => sum = sum.checked_add(fee.checked_mul(price)?)?,
                None => unpriced = true,
            }
        }
        if unpriced {
            // However many coins it was taken in, it was one fee.
            let rate = self.taker_fee(fill.venue.name(), symbol).fraction();
            sum = sum.checked_add(fill.notional()?.checked_mul(rate)?)?;
        }
        Ok(sum)
    }

    /// The most that an exchange takes of what is filled, as a part of it: the account's taker fee for the symbol, never below
    /// nothing; for what is not traded here, the highest of those that are.
    #[must_use]
    pub fn taker_fee(&self, venue: &str, symbol: Symbol) -> Bps {
        let fee = |slot: &Slot| slot.taker_fee.max(Bps::ZERO);
        let slots = |state: &SymbolState| state.slots.iter().flatten().map(fee).collect::<Vec<_>>();
        let known = self.market(venue, symbol).and_then(|market| self.slot(market.venue, market.id));
        known.map(fee).or_else(|| self.symbols.iter().flatten().flat_map(slots).max()).unwrap_or(Bps::ZERO)
    }

    /// The highest best ask of a coin, in this quote.
    fn dearest(&self, asset: Asset, quote: Asset) -> Option<Decimal> {
        let traded = self.symbols.iter().flatten();
        let traded = traded.filter(|state| state.symbol.base == asset && state.symbol.quote == quote);
        let asks = traded.flat_map(|state| {
            let usable = state.slots.iter().flatten().filter_map(|slot| slot.sync.usable());
            usable.filter_map(|book| Some(state.scale.price_value(book.best_ask()?.price)))
        });
        asks.max()
    }
}
