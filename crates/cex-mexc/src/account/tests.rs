//! The private link, told what happens to it.

use super::*;
use crate::testing::{at, config_with_keys, markets, venue};
use cex_core::{OrderStatus, SymbolId};
use cex_errors::Phase;
use cex_interface::{ListenKeys, Payload, VenueConfig};
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

fn keys(living: &[&str]) -> Result<Reply, ExchangeError> {
    keys_and_left(living, None)
}

fn keys_and_left(living: &[&str], left: Option<u32>) -> Result<Reply, ExchangeError> {
    let living = living.iter().map(|key| (*key).to_owned()).collect();
    Ok(Reply::ListenKeys(ListenKeys { living, left }))
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

/// Wakes the link until it wants something, answering its pings, and its questions for living keys with these.
fn run_to_next_wish(link: &mut AccountLink, until: i64) -> (i64, Outbox) {
    run_with_keys(link, until, &[])
}

fn run_with_keys(link: &mut AccountLink, until: i64, living: &[&str]) -> (i64, Outbox) {
    run_answering(link, until, &keys(living))
}

fn run_answering(link: &mut AccountLink, until: i64, living: &Result<Reply, ExchangeError>) -> (i64, Outbox) {
    while let Some(due) = link.wakeup_at().map(Timestamp::as_millis).filter(|due| *due <= until) {
        let mut out = tell(link, due, Input::Wake);
        let pings = out.effects.len();
        out.effects
            .retain(|effect| !matches!(effect, Effect::Send(Payload::Text(text)) if text.contains("PING")));
        if out.effects.len() < pings {
            tell(link, due, Input::Text(br#"{"id":0,"code":0,"msg":"PONG"}"#));
        }
        if let [Effect::Request { tag, request: Request::ListenKeys }] = out.effects[..] {
            out = tell(link, due, Input::Reply { tag, result: living });
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

/// The key lives for an hour whatever becomes of one renewal: only a refusal of it cuts the stream.
#[test]
fn a_renewal_that_fails_for_another_reason_than_the_key_costs_no_stream() {
    let renewed = Request::KeepListenKey("k".to_owned());
    for kind in [
        ErrorKind::RateLimited { retry_after: Some(std::time::Duration::from_secs(90)) },
        ErrorKind::Banned { retry_after: None },
        ErrorKind::ServerBusy,
        ErrorKind::Maintenance,
        ErrorKind::ClockSkew,
        ErrorKind::Timeout(Phase::AfterSend),
        ErrorKind::Connection(Phase::AfterSend),
        ErrorKind::Undecodable("HTML"),
        ErrorKind::ClockUnknown,
    ] {
        let mut link = link();
        ready(&mut link, 0, "k");
        let (now, out) = run_to_next_wish(&mut link, 60 * MINUTE);
        let out = tell(&mut link, now, Input::Reply { tag: request(&out).0, result: &failed(kind.clone()) });
        assert!(out.is_empty(), "{kind:?}");
        let (again, out) = run_to_next_wish(&mut link, 60 * MINUTE);
        assert_eq!((again - now, request(&out).1), (30_000, renewed.clone()), "{kind:?}");
        // Renewed at last, it is as good as any.
        let (tag, _) = request(&out);
        assert!(tell(&mut link, again, Input::Reply { tag, result: &Ok(Reply::Done) }).is_empty());
        let (next, out) = run_to_next_wish(&mut link, 60 * MINUTE);
        assert_eq!((next - again, request(&out).1), (22 * MINUTE, renewed.clone()), "{kind:?}");
        // Near the end of its hour a new one takes over.
        let (tag, late) = (request(&out).0, again + 50 * MINUTE);
        let out = tell(&mut link, late, Input::Reply { tag, result: &failed(kind.clone()) });
        assert_eq!(out.effects, [Effect::Reconnect(CloseReason::KeyExpired)], "{kind:?}");
    }
    for kind in [ErrorKind::InvalidRequest, ErrorKind::Unmapped, ErrorKind::PermissionDenied] {
        let mut link = link();
        ready(&mut link, 0, "k");
        let (now, out) = run_to_next_wish(&mut link, 60 * MINUTE);
        let out = tell(&mut link, now, Input::Reply { tag: request(&out).0, result: &failed(kind.clone()) });
        assert_eq!(out.effects, [Effect::Reconnect(CloseReason::KeyExpired)], "{kind:?}");
    }
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
fn a_key_that_is_no_longer_listed_is_dead_whatever_its_renewal_said() {
    let mut link = link();
    ready(&mut link, 0, "k");
    // Renewed twice, with success; looked up after that and every five minutes.
    for round in 1..=2 {
        let (at, out) = run_with_keys(&mut link, 45 * MINUTE, &["other", "k"]);
        let (tag, asked) = request(&out);
        assert_eq!((at, asked), (round * 22 * MINUTE, Request::KeepListenKey("k".to_owned())));
        tell(&mut link, at, Input::Reply { tag, result: &Ok(Reply::Done) });
    }
    let (at, out) = run_with_keys(&mut link, 44 * MINUTE + 59_999, &["other", "k"]);
    assert!(out.effects.is_empty(), "{at}: {:?}", out.effects);
    let (at, out) = run_with_keys(&mut link, 60 * MINUTE, &["other"]);
    assert_eq!(out.effects, [Effect::Reconnect(CloseReason::KeyExpired)]);
    assert_eq!(at, 49 * MINUTE);
    tell(&mut link, at, Input::Disconnected);
    assert!(ready(&mut link, at, "new").effects.is_empty(), "there is nothing to delete");
}

#[test]
fn lists_that_never_held_the_key_and_answers_that_fail_prove_nothing() {
    let mut link = link();
    ready(&mut link, 0, "k");
    let (at, _) = run_with_keys(&mut link, 21 * MINUTE, &["other"]);
    assert_eq!(at, 21 * MINUTE);
    let mut link = self::link();
    ready(&mut link, 0, "k");
    run_with_keys(&mut link, 5 * MINUTE, &["k"]);
    let (at, _) = run_answering(&mut link, 21 * MINUTE, &failed(ErrorKind::ServerBusy));
    assert_eq!(at, 21 * MINUTE);
}

#[test]
fn when_no_new_key_is_to_be_had_a_living_one_is_renewed_and_taken_over() {
    let mut link = link();
    let (tag, _) = request(&tell(&mut link, 0, Input::Start));
    let too_many = failed(ErrorKind::InvalidRequest);
    let (tag, asked) = request(&tell(&mut link, 0, Input::Reply { tag, result: &too_many }));
    assert_eq!(asked, Request::ListenKeys);
    let out =
        tell(&mut link, 0, Input::Reply { tag, result: &keys_and_left(&["a", "b", "c", "d", "e"], Some(0)) });
    let (tag, asked) = request(&out);
    assert_eq!(asked, Request::KeepListenKey("c".to_owned()));
    let dead = failed(ErrorKind::InvalidRequest);
    let (tag, asked) = request(&tell(&mut link, 0, Input::Reply { tag, result: &dead }));
    assert_eq!(asked, Request::KeepListenKey("b".to_owned()));
    let out = tell(&mut link, 0, Input::Reply { tag, result: &Ok(Reply::Done) });
    assert_eq!(out.effects, [connect_url("b")]);
    tell(&mut link, 0, Input::Connected);
    let out = tell(&mut link, 0, Input::Text(acknowledgement().as_bytes()));
    assert!(out.link.contains(&LinkEvent::AccountReady));
    // It may serve somebody else as well.
    assert!(tell(&mut link, 1, Input::Stop).effects.is_empty());
}

#[test]
fn without_a_key_to_take_over_it_is_tried_again_later() {
    for (refusal, listed) in [
        (ErrorKind::InvalidRequest, Some(keys(&[]))),
        (ErrorKind::InvalidRequest, Some(keys_and_left(&[], Some(0)))),
        (ErrorKind::Unmapped, Some(failed(ErrorKind::ServerBusy))),
        (ErrorKind::InvalidKey, None),
        (ErrorKind::RateLimited { retry_after: None }, None),
    ] {
        let mut link = link();
        let (tag, _) = request(&tell(&mut link, 0, Input::Start));
        let mut out = tell(&mut link, 0, Input::Reply { tag, result: &failed(refusal) });
        if let Some(listed) = listed {
            let (tag, asked) = request(&out);
            assert_eq!(asked, Request::ListenKeys);
            out = tell(&mut link, 0, Input::Reply { tag, result: &listed });
        }
        assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Refused)]);
    }
}

/// The only one may be that of the connection which this one is to replace, and goes with it.
#[test]
fn a_living_key_is_not_taken_over_while_another_could_be_made() {
    let many: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (listed, left, taken_over) in [
        (&many[..1], None, false),
        (&many[..1], Some(199), false),
        (&many[..59], None, false),
        (&many[..60], Some(140), false),
        (&many[..60], None, true),
        (&many[..1], Some(0), true),
    ] {
        let mut link = link();
        let (tag, _) = request(&tell(&mut link, 0, Input::Start));
        let (tag, _) =
            request(&tell(&mut link, 0, Input::Reply { tag, result: &failed(ErrorKind::InvalidRequest) }));
        let out = tell(&mut link, 0, Input::Reply { tag, result: &keys_and_left(listed, left) });
        let asked = out
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Request { request: Request::KeepListenKey(_), .. }));
        assert_eq!(asked, taken_over, "{} {left:?}", listed.len());
        assert_eq!(out.effects == [Effect::Reconnect(CloseReason::Refused)], !taken_over);
    }
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

/// What one private message becomes.
fn event(body: Body) -> AccountEvent {
    let (out, result) = push(body, Some("BTCUSDT"));
    assert_eq!((result, out.link.len()), (Ok(()), 0));
    let [event] = out.account[..] else { panic!("{:?}", out.account) };
    event
}

fn new_deal() -> PrivateDeals {
    PrivateDeals {
        price: "104000.5".to_owned(),
        quantity: "0.004".to_owned(),
        trade_type: 2,
        trade_id: "505979017439002624X1".to_owned(),
        client_order_id: "arb-000018".to_owned(),
        order_id: "C02__1".to_owned(),
        fee_amount: "0.2".to_owned(),
        fee_currency: "USDT".to_owned(),
        time: 1_781_690_020_007,
        ..PrivateDeals::default()
    }
}

/// The fill of a private message, and of the answer to a query of our trades.
fn both_ways(deal: PrivateDeals, id: &str) -> [cex_core::Fill; 2] {
    let AccountEvent::Fill(told) = event(Body::PrivateDeals(deal)) else { panic!("no fill") };
    let body = format!(
        r#"[{{"symbol":"BTCUSDT",{id}"orderId":"C02__1","price":"104000.50","qty":"0.00400000","quoteQty":"416.002",
            "commission":"0.2","commissionAsset":"USDT","time":1781690020007,"isBuyer":false,"isMaker":false,
            "clientOrderId":null}}]"#
    );
    let mexc = crate::Mexc::new(config_with_keys()).expect("valid");
    let response = cex_interface::HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
    let (symbol, range) = (SymbolId(0), cex_interface::TimeRange::default());
    let request = Request::MyTrades { symbol, order: None, range, limit: 5 };
    let reply = cex_interface::Protocol::decode(&mexc, &markets(), &request, &response);
    let Ok(Reply::Fills(asked)) = reply else { panic!("{reply:?}") };
    [told, asked[0]]
}

#[test]
fn a_fill_has_one_key_whichever_way_it_comes_also_without_a_trade_id() {
    let [told, asked] = both_ways(new_deal(), r#""id":"505979017439002624X1","#);
    assert_eq!((told.key(), told.trade_id.as_str()), (asked.key(), "505979017439002624X1"));
    let nameless = || PrivateDeals { trade_id: String::new(), ..new_deal() };
    for id in ["", r#""id":"","#, r#""id":null,"#] {
        let [told, asked] = both_ways(nameless(), id);
        assert_eq!(told.key(), asked.key(), "{id}");
        assert!(told.trade_id.as_str().starts_with('~'));
    }
    let [other, _] = both_ways(PrivateDeals { quantity: "0.005".to_owned(), ..nameless() }, "");
    assert_ne!(told_key(&nameless()), other.key());
    let long = format!("{0}X0_{0}X1", "5".repeat(24));
    let [told, asked] =
        both_ways(PrivateDeals { trade_id: long.clone(), ..new_deal() }, &format!(r#""id":"{long}","#));
    assert_eq!(told.key(), asked.key());
}

fn told_key(deal: &PrivateDeals) -> cex_core::FillKey {
    let AccountEvent::Fill(fill) = event(Body::PrivateDeals(deal.clone())) else { panic!("no fill") };
    fill.key()
}

#[test]
fn what_is_not_under_an_identifier_of_ours_still_comes_under_the_exchanges() {
    for (client_id, kept) in [
        ("", None),
        ("x-HUMBOT0123456789012345678901234", Some("_x-HUMBOT0123456789012345678")),
        ("web order", Some("_web_order")),
        ("\u{9910}", Some("__")),
        ("someone-elses", Some("someone-elses")),
    ] {
        let kept = kept.and_then(cex_core::ClientOrderId::new);
        let order = PrivateOrders { client_id: client_id.to_owned(), ..new_order() };
        let AccountEvent::Order(order) = event(Body::PrivateOrders(order)) else { panic!("no order") };
        assert_eq!(order.order_id.map(|id| id.to_string()).as_deref(), Some("C02__1"));
        assert_eq!(order.client_id, kept, "{client_id}");
        let deal = PrivateDeals { client_order_id: client_id.to_owned(), ..new_deal() };
        let AccountEvent::Fill(fill) = event(Body::PrivateDeals(deal)) else { panic!("no fill") };
        assert_eq!((fill.order_id.as_str(), fill.client_id), ("C02__1", kept), "{client_id}");
    }
    let unnumbered = PrivateOrders { id: String::new(), ..new_order() };
    let AccountEvent::Order(order) = event(Body::PrivateOrders(unnumbered)) else { panic!("no order") };
    assert_eq!((order.order_id, order.client_id.is_some()), (None, true), "ours by its other name");
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
        (99, OrderStatus::Unknown),
        (-1, OrderStatus::Unknown),
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
    let (out, result) = push(Body::PrivateOrders(new_order()), Some("ZZZUSDT"));
    assert!(out.is_empty() && result.is_ok());
}

/// Whatever cannot be read may have been about an order of ours: the account must be asked.
#[test]
fn every_private_message_that_is_of_no_use_is_said() {
    let mut link = link();
    ready(&mut link, 0, "k");
    let frame = |channel: &str, symbol: Option<&str>, body: Option<Body>| {
        PushDataV3ApiWrapper {
            channel: channel.to_owned(),
            symbol: symbol.map(str::to_owned),
            body,
            ..PushDataV3ApiWrapper::default()
        }
        .encode_to_vec()
    };
    let whole = frame(CHANNELS[0], Some("BTCUSDT"), Some(Body::PrivateOrders(new_order())));
    let [orders, deals] = [Body::PrivateOrders(new_order()), Body::PrivateDeals(new_deal())];
    let binaries = [
        vec![],
        vec![0xff],
        b"{\"code\":0}".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        frame(CHANNELS[0], None, Some(orders.clone())),
        frame(CHANNELS[0], Some(""), Some(orders)),
        frame(CHANNELS[1], None, Some(deals)),
        frame(CHANNELS[1], Some("BTCUSDT"), None),
        frame(CHANNELS[2], None, Some(Body::PublicDeals(Default::default()))),
        frame(CHANNELS[1], Some("BTCUSDT"), Some(Body::PrivateDeals(PrivateDeals::default()))),
    ];
    let deep = "[".repeat(65_536);
    let texts =
        ["", "{", "null", r#"{"id":0}"#, r#"{"id":0,"code":0,"msg":"msg format invalid"}"#, "\u{0}", &deep];
    let inputs = binaries
        .iter()
        .map(|bytes| Input::Binary(bytes))
        .chain(texts.map(|text| Input::Text(text.as_bytes())));
    for input in inputs {
        let mut out = Outbox::default();
        let error = link.handle(at(1), input, &mut out).expect_err("of no use");
        assert!(matches!(error.kind, ErrorKind::Undecodable(_)), "{error}");
        assert_eq!(
            (out.link, out.account),
            (vec![LinkEvent::Undecodable { symbol: None }], vec![]),
            "{error}"
        );
    }
    // Channels nobody asked for are not ours to judge, and the link still works.
    let other = frame("spot@public.deals.v3.api.pb@BTCUSDT", Some("BTCUSDT"), None);
    assert!(tell(&mut link, 1, Input::Binary(&other)).is_empty());
    assert_eq!(tell(&mut link, 1, Input::Binary(&whole)).account.len(), 1);
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
        PrivateDeals { order_id: String::new(), ..deal.clone() },
        PrivateDeals { fee_amount: "0.1".to_owned(), ..deal.clone() },
    ] {
        let (out, result) = read(bad);
        assert!(result.is_err() && out.account.is_empty());
        assert_eq!(out.link, [LinkEvent::Undecodable { symbol: None }]);
    }
    let nameless = PrivateAccount { balance_amount: "1".to_owned(), ..PrivateAccount::default() };
    assert!(push(Body::PrivateAccount(nameless), None).1.is_err());
    let unnamed = PrivateOrders { id: String::new(), client_id: String::new(), ..new_order() };
    assert!(push(Body::PrivateOrders(unnamed), Some("BTCUSDT")).1.is_err());
    assert_eq!(SymbolId(0), markets().by_native(b"BTCUSDT").expect("registered").id);
}
