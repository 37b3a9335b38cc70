//! What the unit tests share.

use cex_core::{Bps, Decimal, Market, Markets, Scale, SymbolId, SymbolInfo, Text, TradingStatus, VenueId};

fn info(base: &str, quote: &str, price_dp: u8, lot_dp: u8) -> SymbolInfo {
    SymbolInfo {
        symbol: cex_core::Symbol::new(base, quote).expect("symbol"),
        native: Text::new(&format!("{base}_{quote}")).expect("short"),
        status: TradingStatus::Trading,
        api_tradable: true,
        risk_flagged: false,
        tick: Decimal::new(1, price_dp),
        lot: Decimal::new(1, lot_dp),
        price_dp,
        lot_dp,
        min_qty: Decimal::ZERO,
        min_notional: Decimal::from(3),
        max_qty: None,
        max_notional: None,
        price_band: None,
        maker_fee: Bps::from_bps(20),
        taker_fee: Bps::from_bps(20),
        opens_at: None,
        delists_at: None,
    }
}

pub(crate) fn venue() -> VenueId {
    VenueId::new(0, "gateio").expect("short")
}

/// BTC_USDT (0), ETH_USDT (1), XYZ_USDT (2), 龙虾_USDT (3), in scales of their own.
pub(crate) fn markets() -> Markets {
    let rules = [("BTC", 1, 5, 8), ("ETH", 2, 4, 8), ("XYZ", 9, 0, 3), ("龙虾", 6, 1, 6)];
    let market = |(index, (base, price_dp, lot_dp, qty_dp)): (usize, (&str, u8, u8, u8))| {
        let info = info(base, "USDT", price_dp, lot_dp);
        let scale = Scale::new(price_dp, qty_dp).expect("fits");
        Market::new(venue(), SymbolId(u32::try_from(index).expect("few")), info, scale).expect("rules fit")
    };
    Markets::new(rules.into_iter().enumerate().map(market).collect())
}
