//! No allocation per frame once warm, counted by the allocator itself.

mod support;

use cex_core::{BookUpdate, Level, LevelRange, Price, Qty, UpdateKind};
use cex_orderbook::{Book, BookConfig, SyncOutcome};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::{Dice, Feed, GATE_UPDATE, MEXC, Pair, SYMBOL};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system allocator unchanged; the counter is a plain thread-local cell without a
// destructor, so touching it never allocates. A thread on its way out is not counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system allocator with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the pointer came from the system allocator with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

/// Frames of a market that walks: 12.5 changes on average, seven in ten near the top, a quarter deletes.
fn frames(count: usize, step: i64, seed: u64) -> Vec<(Vec<Level>, Vec<Level>)> {
    let mut dice = Dice(seed);
    let mut middle = 1_000_000_i64;
    let mut frame = || {
        middle += dice.below(5) as i64 - 2;
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        for _ in 0..5 + dice.below(16) {
            let distance = 1 + if dice.below(10) < 7 { dice.below(10) } else { dice.below(1_500) } as i64;
            let qty = Qty(if dice.one_in(4) { 0 } else { 1 + dice.below(1_000) as i64 });
            if dice.one_in(2) {
                bids.push(Level { price: Price((middle - distance) * step), qty });
            } else {
                asks.push(Level { price: Price((middle + distance) * step), qty });
            }
        }
        (bids, asks)
    };
    (0..count).map(|_| frame()).collect()
}

#[test]
fn counts_at_all() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1, 2, 3]))), 1);
}

#[test]
fn a_book_allocates_nothing_once_warm() {
    // Dense, spread thin over the ticks (mostly far leaves), and shallow.
    for (step, depth, window) in [(1, 1_000, 512), (100, 1_000, 256), (1, 50, 256)] {
        let frames = frames(40_000, step, 42);
        let config = BookConfig { window, ..BookConfig::new(Price(1), depth) };
        let mut book = Book::new(config);
        let (warm, measured) = frames.split_at(20_000);
        for (bids, asks) in warm {
            book.apply(bids, asks);
        }
        let found = allocations(|| {
            for (bids, asks) in measured {
                std::hint::black_box(book.apply(bids, asks));
                std::hint::black_box((book.best_bid(), book.asks().take(20).count()));
            }
        });
        assert_eq!(found, 0, "step {step}, depth {depth}");
    }
}

#[test]
fn a_live_book_allocates_nothing_per_update_and_buffers_reuse_their_memory() {
    for rule in [MEXC, GATE_UPDATE] {
        let mut feed = Feed::live(rule, 100, &[(1, 1)], &[(1_000_000, 1)]);
        let far: Vec<Pair> = vec![(2, 5), (3, 0), (4, 5)];
        let levels = support::levels(&far);
        let mut seq = 100;
        let mut update = |feed: &mut Feed, skip: u64| {
            seq += 1 + skip;
            let update = BookUpdate {
                symbol: SYMBOL,
                kind: UpdateKind::Delta,
                first_seq: seq,
                last_seq: seq,
                exchange_ts: feed.now,
                bids: LevelRange { start: 0, end: 3 },
                asks: LevelRange { start: 3, end: 3 },
            };
            feed.sync.on_update(feed.now, &update, &levels)
        };
        // Live, a gap, 400 frames kept, joined, live again: all without allocating, the second time.
        let mut round = |feed: &mut Feed| {
            (0..100).for_each(|_| assert!(matches!(update(feed, 0), SyncOutcome::Applied(_))));
            assert_eq!(update(feed, 1), SyncOutcome::NeedSnapshot);
            (0..400).for_each(|_| assert_eq!(update(feed, 0), SyncOutcome::Buffered));
        };
        round(&mut feed);
        feed.sync.on_snapshot(feed.now, 201, feed.now, &levels, &[]);
        assert_eq!(feed.seq(), Some(602));
        assert_eq!(allocations(|| round(&mut feed)), 0, "{rule:?}");
        let joined = allocations(|| {
            feed.sync.on_snapshot(feed.now, 703, feed.now, &levels, &[]);
        });
        assert_eq!((feed.seq(), joined), (Some(1_104), 0), "{rule:?}");
    }
}
