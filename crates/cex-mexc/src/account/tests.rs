//! The private link, told what happens to it.

use super::*;
use crate::testing::{at, config_with_keys, markets, venue};
use cex_core::{OrderStatus, SymbolId};
use cex_errors::Phase;
use cex_interface::{Payload, VenueConfig};
use cex_proto::mexc::{PrivateAccount, PrivateDeals, PrivateOrders};

const MINUTE: i64 = 60_000;

fn link() -> AccountLink {
    let settings = Settings::read(config_with_keys()).expect("valid");
    AccountLink::new(&settings, &markets()).expect("credentials")
}

fn tell(link: &mut AccountLink, millis: i64, input: Input<'_>) -> Outbox {
    let mut out = Outbox::default();
    link.handle(at(millis), input, &mut out).expect("usable");
    out
}

fn key(text: &str) -> Result<Reply, ExchangeError> {
    Ok(Reply::ListenKey(text.to_owned()))
}

fn failed(kind: ErrorKind) -> Result<Reply, ExchangeError> {
    Err(ExchangeError::new(venue(), Op::ListenKey, kind))
}

fn request(out: &Outbox) -> (u32, Request) {
    match &out.effects[..] {
        [Effect::Request { tag, request }] => (*tag, request.clone()),
        other => panic!("{other:?}"),
    }
}

fn connect_url(key: &str) -> Effect {
    Effect::Connect(format!("wss://wbs-api.mexc.com/ws?listenKey={key}"))
}

fn acknowledgement() -> String {
    format!(r#"{{"id":1,"code":0,"msg":"{}"}}"#, CHANNELS.join(","))
}

/// Start, key, connection, acknowledgement.
fn ready(link: &mut AccountLink, millis: i64, listen_key: &str) -> Outbox {
    let (tag, asked) = request(&tell(link, millis, Input::Start));
    assert_eq!(asked, Request::CreateListenKey);
    let out = tell(link, millis, Input::Reply { tag, result: &key(listen_key) });
    assert_eq!(out.effects, [connect_url(listen_key)]);
    tell(link, millis, Input::Connected);
    tell(link, millis, Input::Text(acknowledgement().as_bytes()))
}

/// Wakes the link until it wants something, answering its pings.
fn run_to_next_wish(link: &mut AccountLink, until: i64) -> (i64, Outbox) {
    while let Some(due) = link.wakeup_at().map(Timestamp::as_millis).filter(|due| *due <= until) {
        let mut out = tell(link, due, Input::Wake);
        let pings = out.effects.len();
        out.effects
            .retain(|effect| !matches!(effect, Effect::Send(Payload::Text(text)) if text.contains("PING")));
        if out.effects.len() < pings {
            tell(link, due, Input::Text(br#"{"id":0,"code":0,"msg":"PONG"}"#));
        }
        if !out.effects.is_empty() {
            return (due, out);
        }
    }
    (until, Outbox::default())
}

#[test]
fn is_ready_when_all_three_channels_are_acknowledged() {
    let mut link = link();
    let (tag, _) = request(&tell(&mut link, 0, Input::Start));
    tell(&mut link, 0, Input::Reply { tag, result: &key("a/b") });
    let out = tell(&mut link, 0, Input::Connected);
    let [Effect::Send(Payload::Text(message))] = &out.effects[..] else { panic!("{:?}", out.effects) };
    assert!(CHANNELS.iter().all(|channel| message.contains(channel)), "{message}");
    let two = format!(r#"{{"id":1,"code":0,"msg":"{},{}"}}"#, CHANNELS[0], CHANNELS[2]);
    let subscribed = LinkEvent::Subscribed { symbol: None, stream: StreamKind::Account };
    assert_eq!(tell(&mut link, 1, Input::Text(two.as_bytes())).link, [subscribed, subscribed]);
    let third = format!(r#"{{"id":1,"code":0,"msg":"{}"}}"#, CHANNELS[1]);
    assert_eq!(tell(&mut link, 2, Input::Text(third.as_bytes())).link, [subscribed, LinkEvent::AccountReady]);
    assert_eq!((link.name(), link.subscriptions().len()), ("mexc account", 0));
}

#[test]
fn the_key_is_percent_encoded_and_never_shown() {
    assert_eq!(with_key("ws://127.0.0.1/ws", "a/b=c"), "ws://127.0.0.1/ws?listenKey=a%2Fb%3Dc");
    let mut link = link();
    ready(&mut link, 0, "canary");
    assert!(!format!("{link:?} {:?}", link.key).contains("canary"));
}

#[test]
fn without_credentials_there_is_no_account_link() {
    let settings = Settings::read(VenueConfig::public(venue())).expect("defaults");
    assert!(AccountLink::new(&settings, &markets()).is_err());
}

#[test]
fn the_key_is_renewed_every_twenty_two_minutes() {
    let mut link = link();
    ready(&mut link, 0, "k");
    for round in 1..=3 {
        let (at, out) = run_to_next_wish(&mut link, 200 * MINUTE);
        assert_eq!(at, round * 22 * MINUTE);
        let (tag, asked) = request(&out);
        assert_eq!(asked, Request::KeepListenKey("k".to_owned()));
        assert!(tell(&mut link, at, Input::Reply { tag, result: &Ok(Reply::Done) }).is_empty());
    }
}

#[test]
fn a_failed_renewal_brings_a_new_key_and_the_old_one_is_deleted_when_that_works() {
    let mut link = link();
    ready(&mut link, 0, "old");
    let (now, out) = run_to_next_wish(&mut link, 60 * MINUTE);
    let (tag, _) = request(&out);
    let refused = failed(ErrorKind::ListenKeyInvalid);
    let out = tell(&mut link, now, Input::Reply { tag, result: &refused });
    assert_eq!(out.effects, [Effect::Reconnect(CloseReason::KeyExpired)]);
    assert_eq!(tell(&mut link, now, Input::Disconnected).link, [LinkEvent::Down]);
    let out = ready(&mut link, now, "new");
    assert_eq!(request(&out).1, Request::DeleteListenKey("old".to_owned()));
}

#[test]
fn a_renewal_that_never_left_us_is_tried_again() {
    let mut link = link();
    ready(&mut link, 0, "k");
    let (now, out) = run_to_next_wish(&mut link, 60 * MINUTE);
    let (tag, _) = request(&out);
    let unsent = failed(ErrorKind::Connection(Phase::BeforeSend));
    assert!(tell(&mut link, now, Input::Reply { tag, result: &unsent }).is_empty());
    let (again, out) = run_to_next_wish(&mut link, 60 * MINUTE);
    assert_eq!((again - now, request(&out).1), (30_000, Request::KeepListenKey("k".to_owned())));
    // Near the end of its hour the key is not trusted with another retry.
    let late = tell(&mut link, 51 * MINUTE, Input::Reply { tag: request(&out).0, result: &unsent });
    assert_eq!(late.effects, [Effect::Reconnect(CloseReason::KeyExpired)]);
}

#[test]
fn a_living_key_serves_the_next_connection_and_a_worn_out_one_does_not() {
    let mut link = link();
    ready(&mut link, 0, "k");
    tell(&mut link, MINUTE, Input::Disconnected);
    assert_eq!(tell(&mut link, 2 * MINUTE, Input::Start).effects, [connect_url("k")]);
    tell(&mut link, 2 * MINUTE, Input::Disconnected);
    let out = tell(&mut link, 50 * MINUTE, Input::Start);
    assert_eq!(request(&out).1, Request::CreateListenKey);
}

#[test]
fn a_renewal_lost_with_the_connection_is_made_again() {
    let mut link = link();
    ready(&mut link, 0, "k");
    let (now, out) = run_to_next_wish(&mut link, 60 * MINUTE);
    request(&out);
    tell(&mut link, now, Input::Disconnected);
    assert_eq!(tell(&mut link, now, Input::Start).effects, [connect_url("k")]);
    assert_eq!(request(&tell(&mut link, now, Input::Wake)).1, Request::KeepListenKey("k".to_owned()));
}

#[test]
fn a_dead_key_is_dropped_and_replaced() {
    let mut link = link();
    ready(&mut link, 0, "dead");
    let out = tell(&mut link, 1, Input::Text(b"Invalid listen key"));
    assert_eq!(out.effects, [Effect::Reconnect(CloseReason::KeyExpired)]);
    tell(&mut link, 1, Input::Disconnected);
    assert!(ready(&mut link, 2, "new").effects.is_empty(), "there is nothing to delete");
}

#[test]
fn refused_channels_bring_a_new_key() {
    let mut link = link();
    let (tag, _) = request(&tell(&mut link, 0, Input::Start));
    tell(&mut link, 0, Input::Reply { tag, result: &key("old") });
    tell(&mut link, 0, Input::Connected);
    let words = format!("Not Subscribed successfully! [{}].  Reason： Blocked! ", CHANNELS.join(","));
    let out = tell(&mut link, 1, Input::Text(format!(r#"{{"id":1,"code":0,"msg":"{words}"}}"#).as_bytes()));
    assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Refused)]);
    assert_eq!(out.link, [LinkEvent::Refused { symbol: None, stream: StreamKind::Account }; 3]);
    tell(&mut link, 1, Input::Disconnected);
    assert_eq!(request(&ready(&mut link, 2, "new")).1, Request::DeleteListenKey("old".to_owned()));
}

#[test]
fn no_key_means_another_start() {
    let mut link = link();
    let (tag, _) = request(&tell(&mut link, 0, Input::Start));
    let out = tell(&mut link, 0, Input::Reply { tag, result: &failed(ErrorKind::ServerBusy) });
    assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Refused)]);
    assert!(tell(&mut link, 0, Input::Disconnected).link.is_empty(), "it was never up");
}

#[test]
fn the_key_is_given_back_at_the_end_also_when_it_comes_too_late() {
    let mut link = link();
    ready(&mut link, 0, "k");
    assert_eq!(request(&tell(&mut link, 1, Input::Stop)).1, Request::DeleteListenKey("k".to_owned()));
    assert_eq!(link.wakeup_at(), None);

    let mut early = self::link();
    let (tag, _) = request(&tell(&mut early, 0, Input::Start));
    assert!(tell(&mut early, 0, Input::Stop).effects.is_empty());
    let out = tell(&mut early, 0, Input::Reply { tag, result: &key("late") });
    assert_eq!(request(&out).1, Request::DeleteListenKey("late".to_owned()));
}

fn push(body: Body, symbol: Option<&str>) -> (Outbox, Result<(), ExchangeError>) {
    let mut link = link();
    ready(&mut link, 0, "k");
    let wrapper = PushDataV3ApiWrapper {
        channel: CHANNELS[0].to_owned(),
        symbol: symbol.map(str::to_owned),
        send_time: Some(1_781_690_020_009),
        body: Some(body),
        ..PushDataV3ApiWrapper::default()
    };
    let mut out = Outbox::default();
    let result = link.handle(at(1), Input::Binary(&wrapper.encode_to_vec()), &mut out);
    (out, result)
}

fn new_order() -> PrivateOrders {
    PrivateOrders {
        id: "C02__1".to_owned(),
        client_id: "arb-000018".to_owned(),
        price: "104000".to_owned(),
        quantity: "0.01".to_owned(),
        order_type: 1,
        trade_type: 1,
        create_time: 1_781_690_020_000,
        cumulative_quantity: "0.004".to_owned(),
        cumulative_amount: "416".to_owned(),
        ..PrivateOrders::default()
    }
}

#[test]
fn every_order_status_has_its_meaning() {
    for (number, status) in [
        (0, OrderStatus::PendingNew),
        (1, OrderStatus::New),
        (2, OrderStatus::Filled),
        (3, OrderStatus::PartiallyFilled),
        (4, OrderStatus::Canceled),
        (5, OrderStatus::Canceled),
        (6, OrderStatus::Unknown),
    ] {
        let (out, _) =
            push(Body::PrivateOrders(PrivateOrders { status: number, ..new_order() }), Some("BTCUSDT"));
        let [AccountEvent::Order(order)] = &out.account[..] else { panic!("{:?}", out.account) };
        assert_eq!(order.status, status, "{number}");
        assert_eq!((order.created_at, order.as_of), (at(1_781_690_020_000), at(1_781_690_020_009)));
    }
}

#[test]
fn order_types_change_only_what_the_price_means() {
    for (number, has_price) in
        [(1, true), (2, true), (3, true), (4, true), (5, false), (100, true), (777, true)]
    {
        let (out, _) =
            push(Body::PrivateOrders(PrivateOrders { order_type: number, ..new_order() }), Some("BTCUSDT"));
        let [AccountEvent::Order(order)] = &out.account[..] else { panic!("{:?}", out.account) };
        assert_eq!(order.price.is_some(), has_price, "{number}");
    }
    let unnamed = PrivateOrders { client_id: String::new(), quantity: "0".to_owned(), ..new_order() };
    let (out, _) = push(Body::PrivateOrders(unnamed), Some("BTCUSDT"));
    let [AccountEvent::Order(order)] = &out.account[..] else { panic!("{:?}", out.account) };
    assert_eq!((order.client_id, order.qty), (None, None));
}

#[test]
fn private_news_of_unregistered_symbols_pass_by() {
    for symbol in [Some("ZZZUSDT"), None] {
        let (out, result) = push(Body::PrivateOrders(new_order()), symbol);
        assert!(out.is_empty() && result.is_ok());
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let deal = PrivateDeals {
        price: "1".to_owned(),
        quantity: "1".to_owned(),
        trade_type: 1,
        trade_id: "1X1".to_owned(),
        order_id: "C02__1".to_owned(),
        ..PrivateDeals::default()
    };
    let read = |deal: PrivateDeals| push(Body::PrivateDeals(deal), Some("BTCUSDT"));
    assert_eq!(read(deal.clone()).0.account.len(), 1, "no fee, no fee coin");
    for bad in [
        PrivateDeals { price: String::new(), ..deal.clone() },
        PrivateDeals { quantity: "0".to_owned(), ..deal.clone() },
        PrivateDeals { quantity: "1,5".to_owned(), ..deal.clone() },
        PrivateDeals { trade_type: 0, ..deal.clone() },
        PrivateDeals { trade_id: String::new(), ..deal.clone() },
        PrivateDeals { order_id: String::new(), ..deal.clone() },
        PrivateDeals { fee_amount: "0.1".to_owned(), ..deal.clone() },
    ] {
        let (out, result) = read(bad);
        assert!(result.is_err() && out.account.is_empty());
        assert_eq!(out.link, [LinkEvent::Undecodable { symbol: None }]);
    }
    let nameless = PrivateAccount { balance_amount: "1".to_owned(), ..PrivateAccount::default() };
    assert!(push(Body::PrivateAccount(nameless), None).1.is_err());
    assert!(
        push(Body::PrivateOrders(PrivateOrders { id: String::new(), ..new_order() }), Some("BTCUSDT"))
            .1
            .is_err()
    );
    assert_eq!(SymbolId(0), markets().by_native(b"BTCUSDT").expect("registered").id);
}
