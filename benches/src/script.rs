//! What a counterpart plays: ordinary frames at uneven times, and now and then one that crosses two books, followed by the
//! fills of the orders it brought.

use crate::counterpart::{Counterpart, Placement};
use crate::workload::Dice;
use std::time::{Duration, Instant};

/// Ordinary frames before one that crosses: at least so many, and at most twice as many.
const ORDINARY: u64 = 4;
/// Frames are between 15 microseconds and a millisecond apart, in doublings: short pauses are as frequent as long ones.
const SHORTEST_PAUSE: Duration = Duration::from_micros(15);
const DOUBLINGS: u64 = 6;
/// Orders that have not come by then do not come.
const ORDERS_WITHIN: Duration = Duration::from_millis(50);

/// How one crossing went.
#[derive(Debug, Clone)]
pub struct Crossing {
    /// When the frame's first byte was written.
    pub sent_at: Instant,
    /// The orders, in the order they came.
    pub orders: Vec<Placement>,
}

impl Crossing {
    /// From the frame to the last byte of the first order, and of the second; `None` when they did not both come.
    #[must_use]
    pub fn times(&self) -> Option<[Duration; 2]> {
        let [first, second] = self.orders.as_slice() else { return None };
        Some([first, second].map(|order| order.at.duration_since(self.sent_at)))
    }
}

/// A counterpart and what it does next.
pub struct Script {
    counterpart: Counterpart,
    dice: Dice,
    round: usize,
    /// Books that have not had a frame yet, as exchange and symbol.
    silent: Vec<(usize, usize)>,
}

impl Script {
    /// Plays this counterpart.
    #[must_use]
    pub fn new(counterpart: Counterpart, seed: u64) -> Self {
        let symbols = counterpart.symbols();
        let silent = (0..2).flat_map(|venue| (0..symbols).map(move |symbol| (venue, symbol))).collect();
        Self { counterpart, dice: Dice::new(seed), round: 0, silent }
    }

    /// Answers what is asked, and nothing else, until `done`. Each book gets one frame once somebody listens to it, because
    /// snapshots are asked for when a stream has begun.
    pub fn serve_until(&mut self, mut done: impl FnMut() -> bool) {
        while !done() {
            self.counterpart.poll();
            self.silent.retain(|(venue, symbol)| match self.counterpart.frame(*venue, *symbol) {
                Some(frame) => {
                    self.counterpart.send(&frame);
                    false
                }
                None => true,
            });
        }
    }

    /// Answers what is asked for a while.
    pub fn serve_for(&mut self, span: Duration) {
        let started = Instant::now();
        self.serve_until(|| started.elapsed() >= span);
    }

    /// Some ordinary frames, one that crosses, the end of the crossing, and the fills.
    ///
    /// # Panics
    /// When nobody listens to the books.
    pub fn round(&mut self) -> Crossing {
        for _ in 0..ORDINARY + self.dice.below(ORDINARY + 1) {
            let (venue, symbol) = (self.below(2), self.busy_symbol());
            self.ordinary(venue, symbol);
        }
        // Every symbol in turn, and each time the other way round, so that holdings stay where they are.
        let symbols = self.counterpart.symbols();
        let (symbol, sell_here) = (self.round % symbols, (self.round / symbols) % 2 == 1);
        self.round += 1;
        // A book we traded on counts again once it has changed, and no crossing comes from the tight one.
        self.ordinary(self.counterpart.tight(symbol), symbol);
        let frame = self.counterpart.crossing(symbol, sell_here, true).expect("somebody listens");
        let end = self.counterpart.crossing(symbol, sell_here, false).expect("somebody listens");
        self.pause();
        let mut crossing = Crossing { sent_at: self.counterpart.send(&frame), orders: Vec::new() };
        while crossing.orders.len() < 2 && crossing.sent_at.elapsed() < ORDERS_WITHIN {
            crossing.orders.extend(self.counterpart.poll());
        }
        // The crossing ends before the fills are told: a book that still crossed after them would be traded again.
        self.pause();
        self.counterpart.send(&end);
        crossing.orders.iter().for_each(|order| self.counterpart.fill(order));
        crossing
    }

    fn ordinary(&mut self, venue: usize, symbol: usize) {
        let frame = self.counterpart.frame(venue, symbol).expect("somebody listens");
        self.pause();
        self.counterpart.send(&frame);
    }

    /// Answers what is asked until the next frame is due.
    fn pause(&mut self) {
        let doublings = u32::try_from(self.dice.below(DOUBLINGS + 1)).unwrap_or(0);
        let due = Instant::now() + SHORTEST_PAUSE * (1 << doublings);
        while Instant::now() < due {
            let stray = self.counterpart.poll();
            assert!(stray.is_none(), "an order that no crossing asked for: {stray:?}");
        }
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.dice.below(n as u64)).unwrap_or(0)
    }

    /// A symbol by activity: as often as not one of the first, then one of the next two, of the next four, and so on.
    fn busy_symbol(&mut self) -> usize {
        let symbols = self.counterpart.symbols();
        let mut most = 1;
        while most < symbols && self.below(2) == 1 {
            most *= 2;
        }
        self.below(most.min(symbols))
    }
}
