//! `arb replay`: recorded exchange traffic through the same codecs and books as live.

mod tape;

pub use tape::tape;

use crate::cli::ReplayArgs;
use crate::exit::{Exit, Failure, written};
use crate::venues;
use cex_core::{LinkEvent, Market, MarketEvent, Markets, StreamKind, SymbolId, Timestamp, VenueId};
use cex_interface::{HttpResponse, Input, Link, Outbox, Protocol, Reply, Request, Subscription, VenueConfig};
use cex_orderbook::{Book, BookConfig, BookSync};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Levels a side of the recorded snapshots.
const DEPTH: usize = 100;

/// In place of a symbol, for frames that cannot be decoded so far as to tell it.
const NO_SYMBOL: &str = "?";

/// A line of `ws_frames.jsonl`.
#[derive(Debug, Deserialize)]
struct FrameLine {
    at: f64,
    direction: String,
    text: String,
}

/// A line of `rest_order_book.jsonl`.
#[derive(Debug, Deserialize)]
struct SnapshotLine {
    received_at: f64,
    url: String,
    body: String,
}

/// What was recorded, in the order it arrived.
enum Recorded {
    Frame(String),
    Snapshot { native: String, body: String, place: String },
}

/// What a symbol came to; the names are a promise to scripts.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
struct Row {
    /// [`NO_SYMBOL`] for what names none.
    symbol: String,
    frames: u64,
    /// Frames that could not be decoded, beside `frames`.
    unreadable: u64,
    applied: u64,
    skipped: u64,
    gaps: u64,
    last_seq: u64,
    bid: Option<String>,
    bid_qty: Option<String>,
    ask: Option<String>,
    ask_qty: Option<String>,
    bids: usize,
    asks: usize,
}

/// One book being rebuilt.
struct Rebuilt {
    market: Market,
    sync: BookSync,
    frames: u64,
    unreadable: u64,
}

/// Runs the command.
pub fn run(args: &ReplayArgs, out: &mut impl Write) -> Result<(), Failure> {
    let recording = Recording::load(&args.dir)?;
    let rows = recording.replay()?;
    let print = |out: &mut dyn Write| -> std::io::Result<()> {
        if args.json {
            return rows.iter().try_for_each(|row| {
                let line = sonic_rs::to_string(row).map_err(std::io::Error::other)?;
                writeln!(out, "{line}")
            });
        }
        table(out, &rows)
    };
    written(print(out))
}

fn table(out: &mut dyn Write, rows: &[Row]) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<12} {:>7} {:>10} {:>8} {:>8} {:>5} {:>14}  {:>14} {:>14}  {:>14} {:>14} {:>6} {:>6}",
        "symbol",
        "frames",
        "unreadable",
        "applied",
        "skipped",
        "gaps",
        "last_seq",
        "bid",
        "bid_qty",
        "ask",
        "ask_qty",
        "bids",
        "asks"
    )?;
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    rows.iter().try_for_each(|row| {
        writeln!(
            out,
            "{:<12} {:>7} {:>10} {:>8} {:>8} {:>5} {:>14}  {:>14} {:>14}  {:>14} {:>14} {:>6} {:>6}",
            row.symbol,
            row.frames,
            row.unreadable,
            row.applied,
            row.skipped,
            row.gaps,
            row.last_seq,
            text(&row.bid),
            text(&row.bid_qty),
            text(&row.ask),
            text(&row.ask_qty),
            row.bids,
            row.asks
        )
    })
}

/// A recording and the adapter that reads it.
struct Recording {
    dir: PathBuf,
    protocol: Arc<dyn Protocol>,
    markets: Arc<Markets>,
    events: Vec<(f64, Recorded)>,
}

impl Recording {
    fn load(dir: &Path) -> Result<Self, Failure> {
        let venue = VenueId::new(0, "gateio").map_err(|error| internal(&error))?;
        let registration = venues::by_name("gateio").ok_or_else(|| internal(&"gateio is not registered"))?;
        let mut config = VenueConfig::public(venue);
        config.options.insert("depth_interval".to_owned(), "100ms".to_owned());
        let protocol = (registration.open)(config).map_err(|error| internal(&error))?;
        let pairs = dir.join("currency_pairs.json");
        let markets = Arc::new(markets(protocol.as_ref(), venue, &pairs)?);
        if markets.is_empty() {
            return Err(unreadable(&pairs.display().to_string(), "lists no pair"));
        }
        let mut events = snapshots(&dir.join("rest_order_book.jsonl"))?;
        events.extend(frames(&dir.join("ws_frames.jsonl"))?);
        // Frames and snapshots were recorded side by side; the time of arrival is what orders them.
        events.sort_by(|(left, _), (right, _)| left.total_cmp(right));
        Ok(Self { dir: dir.to_owned(), protocol, markets, events })
    }

    fn replay(&self) -> Result<Vec<Row>, Failure> {
        let rule = self.protocol.capabilities().books.first().map(|stream| stream.sync);
        let rule = rule.ok_or_else(|| internal(&"the adapter names no book stream"))?;
        // Frames recorded before the confirmation of their subscription count too.
        let begin = self.events.first().map_or(Timestamp::EPOCH, |(at, _)| timestamp(*at));
        let mut books: Vec<Rebuilt> = self
            .markets
            .iter()
            .map(|market| {
                let mut sync = BookSync::new(market.id, rule, BookConfig::new(market.tick, DEPTH));
                sync.on_subscribed(begin);
                Rebuilt { market: market.clone(), sync, frames: 0, unreadable: 0 }
            })
            .collect();
        let wanted: Vec<_> = self
            .markets
            .iter()
            .map(|market| Subscription { symbol: market.id, stream: StreamKind::Book })
            .collect();
        let mut links =
            self.protocol.market_links(&self.markets, &wanted).map_err(|error| internal(&error))?;
        let link = links.first_mut().ok_or_else(|| internal(&"the adapter opened no link"))?;
        let mut outbox = Outbox::default();
        let mut of_no_symbol = 0;
        for (at, event) in &self.events {
            let now = timestamp(*at);
            match event {
                Recorded::Frame(text) => {
                    of_no_symbol += frame(now, link.as_mut(), text, &mut outbox, &mut books);
                }
                Recorded::Snapshot { native, body, place } => {
                    self.snapshot(now, native, body, place, &mut books)?;
                }
            }
        }
        let unread: u64 = of_no_symbol + books.iter().map(|book| book.unreadable).sum::<u64>();
        if books.iter().all(|book| book.frames == 0) {
            let place = self.dir.join("ws_frames.jsonl").display().to_string();
            let why = format!("there is no frame of a book in it; {unread} could not be decoded");
            return Err(unreadable(&place, &why));
        }
        let mut rows: Vec<Row> =
            books.iter().filter(|book| book.frames + book.unreadable > 0).map(row).collect();
        if of_no_symbol > 0 {
            rows.push(Row { symbol: NO_SYMBOL.to_owned(), unreadable: of_no_symbol, ..Row::default() });
        }
        Ok(rows)
    }

    fn snapshot(
        &self,
        now: Timestamp,
        native: &str,
        body: &str,
        place: &str,
        books: &mut [Rebuilt],
    ) -> Result<(), Failure> {
        let market = self.markets.by_native(native.as_bytes()).ok_or_else(|| {
            unreadable(place, &format!("snapshot of {native}, which currency_pairs.json does not list"))
        })?;
        let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
        let request = Request::Book { symbol: market.id, depth: 100 };
        let reply = self.protocol.decode(&self.markets, &request, &response);
        match reply.map_err(|error| unreadable(place, &error.to_string()))? {
            Reply::Book(book) => {
                if let Some(known) = books.iter_mut().find(|known| known.market.id == market.id) {
                    known.sync.on_snapshot(now, book.seq, book.exchange_ts, &book.bids, &book.asks);
                }
                Ok(())
            }
            other => Err(internal(&format!("a snapshot decoded as {other:?}"))),
        }
    }
}

/// Takes a frame in; how many of no known symbol could not be decoded.
fn frame(now: Timestamp, link: &mut dyn Link, text: &str, outbox: &mut Outbox, books: &mut [Rebuilt]) -> u64 {
    outbox.clear();
    // A frame that cannot be used has already been told of in the outbox.
    if let Err(error) = link.handle(now, Input::Text(text.as_bytes()), outbox) {
        tracing::warn!(%error, "frame could not be used");
    }
    let mut of_no_symbol = 0;
    for event in &outbox.link {
        let LinkEvent::Undecodable { symbol } = event else { continue };
        match books.iter_mut().find(|book| Some(book.market.id) == *symbol) {
            Some(book) => book.unreadable += 1,
            None => of_no_symbol += 1,
        }
    }
    for event in &outbox.market {
        let MarketEvent::Book(update) = event else { continue };
        if let Some(book) = books.iter_mut().find(|book| book.market.id == update.symbol) {
            book.frames += 1;
            book.sync.on_update(now, update, &outbox.levels);
        }
    }
    of_no_symbol
}

fn row(book: &Rebuilt) -> Row {
    let scale = book.market.scale;
    let counters = book.sync.counters();
    let usable = book.sync.usable();
    let price =
        |level: Option<cex_core::Level>| level.map(|level| scale.price_value(level.price).to_string());
    let qty = |level: Option<cex_core::Level>| level.map(|level| scale.qty_value(level.qty).to_string());
    let (bid, ask) = (usable.and_then(Book::best_bid), usable.and_then(Book::best_ask));
    Row {
        symbol: book.market.symbol().to_string(),
        frames: book.frames,
        unreadable: book.unreadable,
        applied: counters.applied,
        skipped: counters.ignored_old,
        gaps: counters.gaps,
        last_seq: book.sync.live().map_or(0, |live| live.last_seq),
        bid: price(bid),
        bid_qty: qty(bid),
        ask: price(ask),
        ask_qty: qty(ask),
        bids: usable.map_or(0, |book| book.bids().count()),
        asks: usable.map_or(0, |book| book.asks().count()),
    }
}

fn markets(protocol: &dyn Protocol, venue: VenueId, path: &Path) -> Result<Markets, Failure> {
    let place = path.display().to_string();
    let body = read(path)?;
    let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
    let reply = protocol.decode(&Markets::default(), &Request::Symbols, &response);
    let Reply::Symbols(infos) = reply.map_err(|error| unreadable(&place, &error.to_string()))? else {
        return Err(internal(&"the symbols decoded as something else"));
    };
    let mut markets = Vec::new();
    for (index, info) in infos.into_iter().enumerate() {
        let symbol = info.symbol;
        let made = info.scale().and_then(|scale| {
            let id = SymbolId(u32::try_from(index).unwrap_or(u32::MAX));
            Market::new(venue, id, info, scale)
        });
        markets.push(made.map_err(|error| unreadable(&place, &format!("rules of {symbol}: {error}")))?);
    }
    Ok(Markets::new(markets))
}

fn snapshots(path: &Path) -> Result<Vec<(f64, Recorded)>, Failure> {
    lines(path, |line: SnapshotLine, place| {
        let native = line
            .url
            .split(['?', '&'])
            .find_map(|part| part.strip_prefix("currency_pair="))
            .ok_or_else(|| unreadable(&place, "the url names no currency_pair"))?
            .to_owned();
        Ok(Some((line.received_at, Recorded::Snapshot { native, body: line.body, place })))
    })
}

fn frames(path: &Path) -> Result<Vec<(f64, Recorded)>, Failure> {
    lines(path, |line: FrameLine, place| match line.direction.as_str() {
        "from_server" => Ok(Some((line.at, Recorded::Frame(line.text)))),
        "to_server" => Ok(None),
        other => {
            Err(unreadable(&place, &format!("direction {other:?} is neither from_server nor to_server")))
        }
    })
}

fn lines<T: for<'a> Deserialize<'a>>(
    path: &Path,
    take: impl Fn(T, String) -> Result<Option<(f64, Recorded)>, Failure>,
) -> Result<Vec<(f64, Recorded)>, Failure> {
    let mut taken = Vec::new();
    for (number, line) in read(path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{}:{}", path.display(), number + 1);
        let parsed: T = sonic_rs::from_str(line).map_err(|error| unreadable(&place, &error.to_string()))?;
        taken.extend(take(parsed, place)?);
    }
    Ok(taken)
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Exit::CheckFailed,
            format!("{}: {error}", path.display()),
            "give a directory with currency_pairs.json, rest_order_book.jsonl and ws_frames.jsonl (arb replay --help)",
        )
    })
}

fn unreadable(place: &str, why: &str) -> Failure {
    // A parser may show the text around a fault over several lines; the first one says it.
    let why = why.lines().next().unwrap_or_default();
    Failure::new(Exit::CheckFailed, format!("{place}: {why}"), "the recording is damaged or not of this kind")
}

fn internal(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, error.to_string(), "")
}

/// Seconds with a fraction, as recorders write them. Microseconds are what they hold; a float never holds money here.
fn timestamp(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e6) as i64 * 1_000)
}
