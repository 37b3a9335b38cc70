//! Orders that no client sent: tops that flicker, echoes of clients' own orders, orders of somebody else with their key.

use super::Exchange;
use super::mischief::Deed;
use super::types::{AccountIndex, MarketIndex, NewOrder, NewOrderKind, OrderNo, OrderView, Reject};
use crate::fault::FaultId;
use cex_core::{Price, Qty, Side, Timestamp};
use std::time::Duration;

/// A top that flickers.
#[derive(Debug, Clone)]
pub(super) struct Flicker {
    market: MarketIndex,
    every: Duration,
    /// What is there now; empty while it is gone.
    shown: Vec<OrderNo>,
}

impl Exchange {
    /// Lets the top of a market's book flicker from now on.
    pub(crate) fn flicker(&mut self, now: Timestamp, id: FaultId, market: MarketIndex, every: Duration) {
        self.mischief.flickers.insert(id, Flicker { market, every, shown: Vec::new() });
        self.flick(now, id);
    }

    /// Ends a flicker.
    pub(crate) fn steady(&mut self, now: Timestamp, id: FaultId) {
        if let Some(flicker) = self.mischief.flickers.remove(&id) {
            flicker.shown.into_iter().for_each(|order| self.end_echo(now, order));
        }
    }

    /// Shows what was gone, or takes away what was shown. A flicker that has ended does neither.
    pub(super) fn flick(&mut self, now: Timestamp, id: FaultId) {
        let Some(flicker) = self.mischief.flickers.get_mut(&id) else { return };
        let (market, every, shown) = (flicker.market, flicker.every, std::mem::take(&mut flicker.shown));
        if shown.is_empty() {
            let shown = self.show_better(now, market);
            if let Some(flicker) = self.mischief.flickers.get_mut(&id) {
                flicker.shown = shown;
            }
        } else {
            shown.into_iter().for_each(|order| self.end_echo(now, order));
        }
        self.mischief.schedule(now + every, Deed::Flick(id));
    }

    /// A better level on each side, as large as the best there is; where the spread has no room, more at the best.
    fn show_better(&mut self, now: Timestamp, market: MarketIndex) -> Vec<OrderNo> {
        let (bid, ask) = (self.bids(market).next(), self.asks(market).next());
        let (Some((bid, bid_qty)), Some((ask, ask_qty))) = (bid, ask) else { return Vec::new() };
        let step = i64::from(ask.0 - bid.0 > 2);
        let better = [(Side::Buy, Price(bid.0 + step), bid_qty), (Side::Sell, Price(ask.0 - step), ask_qty)];
        let quoted = better.map(|(side, price, qty)| self.quote(now, market, side, price, qty));
        // A best level below the least size of an order cannot be copied.
        quoted.into_iter().flatten().map(|order| order.no).collect()
    }

    /// Shows an order as if it rested, at its price or just off the other side. One without a price has no echo.
    pub(super) fn echo(&mut self, now: Timestamp, order: &NewOrder, time: Duration) {
        let Some((price, qty)) = limit(&order.kind) else { return };
        let (bid, ask) = (self.bids(order.market).next(), self.asks(order.market).next());
        let price = match order.side {
            Side::Buy => ask.map_or(price, |(ask, _)| price.min(Price(ask.0 - 1))),
            Side::Sell => bid.map_or(price, |(bid, _)| price.max(Price(bid.0 + 1))),
        };
        if let Ok(echo) = self.quote(now, order.market, order.side, price, qty) {
            self.mischief.schedule(now + time, Deed::EndEcho(echo.no));
        }
    }

    /// Takes out what only seemed to be there, if nobody took it.
    pub(super) fn end_echo(&mut self, now: Timestamp, order: OrderNo) {
        let bench = self.bench(now);
        // The one refusal there is says that it was filled.
        let _ = self.cancel(now, bench, order);
    }

    /// Places an order in a client's name that the client did not send. It meets no fault.
    pub(crate) fn place_foreign(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        order: NewOrder,
    ) -> Result<OrderView, Reject> {
        self.place_plainly(now, account, order)
    }
}

/// Price and quantity of an order that has both.
const fn limit(kind: &NewOrderKind) -> Option<(Price, Qty)> {
    match *kind {
        NewOrderKind::Limit { price, qty }
        | NewOrderKind::PostOnly { price, qty }
        | NewOrderKind::Ioc { price, qty }
        | NewOrderKind::Fok { price, qty } => Some((price, qty)),
        NewOrderKind::Market { .. } | NewOrderKind::MarketNotional { .. } => None,
    }
}
