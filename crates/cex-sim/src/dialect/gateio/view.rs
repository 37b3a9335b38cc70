//! What a depth-limited incremental channel reports: the changes of the best levels between two frames.
//!
//! A client may join at any version: its REST snapshot can fall **inside** the span of a frame. So a frame holds not
//! only what differs between its ends, but every level that was different at any moment in between.

use cex_core::{Price, Qty, Side};

/// One side of a channel's view of a book.
#[derive(Debug, Clone)]
pub(super) struct SideView {
    side: Side,
    depth: usize,
    /// The best levels as of the last frame, best first.
    levels: Vec<(Price, Qty)>,
    /// Levels that changed since and what is there now, in the order it happened.
    touched: Vec<(Price, Qty)>,
}

impl SideView {
    /// A view of the best `depth` levels (at least one) of `book`, which comes best first.
    pub(super) fn new(side: Side, depth: usize, book: impl Iterator<Item = (Price, Qty)>) -> Self {
        Self { side, depth, levels: book.take(depth).collect(), touched: Vec::new() }
    }

    /// Notes that a level changed to `qty`.
    pub(super) fn touch(&mut self, price: Price, qty: Qty) {
        match self.touched.last_mut() {
            // A level that trades is touched over and over.
            Some((last, now)) if *last == price => *now = qty,
            Some(_) | None => self.touched.push((price, qty)),
        }
    }

    /// The levels as of the last frame, best first.
    pub(super) fn levels(&self) -> &[(Price, Qty)] {
        &self.levels
    }

    /// Moves the view to the book as it is now and writes what a client has to know into `changes`, best first: levels
    /// with their quantity, and zero for levels gone from the whole book. Levels that were merely pushed out of the view
    /// are not reported; clients trim. `behind` gives the levels of the book behind a price, best first, or all of them.
    ///
    /// Only what was touched is looked at, and as much of the book as came into view at its end.
    pub(super) fn advance<L: Iterator<Item = (Price, Qty)>>(
        &mut self,
        behind: impl Fn(Option<Price>) -> L,
        changes: &mut Vec<(Price, Qty)>,
    ) {
        changes.clear();
        if self.touched.is_empty() {
            return;
        }
        let (side, depth) = (self.side, self.depth);
        self.merge_touches();
        self.apply_touches();
        if self.levels.len() < depth {
            let (missing, last) = (depth - self.levels.len(), self.levels.last().map(|(price, _)| *price));
            self.levels.extend(behind(last).take(missing));
        }
        debug_assert!(self.levels.iter().copied().eq(behind(None).take(depth)), "the view left the book");
        // A level gone beyond a full view is trimmed by the client, wherever it joined.
        let horizon = self.levels.get(depth - 1).map(|(price, _)| key(side, *price));
        let is_near = |price: Price| horizon.is_none_or(|last| key(side, price) < last);
        changes.extend(self.touched.iter().filter(|(price, qty)| qty.is_zero() && is_near(*price)));
        // While those were there, as many levels at the end of the view were out of it, for a while or until now.
        let always_visible = depth.saturating_sub(changes.len());
        let is_seen = |price: Price| horizon.is_none_or(|last| key(side, price) <= last);
        changes.extend(self.touched.iter().filter(|(price, qty)| !qty.is_zero() && is_seen(*price)));
        for level in self.levels.iter().skip(always_visible) {
            let rank = key(side, level.0);
            if self.touched.binary_search_by_key(&rank, |(price, _)| key(side, *price)).is_err() {
                changes.push(*level);
            }
        }
        changes.sort_unstable_by_key(|(price, _)| key(side, *price));
        self.touched.clear();
    }

    /// Brings what was touched into the levels. What lies behind a full view is not its business yet.
    fn apply_touches(&mut self) {
        let (side, depth) = (self.side, self.depth);
        let horizon = self.levels.get(depth - 1).map(|(price, _)| key(side, *price));
        for (price, qty) in &self.touched {
            let rank = key(side, *price);
            if horizon.is_some_and(|last| rank > last) {
                break;
            }
            match (self.levels.binary_search_by_key(&rank, |(price, _)| key(side, *price)), qty.is_zero()) {
                (Ok(at), false) => self.levels[at].1 = *qty,
                (Ok(at), true) => {
                    self.levels.remove(at);
                }
                (Err(at), false) => self.levels.insert(at, (*price, *qty)),
                (Err(_), true) => {}
            }
        }
        self.levels.truncate(depth);
    }

    /// One touch per price, the last one, sorted best first.
    fn merge_touches(&mut self) {
        let side = self.side;
        self.touched.sort_by_key(|(price, _)| key(side, *price));
        self.touched.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1 = later.1;
            }
            is_same
        });
    }
}

/// Sorts best first on both sides.
const fn key(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => -price.0,
        Side::Sell => price.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A side of a book as a client keeps it, keyed so that the best comes first.
    type Book = BTreeMap<i64, Qty>;

    fn levels(side: Side, book: &Book) -> impl Iterator<Item = (Price, Qty)> {
        behind(side, book)(None)
    }

    fn behind(side: Side, book: &Book) -> impl Fn(Option<Price>) -> std::vec::IntoIter<(Price, Qty)> {
        let sign = if side == Side::Buy { -1 } else { 1 };
        move |price| {
            let after = |rank: i64| price.is_none_or(|price| rank > key(side, price));
            let levels = book.iter().filter(|(rank, _)| after(**rank));
            levels.map(|(rank, qty)| (Price(rank * sign), *qty)).collect::<Vec<_>>().into_iter()
        }
    }

    fn apply(side: Side, book: &mut Book, depth: usize, changes: &[(Price, Qty)]) {
        for (price, qty) in changes {
            if qty.is_zero() {
                book.remove(&key(side, *price))
            } else {
                book.insert(key(side, *price), *qty)
            };
        }
        while book.len() > depth {
            book.pop_last();
        }
    }

    #[test]
    fn levels_pushed_out_are_not_reported() {
        let mut book: Book = [(1, Qty(1)), (2, Qty(2)), (3, Qty(3))].into();
        let mut view = SideView::new(Side::Sell, 2, levels(Side::Sell, &book));
        let mut changes = Vec::new();
        book.insert(0, Qty(9));
        view.touch(Price(0), Qty(9));
        view.advance(behind(Side::Sell, &book), &mut changes);
        assert_eq!(changes, [(Price(0), Qty(9))], "level 2 left the view but not the book");
        book.remove(&2);
        view.touch(Price(2), Qty::ZERO);
        view.advance(behind(Side::Sell, &book), &mut changes);
        assert!(changes.is_empty(), "nor is its removal once it is out of view");
        book.remove(&0);
        view.touch(Price(0), Qty::ZERO);
        view.advance(behind(Side::Sell, &book), &mut changes);
        assert_eq!(changes, [(Price(0), Qty::ZERO), (Price(3), Qty(3))], "level 3 came into view");
    }

    #[test]
    fn far_changes_are_silent() {
        let mut book: Book = (1..=50).map(|price| (price, Qty(1))).collect();
        let mut view = SideView::new(Side::Sell, 5, levels(Side::Sell, &book));
        let mut changes = vec![(Price(0), Qty::ZERO)];
        book.insert(40, Qty(7));
        view.touch(Price(40), Qty(7));
        view.advance(behind(Side::Sell, &book), &mut changes);
        assert!(changes.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Whoever joins with a snapshot at any version holds the exact view after the frame that spans it, and after
        /// every later one.
        #[test]
        fn a_snapshot_at_any_version_joins(
            is_bid in any::<bool>(),
            depth in 1usize..6,
            frames in prop::collection::vec(prop::collection::vec((0i64..14, 0i64..3), 1..8), 1..12),
        ) {
            let side = if is_bid { Side::Buy } else { Side::Sell };
            let mut book = Book::new();
            let mut view = SideView::new(side, depth, levels(side, &book));
            let mut clients: Vec<Book> = vec![Book::new()];
            let mut changes = Vec::new();
            for frame in frames {
                let mut joining = Vec::new();
                for (price, qty) in frame {
                    let price = if is_bid { Price(100 - price) } else { Price(100 + price) };
                    if qty == 0 { book.remove(&key(side, price)) } else { book.insert(key(side, price), Qty(qty)) };
                    view.touch(price, Qty(qty));
                    joining.push(book.iter().take(depth).map(|(key, qty)| (*key, *qty)).collect::<Book>());
                }
                clients.extend(joining);
                view.advance(behind(side, &book), &mut changes);
                let truth: Book = book.iter().take(depth).map(|(key, qty)| (*key, *qty)).collect();
                for client in &mut clients {
                    apply(side, client, depth, &changes);
                    prop_assert_eq!(&*client, &truth);
                }
                prop_assert_eq!(view.levels().to_vec(), levels(side, &truth).collect::<Vec<_>>());
            }
        }
    }
}
