//! The frames of public channels.

use super::window::Window;
use super::{Feed, Source, State, Step, Top};
use crate::dialect::bars::Bar;
use crate::dialect::json::Scaled;
use crate::dialect::mexc::channel::Topic;
use crate::dialect::mexc::frame::FrameWriter;
use crate::dialect::mexc::ids::{TradeId, symbol_id};
use crate::dialect::mexc::klines::Interval;
use crate::dialect::mexc::{shape, tickers};
use crate::matching::{MarketIndex, PublicTrade};
use bytes::Bytes;
use cex_core::{Decimal, Price, Qty, Scale, Side, Timestamp};
use cex_proto::mexc::{
    PublicMiniTicker, PublicSpotKline, PushDataV3ApiWrapper, push_data_v3_api_wrapper as wrapper,
};
use prost::Message as _;

/// Numbers of the bodies within the wrapper.
const LIMIT_DEPTHS: u32 = 303;
const TICKER_BATCH: u32 = 311;
const INCREASE_DEPTHS_BATCH: u32 = 312;
const AGGRE_DEPTHS: u32 = 313;
const AGGRE_DEALS: u32 = 314;
const AGGRE_BOOK_TICKER: u32 = 315;

/// Most changes in a frame of single changes.
const STEPS_MOST: usize = 5;

/// What the bodies of a market have in common.
#[derive(Debug, Clone, Copy)]
struct Look {
    scale: Scale,
    event_type: &'static str,
    /// The newest event in milliseconds, and whether it and the other fields of June 2026 are written.
    newest: i64,
    june_2026: bool,
}

/// Builds the frame of a feed from what it gathered; nothing when there is nothing new.
pub(super) fn build(
    writer: &mut FrameWriter,
    now: Timestamp,
    source: Source<'_>,
    market: MarketIndex,
    feed: &mut Feed,
    june_2026: bool,
) -> Option<Bytes> {
    let exchange = source.exchange;
    let look = Look {
        scale: exchange.rules(market).scale,
        event_type: feed.topic.event_type(),
        newest: feed.changed_at.as_millis(),
        june_2026,
    };
    writer.begin(&feed.name, source.listings.name(market), now.as_millis());
    match &mut feed.state {
        State::Changes(window) => {
            let versions = window.versions()?;
            writer.message(AGGRE_DEPTHS, |body| look.depth(body, window, versions));
            window.clear();
        }
        State::Steps(steps) if steps.is_empty() => return None,
        State::Steps(steps) => {
            let count = steps.len().min(STEPS_MOST);
            writer.message(INCREASE_DEPTHS_BATCH, |body| look.steps(body, steps.drain(..count)));
        }
        State::Trades(trades) => {
            writer.message(AGGRE_DEALS, |body| look.deals(body, trades));
            trades.clear();
        }
        State::Top(sent) => {
            let top: Top = [exchange.bids(market).next(), exchange.asks(market).next()];
            if sent.replace(top) == Some(top) {
                return None;
            }
            look.top(writer, feed.topic, &top, exchange.version(market));
        }
        State::Book => writer.message(LIMIT_DEPTHS, |body| look.book(body, source, market, feed.topic)),
        State::Bars => return bars(now, source, market, feed),
    }
    Some(writer.finish())
}

impl Look {
    fn level(self, body: &mut FrameWriter, field: u32, (price, qty): (Price, Qty)) {
        body.message(field, |level| {
            level.decimal(1, price.0, self.scale.price_dp());
            level.decimal(2, qty.0, self.scale.qty_dp());
        });
    }

    fn newest(self, body: &mut FrameWriter, field: u32) {
        if self.june_2026 {
            body.number(field, self.newest);
        }
    }

    fn depth(self, body: &mut FrameWriter, window: &mut Window, (first, last): (u64, u64)) {
        window.levels(Side::Sell).for_each(|level| self.level(body, 1, level));
        window.levels(Side::Buy).for_each(|level| self.level(body, 2, level));
        body.text(3, self.event_type);
        version(body, 4, first);
        version(body, 5, last);
        self.newest(body, 6);
    }

    fn steps(self, body: &mut FrameWriter, steps: impl Iterator<Item = Step>) {
        for (version_after, side, price, qty) in steps {
            body.message(1, |item| {
                let field = if side == Side::Sell { 1 } else { 2 };
                self.level(item, field, (price, qty));
                item.text(3, self.event_type);
                version(item, 4, version_after);
            });
        }
        body.text(2, self.event_type);
    }

    fn deals(self, body: &mut FrameWriter, trades: &[PublicTrade]) {
        for trade in trades {
            body.message(1, |deal| {
                deal.decimal(1, trade.price.0, self.scale.price_dp());
                deal.decimal(2, trade.qty.0, self.scale.qty_dp());
                deal.number(3, i64::from(shape::side_number(trade.taker)));
                deal.number(4, trade.at.as_millis());
                if self.june_2026 {
                    deal.shown(5, TradeId::public(trade.trade));
                }
            });
        }
        body.text(2, self.event_type);
    }

    fn top(self, writer: &mut FrameWriter, topic: Topic, top: &Top, book_version: u64) {
        let is_batch = topic == Topic::TickerBatch;
        let (number, version_field) = if is_batch { (TICKER_BATCH, 2) } else { (AGGRE_BOOK_TICKER, 5) };
        writer.message(number, |body| {
            if is_batch {
                body.message(1, |item| self.best(item, top));
            } else {
                self.best(body, top);
            }
            if self.june_2026 {
                version(body, version_field, book_version);
            }
            self.newest(body, version_field + 1);
        });
    }

    /// Fields 1 to 4; a side without orders is absent.
    fn best(self, body: &mut FrameWriter, top: &Top) {
        for (field, level) in [(1, top[0]), (3, top[1])] {
            if let Some((price, qty)) = level {
                body.decimal(field, price.0, self.scale.price_dp());
                body.decimal(field + 1, qty.0, self.scale.qty_dp());
            }
        }
    }

    fn book(self, body: &mut FrameWriter, source: Source<'_>, market: MarketIndex, topic: Topic) {
        let levels = match topic {
            Topic::LimitDepth(levels) => usize::from(levels),
            Topic::Depth(_)
            | Topic::DepthSteps
            | Topic::Deals(_)
            | Topic::BookTicker(_)
            | Topic::TickerBatch
            | Topic::MiniTicker(_)
            | Topic::Kline(_) => 0,
        };
        source.exchange.asks(market).take(levels).for_each(|level| self.level(body, 1, level));
        source.exchange.bids(market).take(levels).for_each(|level| self.level(body, 2, level));
        body.text(3, self.event_type);
        version(body, 4, source.exchange.version(market));
        self.newest(body, 5);
    }
}

/// Versions are texts.
fn version(body: &mut FrameWriter, field: u32, version: u64) {
    body.decimal(field, version.cast_signed(), 0);
}

/// Channels made from bars; nothing before the first trade.
fn bars(now: Timestamp, source: Source<'_>, market: MarketIndex, feed: &Feed) -> Option<Bytes> {
    let bars = source.bars.get(market.0 as usize)?;
    let (scale, symbol) = (source.exchange.rules(market).scale, source.listings.name(market));
    let mut frame = PushDataV3ApiWrapper {
        channel: feed.name.clone(),
        symbol: Some(symbol.to_owned()),
        ..Default::default()
    };
    match feed.topic {
        Topic::MiniTicker(_) => {
            frame.send_time = Some(now.as_millis());
            frame.body = Some(wrapper::Body::PublicMiniTicker(mini_ticker(symbol, scale, &bars.day(now)?)));
        }
        Topic::Kline(interval) => {
            frame.symbol_id = Some(symbol_id(symbol));
            frame.create_time = Some(now.as_millis());
            let bar = interval.current(bars)?;
            frame.body = Some(wrapper::Body::PublicSpotKline(kline(interval, scale, &bar)));
        }
        Topic::Depth(_)
        | Topic::DepthSteps
        | Topic::Deals(_)
        | Topic::BookTicker(_)
        | Topic::TickerBatch
        | Topic::LimitDepth(_) => return None,
    }
    Some(frame.encode_to_vec().into())
}

/// What happened in a day in a market.
pub(super) fn mini_ticker(symbol: &str, scale: Scale, day: &Bar) -> PublicMiniTicker {
    let price = |price: Price| Scaled(price.0, scale.price_dp()).to_string();
    let rate = tickers::rate(Some(day)).to_string();
    PublicMiniTicker {
        symbol: symbol.to_owned(),
        price: price(day.close),
        rate: rate.clone(),
        zoned_rate: rate.clone(),
        high: price(day.high),
        low: price(day.low),
        // Named the other way round on purpose: that is how the exchange is.
        volume: Decimal::new(day.quote, scale.price_dp() + scale.qty_dp()).to_string(),
        quantity: Decimal::new(day.base, scale.qty_dp()).to_string(),
        last_close_rate: rate.clone(),
        last_close_zoned_rate: rate,
        last_close_high: price(day.high),
        last_close_low: price(day.low),
    }
}

/// Its times are seconds, unlike all others.
fn kline(interval: Interval, scale: Scale, bar: &Bar) -> PublicSpotKline {
    let price = |price: Price| Scaled(price.0, scale.price_dp()).to_string();
    PublicSpotKline {
        interval: interval.stream_name().to_owned(),
        window_start: bar.start,
        opening_price: price(bar.open),
        closing_price: price(bar.close),
        highest_price: price(bar.high),
        lowest_price: price(bar.low),
        volume: Decimal::new(bar.base, scale.qty_dp()).to_string(),
        amount: Decimal::new(bar.quote, scale.price_dp() + scale.qty_dp()).to_string(),
        window_end: interval.end_of(bar.start),
    }
}
