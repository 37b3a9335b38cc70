//! The exchange as behaviours see it: both traits, over transport's client, with nothing in between unless a mutant is
//! tried.

#[cfg(feature = "mutants")]
use crate::mutant::CallFault;
use cex_core::{
    Account, Asset, AssetInfo, Balance, BookTicker, Fill, Kline, KlineInterval, Markets, Order, OrderId,
    OrderRequest, Price, Qty, Symbol, SymbolId, SymbolInfo, Ticker, Timestamp, Trade, TradingFee, VenueId,
};
use cex_errors::ExchangeError;
use cex_interface::{
    BookSnapshot, Capabilities, Health, Listing, OrderRef, Placed, PrivateExchange, PublicExchange,
    Subscription, TimeRange,
};
use cex_transport::Client;
use cex_transport::client::Stream;
use std::sync::Arc;
use std::time::Duration;

/// An adapter, opened.
#[derive(Debug, Clone)]
pub struct Subject {
    client: Client,
    #[cfg(feature = "mutants")]
    fault: Option<CallFault>,
}

impl Subject {
    /// The adapter behind this client.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self {
            client,
            #[cfg(feature = "mutants")]
            fault: None,
        }
    }

    /// Broken in this way.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub const fn broken(mut self, fault: Option<CallFault>) -> Self {
        self.fault = fault;
        self
    }

    /// The client itself: its counters.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl PublicExchange for Subject {
    type Stream = Stream;

    fn venue(&self) -> VenueId {
        self.client.venue()
    }

    fn capabilities(&self) -> &Capabilities {
        self.client.capabilities()
    }

    fn markets(&self) -> Arc<Markets> {
        self.client.markets()
    }

    async fn init(&self, symbols: &[Symbol]) -> Result<Arc<Markets>, ExchangeError> {
        self.client.init(symbols).await
    }

    async fn ping(&self) -> Result<(), ExchangeError> {
        self.client.ping().await
    }

    async fn server_time(&self) -> Result<Timestamp, ExchangeError> {
        self.client.server_time().await
    }

    async fn symbols(&self) -> Result<Vec<SymbolInfo>, ExchangeError> {
        self.client.symbols().await
    }

    async fn book(&self, symbol: SymbolId, depth: u32) -> Result<BookSnapshot, ExchangeError> {
        self.client.book(symbol, depth).await
    }

    async fn recent_trades(&self, symbol: SymbolId, limit: u32) -> Result<Vec<Trade>, ExchangeError> {
        self.client.recent_trades(symbol, limit).await
    }

    async fn historical_trades(
        &self,
        symbol: SymbolId,
        limit: u32,
        range: TimeRange,
    ) -> Result<Vec<Trade>, ExchangeError> {
        self.client.historical_trades(symbol, limit, range).await
    }

    async fn klines(
        &self,
        symbol: SymbolId,
        interval: KlineInterval,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Kline>, ExchangeError> {
        self.client.klines(symbol, interval, range, limit).await
    }

    async fn klines_batch(
        &self,
        symbol: SymbolId,
        interval: KlineInterval,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Kline>, ExchangeError> {
        self.client.klines_batch(symbol, interval, from, to).await
    }

    async fn tickers(&self, symbol: Option<SymbolId>) -> Result<Vec<Ticker>, ExchangeError> {
        self.client.tickers(symbol).await
    }

    async fn book_tickers(&self, symbol: Option<SymbolId>) -> Result<Vec<BookTicker>, ExchangeError> {
        self.client.book_tickers(symbol).await
    }

    async fn subscribe(&self, wanted: &[Subscription]) -> Result<Stream, ExchangeError> {
        self.client.subscribe(wanted).await
    }

    fn health(&self) -> Health {
        self.client.health()
    }
}

impl PrivateExchange for Subject {
    async fn account(&self) -> Result<Account, ExchangeError> {
        self.client.account().await
    }

    async fn balance(&self, asset: Asset) -> Result<Balance, ExchangeError> {
        self.client.balance(asset).await
    }

    async fn trading_fees(&self, symbol: Option<SymbolId>) -> Result<Vec<TradingFee>, ExchangeError> {
        self.client.trading_fees(symbol).await
    }

    async fn assets(&self) -> Result<Vec<AssetInfo>, ExchangeError> {
        self.client.assets().await
    }

    async fn place(&self, order: OrderRequest) -> Result<Placed, ExchangeError> {
        #[cfg(feature = "mutants")]
        if let Some(fault) = self.fault {
            return fault.place(&self.client, order).await;
        }
        self.client.place(order).await
    }

    async fn test_order(&self, order: OrderRequest) -> Result<(), ExchangeError> {
        #[cfg(feature = "mutants")]
        if let Some(fault) = self.fault {
            return fault.test_order(&self.client, order).await;
        }
        self.client.test_order(order).await
    }

    async fn amend(
        &self,
        symbol: SymbolId,
        order: OrderRef,
        price: Option<Price>,
        qty: Option<Qty>,
    ) -> Result<Order, ExchangeError> {
        self.client.amend(symbol, order, price, qty).await
    }

    async fn cancel(&self, symbol: SymbolId, order: OrderRef) -> Result<(), ExchangeError> {
        #[cfg(feature = "mutants")]
        if let Some(fault) = self.fault {
            return fault.cancel(&self.client, symbol, order).await;
        }
        self.client.cancel(symbol, order).await
    }

    async fn place_batch(&self, orders: Vec<OrderRequest>) -> Vec<Result<Placed, ExchangeError>> {
        self.client.place_batch(orders).await
    }

    async fn cancel_batch(&self, orders: Vec<(SymbolId, OrderRef)>) -> Vec<Result<(), ExchangeError>> {
        self.client.cancel_batch(orders).await
    }

    async fn cancel_all(&self, symbol: SymbolId) -> Result<Listing<Order>, ExchangeError> {
        self.client.cancel_all(symbol).await
    }

    async fn order(&self, symbol: SymbolId, order: OrderRef) -> Result<Order, ExchangeError> {
        self.client.order(symbol, order).await
    }

    async fn open_orders(&self, symbol: Option<SymbolId>) -> Result<Listing<Order>, ExchangeError> {
        self.client.open_orders(symbol).await
    }

    async fn order_history(
        &self,
        symbol: SymbolId,
        range: TimeRange,
        limit: u32,
    ) -> Result<Listing<Order>, ExchangeError> {
        self.client.order_history(symbol, range, limit).await
    }

    async fn order_history_all(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Order>, ExchangeError> {
        self.client.order_history_all(symbol, from, to).await
    }

    async fn my_trades(
        &self,
        symbol: SymbolId,
        order: Option<OrderId>,
        range: TimeRange,
        limit: u32,
    ) -> Result<Listing<Fill>, ExchangeError> {
        self.client.my_trades(symbol, order, range, limit).await
    }

    async fn my_trades_all(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Fill>, ExchangeError> {
        self.client.my_trades_all(symbol, from, to).await
    }

    async fn order_trades_all(
        &self,
        symbol: SymbolId,
        order: OrderId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Fill>, ExchangeError> {
        self.client.order_trades_all(symbol, order, from, to).await
    }

    async fn dead_man_switch(&self, timeout: Duration) -> Result<(), ExchangeError> {
        self.client.dead_man_switch(timeout).await
    }

    async fn account_stream(&self) -> Result<Stream, ExchangeError> {
        self.client.account_stream().await
    }
}
