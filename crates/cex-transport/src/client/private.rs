//! Trading and account over any protocol.

use super::public::{ask, tell};
use super::{Client, Stream};
use cex_core::{
    Account, Asset, AssetInfo, Balance, Decimal, Fill, Order, OrderId, OrderRequest, Price, Qty, SymbolId,
    Timestamp, TradingFee,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{OrderRef, Placed, PrivateExchange, Reply, Request, TimeRange};
use std::time::Duration;

impl Client {
    /// An order for another venue must not reach this one.
    fn check_venue(&self, op: Op, order: &OrderRequest) -> Result<(), ExchangeError> {
        if order.venue == self.protocol.venue() {
            return Ok(());
        }
        Err(self.error(op, ErrorKind::InvalidInput("an order for another venue")))
    }
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

    async fn cancel_all(&self, symbol: SymbolId) -> Result<Vec<Order>, ExchangeError> {
        ask!(self, Request::CancelAll { symbol }, Orders)
    }

    async fn order(&self, symbol: SymbolId, order: OrderRef) -> Result<Order, ExchangeError> {
        ask!(self, Request::Order { symbol, order }, Order)
    }

    async fn open_orders(&self, symbol: Option<SymbolId>) -> Result<Vec<Order>, ExchangeError> {
        ask!(self, Request::OpenOrders { symbol }, Orders)
    }

    async fn order_history(
        &self,
        symbol: SymbolId,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Order>, ExchangeError> {
        ask!(self, Request::OrderHistory { symbol, range, limit }, Orders)
    }

    async fn my_trades(
        &self,
        symbol: SymbolId,
        order: Option<OrderId>,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Fill>, ExchangeError> {
        ask!(self, Request::MyTrades { symbol, order, range, limit }, Fills)
    }

    async fn dead_man_switch(&self, timeout: Duration) -> Result<(), ExchangeError> {
        tell!(self, Request::DeadManSwitch { timeout })
    }

    async fn account_stream(&self) -> Result<Stream, ExchangeError> {
        let link = self.protocol.account_link(&self.rest.markets())?;
        Ok(self.run(vec![link]))
    }
}
