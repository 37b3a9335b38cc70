//! The fast book against the plain one: every frame, every level, in many kinds of markets.

use cex_core::{BookSide, Level, Price, Qty};
use cex_orderbook::{Beyond, Book, BookConfig, MapBook};
use proptest::prelude::*;

/// A small generator with a fixed sequence per seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: i64) -> i64 {
        (self.roll() >> 1) as i64 % bound.max(1)
    }

    fn one_in(&mut self, chances: i64) -> bool {
        self.below(chances) == 0
    }
}

/// Both books, fed the same.
struct Pair {
    book: Book,
    map: MapBook,
    what: String,
}

impl Pair {
    fn new(config: BookConfig) -> Self {
        Self { book: Book::new(config), map: MapBook::new(config), what: format!("{config:?}") }
    }

    fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        assert_eq!(
            self.book.apply(bids, asks),
            self.map.apply(bids, asks),
            "{} {bids:?} {asks:?}",
            self.what
        );
        self.check();
        for (side, levels) in [(BookSide::Bid, bids), (BookSide::Ask, asks)] {
            for level in levels {
                let (found, expected) =
                    (self.book.qty_at(side, level.price), self.map.qty_at(side, level.price));
                assert_eq!(found, expected, "{} {side:?} {level:?}", self.what);
            }
        }
    }

    fn replace(&mut self, bids: &[Level], asks: &[Level]) {
        assert_eq!(self.book.replace(bids, asks), self.map.replace(bids, asks), "{}", self.what);
        self.check();
    }

    fn check(&self) {
        let (book, map, what) = (&self.book, &self.map, &self.what);
        assert_eq!((book.best_bid(), book.best_ask()), (map.best_bid(), map.best_ask()), "{what}");
        assert!(book.bids().eq(map.bids()), "{what}\n{:?}\n{:?}", shown(book.bids()), shown(map.bids()));
        assert!(book.asks().eq(map.asks()), "{what}\n{:?}\n{:?}", shown(book.asks()), shown(map.asks()));
        for side in [BookSide::Bid, BookSide::Ask] {
            assert_eq!(book.len(side), map.len(side), "{what}");
            assert_eq!(book.levels(side).len(), map.len(side), "{what}");
            assert_eq!(book.exact_to(side), map.exact_to(side), "{what}");
        }
        assert_eq!((book.is_crossed(), book.is_empty()), (map.is_crossed(), map.is_empty()), "{what}");
    }
}

fn shown(levels: impl Iterator<Item = Level>) -> Vec<(i64, i64)> {
    levels.map(|level| (level.price.0, level.qty.0)).collect()
}

/// A kind of market.
#[derive(Debug, Clone, Copy)]
struct Regime {
    config: BookConfig,
    /// Prices are multiples of this, most of the time.
    step: i64,
    /// How far from the middle prices lie, in steps.
    spread: i64,
    /// Seven in ten prices lie this near to the middle, in steps.
    near: i64,
    /// The middle walks this far at most in a frame, in steps.
    walk: i64,
    /// One frame in so many moves the middle by a thousand spreads; zero never.
    jump: i64,
    /// One price in so many is off the grid; zero never.
    off_grid: i64,
    /// How many in a hundred changes delete.
    deletes: i64,
}

const DENSE: Regime = Regime {
    config: BookConfig { depth: 1_000, tick: Price(1), window: 512, beyond: Beyond::Unknown },
    step: 1,
    spread: 1_500,
    near: 10,
    walk: 2,
    jump: 0,
    off_grid: 0,
    deletes: 25,
};

impl Regime {
    fn level(&self, dice: &mut Dice, middle: i64, side: i64) -> Level {
        let reach = if dice.below(10) < 7 { self.near } else { self.spread };
        // A few levels lie on the wrong side, as crossed books have them.
        let distance = dice.below(reach) - if dice.one_in(50) { 3 } else { 0 };
        let mut price = (middle + side * distance) * self.step;
        if self.off_grid > 0 && dice.one_in(self.off_grid) {
            price += dice.below(self.step);
        }
        let qty = if dice.below(100) < self.deletes { -dice.below(2) } else { 1 + dice.below(1_000) };
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn side(&self, dice: &mut Dice, middle: i64, side: i64, most: i64) -> Vec<Level> {
        (0..dice.below(most + 1)).map(|_| self.level(dice, middle, side)).collect()
    }

    /// Runs `changes` level changes and checks everything after each frame.
    fn run(self, seed: u64, changes: usize) {
        let mut dice = Dice(seed);
        let mut pair = Pair::new(self.config);
        pair.what = format!("{self:?} seed {seed}");
        let mut middle = 10_000_000;
        let mut done = 0;
        while done < changes {
            middle += dice.below(2 * self.walk + 1) - self.walk;
            if self.jump > 0 && dice.one_in(self.jump) {
                middle = 10_000_000 + (dice.below(2_001) - 1_000) * self.spread;
            }
            // Mostly the usual frames, now and then one longer than the book handles at a time.
            let most = if dice.one_in(50) { 300 } else { 12 };
            let bids = self.side(&mut dice, middle, -1, most);
            let asks = self.side(&mut dice, middle, 1, most);
            done += bids.len() + asks.len();
            match dice.below(400) {
                0 => {
                    let bids = self.side(&mut dice, middle, -1, 2 * self.config.depth as i64);
                    let asks = self.side(&mut dice, middle, 1, 2 * self.config.depth as i64);
                    pair.replace(&bids, &asks);
                    if dice.one_in(2) {
                        pair.book.mark_cut(BookSide::Bid);
                        pair.map.mark_cut(BookSide::Bid);
                    }
                }
                1 => {
                    let depth = dice.below(self.config.depth as i64) as usize;
                    pair.book.trim(depth);
                    pair.map.trim(depth);
                }
                _ => {}
            }
            pair.apply(&bids, &asks);
        }
    }
}

#[test]
fn dense_market_of_a_thousand_levels() {
    DENSE.run(1, 100_000);
    Regime { config: BookConfig { beyond: Beyond::Reported, ..DENSE.config }, ..DENSE }.run(2, 60_000);
}

#[test]
fn sparse_market_with_gaps_wider_than_the_window() {
    let sparse = Regime { step: 7_919, spread: 60, near: 6, ..DENSE };
    sparse.run(3, 100_000);
    // Levels next to each other and far apart at once.
    Regime { step: 100, spread: 500, off_grid: 3, ..DENSE }.run(4, 50_000);
}

#[test]
fn top_that_walks_fast_and_jumps_far() {
    let config = BookConfig { window: 64, ..DENSE.config };
    Regime { config, walk: 40, jump: 30, spread: 400, ..DENSE }.run(5, 100_000);
    let config = BookConfig { window: 16, depth: 100, ..DENSE.config };
    Regime { config, walk: 10, jump: 10, spread: 100, deletes: 60, ..DENSE }.run(6, 100_000);
}

#[test]
fn mostly_deletes_of_absent_levels() {
    Regime { deletes: 85, spread: 800, ..DENSE }.run(7, 100_000);
}

#[test]
fn coarse_tick_with_and_without_prices_off_the_grid() {
    let config = BookConfig { tick: Price(250), ..DENSE.config };
    let coarse = Regime { config, step: 250, ..DENSE };
    coarse.run(8, 80_000);
    Regime { off_grid: 2_000, ..coarse }.run(9, 80_000);
    // A tick that has nothing to do with the prices.
    Regime { config: BookConfig { tick: Price(1_009), ..config }, ..coarse }.run(10, 30_000);
}

#[test]
fn small_depth_evicts_on_almost_every_frame() {
    for (seed, beyond) in [(11, Beyond::Unknown), (12, Beyond::Reported)] {
        let config = BookConfig { depth: 5, beyond, ..DENSE.config };
        Regime { config, spread: 40, ..DENSE }.run(seed, 100_000);
    }
    let config = BookConfig { depth: 100, window: 256, ..DENSE.config };
    Regime { config, spread: 300, walk: 5, deletes: 40, ..DENSE }.run(13, 100_000);
}

fn any_config() -> impl Strategy<Value = BookConfig> {
    let beyond = prop_oneof![Just(Beyond::Unknown), Just(Beyond::Reported)];
    (0_usize..40, -1_i64..12, 0_usize..100, beyond).prop_map(|(depth, tick, window, beyond)| BookConfig {
        depth,
        tick: Price(tick),
        window,
        beyond,
    })
}

/// Prices close together, and the ends of the number range.
fn any_price() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0_i64..60, 3 => 0_i64..5_000, 1 => any::<i64>(), 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

fn any_levels() -> impl Strategy<Value = Vec<Level>> {
    let level =
        (any_price(), -1_i64..4).prop_map(|(price, qty)| Level { price: Price(price), qty: Qty(qty) });
    prop::collection::vec(level, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_frames_of_any_prices(
        config in any_config(),
        frames in prop::collection::vec((any_levels(), any_levels(), 0_u8..20), 1..40),
    ) {
        let mut pair = Pair::new(config);
        for (bids, asks, what) in frames {
            match what {
                0 => pair.replace(&bids, &asks),
                1 => {
                    pair.book.mark_cut(BookSide::Ask);
                    pair.map.mark_cut(BookSide::Ask);
                }
                2 => {
                    pair.book.trim(bids.len());
                    pair.map.trim(bids.len());
                }
                3 => {
                    pair.book.clear();
                    pair.map.clear();
                }
                _ => {}
            }
            pair.apply(&bids, &asks);
        }
    }
}
