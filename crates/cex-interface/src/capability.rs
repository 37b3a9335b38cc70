//! What an exchange can do, as data: selects behaviour in the engine and tests in the compliance suite.

use cex_core::{StreamKind, SyncRule};
use std::time::Duration;

/// A book stream an exchange offers and how its sequence continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookStream {
    /// The adapter's name of it, used in configuration: `aggre@10ms`, `update@20ms`.
    pub name: &'static str,
    /// How often the exchange sends, at most.
    pub interval: Duration,
    /// How to keep a book from it.
    pub sync: SyncRule,
}

/// What an exchange can do. Everything not claimed must answer `Unsupported`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Book streams; the first is the default.
    pub books: &'static [BookStream],
    /// Which public streams exist.
    pub public_streams: &'static [StreamKind],
    /// Subscriptions one connection carries.
    pub subscriptions_per_connection: usize,
    /// The exchange closes every connection after this long.
    pub connection_lifetime: Option<Duration>,
    /// A resting order can be changed in place.
    pub amend: bool,
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
