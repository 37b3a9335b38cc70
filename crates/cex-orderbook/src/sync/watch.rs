//! The watch over a live book whose stream says nothing: calm, or mute while the exchange moves on (W1)?
//!
//! A connection can live, and its other streams with it, while one stream is frozen; the book then looks firm and is wrong.
//! Silence alone proves nothing, since a quiet symbol says nothing either. So the silence a symbol is usually capable of is
//! learned, and when one is much longer the exchange's book is asked for another way and compared:
//!
//! | the answer | means | then |
//! |---|---|---|
//! | same version, or same levels | calm | the book is vouched for, and the next silence may be twice as long |
//! | newer version, other levels | the stream did not bring what is there | unusable in this call; if the stream does not catch up within the grace, its subscription is begun anew |
//! | older version, or none | nothing: REST may lag | asked again after as long a silence |
//!
//! Nothing is learned per frame: a look counts what came since the last one, so a frame costs nothing. The same look asks
//! for the whole book now and then although the stream speaks: no exchange sends a checksum, and drift is found no other
//! way (B10).

use super::join::{agree, mark_ends};
use super::state::Phase;
use super::{Asking, BookSync, Live, Overtaken, StaleReason, SyncOutcome, SyncState};
use crate::book::Book;
use cex_core::{Level, SnapshotSource, Timestamp};
use std::time::Duration;

/// Bounds of the watch over silent streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchLimits {
    /// No shorter silence is looked into, however lively the symbol: a stream may pause for a moment.
    pub floor: Duration,
    /// Every longer one is, however quiet the symbol: bounds how long a mute stream goes unnoticed.
    pub ceiling: Duration,
    /// The silence looked into, in usual pauses between two frames.
    pub pauses: u32,
    /// How far the stream may lag behind another answer of the exchange before it counts as mute. The book is unusable
    /// meanwhile.
    pub grace: Duration,
    /// A live book is compared with the exchange's whole one at least this often.
    pub audit_every: Duration,
}

impl Default for WatchLimits {
    /// From 2 s to 2 minutes of silence, twenty usual pauses; 1 s of grace; an audit every five minutes.
    fn default() -> Self {
        Self {
            floor: Duration::from_secs(2),
            ceiling: Duration::from_secs(120),
            pauses: 20,
            grace: Duration::from_secs(1),
            audit_every: Duration::from_secs(300),
        }
    }
}

/// Why and when the exchange's book was asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// Frames that had come.
    heard: u64,
    /// Whether because nothing came for long; else because it is time to compare.
    in_silence: bool,
}

/// What is known of a stream's habits, and the question under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    /// When the stream is looked at next.
    pub(super) due: Timestamp,
    /// The usual pause between two frames; zero while unknown.
    pause: Duration,
    /// The silence that is taken for calm.
    patience: Duration,
    /// Frames that had come at the last look that found any, and when that was.
    heard: u64,
    looked_at: Timestamp,
    /// The question under way.
    asked: Option<Asked>,
}

impl Watch {
    pub(super) const fn new() -> Self {
        Self {
            due: Timestamp::MAX,
            pause: Duration::ZERO,
            patience: Duration::ZERO,
            heard: 0,
            looked_at: Timestamp::EPOCH,
            asked: None,
        }
    }

    /// A book became live. What is known of the symbol stays; of a new one an eighth of the ceiling is borne.
    pub(super) fn begin(&mut self, now: Timestamp, heard: u64, limits: &WatchLimits) {
        self.patience = if self.pause.is_zero() {
            limits.bounded(limits.ceiling / 8)
        } else {
            limits.patience(self.pause)
        };
        (self.heard, self.looked_at, self.asked) = (heard, now, None);
        // Soon, to learn.
        self.due = now + limits.floor;
    }

    /// Learns from what came since the last look, the newest at `as_of`.
    fn learn(&mut self, as_of: Timestamp, heard: u64, limits: &WatchLimits) {
        let Some(came @ 1..) = u32::try_from(heard - self.heard).ok() else { return };
        // Up to the newest frame, since a silence that goes on says nothing yet. A calm stretch is forgotten slowly, so
        // that a burst does not make the next one suspicious.
        self.pause = (as_of.since(self.looked_at) / came).max(self.pause / 4 * 3);
        self.patience = limits.patience(self.pause);
        (self.heard, self.looked_at) = (heard, as_of.max(self.looked_at));
    }

    /// The question led to nothing, or to what was known.
    fn rest(&mut self, now: Timestamp) {
        self.asked = None;
        self.due = now + self.patience;
    }
}

impl WatchLimits {
    fn patience(&self, pause: Duration) -> Duration {
        self.bounded(pause.saturating_mul(self.pauses))
    }

    fn bounded(&self, silence: Duration) -> Duration {
        silence.min(self.ceiling).max(self.floor)
    }
}

impl BookSync {
    /// The time to look has come.
    pub(super) fn look(&mut self, now: Timestamp) -> SyncOutcome {
        let (limits, by_stream) = (self.limits.watch, self.is_by_stream());
        let SyncState::Live(live) = &mut self.state else { return SyncOutcome::Ignored };
        self.watch.learn(live.as_of, self.counters.updates, &limits);
        let silent_at = live.as_of + self.watch.patience;
        // A stream of whole books that speaks has nothing to compare an answer with.
        let audit_at = if by_stream { Timestamp::MAX } else { live.synced_at + limits.audit_every };
        self.watch.due = silent_at.min(audit_at).max(now + limits.floor);
        // A refresh under way answers the same question, and a book that cannot be used is given up or mended soon.
        let is_busy = live.refresh.is_some() || live.crossed_since.is_some() || live.overtaken.is_some();
        if silent_at.min(audit_at) > now || is_busy {
            return SyncOutcome::Ignored;
        }
        self.watch.asked = Some(Asked { heard: self.counters.updates, in_silence: silent_at <= now });
        self.counters.checks += 1;
        self.pending.restart(Some(live.last_seq));
        live.refresh.insert(Asking::new(Phase::Pause, now)).ask(now, &self.limits)
    }

    /// Whether the stream itself brings the whole book.
    const fn is_by_stream(&self) -> bool {
        matches!(self.rule.snapshot, SnapshotSource::Stream { .. })
    }

    /// The answer to a question of the watch, if it was one; `None` when it is to be taken as any snapshot.
    pub(super) fn judge_silence(
        &mut self,
        now: Timestamp,
        seq: u64,
        exchange_ts: Timestamp,
        (bids, asks): (&[Level], &[Level]),
    ) -> Option<SyncOutcome> {
        let asked = self.watch.asked?;
        let by_stream = self.is_by_stream();
        let SyncState::Live(live) = &mut self.state else { return None };
        let last_seq = live.last_seq;
        let is_silent = self.counters.updates == asked.heard;
        // It spoke lately, so it is not mute: this is an ordinary audit. The answer is a little older than the book as a rule, and
        // is joined with the frames that came since it was asked for, or newer by frames that are on their way.
        if !(by_stream || is_silent && asked.in_silence) {
            self.watch.rest(now);
            return None;
        }
        // Only a book made from snapshots can take one in the middle.
        if seq < last_seq || !is_silent {
            live.refresh = None;
            self.watch.rest(now);
            return Some(SyncOutcome::Ignored);
        }
        let agrees = agree(&self.book, &self.whole(bids, asks));
        let SyncState::Live(live) = &mut self.state else { return None };
        match (agrees, seq == last_seq) {
            // A version may pass without a change of what the stream reports.
            (true, _) => {
                live.vouch(now, exchange_ts);
                self.counters.vouched += 1;
                self.watch.patience = self.limits.watch.bounded(self.watch.patience * 2);
                self.watch.rest(now);
                Some(SyncOutcome::Ignored)
            }
            (false, true) => {
                self.watch.rest(now);
                if !by_stream {
                    return None;
                }
                self.counters.drifts += 1;
                Some(self.resync(now, StaleReason::Mismatch, None))
            }
            (false, false) => {
                live.refresh = None;
                live.overtaken = Some(Overtaken { seq, until: now + self.limits.watch.grace });
                self.counters.overtaken += 1;
                self.watch.rest(now);
                Some(SyncOutcome::Unusable)
            }
        }
    }

    /// No answer to a question of the watch. `true` when it was one: nothing is asked again before the next look.
    pub(super) fn silence_unexplained(&mut self, now: Timestamp) -> bool {
        let SyncState::Live(live) = &mut self.state else { return false };
        if self.watch.asked.is_none() {
            return false;
        }
        live.refresh = None;
        self.watch.rest(now);
        true
    }

    /// The grace is over: what the exchange shows elsewhere did not come.
    #[cold]
    pub(super) fn found_mute(&mut self, now: Timestamp) -> SyncOutcome {
        self.counters.mutes += 1;
        self.counters.resyncs += 1;
        let outcome = self.resubscribe(now, StaleReason::Silent);
        self.book.clear();
        self.pending.restart(None);
        self.forget_heard();
        outcome
    }

    /// A book of an answer's levels, as complete as they are.
    fn whole(&self, bids: &[Level], asks: &[Level]) -> Book {
        let mut whole = self.book.clone();
        whole.replace(bids, asks);
        mark_ends(&mut whole, self.rule, bids.len(), asks.len());
        whole
    }
}

impl Live {
    /// The exchange's whole book is this one.
    fn vouch(&mut self, now: Timestamp, exchange_ts: Timestamp) {
        self.refresh = None;
        self.as_of = now;
        self.synced_at = now;
        self.exchange_ts = self.exchange_ts.max(exchange_ts);
    }
}
