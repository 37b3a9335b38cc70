//! Books in which only behaviours move anything.

use super::Stage;
use crate::behaviour::{Failure, Verdict};
use cex_core::{BookSide, Decimal, Level, Market, Rounding, Side};
use cex_orderbook::Book;
use cex_sim::matching::MarketRules;

/// Levels a side.
const LEVELS: i64 = 10;

/// Where the middle of a ladder lies, in ticks: far enough from zero for prices twelve percent away.
const MIDDLE: i64 = 10_000;

/// What a level is worth, in quote.
const WORTH: i64 = 1_000;

/// Fills every book of a quiet market.
pub(super) fn fill_books(stage: &Stage) -> Verdict {
    for rules in stage.rules() {
        let ladder = |step: i64| {
            (1..=LEVELS).map(move |at| level(rules, MIDDLE + step * at * 2)).collect::<Result<Vec<_>, _>>()
        };
        let (bids, asks) = (ladder(-1)?, ladder(1)?);
        stage.sim()?.set_book(stage.sim_exchange(), rules.symbol, &bids, &asks)?;
    }
    Ok(())
}

fn level(rules: &MarketRules, ticks: i64) -> Result<(Decimal, Decimal), Failure> {
    let price = Decimal::new(i128::from(ticks), rules.scale.price_dp());
    let qty = Decimal::from(WORTH).checked_div(price, rules.scale.qty_dp(), Rounding::Ceil)?;
    Ok((price, qty.max(rules.scale.qty_value(rules.min_qty))))
}

impl Stage {
    /// Puts an order of nobody's into a quiet book, so many ticks from its middle; it takes what is in its way.
    ///
    /// # Errors
    /// When it is too small.
    pub fn quote(&self, market: &Market, side: Side, ticks: i64, qty: Decimal) -> Verdict {
        let price = Decimal::new(i128::from(MIDDLE + ticks), market.info.price_dp);
        let placed = self.sim()?.place_quote(self.sim_exchange(), market.symbol(), side, price, qty);
        Ok(placed?)
    }

    /// As much as is worth this many units of quote in the middle of a quiet book, in whole lots.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn worth(&self, market: &Market, quote: i64) -> Result<Decimal, Failure> {
        let price = Decimal::new(i128::from(MIDDLE), market.info.price_dp);
        let qty = Decimal::from(quote).checked_div(price, market.info.lot_dp, Rounding::Ceil)?;
        Ok(qty.max(market.info.min_qty))
    }

    /// Where a book differs from the exchange's own, level by level as deep as it is known; nothing where it does not.
    ///
    /// # Errors
    /// When there is no such book.
    pub fn differs(&self, market: &Market, book: &Book) -> Result<Option<String>, Failure> {
        let truth = self.sim()?.book(self.sim_exchange(), market.symbol())?;
        for (side, levels) in [(BookSide::Bid, &truth.bids), (BookSide::Ask, &truth.asks)] {
            let ours: Vec<(Decimal, Decimal)> = book.levels(side).map(|level| value(market, level)).collect();
            if ours.len() != levels.len() {
                return Ok(Some(format!("{} levels of {side:?} instead of {}", ours.len(), levels.len())));
            }
            if let Some(at) = (0..ours.len()).find(|at| ours[*at] != levels[*at]) {
                return Ok(Some(format!("{side:?} level {at}: {:?} instead of {:?}", ours[at], levels[at])));
            }
        }
        Ok(None)
    }
}

fn value(market: &Market, level: Level) -> (Decimal, Decimal) {
    (market.scale.price_value(level.price), market.scale.qty_value(level.qty))
}
