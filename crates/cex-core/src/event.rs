//! What flows from adapters to whoever listens.

use crate::account::Balance;
use crate::book::BookUpdate;
use crate::order::{Fill, Order};
use crate::quote::{BookTicker, Kline, KlineInterval, Ticker, Trade};
use crate::symbol::SymbolId;

/// Public news of one venue.
///
/// The levels of a book, whole or in part, lie in the level buffer that travels beside the event.
/// The rare and large ones are boxed, so that a book update stays small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketEvent {
    /// A book changed or was sent whole.
    Book(BookUpdate),
    /// The best levels of a book, whole each time, from a stream of its own: never part of the book that
    /// [`Self::Book`] keeps, and of no use to it.
    TopLevels(BookUpdate),
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
    /// So many best levels a side, whole each time: nothing to join and nothing to lose, but later than book changes.
    TopLevels(u16),
    /// Best bid and ask.
    BookTicker,
    /// Trades.
    Trades,
    /// Day statistics.
    Ticker,
    /// Candles of one length.
    Klines(KlineInterval),
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
        /// Symbol subscribed to; `None` for account streams.
        symbol: Option<SymbolId>,
        /// Stream subscribed to.
        stream: StreamKind,
    },
    /// The exchange refused a subscription (also when it said so in a success message).
    Refused {
        /// Symbol that was refused; `None` when it cannot be told or for account streams.
        symbol: Option<SymbolId>,
        /// Stream that was refused.
        stream: StreamKind,
    },
    /// A frame of this symbol was received but could not be decoded: its book can no longer be trusted.
    Undecodable {
        /// Symbol the frame belongs to; `None` when it cannot be told, so all of the connection.
        symbol: Option<SymbolId>,
    },
    /// The account stream is complete: from now on nothing is missed, so balances and open orders may be read.
    AccountReady,
    /// The connection is gone; everything it fed is stale from now.
    Down,
}
