//! What an exchange can do, as data: selects behaviour in the engine and tests in the compliance suite.

use cex_core::{StreamKind, SymbolId, SyncRule};
use std::collections::BTreeMap;
use std::time::Duration;

/// A book stream an exchange offers and how its sequence continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookStream {
    /// The adapter's name of it, used in configuration: `aggre@10ms`, `update@20ms`.
    pub name: &'static str,
    /// Shortest time between two updates the exchange sends.
    pub interval: Duration,
    /// Rule by which a book is kept from it.
    pub sync: SyncRule,
}

/// What one call may hold of several orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRule {
    /// Orders in all.
    pub orders: usize,
    /// Different symbols.
    pub symbols: usize,
    /// Orders of one symbol.
    pub orders_per_symbol: usize,
}

impl BatchRule {
    /// Whether a batch with these symbols, one an order, is not empty and within the rule; the error says what is
    /// wrong with it.
    pub fn check(&self, symbols: impl IntoIterator<Item = SymbolId>) -> Result<(), &'static str> {
        let mut counts = BTreeMap::<SymbolId, usize>::new();
        for symbol in symbols {
            *counts.entry(symbol).or_default() += 1;
        }
        match counts.values().sum::<usize>() {
            0 => Err("an empty batch"),
            all if all > self.orders => Err("more orders than a batch holds"),
            _ if counts.len() > self.symbols => Err("more symbols than a batch holds"),
            _ if counts.values().any(|count| *count > self.orders_per_symbol) => {
                Err("more orders of a symbol than a batch holds")
            }
            _ => Ok(()),
        }
    }
}

/// How a list that may be long is read, a span at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRule {
    /// Rows one answer holds at most: as many may mean that there are more.
    pub rows: u32,
    /// Rows one answer may hold for all that is known: asked for only where a span cannot be made any shorter. As
    /// [`Self::rows`] where nothing says so.
    pub rows_perhaps: u32,
    /// The longest span one call may ask for.
    pub span: Duration,
    /// The finest difference between two ends of a span.
    pub grain: Duration,
    /// How long the exchange keeps rows; `None` where it names no end.
    pub kept: Option<Duration>,
}

/// What an exchange can do. Everything not claimed must answer `Unsupported`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Book streams; the first is the default.
    pub books: &'static [BookStream],
    /// Which public streams exist, each length of candle and each depth of its own. Any other is refused.
    pub public_streams: &'static [StreamKind],
    /// Subscriptions one connection carries.
    pub subscriptions_per_connection: usize,
    /// Public connections that may stand at once. What the exchange allows an address is more than twice that: every
    /// one may have its successor beside it, and the account has its own.
    pub connections: usize,
    /// Messages the exchange takes on one connection in a second; `None` where it names no limit.
    pub messages_per_second: Option<u32>,
    /// The exchange closes every connection after this long.
    pub connection_lifetime: Option<Duration>,
    /// The exchange says beforehand that it will close a connection, and the adapter understands it:
    /// [`CloseReason::Announced`](crate::CloseReason::Announced).
    pub announces_end: bool,
    /// Several orders placed in one call; `None` where there is no such call.
    pub place_batch: Option<BatchRule>,
    /// Several orders cancelled in one call; `None` where there is no such call.
    pub cancel_batch: Option<BatchRule>,
    /// Symbols whose open orders one call lists; `None` where there is no call for several.
    pub open_orders_of: Option<usize>,
    /// Rule by which order history is read.
    pub orders_page: PageRule,
    /// Rule by which our fills are read.
    pub fills_page: PageRule,
    /// A resting order can be changed in place.
    pub amend: bool,
    /// Orders can be placed, changed, cancelled and read over a streaming connection too.
    pub order_entry: bool,
    /// An order can be checked without being placed.
    pub test_order: bool,
    /// The exchange has a dead man's switch.
    pub dead_man_switch: bool,
    /// Ended orders and coins can be read.
    pub order_history: bool,
    /// Coins and chains can be read.
    pub assets: bool,
    /// Orders of one market kind or another.
    pub market_orders: bool,
    /// A placement's answer tells the order's state.
    pub placement_tells_state: bool,
    /// A cancel's answer tells the order's final state.
    pub cancel_tells_state: bool,
    /// Longest client order id of ours the exchange keeps.
    pub client_id_len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_within_its_rule() {
        let rule = BatchRule { orders: 4, symbols: 2, orders_per_symbol: 3 };
        for (symbols, fits) in [
            (&[][..], false),
            (&[1], true),
            (&[1, 1, 1, 2], true),
            (&[1, 1, 1, 1], false),
            (&[1, 1, 1, 2, 2], false),
            (&[1, 2, 3], false),
        ] {
            assert_eq!(rule.check(symbols.iter().map(|id| SymbolId(*id))).is_ok(), fits, "{symbols:?}");
        }
    }
}
