//! What trades add up to: the last day of a market in minutes, for tickers and candlesticks.

use crate::matching::PublicTrade;
use cex_core::{Price, Timestamp};
use std::collections::VecDeque;

/// One day: what a ticker sums up.
const DAY_SECS: i64 = 86_400;
const MINUTE_SECS: i64 = 60;

/// What happened in a span of time. Volumes count in the market's raw units: base, and price times base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar {
    /// When the span begins, Unix seconds.
    pub(super) start: i64,
    /// First price.
    pub(super) open: Price,
    /// Highest price.
    pub(super) high: Price,
    /// Lowest price.
    pub(super) low: Price,
    /// Last price.
    pub(super) close: Price,
    /// Base traded.
    pub(super) base: i128,
    /// Quote turned over.
    pub(super) quote: i128,
}

impl Bar {
    /// A bar of one trade.
    pub(super) fn of(trade: &PublicTrade) -> Self {
        let price = trade.price;
        let (base, quote) = (i128::from(trade.qty.0), price.times(trade.qty).0);
        Self { start: trade.at.as_secs(), open: price, high: price, low: price, close: price, base, quote }
    }

    /// Adds what came later.
    pub(super) fn extend(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.base += later.base;
        self.quote += later.quote;
    }
}

/// The minutes of the last day in which something traded, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Bars {
    minutes: VecDeque<Bar>,
}

impl Bars {
    /// Adds a trade; forgets what is older than a day.
    pub(super) fn add(&mut self, trade: &PublicTrade) {
        let mut bar = Bar::of(trade);
        bar.start = bar.start.div_euclid(MINUTE_SECS) * MINUTE_SECS;
        match self.minutes.back_mut() {
            // A clock that steps back puts a trade into the last minute instead of out of order.
            Some(last) if last.start >= bar.start => last.extend(&bar),
            Some(_) | None => self.minutes.push_back(bar),
        }
        while self.minutes.front().is_some_and(|first| first.start + DAY_SECS <= bar.start) {
            self.minutes.pop_front();
        }
    }

    /// The minutes, oldest first.
    pub(super) fn minutes(&self) -> impl Iterator<Item = &Bar> {
        self.minutes.iter()
    }

    /// What traded since the last midnight of a clock that is so many hours ahead of UTC, as one bar.
    pub(super) fn since_midnight(&self, now: Timestamp, hours: i64) -> Option<Bar> {
        let ahead = hours * 3_600;
        let midnight = (now.as_secs() + ahead).div_euclid(DAY_SECS) * DAY_SECS - ahead;
        merged(self.minutes.iter().filter(|bar| bar.start >= midnight).copied(), |_| 0).pop()
    }

    /// The last 24 hours as one bar.
    pub(super) fn day(&self, now: Timestamp) -> Option<Bar> {
        let since = now.as_secs() - DAY_SECS;
        merged(self.minutes.iter().filter(|bar| bar.start > since).copied(), |_| 0).pop()
    }
}

/// Bars, oldest first, merged wherever `window` gives the same start.
pub(super) fn merged(bars: impl IntoIterator<Item = Bar>, window: impl Fn(i64) -> i64) -> Vec<Bar> {
    let mut windows: Vec<Bar> = Vec::new();
    for bar in bars {
        let start = window(bar.start);
        match windows.last_mut() {
            Some(last) if last.start == start => last.extend(&bar),
            Some(_) | None => windows.push(Bar { start, ..bar }),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::TradeNo;
    use cex_core::{Qty, Side};

    fn trade(secs: i64, price: i64, qty: i64) -> PublicTrade {
        let (at, price, qty) = (Timestamp::from_secs(secs), Price(price), Qty(qty));
        PublicTrade { trade: TradeNo(1), market_trade: 1, taker: Side::Buy, price, qty, at }
    }

    #[test]
    fn a_day_is_summed_and_then_forgotten() {
        let mut bars = Bars::default();
        for (secs, price, qty) in [(60, 10, 1), (61, 14, 2), (125, 8, 3), (119, 9, 4)] {
            bars.add(&trade(secs, price, qty));
        }
        assert_eq!(bars.minutes().count(), 2);
        let day = bars.day(Timestamp::from_secs(200)).expect("trades");
        assert_eq!((day.open, day.high, day.low, day.close), (Price(10), Price(14), Price(8), Price(9)));
        assert_eq!((day.base, day.quote), (10, 10 + 28 + 24 + 36));
        assert_eq!(
            bars.day(Timestamp::from_secs(86_470)).map(|day| day.base),
            Some(7),
            "the first minute is over"
        );
        bars.add(&trade(200_000, 5, 1));
        assert_eq!(bars.minutes().count(), 1);
    }

    #[test]
    fn windows_merge_neighbours() {
        let bars = [trade(0, 1, 1), trade(9, 3, 1), trade(10, 2, 1)].map(|trade| Bar::of(&trade));
        let windows = merged(bars, |start| start / 10 * 10);
        assert_eq!(
            windows.iter().map(|bar| (bar.start, bar.close, bar.base)).collect::<Vec<_>>(),
            [(0, Price(3), 2), (10, Price(2), 1)]
        );
    }
}
