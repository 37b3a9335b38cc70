//! The words of synchronisation: states, reasons, outcomes, limits, counters.

use super::WatchLimits;
use crate::book::Applied;
use cex_core::{Continuity, SnapshotSource, SyncRule, Timestamp};
use std::time::Duration;

/// Why a book is not live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StaleReason {
    /// It has not been live yet.
    NotStarted,
    /// The connection that fed it is gone.
    Disconnected,
    /// A delta is missing.
    Gap,
    /// Best bid at or above best ask for longer than is forgiven.
    Crossed,
    /// The exchange's sequence went backwards and stayed there.
    WentBackwards,
    /// A frame could not be decoded.
    Undecodable,
    /// No snapshot came that could be joined, or the stream sent none.
    NoSnapshot,
    /// It differs from what the exchange says elsewhere.
    Mismatch,
    /// We stood still: the exchange may have moved on since.
    Paused,
    /// The exchange refused the subscription.
    Refused,
    /// The exchange moved on and the stream did not tell, while its connection lived.
    Silent,
    /// Too few of the levels known remain, and the stream cannot be asked for more without a new subscription.
    Shallow,
}

/// A time without a live book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The latest reason.
    pub why: StaleReason,
    /// When it began; the epoch for a book that has never been live.
    pub since: Timestamp,
}

/// Where a request for a snapshot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not asked yet: the first frame of the stream must come first, or the snapshot would be older than the buffer.
    AfterFirstFrame,
    /// Asked; due is when an answer is no longer expected.
    Asked,
    /// The last answer was of no use; due is when to ask again.
    Pause,
}

/// A request for a snapshot in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    pub(super) phase: Phase,
    pub(super) due: Timestamp,
    pub(super) attempts: u32,
}

impl Asking {
    /// How often a snapshot was asked for since the last one that could be used.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) const fn new(phase: Phase, due: Timestamp) -> Self {
        Self { phase, due, attempts: 0 }
    }

    pub(super) fn ask(&mut self, now: Timestamp, limits: &SyncLimits) -> SyncOutcome {
        *self = Self { phase: Phase::Asked, due: now + limits.snapshot_timeout, attempts: self.attempts + 1 };
        SyncOutcome::NeedSnapshot
    }
}

/// The exchange showed a newer book elsewhere than the stream has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overtaken {
    /// The version shown.
    pub seq: u64,
    /// Until when the stream may bring it.
    pub until: Timestamp,
}

/// A live book's place in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// Version of the book.
    pub last_seq: u64,
    /// When the newest data in the book was received, by our clock.
    pub as_of: Timestamp,
    /// When the exchange says it was true; the epoch when it does not say.
    pub exchange_ts: Timestamp,
    /// When a snapshot was last joined: the age of the last check against the exchange's whole book.
    pub synced_at: Timestamp,
    /// Since when the book has been crossed or locked.
    pub crossed_since: Option<Timestamp>,
    /// The stream is behind what the exchange shows elsewhere; unusable until it catches up.
    pub overtaken: Option<Overtaken>,
    pub(super) after_snapshot: bool,
    /// The stream has brought nothing that continues it since it was joined.
    pub(super) unconfirmed: bool,
    pub(super) refresh: Option<Asking>,
}

/// Where a book stands between the exchange and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncState {
    /// No subscription stands, as far as we know.
    Idle {
        /// Why the book is not live, and since when.
        outage: Outage,
    },
    /// Deltas are kept until a snapshot joins them.
    Buffering {
        /// Why the book is not live, and since when.
        outage: Outage,
        /// The request for the snapshot.
        asking: Asking,
    },
    /// Subscribed; the stream's own snapshot is awaited and deltas mean nothing without it.
    Waiting {
        /// Why the book is not live, and since when.
        outage: Outage,
        /// When the waiting is given up.
        until: Timestamp,
    },
    /// The book equals the exchange's at `last_seq`.
    Live(Live),
    /// Only a new subscription can help.
    Stale {
        /// Why the book is not live, and since when.
        outage: Outage,
        /// When the subscription is asked for, again.
        until: Timestamp,
    },
}

/// What came of an input, and what the caller must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncOutcome {
    /// Nothing changed and nothing is to be done.
    Ignored,
    /// Kept for later; the book is not live.
    Buffered,
    /// The book is live and usable, and changed so.
    Applied(Applied),
    /// The book cannot be used (crossed, or waiting to ask again); nothing is to be done but to stop using it.
    Unusable,
    /// Ask for one snapshot, and answer with [`on_snapshot`](super::BookSync::on_snapshot) or
    /// [`on_snapshot_failed`](super::BookSync::on_snapshot_failed). Unless the book is being refreshed it is unusable
    /// from now on: see [`usable`](super::BookSync::usable).
    NeedSnapshot,
    /// Drop the subscription and subscribe again; the book is unusable from now on.
    NeedResubscribe,
}

/// Bounds of synchronisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncLimits {
    /// Frames kept while waiting for a snapshot; one more and the collection starts again.
    pub pending_frames: usize,
    /// Levels kept in these frames: bounds the memory where frames are large.
    pub pending_levels: usize,
    /// How long the first frame is waited for before a snapshot is asked for all the same: a quiet symbol may send
    /// nothing for minutes, and by then the snapshot is newer than the subscription.
    pub first_frame_wait: Duration,
    /// Pause after a snapshot that was too old: REST lags the stream by up to a second.
    pub snapshot_pause: Duration,
    /// Snapshots asked for before the subscription is given up.
    pub snapshot_attempts: u32,
    /// When an answer that never came counts as failed. Long, since snapshots of many symbols queue at a few a second.
    pub snapshot_timeout: Duration,
    /// How long a stream's own snapshot is waited for, and how long a failed refresh of a live book rests.
    pub full_wait: Duration,
    /// The least time between two requests for a new subscription.
    pub resubscribe_pause: Duration,
    /// When a request for a new subscription that came to nothing is repeated.
    pub resubscribe_timeout: Duration,
    /// How long a crossed book is kept (unusable) in the hope that the next frame mends it.
    pub cross_patience: Duration,
    /// Consecutive frames that are old by version and new by time until the sequence counts as having gone backwards.
    pub backward_frames: u32,
    /// A live side that is not complete is refreshed when it holds fewer levels than this; zero never.
    pub refresh_below: usize,
    /// When the stream's silence is looked into.
    pub watch: WatchLimits,
}

impl SyncLimits {
    /// The limits for an exchange's rule and a book of `depth` levels.
    #[must_use]
    pub fn for_rule(rule: &SyncRule, depth: usize) -> Self {
        // An overlapping stream aggregates freely, and its exchange describes no moment at which both sides must fit;
        // where every frame continues the last one exactly, a crossed book is wrong at once.
        let cross_patience = match rule.continuity {
            Continuity::Overlapping => Duration::from_secs(1),
            Continuity::Contiguous | Continuity::Strict => Duration::ZERO,
        };
        let known = match rule.snapshot {
            SnapshotSource::Rest { depth: asked } => depth.min(asked as usize),
            SnapshotSource::Stream { .. } => depth,
        };
        Self {
            pending_frames: 500,
            pending_levels: 50_000,
            first_frame_wait: Duration::from_secs(2),
            snapshot_pause: Duration::from_millis(250),
            snapshot_attempts: 20,
            snapshot_timeout: Duration::from_secs(300),
            full_wait: Duration::from_secs(5),
            resubscribe_pause: Duration::from_secs(1),
            resubscribe_timeout: Duration::from_secs(10),
            cross_patience,
            backward_frames: 20,
            refresh_below: if rule.depth.is_some() { 0 } else { known / 4 },
            watch: WatchLimits::default(),
        }
    }
}

/// What happened to a book so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames of this symbol received.
    pub updates: u64,
    /// Deltas applied, those that had waited for a snapshot included.
    pub applied: u64,
    /// Levels applied from deltas of a live book.
    pub levels: u64,
    /// Deltas that brought nothing new, or came before the stream's snapshot.
    pub ignored_old: u64,
    /// Deltas that showed that another one is missing.
    pub gaps: u64,
    /// Times the book was given up and begun anew.
    pub resyncs: u64,
    /// Snapshots received, from wherever.
    pub snapshots: u64,
    /// Times the book became crossed or locked.
    pub crossed: u64,
    /// Snapshots that were older than the frames kept for them.
    pub too_old: u64,
    /// Times the buffer of frames overflowed.
    pub overflows: u64,
    /// Times the sequence counted as having gone backwards.
    pub backwards: u64,
    /// Whole books in the stream with a lower version than the book had; taken all the same.
    pub regressions: u64,
    /// Frames of another symbol.
    pub misrouted: u64,
    /// Live books that differed from a snapshot of the same version.
    pub drifts: u64,
    /// Times the exchange's whole book was asked for because the stream was silent, or long not compared.
    pub checks: u64,
    /// Silences that were calm: the exchange's book was ours.
    pub vouched: u64,
    /// Times the exchange's book was newer than what a silent stream had brought.
    pub overtaken: u64,
    /// Times the stream did not catch up then, and was begun anew.
    pub mutes: u64,
}
