//! Budget: the book alone (frames already decoded) against an ordered map, at 1,000 and 100 levels a side.

use cex_benches::measure::{Budget, Contestant, finish, measure};
use cex_benches::workload::{Story, story};
use cex_core::Price;
use cex_orderbook::{Book, BookConfig, MapBook};
use std::process::ExitCode;

fn main() -> ExitCode {
    let kept = [(1_000, Budget::TimesFaster(3.0)), (100, Budget::TimesFaster(3.0))].map(|(depth, budget)| {
        let told = story(42, 11_705_341, depth, 2_000);
        let changes: usize = told.frames.iter().map(cex_benches::workload::Frame::len).sum();
        let changes = u64::try_from(changes).unwrap_or(u64::MAX);
        let config = BookConfig::new(Price(1), depth * 2);
        let mut book = Book::new(config);
        book.replace(&told.start.bids, &told.start.asks);
        let mut map = MapBook::new(config);
        map.replace(&told.start.bids, &told.start.asks);
        println!("memory of a book of {depth} levels a side: {} KiB\n", book.memory_bytes() / 1024);
        measure(
            &format!("book only, {depth} levels a side, per level change"),
            budget,
            vec![
                Contestant::new("window and leaves", changes, || {
                    apply(&told, |bids, asks| {
                        book.apply(bids, asks);
                        book.best_bid().map_or(0, |level| level.qty.0.unsigned_abs())
                    })
                }),
                Contestant::new("ordered map", changes, || {
                    apply(&told, |bids, asks| {
                        map.apply(bids, asks);
                        map.best_bid().map_or(0, |level| level.qty.0.unsigned_abs())
                    })
                }),
            ],
        )
    });
    finish(&kept)
}

fn apply(told: &Story, mut apply: impl FnMut(&[cex_core::Level], &[cex_core::Level]) -> u64) -> u64 {
    told.frames.iter().map(|frame| apply(&frame.bids, &frame.asks)).fold(0, u64::wrapping_add)
}
