//! How a whole book comes in: a snapshot asked for and joined with the frames kept, or sent by the stream itself.

use super::fit::{Fit, fit};
use super::pending::Frame;
use super::{BookSync, Live, StaleReason, SyncOutcome, SyncState};
use crate::book::{Applied, Book};
use cex_core::{BookSide, Continuity, Level, SnapshotSource, SyncRule, Timestamp};

impl BookSync {
    /// A whole book in the stream.
    pub(super) fn on_full(&mut self, now: Timestamp, frame: &Frame<'_>) -> SyncOutcome {
        let last_seq = self.live().map(|live| live.last_seq);
        match self.rule.snapshot {
            SnapshotSource::Stream { .. } => {
                // The newest word counts, also with a lower version: the exchange may have begun to count anew.
                self.counters.regressions += u64::from(last_seq.is_some_and(|last| frame.last_seq < last));
                self.pending.restart(None);
            }
            SnapshotSource::Rest { .. } if last_seq.is_some_and(|last| frame.last_seq <= last) => {
                return self.on_old(now, frame);
            }
            SnapshotSource::Rest { .. } if last_seq.is_some() => self.pending.restart(None),
            SnapshotSource::Rest { .. } if !self.can_join(frame.last_seq) => return self.ignore_old(),
            SnapshotSource::Rest { .. } => {}
        }
        self.counters.snapshots += 1;
        let outcome = self.join(now, frame);
        self.heard_seq = frame.last_seq;
        outcome
    }

    /// Whether a snapshot at `seq` and the frames kept make a whole.
    pub(super) fn can_join(&self, seq: u64) -> bool {
        // A book that is refreshed is continuous already; quantities are absolute, so overlapping does no harm.
        let continuity = if self.live().is_some() { Continuity::Overlapping } else { self.rule.continuity };
        match self.pending.after(seq).next() {
            Some(frame) => fit(continuity, seq, true, frame.first_seq, frame.last_seq) == Fit::Next,
            None => self.pending.newest().is_none_or(|newest| seq >= newest),
        }
    }

    /// Makes the book from a snapshot and the frames kept after it, which [`Self::can_join`].
    pub(super) fn join(&mut self, now: Timestamp, snapshot: &Frame<'_>) -> SyncOutcome {
        let before = self.live().map(|live| live.last_seq);
        let joined_to =
            self.pending.after(snapshot.last_seq).last().map_or(snapshot.last_seq, |frame| frame.last_seq);
        // Two books of one version must be equal; an allocation here is rare and worth the proof.
        let audited = before.is_some_and(|last| last == joined_to).then(|| self.book.clone());
        let mut live = Live::at(now, snapshot);
        self.load(snapshot);
        let mut applied = 0;
        for frame in self.pending.after(snapshot.last_seq) {
            self.book.apply(frame.bids, frame.asks);
            live.advance(&frame);
            applied += 1;
        }
        self.counters.drifts += u64::from(audited.is_some_and(|before| !agree(&before, &self.book)));
        if self.book.is_crossed() && self.limits.cross_patience.is_zero() {
            return self.joined_crossed(now);
        }
        // Counted only now: frames of a join that failed are kept, and would be counted again. Those kept beside a live
        // book that is refreshed have been counted as they came.
        if before.is_none() {
            self.counters.applied += applied;
            self.counters.ignored_old += self.pending.len() as u64 - applied;
            self.watch.begin(now, self.counters.updates, &self.limits.watch);
        }
        self.pending.restart(None);
        self.behind = 0;
        self.heard_ts = Timestamp::EPOCH;
        self.note_time(now, live.exchange_ts);
        self.state = SyncState::Live(live);
        self.judge(now, Applied { bid_changed: true, ask_changed: true })
    }

    fn load(&mut self, snapshot: &Frame<'_>) {
        self.book.replace(snapshot.bids, snapshot.asks);
        // Where the stream sends the whole book, that is as deep as what it reports.
        if let SnapshotSource::Rest { .. } = self.rule.snapshot {
            mark_ends(&mut self.book, self.rule, snapshot.bids.len(), snapshot.asks.len());
        }
    }

    /// A snapshot made a crossed book where none is forgiven.
    fn joined_crossed(&mut self, now: Timestamp) -> SyncOutcome {
        self.counters.crossed += 1;
        match (self.rule.snapshot, &self.state) {
            (SnapshotSource::Stream { .. }, _) => self.resync(now, StaleReason::Crossed, None),
            (SnapshotSource::Rest { .. }, SyncState::Buffering { .. }) => {
                self.book.clear();
                self.attempt_failed(now)
            }
            (
                SnapshotSource::Rest { .. },
                SyncState::Idle { .. }
                | SyncState::Waiting { .. }
                | SyncState::Live(_)
                | SyncState::Stale { .. },
            ) => {
                self.resync(now, StaleReason::Crossed, None);
                self.attempt_failed(now)
            }
        }
    }
}

impl Live {
    pub(super) fn at(now: Timestamp, snapshot: &Frame<'_>) -> Self {
        Self {
            last_seq: snapshot.last_seq,
            as_of: snapshot.received_at,
            exchange_ts: snapshot.exchange_ts,
            synced_at: now,
            crossed_since: None,
            after_snapshot: true,
            unconfirmed: true,
            refresh: None,
            overtaken: None,
        }
    }

    #[inline]
    pub(super) fn advance(&mut self, frame: &Frame<'_>) {
        self.last_seq = frame.last_seq;
        self.as_of = frame.received_at;
        if frame.exchange_ts != Timestamp::EPOCH {
            self.exchange_ts = frame.exchange_ts;
        }
        self.after_snapshot = false;
    }
}

/// Marks the sides of a book just made from an answer of so many levels where the exchange has more than it sent.
pub(super) fn mark_ends(book: &mut Book, rule: SyncRule, bids: usize, asks: usize) {
    let asked = rule.snapshot_depth();
    // A stream of no more than these best levels reports what comes up from below them.
    if rule.depth.is_some_and(|reported| reported <= asked) {
        return;
    }
    for (side, levels) in [(BookSide::Bid, bids), (BookSide::Ask, asks)] {
        // As many levels as were asked for: there are more that were not sent. Fewer are all there are.
        if levels >= asked as usize {
            book.mark_cut(side);
        }
    }
}

/// Whether two books of one version are equal as far as both claim to be complete.
pub(super) fn agree(one: &Book, other: &Book) -> bool {
    [BookSide::Bid, BookSide::Ask].into_iter().all(|side| {
        let ends = [one, other].map(|book| book.exact_to(side));
        let known = |level: &Level| {
            ends.iter().flatten().all(|end| match side {
                BookSide::Bid => level.price >= *end,
                BookSide::Ask => level.price <= *end,
            })
        };
        one.levels(side).take_while(known).eq(other.levels(side).take_while(known))
    })
}
