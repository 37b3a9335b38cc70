//! What every book was at every version.

use crate::matching::{Exchange, MarketIndex};
use crate::server::SimExchange;
use cex_core::{Price, Qty, Scale, Symbol, Timestamp};
use rustc_hash::FxHasher;
use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::time::Duration;

/// Levels a side that go into a book's hash, from the best on.
pub const HASHED_LEVELS: usize = 20;

/// How long a version is remembered: longer than any frame can be late.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What a client's book is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookTruth {
    /// It is what the exchange's book was at that version.
    Same,
    /// It is not.
    Different,
    /// The exchange's book never had that version for anybody to see, or too long ago.
    NoSuchVersion,
}

/// The hash of a book's best levels, best first.
pub fn book_hash(bids: impl Iterator<Item = (Price, Qty)>, asks: impl Iterator<Item = (Price, Qty)>) -> u64 {
    let mut hasher = FxHasher::default();
    hash_side(&mut hasher, bids);
    hash_side(&mut hasher, asks);
    hasher.finish()
}

fn hash_side(hasher: &mut FxHasher, levels: impl Iterator<Item = (Price, Qty)>) {
    levels.take(HASHED_LEVELS).for_each(|(price, qty)| {
        hasher.write_i64(price.0);
        hasher.write_i64(qty.0);
    });
    hasher.write_i64(-1);
}

/// The past of all books that are watched.
#[derive(Debug, Default)]
pub(in crate::server) struct History(Vec<Watched>);

#[derive(Debug)]
struct Watched {
    exchange: SimExchange,
    symbol: Symbol,
    market: MarketIndex,
    /// What one unit of the exchange's price and quantity is in the client's.
    units: (i64, i64),
    newest: Option<u64>,
    /// When the book changed, its version, and the hash of its levels.
    states: VecDeque<(Timestamp, u64, u64)>,
}

impl History {
    pub(in crate::server) fn watch(
        &mut self,
        exchange: SimExchange,
        symbol: Symbol,
        market: MarketIndex,
        scale: Scale,
        state: &Exchange,
    ) {
        let own = state.rules(market).scale;
        let unit = |theirs: u8, ours: u8| 10_i64.pow(u32::from(theirs.saturating_sub(ours)));
        let units = (unit(scale.price_dp(), own.price_dp()), unit(scale.qty_dp(), own.qty_dp()));
        self.0.push(Watched { exchange, symbol, market, units, newest: None, states: VecDeque::new() });
    }

    /// Remembers the books that changed.
    pub(in crate::server) fn note(&mut self, now: Timestamp, exchanges: &[Exchange]) {
        for watched in &mut self.0 {
            let state = &exchanges[watched.exchange.index()];
            let version = state.version(watched.market);
            if watched.newest == Some(version) {
                continue;
            }
            watched.newest = Some(version);
            let (price_unit, qty_unit) = watched.units;
            let own = |(price, qty): (Price, Qty)| (Price(price.0 * price_unit), Qty(qty.0 * qty_unit));
            let hash = book_hash(state.bids(watched.market).map(own), state.asks(watched.market).map(own));
            watched.states.push_back((now, version, hash));
            while watched.states.front().is_some_and(|(at, ..)| *at + REMEMBERED < now) {
                watched.states.pop_front();
            }
        }
    }

    pub(in crate::server) fn truth(
        &self,
        exchange: SimExchange,
        symbol: Symbol,
        version: u64,
        hash: u64,
    ) -> BookTruth {
        let watched = self.0.iter().find(|one| one.exchange == exchange && one.symbol == symbol);
        // A version can come twice, after versions began anew.
        let mut found = BookTruth::NoSuchVersion;
        for (_, known, truth) in watched.into_iter().flat_map(|watched| watched.states.iter().rev()) {
            if *known == version && *truth == hash {
                return BookTruth::Same;
            }
            if *known == version {
                found = BookTruth::Different;
            }
        }
        found
    }
}
