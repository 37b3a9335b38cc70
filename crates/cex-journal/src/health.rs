//! How the journal is doing, as the trading thread asks before it opens anything.

use crate::shared::Shared;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A view of a journal's health. Every question is a read of one or two atomics: no lock, no system call.
#[derive(Clone)]
pub struct Health {
    shared: Arc<Shared>,
}

impl Health {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// How long the oldest record that may not be on disk yet has been waiting, at most. Grows when the disk is slow and
    /// when the syncing thread is gone.
    #[must_use]
    pub fn lag(&self, now: Instant) -> Duration {
        let Shared { written, durable, clean_at, .. } = &*self.shared;
        if durable.load(Ordering::Acquire) >= written.load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.shared.nanos(now).saturating_sub(clean_at.load(Ordering::Acquire)))
    }

    /// Bytes the disk has room for, as of a second ago.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.shared.free_bytes.load(Ordering::Relaxed)
    }

    /// Whether it has failed: nothing is written any more, and no sync is tried again.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }

    /// Why it has failed.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.shared.why()
    }

    /// Whether the next segment could not be made ready: writing ends with the current one.
    #[must_use]
    pub fn starved(&self) -> bool {
        self.shared.starved.load(Ordering::Relaxed)
    }

    /// Number of the next record that is not written yet: what is below it survives the end of the process.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Acquire)
    }

    /// Number of the next record that is not known to be on disk: what is below it survives the end of the machine.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("written", &self.written())
            .field("durable", &self.durable())
            .field("free_bytes", &self.free_bytes())
            .field("why", &self.why())
            .finish_non_exhaustive()
    }
}
