//! Orders of house accounts, who place and cancel by the thousand a second and look at nothing: the same matching, without
//! what only clients need.

use super::Exchange;
use super::book::OrderSlot;
use super::orders::Resting;
use super::types::{AccountIndex, EndReason, NewOrder, Reject};
use cex_core::{OrderStatus, Timestamp};

impl Exchange {
    /// As [`Self::place`], of a house account, which only wants to know whether it rests.
    pub(crate) fn place_of_house(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
    ) -> Result<Option<Resting>, Reject> {
        if self.listings.get(order.market.0 as usize).is_none() {
            return Err(Reject::UnknownMarket);
        }
        // Nothing but a suspended market happens to its orders.
        self.meet(now, account, &order)?;
        let (slot, intent) = self.arrive(now, account, order)?;
        if !intent.rests {
            let (status, reason) = self.arrival_end(slot);
            self.finish_unseen(now, slot, status, reason);
            return Ok(None);
        }
        if !intent.take.qty.is_zero() {
            self.release(now, slot);
        }
        self.rest(now, slot, &intent);
        Ok(Some(Resting { no: self.orders.get(slot).view.no, slot }))
    }

    /// Whether an order of a house account still rests.
    pub(crate) fn rests_of_house(&self, order: Resting) -> bool {
        let is_open = || self.orders.get(order.slot).view.end == EndReason::Open;
        self.orders.has(order) && is_open() && !self.is_hidden(order.no)
    }

    /// As [`Self::cancel`], of a house account, which does not look at what becomes of it.
    pub(crate) fn cancel_of_house(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: Resting,
    ) -> Result<(), Reject> {
        if !self.orders.has(order) {
            return Err(Reject::OrderNotFound);
        }
        if !self.take_out(now, account, order.slot)? {
            self.finish_unseen(now, order.slot, OrderStatus::Canceled, EndReason::Canceled);
        }
        Ok(())
    }

    /// As [`Self::finish`], for who does not look at it any more.
    fn finish_unseen(&mut self, now: Timestamp, slot: OrderSlot, status: OrderStatus, reason: EndReason) {
        self.end(now, slot, status, reason);
        self.emit_order(slot);
        self.retire(slot);
    }
}
