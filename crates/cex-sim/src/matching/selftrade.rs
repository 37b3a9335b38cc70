//! Self-trade prevention: what becomes of an order that would meet one of its own.

use super::Exchange;
use super::book::{OrderSlot, Take, reaches};
use super::listing::Intent;
use super::types::{AccountIndex, EndReason, NewOrder, NewOrderKind, OrderView, Reject};
use crate::fault::ForcedEnd;
use cex_core::{OrderStatus, Timestamp};

/// Which of the two orders goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SelfTrade {
    /// The arriving one: what it has traded with others by then stands.
    CancelNew,
    /// The resting one.
    CancelOld,
    /// Both.
    CancelBoth,
}

impl Exchange {
    /// As [`Self::place`], for an account whose orders shall not trade with those of `group`, of which it is one.
    ///
    /// # Errors
    ///
    /// As [`Self::place`].
    pub fn place_apart(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
        act: SelfTrade,
        group: &[AccountIndex],
    ) -> Result<OrderView, Reject> {
        if self.listings.get(order.market.0 as usize).is_none() {
            return Err(Reject::UnknownMarket);
        }
        // Ends: every round takes one of the group's resting orders out.
        loop {
            let intent = self.check(account, &order)?;
            let Some((own, before)) = self.first_own(&order, &intent, group) else {
                return self.place(now, account, order);
            };
            if act == SelfTrade::CancelOld {
                self.withdraw(now, own);
                continue;
            }
            if matches!(order.kind, NewOrderKind::Fok { .. }) {
                return Err(Reject::CannotFill);
            }
            let intent = Intent { take: before, rests: false, ..intent };
            let slot = self.enter(now, account, order, &intent);
            self.take(now, slot, &intent);
            let end = EndReason::Forced(ForcedEnd::SelfTrade);
            let view = self.finish(now, slot, OrderStatus::Canceled, end);
            if act == SelfTrade::CancelBoth {
                self.withdraw(now, own);
            }
            return Ok(view);
        }
    }

    /// The first order of the group that this one would meet, and what it takes before.
    fn first_own(
        &self,
        order: &NewOrder,
        intent: &Intent,
        group: &[AccountIndex],
    ) -> Option<(OrderSlot, Take)> {
        let mut before = Take::default();
        for front in self.listing(order.market).book.orders(order.side.opposite()) {
            if before.qty >= intent.take.qty || !reaches(order.side, intent.limit, front.price) {
                return None;
            }
            if group.contains(&self.orders.get(front.order).view.account) {
                return Some((front.order, before));
            }
            before.add(front.price, front.qty.min(cex_core::Qty(intent.take.qty.0 - before.qty.0)));
        }
        None
    }

    /// Takes a resting order out because it would have met its own.
    fn withdraw(&mut self, now: Timestamp, slot: OrderSlot) {
        let record = self.orders.get_mut(slot);
        if let Some(node) = record.node.take() {
            let market = record.view.request.market;
            let (side, price, left) = self.listings[market.0 as usize].book.remove(node);
            self.emit_level(now, market, side, price, left);
        }
        self.finish(now, slot, OrderStatus::Canceled, EndReason::Forced(ForcedEnd::SelfTrade));
    }
}
