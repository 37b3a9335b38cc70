//! The frames of public channels, each built once and shared by all its readers.

use super::feed::{Feeds, Kind, Scratch, State};
use super::json::{self, Object, Scaled};
use super::{Gateio, candles, public, shape};
use crate::dialect::{ConnId, Frame, Outgoing};
use crate::matching::{Exchange, MarketIndex, PublicTrade};
use cex_core::{Price, Qty, Side, Timestamp};
use std::sync::Arc;

/// A public trade goes out at once.
pub(super) fn trade(
    gateio: &Gateio,
    now: Timestamp,
    exchange: &Exchange,
    market: MarketIndex,
    trade: &PublicTrade,
    out: &mut Outgoing,
) {
    for is_twin in [false, true] {
        let Some(feed) = gateio.feeds.read(Kind::Trades { is_twin }, market) else { continue };
        let mut result = String::with_capacity(256);
        let (pair, rules) = (gateio.names.of(market), exchange.rules(market));
        json::object(&mut result, |row| shape::stream_trade(row, trade, pair, rules));
        send(&feed.readers, &update(now, feed.kind.channel(), &result), out);
    }
}

/// Sends what is due of a feed.
pub(super) fn due(
    gateio: &mut Gateio,
    now: Timestamp,
    exchange: &Exchange,
    index: usize,
    out: &mut Outgoing,
) {
    if gateio.feeds.feeds[index].is_idle() {
        return;
    }
    match gateio.feeds.feeds[index].kind {
        Kind::Trades { .. } => {}
        Kind::BookTicker | Kind::Ticker | Kind::Candles(_) | Kind::Book(..) => {
            send_if_new(gateio, now, exchange, index, out);
        }
        Kind::Update(_) | Kind::Obu(_) => send_changes(gateio, now, exchange, index, out),
    }
}

/// Channels whose every frame is complete: sent when it differs from the last one, and to fresh readers.
fn send_if_new(gateio: &mut Gateio, now: Timestamp, exchange: &Exchange, index: usize, out: &mut Outgoing) {
    let mut result = std::mem::take(&mut gateio.feeds.scratch.result);
    result.clear();
    let (kind, market) = (gateio.feeds.feeds[index].kind, gateio.feeds.feeds[index].market);
    if matches!(kind, Kind::Candles(_)) && exchange.last_price(market).is_none() {
        // Nothing traded yet: new readers wait for the first trade.
        gateio.feeds.scratch.result = result;
        return;
    }
    let mut compared = 0;
    json::object(&mut result, |row| compared = complete(row, gateio, now, exchange, kind, market));
    let feed = &mut gateio.feeds.feeds[index];
    let State::Last(last) = &mut feed.state else { return };
    let is_new = last.as_str() != &result[compared..];
    if is_new {
        last.clear();
        last.push_str(&result[compared..]);
    }
    let frame = update(now, kind.channel(), &result);
    if is_new {
        send(&feed.readers, &frame, out);
    }
    send(&feed.fresh, &frame, out);
    let fresh = std::mem::take(&mut feed.fresh);
    feed.readers.extend(fresh);
    gateio.feeds.scratch.result = result;
}

/// Writes a whole result. Answers from where on it tells something new when it differs from the last one: the leading
/// time and version also move with changes that the channel does not show.
fn complete(
    row: &mut Object<'_>,
    gateio: &Gateio,
    now: Timestamp,
    exchange: &Exchange,
    kind: Kind,
    market: MarketIndex,
) -> usize {
    let rules = exchange.rules(market);
    let (bids, asks) = (|| exchange.bids(market), || exchange.asks(market));
    let head = |row: &mut Object<'_>, version_key| {
        row.plain("t", gateio.feeds.changed_at(market).unwrap_or(now).as_millis());
        row.plain(version_key, exchange.version(market));
        let compared = row.written();
        row.text("s", gateio.names.of(market));
        compared
    };
    match kind {
        Kind::Ticker => {
            let compared = row.written();
            public::ticker(row, gateio, exchange, market, now, false);
            compared
        }
        Kind::Candles(window) => {
            let compared = row.written();
            candles::stream(row, gateio, exchange, market, now, window);
            compared
        }
        Kind::BookTicker => {
            let compared = head(row, "u");
            for (price_key, qty_key, level) in [("b", "B", bids().next()), ("a", "A", asks().next())] {
                let (price, qty) = level.unzip();
                public::maybe(row, price_key, price.map(|price| Scaled(price.0, rules.scale.price_dp())));
                public::maybe(row, qty_key, qty.map(|qty| Scaled(qty.0, rules.scale.qty_dp())));
            }
            compared
        }
        Kind::Book(depth, _) => {
            let compared = head(row, "lastUpdateId");
            row.quoted("l", depth);
            row.array("bids", bids().take(depth.into()), |out, level| shape::level(out, level, rules));
            row.array("asks", asks().take(depth.into()), |out, level| shape::level(out, level, rules));
            compared
        }
        Kind::Trades { .. } | Kind::Update(_) | Kind::Obu(_) => row.written(),
    }
}

/// The incremental channels: `U` continues where the last frame ended, whatever happened in between.
fn send_changes(gateio: &mut Gateio, now: Timestamp, exchange: &Exchange, index: usize, out: &mut Outgoing) {
    let Gateio { names, feeds, .. } = gateio;
    let Feeds { feeds, changed_at, scratch, .. } = feeds;
    let Scratch { bids: changed_bids, asks: changed_asks, result } = scratch;
    let feed = &mut feeds[index];
    let (kind, market) = (feed.kind, feed.market);
    let State::View { bids, asks, version } = &mut feed.state else { return };
    bids.advance(|price| exchange.levels_behind(market, Side::Buy, price), changed_bids);
    asks.advance(|price| exchange.levels_behind(market, Side::Sell, price), changed_asks);
    let rules = exchange.rules(market);
    let changed_at = changed_at[market.0 as usize].unwrap_or(now);
    let head = Head { kind, pair: names.of(market), changed_at };
    let mut build = |first: Option<u64>, last: u64, bids: &[(Price, Qty)], asks: &[(Price, Qty)]| {
        result.clear();
        json::object(result, |row| {
            head.write(row, first, last);
            row.array("b", bids, |out, level| shape::level(out, *level, rules));
            row.array("a", asks, |out, level| shape::level(out, *level, rules));
        });
        update(now, kind.channel(), result)
    };
    if !changed_bids.is_empty() || !changed_asks.is_empty() {
        let first = *version + 1;
        *version = exchange.version(market);
        if !feed.readers.is_empty() {
            send(&feed.readers, &build(Some(first), *version, changed_bids, changed_asks), out);
        }
    }
    if !feed.fresh.is_empty() {
        // The view did not change since `version`, so it may carry that number, and the next frame joins on.
        send(&feed.fresh, &build(None, *version, bids.levels(), asks.levels()), out);
        feed.readers.append(&mut feed.fresh);
    }
}

/// The keys before the levels.
struct Head<'a> {
    kind: Kind,
    pair: &'a str,
    changed_at: Timestamp,
}

impl Head<'_> {
    /// `first` is absent on a complete frame.
    fn write(&self, row: &mut Object<'_>, first: Option<u64>, last: u64) {
        row.plain("t", self.changed_at.as_millis());
        if first.is_none() {
            row.plain("full", true);
        }
        if let Kind::Obu(depth) = self.kind {
            row.text("s", &format!("ob.{}.{depth}", self.pair));
        } else {
            row.quoted("l", self.kind.depth());
            row.quoted("e", "depthUpdate");
            row.plain("E", self.changed_at.as_secs());
            row.text("s", self.pair);
        }
        if let Some(first) = first {
            row.plain("U", first);
        }
        row.plain("u", last);
    }
}

/// A frame with a result.
pub(super) fn update(now: Timestamp, channel: &str, result: &str) -> Arc<str> {
    let mut frame = String::with_capacity(result.len() + 96);
    json::object(&mut frame, |row| {
        row.plain("time", now.as_secs());
        row.plain("time_ms", now.as_millis());
        row.quoted("channel", channel);
        row.quoted("event", "update");
        row.plain("result", result);
    });
    frame.into()
}

fn send(readers: &[ConnId], frame: &Arc<str>, out: &mut Outgoing) {
    out.extend(readers.iter().map(|reader| (*reader, Frame::Shared(Arc::clone(frame)))));
}
