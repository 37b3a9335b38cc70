//! Rate limits: fixed windows aligned to the clock, one budget per caller and purpose.

use super::refusal::Refusal;
use crate::matching::{AccountIndex, MarketIndex};
use cex_core::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Whose budget a request takes from, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Budget {
    /// Any public endpoint, by address.
    Public(IpAddr, &'static str),
    /// Placing and amending together, by user and market; `None` for a market that does not exist.
    Place(AccountIndex, Option<MarketIndex>),
    /// Cancelling, by user.
    Cancel(AccountIndex),
    /// Transfers, by user.
    Transfer(AccountIndex),
    /// Any other private endpoint, by user.
    Private(AccountIndex, &'static str),
}

impl Budget {
    /// (requests, window in seconds).
    const fn allowance(&self) -> (u32, i64) {
        match self {
            Self::Public(..) | Self::Private(..) => (200, 10),
            Self::Place(..) => (10, 1),
            Self::Cancel(_) => (200, 1),
            Self::Transfer(_) => (80, 10),
        }
    }
}

/// What the headers of an answer say about the budget its request took from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    /// Requests per window.
    pub(super) limit: u32,
    /// What is left of them; `None` when the request was one too many.
    pub(super) remain: Option<u32>,
    /// Unix seconds: when the next window begins if the request was one too many, otherwise now.
    pub(super) reset: i64,
}

/// The windows in use.
#[derive(Debug, Default)]
pub(super) struct Limits {
    windows: BTreeMap<Budget, Window>,
    pruned_at: i64,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: i64,
    used: u32,
}

/// Windows that ended are dropped this often, so that the table holds only recent callers.
const PRUNE_SECS: i64 = 60;

impl Limits {
    /// Counts one request. With `enforced` off nothing is counted and the whole budget is reported as left: a client
    /// that heeds the headers must not slow down for a limit that is not there.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        budget: Budget,
        enforced: bool,
    ) -> (Quota, Result<(), Refusal>) {
        let (limit, span) = budget.allowance();
        if !enforced {
            return (Quota { limit, remain: Some(limit), reset: now.as_secs() }, Ok(()));
        }
        self.prune(now);
        let start = now.as_secs().div_euclid(span) * span;
        let window = self.windows.entry(budget).or_insert(Window { start, used: 0 });
        if window.start != start {
            *window = Window { start, used: 0 };
        }
        if window.used >= limit {
            let refusal = Refusal::new(429, "TOO_MANY_REQUESTS", "Request Rate limit Exceeded (211)");
            return (Quota { limit, remain: None, reset: start + span }, Err(refusal));
        }
        window.used += 1;
        (Quota { limit, remain: Some(limit - window.used), reset: now.as_secs() }, Ok(()))
    }

    /// So much time has passed: windows that short have ended.
    pub(super) fn age(&mut self, by: std::time::Duration) {
        self.windows.retain(|budget, _| budget.allowance().1.cast_unsigned() > by.as_secs());
    }

    fn prune(&mut self, now: Timestamp) {
        if now.as_secs() < self.pruned_at + PRUNE_SECS {
            return;
        }
        self.pruned_at = now.as_secs();
        self.windows.retain(|budget, window| window.start + budget.allowance().1 > now.as_secs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_placements_a_second_and_market() {
        let mut limits = Limits::default();
        let now = Timestamp::from_millis(1_700_000_000_900);
        let place = |market| Budget::Place(AccountIndex(0), Some(MarketIndex(market)));
        for used in 1..=10 {
            let (quota, taken) = limits.take(now, place(0), true);
            assert_eq!((quota.remain, taken), (Some(10 - used), Ok(())));
        }
        let (quota, refused) = limits.take(now, place(0), true);
        assert_eq!(quota, Quota { limit: 10, remain: None, reset: 1_700_000_001 });
        assert_eq!(
            refused.map_err(|refusal| (refusal.status, refusal.label)),
            Err((429, "TOO_MANY_REQUESTS"))
        );
        assert!(limits.take(now, place(1), true).1.is_ok(), "another market has its own budget");
        let (free, taken) = limits.take(now, place(0), false);
        assert_eq!((free.remain, taken), (Some(10), Ok(())), "not enforced");
        let next = Timestamp::from_secs(1_700_000_001);
        assert!(limits.take(next, place(0), true).1.is_ok(), "a new window");
    }
}
