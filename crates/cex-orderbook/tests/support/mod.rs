//! What the tests of synchronisation share: a book being fed, and prices written short.
#![allow(dead_code, reason = "each test program uses its own part")]

use cex_core::{
    BookSide, BookUpdate, Continuity, Level, LevelRange, Price, Qty, SnapshotSource, SymbolId, SyncRule,
    Timestamp, UpdateKind,
};
use cex_orderbook::{Book, BookConfig, BookSync, SyncOutcome};
use std::time::Duration;

/// MEXC's aggregated depth: snapshots over REST, ranges may overlap.
pub(crate) const MEXC: SyncRule = SyncRule {
    snapshot: SnapshotSource::Rest { depth: 1_000 },
    continuity: Continuity::Overlapping,
    depth: None,
};
/// Gate.io's `order_book_update`: snapshots over REST, contiguous, the best hundred levels.
pub(crate) const GATE_UPDATE: SyncRule = SyncRule {
    snapshot: SnapshotSource::Rest { depth: 100 },
    continuity: Continuity::Contiguous,
    depth: Some(100),
};
/// Gate.io's `obu`: the stream sends whole books, deltas are strictly contiguous, the best fifty levels.
pub(crate) const GATE_OBU: SyncRule = SyncRule {
    snapshot: SnapshotSource::Stream { depth: 50 },
    continuity: Continuity::Strict,
    depth: Some(50),
};
/// The same at 100 ms: the best four hundred levels, of which REST shows a hundred.
pub(crate) const GATE_OBU_DEEP: SyncRule =
    SyncRule { snapshot: SnapshotSource::Stream { depth: 100 }, depth: Some(400), ..GATE_OBU };

pub(crate) const SYMBOL: SymbolId = SymbolId(7);

/// Price and quantity of a level.
pub(crate) type Pair = (i64, i64);

pub(crate) fn levels(pairs: &[Pair]) -> Vec<Level> {
    pairs.iter().map(|(price, qty)| Level { price: Price(*price), qty: Qty(*qty) }).collect()
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A book being fed, with its clock.
pub(crate) struct Feed {
    pub(crate) sync: BookSync,
    pub(crate) now: Timestamp,
}

impl Feed {
    /// A fresh book whose subscription stands.
    pub(crate) fn subscribed(rule: SyncRule) -> Self {
        let mut feed = Self::new(BookSync::new(SYMBOL, rule, BookConfig::default()));
        feed.sync.on_subscribed(feed.now);
        feed
    }

    pub(crate) fn new(sync: BookSync) -> Self {
        Self { sync, now: Timestamp::from_secs(1_781_690_100) }
    }

    /// A live book at version `seq` of these levels.
    pub(crate) fn live(rule: SyncRule, seq: u64, bids: &[Pair], asks: &[Pair]) -> Self {
        let mut feed = Self::subscribed(rule);
        match rule.snapshot {
            SnapshotSource::Stream { .. } => feed.full(seq, bids, asks),
            SnapshotSource::Rest { .. } => {
                feed.pass(ms(2_000));
                assert_eq!(feed.wake(), SyncOutcome::NeedSnapshot);
                feed.snapshot(seq, bids, asks)
            }
        };
        assert_eq!(feed.seq(), Some(seq));
        feed
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    pub(crate) fn wake(&mut self) -> SyncOutcome {
        self.sync.on_wake(self.now)
    }

    /// A delta, ten milliseconds after what came before.
    pub(crate) fn delta(
        &mut self,
        first_seq: u64,
        last_seq: u64,
        bids: &[Pair],
        asks: &[Pair],
    ) -> SyncOutcome {
        self.pass(ms(10));
        self.update_at(self.now, UpdateKind::Delta, (first_seq, last_seq), bids, asks)
    }

    /// A whole book in the stream.
    pub(crate) fn full(&mut self, seq: u64, bids: &[Pair], asks: &[Pair]) -> SyncOutcome {
        self.pass(ms(10));
        self.update_at(self.now, UpdateKind::Snapshot, (seq, seq), bids, asks)
    }

    pub(crate) fn update_at(
        &mut self,
        exchange_ts: Timestamp,
        kind: UpdateKind,
        (first_seq, last_seq): (u64, u64),
        bids: &[Pair],
        asks: &[Pair],
    ) -> SyncOutcome {
        let (middle, end) = (bids.len() as u32, (bids.len() + asks.len()) as u32);
        let update = BookUpdate {
            symbol: SYMBOL,
            kind,
            first_seq,
            last_seq,
            exchange_ts,
            bids: LevelRange { start: 0, end: middle },
            asks: LevelRange { start: middle, end },
        };
        self.sync.on_update(self.now, &update, &levels(&[bids, asks].concat()))
    }

    /// The answer to a request for a snapshot.
    pub(crate) fn snapshot(&mut self, seq: u64, bids: &[Pair], asks: &[Pair]) -> SyncOutcome {
        self.pass(ms(10));
        self.sync.on_snapshot(self.now, seq, self.now, &levels(bids), &levels(asks))
    }

    pub(crate) fn seq(&self) -> Option<u64> {
        self.sync.live().map(|live| live.last_seq)
    }

    pub(crate) fn is_usable(&self) -> bool {
        self.sync.usable().is_some()
    }

    /// Bids and asks of a usable book, best first.
    pub(crate) fn book(&self) -> (Vec<Pair>, Vec<Pair>) {
        let book = self.sync.usable().expect("a usable book");
        (side(book, BookSide::Bid), side(book, BookSide::Ask))
    }
}

pub(crate) fn side(book: &Book, side: BookSide) -> Vec<Pair> {
    book.levels(side).map(|level| (level.price.0, level.qty.0)).collect()
}

/// A small generator with a fixed sequence per seed (xorshift64*).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.roll() >> 1) % bound.max(1)
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}
