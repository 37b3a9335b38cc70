//! What a simulated market is made of.

use super::tape::Tape;
use crate::matching::BuyFee;
use cex_core::Bps;
use std::sync::Arc;

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
    /// The exchanges, in the order in which they are handed to the market.
    pub venues: Vec<VenueConfig>,
    /// Levels on each side of a book that the makers keep up at least.
    pub levels: usize,
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

impl Default for MarketConfig {
    fn default() -> Self {
        Self {
            symbols: 20,
            venues: vec![VenueConfig::mexc(), VenueConfig::gateio()],
            levels: 120,
            is_quiet: false,
            divergences_per_minute: 240,
            tape: None,
            divergence_bps: (15, 80),
            divergence_ms: (50, 5_000),
        }
    }
}
