//! A configuration as the engine takes it.

use crate::config::{Config, Mode as Configured};
use cex_engine::EngineConfig;
use cex_orderbook::WatchLimits;
use cex_risk::Mode;
use std::time::Duration;

/// After we traded at a venue its book counts again only when updated this much later.
const SETTLE: Duration = Duration::from_millis(50);
/// An exchange's answers may lag so far behind what happened there.
const VENUE_LAG: Duration = Duration::from_secs(10);
/// Accounts are read anew this often.
const ACCOUNT_REFRESH: Duration = Duration::from_secs(10);
/// Snapshots asked for at once, per venue.
const MAX_SNAPSHOTS: usize = 4;
/// Levels kept per side of a book.
const BOOK_DEPTH: usize = 1_000;
/// What lies naked this many times longer than a hedge should take is parked.
const PARKED_AFTER: u32 = 4;

/// What the engine is told.
#[must_use]
pub fn settings(config: &Config) -> EngineConfig {
    let risk = &config.risk;
    EngineConfig {
        limits: risk.limits(),
        mode: match config.mode {
            // On paper everything is done but sending.
            Configured::Live | Configured::Paper => Mode::Active,
            Configured::Observe => Mode::Observe,
        },
        wallet_max_age: risk.wallet_max_age_s,
        expires_in: risk.order_expire_ms,
        decision_ttl: risk.decision_ttl_ms,
        settle: SETTLE,
        max_unwind: risk.max_unwind_bps,
        max_closings: usize::try_from(risk.hedge_attempts).unwrap_or(usize::MAX),
        max_naked: risk.hedge_ms * PARKED_AFTER,
        venue_lag: VENUE_LAG,
        max_pause: risk.max_pause_ms,
        account_refresh: ACCOUNT_REFRESH,
        max_snapshots: MAX_SNAPSHOTS,
        book_depth: BOOK_DEPTH,
        watch: WatchLimits::default(),
    }
}
