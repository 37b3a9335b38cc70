//! Public market data over REST.

use super::account::known_asset;
use super::bars::Bar;
use super::endpoints::Public;
use super::json::{self, Object, Scaled};
use super::refusal::Refusal;
use super::rest::Request;
use super::{Gateio, candles, shape};
use crate::dialect::Wallet;
use crate::matching::{Exchange, MarketIndex, PublicTrade};
use cex_core::{Asset, Decimal, Price, Rounding, Timestamp};
use std::collections::BTreeSet;

/// Answers a public endpoint.
pub(super) fn answer(
    gateio: &Gateio,
    exchange: &Exchange,
    request: &Request<'_>,
    endpoint: &Public<'_>,
) -> Result<String, Refusal> {
    match endpoint {
        Public::Time => Ok(format!("{{\"server_time\":{}}}", request.now.as_millis())),
        Public::Currencies => Ok(currencies(gateio, exchange)),
        Public::Currency(name) => {
            let asset = known_asset(exchange, name)?;
            Ok(object(|row| currency(row, asset, gateio.manners.wallet(asset))))
        }
        Public::CurrencyChains => currency_chains(gateio, exchange, request),
        Public::Pairs => Ok(pairs(gateio, exchange, request.now)),
        Public::Pair(name) => {
            let market = gateio.names.market(name)?;
            Ok(object(|row| pair(row, gateio, exchange, request.now, market)))
        }
        Public::MarginPairs | Public::Elsewhere => Ok("[]".to_owned()),
        Public::Tickers => tickers(gateio, exchange, request),
        Public::OrderBook => order_book(gateio, exchange, request),
        Public::Trades => trades(gateio, exchange, request),
        Public::Candlesticks => candles::rest(gateio, exchange, request),
    }
}

fn object(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut body = String::new();
    json::object(&mut body, fill);
    body
}

fn currencies(gateio: &Gateio, exchange: &Exchange) -> String {
    let assets: BTreeSet<Asset> =
        exchange.markets().iter().flat_map(|rules| [rules.symbol.base, rules.symbol.quote]).collect();
    let mut body = String::new();
    json::array(&mut body, assets, |out, asset| {
        json::object(out, |row| currency(row, asset, gateio.manners.wallet(asset)));
    });
    body
}

/// Every coin lives on one chain of its own name: enough for two venues to agree that it is the same coin.
fn currency(row: &mut Object<'_>, asset: Asset, wallet: Wallet) {
    let name = asset.as_str();
    row.text("currency", name);
    row.text("name", name);
    let transfers = |row: &mut Object<'_>| {
        row.plain("withdraw_disabled", !wallet.withdrawals);
        row.plain("withdraw_delayed", false);
        row.plain("deposit_disabled", !wallet.deposits);
    };
    row.plain("delisted", false);
    transfers(row);
    row.plain("trade_disabled", false);
    row.text("chain", name);
    row.array("chains", [name], |out, chain| {
        json::object(out, |row| {
            row.text("name", chain);
            row.quoted("addr", "");
            transfers(row);
        });
    });
    row.quoted("total_supply", "21000000");
    row.quoted("market_cap", "1000000000");
    row.plain("category", "[]");
}

fn currency_chains(gateio: &Gateio, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let name = request.query.required("currency")?;
    let wallet = gateio.manners.wallet(known_asset(exchange, name)?);
    let mut body = String::new();
    json::array(&mut body, [name], |out, chain| {
        json::object(out, |row| {
            row.text("chain", chain);
            row.text("name_cn", chain);
            row.text("name_en", chain);
            row.quoted("contract_address", "");
            row.plain("is_disabled", u8::from(!wallet.deposits && !wallet.withdrawals));
            row.plain("is_deposit_disabled", u8::from(!wallet.deposits));
            row.plain("is_withdraw_disabled", u8::from(!wallet.withdrawals));
            row.quoted("decimal", 8);
        });
    });
    Ok(body)
}

fn pairs(gateio: &Gateio, exchange: &Exchange, now: Timestamp) -> String {
    let mut body = String::new();
    json::array(&mut body, gateio.manners.listed(gateio.names.markets()), |out, market| {
        json::object(out, |row| pair(row, gateio, exchange, now, market));
    });
    body
}

fn pair(row: &mut Object<'_>, gateio: &Gateio, exchange: &Exchange, now: Timestamp, market: MarketIndex) {
    let (name, rules) = (gateio.names.of(market), exchange.rules(market));
    let manners = gateio.manners.market(market);
    let is_shut = exchange.is_halted(market) || manners.is_delisted(now);
    let (price_dp, qty_dp) = manners.decimals(rules.scale);
    let percent = rules.taker_fee.fraction().checked_mul(Decimal::from(100)).expect("a fee below 100 %");
    row.text("id", name);
    row.text("base", rules.symbol.base.as_str());
    row.text("base_name", rules.symbol.base.as_str());
    row.text("quote", rules.symbol.quote.as_str());
    row.text("quote_name", rules.symbol.quote.as_str());
    row.quoted("fee", percent);
    // No minimum is told by leaving the key out, never by null.
    if rules.min_qty.0 > 0 {
        row.quoted("min_base_amount", Scaled(rules.min_qty.0, rules.scale.qty_dp()));
    }
    if rules.min_notional.is_positive() {
        row.quoted("min_quote_amount", rules.min_notional);
    }
    row.plain("amount_precision", qty_dp);
    row.plain("precision", price_dp);
    let status = match (manners.buy, manners.sell) {
        _ if is_shut => "untradable",
        (true, true) => "tradable",
        (true, false) => "buyable",
        (false, true) => "sellable",
        (false, false) => "untradable",
    };
    row.quoted("trade_status", status);
    row.plain("sell_start", 0);
    row.plain("buy_start", 0);
    row.plain("delisting_time", manners.delisted_at.map_or(0, Timestamp::as_secs));
    row.quoted("type", "normal");
    row.text("trade_url", &format!("https://www.gate.io/trade/{name}"));
    row.plain("st_tag", false);
    if let Some(band) = gateio.config.price_band {
        row.quoted("up_rate", band.up_rate);
        row.quoted("down_rate", band.down_rate);
    }
}

/// Always an array, for one pair too.
fn tickers(gateio: &Gateio, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let wanted = request.query.get("currency_pair").map(|name| gateio.names.market(name)).transpose()?;
    let markets = gateio.names.markets().filter(|market| wanted.is_none_or(|wanted| wanted == *market));
    let zones = zones(request.query.get("timezone"))?;
    let mut body = String::new();
    json::array(&mut body, markets, |out, market| {
        json::object(out, |row| {
            ticker(row, gateio, exchange, market, request.now, wanted.is_some());
            for (key, hours) in zones {
                let day = gateio.bars(market).and_then(|bars| bars.since_midnight(request.now, *hours));
                row.quoted(key, format_args!("{:.2}", day.as_ref().map_or(Decimal::ZERO, change_percent)));
            }
        });
    });
    Ok(body)
}

/// Whose days changes are told of besides those of the last 24 hours: a key, and hours ahead of UTC.
fn zones(timezone: Option<&str>) -> Result<&'static [(&'static str, i64)], Refusal> {
    const ZONES: [(&str, i64); 2] = [("change_utc0", 0), ("change_utc8", 8)];
    match timezone {
        None => Ok(&[]),
        Some("utc0") => Ok(&ZONES[..1]),
        Some("utc8") => Ok(&ZONES[1..]),
        Some("all") => Ok(&ZONES),
        Some(other) => Err(Refusal::bad_param("timezone", other)),
    }
}

/// A ticker, as REST and the stream show it; sizes only in a REST query for one pair.
pub(super) fn ticker(
    row: &mut Object<'_>,
    gateio: &Gateio,
    exchange: &Exchange,
    market: MarketIndex,
    now: Timestamp,
    with_sizes: bool,
) {
    let scale = exchange.rules(market).scale;
    let price = |price: Price| Scaled(price.0, scale.price_dp());
    let (bid, ask) = (exchange.bids(market).next(), exchange.asks(market).next());
    let day = gateio.bars(market).and_then(|bars| bars.day(now));
    row.text("currency_pair", gateio.names.of(market));
    maybe(row, "last", exchange.last_price(market).map(price));
    for (side, side_size, level) in [("lowest_ask", "lowest_size", ask), ("highest_bid", "highest_size", bid)]
    {
        maybe(row, side, level.map(|(level, _)| price(level)));
        if with_sizes {
            maybe(row, side_size, level.map(|(_, qty)| Scaled(qty.0, scale.qty_dp())));
        }
    }
    row.quoted(
        "change_percentage",
        format_args!("{:.2}", day.map_or(Decimal::ZERO, |day| change_percent(&day))),
    );
    let volume = |raw: i128, dp| Decimal::new(raw, dp);
    row.quoted("base_volume", volume(day.map_or(0, |day| day.base), scale.qty_dp()));
    row.quoted("quote_volume", volume(day.map_or(0, |day| day.quote), scale.price_dp() + scale.qty_dp()));
    maybe(row, "high_24h", day.map(|day| price(day.high)));
    maybe(row, "low_24h", day.map(|day| price(day.low)));
}

/// What is not there is an empty text, neither zero nor null.
pub(super) fn maybe(row: &mut Object<'_>, key: &str, value: Option<Scaled>) {
    match value {
        Some(value) => row.quoted(key, value),
        None => row.quoted(key, ""),
    }
}

fn change_percent(day: &Bar) -> Decimal {
    let moved = Decimal::from(day.close.0 - day.open.0).checked_mul(Decimal::from(100));
    moved
        .and_then(|moved| moved.checked_div(Decimal::from(day.open.0), 2, Rounding::Down))
        .unwrap_or_default()
}

/// `id` is the exchange's version: the same sequence as on the streams.
fn order_book(gateio: &Gateio, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let query = request.query;
    let market = gateio.names.market(query.required("currency_pair")?)?;
    let limit = usize::try_from(query.number("limit", 10, (1, 1_000))?).unwrap_or(1_000);
    let with_id = query.flag("with_id")?;
    if let Some(interval) = query.get("interval").filter(|interval| interval.parse() != Ok(Decimal::ZERO)) {
        return Err(Refusal::bad_param("interval", interval));
    }
    let rules = exchange.rules(market);
    Ok(object(|row| {
        if with_id {
            row.plain("id", exchange.version(market));
        }
        row.plain("current", request.now.as_millis());
        row.plain("update", gateio.changed_at(market).unwrap_or(request.now).as_millis());
        row.array("asks", exchange.asks(market).take(limit), |out, level| shape::level(out, level, rules));
        row.array("bids", exchange.bids(market).take(limit), |out, level| shape::level(out, level, rules));
    }))
}

/// Newest first; with `reverse` those after `last_id`, without it those before.
fn trades(gateio: &Gateio, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let query = request.query;
    let market = gateio.names.market(query.required("currency_pair")?)?;
    let limit = query.number("limit", 100, (1, 1_000))?;
    let skip = (query.number("page", 1, (1, 100_000))? - 1).saturating_mul(limit);
    let last_id = query.optional_number("last_id")?.and_then(|id| u64::try_from(id).ok());
    let newer = query.flag("reverse")?;
    let from = query.optional_number("from")?.unwrap_or(i64::MIN);
    let to = query.optional_number("to")?.unwrap_or(i64::MAX);
    let wanted = |trade: &&PublicTrade| {
        (from..=to).contains(&trade.at.as_secs())
            && last_id.is_none_or(|last| if newer { trade.trade.0 > last } else { trade.trade.0 < last })
    };
    let (skip, limit) =
        (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(1_000));
    let (pair, rules) = (gateio.names.of(market), exchange.rules(market));
    let found = exchange.recent_trades(market).rev().filter(wanted).skip(skip).take(limit);
    let mut body = String::new();
    json::array(&mut body, found, |out, trade| {
        json::object(out, |row| shape::rest_trade(row, trade, pair, rules));
    });
    Ok(body)
}
