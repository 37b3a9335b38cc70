//! How a book is given up and begun anew: by another snapshot, or by another subscription.

use super::pending::Frame;
use super::state::Phase;
use super::{Asking, BookSync, Live, Outage, StaleReason, SyncOutcome, SyncState};
use cex_core::{SnapshotSource, Timestamp};

impl BookSync {
    /// A snapshot was of no use or did not come.
    pub(super) fn attempt_failed(&mut self, now: Timestamp) -> SyncOutcome {
        if self.silence_unexplained(now) {
            return SyncOutcome::Ignored;
        }
        let limits = &self.limits;
        match &mut self.state {
            SyncState::Buffering { asking, .. } if asking.attempts < limits.snapshot_attempts => {
                *asking = Asking { phase: Phase::Pause, due: now + limits.snapshot_pause, ..*asking };
                SyncOutcome::Buffered
            }
            SyncState::Buffering { .. } => {
                self.counters.resyncs += 1;
                self.pending.restart(None);
                self.resubscribe(now, StaleReason::NoSnapshot)
            }
            SyncState::Live(Live { refresh: Some(asking), .. }) => {
                // A live book loses nothing by waiting; only the rate of asking is bounded.
                let rested = asking.attempts >= limits.snapshot_attempts;
                let pause = if rested { limits.full_wait } else { limits.snapshot_pause };
                let attempts = if rested { 0 } else { asking.attempts };
                *asking = Asking { phase: Phase::Pause, due: now + pause, attempts };
                SyncOutcome::Ignored
            }
            SyncState::Live(Live { refresh: None, .. })
            | SyncState::Idle { .. }
            | SyncState::Waiting { .. }
            | SyncState::Stale { .. } => SyncOutcome::Ignored,
        }
    }

    /// Gives up the book and begins to make a new one; `frame` is the first that belongs to it.
    #[cold]
    pub(super) fn resync(
        &mut self,
        now: Timestamp,
        why: StaleReason,
        frame: Option<&Frame<'_>>,
    ) -> SyncOutcome {
        self.counters.resyncs += 1;
        self.behind = 0;
        let newest = self.newest_passed(why);
        let outage = self.outage_now(now, why);
        self.book.clear();
        match self.rule.snapshot {
            SnapshotSource::Stream { .. } => {
                self.pending.restart(None);
                self.resubscribe(now, why)
            }
            SnapshotSource::Rest { .. } => {
                self.pending.restart(newest);
                if let Some(frame) = frame
                    && !self.pending.push(frame)
                {
                    self.counters.overflows += 1;
                }
                let mut asking = Asking::new(Phase::Pause, now);
                let outcome = asking.ask(now, &self.limits);
                self.state = SyncState::Buffering { outage, asking };
                outcome
            }
        }
    }

    /// The version below which a snapshot would lead back behind what this book has seen.
    pub(super) fn newest_passed(&self, why: StaleReason) -> Option<u64> {
        let last_seq = self.live()?.last_seq;
        match why {
            // The count began anew, so the old one says nothing.
            StaleReason::WentBackwards => None,
            // The frame that was lost brought at least one version.
            StaleReason::Undecodable => Some(last_seq.saturating_add(1)),
            StaleReason::NotStarted
            | StaleReason::Disconnected
            | StaleReason::Gap
            | StaleReason::Crossed
            | StaleReason::NoSnapshot
            | StaleReason::Mismatch
            | StaleReason::Paused
            | StaleReason::Refused
            | StaleReason::Silent
            | StaleReason::Shallow => Some(last_seq),
        }
    }

    /// Asks for a new subscription, but not too often.
    pub(super) fn resubscribe(&mut self, now: Timestamp, why: StaleReason) -> SyncOutcome {
        let outage = self.outage_now(now, why);
        match self
            .resubscribed_at
            .map(|at| at + self.limits.resubscribe_pause)
            .filter(|earliest| *earliest > now)
        {
            Some(earliest) => {
                self.state = SyncState::Stale { outage, until: earliest };
                SyncOutcome::Unusable
            }
            None => {
                self.resubscribed_at = Some(now);
                self.state = SyncState::Stale { outage, until: now + self.limits.resubscribe_timeout };
                SyncOutcome::NeedResubscribe
            }
        }
    }

    /// A subscription stands: begin to collect, or to wait.
    pub(super) fn begin(&mut self, now: Timestamp, outage: Outage) {
        self.pending.restart(None);
        self.forget_heard();
        self.state = match self.rule.snapshot {
            SnapshotSource::Rest { .. } => {
                // One that was mute must speak, and is begun anew when it does not.
                let is_doubted = outage.why == StaleReason::Silent;
                let wait =
                    if is_doubted { self.limits.resubscribe_timeout } else { self.limits.first_frame_wait };
                let asking = Asking::new(Phase::AfterFirstFrame, now + wait);
                SyncState::Buffering { outage, asking }
            }
            SnapshotSource::Stream { .. } => {
                SyncState::Waiting { outage, until: now + self.limits.full_wait }
            }
        };
    }

    /// The outage that is going on for a new reason, or that begins now.
    pub(super) fn outage_now(&self, now: Timestamp, why: StaleReason) -> Outage {
        Outage { why, since: self.outage().map_or(now, |outage| outage.since) }
    }

    pub(super) fn forget_heard(&mut self) {
        self.behind = 0;
        self.heard_seq = 0;
        self.heard_ts = Timestamp::EPOCH;
    }
}
