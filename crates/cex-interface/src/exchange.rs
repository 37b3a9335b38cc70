//! The async face of an exchange: what somebody who uses an adapter alone works with.
//!
//! Transport's client implements both traits once, for every adapter. Symbols are named by [`SymbolId`];
//! [`PublicExchange::markets`] finds it, and the symbol's scale and rules, by symbol.

use crate::capability::Capabilities;
use crate::protocol::Subscription;
use crate::request::{BookSnapshot, OrderRef, Placed, TimeRange};
use cex_core::{
    Account, AccountEvent, Asset, AssetInfo, Balance, BookTicker, Fill, Kline, KlineInterval, Level,
    LinkEvent, MarketEvent, Markets, Order, OrderId, OrderRequest, Price, Qty, Symbol, SymbolId, SymbolInfo,
    Ticker, Timestamp, Trade, TradingFee, VenueId,
};
use cex_errors::ExchangeError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A stream of events; ends when the exchange is closed.
pub trait EventSource: Send {
    /// The next event, with its levels when it is a book update. Book updates must still be joined with a snapshot.
    fn next_market(&mut self) -> impl Future<Output = Option<(MarketEvent, Vec<Level>)>> + Send;

    /// The next private event.
    fn next_account(&mut self) -> impl Future<Output = Option<AccountEvent>> + Send;

    /// The next news about the connections.
    fn next_link(&mut self) -> impl Future<Output = Option<LinkEvent>> + Send;
}

/// How an exchange is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Streaming connections that stand, of how many.
    pub links_up: (u32, u32),
    /// Frames received since the start.
    pub frames: u64,
    /// Times a lost connection was made again.
    pub reconnects: u64,
    /// Calls made and failed.
    pub calls: (u64, u64),
    /// Half a round trip of the best clock sample: how well the exchange's clock is known.
    pub clock_error: Option<Duration>,
    /// Since the last frame.
    pub silent_for: Option<Duration>,
}

/// Public data of an exchange: no keys needed.
pub trait PublicExchange: Send + Sync {
    /// The streams this exchange gives.
    type Stream: EventSource;

    /// Which venue.
    fn venue(&self) -> VenueId;

    /// What the exchange can do.
    fn capabilities(&self) -> &Capabilities;

    /// The markets registered by [`Self::init`].
    fn markets(&self) -> Arc<Markets>;

    /// Loads the rules and registers these symbols (all, when none are named). Must come first.
    fn init(&self, symbols: &[Symbol]) -> impl Future<Output = Result<Arc<Markets>, ExchangeError>> + Send;

    /// Whether the exchange answers.
    fn ping(&self) -> impl Future<Output = Result<(), ExchangeError>> + Send;

    /// The exchange's clock.
    fn server_time(&self) -> impl Future<Output = Result<Timestamp, ExchangeError>> + Send;

    /// Trading rules of all symbols, in exact decimals.
    fn symbols(&self) -> impl Future<Output = Result<Vec<SymbolInfo>, ExchangeError>> + Send;

    /// A book snapshot, best levels first.
    fn book(
        &self,
        symbol: SymbolId,
        depth: u32,
    ) -> impl Future<Output = Result<BookSnapshot, ExchangeError>> + Send;

    /// Newest public trades, oldest first.
    fn recent_trades(
        &self,
        symbol: SymbolId,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Trade>, ExchangeError>> + Send;

    /// Public trades of a span, oldest first, where the exchange keeps them.
    fn historical_trades(
        &self,
        symbol: SymbolId,
        limit: u32,
        range: TimeRange,
    ) -> impl Future<Output = Result<Vec<Trade>, ExchangeError>> + Send;

    /// Candles of a span, oldest first, at most what the exchange gives at once.
    fn klines(
        &self,
        symbol: SymbolId,
        interval: KlineInterval,
        range: TimeRange,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Kline>, ExchangeError>> + Send;

    /// Candles of a span of any length, fetched in as many calls as it takes.
    fn klines_batch(
        &self,
        symbol: SymbolId,
        interval: KlineInterval,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Future<Output = Result<Vec<Kline>, ExchangeError>> + Send;

    /// Day statistics of one symbol or all.
    fn tickers(
        &self,
        symbol: Option<SymbolId>,
    ) -> impl Future<Output = Result<Vec<Ticker>, ExchangeError>> + Send;

    /// Best bid and ask of one symbol or all.
    fn book_tickers(
        &self,
        symbol: Option<SymbolId>,
    ) -> impl Future<Output = Result<Vec<BookTicker>, ExchangeError>> + Send;

    /// Streams of these subscriptions; reconnected and resubscribed by itself until dropped.
    fn subscribe(
        &self,
        wanted: &[Subscription],
    ) -> impl Future<Output = Result<Self::Stream, ExchangeError>> + Send;

    /// How it is doing.
    fn health(&self) -> Health;
}

/// Trading and account of an exchange: needs keys. Withdrawals are deliberately absent: nothing here can move coins
/// out of an account.
pub trait PrivateExchange: PublicExchange {
    /// Balances and what the key may do.
    fn account(&self) -> impl Future<Output = Result<Account, ExchangeError>> + Send;

    /// The balance of one asset; zero when the exchange lists none.
    fn balance(&self, asset: Asset) -> impl Future<Output = Result<Balance, ExchangeError>> + Send;

    /// The account's own fees.
    fn trading_fees(
        &self,
        symbol: Option<SymbolId>,
    ) -> impl Future<Output = Result<Vec<TradingFee>, ExchangeError>> + Send;

    /// Coins, chains, and whether they can be moved.
    fn assets(&self) -> impl Future<Output = Result<Vec<AssetInfo>, ExchangeError>> + Send;

    /// Places an order; never sent twice. On `Outcome::Unknown` ask by client id before anything else.
    fn place(&self, order: OrderRequest) -> impl Future<Output = Result<Placed, ExchangeError>> + Send;

    /// Has an order checked without placing it.
    fn test_order(&self, order: OrderRequest) -> impl Future<Output = Result<(), ExchangeError>> + Send;

    /// Changes a resting order; `Unsupported` where the exchange cannot.
    fn amend(
        &self,
        symbol: SymbolId,
        order: OrderRef,
        price: Option<Price>,
        qty: Option<Qty>,
    ) -> impl Future<Output = Result<Order, ExchangeError>> + Send;

    /// Cancels an order. Accepted is not ended: the final state comes over the stream or from [`Self::order`].
    fn cancel(
        &self,
        symbol: SymbolId,
        order: OrderRef,
    ) -> impl Future<Output = Result<(), ExchangeError>> + Send;

    /// Cancels all orders of a symbol.
    fn cancel_all(&self, symbol: SymbolId) -> impl Future<Output = Result<Vec<Order>, ExchangeError>> + Send;

    /// One order.
    fn order(
        &self,
        symbol: SymbolId,
        order: OrderRef,
    ) -> impl Future<Output = Result<Order, ExchangeError>> + Send;

    /// Open orders of one symbol or all.
    fn open_orders(
        &self,
        symbol: Option<SymbolId>,
    ) -> impl Future<Output = Result<Vec<Order>, ExchangeError>> + Send;

    /// Orders of a span, ended ones included.
    fn order_history(
        &self,
        symbol: SymbolId,
        range: TimeRange,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Order>, ExchangeError>> + Send;

    /// Our fills, of one order or a span.
    fn my_trades(
        &self,
        symbol: SymbolId,
        order: Option<OrderId>,
        range: TimeRange,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Fill>, ExchangeError>> + Send;

    /// Arms the exchange's dead man's switch, or disarms it with zero; `Unsupported` where there is none.
    fn dead_man_switch(&self, timeout: Duration) -> impl Future<Output = Result<(), ExchangeError>> + Send;

    /// Our orders, fills and balances as they happen.
    fn account_stream(&self) -> impl Future<Output = Result<Self::Stream, ExchangeError>> + Send;
}
