//! The reference's vectors: what clients send must be accepted, what we send must have the same keys and types.

use crate::bench::{BTC, Bench, KEY, NOW, SECRET, parse, text};
use cex_core::{Side, Timestamp};
use cex_sim::dialect::ConnId;
use sonic_rs::{JsonContainerTrait as _, JsonType, JsonValueTrait as _, Value};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) fn vectors() -> Value {
    parse(include_str!("../golden/gateio_ws_vectors.json"))
}

pub(crate) fn named(list: &str, name: &str) -> Value {
    let vectors = vectors();
    let found =
        vectors[list].as_array().expect("a list").iter().find(|row| row["name"].as_str() == Some(name));
    parse(text(&found.unwrap_or_else(|| panic!("no vector {name}"))["text"]))
}

/// The keys of a value and the types behind them; of an array its first element.
fn shape(value: &Value) -> String {
    match value.get_type() {
        JsonType::Null => "null".to_owned(),
        JsonType::Boolean => "bool".to_owned(),
        JsonType::Number => "number".to_owned(),
        JsonType::String => "text".to_owned(),
        JsonType::Array => {
            format!("[{}]", value.as_array().and_then(|items| items.first()).map(shape).unwrap_or_default())
        }
        JsonType::Object => {
            let fields: BTreeMap<String, String> = value
                .as_object()
                .expect("an object")
                .iter()
                .map(|(key, value)| (key.to_owned(), shape(value)))
                .collect();
            format!("{fields:?}")
        }
    }
}

pub(crate) fn same_shape(ours: &Value, list: &str, name: &str) {
    assert_eq!(shape(ours), shape(&named(list, name)), "{name}");
}

#[test]
fn signed_requests_of_the_reference_are_accepted() {
    let vectors = vectors();
    let mut checked = 0;
    for row in vectors["rest_signatures"].as_array().expect("a list") {
        if text(&row["path"]).contains("/futures/") {
            // Another product: only its signature is of interest, and that is checked where signatures are made.
            continue;
        }
        let (name, method, path) = (text(&row["name"]), text(&row["method"]), text(&row["path"]));
        let (query, body, timestamp) = (text(&row["query"]), text(&row["body"]), text(&row["timestamp"]));
        let mut headers =
            [("key", text(&row["key"])), ("timestamp", timestamp), ("sign", text(&row["sign"]))];
        assert_eq!((headers[0].1, text(&row["secret"])), (KEY, SECRET), "{name}");
        let good = Bench::new().call(method, path, query, body, &headers);
        assert!(![401, 403].contains(&good.status), "{name}: {}", String::from_utf8_lossy(&good.body));
        let wrong = headers[2].1.replace('0', "1");
        headers[2].1 = &wrong;
        let bad = Bench::new().call(method, path, query, body, &headers);
        let served = ![404, 405].contains(&good.status) || path.contains("/spot/orders/");
        if served {
            assert_eq!(bad.status, 401, "{name}");
            checked += 1;
        }
    }
    assert!(checked >= 11, "only {checked} vectors are of endpoints that are served");
}

#[test]
fn both_spellings_of_a_comma_are_signed_for() {
    let (path, sent) = ("/api/v4/spot/batch_fee", "currency_pairs=BTC_USDT%2CETH_USDT");
    let vectors = vectors();
    let by_query = |query: &str| {
        let rows = vectors["rest_signatures"].as_array().expect("a list");
        text(&rows.iter().find(|row| row["query"].as_str() == Some(query)).expect("a vector")["sign"])
            .to_owned()
    };
    for signed in ["currency_pairs=BTC_USDT,ETH_USDT", sent] {
        let headers = [("key", KEY), ("timestamp", "1700000000"), ("sign", &by_query(signed))];
        let answer = Bench::new().call("GET", path, sent, "", &headers);
        assert_eq!(answer.status, 200, "{signed}");
    }
}

#[test]
fn requests_on_the_stream_are_accepted() {
    let vectors = vectors();
    let mut bench = Bench::new();
    let conn = bench.open(1);
    let (mut accepted, mut traded) = (0, 0);
    for row in vectors["frames"].as_array().expect("a list") {
        if row["direction"].as_str() != Some("client_to_server") {
            continue;
        }
        let request = parse(text(&row["text"]));
        let answer = bench.send(conn, text(&row["text"]));
        let channel = text(&request["channel"]);
        if channel == "spot.ping" {
            same_shape(&answer, "frames", "pong");
        } else if request["event"].as_str() == Some("api") {
            // Not all of them can succeed, but all are understood.
            assert_eq!(
                (text(&answer["header"]["channel"]), text(&answer["header"]["event"])),
                (channel, "api")
            );
            assert_eq!(answer["request_id"], request["payload"]["req_id"], "{channel}");
            assert_ne!(answer["data"]["errs"]["label"].as_str(), Some("INVALID_ARGUMENT"), "{channel}");
            traded += 1;
        } else {
            assert_eq!(answer["result"]["status"].as_str(), Some("success"), "{answer:?}");
            assert!(answer.get("error").is_none(), "{answer:?}");
            assert_eq!(answer.get("id").map(shape), request.get("id").map(shape));
            assert_eq!(answer.get("payload").map(shape), request.get("payload").map(shape));
            accepted += 1;
        }
    }
    assert_eq!((accepted, traded), (8, 11));
}

#[test]
fn acknowledgements_and_errors_have_the_reference_shapes() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    let mut check = |request: &str, name: &str| same_shape(&bench.send(conn, request), "frames", name);
    let trades = |payload: &str| {
        format!(
            r#"{{"time":1700000000,"id":1,"channel":"spot.trades","event":"subscribe","payload":{payload}}}"#
        )
    };
    check(&trades(r#"["BTC_USDT","ETH_USDT"]"#), "sub_trades_ack");
    check(&trades(r#"["FOO_USDT","ETH_USDT"]"#), "sub_unknown_pair");
    check(&trades(r#"["BTC_USDT"]"#).replace("subscribe", "unsubscribe"), "unsub_trades_ack");
    check(&trades(r#"["BTC_USDT"]"#).replace("1700000000", "\"1700000000\""), "err_schema");
    let obu =
        r#"{"time":1700000000,"id":4,"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"]}"#;
    check(obu, "obu_sub_ack");
    check(obu, "obu_duplicate");
    let orders = r#"{"time":1700000000,"id":5,"channel":"spot.orders","event":"subscribe","payload":["BTC_USDT"],
        "auth":{"method":"api_key","KEY":"nobody","SIGN":"00"}}"#;
    check(orders, "err_auth");
    let answer = bench.send(conn, orders);
    assert_eq!(text(&answer["error"]["message"]), text(&named("frames", "err_auth")["error"]["message"]));
}

#[test]
fn public_frames_have_the_reference_shapes() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    bench.rest(BTC, Side::Sell, "37001.3", "0.5");
    bench.subscribe(conn, "spot.book_ticker", r#"["BTC_USDT"]"#);
    bench.pass(Duration::from_millis(20));
    same_shape(&bench.take(conn)[0], "frames", "book_ticker_empty_side");
    bench.rest(BTC, Side::Buy, "37001.2", "0.5");
    bench.pass(Duration::from_millis(20));
    same_shape(&bench.take(conn)[0], "frames", "book_ticker");
    bench.subscribe(conn, "spot.trades", r#"["BTC_USDT"]"#);
    bench.subscribe(conn, "spot.tickers", r#"["BTC_USDT"]"#);
    bench.subscribe(conn, "spot.order_book", r#"["BTC_USDT","5","100ms"]"#);
    bench.subscribe(conn, "spot.order_book_update", r#"["BTC_USDT","100ms"]"#);
    bench.subscribe(conn, "spot.obu", r#"["ob.BTC_USDT.50"]"#);
    bench.pass(Duration::from_millis(50));
    same_shape(&bench.take_channel(conn, "spot.obu")[0], "frames", "obu_full");
    bench.rest(BTC, Side::Sell, "37001.2", "0.1");
    bench.rest(BTC, Side::Sell, "37001.4", "0.1");
    bench.pass(Duration::from_secs(2));
    let frames = bench.take(conn);
    for (channel, name) in [
        ("spot.trades", "trade"),
        ("spot.tickers", "ticker"),
        ("spot.order_book", "order_book_limited"),
        ("spot.order_book_update", "book_update"),
        ("spot.obu", "obu_delta"),
    ] {
        let frame = frames.iter().find(|frame| frame["channel"].as_str() == Some(channel));
        same_shape(frame.unwrap_or_else(|| panic!("no frame of {channel}")), "frames", name);
    }
}

fn place(bench: &mut Bench, id: &str, kind: &str, side: &str, terms: &str) -> Value {
    let body =
        format!(r#"{{"text":"{id}","currency_pair":"BTC_USDT","type":"{kind}","side":"{side}",{terms}}}"#);
    let (status, order) = bench.json("POST", "/api/v4/spot/orders", "", &body);
    assert_eq!(status, 201, "{order:?}");
    order
}

#[test]
fn private_frames_have_the_reference_shapes() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    for (channel, payload) in [
        ("spot.orders", r#"["BTC_USDT"]"#),
        ("spot.orders_v2", r#"["!all"]"#),
        ("spot.usertrades", r#"["!all"]"#),
        ("spot.usertrades_v2", r#"["!all"]"#),
        ("spot.balances", "[]"),
    ] {
        bench.subscribe_private(conn, channel, payload);
    }
    let check = |bench: &mut Bench, names: &[&str]| {
        let frames = bench.take(conn);
        for name in names {
            let wanted = named("frames", name);
            let same = |frame: &&Value| frame["channel"] == wanted["channel"];
            let got = frames.iter().find(same).unwrap_or_else(|| panic!("{name}: nothing in {frames:?}"));
            same_shape(got, "frames", name);
        }
        frames
    };
    let order = place(&mut bench, "t-abc_1.2", "limit", "buy", r#""amount":"0.001","price":"37000""#);
    check(&mut bench, &["order_put", "balance_order_create"]);
    bench.rest(BTC, Side::Sell, "37000", "0.0004");
    check(&mut bench, &["order_partial", "usertrade", "usertrade_v2", "balance_order_match"]);
    let path = format!("/api/v4/spot/orders/{}", text(&order["id"]));
    bench.signed("DELETE", &path, "currency_pair=BTC_USDT", "");
    check(&mut bench, &["order_cancelled_partial", "balance_cancel"]);
    bench.rest(BTC, Side::Sell, "37000", "0.0003");
    place(&mut bench, "t-ioc1", "limit", "buy", r#""amount":"0.001","price":"37000","time_in_force":"ioc""#);
    let frames = check(&mut bench, &["order_ioc_partial", "order_poc_reject"]);
    assert!(frames.iter().all(|frame| text(&frame["channel"]) != "spot.orders" || event(frame) == "finish"));
    bench.rest(BTC, Side::Sell, "37000", "1");
    place(&mut bench, "t-mkt1", "market", "buy", r#""amount":"10","time_in_force":"ioc""#);
    let frames = check(&mut bench, &["order_market_buy_dust"]);
    let row =
        &frames.iter().find(|frame| text(&frame["channel"]) == "spot.orders").expect("a frame")["result"][0];
    for key in
        ["left", "filled_total", "filled_amount", "avg_deal_price", "fee", "finish_as", "price", "amount"]
    {
        let wanted = named("frames", "order_market_buy_dust");
        // The reference's row is rounded where ours is exact.
        if !["avg_deal_price", "left", "filled_total"].contains(&key) {
            assert_eq!(row[key], wanted["result"][0][key], "{key}");
        }
    }
}

fn event(frame: &Value) -> &str {
    text(&frame["result"][0]["event"])
}

#[test]
fn rest_answers_have_the_reference_shapes() {
    let mut bench = Bench::new();
    bench.rest(BTC, Side::Sell, "30000.5", "1");
    bench.rest(BTC, Side::Buy, "29000", "1");
    let (_, book) = bench.json("GET", "/api/v4/spot/order_book", "currency_pair=BTC_USDT&with_id=True", "");
    same_shape(&book, "rest_examples", "order_book_with_id");
    let terms = r#""amount":"0.001","price":"30000.5","time_in_force":"ioc""#;
    let order = place(&mut bench, "t-ws-1", "limit", "buy", terms);
    same_shape(&order, "rest_examples", "order_full");
    let wanted = named("rest_examples", "order_full");
    for key in ["status", "amount", "price", "left", "filled_amount", "filled_total", "fee", "fee_currency"] {
        assert_eq!(order[key], wanted[key], "{key}");
    }
    let (_, accounts) = bench.json("GET", "/api/v4/spot/accounts", "", "");
    same_shape(&accounts, "rest_examples", "accounts");
    let (status, error) = bench.json("POST", "/api/v4/spot/orders", "", r#"{"text":"abc","side":"buy"}"#);
    assert_eq!(status, 400);
    same_shape(&error, "rest_examples", "error_body");
    let small = r#"{"currency_pair":"BTC_USDT","side":"buy","amount":"0.00002","price":"30000"}"#;
    let (_, error) = bench.json("POST", "/api/v4/spot/orders", "", small);
    assert_eq!(error, named("rest_examples", "too_small"));
}

#[test]
fn a_connection_is_known_by_number_only() {
    assert_eq!(NOW, Timestamp::from_secs(1_700_000_000));
    let mut bench = Bench::new();
    let first = bench.open(1);
    let second = bench.open(2);
    assert_ne!(first, second);
    let ack = |bench: &mut Bench, conn: ConnId| {
        let ack = bench
            .send(conn, r#"{"time":1,"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}"#);
        text(&ack["conn_id"]).to_owned()
    };
    let ids = (ack(&mut bench, first), ack(&mut bench, second), ack(&mut bench, first));
    assert_eq!((ids.0 == ids.1, ids.0 == ids.2, ids.0.len()), (false, true, 16));
}
