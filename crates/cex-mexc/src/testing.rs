//! What the tests of several modules share.

use cex_core::{Market, Markets, Scale, SymbolId, Timestamp, VenueId};
use cex_interface::{Secret, VenueConfig};
use std::sync::Arc;

/// Milliseconds since the epoch.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn venue() -> VenueId {
    VenueId::new(0, "mexc").expect("short")
}

/// A configuration with the key pair the exchange's documentation prints, which belongs to nobody.
pub(crate) fn config_with_keys() -> VenueConfig {
    let mut config = VenueConfig::public(venue());
    config.key = Secret::new("mx0aBYs33eIilxBWC5".to_owned());
    config.secret = Secret::new("45d0b3c26f2644f19bfb98b07741b2f5".to_owned());
    config
}

/// BTC/USDT, MX/USDT, a symbol in CJK characters and ETH/USDT. The scale of MX/USDT is finer than its steps, as when
/// it is shared with another venue.
pub(crate) fn markets() -> Arc<Markets> {
    let rows = [
        ("BTC", "BTCUSDT", 2, 8, (2, 8)),
        ("MX", "MXUSDT", 4, 2, (5, 8)),
        ("龙虾", "龙虾USDT", 8, 0, (8, 5)),
        ("ETH", "ETHUSDT", 2, 5, (2, 8)),
    ];
    let market = |(index, (base, native, price_dp, lot_dp, scale)): (u32, _)| {
        let (price_scale, qty_scale) = scale;
        let info = rules(base, native, price_dp, lot_dp);
        let scale = Scale::new(price_scale, qty_scale).expect("within range");
        Market::new(venue(), SymbolId(index), info, scale).expect("rules fit")
    };
    Arc::new(Markets::new((0..).zip(rows).map(market).collect()))
}

fn rules(base: &str, native: &str, price_dp: u8, lot_dp: u8) -> cex_core::SymbolInfo {
    let json = format!(
        r#"{{"symbol":"{native}","status":"1","baseAsset":"{base}","baseAssetPrecision":{lot_dp},"quoteAsset":"USDT",
            "quotePrecision":{price_dp},"isSpotTradingAllowed":true,"quoteAmountPrecision":"1","baseSizePrecision":"0",
            "permissions":["SPOT"],"filters":[],"makerCommission":"0","takerCommission":"0.0005","tradeSideType":1}}"#
    );
    crate::symbol::rules(&sonic_rs::from_str(&json).expect("an entry")).expect("valid rules")
}
