//! What flows from adapters to whoever listens.

use crate::account::Balance;
use crate::book::BookUpdate;
use crate::order::{Fill, Order};
use crate::quote::{BookTicker, Kline, Ticker, Trade};
use crate::symbol::SymbolId;

/// Public news of one venue.
///
/// A book update's levels lie in the level buffer that travels beside the event.
/// The rare and large ones are boxed, so that a book update stays small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketEvent {
    /// A book changed or was sent whole.
    Book(BookUpdate),
    /// Best bid and ask.
    BookTicker(BookTicker),
    /// A trade.
    Trade(Trade),
    /// Day statistics.
    Ticker(Box<Ticker>),
    /// A candle.
    Kline(Box<Kline>),
}

/// An order report and where it came from.
pub type OrderUpdate = Order;

/// Private news of one venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountEvent {
    /// One of our orders changed. Cumulative: may be seen twice, late, or out of order.
    Order(OrderUpdate),
    /// One of our orders was filled.
    Fill(Fill),
    /// A balance changed; absolute.
    Balance(Balance),
}

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// Book changes.
    Book,
    /// Best bid and ask.
    BookTicker,
    /// Trades.
    Trades,
    /// Day statistics.
    Ticker,
    /// Candles.
    Klines,
    /// Our orders, fills and balances.
    Account,
}

/// News about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEvent {
    /// Connected; nothing is subscribed yet.
    Up,
    /// The exchange confirmed a subscription. A book still counts as live only with its first valid data.
    Subscribed {
        /// Which symbol; `None` for account streams.
        symbol: Option<SymbolId>,
        /// Which stream.
        stream: StreamKind,
    },
    /// The exchange refused a subscription (also when it said so in a success message).
    Refused {
        /// Which symbol; `None` when it cannot be told or for account streams.
        symbol: Option<SymbolId>,
        /// Which stream.
        stream: StreamKind,
    },
    /// A frame of this symbol was received but could not be decoded: its book can no longer be trusted.
    Undecodable {
        /// Which symbol; `None` when it cannot be told, so all of the connection.
        symbol: Option<SymbolId>,
    },
    /// The account stream is complete: from now on nothing is missed, so balances and open orders may be read.
    AccountReady,
    /// The connection is gone; everything it fed is stale from now.
    Down,
}
