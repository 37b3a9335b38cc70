//! How prices wander: a factor common to all symbols, a part of each symbol, a small basis of each exchange.
//!
//! All are relative (0.001 is 10 bps), wander at random and are drawn back to zero, so that a market that runs for
//! weeks still has prices its decimals were made for.

use super::dice::Dice;
use cex_core::Timestamp;

/// One basis point.
pub(super) const BPS: f64 = 1e-4;

/// A longer pause than this moves prices no further: after a suspended laptop the market goes on, it does not jump.
const LONGEST_STEP: f64 = 1.0;

/// A number that wanders.
#[derive(Debug, Clone)]
pub(super) struct Drift {
    value: f64,
    as_of: Timestamp,
    /// Deviation after a second.
    deviation: f64,
    /// Part of the value lost per second.
    pull: f64,
    /// The value never leaves `-bound..=bound`.
    bound: f64,
}

impl Drift {
    /// One that begins at zero.
    pub(super) const fn new(now: Timestamp, deviation: f64, pull: f64, bound: f64) -> Self {
        Self { value: 0.0, as_of: now, deviation, pull, bound }
    }

    /// Where it is.
    pub(super) const fn value(&self) -> f64 {
        self.value
    }

    /// Moves it on.
    pub(super) fn advance(&mut self, now: Timestamp, dice: &mut Dice) {
        let seconds = now.since(self.as_of).as_secs_f64().min(LONGEST_STEP);
        self.as_of = now;
        let moved = self.deviation * seconds.sqrt() * dice.normal() - self.pull * seconds * self.value;
        self.value = (self.value + moved).clamp(-self.bound, self.bound);
    }
}

/// Growth by a relative change, as the exponential does it: up and down by the same leads back.
pub(super) fn growth(change: f64) -> f64 {
    1.0 + change * (1.0 + change / 2.0 * (1.0 + change / 3.0 * (1.0 + change / 4.0)))
}

#[cfg(test)]
mod tests {
    use super::{BPS, Drift, growth};
    use crate::market::dice::Dice;
    use cex_core::Timestamp;
    use std::time::Duration;

    #[test]
    fn it_wanders_and_never_leaves_its_bounds() {
        let mut dice = Dice::new(3, 0);
        let mut now = Timestamp::from_secs(1);
        let mut drift = Drift::new(now, BPS, 0.01, 2.0 * BPS);
        let mut farthest = 0f64;
        for _ in 0..10_000 {
            now += Duration::from_millis(100);
            drift.advance(now, &mut dice);
            farthest = farthest.max(drift.value().abs());
        }
        assert!(farthest > 1.9 * BPS && farthest <= 2.0 * BPS, "{farthest}");
    }

    #[test]
    fn a_long_pause_is_no_jump() {
        let mut dice = Dice::new(3, 0);
        let mut drift = Drift::new(Timestamp::from_secs(1), BPS, 0.01, 0.1);
        drift.advance(Timestamp::from_secs(100_000), &mut dice);
        assert!(drift.value().abs() <= 3.5 * BPS);
    }

    #[test]
    fn growing_up_and_down_leads_back() {
        for change in [0.0, 0.001, 0.05, 0.3] {
            assert!((growth(change) * growth(-change) - 1.0).abs() < 1e-4, "{change}");
        }
    }
}
