//! What the exchange streams, what its channels are called, and how wishes spread over connections.

use crate::config::{BookTickerChannel, DepthInterval, Settings};
use crate::control::{Channel, MESSAGES_PER_SECOND};
use crate::depth::channel_prefix;
use crate::limits;
use crate::market::MarketLink;
use cex_core::{Continuity, KlineInterval, Market, Markets, SnapshotSource, StreamKind, SymbolId, SyncRule};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{BookStream, Capabilities, Link, Subscription, connections_for};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A message may reach back over what the book already knows, so ranges may overlap; a snapshot's version often falls
/// inside one (MEXC-BOOK-01, MEXC-BOOK-02).
const SYNC: SyncRule = SyncRule {
    snapshot: SnapshotSource::Rest { depth: 1_000 },
    continuity: Continuity::Overlapping,
    depth: None,
};

const FAST: BookStream = BookStream { name: "aggre@10ms", interval: Duration::from_millis(10), sync: SYNC };
const SLOW: BookStream = BookStream { name: "aggre@100ms", interval: Duration::from_millis(100), sync: SYNC };

/// Candles as the stream spells them; unlike the request interface it has eight hours (MEXC-WS-16).
const KLINES: [(KlineInterval, &str); 10] = [
    (KlineInterval::Min1, "Min1"),
    (KlineInterval::Min5, "Min5"),
    (KlineInterval::Min15, "Min15"),
    (KlineInterval::Min30, "Min30"),
    (KlineInterval::Hour1, "Min60"),
    (KlineInterval::Hour4, "Hour4"),
    (KlineInterval::Hour8, "Hour8"),
    (KlineInterval::Day1, "Day1"),
    (KlineInterval::Week1, "Week1"),
    (KlineInterval::Month1, "Month1"),
];

/// Every public stream (MEXC-WS-12, MEXC-WS-14 to MEXC-WS-17).
const STREAMS: [StreamKind; 17] = [
    StreamKind::Book,
    StreamKind::BookTicker,
    StreamKind::Trades,
    StreamKind::Ticker,
    StreamKind::TopLevels(5),
    StreamKind::TopLevels(10),
    StreamKind::TopLevels(20),
    StreamKind::Klines(KlineInterval::Min1),
    StreamKind::Klines(KlineInterval::Min5),
    StreamKind::Klines(KlineInterval::Min15),
    StreamKind::Klines(KlineInterval::Min30),
    StreamKind::Klines(KlineInterval::Hour1),
    StreamKind::Klines(KlineInterval::Hour4),
    StreamKind::Klines(KlineInterval::Hour8),
    StreamKind::Klines(KlineInterval::Day1),
    StreamKind::Klines(KlineInterval::Week1),
    StreamKind::Klines(KlineInterval::Month1),
];

/// From so many tickers on one channel carries those of all symbols, which is one subscription instead of as many as a
/// connection takes (MEXC-WS-17).
pub(crate) const ALL_TICKERS_FROM: usize = limits::SUBSCRIPTIONS_PER_CONNECTION;

/// The channel of every symbol's ticker, over a day that ends now.
const ALL_TICKERS: &str = "spot@public.miniTickers.v3.api.pb@24H";

/// What the exchange can do (MEXC-REST-17, MEXC-REST-20, MEXC-REST-21, MEXC-WS-02). The configured speed comes first.
pub(crate) fn capabilities(settings: &Settings) -> Capabilities {
    Capabilities {
        books: match settings.depth_interval {
            DepthInterval::Ms10 => &[FAST, SLOW],
            DepthInterval::Ms100 => &[SLOW, FAST],
        },
        public_streams: &STREAMS,
        subscriptions_per_connection: limits::SUBSCRIPTIONS_PER_CONNECTION,
        connections: settings.connections_max,
        messages_per_second: Some(MESSAGES_PER_SECOND),
        connection_lifetime: Some(Duration::from_secs(24 * 3_600)),
        announces_end: false,
        open_orders_of: Some(limits::OPEN_ORDERS_OF),
        place_batch: Some(limits::PLACE_BATCH),
        cancel_batch: None,
        orders_page: limits::ORDERS_PAGE,
        fills_page: limits::FILLS_PAGE,
        amend: false,
        order_entry: false,
        test_order: true,
        dead_man_switch: false,
        order_history: true,
        assets: true,
        market_orders: true,
        placement_tells_state: false,
        cancel_tells_state: false,
        client_id_len: 32,
    }
}

/// Links that carry these streams, as few as can be and evenly filled. A subscription named twice is made once.
pub(crate) fn links(
    settings: &Settings,
    markets: &Arc<Markets>,
    wanted: &[Subscription],
) -> Result<Vec<Box<dyn Link>>, ExchangeError> {
    let error = |kind| ExchangeError::new(settings.venue, Op::Subscribe, kind);
    let channels = channels(settings, markets, wanted).map_err(error)?;
    let (each, most) = (limits::SUBSCRIPTIONS_PER_CONNECTION, settings.connections_max);
    let links = connections_for(channels.len(), each, most).map_err(|sentence| {
        let mut error = error(ErrorKind::InvalidInput("more subscriptions than the connections carry"));
        error.message = Some(sentence.into_boxed_str());
        error
    })?;
    let each = channels.len().div_ceil(links.max(1)).max(1);
    let link = |(index, part): (usize, &[Channel])| {
        Box::new(MarketLink::new(settings, Arc::clone(markets), index + 1, part.to_vec())) as Box<dyn Link>
    };
    Ok(channels.chunks(each).enumerate().map(link).collect())
}

fn channels(
    settings: &Settings,
    markets: &Markets,
    wanted: &[Subscription],
) -> Result<Vec<Channel>, ErrorKind> {
    let mut seen = BTreeSet::new();
    let mut tickers = Vec::new();
    let mut channels = Vec::with_capacity(wanted.len());
    for Subscription { symbol, stream } in
        wanted.iter().filter(|wish| seen.insert((wish.symbol, wish.stream)))
    {
        let market = markets.get(*symbol).ok_or(ErrorKind::InvalidInput("symbol is not registered"))?;
        let channel = channel(settings, market, *stream)?;
        if *stream == StreamKind::Ticker { tickers.push(channel) } else { channels.push(channel) }
    }
    if tickers.len() < ALL_TICKERS_FROM {
        channels.append(&mut tickers);
    } else {
        let symbols = tickers.into_iter().flat_map(|channel| channel.symbols).collect();
        channels.push(Channel { name: ALL_TICKERS.to_owned(), symbols, stream: StreamKind::Ticker });
    }
    Ok(channels)
}

/// The channel of a stream (MEXC-WS-12). Symbols are sent as raw UTF-8, so one that would need escaping in JSON
/// cannot be asked for.
fn channel(settings: &Settings, market: &Market, stream: StreamKind) -> Result<Channel, ErrorKind> {
    let native = market.native();
    if native.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | ',' | '@' | '[' | ']')) {
        return Err(ErrorKind::InvalidSymbol);
    }
    if !STREAMS.contains(&stream) {
        return Err(ErrorKind::Unsupported);
    }
    let speed = settings.depth_interval.as_str();
    let name = match stream {
        StreamKind::Book => format!("{}{native}", channel_prefix(settings.depth_interval)),
        StreamKind::BookTicker => match settings.book_ticker {
            BookTickerChannel::Aggregated => {
                format!("spot@public.aggre.bookTicker.v3.api.pb@{speed}@{native}")
            }
            BookTickerChannel::Batch => format!("spot@public.bookTicker.batch.v3.api.pb@{native}"),
        },
        StreamKind::Trades => format!("spot@public.aggre.deals.v3.api.pb@{speed}@{native}"),
        StreamKind::Ticker => format!("spot@public.miniTicker.v3.api.pb@{native}@24H"),
        StreamKind::TopLevels(depth) => format!("spot@public.limit.depth.v3.api.pb@{native}@{depth}"),
        StreamKind::Klines(interval) => {
            let name = interval_name(interval).ok_or(ErrorKind::Unsupported)?;
            format!("spot@public.kline.v3.api.pb@{native}@{name}")
        }
        StreamKind::Account => return Err(ErrorKind::Unsupported),
    };
    Ok(Channel { name, symbols: vec![market.id], stream })
}

fn interval_name(interval: KlineInterval) -> Option<&'static str> {
    KLINES.iter().find(|(known, _)| *known == interval).map(|(_, name)| *name)
}

/// The length of candle the stream calls so.
pub(crate) fn interval_of(name: &str) -> Option<KlineInterval> {
    KLINES.iter().find(|(_, known)| *known == name).map(|(interval, _)| *interval)
}

/// The subscriptions a set of channels carries.
pub(crate) fn subscriptions(channels: &[Channel]) -> Vec<Subscription> {
    let of = |channel: &Channel| {
        let stream = channel.stream;
        channel
            .symbols
            .iter()
            .map(move |symbol: &SymbolId| Subscription { symbol: *symbol, stream })
            .collect::<Vec<_>>()
    };
    channels.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests;
