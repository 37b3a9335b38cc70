//! The books of a counterpart: a story of each, told frame by frame, and extra levels that cross the other exchange's book.
//!
//! Of every symbol one exchange's book is tight and the other's lies wide around it, so that one level inside the wide
//! spread crosses the tight book without crossing its own. The tick is one basis point of the price, as with most coins.

use crate::mix::{GATEIO, MEXC, START};
use crate::workload::{Frame, Story, story};
use crate::{frames, market_of};
use cex_core::{Level, Market, Price, Qty, SymbolId, VenueId};

/// The middle of all books, in ticks.
const MID: i64 = 10_000;
/// How far a wide book's best prices lie from the middle.
const WIDE: i64 = 40;
/// Where a crossing level lies: inside the wide spread, some 30 basis points through the tight book.
const THROUGH: i64 = 35;
/// Quantity of a crossing level: 5 coins.
const CROSSING_QTY: Qty = Qty(500_000_000);
/// Levels a side.
const DEPTH: usize = 50;
/// Frames of a book's story.
const FRAMES: usize = 200;

/// One book and its stream.
pub(super) struct Book {
    pub(super) market: Market,
    told: Story,
    next: usize,
    seq: u64,
}

impl Book {
    pub(super) fn new(venue: VenueId, symbol: usize) -> Self {
        let native = match venue.index() {
            MEXC => format!("C{symbol:04}USDT"),
            _ => format!("C{symbol:04}_USDT"),
        };
        let id = SymbolId(u32::try_from(symbol).expect("few symbols"));
        let market = market_of(venue, id, &native, 2, 3);
        let mut told = story((2 * symbol + venue.index()) as u64, MID, DEPTH, FRAMES).in_pieces();
        if is_wide(venue.index(), symbol) {
            std::iter::once(&mut told.start).chain(&mut told.frames).for_each(widen);
        }
        Self { market, told, next: 0, seq: START }
    }

    /// The book before its first frame, as price and quantity texts, best first: bids, asks.
    pub(super) fn start(&self) -> [Vec<(String, String)>; 2] {
        let scale = self.market.scale;
        let frame = self.told.start.in_units(self.market.tick);
        [frame.bids, frame.asks].map(|levels| {
            let text = |level: Level| {
                (scale.price_value(level.price).to_string(), scale.qty_value(level.qty).to_string())
            };
            levels.into_iter().map(text).collect()
        })
    }

    /// The next ordinary frame, with one more level in it if wanted.
    pub(super) fn next_frame(&mut self, extra: Option<(bool, Level)>) -> Vec<u8> {
        let mut frame = self.told.frames[self.next].clone();
        self.next = (self.next + 1) % self.told.frames.len();
        match extra {
            Some((true, level)) => frame.bids.push(level),
            Some((false, level)) => frame.asks.push(level),
            None => {}
        }
        self.seq += 1;
        let frame = frame.in_units(self.market.tick);
        let encode = if self.market.venue.index() == GATEIO { frames::gateio } else { frames::mexc };
        encode(self.market.native(), self.market.scale, &frame, (self.seq, self.seq))
    }
}

/// Whether a symbol's book is the wide one at this exchange: at each for every other symbol.
pub(super) const fn is_wide(venue: usize, symbol: usize) -> bool {
    symbol % 2 == venue
}

/// The level that crosses, as the side it is on (whether bids) and itself; with nothing of it to end the crossing.
pub(super) fn crossing(sell_here: bool, stands: bool) -> (bool, Level) {
    let price = Price(if sell_here { MID + THROUGH } else { MID - THROUGH });
    (sell_here, Level { price, qty: if stands { CROSSING_QTY } else { Qty::ZERO } })
}

fn widen(frame: &mut Frame) {
    frame.bids.iter_mut().for_each(|level| level.price.0 -= WIDE);
    frame.asks.iter_mut().for_each(|level| level.price.0 += WIDE);
}
