//! What the vector tests share: the file, an account with its credentials, and events as lines of text.

use cex_core::{
    AccountEvent, Level, Market, MarketEvent, Markets, Order, Scale, SymbolId, SymbolInfo, Timestamp,
    UpdateKind, VenueId,
};
use cex_gateio::Gateio;
use cex_interface::{HttpResponse, Outbox, Protocol, Reply, Request, Secret, VenueConfig};
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};
use std::sync::Arc;

/// The vectors.
pub(crate) fn vectors() -> Value {
    sonic_rs::from_str(include_str!("gateio_ws_vectors.json")).expect("the file is JSON")
}

/// The elements of one of the file's lists.
pub(crate) fn list(name: &str) -> Vec<Value> {
    vectors()[name].as_array().expect("a list").iter().cloned().collect()
}

/// A member that is a text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect(name)
}

/// A frame's text by its name.
pub(crate) fn frame(name: &str) -> String {
    let frames = list("frames");
    let found = frames.iter().find(|frame| text(frame, "name") == name).expect(name);
    text(found, "text").to_owned()
}

/// The time of the vectors.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

pub(crate) fn venue() -> VenueId {
    VenueId::new(0, "gateio").expect("short")
}

/// The account of the vectors, with these options.
pub(crate) fn account(options: &[(&str, &str)]) -> Gateio {
    let vectors = vectors();
    let mut config = VenueConfig::public(venue());
    config.key = Secret::new(text(&vectors["credentials"], "api_key").to_owned());
    config.secret = Secret::new(text(&vectors["credentials"], "api_secret").to_owned());
    config.options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Gateio::new(config).expect("valid")
}

/// BTC_USDT (0), ETH_USDT (1), XYZ_USDT (2), FOO_USDT (3), by way of the pair list.
pub(crate) fn markets() -> Arc<Markets> {
    let row = |(base, precision, amount_precision): (&str, u8, u8)| {
        format!(
            r#"{{"id":"{base}_USDT","base":"{base}","quote":"USDT","fee":"0.2","min_quote_amount":"3",
            "amount_precision":{amount_precision},"precision":{precision},"trade_status":"tradable"}}"#
        )
    };
    let rows = [("BTC", 1, 5), ("ETH", 2, 4), ("XYZ", 4, 0), ("FOO", 4, 2)].map(row);
    let body = format!("[{}]", rows.join(","));
    let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
    let reply = account(&[]).decode(&Markets::default(), &Request::Symbols, &response);
    let Ok(Reply::Symbols(infos)) = reply else { panic!("{reply:?}") };
    let market = |(index, info): (usize, SymbolInfo)| {
        let scale = Scale::new(info.price_dp, 8).expect("fits");
        Market::new(venue(), SymbolId(u32::try_from(index).expect("few")), info, scale).expect("rules fit")
    };
    Arc::new(Markets::new(infos.into_iter().enumerate().map(market).collect()))
}

/// Everything an outbox holds but the levels, a line each.
pub(crate) fn lines(markets: &Markets, out: &Outbox) -> Vec<String> {
    let market = out.market.iter().map(|event| market_line(markets, event, &out.levels));
    let account = out.account.iter().map(|event| account_line(markets, event));
    let link = out.link.iter().map(|event| format!("{event:?}"));
    let effects = out.effects.iter().map(|effect| format!("{effect:?}"));
    market.chain(account).chain(link).chain(effects).collect()
}

fn market_line(markets: &Markets, event: &MarketEvent, levels: &[Level]) -> String {
    let name = |symbol| markets.get(symbol).expect("registered").symbol();
    let level = |symbol: SymbolId, level: &Level| {
        let scale = markets.get(symbol).expect("registered").scale;
        format!("{}x{}", scale.price_value(level.price), scale.qty_value(level.qty))
    };
    let side =
        |symbol, levels: &[Level]| levels.iter().map(|l| level(symbol, l)).collect::<Vec<_>>().join(",");
    match event {
        MarketEvent::Book(update) | MarketEvent::TopLevels(update) => format!(
            "{} {} {}..{} at {} bids [{}] asks [{}]",
            match (event, update.kind) {
                (MarketEvent::TopLevels(_), UpdateKind::Snapshot) => "top",
                (_, UpdateKind::Delta) => "delta",
                (_, UpdateKind::Snapshot) => "whole",
            },
            name(update.symbol),
            update.first_seq,
            update.last_seq,
            update.exchange_ts.as_millis(),
            side(update.symbol, update.bids.of(levels)),
            side(update.symbol, update.asks.of(levels)),
        ),
        MarketEvent::BookTicker(ticker) => {
            let best =
                |best: Option<Level>| best.map_or("none".to_owned(), |best| level(ticker.symbol, &best));
            let (symbol, at) = (name(ticker.symbol), ticker.exchange_ts.as_millis());
            format!(
                "best {symbol} {} {} version {:?} at {at}",
                best(ticker.bid),
                best(ticker.ask),
                ticker.seq
            )
        }
        MarketEvent::Trade(trade) => format!(
            "trade {} {} {} at {} id {}",
            name(trade.symbol),
            trade.taker_side,
            level(trade.symbol, &Level { price: trade.price, qty: trade.qty }),
            trade.exchange_ts.as_nanos(),
            trade.trade_id.expect("always there"),
        ),
        MarketEvent::Ticker(ticker) => format!(
            "day {} last {} change {:?} volume {:?} at {}",
            name(ticker.symbol),
            ticker.last,
            ticker.change,
            ticker.volume,
            ticker.as_of.as_millis(),
        ),
        MarketEvent::Kline(kline) => format!(
            "candle {} {} at {} open {} high {} low {} close {} base {} quote {} closed {:?}",
            name(kline.symbol),
            kline.interval,
            kline.open_time.as_secs(),
            kline.open,
            kline.high,
            kline.low,
            kline.close,
            kline.volume,
            kline.quote_volume,
            kline.closed,
        ),
    }
}

/// An order in one line.
pub(crate) fn order_line(markets: &Markets, order: &Order) -> String {
    let some = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    format!(
        "order {} {} {} {} qty {} price {} filled {} for {} fee {} client {} at {}",
        some(order.order_id.map(|id| id.to_string())),
        markets.get(order.symbol).expect("registered").symbol(),
        order.side,
        order.status,
        some(order.qty.map(|qty| qty.to_string())),
        some(order.price.map(|price| price.to_string())),
        order.filled_qty,
        order.filled_notional,
        some(order.fee.map(|(fee, asset)| format!("{fee} {asset}"))),
        some(order.client_id.map(|id| id.to_string())),
        order.as_of.as_millis(),
    )
}

fn account_line(markets: &Markets, event: &AccountEvent) -> String {
    match event {
        AccountEvent::Order(order) => order_line(markets, order),
        AccountEvent::Fill(fill) => format!(
            "fill {} of {} {} {} {} at {} fee {} {} {:?} client {} at {}",
            fill.trade_id,
            fill.order_id,
            markets.get(fill.symbol).expect("registered").symbol(),
            fill.side,
            fill.qty,
            fill.price,
            fill.fee,
            fill.fee_asset,
            fill.liquidity,
            fill.client_id.map_or("-".to_owned(), |id| id.to_string()),
            fill.exchange_ts.as_nanos(),
        ),
        AccountEvent::Balance(balance) => format!(
            "balance {} free {} locked {} at {}",
            balance.asset,
            balance.free,
            balance.locked,
            balance.as_of.as_millis()
        ),
    }
}
