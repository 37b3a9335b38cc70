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
