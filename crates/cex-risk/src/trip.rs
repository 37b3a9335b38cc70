//! Rules that stop more than the plan at hand.

use cex_core::{SymbolId, Timestamp, VenueId};
use std::fmt;

/// Whom a trip stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All openings.
    All,
    /// Openings at a venue.
    Venue(VenueId),
    /// Openings in a symbol.
    Symbol(SymbolId),
}

/// How long a trip is in force. Closings always pass: being half hedged is worse than trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// In force until this time, by our clock.
    Time(Timestamp),
    /// In force until an operator has looked.
    Operator,
}

/// A rule that was broken and stops openings from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// A short stable name: `day_loss`.
    pub rule: &'static str,
    /// Openings it stops.
    pub scope: Scope,
    /// When it ends: at a time, or once an operator has looked.
    pub until: Until,
}

/// The breaker of a venue opened: in a later run it goes on where it stood.
pub const VENUE_FAILURES: &str = "venue_failures";

/// The breaker of a symbol opened: so does this one.
pub const SYMBOL_FAILURES: &str = "symbol_failures";

/// Every rule that trips, by its name: what a journal tells of an earlier run is looked up here.
pub const RULES: [&str; 25] = [
    "quarantine",
    "fee_surprise",
    "slippage",
    "all_failures",
    "naked",
    "drift",
    "drift_sum",
    "minute_orders",
    "day_orders",
    "day_notional",
    "cycle_loss",
    "hour_loss",
    "day_loss",
    "drawdown",
    "auth",
    "permission",
    "banned",
    "latency",
    "timeouts",
    "venue_unknown",
    "audit",
    "parked",
    "clock",
    VENUE_FAILURES,
    SYMBOL_FAILURES,
];

/// The rule of this name; `None` for one that this version does not know.
#[must_use]
pub fn rule(name: &str) -> Option<&'static str> {
    RULES.into_iter().find(|known| *known == name)
}

impl Trip {
    /// Whether it still stops anything.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        match self.until {
            Until::Time(until) => now < until,
            Until::Operator => true,
        }
    }

    /// Of two for the same scope, the one that lasts longer.
    pub(crate) fn longer(self, other: Self) -> Self {
        match (self.until, other.until) {
            (Until::Operator, _) => self,
            (Until::Time(_), Until::Operator) => other,
            (Until::Time(mine), Until::Time(theirs)) => {
                if theirs > mine {
                    other
                } else {
                    self
                }
            }
        }
    }
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.rule;
        match self.scope {
            Scope::All => write!(f, "rule {rule} stopped all openings")?,
            Scope::Venue(venue) => write!(f, "rule {rule} stopped openings at {venue}")?,
            Scope::Symbol(_) => write!(f, "rule {rule} stopped the symbol")?,
        }
        match self.until {
            Until::Time(until) => write!(f, " until {until}"),
            Until::Operator => f.write_str(" until an operator has looked"),
        }
    }
}
