//! REST: authorization, refusals, limits, market data.

use crate::bench::{BTC, Bench, ETH, KEY, NOW, SECRET, label, parse, sign, text};
use cex_core::Side;
use cex_sim::dialect::HttpAnswer;
use cex_sim::dialect::gateio::{GateioConfig, KeyRules};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::time::Duration;

const ORDERS: &str = "/api/v4/spot/orders";

fn body(answer: &HttpAnswer) -> Value {
    parse(&String::from_utf8(answer.body.clone()).expect("UTF-8"))
}

fn header<'a>(answer: &'a HttpAnswer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

#[test]
fn authorization_is_checked_in_order() {
    let path = "/api/v4/spot/accounts";
    let good = sign(SECRET, "GET", path, "", "", "1700000000");
    let late = sign(SECRET, "GET", path, "", "", "1699999939");
    let early = sign(SECRET, "GET", path, "", "", "1700000060.5");
    let float = sign(SECRET, "GET", path, "", "", "1700000059.999999");
    let check = |headers: &[(&str, &str)], status: u16, expected: &str| {
        let answer = Bench::new().call("GET", path, "", "", headers);
        assert_eq!(answer.status, status, "{headers:?}");
        if status != 200 {
            assert_eq!(label(&body(&answer)), expected, "{headers:?}");
            assert!(answer.body.ends_with(b"\n"));
        }
    };
    check(&[("key", KEY), ("timestamp", "1700000000"), ("sign", &good)], 200, "");
    check(&[("key", KEY), ("timestamp", "1700000059.999999"), ("sign", &float)], 200, "");
    check(&[], 401, "MISSING_REQUIRED_HEADER");
    check(&[("key", KEY), ("sign", &good)], 401, "MISSING_REQUIRED_HEADER");
    check(&[("key", ""), ("timestamp", "1700000000"), ("sign", &good)], 401, "MISSING_REQUIRED_HEADER");
    check(&[("key", KEY), ("timestamp", "1699999939"), ("sign", &late)], 403, "REQUEST_EXPIRED");
    check(&[("key", "nobody"), ("timestamp", "1700000060.5"), ("sign", &early)], 403, "REQUEST_EXPIRED");
    check(&[("key", KEY), ("timestamp", "soon"), ("sign", &good)], 400, "INVALID_PARAM_VALUE");
    check(&[("key", "nobody"), ("timestamp", "1700000000"), ("sign", &good)], 401, "INVALID_KEY");
    check(&[("key", KEY), ("timestamp", "1700000001"), ("sign", &good)], 401, "INVALID_SIGNATURE");
    check(
        &[("key", KEY), ("timestamp", "1700000000"), ("sign", &good.to_uppercase())],
        401,
        "INVALID_SIGNATURE",
    );
}

#[test]
fn a_request_after_its_deadline_is_not_carried_out() {
    let order = r#"{"currency_pair":"BTC_USDT","side":"buy","amount":"0.001","price":"30000"}"#;
    let sign = sign(SECRET, "POST", ORDERS, "", order, "1700000000");
    for (deadline, status) in [("1700000000000", 201), ("1699999999999", 403), ("soon", 400)] {
        let mut bench = Bench::new();
        let headers =
            [("key", KEY), ("timestamp", "1700000000"), ("sign", &sign), ("x-gate-exptime", deadline)];
        let answer = bench.call("POST", ORDERS, "", order, &headers);
        assert_eq!(answer.status, status, "{deadline}");
        assert_eq!(bench.exchange.orders(bench.client).count(), usize::from(status == 201));
    }
}

#[test]
fn placements_are_refused_with_the_exchange_s_own_labels() {
    let mut bench = Bench::new();
    bench.rest(BTC, Side::Sell, "30000", "0.001");
    let mut check = |body: &str, status: u16, expected: &str| {
        let body = body.replace('\'', "\"");
        let (got, answer) = bench.json("POST", ORDERS, "", &body);
        assert_eq!((got, label(&answer)), (status, expected), "{body}");
    };
    let order = |change: &str| {
        let plain = "{'text':'t-1','currency_pair':'BTC_USDT','side':'buy','amount':'0.001','price':'20000'}";
        let (key, _) = change.split_once(':').expect("a field");
        let kept: Vec<&str> =
            plain.trim_matches(['{', '}']).split(',').filter(|f| !f.starts_with(key)).collect();
        format!("{{{},{change}}}", kept.join(","))
    };
    check("", 400, "INVALID_REQUEST_BODY");
    check("[]", 400, "INVALID_REQUEST_BODY");
    check("{}", 400, "MISSING_REQUIRED_PARAM");
    check(&order("'text':'abc'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'text':'t-12345678901234567890123456789'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'side':'hold'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'type':'stop'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'account':'moon'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'time_in_force':'day'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'stp_act':'cn'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'iceberg':'0.0001'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'stop_loss':{'trigger_price':'1'}"), 400, "INVALID_PARAM_VALUE");
    check(&order("'action_mode':'MAYBE'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'amount':null"), 400, "MISSING_REQUIRED_PARAM");
    check(&order("'price':''"), 400, "MISSING_REQUIRED_PARAM");
    for wrong in ["-1", "0", "1e-3", "+1", "1,000", "nan", " 1"] {
        check(&order(&format!("'amount':'{wrong}'")), 400, "INVALID_PARAM_VALUE");
        check(&order(&format!("'price':'{wrong}'")), 400, "INVALID_PARAM_VALUE");
    }
    check(&order("'price':6.521e-05"), 400, "INVALID_PARAM_VALUE");
    check(&order("'currency_pair':'btc_usdt'"), 400, "INVALID_CURRENCY_PAIR");
    check(&order("'price':'20000.01'"), 400, "INVALID_PRECISION");
    check(&order("'amount':'0.000000001'"), 400, "INVALID_PRECISION");
    check(&order("'amount':'99999999999999999999'"), 400, "AMOUNT_TOO_MUCH");
    check(&order("'amount':'0.0001'"), 400, "INVALID_PARAM_VALUE");
    check(&order("'amount':'1'"), 400, "BALANCE_NOT_ENOUGH");
    check(&order("'price':'30000','time_in_force':'poc'"), 400, "POC_FILL_IMMEDIATELY");
    check(&order("'amount':'0.002','price':'30000','time_in_force':'fok'"), 400, "FOK_NOT_FILL");
    let market = |terms: &str| format!("{{'currency_pair':'BTC_USDT','type':'market',{terms}}}");
    check(&market("'side':'buy','amount':'30','time_in_force':'gtc'"), 400, "INVALID_PARAM_VALUE");
    check(&market("'side':'buy','amount':'2'"), 400, "INVALID_PARAM_VALUE");
    check(&market("'side':'buy','amount':'30.01','time_in_force':'fok'"), 400, "FOK_NOT_FILL");
    check(&market("'side':'sell','amount':'0.001','time_in_force':'fok'"), 400, "FOK_NOT_FILL");
    assert_eq!(bench.exchange.orders(bench.client).count(), 0);
}

#[test]
fn what_clients_send_beside_the_point_is_ignored() {
    let mut bench = Bench::new();
    let body = r#"{"text": "t-1", "currency_pair": "BTC_USDT", "side": "buy", "amount": 0.001, "price": 20000.50,
        "textIsRequired": true, "stp_act": "-", "iceberg": "0", "auto_borrow": null, "account": "unified"}"#;
    let (status, order) = bench.json("POST", ORDERS, "", body);
    assert_eq!((status, text(&order["price"]), text(&order["amount"])), (201, "20000.5", "0.001"));
}

#[test]
fn paths_and_methods_that_do_not_exist_are_named() {
    let mut bench = Bench::new();
    for (method, path, status, expected) in [
        ("GET", "/api/v4/spot/pov_orders", 404, "NOT_FOUND"),
        ("GET", "/spot/time", 404, "NOT_FOUND"),
        ("POST", "/api/v4/spot/time", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/api/v4/spot/orders", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let answer = bench.call(method, path, "", "", &[]);
        assert_eq!((answer.status, label(&body(&answer))), (status, expected), "{method} {path}");
    }
}

#[test]
fn placements_are_limited_by_pair_when_limits_are_on() {
    let mut bench = Bench::with(GateioConfig { rate_limits: true, ..GateioConfig::default() });
    let place = |bench: &mut Bench, pair: &str| {
        let body = format!(r#"{{"currency_pair":"{pair}","side":"buy","amount":"0.01","price":"1000"}}"#);
        bench.signed("POST", ORDERS, "", &body)
    };
    for left in (0..10).rev() {
        let answer = place(&mut bench, "BTC_USDT");
        assert_eq!(answer.status, 201);
        assert_eq!(header(&answer, "x-gate-ratelimit-requests-remain"), Some(left.to_string().as_str()));
        assert_eq!(header(&answer, "x-gate-ratelimit-limit"), Some("10"));
    }
    let refused = place(&mut bench, "BTC_USDT");
    assert_eq!((refused.status, label(&body(&refused))), (429, "TOO_MANY_REQUESTS"));
    assert_eq!(header(&refused, "x-gate-ratelimit-requests-remain"), None);
    assert_eq!(header(&refused, "x-gate-ratelimit-reset-timestamp"), Some("1700000001"));
    assert_eq!(place(&mut bench, "ETH_USDT").status, 201);
    bench.pass(Duration::from_secs(1));
    assert_eq!(place(&mut bench, "BTC_USDT").status, 201);
    let mut free = Bench::new();
    assert!((0..50).all(|_| place(&mut free, "BTC_USDT").status == 201), "limits are off by default");
}

#[test]
fn every_answer_tells_its_times_and_trace() {
    let mut bench = Bench::new();
    let answer = bench.call("GET", "/api/v4/spot/time", "", "", &[]);
    assert_eq!(answer.body, b"{\"server_time\":1700000000000}");
    assert_eq!(header(&answer, "x-in-time"), Some("1700000000000000"));
    assert_eq!(header(&answer, "x-gate-trace-id").map(str::len), Some(32));
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
}

#[test]
fn pairs_and_coins_tell_the_rules() {
    let mut bench = Bench::new();
    let (_, pairs) = bench.json("GET", "/api/v4/spot/currency_pairs", "", "");
    assert_eq!(pairs.as_array().map(sonic_rs::Array::len), Some(3));
    let (_, pair) = bench.json("GET", "/api/v4/spot/currency_pairs/ETH_USDT", "", "");
    assert_eq!(pair, pairs[1]);
    for (key, value) in [
        ("id", "ETH_USDT"),
        ("base", "ETH"),
        ("quote", "USDT"),
        ("fee", "0.2"),
        ("min_base_amount", "0.0001"),
        ("min_quote_amount", "3"),
        ("trade_status", "tradable"),
        ("type", "normal"),
    ] {
        assert_eq!(text(&pair[key]), value, "{key}");
    }
    assert_eq!((pair["precision"].as_u64(), pair["amount_precision"].as_u64()), (Some(2), Some(4)));
    let (status, unknown) = bench.json("GET", "/api/v4/spot/currency_pairs/FOO_USDT", "", "");
    assert_eq!((status, label(&unknown)), (400, "INVALID_CURRENCY_PAIR"));
    let (_, coins) = bench.json("GET", "/api/v4/spot/currencies", "", "");
    assert_eq!(coins.as_array().map(sonic_rs::Array::len), Some(3));
    let (_, coin) = bench.json("GET", "/api/v4/spot/currencies/BTC", "", "");
    assert_eq!((text(&coin["currency"]), text(&coin["chains"][0]["name"])), ("BTC", "BTC"));
    let (status, unknown) = bench.json("GET", "/api/v4/spot/currencies/FOO", "", "");
    assert_eq!((status, label(&unknown)), (400, "INVALID_CURRENCY"));
    assert_eq!(bench.json("GET", "/api/v4/margin/currency_pairs", "", "").1, parse("[]"));
}

#[test]
fn the_book_has_its_version_when_asked_for() {
    let mut bench = Bench::new();
    for (price, qty) in [("100", "1"), ("101", "2"), ("102", "3")] {
        bench.rest(ETH, Side::Sell, price, qty);
    }
    bench.rest(ETH, Side::Buy, "99.5", "4");
    let mut book = |query: &str| {
        let answer = bench.call("GET", "/api/v4/spot/order_book", query, "", &[]);
        (answer.status, body(&answer))
    };
    let (_, plain) = book("currency_pair=ETH_USDT&limit=2");
    assert!(plain.get("id").is_none());
    assert_eq!(plain["asks"], parse(r#"[["100","1"],["101","2"]]"#));
    assert_eq!(plain["bids"], parse(r#"[["99.5","4"]]"#));
    assert_eq!(plain["current"].as_i64(), Some(NOW.as_millis()));
    let (_, with_id) = book("currency_pair=ETH_USDT&with_id=True");
    assert_eq!(with_id["id"].as_u64(), Some(1_000_000_004));
    for (query, expected) in [
        ("", "MISSING_REQUIRED_PARAM"),
        ("currency_pair=FOO_USDT", "INVALID_CURRENCY_PAIR"),
        ("currency_pair=ETH_USDT&limit=1001", "INVALID_PARAM_VALUE"),
        ("currency_pair=ETH_USDT&limit=x", "INVALID_PARAM_VALUE"),
        ("currency_pair=ETH_USDT&interval=0.1", "INVALID_PARAM_VALUE"),
    ] {
        let (status, error) = book(query);
        assert_eq!((status, label(&error)), (400, expected), "{query}");
    }
}

#[test]
fn trades_tickers_and_candles_agree() {
    let mut bench = Bench::new();
    for (price, qty) in [("100", "0.5"), ("110", "1")] {
        bench.rest(ETH, Side::Sell, price, qty);
        bench.rest(ETH, Side::Buy, price, qty);
        bench.pass(Duration::from_secs(1));
    }
    bench.rest(ETH, Side::Buy, "99", "2");
    let mut get = |path: &str, query: &str| body(&bench.call("GET", path, query, "", &[]));
    let trades = get("/api/v4/spot/trades", "currency_pair=ETH_USDT");
    assert_eq!((text(&trades[0]["price"]), text(&trades[1]["price"])), ("110", "100"), "newest first");
    assert_eq!(
        (text(&trades[0]["side"]), text(&trades[0]["create_time_ms"])),
        ("buy", "1700000001000.000000")
    );
    let ticker = get("/api/v4/spot/tickers", "currency_pair=ETH_USDT");
    for (key, value) in [
        ("last", "110"),
        ("lowest_ask", ""),
        ("highest_bid", "99"),
        ("highest_size", "2"),
        ("change_percentage", "10.00"),
        ("base_volume", "1.5"),
        ("quote_volume", "160"),
        ("high_24h", "110"),
        ("low_24h", "100"),
    ] {
        assert_eq!(text(&ticker[0][key]), value, "{key}");
    }
    assert_eq!(get("/api/v4/spot/tickers", "").as_array().map(sonic_rs::Array::len), Some(3));
    let query = |interval: &str| format!("currency_pair=ETH_USDT&interval={interval}");
    let minute = get("/api/v4/spot/candlesticks", &query("1m"));
    assert_eq!(minute, parse(r#"[["1699999980","160","110","110","100","100","1.5","false"]]"#));
    let second = get("/api/v4/spot/candlesticks", &query("1s"));
    let expected = r#"[["1700000000","50","100","100","100","100","0.5","true"],
        ["1700000001","110","110","110","110","110","1","true"]]"#;
    assert_eq!(second, parse(expected));
    let clash = get("/api/v4/spot/candlesticks", &format!("{}&from=1&limit=5", query("1m")));
    assert_eq!(label(&clash), "INVALID_PARAM_VALUE");
}

#[test]
fn fees_are_fractions_and_the_account_is_classic() {
    let spot = Bench::new().json("GET", "/api/v4/wallet/fee", "", "");
    assert_eq!((spot.0, label(&spot.1)), (403, "FORBIDDEN"), "a wallet's, to be read too");
    let rules = KeyRules { has_wallet: true, ..KeyRules::default() };
    let mut bench =
        Bench::with(GateioConfig { keys: [(KEY.to_owned(), rules)].into(), ..GateioConfig::default() });
    let (_, fee) = bench.json("GET", "/api/v4/wallet/fee", "currency_pair=BTC_USDT", "");
    assert_eq!((text(&fee["taker_fee"]), text(&fee["maker_fee"])), ("0.002", "0.002"));
    let (_, fees) = bench.json("GET", "/api/v4/spot/batch_fee", "currency_pairs=BTC_USDT,ETH_USDT", "");
    assert_eq!(fees["ETH_USDT"], fee);
    let (_, detail) = bench.json("GET", "/api/v4/account/detail", "", "");
    assert_eq!(detail["key"]["mode"].as_u64(), Some(1));
    let (_, one) = bench.json("GET", "/api/v4/spot/accounts", "currency=USDT", "");
    assert_eq!(one, parse(r#"[{"currency":"USDT","available":"1000","locked":"0","update_id":1}]"#));
}
