//! Public frames to market events, and the public rows that answers and streams share.

use crate::depth::{DepthReader, Frame, Malformed};
use crate::order::side;
use crate::session::News;
use crate::wire::{
    BookTickerRow, CandleRow, Fault, Scalar, TickerRow, TopLevelsRow, TradeRow, optional, part, text, time,
};
use cex_core::{
    BookTicker, BookUpdate, Decimal, Kline, KlineInterval, Level, LevelRange, LinkEvent, Market, MarketEvent,
    Markets, Qty, SymbolId, Ticker, Timestamp, Trade, TradeId, UpdateKind, VenueId,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::Outbox;
use std::sync::Arc;

/// Decodes frames of every market it knows.
pub(crate) struct MarketDecoder {
    venue: VenueId,
    markets: Arc<Markets>,
    depth: DepthReader,
}

/// An event, or none for what is not ours to tell.
type Read = Result<Option<MarketEvent>, Malformed>;

impl MarketDecoder {
    pub(crate) fn new(venue: VenueId, markets: Arc<Markets>) -> Self {
        Self { venue, markets, depth: DepthReader::new() }
    }

    /// Decodes a book frame of the usual form; `false` when it is something else, whatever that may be.
    #[inline]
    pub(crate) fn usual_book(&self, frame: &[u8], out: &mut Outbox) -> bool {
        match self.depth.usual(&self.markets, frame, &mut out.levels) {
            Some(update) => {
                out.market.push(MarketEvent::Book(update));
                true
            }
            None => false,
        }
    }

    /// Decodes news of any public channel. Channels nobody subscribes to are passed over.
    pub(crate) fn news(&self, frame: &[u8], news: &News<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        let read = match news.channel.as_str() {
            "spot.order_book_update" | "spot.obu" => self.book(frame, out),
            "spot.order_book" => self.top_levels(news, &mut out.levels),
            // The second is an old name of the first (GATEIO-WS-17).
            "spot.trades" | "spot.trades_v2" => self.trade(news),
            "spot.book_ticker" => self.book_ticker(news),
            "spot.tickers" => self.ticker(news),
            "spot.candlesticks" => self.candle(news),
            _ => Ok(None),
        };
        match read {
            Ok(event) => {
                out.market.extend(event);
                Ok(())
            }
            Err(Malformed { symbol, fault }) => {
                out.link.push(LinkEvent::Undecodable { symbol });
                Err(ExchangeError::new(self.venue, Op::Stream, ErrorKind::Undecodable(fault)))
            }
        }
    }

    fn book(&self, frame: &[u8], out: &mut Outbox) -> Read {
        match self.depth.any(&self.markets, frame, &mut out.levels)? {
            Frame::Update(update) => Ok(Some(MarketEvent::Book(update))),
            Frame::Foreign | Frame::Other => Ok(None),
        }
    }

    fn top_levels(&self, news: &News<'_>, levels: &mut Vec<Level>) -> Read {
        let row: TopLevelsRow<'_> = part(&news.result).map_err(nameless)?;
        let Some(market) = self.market(&row.s) else { return Ok(None) };
        let mark = levels.len();
        let update = top_levels(market, &row, levels).map_err(|fault| {
            levels.truncate(mark);
            of(market, fault)
        })?;
        Ok(Some(MarketEvent::TopLevels(update)))
    }

    fn trade(&self, news: &News<'_>) -> Read {
        let row: TradeRow<'_> = part(&news.result).map_err(nameless)?;
        let Some(market) = self.market(&row.currency_pair) else { return Ok(None) };
        trade(market, &row).map(|trade| Some(MarketEvent::Trade(trade))).map_err(|fault| of(market, fault))
    }

    fn book_ticker(&self, news: &News<'_>) -> Read {
        let row: BookTickerRow<'_> = part(&news.result).map_err(nameless)?;
        let Some(market) = self.market(&row.s) else { return Ok(None) };
        book_ticker(market, &row)
            .map(|ticker| Some(MarketEvent::BookTicker(ticker)))
            .map_err(|fault| of(market, fault))
    }

    fn ticker(&self, news: &News<'_>) -> Read {
        let row: TickerRow<'_> = part(&news.result).map_err(nameless)?;
        let Some(market) = self.market(&row.currency_pair) else { return Ok(None) };
        let ticker = ticker(market.id, &row, news.sent_at).map_err(|fault| of(market, fault))?;
        Ok(ticker.map(|ticker| MarketEvent::Ticker(Box::new(ticker))))
    }

    fn candle(&self, news: &News<'_>) -> Read {
        let row: CandleRow<'_> = part(&news.result).map_err(nameless)?;
        let Some((interval, native)) = row.n.as_str().split_once('_') else { return Ok(None) };
        let (Some(interval), Some(market)) =
            (interval_of(interval), self.markets.by_native(native.as_bytes()))
        else {
            return Ok(None);
        };
        let kline = candle(market.id, interval, &row).map_err(|fault| of(market, fault))?;
        Ok(kline.map(|kline| MarketEvent::Kline(Box::new(kline))))
    }

    fn market(&self, native: &Scalar<'_>) -> Option<&Market> {
        self.markets.by_native(native.as_str().as_bytes())
    }
}

fn nameless(fault: Fault) -> Malformed {
    Malformed { symbol: None, fault }
}

fn of(market: &Market, fault: Fault) -> Malformed {
    Malformed { symbol: Some(market.id), fault }
}

/// The exchange's spelling of a candle's length on the streams (GATEIO-WS-27).
pub(crate) const fn interval_name(interval: KlineInterval) -> &'static str {
    match interval {
        KlineInterval::Sec10 => "10s",
        KlineInterval::Min1 => "1m",
        KlineInterval::Min5 => "5m",
        KlineInterval::Min15 => "15m",
        KlineInterval::Min30 => "30m",
        KlineInterval::Hour1 => "1h",
        KlineInterval::Hour4 => "4h",
        KlineInterval::Hour8 => "8h",
        KlineInterval::Hour12 => "12h",
        KlineInterval::Day1 => "1d",
        KlineInterval::Week1 => "7d",
        KlineInterval::Month1 => "30d",
    }
}

fn interval_of(name: &str) -> Option<KlineInterval> {
    use KlineInterval::{Day1, Hour1, Hour4, Hour8, Hour12, Min1, Min5, Min15, Min30, Month1, Sec10, Week1};
    [Sec10, Min1, Min5, Min15, Min30, Hour1, Hour4, Hour8, Hour12, Day1, Week1, Month1]
        .into_iter()
        .find(|interval| interval_name(*interval) == name)
}

/// A public trade; its side is the taker's (GATEIO-WS-17).
pub(crate) fn trade(market: &Market, row: &TradeRow<'_>) -> Result<Trade, Fault> {
    Ok(Trade {
        symbol: market.id,
        trade_id: Some(TradeId::new(row.id.as_str()).map_err(|_| "trade id")?),
        taker_side: side(row.side.as_str())?,
        price: market.scale.parse_price(row.price.as_str().as_bytes()).map_err(|_| "price of a trade")?,
        qty: market.scale.parse_qty(row.amount.as_str().as_bytes()).map_err(|_| "amount of a trade")?,
        exchange_ts: time(row.create_time_ms.as_ref(), row.create_time.as_ref()),
    })
}

/// A best level; an empty side is empty texts (GATEIO-WS-16). Lists of all pairs have
/// no amounts (GATEIO-REST-15); the level then claims none, so that depth is never overstated.
pub(crate) fn best(
    market: &Market,
    price: Option<&Scalar<'_>>,
    amount: Option<&Scalar<'_>>,
) -> Result<Option<Level>, Fault> {
    if text(price).is_empty() {
        return Ok(None);
    }
    let price = market.scale.parse_price(text(price).as_bytes()).map_err(|_| "best price")?;
    let qty = match text(amount) {
        "" => Qty::ZERO,
        amount => market.scale.parse_qty(amount.as_bytes()).map_err(|_| "best amount")?,
    };
    Ok(Some(Level { price, qty }))
}

/// The best levels of a book, whole (GATEIO-WS-26). The levels are appended, bids first.
fn top_levels(market: &Market, row: &TopLevelsRow<'_>, levels: &mut Vec<Level>) -> Result<BookUpdate, Fault> {
    let seq = row.last_update_id.integer()?;
    let mut append = |rows: &[(Scalar<'_>, Scalar<'_>)]| {
        let index = |at: usize| u32::try_from(at).map_err(|_| "too many levels");
        let start = index(levels.len())?;
        for (price, qty) in rows {
            levels.push(level(market, price, qty)?);
        }
        Ok::<_, Fault>(LevelRange { start, end: index(levels.len())? })
    };
    let (bids, asks) = (append(&row.bids)?, append(&row.asks)?);
    let exchange_ts = time(row.t.as_ref(), None);
    let kind = UpdateKind::Snapshot;
    Ok(BookUpdate { symbol: market.id, kind, first_seq: seq, last_seq: seq, exchange_ts, bids, asks })
}

/// A level as lists and snapshots have it.
pub(crate) fn level(market: &Market, price: &Scalar<'_>, qty: &Scalar<'_>) -> Result<Level, Fault> {
    Ok(Level {
        price: market.scale.parse_price(price.as_str().as_bytes()).map_err(|_| "price of a level")?,
        qty: market.scale.parse_qty(qty.as_str().as_bytes()).map_err(|_| "quantity of a level")?,
    })
}

fn book_ticker(market: &Market, row: &BookTickerRow<'_>) -> Result<BookTicker, Fault> {
    Ok(BookTicker {
        symbol: market.id,
        bid: best(market, row.b.as_ref(), row.bid_amount.as_ref())?,
        ask: best(market, row.a.as_ref(), row.ask_amount.as_ref())?,
        seq: row.u.as_ref().map(Scalar::integer).transpose()?,
        exchange_ts: time(row.t.as_ref(), None),
    })
}

/// Day statistics (GATEIO-WS-18); `None` for a pair that never traded (GATEIO-REST-15).
pub(crate) fn ticker(
    symbol: SymbolId,
    row: &TickerRow<'_>,
    as_of: Timestamp,
) -> Result<Option<Ticker>, Fault> {
    let Some(last) = optional(row.last.as_ref())? else { return Ok(None) };
    let percent = optional(row.change_percentage.as_ref())?;
    Ok(Some(Ticker {
        symbol,
        last,
        last_qty: None,
        open: None,
        high: optional(row.high_24h.as_ref())?,
        low: optional(row.low_24h.as_ref())?,
        prev_close: None,
        bid: optional(row.highest_bid.as_ref())?,
        bid_qty: optional(row.highest_size.as_ref())?,
        ask: optional(row.lowest_ask.as_ref())?,
        ask_qty: optional(row.lowest_size.as_ref())?,
        volume: optional(row.base_volume.as_ref())?,
        quote_volume: optional(row.quote_volume.as_ref())?,
        change: percent.map(|percent| Decimal::new(percent.mantissa(), percent.dp() + 2)),
        open_time: None,
        as_of,
    }))
}

/// A candle of the stream: `v` is quote, `a` is base (GATEIO-WS-19). Old recordings lack `a`, and a candle
/// without its volume is none.
fn candle(symbol: SymbolId, interval: KlineInterval, row: &CandleRow<'_>) -> Result<Option<Kline>, Fault> {
    let Some(volume) = optional(row.a.as_ref())? else { return Ok(None) };
    Ok(Some(Kline {
        symbol,
        interval,
        open_time: time(None, Some(&row.t)),
        open: row.o.decimal()?,
        high: row.h.decimal()?,
        low: row.l.decimal()?,
        close: row.c.decimal()?,
        volume,
        quote_volume: row.v.decimal()?,
        closed: row.w.as_ref().map(|closed| closed.as_str() == "true"),
    }))
}
