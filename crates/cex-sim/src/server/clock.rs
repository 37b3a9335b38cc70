//! The wall clock, read here and nowhere else in the crate, or a clock that is told the time; and the market's pace by it.

use cex_core::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time that never steps back: read once, then carried on by the monotonic clock. Or virtual time: it stands until
/// told otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began_at: Timestamp,
    /// `None` of virtual time.
    began: Option<Instant>,
}

impl Clock {
    /// Reads the wall clock.
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { began_at: Timestamp::EPOCH + since_epoch, began: Some(Instant::now()) }
    }

    /// Stands at this time.
    pub(super) const fn standing(at: Timestamp) -> Self {
        Self { began_at: at, began: None }
    }

    /// Moves virtual time on.
    pub(super) const fn stand_at(&mut self, at: Timestamp) {
        *self = Self::standing(at);
    }

    /// Whether time passes by itself.
    pub(super) const fn runs(&self) -> bool {
        self.began.is_some()
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.began_at + self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}

/// How fast the market lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    began_at: Timestamp,
    percent: u32,
}

impl Pace {
    /// From this time on, so many per cent of real time. None at all is taken for one.
    pub(super) const fn new(began_at: Timestamp, percent: u32) -> Self {
        Self { began_at, percent: if percent == 0 { 1 } else { percent } }
    }

    /// How late it is in the market.
    pub(super) fn market_time(self, now: Timestamp) -> Timestamp {
        self.scaled(now, self.percent, 100)
    }

    /// When it is so late in the market.
    pub(super) fn true_time(self, at: Timestamp) -> Timestamp {
        self.scaled(at, 100, self.percent)
    }

    fn scaled(self, at: Timestamp, times: u32, per: u32) -> Timestamp {
        // Asked several times per turn of a simulator, and almost always in real time: no division of 128 bits then.
        if times == per {
            return at.max(self.began_at);
        }
        let nanos = at.since(self.began_at).as_nanos();
        // Rounded up, so that what is due is never waited for in vain.
        let scaled = (nanos * u128::from(times)).div_ceil(u128::from(per));
        self.began_at + Duration::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_market_s_hour_is_short() {
        let began = Timestamp::from_secs(1_800_000_000);
        let at = |millis| began + Duration::from_millis(millis);
        for (percent, real, market) in [(100, 500, 500), (250, 400, 1_000), (50, 400, 200)] {
            let pace = Pace::new(began, percent);
            assert_eq!((pace.market_time(at(real)), pace.true_time(at(market))), (at(market), at(real)));
        }
        assert_eq!(Pace::new(began, 300).true_time(Timestamp::EPOCH), began, "what is overdue is due");
        let pace = Pace::new(began, 300);
        let due = began + Duration::from_nanos(1_000_000_001);
        assert!(pace.market_time(pace.true_time(due)) >= due);
    }
}
