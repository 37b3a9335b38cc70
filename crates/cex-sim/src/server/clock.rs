//! The wall clock, read here and nowhere else in the crate.

use cex_core::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time that never steps back: read once, then carried on by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began_at: Timestamp,
    began: Instant,
}

impl Clock {
    /// Reads the wall clock.
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { began_at: Timestamp::EPOCH + since_epoch, began: Instant::now() }
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.began_at + self.began.elapsed()
    }
}
