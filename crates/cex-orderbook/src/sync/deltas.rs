//! What a delta does: applied to a live book, kept for a snapshot, or the sign of a fault.

use super::fit::{Fit, fit};
use super::pending::Frame;
use super::state::Phase;
use super::{Asking, BookSync, StaleReason, SyncOutcome, SyncState};
use crate::book::Applied;
use cex_core::{BookSide, SnapshotSource, Timestamp};
use std::time::Duration;

/// Farther ahead of our clock no time is taken for one. An exchange whose clock is twenty seconds from ours is not traded at
/// (R29), so what is beyond comes of another unit or of a node that runs ahead; as the newest time heard of it would make all
/// later frames look like repetitions.
const MAX_LEAD: Duration = Duration::from_secs(30);

/// Whether a time told can be compared with others.
fn tells_time(now: Timestamp, told: Timestamp) -> bool {
    told > Timestamp::EPOCH && told <= now + MAX_LEAD
}

impl BookSync {
    #[inline]
    pub(super) fn on_delta(&mut self, now: Timestamp, frame: &Frame<'_>) -> SyncOutcome {
        let outcome = match &mut self.state {
            SyncState::Live(live) => {
                match fit(
                    self.rule.continuity,
                    live.last_seq,
                    live.after_snapshot,
                    frame.first_seq,
                    frame.last_seq,
                ) {
                    Fit::Next => self.follow(now, frame),
                    Fit::Old => self.on_old(now, frame),
                    Fit::Gap => {
                        self.counters.gaps += 1;
                        self.resync(now, StaleReason::Gap, Some(frame))
                    }
                }
            }
            SyncState::Buffering { .. } => self.buffer(now, frame),
            SyncState::Idle { outage } => {
                // The first frame may come before the confirmation of the subscription.
                let outage = *outage;
                self.begin(now, outage);
                match self.rule.snapshot {
                    SnapshotSource::Rest { .. } => self.buffer(now, frame),
                    SnapshotSource::Stream { .. } => self.ignore_old(),
                }
            }
            SyncState::Waiting { .. } | SyncState::Stale { .. } => self.ignore_old(),
        };
        self.heard_seq = self.heard_seq.max(frame.last_seq);
        outcome
    }

    /// Applies a delta that continues a live book.
    #[inline]
    fn follow(&mut self, now: Timestamp, frame: &Frame<'_>) -> SyncOutcome {
        let applied = self.book.apply(frame.bids, frame.asks);
        self.counters.applied += 1;
        self.counters.levels += (frame.bids.len() + frame.asks.len()) as u64;
        self.behind = 0;
        self.note_time(now, frame.exchange_ts);
        if let SyncState::Live(live) = &mut self.state {
            live.advance(frame);
            live.unconfirmed = false;
            if live.refresh.is_some() && !self.pending.push(frame) {
                self.counters.overflows += 1;
            }
        }
        self.judge(now, applied)
    }

    /// Decides whether a live book that just changed may be used.
    #[inline]
    pub(super) fn judge(&mut self, now: Timestamp, applied: Applied) -> SyncOutcome {
        let shallow = self.is_shallow();
        let SyncState::Live(live) = &mut self.state else { return SyncOutcome::Unusable };
        if self.book.is_crossed() {
            self.counters.crossed += u64::from(live.crossed_since.is_none());
            let since = *live.crossed_since.get_or_insert(now);
            return match now.since(since) >= self.limits.cross_patience {
                true => self.resync(now, StaleReason::Crossed, None),
                false => SyncOutcome::Unusable,
            };
        }
        if live.overtaken.is_some_and(|overtaken| live.last_seq < overtaken.seq) {
            live.crossed_since = None;
            return SyncOutcome::Unusable;
        }
        // What changed while the book could not be used was not reported, so now everything is.
        let mended = live.crossed_since.take().is_some() | live.overtaken.take().is_some();
        if shallow && live.refresh.is_none() {
            match self.rule.snapshot {
                SnapshotSource::Rest { .. } => {
                    self.pending.restart(Some(live.last_seq));
                    live.refresh = Some(Asking::new(Phase::Pause, now));
                }
                SnapshotSource::Stream { .. } => return self.resync(now, StaleReason::Shallow, None),
            }
        }
        SyncOutcome::Applied(Applied {
            bid_changed: applied.bid_changed || mended,
            ask_changed: applied.ask_changed || mended,
        })
    }

    /// Keeps a delta until a snapshot comes.
    fn buffer(&mut self, now: Timestamp, frame: &Frame<'_>) -> SyncOutcome {
        if let Some(newest) = self.pending.newest() {
            match fit(self.rule.continuity, newest, false, frame.first_seq, frame.last_seq) {
                Fit::Old => return self.on_old(now, frame),
                Fit::Gap if !self.pending.is_empty() => {
                    // What came before the gap can never be joined with what comes after it.
                    self.counters.gaps += 1;
                    self.pending.restart(None);
                }
                Fit::Gap | Fit::Next => {}
            }
        }
        self.behind = 0;
        self.note_time(now, frame.exchange_ts);
        if !self.pending.push(frame) {
            self.counters.overflows += 1;
        }
        match &mut self.state {
            SyncState::Buffering { asking, .. } if asking.phase == Phase::AfterFirstFrame => {
                asking.ask(now, &self.limits)
            }
            SyncState::Buffering { .. }
            | SyncState::Idle { .. }
            | SyncState::Waiting { .. }
            | SyncState::Live(_)
            | SyncState::Stale { .. } => SyncOutcome::Buffered,
        }
    }

    /// A delta that brings nothing new: a duplicate, or the sign that the exchange counts from below again.
    pub(super) fn on_old(&mut self, now: Timestamp, frame: &Frame<'_>) -> SyncOutcome {
        self.counters.ignored_old += 1;
        if self.is_backward(now, frame) {
            self.behind += 1;
        }
        // A book just joined may be a snapshot of a new count with frames of the old one on it: nothing continued it yet,
        // so two frames that are old by version and new by their own time are enough. One may be a repetition.
        let is_unconfirmed = self.live().is_some_and(|live| live.unconfirmed);
        let is_proof = is_unconfirmed && tells_time(now, frame.exchange_ts);
        let enough = if is_proof { 2.min(self.limits.backward_frames) } else { self.limits.backward_frames };
        if self.behind < enough {
            return SyncOutcome::Ignored;
        }
        self.counters.backwards += 1;
        self.forget_heard();
        if self.live().is_some() {
            return self.resync(now, StaleReason::WentBackwards, Some(frame));
        }
        self.pending.restart(None);
        self.buffer(now, frame)
    }

    /// Whether an old delta speaks for a sequence that went backwards, and not for a repetition (old by time) or for a
    /// stream that lags behind the snapshot (its versions still rise, and it catches up soon).
    fn is_backward(&self, now: Timestamp, frame: &Frame<'_>) -> bool {
        let fresh = !tells_time(now, frame.exchange_ts) || frame.exchange_ts > self.heard_ts;
        let catching_up = self.live().is_some_and(|live| {
            live.after_snapshot
                && frame.last_seq > self.heard_seq
                && now.since(live.synced_at) < self.limits.full_wait
        });
        fresh && !catching_up
    }

    /// Something was accepted that the exchange says was true then.
    #[inline]
    pub(super) fn note_time(&mut self, now: Timestamp, told: Timestamp) {
        if tells_time(now, told) {
            self.heard_ts = self.heard_ts.max(told);
        }
    }

    pub(super) const fn ignore_old(&mut self) -> SyncOutcome {
        self.counters.ignored_old += 1;
        SyncOutcome::Ignored
    }

    /// Whether a side that ends in the unknown holds too little.
    #[inline]
    fn is_shallow(&self) -> bool {
        let below = self.limits.refresh_below;
        let shallow = |side| self.book.len(side) < below && self.book.exact_to(side).is_some();
        shallow(BookSide::Bid) || shallow(BookSide::Ask)
    }
}
