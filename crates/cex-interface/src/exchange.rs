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

/// A list as an exchange gives it. Rows that cannot be read cost the others nothing, but nobody is to take such a list
/// for whole: it says how many they were. Derefs to the rows that could be read.
///
/// Where the exchange cannot be made to show whether there are more rows, one counts as unreadable that may not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// Rows that could be read.
    pub rows: Vec<T>,
    /// Number of rows that could not.
    pub unreadable: usize,
}

impl<T> Listing<T> {
    /// The rows, if every one could be read.
    #[must_use]
    pub fn whole(self) -> Option<Vec<T>> {
        (self.unreadable == 0).then_some(self.rows)
    }
}

impl<T> std::ops::Deref for Listing<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.rows
    }
}

impl<T> IntoIterator for Listing<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
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
    /// Time since the last frame.
    pub silent_for: Option<Duration>,
}

/// Public data of an exchange: no keys needed.
pub trait PublicExchange: Send + Sync {
    /// The streams this exchange gives.
    type Stream: EventSource;

    /// The venue this is.
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

    /// Places several orders in one call, within [`Capabilities::place_batch`]; never sent twice. What became of each,
    /// in the order given: a failure of the call as a whole is a failure of every order, so where that leaves the outcome
    /// open it is open for all of them.
    fn place_batch(
        &self,
        orders: Vec<OrderRequest>,
    ) -> impl Future<Output = Vec<Result<Placed, ExchangeError>>> + Send;

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

    /// Cancels several orders in one call, within [`Capabilities::cancel_batch`]. What became of each, in the order given.
    fn cancel_batch(
        &self,
        orders: Vec<(SymbolId, OrderRef)>,
    ) -> impl Future<Output = Vec<Result<(), ExchangeError>>> + Send;

    /// Cancels all orders of a symbol. What could not be read of the answer was cancelled all the same: read the open
    /// orders again.
    fn cancel_all(
        &self,
        symbol: SymbolId,
    ) -> impl Future<Output = Result<Listing<Order>, ExchangeError>> + Send;

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
    ) -> impl Future<Output = Result<Listing<Order>, ExchangeError>> + Send;

    /// Orders of a span, ended ones included; at most what the exchange gives at once.
    fn order_history(
        &self,
        symbol: SymbolId,
        range: TimeRange,
        limit: u32,
    ) -> impl Future<Output = Result<Listing<Order>, ExchangeError>> + Send;

    /// All orders of a span of any length, in as many calls as it takes; in no particular order. An error where the
    /// exchange no longer has the span, or cannot be made to show all of it.
    fn order_history_all(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Future<Output = Result<Listing<Order>, ExchangeError>> + Send;

    /// Our fills, of one order or a span; at most what the exchange gives at once.
    fn my_trades(
        &self,
        symbol: SymbolId,
        order: Option<OrderId>,
        range: TimeRange,
        limit: u32,
    ) -> impl Future<Output = Result<Listing<Fill>, ExchangeError>> + Send;

    /// All our fills of a span of any length, in as many calls as it takes, oldest first. An error where the exchange no
    /// longer has the span, or cannot be made to show all of it. A moment that holds more fills than an answer is asked
    /// for order by order; the list is whole only where the exchange lists orders of any age, since an older one may have
    /// been filled then too.
    fn my_trades_all(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Future<Output = Result<Listing<Fill>, ExchangeError>> + Send;

    /// All fills of one order, however many, in as many calls as it takes, oldest first; `from` to `to` is when they may
    /// have happened. An order the exchange does not know any more is looked for in all fills of that time. An error where
    /// one moment alone holds more of them than the exchange can be made to show: fewer are never told as all.
    fn order_trades_all(
        &self,
        symbol: SymbolId,
        order: OrderId,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Future<Output = Result<Listing<Fill>, ExchangeError>> + Send;

    /// Arms the exchange's dead man's switch, or disarms it with zero; `Unsupported` where there is none.
    fn dead_man_switch(&self, timeout: Duration) -> impl Future<Output = Result<(), ExchangeError>> + Send;

    /// Our orders, fills and balances as they happen.
    fn account_stream(&self) -> impl Future<Output = Result<Self::Stream, ExchangeError>> + Send;
}
