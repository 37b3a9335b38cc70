//! Local order books: the book itself, its synchronisation with an exchange, and walking its depth.
//!
//! Pure: no IO, no clock, no async. Prices and quantities are the integers of `cex-core`.
//!
//! | module | what |
//! |---|---|
//! | [`book`] | [`Book`]: bounded price levels of one symbol, a frame applied whole, best level found once per frame |
//! | [`map_book`] | [`MapBook`]: the same book as two plain ordered maps; the oracle of the fast one and the baseline of benches |
//! | [`sync`] | [`BookSync`]: snapshot and deltas joined, gaps and crossed books noticed, resync asked for |
//! | [`mod@sweep`] | [`Sweep`]: what a quantity costs when it walks the depth |
//!
//! A book is live data, so it cannot be put into a [`cex_core::Cache`]:
//!
//! ```compile_fail,E0277
//! let cache: cex_core::Cache<cex_orderbook::Book> = cex_core::Cache::new(std::time::Duration::from_secs(1));
//! ```
//!
//! Static data can, which shows that the line above fails for its type and for nothing else:
//!
//! ```
//! let cache: cex_core::Cache<cex_core::SymbolInfo> = cex_core::Cache::new(std::time::Duration::from_secs(1));
//! # assert!(cache.get(cex_core::Timestamp::EPOCH).is_none());
//! ```
#![forbid(unsafe_code)]

pub mod book;
pub mod map_book;
pub mod sweep;
pub mod sync;

pub use book::{Applied, Beyond, Book, BookConfig, Levels};
pub use map_book::MapBook;
pub use sweep::{Sweep, sweep};
pub use sync::{
    Asking, BookSync, Counters, Live, Outage, Overtaken, StaleReason, SyncLimits, SyncOutcome, SyncState,
    WatchLimits,
};
