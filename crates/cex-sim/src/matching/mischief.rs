//! What goes wrong inside of an exchange on request: suspended markets, frozen accounts, and orders that meet a fault
//! on their way. Money stays exact whatever happens; what a fault needs of liquidity comes from an account of its own.

use super::Exchange;
use super::book::OrderSlot;
use super::listing::Rates;
use super::outsiders::Flicker;
use super::types::{
    AccountIndex, BalanceReason, MarketIndex, NewOrder, NewOrderKind, OrderNo, OrderView, Reject,
};
use super::units::AssetIndex;
use crate::fault::{FaultId, OrderEffect, Trigger};
use cex_core::{Asset, Bps, Decimal, Price, Qty, Side, Timestamp};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::time::Duration;

/// A fault waiting for its order.
#[derive(Debug, Clone)]
pub(super) struct Armed {
    id: FaultId,
    account: Option<AccountIndex>,
    market: Option<MarketIndex>,
    effect: OrderEffect,
    trigger: Trigger,
}

/// What the exchange does at a later time.
#[derive(Debug, Clone)]
pub(super) enum Deed {
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
    /// Show the better levels of a flicker, or take them away.
    Flick(FaultId),
    /// End the echo of an order.
    EndEcho(OrderNo),
}

/// Everything that is wrong with an exchange.
#[derive(Debug, Clone, Default)]
pub(super) struct Mischief {
    pub(super) armed: Vec<Armed>,
    halted: FxHashSet<MarketIndex>,
    pub(super) frozen: FxHashSet<AccountIndex>,
    pub(super) hidden: FxHashSet<OrderNo>,
    pub(super) flickers: BTreeMap<FaultId, Flicker>,
    /// By time; the number keeps what is due at the same time in order.
    agenda: BTreeMap<(Timestamp, u64), Deed>,
    deeds: u64,
    skew_nanos: i64,
    /// How far the market's time is ahead of everybody's.
    market_ahead_nanos: i64,
    /// Whose liquidity tests put up.
    bench: Option<AccountIndex>,
    pub(super) fired: Vec<(FaultId, String)>,
}

impl Mischief {
    /// Whether nothing can happen to any order.
    pub(super) fn is_idle(&self) -> bool {
        self.armed.is_empty() && self.halted.is_empty() && self.frozen.is_empty()
    }

    pub(super) fn schedule(&mut self, at: Timestamp, deed: Deed) {
        self.deeds += 1;
        self.agenda.insert((at, self.deeds), deed);
    }

    /// The first fault for an order of this account in this market that is due.
    pub(super) fn pull(
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
    pub(crate) fn is_hidden(&self, order: OrderNo) -> bool {
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

    /// Begins a market's versions anew, as after a restart: far below those it has had, so that none comes twice within
    /// what clients still remember.
    pub(crate) fn reset_version(&mut self, market: MarketIndex) {
        self.listings[market.0 as usize].version /= 2;
    }

    /// Changes the fees of orders placed from now on.
    pub(crate) fn set_fees(&mut self, market: MarketIndex, maker: Bps, taker: Bps) {
        self.listings[market.0 as usize].set_rates(Rates { maker, taker });
        let rules = &mut self.rules[market.0 as usize];
        (rules.maker_fee, rules.taker_fee) = (maker, taker);
    }

    /// Another least notional, for orders placed from now on.
    pub(crate) fn set_min_notional(&mut self, market: MarketIndex, least: Decimal) {
        let rules = &mut self.rules[market.0 as usize];
        rules.min_notional = least;
        self.listings[market.0 as usize].set_min_notional(rules.scale, least);
    }

    /// Cancels every open order of a market, the makers' too.
    pub(crate) fn clear_market(&mut self, now: Timestamp, market: MarketIndex) {
        let accounts: Vec<AccountIndex> = self.accounts.iter().map(|account| account.view.index).collect();
        for account in accounts {
            let is_there = |order: &&OrderView| order.request.market == market;
            let open: Vec<OrderNo> = self.all_open(account).filter(is_there).map(|order| order.no).collect();
            for order in open {
                // It is open, so it can be cancelled.
                let _ = self.cancel(now, account, order);
            }
        }
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
        self.shift_agenda(by_nanos);
    }

    /// So much time has passed for what is planned, though the clock stands where it stood.
    pub(crate) fn age(&mut self, by: Duration) {
        self.shift_agenda(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX).saturating_neg());
    }

    fn shift_agenda(&mut self, by_nanos: i64) {
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
                Deed::Flick(id) => self.flick(now, id),
                Deed::EndEcho(order) => self.end_echo(now, order),
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
        let (spends, lock) = (listing.spends(side), listing.lock(side, price, qty));
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

    pub(super) fn all_open(&self, account: AccountIndex) -> impl Iterator<Item = &OrderView> {
        self.views(self.owner(account).open(&self.orders))
    }

    pub(super) fn bench(&mut self, now: Timestamp) -> AccountIndex {
        match self.mischief.bench {
            Some(bench) => bench,
            None => {
                let bench = self.open_house_account(now, "bench", &[]);
                *self.mischief.bench.insert(bench)
            }
        }
    }

    /// Sees to it that an account has so much free.
    pub(super) fn fund(
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
