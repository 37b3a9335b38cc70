//! Our own clock: monotonic nanoseconds, anchored once to the wall clock.

use cex_core::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Monotonic time as [`Timestamp`]s.
///
/// The wall clock is read once, when the clock is made; from then on a step of the wall clock changes nothing, and two
/// readings never go backwards. Under tokio's paused time it stands still with it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    anchor: Instant,
    wall: Timestamp,
}

impl Clock {
    /// A clock anchored to the wall clock as it is now.
    #[must_use]
    pub fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::anchored(Timestamp::EPOCH + since_epoch)
    }

    /// A clock that says `wall` now.
    #[must_use]
    pub fn anchored(wall: Timestamp) -> Self {
        Self { anchor: Instant::now(), wall }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.wall + self.anchor.elapsed()
    }

    /// The instant of the runtime's timers at which this clock will say `at`; now, when that has passed.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.anchor.checked_add(at.since(self.wall)).unwrap_or_else(Instant::now)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn follows_the_runtime_and_never_the_wall() {
        let clock = Clock::anchored(Timestamp::from_secs(100));
        assert_eq!(clock.now(), Timestamp::from_secs(100));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), Timestamp::from_millis(100_250));
        let later = Timestamp::from_secs(101);
        tokio::time::sleep_until(clock.instant(later)).await;
        assert!(clock.now() >= later && clock.now() < later + Duration::from_millis(2));
    }

    #[test]
    fn starts_at_the_wall_clock() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let said = Clock::new().now();
        assert!(said.since(Timestamp::EPOCH + now) < Duration::from_secs(5));
    }
}
