//! I7 and I8: books against the truth.

use super::{Checks, Invariant};
use crate::day::Day;
use cex_core::{OrderRequest, SymbolId, VenueId};
use cex_sim::world::{BookTruth, book_hash};

impl Checks {
    /// Books that changed since the last call.
    fn take_touched(&mut self) -> Vec<(VenueId, SymbolId)> {
        std::mem::take(&mut self.touched)
    }
}

impl Day {
    /// Compares every book that changed with what the exchange's was at its version.
    pub(crate) fn check_books(&mut self) {
        for (venue, symbol) in self.desk.checks.take_touched() {
            let now = self.now();
            let Some(market) = self.market(venue, symbol) else { continue };
            let (engine, pair) = (&self.desk.engine, market.symbol());
            let (Some(book), Some(version)) =
                (engine.book(venue, symbol), engine.book_version(venue, symbol))
            else {
                continue;
            };
            let level = |level: cex_core::Level| (level.price, level.qty);
            let hash = book_hash(book.bids().map(level), book.asks().map(level));
            let exchange = self.places[venue.index()].exchange();
            let truth = self.world.truth(exchange, pair, version, hash);
            self.desk.checks.counts.books += 1;
            if truth != BookTruth::Same {
                let what = format!("{pair} at {venue}, version {version}: {truth:?}");
                self.desk.checks.violate(Invariant::I7, now, what);
            }
        }
    }

    /// What an opening is decided on.
    pub(crate) fn check_opening(&mut self, orders: &[OrderRequest; 2]) {
        let now = self.now();
        if !self.is_up() {
            let what = format!("{} opens before what a crash left is level", orders[0].client_id);
            self.desk.checks.violate(Invariant::I9, now, what);
        }
        for order in orders {
            let wires = &self.places[order.venue.index()].wires;
            let is_carried = wires.iter().any(|wire| wire.is_open() && wire.symbols.contains(&order.symbol));
            let is_usable = self.desk.engine.book(order.venue, order.symbol).is_some();
            self.desk.checks.opens(now, order, is_carried, is_usable);
        }
        self.check_holdings(orders);
    }
}
