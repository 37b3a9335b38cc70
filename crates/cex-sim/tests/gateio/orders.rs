//! The life of orders: answers, events and balances, which must tell one story.

use crate::bench::{BTC, Bench, ETH, decimal, label, parse, text};
use cex_core::{Decimal, Side};
use cex_sim::dialect::gateio::GateioConfig;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::time::Duration;

const ORDERS: &str = "/api/v4/spot/orders";

fn place(bench: &mut Bench, body: &str) -> Value {
    let (status, order) = bench.json("POST", ORDERS, "", &body.replace('\'', "\""));
    assert_eq!(status, 201, "{order:?}");
    order
}

fn get(bench: &mut Bench, id: &str) -> Value {
    bench.json("GET", &format!("{ORDERS}/{id}"), "currency_pair=BTC_USDT", "").1
}

fn check(order: &Value, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(text(&order[*key]), *value, "{key} of {order:?}");
    }
}

/// The rows of the only frame of a channel.
fn rows<'a>(frames: &'a [Value], channel: &str) -> &'a Value {
    let mut of = frames.iter().filter(|frame| text(&frame["channel"]) == channel);
    let frame = of.next().unwrap_or_else(|| panic!("no frame of {channel}"));
    assert!(of.next().is_none(), "one frame of {channel}");
    &frame["result"]
}

/// The first row of the only frame of a channel.
fn row<'a>(frames: &'a [Value], channel: &str) -> &'a Value {
    &rows(frames, channel)[0]
}

fn balance(bench: &mut Bench, currency: &str) -> (Decimal, Decimal) {
    let (_, rows) = bench.json("GET", "/api/v4/spot/accounts", &format!("currency={currency}"), "");
    (decimal(text(&rows[0]["available"])), decimal(text(&rows[0]["locked"])))
}

#[test]
fn a_resting_order_lives_in_answers_events_and_balances() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    for channel in ["spot.orders", "spot.usertrades", "spot.balances"] {
        bench.subscribe_private(conn, channel, r#"["!all"]"#);
    }
    let body = "{'text':'t-a','currency_pair':'BTC_USDT','side':'buy','amount':'0.01','price':'30000'}";
    let order = place(&mut bench, body);
    check(&order, &[("status", "open"), ("finish_as", "open"), ("left", "0.01"), ("fee_currency", "BTC")]);
    assert!(order.get("avg_deal_price").is_none(), "nothing is filled yet");
    assert_eq!(balance(&mut bench, "USDT"), (decimal("700"), decimal("300")));
    let frames = bench.take(conn);
    let created = [("change_type", "order-create"), ("change", "0"), ("freeze_change", "300")];
    check(row(&frames, "spot.balances"), &created);
    check(row(&frames, "spot.orders"), &[("event", "put"), ("text", "t-a"), ("left", "0.01")]);

    bench.pass(Duration::from_secs(1));
    bench.rest(BTC, Side::Sell, "29990", "0.004");
    let id = text(&order["id"]).to_owned();
    let partial = get(&mut bench, &id);
    check(
        &partial,
        &[("status", "open"), ("left", "0.006"), ("filled_amount", "0.004"), ("filled_total", "120")],
    );
    check(&partial, &[("avg_deal_price", "30000"), ("fee", "0.000008"), ("update_time", "1700000001")]);
    assert_eq!(get(&mut bench, "t-a"), partial, "by client id");
    assert_eq!(balance(&mut bench, "USDT"), (decimal("700"), decimal("180")));
    assert_eq!(balance(&mut bench, "BTC"), (decimal("1000.003992"), Decimal::ZERO));
    let frames = bench.take(conn);
    check(row(&frames, "spot.orders"), &[("event", "update"), ("left", "0.006"), ("fee", "0.000008")]);
    let fill = row(&frames, "spot.usertrades");
    check(
        fill,
        &[
            ("role", "maker"),
            ("price", "30000"),
            ("fee", "0.000008"),
            ("fee_currency", "BTC"),
            ("text", "t-a"),
        ],
    );
    let balances = rows(&frames, "spot.balances").as_array().expect("rows");
    let kinds: Vec<&str> = balances.iter().map(|row| text(&row["change_type"])).collect();
    assert_eq!(kinds, ["order-match", "order-match", "trade-fee-deduct"]);
    let (_, fills) = bench.json("GET", "/api/v4/spot/my_trades", "currency_pair=BTC_USDT", "");
    assert_eq!(
        text(&fills[0]["id"]),
        fill["id"].as_u64().expect("a number").to_string(),
        "REST and push agree"
    );

    let (status, ended) = bench.json("DELETE", &format!("{ORDERS}/{id}"), "currency_pair=BTC_USDT", "");
    assert_eq!(status, 200);
    check(
        &ended,
        &[("status", "cancelled"), ("finish_as", "cancelled"), ("left", "0.006"), ("filled_amount", "0.004")],
    );
    assert_eq!(balance(&mut bench, "USDT"), (decimal("880"), Decimal::ZERO));
    let frames = bench.take(conn);
    check(row(&frames, "spot.orders"), &[("event", "finish"), ("finish_as", "cancelled")]);
    check(
        row(&frames, "spot.balances"),
        &[("change_type", "order-update"), ("freeze_change", "-180"), ("change", "0")],
    );
    let (status, again) = bench.json("DELETE", &format!("{ORDERS}/{id}"), "currency_pair=BTC_USDT", "");
    assert_eq!((status, label(&again)), (404, "ORDER_NOT_FOUND"));
}

#[test]
fn immediate_orders_end_at_once() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    bench.subscribe_private(conn, "spot.orders", r#"["BTC_USDT"]"#);
    bench.rest(BTC, Side::Sell, "30000", "0.001");
    bench.rest(BTC, Side::Sell, "30001", "0.001");
    let ioc = |amount: &str, price: &str| {
        format!(
            "{{'currency_pair':'BTC_USDT','side':'buy','amount':'{amount}','price':'{price}','time_in_force':'ioc'}}"
        )
    };
    let nothing = place(&mut bench, &ioc("0.001", "20000"));
    check(
        &nothing,
        &[("status", "cancelled"), ("finish_as", "ioc"), ("filled_amount", "0"), ("text", "apiv4")],
    );
    let partial = place(&mut bench, &ioc("0.003", "30000.5"));
    check(
        &partial,
        &[("status", "cancelled"), ("finish_as", "ioc"), ("filled_amount", "0.001"), ("left", "0.002")],
    );
    let filled = place(&mut bench, &ioc("0.001", "30005"));
    check(
        &filled,
        &[("status", "closed"), ("finish_as", "filled"), ("left", "0"), ("avg_deal_price", "30001")],
    );
    let events: Vec<(String, String)> = bench
        .take(conn)
        .iter()
        .map(|frame| &frame["result"][0])
        .map(|row| (text(&row["event"]).to_owned(), text(&row["finish_as"]).to_owned()))
        .collect();
    let finish = |reason: &str| ("finish".to_owned(), reason.to_owned());
    assert_eq!(events, [finish("ioc"), finish("ioc"), finish("filled")]);
    assert_eq!(balance(&mut bench, "USDT"), (decimal("939.999"), Decimal::ZERO));
}

#[test]
fn market_orders_count_quote_when_buying_and_base_when_selling() {
    let mut bench = Bench::new();
    bench.rest(ETH, Side::Sell, "100", "0.05");
    bench.rest(ETH, Side::Sell, "200", "1");
    bench.rest(ETH, Side::Buy, "90", "1");
    let buy = place(&mut bench, "{'currency_pair':'ETH_USDT','type':'market','side':'buy','amount':'10.01'}");
    check(&buy, &[("type", "market"), ("price", "0"), ("amount", "10.01"), ("filled_total", "10")]);
    check(
        &buy,
        &[("filled_amount", "0.075"), ("left", "0.01"), ("status", "closed"), ("time_in_force", "ioc")],
    );
    let sell = place(
        &mut bench,
        "{'currency_pair':'ETH_USDT','type':'market','side':'sell','amount':'2','time_in_force':'ioc'}",
    );
    check(
        &sell,
        &[("filled_amount", "1"), ("left", "1"), ("status", "cancelled"), ("finish_as", "depth_not_enough")],
    );
    let fok = place(
        &mut bench,
        "{'currency_pair':'ETH_USDT','type':'market','side':'buy','amount':'20','time_in_force':'fok'}",
    );
    check(&fok, &[("time_in_force", "fok"), ("status", "closed")]);
}

#[test]
fn action_modes_show_less() {
    let mut bench = Bench::new();
    let order = |mode: &str| {
        format!(
            "{{'currency_pair':'BTC_USDT','side':'buy','amount':'0.001','price':'20000','action_mode':'{mode}'}}"
        )
    };
    let ack = place(&mut bench, &order("ACK"));
    assert_eq!(ack.as_object().map(sonic_rs::Object::len), Some(3));
    let result = place(&mut bench, &order("RESULT"));
    assert!(
        result.get("fee").is_none() && result.get("fill_price").is_none() && result.get("left").is_some()
    );
    let full = place(&mut bench, &order("FULL"));
    assert!(full.get("fee").is_some() && full.get("fill_price").is_some());
}

#[test]
fn lists_show_what_they_are_asked_for() {
    let mut bench = Bench::new();
    for (pair, side, price) in [
        ("BTC_USDT", "buy", "20000"),
        ("BTC_USDT", "buy", "20001"),
        ("BTC_USDT", "sell", "40000"),
        ("ETH_USDT", "buy", "1000"),
    ] {
        let body = format!("{{'currency_pair':'{pair}','side':'{side}','amount':'0.003','price':'{price}'}}");
        place(&mut bench, &body);
    }
    let (_, open) = bench.json("GET", "/api/v4/spot/open_orders", "page=1&limit=2", "");
    let total = |row: &Value| {
        (
            text(&row["currency_pair"]).to_owned(),
            row["total"].as_u64(),
            row["orders"].as_array().map(sonic_rs::Array::len),
        )
    };
    assert_eq!(total(&open[0]), ("BTC_USDT".to_owned(), Some(3), Some(2)));
    assert_eq!(total(&open[1]), ("ETH_USDT".to_owned(), Some(1), Some(1)));
    let list = |bench: &mut Bench, query: &str| {
        let (_, rows) = bench.json("GET", ORDERS, query, "");
        let rows = rows.as_array().unwrap_or_else(|| panic!("{query}: {rows:?}")).clone();
        rows.iter().map(|row| text(&row["price"]).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&mut bench, "currency_pair=BTC_USDT&status=open"), ["40000", "20001", "20000"]);
    assert_eq!(list(&mut bench, "currency_pair=BTC_USDT&status=open&side=buy&limit=1&page=2"), ["20000"]);
    let (_, cancelled) = bench.json("DELETE", ORDERS, "currency_pair=BTC_USDT&side=buy", "");
    assert_eq!(cancelled.as_array().map(sonic_rs::Array::len), Some(2));
    check(&cancelled[0], &[("status", "cancelled"), ("label", ""), ("message", "")]);
    assert_eq!(cancelled[0]["succeeded"].as_bool(), Some(true));
    assert_eq!(list(&mut bench, "status=finished"), ["20001", "20000"]);
    assert_eq!(list(&mut bench, "status=finished&from=1700000001"), Vec::<String>::new());
    let (_, rest) = bench.json("DELETE", ORDERS, "", "");
    assert_eq!(rest.as_array().map(sonic_rs::Array::len), Some(2), "without a pair: of all pairs");
    assert_eq!(bench.json("DELETE", ORDERS, "", "").1, parse("[]"));
    for (query, expected) in
        [("status=open", "MISSING_REQUIRED_PARAM"), ("status=old", "INVALID_PARAM_VALUE")]
    {
        assert_eq!(label(&bench.json("GET", ORDERS, query, "").1), expected);
    }
}

#[test]
fn orders_are_found_in_their_own_pair_by_their_own_account_only() {
    let mut bench = Bench::new();
    let order = place(
        &mut bench,
        "{'text':'t-mine','currency_pair':'BTC_USDT','side':'buy','amount':'0.001','price':'20000'}",
    );
    bench.rest(BTC, Side::Sell, "50000", "1");
    let mut look = |id: &str, pair: &str| {
        let (status, answer) = bench.json("GET", &format!("{ORDERS}/{id}"), pair, "");
        (status, answer["label"].as_str().map(str::to_owned))
    };
    let id = text(&order["id"]);
    let stranger = (id.parse::<u64>().expect("a number") + 1).to_string();
    let refused = |status: u16, label: &str| (status, Some(label.to_owned()));
    assert_eq!(look(id, "currency_pair=BTC_USDT"), (200, None));
    assert_eq!(look(id, "currency_pair=ETH_USDT"), refused(404, "ORDER_NOT_FOUND"));
    assert_eq!(look(&stranger, "currency_pair=BTC_USDT"), refused(404, "ORDER_NOT_FOUND"));
    assert_eq!(look("999", "currency_pair=BTC_USDT"), refused(404, "ORDER_NOT_FOUND"));
    assert_eq!(look("t-yours", "currency_pair=BTC_USDT"), refused(404, "CLIENT_ID_NOT_FOUND"));
    assert_eq!(look("what", "currency_pair=BTC_USDT"), refused(400, "INVALID_PARAM_VALUE"));
    assert_eq!(look(id, ""), refused(400, "MISSING_REQUIRED_PARAM"));
}

#[test]
fn a_client_id_used_again_finds_the_newest_unless_it_is_refused() {
    let body = |price: &str| {
        format!("{{'text':'t-1','currency_pair':'BTC_USDT','side':'buy','amount':'0.001','price':'{price}'}}")
    };
    let mut bench = Bench::new();
    place(&mut bench, &body("20000"));
    place(&mut bench, &body("20001"));
    check(&get(&mut bench, "t-1"), &[("price", "20001")]);
    let mut bench =
        Bench::with(GateioConfig { refuse_duplicate_client_ids: true, ..GateioConfig::default() });
    place(&mut bench, &body("20001"));
    let (status, refused) = bench.json("POST", ORDERS, "", &body("20002").replace('\'', "\""));
    assert_eq!((status, label(&refused)), (400, "REPEATED_CREATION"));
}

#[test]
fn the_dead_man_s_switch_fires_unless_it_is_renewed() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    bench.subscribe_private(conn, "spot.orders", r#"["!all"]"#);
    let order =
        |pair: &str| format!("{{'currency_pair':'{pair}','side':'buy','amount':'0.01','price':'1000'}}");
    place(&mut bench, &order("BTC_USDT"));
    place(&mut bench, &order("ETH_USDT"));
    let arm =
        |bench: &mut Bench, body: &str| bench.json("POST", "/api/v4/spot/countdown_cancel_all", "", body);
    let (status, armed) = arm(&mut bench, r#"{"timeout":30,"currency_pair":"BTC_USDT"}"#);
    assert_eq!((status, text(&armed["triggerTime"])), (200, "1700000030000"));
    bench.pass(Duration::from_secs(20));
    arm(&mut bench, r#"{"timeout":30,"currency_pair":"BTC_USDT"}"#);
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.exchange.open_orders(bench.client).count(), 2, "renewed in time");
    bench.take(conn);
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.exchange.open_orders(bench.client).count(), 1, "only its pair");
    check(&bench.take(conn)[0]["result"][0], &[("event", "finish"), ("finish_as", "cancelled")]);
    arm(&mut bench, r#"{"timeout":5}"#);
    arm(&mut bench, r#"{"timeout":0}"#);
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.exchange.open_orders(bench.client).count(), 1, "disarmed");
    arm(&mut bench, r#"{"timeout":5}"#);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.exchange.open_orders(bench.client).count(), 0, "all pairs");
    assert_eq!(label(&arm(&mut bench, r#"{"timeout":4}"#).1), "INVALID_PARAM_VALUE");
    assert_eq!(label(&arm(&mut bench, "{}").1), "MISSING_REQUIRED_PARAM");
}
