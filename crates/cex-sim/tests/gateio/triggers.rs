//! Orders that wait for a price, the account book, and what wallets would cost.

use crate::bench::{BTC, Bench, label, text};
use cex_core::Side;
use cex_sim::matching::NewOrderKind;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::time::Duration;

const PATH: &str = "/api/v4/spot/price_orders";

fn trigger(rule: &str, price: &str, put: &str) -> String {
    format!(
        r#"{{"market":"BTC_USDT","trigger":{{"price":"{price}","rule":"{rule}","expiration":60}},"put":{{{put}}}}}"#
    )
}

fn create(bench: &mut Bench, rule: &str, price: &str, put: &str) -> String {
    let (status, made) = bench.json("POST", PATH, "", &trigger(rule, price, put));
    assert_eq!(status, 201, "{made:?}");
    made["id"].as_u64().expect("a number").to_string()
}

/// The house trades at this price.
fn trade_at(bench: &mut Bench, price: &str) {
    bench.rest(BTC, Side::Sell, price, "0.01");
    let scale = bench.exchange.rules(BTC).scale;
    let price = scale.parse_price(price.as_bytes()).expect("a price");
    let qty = scale.parse_qty(b"0.01").expect("a quantity");
    bench.house_order(BTC, Side::Buy, NewOrderKind::Ioc { price, qty });
}

fn status(bench: &mut Bench, id: &str) -> String {
    let (_, found) = bench.json("GET", &format!("{PATH}/{id}"), "", "");
    text(&found["status"]).to_owned()
}

const BUY: &str =
    r#""type":"limit","side":"buy","price":"20000","amount":"0.001","account":"normal","text":"t-later""#;

#[test]
fn an_order_is_placed_when_its_market_trades_there_and_the_stream_tells() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    bench.subscribe_private(conn, "spot.priceorders", r#"["BTC_USDT"]"#);
    bench.subscribe_private(conn, "spot.orders", r#"["!all"]"#);
    let id = create(&mut bench, ">=", "31000", BUY);
    trade_at(&mut bench, "30999.9");
    bench.pass(Duration::from_secs(1));
    assert_eq!((status(&mut bench, &id).as_str(), bench.exchange.orders(bench.client).count()), ("open", 0));
    bench.take(conn);
    trade_at(&mut bench, "31000");
    bench.pass(Duration::from_secs(1));
    assert_eq!(status(&mut bench, &id), "finish");
    let (_, found) = bench.json("GET", &format!("{PATH}/{id}"), "", "");
    let fired = found["fired_order_id"].as_u64().expect("a number");
    assert!(fired > 0, "{found:?}");
    let (_, order) = bench.json("GET", "/api/v4/spot/orders/t-later", "currency_pair=BTC_USDT", "");
    assert_eq!((text(&order["id"]), text(&order["price"])), (fired.to_string().as_str(), "20000"));
    let frames: Vec<Value> = bench.take(conn);
    let told = |channel: &str| frames.iter().find(|frame| frame["channel"].as_str() == Some(channel));
    assert_eq!(frames.iter().filter(|f| f["channel"].as_str() == Some("spot.priceorders")).count(), 1);
    let news = told("spot.priceorders").expect("news");
    let result = &news["result"];
    assert_eq!(result["fired_order_id"].as_u64(), Some(fired), "an object, with the order: {news:?}");
    assert_eq!((text(&result["trigger_rule"]), text(&result["trigger_price"])), (">=", "31000"));
    assert_eq!(text(&told("spot.orders").expect("the order")["result"][0]["event"]), "put");
}

#[test]
fn one_that_waits_too_long_expires_and_one_that_cannot_be_placed_fails() {
    let mut bench = Bench::new();
    let expiring = create(&mut bench, "<=", "10000", BUY);
    let poor = create(
        &mut bench,
        "<=",
        "30000",
        r#""side":"buy","price":"20000","amount":"900","account":"normal""#,
    );
    trade_at(&mut bench, "30000");
    bench.pass(Duration::from_secs(1));
    assert_eq!(status(&mut bench, &poor), "failed");
    let (_, found) = bench.json("GET", &format!("{PATH}/{poor}"), "", "");
    assert_eq!(text(&found["reason"]), "BALANCE_NOT_ENOUGH");
    bench.pass(Duration::from_secs(58));
    assert_eq!(status(&mut bench, &expiring), "open");
    bench.pass(Duration::from_secs(2));
    assert_eq!(status(&mut bench, &expiring), "expired");
    let (_, finished) = bench.json("GET", PATH, "status=finished", "");
    assert_eq!(finished.as_array().map(sonic_rs::Array::len), Some(2));
    assert_eq!(bench.exchange.orders(bench.client).count(), 0);
}

#[test]
fn they_are_listed_cancelled_and_refused() {
    let mut bench = Bench::new();
    let first = create(&mut bench, "<=", "10000", BUY);
    create(&mut bench, "<=", "9000", BUY);
    let (_, open) = bench.json("GET", PATH, "status=open&market=BTC_USDT", "");
    assert_eq!(open.as_array().map(sonic_rs::Array::len), Some(2));
    let (status, gone) = bench.json("DELETE", &format!("{PATH}/{first}"), "", "");
    assert_eq!((status, text(&gone["status"])), (200, "cancelled"));
    let (status, again) = bench.json("DELETE", &format!("{PATH}/{first}"), "", "");
    assert_eq!((status, label(&again)), (404, "ORDER_NOT_FOUND"));
    let (_, all) = bench.json("DELETE", PATH, "", "");
    assert_eq!(all.as_array().map(sonic_rs::Array::len), Some(1));
    let mut refused = |body: &str, expected: &str| {
        let (status, answer) = bench.json("POST", PATH, "", body);
        assert_eq!((status, label(&answer)), (400, expected), "{body}");
    };
    refused("[]", "INVALID_REQUEST_BODY");
    refused(&trigger("==", "1", BUY), "INVALID_PARAM_VALUE");
    refused(&trigger(">=", "0", BUY), "INVALID_PARAM_VALUE");
    refused(&trigger(">=", "1.23456", BUY), "INVALID_PARAM_VALUE");
    refused(&trigger(">=", "1", r#""side":"buy","price":"1.23","amount":"1""#), "INVALID_PRECISION");
    refused(&trigger(">=", "1", BUY).replace("BTC_USDT", "NO_SUCH"), "INVALID_CURRENCY_PAIR");
}

#[test]
fn the_account_book_tells_what_came_and_went() {
    let mut bench = Bench::new();
    bench.rest(BTC, Side::Sell, "30000", "0.01");
    let order = r#"{"currency_pair":"BTC_USDT","side":"buy","amount":"0.001","price":"30000"}"#;
    let (status, made) = bench.json("POST", "/api/v4/spot/orders", "", order);
    assert_eq!((status, text(&made["finish_as"])), (201, "filled"));
    let (_, rows) = bench.json("GET", "/api/v4/spot/account_book", "currency=BTC&limit=2", "");
    let row = |index: usize, key: &str| text(&rows[index][key]).to_owned();
    // Newest first: the fee of 20 bps, and what was bought.
    assert_eq!((row(0, "change"), row(0, "type")), ("-0.000002".to_owned(), "trade-fee-deduct".to_owned()));
    assert_eq!((row(1, "change"), row(1, "balance")), ("0.001".to_owned(), "1000.001".to_owned()));
    let (_, rows) = bench.json("GET", "/api/v4/spot/account_book", "currency=USDT&type=order-match", "");
    assert_eq!(text(&rows[0]["change"]), "-30");
    assert_eq!(rows.as_array().map(sonic_rs::Array::len), Some(1), "locking is no entry");
    let (status, coins) = bench.json("GET", "/api/v4/wallet/withdraw_status", "currency=BTC", "");
    assert_eq!((status, text(&coins[0]["currency"])), (200, "BTC"));
}

#[test]
fn channels_of_other_accounts_can_be_read_and_are_silent() {
    let mut bench = Bench::new();
    let conn = bench.open(1);
    for channel in ["spot.margin_balances", "spot.funding_balances", "spot.cross_balances", "spot.cross_loan"]
    {
        bench.subscribe_private(conn, channel, "[]");
    }
    bench.rest(BTC, Side::Sell, "30000", "0.01");
    let order = r#"{"currency_pair":"BTC_USDT","side":"buy","amount":"0.001","price":"30000"}"#;
    bench.json("POST", "/api/v4/spot/orders", "", order);
    assert!(bench.take(conn).is_empty());
}

#[test]
fn accounts_are_classic_and_say_so() {
    let mut bench = Bench::new();
    let (status, answer) = bench.json("GET", "/api/v4/unified/accounts", "", "");
    assert_eq!((status, label(&answer)), (400, "UNIFIED_ACCOUNT_NOT_ACTIVATED"));
    let (_, detail) = bench.json("GET", "/api/v4/account/detail", "", "");
    assert_eq!(detail["key"]["mode"].as_u64(), Some(1));
}
