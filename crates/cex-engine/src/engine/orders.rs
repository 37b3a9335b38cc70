//! Reports, answers and fills into settled orders and ended arbitrages.

use super::{Engine, KnownOrder};
use crate::execute::{Arbitrage, Ending, OrderRun, OrderState, Outcome, Question};
use crate::ids::is_our_form;
use crate::message::{Command, Commands, Notice, Told, VenueNote};
use cex_core::{
    Balance, ClientOrderId, Decimal, Fill, FillKey, NumError, Order, OrderId, OrderRequest, OrderStatus,
    Scale, Side, Timestamp, VenueId,
};
use cex_errors::Outcome as CallOutcome;
use cex_risk::{ArbitrageId, CycleSums, OrderResult};
use std::time::Duration;

/// An exchange's clock is off by less than this: [`super::CLOCK_OFFSET_MAX`] and room to spare.
const CLOCKS_APART: Duration = Duration::from_secs(30);

/// Ended arbitrages whose orders are still recognised: an exchange reports late by seconds, not by hours of trading.
pub(super) const ENDED_KEPT: usize = 10_000;
/// Fills remembered so that none is booked twice: far more than an exchange could repeat after a reconnect.
pub(super) const FILLS_KEPT: usize = 50_000;
/// Fills of orders not known yet: more than all our orders on the way can have.
const ORPHANS_KEPT: usize = 1_000;

impl Engine {
    pub(super) fn placed(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        order_id: OrderId,
        order: Option<&Order>,
        out: &mut Commands,
    ) {
        self.note_answer(now, client_id, true, out);
        order.into_iter().for_each(|order| self.compare(client_id, order, out));
        self.with_order(now, (client_id, Some(order_id)), out, |run| {
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
        match outcome {
            CallOutcome::NotSent => {}
            CallOutcome::Refused => self.note_answer(now, client_id, true, out),
            CallOutcome::Unknown => self.note_answer(now, client_id, false, out),
        }
        self.with_order(now, (client_id, None), out, |run| match outcome {
            CallOutcome::NotSent => run.not_sent(),
            CallOutcome::Refused => run.refused(now),
            CallOutcome::Unknown => run.unknown(now),
        });
    }

    /// What an exchange tells of an order must be what was approved (R36): whatever made it another one makes the next too.
    fn compare(&mut self, client_id: ClientOrderId, order: &Order, out: &mut Commands) {
        let contradicts = self.run(client_id).is_some_and(|(run, scale)| run.contradicts(scale, order));
        if !self.killed && contradicts {
            self.alarm("an exchange has another order than was approved", out);
        }
    }

    /// An order of an arbitrage that goes on, and the scale of its symbol.
    fn run(&self, client_id: ClientOrderId) -> Option<(&OrderRun, Scale)> {
        let arbitrage = self.arbitrages.get(self.orders.get(&client_id)?.arbitrage)?;
        let run = arbitrage.orders.iter().find(|run| run.request.client_id == client_id)?;
        Some((run, self.symbol(arbitrage.symbol)?.scale))
    }

    /// An order was answered, or its answer will never come: what that says of its venue (R25).
    fn note_answer(&mut self, now: Timestamp, client_id: ClientOrderId, came: bool, out: &mut Commands) {
        // Its arbitrage may be over: streams often tell of fills before the answer comes.
        let Some(&KnownOrder { venue, symbol, sent_at, .. }) = self.orders.get(&client_id) else { return };
        let took = came.then(|| now.since(sent_at));
        self.gate.answered(now, venue, took);
        let told = took.map_or(Told::Lost, Told::Answered);
        out.notices.push(Notice::Noted(VenueNote { venue, symbol, client_id, told }));
    }

    pub(super) fn order_read(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        asked_at: Timestamp,
        order: Option<&Order>,
        out: &mut Commands,
    ) {
        let lag = self.config.venue_lag;
        order.into_iter().for_each(|order| self.compare(client_id, order, out));
        let order_id = order.and_then(|order| order.order_id);
        self.with_order(now, (client_id, order_id), out, |run| match order {
            Some(order) => run.answered(now, asked_at, order),
            None => run.missing(asked_at, lag),
        });
    }

    /// What an account traded, of which an order was looked for that the exchange does not know.
    pub(super) fn trades_read(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        asked_at: Timestamp,
        (fills, whole): (&[Fill], bool),
        out: &mut Commands,
    ) {
        for fill in fills {
            if self.whose(fill.venue, fill.client_id, Some(fill.order_id)) == Some(client_id) {
                self.fill(now, fill, out);
            }
        }
        // One that nobody knows may be the order's: not every list of trades names their orders.
        let may_be_its = |fill: &Fill| {
            fill.client_id.is_none()
                && self.whose(fill.venue, None, Some(fill.order_id)).is_none()
                && !self.is_of_the_past(fill)
                && !self.is_a_strangers(fill)
                && self.run(client_id).is_none_or(|(run, scale)| {
                    let gone_at = run.sent_at() + run.request.expires_in + self.config.venue_lag;
                    fill.exchange_ts <= gone_at + CLOCKS_APART && run.may_have_made(scale, fill)
                })
        };
        if whole && !fills.iter().any(may_be_its) {
            self.with_order(now, (client_id, None), out, |run| run.traded_read(asked_at));
        }
    }

    /// The open orders of an account, of which an order was looked for that the exchange does not know by its name.
    pub(super) fn open_read(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        asked_at: Timestamp,
        (orders, whole): (&[Order], bool),
        out: &mut Commands,
    ) {
        for order in orders {
            self.order_report(now, order, out);
        }
        // One that nobody knows may be the order, unless it is another one by what it orders.
        let may_be_it = |order: &Order| {
            order.client_id.is_none()
                && self.whose(order.venue, None, order.order_id).is_none()
                && self.run(client_id).is_none_or(|(run, scale)| !run.contradicts(scale, order))
        };
        let its = |order: &Order| order.client_id == Some(client_id);
        if whole && !orders.iter().any(|order| its(order) || may_be_it(order)) {
            self.with_order(now, (client_id, None), out, |run| run.not_open(asked_at));
        }
    }

    /// An account was read. An order of which nothing else is missing to the proof that it is not there is not, when the account
    /// holds of its coin exactly what the fills of all orders explain: whatever more it had filled would show there.
    pub(super) fn prove_absent(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        asked_at: Timestamp,
        balances: &[Balance],
        out: &mut Commands,
    ) {
        let runs =
            self.arbitrages.orders().filter(|run| run.request.venue == venue && run.awaits_account(asked_at));
        let explained = |run: &OrderRun| {
            let Some(state) = self.symbol(run.request.symbol) else { return false };
            let Some(slot) = self.slot(venue, run.request.symbol) else { return false };
            let (base, lot) = (state.symbol.base, state.scale.qty_value(slot.market.lot));
            let told = balances.iter().find(|balance| balance.asset == base);
            let off = told
                .map_or(Ok(Decimal::ZERO), Balance::total)
                .and_then(|told| told.checked_sub(self.gate.funds().held(venue, base))?.abs());
            // A fill is a lot at least, less its fee: what is less than half of one is rounding, as at a start.
            off.and_then(|off| off.checked_add(off)).is_ok_and(|twice| twice < lot)
        };
        let absent: Vec<_> = runs.filter(|run| explained(run)).map(|run| run.request.client_id).collect();
        for client_id in absent {
            self.with_order(now, (client_id, None), out, |run| run.absent(asked_at));
        }
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
            self.compare(client_id, order, out);
            self.with_order(now, (client_id, order.order_id), out, |run| run.report(now, order));
        }
    }

    /// Books a fill, once: in the holdings whoever's it is, and in its arbitrage when it is ours.
    pub(super) fn fill(&mut self, now: Timestamp, fill: &Fill, out: &mut Commands) {
        let client_id = self.whose(fill.venue, fill.client_id, Some(fill.order_id));
        let is_lost = client_id.is_none() && fill.client_id.is_some_and(|id| is_our_form(id.as_str()));
        let (named, fill) = (fill.client_id, Fill { client_id, ..*fill });
        if let Some(client_id) = client_id {
            self.link_order(now, client_id, fill.order_id, out);
        }
        if !self.remember(fill.key()) {
            self.totals.duplicate_fills += 1;
            return;
        }
        let Some(symbol) = self.symbol(fill.symbol).map(|state| state.symbol) else { return };
        let is_held = client_id.is_some_and(|client_id| self.holds_what_was_given_up(fill.venue, client_id));
        let held = if is_held { Ok(()) } else { self.gate.book(symbol, &fill) };
        if held.and_then(|()| self.unexplained.fill(symbol, &fill)).is_err() {
            return self.alarm("a fill does not fit into the holdings", out);
        }
        if is_held {
            out.notices.push(Notice::HeldAlready { venue: fill.venue });
        } else if let Some(state) = self.venues.get_mut(fill.venue.index()) {
            state.active_at = now;
            state.basis.moved(now, symbol, &fill);
        }
        match client_id {
            Some(client_id) => self.attribute(now, client_id, &fill, out),
            None => self.keep_orphan(Fill { client_id: named, ..fill }, out),
        }
        // Its arbitrage ended in an earlier run, or nobody knows of it: there is nothing left that could even it out.
        if is_lost {
            self.alarm("an order of an earlier run filled after that run", out);
        }
    }

    /// Whether an account was adopted after this order had been given up: it shows what the order filled.
    fn holds_what_was_given_up(&self, venue: VenueId, client_id: ClientOrderId) -> bool {
        let id = self.orders.get(&client_id).map(|known| known.arbitrage);
        let mut runs = id.and_then(|id| self.arbitrages.get(id)).into_iter().flat_map(|one| &one.orders);
        let run = runs.find(|run| run.request.client_id == client_id);
        let adopted = self.venues.get(venue.index()).and_then(|state| state.basis.adopted());
        run.and_then(OrderRun::given_up_at).zip(adopted).is_some_and(|(at, adopted)| adopted >= at)
    }

    /// Whether a fill was booked for an order of which only its fills are remembered: of an earlier run, or long over.
    fn is_of_the_past(&self, fill: &Fill) -> bool {
        let key = fill.key();
        self.seen_fills.contains(&key) && !self.orphans.iter().any(|orphan| orphan.key() == key)
    }

    /// Whether a fill was told before with a name that none of our orders has.
    fn is_a_strangers(&self, fill: &Fill) -> bool {
        let key = fill.key();
        self.orphans.iter().any(|orphan| orphan.client_id.is_some() && orphan.key() == key)
    }

    /// Whether a fill is new; only the newest are remembered.
    pub(super) fn remember(&mut self, key: FillKey) -> bool {
        if !self.seen_fills.insert(key) {
            return false;
        }
        self.fills_in_order.push_back(key);
        if self.fills_in_order.len() > FILLS_KEPT
            && let Some(oldest) = self.fills_in_order.pop_front()
        {
            self.seen_fills.remove(&oldest);
        }
        true
    }

    /// The holdings have the fill; whose it is may turn up later.
    fn keep_orphan(&mut self, fill: Fill, out: &mut Commands) {
        self.totals.foreign_fills += 1;
        self.orphans.push_back(fill);
        if self.orphans.len() > ORPHANS_KEPT
            && let Some(oldest) = self.orphans.pop_front()
            && let Some(symbol) = self.symbol(oldest.symbol).map(|state| state.symbol)
            && self.unexplained.forget(symbol, &oldest).is_err()
        {
            self.alarm("a fill of nobody does not fit", out);
        }
    }

    /// Books a new fill of our order in its arbitrage.
    fn attribute(&mut self, now: Timestamp, client_id: ClientOrderId, fill: &Fill, out: &mut Commands) {
        if let Some(slot) = self.slot_mut(fill.venue, fill.symbol) {
            slot.filled_ts = slot.filled_ts.max(fill.exchange_ts);
        }
        let Some(symbol) = self.symbol(fill.symbol).map(|state| state.symbol) else { return };
        if self.gate.carry(symbol, fill).is_err() {
            return self.alarm("a fill does not fit into the position", out);
        }
        let Ok(other_fee) = self.other_fee(symbol, fill) else {
            return self.alarm("a fee does not fit", out);
        };
        let id = self.orders.get(&client_id).map(|known| known.arbitrage);
        let Some(arbitrage) = id.and_then(|id| self.arbitrages.get_mut(id)) else {
            return self.late_fill(id, symbol, (fill, other_fee.counted), out);
        };
        let Some(run) = arbitrage.order_mut(client_id) else {
            return self.alarm("an order is not in its arbitrage", out);
        };
        let (told, is_too_much) = (run.fill(symbol, fill, other_fee), run.is_overfilled());
        match told {
            Ok(late) => self.totals.late_fills += u64::from(late),
            Err(_) => return self.alarm("a fill does not fit into its arbitrage", out),
        }
        // Whatever was told twice, or filled too much: what is counted here must not be traded away.
        if is_too_much {
            return self.alarm("more of an order was filled than was ordered", out);
        }
        self.after_order(now, client_id, out);
    }

    /// A fill of an arbitrage that was over. It counts like any other, and somebody must look: what we took for certain
    /// about this exchange is not, and what the fill left open is not closed any more.
    fn late_fill(
        &mut self,
        id: Option<ArbitrageId>,
        symbol: cex_core::Symbol,
        (fill, other_fee): (&Fill, Decimal),
        out: &mut Commands,
    ) {
        self.totals.late_fills += 1;
        let mark = id.and_then(|id| self.marks.get(&id)).copied().unwrap_or(fill.price);
        let worth = |fill: &Fill| {
            let (notional, value) = (fill.notional()?, fill.qty.checked_mul(mark)?);
            let gain = match fill.side {
                Side::Buy => value.checked_sub(notional)?,
                Side::Sell => notional.checked_sub(value)?,
            };
            let base_fee = fill.fee_in(symbol.base)?.checked_mul(mark)?;
            gain.checked_sub(base_fee)?.checked_sub(fill.fee_in(symbol.quote)?)?.checked_sub(other_fee)
        };
        let sums = worth(fill).and_then(|worth| {
            Ok((self.totals.realised.checked_add(worth)?, self.totals.other_fee.checked_add(other_fee)?))
        });
        match sums {
            Ok((realised, other_fee)) => {
                (self.totals.realised, self.totals.other_fee) = (realised, other_fee);
            }
            Err(_) => self.alarm("a late fill does not fit into the profit", out),
        }
        if self.unexplained.forget(symbol, fill).is_err() {
            self.alarm("a late fill does not fit into the ledger", out);
        }
        self.alarm("a fill came after its arbitrage was over", out);
    }

    pub(super) fn wake_orders(&mut self, now: Timestamp, out: &mut Commands) {
        let ids: Vec<_> = self.arbitrages.ids().collect();
        for id in ids {
            let Some(arbitrage) = self.arbitrages.get_mut(id) else { continue };
            let mut overdue = false;
            for run in &mut arbitrage.orders {
                overdue |= run.is_newly_overdue(now);
                let request = run.request;
                let (venue, symbol, client_id) = (request.venue, request.symbol, request.client_id);
                match run.question(now) {
                    Some(Question::State) => {
                        out.commands.push(Command::QueryOrder {
                            venue,
                            symbol,
                            client_id,
                            order_id: run.order_id,
                            asked_at: now,
                        });
                    }
                    Some(Question::Cancel) => {
                        let order_id = run.order_id;
                        out.commands.push(Command::Cancel { venue, symbol, client_id, order_id });
                    }
                    Some(Question::Fills(order_id)) => {
                        let since = run.sent_at() - CLOCKS_APART;
                        out.commands.push(Command::QueryFills { venue, symbol, client_id, order_id, since });
                    }
                    Some(Question::Open) => {
                        let asked_at = now;
                        out.commands.push(Command::QueryOpen { venue, symbol, client_id, asked_at });
                    }
                    Some(Question::Trades) => {
                        let (since, asked_at, order_id) = (run.sent_at() - CLOCKS_APART, now, run.order_id);
                        out.commands.push(Command::QueryTrades {
                            venue,
                            symbol,
                            client_id,
                            order_id,
                            since,
                            asked_at,
                        });
                    }
                    Some(Question::Account) => {
                        out.commands.push(Command::ReadAccount { venue, asked_at: now });
                    }
                    None => {}
                }
            }
            // A difference may be waiting for a book to trade it away on.
            let settled = arbitrage.is_settled();
            if overdue {
                self.alarm("what became of an order has been unknown for too long", out);
            }
            if settled {
                self.level(now, id, out);
            }
        }
        self.count_unknown(now);
    }

    /// Orders that are not settled, of which an operator was told and has looked: what they had reserved is given back, so that their
    /// accounts are compared again (R32), and nothing is opened there before. One that nobody could find ends with what is booked,
    /// and its arbitrage is parked. Of one that is over and whose fills do not fit nobody here knows what it came to: its arbitrage
    /// stays open.
    pub(super) fn give_up_told(&mut self, now: Timestamp, out: &mut Commands) {
        // One after the other: the last of an arbitrage ends it, and each has a reservation to give back before.
        while let Some((request, settled)) = self.give_up_one(now) {
            let (venue, symbol, client_id) = (request.venue, request.symbol, request.client_id);
            if settled {
                self.after_order(now, client_id, out);
            } else {
                if self.gate.gave_up(now, venue, client_id).is_err() {
                    self.alarm("a reservation does not fit", out);
                }
                let told = Told::Ended { worked: false, fee_excess: None };
                out.notices.push(Notice::Noted(VenueNote { venue, symbol, client_id, told }));
            }
            self.account_in_doubt(now, venue);
        }
    }

    /// Gives the next one up, if there is one; whether it is settled by that.
    fn give_up_one(&mut self, now: Timestamp) -> Option<(OrderRequest, bool)> {
        let mut runs = self.arbitrages.orders_mut();
        runs.find_map(|run| run.give_up(now).then(|| (run.request, run.is_settled())))
    }

    /// Our id of an order that a report names by ours, by the exchange's, or by both.
    pub(super) fn whose(
        &self,
        venue: VenueId,
        client_id: Option<ClientOrderId>,
        order_id: Option<OrderId>,
    ) -> Option<ClientOrderId> {
        let known = client_id.filter(|client_id| self.orders.contains_key(client_id));
        known.or_else(|| self.by_order_id.get(&(venue, order_id?)).copied())
    }

    /// From now on reports may name the order by the exchange's identifier; fills that did already are its own.
    fn link_order(
        &mut self,
        now: Timestamp,
        client_id: ClientOrderId,
        order_id: OrderId,
        out: &mut Commands,
    ) {
        let Some(known) = self.orders.get_mut(&client_id) else { return };
        match known.order_id {
            Some(linked) if linked == order_id => return,
            Some(_) => return self.alarm("an exchange made two orders of one", out),
            None => known.order_id = Some(order_id),
        }
        let venue = known.venue;
        self.by_order_id.insert((venue, order_id), client_id);
        let is_its = |fill: &Fill| fill.venue == venue && fill.order_id == order_id;
        while let Some(at) = self.orphans.iter().position(is_its) {
            let Some(fill) = self.orphans.remove(at) else { return };
            self.totals.foreign_fills -= 1;
            self.attribute(now, client_id, &Fill { client_id: Some(client_id), ..fill }, out);
        }
    }

    /// Something was told about an order, perhaps also how the exchange names it.
    fn with_order(
        &mut self,
        now: Timestamp,
        (client_id, order_id): (ClientOrderId, Option<OrderId>),
        out: &mut Commands,
        change: impl FnOnce(&mut OrderRun),
    ) {
        if let Some(order_id) = order_id {
            self.link_order(now, client_id, order_id, out);
        }
        let Some(id) = self.orders.get(&client_id).map(|known| known.arbitrage) else { return };
        let Some(run) = self.arbitrages.get_mut(id).and_then(|arbitrage| arbitrage.order_mut(client_id))
        else {
            return;
        };
        change(run);
        self.after_order(now, client_id, out);
    }

    /// Something was learned of an order: release what it no longer needs, and move its arbitrage on.
    fn after_order(&mut self, now: Timestamp, client_id: ClientOrderId, out: &mut Commands) {
        self.count_unknown(now);
        let Some(id) = self.orders.get(&client_id).map(|known| known.arbitrage) else { return };
        let Some(arbitrage) = self.arbitrages.get_mut(id) else { return };
        let Some(run) = arbitrage.order_mut(client_id) else { return };
        if !run.is_settled() || std::mem::replace(&mut run.closed, true) {
            return;
        }
        arbitrage.wait_out(now, client_id);
        let Some(run) = arbitrage.order_mut(client_id) else { return };
        let OrderState::Ended { status, filled } = run.state else { return };
        let (venue, symbol) = (run.request.venue, run.request.symbol);
        let result = if !run.left_us {
            OrderResult::Withheld
        } else if status == OrderStatus::Rejected {
            OrderResult::Failed
        } else {
            OrderResult::Worked
        };
        let (request, ordered) = (run.request, run.ordered());
        // An answer from before may still show as locked what it held.
        if let Some(state) = self.venues.get_mut(venue.index()).filter(|_| result != OrderResult::Withheld) {
            state.active_at = now;
        }
        if self.gate.order_ended(now, &request, ordered, result).is_err() {
            return self.alarm("a reservation does not fit", out);
        }
        let expected = self.slot_mut(venue, symbol).map(|slot| {
            // What never left has touched no book.
            if result != OrderResult::Withheld {
                slot.touched_at = now;
            }
            slot.taker_fee
        });
        let run = self.arbitrages.get_mut(id).and_then(|arbitrage| arbitrage.order_mut(client_id));
        let fee_excess = run.zip(expected).and_then(|(run, expected)| run.fee_excess(expected));
        if let Some(excess) = fee_excess {
            self.gate.charged(now, symbol, venue, excess);
        }
        if result != OrderResult::Withheld {
            let told = Told::Ended { worked: result == OrderResult::Worked, fee_excess };
            out.notices.push(Notice::Noted(VenueNote { venue, symbol, client_id, told }));
        }
        out.notices.push(Notice::OrderEnded { id, venue, status, filled });
        self.level(now, id, out);
    }

    pub(super) fn end(&mut self, now: Timestamp, id: ArbitrageId, ending: Ending, out: &mut Commands) {
        let Some(arbitrage) = self.arbitrages.remove(id) else { return };
        let ending = self.ending_of(now, &arbitrage, ending);
        self.retire(&arbitrage);
        if ending == Ending::Withheld {
            self.note_withheld(&arbitrage.plan);
        }
        *self.totals.ended.entry(ending).or_default() += 1;
        let sums = arbitrage.outcome(now, ending).and_then(|outcome| {
            // What never left was expected to earn nothing.
            let hoped = if ending == Ending::Withheld { Decimal::ZERO } else { outcome.plan.expected };
            let expected = self.totals.expected.checked_add(hoped)?;
            let realised = self.totals.realised.checked_add(outcome.realised)?;
            Ok((expected, realised, self.totals.other_fee.checked_add(outcome.other_fee)?, outcome))
        });
        match sums {
            Ok((expected, realised, other_fee, outcome)) => {
                (self.totals.expected, self.totals.realised) = (expected, realised);
                self.totals.other_fee = other_fee;
                let explained = self.explain(&outcome);
                if explained.and_then(|()| self.tell_gate(now, &outcome)).is_err() {
                    self.alarm("what an arbitrage came to does not fit", out);
                }
                out.notices.push(Notice::Finished(Box::new(outcome)));
            }
            Err(_) => self.alarm("an arbitrage's profit does not fit", out),
        }
    }

    /// An arbitrage that ended accounts for what its fills moved.
    fn explain(&mut self, outcome: &Outcome) -> Result<(), NumError> {
        let symbol = self.symbol(outcome.symbol).map(|state| state.symbol).ok_or(NumError::Overflow)?;
        self.unexplained.explain(symbol, (outcome.base_change, outcome.quote_change), &outcome.other_fees)
    }

    /// What the rules must know of an arbitrage that ended.
    fn tell_gate(&mut self, now: Timestamp, outcome: &Outcome) -> Result<(), NumError> {
        let symbol = self.symbol(outcome.symbol).map(|state| state.symbol).ok_or(NumError::Overflow)?;
        let sums = CycleSums {
            symbol,
            profit: outcome.realised,
            edge: outcome.edge,
            base: outcome.base_change,
            mark: outcome.mark,
        };
        self.gate.finished(now, outcome.id, outcome.ending.cycle_end(), sums)
    }

    /// Remembers an ended arbitrage for late reports of its orders, and forgets the oldest one.
    fn retire(&mut self, arbitrage: &Arbitrage) {
        let orders = arbitrage.orders.iter().map(|run| run.request.client_id).collect();
        self.retired.push_back((arbitrage.id, orders));
        if self.retired.len() <= ENDED_KEPT {
            return;
        }
        let Some((id, orders)) = self.retired.pop_front() else { return };
        self.marks.remove(&id);
        for client_id in orders {
            if let Some(KnownOrder { venue, order_id: Some(order_id), .. }) = self.orders.remove(&client_id) {
                self.by_order_id.remove(&(venue, order_id));
            }
        }
    }

    fn count_unknown(&mut self, now: Timestamp) {
        for index in 0..self.venues.len() {
            let venue = self.venues[index].id;
            let unknown = self
                .arbitrages
                .orders()
                .filter(|run| run.request.venue == venue && run.is_unknown(now))
                .count();
            self.gate.set_unknown(now, venue, super::count(unknown));
        }
    }
}
