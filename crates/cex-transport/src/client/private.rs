//! Trading and account over any protocol.

use super::public::{ask, tell};
use super::{Client, Stream};
use crate::lists::Lists;
use cex_core::{
    Account, Asset, AssetInfo, Balance, Decimal, Fill, Order, OrderId, OrderRequest, Price, Qty, SymbolId,
    Timestamp, TradingFee,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Listing, OrderRef, Placed, PrivateExchange, PublicExchange, Reply, Request, TimeRange};
use std::time::Duration;

impl Client {
    /// An order for another venue must not reach this one.
    fn check_venue(&self, op: Op, order: &OrderRequest) -> Result<(), ExchangeError> {
        if order.venue == self.protocol.venue() {
            return Ok(());
        }
        Err(self.error(op, ErrorKind::InvalidInput("an order for another venue")))
    }

    fn of_another(&self, request: &Request) -> ExchangeError {
        self.error(request.op(), ErrorKind::Undecodable("the answer to another call"))
    }
}

/// The same failure for each of so many.
pub(super) fn for_each<T>(count: usize, error: &ExchangeError) -> Vec<Result<T, ExchangeError>> {
    (0..count).map(|_| Err(error.clone())).collect()
}

impl PrivateExchange for Client {
    async fn account(&self) -> Result<Account, ExchangeError> {
        ask!(self, Request::Account, Account)
    }

    async fn balance(&self, asset: Asset) -> Result<Balance, ExchangeError> {
        let account = self.account().await?;
        let nothing = Balance { asset, free: Decimal::ZERO, locked: Decimal::ZERO, as_of: Timestamp::EPOCH };
        Ok(account.balance(asset).copied().unwrap_or(nothing))
    }

    async fn trading_fees(&self, symbol: Option<SymbolId>) -> Result<Vec<TradingFee>, ExchangeError> {
        ask!(self, Request::Fees { symbol }, Fees)
    }

    async fn assets(&self) -> Result<Vec<AssetInfo>, ExchangeError> {
        ask!(self, Request::Assets, Assets)
    }

    async fn place(&self, order: OrderRequest) -> Result<Placed, ExchangeError> {
        self.check_venue(Op::PlaceOrder, &order)?;
        ask!(self, Request::Place(order), Placed)
    }

    async fn place_batch(&self, orders: Vec<OrderRequest>) -> Vec<Result<Placed, ExchangeError>> {
        let count = orders.len();
        if let Some(error) = orders.iter().find_map(|order| self.check_venue(Op::PlaceOrder, order).err()) {
            return for_each(count, &error);
        }
        let request = Request::PlaceBatch(orders);
        match self.rest.call(&request).await {
            Ok(Reply::PlacedBatch(placed)) if placed.len() == count => placed,
            Ok(_another) => for_each(count, &self.of_another(&request)),
            Err(error) => for_each(count, &error),
        }
    }

    async fn test_order(&self, order: OrderRequest) -> Result<(), ExchangeError> {
        self.check_venue(Op::TestOrder, &order)?;
        tell!(self, Request::TestOrder(order))
    }

    async fn amend(
        &self,
        symbol: SymbolId,
        order: OrderRef,
        price: Option<Price>,
        qty: Option<Qty>,
    ) -> Result<Order, ExchangeError> {
        ask!(self, Request::Amend { symbol, order, price, qty }, Order)
    }

    async fn cancel(&self, symbol: SymbolId, order: OrderRef) -> Result<(), ExchangeError> {
        let request = Request::Cancel { symbol, order };
        match self.rest.call(&request).await? {
            Reply::Canceled { .. } => Ok(()),
            _another => Err(self.error(request.op(), ErrorKind::Undecodable("the answer to another call"))),
        }
    }

    async fn cancel_batch(&self, orders: Vec<(SymbolId, OrderRef)>) -> Vec<Result<(), ExchangeError>> {
        let count = orders.len();
        let request = Request::CancelBatch(orders);
        match self.rest.call(&request).await {
            Ok(Reply::CanceledBatch(canceled)) if canceled.len() == count => canceled,
            Ok(_another) => for_each(count, &self.of_another(&request)),
            Err(error) => for_each(count, &error),
        }
    }

    async fn cancel_all(&self, symbol: SymbolId) -> Result<Listing<Order>, ExchangeError> {
        Lists::of(&self.rest).orders(Request::CancelAll { symbol }).await
    }

    async fn order(&self, symbol: SymbolId, order: OrderRef) -> Result<Order, ExchangeError> {
        ask!(self, Request::Order { symbol, order }, Order)
    }

    async fn open_orders(&self, symbol: Option<SymbolId>) -> Result<Listing<Order>, ExchangeError> {
        let lists = Lists::of(&self.rest);
        match symbol {
            Some(symbol) => lists.open_orders_of(symbol).await,
            None => lists.open_orders().await,
        }
    }

    async fn order_history(
        &self,
        symbol: SymbolId,
        range: TimeRange,
        limit: u32,
    ) -> Result<Listing<Order>, ExchangeError> {
        Lists::of(&self.rest).orders(Request::OrderHistory { symbol, range, limit }).await
    }

    async fn order_history_all(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Order>, ExchangeError> {
        Lists::of(&self.rest).order_history(symbol, from, to).await
    }

    async fn my_trades(
        &self,
        symbol: SymbolId,
        order: Option<OrderId>,
        range: TimeRange,
        limit: u32,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let limit = limit.min(self.capabilities().fills_page.rows);
        Lists::of(&self.rest).some_fills(Request::MyTrades { symbol, order, range, limit }).await
    }

    async fn my_trades_all(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Fill>, ExchangeError> {
        Lists::of(&self.rest).fills(symbol, from, to).await
    }

    async fn order_trades_all(
        &self,
        symbol: SymbolId,
        order: OrderId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Fill>, ExchangeError> {
        Lists::of(&self.rest).fills_of_order(symbol, order, from, to).await
    }

    async fn dead_man_switch(&self, timeout: Duration) -> Result<(), ExchangeError> {
        tell!(self, Request::DeadManSwitch { timeout })
    }

    async fn account_stream(&self) -> Result<Stream, ExchangeError> {
        let link = self.protocol.account_link(&self.rest.markets())?;
        Ok(self.run(vec![link]))
    }
}
