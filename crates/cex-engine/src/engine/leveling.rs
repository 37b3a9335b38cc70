//! What a half-done arbitrage left open is traded away: where, how much, at what price, and when to stop trying.

use super::{Engine, Slot};
use crate::execute::{Arbitrage, Ending, Leveling, OrderRun};
use crate::message::{Command, Commands, Parent};
use cex_core::{Bps, Decimal, Leg, Market, Price, Qty, Side, SymbolId, Timestamp};
use cex_orderbook::Book;
use cex_risk::{ArbitrageId, BookFacts, Conditions};
use std::time::Duration;

/// Between two attempts to trade the same difference away: the book must have had time to show the last one.
const CLOSING_PAUSE: Duration = Duration::from_millis(250);

impl Engine {
    /// All orders settled: done if level, otherwise trade the difference away, wait for a book to do it, or park it.
    pub(super) fn level(&mut self, now: Timestamp, id: ArbitrageId, out: &mut Commands) {
        let Some(arbitrage) = self.arbitrages.get(id) else { return };
        if !arbitrage.is_settled() {
            return;
        }
        let Ok(residual) = arbitrage.residual() else {
            return self.alarm("an arbitrage's difference does not fit", out);
        };
        // What fees took of the coin itself is no difference of the legs: it goes to what is left over, and is traded away
        // with that as soon as a venue takes it.
        if residual.is_zero() || arbitrage.apart().is_ok_and(Decimal::is_zero) {
            return self.end_levelled(now, id, out);
        }
        // Whoever gave an order up was to even out by hand what stood open: traded once more it would be open the other way.
        if arbitrage.orders.iter().any(|run| run.given_up_at().is_some()) {
            return self.end(now, id, Ending::Parked, out);
        }
        let by = now + self.config.max_naked;
        let mut leveling = arbitrage.leveling.unwrap_or(Leveling::new(now, by));
        if leveling.awaits_venues && self.can_use_venues_of(arbitrage) {
            leveling = Leveling { by, awaits_venues: false, ..leveling };
        }
        if let Some(arbitrage) = self.arbitrages.get_mut(id) {
            arbitrage.leveling = Some(leveling);
        }
        self.tell_naked(id, residual);
        self.close_or_wait(now, id, residual, leveling, out);
    }

    /// Whether both its venues have a book that can be used, and an account we hear of.
    fn can_use_venues_of(&self, arbitrage: &Arbitrage) -> bool {
        [arbitrage.plan.buy.venue, arbitrage.plan.sell.venue].into_iter().all(|venue| {
            let hears = self.venues.get(venue.index()).is_some_and(|state| state.account_ready);
            hears && self.slot(venue, arbitrage.symbol).is_some_and(|slot| slot.sync.usable().is_some())
        })
    }

    /// Nothing is left that a venue would trade.
    fn end_levelled(&mut self, now: Timestamp, id: ArbitrageId, out: &mut Commands) {
        let Some(arbitrage) = self.arbitrages.get(id) else { return };
        let lots = [arbitrage.plan.buy.venue, arbitrage.plan.sell.venue].map(|venue| {
            let market = &self.slot(venue, arbitrage.symbol)?.market;
            Some(market.scale.qty_value(market.lot))
        });
        let lot = lots.into_iter().flatten().max().unwrap_or(Decimal::ZERO);
        match arbitrage.levelled(lot) {
            Ok(ending) => self.end(now, id, ending, out),
            Err(_) => self.alarm("an arbitrage's difference does not fit", out),
        }
    }

    /// A difference above the limit stops its symbol (R28).
    fn tell_naked(&mut self, id: ArbitrageId, residual: Decimal) {
        let Some(arbitrage) = self.arbitrages.get(id) else { return };
        let notional = residual.abs().and_then(|naked| naked.checked_mul(arbitrage.mark));
        self.gate.naked(arbitrage.symbol, notional.unwrap_or(Decimal::from(i64::MAX)));
    }

    /// Trades a difference away now, or waits for a book, for funds or for the next attempt's turn; not for ever, but nothing
    /// is given up untried that could be traded away.
    fn close_or_wait(
        &mut self,
        now: Timestamp,
        id: ArbitrageId,
        residual: Decimal,
        leveling: Leveling,
        out: &mut Commands,
    ) {
        let Some(arbitrage) = self.arbitrages.get(id) else { return };
        let left = self.config.max_closings.saturating_sub(arbitrage.closings());
        let (over, spent) = (now >= leveling.by, left == 0);
        // The last attempt is kept for a venue that may be the better one, as long as it may come.
        let waits = leveling.awaits_venues && leveling.tried && left == 1 && !over;
        let again = !over || !leveling.tried || leveling.awaits_venues;
        let tries = again && !spent && !waits && now >= leveling.next_at;
        match self.closing_legs(arbitrage, residual) {
            Closing::TooSmall => self.end_levelled(now, id, out),
            Closing::Possible(legs) if tries => {
                // What the first venue refuses to reserve, the other may not.
                let sent = legs.iter().flatten().any(|leg| self.close_with(now, id, leg, out));
                if over && !sent {
                    return self.end(now, id, Ending::Parked, out);
                }
                if let Some(arbitrage) = self.arbitrages.get_mut(id).filter(|_| over) {
                    arbitrage.leveling =
                        arbitrage.leveling.map(|leveling| Leveling { awaits_venues: false, ..leveling });
                }
            }
            Closing::Possible(_) | Closing::NotNow if over || spent => {
                self.end(now, id, Ending::Parked, out);
            }
            Closing::Possible(_) | Closing::NotNow => {}
        }
    }

    /// Where a difference can be traded away, best first: at a venue whose account we hear of, that has not failed this
    /// arbitrage, by what its book yields for all of it after fee.
    pub(super) fn closing_legs(&self, arbitrage: &Arbitrage, residual: Decimal) -> Closing {
        let side = if residual.is_positive() { Side::Sell } else { Side::Buy };
        let offers = [arbitrage.plan.buy.venue, arbitrage.plan.sell.venue].map(|venue| {
            let deaf = self.venues.get(venue.index()).is_none_or(|state| !state.account_ready);
            let rank = (deaf, arbitrage.failures_at(venue));
            let slot = self.slot(venue, arbitrage.symbol)?;
            let give = arbitrage.carried.map_or(self.config.max_unwind, |carried| carried.give);
            // What it is worth by any sane price, should this venue's be none.
            let sane = arbitrage.plan.buy.limit;
            Some((rank, self.closing_at(slot, (arbitrage.symbol, side), (residual, sane), give)?))
        });
        let mut legs = match offers {
            [Some((_, Offer::TooSmall)), Some((_, Offer::TooSmall))] => return Closing::TooSmall,
            offers => offers.map(|offer| match offer? {
                (rank, Offer::Leg { score, leg }) => Some(((rank, -score), leg)),
                (_, Offer::TooSmall | Offer::Unpaid | Offer::OffPrice) => None,
            }),
        };
        legs.sort_by_key(|leg| {
            leg.map_or((true, ((true, usize::MAX), i128::MAX)), |(rank, _)| (false, rank))
        });
        match legs.map(|leg| leg.map(|(_, leg)| leg)) {
            [None, None] => Closing::NotNow,
            legs => Closing::Possible(legs),
        }
    }

    /// What of a difference can be traded away at a venue; `None` while its book cannot be used. `sane` is a price for it.
    fn closing_at(
        &self,
        slot: &Slot,
        (symbol, side): (SymbolId, Side),
        (residual, sane): (Decimal, Price),
        give: Bps,
    ) -> Option<Offer> {
        let (book, market) = (slot.sync.usable()?, &slot.market);
        let best = match side {
            Side::Sell => book.best_bid()?.price,
            Side::Buy => book.best_ask()?.price,
        };
        let limit = closing_limit(side, best, market.tick, give.e8())?;
        let off_price = self.is_off_price(slot, symbol, best);
        let whole = market.scale.qty(residual.abs().ok()?).ok()?;
        let most = Qty(i64::try_from(market.max_notional.0 / i128::from(limit.0)).unwrap_or(i64::MAX));
        let wanted = whole.min(market.max_qty).min(most).floor_to(market.lot);
        let at = |limit: Price, qty: Qty| Leg {
            venue: market.venue,
            side,
            limit,
            qty,
            notional: limit.times(qty),
            fee: slot.taker_fee,
        };
        let leg = |qty: Qty| at(limit, qty);
        // A difference is not too small because nobody bids anything for it just now.
        if !fits(slot, &at(if off_price { sane } else { limit }, wanted)) {
            return Some(Offer::TooSmall);
        }
        if off_price {
            return Some(Offer::OffPrice);
        }
        let paid =
            wanted.min(self.payable(market, symbol, side, limit, slot.taker_fee)?).floor_to(market.lot);
        if !fits(slot, &leg(paid)) {
            return Some(Offer::Unpaid);
        }
        Some(Offer::Leg { score: yields(book, &leg(paid), whole), leg: leg(paid) })
    }

    /// Whether a book's best price is not where prices are (R10): too far from its own middle, or that from the middle of
    /// every other usable book of the symbol. A book that has thinned out, or that nobody else bears out, is waited for.
    fn is_off_price(&self, slot: &Slot, symbol: SymbolId, best: Price) -> bool {
        let limits = &self.config.limits;
        let Some(mid) = slot.mid() else { return true };
        if limits.off_mid(best, mid).is_some() {
            return true;
        }
        let slots = self.symbol(symbol).map_or(&[][..], |state| &state.slots).iter().flatten();
        let others = slots.filter(|other| other.market.venue != slot.market.venue);
        let mut mids = others.filter_map(Slot::mid).peekable();
        mids.peek().is_some() && mids.all(|other| limits.off_other(mid, other).is_some())
    }

    /// How much an order may be for by what is free at its venue; `None` when that cannot be told.
    fn payable(&self, market: &Market, symbol: SymbolId, side: Side, limit: Price, fee: Bps) -> Option<Qty> {
        let symbol = self.symbol(symbol)?.symbol;
        let free =
            |asset| self.gate.funds().free(market.venue, asset).ok().map(|free| free.max(Decimal::ZERO));
        match side {
            // More than fits binds nothing.
            Side::Sell => Some(market.scale.qty(free(symbol.base)?).unwrap_or(Qty(i64::MAX))),
            Side::Buy => {
                let budget =
                    market.scale.notional(free(symbol.quote)?).map_or(i128::MAX, |notional| notional.0);
                let each = i128::from(limit.0).checked_mul(i128::from(Bps::ONE + fee.max(Bps::ZERO).e8()))?;
                let most = budget.checked_mul(i128::from(Bps::ONE)).map_or(i128::MAX, |budget| budget / each);
                Some(Qty(i64::try_from(most).unwrap_or(i64::MAX)))
            }
        }
    }

    /// Sends an order that trades a difference away; whether the gate let it.
    fn close_with(&mut self, now: Timestamp, id: ArbitrageId, leg: &Leg, out: &mut Commands) -> bool {
        let Some((symbol_id, symbol, scale)) = self.arbitrages.get(id).and_then(|arbitrage| {
            let state = self.symbol(arbitrage.symbol)?;
            Some((arbitrage.symbol, state.symbol, state.scale))
        }) else {
            return false;
        };
        let client_id = self.ids.next('c');
        let (as_of, mid, venue_lead) = (now, leg.limit, Duration::ZERO);
        let book = BookFacts { as_of, venue_age: None, venue_lead, audit_age: None, mid };
        let conditions =
            Conditions { symbol, scale, buy_book: book, sell_book: book, expires_in: self.config.expires_in };
        // What cannot be paid for now may be when another order has given its reservation back.
        let Ok(order) = self.gate.approve_closing(now, symbol_id, leg, &conditions, client_id) else {
            return false;
        };
        let Some(arbitrage) = self.arbitrages.get_mut(id) else { return false };
        arbitrage.orders.push(OrderRun::new(now, *order.get(), scale.qty_value(leg.qty)));
        arbitrage.leveling = arbitrage.leveling.map(|leveling| Leveling {
            next_at: now + CLOSING_PAUSE,
            tried: true,
            ..leveling
        });
        let parent = Parent {
            name: arbitrage.orders[0].request.client_id,
            carried: arbitrage.carried.map_or(Decimal::ZERO, |carried| carried.base),
        };
        self.note_sent(now, id, order.get());
        out.commands.push(Command::Close { order, parent });
        true
    }
}

/// Whether and where a difference can be traded away.
pub(super) enum Closing {
    /// The venues to try, in order.
    Possible([Option<Leg>; 2]),
    /// No venue takes so little.
    TooSmall,
    /// A book, or funds, must be waited for.
    NotNow,
}

/// What a venue could take of a difference.
enum Offer {
    Leg {
        /// What it yields after fee, comparable between venues, more is better.
        score: i128,
        leg: Leg,
    },
    TooSmall,
    /// There is nothing to pay it with.
    Unpaid,
    /// Its price is not where prices are (R10).
    OffPrice,
}

/// What an order would come to that is to trade `whole` away: what a sale yields, what a purchase costs, negative, after fee. What the
/// book does not show within the limit, or the order leaves out, counts as lost: as nothing sold, or bought at twice the limit.
fn yields(book: &Book, leg: &Leg, whole: Qty) -> i128 {
    let (levels, reaches): (_, fn(Price, Price) -> bool) = match leg.side {
        Side::Sell => (book.bids(), |price, limit| price >= limit),
        Side::Buy => (book.asks(), |price, limit| price <= limit),
    };
    let (mut left, mut notional) = (leg.qty.0, 0_i128);
    for level in levels.take_while(|level| reaches(level.price, leg.limit)) {
        let qty = left.min(level.qty.0);
        notional = notional.saturating_add(i128::from(level.price.0) * i128::from(qty));
        left -= qty;
        if left == 0 {
            break;
        }
    }
    match leg.side {
        Side::Sell => notional.saturating_mul(i128::from(Bps::ONE - leg.fee.e8())),
        Side::Buy => {
            let missing = i128::from(whole.0.saturating_sub(leg.qty.0).saturating_add(left));
            let lost = missing.saturating_mul(2 * i128::from(leg.limit.0));
            -notional.saturating_add(lost).saturating_mul(i128::from(Bps::ONE + leg.fee.e8()))
        }
    }
}

fn fits(slot: &Slot, leg: &Leg) -> bool {
    let (market, any) = (&slot.market, leg.qty > Qty::ZERO);
    any && leg.qty >= market.min_qty && leg.notional >= market.min_notional
}

/// The limit of a closing order: as far from the best price as allowed but no farther, on the tick, and never so near
/// that it would not reach the best price at all. `None` when there is no such price.
fn closing_limit(side: Side, best: Price, tick: Price, give_e8: i64) -> Option<Price> {
    let limit = match side {
        Side::Sell => {
            let allowed = shifted(best, -give_e8, Side::Sell)?.ceil_to(tick)?;
            allowed.min(best.floor_to(tick))
        }
        Side::Buy => {
            let allowed = shifted(best, give_e8, Side::Buy)?.floor_to(tick);
            allowed.max(best.ceil_to(tick)?)
        }
    };
    (limit.0 > 0).then_some(limit)
}

/// A price moved by a rate, rounded toward where it came from; `None` when it does not fit.
fn shifted(price: Price, rate_e8: i64, side: Side) -> Option<Price> {
    let (moved, one) = (i128::from(price.0) * i128::from(Bps::ONE + rate_e8), i128::from(Bps::ONE));
    let rounded = match side {
        Side::Sell => moved.div_euclid(one) + i128::from(moved.rem_euclid(one) != 0),
        Side::Buy => moved.div_euclid(one),
    };
    i64::try_from(rounded).ok().map(Price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_limits_stay_within_what_may_be_given_and_on_the_tick() {
        let half_a_percent = Bps::from_bps(50).e8();
        for (side, best, tick, limit) in [
            (Side::Sell, 10_100, 1, Some(10_050)),
            (Side::Sell, 10_100, 100, Some(10_100)),
            (Side::Sell, 10_150, 100, Some(10_100)),
            (Side::Sell, 1, 1, Some(1)),
            (Side::Sell, 99, 100, None),
            (Side::Buy, 10_100, 1, Some(10_150)),
            (Side::Buy, 10_100, 100, Some(10_100)),
            (Side::Buy, 10_150, 100, Some(10_200)),
            (Side::Buy, 1, 1, Some(1)),
            (Side::Buy, i64::MAX, 1, None),
        ] {
            let found = closing_limit(side, Price(best), Price(tick), half_a_percent);
            assert_eq!(found, limit.map(Price), "{side:?} {best} by {tick}");
        }
    }
}
