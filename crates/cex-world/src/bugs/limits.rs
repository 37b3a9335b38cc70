//! Limits that an engine is not told, or told wrong.

use super::Bug;
use cex_core::Decimal;
use cex_risk::Limits;
use std::time::Duration;

impl Bug {
    /// What an engine is told instead of its limits.
    pub(crate) fn loosen(self, limits: Limits) -> Limits {
        let boundless = Limits::boundless();
        match self {
            Self::LegLimitTenfold => {
                let tenfold = |limit: Decimal| limit.checked_mul(Decimal::from(10)).unwrap_or(limit);
                Limits {
                    max_leg_notional: tenfold(limits.max_leg_notional),
                    max_cycle_notional: tenfold(limits.max_cycle_notional),
                    ..limits
                }
            }
            Self::OpenUnlimited => Limits {
                max_open: u32::MAX,
                max_open_per_symbol: u32::MAX,
                max_open_per_venue: u32::MAX,
                ..limits
            },
            Self::GrossUnlimited => Limits { max_gross: boundless.max_gross, ..limits },
            Self::RateUnlimited => Limits { max_orders_per_second: u32::MAX, ..limits },
            Self::SymbolRateUnlimited => Limits { max_symbol_orders_per_second: u32::MAX, ..limits },
            Self::BurstUnlimited => Limits { max_burst: u32::MAX, ..limits },
            Self::MinuteUnlimited => Limits { max_orders_per_minute: u32::MAX, ..limits },
            Self::DayUnlimited => Limits { max_orders_per_day: u32::MAX, ..limits },
            Self::DayNotionalUnlimited => Limits { max_day_notional: boundless.max_day_notional, ..limits },
            Self::LossesUnlimited => Limits {
                max_cycle_loss: boundless.max_cycle_loss,
                max_hour_loss: boundless.max_hour_loss,
                max_day_loss: boundless.max_day_loss,
                ..limits
            },
            Self::DrawdownUnlimited => Limits { max_drawdown: boundless.max_drawdown, ..limits },
            Self::CooldownForgotten => {
                Limits { cooldown: Duration::ZERO, max_cooldown: Duration::ZERO, ..limits }
            }
            Self::AgeUnlimited => {
                Limits { max_book_age: boundless.max_book_age, max_age_gap: boundless.max_age_gap, ..limits }
            }
            Self::BreakerNeverTries => Limits { breaker_pause: boundless.max_answer, ..limits },
            Self::NetUnlimited => Limits { max_symbol_net: boundless.max_symbol_net, ..limits },
            Self::CollarsUnlimited => Limits {
                max_collar: boundless.max_collar,
                max_cross_collar: boundless.max_cross_collar,
                ..limits
            },
            Self::QuarantineForgotten => Limits { quarantine: Duration::ZERO, ..limits },
            Self::EquityUnlimited => Limits { max_venue_equity: boundless.max_venue_equity, ..limits },
            Self::InventoryUnlimited => {
                Limits { min_inventory_share: boundless.min_inventory_share, ..limits }
            }
            // A second look would make up for it.
            Self::StaleBalanceAdopted => Limits { max_drift: boundless.max_drift, ..limits },
            _other => limits,
        }
    }
}
