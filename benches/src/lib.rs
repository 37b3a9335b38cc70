//! What the budgets in `docs/performance.md` are measured with: a seeded workload as on the wire, and a stopwatch that
//! lets the contestants run in turn.
//!
//! Machines are shared and noisy, so every budget is a ratio to a baseline of the same run, or generous where it is
//! absolute; a figure is the median over rounds in which each contestant runs once.
#![forbid(unsafe_code)]

pub mod counterpart;
pub mod fixtures;
pub mod frames;
pub mod live;
pub mod measure;
pub mod mix;
pub mod naive;
pub mod pair;
pub mod plain;
pub mod script;
pub mod settings;
pub mod workload;

use cex_core::{Bps, Decimal, Market, Symbol, SymbolId, SymbolInfo, Text, TradingStatus, VenueId};

/// A market of these decimals at the only venue of a bench.
///
/// # Panics
/// On names or decimals that do not fit: a bench is told constants.
#[must_use]
pub fn market(venue: &str, native: &str, price_dp: u8, lot_dp: u8) -> Market {
    let venue = VenueId::new(0, venue).expect("a short name");
    market_of(venue, SymbolId(0), native, price_dp, lot_dp)
}

/// A market of these decimals, one of many.
///
/// # Panics
/// As [`market`].
#[must_use]
pub fn market_of(venue: VenueId, id: SymbolId, native: &str, price_dp: u8, lot_dp: u8) -> Market {
    let info = SymbolInfo {
        symbol: Symbol::new(native.trim_end_matches("USDT").trim_end_matches('_'), "USDT")
            .expect("a short name"),
        native: Text::new(native).expect("a short name"),
        status: TradingStatus::Trading,
        api_tradable: true,
        risk_flagged: false,
        tick: Decimal::new(1, price_dp),
        lot: Decimal::new(1, lot_dp),
        price_dp,
        lot_dp,
        min_qty: Decimal::ZERO,
        min_notional: Decimal::ONE,
        max_qty: None,
        max_notional: None,
        price_band: None,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::from_bps(5),
        opens_at: None,
        delists_at: None,
    };
    let scale = info.scale().expect("few decimals");
    Market::new(venue, id, info, scale).expect("rules that fit their own scale")
}
