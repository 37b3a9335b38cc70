//! What is true, whatever clients are told; and what tests decide: balances and books.

use super::config::SimExchange;
use super::error::SimError;
use super::host::Host;
use super::ledger::{self, LedgerFill, LedgerOrder};
use crate::matching::Reject;
use cex_core::{Asset, Decimal, Price, Qty, Side, Symbol};

/// A book as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthBook {
    /// How often its levels have changed, in the exchange's own counting.
    pub version: u64,
    /// Price and quantity, best first.
    pub bids: Vec<(Decimal, Decimal)>,
    /// Price and quantity, best first.
    pub asks: Vec<(Decimal, Decimal)>,
}

impl Host {
    /// A book as it is.
    pub(super) fn truth_book(&self, exchange: SimExchange, symbol: Symbol) -> Result<TruthBook, SimError> {
        let market = self.market(exchange, symbol)?;
        let state = &self.exchanges[exchange.index()];
        let scale = state.rules(market).scale;
        let value = |(price, qty)| (scale.price_value(price), scale.qty_value(qty));
        Ok(TruthBook {
            version: state.version(market),
            bids: state.bids(market).map(value).collect(),
            asks: state.asks(market).map(value).collect(),
        })
    }

    /// All orders of an account, forgotten ones included.
    pub(super) fn truth_orders(
        &self,
        exchange: SimExchange,
        name: &str,
    ) -> Result<Vec<LedgerOrder>, SimError> {
        let account = self.account(exchange, name)?;
        Ok(ledger::orders(&self.exchanges[exchange.index()], account))
    }

    /// What an account has: asset, free, locked.
    pub(super) fn truth_balances(
        &self,
        exchange: SimExchange,
        name: &str,
    ) -> Result<Vec<(Asset, Decimal, Decimal)>, SimError> {
        let account = self.account(exchange, name)?;
        Ok(self.exchanges[exchange.index()].balances(account).collect())
    }

    /// All fills of an account.
    pub(super) fn truth_fills(&self, exchange: SimExchange, name: &str) -> Result<Vec<LedgerFill>, SimError> {
        let account = self.account(exchange, name)?;
        Ok(ledger::fills(&self.exchanges[exchange.index()], account))
    }

    /// Gives an account exactly this much free; what it gets or loses counts as a deposit.
    pub(super) fn set_balance(
        &mut self,
        exchange: SimExchange,
        name: &str,
        asset: Asset,
        free: Decimal,
    ) -> Result<(), SimError> {
        let account = self.account(exchange, name)?;
        let (now, index) = (self.now(exchange), exchange.index());
        let (before, _) = self.exchanges[index].balance(account, asset);
        let refused = |reject| SimError::Refused { exchange, reject };
        self.exchanges[index].set_balance(now, account, asset, free).map_err(refused)?;
        let (after, _) = self.exchanges[index].balance(account, asset);
        let moved = after.checked_sub(before).map_err(|_| refused(Reject::TooLarge))?;
        let position = self.config.accounts.iter().position(|account| account.name == name);
        if let Some(deposits) = position.and_then(|at| self.deposits[index].get_mut(at)) {
            match deposits.iter_mut().find(|(known, _)| *known == asset) {
                Some((_, sum)) => *sum = sum.checked_add(moved).map_err(|_| refused(Reject::TooLarge))?,
                None => deposits.push((asset, moved)),
            }
        }
        self.settle(exchange);
        Ok(())
    }

    /// Replaces what tests put into a book by these levels. What stands in their way trades with them.
    pub(super) fn set_book(
        &mut self,
        exchange: SimExchange,
        symbol: Symbol,
        bids: &[(Decimal, Decimal)],
        asks: &[(Decimal, Decimal)],
    ) -> Result<(), SimError> {
        let market = self.market(exchange, symbol)?;
        let now = self.now(exchange);
        self.exchanges[exchange.index()].clear_quotes(now, market);
        let bids = bids.iter().map(|level| (Side::Buy, level));
        let asks = asks.iter().map(|level| (Side::Sell, level));
        let placed = bids
            .chain(asks)
            .try_for_each(|(side, (price, qty))| self.place_quote(exchange, symbol, side, *price, *qty));
        self.settle(exchange);
        placed
    }

    /// Puts a resting order of nobody's into a book; it takes what is in its way.
    pub(super) fn place_quote(
        &mut self,
        exchange: SimExchange,
        symbol: Symbol,
        side: Side,
        price: Decimal,
        qty: Decimal,
    ) -> Result<(), SimError> {
        let market = self.market(exchange, symbol)?;
        let now = self.now(exchange);
        let state = &mut self.exchanges[exchange.index()];
        let scale = state.rules(market).scale;
        let on_grid = |value: Decimal, dp| {
            let off = |source| SimError::OffGrid { exchange, symbol, value, source };
            value.to_scaled(dp, None).map_err(off)
        };
        let (price, qty) = (Price(on_grid(price, scale.price_dp())?), Qty(on_grid(qty, scale.qty_dp())?));
        let placed = state.quote(now, market, side, price, qty);
        self.settle(exchange);
        placed.map(|_| ()).map_err(|reject| SimError::Refused { exchange, reject })
    }
}
