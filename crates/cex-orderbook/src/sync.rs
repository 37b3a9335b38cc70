//! Keeping a book in step with its exchange: snapshot and deltas joined, faults noticed, resync asked for.
//!
//! One state machine serves all exchanges; how their sequences continue and where the first whole book comes from is
//! data, a [`SyncRule`]. It asks for what it needs by its [`SyncOutcome`]s and keeps no time of its own.

mod anew;
mod deltas;
mod fit;
mod join;
mod pending;
mod state;
mod watch;

pub use state::{Asking, Counters, Live, Outage, Overtaken, StaleReason, SyncLimits, SyncOutcome, SyncState};
pub use watch::WatchLimits;

use crate::book::{Beyond, Book, BookConfig};
use cex_core::{BookUpdate, Level, SymbolId, SyncRule, Timestamp, UpdateKind};
use pending::{Frame, Pending};
use state::Phase;
use std::hint::black_box;
use std::time::Duration;
use watch::Watch;

/// The book of one symbol at one venue, kept in step with the exchange.
///
/// The caller feeds it what happens to the subscription and does what the outcomes say. [`BookSync::usable`] gives the
/// book only while it equals the exchange's at some version and is not crossed; in the very call that shows a fault it
/// stops doing so.
#[derive(Debug, Clone)]
pub struct BookSync {
    symbol: SymbolId,
    rule: SyncRule,
    limits: SyncLimits,
    book: Book,
    pending: Pending,
    state: SyncState,
    counters: Counters,
    /// Consecutive frames that were old by version and new by time.
    behind: u32,
    /// Newest version the stream itself has brought since it was last begun.
    heard_seq: u64,
    /// Newest time by the exchange's clock of anything accepted.
    heard_ts: Timestamp,
    resubscribed_at: Option<Timestamp>,
    watch: Watch,
}

impl BookSync {
    /// A book that waits for its subscription, with the usual limits of its rule.
    ///
    /// A stream of the best N levels is kept at exactly N, whatever `book.depth` says: a shorter book could not tell
    /// what came back into it, and a longer one would keep levels whose removal is never reported.
    #[must_use]
    pub fn new(symbol: SymbolId, rule: SyncRule, book: BookConfig) -> Self {
        let limits = SyncLimits::for_rule(&rule, book.depth);
        Self::with_limits(symbol, rule, book, limits)
    }

    /// As [`Self::new`], with other limits.
    #[must_use]
    pub fn with_limits(symbol: SymbolId, rule: SyncRule, book: BookConfig, limits: SyncLimits) -> Self {
        let config = match rule.depth {
            Some(depth) => BookConfig { depth: depth as usize, beyond: Beyond::Reported, ..book },
            None => BookConfig { beyond: Beyond::Unknown, ..book },
        };
        Self {
            symbol,
            rule,
            limits,
            book: Book::new(config),
            pending: Pending::new(limits.pending_frames, limits.pending_levels),
            state: SyncState::Idle {
                outage: Outage { why: StaleReason::NotStarted, since: Timestamp::EPOCH },
            },
            counters: Counters::default(),
            behind: 0,
            heard_seq: 0,
            heard_ts: Timestamp::EPOCH,
            resubscribed_at: None,
            watch: Watch::new(),
        }
    }

    /// The book, while it is live, not crossed, and not known to be behind.
    #[inline]
    #[must_use]
    pub fn usable(&self) -> Option<&Book> {
        match &self.state {
            SyncState::Live(Live { crossed_since: None, overtaken: None, .. }) => Some(&self.book),
            SyncState::Live(_)
            | SyncState::Idle { .. }
            | SyncState::Buffering { .. }
            | SyncState::Waiting { .. }
            | SyncState::Stale { .. } => None,
        }
    }

    /// The place of a live book in its stream, crossed or not; `None` when it is not live.
    #[inline]
    #[must_use]
    pub const fn live(&self) -> Option<&Live> {
        match &self.state {
            SyncState::Live(live) => Some(live),
            SyncState::Idle { .. }
            | SyncState::Buffering { .. }
            | SyncState::Waiting { .. }
            | SyncState::Stale { .. } => None,
        }
    }

    /// When the newest data in a live book was received.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.live().map(|live| live.as_of)
    }

    /// How long ago the newest data in a live book was received. A quiet symbol grows old without being wrong.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.as_of().map(|as_of| now.since(as_of))
    }

    /// Why and since when the book is not live; `None` when it is.
    #[must_use]
    pub const fn outage(&self) -> Option<Outage> {
        match self.state {
            SyncState::Live(_) => None,
            SyncState::Idle { outage }
            | SyncState::Buffering { outage, .. }
            | SyncState::Waiting { outage, .. }
            | SyncState::Stale { outage, .. } => Some(outage),
        }
    }

    /// Reads what the next frame will touch, and does nothing with it ([`Book::warm`]).
    pub fn warm(&self) {
        self.book.warm();
        black_box((self.symbol, self.rule, self.limits.pending_frames, self.behind));
        black_box((self.heard_seq, self.heard_ts, self.counters.updates, self.counters.checks));
        black_box((self.as_of(), self.watch.due, self.pending.newest()));
    }

    /// Where the book stands.
    #[must_use]
    pub const fn state(&self) -> &SyncState {
        &self.state
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Which symbol's book this is.
    #[must_use]
    pub const fn symbol(&self) -> SymbolId {
        self.symbol
    }

    /// Memory held by the book and the buffer, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() - size_of::<Book>() + self.book.memory_bytes() + self.pending.heap_bytes()
    }

    /// The exchange confirmed the subscription. Data may have come before the confirmation and is kept.
    pub fn on_subscribed(&mut self, now: Timestamp) {
        let outage = match self.state {
            SyncState::Idle { outage } | SyncState::Stale { outage, .. } => outage,
            SyncState::Buffering { .. } | SyncState::Waiting { .. } | SyncState::Live(_) => return,
        };
        self.begin(now, outage);
    }

    /// The exchange refused the subscription: there is no book, and whoever keeps it asks again after a while, because
    /// what is refused now may be granted later.
    pub fn on_refused(&mut self, now: Timestamp) -> SyncOutcome {
        let outage = self.outage_now(now, StaleReason::Refused);
        self.book.clear();
        self.pending.restart(None);
        self.forget_heard();
        self.state = SyncState::Stale { outage, until: now + self.limits.resubscribe_timeout };
        SyncOutcome::Unusable
    }

    /// The connection is gone: nothing of the book is true any more.
    pub fn on_disconnect(&mut self, now: Timestamp) {
        let outage = self.outage_now(now, StaleReason::Disconnected);
        self.book.clear();
        self.pending.restart(None);
        self.forget_heard();
        self.state = SyncState::Idle { outage };
    }

    /// A frame of the stream; `levels` is the buffer its ranges lie in.
    #[inline]
    pub fn on_update(&mut self, now: Timestamp, update: &BookUpdate, levels: &[Level]) -> SyncOutcome {
        if update.symbol != self.symbol {
            self.counters.misrouted += 1;
            return SyncOutcome::Ignored;
        }
        self.counters.updates += 1;
        match (Frame::of(now, update, levels), update.kind) {
            (None, UpdateKind::Delta | UpdateKind::Snapshot) => {
                self.invalidate(now, StaleReason::Undecodable)
            }
            (Some(frame), UpdateKind::Delta) => self.on_delta(now, &frame),
            (Some(frame), UpdateKind::Snapshot) => self.on_full(now, &frame),
        }
    }

    /// The answer to [`SyncOutcome::NeedSnapshot`]: the whole book at version `seq`, levels in any order.
    ///
    /// Answers to requests made before a disconnect should be dropped by the caller: one that arrives while a later
    /// request is under way cannot be told from its answer, and a quiet symbol has no frame to show that it is old.
    pub fn on_snapshot(
        &mut self,
        now: Timestamp,
        seq: u64,
        exchange_ts: Timestamp,
        bids: &[Level],
        asks: &[Level],
    ) -> SyncOutcome {
        match &self.state {
            SyncState::Buffering { asking, .. } | SyncState::Live(Live { refresh: Some(asking), .. })
                if asking.attempts > 0 => {}
            // Nothing was asked for: a late answer from before, which may be older than the subscription.
            SyncState::Buffering { .. }
            | SyncState::Live(_)
            | SyncState::Idle { .. }
            | SyncState::Waiting { .. }
            | SyncState::Stale { .. } => return SyncOutcome::Ignored,
        }
        self.counters.snapshots += 1;
        if let Some(outcome) = self.judge_silence(now, seq, exchange_ts, (bids, asks)) {
            return outcome;
        }
        // When the stream may have begun to count from below, nobody can tell of which count the snapshot is, and frames of
        // the old one must not follow a snapshot of the new.
        let doubted = self.behind > 0 && self.live().is_none();
        if doubted || !self.can_join(seq) {
            self.counters.too_old += 1;
            return self.attempt_failed(now);
        }
        self.join(now, &Frame { first_seq: seq, last_seq: seq, exchange_ts, received_at: now, bids, asks })
    }

    /// The snapshot asked for could not be had.
    pub fn on_snapshot_failed(&mut self, now: Timestamp) -> SyncOutcome {
        self.attempt_failed(now)
    }

    /// The book can no longer be trusted, for a reason only the caller sees.
    pub fn invalidate(&mut self, now: Timestamp, why: StaleReason) -> SyncOutcome {
        match &mut self.state {
            SyncState::Live(_) => self.resync(now, why, None),
            SyncState::Buffering { outage, .. } => {
                outage.why = why;
                // The frames kept may lack one now. Those to come must continue a snapshot newer than all of them.
                let newest = self.pending.newest().map(|newest| newest.saturating_add(1));
                self.pending.restart(newest);
                SyncOutcome::Buffered
            }
            SyncState::Idle { .. } | SyncState::Waiting { .. } | SyncState::Stale { .. } => {
                SyncOutcome::Ignored
            }
        }
    }

    /// Asks for a snapshot of a live book, which stays usable meanwhile: proves that it has not drifted from the
    /// exchange's, and repairs and deepens it.
    pub fn begin_refresh(&mut self, now: Timestamp) -> SyncOutcome {
        match &mut self.state {
            SyncState::Live(live) if live.refresh.is_none() => {
                self.pending.restart(Some(live.last_seq));
                live.refresh.insert(Asking::new(Phase::Pause, now)).ask(now, &self.limits)
            }
            SyncState::Live(_)
            | SyncState::Idle { .. }
            | SyncState::Buffering { .. }
            | SyncState::Waiting { .. }
            | SyncState::Stale { .. } => SyncOutcome::Ignored,
        }
    }

    /// When [`Self::on_wake`] wants to be called, if at all.
    #[must_use]
    pub fn wakeup_at(&self) -> Option<Timestamp> {
        match &self.state {
            SyncState::Idle { .. } => None,
            SyncState::Buffering { asking, .. } => Some(asking.due),
            SyncState::Waiting { until, .. } | SyncState::Stale { until, .. } => Some(*until),
            SyncState::Live(live) => {
                let mended_by = live.crossed_since.map(|since| since + self.limits.cross_patience);
                let refresh = live.refresh.map(|asking| asking.due);
                let caught_up_by = live.overtaken.map(|overtaken| overtaken.until);
                mended_by.into_iter().chain(refresh).chain(caught_up_by).chain([self.watch.due]).min()
            }
        }
    }

    /// The time asked for by [`Self::wakeup_at`] may have come; harmless when it has not.
    pub fn on_wake(&mut self, now: Timestamp) -> SyncOutcome {
        if self.wakeup_at().is_none_or(|due| due > now) {
            return SyncOutcome::Ignored;
        }
        match &mut self.state {
            SyncState::Idle { .. } => SyncOutcome::Ignored,
            SyncState::Waiting { .. } => self.resubscribe(now, StaleReason::NoSnapshot),
            SyncState::Stale { outage: Outage { why, .. }, .. } => {
                let why = *why;
                self.resubscribe(now, why)
            }
            SyncState::Live(Live { crossed_since: Some(since), .. })
                if *since + self.limits.cross_patience <= now =>
            {
                self.resync(now, StaleReason::Crossed, None)
            }
            SyncState::Live(Live { overtaken: Some(overtaken), .. }) if overtaken.until <= now => {
                self.found_mute(now)
            }
            // A stream that was mute shows that it no longer is before its book is believed again.
            SyncState::Buffering { outage: Outage { why: StaleReason::Silent, .. }, asking }
                if asking.phase == Phase::AfterFirstFrame =>
            {
                self.resubscribe(now, StaleReason::Silent)
            }
            SyncState::Live(Live { refresh: Some(asking), .. }) if asking.due > now => self.look(now),
            SyncState::Buffering { asking, .. } | SyncState::Live(Live { refresh: Some(asking), .. }) => {
                match asking.phase {
                    Phase::Asked => self.attempt_failed(now),
                    Phase::AfterFirstFrame | Phase::Pause => asking.ask(now, &self.limits),
                }
            }
            SyncState::Live(Live { refresh: None, .. }) => self.look(now),
        }
    }
}
