//! What stops openings: a breaker per venue and symbol, and the kill switch over all.

use cex_core::Timestamp;
use std::time::Duration;

/// What became of an order, or of an arbitrage, as a breaker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderResult {
    /// The exchange took it, filled or not.
    Worked,
    /// The exchange refused it, or it was lost.
    Failed,
    /// It never left us, which says nothing about the exchange.
    Withheld,
}

/// Opens after too many failures in a row; lets one attempt through after a pause, and opens again if that fails. Attempts
/// are orders of a venue, or arbitrages of a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker<A> {
    max_failures: u32,
    pause: Duration,
    /// Failures farther apart do not count together.
    window: Duration,
    /// The failures in a row that still count, oldest first.
    failed_at: Vec<Timestamp>,
    state: State<A>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State<A> {
    Closed,
    Open {
        until: Timestamp,
    },
    /// One attempt is out; its result decides, and no other's: those made before the breaker opened end late.
    HalfOpen {
        probe: A,
        /// When its pause was over: it still is when the attempt never left.
        until: Timestamp,
    },
}

impl<A: Copy + PartialEq> Breaker<A> {
    /// Opens after `max_failures` in a row, for `pause`.
    #[must_use]
    pub const fn new(max_failures: u32, pause: Duration) -> Self {
        Self::within(max_failures, pause, Duration::MAX)
    }

    /// Opens after `max_failures` in a row within `window`, for `pause`.
    #[must_use]
    pub const fn within(max_failures: u32, pause: Duration, window: Duration) -> Self {
        Self { max_failures, pause, window, failed_at: Vec::new(), state: State::Closed }
    }

    /// Whether an attempt may be made now.
    #[must_use]
    pub fn allows(&self, now: Timestamp) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } => now >= until,
            State::HalfOpen { .. } => false,
        }
    }

    /// Whether the next attempt is the one after a pause.
    #[must_use]
    pub fn is_trying(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Open { until } if now >= until)
    }

    /// An attempt is made. Only one after the pause is the probe: closings pass an open breaker, and must not close it.
    pub fn attempt(&mut self, now: Timestamp, attempt: A) {
        if let State::Open { until } = self.state
            && now >= until
        {
            self.state = State::HalfOpen { probe: attempt, until };
        }
    }

    /// Opens at once.
    pub fn open(&mut self, now: Timestamp) {
        self.open_until(now + self.pause);
    }

    /// Its one attempt after a pause will never be heard of: another may be made.
    pub(crate) const fn lose_probe(&mut self) {
        if let State::HalfOpen { until, .. } = self.state {
            self.state = State::Open { until };
        }
    }

    /// It was opened in an earlier run.
    pub fn open_until(&mut self, until: Timestamp) {
        self.failed_at.clear();
        self.state = State::Open { until };
    }

    /// An attempt ended; whether that opened the breaker. While it is open nothing closes it but its pause and one
    /// attempt after that.
    pub fn ended(&mut self, now: Timestamp, attempt: A, result: OrderResult) -> bool {
        match (self.state, result) {
            (State::Closed, OrderResult::Worked) => self.failed_at.clear(),
            (State::Closed, OrderResult::Failed) => {
                self.failed_at.retain(|at| now.since(*at) < self.window);
                self.failed_at.push(now);
                if self.failed_at.len() >= self.max_failures as usize {
                    self.open(now);
                    return true;
                }
            }
            (State::HalfOpen { probe, until }, result) if probe == attempt => match result {
                OrderResult::Worked => self.state = State::Closed,
                OrderResult::Failed => {
                    self.open(now);
                    return true;
                }
                OrderResult::Withheld => self.state = State::Open { until },
            },
            (State::Closed, OrderResult::Withheld) | (State::Open { .. } | State::HalfOpen { .. }, _) => {}
        }
        false
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
    use cex_core::ClientOrderId;

    fn order(name: &str) -> ClientOrderId {
        ClientOrderId::new(name).expect("plain")
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// Open from second 1 for ten seconds, after two failures.
    fn opened() -> Breaker<ClientOrderId> {
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
        assert!(!breaker.is_trying(at(10)) && breaker.is_trying(at(11)));
        breaker.attempt(at(11), order("c"));
        assert!(!breaker.is_trying(at(12)));
        assert!(!breaker.allows(at(12)), "one order at a time while half open");
        breaker.ended(at(12), order("c"), OrderResult::Failed);
        assert!(!breaker.allows(at(21)) && breaker.allows(at(22)));
        breaker.attempt(at(22), order("d"));
        breaker.ended(at(22), order("d"), OrderResult::Worked);
        assert!(breaker.allows(at(22)));
    }

    #[test]
    fn only_the_one_order_decides() {
        let mut breaker = opened();
        breaker.ended(at(2), order("earlier"), OrderResult::Worked);
        assert!(!breaker.allows(at(3)), "what was sent before it opened does not close it");
        breaker.attempt(at(4), order("closing"));
        breaker.ended(at(5), order("closing"), OrderResult::Worked);
        assert!(
            !breaker.allows(at(10)) && breaker.allows(at(11)),
            "what passed it while it was open is no probe"
        );
        breaker.attempt(at(11), order("c"));
        breaker.ended(at(12), order("earlier"), OrderResult::Worked);
        assert!(!breaker.allows(at(12)));
        breaker.ended(at(12), order("c"), OrderResult::Withheld);
        assert!(breaker.allows(at(12)), "what never left says nothing: the next may try");
        assert_eq!(breaker, opened(), "and no record tells of it: a restart finds the breaker as it was");
        breaker.attempt(at(12), order("d"));
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

    #[test]
    fn failures_far_apart_do_not_count_together() {
        let mut breaker = Breaker::within(2, Duration::from_secs(10), Duration::from_secs(60));
        assert!(!breaker.ended(at(0), order("a"), OrderResult::Failed));
        assert!(!breaker.ended(at(60), order("b"), OrderResult::Failed), "a minute later");
        assert!(breaker.ended(at(119), order("c"), OrderResult::Failed));
        assert!(!breaker.allows(at(128)));
        let mut breaker = Breaker::within(3, Duration::from_secs(10), Duration::from_secs(600));
        let opened = [0, 590, 650, 770].map(|secs| breaker.ended(at(secs), order("d"), OrderResult::Failed));
        assert_eq!(
            opened,
            [false, false, false, true],
            "those within the last ten minutes count, whenever it began"
        );
    }
}
