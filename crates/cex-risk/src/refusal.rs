//! Every refusal in words, with the numbers.

use crate::mode::Mode;
use crate::trip::Trip;
use cex_core::{Asset, Bps, Decimal, VenueId};

/// Why a plan was refused: which rule, with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The kill switch is on.
    #[error("kill switch is on")]
    KillSwitch,
    /// Nothing is opened in this mode.
    #[error("mode is {0}")]
    Mode(Mode),
    /// A rule stopped everything, the venue or the symbol, and still does.
    #[error("{0}")]
    Stopped(Trip),
    /// A venue's breaker is open.
    #[error("{venue} is paused after repeated failures")]
    BreakerOpen {
        /// Venue whose breaker is open.
        venue: VenueId,
    },
    /// The symbol's breaker is open.
    #[error("symbol is paused after repeated failures")]
    SymbolBreakerOpen,
    /// The symbol must not be traded.
    #[error("symbol may not be traded: {why}")]
    Symbol {
        /// Reason in a few words.
        why: &'static str,
    },
    /// Coins cannot be moved, so what is bought here could not be evened out.
    #[error("{venue} wallet of {asset} is {what}")]
    Wallet {
        /// Venue whose wallet is in the way.
        venue: VenueId,
        /// Coin of the wallet.
        asset: Asset,
        /// `closed`, `not known`, or no chain in common.
        what: &'static str,
    },
    /// What happens could not be recorded.
    #[error("journal is {what}")]
    Journal {
        /// `behind` or `failed`.
        what: &'static str,
    },
    /// A leg above the notional limit.
    #[error("leg of {notional} exceeds the largest notional {max}")]
    LegNotional {
        /// Notional the leg may move, in quote.
        notional: Decimal,
        /// The limit.
        max: Decimal,
    },
    /// Both legs together above the limit.
    #[error("legs of {notional} together exceed {max}")]
    CycleNotional {
        /// Notional both legs may move together, in quote.
        notional: Decimal,
        /// The limit.
        max: Decimal,
    },
    /// Open arbitrages together above the limit.
    #[error("{gross} open together, {max} allowed")]
    Gross {
        /// Notional all may move together, this one included, in quote.
        gross: Decimal,
        /// The limit.
        max: Decimal,
    },
    /// The symbol's position could grow too large.
    #[error("position could reach {net}, {max} allowed")]
    SymbolNet {
        /// Value of the position at worst, in quote.
        net: Decimal,
        /// The limit.
        max: Decimal,
    },
    /// Too much held at a venue.
    #[error("{equity} held at {venue}, {max} allowed")]
    Equity {
        /// Venue that holds too much.
        venue: VenueId,
        /// Value of what it holds, in quote.
        equity: Decimal,
        /// The limit.
        max: Decimal,
    },
    /// Too little of a coin would stay at a venue.
    #[error("{venue} would keep {left} of {asset}, {min} at least")]
    Inventory {
        /// Venue that would keep too little.
        venue: VenueId,
        /// Coin that would be short there.
        asset: Asset,
        /// Quantity that would stay free there, in units of the coin.
        left: Decimal,
        /// The least that must stay there, likewise.
        min: Decimal,
    },
    /// The symbol has as many arbitrages open as it may.
    #[error("{open} arbitrages open in this symbol, {max} allowed")]
    SymbolBusy {
        /// Arbitrages open in the symbol now.
        open: u32,
        /// The limit.
        max: u32,
    },
    /// A venue has as many arbitrages open as it may.
    #[error("{open} arbitrages open at {venue}, {max} allowed")]
    VenueBusy {
        /// Venue that is busy.
        venue: VenueId,
        /// Arbitrages open at the venue now.
        open: u32,
        /// The limit.
        max: u32,
    },
    /// As many arbitrages open as there may be.
    #[error("{open} arbitrages open, {max} allowed")]
    TooManyOpen {
        /// Arbitrages open now.
        open: u32,
        /// The limit.
        max: u32,
    },
    /// A book too old to decide on.
    #[error("{venue} book is {age_ms} ms old, {max_ms} allowed")]
    BookAge {
        /// Venue of the book.
        venue: VenueId,
        /// Its age in milliseconds.
        age_ms: u64,
        /// The limit in milliseconds.
        max_ms: u64,
    },
    /// A book whose exchange tells a time for it that has not come yet.
    #[error("{venue} book is {lead_ms} ms ahead of the exchange's clock, {max_ms} allowed")]
    BookAhead {
        /// Venue of the book.
        venue: VenueId,
        /// How far it is ahead, in milliseconds.
        lead_ms: u64,
        /// The limit in milliseconds.
        max_ms: u64,
    },
    /// A book that was not compared with the exchange's own for too long.
    #[error("{venue} book was compared with the exchange's own {age_ms} ms ago, {max_ms} allowed")]
    Unaudited {
        /// Venue of the book.
        venue: VenueId,
        /// Time since the last comparison, in milliseconds.
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
    /// A limit too far from the middle of its book.
    #[error("limit at {venue} is {off} bps from the middle, {max} allowed")]
    Collar {
        /// Venue of the leg.
        venue: VenueId,
        /// Distance of the limit price from the middle of the book.
        off: Bps,
        /// The limit.
        max: Bps,
    },
    /// Two books too far apart.
    #[error("books are {off} bps apart, {max} allowed")]
    CrossCollar {
        /// Distance between the middles of the two books.
        off: Bps,
        /// The limit.
        max: Bps,
    },
    /// Not enough funds, net of reservations.
    #[error("{venue} has {free} {asset} free, {needed} needed")]
    Balance {
        /// Venue of the leg.
        venue: VenueId,
        /// Asset the leg spends.
        asset: Asset,
        /// What the leg may spend at worst, in units of the asset.
        needed: Decimal,
        /// Free holding there, net of reservations, likewise.
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
    /// What may be sent is used up.
    #[error("the request budget of {venue} is spent for {left_ms} ms")]
    Budget {
        /// Venue whose budget is spent.
        venue: VenueId,
        /// Time until an order fits again, in milliseconds.
        left_ms: u64,
    },
    /// Too many orders.
    #[error("{venue} takes {max} orders per second at most")]
    OrderRate {
        /// Venue the order would go to.
        venue: VenueId,
        /// The limit.
        max: u32,
    },
    /// Too many orders in one symbol.
    #[error("{venue} takes {max} orders per second and symbol at most")]
    SymbolRate {
        /// Venue the order would go to.
        venue: VenueId,
        /// The limit.
        max: u32,
    },
    /// Too many orders at once.
    #[error("{venue} takes {max} orders at once at most")]
    Burst {
        /// Venue the order would go to.
        venue: VenueId,
        /// The limit.
        max: u32,
    },
    /// The symbol is pausing.
    #[error("symbol pauses for {left_ms} ms more")]
    Cooldown {
        /// Rest of the pause, in milliseconds.
        left_ms: u64,
    },
    /// Orders of unknown fate.
    #[error("{venue} has {unknown} orders of unknown fate, {max} allowed")]
    UnknownOrders {
        /// Venue the orders were sent to.
        venue: VenueId,
        /// Number of its orders of unknown fate.
        unknown: u32,
        /// The limit.
        max: u32,
    },
    /// Too much left over from arbitrages that could not be levelled.
    #[error("{dust} left over, {max} allowed")]
    Dust {
        /// Value of what is left over, in quote.
        dust: Decimal,
        /// The limit.
        max: Decimal,
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
            Self::Mode(mode) => mode.name(),
            Self::Stopped(trip) => trip.rule,
            Self::BreakerOpen { .. } => "breaker_open",
            Self::SymbolBreakerOpen => "symbol_breaker_open",
            Self::Symbol { .. } => "symbol",
            Self::Wallet { .. } => "wallet",
            Self::Journal { .. } => "journal",
            Self::LegNotional { .. } => "leg_notional",
            Self::CycleNotional { .. } => "cycle_notional",
            Self::Gross { .. } => "gross",
            Self::SymbolNet { .. } => "symbol_net",
            Self::Equity { .. } => "venue_equity",
            Self::Inventory { .. } => "inventory",
            Self::SymbolBusy { .. } => "symbol_busy",
            Self::VenueBusy { .. } => "venue_busy",
            Self::TooManyOpen { .. } => "too_many_open",
            Self::BookAge { .. } => "book_age",
            Self::BookAhead { .. } => "book_ahead",
            Self::Unaudited { .. } => "unaudited",
            Self::AgeGap { .. } => "age_gap",
            Self::Collar { .. } => "collar",
            Self::CrossCollar { .. } => "cross_collar",
            Self::Balance { .. } => "balance",
            Self::EdgeBelow { .. } => "edge_below",
            Self::EdgeAbove { .. } => "edge_above",
            Self::Budget { .. } => "budget",
            Self::OrderRate { .. } => "order_rate",
            Self::SymbolRate { .. } => "symbol_rate",
            Self::Burst { .. } => "burst",
            Self::Cooldown { .. } => "cooldown",
            Self::UnknownOrders { .. } => "unknown_orders",
            Self::Dust { .. } => "dust",
            Self::Overflow => "overflow",
        }
    }
}
