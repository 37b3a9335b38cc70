//! MEXC's spelling of markets, `BTCUSDT`, and what may be done in each.

use super::config::{MarketFlags, MexcConfig};
use super::refusal::Refusal;
use crate::matching::{Exchange, MarketIndex, MarketRules};
use rustc_hash::FxHashMap;

/// A market with its name and flags.
#[derive(Debug)]
pub(super) struct Listing {
    /// Base and quote without a separator.
    pub(super) name: String,
    /// What may be done in the market.
    pub(super) flags: MarketFlags,
}

/// The markets of an exchange, by index and by name. Fixed when the dialect is made: markets are not listed later.
#[derive(Debug)]
pub(super) struct Listings {
    by_market: Vec<Listing>,
    by_name: FxHashMap<String, MarketIndex>,
}

impl Listings {
    /// All markets of `exchange`.
    pub(super) fn new(config: &MexcConfig, exchange: &Exchange) -> Self {
        let listing = |rules: &MarketRules| Listing {
            name: format!("{}{}", rules.symbol.base, rules.symbol.quote),
            flags: config.markets.get(&rules.symbol).copied().unwrap_or_default(),
        };
        let by_market: Vec<Listing> = exchange.markets().iter().map(listing).collect();
        let by_name =
            by_market.iter().map(|listing| listing.name.clone()).zip((0..).map(MarketIndex)).collect();
        Self { by_market, by_name }
    }

    /// A market of the exchange this was made for.
    pub(super) fn of(&self, market: MarketIndex) -> &Listing {
        &self.by_market[market.0 as usize]
    }

    /// The name of a market.
    pub(super) fn name(&self, market: MarketIndex) -> &str {
        &self.of(market).name
    }

    /// The market with exactly this name.
    pub(super) fn find(&self, name: &str) -> Option<MarketIndex> {
        self.by_name.get(name).copied()
    }

    /// As [`Self::find`], refused as market data does.
    pub(super) fn market(&self, name: &str) -> Result<MarketIndex, Refusal> {
        self.find(name).ok_or_else(Refusal::unknown_symbol)
    }

    /// All markets, in the exchange's order.
    pub(super) fn markets(&self) -> impl Iterator<Item = MarketIndex> + use<> {
        (0u32..).take(self.by_market.len()).map(MarketIndex)
    }
}
