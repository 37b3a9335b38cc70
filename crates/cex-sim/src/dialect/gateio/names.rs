//! Gate.io's spelling of markets: `BTC_USDT`, upper case, one underscore.

use super::refusal::Refusal;
use crate::matching::{Exchange, MarketIndex};
use std::collections::BTreeMap;

/// The names of an exchange's markets, both ways. Fixed when the dialect is made: markets are not listed later.
#[derive(Debug)]
pub(super) struct Names {
    by_market: Vec<String>,
    by_name: BTreeMap<String, MarketIndex>,
}

impl Names {
    /// The names of all markets of `exchange`.
    pub(super) fn new(exchange: &Exchange) -> Self {
        let spell =
            |rules: &crate::matching::MarketRules| format!("{}_{}", rules.symbol.base, rules.symbol.quote);
        let by_market: Vec<String> = exchange.markets().iter().map(spell).collect();
        let by_name = by_market.iter().cloned().zip((0..).map(MarketIndex)).collect();
        Self { by_market, by_name }
    }

    /// The name of a market.
    pub(super) fn of(&self, market: MarketIndex) -> &str {
        self.by_market.get(market.0 as usize).map_or("", String::as_str)
    }

    /// The market with this name.
    pub(super) fn find(&self, name: &str) -> Option<MarketIndex> {
        self.by_name.get(name).copied()
    }

    /// As [`Self::find`], with Gate.io's refusal.
    pub(super) fn market(&self, name: &str) -> Result<MarketIndex, Refusal> {
        self.find(name).ok_or_else(|| Refusal::unknown_pair(name))
    }

    /// All markets, in the exchange's order.
    pub(super) fn markets(&self) -> impl Iterator<Item = MarketIndex> + use<> {
        (0u32..).take(self.by_market.len()).map(MarketIndex)
    }
}
