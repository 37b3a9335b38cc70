//! What a handle can ask of a running simulator: its books, and that something goes wrong.

use super::SimHandle;
use super::config::SimExchange;
use super::error::SimError;
use super::host::Host;
use super::ledger::{Ledger, LedgerFill, LedgerOrder};
use super::truth::TruthBook;
use crate::fault::{ActiveFault, Fault, FaultId, Fired};
use cex_core::{Asset, Decimal, Side, Symbol};

/// Faults. Every call fails when the simulator has stopped.
impl SimHandle {
    /// Lets something go wrong on an exchange.
    ///
    /// # Errors
    ///
    /// When the fault makes no sense, or names a symbol or an account that is not there.
    pub fn inject(&self, exchange: SimExchange, fault: Fault) -> Result<FaultId, SimError> {
        self.with(move |host| host.inject(exchange, &fault))?
    }

    /// Lets it go wrong no more; what it changed is undone, what it did is not.
    ///
    /// # Errors
    ///
    /// When there is no such fault (any more).
    pub fn clear(&self, id: FaultId) -> Result<(), SimError> {
        self.with(move |host| host.clear(id))?
    }

    /// Lets nothing go wrong any more.
    ///
    /// # Errors
    ///
    /// When the simulator has stopped.
    pub fn clear_all(&self) -> Result<(), SimError> {
        self.with(Host::clear_all)
    }

    /// The faults that may still happen, or that last.
    ///
    /// # Errors
    ///
    /// When the simulator has stopped.
    pub fn faults(&self) -> Result<Vec<ActiveFault>, SimError> {
        self.with(|host| host.active_faults())
    }

    /// Every fault that happened so far, oldest first.
    ///
    /// # Errors
    ///
    /// When the simulator has stopped.
    pub fn fired(&self) -> Result<Vec<Fired>, SimError> {
        self.with(|host| host.fired_faults())
    }

    /// Lets so much time have passed for all that waits, though no clock moves: listen keys, connections, countdowns, news
    /// that are late, faults that last. The market goes on where it was.
    ///
    /// # Errors
    ///
    /// When the simulator has stopped.
    pub fn elapse(&self, by: std::time::Duration) -> Result<(), SimError> {
        self.with(move |host| host.elapse(by))
    }

    /// Pulls the plug: all connections of an exchange are reset, without a farewell. New ones are accepted.
    ///
    /// # Errors
    ///
    /// When the simulator has stopped.
    pub fn cut_connections(&self, exchange: SimExchange) -> Result<(), SimError> {
        self.with(move |host| host.cut_all(exchange))
    }
}

/// What is true, whatever clients are told.
impl SimHandle {
    /// The exact books of all clients.
    ///
    /// # Errors
    ///
    /// When the simulator has stopped.
    pub fn ledger(&self) -> Result<Ledger, SimError> {
        self.with(|host| host.ledger())
    }

    /// A book as it is, with its version.
    ///
    /// # Errors
    ///
    /// When the symbol does not trade there.
    pub fn book(&self, exchange: SimExchange, symbol: Symbol) -> Result<TruthBook, SimError> {
        self.with(move |host| host.truth_book(exchange, symbol))?
    }

    /// Every order of an account that was ever accepted, oldest first, also those the exchange pretends to forget.
    ///
    /// # Errors
    ///
    /// When there is no such account.
    pub fn orders(&self, exchange: SimExchange, account: &str) -> Result<Vec<LedgerOrder>, SimError> {
        let account = account.to_owned();
        self.with(move |host| host.truth_orders(exchange, &account))?
    }

    /// Every fill of an account, oldest first.
    ///
    /// # Errors
    ///
    /// When there is no such account.
    pub fn fills(&self, exchange: SimExchange, account: &str) -> Result<Vec<LedgerFill>, SimError> {
        let account = account.to_owned();
        self.with(move |host| host.truth_fills(exchange, &account))?
    }
}

/// What a test decides. In a quiet market ([`SimConfig::is_quiet`](super::SimConfig::is_quiet)) nothing else moves.
impl SimHandle {
    /// Gives an account exactly this much free of an asset. What it gets or loses counts as a deposit.
    ///
    /// # Errors
    ///
    /// When there is no such account, or the amount is negative or cannot be counted.
    pub fn set_balance(
        &self,
        exchange: SimExchange,
        account: &str,
        asset: Asset,
        free: Decimal,
    ) -> Result<(), SimError> {
        let account = account.to_owned();
        self.with(move |host| host.set_balance(exchange, &account, asset, free))?
    }

    /// Replaces what earlier calls put into a book by these levels (price and quantity). Orders that stand in their
    /// way trade with them.
    ///
    /// # Errors
    ///
    /// When a level is off the market's grid or below its minimums; those before it are placed then.
    pub fn set_book(
        &self,
        exchange: SimExchange,
        symbol: Symbol,
        bids: &[(Decimal, Decimal)],
        asks: &[(Decimal, Decimal)],
    ) -> Result<(), SimError> {
        let (bids, asks) = (bids.to_vec(), asks.to_vec());
        self.with(move |host| host.set_book(exchange, symbol, &bids, &asks))?
    }

    /// Puts one more resting order into a book. It trades with what is in its way: that is how a test lets a client's
    /// resting order fill.
    ///
    /// # Errors
    ///
    /// When it is off the market's grid or below its minimums.
    pub fn place_quote(
        &self,
        exchange: SimExchange,
        symbol: Symbol,
        side: Side,
        price: Decimal,
        qty: Decimal,
    ) -> Result<(), SimError> {
        self.with(move |host| host.place_quote(exchange, symbol, side, price, qty))?
    }
}
