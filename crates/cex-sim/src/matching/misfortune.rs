//! What becomes of orders that meet a fault: refused, late, in part, found no more, filled when nobody expects it.

use super::Exchange;
use super::book::{OrderSlot, Take};
use super::listing::Intent;
use super::mischief::Deed;
use super::trade::Execution;
use super::types::{
    AccountIndex, EndReason, MarketIndex, NewOrder, NewOrderKind, OrderNo, OrderView, Reject, TradeNo,
};
use crate::fault::{ForcedEnd, OrderEffect, Refused};
use cex_core::{Bps, Decimal, OrderStatus, Price, Qty, Side, Timestamp};

impl Exchange {
    /// What happens to an arriving order, if anything.
    pub(super) fn meet(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: &NewOrder,
    ) -> Result<Option<OrderEffect>, Reject> {
        if self.mischief.is_idle() {
            return Ok(None);
        }
        if self.is_halted(order.market) {
            return Err(Reject::Halted);
        }
        if self.owner(account).is_house {
            return Ok(None);
        }
        if self.mischief.frozen.contains(&account) {
            return Err(Reject::Frozen);
        }
        let is_for_placements = |effect: &OrderEffect| !matches!(effect, OrderEffect::FillAfterCancel { .. });
        let pulled = self.mischief.pull(now, account, order.market, is_for_placements);
        let Some((id, effect)) = pulled else { return Ok(None) };
        let hit = format!(
            "{:?} order {:?} of {} in {}",
            order.side,
            order.client_id,
            self.account(account).name,
            self.rules(order.market).symbol
        );
        self.mischief.fired.push((id, hit));
        Ok(Some(effect))
    }

    /// Places an order that something happens to.
    pub(super) fn place_badly(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        mut order: NewOrder,
        effect: OrderEffect,
    ) -> Result<OrderView, Reject> {
        match effect {
            OrderEffect::Reject(why) => Err(self.refusal(account, &order, why)),
            OrderEffect::Partial(part) => self.place_part(now, account, order, part, None),
            OrderEffect::EndAs(end) => {
                self.place_part(now, account, order, Bps::from_e8(Bps::ONE), Some(end))
            }
            OrderEffect::LateFill(after) => self.hold(now, account, order, now + after),
            OrderEffect::LateAccept(after) => {
                self.check(account, &order)?;
                self.mischief.schedule(now + after, Deed::Place(account, order));
                Err(Reject::Overloaded)
            }
            OrderEffect::Forget(after) => {
                let view = self.place_plainly(now, account, order)?;
                self.mischief.schedule(now + after, Deed::Hide(view.no));
                self.act(now);
                Ok(view)
            }
            OrderEffect::Hide(time) => {
                let view = self.place_plainly(now, account, order)?;
                self.mischief.hidden.insert(view.no);
                self.mischief.schedule(now + time, Deed::Show(view.no));
                Ok(view)
            }
            OrderEffect::IgnoreTif => {
                if let NewOrderKind::Ioc { price, qty } | NewOrderKind::Fok { price, qty } = order.kind {
                    order.kind = NewOrderKind::Limit { price, qty };
                }
                self.place_plainly(now, account, order)
            }
            OrderEffect::FillAfterCancel { .. } => self.place_plainly(now, account, order),
            OrderEffect::Echo(time) => {
                let heard = order.clone();
                let view = self.place_plainly(now, account, order)?;
                self.echo(now, &heard, time);
                Ok(view)
            }
        }
    }

    fn refusal(&self, account: AccountIndex, order: &NewOrder, why: Refused) -> Reject {
        match why {
            Refused::Halted => Reject::Halted,
            Refused::Frozen => Reject::Frozen,
            Refused::Overloaded => Reject::Overloaded,
            Refused::Funds => {
                let asset = self.assets.asset(self.listing(order.market).spends(order.side));
                let (free, _) = self.balance(account, asset);
                // Whatever there is, it is said to be too little by one.
                let needed = free.checked_add(Decimal::from(1)).unwrap_or(free);
                Reject::InsufficientBalance { asset, needed, free }
            }
        }
    }

    /// Trades a part of an order at most, and ends it.
    fn place_part(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
        part: Bps,
        end: Option<ForcedEnd>,
    ) -> Result<OrderView, Reject> {
        let mut intent = self.check(account, &order)?;
        intent.take.qty = intent.take.qty.min(part_of(intent.qty, part));
        intent.rests = false;
        let slot = self.enter(now, account, order, &intent);
        self.take(now, slot, &intent);
        let (status, reason) = self.arrival_end(slot);
        let reason = match end {
            Some(end) if status == OrderStatus::Canceled => EndReason::Forced(end),
            Some(_) | None => reason,
        };
        Ok(self.finish(now, slot, status, reason))
    }

    /// Accepts an order that meets the book later. Orders without a price cannot wait: nobody knows what to lock.
    fn hold(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
        until: Timestamp,
    ) -> Result<OrderView, Reject> {
        if limit_price(&order.kind).is_none() {
            return self.place_plainly(now, account, order);
        }
        let intent = self.check(account, &order)?;
        let slot = self.enter(now, account, order, &intent);
        let record = self.orders.get_mut(slot);
        record.is_held = true;
        let view = record.view.clone();
        self.emit_order(slot);
        self.mischief.schedule(until, Deed::Match(view.no));
        Ok(view)
    }

    /// A held order meets the book, unless it was cancelled meanwhile.
    pub(super) fn meet_book(&mut self, now: Timestamp, order: OrderNo) {
        let Some(slot) = self.orders.slot_of(order) else { return };
        let record = self.orders.get_mut(slot);
        if !std::mem::take(&mut record.is_held) {
            return;
        }
        let request = record.view.request.clone();
        match self.listing(request.market).intent(&self.assets, &request) {
            Ok(intent) => {
                self.take(now, slot, &intent);
                self.settle_arrival(now, slot, &intent);
            }
            // The market has moved on: a post-only order would take, a fill-or-kill order cannot fill.
            Err(_) => {
                self.finish(now, slot, OrderStatus::Canceled, EndReason::NoLiquidity);
            }
        }
    }

    /// Whether an order that was just taken out of its book is confirmed as cancelled now and fills later.
    pub(super) fn fill_after_cancel(&mut self, now: Timestamp, slot: OrderSlot) -> bool {
        let record = self.orders.get(slot);
        let (account, market, no) = (record.view.account, record.view.request.market, record.view.no);
        if self.mischief.armed.is_empty() || self.owner(account).is_house {
            return false;
        }
        let leaves = record.leaves;
        let is_for_cancels = |effect: &OrderEffect| matches!(effect, OrderEffect::FillAfterCancel { .. });
        let Some((id, OrderEffect::FillAfterCancel { part, after })) =
            self.mischief.pull(now, account, market, is_for_cancels)
        else {
            return false;
        };
        let hit = format!("cancel of order {} of {}", no.0, self.account(account).name);
        self.mischief.fired.push((id, hit));
        let view = &mut self.orders.get_mut(slot).view;
        (view.status, view.end, view.updated_at) = (OrderStatus::Canceled, EndReason::Canceled, now);
        self.emit_order(slot);
        self.retire(slot);
        let qty = part_of(leaves, part).max(Qty(1)).min(leaves);
        self.mischief.schedule(now + after, Deed::FillCanceled(slot, qty));
        true
    }

    /// Fills an order that is long cancelled, at its own price.
    pub(super) fn fill_canceled(&mut self, now: Timestamp, slot: OrderSlot, qty: Qty) {
        let request = &self.orders.get(slot).view.request;
        let (market, side) = (request.market, request.side.opposite());
        let price = limit_price(&request.kind);
        if let Some(price) = price
            && let Some(taker) = self.counter_order(now, market, side, price, qty)
        {
            self.trades += 1;
            let listing = &mut self.listings[market.0 as usize];
            listing.trades += 1;
            let execution = Execution::new(now, market, (TradeNo(self.trades), listing.trades), price, qty);
            self.publish(&execution, side);
            self.book_side(&execution, slot, true);
            self.book_side(&execution, taker, false);
            self.finish(now, taker, OrderStatus::Filled, EndReason::Filled);
        }
        let is_filled = self.orders.get(slot).leaves.is_zero();
        let (status, end) = if is_filled {
            (OrderStatus::Filled, EndReason::Filled)
        } else {
            (OrderStatus::Canceled, EndReason::Canceled)
        };
        self.end(now, slot, status, end);
        self.emit_order(slot);
    }

    /// An order of nobody's that is about to trade outside of the book.
    fn counter_order(
        &mut self,
        now: Timestamp,
        market: MarketIndex,
        side: Side,
        price: Price,
        qty: Qty,
    ) -> Option<OrderSlot> {
        let bench = self.bench(now);
        let listing = self.listing(market);
        let (spends, lock) = (listing.spends(side), listing.lock(side, price, qty)?);
        self.fund(now, bench, spends, lock).ok()?;
        let kind = NewOrderKind::Ioc { price, qty };
        let order = NewOrder { market, client_id: String::new(), side, kind };
        let intent = Intent { limit: Some(price), qty, take: Take::default(), rests: false, lock };
        Some(self.enter(now, bench, order, &intent))
    }
}

/// A part of a quantity, in whole lots.
fn part_of(qty: Qty, part: Bps) -> Qty {
    let lots = i128::from(qty.0) * i128::from(part.e8()) / i128::from(Bps::ONE);
    Qty(i64::try_from(lots).unwrap_or(qty.0))
}

const fn limit_price(kind: &NewOrderKind) -> Option<Price> {
    match kind {
        NewOrderKind::Limit { price, .. }
        | NewOrderKind::PostOnly { price, .. }
        | NewOrderKind::Ioc { price, .. }
        | NewOrderKind::Fok { price, .. } => Some(*price),
        NewOrderKind::Market { .. } | NewOrderKind::MarketNotional { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BuyFee, MarketRules};
    use super::*;
    use crate::fault::{FaultId, Trigger, When};
    use cex_core::{Asset, Scale};
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;
    use std::time::Duration;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);
    const CLIENTS: u32 = 3;

    fn exchange() -> Exchange {
        let rules = |base: &str, buy_fee| MarketRules {
            symbol: format!("{base}/QQQ").parse().expect("a symbol"),
            scale: Scale::new(2, 1).expect("a scale"),
            min_qty: Qty(1),
            min_notional: Decimal::ZERO,
            maker_fee: Bps::from_bps(2),
            taker_fee: Bps::from_bps(5),
            buy_fee,
        };
        let mut exchange =
            Exchange::new("test", vec![rules("AAA", BuyFee::Quote), rules("BBB", BuyFee::Base)]);
        let deposits =
            ["AAA", "BBB", "QQQ"].map(|name| (Asset::new(name).expect("short"), Decimal::from(1_000)));
        for number in 0..CLIENTS {
            let name = number.to_string();
            exchange.open_account(START, &name, &name, "secret", &deposits);
        }
        exchange
    }

    struct Day {
        seed: u64,
        dice: ChaCha8Rng,
        now: Timestamp,
        exchange: Exchange,
        faults: u64,
    }

    impl Day {
        fn below(&mut self, count: u64) -> i64 {
            (self.dice.next_u64() % count) as i64
        }

        fn effect(&mut self) -> OrderEffect {
            let (time, part) =
                (Duration::from_nanos(self.below(20_000) as u64), Bps::from_bps(self.below(10_001) as i32));
            match self.below(9) {
                0 => OrderEffect::Reject(Refused::Funds),
                1 => OrderEffect::Partial(part),
                2 => OrderEffect::LateFill(time),
                3 => OrderEffect::LateAccept(time),
                4 => OrderEffect::Forget(time),
                5 => OrderEffect::Hide(time),
                6 => OrderEffect::IgnoreTif,
                7 => OrderEffect::EndAs(ForcedEnd::Small),
                _ => OrderEffect::FillAfterCancel { part, after: time },
            }
        }

        fn step(&mut self) {
            self.now = self.now.shifted(1_000);
            self.exchange.act(self.now);
            let market = MarketIndex(self.below(2) as u32);
            let account = AccountIndex(self.below(u64::from(CLIENTS)) as u32);
            let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
            let (price, qty) = (Price(80 + self.below(40)), Qty(1 + self.below(200)));
            let open: Vec<OrderNo> = self.exchange.all_open(account).map(|order| order.no).collect();
            let pick = |day: &mut Self| open.get(day.below(open.len().max(1) as u64) as usize).copied();
            match self.below(12) {
                0 => {
                    self.faults += 1;
                    let (id, effect) = (FaultId(self.faults), self.effect());
                    self.exchange.arm(id, (None, None), effect, Trigger::new(self.now, When::once()));
                }
                1..=3 => {
                    if let Some(order) = pick(self) {
                        let _ = self.exchange.cancel(self.now, account, order);
                    }
                }
                4 => {
                    if let Some(order) = pick(self) {
                        let _ = self.exchange.amend(self.now, account, order, Some(price), Some(qty));
                    }
                }
                5 => {
                    let _ = self.exchange.quote(self.now, market, side, price, qty);
                }
                6 if self.below(50) == 0 => {
                    let fees = [0, 1].map(|_| Bps::from_bps(self.below(30) as i32));
                    self.exchange.set_fees(market, fees[0], fees[1]);
                }
                7 if self.below(50) == 0 => {
                    let (asset, free) = (Asset::new("QQQ").expect("short"), Decimal::from(self.below(3_000)));
                    let _ = self.exchange.set_balance(self.now, account, asset, free);
                }
                kind => {
                    let kind = match kind {
                        8 => NewOrderKind::Ioc { price, qty },
                        9 => NewOrderKind::Fok { price, qty },
                        10 => NewOrderKind::Market { qty },
                        _ => NewOrderKind::Limit { price, qty },
                    };
                    let order = NewOrder { market, client_id: String::new(), side, kind };
                    let _ = self.exchange.place(self.now, account, order);
                }
            }
            let mut events = Vec::new();
            self.exchange.drain_events(&mut events);
        }

        /// Nothing is created or lost: what all have, and the fees, are what was ever given.
        fn check(&self) {
            let exchange = &self.exchange;
            for asset in exchange.assets.iter() {
                let fees = exchange.fees.get(asset.index()).copied().unwrap_or(0);
                let sum = exchange.accounts.iter().fold(fees, |sum, account| {
                    let balance = account.balance(asset);
                    assert!(balance.free >= 0 && balance.locked >= 0, "seed {}: {balance:?}", self.seed);
                    sum + balance.free + balance.locked
                });
                let supply = exchange.supply.get(asset.index()).copied().unwrap_or(0);
                assert_eq!(sum, supply, "seed {}: {}", self.seed, exchange.assets.asset(asset));
            }
        }
    }

    #[test]
    fn money_is_conserved_whatever_goes_wrong() {
        for seed in 0..40 {
            let dice = ChaCha8Rng::seed_from_u64(seed);
            let mut day = Day { seed, dice, now: START, exchange: exchange(), faults: 0 };
            for _ in 0..2_000 {
                day.step();
                day.check();
            }
            let mut fired = Vec::new();
            day.exchange.drain_fired(&mut fired);
            assert!(fired.len() > 50, "seed {seed}: only {} faults happened", fired.len());
            // Once all has come to an end, nothing is locked any more.
            day.exchange.act(Timestamp::MAX);
            for number in 0..CLIENTS {
                let account = AccountIndex(number);
                let open: Vec<OrderNo> = day.exchange.all_open(account).map(|order| order.no).collect();
                for order in open {
                    day.exchange.cancel(day.now, account, order).expect("it is open");
                }
            }
            day.exchange.act(Timestamp::MAX);
            day.check();
            for number in 0..CLIENTS {
                let locked =
                    day.exchange.balances(AccountIndex(number)).find(|(_, _, locked)| !locked.is_zero());
                assert_eq!(locked, None, "seed {seed}: something stays locked");
            }
        }
    }
}
