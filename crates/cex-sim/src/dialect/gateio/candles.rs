//! Candlesticks over REST.

use super::Gateio;
use super::bars::{Bar, Bars, merged};
use super::json::{self, Object, Scaled};
use super::refusal::Refusal;
use super::rest::Request;
use crate::matching::{Exchange, MarketIndex};
use cex_core::{Decimal, Price, Timestamp};

/// Windows in which something traded, oldest first. Minutes reach back a day, seconds as far as single trades do.
pub(super) fn rest(gateio: &Gateio, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let query = request.query;
    let market = gateio.names.market(query.required("currency_pair")?)?;
    let interval = query.get("interval").unwrap_or("30m");
    let window = Window::parse(interval).ok_or_else(|| Refusal::bad_param("interval", interval))?;
    let (from, to) = (query.optional_number("from")?, query.optional_number("to")?);
    if let Some(limit) = query.get("limit").filter(|_| from.is_some() || to.is_some()) {
        return Err(Refusal::bad_param("limit", limit));
    }
    let limit = usize::try_from(query.number("limit", 100, (1, 1_000))?).unwrap_or(1_000);
    let mut windows = windows(gateio, exchange, market, window);
    windows.retain(|bar| from.is_none_or(|from| bar.start >= from) && to.is_none_or(|to| bar.start <= to));
    let rows = windows.split_off(windows.len().saturating_sub(limit));
    let mut body = String::new();
    let scale = exchange.rules(market).scale;
    json::array(&mut body, rows, |out, bar| {
        let price = |price: Price| Scaled(price.0, scale.price_dp()).to_string();
        let is_closed = window.end_of(bar.start) <= request.now.as_secs();
        let cells = [
            bar.start.to_string(),
            Decimal::new(bar.quote, scale.price_dp() + scale.qty_dp()).to_string(),
            price(bar.close),
            price(bar.high),
            price(bar.low),
            price(bar.open),
            Decimal::new(bar.base, scale.qty_dp()).to_string(),
            is_closed.to_string(),
        ];
        json::array(out, cells, |out, cell| json::text(out, &cell));
    });
    Ok(body)
}

/// The current window on the stream. Its `v` is quote and its `a` is base.
pub(super) fn stream(
    row: &mut Object<'_>,
    gateio: &Gateio,
    exchange: &Exchange,
    market: MarketIndex,
    now: Timestamp,
    window: Window,
) {
    let scale = exchange.rules(market).scale;
    let Some(bar) = windows(gateio, exchange, market, window).pop() else { return };
    row.quoted("t", bar.start);
    row.quoted("v", Decimal::new(bar.quote, scale.price_dp() + scale.qty_dp()));
    for (key, price) in [("c", bar.close), ("h", bar.high), ("l", bar.low), ("o", bar.open)] {
        row.quoted(key, Scaled(price.0, scale.price_dp()));
    }
    row.text("n", &format!("{}_{}", window.name(), gateio.names.of(market)));
    row.quoted("a", Decimal::new(bar.base, scale.qty_dp()));
    row.plain("w", window.end_of(bar.start) <= now.as_secs());
}

/// Windows in which something traded, oldest first.
fn windows(gateio: &Gateio, exchange: &Exchange, market: MarketIndex, window: Window) -> Vec<Bar> {
    let bars: Vec<Bar> = if window.secs() < 60 {
        exchange.recent_trades(market).map(Bar::of).collect()
    } else {
        gateio.bars(market).into_iter().flat_map(Bars::minutes).copied().collect()
    };
    merged(bars, |second| window.start_of(second))
}

/// The span of a candlestick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Window {
    Seconds(i64),
    /// What the exchange calls `30d`.
    CalendarMonth,
}

impl Window {
    /// The span of this name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(Self::Seconds(match text {
            "1s" => 1,
            "10s" => 10,
            "1m" => 60,
            "5m" => 300,
            "15m" => 900,
            "30m" => 1_800,
            "1h" => 3_600,
            "4h" => 14_400,
            "8h" => 28_800,
            "1d" => 86_400,
            "7d" => 604_800,
            "30d" => return Some(Self::CalendarMonth),
            _ => return None,
        }))
    }

    /// The span of this name on the stream, which knows more of them, but no single seconds.
    pub(super) fn streamed(text: &str) -> Option<Self> {
        match text {
            "1s" => None,
            "30s" => Some(Self::Seconds(30)),
            "3m" => Some(Self::Seconds(180)),
            "2h" => Some(Self::Seconds(7_200)),
            "6h" => Some(Self::Seconds(21_600)),
            "12h" => Some(Self::Seconds(43_200)),
            other => Self::parse(other),
        }
    }

    /// Its name.
    const fn name(self) -> &'static str {
        match self {
            Self::CalendarMonth => "30d",
            Self::Seconds(1) => "1s",
            Self::Seconds(10) => "10s",
            Self::Seconds(30) => "30s",
            Self::Seconds(180) => "3m",
            Self::Seconds(7_200) => "2h",
            Self::Seconds(21_600) => "6h",
            Self::Seconds(43_200) => "12h",
            Self::Seconds(60) => "1m",
            Self::Seconds(300) => "5m",
            Self::Seconds(900) => "15m",
            Self::Seconds(1_800) => "30m",
            Self::Seconds(3_600) => "1h",
            Self::Seconds(14_400) => "4h",
            Self::Seconds(28_800) => "8h",
            Self::Seconds(86_400) => "1d",
            Self::Seconds(_) => "7d",
        }
    }

    /// Its length, for a month the shortest.
    const fn secs(self) -> i64 {
        match self {
            Self::Seconds(secs) => secs,
            Self::CalendarMonth => 28 * 86_400,
        }
    }

    fn start_of(self, second: i64) -> i64 {
        match self {
            Self::Seconds(secs) => second.div_euclid(secs) * secs,
            Self::CalendarMonth => {
                let midnight = second.div_euclid(86_400) * 86_400;
                midnight - (day_of_month(midnight) - 1) * 86_400
            }
        }
    }

    fn end_of(self, start: i64) -> i64 {
        match self {
            Self::Seconds(secs) => start + secs,
            // 31 days after a month begins it is always the next one.
            Self::CalendarMonth => self.start_of(start + 31 * 86_400),
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
        let june_17 = 1_781_690_000;
        let month = Window::parse("30d").expect("known");
        assert_eq!(Timestamp::from_secs(month.start_of(june_17)).to_string(), "2026-06-01T00:00:00.000Z");
        let end = month.end_of(month.start_of(june_17));
        assert_eq!(Timestamp::from_secs(end).to_string(), "2026-07-01T00:00:00.000Z");
        assert_eq!(Window::parse("1m").map(|minute| minute.start_of(june_17) % 60), Some(0));
        assert_eq!(Window::parse("2m"), None);
        assert_eq!((Window::parse("12h"), Window::streamed("1s")), (None, None));
        for name in ["10s", "30s", "3m", "2h", "6h", "12h", "7d", "30d"] {
            assert_eq!(Window::streamed(name).map(Window::name), Some(name));
        }
    }
}
