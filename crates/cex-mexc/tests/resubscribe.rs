//! A book that no snapshot can be joined to is mended by a new subscription, not by a new connection.

mod support;

use cex_core::{Level, LinkEvent, MarketEvent, Price, StreamKind, SymbolId, Timestamp};
use cex_interface::{Effect, HttpResponse, Input, Link, Outbox, Payload, Reply, Request, Subscription};
use cex_orderbook::{BookConfig, BookSync, StaleReason, SyncOutcome, SyncState};
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use cex_proto::mexc::{DepthLevel, PublicAggreDepths, PushDataV3ApiWrapper};
use prost::Message;
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};
use std::time::Duration;
use support::{adapter, markets};

const BTC: SymbolId = SymbolId(0);
const CHANNEL: &str = "spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT";

/// A link and the book it feeds, on one connection that is never lost.
struct Desk {
    link: Box<dyn Link>,
    book: BookSync,
    now: Timestamp,
    /// The methods of what the link sent.
    said: Vec<String>,
}

impl Desk {
    fn connected() -> Self {
        let wanted = [Subscription { symbol: BTC, stream: StreamKind::Book }];
        let link = adapter(&[]).market_links(&markets(), &wanted).expect("a plan").remove(0);
        let rule = adapter(&[]).capabilities().books[0].sync;
        let book = BookSync::new(BTC, rule, BookConfig::new(Price(1), 1_000));
        let mut desk = Self { link, book, now: Timestamp::from_secs(1_781_690_000), said: Vec::new() };
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
        let method = request["method"].as_str().expect("a method");
        self.said.push(method.to_owned());
        let words = match request["params"].as_array() {
            Some(names) => names.iter().filter_map(|name| name.as_str()).collect::<Vec<_>>().join(","),
            None => "PONG".to_owned(),
        };
        let id = request["id"].as_i64().unwrap_or(0);
        self.tell(Input::Text(format!(r#"{{"id":{id},"code":0,"msg":"{words}"}}"#).as_bytes()));
    }

    fn frame(&mut self, from: u64, to: u64) -> Vec<SyncOutcome> {
        let level = |price: &str| DepthLevel { price: price.to_owned(), quantity: "1".to_owned() };
        let depth = PublicAggreDepths {
            bids: vec![level("104209.98")],
            from_version: from.to_string(),
            to_version: to.to_string(),
            ..PublicAggreDepths::default()
        };
        let frame = PushDataV3ApiWrapper {
            channel: CHANNEL.to_owned(),
            symbol: Some("BTCUSDT".to_owned()),
            send_time: Some(self.now.as_millis()),
            body: Some(Body::PublicAggreDepths(depth)),
            ..PushDataV3ApiWrapper::default()
        };
        self.tell(Input::Binary(&frame.encode_to_vec()))
    }

    fn snapshot(&mut self, version: u64) -> SyncOutcome {
        let body = format!(
            r#"{{"lastUpdateId":{version},"bids":[["104209.99","1.5"]],"asks":[["104210.00","2"]],"timestamp":1}}"#
        );
        let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
        let request = Request::Book { symbol: BTC, depth: 1_000 };
        let reply = adapter(&[]).decode(&markets(), &request, &response);
        let Ok(Reply::Book(book)) = reply else { panic!("{reply:?}") };
        self.book.on_snapshot(self.now, book.seq, book.exchange_ts, &book.bids, &book.asks)
    }

    /// Lets snapshots fail until a new subscription is asked for; how many did.
    fn fail_until_given_up(&mut self) -> u32 {
        for failed in 1.. {
            match self.book.on_snapshot_failed(self.now) {
                SyncOutcome::NeedResubscribe => return failed,
                outcome => assert_eq!(outcome, SyncOutcome::Buffered),
            }
            self.now += Duration::from_millis(250);
            assert_eq!(self.book.on_wake(self.now), SyncOutcome::NeedSnapshot);
        }
        unreachable!("attempts are bounded")
    }
}

#[test]
fn a_book_without_a_snapshot_lives_again_after_resubscribing() {
    let mut desk = Desk::connected();
    assert_eq!(desk.frame(101, 103), [SyncOutcome::NeedSnapshot]);
    assert_eq!(desk.fail_until_given_up(), 20);
    assert_eq!(desk.frame(104, 104), [SyncOutcome::Ignored], "what comes now is of no use");
    let stale = |desk: &Desk| matches!(desk.book.state(), SyncState::Stale { .. });
    assert!(stale(&desk) && desk.book.outage().map(|outage| outage.why) == Some(StaleReason::NoSnapshot));

    desk.tell(Input::Resubscribe(BTC));
    assert_eq!(desk.said, ["SUBSCRIPTION", "UNSUBSCRIPTION", "SUBSCRIPTION"]);
    assert!(matches!(desk.book.state(), SyncState::Buffering { .. }), "{:?}", desk.book.state());

    assert_eq!(desk.frame(200, 205), [SyncOutcome::NeedSnapshot]);
    assert!(matches!(desk.snapshot(202), SyncOutcome::Applied(_)));
    let best = |level: Option<Level>| level.map(|level| level.price);
    let book = desk.book.usable().expect("live");
    assert_eq!(
        (best(book.best_bid()), best(book.best_ask())),
        (Some(Price(10_420_999)), Some(Price(10_421_000)))
    );
    assert_eq!(desk.book.live().map(|live| live.last_seq), Some(205));
}

/// A quiet symbol sends no frame that could begin the collection: the confirmation alone must be enough.
#[test]
fn a_quiet_book_lives_again_after_resubscribing() {
    let mut desk = Desk::connected();
    desk.now += Duration::from_secs(2);
    assert_eq!(desk.book.on_wake(desk.now), SyncOutcome::NeedSnapshot);
    desk.fail_until_given_up();
    desk.tell(Input::Resubscribe(BTC));
    desk.now += Duration::from_secs(2);
    assert_eq!(desk.book.on_wake(desk.now), SyncOutcome::NeedSnapshot);
    assert!(matches!(desk.snapshot(7), SyncOutcome::Applied(_)));
}
