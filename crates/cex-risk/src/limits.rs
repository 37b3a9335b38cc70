//! Every rule with its parameter and unit.

use cex_core::{Bps, Decimal, Price};
use std::time::Duration;

/// Farthest a book's own time may lie ahead of its exchange's clock (R7): a second, and the 250 ms by which the measure of
/// that clock may be wrong while orders are signed with it.
pub const MAX_VENUE_LEAD: Duration = Duration::from_millis(1_250);

/// What may be risked. There is no default: whoever trades says every number. R1 to R36 are the numbers of the rules in
/// `docs/risk.md`; those without a parameter here are named there with the place that keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest notional of one leg, in quote (R4).
    pub max_leg_notional: Decimal,
    /// Largest notional of both legs together, in quote (R4).
    pub max_cycle_notional: Decimal,
    /// How far above a venue's least notional an order must be, as a part of it (R5).
    pub min_notional_margin: Bps,
    /// Largest part of what a book shows that one leg may take (R6).
    pub max_depth_share: Bps,
    /// Oldest book a decision may use, by arrival (R7).
    pub max_book_age: Duration,
    /// ... and by the exchange's own time, where it tells it (R7).
    pub max_venue_age: Duration,
    /// Largest difference between the ages of the two books (R8).
    pub max_age_gap: Duration,
    /// Farthest a limit may be from the middle of its own book (R10).
    pub max_collar: Bps,
    /// Farthest the middles of the two books may be apart (R10).
    pub max_cross_collar: Bps,
    /// Least edge after fees (R11).
    pub min_edge: Bps,
    /// Largest edge that is believed: beyond it the data is suspected, not the market (R11).
    pub max_edge: Bps,
    /// How long a symbol whose edge was not believed is left alone (R11).
    pub quarantine: Duration,
    /// Largest net position in one symbol, whatever open orders may still do, in quote (R12).
    pub max_symbol_net: Decimal,
    /// Largest value held at one venue, in quote (R13).
    pub max_venue_equity: Decimal,
    /// Least part of all we hold of a coin that must stay where an opening spends it (R13).
    pub min_inventory_share: Bps,
    /// Largest sum of what open arbitrages may move, in quote (R14).
    pub max_gross: Decimal,
    /// Arbitrages open at once in one symbol (R15).
    pub max_open_per_symbol: u32,
    /// Arbitrages open at once at one venue (R15).
    pub max_open_per_venue: u32,
    /// Arbitrages open at once in all (R15).
    pub max_open: u32,
    /// What must be free beyond what a leg spends, as a part of it (R16).
    pub fee_buffer: Bps,
    /// Orders per second and venue (R17).
    pub max_orders_per_second: u32,
    /// Orders per second, venue and symbol (R17).
    pub max_symbol_orders_per_second: u32,
    /// Orders within a tenth of a second at one venue (R17).
    pub max_burst: u32,
    /// Orders per minute in all (R18).
    pub max_orders_per_minute: u32,
    /// Orders per UTC day in all (R18).
    pub max_orders_per_day: u32,
    /// Notional of all legs per UTC day, in quote (R18).
    pub max_day_notional: Decimal,
    /// Largest loss per UTC day, in quote (R20).
    pub max_day_loss: Decimal,
    /// Largest loss per hour, in quote (R20).
    pub max_hour_loss: Decimal,
    /// Largest loss of one arbitrage, in quote (R20).
    pub max_cycle_loss: Decimal,
    /// Farthest profit may fall from its highest, in quote (R21).
    pub max_drawdown: Decimal,
    /// Pause of a symbol after an arbitrage that did not fill on both legs; doubled with each further one (R23).
    pub cooldown: Duration,
    /// Longest such pause (R23).
    pub max_cooldown: Duration,
    /// Failed arbitrages of a symbol in a row, within [`Self::failure_window`], that stop it for a while (R24).
    pub max_symbol_failures: u32,
    /// Failed orders in a row on one venue that stop openings there for a while (R25).
    pub max_failures: u32,
    /// Largest part of a venue's last fifty orders that may have failed (R25).
    pub max_failure_share: Bps,
    /// How long such a stop lasts (R24, R25).
    pub breaker_pause: Duration,
    /// Failed arbitrages over all symbols, within [`Self::failure_window`], that stop everything until an operator has
    /// looked (R26).
    pub max_all_failures: u32,
    /// Within what time failures count together (R24, R26).
    pub failure_window: Duration,
    /// Orders whose fate is unknown, per venue, with which nothing new is opened there (R27).
    pub max_unknown: u32,
    /// Orders of unknown fate with which a venue stops for a while (R25).
    pub stop_unknown: u32,
    /// How long answers to orders may take: more than one of the last hundred slower, and the venue stops (R25).
    pub max_answer: Duration,
    /// How long ago a book may have been compared with the exchange's own (R9).
    pub max_audit_age: Duration,
    /// Largest difference an arbitrage may leave open at once, in quote (R28).
    pub max_naked_notional: Decimal,
    /// How much more than expected a fee may be before it counts as a surprise; the third in a row stops the symbol (R30).
    pub max_fee_surprise: Bps,
    /// Arbitrages after which a symbol must have earned something, on the average of the recent ones (R31).
    pub slippage_cycles: u32,
    /// Largest difference between our ledger and an account, in quote; two in a row stop the venue (R32).
    pub max_drift: Decimal,
    /// Largest value left over in one symbol, in quote (R33).
    pub max_symbol_dust: Decimal,
    /// Largest value left over in all, in quote (R33).
    pub max_dust: Decimal,
}

impl Limits {
    /// How far a price is off the middle of its own book, where that is farther than it may be (R10). A middle of zero is no
    /// price to go by.
    #[must_use]
    pub fn off_mid(&self, price: Price, mid: Price) -> Option<Bps> {
        Some(apart(price, mid)).filter(|off| *off > self.max_collar)
    }

    /// How far the middle of a book is from another venue's, where that is farther than it may be (R10).
    #[must_use]
    pub fn off_other(&self, mid: Price, other: Price) -> Option<Bps> {
        Some(apart(mid, other)).filter(|off| *off > self.max_cross_collar)
    }

    /// Nothing is limited. For tests, benches and demonstrations with play money; whoever trades says every number.
    #[must_use]
    pub fn boundless() -> Self {
        let (money, time) = (Decimal::from(i64::MAX), Duration::from_secs(u64::from(u32::MAX)));
        Self {
            max_leg_notional: money,
            max_cycle_notional: money,
            min_notional_margin: Bps::ZERO,
            max_depth_share: Bps::from_e8(Bps::ONE),
            max_book_age: time,
            max_venue_age: time,
            max_age_gap: time,
            max_collar: Bps::from_e8(i64::MAX),
            max_cross_collar: Bps::from_e8(i64::MAX),
            min_edge: Bps::ZERO,
            max_edge: Bps::from_e8(i64::MAX),
            quarantine: Duration::ZERO,
            max_symbol_net: money,
            max_venue_equity: money,
            min_inventory_share: Bps::ZERO,
            max_gross: money,
            max_open_per_symbol: u32::MAX,
            max_open_per_venue: u32::MAX,
            max_open: u32::MAX,
            fee_buffer: Bps::ZERO,
            max_orders_per_second: u32::MAX,
            max_symbol_orders_per_second: u32::MAX,
            max_burst: u32::MAX,
            max_orders_per_minute: u32::MAX,
            max_orders_per_day: u32::MAX,
            max_day_notional: money,
            max_day_loss: money,
            max_hour_loss: money,
            max_cycle_loss: money,
            max_drawdown: money,
            cooldown: Duration::ZERO,
            max_cooldown: Duration::ZERO,
            max_symbol_failures: u32::MAX,
            max_failures: u32::MAX,
            max_failure_share: Bps::from_e8(Bps::ONE),
            breaker_pause: Duration::ZERO,
            max_all_failures: u32::MAX,
            failure_window: Duration::ZERO,
            max_unknown: u32::MAX,
            stop_unknown: u32::MAX,
            max_answer: time,
            max_audit_age: time,
            max_naked_notional: money,
            max_fee_surprise: Bps::from_e8(i64::MAX),
            slippage_cycles: u32::MAX,
            max_drift: money,
            max_symbol_dust: money,
            max_dust: money,
        }
    }
}

/// How far two prices are apart, as a part of the second; as far as can be when there is none.
fn apart(price: Price, from: Price) -> Bps {
    let off = i128::from(price.0.abs_diff(from.0)) * i128::from(Bps::ONE);
    let off = off.checked_div(i128::from(from.0)).filter(|_| from.0 > 0);
    Bps::from_e8(off.and_then(|off| i64::try_from(off).ok()).unwrap_or(i64::MAX))
}
