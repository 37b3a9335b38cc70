//! The makers' seat at one market: the only place where the market touches an exchange.

use crate::matching::{AccountIndex, Exchange, MarketIndex, NewOrder, NewOrderKind, Resting};
use cex_core::{Price, Qty, Side, Timestamp};

/// The house accounts of an exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct House {
    pub(super) maker: AccountIndex,
    pub(super) taker: AccountIndex,
}

/// A seat at one market of one exchange at one moment.
pub(super) struct Desk<'a> {
    pub(super) now: Timestamp,
    pub(super) exchange: &'a mut Exchange,
    pub(super) market: MarketIndex,
    pub(super) house: House,
}

impl Desk<'_> {
    /// Places a maker's order; `None` when it does not rest. It may trade with a client's order in its way, as on a
    /// real exchange.
    pub(super) fn quote(&mut self, side: Side, price: Price, qty: Qty) -> Option<Resting> {
        let kind = NewOrderKind::Limit { price, qty };
        let order = NewOrder { market: self.market, client_id: String::new(), side, kind };
        let now = self.exchange.time_of_market(self.now);
        self.exchange.place_of_house(now, self.house.maker, order).ok()?
    }

    /// Takes a maker's order out, if it is still there.
    pub(super) fn cancel(&mut self, order: Resting) {
        // The one refusal there is says that the order was filled, which is as good.
        let now = self.exchange.time_of_market(self.now);
        let _ = self.exchange.cancel_of_house(now, self.house.maker, order);
    }

    /// Whether a maker's order still rests.
    pub(super) fn is_open(&self, order: Resting) -> bool {
        self.exchange.rests_of_house(order)
    }

    /// Takes so much at this price or better, as one of the crowd.
    pub(super) fn trade(&mut self, side: Side, price: Price, qty: Qty) {
        let kind = NewOrderKind::Ioc { price, qty };
        let order = NewOrder { market: self.market, client_id: String::new(), side, kind };
        let now = self.exchange.time_of_market(self.now);
        // A trade too small for the rules, or one that finds nothing, is no trade.
        let _ = self.exchange.place_of_house(now, self.house.taker, order);
    }

    /// Takes up to `part` of the best level on the other side, as one of the crowd would.
    pub(super) fn hit(&mut self, side: Side, part: f64) {
        let best = match side {
            Side::Buy => self.exchange.asks(self.market).next(),
            Side::Sell => self.exchange.bids(self.market).next(),
        };
        let Some((price, available)) = best else { return };
        let qty = Qty((available.0 as f64 * part) as i64);
        let order = NewOrder {
            market: self.market,
            client_id: String::new(),
            side,
            kind: NewOrderKind::Ioc { price, qty },
        };
        // A part too small to trade is no trade.
        let now = self.exchange.time_of_market(self.now);
        let _ = self.exchange.place_of_house(now, self.house.taker, order);
    }
}
