//! What the engine is told in benches and in the test of allocations. It is said here once, because the engine's settings
//! change more often than what is measured.

use cex_core::{Bps, Decimal};
use cex_engine::EngineConfig;
use cex_orderbook::WatchLimits;
use cex_risk::{Limits, Mode};
use std::time::Duration;

/// Longer than any bench: what would end with time must not.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// Settings under which nothing but edge, depth and funds decides: no book is too old, nothing pauses.
#[must_use]
pub fn settings() -> EngineConfig {
    EngineConfig {
        limits: Limits {
            max_leg_notional: Decimal::from(1_000_000),
            max_open_per_symbol: 1,
            max_edge: Bps::from_bps(5_000),
            max_unknown: 1,
            ..Limits::boundless()
        },
        mode: Mode::Active,
        wallet_max_age: FOR_EVER,
        decision_ttl: FOR_EVER,
        expires_in: Duration::from_millis(1_500),
        settle: Duration::ZERO,
        max_unwind: Bps::from_bps(50),
        max_closings: 3,
        max_naked: Duration::from_secs(6),
        venue_lag: Duration::from_secs(2),
        max_pause: FOR_EVER,
        account_refresh: FOR_EVER,
        max_snapshots: usize::MAX,
        book_depth: 200,
        watch: WatchLimits::default(),
    }
}
