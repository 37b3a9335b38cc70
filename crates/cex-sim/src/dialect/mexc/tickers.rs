//! Tickers over REST: of one symbol an object, of all an array.

use super::Mexc;
use super::public::{market, object, rows};
use super::refusal::Refusal;
use super::rest::Request;
use crate::dialect::bars::Bar;
use crate::dialect::json::{Object, Scaled};
use crate::matching::{Exchange, MarketIndex};
use cex_core::{Decimal, Price, Qty, Rounding};

/// Decimals of a rate of change.
const RATE_DP: u8 = 4;
/// Decimals of an average price beyond those of a price.
const AVERAGE_EXTRA_DP: u8 = 4;
/// What an average price looks back on, in minutes.
const AVERAGE_MINUTES: i64 = 5;

/// `GET /ticker/24hr`
pub(super) fn day(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    one_or_all(mexc, request, |row, market| {
        let scale = exchange.rules(market).scale;
        let bar = mexc.day(market, request.now);
        let price = |price: Price| Scaled(price.0, scale.price_dp());
        let of_day = |pick: fn(&Bar) -> Price| bar.as_ref().map(|bar| price(pick(bar)));
        let change = bar.map_or(0, |bar| bar.close.0 - bar.open.0);
        row.text("symbol", mexc.listings.name(market));
        row.quoted("priceChange", Scaled(change, scale.price_dp()));
        row.quoted("priceChangePercent", rate(bar.as_ref()));
        let previous = of_day(|bar| bar.open);
        maybe(row, "prevClosePrice", previous);
        maybe(row, "lastPrice", exchange.last_price(market).map(price));
        best(row, exchange, market);
        maybe(row, "openPrice", previous);
        maybe(row, "highPrice", of_day(|bar| bar.high));
        maybe(row, "lowPrice", of_day(|bar| bar.low));
        row.quoted("volume", Decimal::new(bar.map_or(0, |bar| bar.base), scale.qty_dp()));
        let quote = Decimal::new(bar.map_or(0, |bar| bar.quote), scale.price_dp() + scale.qty_dp());
        row.quoted("quoteVolume", quote);
        row.plain("openTime", request.now.as_millis() - 86_400_000);
        row.plain("closeTime", request.now.as_millis());
        row.plain("count", "null");
    })
}

/// `GET /ticker/price`
pub(super) fn price(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    one_or_all(mexc, request, |row, market| {
        let dp = exchange.rules(market).scale.price_dp();
        row.text("symbol", mexc.listings.name(market));
        maybe(row, "price", exchange.last_price(market).map(|price| Scaled(price.0, dp)));
    })
}

/// `GET /ticker/bookTicker`
pub(super) fn book(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    one_or_all(mexc, request, |row, market| {
        row.text("symbol", mexc.listings.name(market));
        best(row, exchange, market);
    })
}

/// `GET /avgPrice`: of five minutes, else the last price.
pub(super) fn average(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let market = market(mexc, request)?;
    let scale = exchange.rules(market).scale;
    let since = request.now.as_secs() - AVERAGE_MINUTES * 60;
    let recent = mexc.bars(market).minutes().filter(|bar| bar.start > since);
    let (base, quote) = recent.fold((0, 0), |(base, quote), bar| (base + bar.base, quote + bar.quote));
    let average = Decimal::new(quote, scale.price_dp() + scale.qty_dp()).checked_div(
        Decimal::new(base, scale.qty_dp()),
        scale.price_dp() + AVERAGE_EXTRA_DP,
        Rounding::Down,
    );
    let last = || exchange.last_price(market).map_or(Decimal::ZERO, |price| scale.price_value(price));
    Ok(object(|row| {
        row.plain("mins", AVERAGE_MINUTES);
        row.quoted("price", average.unwrap_or_else(|_| last()));
    }))
}

/// The change over a bar as a fraction.
pub(super) fn rate(bar: Option<&Bar>) -> Decimal {
    let rate = |bar: &Bar| {
        let change = Decimal::from(bar.close.0 - bar.open.0);
        change.checked_div(Decimal::from(bar.open.0), RATE_DP, Rounding::Down).ok()
    };
    bar.and_then(rate).unwrap_or_default()
}

fn one_or_all(
    mexc: &Mexc,
    request: &Request<'_>,
    fill: impl Fn(&mut Object<'_>, MarketIndex),
) -> Result<String, Refusal> {
    if request.params.get("symbol").is_some() {
        let market = market(mexc, request)?;
        return Ok(object(|row| fill(row, market)));
    }
    let listed: Vec<&str> = request.params.list("symbols").collect();
    let wanted = mexc.listings.markets();
    let wanted = wanted.filter(|market| listed.is_empty() || listed.contains(&mexc.listings.name(*market)));
    Ok(rows(wanted, |row, market| fill(row, market)))
}

fn best(row: &mut Object<'_>, exchange: &Exchange, market: MarketIndex) {
    let scale = exchange.rules(market).scale;
    let mut side = |price_key, qty_key, level: Option<(Price, Qty)>| {
        let (price, qty) = level.unzip();
        maybe(row, price_key, price.map(|price| Scaled(price.0, scale.price_dp())));
        maybe(row, qty_key, qty.map(|qty| Scaled(qty.0, scale.qty_dp())));
    };
    side("bidPrice", "bidQty", exchange.bids(market).next());
    side("askPrice", "askQty", exchange.asks(market).next());
}

/// What is not there is an empty text.
fn maybe(row: &mut Object<'_>, key: &str, value: Option<Scaled>) {
    match value {
        Some(value) => row.quoted(key, value),
        None => row.quoted(key, ""),
    }
}
