//! The order book of one symbol at one venue: bounded depth, exact integers, no allocation in steady state.

mod far;
mod grid;
mod ladder;
mod window;

pub use ladder::Levels;

use crate::sweep::{Sweep, sweep};
use cex_core::{BookSide, Level, Price, Qty};
use ladder::Ladder;

/// What becomes of levels that fall out of a book's depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Beyond {
    /// The exchange reports each change once and nothing else: what was dropped is unknown from then on. The book
    /// ignores changes there, since a few known levels among unknown ones would look like the truth.
    Unknown,
    /// The exchange keeps reporting its best levels, so what comes back into the depth is reported again, and what
    /// falls out of it must be dropped, since its later removal is never reported.
    Reported,
}

/// How a book is kept. Values out of range are brought into it, so every value is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BookConfig {
    /// Levels kept on each side, at least one; worse levels are dropped after each frame.
    pub depth: usize,
    /// The usual distance between neighbouring prices, in price units: a hint that makes the window reach further.
    /// Prices between ticks are kept all the same.
    pub tick: Price,
    /// Ticks around the top that are kept in a flat array per side, eight bytes each: a power of two, 16 to 4096.
    pub window: usize,
    /// What becomes of levels that fall out of the depth.
    pub beyond: Beyond,
}

impl BookConfig {
    /// A book of `depth` levels a side of a market with this tick, fed with every change.
    #[must_use]
    pub const fn new(tick: Price, depth: usize) -> Self {
        // As many slots as levels, about: what lies deeper costs five times as much, but an empty slot costs memory,
        // and 2,000 small books should fit into the cache.
        let window = match depth {
            0..=200 => 256,
            201..=500 => 512,
            _ => 1_024,
        };
        Self { depth, tick, window, beyond: Beyond::Unknown }
    }
}

impl Default for BookConfig {
    /// A thousand levels a side at a tick of one price unit.
    fn default() -> Self {
        Self::new(Price(1), 1_000)
    }
}

/// What a frame did to the top of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Applied {
    /// Price or quantity of the best bid is another than before, or there is none any more.
    pub bid_changed: bool,
    /// The same for the best ask.
    pub ask_changed: bool,
}

impl Applied {
    /// Whether either side's top changed.
    #[must_use]
    pub const fn any(self) -> bool {
        self.bid_changed || self.ask_changed
    }
}

/// The price levels of one symbol at one venue.
///
/// Each side is a flat ring of quantities, one per tick around the top, and sorted leaves for what lies deeper. A frame
/// is applied whole and the best level is found once, after it. Where books lie close to the top this touches a few
/// cache lines and branches on no price.
///
/// # Depth and exactness
///
/// A book never holds more than its configured depth a side. With [`Beyond::Unknown`] it remembers the worst price
/// still held when levels were first dropped: at this price ([`Book::exact_to`]) and better it equals the exchange's
/// book, and it holds nothing worse, not even when a later change names such a level. The side therefore gets shorter
/// as the market moves toward the unknown, until a new snapshot ([`Book::replace`]) fills it again.
///
/// A quantity of zero or below means that there is no such level; deleting what is absent is normal.
#[derive(Debug, Clone)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(config: BookConfig) -> Self {
        Self { bids: Ladder::new(BookSide::Bid, config), asks: Ladder::new(BookSide::Ask, config) }
    }

    /// Reads what most frames and decisions touch, and does nothing with it: what lies in the processor's caches costs a
    /// frame nothing, what has left them hundreds of nanoseconds.
    pub fn warm(&self) {
        std::hint::black_box(self.bids.warm() ^ self.asks.warm());
    }

    /// Forgets all levels and what was known about exactness; keeps the memory.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Replaces the book by a snapshot, levels in any order; of a price named twice the last counts. The snapshot is
    /// taken for the whole book: say [`Book::mark_cut`] when the exchange cut it off.
    pub fn replace(&mut self, bids: &[Level], asks: &[Level]) -> Applied {
        Applied { bid_changed: self.bids.replace(bids), ask_changed: self.asks.replace(asks) }
    }

    /// Applies one frame of absolute quantities; of a price named twice the last counts.
    #[inline]
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) -> Applied {
        Applied { bid_changed: self.bids.apply(bids), ask_changed: self.asks.apply(asks) }
    }

    /// The exchange cut this side off: what is worse than the worst level held is unknown.
    pub fn mark_cut(&mut self, side: BookSide) {
        self.ladder_mut(side).mark_cut();
    }

    /// Drops all but the best `depth` levels of each side. Says nothing about exactness: this is for streams that
    /// report only so many levels.
    pub fn trim(&mut self, depth: usize) {
        self.bids.trim(depth);
        self.asks.trim(depth);
    }

    /// The worst price to which this side is complete; `None` when it is complete to its end.
    #[must_use]
    pub fn exact_to(&self, side: BookSide) -> Option<Price> {
        self.ladder(side).exact_to()
    }

    /// The highest bid.
    #[inline]
    #[must_use]
    pub const fn best_bid(&self) -> Option<Level> {
        self.bids.best()
    }

    /// The lowest ask.
    #[inline]
    #[must_use]
    pub const fn best_ask(&self) -> Option<Level> {
        self.asks.best()
    }

    /// Whether the book is crossed or locked: best bid at or above best ask. No exchange's book is; a book that is
    /// must not be traded on.
    #[inline]
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.best_bid().zip(self.best_ask()).is_some_and(|(bid, ask)| bid.price >= ask.price)
    }

    /// Bids, best first.
    #[must_use]
    pub fn bids(&self) -> Levels<'_> {
        self.bids.levels()
    }

    /// Asks, best first.
    #[must_use]
    pub fn asks(&self) -> Levels<'_> {
        self.asks.levels()
    }

    /// The levels of a side, best first.
    #[must_use]
    pub fn levels(&self, side: BookSide) -> Levels<'_> {
        self.ladder(side).levels()
    }

    /// How many levels a side holds.
    #[must_use]
    pub fn len(&self, side: BookSide) -> usize {
        self.ladder(side).len()
    }

    /// Whether there is no level on either side.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.len() == 0 && self.asks.len() == 0
    }

    /// The quantity at a price; zero when there is no level.
    #[must_use]
    pub fn qty_at(&self, side: BookSide, price: Price) -> Qty {
        self.ladder(side).qty_at(price)
    }

    /// What `qty` costs, taken from the best levels of `side` on: asks for a buyer, bids for a seller.
    #[must_use]
    pub fn sweep(&self, side: BookSide, qty: Qty) -> Sweep {
        sweep(self.levels(side), qty)
    }

    /// Memory held, in bytes, this value included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.bids.heap_bytes() + self.asks.heap_bytes()
    }

    const fn ladder(&self, side: BookSide) -> &Ladder {
        match side {
            BookSide::Bid => &self.bids,
            BookSide::Ask => &self.asks,
        }
    }

    const fn ladder_mut(&mut self, side: BookSide) -> &mut Ladder {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }
}

impl Default for Book {
    fn default() -> Self {
        Self::new(BookConfig::default())
    }
}
