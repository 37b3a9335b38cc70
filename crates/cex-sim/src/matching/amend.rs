//! Changing an open order: its price, its quantity, or both.

use super::Exchange;
use super::book::OrderSlot;
use super::listing::Intent;
use super::types::{
    AccountIndex, BalanceReason, EndReason, NewOrder, NewOrderKind, OrderNo, OrderView, Reject,
};
use cex_core::{OrderStatus, Price, Qty, Timestamp};

impl Exchange {
    /// Changes an open limit order of this account; `qty` is its new total, what is filled included. Answers the order
    /// as it stands after whatever it traded at once.
    ///
    /// Less at the same price keeps its place in the queue; anything else loses it. A total that is filled already
    /// ends the order.
    ///
    /// # Errors
    ///
    /// When there is no such open order, or when the rest would be refused as an order of its own. Nothing changed
    /// then.
    pub fn amend(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: OrderNo,
        price: Option<Price>,
        qty: Option<Qty>,
    ) -> Result<OrderView, Reject> {
        let slot = self.orders.slot_of(order).ok_or(Reject::OrderNotFound)?;
        let view = &self.orders.get(slot).view;
        let is_theirs = view.account == account && self.orders.get(slot).node.is_some();
        let (NewOrderKind::Limit { price: old, qty: total }
        | NewOrderKind::PostOnly { price: old, qty: total }) = view.request.kind
        else {
            return Err(Reject::OrderNotFound);
        };
        if !is_theirs {
            return Err(Reject::OrderNotFound);
        }
        if self.is_halted(view.request.market) {
            return Err(Reject::Halted);
        }
        let (price, qty) = (price.unwrap_or(old), qty.unwrap_or(total));
        let filled = view.filled_qty;
        if qty <= filled {
            return self.cancel(now, account, order);
        }
        let leaves = Qty(qty.0 - filled.0);
        if price == old && qty <= total {
            self.shrink(now, slot, qty, leaves);
            return Ok(self.orders.get(slot).view.clone());
        }
        self.replace(now, slot, (price, qty), leaves)
    }

    /// Less of the same: the order keeps its place.
    fn shrink(&mut self, now: Timestamp, slot: OrderSlot, qty: Qty, leaves: Qty) {
        let record = self.orders.get_mut(slot);
        let less = Qty(record.leaves.0 - leaves.0);
        record.leaves = leaves;
        record.view.updated_at = now;
        let market = record.view.request.market;
        set_qty(&mut record.view.request, qty);
        if let Some(node) = record.node
            && !less.is_zero()
        {
            let (side, price, left) = self.listings[market.0 as usize].book.reduce(node, less);
            self.emit_level(now, market, side, price, left);
        }
        self.release(now, slot);
        self.emit_order(slot);
    }

    /// Another price, or more: the order leaves the book and arrives anew.
    fn replace(
        &mut self,
        now: Timestamp,
        slot: OrderSlot,
        (price, qty): (Price, Qty),
        leaves: Qty,
    ) -> Result<OrderView, Reject> {
        let record = self.orders.get(slot);
        let (account, locked) = (record.view.account, record.locked);
        let (market, side) = (record.view.request.market, record.view.request.side);
        let is_post_only = matches!(record.view.request.kind, NewOrderKind::PostOnly { .. });
        let kind = |qty| match is_post_only {
            true => NewOrderKind::PostOnly { price, qty },
            false => NewOrderKind::Limit { price, qty },
        };
        let arriving = NewOrder { kind: kind(leaves), ..record.view.request.clone() };
        let listing = self.listing(market);
        let intent: Intent = listing.intent(&self.assets, &arriving)?;
        let spends = listing.spends(side);
        let lock = listing.lock(side, price, leaves).ok_or(Reject::TooLarge)?;
        if lock > locked {
            self.check_funds(account, spends, lock - locked)?;
        }
        // From here on nothing can fail.
        let record = self.orders.get_mut(slot);
        record.leaves = leaves;
        record.locked = lock;
        record.view.updated_at = now;
        record.view.request.kind = kind(qty);
        if let Some(node) = record.node.take() {
            let (side, price, left) = self.listings[market.0 as usize].book.remove(node);
            self.emit_level(now, market, side, price, left);
        }
        if lock != locked {
            let reason =
                if lock > locked { BalanceReason::OrderPlaced } else { BalanceReason::OrderReleased };
            self.shift(now, account, spends, locked - lock, lock - locked, reason);
        }
        self.emit_order(slot);
        self.take(now, slot, &intent);
        if intent.rests {
            return Ok(self.settle_arrival(now, slot, &intent));
        }
        Ok(self.finish(now, slot, OrderStatus::Filled, EndReason::Filled))
    }
}

const fn set_qty(order: &mut NewOrder, total: Qty) {
    match &mut order.kind {
        NewOrderKind::Limit { qty, .. } | NewOrderKind::PostOnly { qty, .. } => *qty = total,
        NewOrderKind::Ioc { .. }
        | NewOrderKind::Fok { .. }
        | NewOrderKind::Market { .. }
        | NewOrderKind::MarketNotional { .. } => {}
    }
}
