//! How many orders leave, and how much they move: per second, minute and day (R17, R18).

use cex_core::{Decimal, NumError, SymbolId, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Orders this near to each other are a burst.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Seconds of a UTC day.
pub(crate) const DAY: i64 = 86_400;

/// The orders of one venue that left within the last second, oldest first. Counted as they come and go: a decision must
/// not walk over a second's orders.
#[derive(Debug, Default)]
pub(crate) struct VenuePace {
    sent: VecDeque<(Timestamp, SymbolId)>,
    /// How many of `sent` are of each symbol, by its index.
    of_symbol: Vec<usize>,
    /// How many of the oldest of `sent` are no part of a burst any more.
    calm: usize,
}

/// What left within the last second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recent {
    pub(crate) all: usize,
    pub(crate) of_symbol: usize,
    pub(crate) at_once: usize,
}

impl VenuePace {
    pub(crate) fn recent(&mut self, now: Timestamp, symbol: SymbolId) -> Recent {
        while let Some((_, symbol)) = self.sent.pop_front_if(|(at, _)| now.since(*at) >= SECOND) {
            self.calm = self.calm.saturating_sub(1);
            if let Some(count) = self.of_symbol.get_mut(symbol.index()) {
                *count -= 1;
            }
        }
        while self.sent.get(self.calm).is_some_and(|(at, _)| now.since(*at) >= AT_ONCE) {
            self.calm += 1;
        }
        Recent {
            all: self.sent.len(),
            of_symbol: self.of_symbol.get(symbol.index()).copied().unwrap_or_default(),
            at_once: self.sent.len() - self.calm,
        }
    }

    /// How many orders it still knows of.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.sent.len()
    }

    pub(crate) fn note(&mut self, now: Timestamp, symbol: SymbolId) {
        if self.of_symbol.len() <= symbol.index() {
            self.of_symbol.resize(symbol.index() + 1, 0);
        }
        self.of_symbol[symbol.index()] += 1;
        self.sent.push_back((now, symbol));
    }
}

/// How many orders a venue takes from us within any span of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderWindow {
    /// Most orders within `span`.
    pub orders: u32,
    /// Length of the window.
    pub span: Duration,
    /// Whether each symbol has a count of its own, instead of one over all.
    pub per_symbol: bool,
}

/// A venue's own windows, counted as it counts them: how many orders fit into one second says nothing of how many fit into
/// one second and a third.
#[derive(Debug, Default)]
pub struct OrderWindows(Vec<(OrderWindow, VecDeque<(Timestamp, SymbolId)>)>);

impl OrderWindows {
    /// These, empty.
    #[must_use]
    pub fn new(windows: &[OrderWindow]) -> Self {
        Self(windows.iter().map(|window| (*window, VecDeque::new())).collect())
    }

    /// How long until an order of a symbol may leave; nothing when it may now.
    pub fn wait(&mut self, now: Timestamp, symbol: SymbolId) -> Duration {
        let waits = self.0.iter_mut().map(|(window, sent)| {
            while sent.pop_front_if(|(at, _)| now.since(*at) >= window.span).is_some() {}
            let most = window.orders as usize;
            // As long as all together are fewer, those of one symbol are.
            if sent.len() < most {
                return Duration::ZERO;
            }
            let counts = |(_, its): &&(Timestamp, SymbolId)| !window.per_symbol || *its == symbol;
            let oldest = sent.iter().rev().filter(counts).nth(most.saturating_sub(1));
            oldest.map_or(Duration::ZERO, |(at, _)| window.span.saturating_sub(now.since(*at)))
        });
        waits.max().unwrap_or_default()
    }

    /// An order leaves.
    pub fn note(&mut self, now: Timestamp, symbol: SymbolId) {
        self.0.iter_mut().for_each(|(_, sent)| sent.push_back((now, symbol)));
    }
}

/// All orders, by minute and by day.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    minute: VecDeque<Timestamp>,
    day: i64,
    orders_today: u32,
    notional_today: Decimal,
}

impl Pace {
    /// Orders within the last minute; those of today; what they moved.
    pub(crate) fn now(&mut self, now: Timestamp) -> (usize, u32, Decimal) {
        while self.minute.front().is_some_and(|at| now.since(*at) >= MINUTE) {
            self.minute.pop_front();
        }
        let day = now.as_secs().div_euclid(DAY);
        if day != self.day {
            (self.day, self.orders_today, self.notional_today) = (day, 0, Decimal::ZERO);
        }
        (self.minute.len(), self.orders_today, self.notional_today)
    }

    /// Orders of today, and what they moved.
    pub(crate) fn today(&self, now: Timestamp) -> (u32, Decimal) {
        let is_today = now.as_secs().div_euclid(DAY) == self.day;
        if is_today { (self.orders_today, self.notional_today) } else { (0, Decimal::ZERO) }
    }

    /// An order leaves. Call [`Self::now`] before.
    pub(crate) fn note(&mut self, now: Timestamp, notional: Decimal) -> Result<(), NumError> {
        self.notional_today = self.notional_today.checked_add(notional)?;
        self.minute.push_back(now);
        self.orders_today = self.orders_today.saturating_add(1);
        Ok(())
    }

    /// Both orders of an opening that was noted then never left us, so they do not count.
    pub(crate) fn take_back(&mut self, noted_at: Timestamp, notional: Decimal) -> Result<(), NumError> {
        for _ in 0..2 {
            if let Some(at) = self.minute.iter().rposition(|at| *at == noted_at) {
                self.minute.remove(at);
            }
        }
        if noted_at.as_secs().div_euclid(DAY) == self.day {
            self.orders_today = self.orders_today.saturating_sub(2);
            self.notional_today = self.notional_today.checked_sub(notional)?.max(Decimal::ZERO);
        }
        Ok(())
    }
}

/// When the UTC day of `now` ends.
pub(crate) fn day_end(now: Timestamp) -> Timestamp {
    Timestamp::from_secs((now.as_secs().div_euclid(DAY) + 1) * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_longer_than_a_second_is_no_rate_per_second() {
        let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
        let window = |orders, millis, per_symbol| OrderWindow {
            orders,
            span: Duration::from_millis(millis),
            per_symbol,
        };
        let mut windows = OrderWindows::new(&[window(3, 1_300, false), window(2, 500, true)]);
        let wait = |windows: &mut OrderWindows, millis, symbol| {
            windows.wait(at(millis), SymbolId(symbol)).as_millis()
        };
        for (millis, symbol) in [(0, 1), (100, 1)] {
            assert_eq!(wait(&mut windows, millis, symbol), 0);
            windows.note(at(millis), SymbolId(symbol));
        }
        assert_eq!((wait(&mut windows, 200, 1), wait(&mut windows, 200, 2)), (300, 0), "two of a symbol");
        windows.note(at(200), SymbolId(2));
        assert_eq!((wait(&mut windows, 1_200, 2), wait(&mut windows, 1_299, 2)), (100, 1), "three in all");
        assert_eq!(wait(&mut windows, 1_300, 2), 0);
        windows.note(at(1_300), SymbolId(2));
        assert_eq!(wait(&mut windows, 1_301, 2), 99, "until the second of the three has passed");
    }

    #[test]
    fn a_venue_counts_by_second_symbol_and_burst() {
        let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
        let mut pace = VenuePace::default();
        for (millis, symbol) in [(0, 1), (500, 2), (950, 1)] {
            pace.note(at(millis), SymbolId(symbol));
        }
        let recent = |pace: &mut VenuePace, millis| {
            let Recent { all, of_symbol, at_once } = pace.recent(at(millis), SymbolId(1));
            (all, of_symbol, at_once)
        };
        assert_eq!(recent(&mut pace, 999), (3, 2, 1));
        assert_eq!(recent(&mut pace, 1_000), (2, 1, 1), "the first one is a second ago");
        assert_eq!(recent(&mut pace, 1_050), (2, 1, 0));
        assert_eq!(recent(&mut pace, 1_950), (0, 0, 0));
    }

    #[test]
    fn a_day_begins_at_midnight_and_a_minute_slides() {
        let midnight = Timestamp::from_secs(20_000 * DAY);
        let before = midnight - Duration::from_secs(10);
        assert_eq!((day_end(before), day_end(midnight)), (midnight, midnight + Duration::from_secs(86_400)));
        let mut pace = Pace::default();
        pace.now(before);
        pace.note(before, Decimal::from(5)).expect("fits");
        pace.note(before, Decimal::from(7)).expect("fits");
        assert_eq!(pace.now(before), (2, 2, Decimal::from(12)));
        assert_eq!(pace.now(midnight), (2, 0, Decimal::ZERO), "the minute has not passed, the day has");
        assert_eq!(pace.now(before + MINUTE), (0, 0, Decimal::ZERO));
    }
}
