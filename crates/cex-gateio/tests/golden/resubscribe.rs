//! A book that no snapshot can be joined to is mended by a new subscription, not by a new connection.

use crate::support::{account, markets, now};
use cex_core::{LinkEvent, MarketEvent, Price, StreamKind, SymbolId, Timestamp};
use cex_interface::{
    Effect, HttpResponse, Input, Link, Outbox, Payload, Protocol, Reply, Request, Subscription,
};
use cex_orderbook::{BookConfig, BookSync, SyncOutcome, SyncState};
use sonic_rs::{JsonValueTrait, Value};
use std::time::Duration;

const BTC: SymbolId = SymbolId(0);
const UPDATE: &[(&str, &str)] = &[("depth_interval", "100ms")];
const OBU: &[(&str, &str)] = &[("book_channel", "obu")];

/// A link and the book it feeds, on one connection that is never lost.
struct Desk {
    link: Box<dyn Link>,
    book: BookSync,
    now: Timestamp,
    /// The events of what the link sent.
    said: Vec<String>,
}

impl Desk {
    fn connected(options: &[(&str, &str)]) -> Self {
        let wanted = [Subscription { symbol: BTC, stream: StreamKind::Book }];
        let link = account(options).market_links(&markets(), &wanted).expect("a plan").remove(0);
        let rule = account(options).capabilities().books[0].sync;
        let book = BookSync::new(BTC, rule, BookConfig::new(Price(1), 100));
        let mut desk = Self { link, book, now: now(), said: Vec::new() };
        desk.tell(Input::Start);
        desk.tell(Input::Connected);
        desk
    }

    /// Tells the link something; passes on what it learned, and answers what it sends as the exchange does.
    fn tell(&mut self, input: Input<'_>) -> Vec<SyncOutcome> {
        let (mut out, mut outcomes) = (Outbox::default(), Vec::new());
        self.link.handle(self.now, input, &mut out).expect("usable");
        for event in &out.link {
            if *event == (LinkEvent::Subscribed { symbol: Some(BTC), stream: StreamKind::Book }) {
                self.book.on_subscribed(self.now);
            }
        }
        for event in &out.market {
            let MarketEvent::Book(update) = event else { panic!("{event:?}") };
            outcomes.push(self.book.on_update(self.now, update, &out.levels));
        }
        for effect in &out.effects {
            match effect {
                Effect::Send(Payload::Text(text)) => self.answer(text),
                Effect::Connect(_) => assert!(self.said.is_empty(), "connects once"),
                Effect::Send(_) | Effect::Request { .. } | Effect::Reconnect(_) => panic!("{effect:?}"),
            }
        }
        outcomes
    }

    fn answer(&mut self, text: &str) {
        let request: Value = sonic_rs::from_str(text).expect("JSON");
        let member = |name: &str| request[name].to_string();
        let (id, channel, event, payload) =
            (member("id"), member("channel"), member("event"), member("payload"));
        self.said.push(request["event"].as_str().expect("an event").to_owned());
        self.tell(Input::Text(
            format!(
                r#"{{"time":1,"id":{id},"channel":{channel},"event":{event},"payload":{payload},"result":{{"status":"success"}}}}"#
            )
            .as_bytes(),
        ));
    }

    fn frame(&mut self, channel: &str, result: &str) -> Vec<SyncOutcome> {
        let frame = format!(r#"{{"time":1,"channel":"{channel}","event":"update","result":{result}}}"#);
        self.tell(Input::Text(frame.as_bytes()))
    }

    fn delta(&mut self, first: u64, last: u64) -> Vec<SyncOutcome> {
        let millis = self.now.as_millis();
        self.frame(
            "spot.order_book_update",
            &format!(r#"{{"t":{millis},"s":"BTC_USDT","U":{first},"u":{last},"b":[["36999","1"]],"a":[]}}"#),
        )
    }

    fn snapshot(&mut self, id: u64) -> SyncOutcome {
        let body = format!(
            r#"{{"id":{id},"current":1,"update":1,"asks":[["37001","2"]],"bids":[["37000","1.5"]]}}"#
        );
        let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
        let reply = account(UPDATE).decode(&markets(), &Request::Book { symbol: BTC, depth: 100 }, &response);
        let Ok(Reply::Book(book)) = reply else { panic!("{reply:?}") };
        self.book.on_snapshot(self.now, book.seq, book.exchange_ts, &book.bids, &book.asks)
    }
}

#[test]
fn a_book_without_a_snapshot_lives_again_after_resubscribing() {
    let mut desk = Desk::connected(UPDATE);
    assert_eq!(desk.delta(101, 103), [SyncOutcome::NeedSnapshot]);
    let mut failed = 1;
    while desk.book.on_snapshot_failed(desk.now) == SyncOutcome::Buffered {
        desk.now += Duration::from_millis(250);
        assert_eq!(desk.book.on_wake(desk.now), SyncOutcome::NeedSnapshot);
        failed += 1;
    }
    assert_eq!(failed, 20);
    assert!(matches!(desk.book.state(), SyncState::Stale { .. }));
    assert_eq!(desk.delta(104, 104), [SyncOutcome::Ignored], "what comes now is of no use");

    desk.tell(Input::Resubscribe(BTC));
    assert_eq!(desk.said, ["subscribe", "unsubscribe", "subscribe"]);
    assert!(matches!(desk.book.state(), SyncState::Buffering { .. }), "{:?}", desk.book.state());
    assert_eq!(desk.delta(200, 205), [SyncOutcome::NeedSnapshot]);
    assert!(matches!(desk.snapshot(202), SyncOutcome::Applied(_)));
    assert_eq!(desk.book.usable().expect("live").best_bid().map(|level| level.price), Some(Price(370_000)));
    assert_eq!(desk.book.live().map(|live| live.last_seq), Some(205));
}

#[test]
fn a_stream_with_its_own_snapshot_sends_it_again_after_a_gap() {
    let mut desk = Desk::connected(OBU);
    let whole = r#"{"t":1,"full":true,"s":"ob.BTC_USDT.50","u":100,"b":[["37000","1"]],"a":[["37001","1"]]}"#;
    let gap = r#"{"t":1,"s":"ob.BTC_USDT.50","U":102,"u":102,"b":[],"a":[]}"#;
    assert!(matches!(desk.frame("spot.obu", whole)[..], [SyncOutcome::Applied(_)]));
    assert_eq!(desk.frame("spot.obu", gap), [SyncOutcome::NeedResubscribe]);
    desk.tell(Input::Resubscribe(BTC));
    assert_eq!(desk.said, ["subscribe", "unsubscribe", "subscribe"]);
    assert!(matches!(desk.book.state(), SyncState::Waiting { .. }), "{:?}", desk.book.state());
    assert!(matches!(desk.frame("spot.obu", whole)[..], [SyncOutcome::Applied(_)]));
    assert!(desk.book.usable().is_some());
}
