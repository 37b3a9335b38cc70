//! Subscriptions: who gets what, when, and what bad requests do.

use crate::bench::{BTC, Bench, ETH, KEY, SECRET, label, parse, private_request, text};
use cex_core::{Side, Timestamp};
use cex_sim::dialect::{Dialect as _, Frame, Message, Outgoing};
use sonic_rs::JsonValueTrait as _;
use std::time::Duration;

fn request(channel: &str, event: &str, payload: &str) -> String {
    format!(r#"{{"time":1700000000,"channel":"{channel}","event":"{event}","payload":{payload}}}"#)
}

#[test]
fn a_bad_element_fails_the_whole_request() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    let answer = bench.send(conn, &request("spot.trades", "subscribe", r#"["BTC_USDT","FOO_USDT"]"#));
    assert_eq!(answer["error"]["code"].as_u64(), Some(2));
    assert_eq!(text(&answer["error"]["message"]), "unknown currency pair: FOO_USDT");
    bench.rest(BTC, Side::Sell, "100", "1");
    bench.rest(BTC, Side::Buy, "100", "1");
    assert!(bench.take(conn).is_empty(), "nothing was subscribed");
}

#[test]
fn bad_arguments_are_told_by_number_two() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    for (channel, payload) in [
        ("spot.unheard_of", "[]"),
        ("spot.trades", "[]"),
        ("spot.trades", r#"{"pair":"BTC_USDT"}"#),
        ("spot.trades", "[1]"),
        ("spot.order_book_update", r#"["BTC_USDT"]"#),
        ("spot.order_book_update", r#"["BTC_USDT","1000ms"]"#),
        ("spot.order_book_update", r#"["BTC_USDT","20"]"#),
        ("spot.order_book", r#"["BTC_USDT","7","100ms"]"#),
        ("spot.order_book", r#"["BTC_USDT","5","20ms"]"#),
        ("spot.obu", r#"["ob.BTC_USDT.100"]"#),
        ("spot.obu", r#"["BTC_USDT"]"#),
        ("spot.obu", r#"["ob.ETH_USDT.50","ob.ETH_USDT.50"]"#),
        ("spot.orders", "[]"),
    ] {
        let answer = bench.send(conn, &request(channel, "subscribe", payload));
        assert_eq!(answer["error"]["code"].as_u64(), Some(2), "{channel} {payload}: {answer:?}");
        assert_eq!(answer["result"]["status"].as_str(), Some("fail"));
    }
    let answer = bench.send(conn, &request("spot.trades", "dance", r#"["BTC_USDT"]"#));
    assert_eq!(answer["error"]["code"].as_u64(), Some(2));
}

#[test]
fn what_breaks_the_schema_is_told_by_number_one() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    let deep = "[".repeat(64 * 1_024);
    let long = format!("{:?}", "x".repeat(64 * 1_024));
    for garbage in [
        "",
        "ping",
        "{",
        "[]",
        &deep,
        &long,
        r#"{"channel":"spot.ping"}"#,
        r#"{"time":"1700000000","channel":"spot.ping"}"#,
        r#"{"time":1700000000.5,"channel":"spot.ping"}"#,
        r#"{"time":1700000000,"channel":7}"#,
        r#"{"time":1700000000,"channel":"spot.trades","event":[]}"#,
        r#"{"time":1700000000,"id":2147483648,"channel":"spot.trades"}"#,
    ] {
        let answer = bench.send(conn, garbage);
        assert_eq!(answer["error"]["code"].as_u64(), Some(1), "{garbage:.60}");
        assert_eq!((text(&answer["channel"]), text(&answer["event"])), ("", ""));
    }
    let mut out = Outgoing::new();
    bench.gateio.message(bench.now, &mut bench.exchange, conn, Message::Binary(b"\xff"), &mut out);
    assert_eq!(out.len(), 1);
    let pong = bench.send(conn, r#"{"time":1700000000,"channel":"spot.ping"}"#);
    assert_eq!(text(&pong["channel"]), "spot.pong", "still alive");
}

#[test]
fn identifiers_are_echoed_with_their_type() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    for id in ["7", "-1", "\"abc\""] {
        let request = format!(
            r#"{{"time":1700000000,"id":{id},"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}}"#
        );
        assert_eq!(bench.send(conn, &request)["id"], parse(id));
    }
}

#[test]
fn private_channels_need_a_good_signature() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    let now = bench.now;
    let late = Timestamp::from_secs(now.as_secs() - 61);
    let good = private_request(now, "spot.orders", "subscribe", r#"["!all"]"#, KEY, SECRET);
    for (request, expected) in [
        (private_request(now, "spot.orders", "subscribe", r#"["!all"]"#, "nobody", SECRET), "INVALID_KEY"),
        (private_request(now, "spot.orders", "subscribe", r#"["!all"]"#, KEY, "wrong"), "INVALID_SIGNATURE"),
        (private_request(late, "spot.orders", "subscribe", r#"["!all"]"#, KEY, SECRET), "REQUEST_EXPIRED"),
        (good.replace("api_key", "token"), "INVALID_KEY"),
        (request("spot.balances", "subscribe", "[]"), "INVALID_KEY"),
    ] {
        let answer = bench.send(conn, &request);
        assert_eq!(answer["error"]["code"].as_u64(), Some(4), "{request}");
        let message = text(&answer["error"]["message"]);
        assert!(message.ends_with('\n'));
        assert_eq!(label(&parse(message)), expected);
    }
    assert_eq!(bench.send(conn, &good)["result"]["status"].as_str(), Some("success"));
}

#[test]
fn private_frames_go_to_who_asked_for_that_pair_only() {
    let mut bench = Bench::new();
    let (btc, all, gone) = (bench.open(1), bench.open(2), bench.open(3));
    bench.subscribe_private(btc, "spot.orders", r#"["BTC_USDT"]"#);
    bench.subscribe_private(all, "spot.orders", r#"["!all"]"#);
    bench.subscribe_private(gone, "spot.orders", r#"["!all"]"#);
    let place = |bench: &mut Bench, pair: &str| {
        let body = format!(r#"{{"currency_pair":"{pair}","side":"buy","amount":"0.01","price":"1000"}}"#);
        assert_eq!(bench.signed("POST", "/api/v4/spot/orders", "", &body).status, 201);
    };
    bench.gateio.closed(gone);
    place(&mut bench, "ETH_USDT");
    let got = (bench.take(btc).len(), bench.take(all).len(), bench.take(gone).len());
    assert_eq!(got, (0, 1, 0));
    // An unsubscription needs no signature.
    bench.send(all, &request("spot.orders", "unsubscribe", r#"["!all"]"#));
    place(&mut bench, "BTC_USDT");
    assert_eq!((bench.take(btc).len(), bench.take(all).len()), (1, 0));
}

#[test]
fn subscribing_twice_is_subscribing_once() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    for _ in 0..2 {
        bench.subscribe(conn, "spot.trades", r#"["BTC_USDT","ETH_USDT"]"#);
        bench.subscribe_private(conn, "spot.usertrades", r#"["!all"]"#);
    }
    bench.rest(BTC, Side::Sell, "100", "1");
    bench.rest(BTC, Side::Buy, "100", "0.5");
    assert_eq!(bench.take(conn).len(), 1);
    bench.send(conn, &request("spot.trades", "unsubscribe", r#"["BTC_USDT"]"#));
    bench.rest(BTC, Side::Buy, "100", "0.5");
    assert!(bench.take(conn).is_empty());
    bench.rest(ETH, Side::Sell, "100", "1");
    bench.rest(ETH, Side::Buy, "100", "1");
    assert_eq!(bench.take(conn).len(), 1, "the other pair stays");
}

#[test]
fn a_taker_through_three_orders_makes_three_trades() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    bench.subscribe(conn, "spot.trades", r#"["BTC_USDT"]"#);
    for price in ["100", "101", "102"] {
        bench.rest(BTC, Side::Sell, price, "1");
    }
    bench.rest(BTC, Side::Buy, "102", "3");
    let trades = bench.take(conn);
    let ids: Vec<u64> = trades.iter().filter_map(|trade| trade["result"]["id_market"].as_u64()).collect();
    assert_eq!(ids, [ids[0], ids[0] + 1, ids[0] + 2]);
    assert!(trades.iter().all(|trade| trade["result"]["side"].as_str() == Some("buy")), "the taker's side");
}

#[test]
fn intervals_gather_changes_and_silence_stays_silent() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    bench.subscribe(conn, "spot.order_book_update", r#"["BTC_USDT","100ms"]"#);
    bench.subscribe(conn, "spot.book_ticker", r#"["BTC_USDT"]"#);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.take(conn).len(), 1, "one ticker at the start, then nothing changes");
    for price in ["100", "101", "102"] {
        bench.rest(BTC, Side::Sell, price, "1");
    }
    bench.pass(Duration::from_secs(1));
    let frames = bench.take(conn);
    assert_eq!(frames.len(), 2);
    let update = &frames
        .iter()
        .find(|frame| text(&frame["channel"]) == "spot.order_book_update")
        .expect("one")["result"];
    assert_eq!((update["U"].as_u64(), update["u"].as_u64()), (Some(1_000_000_001), Some(1_000_000_003)));
    assert_eq!(update["a"], parse(r#"[["100","1"],["101","1"],["102","1"]]"#));
    assert_eq!(update["b"], parse("[]"));
    bench.rest(BTC, Side::Sell, "103", "1");
    bench.pass(Duration::from_millis(50));
    assert!(bench.take_channel(conn, "spot.book_ticker").is_empty(), "the top did not change");
}

#[test]
fn the_second_reader_of_a_stream_gets_a_full_book_that_joins() {
    let mut bench = Bench::new();
    let (first, second) = (bench.open(1), bench.open(2));
    bench.rest(BTC, Side::Sell, "100", "1");
    bench.subscribe(first, "spot.obu", r#"["ob.BTC_USDT.50"]"#);
    bench.pass(Duration::from_millis(40));
    let full = &bench.take(first)[0]["result"];
    assert_eq!((full["full"].as_bool(), full["u"].as_u64()), (Some(true), Some(1_000_000_001)));
    bench.rest(BTC, Side::Sell, "101", "1");
    bench.subscribe(second, "spot.obu", r#"["ob.BTC_USDT.50"]"#);
    bench.rest(BTC, Side::Sell, "102", "1");
    bench.pass(Duration::from_millis(40));
    let (delta, full) = (bench.take(first), bench.take(second));
    assert_eq!(delta[0]["result"]["U"].as_u64(), Some(1_000_000_002));
    assert_eq!(delta[0]["result"]["u"], full[0]["result"]["u"]);
    assert_eq!(full[0]["result"]["a"], parse(r#"[["100","1"],["101","1"],["102","1"]]"#));
    bench.rest(BTC, Side::Buy, "99", "1");
    bench.pass(Duration::from_millis(40));
    let (left, right) = (bench.take(first), bench.take(second));
    assert_eq!((left.len(), right.len()), (1, 1), "the same frame for both");
    assert_eq!(left[0]["result"], right[0]["result"]);
}

#[test]
fn every_connection_is_pinged() {
    let mut bench = Bench::new();
    let (one, two) = (bench.open(1), bench.open(2));
    bench.pass(Duration::from_secs(25));
    assert_eq!(bench.others, [(one, Frame::Ping), (two, Frame::Ping)]);
    bench.gateio.closed(one);
    bench.gateio.closed(two);
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.others.len(), 2);
    assert_eq!(bench.gateio.wakeup_at(), None, "nobody left, nothing to do");
}

#[test]
fn only_the_stream_s_path_opens() {
    let mut bench = Bench::new();
    for (path, opens) in [("/ws/v4/", true), ("/ws/v4", true), ("/ws", false), ("/", false)] {
        let opened = bench.gateio.open(bench.now, cex_sim::dialect::ConnId(9), path, "");
        assert_eq!(opened.map_err(|answer| answer.status), if opens { Ok(()) } else { Err(404) }, "{path}");
    }
}
