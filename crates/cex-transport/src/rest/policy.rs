//! What each class of call may take: time, repeats, and whose connections.

use cex_interface::CallClass;
use std::time::Duration;

/// Which set of connections a call uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Orders,
    Queries,
    Market,
}

/// The bounds of one class of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// Of one attempt, from asking for a connection to the whole answer.
    pub(super) timeout: Duration,
    /// Attempts beyond the first.
    pub(super) repeats: u32,
    pub(super) lane: Lane,
    /// Whether it waits for its budget instead of being refused.
    pub(super) waits_for_budget: bool,
}

impl Policy {
    /// The bounds the interface states for `class`.
    pub(super) const fn of(class: CallClass) -> Self {
        let (seconds, repeats, lane, waits_for_budget) = match class {
            CallClass::MarketData => (5, 2, Lane::Market, true),
            CallClass::Query => (5, 2, Lane::Queries, false),
            CallClass::Cancel => (10, 3, Lane::Orders, false),
            CallClass::Placement => (10, 0, Lane::Orders, false),
        };
        Self { timeout: Duration::from_secs(seconds), repeats, lane, waits_for_budget }
    }
}
