//! Budgets: bytes of one book, and resident memory of an engine that keeps a thousand symbols on two exchanges.

use cex_benches::measure::{Bound, figure, finish};
use cex_benches::mix::Mix;
use cex_benches::pair::Pair;
use cex_benches::workload::story;
use cex_core::Price;
use cex_orderbook::{Book, BookConfig};
use std::process::ExitCode;

/// Enough for every one of 2,000 books to be joined.
const FRAMES: usize = 20_000;

fn main() -> ExitCode {
    let book = |depth| {
        let told = story(42, 11_705_341, depth, 2_000);
        let mut book = Book::new(BookConfig::new(Price(1), depth));
        book.replace(&told.start.bids, &told.start.asks);
        for frame in &told.frames {
            book.apply(&frame.bids, &frame.asks);
        }
        assert_eq!((book.bids().count(), book.asks().count()), (depth, depth));
        book.memory_bytes() as f64 / 1024.0
    };
    finish(&[
        figure("a book of 1,000 levels a side, after 2,000 frames", book(1_000), "KiB", Bound::AtMost(128.0)),
        figure("a book of 100 levels a side, after 2,000 frames", book(100), "KiB", Bound::AtMost(16.0)),
        engine(),
    ])
}

/// All of the process: what it fed itself with is in it, because freed memory would hide a part of any difference.
fn engine() -> bool {
    let mix = Mix::new(42, 1_000, 100, FRAMES, 1);
    let mut pair = Pair::new(&mix);
    mix.lap(0).for_each(|frame| pair.feed(frame));
    for venue in pair.view().venues {
        assert_eq!(venue.books_live, (1_000, 1_000), "all books are joined");
    }
    figure(
        "resident memory with links, books and engine of 1,000 symbols on 2 exchanges, 100 levels a side",
        resident_mib(),
        "MiB",
        Bound::AtMost(400.0),
    )
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of kB");
    kib / 1024.0
}
