//! WebSocket requests: reading the envelope, subscribing, answering.

use super::body::Fields;
use super::candles::Window;
use super::feed::{Kind, Period};
use super::json;
use super::names::Names;
use super::private::{self, Channel};
use super::trading;
use super::{Gateio, hex_id};
use crate::dialect::{ConnId, Frame, Outgoing};
use crate::matching::{Exchange, MarketIndex};
use cex_core::Timestamp;
use sonic_rs::{JsonType, JsonValueTrait as _, LazyValue};

/// A request whose envelope could be read.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Seconds, as sent: it is part of what is signed.
    pub(super) time: i64,
    /// Echoed as it came, a number or a text.
    id: Option<&'a str>,
    /// Name of the channel.
    pub(super) channel: &'a str,
    /// `subscribe`, `unsubscribe`, or something else.
    pub(super) event: &'a str,
    /// Echoed as it came.
    payload: Option<&'a str>,
    /// The texts of the payload; `None` when it is absent, an error when it is something else.
    pub(super) words: Result<Option<Vec<String>>, NotWords>,
    /// Who signs, for private channels.
    pub(super) auth: Option<&'a LazyValue<'a>>,
}

/// A payload that is not a list of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotWords;

/// An error on a stream: a number and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamError {
    code: u8,
    message: String,
}

impl StreamError {
    /// A bad argument.
    pub(super) fn argument(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// Who are you? The text is the JSON a REST call would get.
    pub(super) fn auth(refusal: &super::refusal::Refusal) -> Self {
        Self { code: AUTH, message: refusal.body() }
    }
}

/// Channels that need no signature.
const PUBLIC: [&str; 8] = [
    "spot.candlesticks",
    "spot.trades",
    "spot.trades_v2",
    "spot.book_ticker",
    "spot.tickers",
    "spot.order_book_update",
    "spot.order_book",
    "spot.obu",
];

/// The code of errors of authorization.
const AUTH: u8 = 4;

/// What a subscription is about.
enum Topic {
    Public(Vec<(Kind, MarketIndex)>),
    Private(private::Topic),
}

/// Takes in a text message.
pub(super) fn message(
    gateio: &mut Gateio,
    now: Timestamp,
    exchange: &mut Exchange,
    conn: ConnId,
    text: &str,
    out: &mut Outgoing,
) {
    let Some(fields) = Fields::parse(text.as_bytes()) else { return out.push((conn, malformed(now))) };
    let Some(request) = envelope(&fields) else { return out.push((conn, malformed(now))) };
    if request.channel == "spot.ping" {
        return out.push((conn, pong(now)));
    }
    if request.event == "api" {
        return trading::message(gateio, now, exchange, conn, (request.channel, request.payload), out);
    }
    let done = handle(gateio, now, exchange, conn, &request);
    out.push((conn, answer(gateio, now, conn, &request, done.err().as_ref())));
}

/// Everything is checked before anything is subscribed: one bad element fails the whole request.
fn handle(
    gateio: &mut Gateio,
    now: Timestamp,
    exchange: &Exchange,
    conn: ConnId,
    request: &Request<'_>,
) -> Result<(), StreamError> {
    if let Some(refused) = gateio.refused.as_deref()
        && request.event == "subscribe"
    {
        return Err(StreamError::argument(format!("unknown currency pair: {refused}")));
    }
    let topic = topic(&gateio.names, request)?;
    let joins = match request.event {
        "subscribe" => true,
        "unsubscribe" => false,
        other => return Err(StreamError::argument(format!("unknown event: {other}"))),
    };
    match topic {
        Topic::Private(topic) if joins => private::subscribe(gateio, now, exchange, conn, request, topic),
        Topic::Private(topic) => {
            private::unsubscribe(gateio, conn, &topic);
            Ok(())
        }
        Topic::Public(feeds) if joins => {
            refuse_twice(gateio, conn, &feeds)?;
            for (kind, market) in feeds {
                gateio.feeds.join(now, exchange, kind, market, conn);
            }
            Ok(())
        }
        Topic::Public(feeds) => {
            for (kind, market) in feeds {
                gateio.feeds.leave(kind, market, conn);
            }
            Ok(())
        }
    }
}

/// A second subscription is harmless on every channel but this one.
fn refuse_twice(gateio: &Gateio, conn: ConnId, feeds: &[(Kind, MarketIndex)]) -> Result<(), StreamError> {
    for (position, (kind, market)) in feeds.iter().enumerate() {
        let Kind::Obu(depth) = kind else { continue };
        if gateio.feeds.is_read_by(*kind, *market, conn) || feeds[..position].contains(&(*kind, *market)) {
            return Err(StreamError::argument(format!("Alert sub ob.{}.{depth}", gateio.names.of(*market))));
        }
    }
    Ok(())
}

fn topic(names: &Names, request: &Request<'_>) -> Result<Topic, StreamError> {
    let private = Channel::parse(request.channel);
    if private.is_none() && !PUBLIC.contains(&request.channel) {
        return Err(StreamError::argument(format!("unknown channel: {}", request.channel)));
    }
    let not_words = |NotWords| StreamError::argument("payload must be an array of strings");
    let all = request.words.as_ref().map_err(|error| not_words(*error))?.as_deref().unwrap_or_default();
    let words: Vec<&str> = all.iter().map(String::as_str).collect();
    if let Some(channel) = private {
        return private::topic(names, channel, &words).map(Topic::Private);
    }
    let feeds = match (request.channel, words.as_slice()) {
        ("spot.trades", pairs) => each(names, pairs, Kind::Trades { is_twin: false })?,
        ("spot.trades_v2", pairs) => each(names, pairs, Kind::Trades { is_twin: true })?,
        ("spot.book_ticker", pairs) => each(names, pairs, Kind::BookTicker)?,
        ("spot.tickers", pairs) => each(names, pairs, Kind::Ticker)?,
        ("spot.candlesticks", [interval, pair]) => {
            let window = Window::streamed(interval);
            let window =
                window.ok_or_else(|| StreamError::argument(format!("invalid interval: {interval}")))?;
            vec![(Kind::Candles(window), market(names, pair)?)]
        }
        ("spot.order_book_update", [pair, interval]) => {
            vec![(Kind::Update(interval_of(interval, &[Period::Ms20, Period::Ms100])?), market(names, pair)?)]
        }
        ("spot.order_book", [pair, level, interval]) => {
            let depth = level.parse().ok().filter(|depth| [1, 5, 10, 20, 30, 50, 100].contains(depth));
            let depth = depth.ok_or_else(|| StreamError::argument(format!("invalid level: {level}")))?;
            let interval = interval_of(interval, &[Period::Ms100, Period::Ms1000])?;
            vec![(Kind::Book(depth, interval), market(names, pair)?)]
        }
        ("spot.obu", streams) if !streams.is_empty() => {
            streams.iter().map(|stream| obu(names, stream)).collect::<Result<_, _>>()?
        }
        (_, _) => return Err(StreamError::argument("invalid argument count")),
    };
    Ok(Topic::Public(feeds))
}

fn each(names: &Names, pairs: &[&str], kind: Kind) -> Result<Vec<(Kind, MarketIndex)>, StreamError> {
    if pairs.is_empty() {
        return Err(StreamError::argument("payload is empty"));
    }
    pairs.iter().map(|pair| Ok((kind, market(names, pair)?))).collect()
}

/// The market of this name, or the stream's error.
pub(super) fn market(names: &Names, pair: &str) -> Result<MarketIndex, StreamError> {
    names.find(pair).ok_or_else(|| StreamError::argument(format!("unknown currency pair: {pair}")))
}

fn interval_of(text: &str, allowed: &[Period]) -> Result<Period, StreamError> {
    let found = allowed.iter().find(|period| text.strip_suffix("ms") == Some(&period.millis().to_string()));
    found.copied().ok_or_else(|| StreamError::argument(format!("invalid interval: {text}")))
}

/// `ob.BTC_USDT.50`
fn obu(names: &Names, stream: &str) -> Result<(Kind, MarketIndex), StreamError> {
    let parts = stream.strip_prefix("ob.").and_then(|rest| rest.rsplit_once('.'));
    let bad = || StreamError::argument(format!("invalid stream: {stream}"));
    let (pair, depth) = parts.ok_or_else(bad)?;
    let depth = match depth {
        "50" => 50,
        "400" => 400,
        _ => return Err(bad()),
    };
    Ok((Kind::Obu(depth), market(names, pair)?))
}

/// Reads the envelope; `None` when it breaks the schema: no integer time, no channel, an id beyond 32 bits.
fn envelope<'a>(fields: &'a Fields<'a>) -> Option<Request<'a>> {
    let time = fields.get("time").filter(|time| time.get_type() == JsonType::Number)?;
    let id = fields.get("id");
    let is_good_id = |id: &LazyValue<'_>| match id.get_type() {
        JsonType::Number => id.as_raw_str().trim().parse::<i32>().is_ok(),
        JsonType::String => true,
        JsonType::Null | JsonType::Boolean | JsonType::Object | JsonType::Array => false,
    };
    if id.is_some_and(|id| !is_good_id(id)) {
        return None;
    }
    let event = match fields.get("event") {
        Some(event) => event.as_str()?,
        None => "",
    };
    let payload = fields.get("payload");
    Some(Request {
        time: time.as_raw_str().trim().parse().ok()?,
        id: id.map(|id| id.as_raw_str().trim()),
        channel: fields.get("channel")?.as_str()?,
        event,
        payload: payload.map(|payload| payload.as_raw_str().trim()),
        words: payload.map(words).transpose(),
        auth: fields.get("auth"),
    })
}

fn words(payload: &LazyValue<'_>) -> Result<Vec<String>, NotWords> {
    let items = payload.clone().into_array_iter().ok_or(NotWords)?;
    let word = |item: sonic_rs::Result<LazyValue<'_>>| Some(item.ok()?.as_str()?.to_owned());
    items.map(|item| word(item).ok_or(NotWords)).collect()
}

/// The answer to a request, good or bad. Live frames have no `error` key when all is well.
fn answer(
    gateio: &mut Gateio,
    now: Timestamp,
    conn: ConnId,
    request: &Request<'_>,
    error: Option<&StreamError>,
) -> Frame {
    let trace = gateio.next_trace();
    let mut frame = String::with_capacity(512);
    json::object(&mut frame, |row| {
        row.plain("time", now.as_secs());
        row.plain("time_ms", now.as_millis());
        if let Some(id) = request.id {
            row.plain("id", id);
        }
        row.quoted("conn_id", hex_id(conn.0));
        row.quoted("trace_id", &trace);
        row.text("channel", request.channel);
        row.text("event", request.event);
        if let Some(payload) = request.payload {
            row.plain("payload", payload);
        }
        if let Some(error) = error {
            row.object("error", |row| {
                row.plain("code", error.code);
                row.text("message", &error.message);
            });
        }
        match error {
            None => row.plain("result", r#"{"status":"success"}"#),
            Some(StreamError { code: AUTH, .. }) => row.plain("result", "null"),
            Some(_) => row.plain("result", r#"{"status":"fail"}"#),
        }
        row.quoted("requestId", &trace);
    });
    Frame::Text(frame)
}

fn malformed(now: Timestamp) -> Frame {
    let mut frame = String::new();
    json::object(&mut frame, |row| {
        row.plain("time", now.as_secs());
        row.quoted("channel", "");
        row.quoted("event", "");
        row.object("error", |row| {
            row.plain("code", 1);
            row.quoted("message", "request payload does not follow json schema");
        });
        row.plain("result", "null");
    });
    Frame::Text(frame)
}

fn pong(now: Timestamp) -> Frame {
    let mut frame = String::new();
    json::object(&mut frame, |row| {
        row.plain("time", now.as_secs());
        row.plain("time_ms", now.as_millis());
        row.quoted("channel", "spot.pong");
        row.quoted("event", "");
        row.plain("error", "null");
        row.plain("result", "null");
    });
    Frame::Text(frame)
}
