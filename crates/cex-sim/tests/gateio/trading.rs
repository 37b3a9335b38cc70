//! The trading interface over WebSocket: what REST does, as messages.

use crate::bench::{BTC, Bench, KEY, SECRET, decimal, text, trading_sign};
use crate::vectors::{same_shape, vectors};
use cex_core::Side;
use cex_sim::dialect::ConnId;
use cex_sim::dialect::gateio::{GateioConfig, KeyRules};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};

fn status(frame: &Value) -> &str {
    text(&frame["header"]["status"])
}

fn refusal(frame: &Value) -> &str {
    text(&frame["data"]["errs"]["label"])
}

fn order(client_id: &str, price: &str, tif: &str) -> String {
    format!(
        r#"{{"text":"{client_id}","currency_pair":"BTC_USDT","type":"limit","account":"spot","side":"buy","amount":"0.001","price":"{price}","time_in_force":"{tif}"}}"#
    )
}

fn payload(id: &str, param: &str) -> String {
    format!(r#"{{"req_id":"{id}","req_param":{param}}}"#)
}

/// A connection that is logged in, over a book with something to sell.
fn trader() -> (Bench, ConnId) {
    let mut bench = Bench::new();
    bench.rest(BTC, Side::Sell, "30000.5", "1");
    let conn = bench.open(1);
    bench.login(conn);
    (bench, conn)
}

#[test]
fn all_ways_to_sign_are_accepted_as_the_reference_signs() {
    for row in vectors()["ws_api_signatures"].as_array().expect("a list") {
        let (name, channel, param) = (text(&row["name"]), text(&row["channel"]), text(&row["req_param"]));
        let mut bench = Bench::new();
        let conn = bench.open(1);
        let sent = if param.is_empty() { String::new() } else { format!(r#","req_param":{param}"#) };
        let timestamp = row["timestamp"].as_u64().expect("a time");
        let request = |sign: &str| {
            format!(
                r#"{{"req_id":"a","api_key":"{KEY}","timestamp":"{timestamp}","signature":"{sign}"{sent}}}"#
            )
        };
        let good = bench.ask(conn, channel, &request(text(&row["sign"])));
        assert_ne!(status(good.last().expect("an answer")), "401", "{name}: {good:?}");
        let bad = bench.ask(conn, channel, &request(&text(&row["sign"]).replace('0', "1")));
        assert_eq!(refusal(&bad[0]), "INVALID_SIGNATURE", "{name}");
    }
}

#[test]
fn logging_in_has_the_reference_shapes() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    let before = bench.ask(conn, "spot.order_place", &payload("p-0", &order("t-0", "30000.5", "ioc")));
    assert_eq!((before.len(), status(&before[0]), refusal(&before[0])), (1, "400", "AUTHENTICATION_FAILED"));
    let signature = trading_sign(SECRET, "spot.login", "", "1700000000");
    let login = |key: &str, time: &str| {
        format!(r#"{{"api_key":"{key}","signature":"{signature}","timestamp":"{time}","req_id":"login-1"}}"#)
    };
    let bad = bench.ask(conn, "spot.login", &login("nobody", "1700000000"));
    same_shape(&bad[0], "frames", "login_bad_key");
    assert_eq!((status(&bad[0]), refusal(&bad[0])), ("401", "INVALID_KEY"));
    let late = bench.ask(conn, "spot.login", &login(KEY, "1699999000"));
    assert_eq!((status(&late[0]), refusal(&late[0])), ("403", "REQUEST_EXPIRED"));
    let good = bench.ask(conn, "spot.login", &login(KEY, "1700000000"));
    same_shape(&good[0], "frames", "login_ok");
    assert_eq!(text(&good[0]["request_id"]), "login-1");
}

#[test]
fn a_placement_is_acknowledged_and_then_answered() {
    let (mut bench, conn) = trader();
    let with_header = format!(
        r#"{{"req_id":"p-1","req_param":{},"req_header":{{"x-gate-exptime":"1700000003000"}}}}"#,
        order("t-ws-1", "30000.5", "ioc")
    );
    let frames = bench.ask(conn, "spot.order_place", &with_header);
    assert_eq!(frames.len(), 2, "{frames:?}");
    same_shape(&frames[0], "frames", "place_ack");
    assert_eq!(frames[0]["ack"].as_bool(), Some(true));
    assert_eq!(text(&frames[0]["data"]["result"]["req_param"]["text"]), "t-ws-1");
    assert!(frames[1].get("ack").is_none() && status(&frames[1]) == "200");
    assert_eq!(text(&frames[1]["data"]["result"]["finish_as"]), "filled");
    let acked = order("t-ws-2", "30000.5", "ioc").replace("\"limit\"", "\"limit\",\"action_mode\":\"ACK\"");
    let frames = bench.ask(conn, "spot.order_place", &payload("p-2", &acked));
    same_shape(&frames[1], "frames", "place_result_ack_mode");
    let dear = order("t-ws-3", "30000.5", "gtc").replace("0.001", "100");
    let frames = bench.ask(conn, "spot.order_place", &payload("p-3", &dear));
    same_shape(&frames[1], "frames", "place_rejected");
    assert_eq!(refusal(&frames[1]), "BALANCE_NOT_ENOUGH");
    let late = with_header.replace("1700000003000", "1699999999000");
    let frames = bench.ask(conn, "spot.order_place", &late);
    assert_eq!((frames.len(), refusal(&frames[0])), (1, "REQUEST_EXPIRED"), "no order that is too late");
}

#[test]
fn orders_are_asked_for_changed_and_cancelled() {
    let (mut bench, conn) = trader();
    let place = |bench: &mut Bench, text: &str| {
        let frames = bench.ask(conn, "spot.order_place", &payload("p", &order(text, "20000", "gtc")));
        frames[1]["data"]["result"]["id"].as_str().expect("an id").to_owned()
    };
    let ids = ["t-1", "t-2", "t-3", "t-4"].map(|text| place(&mut bench, text));
    let by_id = |id: &str, more: &str| {
        payload("q", &format!(r#"{{"order_id":"{id}","currency_pair":"BTC_USDT"{more}}}"#))
    };
    let asked = bench.ask(conn, "spot.order_status", &by_id(&ids[0], ""));
    assert_eq!(text(&asked[0]["data"]["result"]["text"]), "t-1");
    let amended = bench.ask(conn, "spot.order_amend", &by_id("t-1", r#","price":"21000","amend_text":"up""#));
    let result = &amended[0]["data"]["result"];
    assert_eq!(
        (text(&result["price"]), text(&result["amend_text"]), text(&result["id"])),
        ("21000", "up", ids[0].as_str())
    );
    let listed = bench.ask(
        conn,
        "spot.order_list",
        &payload("l", r#"{"currency_pair":"BTC_USDT","status":"open","limit":2}"#),
    );
    assert_eq!(listed[0]["data"]["result"].as_array().map(sonic_rs::Array::len), Some(2));
    let cancelled = bench.ask(conn, "spot.order_cancel", &by_id(&ids[0], ""));
    assert_eq!((cancelled.len(), text(&cancelled[0]["data"]["result"]["status"])), (1, "cancelled"));
    let again = bench.ask(conn, "spot.order_cancel", &by_id(&ids[0], ""));
    assert_eq!((status(&again[0]), refusal(&again[0])), ("404", "ORDER_NOT_FOUND"));
    let rows = format!(
        r#"[{{"currency_pair":"BTC_USDT","id":"{}"}},{{"currency_pair":"BTC_USDT","id":"t-gone"}}]"#,
        ids[1]
    );
    let some = bench.ask(conn, "spot.order_cancel_ids", &payload("c", &rows));
    let rows = &some[0]["data"]["result"];
    assert_eq!((rows[0]["succeeded"].as_bool(), text(&rows[1]["label"])), (Some(true), "ORDER_NOT_FOUND"));
    let all = bench.ask(
        conn,
        "spot.order_cancel_cp",
        &payload("a", r#"{"currency_pair":"BTC_USDT","side":"buy"}"#),
    );
    assert_eq!(all[0]["data"]["result"].as_array().map(sonic_rs::Array::len), Some(2));
    assert!(bench.levels(BTC, Side::Buy, 9).is_empty());
}

#[test]
fn a_list_is_a_batch() {
    let (mut bench, conn) = trader();
    let dear = order("t-b2", "30000.5", "ioc").replace("0.001", "100");
    let list = format!("[{},{dear}]", order("t-b1", "30000.5", "ioc"));
    let frames = bench.ask(conn, "spot.order_place", &payload("b-1", &list));
    let rows = &frames[1]["data"]["result"];
    assert_eq!((text(&rows[0]["text"]), rows[0]["succeeded"].as_bool()), ("t-b1", Some(true)));
    assert_eq!((text(&rows[1]["text"]), text(&rows[1]["label"])), ("t-b2", "BALANCE_NOT_ENOUGH"));
    assert!(rows[1].get("succeeded").is_none(), "as it was recorded");
}

#[test]
fn limits_are_told_in_the_header() {
    let mut bench = Bench::with(GateioConfig { rate_limits: true, ..GateioConfig::default() });
    let conn = bench.open(1);
    bench.login(conn);
    let mut place = |number: usize| {
        let text = format!("t-{number}");
        bench.ask(conn, "spot.order_place", &payload("p", &order(&text, "20000", "gtc")))
    };
    for number in 0..10 {
        assert_eq!(status(&place(number)[1]), "200");
    }
    let refused = place(10);
    assert_eq!((refused.len(), status(&refused[0]), refusal(&refused[0])), (1, "429", "TOO_MANY_REQUESTS"));
    same_shape(&refused[0], "frames", "place_rate_limited");
}

#[test]
fn a_key_that_only_reads_places_nothing() {
    let rules = KeyRules { is_read_only: true, ..KeyRules::default() };
    let mut bench =
        Bench::with(GateioConfig { keys: [(KEY.to_owned(), rules)].into(), ..GateioConfig::default() });
    let conn = bench.open(1);
    bench.login(conn);
    let refused = bench.ask(conn, "spot.order_place", &payload("p", &order("t-1", "20000", "gtc")));
    assert_eq!((refused.len(), refusal(&refused[0])), (1, "READ_ONLY"));
    let list =
        bench.ask(conn, "spot.order_list", &payload("l", r#"{"currency_pair":"BTC_USDT","status":"open"}"#));
    assert_eq!(status(&list[0]), "200");
}

#[test]
fn nonsense_is_answered_and_another_connection_is_nobody() {
    let (mut bench, conn) = trader();
    for (channel, payload, label) in [
        ("spot.order_nothing", "{}", "INVALID_ARGUMENT"),
        ("spot.order_place", "[]", "INVALID_ARGUMENT"),
        ("spot.order_place", r#"{"req_id":"x"}"#, "INVALID_REQUEST_BODY"),
        (
            "spot.order_cancel",
            r#"{"req_id":"x","req_param":{"currency_pair":"BTC_USDT"}}"#,
            "MISSING_REQUIRED_PARAM",
        ),
    ] {
        let frames = bench.ask(conn, channel, payload);
        assert_eq!(refusal(frames.last().expect("an answer")), label, "{channel} {payload}");
    }
    let other = bench.open(2);
    let refused =
        bench.ask(other, "spot.order_list", &payload("l", r#"{"currency_pair":"BTC_USDT","status":"open"}"#));
    assert_eq!(refusal(&refused[0]), "AUTHENTICATION_FAILED");
    assert_eq!(bench.exchange.balance(bench.client, "USDT".parse().expect("short")).0, decimal("1000"));
}
