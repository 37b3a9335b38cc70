//! What stops openings: a breaker per venue, and the kill switch over all.

use cex_core::Timestamp;
use std::time::Duration;

/// Opens after too many failures in a row; lets one attempt through after a pause, and opens again if that fails.
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
    /// One attempt is out; its result decides.
    HalfOpen,
}

impl Breaker {
    /// Opens after `max_failures` in a row, for `pause`.
    #[must_use]
    pub const fn new(max_failures: u32, pause: Duration) -> Self {
        Self { max_failures, pause, state: State::Closed { failures: 0 } }
    }

    /// Whether an attempt may be made now.
    #[must_use]
    pub fn allows(&self, now: Timestamp) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => now >= until,
            State::HalfOpen => false,
        }
    }

    /// An attempt that [`Self::allows`] permitted goes out.
    pub fn attempt(&mut self) {
        if let State::Open { .. } = self.state {
            self.state = State::HalfOpen;
        }
    }

    /// An attempt succeeded.
    pub fn succeed(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// An attempt failed.
    pub fn fail(&mut self, now: Timestamp) {
        let failures = match self.state {
            State::Closed { failures } => failures + 1,
            State::Open { .. } => return,
            State::HalfOpen => self.max_failures,
        };
        self.state = if failures >= self.max_failures {
            State::Open { until: now + self.pause }
        } else {
            State::Closed { failures }
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

    #[test]
    fn opens_after_failures_and_tries_once_after_the_pause() {
        let mut breaker = Breaker::new(2, Duration::from_secs(10));
        let at = Timestamp::from_secs;
        breaker.fail(at(0));
        assert!(breaker.allows(at(0)));
        breaker.fail(at(1));
        assert!(!breaker.allows(at(10)) && breaker.allows(at(11)));
        breaker.attempt();
        assert!(!breaker.allows(at(12)), "one attempt at a time while half open");
        breaker.fail(at(12));
        assert!(!breaker.allows(at(21)) && breaker.allows(at(22)));
        breaker.attempt();
        breaker.succeed();
        assert!(breaker.allows(at(22)));
    }

    #[test]
    fn a_success_forgets_earlier_failures() {
        let mut breaker = Breaker::new(2, Duration::from_secs(10));
        breaker.fail(Timestamp::EPOCH);
        breaker.succeed();
        breaker.fail(Timestamp::EPOCH);
        assert!(breaker.allows(Timestamp::EPOCH));
    }
}
