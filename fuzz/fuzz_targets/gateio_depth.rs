//! The hot reader of Gate.io's books against sonic-rs: what it accepts sonic-rs accepts, and reads alike, in whatever order
//! the keys come.
#![no_main]

use cex_core::{Level, Market, MarketEvent, Markets, SymbolId, Timestamp, UpdateKind, VenueId};
use cex_fuzz::markets;
use cex_gateio::RecordedFrames;
use cex_interface::Outbox;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use sonic_rs::{JsonValueTrait, LazyValue};
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

static MARKETS: LazyLock<Arc<Markets>> = LazyLock::new(|| markets("gateio", "_"));
static READER: LazyLock<RecordedFrames> =
    LazyLock::new(|| RecordedFrames::new(VenueId::new(0, "gateio").expect("short"), &MARKETS));

/// A book, whole or changes, versions, time, bids, asks.
#[derive(Debug, PartialEq)]
struct Book {
    symbol: SymbolId,
    kind: UpdateKind,
    versions: (u64, u64),
    millis: i64,
    sides: [Vec<Level>; 2],
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    channel: LazyValue<'a>,
    #[serde(borrow)]
    event: Option<LazyValue<'a>>,
    #[serde(borrow)]
    result: Update<'a>,
}

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    t: Option<LazyValue<'a>>,
    full: Option<bool>,
    #[serde(borrow)]
    s: LazyValue<'a>,
    #[serde(rename = "U", borrow)]
    first: Option<LazyValue<'a>>,
    #[serde(rename = "u", borrow)]
    last: LazyValue<'a>,
    #[serde(borrow)]
    b: Option<Vec<(LazyValue<'a>, LazyValue<'a>)>>,
    #[serde(borrow)]
    a: Option<Vec<(LazyValue<'a>, LazyValue<'a>)>>,
}

/// What a string or a number says.
fn text<'v>(value: &'v LazyValue<'_>) -> Option<Cow<'v, str>> {
    let raw = value.as_raw_str();
    match raw.as_bytes() {
        [b'"', ..] => sonic_rs::from_str::<String>(raw).ok().map(Cow::Owned),
        [b'-' | b'0'..=b'9', ..] => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

/// A count, without a sign, a fraction, or an exponent.
fn count(value: &LazyValue<'_>) -> Option<u64> {
    let text = text(value)?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn oracle(frame: &[u8]) -> Option<Book> {
    let frame: Frame<'_> = sonic_rs::from_str(std::str::from_utf8(frame).ok()?).ok()?;
    if frame.event.as_ref().is_some_and(|event| !event.is_null() && text(event).as_deref() != Some("update")) {
        return None;
    }
    let name = text(&frame.result.s)?;
    let native = match text(&frame.channel)?.as_ref() {
        "spot.order_book_update" => name.as_ref(),
        "spot.obu" => name.strip_prefix("ob.")?.rsplit_once('.')?.0,
        _ => return None,
    };
    let market = MARKETS.by_native(native.as_bytes())?;
    let last = count(&frame.result.last)?;
    let given = |value: &Option<LazyValue<'_>>| value.as_ref().filter(|value| !value.is_null()).map(count);
    let (kind, first) = match (frame.result.full, given(&frame.result.first)) {
        (Some(true), _) => (UpdateKind::Snapshot, last),
        (_, Some(first)) => (UpdateKind::Delta, first?),
        (_, None) => return None,
    };
    Some(Book {
        symbol: market.id,
        kind,
        versions: (first, last),
        // Times saturate at the end of the calendar.
        millis: Timestamp::from_millis(i64::try_from(given(&frame.result.t).unwrap_or(Some(0))?).ok()?).as_millis(),
        sides: [side(market, frame.result.b)?, side(market, frame.result.a)?],
    })
}

fn side(market: &Market, rows: Option<Vec<(LazyValue<'_>, LazyValue<'_>)>>) -> Option<Vec<Level>> {
    let level = |(price, qty): &(LazyValue<'_>, LazyValue<'_>)| {
        let price = market.scale.parse_price(text(price)?.as_bytes()).ok()?;
        Some(Level { price, qty: market.scale.parse_qty(text(qty)?.as_bytes()).ok()? })
    };
    rows.unwrap_or_default().iter().map(level).collect()
}

fuzz_target!(|data: &[u8]| {
    let mut out = Outbox::default();
    // An error is told in the outbox as well; what counts is what is read all the same.
    let _ = READER.decode(data, &mut out);
    for event in &out.market {
        let MarketEvent::Book(update) = event else { continue };
        let book = Book {
            symbol: update.symbol,
            kind: update.kind,
            versions: (update.first_seq, update.last_seq),
            millis: update.exchange_ts.as_millis(),
            sides: [update.bids.of(&out.levels).to_vec(), update.asks.of(&out.levels).to_vec()],
        };
        assert_eq!(Some(book), oracle(data), "{}", String::from_utf8_lossy(data));
    }
});
