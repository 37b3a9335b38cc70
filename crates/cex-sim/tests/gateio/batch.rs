//! Batches and changes over REST, and candlesticks on the stream.

use crate::bench::{BTC, Bench, decimal, label, text};
use crate::vectors::same_shape;
use cex_core::{Decimal, Side};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::time::Duration;

const BATCH: &str = "/api/v4/spot/batch_orders";

fn order(client_id: &str, side: &str, amount: &str, price: &str) -> String {
    format!(
        r#"{{"text":"{client_id}","currency_pair":"BTC_USDT","side":"{side}","amount":"{amount}","price":"{price}"}}"#
    )
}

fn place(bench: &mut Bench, order: &str) -> String {
    let (status, placed) = bench.json("POST", "/api/v4/spot/orders", "", order);
    assert_eq!(status, 201, "{placed:?}");
    text(&placed["id"]).to_owned()
}

fn amend(bench: &mut Bench, id: &str, body: &str) -> (u16, Value) {
    bench.json("PATCH", &format!("/api/v4/spot/orders/{id}"), "currency_pair=BTC_USDT&account=spot", body)
}

fn locked(bench: &Bench) -> Decimal {
    bench.exchange.balance(bench.client, "USDT".parse().expect("short")).1
}

#[test]
fn one_bad_row_harms_no_other() {
    let mut bench = Bench::new();
    let body = format!("[{},{}]", order("t-1", "buy", "0.001", "20000"), order("t-2", "buy", "100", "20000"));
    let (status, rows) = bench.json("POST", BATCH, "", &body);
    assert_eq!(status, 200);
    assert_eq!(
        (text(&rows[0]["text"]), rows[0]["succeeded"].as_bool(), label(&rows[0])),
        ("t-1", Some(true), "")
    );
    assert_eq!(rows[0]["order_id"], rows[0]["id"]);
    assert_eq!((rows[1]["succeeded"].as_bool(), label(&rows[1])), (Some(false), "BALANCE_NOT_ENOUGH"));
    let id = text(&rows[0]["id"]).to_owned();
    let body = format!(
        r#"[{{"currency_pair":"BTC_USDT","id":"{id}"}},{{"currency_pair":"BTC_USDT","id":"t-gone"}}]"#
    );
    let (status, rows) = bench.json("POST", "/api/v4/spot/cancel_batch_orders", "", &body);
    assert_eq!(
        (status, rows[0]["succeeded"].as_bool(), label(&rows[1])),
        (200, Some(true), "ORDER_NOT_FOUND")
    );
    assert_eq!(text(&rows[0]["text"]), "t-1");
}

#[test]
fn the_rules_of_batches_fail_them_whole() {
    let mut bench = Bench::new();
    let many = |count: usize| {
        let rows: Vec<String> =
            (0..count).map(|number| order(&format!("t-{number}"), "buy", "0.001", "20000")).collect();
        format!("[{}]", rows.join(","))
    };
    let nameless = r#"[{"currency_pair":"BTC_USDT","side":"buy","amount":"1","price":"1"}]"#;
    let mixed = many(2).replacen("\"side\"", "\"account\":\"unified\",\"side\"", 1);
    for (body, expected) in [
        (many(11).as_str(), "TOO_MANY_ORDERS"),
        (nameless, "MISSING_REQUIRED_PARAM"),
        (mixed.as_str(), "MIXED_ACCOUNT_TYPE"),
        ("{}", "INVALID_REQUEST_BODY"),
        ("[]", "INVALID_REQUEST_BODY"),
    ] {
        let (status, told) = bench.json("POST", BATCH, "", body);
        assert_eq!((status, label(&told)), (400, expected), "{body}");
    }
    assert!(bench.levels(BTC, Side::Buy, 1).is_empty());
    assert_eq!(bench.json("POST", BATCH, "", &many(10)).0, 200);
}

#[test]
fn an_order_is_changed_where_it_stands_or_anew() {
    let mut bench = Bench::new();
    let id = place(&mut bench, &order("t-1", "buy", "0.01", "20000"));
    bench.rest(BTC, Side::Buy, "20000", "1");
    let conn = bench.open(1);
    bench.subscribe_private(conn, "spot.orders", r#"["!all"]"#);
    bench.pass(Duration::from_millis(1));
    // Less keeps its place: it trades before what came later.
    let (status, changed) = amend(&mut bench, &id, r#"{"amount":"0.008","amend_text":"less"}"#);
    assert_eq!((status, text(&changed["left"]), text(&changed["amend_text"])), (200, "0.008", "less"));
    assert_eq!(locked(&bench), decimal("160"));
    assert_eq!(text(&bench.take_channel(conn, "spot.orders")[0]["result"][0]["event"]), "update");
    bench.house_order(
        BTC,
        Side::Sell,
        cex_sim::matching::NewOrderKind::Ioc { price: cex_core::Price(200_000), qty: cex_core::Qty(300_000) },
    );
    let (_, order) = bench.json("GET", "/api/v4/spot/orders/t-1", "currency_pair=BTC_USDT", "");
    assert_eq!(text(&order["filled_amount"]), "0.003");
    // The amount is the total, what is filled included; another price loses the place.
    let (_, changed) =
        amend(&mut bench, &id, r#"{"currency_pair":"BTC_USDT","amount":"0.01","price":"21000"}"#);
    assert_eq!(
        (text(&changed["left"]), text(&changed["price"]), text(&changed["id"])),
        ("0.007", "21000", id.as_str())
    );
    assert_eq!(locked(&bench), decimal("147"));
    for (body, expected) in [
        (r#"{"amount":"0.01","price":"21000"}"#, "NO_CHANGE"),
        (r#"{"amend_text":"nothing"}"#, "MISSING_REQUIRED_PARAM"),
        (r#"{"price":"0.001"}"#, "INVALID_PRECISION"),
        (r#"{"amount":"10"}"#, "BALANCE_NOT_ENOUGH"),
    ] {
        assert_eq!(label(&amend(&mut bench, &id, body).1), expected, "{body}");
    }
    // A new price that reaches the other side trades.
    bench.rest(BTC, Side::Sell, "25000", "0.002");
    let (_, changed) = amend(&mut bench, &id, r#"{"price":"25000"}"#);
    assert_eq!((text(&changed["filled_amount"]), text(&changed["status"])), ("0.005", "open"));
    // A total that is filled already ends the order.
    let (_, ended) = amend(&mut bench, &id, r#"{"amount":"0.005"}"#);
    assert_eq!(text(&ended["status"]), "cancelled");
    assert_eq!((locked(&bench), amend(&mut bench, &id, r#"{"amount":"1"}"#).0), (Decimal::ZERO, 404));
}

#[test]
fn changes_come_in_batches_too() {
    let mut bench = Bench::new();
    let id = place(&mut bench, &order("t-1", "buy", "0.01", "20000"));
    let row = |id: &str| format!(r#"{{"order_id":"{id}","currency_pair":"BTC_USDT","price":"21000"}}"#);
    let (status, rows) =
        bench.json("POST", "/api/v4/spot/amend_batch_orders", "", &format!("[{},{}]", row(&id), row("99")));
    assert_eq!((status, text(&rows[0]["price"]), label(&rows[1])), (200, "21000", "ORDER_NOT_FOUND"));
    let six = vec![row(&id); 6].join(",");
    assert_eq!(
        label(&bench.json("POST", "/api/v4/spot/amend_batch_orders", "", &format!("[{six}]")).1),
        "TOO_MANY_ORDERS"
    );
}

#[test]
fn candlesticks_come_while_something_trades() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    bench.subscribe(conn, "spot.candlesticks", r#"["1m","BTC_USDT"]"#);
    bench.pass(Duration::from_secs(3));
    assert!(
        bench
            .take_channel(conn, "spot.candlesticks")
            .iter()
            .all(|frame| text(&frame["event"]) == "subscribe")
    );
    for price in ["30000", "31000", "29000"] {
        bench.rest(BTC, Side::Sell, price, "0.01");
        bench.rest(BTC, Side::Buy, price, "0.01");
    }
    bench.pass(Duration::from_secs(1));
    let frames = bench.take_channel(conn, "spot.candlesticks");
    let frame = frames.iter().find(|frame| text(&frame["event"]) == "update").expect("a candle");
    same_shape(frame, "frames", "candle");
    let bar = &frame["result"];
    assert_eq!(
        (text(&bar["o"]), text(&bar["h"]), text(&bar["l"]), text(&bar["c"])),
        ("30000", "31000", "29000", "29000")
    );
    assert_eq!((text(&bar["n"]), text(&bar["a"]), text(&bar["v"])), ("1m_BTC_USDT", "0.03", "900"));
    let refused = bench.send(
        conn,
        r#"{"time":1,"channel":"spot.candlesticks","event":"subscribe","payload":["2m","BTC_USDT"]}"#,
    );
    assert_eq!(refused["error"]["code"].as_i64(), Some(2));
    assert!(refused["payload"].is_array() && refused["result"].as_object().is_some());
}

#[test]
fn the_tier_of_limits_is_told() {
    let mut bench = Bench::new();
    let (status, rows) = bench.json("GET", "/api/v4/account/rate_limit", "", "");
    assert_eq!((status, text(&rows[0]["type"])), (200, "spot"));
}
