//! Trading and account over any protocol.

use super::pages::{Answered, Pages};
use super::public::{ask, tell};
use super::{Client, Stream};
use cex_core::{
    Account, Asset, AssetInfo, Balance, Decimal, Fill, Order, OrderId, OrderRequest, Price, Qty, SymbolId,
    Timestamp, TradingFee,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{
    Listing, OrderRef, PageRule, Placed, PrivateExchange, PublicExchange, Reply, Request, TimeRange,
};
use std::collections::BTreeMap;
use std::time::Duration;

impl Client {
    /// An order for another venue must not reach this one.
    fn check_venue(&self, op: Op, order: &OrderRequest) -> Result<(), ExchangeError> {
        if order.venue == self.protocol.venue() {
            return Ok(());
        }
        Err(self.error(op, ErrorKind::InvalidInput("an order for another venue")))
    }

    async fn orders(&self, request: Request) -> Result<Listing<Order>, ExchangeError> {
        let (read, unreadable) = split(self.rest.call(&request).await?);
        match read {
            Reply::Orders(rows) => Ok(Listing { rows, unreadable }),
            _another => Err(self.of_another(&request)),
        }
    }

    pub(super) async fn fills(&self, request: Request) -> Result<Listing<Fill>, ExchangeError> {
        let (read, unreadable) = split(self.rest.call(&request).await?);
        match read {
            Reply::Fills(rows) => Ok(Listing { rows, unreadable }),
            _another => Err(self.of_another(&request)),
        }
    }

    fn of_another(&self, request: &Request) -> ExchangeError {
        self.error(request.op(), ErrorKind::Undecodable("the answer to another call"))
    }

    /// Everything of a span, each row once by `key`. `dense` is asked about a moment that holds more than an answer.
    async fn all_of<T, K: Ord, F, D>(
        &self,
        op: Op,
        rule: PageRule,
        (from, to): (Timestamp, Timestamp),
        ask: impl Fn(TimeRange) -> F,
        dense: impl Fn(TimeRange) -> D,
        key: impl Fn(&T) -> K,
    ) -> Result<Listing<T>, ExchangeError>
    where
        F: Future<Output = Result<Listing<T>, ExchangeError>>,
        D: Future<Output = Result<Listing<T>, ExchangeError>>,
    {
        let fail = |kind| self.error(op, kind);
        let mut pages = Pages::new(rule, from, to, self.rest.clock().now()).map_err(fail)?;
        let (mut rows, mut unreadable) = (BTreeMap::new(), 0);
        while let Some(page) = pages.next().map_err(fail)? {
            let answer = ask(page.range).await?;
            let answer = match pages.answered(&page, answer.len() + answer.unreadable) {
                Answered::Whole => answer,
                Answered::Halved => continue,
                Answered::Dense => dense(page.range).await?,
            };
            unreadable += answer.unreadable;
            rows.extend(answer.into_iter().map(|row| (key(&row), row)));
        }
        Ok(Listing { rows: rows.into_values().collect(), unreadable })
    }
}

/// A list and how many rows of it could not be read.
fn split(reply: Reply) -> (Reply, usize) {
    match reply {
        Reply::Incomplete(incomplete) => (incomplete.read, incomplete.unreadable.len()),
        whole => (whole, 0),
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
        self.orders(Request::CancelAll { symbol }).await
    }

    async fn order(&self, symbol: SymbolId, order: OrderRef) -> Result<Order, ExchangeError> {
        ask!(self, Request::Order { symbol, order }, Order)
    }

    async fn open_orders(&self, symbol: Option<SymbolId>) -> Result<Listing<Order>, ExchangeError> {
        self.orders(Request::OpenOrders { symbol }).await
    }

    async fn order_history(
        &self,
        symbol: SymbolId,
        range: TimeRange,
        limit: u32,
    ) -> Result<Listing<Order>, ExchangeError> {
        self.orders(Request::OrderHistory { symbol, range, limit }).await
    }

    async fn order_history_all(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Order>, ExchangeError> {
        let rule = self.capabilities().orders_page;
        let ask = |range| self.orders(Request::OrderHistory { symbol, range, limit: rule.rows });
        let key = |order: &Order| (order.order_id, order.client_id);
        let dense = |_| async { Err(self.error(Op::OrderHistory, ErrorKind::AboveMaximum)) };
        self.all_of(Op::OrderHistory, rule, (from, to), ask, dense, key).await
    }

    async fn my_trades(
        &self,
        symbol: SymbolId,
        order: Option<OrderId>,
        range: TimeRange,
        limit: u32,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let limit = limit.min(self.capabilities().fills_page.rows);
        self.fills(Request::MyTrades { symbol, order, range, limit }).await
    }

    async fn my_trades_all(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let rule = self.capabilities().fills_page;
        let ask = |range| self.fills(Request::MyTrades { symbol, order: None, range, limit: rule.rows });
        let dense = |range| self.fills_of_a_moment(symbol, range);
        let mut all = self.all_of(Op::MyTrades, rule, (from, to), ask, dense, Fill::key).await?;
        all.rows.retain(|fill| fill.exchange_ts >= from && fill.exchange_ts <= to);
        all.rows.sort_by_key(|fill| fill.exchange_ts);
        Ok(all)
    }

    async fn order_trades_all(
        &self,
        symbol: SymbolId,
        order: OrderId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let rule = self.capabilities().fills_page;
        let order = Some(order);
        let ask = |range| self.fills(Request::MyTrades { symbol, order, range, limit: rule.rows });
        let dense = |range| self.fills_of_order_in_a_moment(symbol, order, range);
        let mut all = self.all_of(Op::MyTrades, rule, (from, to), ask, dense, Fill::key).await?;
        all.rows.sort_by_key(|fill| fill.exchange_ts);
        Ok(all)
    }

    async fn dead_man_switch(&self, timeout: Duration) -> Result<(), ExchangeError> {
        tell!(self, Request::DeadManSwitch { timeout })
    }

    async fn account_stream(&self) -> Result<Stream, ExchangeError> {
        let link = self.protocol.account_link(&self.rest.markets())?;
        Ok(self.run(vec![link]))
    }
}
