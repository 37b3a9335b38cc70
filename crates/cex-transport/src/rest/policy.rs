//! What each class of call may take: time, repeats, and whose connections.

use crate::config::RestConfig;
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
    /// The bounds of `class`: times from the configuration, repeats as the interface states them.
    pub(super) const fn of(class: CallClass, config: &RestConfig) -> Self {
        let (timeout, repeats, lane, waits_for_budget) = match class {
            CallClass::MarketData => (config.market_timeout, 2, Lane::Market, true),
            CallClass::Query => (config.query_timeout, 2, Lane::Queries, false),
            CallClass::Cancel => (config.cancel_timeout, 3, Lane::Orders, false),
            CallClass::Placement => (config.placement_timeout, 0, Lane::Orders, false),
        };
        Self { timeout, repeats, lane, waits_for_budget }
    }
}
