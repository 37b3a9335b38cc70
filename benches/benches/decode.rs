//! Budgets: decoding the two hot messages against the library decoders, and the whole way from bytes to the top of a
//! synchronised book against a naive one.

use cex_benches::measure::{Budget, Contestant, finish, measure};
use cex_benches::naive::{GateFrame, MexcFrame, NaiveBook};
use cex_benches::workload::{Frame, story};
use cex_benches::{frames, market};
use cex_core::{
    BookUpdate, Continuity, Level, LevelRange, Market, MarketEvent, Markets, Scale, SnapshotSource, SyncRule,
    Timestamp, UpdateKind,
};
use cex_gateio::RecordedFrames;
use cex_interface::Outbox;
use cex_mexc::config::DepthInterval;
use cex_mexc::depth::{DepthReader, Reading};
use cex_orderbook::{BookConfig, BookSync};
use cex_proto::mexc::{PushDataV3ApiWrapper, push_data_v3_api_wrapper::Body};
use prost::Message;
use serde::Deserialize;
use std::process::ExitCode;
use std::sync::Arc;

/// Version of the book before the first frame.
const START: u64 = 1_000_000_000;

/// What `spot.order_book_update` carries, borrowed from the frame.
#[derive(Deserialize)]
struct BorrowedFrame<'a> {
    #[serde(borrow)]
    result: BorrowedBook<'a>,
}

#[derive(Deserialize)]
struct BorrowedBook<'a> {
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    a: Vec<(&'a str, &'a str)>,
}

/// Books and frames of one market, as bytes of both exchanges.
struct Setting {
    market: Market,
    markets: Arc<Markets>,
    start: Frame,
    frames: Vec<Vec<u8>>,
}

impl Setting {
    fn new(exchange: &str, encode: fn(&str, Scale, &Frame, (u64, u64)) -> Vec<u8>) -> Self {
        let native = if exchange == "mexc" { "BTCUSDT" } else { "BTC_USDT" };
        let market = market(exchange, native, 2, 5);
        // Prices of the workload are ticks of two decimals; the scale holds two more.
        let told = story(42, 11_705_341, 1_000, 2_000);
        let frames = told
            .frames
            .iter()
            .zip(START + 1..)
            .map(|(frame, seq)| encode(native, market.scale, &frame.in_units(market.tick), (seq, seq)))
            .collect();
        let markets = Arc::new(Markets::new(vec![market.clone()]));
        Self { start: told.start.in_units(market.tick), market, markets, frames }
    }

    fn count(&self) -> u64 {
        self.frames.len() as u64
    }

    /// A book at the version the first frame.
    fn book(&self) -> BookSync {
        let rule = SyncRule {
            snapshot: SnapshotSource::Rest { depth: 5_000 },
            continuity: Continuity::Contiguous,
            depth: None,
        };
        let mut sync = BookSync::new(self.market.id, rule, BookConfig::new(self.market.tick, 2_000));
        sync.on_subscribed(Timestamp::EPOCH);
        // A snapshot is asked for, and taken, once the stream has begun.
        let nothing = LevelRange::default();
        let begin = BookUpdate {
            symbol: self.market.id,
            kind: UpdateKind::Delta,
            first_seq: START,
            last_seq: START,
            exchange_ts: Timestamp::EPOCH,
            bids: nothing,
            asks: nothing,
        };
        sync.on_update(Timestamp::EPOCH, &begin, &[]);
        sync.on_snapshot(Timestamp::EPOCH, START, Timestamp::EPOCH, &self.start.bids, &self.start.asks);
        sync
    }
}

fn main() -> ExitCode {
    let (mexc, gateio) = (Setting::new("mexc", frames::mexc), Setting::new("gateio", frames::gateio));
    finish(&[mexc_decode(&mexc), gateio_decode(&gateio), mexc_whole(&mexc), gateio_whole(&gateio)])
}

fn mexc_decode(setting: &Setting) -> bool {
    let reader = DepthReader::new(DepthInterval::Ms10);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    measure(
        "MEXC depth frame, decode only",
        Budget::TimesFaster(4.0),
        vec![
            Contestant::new("hot reader", setting.count(), || {
                run(setting, |frame| {
                    ours.clear();
                    let read = reader.read(frame, &setting.markets, &mut ours);
                    u64::from(matches!(read, Ok(Reading::Book(_)))) + checksum(&ours)
                })
            }),
            Contestant::new("prost, texts to integers", setting.count(), || {
                run(setting, |frame| {
                    theirs.clear();
                    u64::from(prost_levels(frame, setting.market.scale, &mut theirs).is_some())
                        + checksum(&theirs)
                })
            }),
        ],
    )
}

fn gateio_decode(setting: &Setting) -> bool {
    let reader = RecordedFrames::new(setting.market.venue, &setting.markets);
    let (mut ours, mut theirs) = (Outbox::default(), Vec::new());
    measure(
        "Gate.io depth frame, decode only",
        Budget::TimesFaster(2.0),
        vec![
            Contestant::new("hot reader", setting.count(), || {
                run(setting, |frame| {
                    ours.clear();
                    u64::from(reader.decode(frame, &mut ours).is_ok()) + checksum(&ours.levels)
                })
            }),
            Contestant::new("sonic-rs borrowed, texts to integers", setting.count(), || {
                run(setting, |frame| {
                    theirs.clear();
                    u64::from(sonic_levels(frame, setting.market.scale, &mut theirs).is_some())
                        + checksum(&theirs)
                })
            }),
        ],
    )
}

fn mexc_whole(setting: &Setting) -> bool {
    let reader = DepthReader::new(DepthInterval::Ms10);
    let mut levels = Vec::new();
    let mut naive = NaiveBook::new(setting.market.scale, &setting.start, START);
    measure(
        "MEXC frame to top of book: decode, check, apply; 1,000 levels a side",
        Budget::TimesFaster(4.0),
        vec![
            Contestant::new("hot reader, BookSync", setting.count(), || {
                let mut sync = setting.book();
                run(setting, |frame| {
                    levels.clear();
                    match reader.read(frame, &setting.markets, &mut levels) {
                        Ok(Reading::Book(update)) => top(&mut sync, &update, &levels),
                        Ok(Reading::Unregistered | Reading::Other) | Err(_) => panic!("a frame was refused"),
                    }
                })
            }),
            Contestant::new("prost, BTreeMap<OrderedFloat>", setting.count(), || {
                naive.restart();
                run(setting, |frame| naive.mexc(&MexcFrame::read(frame).expect("a frame of ours")))
            }),
        ],
    )
}

fn gateio_whole(setting: &Setting) -> bool {
    let reader = RecordedFrames::new(setting.market.venue, &setting.markets);
    let mut out = Outbox::default();
    let mut naive = NaiveBook::new(setting.market.scale, &setting.start, START);
    measure(
        "Gate.io frame to top of book: decode, check, apply; 1,000 levels a side",
        Budget::TimesFaster(4.0),
        vec![
            Contestant::new("hot reader, BookSync", setting.count(), || {
                let mut sync = setting.book();
                run(setting, |frame| {
                    out.clear();
                    match (reader.decode(frame, &mut out), out.market.first()) {
                        (Ok(()), Some(MarketEvent::Book(update))) => top(&mut sync, update, &out.levels),
                        _refused => panic!("a frame was refused"),
                    }
                })
            }),
            Contestant::new("sonic-rs, BTreeMap<OrderedFloat>", setting.count(), || {
                naive.restart();
                run(setting, |frame| naive.gateio(&GateFrame::read(frame).expect("a frame of ours")))
            }),
        ],
    )
}

fn run(setting: &Setting, mut frame: impl FnMut(&[u8]) -> u64) -> u64 {
    setting.frames.iter().map(|bytes| frame(bytes)).fold(0, u64::wrapping_add)
}

fn checksum(levels: &[Level]) -> u64 {
    levels
        .iter()
        .map(|level| level.price.0.unsigned_abs() ^ level.qty.0.unsigned_abs())
        .fold(0, u64::wrapping_add)
}

fn top(sync: &mut BookSync, update: &BookUpdate, levels: &[Level]) -> u64 {
    sync.on_update(Timestamp::EPOCH, update, levels);
    let Some(book) = sync.usable() else {
        panic!("no usable book: {:?} {:?}", sync.state(), sync.counters())
    };
    book.best_bid().map_or(0, |level| level.price.0.unsigned_abs())
}

fn prost_levels(frame: &[u8], scale: Scale, levels: &mut Vec<Level>) -> Option<(u64, u64)> {
    let Some(Body::PublicAggreDepths(depths)) = PushDataV3ApiWrapper::decode(frame).ok()?.body else {
        return None;
    };
    for item in depths.asks.iter().chain(&depths.bids) {
        levels.push(level(scale, &item.price, &item.quantity)?);
    }
    Some((depths.from_version.parse().ok()?, depths.to_version.parse().ok()?))
}

fn sonic_levels(frame: &[u8], scale: Scale, levels: &mut Vec<Level>) -> Option<(u64, u64)> {
    let book = sonic_rs::from_slice::<BorrowedFrame<'_>>(frame).ok()?.result;
    for (price, qty) in book.b.iter().chain(&book.a) {
        levels.push(level(scale, price, qty)?);
    }
    Some((book.first, book.last))
}

fn level(scale: Scale, price: &str, qty: &str) -> Option<Level> {
    let (price, qty) = (scale.parse_price(price.as_bytes()).ok()?, scale.parse_qty(qty.as_bytes()).ok()?);
    Some(Level { price, qty })
}
