//! Placing, cancelling, executing: the only code that moves money.
//!
//! Everything that can fail is checked before anything changes; from then on nothing can.

use super::Exchange;
use super::book::{Front, OrderSlot, reaches};
use super::listing::{Intent, TRADES_KEPT};
use super::platform;
use super::types::{
    AccountIndex, BalanceChange, BalanceReason, EndReason, ExchangeEvent, FillView, MarketIndex, NewOrder,
    NewOrderKind, OrderNo, OrderView, PublicTrade, Reject, TradeNo,
};
use super::units::{AssetIndex, decimal};
use cex_core::{Notional, OrderStatus, Price, Qty, Side, Timestamp};

/// One execution, as both sides of it are booked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Execution {
    pub(super) at: Timestamp,
    pub(super) market: MarketIndex,
    pub(super) trade: TradeNo,
    pub(super) market_trade: u64,
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) notional: Notional,
}

impl Execution {
    /// `qty` at `price`; `trade` is its number and that within the market.
    pub(super) const fn new(
        at: Timestamp,
        market: MarketIndex,
        (trade, market_trade): (TradeNo, u64),
        price: Price,
        qty: Qty,
    ) -> Self {
        Self { at, market, trade, market_trade, price, qty, notional: price.times(qty) }
    }
}

impl Exchange {
    /// Places an order. Answers the order as it stands after whatever it traded at once.
    ///
    /// An order by notional is worth its notional before fees: where buyers pay fees in quote, they come on top, if as
    /// much is free.
    /// What a market order does not find in the book ends at once.
    pub fn place(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
    ) -> Result<OrderView, Reject> {
        if self.listings.get(order.market.0 as usize).is_none() {
            return Err(Reject::UnknownMarket);
        }
        match self.meet(now, account, &order)? {
            None => self.place_plainly(now, account, order),
            Some(effect) => self.place_badly(now, account, order, effect),
        }
    }

    /// Places an order that nothing bad happens to.
    pub(super) fn place_plainly(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
    ) -> Result<OrderView, Reject> {
        let (slot, intent) = self.arrive(now, account, order)?;
        Ok(self.settle_arrival(now, slot, &intent))
    }

    /// Enters an order and trades what it can at once.
    pub(super) fn arrive(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
    ) -> Result<(OrderSlot, Intent), Reject> {
        let intent = self.check(account, &order)?;
        let slot = self.enter(now, account, order, &intent);
        if intent.rests {
            self.emit_order(slot);
        }
        self.take(now, slot, &intent);
        Ok((slot, intent))
    }

    /// Everything that can be wrong with an order, before anything changes.
    pub(super) fn check(&self, account: AccountIndex, order: &NewOrder) -> Result<Intent, Reject> {
        let listing = self.listing(order.market);
        let intent = listing.intent(&self.assets, order)?;
        self.check_client_id(account, &order.client_id)?;
        self.check_funds(account, listing.spends(order.side), intent.lock)?;
        Ok(intent)
    }

    /// Enters a checked order and locks what it may spend.
    pub(super) fn enter(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
        intent: &Intent,
    ) -> OrderSlot {
        let listing = self.listing(order.market);
        let (spends, rates) = (listing.spends(order.side), listing.rates());
        let fee_asset = self.assets.asset(listing.fee_asset(order.side));
        let is_house = self.owner(account).is_house;
        let slot = self.orders.insert(now, (account, is_house), order, fee_asset, rates);
        self.accounts[account.0 as usize].opened(&mut self.orders, slot);
        let record = self.orders.get_mut(slot);
        record.leaves = intent.qty;
        record.locked = intent.lock;
        if intent.lock > 0 {
            self.shift(now, account, spends, -intent.lock, intent.lock, BalanceReason::OrderPlaced);
        }
        slot
    }

    /// Cancels an open order of this account. Answers the order as it ended.
    pub fn cancel(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: OrderNo,
    ) -> Result<OrderView, Reject> {
        let slot = self.orders.slot_of(order).ok_or(Reject::OrderNotFound)?;
        if self.take_out(now, account, slot)? {
            return Ok(self.orders.get(slot).view.clone());
        }
        Ok(self.finish(now, slot, OrderStatus::Canceled, EndReason::Canceled))
    }

    /// Takes an open order of this account out of the book. Answers whether a fault fills it after all.
    pub(super) fn take_out(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        slot: OrderSlot,
    ) -> Result<bool, Reject> {
        let record = self.orders.get_mut(slot);
        if record.view.account != account || (record.node.is_none() && !record.is_held) {
            return Err(Reject::OrderNotFound);
        }
        record.is_held = false;
        if let Some(node) = record.node.take() {
            let market = record.view.request.market;
            let (side, price, left) = self.listings[market.0 as usize].book.remove(node);
            self.emit_level(now, market, side, price, left);
        }
        Ok(self.fill_after_cancel(now, slot))
    }

    fn check_client_id(&self, account: AccountIndex, client_id: &str) -> Result<(), Reject> {
        if self.refuses_duplicate_client_ids && self.owner(account).by_client_id(client_id).is_some() {
            return Err(Reject::DuplicateClientId);
        }
        Ok(())
    }

    pub(super) fn check_funds(
        &self,
        account: AccountIndex,
        asset: AssetIndex,
        needed: i128,
    ) -> Result<(), Reject> {
        let free = self.owner(account).balance(asset).free;
        if free >= needed {
            return Ok(());
        }
        let (needed, free) = (self.assets.decimal(asset, needed), self.assets.decimal(asset, free));
        Err(Reject::InsufficientBalance { asset: self.assets.asset(asset), needed, free })
    }

    /// Trades an arriving order with the book until it is filled or nothing is left at its price.
    pub(super) fn take(&mut self, now: Timestamp, taker: OrderSlot, intent: &Intent) {
        let request = &self.orders.get(taker).view.request;
        let (market, side) = (request.market, request.side);
        let mut leaves = intent.take.qty;
        while !leaves.is_zero() {
            let listing = &mut self.listings[market.0 as usize];
            let front =
                listing.book.front(side.opposite()).filter(|front| reaches(side, intent.limit, front.price));
            let front = front.expect("what can be taken was counted from this very book");
            let qty = front.qty.min(leaves);
            leaves.0 -= qty.0;
            self.execute(now, market, side, taker, front, qty);
        }
    }

    fn execute(
        &mut self,
        now: Timestamp,
        market: MarketIndex,
        side: Side,
        taker: OrderSlot,
        front: Front,
        qty: Qty,
    ) {
        let listing = &mut self.listings[market.0 as usize];
        let left = listing.book.take_front(side.opposite(), qty);
        listing.trades += 1;
        self.trades += 1;
        let trade = (TradeNo(self.trades), listing.trades);
        let execution = Execution::new(now, market, trade, front.price, qty);
        self.emit_level(now, market, side.opposite(), front.price, left);
        self.publish(&execution, side);
        self.book_side(&execution, front.order, true);
        self.after_maker_fill(now, front.order);
        self.book_side(&execution, taker, false);
    }

    /// Tells the public of a trade.
    pub(super) fn publish(&mut self, execution: &Execution, taker: Side) {
        let Execution { at, market, trade, market_trade, price, qty, .. } = *execution;
        let recent = &mut self.listings[market.0 as usize].recent;
        if recent.len() == TRADES_KEPT {
            recent.pop_front();
        }
        recent.push_back(PublicTrade { trade, market_trade, taker, price, qty, at });
        self.events.push(ExchangeEvent::Trade { trade, market_trade, market, taker, price, qty, at });
    }

    /// Books one side of an execution: ledger, order and balances. What is spent comes from what the order locked, what
    /// is got is free, and the fee comes from what is free.
    pub(super) fn book_side(&mut self, execution: &Execution, slot: OrderSlot, is_maker: bool) {
        let listing = &self.listings[execution.market.0 as usize];
        let record = self.orders.get_mut(slot);
        let (account, side) = (record.view.account, record.view.request.side);
        let (base, quote) = (listing.base, listing.quote);
        let (bought, cost) = (listing.base_units(execution.qty), listing.quote_units(execution.notional));
        let owner = &self.accounts[account.0 as usize];
        let (size, rate) = ((execution.qty, execution.notional), record.rates.of(is_maker));
        let (fee_asset, fee) = listing.fee(side, rate, size, |asset| owner.balance(asset).free);
        let (fee_asset, fee) = platform::fee(&self.assets, owner, quote, (fee_asset, fee));
        let is_usual = fee_asset == listing.fee_asset(side);
        let ((spent_asset, spent), (got_asset, got)) = match side {
            Side::Buy => ((quote, cost), (base, bought)),
            Side::Sell => ((base, bought), (quote, cost)),
        };

        record.leaves.0 -= execution.qty.0;
        record.locked -= spent;
        record.turnover += cost;
        record.fee += if is_usual { fee } else { 0 };
        record.view.filled_qty.0 += execution.qty.0;
        record.view.filled_notional = self.assets.decimal(quote, record.turnover);
        record.view.fee = self.assets.decimal(listing.fee_asset(side), record.fee);
        record.view.updated_at = execution.at;
        record.view.status = OrderStatus::PartiallyFilled;

        self.record_fill(execution, slot, is_maker, (fee_asset, fee), (quote, cost));
        self.shift(execution.at, account, spent_asset, 0, -spent, BalanceReason::Fill);
        self.shift(execution.at, account, got_asset, got, 0, BalanceReason::Fill);
        if fee != 0 {
            self.shift(execution.at, account, fee_asset, -fee, 0, BalanceReason::Fee);
            self.fees.resize(self.assets.len(), 0);
            self.fees[fee_asset.index()] += fee;
        }
    }

    /// Enters an execution into the owner's exact ledger.
    fn record_fill(
        &mut self,
        execution: &Execution,
        slot: OrderSlot,
        is_maker: bool,
        (fee_asset, fee): (AssetIndex, i128),
        (quote, cost): (AssetIndex, i128),
    ) {
        let order = &self.orders.get(slot).view;
        let owner = &mut self.accounts[order.account.0 as usize];
        if owner.is_house {
            return;
        }
        let fill = FillView {
            trade: execution.trade,
            market_trade: execution.market_trade,
            account: order.account,
            market: execution.market,
            order: order.no,
            client_id: order.request.client_id.clone(),
            side: order.request.side,
            price: execution.price,
            qty: execution.qty,
            notional: self.assets.decimal(quote, cost),
            fee: self.assets.decimal(fee_asset, fee),
            fee_asset: self.assets.asset(fee_asset),
            is_maker,
            at: execution.at,
        };
        owner.fills.push(fill.clone());
        self.events.push(ExchangeEvent::Fill(Box::new(fill)));
    }

    /// A resting order was filled, in part or to its end.
    fn after_maker_fill(&mut self, now: Timestamp, slot: OrderSlot) {
        let is_done = self.orders.get(slot).leaves.is_zero();
        if is_done {
            self.orders.get_mut(slot).node = None;
            self.end(now, slot, OrderStatus::Filled, EndReason::Filled);
        } else {
            self.release(now, slot);
        }
        self.emit_order(slot);
        if is_done {
            self.retire(slot);
        }
    }

    /// An arriving order has traded what it could: it rests, or it ends.
    pub(super) fn settle_arrival(&mut self, now: Timestamp, slot: OrderSlot, intent: &Intent) -> OrderView {
        if intent.rests {
            self.release(now, slot);
            self.rest(now, slot, intent);
            return self.orders.get(slot).view.clone();
        }
        let (status, reason) = self.arrival_end(slot);
        self.finish(now, slot, status, reason)
    }

    /// Ends an order, tells its owner, and takes it off the open ones.
    pub(super) fn finish(
        &mut self,
        now: Timestamp,
        slot: OrderSlot,
        status: OrderStatus,
        reason: EndReason,
    ) -> OrderView {
        self.end(now, slot, status, reason);
        let view = self.orders.get(slot).view.clone();
        self.emit_order(slot);
        self.retire(slot);
        view
    }

    /// How an order that does not rest ends.
    pub(super) fn arrival_end(&self, slot: OrderSlot) -> (OrderStatus, EndReason) {
        let record = self.orders.get(slot);
        let dropped = match record.view.request.kind {
            NewOrderKind::Ioc { .. } => EndReason::Ioc,
            NewOrderKind::Limit { .. }
            | NewOrderKind::PostOnly { .. }
            | NewOrderKind::Fok { .. }
            | NewOrderKind::Market { .. }
            | NewOrderKind::MarketNotional { .. } => EndReason::NoLiquidity,
        };
        // An order by notional that traded is filled although some dust of its notional may be left.
        if record.leaves.is_zero() && !record.view.filled_qty.is_zero() {
            (OrderStatus::Filled, EndReason::Filled)
        } else {
            (OrderStatus::Canceled, dropped)
        }
    }

    pub(super) fn rest(&mut self, now: Timestamp, slot: OrderSlot, intent: &Intent) {
        let record = self.orders.get(slot);
        let (market, side, leaves) = (record.view.request.market, record.view.request.side, record.leaves);
        if !record.view.filled_qty.is_zero() {
            self.emit_order(slot);
        }
        let price = intent.limit.expect("only limit orders rest");
        let (node, total) = self.listings[market.0 as usize].book.push(side, price, leaves, slot);
        self.orders.get_mut(slot).node = Some(node);
        self.emit_level(now, market, side, price, total);
    }

    /// Ends an order and frees what it still holds.
    pub(super) fn end(&mut self, now: Timestamp, slot: OrderSlot, status: OrderStatus, reason: EndReason) {
        let record = self.orders.get_mut(slot);
        record.view.status = status;
        record.view.end = reason;
        record.view.updated_at = now;
        self.release(now, slot);
    }

    /// Frees what an order holds beyond what its rest needs: all of it when it has ended.
    pub(super) fn release(&mut self, now: Timestamp, slot: OrderSlot) {
        let record = self.orders.get_mut(slot);
        let request = &record.view.request;
        let listing = &self.listings[request.market.0 as usize];
        let needed = match request.kind {
            NewOrderKind::Limit { price, .. } | NewOrderKind::PostOnly { price, .. }
                if record.view.end == EndReason::Open =>
            {
                let lock = listing.lock(request.side, price, record.leaves);
                lock.expect("the rest of an order locks no more than all of it did")
            }
            NewOrderKind::Limit { .. }
            | NewOrderKind::PostOnly { .. }
            | NewOrderKind::Ioc { .. }
            | NewOrderKind::Fok { .. }
            | NewOrderKind::Market { .. }
            | NewOrderKind::MarketNotional { .. } => 0,
        };
        let (account, asset) = (record.view.account, listing.spends(request.side));
        let released = record.locked - needed;
        record.locked = needed;
        if released != 0 {
            self.shift(now, account, asset, released, -released, BalanceReason::OrderReleased);
        }
    }

    /// Takes an ended order off its account's open ones.
    pub(super) fn retire(&mut self, slot: OrderSlot) {
        let account = self.orders.get(slot).view.account;
        self.accounts[account.0 as usize].ended(&mut self.orders, slot);
    }

    /// Changes a balance and tells its owner.
    pub(super) fn shift(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: AssetIndex,
        free: i128,
        locked: i128,
        reason: BalanceReason,
    ) {
        let owner = &mut self.accounts[account.0 as usize];
        let balance = owner.shift(asset, free, locked);
        if owner.is_house {
            return;
        }
        let dp = self.assets.dp(asset);
        let value = |units| decimal(units, dp);
        let change = BalanceChange {
            account,
            asset: self.assets.asset(asset),
            free: value(balance.free),
            locked: value(balance.locked),
            free_change: value(free),
            locked_change: value(locked),
            reason,
            at: now,
        };
        self.events.push(ExchangeEvent::Balance(Box::new(change)));
    }

    pub(super) fn emit_level(
        &mut self,
        now: Timestamp,
        market: MarketIndex,
        side: Side,
        price: Price,
        qty: Qty,
    ) {
        let version = &mut self.listings[market.0 as usize].version;
        *version += 1;
        self.events.push(ExchangeEvent::Level { market, version: *version, side, price, qty, at: now });
    }

    pub(super) fn emit_order(&mut self, slot: OrderSlot) {
        let view = &self.orders.get(slot).view;
        if !self.owner(view.account).is_house {
            let event = ExchangeEvent::Order(Box::new(view.clone()));
            self.events.push(event);
        }
    }
}
