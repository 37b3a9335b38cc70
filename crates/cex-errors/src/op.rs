//! The calls that can fail.

use std::fmt;

/// Which call failed. Knows whether making it twice does the same as making it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Reading the configuration of a venue.
    Configure,
    /// Liveness probe.
    Ping,
    /// The exchange's clock.
    ServerTime,
    /// Trading rules.
    Symbols,
    /// Coins and chains.
    Assets,
    /// Book snapshot.
    Book,
    /// Public trades.
    Trades,
    /// Candles.
    Klines,
    /// Day statistics or best prices.
    Tickers,
    /// Balances.
    Account,
    /// The account's fees.
    Fees,
    /// Whether the key reaches where coins leave.
    Withdrawals,
    /// Placing an order.
    PlaceOrder,
    /// Having an order checked without placing it.
    TestOrder,
    /// Cancelling an order.
    CancelOrder,
    /// Cancelling all orders of a symbol.
    CancelAll,
    /// Changing an order.
    AmendOrder,
    /// Reading one order.
    QueryOrder,
    /// Reading open orders.
    OpenOrders,
    /// Reading ended orders.
    OrderHistory,
    /// Reading our fills.
    MyTrades,
    /// Creating, renewing or deleting the key of a private stream.
    ListenKey,
    /// Arming the exchange's dead man's switch.
    DeadManSwitch,
    /// Connecting a stream, or keeping it.
    Stream,
    /// Subscribing.
    Subscribe,
}

impl Op {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 25] = [
        Self::Configure,
        Self::Ping,
        Self::ServerTime,
        Self::Symbols,
        Self::Assets,
        Self::Book,
        Self::Trades,
        Self::Klines,
        Self::Tickers,
        Self::Account,
        Self::Fees,
        Self::Withdrawals,
        Self::PlaceOrder,
        Self::TestOrder,
        Self::CancelOrder,
        Self::CancelAll,
        Self::AmendOrder,
        Self::QueryOrder,
        Self::OpenOrders,
        Self::OrderHistory,
        Self::MyTrades,
        Self::ListenKey,
        Self::DeadManSwitch,
        Self::Stream,
        Self::Subscribe,
    ];

    /// Whether making the call twice does the same as making it once, so that it may be repeated after an answer that
    /// never came. Cancelling is; placing and amending are not, whatever the exchange promises of client ids.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::PlaceOrder | Self::AmendOrder)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Configure => "configure",
            Self::Ping => "ping",
            Self::ServerTime => "server time",
            Self::Symbols => "symbols",
            Self::Assets => "assets",
            Self::Book => "book snapshot",
            Self::Trades => "trades",
            Self::Klines => "candles",
            Self::Tickers => "tickers",
            Self::Account => "account",
            Self::Fees => "fees",
            Self::Withdrawals => "withdrawals",
            Self::PlaceOrder => "place order",
            Self::TestOrder => "test order",
            Self::CancelOrder => "cancel order",
            Self::CancelAll => "cancel all",
            Self::AmendOrder => "amend order",
            Self::QueryOrder => "query order",
            Self::OpenOrders => "open orders",
            Self::OrderHistory => "order history",
            Self::MyTrades => "own trades",
            Self::ListenKey => "listen key",
            Self::DeadManSwitch => "dead man's switch",
            Self::Stream => "stream",
            Self::Subscribe => "subscribe",
        })
    }
}
