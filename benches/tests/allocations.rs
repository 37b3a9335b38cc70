//! No allocation per frame once warm, from the bytes of a frame to the end of the decision it leads to, counted by the
//! allocator itself.

use cex_benches::mix::Mix;
use cex_benches::pair::Pair;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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

#[test]
fn counts_at_all() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1, 2, 3]))), 1);
}

#[test]
fn a_frame_allocates_nothing_once_warm_from_its_bytes_to_the_decision() {
    let mix = Mix::new(42, 20, 100, 4_000, 2);
    let mut pair = Pair::new(&mix);
    mix.lap(0).for_each(|frame| pair.feed(frame));
    let warm = pair.view();

    let found = allocations(|| mix.lap(1).for_each(|frame| pair.feed(frame)));

    assert_eq!(found, 0, "over {} frames", mix.len());
    // Nothing is proved by frames that were thrown away, or by books that never crossed.
    let view = pair.view();
    for (before, after) in warm.venues.iter().zip(&view.venues) {
        assert_eq!((after.books_live, after.gaps, after.resyncs), ((20, 20), 0, 0));
        assert!(after.updates > before.updates + 1_000, "{before:?} {after:?}");
    }
    // Every book's last frames lead it back to its start: one frame not applied, and it would not be there.
    for (markets, starts) in mix.markets.iter().zip(&mix.starts) {
        for (market, start) in markets.iter().zip(starts) {
            let book = pair.engine().book(market.venue, market.id).expect("live");
            assert!(book.bids().eq(start.bids.iter().copied()) && book.asks().eq(start.asks.iter().copied()));
        }
    }
    let ended = |view: &cex_engine::EngineView| view.totals.opportunities.values().sum::<u64>();
    assert!(ended(&view) > ended(&warm) + 50, "{:?}", view.totals.opportunities);
    let sized = view.totals.opportunities.get(&cex_engine::Verdict::Refused("order_rate"));
    assert!(sized.is_some_and(|count| *count > 50), "{:?}", view.totals.opportunities);
}
