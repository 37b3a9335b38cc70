//! The frames of many symbols on two exchanges as one sequence: each book's activity falls with its symbol's rank, and whose
//! frame comes next is random.

use crate::workload::{Dice, Frame, story};
use crate::{frames, market_of};
use cex_core::{Market, Markets, Scale, SymbolId, VenueId};
use std::ops::Range;
use std::sync::Arc;

/// Version of every book before its first frame.
pub const START: u64 = 1_000_000_000;

/// Index of the exchange whose frames are protobuf, and of the one whose are JSON.
pub const MEXC: usize = 0;
/// See [`MEXC`].
pub const GATEIO: usize = 1;

/// The best bid of a book before its first frame, in ticks.
const MID: i64 = 11_705_341;
/// On one of the exchanges the books of every tenth symbol lie this much higher, so that they cross now and then.
const OFFSET: i64 = 2;
const CROSSING_EVERY: usize = 10;

/// One frame and whose it is.
#[derive(Debug, Clone, Copy)]
pub struct MixFrame<'m> {
    /// [`MEXC`] or [`GATEIO`].
    pub venue: usize,
    /// Symbol the frame's book belongs to.
    pub symbol: SymbolId,
    /// As on the wire.
    pub bytes: &'m [u8],
}

/// Books, and the frames that follow.
pub struct Mix {
    /// Markets by exchange; a symbol has the same id on both.
    pub markets: [Arc<Markets>; 2],
    /// Books at version [`START`], by exchange and symbol.
    pub starts: [Vec<Frame>; 2],
    bytes: Vec<u8>,
    order: Vec<(u8, SymbolId, Range<usize>)>,
    laps: usize,
}

impl Mix {
    /// `frames` frames (a few more, which lead every book back to its start) of `symbols` symbols with `depth` levels a side,
    /// told `laps` times over with versions that go on.
    ///
    /// # Panics
    /// When numbers do not fit: a bench is told constants.
    #[must_use]
    pub fn new(seed: u64, symbols: usize, depth: usize, frames: usize, laps: usize) -> Self {
        let names = ["mexc", "gateio"];
        let venues =
            [0, 1].map(|index| VenueId::new(index, names[usize::from(index)]).expect("a short name"));
        let markets = venues.map(|venue| (0..symbols).map(|rank| market(venue, rank)).collect::<Vec<_>>());
        let mut dice = Dice::new(seed);
        let weights: f64 = (1..=symbols).map(|rank| 1.0 / rank as f64).sum();
        let (mut starts, mut told, mut picks) = ([Vec::new(), Vec::new()], Vec::new(), Vec::new());
        for (venue, starts) in starts.iter_mut().enumerate() {
            for (rank, market) in markets[venue].iter().enumerate() {
                let share = frames as f64 / 2.0 / weights / (rank + 1) as f64;
                let crossing = venue == GATEIO && rank % CROSSING_EVERY == 0;
                let mid = MID + if crossing { OFFSET } else { 0 };
                let seed = seed ^ (2 * rank + venue) as u64;
                let story = story(seed, mid, depth, share.ceil() as usize).in_pieces();
                let tick = market.tick;
                starts.push(story.start.in_units(tick));
                picks.extend(std::iter::repeat_n(told.len(), story.frames.len()));
                told.push((venue, rank, story.frames));
            }
        }
        let mut mix = Self {
            markets: markets.clone().map(|markets| Arc::new(Markets::new(markets))),
            starts,
            bytes: Vec::new(),
            order: Vec::new(),
            laps,
        };
        let mut seqs = vec![START; told.len()];
        for _ in 0..laps {
            shuffle(&mut dice, &mut picks);
            let mut next = vec![0; told.len()];
            for pick in &picks {
                let (venue, rank, frames) = &told[*pick];
                (seqs[*pick], next[*pick]) = (seqs[*pick] + 1, next[*pick] + 1);
                mix.push(*venue, &markets[*venue][*rank], &frames[next[*pick] - 1], seqs[*pick]);
            }
        }
        mix
    }

    fn push(&mut self, venue: usize, market: &Market, frame: &Frame, seq: u64) {
        let encode: fn(&str, Scale, &Frame, (u64, u64)) -> Vec<u8> =
            if venue == MEXC { frames::mexc } else { frames::gateio };
        let from = self.bytes.len();
        let frame = frame.in_units(market.tick);
        self.bytes.extend(encode(market.native(), market.scale, &frame, (seq, seq)));
        let venue = u8::try_from(venue).expect("two exchanges");
        self.order.push((venue, market.id, from..self.bytes.len()));
    }

    /// Frames per lap.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len() / self.laps.max(1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The frames of one lap, in order.
    pub fn lap(&self, lap: usize) -> impl Iterator<Item = MixFrame<'_>> {
        let frames = &self.order[lap * self.len()..(lap + 1) * self.len()];
        frames.iter().map(|(venue, symbol, at)| MixFrame {
            venue: usize::from(*venue),
            symbol: *symbol,
            bytes: &self.bytes[at.clone()],
        })
    }
}

fn market(venue: VenueId, rank: usize) -> Market {
    let native = match venue.index() {
        MEXC => format!("C{rank:04}USDT"),
        _ => format!("C{rank:04}_USDT"),
    };
    market_of(venue, SymbolId(u32::try_from(rank).expect("few symbols")), &native, 2, 5)
}

fn shuffle(dice: &mut Dice, picks: &mut [usize]) {
    for last in (1..picks.len()).rev() {
        let other = usize::try_from(dice.below(last as u64 + 1)).unwrap_or(0);
        picks.swap(last, other);
    }
}
