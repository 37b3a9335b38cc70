//! An exchange's request limits, as data: buckets, what a call costs, and what a response says of them.

use cex_core::SymbolId;
use std::time::Duration;

/// The name of a budget the exchange keeps: `all`, `orders`, `depth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(pub &'static str);

/// How much of a budget there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRule {
    /// Which budget.
    pub bucket: Bucket,
    /// Weight available per window; also the largest burst.
    pub capacity: u32,
    /// Window.
    pub window: Duration,
    /// Each symbol has a budget of its own.
    pub per_symbol: bool,
    /// Percent of the capacity kept for calls that must go through: cancels, hedges, queries of unknown orders.
    pub reserve_pct: u8,
}

/// What a call takes from one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Which budget.
    pub bucket: Bucket,
    /// Whose, where each symbol has its own.
    pub symbol: Option<SymbolId>,
    /// How much.
    pub weight: u32,
}

/// How urgent a call is: decides its timeout, its retries, and whether it may use the reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallClass {
    /// Rules, books, tickers: 5 s, repeated twice.
    MarketData,
    /// Balances, open orders: 5 s, repeated twice, may use the reserve.
    Query,
    /// Cancels: 10 s, repeated three times, may use the reserve.
    Cancel,
    /// Placements: 10 s, never repeated.
    Placement,
}

/// What a call takes from all budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Urgency.
    pub class: CallClass,
    /// At most three budgets are touched by any call of the exchanges known.
    pub charges: [Option<Charge>; 3],
}

/// What a response says about a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    /// This much is left in the current window.
    Remaining {
        /// Which budget.
        bucket: Bucket,
        /// Whose.
        symbol: Option<SymbolId>,
        /// How much.
        weight: u32,
    },
    /// Nothing may be sent on this budget for a while.
    Blocked {
        /// Which budget; `None` for every call to this exchange.
        bucket: Option<Bucket>,
        /// For how long.
        wait: Duration,
    },
}
