//! One side of a book as its makers keep it up: dense at the top, thinner below, always deep enough.

use super::desk::Desk;
use super::dice::Dice;
use crate::matching::Resting;
use crate::ranked::Ranked;
use cex_core::{Price, Qty, Side};

/// How many levels beyond the wanted number are left standing before the farthest go.
const SLACK: usize = 40;

/// The shape of a ladder, in ticks and lots of its market.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Levels wanted.
    pub(super) levels: usize,
    /// Distance of the first levels from each other.
    pub(super) first_gap: f64,
    /// No gap is larger.
    pub(super) largest_gap: f64,
    /// Distance from the top at which sizes have doubled.
    pub(super) doubling: f64,
    /// Usual size at the top.
    pub(super) top_size: f64,
    /// No order is smaller.
    pub(super) least_size: f64,
}

/// How much wider gaps become per distance from the top: a hundred levels reach some two hundred times as far as ten.
const WIDENING: f64 = 0.05;

/// No level is more than this many times as large as at the top.
const LARGEST_GROWTH: f64 = 12.0;

impl Shape {
    /// Distance to the next level at a distance from the top.
    fn gap(&self, distance: i64, dice: &mut Dice) -> i64 {
        let usual = self.usual_gap(distance);
        ((usual * dice.between(0.4, 1.6)).round() as i64).max(1)
    }

    fn usual_gap(&self, distance: i64) -> f64 {
        (self.first_gap + WIDENING * distance as f64).min(self.largest_gap)
    }

    /// Size of a level at a distance from the top: many small, few large.
    fn size(&self, distance: i64, dice: &mut Dice) -> Qty {
        let growth = (1.0 + distance as f64 / self.doubling).min(LARGEST_GROWTH);
        let luck = 0.1 + 2.7 * dice.unit() * dice.unit();
        Qty((self.top_size * growth * luck).max(self.least_size) as i64)
    }
}

/// The makers' orders on one side, one per level.
///
/// Keys are prices for asks and negative prices for bids, so that a smaller key is a better price on both sides.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    side: Side,
    quotes: Ranked<Resting>,
}

impl Ladder {
    pub(super) const fn new(side: Side) -> Self {
        Self { side, quotes: Ranked::new() }
    }

    const fn price(&self, key: i64) -> Price {
        match self.side {
            Side::Buy => Price(-key),
            Side::Sell => Price(key),
        }
    }

    /// The key of a price on this side.
    pub(super) const fn key(&self, price: i64) -> i64 {
        match self.side {
            Side::Buy => -price,
            Side::Sell => price,
        }
    }

    /// Takes out what is better than `top`, and forgets what was traded away: trades eat from the best level on.
    pub(super) fn retreat(&mut self, desk: &mut Desk<'_>, top: i64) {
        while let Some((key, order)) = self.quotes.first() {
            if key < top {
                desk.cancel(*order);
            } else if desk.is_open(*order) {
                break;
            }
            self.quotes.pop_first();
        }
    }

    /// Quotes from `top` on down to what is there, keeps the side deep enough and not too deep.
    pub(super) fn advance(&mut self, desk: &mut Desk<'_>, top: i64, shape: &Shape, dice: &mut Dice) {
        let mut key = top;
        // Gaps widen with the distance, so even a long way back costs some hundred levels at most.
        let end = self.quotes.first().map_or(top + 1, |(first, _)| first);
        while key < end {
            self.quote(desk, key, shape.size(key - top, dice));
            key += shape.gap(key - top, dice);
        }
        while self.quotes.len() < shape.levels
            && let Some((last, _)) = self.quotes.last()
        {
            let key = last + shape.gap(last - top, dice);
            if !self.quote(desk, key, shape.size(key - top, dice)) {
                break;
            }
        }
        while self.quotes.len() > shape.levels + SLACK
            && let Some((_, farthest)) = self.quotes.pop_last()
        {
            desk.cancel(farthest);
        }
    }

    /// Changes one level somewhere, more often near the top: its size, or whether it is there at all where levels
    /// have come to stand too densely.
    pub(super) fn stir(&mut self, desk: &mut Desk<'_>, top: i64, shape: &Shape, dice: &mut Dice) {
        let Some((last, _)) = self.quotes.last() else { return };
        let depth = (last - top).max(0) as f64;
        let luck = dice.unit();
        let from = top + (depth * luck * luck * luck) as i64;
        let Some((key, order, next)) = self.two_from(from) else { return };
        let gap = next.map_or(f64::MAX, |next| (next - key) as f64);
        let is_dense = gap < 0.3 * shape.usual_gap(key - top);
        let is_surplus = is_dense && key > top && self.quotes.len() > shape.levels;
        if is_surplus || !self.quote(desk, key, shape.size(key - top, dice)) {
            self.quotes.remove(key);
        }
        // The new order came before the old one goes, so that the level changes and does not vanish.
        desk.cancel(order);
    }

    /// The first level from a key on, and the key of the one below it.
    fn two_from(&self, key: i64) -> Option<(i64, Resting, Option<i64>)> {
        let mut below = self.quotes.range_from(key);
        let (key, order) = below.next()?;
        Some((key, *order, below.next().map(|(next, _)| next)))
    }

    fn quote(&mut self, desk: &mut Desk<'_>, key: i64, size: Qty) -> bool {
        let placed = desk.quote(self.side, self.price(key), size);
        if let Some(order) = placed {
            self.quotes.insert(key, order);
        }
        placed.is_some()
    }
}
