//! Typed calls to an exchange and their answers.

use cex_core::{
    Account, AssetInfo, BookTicker, ClientOrderId, Fill, Kline, KlineInterval, Level, Order, OrderId,
    OrderRequest, Price, Qty, SymbolId, SymbolInfo, Ticker, Timestamp, Trade, TradingFee,
};
use cex_errors::{ExchangeError, Op};
use std::time::Duration;

/// How an order is named in a call: by the exchange's identifier or by ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderRef {
    /// The exchange's identifier.
    Id(OrderId),
    /// Our identifier. An exchange may forget it soon after the order has ended.
    Client(ClientOrderId),
}

/// A span of time; an open end means the exchange's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TimeRange {
    /// Nothing before this.
    pub from: Option<Timestamp>,
    /// Nothing after this.
    pub to: Option<Timestamp>,
}

/// A call to an exchange over its request interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Liveness probe. Answer: [`Reply::Done`].
    Ping,
    /// The exchange's clock. Answer: [`Reply::ServerTime`].
    ServerTime,
    /// Trading rules of all symbols. Answer: [`Reply::Symbols`].
    Symbols,
    /// Symbols that this account may trade over this interface, where the exchange tells them apart from their rules; without a
    /// key, those that anybody may. Answer: [`Reply::Tradable`].
    Tradable,
    /// Coins and chains. Answer: [`Reply::Assets`].
    Assets,
    /// Book snapshot with at most `depth` levels a side. Answer: [`Reply::Book`].
    Book {
        /// Symbol of the book.
        symbol: SymbolId,
        /// Levels a side; the exchange's own maximum applies.
        depth: u32,
    },
    /// Newest public trades. Answer: [`Reply::Trades`], oldest first.
    Trades {
        /// Symbol that was traded.
        symbol: SymbolId,
        /// Most trades to return; the exchange's own maximum applies.
        limit: u32,
        /// Span the trades lie in; most exchanges ignore it for recent trades.
        range: TimeRange,
    },
    /// Candles. Answer: [`Reply::Klines`], oldest first.
    Klines {
        /// Symbol the candles are of.
        symbol: SymbolId,
        /// Length of a candle.
        interval: KlineInterval,
        /// Span the candles lie in.
        range: TimeRange,
        /// Most candles to return; the exchange's own maximum applies.
        limit: u32,
    },
    /// Day statistics of one symbol or of all registered ones. Answer: [`Reply::Tickers`].
    Tickers {
        /// Symbol the statistics are of; `None` for all.
        symbol: Option<SymbolId>,
    },
    /// Best bid and ask of one symbol or of all registered ones. Answer: [`Reply::BookTickers`].
    BookTickers {
        /// Symbol the prices are of; `None` for all.
        symbol: Option<SymbolId>,
    },
    /// Balances. Answer: [`Reply::Account`].
    Account,
    /// The account's own fees. Answer: [`Reply::Fees`].
    Fees {
        /// Symbol the fees are for; `None` for the account as a whole, where the exchange has such a thing.
        symbol: Option<SymbolId>,
    },
    /// Asks for the history of withdrawals, to learn whether the key reaches where coins leave: a key for trading must be
    /// refused with [`ErrorKind::PermissionDenied`]. It reads, and nobody looks at what. Answer: [`Reply::Done`].
    ///
    /// [`ErrorKind::PermissionDenied`]: cex_errors::ErrorKind::PermissionDenied
    Withdrawals,
    /// Places an order. Answer: [`Reply::Placed`]. Never sent twice.
    Place(OrderRequest),
    /// Places several orders in one call, each for itself, within [`Capabilities::place_batch`]. Answer:
    /// [`Reply::PlacedBatch`]. Never sent twice: an error of the call as a whole is an error of every order.
    ///
    /// [`Capabilities::place_batch`]: crate::Capabilities::place_batch
    PlaceBatch(Vec<OrderRequest>),
    /// Has an order checked. Answer: [`Reply::Done`].
    TestOrder(OrderRequest),
    /// Cancels an order. Answer: [`Reply::Canceled`].
    Cancel {
        /// Symbol of the order.
        symbol: SymbolId,
        /// Order to cancel.
        order: OrderRef,
    },
    /// Cancels several orders in one call, each for itself, within [`Capabilities::cancel_batch`]. Answer:
    /// [`Reply::CanceledBatch`].
    ///
    /// [`Capabilities::cancel_batch`]: crate::Capabilities::cancel_batch
    CancelBatch(Vec<(SymbolId, OrderRef)>),
    /// Cancels all orders of a symbol. Answer: [`Reply::Orders`].
    CancelAll {
        /// Symbol whose orders are cancelled.
        symbol: SymbolId,
    },
    /// Changes price, quantity or both of a resting order. Answer: [`Reply::Order`].
    Amend {
        /// Symbol of the order.
        symbol: SymbolId,
        /// Order to change.
        order: OrderRef,
        /// New price, if it changes.
        price: Option<Price>,
        /// New total quantity (what is filled included), if it changes.
        qty: Option<Qty>,
    },
    /// Reads one order. Answer: [`Reply::Order`].
    Order {
        /// Symbol of the order.
        symbol: SymbolId,
        /// Order to read.
        order: OrderRef,
    },
    /// Reads open orders. Answer: [`Reply::Orders`].
    OpenOrders {
        /// Symbol whose open orders are read; `None` for all.
        symbol: Option<SymbolId>,
    },
    /// Reads open orders of several symbols, at most [`Capabilities::open_orders_of`]. Answer: [`Reply::Orders`].
    ///
    /// [`Capabilities::open_orders_of`]: crate::Capabilities::open_orders_of
    OpenOrdersOf(Vec<SymbolId>),
    /// Reads orders, ended ones included. Answer: [`Reply::Orders`].
    OrderHistory {
        /// Symbol whose orders are read.
        symbol: SymbolId,
        /// Span asked for.
        range: TimeRange,
        /// Most orders to return; the exchange's own maximum applies.
        limit: u32,
    },
    /// Reads our fills. Answer: [`Reply::Fills`].
    MyTrades {
        /// Symbol whose fills are read.
        symbol: SymbolId,
        /// Order whose fills are read; `None` for those of all orders.
        order: Option<OrderId>,
        /// Span the fills lie in.
        range: TimeRange,
        /// Most fills to return; the exchange's own maximum applies.
        limit: u32,
    },
    /// Makes a key for a private stream. Answer: [`Reply::ListenKey`].
    CreateListenKey,
    /// Reads the keys of private streams that live. Answer: [`Reply::ListenKeys`].
    ListenKeys,
    /// Keeps a stream's key alive. Answer: [`Reply::Done`].
    KeepListenKey(String),
    /// Gives a stream's key back. Answer: [`Reply::Done`].
    DeleteListenKey(String),
    /// Arms the exchange's dead man's switch: all orders are cancelled unless this is repeated in time; zero disarms.
    /// Answer: [`Reply::Done`].
    DeadManSwitch {
        /// Time until the exchange acts; zero disarms.
        timeout: Duration,
    },
}

impl Request {
    /// The name of the call, for errors and metrics.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Ping => Op::Ping,
            Self::ServerTime => Op::ServerTime,
            Self::Symbols | Self::Tradable => Op::Symbols,
            Self::Assets => Op::Assets,
            Self::Book { .. } => Op::Book,
            Self::Trades { .. } => Op::Trades,
            Self::Klines { .. } => Op::Klines,
            Self::Tickers { .. } | Self::BookTickers { .. } => Op::Tickers,
            Self::Account => Op::Account,
            Self::Fees { .. } => Op::Fees,
            Self::Withdrawals => Op::Withdrawals,
            // A batch is as little to be repeated as each of its orders.
            Self::Place(_) | Self::PlaceBatch(_) => Op::PlaceOrder,
            Self::TestOrder(_) => Op::TestOrder,
            Self::Cancel { .. } | Self::CancelBatch(_) => Op::CancelOrder,
            Self::CancelAll { .. } => Op::CancelAll,
            Self::Amend { .. } => Op::AmendOrder,
            Self::Order { .. } => Op::QueryOrder,
            Self::OpenOrders { .. } | Self::OpenOrdersOf(_) => Op::OpenOrders,
            Self::OrderHistory { .. } => Op::OrderHistory,
            Self::MyTrades { .. } => Op::MyTrades,
            Self::CreateListenKey | Self::ListenKeys | Self::KeepListenKey(_) | Self::DeleteListenKey(_) => {
                Op::ListenKey
            }
            Self::DeadManSwitch { .. } => Op::DeadManSwitch,
        }
    }

    /// How soon after it was signed the exchange refuses it as late, where we say so; of a batch, the soonest.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        match self {
            Self::Place(order) | Self::TestOrder(order) => Some(order.expires_in),
            Self::PlaceBatch(orders) => orders.iter().map(|order| order.expires_in).min(),
            _of_the_exchanges_own => None,
        }
    }
}

/// A book as the exchange's request interface gives it, in the symbol's scale, best levels first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookSnapshot {
    /// Symbol of the book.
    pub symbol: SymbolId,
    /// Version, of the same counter as the stream's deltas.
    pub seq: u64,
    /// When this was true; the epoch when not said.
    pub exchange_ts: Timestamp,
    /// Bids, highest first.
    pub bids: Vec<Level>,
    /// Asks, lowest first.
    pub asks: Vec<Level>,
}

/// An accepted placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Our identifier.
    pub client_id: ClientOrderId,
    /// The exchange's identifier.
    pub order_id: OrderId,
    /// The order's state, where the exchange's answer carries it.
    pub order: Option<Order>,
}

/// An answer of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done; there is nothing to tell.
    Done,
    /// The exchange's clock.
    ServerTime(Timestamp),
    /// Trading rules.
    Symbols(Vec<SymbolInfo>),
    /// Symbols, by the exchange's own names.
    Tradable(Vec<String>),
    /// Coins and chains.
    Assets(Vec<AssetInfo>),
    /// A book.
    Book(BookSnapshot),
    /// Public trades.
    Trades(Vec<Trade>),
    /// Candles.
    Klines(Vec<Kline>),
    /// Day statistics.
    Tickers(Vec<Ticker>),
    /// Best prices.
    BookTickers(Vec<BookTicker>),
    /// Balances.
    Account(Account),
    /// Fees.
    Fees(Vec<TradingFee>),
    /// An order was accepted.
    Placed(Placed),
    /// What became of each order of a batch, in the order asked. One the answer says nothing readable of is
    /// [`Undecodable`](cex_errors::ErrorKind::Undecodable): its outcome is unknown.
    PlacedBatch(Vec<Result<Placed, ExchangeError>>),
    /// What became of each cancel of a batch, in the order asked; accepted or ended as by [`Self::Canceled`].
    CanceledBatch(Vec<Result<(), ExchangeError>>),
    /// A cancel was accepted. The final state comes over the stream or from a query, not from here.
    Canceled {
        /// The exchange's identifier, when the answer carries it.
        order_id: Option<OrderId>,
        /// The order's state, where the answer tells it truthfully.
        order: Option<Order>,
    },
    /// One order.
    Order(Order),
    /// Orders.
    Orders(Vec<Order>),
    /// Fills.
    Fills(Vec<Fill>),
    /// Instead of [`Self::Orders`] or [`Self::Fills`] where some rows could not be read: the others stand, and nobody
    /// may take the list for whole.
    Incomplete(Box<Incomplete>),
    /// The key of a private stream.
    ListenKey(String),
    /// Keys of private streams, in no particular order.
    ListenKeys(ListenKeys),
}

/// The living keys of an account's private streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenKeys {
    /// Each of them, whoever made it.
    pub living: Vec<String>,
    /// How many more may be made, where that is said.
    pub left: Option<u32>,
}

/// A list of which some rows could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// What could be read: [`Reply::Orders`] or [`Reply::Fills`].
    pub read: Reply,
    /// What is wrong with each of the others.
    pub unreadable: Vec<&'static str>,
}

impl Reply {
    /// This list, or [`Reply::Incomplete`] where rows of it could not be read.
    #[must_use]
    pub fn without(self, unreadable: Vec<&'static str>) -> Self {
        if unreadable.is_empty() {
            self
        } else {
            Self::Incomplete(Box::new(Incomplete { read: self, unreadable }))
        }
    }
}

/// Puts the rows of a batch's answer into the order of what was asked, by name; `None` for what no row is about.
///
/// Rows are not told by their position: exchanges and what stands before them may leave rows out. One that names
/// nothing, or nothing that was asked, is not believed; two of one name are an error of the whole answer.
pub fn by_name<K: PartialEq, R>(
    asked: &[K],
    rows: impl IntoIterator<Item = (Option<K>, R)>,
) -> Result<Vec<Option<R>>, &'static str> {
    let mut found: Vec<Option<R>> = asked.iter().map(|_| None).collect();
    for (name, row) in rows {
        let Some(index) = name.and_then(|name| asked.iter().position(|asked| *asked == name)) else {
            continue;
        };
        if found[index].replace(row).is_some() {
            return Err("two rows about one order");
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_name_only() {
        let rows = [(Some("c"), 3), (None, 9), (Some("x"), 8), (Some("a"), 1)];
        assert_eq!(by_name(&["a", "b", "c"], rows), Ok(vec![Some(1), None, Some(3)]));
        assert!(by_name(&["a"], [(Some("a"), 1), (Some("a"), 2)]).is_err());
    }
}
