//! A crossing into a sized, approved pair of orders, or a verdict why not.

use super::{Engine, KnownOrder, Slot, Starting, SymbolState, common_lot};
use crate::detect::Crossing;
use crate::execute::{Arbitrage, OrderRun};
use crate::message::{Command, Commands, Notice};
use crate::opportunity::{Opportunity, Verdict};
use crate::plan::{Bounds, Size, best_size};
use cex_core::{
    Bps, Decimal, Leg, Notional, NumError, OrderRequest, Plan, Price, Qty, Rounding, Side, SymbolId,
    Timestamp, VenueId,
};
use cex_orderbook::{Book, Levels};
use cex_risk::{Approved, ArbitrageId, BookFacts, Conditions};
use std::time::Duration;

/// Levels a side that count as what a book shows: what lies deeper is not there when it is needed.
const VISIBLE: usize = 20;

impl Engine {
    /// The book of a symbol changed at a venue, and all that came with it is in: is there something to trade? Where the best crossing
    /// is refused the next one may not be: with three venues, one that cannot be traded at must not hide what the others offer.
    pub(super) fn look(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId, out: &mut Commands) {
        let mut above = None;
        while let Some((rank, crossing)) =
            self.symbol(symbol).and_then(|state| state.tops.crossing(venue.index(), above))
        {
            let (verdict, profit) = match self.consider(now, symbol, crossing, out) {
                Ok(profit) => (Verdict::Traded, profit),
                Err(refused) => refused,
            };
            let Some(state) = self.symbols.get_mut(symbol.index()).and_then(Option::as_mut) else { return };
            let opportunity = standing(&mut state.opportunities, now, crossing);
            opportunity.seen(crossing);
            opportunity.judge(verdict, profit);
            if matches!(verdict, Verdict::Traded | Verdict::BelowEdge) {
                return;
            }
            above = Some(rank);
        }
    }

    /// Ends the opportunities of a venue's book that its new top closed.
    pub(super) fn end_opportunities(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        symbol: SymbolId,
        out: &mut Commands,
    ) {
        let Some(state) = self.symbols.get_mut(symbol.index()).and_then(Option::as_mut) else { return };
        let mut at = 0;
        while let Some(opportunity) = state.opportunities.get(at) {
            let Crossing { buy, sell, .. } = opportunity.best;
            let concerned = buy == venue.index() || sell == venue.index();
            if concerned && state.tops.pair(buy, sell).is_none() {
                let opportunity = state.opportunities.swap_remove(at);
                *self.totals.opportunities.entry(opportunity.verdict).or_default() += 1;
                out.notices.push(Notice::Opportunity { symbol, opportunity, ended_at: now });
            } else {
                at += 1;
            }
        }
    }

    /// Ends every opportunity still standing, so that each has been told with its verdict.
    pub fn finish(&mut self, now: Timestamp, out: &mut Commands) {
        for (index, state) in self.symbols.iter_mut().enumerate() {
            let Some(state) = state else { continue };
            let symbol = SymbolId(u32::try_from(index).unwrap_or(u32::MAX));
            for opportunity in state.opportunities.drain(..) {
                *self.totals.opportunities.entry(opportunity.verdict).or_default() += 1;
                out.notices.push(Notice::Opportunity { symbol, opportunity, ended_at: now });
            }
        }
    }

    /// Trades the crossing, or says why not, with the profit that was in it as far as it was sized.
    fn consider(
        &mut self,
        now: Timestamp,
        symbol: SymbolId,
        crossing: Crossing,
        out: &mut Commands,
    ) -> Result<Decimal, (Verdict, Decimal)> {
        let refuse = |verdict| (verdict, Decimal::ZERO);
        // The tops are the best there is: if they do not reach the least edge, no size does.
        if crossing.net < self.config.limits.min_edge {
            return Err(refuse(Verdict::BelowEdge));
        }
        if now < self.even_at {
            return Err(refuse(Verdict::Stale));
        }
        if !self.is_ready(now, crossing.buy) || !self.is_ready(now, crossing.sell) {
            return Err(refuse(Verdict::NotReady));
        }
        let state = self.symbol(symbol).ok_or(refuse(Verdict::Stale))?;
        let (buy, sell) = (slot(state, crossing.buy), slot(state, crossing.sell));
        let (Some(buy), Some(sell)) = (buy, sell) else { return Err(refuse(Verdict::Stale)) };
        let is_settling = |slot: &Slot| {
            self.is_out(slot)
                || slot.sync.as_of() < Some(slot.touched_at + self.config.settle)
                || self.lacks_our_fill(now, slot)
        };
        if is_settling(buy) || is_settling(sell) {
            return Err(refuse(Verdict::Settling));
        }

        let (plan, conditions) = self.plan(now, symbol, state, buy, sell).map_err(refuse)?;
        let ids = &mut self.ids;
        match self.gate.approve(now, &plan, &conditions, || [ids.next('b'), ids.next('s')]) {
            Ok((id, orders)) => {
                self.start(now, id, &plan, orders, out);
                Ok(plan.expected)
            }
            Err(refusal) => Err((refusal.into(), plan.expected)),
        }
    }

    /// Whether an order of ours is out in a market: what its book shows may be what that order takes.
    fn is_out(&self, slot: &Slot) -> bool {
        let here = |order: &OrderRequest| order.venue == slot.market.venue && order.symbol == slot.market.id;
        self.arbitrages.orders().any(|run| !run.is_settled() && here(&run.request))
            || self.starting.iter().any(|starting| starting.orders.iter().any(here))
    }

    /// Whether a book is from before our newest fill there, by its exchange's clock: streams lag, and it still shows what we took.
    /// Not for longer than a book may lag at all (R7): one that says nothing more is right.
    fn lacks_our_fill(&self, now: Timestamp, slot: &Slot) -> bool {
        let told_at = slot.sync.live().map_or(Timestamp::EPOCH, |live| live.exchange_ts);
        told_at > Timestamp::EPOCH
            && told_at <= slot.filled_ts
            && now < slot.touched_at + self.config.limits.max_venue_age
    }

    pub(super) fn plan(
        &self,
        now: Timestamp,
        symbol: SymbolId,
        state: &SymbolState,
        buy: &Slot,
        sell: &Slot,
    ) -> Result<(Plan, Conditions), Verdict> {
        let (Some(asks), Some(bids)) = (buy.sync.usable(), sell.sync.usable()) else {
            return Err(Verdict::Stale);
        };
        let facts = [buy, sell].map(|slot| self.facts(now, slot));
        let [Some(buy_book), Some(sell_book)] = facts else { return Err(Verdict::Stale) };
        let mut bounds = self.bounds(state, buy, sell).map_err(|_| Verdict::Refused("overflow"))?;
        if self.gate.is_probing(now, symbol) {
            let best = (asks.best_ask(), bids.best_bid());
            let (Some(ask), Some(bid)) = best else { return Err(Verdict::Stale) };
            bounds.max_qty = bounds.max_qty.min(bounds.least(ask.price, bid.price));
        }
        let size = best_size(asks.asks(), bids.bids(), &bounds)?;
        let mut plan = planned(symbol, state, buy, sell, &size).ok_or(Verdict::Refused("overflow"))?;
        // What earns most may earn too little on each (R11). What earns as much as it must on its last lot does not.
        if plan.net_edge < self.config.limits.min_edge
            && let Some(size) = self.size_of_the_edge(asks, bids, &bounds)
        {
            plan = planned(symbol, state, buy, sell, &size).unwrap_or(plan);
        }
        let conditions = Conditions {
            symbol: state.symbol,
            scale: state.scale,
            buy_book,
            sell_book,
            expires_in: self.config.expires_in,
        };
        Ok((plan, conditions))
    }

    /// The largest size of which every lot has the least edge; `None` where there is none.
    fn size_of_the_edge(&self, asks: &Book, bids: &Book, bounds: &Bounds) -> Option<Size> {
        let least = self.config.limits.min_edge;
        let dearer =
            Bounds { buy_fee: Bps::from_e8(bounds.buy_fee.e8().checked_add(least.e8())?), ..*bounds };
        let size = best_size(asks.asks(), bids.bids(), &dearer).ok()?;
        // It is no fee: what was reckoned as one is earned.
        let edge = size.buy_notional.0.checked_mul(i128::from(least.e8()))?;
        Some(Size { profit_e8: size.profit_e8.checked_add(edge)?, ..size })
    }

    /// What the gate asks about a book.
    fn facts(&self, now: Timestamp, slot: &Slot) -> Option<BookFacts> {
        let (live, mid) = (slot.sync.live()?, slot.mid()?);
        let offset = self.venues.get(slot.market.venue.index()).and_then(|venue| venue.clock_offset);
        let venue_now =
            offset.map(|nanos| now.shifted(nanos)).filter(|_| live.exchange_ts > Timestamp::EPOCH);
        Some(BookFacts {
            as_of: live.as_of,
            venue_age: venue_now.map(|venue_now| venue_now.since(live.exchange_ts)),
            venue_lead: venue_now.map_or(Duration::ZERO, |venue_now| live.exchange_ts.since(venue_now)),
            audit_age: slot.is_auditable().then(|| now.since(live.synced_at)),
            mid,
        })
    }

    fn bounds(&self, state: &SymbolState, buy: &Slot, sell: &Slot) -> Result<Bounds, NumError> {
        let (bought, sold) = (&buy.market, &sell.market);
        let limits = &self.config.limits;
        let scale = state.scale;
        let free = |slot: &Slot, asset, dp| -> Result<Decimal, NumError> {
            let free = self.gate.funds().free(slot.market.venue, asset)?.max(Decimal::ZERO);
            without(free, limits.fee_buffer, dp)
        };
        let quote = free(buy, state.symbol.quote, scale.price_dp() + scale.qty_dp())?;
        let base = free(sell, state.symbol.base, scale.qty_dp())?;
        Ok(Bounds {
            buy_fee: buy.taker_fee,
            sell_fee: sell.taker_fee,
            buy_tick: bought.tick,
            sell_tick: sold.tick,
            step: common_lot(bought, sold).ok_or(NumError::Overflow)?,
            min_qty: bought.min_qty.max(sold.min_qty),
            max_qty: bought.max_qty.min(sold.max_qty).min(self.visible(buy, sell)),
            min_buy_notional: buy.least_notional,
            min_sell_notional: sell.least_notional,
            max_order_notional: bought.max_notional.min(sold.max_notional),
            max_leg_notional: scale.notional(self.max_leg).unwrap_or(Notional(i128::MAX)),
            // More than fits binds nothing.
            quote_free: scale.notional(quote).unwrap_or(Notional(i128::MAX)),
            base_free: scale.qty(base).unwrap_or(Qty(i64::MAX)),
        })
    }

    /// The part of what both books show near their top that one leg may take (R6).
    fn visible(&self, buy: &Slot, sell: &Slot) -> Qty {
        let share = self.config.limits.max_depth_share;
        let (Some(asks), Some(bids)) = (buy.sync.usable(), sell.sync.usable()) else { return Qty::ZERO };
        if share.e8() >= Bps::ONE {
            return Qty(i64::MAX);
        }
        let shown = |levels: Levels<'_>| {
            levels.take(VISIBLE).fold(0, |sum: i64, level| sum.saturating_add(level.qty.0))
        };
        let shown = i128::from(shown(asks.asks()).min(shown(bids.bids())));
        Qty(i64::try_from(shown * i128::from(share.e8()) / i128::from(Bps::ONE)).unwrap_or(i64::MAX))
    }

    /// Sends the orders. What must be known of them is only noted here and entered by [`Self::enter_started`].
    fn start(
        &mut self,
        now: Timestamp,
        id: ArbitrageId,
        plan: &Plan,
        legs: [Approved<OrderRequest>; 2],
        out: &mut Commands,
    ) {
        let orders = [*legs[0].get(), *legs[1].get()];
        self.totals.started += 1;
        self.starting.push(Starting { at: now, id, plan: *plan, orders });
        out.commands.push(Command::Open { legs });
        out.notices.push(Notice::Started { id, plan: *plan });
    }

    /// Enters what was started by the last event into the tables. The next event finds it there, and nothing can be heard
    /// of an order before; but its bytes need not wait for tables that have left the caches.
    pub(super) fn enter_started(&mut self) {
        while let Some(Starting { at, id, plan, orders }) = self.starting.pop() {
            let Some(scale) = self.symbol(plan.symbol).map(|state| state.scale) else { continue };
            let mark = scale.price_value(plan.buy.limit);
            let qty = [plan.buy.qty, plan.sell.qty].map(|qty| scale.qty_value(qty));
            let runs = orders.iter().zip(qty).map(|(order, qty)| OrderRun::new(at, *order, qty)).collect();
            self.arbitrages.insert(Arbitrage {
                id,
                symbol: plan.symbol,
                plan,
                orders: runs,
                mark,
                started_at: at,
                leveling: None,
                carried: None,
            });
            self.marks.insert(id, mark);
            orders.iter().for_each(|order| self.note_sent(at, id, order));
        }
    }

    /// An order is about to leave. Everything that must be known when its answer comes is known before.
    pub(super) fn note_sent(&mut self, now: Timestamp, id: ArbitrageId, order: &OrderRequest) {
        let OrderRequest { venue, symbol, .. } = *order;
        let known = KnownOrder { arbitrage: id, venue, symbol, sent_at: now, order_id: None };
        self.orders.insert(order.client_id, known);
        if let Some(state) = self.venues.get_mut(order.venue.index()) {
            state.active_at = now;
        }
    }

    /// The legs of an arbitrage could not leave together, so neither did: its opportunity was not traded.
    pub(super) fn note_withheld(&mut self, plan: &Plan) {
        self.totals.started -= 1;
        let Some(state) = self.symbols.get_mut(plan.symbol.index()).and_then(Option::as_mut) else { return };
        let (buy, sell) = (plan.buy.venue.index(), plan.sell.venue.index());
        if let Some(standing) = state.opportunities.iter_mut().find(|known| known.is_between(buy, sell)) {
            standing.withheld();
        }
    }
}

/// What may be spent of an amount when `buffer` more than that must be there, rounded down to `dp` decimals.
fn without(amount: Decimal, buffer: Bps, dp: u8) -> Result<Decimal, NumError> {
    if buffer == Bps::ZERO {
        return Ok(amount);
    }
    amount.checked_div(Decimal::ONE.checked_add(buffer.fraction())?, dp, Rounding::Down)
}

fn slot(state: &SymbolState, venue: usize) -> Option<&Slot> {
    state.slots.get(venue)?.as_ref()
}

/// The opportunity between these venues, begun now if there is none.
fn standing(opportunities: &mut Vec<Opportunity>, now: Timestamp, crossing: Crossing) -> &mut Opportunity {
    let known = opportunities.iter().position(|known| known.is_between(crossing.buy, crossing.sell));
    let at = known.unwrap_or_else(|| {
        opportunities.push(Opportunity::new(now, crossing));
        opportunities.len() - 1
    });
    &mut opportunities[at]
}

fn planned(symbol: SymbolId, state: &SymbolState, buy: &Slot, sell: &Slot, size: &Size) -> Option<Plan> {
    let leg = |slot: &Slot, side, limit: Price, notional| Leg {
        venue: slot.market.venue,
        side,
        limit,
        qty: size.qty,
        notional,
        fee: slot.taker_fee,
    };
    let profit_dp = state.scale.price_dp() + state.scale.qty_dp() + 8;
    // Both in 10^-8: the profit by what is paid, and the edge.
    let net_edge = size.profit_e8.checked_div(size.buy_notional.0)?;
    Some(Plan {
        symbol,
        buy: leg(buy, Side::Buy, size.buy_limit, size.buy_notional),
        sell: leg(sell, Side::Sell, size.sell_limit, size.sell_notional),
        expected: Decimal::new(size.profit_e8, profit_dp),
        net_edge: Bps::from_e8(i64::try_from(net_edge).ok()?),
    })
}
