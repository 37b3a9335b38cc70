//! The book scenarios of the vectors, played through the decoder into a synchronised book.

use crate::support::{account, frame, list, markets, now, text, venue};
use cex_core::{Level, MarketEvent, Markets, Price, SymbolId};
use cex_gateio::RecordedFrames;
use cex_interface::{HttpResponse, Outbox, Protocol, Reply, Request};
use cex_orderbook::{BookConfig, BookSync, SyncOutcome};
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};
use std::sync::Arc;

/// A scenario under way.
struct Play {
    markets: Arc<Markets>,
    reader: RecordedFrames,
    book: BookSync,
    outcomes: Vec<SyncOutcome>,
}

impl Play {
    fn new(channel: &str) -> Self {
        let options: &[_] = match channel {
            "spot.obu" => &[("book_channel", "obu")],
            "spot.order_book_update" => &[("depth_interval", "100ms")],
            other => panic!("{other}"),
        };
        let markets = markets();
        let rule = account(options).capabilities().books[0].sync;
        let mut book = BookSync::new(SymbolId(0), rule, BookConfig::new(Price(1), 100));
        book.on_subscribed(now());
        Self { reader: RecordedFrames::new(venue(), &markets), markets, book, outcomes: Vec::new() }
    }

    fn frame(&mut self, text: &str) {
        let mut out = Outbox::default();
        self.reader.decode(text.as_bytes(), &mut out).expect(text);
        let [MarketEvent::Book(update)] = &out.market[..] else { panic!("{:?}", out.market) };
        self.outcomes.push(self.book.on_update(now(), update, &out.levels));
    }

    /// The snapshot comes as the answer of a call does.
    fn snapshot(&mut self, body: &Value) {
        let body = sonic_rs::to_string(body).expect("JSON");
        let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
        let request = Request::Book { symbol: SymbolId(0), depth: 100 };
        let reply = account(&[]).decode(&self.markets, &request, &response);
        let Ok(Reply::Book(book)) = reply else { panic!("{reply:?}") };
        let outcome = self.book.on_snapshot(now(), book.seq, book.exchange_ts, &book.bids, &book.asks);
        self.outcomes.push(outcome);
    }

    fn levels(&self, side: &str) -> Vec<Level> {
        let book = self.book.usable().expect("live");
        if side == "bids" { book.bids().collect() } else { book.asks().collect() }
    }
}

fn played(scenario: &Value) -> Play {
    let mut play = Play::new(text(scenario, "channel"));
    for name in scenario["frames"].as_array().expect("frames") {
        play.frame(&frame(name.as_str().expect("a name")));
    }
    for extra in scenario["extra"].as_array().into_iter().flat_map(|extra| extra.iter()) {
        play.frame(&sonic_rs::to_string(extra).expect("JSON"));
    }
    let snapshot = &scenario["rest_snapshot"];
    if snapshot.is_object() {
        assert_eq!(play.outcomes.last(), Some(&SyncOutcome::NeedSnapshot), "the first frame asks for it");
        play.snapshot(snapshot);
    }
    play
}

#[test]
fn every_scenario_ends_as_it_should() {
    let scenarios = list("book_scenarios");
    assert_eq!(scenarios.len(), 9);
    for scenario in &scenarios {
        let (name, expected, play) = (text(scenario, "name"), &scenario["expect"], played(scenario));
        assert_eq!(
            Some(play.book.usable().is_some()),
            expected["synced"].as_bool(),
            "{name}: {:?}",
            play.outcomes
        );
        if let Some(id) = expected["id"].as_u64() {
            assert_eq!(play.book.live().map(|live| live.last_seq), Some(id), "{name}");
        }
        for side in ["bids", "asks"] {
            let Some(rows) = expected[side].as_array() else { continue };
            let scale = play.markets.get(SymbolId(0)).expect("registered").scale;
            let level = |row: &Value| Level {
                price: scale.parse_price(row[0].as_str().expect("price").as_bytes()).expect("fits"),
                qty: scale.parse_qty(row[1].as_str().expect("amount").as_bytes()).expect("fits"),
            };
            assert_eq!(play.levels(side), rows.iter().map(level).collect::<Vec<_>>(), "{name} {side}");
        }
    }
}

#[test]
fn a_gap_asks_for_what_its_stream_needs() {
    let scenarios = list("book_scenarios");
    let last = |name: &str| {
        let scenario = scenarios.iter().find(|scenario| text(scenario, "name") == name).expect(name);
        played(scenario).outcomes.pop()
    };
    assert_eq!(last("obu_gap"), Some(SyncOutcome::NeedResubscribe));
    // Too old a snapshot is asked for again after a pause; the frame that came first is kept.
    assert_eq!(last("rest_snapshot_too_old"), Some(SyncOutcome::Buffered));
}
