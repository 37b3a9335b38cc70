//! What stops openings: a breaker per venue, and the kill switch over all.

use cex_core::{ClientOrderId, Timestamp};
use std::time::Duration;

/// What became of an order, as a breaker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderResult {
    /// The exchange took it, filled or not.
    Worked,
    /// The exchange refused it, or it was lost.
    Failed,
    /// It never left us, which says nothing about the exchange.
    Withheld,
}

/// Opens after too many failures in a row; lets one order through after a pause, and opens again if that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    max_failures: u32,
    pause: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Timestamp,
    },
    /// One order is out; its result decides, and no other's: those sent before the breaker opened end late.
    HalfOpen {
        probe: ClientOrderId,
    },
}

impl Breaker {
    /// Opens after `max_failures` in a row, for `pause`.
    #[must_use]
    pub const fn new(max_failures: u32, pause: Duration) -> Self {
        Self { max_failures, pause, state: State::Closed { failures: 0 } }
    }

    /// Whether an order may be sent now.
    #[must_use]
    pub fn allows(&self, now: Timestamp) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => now >= until,
            State::HalfOpen { .. } => false,
        }
    }

    /// An order that [`Self::allows`] permitted goes out.
    pub const fn attempt(&mut self, order: ClientOrderId) {
        if let State::Open { .. } = self.state {
            self.state = State::HalfOpen { probe: order };
        }
    }

    /// An order ended. While the breaker is open nothing closes it but its pause and one order after that.
    pub fn ended(&mut self, now: Timestamp, order: ClientOrderId, result: OrderResult) {
        let reopened = State::Open { until: now + self.pause };
        self.state = match (self.state, result) {
            (State::Closed { .. }, OrderResult::Worked) => State::Closed { failures: 0 },
            (State::Closed { failures }, OrderResult::Failed) if failures + 1 >= self.max_failures => {
                reopened
            }
            (State::Closed { failures }, OrderResult::Failed) => State::Closed { failures: failures + 1 },
            (State::HalfOpen { probe }, result) if probe == order => match result {
                OrderResult::Worked => State::Closed { failures: 0 },
                OrderResult::Failed => reopened,
                OrderResult::Withheld => State::Open { until: now },
            },
            (State::Closed { .. }, OrderResult::Withheld)
            | (State::Open { .. } | State::HalfOpen { .. }, _) => return,
        };
    }
}

/// Stops openings until an operator says otherwise. Closings always pass: being half-hedged is worse than trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KillSwitch {
    thrown: bool,
}

impl KillSwitch {
    /// Throws it.
    pub fn throw(&mut self) {
        self.thrown = true;
    }

    /// An operator resets it.
    pub fn reset(&mut self) {
        self.thrown = false;
    }

    /// Whether it is on.
    #[must_use]
    pub const fn is_thrown(&self) -> bool {
        self.thrown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(name: &str) -> ClientOrderId {
        ClientOrderId::new(name).expect("plain")
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// Open from second 1 for ten seconds, after two failures.
    fn opened() -> Breaker {
        let mut breaker = Breaker::new(2, Duration::from_secs(10));
        breaker.ended(at(0), order("a"), OrderResult::Failed);
        assert!(breaker.allows(at(0)));
        breaker.ended(at(1), order("b"), OrderResult::Failed);
        assert!(!breaker.allows(at(10)) && breaker.allows(at(11)));
        breaker
    }

    #[test]
    fn opens_after_failures_and_tries_once_after_the_pause() {
        let mut breaker = opened();
        breaker.attempt(order("c"));
        assert!(!breaker.allows(at(12)), "one order at a time while half open");
        breaker.ended(at(12), order("c"), OrderResult::Failed);
        assert!(!breaker.allows(at(21)) && breaker.allows(at(22)));
        breaker.attempt(order("d"));
        breaker.ended(at(22), order("d"), OrderResult::Worked);
        assert!(breaker.allows(at(22)));
    }

    #[test]
    fn only_the_one_order_decides() {
        let mut breaker = opened();
        breaker.ended(at(2), order("earlier"), OrderResult::Worked);
        assert!(!breaker.allows(at(3)), "what was sent before it opened does not close it");
        breaker.attempt(order("c"));
        breaker.ended(at(12), order("earlier"), OrderResult::Worked);
        assert!(!breaker.allows(at(12)));
        breaker.ended(at(12), order("c"), OrderResult::Withheld);
        assert!(breaker.allows(at(12)), "what never left says nothing: the next may try");
        breaker.attempt(order("d"));
        assert!(!breaker.allows(at(13)));
    }

    #[test]
    fn a_success_forgets_earlier_failures_and_what_never_left_counts_as_neither() {
        let mut breaker = Breaker::new(2, Duration::from_secs(10));
        breaker.ended(at(0), order("a"), OrderResult::Failed);
        breaker.ended(at(0), order("b"), OrderResult::Worked);
        breaker.ended(at(0), order("c"), OrderResult::Failed);
        breaker.ended(at(0), order("d"), OrderResult::Withheld);
        assert!(breaker.allows(at(0)));
        breaker.ended(at(0), order("e"), OrderResult::Failed);
        assert!(!breaker.allows(at(0)));
    }
}
