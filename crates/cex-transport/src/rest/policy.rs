//! What each class of call may take: time, repeats, and whose connections.

use crate::config::RestConfig;
use crate::rate::Urgency;
use cex_interface::{CallClass, Request};
use std::time::Duration;

/// Which set of connections a call uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Orders,
    Queries,
    Market,
}

/// When a call waits for its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// What it would say is stale by then.
    Never,
    /// When whoever makes it says so: who trades must know now.
    IfItCan,
    Always,
}

/// The bounds of one class of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// Longest one attempt may take, from asking for a connection to the whole answer.
    pub(super) timeout: Duration,
    /// Longest one attempt may wait for a connection, within that.
    pub(super) lease_timeout: Duration,
    /// Attempts beyond the first.
    pub(super) repeats: u32,
    pub(super) lane: Lane,
    /// Whether it may wait for its budget instead of being refused.
    pub(super) waits_for_budget: Waits,
}

/// Whether a call may be made again after an answer that never came. Each creation of a listen key makes another key, of which
/// an account may have few: whoever needs one begins again, by looking for those there are.
pub(super) const fn may_repeat(request: &Request) -> bool {
    request.op().is_idempotent() && !matches!(request, Request::CreateListenKey)
}

impl Policy {
    /// The bounds of `class`: times from the configuration, repeats as the interface states them.
    pub(super) const fn of(class: CallClass, config: &RestConfig) -> Self {
        let (timeout, repeats, lane, waits_for_budget) = match class {
            CallClass::MarketData => (config.market_timeout, 2, Lane::Market, Waits::Always),
            CallClass::Query => (config.query_timeout, 2, Lane::Queries, Waits::IfItCan),
            CallClass::Cancel => (config.cancel_timeout, 3, Lane::Orders, Waits::IfItCan),
            CallClass::Placement => (config.placement_timeout, 0, Lane::Orders, Waits::Never),
        };
        let lease_timeout = match class {
            CallClass::MarketData | CallClass::Query | CallClass::Cancel => timeout,
            CallClass::Placement => config.placement_wait_max,
        };
        Self { timeout, lease_timeout, repeats, lane, waits_for_budget }
    }

    /// Whether a call of this class waits for its budget.
    pub(super) fn waits(self, urgency: Urgency) -> bool {
        match self.waits_for_budget {
            Waits::Never => false,
            Waits::IfItCan => urgency == Urgency::CanWait,
            Waits::Always => true,
        }
    }
}
