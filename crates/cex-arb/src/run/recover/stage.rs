//! What the tests of a start share.

use crate::run::control::Directory;
use crate::run::record::{Recorder, Tolerance};
use crate::show::Names;
use cex_core::{
    Bps, Decimal, Market, Markets, Scale, SymbolId, SymbolInfo, Text, Timestamp, TradingStatus, VenueId,
};
use cex_journal::{Options, open_directory};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// BTC/USDT, its only market.
pub(in crate::run) fn market(venue: VenueId) -> Market {
    let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");
    let info = SymbolInfo {
        symbol: "BTC/USDT".parse().expect("a symbol"),
        native: Text::new("BTCUSDT").expect("short"),
        status: TradingStatus::Trading,
        api_tradable: true,
        risk_flagged: false,
        tick: decimal("0.01"),
        lot: decimal("0.001"),
        price_dp: 2,
        lot_dp: 3,
        min_qty: Decimal::ZERO,
        min_notional: decimal("1"),
        max_qty: None,
        max_notional: None,
        price_band: None,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::from_bps(10),
        opens_at: None,
        delists_at: None,
    };
    Market::new(venue, SymbolId(0), info, Scale::new(2, 3).expect("small")).expect("rules fit")
}

/// Two exchanges that trade it.
pub(in crate::run) fn markets() -> Vec<(VenueId, Arc<Markets>)> {
    let venues = (0..).zip(["mexc", "gateio"]).map(|(index, name)| VenueId::new(index, name).expect("short"));
    venues.map(|venue| (venue, Arc::new(Markets::new(vec![market(venue)])))).collect()
}

/// A recorder into a new journal.
pub(super) fn recorder(path: &Path, now: Timestamp) -> Recorder {
    let writer = open_directory(path, Options::default(), now).expect("a journal").writer;
    let tolerance = Tolerance { lag: Duration::MAX, free: 0 };
    Recorder::new(writer, tolerance, Names::default(), Directory(path.to_owned()))
}
