//! One side of a book: the window around its top and the sorted part below it.

use super::far::{Cursor, Far};
use super::grid::Grid;
use super::window::{CHUNK, Keys, Strays, Window};
use super::{Beyond, BookConfig};
use cex_core::{BookSide, Level, Price, Qty};

/// Every level is in the window when its key lies there, else in the far part, and no level is better than the window's
/// end. Both sides share this code: larger keys are better.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    keys: Keys,
    window: Window,
    far: Far,
    /// No level is better than this key; the best itself after every frame.
    hint: i64,
    best: Option<Level>,
    /// The worst price to which everything is known, once something worse was dropped.
    horizon: Option<Price>,
    depth: usize,
    tick: i64,
    beyond: Beyond,
}

impl Ladder {
    pub(super) fn new(side: BookSide, config: BookConfig) -> Self {
        let flip = match side {
            BookSide::Bid => 0,
            BookSide::Ask => -1,
        };
        Self {
            keys: Keys { grid: Grid::new(config.tick.0), flip },
            window: Window::new(config.window),
            far: Far::default(),
            hint: i64::MIN,
            best: None,
            horizon: None,
            depth: config.depth.max(1),
            tick: config.tick.0,
            beyond: config.beyond,
        }
    }

    pub(super) fn clear(&mut self) {
        self.forget_levels();
        self.keys.grid = Grid::new(self.tick);
        self.best = None;
        self.horizon = None;
    }

    /// Reads what most frames touch.
    pub(super) fn warm(&self) -> i64 {
        self.window.warm(self.hint) ^ self.far.warm()
    }

    /// Applies a frame; answers whether the best level changed.
    #[inline]
    pub(super) fn apply(&mut self, levels: &[Level]) -> bool {
        if levels.is_empty() {
            return false;
        }
        self.put_all(levels);
        let changed = self.settle();
        if self.len() > self.depth {
            self.evict();
        }
        changed
    }

    /// Replaces all levels; answers whether the best level changed.
    pub(super) fn replace(&mut self, levels: &[Level]) -> bool {
        let before = self.best;
        self.clear();
        self.load(levels);
        self.evict();
        self.best != before
    }

    pub(super) fn mark_cut(&mut self) {
        if let Some(worst) = self.worst_price() {
            self.horizon = Some(worst);
        }
    }

    pub(super) fn trim(&mut self, depth: usize) {
        let mut excess = self.len().saturating_sub(depth);
        excess -= self.far.drop_worst(excess);
        // The horizon is the worst level known of, so the search begins there.
        let mut from = self.lowest();
        while excess > 0 {
            let Some(worst) = self.window.at_or_above(from) else { break };
            self.window.set(worst, 0);
            from = worst;
            excess -= 1;
        }
        if depth == 0 {
            self.settle();
        }
    }

    pub(super) fn exact_to(&self) -> Option<Price> {
        match self.beyond {
            Beyond::Unknown => self.horizon,
            Beyond::Reported if self.len() >= self.depth => self.worst_price(),
            Beyond::Reported => self.horizon,
        }
    }

    #[inline]
    pub(super) const fn best(&self) -> Option<Level> {
        self.best
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.window.len() + self.far.len()
    }

    pub(super) fn qty_at(&self, price: Price) -> Qty {
        match self.keys.of(price.0) {
            Some(key) if self.window.holds(key) => Qty(self.window.get(key)),
            Some(key) => Qty(self.far.get(key)),
            None => Qty::ZERO,
        }
    }

    pub(super) const fn levels(&self) -> Levels<'_> {
        Levels {
            ladder: self,
            key: self.hint,
            in_window: self.window.len(),
            cursor: self.far.cursor(),
            left: self.len(),
        }
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.window.heap_bytes() + self.far.heap_bytes()
    }

    #[inline]
    fn put_all(&mut self, levels: &[Level]) {
        for chunk in levels.chunks(CHUNK) {
            let mut strays = Strays::none();
            self.hint = self.window.absorb(chunk, self.keys, self.lowest(), self.hint, &mut strays);
            for index in strays.indices() {
                self.put_stray(chunk[index]);
            }
        }
    }

    /// A level outside the window: below or above it, off the grid, or beyond what is known.
    fn put_stray(&mut self, level: Level) {
        if self.is_beyond_horizon(level.price) {
            return;
        }
        let qty = level.qty.0.max(0);
        match self.keys.of(level.price.0) {
            Some(key) => self.put(key, qty),
            // Nothing is held off the grid, so there is nothing to delete there.
            None if qty == 0 => {}
            None => {
                self.refine(level.price);
                // The refined grid has this price, so this ends here.
                self.put_stray(level);
            }
        }
    }

    fn put(&mut self, key: i64, qty: i64) {
        if key < self.window.base() {
            self.far.set(key, qty);
            return;
        }
        if key > self.window.last() {
            if qty == 0 {
                return;
            }
            self.slide_up(key);
        }
        self.window.set(key, qty);
        if qty != 0 {
            self.hint = self.hint.max(key);
        }
    }

    /// Finds the best level after a frame and keeps the window around it; answers whether it changed.
    #[inline]
    fn settle(&mut self) -> bool {
        let before = self.best;
        if self.window.len() == 0
            && let Some(best) = self.far.best_key()
        {
            self.hint = best;
            self.slide_down(best);
        }
        self.best = match self.window.len() {
            0 => None,
            _ => self.window.at_or_below(self.hint).map(|key| {
                self.hint = key;
                Level { price: Price(self.keys.price(key)), qty: Qty(self.window.get(key)) }
            }),
        };
        match self.best {
            None => self.hint = i64::MIN,
            Some(_) if self.window.is_low(self.hint) => self.slide_down(self.hint),
            Some(_) => {}
        }
        self.best != before
    }

    /// Moves the window up to a new best key above its end; what it leaves behind becomes far.
    fn slide_up(&mut self, best: i64) {
        let base = self.window.base_for(best);
        let mut from = self.window.base();
        while self.window.len() > 0
            && let Some(key) = self.window.at_or_above(from).filter(|key| *key < base)
        {
            let qty = self.window.set(key, 0);
            self.far.push_best(key, qty);
            from = key;
        }
        self.window.move_to(base);
    }

    /// Moves the window down to the best key there is, taking in what was far.
    fn slide_down(&mut self, best: i64) {
        let base = self.window.base_for(best);
        if base >= self.window.base() {
            return;
        }
        self.window.move_to(base);
        while self.far.best_key().is_some_and(|key| key >= base) {
            if let Some((key, qty)) = self.far.pop_best() {
                self.window.set(key, qty);
            }
        }
    }

    /// Drops what is deeper than the configured depth, and remembers to where the rest is complete.
    fn evict(&mut self) {
        if self.len() <= self.depth {
            return;
        }
        self.trim(self.depth);
        match self.beyond {
            Beyond::Unknown => self.mark_cut(),
            Beyond::Reported => {}
        }
    }

    /// Makes the tick finer, so that `price` is on the grid. At most some sixty times between two snapshots, since the
    /// tick is at least halved.
    fn refine(&mut self, price: Price) {
        let levels: Vec<Level> = self.levels().collect();
        self.forget_levels();
        self.keys.grid = self.keys.grid.with(price.0);
        self.load_on_grid(&levels);
    }

    /// Puts levels into an empty ladder.
    fn load(&mut self, levels: &[Level]) {
        for level in levels.iter().filter(|level| level.qty.0 > 0) {
            if self.keys.of(level.price.0).is_none() {
                self.keys.grid = self.keys.grid.with(level.price.0);
            }
        }
        self.load_on_grid(levels);
        self.settle();
    }

    fn load_on_grid(&mut self, levels: &[Level]) {
        let held = levels.iter().filter(|level| level.qty.0 > 0);
        let known = held.filter_map(|level| self.keys.of(level.price.0)).max();
        // Without levels the window must still reach the horizon, below which it takes nothing.
        let horizon = self.horizon.and_then(|price| self.keys.of(price.0));
        if let Some(best) = known.or(horizon) {
            self.window.move_to(self.window.base_for(best));
        }
        self.put_all(levels);
    }

    fn forget_levels(&mut self) {
        self.window.clear();
        self.far.clear();
        self.hint = i64::MIN;
    }

    /// The worst key the window takes.
    #[inline]
    fn lowest(&self) -> i64 {
        match self.horizon {
            None => self.window.base(),
            // A horizon was the price of a level, and the grid only gets finer, so it always has a key.
            Some(horizon) => {
                self.keys.of(horizon.0).map_or(self.window.base(), |key| key.max(self.window.base()))
            }
        }
    }

    fn is_beyond_horizon(&self, price: Price) -> bool {
        self.horizon.is_some_and(|horizon| price.0 ^ self.keys.flip < horizon.0 ^ self.keys.flip)
    }

    fn worst_price(&self) -> Option<Price> {
        let key = self.far.worst_key().or_else(|| self.window.at_or_above(self.lowest()))?;
        Some(Price(self.keys.price(key)))
    }
}

/// The levels of a side, best first.
#[derive(Debug, Clone)]
pub struct Levels<'a> {
    ladder: &'a Ladder,
    key: i64,
    in_window: usize,
    cursor: Cursor,
    left: usize,
}

impl Iterator for Levels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        let (key, qty) = if self.in_window > 0 {
            self.in_window -= 1;
            let key = self.ladder.window.at_or_below(self.key)?;
            // The lowest key of all has none below it; then the window is used up and this is not read again.
            self.key = key.saturating_sub(1);
            (key, self.ladder.window.get(key))
        } else {
            self.ladder.far.next_worse(&mut self.cursor)?
        };
        self.left -= 1;
        Some(Level { price: Price(self.ladder.keys.price(key)), qty: Qty(qty) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Levels<'_> {}
impl std::iter::FusedIterator for Levels<'_> {}
