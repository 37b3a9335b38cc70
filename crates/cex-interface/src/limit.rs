//! An exchange's request limits, as data: buckets, what a call costs, and what a response says of them.

use cex_core::{SymbolId, Timestamp};
use std::time::Duration;

/// The name of a budget the exchange keeps: `all`, `orders`, `depth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(pub &'static str);

/// How much of a budget there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRule {
    /// Budget the rule is for.
    pub bucket: Bucket,
    /// Weight available per window; also the largest burst.
    pub capacity: u32,
    /// Length of the window.
    pub window: Duration,
    /// Each symbol has a budget of its own.
    pub per_symbol: bool,
    /// Percent of the capacity kept for calls that must go through: cancels, hedges, queries of unknown orders.
    pub reserve_pct: u8,
}

/// What a call takes from one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Budget that is charged.
    pub bucket: Bucket,
    /// Symbol whose budget is charged, where each symbol has its own; `None` where it is shared.
    pub symbol: Option<SymbolId>,
    /// Weight that is taken.
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
        /// Budget that is told of.
        bucket: Bucket,
        /// Symbol whose budget it is, where each symbol has its own; `None` where it is shared.
        symbol: Option<SymbolId>,
        /// Weight that is left.
        weight: u32,
    },
    /// The budget holds less for a while, over all symbols together, and nothing of it is left now.
    Narrowed {
        /// Budget that was narrowed.
        bucket: Bucket,
        /// Weight available within `window`.
        capacity: u32,
        /// Length of the window it is counted over.
        window: Duration,
        /// How long the narrowing lasts.
        lasts: Duration,
    },
    /// Nothing may be sent on this budget for a while.
    Blocked {
        /// Budget that is blocked; `None` for every call to this exchange.
        bucket: Option<Bucket>,
        /// How long nothing may be sent.
        wait: Duration,
    },
}

/// A count of messages that keeps a connection within what the exchange takes of it in a second.
///
/// Windows are fixed, and any second meets at most two of them, so each holds half of what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    most: u32,
    began: Timestamp,
    sent: u32,
}

/// Of what a pace counts.
const PACE_WINDOW: Duration = Duration::from_secs(1);

impl Pace {
    /// A pace within `per_second` messages.
    #[must_use]
    pub const fn new(per_second: u32) -> Self {
        let most = if per_second < 2 { 1 } else { per_second / 2 };
        Self { most, began: Timestamp::EPOCH, sent: 0 }
    }

    /// Counts one message, if it may be sent now.
    pub fn take(&mut self, now: Timestamp) -> bool {
        if now >= self.began + PACE_WINDOW || now < self.began {
            *self = Self { most: self.most, began: now, sent: 0 };
        }
        let free = self.sent < self.most;
        self.sent += u32::from(free);
        free
    }

    /// When the next message may be sent, if none may now.
    #[must_use]
    pub fn free_at(&self) -> Timestamp {
        self.began + PACE_WINDOW
    }
}

/// How many connections of `each` subscriptions carry `wanted` of them.
///
/// # Errors
/// When it takes more than `most`: a sentence that says how many fit and what can be done.
pub fn connections_for(wanted: usize, each: usize, most: usize) -> Result<usize, String> {
    let needed = wanted.div_ceil(each.max(1));
    if needed <= most {
        return Ok(needed);
    }
    Err(format!(
        "{wanted} subscriptions are wanted and {} fit: {most} connections of {each} each; drop symbols or streams, or \
         move some to another account at another address",
        most.saturating_mul(each)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_sees_more_messages_than_are_allowed() {
        let mut pace = Pace::new(100);
        let sent: Vec<i64> = (0..3_000)
            .filter(|millis| pace.take(Timestamp::from_millis(1_700_000_000_000 + millis)))
            .collect();
        assert_eq!(sent.len(), 150);
        for from in &sent {
            let within = sent.iter().filter(|at| (*from..from + 1_000).contains(*at)).count();
            assert!(within <= 100, "{within} from {from}");
        }
    }

    #[test]
    fn a_refused_message_may_be_sent_when_the_pace_says() {
        let mut pace = Pace::new(2);
        let now = Timestamp::from_secs(5);
        assert!(pace.take(now) && !pace.take(now));
        assert_eq!(pace.free_at(), Timestamp::from_secs(6));
        assert!(pace.take(pace.free_at()));
        assert!(pace.take(now), "a clock that was set back does not stop anything");
    }

    #[test]
    fn capacity_is_counted_in_whole_connections() {
        for (wanted, links) in [(0, 0), (1, 1), (30, 1), (31, 2), (60, 2)] {
            assert_eq!(connections_for(wanted, 30, 2), Ok(links));
        }
        let refused = connections_for(61, 30, 2).expect_err("too many");
        assert!(
            refused.starts_with("61 subscriptions are wanted and 60 fit: 2 connections of 30 each; drop")
        );
    }
}
