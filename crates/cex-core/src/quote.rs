//! Public market data other than books.

use crate::decimal::Decimal;
use crate::num::{Price, Qty};
use crate::order::{Side, TradeId};
use crate::symbol::SymbolId;
use crate::time::Timestamp;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A public trade, in the symbol's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// Symbol that was traded.
    pub symbol: SymbolId,
    /// The exchange's identifier; `None` where it sends none.
    pub trade_id: Option<TradeId>,
    /// Side of the taker.
    pub taker_side: Side,
    /// Price.
    pub price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// When it was traded, by the exchange's clock.
    pub exchange_ts: Timestamp,
}

/// The best bid and ask, in the symbol's scale. An empty side is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookTicker {
    /// Symbol the prices are of.
    pub symbol: SymbolId,
    /// Best bid.
    pub bid: Option<crate::book::Level>,
    /// Best ask.
    pub ask: Option<crate::book::Level>,
    /// Version, comparable only within this stream; `None` where the exchange sends none.
    pub seq: Option<u64>,
    /// When this was true, by the exchange's clock; the epoch when not said.
    pub exchange_ts: Timestamp,
}

/// Statistics of the last day, exact. What an exchange does not send is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticker {
    /// Symbol the statistics are of.
    pub symbol: SymbolId,
    /// Last price.
    pub last: Decimal,
    /// Base of the last trade.
    pub last_qty: Option<Decimal>,
    /// Price a day ago.
    pub open: Option<Decimal>,
    /// Highest price of the day.
    pub high: Option<Decimal>,
    /// Lowest price of the day.
    pub low: Option<Decimal>,
    /// Last price of the day before.
    pub prev_close: Option<Decimal>,
    /// Best bid.
    pub bid: Option<Decimal>,
    /// Base wanted there.
    pub bid_qty: Option<Decimal>,
    /// Best ask.
    pub ask: Option<Decimal>,
    /// Base offered there.
    pub ask_qty: Option<Decimal>,
    /// Base turned over in the day.
    pub volume: Option<Decimal>,
    /// Quote turned over in the day.
    pub quote_volume: Option<Decimal>,
    /// Change over the day as a fraction (0.01 is one percent).
    pub change: Option<Decimal>,
    /// When the day began, by the exchange's clock.
    pub open_time: Option<Timestamp>,
    /// When, by the exchange's clock; the epoch when not said.
    pub as_of: Timestamp,
}

impl Ticker {
    /// Change of the price over the day, in quote; `None` where the exchange does not say what it was, or it does not fit.
    #[must_use]
    pub fn price_change(&self) -> Option<Decimal> {
        self.last.checked_sub(self.open?).ok()
    }

    /// Average price of the day by what was turned over, with `dp` decimals, rounded down; `None` where that is not said, or was
    /// nothing.
    #[must_use]
    pub fn weighted_average(&self, dp: u8) -> Option<Decimal> {
        let volume = self.volume.filter(|volume| !volume.is_zero())?;
        self.quote_volume?.checked_div(volume, dp, crate::decimal::Rounding::Down).ok()
    }
}

/// The length of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KlineInterval {
    /// Ten seconds.
    Sec10,
    /// One minute.
    Min1,
    /// Five minutes.
    Min5,
    /// A quarter of an hour.
    Min15,
    /// Half an hour.
    Min30,
    /// One hour.
    Hour1,
    /// Four hours.
    Hour4,
    /// Eight hours.
    Hour8,
    /// Half a day.
    Hour12,
    /// One day.
    Day1,
    /// One week.
    Week1,
    /// One calendar month.
    Month1,
}

impl KlineInterval {
    const NAMES: [(Self, &'static str); 12] = [
        (Self::Sec10, "10s"),
        (Self::Min1, "1m"),
        (Self::Min5, "5m"),
        (Self::Min15, "15m"),
        (Self::Min30, "30m"),
        (Self::Hour1, "1h"),
        (Self::Hour4, "4h"),
        (Self::Hour8, "8h"),
        (Self::Hour12, "12h"),
        (Self::Day1, "1d"),
        (Self::Week1, "1w"),
        (Self::Month1, "1M"),
    ];

    /// How long a candle is; thirty days for a month.
    #[must_use]
    pub const fn length(self) -> Duration {
        let minutes = match self {
            Self::Sec10 => return Duration::from_secs(10),
            Self::Min1 => 1,
            Self::Min5 => 5,
            Self::Min15 => 15,
            Self::Min30 => 30,
            Self::Hour1 => 60,
            Self::Hour4 => 240,
            Self::Hour8 => 480,
            Self::Hour12 => 720,
            Self::Day1 => 1_440,
            Self::Week1 => 10_080,
            Self::Month1 => 43_200,
        };
        Duration::from_secs(minutes * 60)
    }
}

impl KlineInterval {
    /// How long it is; `None` for a calendar month.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        let minutes = match self {
            Self::Sec10 => return Some(Duration::from_secs(10)),
            Self::Min1 => 1,
            Self::Min5 => 5,
            Self::Min15 => 15,
            Self::Min30 => 30,
            Self::Hour1 => 60,
            Self::Hour4 => 4 * 60,
            Self::Hour8 => 8 * 60,
            Self::Hour12 => 12 * 60,
            Self::Day1 => 24 * 60,
            Self::Week1 => 7 * 24 * 60,
            Self::Month1 => return None,
        };
        Some(Duration::from_secs(minutes * 60))
    }
}

impl fmt::Display for KlineInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES.iter().find(|(interval, _)| interval == self).map_or("", |(_, name)| name))
    }
}

/// A text that names no candle length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a candle length; one of 10s 1m 5m 15m 30m 1h 4h 8h 12h 1d 1w 1M")]
pub struct UnknownInterval(String);

impl FromStr for KlineInterval {
    type Err = UnknownInterval;

    fn from_str(text: &str) -> Result<Self, UnknownInterval> {
        Self::NAMES
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(interval, _)| *interval)
            .ok_or_else(|| UnknownInterval(text.to_owned()))
    }
}

/// A candle, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kline {
    /// Symbol the candle is of.
    pub symbol: SymbolId,
    /// Length of the window.
    pub interval: KlineInterval,
    /// Start of the window.
    pub open_time: Timestamp,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Base turned over.
    pub volume: Decimal,
    /// Quote turned over.
    pub quote_volume: Decimal,
    /// Whether the window is over; `None` where the exchange does not say.
    pub closed: Option<bool>,
}

impl Kline {
    /// End of the window, which is the start of the next; `None` for a month, whose length the calendar says.
    #[must_use]
    pub fn close_time(&self) -> Option<Timestamp> {
        Some(self.open_time + self.interval.duration()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_round_trip() {
        for (interval, name) in KlineInterval::NAMES {
            assert_eq!(name.parse(), Ok(interval));
            assert_eq!(interval.to_string(), name);
        }
        assert!("2m".parse::<KlineInterval>().is_err());
    }

    #[test]
    fn a_candle_ends_where_the_next_begins() {
        let one = Decimal::ONE;
        let candle = |interval| Kline {
            symbol: SymbolId(0),
            interval,
            open_time: Timestamp::from_secs(600),
            open: one,
            high: one,
            low: one,
            close: one,
            volume: one,
            quote_volume: one,
            closed: None,
        };
        assert_eq!(candle(KlineInterval::Min15).close_time(), Some(Timestamp::from_secs(1_500)));
        assert_eq!(candle(KlineInterval::Sec10).close_time(), Some(Timestamp::from_secs(610)));
        assert_eq!(candle(KlineInterval::Month1).close_time(), None);
    }

    #[test]
    fn what_a_day_says_follows_from_what_was_sent() {
        let number = |text: &str| Some(text.parse::<Decimal>().expect("a decimal"));
        let ticker = Ticker {
            symbol: SymbolId(0),
            last: Decimal::from(110),
            last_qty: None,
            open: number("100.5"),
            high: None,
            low: None,
            prev_close: None,
            bid: None,
            bid_qty: None,
            ask: None,
            ask_qty: None,
            volume: number("3"),
            quote_volume: number("320"),
            change: None,
            open_time: None,
            as_of: Timestamp::EPOCH,
        };
        assert_eq!((ticker.price_change(), ticker.weighted_average(2)), (number("9.5"), number("106.66")));
        let idle = Ticker { open: None, volume: number("0"), ..ticker };
        assert_eq!((idle.price_change(), idle.weighted_average(2)), (None, None));
    }
}
