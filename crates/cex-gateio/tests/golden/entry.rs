//! The trading interface of the vectors: what is sent, and what its answers mean.

use crate::support::{account, frame, markets, now, order_line, venue};
use cex_core::{ClientOrderId, LinkEvent, OrderId, OrderKind, OrderRequest, Price, Qty, Side, StreamKind};
use cex_core::{SymbolId, TimeInForce};
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::{
    Effect, Feedback, Input, Link, LinkAnswer, LinkCall, OrderRef, Outbox, Payload, Protocol, Reply, Request,
};
use sonic_rs::Value;
use std::time::Duration;

const BTC: SymbolId = SymbolId(0);

/// The connection for orders, with what it did last.
struct Desk {
    link: Box<dyn Link>,
    out: Outbox,
    sent: Vec<String>,
}

impl Desk {
    fn connected() -> Self {
        let link = account(&[]).order_link(&markets()).expect("there are keys");
        let mut desk = Self { link, out: Outbox::default(), sent: Vec::new() };
        desk.tell(Input::Start);
        desk.tell(Input::Connected);
        desk
    }

    fn logged_in() -> Self {
        let mut desk = Self::connected();
        desk.hear("login_ok", "login-1", "login");
        assert!(desk.out.link.contains(&LinkEvent::Subscribed { symbol: None, stream: StreamKind::Account }));
        desk
    }

    fn tell(&mut self, input: Input<'_>) {
        self.out.clear();
        self.link.handle(now(), input, &mut self.out).expect("understood");
        self.keep();
    }

    fn keep(&mut self) {
        let texts = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send(Payload::Text(text)) => Some(text.clone()),
            Effect::Send(_) | Effect::Connect(_) | Effect::Request { .. } | Effect::Reconnect(_) => None,
        });
        self.sent.extend(texts);
    }

    /// Hears a frame of the vectors, its number replaced by one of ours.
    fn hear(&mut self, name: &str, theirs: &str, ours: &str) {
        let text = frame(name);
        let number = |id: &str| format!("\"request_id\":\"{id}\"");
        assert!(text.contains(&number(theirs)), "{name}: {text}");
        self.tell(Input::Text(text.replace(&number(theirs), &number(ours)).as_bytes()));
    }

    fn call(&mut self, request: &Request) {
        self.out.clear();
        let give_up_at = now() + Duration::from_secs(10);
        let call = LinkCall { tag: 7, request, venue_now: now(), give_up_at };
        self.link.call(now(), call, &mut self.out).expect("it leaves");
        self.keep();
    }

    /// What the frame of the vectors makes of a call.
    fn answer(&mut self, request: &Request, name: &str, theirs: &str) -> LinkAnswer {
        self.call(request);
        self.hear(name, theirs, "1");
        let [answer] = self.out.answers.as_slice() else { panic!("{name}: {:?}", self.out) };
        assert_eq!(answer.tag, 7);
        answer.clone()
    }
}

fn result(request: &Request, name: &str, theirs: &str) -> Result<Reply, ExchangeError> {
    Desk::logged_in().answer(request, name, theirs).result
}

fn order(client_id: &str, side: Side, tif: TimeInForce) -> OrderRequest {
    OrderRequest {
        venue: venue(),
        symbol: BTC,
        client_id: ClientOrderId::new(client_id).expect("plain"),
        side,
        kind: OrderKind::Limit { price: Price(300_005), qty: Qty(100_000), tif },
        expires_in: Duration::from_secs(3),
    }
}

fn place(client_id: &str) -> Request {
    Request::Place(order(client_id, Side::Buy, TimeInForce::Ioc))
}

fn batch() -> Request {
    let order = |id, side| order(id, side, TimeInForce::Ioc);
    Request::PlaceBatch(vec![order("b1", Side::Buy), order("b2", Side::Sell)])
}

fn cancel_batch() -> Request {
    let id = OrderId::new("1700664343").expect("short");
    let gone = ClientOrderId::new("gone").expect("plain");
    Request::CancelBatch(vec![(BTC, OrderRef::Id(id)), (BTC, OrderRef::Client(gone))])
}

/// The same message, whatever the order of its members; ours may say more.
fn says(ours: &str, theirs: &str) {
    let value = |text: &str| sonic_rs::from_str::<Value>(text).expect(text);
    assert_eq!(value(ours), value(theirs), "{ours}");
}

#[test]
fn the_login_is_signed_as_the_reference_signs() {
    let desk = Desk::connected();
    says(&desk.sent[0], &frame("login").replace("login-1", "login"));
}

#[test]
fn calls_are_what_the_reference_sends() {
    let named = |id: &str| OrderRef::Client(ClientOrderId::new(id).expect("plain"));
    let numbered = OrderRef::Id(OrderId::new("1700664330").expect("short"));
    for (request, name, theirs) in [
        (place("ws-1"), "place_unsigned", "p-1"),
        (Request::Cancel { symbol: BTC, order: numbered }, "cancel", "c-1"),
        (cancel_batch(), "cancel_ids", "ci-1"),
        (Request::Order { symbol: BTC, order: named("ws-1") }, "status", "s-1"),
    ] {
        let mut desk = Desk::logged_in();
        desk.call(&request);
        // The reference's account trades a pair of its own.
        let theirs = frame(name).replace(&format!("\"{theirs}\""), "\"1\"").replace("GT_USDT", "BTC_USDT");
        let ours = desk.sent.last().expect("sent");
        // We say which account, which is that of the reference unless said.
        says(&ours.replace(r#","account":"spot"}"#, "}"), &theirs.replace(r#","account":"spot"}"#, "}"));
    }
}

#[test]
fn an_amendment_names_the_order_among_its_parameters() {
    let mut desk = Desk::logged_in();
    let numbered = OrderRef::Id(OrderId::new("1700664330").expect("short"));
    desk.call(&Request::Amend { symbol: BTC, order: numbered, price: Some(Price(20)), qty: None });
    let theirs = frame("amend").replace("\"a-1\"", "\"1\"").replace("GT_USDT", "BTC_USDT");
    let ours = desk.sent.last().expect("sent").replace(r#""account":"spot","#, "");
    says(&ours, &theirs);
}

#[test]
fn a_batch_is_a_list_and_carries_an_expiry() {
    let mut desk = Desk::logged_in();
    desk.call(&batch());
    let theirs = frame("place_batch").replace("\"b-1\"", "\"1\"");
    let expiry = r#","req_header":{"x-gate-exptime":"1700000003000"}"#;
    let ours = desk.sent.last().expect("sent");
    assert!(ours.contains(expiry), "{ours}");
    says(&ours.replace(expiry, ""), &theirs);
}

#[test]
fn an_acknowledgement_is_not_a_result() {
    let mut desk = Desk::logged_in();
    desk.call(&place("ws-1"));
    desk.hear("place_ack", "p-1", "1");
    assert_eq!(desk.out.answers, [], "it was received, which says nothing of what becomes of it");
    desk.hear("place_result_ioc_nothing", "p-1", "1");
    let [LinkAnswer { result: Ok(Reply::Placed(placed)), feedback, .. }] = desk.out.answers.as_slice() else {
        panic!("{:?}", desk.out.answers);
    };
    assert_eq!(
        order_line(&markets(), &placed.order.expect("told")),
        "order 1852454420 BTC/USDT buy Canceled qty 0.001 price 30000.5 filled 0 for 0 fee 0 BTC client ws-1 at \
         1700000001012"
    );
    assert!(
        matches!(feedback.as_slice(), [Feedback::Remaining { symbol: Some(BTC), weight: 9, .. }]),
        "{feedback:?}"
    );
}

#[test]
fn a_loss_after_an_acknowledgement_is_unknown() {
    let mut desk = Desk::logged_in();
    desk.call(&place("ws-1"));
    desk.hear("place_ack", "p-1", "1");
    desk.tell(Input::Disconnected);
    let [LinkAnswer { result: Err(error), .. }] = desk.out.answers.as_slice() else {
        panic!("{:?}", desk.out.answers);
    };
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(
        error.to_string(),
        "gateio place order: connection lost after sending (received by the exchange, no result)"
    );
}

#[test]
fn the_shortest_result_has_identifiers_only() {
    let Ok(Reply::Placed(placed)) = result(&place("123456"), "place_result_ack_mode", "p-2") else {
        panic!("placed");
    };
    assert_eq!((placed.order_id.as_str(), placed.order), ("12332324", None));
}

#[test]
fn refusals_are_refusals() {
    let cancel =
        Request::Cancel { symbol: BTC, order: OrderRef::Id(OrderId::new("1700664330").expect("short")) };
    for (request, name, theirs, expected) in [
        (place("x"), "not_logged_in", "p-0", ErrorKind::InvalidKey),
        (place("x"), "place_rejected", "p-3", ErrorKind::InsufficientBalance),
        (cancel, "cancel_not_found", "c-1", ErrorKind::OrderNotFound),
    ] {
        let error = result(&request, name, theirs).expect_err(name);
        assert_eq!((error.outcome(), error.kind), (Outcome::Refused, expected), "{name}");
    }
}

#[test]
fn a_rate_limit_says_how_long_and_how_much() {
    let answer = Desk::logged_in().answer(&place("x"), "place_rate_limited", "p-4");
    let error = answer.result.expect_err("refused");
    let ErrorKind::RateLimited { retry_after: Some(wait) } = error.kind else { panic!("{error}") };
    // The window ends 915,902 us after the answer left; a second is added because reset times are rounded.
    assert_eq!(wait, Duration::from_micros(1_915_902));
    assert!(
        matches!(answer.feedback.as_slice(), [Feedback::Remaining { symbol: Some(BTC), weight: 0, .. }]),
        "{:?}",
        answer.feedback
    );
}

#[test]
fn rows_of_a_batch_succeed_and_fail_by_themselves() {
    let Ok(Reply::PlacedBatch(placed)) = result(&batch(), "place_batch_result", "b-1") else {
        panic!("a batch");
    };
    assert_eq!(placed[0].as_ref().expect("placed").order_id.as_str(), "775453816782");
    assert_eq!(placed[1].as_ref().expect_err("failed").kind, ErrorKind::InsufficientBalance);
    let Ok(Reply::CanceledBatch(canceled)) = result(&cancel_batch(), "cancel_ids_result", "ci-1") else {
        panic!("a batch");
    };
    assert_eq!(canceled[0], Ok(()));
    assert_eq!(canceled[1].as_ref().expect_err("gone").kind, ErrorKind::OrderNotFound);
}

#[test]
fn a_refused_login_is_tried_again_and_takes_no_calls() {
    let mut desk = Desk::connected();
    desk.hear("login_bad_key", "login-1", "login");
    assert!(desk.out.link.contains(&LinkEvent::Refused { symbol: None, stream: StreamKind::Account }));
    assert!(matches!(desk.out.effects.as_slice(), [Effect::Reconnect(_)]), "{:?}", desk.out.effects);
    let request = place("ws-1");
    let call = LinkCall { tag: 1, request: &request, venue_now: now(), give_up_at: now() };
    let mut out = Outbox::default();
    assert_eq!(desk.link.call(now(), call, &mut out), Err(ErrorKind::InvalidKey));
    assert!(out.is_empty(), "nothing is sent: {out:?}");
}
