//! Orders as behaviours need them, and what the exchange has on record of them.

use super::{Stage, until};
use crate::behaviour::{Failure, ensure};
use cex_core::{
    ClientOrderId, Decimal, Level, Market, Order, OrderKind, OrderRequest, Price, Qty, Rounding, Side,
    TimeInForce,
};
use cex_errors::ErrorKind;
use cex_interface::{BookSnapshot, OrderRef, Placed, PrivateExchange, PublicExchange};
use cex_sim::server::{LedgerFill, LedgerOrder};
use std::time::Duration;

/// How far from the top a resting order lies, and how far through it a taking one goes, in percent.
const AWAY: i64 = 12;
const THROUGH: i64 = 2;

impl Stage {
    /// A client order id never used before on this stage.
    ///
    /// # Errors
    /// Never in practice.
    pub fn id(&self) -> Result<ClientOrderId, Failure> {
        self.next_id.set(self.next_id.get() + 1);
        let text = format!("cmp-{:04}", self.next_id.get());
        ClientOrderId::new(&text).ok_or_else(|| Failure::new("a valid client order id", text))
    }

    /// A book that has both sides.
    ///
    /// # Errors
    /// When it has not.
    pub async fn book(&self, market: &Market) -> Result<BookSnapshot, Failure> {
        let book = self.exchange.book(market.id, 20).await?;
        ensure!(!book.bids.is_empty() && !book.asks.is_empty(), "a book with two sides", "an empty side");
        Ok(book)
    }

    /// An order of this kind.
    ///
    /// # Errors
    /// Never in practice.
    pub fn request(&self, market: &Market, side: Side, kind: OrderKind) -> Result<OrderRequest, Failure> {
        Ok(OrderRequest {
            venue: self.venue(),
            symbol: market.id,
            client_id: self.id()?,
            side,
            kind,
            expires_in: Duration::from_secs(5),
        })
    }

    /// A quantity worth some fifteen times the least notional at this price, in whole lots and never below the least.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn qty(&self, market: &Market, price: Price) -> Result<Qty, Failure> {
        let notional = market.info.min_notional.checked_mul(Decimal::from(15))?;
        let price = market.scale.price_value(price);
        let worth = notional.checked_div(price, market.scale.qty_dp(), Rounding::Ceil)?;
        let qty = market.scale.qty(worth)?.max(market.min_qty);
        qty.ceil_to(market.lot).ok_or_else(|| Failure::new("a quantity that fits", qty.0))
    }

    /// More than lies at a level: half of it more, and enough more to be an order.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn more_than(&self, market: &Market, level: Level) -> Result<Qty, Failure> {
        let more = self.qty(market, level.price)?.0.max(level.qty.0 / 2);
        Ok(Qty(level.qty.0 + more).floor_to(market.lot))
    }

    /// A price so far from the top that nobody takes it.
    ///
    /// # Errors
    /// When the book is empty.
    pub async fn far_price(&self, market: &Market, side: Side) -> Result<Price, Failure> {
        let book = self.book(market).await?;
        Ok(match side {
            Side::Buy => away(book.bids[0].price, -AWAY).floor_to(market.tick),
            Side::Sell => away(book.asks[0].price, AWAY).floor_to(market.tick),
        })
    }

    /// A price that reaches a few levels into the other side.
    ///
    /// # Errors
    /// When the book is empty.
    pub async fn near_price(&self, market: &Market, side: Side) -> Result<Price, Failure> {
        let book = self.book(market).await?;
        Ok(match side {
            Side::Buy => away(book.asks[0].price, THROUGH).floor_to(market.tick),
            Side::Sell => away(book.bids[0].price, -THROUGH).floor_to(market.tick),
        })
    }

    /// A limit order that rests.
    ///
    /// # Errors
    /// When the book is empty.
    pub async fn resting(&self, market: &Market, side: Side) -> Result<OrderRequest, Failure> {
        let price = self.far_price(market, side).await?;
        let qty = self.qty(market, price)?;
        self.request(market, side, OrderKind::Limit { price, qty, tif: TimeInForce::Gtc })
    }

    /// An immediate-or-cancel order that fills.
    ///
    /// # Errors
    /// When the book is empty.
    pub async fn taking(&self, market: &Market, side: Side) -> Result<OrderRequest, Failure> {
        let price = self.near_price(market, side).await?;
        let qty = self.qty(market, price)?;
        self.request(market, side, OrderKind::Limit { price, qty, tif: TimeInForce::Ioc })
    }

    /// Places an order that rests.
    ///
    /// # Errors
    /// When the exchange refuses it.
    pub async fn rest(&self, market: &Market, side: Side) -> Result<(OrderRequest, Placed), Failure> {
        let order = self.resting(market, side).await?;
        Ok((order, self.exchange.place(order).await?))
    }

    /// Places an order that fills, and waits until the exchange says that it is over.
    ///
    /// # Errors
    /// When the exchange refuses it.
    pub async fn take(&self, market: &Market, side: Side) -> Result<(OrderRequest, Order), Failure> {
        let order = self.taking(market, side).await?;
        self.exchange.place(order).await?;
        Ok((order, self.ended(&order).await?))
    }

    /// The order's state, once it has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn ended(&self, order: &OrderRequest) -> Result<Order, Failure> {
        let found = until("the end of the order", || async {
            let state = self.look_up(order).await?;
            Ok(state.filter(|state| state.status.is_terminal()))
        });
        found.await
    }

    /// The order's state, once the exchange finds it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn found(&self, order: &OrderRequest) -> Result<Order, Failure> {
        until("the order on query", || self.look_up(order)).await
    }

    /// A query may come before the exchange finds what it accepted.
    async fn look_up(&self, order: &OrderRequest) -> Result<Option<Order>, Failure> {
        match self.exchange.order(order.symbol, OrderRef::Client(order.client_id)).await {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.kind == ErrorKind::OrderNotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The orders of this client id the exchange has on record.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub fn on_record(&self, client_id: ClientOrderId) -> Result<Vec<LedgerOrder>, Failure> {
        let mut orders = self.truth()?.orders;
        orders.retain(|order| order.client_id.ends_with(client_id.as_str()));
        Ok(orders)
    }

    /// The one order of this client id the exchange has on record.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn record(&self, client_id: ClientOrderId) -> Result<LedgerOrder, Failure> {
        let mut orders = self.on_record(client_id)?;
        match (orders.pop(), orders.len()) {
            (Some(order), 0) => Ok(order),
            (found, more) => Err(Failure::new(
                format_args!("one order {client_id} on record"),
                usize::from(found.is_some()) + more,
            )),
        }
    }

    /// The fills of this client id the exchange has on record.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub fn fills_on_record(&self, client_id: ClientOrderId) -> Result<Vec<LedgerFill>, Failure> {
        let mut fills = self.truth()?.fills;
        fills.retain(|fill| fill.client_id.ends_with(client_id.as_str()));
        Ok(fills)
    }

    /// What was asked for, in exact decimals.
    #[must_use]
    pub fn asked_qty(&self, market: &Market, order: &OrderRequest) -> Option<Decimal> {
        order.kind.qty().map(|qty| market.scale.qty_value(qty))
    }

    /// What the exchange has of an asset on record: free and locked.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub fn has(&self, asset: cex_core::Asset) -> Result<(Decimal, Decimal), Failure> {
        let truth = self.truth()?;
        let found = truth.balances.iter().find(|(one, _, _)| *one == asset);
        Ok(found.map_or((Decimal::ZERO, Decimal::ZERO), |(_, free, locked)| (*free, *locked)))
    }
}

fn away(price: Price, percent: i64) -> Price {
    Price(price.0 + price.0 / 100 * percent)
}

/// The sum of these numbers.
///
/// # Errors
/// When it does not fit.
pub fn sum(numbers: impl IntoIterator<Item = Decimal>) -> Result<Decimal, Failure> {
    numbers.into_iter().try_fold(Decimal::ZERO, |sum, next| Ok(sum.checked_add(next)?))
}
