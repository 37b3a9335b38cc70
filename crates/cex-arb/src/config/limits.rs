//! From the file to the gate: every limit the gate knows, under the name the file gives it.

use super::keys::Risk;
use cex_risk::Limits;

impl Risk {
    /// The limits the gate enforces. What is not among them is kept elsewhere: by the clock, the journal's health, the
    /// watchdog, whoever sends orders.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            max_leg_notional: self.max_leg_usdt,
            max_cycle_notional: self.max_cycle_usdt,
            min_notional_margin: self.min_notional_margin_pct,
            max_depth_share: self.max_depth_share_pct,
            max_book_age: self.max_book_age_ms,
            max_venue_age: self.max_book_venue_age_ms,
            max_age_gap: self.max_age_gap_ms,
            max_collar: self.collar_own_bps,
            max_cross_collar: self.collar_cross_bps,
            min_edge: self.min_edge_bps,
            max_edge: self.max_edge_bps,
            quarantine: self.quarantine_s,
            max_symbol_net: self.max_symbol_net_usdt,
            max_venue_equity: self.max_venue_equity_usdt,
            min_inventory_share: self.min_inventory_pct,
            max_gross: self.max_gross_usdt,
            max_open_per_symbol: self.max_open_cycles_per_symbol,
            max_open_per_venue: self.max_open_cycles_per_venue,
            max_open: self.max_open_cycles,
            fee_buffer: self.fee_buffer_pct,
            max_orders_per_second: self.max_venue_orders_per_s,
            max_symbol_orders_per_second: self.max_symbol_orders_per_s,
            max_burst: self.max_order_burst,
            max_orders_per_minute: self.max_orders_per_min,
            max_orders_per_day: self.max_orders_per_day,
            max_day_notional: self.max_day_notional_usdt,
            max_day_loss: self.max_day_loss_usdt,
            max_hour_loss: self.max_hour_loss_usdt,
            max_cycle_loss: self.max_cycle_loss_usdt,
            max_drawdown: self.max_drawdown_usdt,
            cooldown: self.cooldown_s,
            max_cooldown: self.cooldown_max_s,
            max_symbol_failures: self.symbol_failures,
            max_failures: self.venue_failures,
            max_failure_share: self.venue_error_pct,
            breaker_pause: self.breaker_pause_s,
            max_all_failures: self.global_failures,
            failure_window: self.failure_window_s,
            max_unknown: self.max_unknown,
            stop_unknown: self.venue_unknown,
            max_answer: self.venue_p99_ms,
            max_audit_age: self.audit_max_age_s,
            max_naked_notional: self.max_naked_usdt,
            max_fee_surprise: self.fee_surprise_bps,
            slippage_cycles: self.slippage_cycles,
            max_drift: self.max_drift_usdt,
            max_symbol_dust: self.max_symbol_dust_usdt,
            max_dust: self.max_dust_usdt,
        }
    }
}
