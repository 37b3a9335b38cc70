//! Every rule with its parameter and unit, and every refusal in words.

use cex_core::{Asset, Bps, Decimal, VenueId};
use std::time::Duration;

/// What may be risked. There is no default: whoever trades says every number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest notional of one leg, in quote (rule R4).
    pub max_leg_notional: Decimal,
    /// Arbitrages open at once in one symbol (R15).
    pub max_open_per_symbol: u32,
    /// Arbitrages open at once in all (R15).
    pub max_open: u32,
    /// Oldest book a decision may use, by arrival (R7).
    pub max_book_age: Duration,
    /// Largest difference between the ages of the two books (R8).
    pub max_age_gap: Duration,
    /// Least edge after fees (R11).
    pub min_edge: Bps,
    /// Largest edge that is believed: beyond it the data is suspected, not the market (R11).
    pub max_edge: Bps,
    /// Orders per second and venue (R17).
    pub max_orders_per_second: u32,
    /// Pause of a symbol after an arbitrage that did not fill on both legs (R23).
    pub cooldown: Duration,
    /// Orders whose fate is unknown, per venue, above which nothing new is opened there (R27).
    pub max_unknown: u32,
    /// Failed orders in a row on one venue that stop openings there for a while (R25).
    pub max_failures: u32,
    /// How long such a stop lasts (R25).
    pub breaker_pause: Duration,
}

/// Why a plan was refused: which rule, with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The kill switch is on.
    #[error("kill switch is on")]
    KillSwitch,
    /// A venue's breaker is open.
    #[error("{venue} is paused after repeated failures")]
    BreakerOpen {
        /// Which venue.
        venue: VenueId,
    },
    /// A leg above the notional limit.
    #[error("leg of {notional} exceeds the largest notional {max}")]
    LegNotional {
        /// What the leg may spend.
        notional: Decimal,
        /// The limit.
        max: Decimal,
    },
    /// The symbol has as many arbitrages open as it may.
    #[error("{open} arbitrages open in this symbol, {max} allowed")]
    SymbolBusy {
        /// Open now.
        open: u32,
        /// The limit.
        max: u32,
    },
    /// As many arbitrages open as there may be.
    #[error("{open} arbitrages open, {max} allowed")]
    TooManyOpen {
        /// Open now.
        open: u32,
        /// The limit.
        max: u32,
    },
    /// A book too old to decide on.
    #[error("{venue} book is {age_ms} ms old, {max_ms} allowed")]
    BookAge {
        /// Whose book.
        venue: VenueId,
        /// Its age in milliseconds.
        age_ms: u64,
        /// The limit in milliseconds.
        max_ms: u64,
    },
    /// Two books of too different ages.
    #[error("book ages differ by {gap_ms} ms, {max_ms} allowed")]
    AgeGap {
        /// Difference in milliseconds.
        gap_ms: u64,
        /// The limit in milliseconds.
        max_ms: u64,
    },
    /// Not enough funds, net of reservations.
    #[error("{venue} has {free} {asset} free, {needed} needed")]
    Balance {
        /// Where.
        venue: VenueId,
        /// Of what.
        asset: Asset,
        /// What the leg needs.
        needed: Decimal,
        /// What is there.
        free: Decimal,
    },
    /// Edge below the least.
    #[error("edge of {edge} bps is below {min} bps")]
    EdgeBelow {
        /// Edge of the plan.
        edge: Bps,
        /// The limit.
        min: Bps,
    },
    /// Edge above what is believed.
    #[error("edge of {edge} bps is above {max} bps: the data is suspected")]
    EdgeAbove {
        /// Edge of the plan.
        edge: Bps,
        /// The limit.
        max: Bps,
    },
    /// Too many orders.
    #[error("{venue} takes {max} orders per second at most")]
    OrderRate {
        /// Where.
        venue: VenueId,
        /// The limit.
        max: u32,
    },
    /// The symbol is pausing.
    #[error("symbol pauses for {left_ms} ms more")]
    Cooldown {
        /// How much longer, in milliseconds.
        left_ms: u64,
    },
    /// Orders of unknown fate.
    #[error("{venue} has {unknown} orders of unknown fate, {max} allowed")]
    UnknownOrders {
        /// Where.
        venue: VenueId,
        /// How many.
        unknown: u32,
        /// The limit.
        max: u32,
    },
    /// A number in the check does not fit.
    #[error("arithmetic does not fit")]
    Overflow,
}

impl Refusal {
    /// A short stable name of the rule, for counters: `kill_switch`, `book_age`.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::KillSwitch => "kill_switch",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::LegNotional { .. } => "leg_notional",
            Self::SymbolBusy { .. } => "symbol_busy",
            Self::TooManyOpen { .. } => "too_many_open",
            Self::BookAge { .. } => "book_age",
            Self::AgeGap { .. } => "age_gap",
            Self::Balance { .. } => "balance",
            Self::EdgeBelow { .. } => "edge_below",
            Self::EdgeAbove { .. } => "edge_above",
            Self::OrderRate { .. } => "order_rate",
            Self::Cooldown { .. } => "cooldown",
            Self::UnknownOrders { .. } => "unknown_orders",
            Self::Overflow => "overflow",
        }
    }
}
