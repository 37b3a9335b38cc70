//! A recording as a market for the simulator: its books, level by level, and its trades.

use super::{Rebuilt, Recorded, Recording, internal, timestamp};
use crate::exit::{Exit, Failure};
use cex_core::{Level, Market, MarketEvent, Price, Qty, SymbolId, Timestamp};
use cex_interface::{HttpResponse, Input, Link, Outbox, Reply, Request, Subscription};
use cex_orderbook::{BookConfig, BookSync};
use cex_sim::market::{Tape, TapeEntry, TapeEvent, TapeSymbol};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The recording of a directory, as `arb replay` takes it.
///
/// # Errors
/// When it cannot be read, or when no book of it can be rebuilt.
pub fn tape(dir: &Path) -> Result<Tape, Failure> {
    let recording = Recording::load(dir)?;
    let tape = recording.play()?;
    if tape.entries.is_empty() {
        let what = format!("{}: no book of this recording can be rebuilt", dir.display());
        return Err(Failure::new(Exit::CheckFailed, what, "`arb replay --dir` tells what is in it"));
    }
    Ok(tape)
}

/// A book of the recording as the tape has told it so far.
#[derive(Default)]
struct Told {
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
}

impl Recording {
    fn play(&self) -> Result<Tape, Failure> {
        let rule = self.protocol.capabilities().books.first().map(|stream| stream.sync);
        let rule = rule.ok_or_else(|| internal(&"the adapter names no book stream"))?;
        let begin = self.events.first().map_or(Timestamp::EPOCH, |(at, _)| timestamp(*at));
        let mut books: Vec<Rebuilt> = Vec::new();
        for market in self.markets.iter() {
            let mut sync = BookSync::new(market.id, rule, BookConfig::new(market.tick, super::DEPTH));
            sync.on_subscribed(begin);
            books.push(Rebuilt { market: market.clone(), sync, frames: 0, unreadable: 0 });
        }
        let mut told: Vec<Told> = books.iter().map(|_| Told::default()).collect();
        let mut link = self.link()?;
        let mut outbox = Outbox::default();
        let mut entries = Vec::new();
        for (at, event) in &self.events {
            let now = timestamp(*at);
            let after = Duration::from_nanos(now.since(begin).as_nanos() as u64);
            outbox.clear();
            match event {
                Recorded::Frame(text) => {
                    // What cannot be used is told of in the outbox, and the book it belongs to shows it.
                    if let Err(error) = link.handle(now, Input::Text(text.as_bytes()), &mut outbox) {
                        tracing::warn!(%error, "frame could not be used");
                    }
                }
                Recorded::Snapshot { native, body, .. } => {
                    let Some(market) = self.markets.by_native(native.as_bytes()) else { continue };
                    let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
                    let request = Request::Book { symbol: market.id, depth: 100 };
                    let reply = self.protocol.decode(&self.markets, &request, &response);
                    let Ok(Reply::Book(book)) = reply else { continue };
                    if let Some(known) = place(&books, market.id) {
                        let sync = &mut books[known].sync;
                        sync.on_snapshot(now, book.seq, book.exchange_ts, &book.bids, &book.asks);
                        entries.extend(change(after, known, &books[known], &mut told[known]));
                    }
                }
            }
            for event in &outbox.market {
                match event {
                    MarketEvent::Book(update) => {
                        let Some(at) = place(&books, update.symbol) else { continue };
                        books[at].sync.on_update(now, update, &outbox.levels);
                        entries.extend(change(after, at, &books[at], &mut told[at]));
                    }
                    MarketEvent::Trade(trade) => {
                        let Some(at) = place(&books, trade.symbol) else { continue };
                        let event =
                            TapeEvent::Trade { taker: trade.taker_side, price: trade.price, qty: trade.qty };
                        entries.push(TapeEntry { after, symbol: at, event });
                    }
                    _ => {}
                }
            }
        }
        let symbols = books.iter().map(|book| symbol(&book.market)).collect();
        Ok(Tape { symbols, entries })
    }

    /// A link that reads books and trades.
    fn link(&self) -> Result<Box<dyn Link>, Failure> {
        let kinds = [cex_core::StreamKind::Book, cex_core::StreamKind::Trades];
        let wanted: Vec<_> = self
            .markets
            .iter()
            .flat_map(|market| kinds.map(|stream| Subscription { symbol: market.id, stream }))
            .collect();
        let links = self.protocol.market_links(&self.markets, &wanted).map_err(|error| internal(&error))?;
        links.into_iter().next().ok_or_else(|| internal(&"the adapter opened no link"))
    }
}

fn place(books: &[Rebuilt], symbol: SymbolId) -> Option<usize> {
    books.iter().position(|book| book.market.id == symbol)
}

fn symbol(market: &Market) -> TapeSymbol {
    TapeSymbol {
        symbol: market.symbol(),
        scale: market.scale,
        min_qty: market.min_qty,
        min_notional: market.scale.notional_value(market.min_notional),
    }
}

/// What is different about a book since the tape last told of it. A book that cannot be used stays as it was.
fn change(after: Duration, symbol: usize, book: &Rebuilt, told: &mut Told) -> Option<TapeEntry> {
    let usable = book.sync.usable()?;
    let bids = side(usable.bids(), &mut told.bids);
    let asks = side(usable.asks(), &mut told.asks);
    let is_news = !bids.is_empty() || !asks.is_empty();
    is_news.then_some(TapeEntry { after, symbol, event: TapeEvent::Levels { bids, asks } })
}

fn side(now: impl Iterator<Item = Level>, told: &mut BTreeMap<Price, Qty>) -> Vec<(Price, Qty)> {
    let now: BTreeMap<Price, Qty> = now.map(|level| (level.price, level.qty)).collect();
    let gone = told.keys().filter(|price| !now.contains_key(price)).map(|price| (*price, Qty::ZERO));
    let new =
        now.iter().filter(|(price, qty)| told.get(price) != Some(qty)).map(|(price, qty)| (*price, *qty));
    let changes = gone.chain(new).collect();
    *told = now;
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame before the snapshot, the snapshot, and a frame after it that changes one level and adds another.
    fn recording() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("room");
        write(
            "currency_pairs.json",
            r#"[{"id":"NEO_BTC","base":"NEO","quote":"BTC","fee":"0.2","min_quote_amount":"0.0001",
                "amount_precision":3,"precision":7,"trade_status":"tradable","sell_start":0,"buy_start":0}]"#,
        );
        let frame = |at: &str, first: u32, last: u32, bids: &str| {
            let text = format!(
                r#"{{"time":1,"time_ms":1000,"channel":"spot.order_book_update","event":"update","result":{{"t":1000,"e":"depthUpdate","E":1,"s":"NEO_BTC","U":{first},"u":{last},"b":{bids},"a":[]}}}}"#
            );
            let text = sonic_rs::to_string(&text).expect("a text");
            format!("{{\"at\":{at},\"direction\":\"from_server\",\"text\":{text}}}\n")
        };
        let frames = [
            frame("1.0", 99, 100, r#"[["0.0018","1"]]"#),
            frame("1.5", 101, 102, r#"[["0.0018","0"],["0.0019","2"]]"#),
        ];
        write("ws_frames.jsonl", &frames.concat());
        let body = r#"{"id":100,"asks":[["0.0020","3"]],"bids":[["0.0018","1"],["0.0017","4"]]}"#;
        let body = sonic_rs::to_string(body).expect("a text");
        let url = "https://api.gateio.ws/api/v4/spot/order_book?currency_pair=NEO_BTC&limit=100&with_id=true";
        let snapshot = format!("{{\"received_at\":1.2,\"url\":\"{url}\",\"body\":{body}}}\n");
        write("rest_order_book.jsonl", &snapshot);
        dir
    }

    #[test]
    fn a_recording_becomes_a_tape_of_what_changed() {
        let dir = recording();
        let tape = tape(dir.path()).expect("a good recording");
        assert_eq!(tape.symbols.len(), 1);
        let scale = tape.symbols[0].scale;
        let level = |price: &str, qty: &str| {
            let price = scale.parse_price(price.as_bytes()).expect("a price");
            (price, scale.parse_qty(qty.as_bytes()).expect("a quantity"))
        };
        let told: Vec<(u128, TapeEvent)> =
            tape.entries.into_iter().map(|entry| (entry.after.as_millis(), entry.event)).collect();
        let bids = vec![level("0.0017", "4"), level("0.0018", "1")];
        let whole = TapeEvent::Levels { bids, asks: vec![level("0.0020", "3")] };
        let bids = vec![level("0.0018", "0"), level("0.0019", "2")];
        let change = TapeEvent::Levels { bids, asks: Vec::new() };
        assert_eq!(told, [(200, whole), (500, change)]);
    }

    #[test]
    fn a_recording_without_a_book_is_refused() {
        let dir = recording();
        std::fs::write(dir.path().join("rest_order_book.jsonl"), "").expect("room");
        let failure = tape(dir.path()).expect_err("nothing to join");
        assert!(failure.to_string().contains("no book of this recording"), "{failure}");
    }
}
