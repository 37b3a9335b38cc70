//! Opportunities: from the moment two books cross to the moment they no longer do, each ending with a verdict.

use crate::detect::Crossing;
use crate::plan::NoSize;
use cex_core::{Bps, Decimal, Timestamp};
use cex_risk::Refusal;
use std::fmt;
use std::time::Duration;

/// How an opportunity ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It was traded.
    Traded,
    /// Fees, or our least edge, ate it.
    BelowEdge,
    /// What would have paid was below a venue's minimum.
    TooSmall,
    /// Nothing to pay it with.
    NoBalance,
    /// A book was too old to decide on.
    Stale,
    /// An order of ours is out there, or was just now and the book does not show it yet.
    Settling,
    /// An account was not known well enough to trade.
    NotReady,
    /// A risk rule refused it: which one.
    Refused(&'static str),
}

impl Verdict {
    /// A stable name: `traded`, `refused:symbol_busy`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Refused(rule) => format!("refused:{rule}"),
            other => other.plain().to_owned(),
        }
    }

    const fn plain(&self) -> &'static str {
        match self {
            Self::Traded => "traded",
            Self::BelowEdge => "below_edge",
            Self::TooSmall => "too_small",
            Self::NoBalance => "no_balance",
            Self::Stale => "stale",
            Self::Settling => "settling",
            Self::NotReady => "not_ready",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl From<NoSize> for Verdict {
    fn from(why: NoSize) -> Self {
        match why {
            NoSize::NoEdge => Self::BelowEdge,
            NoSize::TooSmall => Self::TooSmall,
            NoSize::NoBalance => Self::NoBalance,
            NoSize::Overflow => Self::Refused("overflow"),
        }
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::EdgeBelow { .. } => Self::BelowEdge,
            Refusal::Balance { .. } => Self::NoBalance,
            Refusal::BookAge { .. } | Refusal::AgeGap { .. } => Self::Stale,
            Refusal::KillSwitch
            | Refusal::Mode(_)
            | Refusal::Stopped(_)
            | Refusal::BreakerOpen { .. }
            | Refusal::SymbolBreakerOpen
            | Refusal::Symbol { .. }
            | Refusal::Wallet { .. }
            | Refusal::Journal { .. }
            | Refusal::LegNotional { .. }
            | Refusal::CycleNotional { .. }
            | Refusal::Gross { .. }
            | Refusal::SymbolNet { .. }
            | Refusal::Equity { .. }
            | Refusal::Inventory { .. }
            | Refusal::SymbolBusy { .. }
            | Refusal::VenueBusy { .. }
            | Refusal::TooManyOpen { .. }
            | Refusal::Collar { .. }
            | Refusal::CrossCollar { .. }
            | Refusal::BookAhead { .. }
            | Refusal::Unaudited { .. }
            | Refusal::EdgeAbove { .. }
            | Refusal::Budget { .. }
            | Refusal::OrderRate { .. }
            | Refusal::SymbolRate { .. }
            | Refusal::Burst { .. }
            | Refusal::Cooldown { .. }
            | Refusal::UnknownOrders { .. }
            | Refusal::Dust { .. }
            | Refusal::Overflow => Self::Refused(refusal.rule()),
        }
    }
}

/// A crossing that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opportunity {
    /// The crossing at its best, by net edge.
    pub best: Crossing,
    /// When it began, by our clock.
    pub since: Timestamp,
    /// The largest profit a plan promised, in quote; zero while none was sized.
    pub profit: Decimal,
    /// What became of it so far.
    pub verdict: Verdict,
}

impl Opportunity {
    /// A crossing that just appeared.
    #[must_use]
    pub const fn new(now: Timestamp, crossing: Crossing) -> Self {
        Self { best: crossing, since: now, profit: Decimal::ZERO, verdict: Verdict::BelowEdge }
    }

    /// The crossing was looked at again.
    pub fn seen(&mut self, crossing: Crossing) {
        if crossing.net > self.best.net {
            self.best = crossing;
        }
    }

    /// What a look at it came to. Once traded it stays traded: looks while it is still open say nothing new.
    pub fn judge(&mut self, verdict: Verdict, profit: Decimal) {
        self.profit = self.profit.max(profit);
        if self.verdict != Verdict::Traded {
            self.verdict = verdict;
        }
    }

    /// The orders that were to trade it did not leave.
    pub const fn withheld(&mut self) {
        self.verdict = Verdict::Refused("not_sent");
    }

    /// How long it has lasted.
    #[must_use]
    pub fn lifetime(&self, now: Timestamp) -> Duration {
        now.since(self.since)
    }

    /// Whether the crossing is between these venues.
    #[must_use]
    pub const fn is_between(&self, buy: usize, sell: usize) -> bool {
        self.best.buy == buy && self.best.sell == sell
    }

    /// The edge after fees at its best.
    #[must_use]
    pub const fn net(&self) -> Bps {
        self.best.net
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_traded_stays_traded_and_remembers_its_best() {
        let crossing = |net| Crossing { buy: 0, sell: 1, gross: Bps::from_bps(40), net: Bps::from_bps(net) };
        let mut opportunity = Opportunity::new(Timestamp::EPOCH, crossing(10));
        opportunity.judge(Verdict::Refused("cooldown"), Decimal::ONE);
        opportunity.seen(crossing(20));
        opportunity.judge(Verdict::Traded, Decimal::from(3));
        opportunity.seen(crossing(5));
        opportunity.judge(Verdict::Refused("symbol_busy"), Decimal::ONE);
        assert_eq!(opportunity.verdict, Verdict::Traded);
        assert_eq!((opportunity.net(), opportunity.profit), (Bps::from_bps(20), Decimal::from(3)));
        assert_eq!(Verdict::Refused("cooldown").name(), "refused:cooldown");
        opportunity.withheld();
        assert_eq!(opportunity.verdict.name(), "refused:not_sent");
    }
}
