//! Points in time, and tables of deadlines. Nothing here reads a clock: the caller owns it.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Nanoseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch; also "unknown" where an exchange sends no time.
    pub const EPOCH: Self = Self(0);
    /// Later than any deadline.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the epoch; saturates at the ends of the range (years 1677 and 2262).
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From seconds since the epoch; saturates like [`Self::from_millis`].
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// How long ago `earlier` was; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Shifted by a signed number of nanoseconds, saturating: how a clock offset is applied.
    #[must_use]
    pub const fn shifted(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-06-17T09:13:20.123Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, millis) = (self.as_secs(), self.as_millis().rem_euclid(1_000));
        let (days, second) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// Days since the epoch to year, month, day: counts in years that begin in March, so that the leap day comes last.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let shifted = days + 719_468;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + if month <= 2 { 1 } else { 0 }, month, day)
}

/// A small table of named deadlines: what a state machine wants to be woken for.
///
/// `K` is a field-less enum of names. Setting a name again moves its deadline.
#[derive(Debug, Clone)]
pub struct Timers<K> {
    deadlines: Vec<(K, Timestamp)>,
}

impl<K: Copy + PartialEq> Timers<K> {
    /// No deadlines.
    #[must_use]
    pub const fn new() -> Self {
        Self { deadlines: Vec::new() }
    }

    /// Sets or moves the deadline of `name`.
    pub fn set(&mut self, name: K, at: Timestamp) {
        match self.deadlines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, deadline)) => *deadline = at,
            None => self.deadlines.push((name, at)),
        }
    }

    /// Forgets the deadline of `name`.
    pub fn clear(&mut self, name: K) {
        self.deadlines.retain(|(known, _)| *known != name);
    }

    /// Forgets all deadlines.
    pub fn clear_all(&mut self) {
        self.deadlines.clear();
    }

    /// The deadline of `name`.
    #[must_use]
    pub fn deadline(&self, name: K) -> Option<Timestamp> {
        self.deadlines.iter().find(|(known, _)| *known == name).map(|(_, at)| *at)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.deadlines.iter().map(|(_, at)| *at).min()
    }

    /// Takes out the earliest deadline that has come; call until `None`.
    pub fn take_due(&mut self, now: Timestamp) -> Option<K> {
        let (index, (name, at)) =
            self.deadlines.iter().copied().enumerate().min_by_key(|(_, (_, deadline))| *deadline)?;
        if at > now {
            return None;
        }
        self.deadlines.swap_remove(index);
        Some(name)
    }
}

impl<K: Copy + PartialEq> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_civil_time() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_781_690_000_123, "2026-06-17T09:53:20.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), shown);
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(2)), Duration::ZERO);
        assert_eq!(Timestamp::from_secs(3).since(Timestamp::from_secs(2)), Duration::from_secs(1));
    }

    #[test]
    fn timers_fire_in_order_and_once() {
        let mut timers = Timers::new();
        timers.set('b', Timestamp::from_secs(2));
        timers.set('a', Timestamp::from_secs(3));
        timers.set('a', Timestamp::from_secs(1));
        assert_eq!(timers.next_at(), Some(Timestamp::from_secs(1)));
        assert_eq!(timers.take_due(Timestamp::EPOCH), None);
        let now = Timestamp::from_secs(5);
        assert_eq!(
            (timers.take_due(now), timers.take_due(now), timers.take_due(now)),
            (Some('a'), Some('b'), None)
        );
    }
}
