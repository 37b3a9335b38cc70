//! The words of order books: levels, updates, and how an exchange's sequence continues.

use crate::num::{Price, Qty};
use crate::symbol::SymbolId;
use crate::time::Timestamp;

/// A side of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BookSide {
    /// Who wants to buy; best is highest.
    Bid,
    /// Who wants to sell; best is lowest.
    Ask,
}

/// A price and what is offered there. In an update the quantity is absolute and zero deletes the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Level {
    /// Price of the level.
    pub price: Price,
    /// Quantity at the level.
    pub qty: Qty,
}

/// Where an update's levels lie in the buffer that travels beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LevelRange {
    /// Index of the first level.
    pub start: u32,
    /// Index past the last level.
    pub end: u32,
}

impl LevelRange {
    /// The levels of this range; empty when the range does not lie in the buffer.
    #[must_use]
    pub fn of(self, levels: &[Level]) -> &[Level] {
        levels.get(self.start as usize..self.end as usize).unwrap_or(&[])
    }
}

/// Whether an update changes a book or replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpdateKind {
    /// Changes of a book.
    Delta,
    /// A whole book; what it does not name is gone.
    Snapshot,
}

/// A decoded book frame. The levels stay in the decoder's reused buffer, which is handed on beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BookUpdate {
    /// Symbol the book belongs to.
    pub symbol: SymbolId,
    /// Changes or a whole book.
    pub kind: UpdateKind,
    /// First version covered; equals `last_seq` for a snapshot.
    pub first_seq: u64,
    /// Version of the book after this update.
    pub last_seq: u64,
    /// When the exchange says this was true; the epoch when it does not say.
    pub exchange_ts: Timestamp,
    /// Changed bids, in wire order.
    pub bids: LevelRange,
    /// Changed asks, in wire order.
    pub asks: LevelRange,
}

/// Where a book's first whole state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SnapshotSource {
    /// Asked for over REST with this many levels a side, then joined with the buffered deltas.
    Rest {
        /// Levels a side to ask for.
        depth: u32,
    },
    /// Sent by the stream itself, first and whenever the exchange likes; a gap needs a new subscription.
    Stream {
        /// Levels a side to ask for over REST to compare with. What the stream reports may be deeper.
        depth: u32,
    },
}

/// Which delta may follow a book at version `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Continuity {
    /// `first_seq <= last + 1 <= last_seq`: a delta may reach back over what is already known.
    Overlapping,
    /// The first delta after a snapshot may overlap; every later one must have `first_seq == last + 1`.
    Contiguous,
    /// Always `first_seq == last + 1`, also right after a snapshot.
    Strict,
}

/// An exchange's rules for keeping a book, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SyncRule {
    /// Where the first state comes from.
    pub snapshot: SnapshotSource,
    /// Which delta may follow the book's version.
    pub continuity: Continuity,
    /// The stream reports only this many best levels a side: what falls out of them must be dropped, since its later
    /// removal is never reported.
    pub depth: Option<u32>,
}

impl SyncRule {
    /// Levels a side to ask for when the exchange's whole book is wanted: the first state, or a comparison with it.
    #[must_use]
    pub const fn snapshot_depth(&self) -> u32 {
        match self.snapshot {
            SnapshotSource::Rest { depth } | SnapshotSource::Stream { depth } => depth,
        }
    }
}
