//! Seeded book changes shaped like the exchanges' streams: 5 to 20 level changes a frame, 70 % within ten ticks of the top, a
//! quarter of them deletes, in random order.

use cex_core::{Level, Price, Qty};
use std::collections::BTreeMap;

/// One frame of changes, quantity zero deletes.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Changed bids.
    pub bids: Vec<Level>,
    /// Changed asks.
    pub asks: Vec<Level>,
}

impl Frame {
    /// How many levels it changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bids.len() + self.asks.len()
    }

    /// Whether it changes none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same with prices that are ticks made units of a scale in which a tick is `tick` units.
    #[must_use]
    pub fn in_units(&self, tick: Price) -> Self {
        let levels = |levels: &[Level]| {
            levels.iter().map(|level| Level { price: Price(level.price.0 * tick.0), ..*level }).collect()
        };
        Self { bids: levels(&self.bids), asks: levels(&self.asks) }
    }
}

/// A small reproducible generator; good enough to shape a workload.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Seeded.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n.max(1)
    }
}

/// A book and the frames that follow it.
#[derive(Debug, Clone)]
pub struct Story {
    /// The book before the first frame, best first.
    pub start: Frame,
    /// Frames to apply in order; the last leads back near the first, so they can be repeated.
    pub frames: Vec<Frame>,
}

/// Most levels in one of the frames that [`Story::in_pieces`] makes of the last one: as many as in any other.
const PIECE: usize = 20;

impl Story {
    /// The same story with its last frame, which says the whole book again, told in frames of ordinary size that say only
    /// what differs: among thousands of small frames one of a whole book would weigh like a dozen.
    #[must_use]
    pub fn in_pieces(mut self) -> Self {
        self.frames.pop();
        let sides = [book_after(&self, |frame| &frame.bids), book_after(&self, |frame| &frame.asks)];
        let starts = [&self.start.bids, &self.start.asks];
        let mut differing = Vec::new();
        for (side, (held, start)) in sides.into_iter().zip(starts).enumerate() {
            let wanted: BTreeMap<i64, i64> = start.iter().map(|level| (level.price.0, level.qty.0)).collect();
            let gone = held.keys().filter(|price| !wanted.contains_key(price)).map(|price| level(*price, 0));
            let wrong = wanted.iter().filter(|(price, qty)| held.get(price) != Some(qty));
            differing
                .extend(gone.chain(wrong.map(|(price, qty)| level(*price, *qty))).map(|level| (side, level)));
        }
        self.frames.extend(differing.chunks(PIECE).map(|piece| {
            let of =
                |wanted| piece.iter().filter(|(side, _)| *side == wanted).map(|(_, level)| *level).collect();
            Frame { bids: of(0), asks: of(1) }
        }));
        self
    }
}

fn book_after(story: &Story, side: fn(&Frame) -> &Vec<Level>) -> BTreeMap<i64, i64> {
    let mut book = BTreeMap::new();
    for change in std::iter::once(&story.start).chain(&story.frames).flat_map(side) {
        if change.qty.is_zero() {
            book.remove(&change.price.0);
        } else {
            book.insert(change.price.0, change.qty.0);
        }
    }
    book
}

/// A story of one book with `depth` levels a side around `mid`.
#[must_use]
pub fn story(seed: u64, mid: i64, depth: usize, frames: usize) -> Story {
    let mut dice = Dice::new(seed);
    let mut sides: [BTreeMap<i64, i64>; 2] = [BTreeMap::new(), BTreeMap::new()];
    for step in 0..i64::try_from(depth).unwrap_or(0) {
        sides[0].insert(mid - 1 - step, quantity(&mut dice));
        sides[1].insert(mid + step, quantity(&mut dice));
    }
    let best_first = |sides: &[BTreeMap<i64, i64>; 2]| Frame {
        bids: sides[0].iter().rev().map(|(price, qty)| level(*price, *qty)).collect(),
        asks: sides[1].iter().map(|(price, qty)| level(*price, *qty)).collect(),
    };
    let start = best_first(&sides);
    let mut told: Vec<Frame> = (0..frames).map(|_| frame(&mut dice, &mut sides, mid, depth)).collect();
    // The last frame restores the start, so a run over all frames can begin again with no gap in truth.
    let mut restore = start.clone();
    for (side, levels) in [(&sides[0], &mut restore.bids), (&sides[1], &mut restore.asks)] {
        let known: Vec<i64> = levels.iter().map(|level| level.price.0).collect();
        levels.extend(side.keys().filter(|price| !known.contains(price)).map(|price| level(*price, 0)));
    }
    told.push(restore);
    Story { start, frames: told }
}

fn frame(dice: &mut Dice, sides: &mut [BTreeMap<i64, i64>; 2], mid: i64, depth: usize) -> Frame {
    let mut frame = Frame::default();
    for _ in 0..5 + dice.below(16) {
        let side = usize::try_from(dice.below(2)).unwrap_or(0);
        let near = dice.below(10) < 7;
        let away = i64::try_from(dice.below(if near { 10 } else { depth as u64 })).unwrap_or(0);
        let price = if side == 0 { mid - 1 - away } else { mid + away };
        let gone = dice.below(4) == 0 && sides[side].len() > depth / 2;
        let qty = if gone { 0 } else { quantity(dice) };
        if gone {
            sides[side].remove(&price);
        } else {
            sides[side].insert(price, qty);
        }
        let levels = if side == 0 { &mut frame.bids } else { &mut frame.asks };
        levels.push(level(price, qty));
    }
    frame
}

fn quantity(dice: &mut Dice) -> i64 {
    1 + i64::try_from(dice.below(9_000_000_000)).unwrap_or(0)
}

const fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_where_it_began(story: &Story) -> bool {
        let mut book = cex_orderbook::MapBook::new(cex_orderbook::BookConfig::new(Price(1), 200));
        book.replace(&story.start.bids, &story.start.asks);
        for frame in &story.frames {
            book.apply(&frame.bids, &frame.asks);
        }
        book.bids().eq(story.start.bids.iter().copied()) && book.asks().eq(story.start.asks.iter().copied())
    }

    #[test]
    fn a_story_ends_where_it_began() {
        let story = story(7, 11_705_341, 100, 50);
        assert!(ends_where_it_began(&story));
        assert_eq!(story.frames.len(), 51);
    }

    #[test]
    fn told_in_pieces_it_does_too_and_no_frame_is_large() {
        let story = story(7, 11_705_341, 100, 50).in_pieces();
        assert!(ends_where_it_began(&story));
        assert!(story.frames.len() > 51 && story.frames.iter().all(|frame| frame.len() <= PIECE));
    }
}
