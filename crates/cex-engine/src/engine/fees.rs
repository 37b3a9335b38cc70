//! What a fee counts as that an exchange takes in its own coin: GT, MX, points.
//!
//! Profit, and every rule that looks at it, is in quote, so such a fee must be too:
//!
//! | the coin | counts as, of one fill |
//! |---|---|
//! | has a usable book here, priced in the symbol's quote | what buying it back costs, by the highest best ask of its books, at most the full fee |
//! | has none | the full fee |
//!
//! The *full fee* is the part of what was filled that the exchange takes without any discount ([`Engine::full_fee`]), less
//! what it took of the same fill in base and quote. What we reckon with is no measure of it: a list fee can be nothing where
//! the account is charged all the same. It is a ceiling too, because one thin book of a coin prices it at anything.
//!
//! A last price that nothing renews is no better than the full fee and can be lower, so there is none. A rebate counts for
//! nothing. The amounts themselves stay exact, coin by coin; only what they come to in quote is an estimate. What the books
//! say without the ceiling is what R30 compares with what was reckoned with; a fee without a price tells it something only
//! where none was reckoned with.

use super::{Engine, Slot};
use crate::execute::OtherFee;
use cex_core::{Asset, Bps, Decimal, Fill, NumError, Symbol};

/// No exchange's full fee is taken for less, whatever it lists: what Gate.io's lowest tier takes.
const LEAST_FULL_FEE: Bps = Bps::from_bps(20);

impl Engine {
    /// What a fill's fees in other coins than its symbol's own count as, in quote; nothing when it has none.
    pub(super) fn other_fee(&self, symbol: Symbol, fill: &Fill) -> Result<OtherFee, NumError> {
        let charged = fill.fees_beside(symbol).filter(|(fee, _)| fee.is_positive());
        let (mut priced, mut any, mut whole) = (Decimal::ZERO, false, true);
        for (fee, asset) in charged {
            any = true;
            match self.dearest(asset, symbol.quote) {
                Some(price) => priced = priced.checked_add(fee.checked_mul(price)?)?,
                None => whole = false,
            }
        }
        if !any {
            return Ok(OtherFee::default());
        }
        // However many coins it was taken in, it was one fee.
        let own =
            fill.fee_in(symbol.base)?.checked_mul(fill.price)?.checked_add(fill.fee_in(symbol.quote)?)?;
        let full = fill.notional()?.checked_mul(self.full_fee(fill.venue.name()).fraction())?;
        let ceiling = full.checked_sub(own.max(Decimal::ZERO))?.max(Decimal::ZERO);
        if whole {
            return Ok(OtherFee { counted: priced.min(ceiling), priced, unpriced: false });
        }
        let reckoned = self.slot(fill.venue, fill.symbol).map_or(Bps::ZERO, |slot| slot.taker_fee);
        // Where no fee was reckoned with, any is a surprise, whatever its coin is worth.
        let surprise = reckoned <= Bps::ZERO;
        let priced = if surprise { priced.max(ceiling) } else { priced };
        Ok(OtherFee { counted: ceiling, priced, unpriced: !surprise })
    }

    /// The most that an exchange takes of what is filled, as a part of it: the highest taker fee reckoned with there, and never
    /// less than 20 basis points; of one that is not traded at, the highest anywhere.
    #[must_use]
    pub fn full_fee(&self, venue: &str) -> Bps {
        let slots = || self.symbols.iter().flatten().flat_map(|state| state.slots.iter().flatten());
        let fee = |slot: &Slot| slot.taker_fee;
        let its = slots().filter(|slot| slot.market.venue.name() == venue).map(fee).max();
        its.or_else(|| slots().map(fee).max()).unwrap_or(LEAST_FULL_FEE).max(LEAST_FULL_FEE)
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
