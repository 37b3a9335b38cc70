//! Reports and fills into settled arbitrages; leftovers into closing orders.

use super::{Engine, Slot};
use crate::execute::{Arbitrage, Ending, Leveling, OrderRun, OrderState, Question};
use crate::message::{Command, Commands, Notice};
use cex_core::{
    Balance, Bps, ClientOrderId, Decimal, Fill, Leg, Order, OrderId, OrderStatus, Price, Qty, Side,
    Timestamp, VenueId,
};
use cex_errors::Outcome as CallOutcome;
use cex_risk::{ArbitrageId, Conditions};
use std::time::Duration;

/// The exchange's word on holdings is adopted only when nothing of ours moved there for this long.
const QUIET_BEFORE_ADOPTING: Duration = Duration::from_secs(1);

/// Between two attempts to trade the same difference away: the book must have had time to show the last one.
const CLOSING_PAUSE: Duration = Duration::from_millis(250);

/// Ended arbitrages whose orders are still recognised: an exchange reports late by seconds, not by hours of trading.
const ENDED_KEPT: usize = 10_000;
/// Fills remembered so that none is booked twice: far more than an exchange could repeat after a reconnect.
const FILLS_KEPT: usize = 200_000;

impl Engine {
    pub(super) fn placed(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        order_id: OrderId,
        order: Option<&Order>,
        out: &mut Commands,
    ) {
        self.with_order(now, client_id, out, |run| {
            run.accepted(now, order_id);
            if let Some(order) = order {
                run.report(now, order);
            }
        });
    }

    pub(super) fn place_failed(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        outcome: CallOutcome,
        out: &mut Commands,
    ) {
        self.with_order(now, client_id, out, |run| match outcome {
            CallOutcome::NotSent => run.not_sent(),
            CallOutcome::Refused => run.refused(),
            CallOutcome::Unknown => run.unknown(now),
        });
    }

    pub(super) fn order_read(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        order: Option<&Order>,
        out: &mut Commands,
    ) {
        self.with_order(now, client_id, out, |run| match order {
            Some(order) => run.report(now, order),
            None => run.absent(now),
        });
    }

    pub(super) fn fills_read(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        fills: &[Fill],
        out: &mut Commands,
    ) {
        for fill in fills {
            self.fill(now, &Fill { client_id: Some(client_id), ..*fill }, out);
        }
    }

    pub(super) fn order_report(&mut self, now: Timestamp, order: &Order, out: &mut Commands) {
        if let Some(client_id) = self.whose(order.venue, order.client_id, order.order_id) {
            self.with_order(now, client_id, out, |run| run.report(now, order));
        }
    }

    /// Books a fill, once: in the holdings whoever's it is, and in its arbitrage when it is ours.
    pub(super) fn fill(&mut self, now: Timestamp, fill: &Fill, out: &mut Commands) {
        if !self.seen_fills.insert(fill.key()) {
            self.totals.duplicate_fills += 1;
            return;
        }
        self.fills_in_order.push_back(fill.key());
        if self.fills_in_order.len() > FILLS_KEPT
            && let Some(oldest) = self.fills_in_order.pop_front()
        {
            self.seen_fills.remove(&oldest);
        }
        let Some(symbol) = self.symbol(fill.symbol).map(|state| state.symbol) else { return };
        let client_id = self.whose(fill.venue, fill.client_id, Some(fill.order_id));
        let fill = Fill { client_id, ..*fill };
        if self.gate.funds_mut().book(symbol, &fill).is_err() {
            return self.alarm("a fill does not fit into the holdings", out);
        }
        if let Some(state) = self.venues.get_mut(fill.venue.index()) {
            state.active_at = now;
        }
        let Some(client_id) = client_id else {
            self.totals.foreign_fills += 1;
            return;
        };
        let id = self.orders.get(&client_id).copied();
        let Some(arbitrage) = id.and_then(|id| self.arbitrages.get_mut(&id)) else {
            return self.late_fill(id, symbol, &fill, out);
        };
        match arbitrage.order_mut(client_id).map(|run| run.fill(symbol, &fill)) {
            Some(Ok(late)) => self.totals.late_fills += u64::from(late),
            Some(Err(_)) => return self.alarm("a fill does not fit into its arbitrage", out),
            None => return self.alarm("an order is not in its arbitrage", out),
        }
        self.after_order(now, client_id, out);
    }

    /// A fill of an arbitrage that was over. It counts like any other, and somebody must look: it should not happen.
    fn late_fill(
        &mut self,
        id: Option<ArbitrageId>,
        symbol: cex_core::Symbol,
        fill: &Fill,
        out: &mut Commands,
    ) {
        self.totals.late_fills += 1;
        let mark = id.and_then(|id| self.marks.get(&id)).copied().unwrap_or(fill.price);
        let worth = |fill: &Fill| {
            let (notional, value) = (fill.notional()?, fill.qty.checked_mul(mark)?);
            let fee = if fill.fee_asset == symbol.base { fill.fee.checked_mul(mark)? } else { fill.fee };
            match fill.side {
                Side::Buy => value.checked_sub(notional)?.checked_sub(fee),
                Side::Sell => notional.checked_sub(value)?.checked_sub(fee),
            }
        };
        match worth(fill).and_then(|worth| self.totals.realised.checked_add(worth)) {
            Ok(realised) => self.totals.realised = realised,
            Err(_) => self.alarm("a late fill does not fit into the profit", out),
        }
        out.notices.push(Notice::Alarm("a fill came after its arbitrage was over"));
    }

    pub(super) fn account_read(&mut self, now: Timestamp, venue: VenueId, balances: &[Balance]) {
        let Some(state) = self.venues.get_mut(venue.index()) else { return };
        let Some(asked_at) = state.account_asked_at else { return };
        // An answer that may have been made before our last fill would undo it.
        let first = !state.account_ready;
        let quiet =
            asked_at >= state.active_at + QUIET_BEFORE_ADOPTING || state.active_at == Timestamp::EPOCH;
        if self.gate.funds().is_busy(venue) || !quiet {
            if first {
                state.account_due_at = now + QUIET_BEFORE_ADOPTING;
            }
            return;
        }
        state.account_ready = true;
        for (known, asset, _) in self.gate.funds().all_held().collect::<Vec<_>>() {
            if known == venue && !balances.iter().any(|balance| balance.asset == asset) {
                self.gate.funds_mut().set_held(venue, asset, Decimal::ZERO);
            }
        }
        for balance in balances {
            if let Ok(total) = balance.total() {
                self.gate.funds_mut().set_held(venue, balance.asset, total);
            }
        }
    }

    pub(super) fn wake_orders(&mut self, now: Timestamp, out: &mut Commands) {
        let ids: Vec<_> = self.arbitrages.keys().copied().collect();
        for id in ids {
            let Some(arbitrage) = self.arbitrages.get_mut(&id) else { continue };
            for run in &mut arbitrage.orders {
                let request = run.request;
                let (venue, symbol, client_id) = (request.venue, request.symbol, request.client_id);
                match run.question(now) {
                    Some(Question::State) => {
                        out.commands.push(Command::QueryOrder {
                            venue,
                            symbol,
                            client_id,
                            order_id: run.order_id,
                        });
                    }
                    Some(Question::Fills(order_id)) => {
                        out.commands.push(Command::QueryFills { venue, symbol, client_id, order_id });
                    }
                    None => {}
                }
            }
            // A difference may be waiting for a book to trade it away on.
            if arbitrage.is_settled() {
                self.level(now, id, out);
            }
        }
    }

    /// Our id of an order that a report names by ours, by the exchange's, or by both.
    fn whose(
        &mut self,
        venue: VenueId,
        client_id: Option<ClientOrderId>,
        order_id: Option<OrderId>,
    ) -> Option<ClientOrderId> {
        let known = client_id.filter(|client_id| self.orders.contains_key(client_id));
        match (known, order_id) {
            (Some(client_id), Some(order_id)) => {
                self.by_order_id.insert((venue, order_id), client_id);
                Some(client_id)
            }
            (None, Some(order_id)) => self.by_order_id.get(&(venue, order_id)).copied(),
            (known, None) => known,
        }
    }

    fn with_order(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        out: &mut Commands,
        change: impl FnOnce(&mut OrderRun),
    ) {
        let Some(id) = self.orders.get(&client_id) else { return };
        let Some(run) = self.arbitrages.get_mut(id).and_then(|arbitrage| arbitrage.order_mut(client_id))
        else {
            return;
        };
        change(run);
        if let (venue, Some(order_id)) = (run.request.venue, run.order_id) {
            self.by_order_id.insert((venue, order_id), client_id);
        }
        self.after_order(now, client_id, out);
    }

    /// Something was learned of an order: release what it no longer needs, and move its arbitrage on.
    fn after_order(&mut self, now: Timestamp, client_id: ClientOrderId, out: &mut Commands) {
        self.count_unknown();
        let Some(id) = self.orders.get(&client_id).copied() else { return };
        let Some(arbitrage) = self.arbitrages.get_mut(&id) else { return };
        let Some(run) = arbitrage.order_mut(client_id) else { return };
        if !run.is_settled() || std::mem::replace(&mut run.closed, true) {
            return;
        }
        let OrderState::Ended { status, filled } = run.state else { return };
        let (venue, symbol) = (run.request.venue, run.request.symbol);
        if self.gate.funds_mut().release(client_id).is_err() {
            return self.alarm("a reservation does not fit", out);
        }
        self.gate.order_result(now, venue, status != OrderStatus::Rejected);
        if let Some(slot) = self.slot_mut(venue, symbol) {
            slot.touched_at = now;
        }
        out.notices.push(Notice::OrderEnded { id, venue, status, filled });
        self.level(now, id, out);
    }

    /// All orders settled: done if level, otherwise trade the difference away, wait for a book to do it, or park it.
    fn level(&mut self, now: Timestamp, id: ArbitrageId, out: &mut Commands) {
        let Some(arbitrage) = self.arbitrages.get(&id) else { return };
        if !arbitrage.is_settled() {
            return;
        }
        let Ok(residual) = arbitrage.residual() else {
            return self.alarm("an arbitrage's difference does not fit", out);
        };
        if residual.is_zero() {
            let any = arbitrage.orders.iter().any(|run| !run.booked.qty.is_zero());
            let ending = match (any, arbitrage.closings()) {
                (false, _) => Ending::NoneFilled,
                (true, 0) => Ending::BothFilled,
                (true, _) => Ending::Unwound,
            };
            return self.end(now, id, ending, out);
        }
        let leveling =
            arbitrage.leveling.unwrap_or(Leveling { by: now + self.config.max_naked, next_at: now });
        if let Some(arbitrage) = self.arbitrages.get_mut(&id) {
            arbitrage.leveling = Some(leveling);
        }
        self.close_or_wait(now, id, residual, leveling, out);
    }

    /// Trades a difference away now, or waits for a book, for funds or for the next attempt's turn; not for ever.
    fn close_or_wait(
        &mut self,
        now: Timestamp,
        id: ArbitrageId,
        residual: Decimal,
        leveling: Leveling,
        out: &mut Commands,
    ) {
        let Some(arbitrage) = self.arbitrages.get(&id) else { return };
        let attempts = arbitrage.closings();
        let closing = self.closing_leg(arbitrage, residual);
        match closing {
            Closing::TooSmall => self.end(now, id, Ending::Dust, out),
            Closing::Possible(_) | Closing::NoBook
                if now >= leveling.by || attempts >= self.config.max_closings =>
            {
                self.end(now, id, Ending::Parked, out);
            }
            Closing::Possible(leg) if now >= leveling.next_at => self.close_with(now, id, &leg, out),
            Closing::Possible(_) | Closing::NoBook => {}
        }
    }

    /// The best place to trade a difference away: one of the two venues, by price after fee.
    fn closing_leg(&self, arbitrage: &Arbitrage, residual: Decimal) -> Closing {
        let side = if residual.is_positive() { Side::Sell } else { Side::Buy };
        let (mut best, mut too_small): (Option<(i128, Leg)>, bool) = (None, false);
        for venue in [arbitrage.plan.buy.venue, arbitrage.plan.sell.venue] {
            let Some(slot) = self.slot(venue, arbitrage.symbol) else { continue };
            let Some((score, leg)) = self.closing_at(slot, side, residual) else { continue };
            if !fits(slot, &leg) {
                too_small = true;
            } else if best.as_ref().is_none_or(|(known, _)| score > *known) {
                best = Some((score, leg));
            }
        }
        match best {
            Some((_, leg)) => Closing::Possible(leg),
            None if too_small => Closing::TooSmall,
            None => Closing::NoBook,
        }
    }

    fn closing_at(&self, slot: &Slot, side: Side, residual: Decimal) -> Option<(i128, Leg)> {
        let book = slot.sync.usable()?;
        let scale = slot.market.scale;
        let qty = scale.qty(residual.abs().ok()?).ok()?.floor_to(slot.market.lot);
        let (give, fee) = (self.config.max_unwind.e8(), slot.taker_fee.e8());
        let (limit, score) = match side {
            Side::Sell => {
                let best = book.best_bid()?.price;
                let limit = shifted(best, -give)?;
                (
                    Price(limit - limit.rem_euclid(slot.market.tick.0)),
                    i128::from(best.0) * i128::from(Bps::ONE - fee),
                )
            }
            Side::Buy => {
                let best = book.best_ask()?.price;
                let limit = shifted(best, give)?;
                let up = (slot.market.tick.0 - limit.rem_euclid(slot.market.tick.0)) % slot.market.tick.0;
                (Price(limit + up), -i128::from(best.0) * i128::from(Bps::ONE + fee))
            }
        };
        let notional = limit.times(qty);
        Some((score, Leg { venue: slot.market.venue, side, limit, qty, notional, fee: slot.taker_fee }))
    }

    fn close_with(&mut self, now: Timestamp, id: ArbitrageId, leg: &Leg, out: &mut Commands) {
        let Some((symbol_id, symbol, scale)) = self.arbitrages.get(&id).and_then(|arbitrage| {
            let state = self.symbol(arbitrage.symbol)?;
            Some((arbitrage.symbol, state.symbol, state.scale))
        }) else {
            return;
        };
        let client_id = self.ids.next('c');
        let conditions = Conditions {
            symbol,
            scale,
            buy_book_at: now,
            sell_book_at: now,
            expires_in: self.config.expires_in,
        };
        // What cannot be paid for now may be when another order has given its reservation back.
        let Ok(order) = self.gate.approve_closing(now, symbol_id, leg, &conditions, client_id) else {
            return;
        };
        if let Some(arbitrage) = self.arbitrages.get_mut(&id) {
            arbitrage.orders.push(OrderRun::new(now, *order.get(), scale.qty_value(leg.qty)));
            arbitrage.leveling =
                arbitrage.leveling.map(|leveling| Leveling { next_at: now + CLOSING_PAUSE, ..leveling });
        }
        self.send(now, id, order, true, out);
    }

    fn end(&mut self, now: Timestamp, id: ArbitrageId, ending: Ending, out: &mut Commands) {
        let Some(arbitrage) = self.arbitrages.remove(&id) else { return };
        self.retire(&arbitrage);
        self.gate.close(now, id, ending == Ending::BothFilled);
        *self.totals.ended.entry(ending).or_default() += 1;
        let sums = arbitrage.outcome(now, ending).and_then(|outcome| {
            let expected = self.totals.expected.checked_add(outcome.plan.expected)?;
            Ok((expected, self.totals.realised.checked_add(outcome.realised)?, outcome))
        });
        match sums {
            Ok((expected, realised, outcome)) => {
                (self.totals.expected, self.totals.realised) = (expected, realised);
                out.notices.push(Notice::Finished(Box::new(outcome)));
            }
            Err(_) => self.alarm("an arbitrage's profit does not fit", out),
        }
    }

    /// Remembers an ended arbitrage for late reports of its orders, and forgets the oldest one.
    fn retire(&mut self, arbitrage: &Arbitrage) {
        let orders =
            arbitrage.orders.iter().map(|run| (run.request.client_id, run.request.venue, run.order_id));
        self.retired.push_back((arbitrage.id, orders.collect()));
        if self.retired.len() <= ENDED_KEPT {
            return;
        }
        let Some((id, orders)) = self.retired.pop_front() else { return };
        self.marks.remove(&id);
        for (client_id, venue, order_id) in orders {
            self.orders.remove(&client_id);
            if let Some(order_id) = order_id {
                self.by_order_id.remove(&(venue, order_id));
            }
        }
    }

    fn count_unknown(&mut self) {
        for index in 0..self.venues.len() {
            let venue = self.venues[index].id;
            let runs = self.arbitrages.values().flat_map(|arbitrage| &arbitrage.orders);
            let unknown = runs.filter(|run| run.request.venue == venue && run.is_unknown()).count();
            self.gate.set_unknown(venue, super::count(unknown));
        }
    }
}

/// Whether and where a difference can be traded away.
enum Closing {
    Possible(Leg),
    TooSmall,
    NoBook,
}

fn fits(slot: &Slot, leg: &Leg) -> bool {
    leg.qty >= slot.market.min_qty && leg.qty > Qty::ZERO && leg.notional >= slot.market.min_notional
}

/// A price moved by a rate, rounded toward zero; `None` when it does not fit.
fn shifted(price: Price, rate_e8: i64) -> Option<i64> {
    let moved = i128::from(price.0) * i128::from(Bps::ONE + rate_e8) / i128::from(Bps::ONE);
    i64::try_from(moved).ok().filter(|price| *price > 0)
}
