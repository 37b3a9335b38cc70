//! Public market data over REST: symbols, books, trades.

use super::Mexc;
use super::config::{MarketStatus, TradeSides};
use super::listings::Listing;
use super::refusal::Refusal;
use super::rest::Request;
use crate::dialect::json::{self, Object, Padded, Scaled};
use crate::matching::{Exchange, MarketIndex, PublicTrade};
use cex_core::{Price, Qty, Side, Timestamp};

/// Levels a side that a snapshot shows when not told how many, and at most, whatever is asked for.
const USUAL_DEPTH: usize = 100;
const MOST_DEPTH: usize = 2_000;

/// The market that a call must name.
pub(super) fn market(mexc: &Mexc, request: &Request<'_>) -> Result<MarketIndex, Refusal> {
    mexc.listings.market(request.params.required("symbol")?)
}

/// An object as a whole body.
pub(super) fn object(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut body = String::new();
    json::object(&mut body, fill);
    body
}

/// An array of objects as a whole body.
pub(super) fn rows<T>(
    items: impl IntoIterator<Item = T>,
    mut fill: impl FnMut(&mut Object<'_>, T),
) -> String {
    let mut body = String::new();
    json::array(&mut body, items, |out, item| json::object(out, |row| fill(row, item)));
    body
}

/// `GET /defaultSymbols`, `GET /selfSymbols`: what may be traded over the API.
pub(super) fn tradable_symbols(mexc: &Mexc, now: Timestamp) -> String {
    let open = |market: &MarketIndex| {
        let manners = mexc.manners.market(*market);
        !manners.is_closed() && !manners.is_delisted(now)
    };
    let tradable = mexc.manners.listed(mexc.listings.markets()).filter(open);
    let tradable = tradable.map(|market| mexc.listings.of(market));
    let tradable = tradable.filter(|listing| listing.flags.api_tradable);
    object(|row| {
        row.plain("code", 0);
        row.array("data", tradable, |out, listing| json::text(out, &listing.name));
        row.quoted("msg", "success");
        row.plain("timestamp", now.as_millis());
    })
}

/// The older list, with an underscore between base and quote.
pub(super) fn legacy_symbols(mexc: &Mexc, exchange: &Exchange) -> String {
    let tradable = mexc.listings.markets().filter(|market| mexc.listings.of(*market).flags.api_tradable);
    object(|row| {
        row.plain("code", 200);
        row.object("data", |data| {
            data.array("symbol", tradable, |out, market| {
                let symbol = exchange.rules(market).symbol;
                json::text(out, &format!("{}_{}", symbol.base, symbol.quote));
            });
        });
    })
}

/// `GET /symbol/offline`
pub(super) fn offline_symbols(mexc: &Mexc, now: Timestamp) -> String {
    let state = |market: MarketIndex, listing: &Listing| match listing.flags.status {
        _ if mexc.manners.market(market).is_delisted(now) => Some(3),
        MarketStatus::Online => None,
        MarketStatus::Paused => Some(2),
        MarketStatus::Offline => Some(3),
    };
    let listings = mexc.listings.markets().map(|market| (market, mexc.listings.of(market)));
    let offline = listings.filter_map(|(market, listing)| {
        Some((listing, state(market, listing)?, mexc.manners.market(market).delisted_at))
    });
    object(|row| {
        row.plain("code", 0);
        row.quoted("msg", "success");
        row.array("data", offline, |out, (listing, state, since)| {
            json::object(out, |row| {
                row.text("symbol", &listing.name);
                row.plain("state", state);
                if let Some(since) = since {
                    row.plain("offlineTime", since.as_millis());
                }
            });
        });
        row.plain("timestamp", now.as_millis());
    })
}

/// `GET /exchangeInfo`: all symbols, one, or a list of which unknown ones are left out.
pub(super) fn exchange_info(
    mexc: &Mexc,
    exchange: &Exchange,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let markets: Vec<MarketIndex> = if let Some(name) = request.params.get("symbol") {
        vec![mexc.listings.market(name)?]
    } else if request.params.get("symbols").is_some() {
        request.params.list("symbols").filter_map(|name| mexc.listings.find(name)).collect()
    } else {
        mexc.manners.listed(mexc.listings.markets()).collect()
    };
    Ok(object(|row| {
        row.quoted("timezone", "CST");
        row.plain("serverTime", request.now.as_millis());
        row.plain("rateLimits", "[]");
        row.plain("exchangeFilters", "[]");
        row.array("symbols", markets, |out, market| {
            json::object(out, |row| symbol(row, mexc, exchange, request.now, market));
        });
    }))
}

fn symbol(row: &mut Object<'_>, mexc: &Mexc, exchange: &Exchange, now: Timestamp, market: MarketIndex) {
    let (listing, rules) = (mexc.listings.of(market), exchange.rules(market));
    let manners = mexc.manners.market(market);
    let (price_dp, qty_dp) = manners.decimals(rules.scale);
    let flags = listing.flags;
    let api_tradable = flags.api_tradable && !manners.is_closed();
    row.text("symbol", &listing.name);
    let paused = exchange.is_halted(market).then_some(MarketStatus::Paused);
    let ended = manners.is_delisted(now).then_some(MarketStatus::Offline);
    row.quoted("status", status(ended.or(paused).unwrap_or(flags.status)));
    row.text("baseAsset", rules.symbol.base.as_str());
    row.plain("baseAssetPrecision", qty_dp);
    row.text("quoteAsset", rules.symbol.quote.as_str());
    row.plain("quotePrecision", price_dp);
    row.plain("quoteAssetPrecision", price_dp);
    row.plain("baseCommissionPrecision", qty_dp);
    row.plain("quoteCommissionPrecision", price_dp);
    let kinds = ["LIMIT", "MARKET", "LIMIT_MAKER"].into_iter();
    let kinds = kinds.filter(|kind| flags.market_orders || *kind != "MARKET");
    row.array("orderTypes", kinds, json::text);
    row.plain("isSpotTradingAllowed", api_tradable);
    row.plain("isMarginTradingAllowed", false);
    row.quoted("quoteAmountPrecision", rules.min_notional);
    row.quoted("baseSizePrecision", Scaled(rules.min_qty.0, rules.scale.qty_dp()));
    row.plain("permissions", if api_tradable { "[\"SPOT\"]" } else { "[]" });
    row.array("filters", flags.price_band, |out, band| {
        json::object(out, |filter| {
            filter.quoted("filterType", "PERCENT_PRICE_BY_SIDE");
            filter.quoted("bidMultiplierUp", band.bid_up);
            filter.quoted("askMultiplierDown", band.ask_down);
        });
    });
    row.quoted("maxQuoteAmount", mexc.config.max_notional);
    row.quoted("makerCommission", rules.maker_fee.fraction());
    row.quoted("takerCommission", rules.taker_fee.fraction());
    row.quoted("quoteAmountPrecisionMarket", rules.min_notional);
    row.quoted("maxQuoteAmountMarket", mexc.config.max_notional);
    row.text("fullName", rules.symbol.base.as_str());
    let one_sided = match (manners.buy, manners.sell) {
        (true, true) => flags.sides,
        (true, false) => TradeSides::BuyOnly,
        (false, true) => TradeSides::SellOnly,
        (false, false) => TradeSides::Closed,
    };
    row.plain("tradeSideType", sides(one_sided));
    row.quoted("contractAddress", "");
    row.plain("st", flags.special_treatment);
}

const fn status(status: MarketStatus) -> u8 {
    match status {
        MarketStatus::Online => 1,
        MarketStatus::Paused => 2,
        MarketStatus::Offline => 3,
    }
}

const fn sides(sides: TradeSides) -> u8 {
    match sides {
        TradeSides::Both => 1,
        TradeSides::BuyOnly => 2,
        TradeSides::SellOnly => 3,
        TradeSides::Closed => 4,
    }
}

/// `GET /depth`: the book at the exchange's own version, in padded texts.
pub(super) fn depth(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let market = market(mexc, request)?;
    let limit = request.params.limit(USUAL_DEPTH, MOST_DEPTH)?;
    let scale = exchange.rules(market).scale;
    let level = |out: &mut String, (price, qty): (Price, Qty)| {
        let (price, qty) = (Padded(price.0, scale.price_dp()), Padded(qty.0, scale.qty_dp()));
        json::show(out, format_args!("[\"{price}\",\"{qty}\"]"));
    };
    Ok(object(|row| {
        row.plain("lastUpdateId", exchange.version(market));
        row.array("bids", exchange.bids(market).take(limit), level);
        row.array("asks", exchange.asks(market).take(limit), level);
        row.plain("timestamp", request.now.as_millis());
    }))
}

/// `GET /trades`, newest first.
pub(super) fn trades(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let market = market(mexc, request)?;
    let limit = request.params.limit(500, 1_000)?;
    let scale = exchange.rules(market).scale;
    Ok(rows(exchange.recent_trades(market).rev().take(limit), |row, trade| {
        row.plain("id", "null");
        row.quoted("price", Scaled(trade.price.0, scale.price_dp()));
        row.quoted("qty", Scaled(trade.qty.0, scale.qty_dp()));
        row.quoted("quoteQty", scale.notional_value(trade.price.times(trade.qty)));
        row.plain("time", trade.at.as_millis());
        row.plain("isBuyerMaker", trade.taker == Side::Sell);
        row.plain("isBestMatch", true);
        row.quoted("tradeType", if trade.taker == Side::Sell { "ASK" } else { "BID" });
    }))
}

/// `GET /aggTrades`, newest first. Nothing is aggregated: a trade is an aggregate of one.
pub(super) fn agg_trades(mexc: &Mexc, exchange: &Exchange, request: &Request<'_>) -> Result<String, Refusal> {
    let market = market(mexc, request)?;
    let limit = request.params.limit(500, 1_000)?;
    let span = span(request)?;
    let scale = exchange.rules(market).scale;
    let is_wanted = |trade: &&PublicTrade| span.contains(&trade.at.as_millis());
    Ok(rows(exchange.recent_trades(market).rev().filter(is_wanted).take(limit), |row, trade| {
        for id in ["a", "f", "l"] {
            row.plain(id, "null");
        }
        row.quoted("p", Scaled(trade.price.0, scale.price_dp()));
        row.quoted("q", Scaled(trade.qty.0, scale.qty_dp()));
        row.plain("T", trade.at.as_millis());
        row.plain("m", trade.taker == Side::Sell);
        row.plain("M", true);
    }))
}

/// `startTime` to `endTime` in milliseconds, both included; open where they are absent.
pub(super) fn span(request: &Request<'_>) -> Result<std::ops::RangeInclusive<i64>, Refusal> {
    let start = request.params.number("startTime")?.unwrap_or(i64::MIN);
    let end = request.params.number("endTime")?.unwrap_or(i64::MAX);
    Ok(start..=end)
}
