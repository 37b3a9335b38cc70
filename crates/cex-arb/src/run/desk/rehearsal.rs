//! Keeps the way of an order warm between frames that bring none.

use super::{Core, Desk};
use cex_core::{SymbolId, Timestamp};
use cex_engine::{EngineConfig, Understudy, VenueSetup};
use cex_interface::Request;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often the way of an order is rehearsed at most: with every frame would double their cost, seldom leaves it cold.
const REHEARSE_EVERY: Duration = Duration::from_micros(200);
/// Symbols that left an understudy nothing to play are tried again after this.
const ENGAGE_AGAIN: Duration = Duration::from_secs(60);
/// Symbols whose books and rules are read into the caches with each rehearsal: some hundred come round before they are lost
/// again.
const WARMED_EACH: usize = 2;

impl Desk {
    /// Has the way of an order rehearsed from now on, between frames that bring none, until the task is dropped. There is
    /// something to play once a symbol has books at two venues.
    pub async fn rehearse(self, config: EngineConfig, setups: Vec<VenueSetup>) {
        let mut tried = BTreeSet::new();
        let mut forget_at = self.now() + ENGAGE_AGAIN;
        loop {
            if self.0.borrow().understudy.is_none() {
                self.0.borrow_mut().engage(&config, &setups, &mut tried);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            if self.now() >= forget_at {
                tried.clear();
                forget_at = self.now() + ENGAGE_AGAIN;
            }
        }
    }
}

impl Core {
    /// Engages an understudy for the first symbol whose books can be used, if it leaves it something to play and was not `tried`.
    /// One is costly to make: no more than that at once.
    fn engage(&mut self, config: &EngineConfig, setups: &[VenueSetup], tried: &mut BTreeSet<SymbolId>) {
        let mut markets = setups.iter().flat_map(|setup| setup.markets.iter());
        let untried = markets.find_map(|market| {
            let price = self.engine.book(market.venue, market.id)?.best_ask()?.price;
            (!tried.contains(&market.id)).then_some((market.id, price))
        });
        if let Some((symbol, price)) = untried {
            tried.insert(symbol);
            self.understudy = Understudy::new(config, setups, symbol, price);
        }
    }

    /// Goes the way of an order from books to signed bytes on a connection, and throws them away there, unless that was
    /// done a moment ago. Without it the way is cold when an order comes, and takes several times as long.
    pub(super) fn rehearse(&mut self, now: Timestamp) {
        if self.understudy.is_none() || now.since(self.rehearsed_at) < REHEARSE_EVERY {
            return;
        }
        self.rehearsed_at = now;
        self.warm(now);
        let Some(orders) = self.understudy.as_mut().and_then(Understudy::play) else {
            // It has played enough: the next one is engaged soon.
            self.understudy = None;
            return;
        };
        for order in orders {
            self.venues[order.venue.index()].rest.rehearse(Request::Place(order));
        }
    }

    /// Reads what frames and openings of the next few symbols will read, so that it is in the caches then.
    fn warm(&mut self, now: Timestamp) {
        for _ in 0..WARMED_EACH {
            self.warmed = self.warmed.wrapping_add(1);
            if let Some(symbol) = self.engine.warm(now, self.warmed) {
                self.venues.iter().for_each(|venue| venue.rest.warm(symbol));
            }
        }
    }
}
