//! When a fault happens: after how many it lets pass, how often, for how long.

use cex_core::Timestamp;
use std::fmt;
use std::time::Duration;

/// When a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// How many that match are let pass first.
    pub skip: u64,
    /// How often it happens; `None` for every time.
    pub count: Option<u64>,
    /// After how long it is over; `None` for never.
    pub lasts: Option<Duration>,
}

impl When {
    /// The next time, and then no more.
    #[must_use]
    pub const fn once() -> Self {
        Self { skip: 0, count: Some(1), lasts: None }
    }

    /// Every time.
    #[must_use]
    pub const fn always() -> Self {
        Self { skip: 0, count: None, lasts: None }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.skip > 0 {
            write!(f, ", after {}", self.skip)?;
        }
        match self.count {
            Some(1) => {}
            Some(count) => write!(f, ", {count} times")?,
            None => write!(f, ", every time")?,
        }
        match self.lasts {
            Some(lasts) => write!(f, ", for {} ms", lasts.as_millis()),
            None => Ok(()),
        }
    }
}

/// A fault waiting for its time.
#[derive(Debug, Clone)]
pub(crate) struct Trigger {
    when: When,
    over_at: Option<Timestamp>,
    seen: u64,
    fired: u64,
}

impl Trigger {
    /// Armed at this time.
    pub(crate) fn new(now: Timestamp, when: When) -> Self {
        Self { when, over_at: when.lasts.map(|lasts| now + lasts), seen: 0, fired: 0 }
    }

    /// When it is over by itself.
    pub(crate) const fn over_at(&self) -> Option<Timestamp> {
        self.over_at
    }

    /// So much time has passed.
    pub(crate) fn age(&mut self, by_nanos: i64) {
        self.over_at = self.over_at.map(|at| at.shifted(by_nanos));
    }

    /// Whether it can happen no more.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.over_at.is_some_and(|at| at <= now) || self.when.count.is_some_and(|count| self.fired >= count)
    }

    /// How often it happened.
    pub(crate) const fn fired(&self) -> u64 {
        self.fired
    }

    /// Something matches; whether it happens to it.
    pub(crate) fn pull(&mut self, now: Timestamp) -> bool {
        if self.is_over(now) {
            return false;
        }
        self.seen += 1;
        let happens = self.seen > self.when.skip;
        self.fired += u64::from(happens);
        happens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulls(when: When, at: &[i64]) -> Vec<bool> {
        let mut trigger = Trigger::new(Timestamp::from_secs(100), when);
        at.iter().map(|secs| trigger.pull(Timestamp::from_secs(*secs))).collect()
    }

    #[test]
    fn skip_count_and_expiry_are_respected() {
        let base = When::once();
        let lasts = Some(Duration::from_secs(5));
        for (when, at, expected) in [
            (base, vec![100, 100, 101], vec![true, false, false]),
            (When { skip: 2, ..base }, vec![100; 4], vec![false, false, true, false]),
            (When { count: Some(2), ..base }, vec![100; 3], vec![true, true, false]),
            (When::always(), vec![100, 9_999], vec![true, true]),
            (When { lasts, ..When::always() }, vec![100, 104, 105], vec![true, true, false]),
            (When { lasts, skip: 1, ..base }, vec![104, 105], vec![false, false]),
        ] {
            assert_eq!(pulls(when, &at), expected, "{when:?}");
        }
    }

    #[test]
    fn it_reads_as_a_sentence() {
        let when = When { skip: 2, count: None, lasts: Some(Duration::from_millis(1_500)) };
        assert_eq!(when.to_string(), ", after 2, every time, for 1500 ms");
        assert_eq!(When::once().to_string(), "");
    }
}
