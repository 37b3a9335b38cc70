//! The configuration's limits as the engine takes them.

use crate::config::{Config, Mode as Configured, Risk};
use cex_core::{Bps, Decimal, NumError};
use cex_engine::EngineConfig;
use cex_risk::{Limits, Mode};
use std::time::Duration;

/// After we traded at a venue its book counts again only when updated this much later.
const SETTLE: Duration = Duration::from_millis(50);
/// How much later than it expired an order may still turn up in an exchange's answers.
const VENUE_LAG: Duration = Duration::from_secs(10);
/// Accounts are read anew this often.
const ACCOUNT_REFRESH: Duration = Duration::from_secs(10);
/// Snapshots asked for at once, per venue.
const MAX_SNAPSHOTS: usize = 4;
/// Levels kept per side of a book.
const BOOK_DEPTH: usize = 1_000;
/// What lies naked this many times longer than a hedge should take is parked.
const PARKED_AFTER: u32 = 4;

/// What the engine is told. `None` when a number does not fit.
pub fn settings(config: &Config) -> Result<EngineConfig, NumError> {
    let risk = &config.risk;
    Ok(EngineConfig {
        limits: limits(risk)?,
        mode: match config.mode {
            Configured::Live => Mode::Active,
            Configured::Observe | Configured::Paper => Mode::Observe,
        },
        wallet_max_age: risk.wallet_max_age_s,
        expires_in: risk.order_expire_ms,
        decision_ttl: risk.decision_ttl_ms,
        settle: SETTLE,
        max_unwind: risk.max_unwind_bps,
        max_closings: usize::try_from(risk.hedge_attempts).unwrap_or(usize::MAX),
        max_naked: risk.hedge_ms * PARKED_AFTER,
        venue_lag: VENUE_LAG,
        account_refresh: ACCOUNT_REFRESH,
        max_snapshots: MAX_SNAPSHOTS,
        book_depth: BOOK_DEPTH,
    })
}

fn limits(risk: &Risk) -> Result<Limits, NumError> {
    Ok(Limits {
        max_leg_notional: risk.max_leg_usdt,
        max_cycle_notional: risk.max_cycle_usdt,
        min_notional_margin: Bps::from_fraction(risk.min_notional_x.checked_sub(Decimal::ONE)?)?,
        max_depth_share: risk.max_depth_share_pct,
        max_book_age: risk.max_book_age_ms,
        max_venue_age: risk.max_book_venue_age_ms,
        max_age_gap: risk.max_age_gap_ms,
        max_collar: risk.collar_own_bps,
        max_cross_collar: risk.collar_cross_bps,
        min_edge: risk.min_edge_bps,
        max_edge: risk.max_edge_bps,
        quarantine: risk.cooldown_max_s,
        max_symbol_net: risk.max_symbol_net_usdt,
        max_venue_equity: risk.max_venue_equity_usdt,
        min_inventory_share: risk.inv_band_low_pct,
        max_gross: risk.max_gross_usdt,
        max_open_per_symbol: risk.max_open_cycles_per_symbol,
        max_open_per_venue: risk.max_open_cycles_per_venue,
        max_open: risk.max_open_cycles,
        fee_buffer: risk.fee_buffer_pct,
        max_orders_per_second: risk.max_venue_orders_per_s,
        max_symbol_orders_per_second: risk.max_symbol_orders_per_s,
        max_burst: risk.max_order_burst,
        max_orders_per_minute: risk.max_orders_per_min,
        max_orders_per_day: risk.max_orders_per_day,
        max_day_notional: risk.max_day_notional_usdt,
        max_day_loss: risk.max_day_loss_usdt,
        max_hour_loss: risk.max_hour_loss_usdt,
        max_cycle_loss: risk.max_cycle_loss_usdt,
        max_drawdown: risk.max_drawdown_usdt,
        cooldown: risk.cooldown_s,
        max_cooldown: risk.cooldown_max_s,
        max_symbol_failures: risk.symbol_failures,
        max_failures: risk.symbol_failures,
        max_failure_share: risk.venue_error_pct,
        breaker_pause: risk.cooldown_s,
        max_all_failures: risk.global_failures,
        failure_window: risk.global_failures_window_s.max(risk.symbol_failures_window_s),
        // With as many as the limit nothing is opened.
        max_unknown: risk.max_unknown.saturating_sub(1),
        max_naked_notional: risk.max_naked_usdt,
        max_fee_surprise: risk.fee_surprise_bps,
        slippage_cycles: risk.slippage_cycles,
        max_drift: risk.max_drift_usdt,
        max_symbol_dust: risk.max_symbol_dust_usdt,
        max_dust: risk.max_dust_usdt,
    })
}
