//! What goes wrong inside of an exchange on request: suspended markets, frozen accounts, and orders that meet a fault
//! on their way. Money stays exact whatever happens; what a fault needs of liquidity comes from an account of its own.

use super::Exchange;
use super::book::{OrderSlot, Take};
use super::listing::{FIRST_VERSION, Intent, Rates};
use super::trade::Execution;
use super::types::{
    AccountIndex, BalanceReason, EndReason, MarketIndex, NewOrder, NewOrderKind, OrderNo, OrderView, Reject,
    TradeNo,
};
use super::units::AssetIndex;
use crate::fault::{FaultId, ForcedEnd, OrderEffect, Refused, Trigger};
use cex_core::{Asset, Bps, Decimal, OrderStatus, Price, Qty, Side, Timestamp};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

/// A fault waiting for its order.
#[derive(Debug, Clone)]
struct Armed {
    id: FaultId,
    account: Option<AccountIndex>,
    market: Option<MarketIndex>,
    effect: OrderEffect,
    trigger: Trigger,
}

/// What the exchange does at a later time.
#[derive(Debug, Clone)]
enum Deed {
    /// Place an order whose placement seemed to fail.
    Place(AccountIndex, NewOrder),
    /// Let a held order meet the book.
    Match(OrderNo),
    /// Forget an order.
    Hide(OrderNo),
    /// Find it again.
    Show(OrderNo),
    /// Fill so much of an order whose cancel was confirmed.
    FillCanceled(OrderSlot, Qty),
}

/// Everything that is wrong with an exchange.
#[derive(Debug, Clone, Default)]
pub(super) struct Mischief {
    armed: Vec<Armed>,
    halted: FxHashSet<MarketIndex>,
    frozen: FxHashSet<AccountIndex>,
    hidden: FxHashSet<OrderNo>,
    /// By time; the number keeps what is due at the same time in order.
    agenda: BTreeMap<(Timestamp, u64), Deed>,
    deeds: u64,
    skew_nanos: i64,
    /// How far the market's time is ahead of everybody's.
    market_ahead_nanos: i64,
    /// Whose liquidity tests put up.
    bench: Option<AccountIndex>,
    fired: Vec<(FaultId, String)>,
}

impl Mischief {
    /// Whether nothing can happen to any order.
    fn is_idle(&self) -> bool {
        self.armed.is_empty() && self.halted.is_empty() && self.frozen.is_empty()
    }

    fn schedule(&mut self, at: Timestamp, deed: Deed) {
        self.deeds += 1;
        self.agenda.insert((at, self.deeds), deed);
    }

    /// The first fault for an order of this account in this market that is due.
    fn pull(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        market: MarketIndex,
        wanted: impl Fn(&OrderEffect) -> bool,
    ) -> Option<(FaultId, OrderEffect)> {
        let is_meant = |armed: &Armed| {
            armed.account.is_none_or(|known| known == account)
                && armed.market.is_none_or(|known| known == market)
                && wanted(&armed.effect)
        };
        let found = self.armed.iter_mut().find_map(|armed| {
            (is_meant(armed) && armed.trigger.pull(now)).then_some((armed.id, armed.effect))
        });
        self.armed.retain(|armed| !armed.trigger.is_over(now));
        found
    }
}

/// Access for the faults of a simulator.
impl Exchange {
    /// Lets a fault wait for its order. The account and the market are this exchange's.
    pub(crate) fn arm(
        &mut self,
        id: FaultId,
        (account, market): (Option<AccountIndex>, Option<MarketIndex>),
        effect: OrderEffect,
        trigger: Trigger,
    ) {
        self.mischief.armed.push(Armed { id, account, market, effect, trigger });
    }

    /// Takes a waiting fault away.
    pub(crate) fn disarm(&mut self, id: FaultId) {
        self.mischief.armed.retain(|armed| armed.id != id);
    }

    /// Moves the faults that happened since the last call to the end of `into`, with what they hit.
    pub(crate) fn drain_fired(&mut self, into: &mut Vec<(FaultId, String)>) {
        into.append(&mut self.mischief.fired);
    }

    /// Suspends a market or lets it trade again.
    pub(crate) fn halt(&mut self, market: MarketIndex, is_halted: bool) {
        if is_halted {
            self.mischief.halted.insert(market);
        } else {
            self.mischief.halted.remove(&market);
        }
    }

    /// Whether a market is suspended.
    #[must_use]
    pub fn is_halted(&self, market: MarketIndex) -> bool {
        self.mischief.halted.contains(&market)
    }

    /// Freezes an account or lets it trade again.
    pub(crate) fn freeze(&mut self, account: AccountIndex, is_frozen: bool) {
        if is_frozen {
            self.mischief.frozen.insert(account);
        } else {
            self.mischief.frozen.remove(&account);
        }
    }

    /// Whether an order cannot be found, although it is there.
    pub(super) fn is_hidden(&self, order: OrderNo) -> bool {
        self.mischief.hidden.contains(&order)
    }

    /// The client's account of this name.
    pub(crate) fn account_by_name(&self, name: &str) -> Option<AccountIndex> {
        let found = self.accounts.iter().find(|account| !account.is_house && account.view.name == name);
        found.map(|account| account.view.index)
    }

    /// All orders of an account, oldest first, forgotten ones included.
    pub(crate) fn all_orders(&self, account: AccountIndex) -> impl Iterator<Item = &OrderView> {
        self.views(self.owner(account).orders(&self.orders))
    }

    /// Begins a market's versions anew, as after a restart.
    pub(crate) fn reset_version(&mut self, market: MarketIndex) {
        self.listings[market.0 as usize].version = FIRST_VERSION;
    }

    /// Changes the fees of orders placed from now on.
    pub(crate) fn set_fees(&mut self, market: MarketIndex, maker: Bps, taker: Bps) {
        self.listings[market.0 as usize].set_rates(Rates { maker, taker });
        let rules = &mut self.rules[market.0 as usize];
        (rules.maker_fee, rules.taker_fee) = (maker, taker);
    }

    /// The time by this exchange's clock, which may be wrong.
    #[must_use]
    pub fn venue_time(&self, now: Timestamp) -> Timestamp {
        now.shifted(self.mischief.skew_nanos)
    }

    /// The market lives faster or slower than everybody else: its time is so far ahead.
    pub(crate) fn market_is_ahead(&mut self, nanos: i64) {
        self.mischief.market_ahead_nanos = nanos;
    }

    /// The time by this exchange's clock when it is so late in the market.
    pub(crate) fn time_of_market(&self, now: Timestamp) -> Timestamp {
        self.venue_time(now.shifted(self.mischief.market_ahead_nanos.saturating_neg()))
    }

    /// The time by everybody else's clock.
    pub(crate) fn true_time(&self, at: Timestamp) -> Timestamp {
        at.shifted(self.mischief.skew_nanos.saturating_neg())
    }

    /// Moves this exchange's clock; what is planned stays as far ahead as it was.
    pub(crate) fn step_clock(&mut self, by_nanos: i64) {
        self.mischief.skew_nanos = self.mischief.skew_nanos.saturating_add(by_nanos);
        let agenda = std::mem::take(&mut self.mischief.agenda);
        self.mischief.agenda =
            agenda.into_iter().map(|((at, number), deed)| ((at.shifted(by_nanos), number), deed)).collect();
    }

    /// When [`Self::act`] is wanted next.
    pub(crate) fn wakeup_at(&self) -> Option<Timestamp> {
        self.mischief.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does what it planned.
    pub(crate) fn act(&mut self, now: Timestamp) {
        while let Some(entry) = self.mischief.agenda.first_entry()
            && entry.key().0 <= now
        {
            match entry.remove() {
                Deed::Place(account, order) => {
                    if let Err(reject) = self.place_plainly(now, account, order) {
                        tracing::info!(%reject, "a late order is not taken");
                    }
                }
                Deed::Match(order) => self.meet_book(now, order),
                Deed::Hide(order) => {
                    self.mischief.hidden.insert(order);
                }
                Deed::Show(order) => {
                    self.mischief.hidden.remove(&order);
                }
                Deed::FillCanceled(slot, qty) => self.fill_canceled(now, slot, qty),
            }
        }
    }
}

/// What tests decide: balances and liquidity.
impl Exchange {
    /// Gives an account exactly this much free of an asset, or takes it away.
    ///
    /// # Errors
    ///
    /// When the amount is negative or cannot be counted.
    pub fn set_balance(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: Asset,
        free: Decimal,
    ) -> Result<(), Reject> {
        let asset = self.assets.index_or_insert(asset);
        let units = self.assets.units(asset, free).ok_or(Reject::TooLarge)?;
        if units < 0 {
            return Err(Reject::NotPositive);
        }
        self.give(now, account, asset, units - self.owner(account).balance(asset).free)
    }

    /// Puts a resting order of nobody's into a book. It takes what is in its way.
    ///
    /// # Errors
    ///
    /// What the market's rules say of its price and size.
    pub fn quote(
        &mut self,
        now: Timestamp,
        market: MarketIndex,
        side: Side,
        price: Price,
        qty: Qty,
    ) -> Result<OrderView, Reject> {
        let kind = NewOrderKind::Limit { price, qty };
        let order = NewOrder { market, client_id: String::new(), side, kind };
        let bench = self.bench(now);
        let listing = self.listing(market);
        let (spends, lock) = (listing.spends(side), listing.lock(side, price, qty, listing.rates()));
        self.fund(now, bench, spends, lock.ok_or(Reject::TooLarge)?)?;
        self.place_plainly(now, bench, order)
    }

    /// Takes out what [`Self::quote`] put into a book and is still there.
    pub fn clear_quotes(&mut self, now: Timestamp, market: MarketIndex) {
        let Some(bench) = self.mischief.bench else { return };
        let is_there = |order: &&OrderView| order.request.market == market;
        let resting: Vec<OrderNo> = self.all_open(bench).filter(is_there).map(|order| order.no).collect();
        for order in resting {
            // It rests, so it can be cancelled.
            let _ = self.cancel(now, bench, order);
        }
    }

    fn all_open(&self, account: AccountIndex) -> impl Iterator<Item = &OrderView> {
        self.views(self.owner(account).open(&self.orders))
    }

    fn bench(&mut self, now: Timestamp) -> AccountIndex {
        match self.mischief.bench {
            Some(bench) => bench,
            None => {
                let bench = self.open_house_account(now, "bench", &[]);
                *self.mischief.bench.insert(bench)
            }
        }
    }

    /// Sees to it that an account has so much free.
    fn fund(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: AssetIndex,
        units: i128,
    ) -> Result<(), Reject> {
        let free = self.owner(account).balance(asset).free;
        if free >= units { Ok(()) } else { self.give(now, account, asset, units - free) }
    }

    fn give(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: AssetIndex,
        units: i128,
    ) -> Result<(), Reject> {
        self.supply.resize(self.assets.len(), 0);
        let supply = &mut self.supply[asset.index()];
        *supply = supply.checked_add(units).ok_or(Reject::TooLarge)?;
        self.shift(now, account, asset, units, 0, BalanceReason::Deposit);
        Ok(())
    }
}

/// What becomes of orders.
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
    fn meet_book(&mut self, now: Timestamp, order: OrderNo) {
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
    fn fill_canceled(&mut self, now: Timestamp, slot: OrderSlot, qty: Qty) {
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
        let (spends, lock) = (listing.spends(side), listing.lock(side, price, qty, listing.rates())?);
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
