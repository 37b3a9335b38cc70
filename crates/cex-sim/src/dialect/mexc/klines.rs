//! Candlesticks, from the minutes of the last day.

use super::Mexc;
use super::public::market;
use super::refusal::Refusal;
use super::rest::Request;
use crate::dialect::bars::{Bar, Bars, merged};
use crate::dialect::json::{self, Scaled};
use crate::matching::Exchange;
use cex_core::{Decimal, Price, Timestamp};

const DAY_SECS: i64 = 86_400;
/// The epoch was a Thursday; weeks begin on Mondays.
const MONDAY_SECS: i64 = 4 * DAY_SECS;

/// `GET /klines`, oldest first: windows in which something traded.
pub(super) fn rest(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let market = market(mexc, request)?;
    let interval = Interval::parse(request.params.required("interval")?);
    let interval = interval.ok_or_else(|| Refusal::mandatory("interval"))?;
    let limit = request.params.limit(500, 500)?;
    let start = request.params.number("startTime")?.unwrap_or(i64::MIN);
    let end = request.params.number("endTime")?.unwrap_or(i64::MAX);
    let mut windows = merged(mexc.bars(market).minutes().copied(), |second| interval.start_of(second));
    windows.retain(|bar| (start..end).contains(&(bar.start * 1_000)));
    let windows = windows.split_off(windows.len().saturating_sub(limit));
    let scale = exchange.rules(market).scale;
    let mut body = String::new();
    json::array(&mut body, windows, |out, bar| {
        let price = |price: Price| Scaled(price.0, scale.price_dp());
        let (open, high, low, close) = (price(bar.open), price(bar.high), price(bar.low), price(bar.close));
        let base = Decimal::new(bar.base, scale.qty_dp());
        let quote = Decimal::new(bar.quote, scale.price_dp() + scale.qty_dp());
        let (from, to) = (bar.start * 1_000, interval.end_of(bar.start) * 1_000);
        json::show(
            out,
            format_args!("[{from},\"{open}\",\"{high}\",\"{low}\",\"{close}\",\"{base}\",{to},\"{quote}\"]"),
        );
    });
    Ok(body)
}

/// The span of a candlestick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interval {
    /// From minutes to a day.
    Seconds(i64),
    /// From Monday.
    Week,
    /// Of the calendar.
    Month,
}

/// Intervals as streams spell them.
const STREAM_NAMES: [(&str, Interval); 10] = [
    ("Min1", Interval::Seconds(60)),
    ("Min5", Interval::Seconds(300)),
    ("Min15", Interval::Seconds(900)),
    ("Min30", Interval::Seconds(1_800)),
    ("Min60", Interval::Seconds(3_600)),
    ("Hour4", Interval::Seconds(14_400)),
    ("Hour8", Interval::Seconds(28_800)),
    ("Day1", Interval::Seconds(DAY_SECS)),
    ("Week1", Interval::Week),
    ("Month1", Interval::Month),
];

impl Interval {
    /// The interval a stream calls so.
    pub(super) fn of_stream(name: &str) -> Option<Self> {
        STREAM_NAMES.iter().find(|(known, _)| *known == name).map(|(_, interval)| *interval)
    }

    /// What streams call it.
    pub(super) fn stream_name(self) -> &'static str {
        STREAM_NAMES.iter().find(|(_, interval)| *interval == self).map_or("", |(name, _)| name)
    }

    /// The window in which the last trade was.
    pub(super) fn current(self, bars: &Bars) -> Option<Bar> {
        merged(bars.minutes().copied(), |second| self.start_of(second)).pop()
    }

    /// As REST spells it, which has one less.
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "1m" => Self::Seconds(60),
            "5m" => Self::Seconds(300),
            "15m" => Self::Seconds(900),
            "30m" => Self::Seconds(1_800),
            "60m" => Self::Seconds(3_600),
            "4h" => Self::Seconds(14_400),
            "1d" => Self::Seconds(DAY_SECS),
            "1W" => Self::Week,
            "1M" => Self::Month,
            _ => return None,
        })
    }

    fn start_of(self, second: i64) -> i64 {
        match self {
            Self::Seconds(secs) => second.div_euclid(secs) * secs,
            Self::Week => (second - MONDAY_SECS).div_euclid(7 * DAY_SECS) * 7 * DAY_SECS + MONDAY_SECS,
            Self::Month => {
                let midnight = second.div_euclid(DAY_SECS) * DAY_SECS;
                midnight - (day_of_month(midnight) - 1) * DAY_SECS
            }
        }
    }

    /// When the window that begins at `start` ends, Unix seconds.
    pub(super) fn end_of(self, start: i64) -> i64 {
        match self {
            Self::Seconds(secs) => start + secs,
            Self::Week => start + 7 * DAY_SECS,
            // The 32nd day after a month begins always lies in the next one.
            Self::Month => self.start_of(start + 31 * DAY_SECS),
        }
    }
}

/// Read off the civil date that a timestamp shows, `2026-06-17T…`.
fn day_of_month(second: i64) -> i64 {
    let shown = Timestamp::from_secs(second).to_string();
    shown.split(['-', 'T']).nth(2).and_then(|day| day.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_where_the_calendar_says() {
        // Wednesday, 17 June 2026.
        let second = 1_781_690_000;
        for (interval, start, end) in [
            ("1m", "2026-06-17T09:53:00.000Z", "2026-06-17T09:54:00.000Z"),
            ("60m", "2026-06-17T09:00:00.000Z", "2026-06-17T10:00:00.000Z"),
            ("1d", "2026-06-17T00:00:00.000Z", "2026-06-18T00:00:00.000Z"),
            ("1W", "2026-06-15T00:00:00.000Z", "2026-06-22T00:00:00.000Z"),
            ("1M", "2026-06-01T00:00:00.000Z", "2026-07-01T00:00:00.000Z"),
        ] {
            let interval = Interval::parse(interval).expect("known");
            let begins = interval.start_of(second);
            assert_eq!(Timestamp::from_secs(begins).to_string(), start);
            assert_eq!(Timestamp::from_secs(interval.end_of(begins)).to_string(), end);
        }
        assert_eq!(Interval::parse("1h"), None);
    }
}
