//! The order book as two plain ordered maps: nothing clever, hence the judge of [`crate::Book`] and the baseline of its
//! benches.

use crate::book::{Applied, Beyond, BookConfig};
use crate::sweep::{Sweep, sweep};
use cex_core::{BookSide, Level, Price, Qty};
use std::collections::BTreeMap;

/// One side: prices ascend, whatever the side.
#[derive(Debug, Clone)]
struct MapSide {
    side: BookSide,
    levels: BTreeMap<Price, Qty>,
    horizon: Option<Price>,
}

impl MapSide {
    const fn new(side: BookSide) -> Self {
        Self { side, levels: BTreeMap::new(), horizon: None }
    }

    fn best(&self) -> Option<Level> {
        let best = match self.side {
            BookSide::Bid => self.levels.last_key_value(),
            BookSide::Ask => self.levels.first_key_value(),
        };
        best.map(|(price, qty)| Level { price: *price, qty: *qty })
    }

    fn worst_price(&self) -> Option<Price> {
        match self.side {
            BookSide::Bid => self.levels.keys().next().copied(),
            BookSide::Ask => self.levels.keys().next_back().copied(),
        }
    }

    fn put(&mut self, level: Level) {
        let known = self.horizon.is_none_or(|horizon| match self.side {
            BookSide::Bid => level.price >= horizon,
            BookSide::Ask => level.price <= horizon,
        });
        if !known {
            return;
        }
        if level.qty > Qty::ZERO {
            self.levels.insert(level.price, level.qty);
        } else {
            self.levels.remove(&level.price);
        }
    }

    fn trim(&mut self, depth: usize) {
        while self.levels.len() > depth {
            match self.side {
                BookSide::Bid => self.levels.pop_first(),
                BookSide::Ask => self.levels.pop_last(),
            };
        }
    }

    fn update(&mut self, levels: &[Level], config: &BookConfig) -> bool {
        let before = self.best();
        levels.iter().for_each(|level| self.put(*level));
        if self.levels.len() > config.depth.max(1) {
            self.trim(config.depth.max(1));
            if config.beyond == Beyond::Unknown {
                self.horizon = self.worst_price();
            }
        }
        self.best() != before
    }

    fn replace(&mut self, levels: &[Level], config: &BookConfig) -> bool {
        let before = self.best();
        self.levels.clear();
        self.horizon = None;
        self.update(levels, config);
        self.best() != before
    }
}

/// The price levels of one symbol at one venue, with the interface and meaning of [`crate::Book`].
#[derive(Debug, Clone)]
pub struct MapBook {
    config: BookConfig,
    bids: MapSide,
    asks: MapSide,
}

impl MapBook {
    /// An empty book. Tick and window mean nothing to it.
    #[must_use]
    pub const fn new(config: BookConfig) -> Self {
        Self { config, bids: MapSide::new(BookSide::Bid), asks: MapSide::new(BookSide::Ask) }
    }

    /// As [`crate::Book::clear`].
    pub fn clear(&mut self) {
        *self = Self::new(self.config);
    }

    /// As [`crate::Book::replace`].
    pub fn replace(&mut self, bids: &[Level], asks: &[Level]) -> Applied {
        Applied {
            bid_changed: self.bids.replace(bids, &self.config),
            ask_changed: self.asks.replace(asks, &self.config),
        }
    }

    /// As [`crate::Book::apply`].
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) -> Applied {
        Applied {
            bid_changed: self.bids.update(bids, &self.config),
            ask_changed: self.asks.update(asks, &self.config),
        }
    }

    /// As [`crate::Book::mark_cut`].
    pub fn mark_cut(&mut self, side: BookSide) {
        let map = match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        };
        map.horizon = map.worst_price().or(map.horizon);
    }

    /// As [`crate::Book::trim`].
    pub fn trim(&mut self, depth: usize) {
        self.bids.trim(depth);
        self.asks.trim(depth);
    }

    /// As [`crate::Book::exact_to`].
    #[must_use]
    pub fn exact_to(&self, side: BookSide) -> Option<Price> {
        let map = self.side(side);
        match self.config.beyond {
            Beyond::Reported if map.levels.len() >= self.config.depth.max(1) => map.worst_price(),
            Beyond::Reported | Beyond::Unknown => map.horizon,
        }
    }

    /// As [`crate::Book::best_bid`].
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.best()
    }

    /// As [`crate::Book::best_ask`].
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.best()
    }

    /// As [`crate::Book::is_crossed`].
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.best_bid().zip(self.best_ask()).is_some_and(|(bid, ask)| bid.price >= ask.price)
    }

    /// Bids, best first.
    pub fn bids(&self) -> impl Iterator<Item = Level> + '_ {
        self.bids.levels.iter().rev().map(|(price, qty)| Level { price: *price, qty: *qty })
    }

    /// Asks, best first.
    pub fn asks(&self) -> impl Iterator<Item = Level> + '_ {
        self.asks.levels.iter().map(|(price, qty)| Level { price: *price, qty: *qty })
    }

    /// As [`crate::Book::len`].
    #[must_use]
    pub fn len(&self, side: BookSide) -> usize {
        self.side(side).levels.len()
    }

    /// As [`crate::Book::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.levels.is_empty() && self.asks.levels.is_empty()
    }

    /// As [`crate::Book::qty_at`].
    #[must_use]
    pub fn qty_at(&self, side: BookSide, price: Price) -> Qty {
        self.side(side).levels.get(&price).copied().unwrap_or_default()
    }

    /// As [`crate::Book::sweep`].
    #[must_use]
    pub fn sweep(&self, side: BookSide, qty: Qty) -> Sweep {
        match side {
            BookSide::Bid => sweep(self.bids(), qty),
            BookSide::Ask => sweep(self.asks(), qty),
        }
    }

    /// Memory held, in bytes: an estimate from the levels alone, since a map does not tell.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + (self.bids.levels.len() + self.asks.levels.len()) * size_of::<Level>()
    }

    const fn side(&self, side: BookSide) -> &MapSide {
        match side {
            BookSide::Bid => &self.bids,
            BookSide::Ask => &self.asks,
        }
    }
}
