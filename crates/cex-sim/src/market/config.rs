//! What a simulated market is made of.

use super::drift::BPS;
use super::tape::Tape;
use crate::matching::BuyFee;
use cex_core::Bps;
use std::sync::Arc;
use std::time::Duration;

/// The most symbols a market can have.
pub const MOST_SYMBOLS: usize = 1_000;

/// Whose decimals of prices and quantities a venue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// The finer one.
    Mexc,
    /// The coarser one.
    Gateio,
}

/// One exchange of the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueConfig {
    /// Decimals of prices and quantities.
    pub grid: Grid,
    /// Fee of resting orders.
    pub maker_fee: Bps,
    /// Fee of taking orders.
    pub taker_fee: Bps,
    /// Where a buyer's fee is taken.
    pub buy_fee: BuyFee,
    /// Least notional of an order, in whole units of quote.
    pub min_notional: u32,
}

impl VenueConfig {
    /// MEXC: maker 0, taker 5 bps, a buyer pays in quote, orders from 1 USDT.
    #[must_use]
    pub const fn mexc() -> Self {
        Self {
            grid: Grid::Mexc,
            maker_fee: Bps::ZERO,
            taker_fee: Bps::from_bps(5),
            buy_fee: BuyFee::Quote,
            min_notional: 1,
        }
    }

    /// Gate.io: maker and taker 10 bps (a lower tier than the 20 bps of the list, so that differences pay), a buyer
    /// pays in base, orders from 3 USDT.
    #[must_use]
    pub const fn gateio() -> Self {
        Self {
            grid: Grid::Gateio,
            maker_fee: Bps::from_bps(10),
            taker_fee: Bps::from_bps(10),
            buy_fee: BuyFee::Base,
            min_notional: 3,
        }
    }
}

/// What a simulated market is made of. The default is the demo's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketConfig {
    /// How many symbols: the catalogue's first, then made-up ones, at most [`MOST_SYMBOLS`].
    pub symbols: usize,
    /// Whether coins are listed besides that clients stumble over: odd names, odd states.
    pub has_odd: bool,
    /// The exchanges, in the order in which they are handed to the market.
    pub venues: Vec<VenueConfig>,
    /// How far prices wander, where they go, and how much rests in the books.
    pub mood: Mood,
    /// Whether nobody but clients trades: all books are empty until somebody fills them.
    pub is_quiet: bool,
    /// How many divergences begin per minute, over all symbols together.
    pub divergences_per_minute: u32,
    /// Least and most by which an exchange's price departs in a divergence, in bps.
    pub divergence_bps: (u32, u32),
    /// A recording to play instead; the symbols are its own then.
    pub tape: Option<Arc<Tape>>,
    /// Least and most time a divergence lasts when nobody trades it away, in milliseconds. Short ones are commoner.
    pub divergence_ms: (u32, u32),
}

/// How the seeded market feels: how far prices wander, where they go, how much rests in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mood {
    /// How far prices wander in a time, in per cent of the usual; 0 for not at all.
    pub volatility_percent: u32,
    /// How much prices rise in a minute on all exchanges, in bps; they fall where it is negative, and go half their way up
    /// or down at most.
    pub trend_bps_per_minute: i32,
    /// How much rests at a level, in per cent of the usual. What an exchange takes for an order rests in any case.
    pub depth_percent: u32,
    /// Levels on each side of a book that the makers keep up at least.
    pub levels: usize,
}

impl Default for Mood {
    fn default() -> Self {
        Self { volatility_percent: 100, trend_bps_per_minute: 0, depth_percent: 100, levels: 120 }
    }
}

impl Mood {
    /// How far prices go at most by a trend.
    const TREND_MOST: f64 = 0.5;

    /// What a deviation comes to.
    pub(super) fn deviation(&self, usual: f64) -> f64 {
        // Times exactly one where nothing was chosen: seeds keep their markets.
        usual * (f64::from(self.volatility_percent) / 100.0)
    }

    /// What a size comes to.
    pub(super) fn size(&self, usual: f64) -> f64 {
        usual * (f64::from(self.depth_percent) / 100.0)
    }

    /// How far prices have gone after this time, relative to where they began.
    pub(super) fn trend(&self, after: Duration) -> f64 {
        let moved = f64::from(self.trend_bps_per_minute) * BPS * after.as_secs_f64() / 60.0;
        moved.clamp(-Self::TREND_MOST, Self::TREND_MOST)
    }
}

impl Default for MarketConfig {
    fn default() -> Self {
        Self {
            symbols: 20,
            has_odd: false,
            venues: vec![VenueConfig::mexc(), VenueConfig::gateio()],
            mood: Mood::default(),
            is_quiet: false,
            divergences_per_minute: 240,
            tape: None,
            divergence_bps: (15, 80),
            divergence_ms: (50, 5_000),
        }
    }
}
