//! The changes of a book between two frames: per level only the last one counts.

use cex_core::{Price, Qty, Side};

/// A change of a level.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// Ascending from the best level outwards: an ask's price, a bid's price with the other sign.
    rank: i64,
    /// Which of several changes of a level came last.
    order: u32,
    qty: Qty,
}

/// Changes since the last frame, with the versions they span.
#[derive(Debug, Default)]
pub(super) struct Window {
    versions: Option<(u64, u64)>,
    bids: Vec<Change>,
    asks: Vec<Change>,
}

impl Window {
    /// Adds the change that made `version`.
    pub(super) fn push(&mut self, version: u64, side: Side, price: Price, qty: Qty) {
        // Versions that begin anew belong to a venue that restarted.
        let first = self.versions.map_or(version, |(first, _)| first.min(version));
        self.versions = Some((first, version));
        let (changes, rank) = match side {
            Side::Buy => (&mut self.bids, -price.0),
            Side::Sell => (&mut self.asks, price.0),
        };
        let order = changes.len() as u32;
        changes.push(Change { rank, order, qty });
    }

    /// First and last version, if anything changed.
    pub(super) const fn versions(&self) -> Option<(u64, u64)> {
        self.versions
    }

    /// The last change of every level of a side, best first.
    pub(super) fn levels(&mut self, side: Side) -> impl Iterator<Item = (Price, Qty)> {
        let (changes, sign) = match side {
            Side::Buy => (&mut self.bids, -1),
            Side::Sell => (&mut self.asks, 1),
        };
        // Ranks and orders together are unique, so the faster sort gives the same result, without a buffer.
        changes.sort_unstable_by_key(|change| (change.rank, change.order));
        let changes = &*changes;
        let is_last = |at: usize| changes.get(at + 1).is_none_or(|next| next.rank != changes[at].rank);
        let last = (0..changes.len()).filter(move |at| is_last(*at)).map(|at| changes[at]);
        last.map(move |change| (Price(change.rank * sign), change.qty))
    }

    /// Begins anew, keeping the room.
    pub(super) fn clear(&mut self) {
        self.versions = None;
        self.bids.clear();
        self.asks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_of_a_level_counts() {
        let mut window = Window::default();
        let changes = [
            (Side::Buy, 100, 5),
            (Side::Sell, 101, 1),
            (Side::Buy, 102, 7),
            (Side::Buy, 100, 0),
            (Side::Sell, 101, 2),
        ];
        for (version, (side, price, qty)) in (11..).zip(changes) {
            window.push(version, side, Price(price), Qty(qty));
        }
        assert_eq!(window.versions(), Some((11, 15)));
        assert_eq!(
            window.levels(Side::Buy).collect::<Vec<_>>(),
            [(Price(102), Qty(7)), (Price(100), Qty(0))]
        );
        assert_eq!(window.levels(Side::Sell).collect::<Vec<_>>(), [(Price(101), Qty(2))]);
        window.clear();
        assert_eq!((window.versions(), window.levels(Side::Buy).count()), (None, 0));
    }
}
