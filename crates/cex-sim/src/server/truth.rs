//! What is true, whatever clients are told; and what tests decide: balances and books.

use super::config::SimExchange;
use super::error::SimError;
use super::host::Host;
use super::ledger::{self, LedgerFill, LedgerOrder};
use crate::matching::{MarketIndex, NewOrder, NewOrderKind, Reject};
use cex_core::{Asset, Decimal, Price, Qty, Rounding, Side, Symbol};

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
        Ok(ledger::fills(&self.exchanges[exchange.index()], account, 0))
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
        // A level that is off the grid leaves the book as it was.
        for (price, qty) in bids.iter().chain(asks) {
            self.price_on_grid(exchange, market, *price)?;
            self.qty_on_grid(exchange, market, *qty)?;
        }
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
        let (price, qty) =
            (self.price_on_grid(exchange, market, price)?, self.qty_on_grid(exchange, market, qty)?);
        let placed = self.exchanges[exchange.index()].quote(now, market, side, price, qty);
        self.settle(exchange);
        placed.map(|_| ()).map_err(|reject| SimError::Refused { exchange, reject })
    }

    /// Places an order in a client's name that the client did not send.
    pub(super) fn place_foreign(
        &mut self,
        exchange: SimExchange,
        name: &str,
        (symbol, side, qty, price): (Symbol, Side, Decimal, Option<Decimal>),
        client_id: String,
    ) -> Result<(), SimError> {
        let (account, market) = (self.account(exchange, name)?, self.market(exchange, symbol)?);
        let qty = self.qty_on_grid(exchange, market, qty)?;
        let kind = match price {
            Some(price) => NewOrderKind::Limit { price: self.price_on_grid(exchange, market, price)?, qty },
            None => NewOrderKind::Market { qty },
        };
        let now = self.now(exchange);
        let order = NewOrder { market, client_id, side, kind };
        let placed = self.exchanges[exchange.index()].place_foreign(now, account, order);
        placed.map(|_| ()).map_err(|reject| SimError::Refused { exchange, reject })
    }

    /// So many coins become one: open orders go, clients' balances and the makers' prices follow.
    pub(super) fn redenominate(
        &mut self,
        exchange: SimExchange,
        symbol: Symbol,
        into_one: u32,
    ) -> Result<(), SimError> {
        let (now, market) = (self.now(exchange), self.market(exchange, symbol)?);
        let state = &mut self.exchanges[exchange.index()];
        state.clear_market(now, market);
        let qty_dp = state.rules(market).scale.qty_dp();
        let names: Vec<String> = self.config.accounts.iter().map(|account| account.name.clone()).collect();
        for name in names {
            let account = self.account(exchange, &name)?;
            let (free, _) = self.exchanges[exchange.index()].balance(account, symbol.base);
            let left = free.checked_div(Decimal::from(i64::from(into_one)), qty_dp, Rounding::Floor);
            let left = left.map_err(|_| SimError::Refused { exchange, reject: Reject::TooLarge })?;
            self.set_balance(exchange, &name, symbol.base, left)?;
        }
        self.market_counts_anew(exchange, symbol, into_one);
        Ok(())
    }

    fn price_on_grid(
        &self,
        exchange: SimExchange,
        market: MarketIndex,
        value: Decimal,
    ) -> Result<Price, SimError> {
        let dp = self.exchanges[exchange.index()].rules(market).scale.price_dp();
        self.on_grid(exchange, market, value, dp).map(Price)
    }

    fn qty_on_grid(
        &self,
        exchange: SimExchange,
        market: MarketIndex,
        value: Decimal,
    ) -> Result<Qty, SimError> {
        let dp = self.exchanges[exchange.index()].rules(market).scale.qty_dp();
        self.on_grid(exchange, market, value, dp).map(Qty)
    }

    fn on_grid(
        &self,
        exchange: SimExchange,
        market: MarketIndex,
        value: Decimal,
        dp: u8,
    ) -> Result<i64, SimError> {
        let symbol = self.exchanges[exchange.index()].rules(market).symbol;
        value.to_scaled(dp, None).map_err(|source| SimError::OffGrid { exchange, symbol, value, source })
    }
}
