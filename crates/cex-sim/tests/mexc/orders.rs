//! Orders over REST: every rule of a placement, cancels, queries, batches.

use crate::bench::{BTC, Bench, KEY, NOW, asset, code, decimal, parse, text};
use cex_core::{Side, Symbol};
use cex_sim::dialect::DuplicateClientIds;
use cex_sim::dialect::mexc::{MarketFlags, MarketStatus, MexcConfig, PriceBand, TradeSides};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::time::Duration;

const LIMIT: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT";

/// A bench with one bid and one ask, one part apart.
fn quoted() -> Bench {
    quoted_with(MexcConfig::default())
}

fn quoted_with(config: MexcConfig) -> Bench {
    let mut bench = Bench::with(config);
    bench.rest(BTC, Side::Buy, "99", "2");
    bench.rest(BTC, Side::Sell, "100", "1");
    bench.rest(BTC, Side::Sell, "101", "1");
    bench
}

fn placed(bench: &mut Bench, params: &str) -> Value {
    let (status, order) = bench.signed("POST", "order", params);
    assert_eq!(status, 200, "{params}: {order:?}");
    order
}

fn queried(bench: &mut Bench, order: &Value) -> Value {
    let params = format!("symbol={}&orderId={}", text(&order["symbol"]), text(&order["orderId"]));
    let (status, order) = bench.signed("GET", "order", &params);
    assert_eq!(status, 200, "{order:?}");
    order
}

#[test]
fn the_answer_to_a_placement_has_no_status_and_no_fills() {
    let mut bench = quoted();
    let order = placed(
        &mut bench,
        &format!("{LIMIT}&quantity=0.5&price=98.50&newClientOrderId=arb-1&timeInForce=GTC"),
    );
    let expected = r#"{"symbol":"BTCUSDT","orderId":"C02__579000000000004044","orderListId":-1,"price":"98.5",
        "origQty":"0.5","type":"LIMIT","side":"BUY","stpMode":"","transactTime":1644489390087}"#;
    assert_eq!(order, parse(expected));
    let expected = r#"{"symbol":"BTCUSDT","orderId":"C02__579000000000004044","orderListId":-1,
        "clientOrderId":"arb-1","price":"98.5","origQty":"0.5","executedQty":"0","cummulativeQuoteQty":"0",
        "status":"NEW","timeInForce":null,"type":"LIMIT","side":"BUY","stopPrice":null,"icebergQty":null,
        "time":1644489390087,"updateTime":1644489390087,"isWorking":true,"stpMode":"","cancelReason":"",
        "origQuoteOrderQty":"49.25"}"#;
    assert_eq!(queried(&mut bench, &order), parse(expected));
}

#[test]
fn every_type_ends_as_it_should() {
    for (params, status, executed, turnover) in [
        ("side=BUY&type=LIMIT&quantity=1&price=98", "NEW", "0", "0"),
        ("side=BUY&type=LIMIT&quantity=2&price=100", "PARTIALLY_FILLED", "1", "100"),
        ("side=BUY&type=LIMIT_MAKER&quantity=1&price=99.99", "NEW", "0", "0"),
        ("side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=1.5&price=101", "FILLED", "1.5", "150.5"),
        ("side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=3&price=101", "PARTIALLY_CANCELED", "2", "201"),
        ("side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=1&price=99.5", "CANCELED", "0", "0"),
        ("side=BUY&type=FILL_OR_KILL&quantity=2&price=101", "FILLED", "2", "201"),
        ("side=BUY&type=MARKET&quantity=1.5&price=1", "FILLED", "1.5", "150.5"),
        ("side=BUY&type=MARKET&quoteOrderQty=150.5", "FILLED", "1.5", "150.5"),
        ("side=SELL&type=MARKET&quantity=0.5", "FILLED", "0.5", "49.5"),
        ("side=SELL&type=MARKET&quoteOrderQty=99", "FILLED", "1", "99"),
        ("side=SELL&type=MARKET&quantity=3", "PARTIALLY_CANCELED", "2", "198"),
    ] {
        let mut bench = quoted();
        let order = placed(&mut bench, &format!("symbol=BTCUSDT&{params}"));
        let order = queried(&mut bench, &order);
        let told = ["status", "executedQty", "cummulativeQuoteQty"].map(|key| text(&order[key]));
        assert_eq!(told, [status, executed, turnover], "{params}");
    }
}

#[test]
fn market_orders_show_a_protective_price() {
    let mut bench = quoted();
    let buy = placed(&mut bench, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5");
    let sell = placed(&mut bench, "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.5");
    assert_eq!([text(&buy["price"]), text(&sell["price"])], ["105", "94.05"]);
    assert_eq!(text(&queried(&mut bench, &buy)["price"]), "105");
}

/// Each breaks one rule and keeps all before it; those after it are broken too where that is possible.
#[test]
fn rules_are_checked_in_their_order() {
    let flags = |change: fn(&mut MarketFlags)| {
        let mut flags = MarketFlags::default();
        change(&mut flags);
        let symbol: Symbol = "BTC/USDT".parse().expect("a symbol");
        MexcConfig { markets: [(symbol, flags)].into(), ..MexcConfig::default() }
    };
    let check = |config: MexcConfig, params: &str, expected: (i64, &str)| {
        for path in ["order", "order/test"] {
            let mut bench = quoted_with(config.clone());
            let answer = bench.signed("POST", path, params);
            assert_eq!((code(&answer), text(&answer.1["msg"])), expected, "{params}");
            assert_eq!(bench.exchange.orders(bench.client).count(), 0, "{params}");
        }
    };
    let usual = MexcConfig::default;
    check(
        usual(),
        "newClientOrderId=a.b",
        (700_008, "Illegal characters found in parameter 'newClientOrderId'"),
    );
    let missing =
        |name: &str| format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    check(usual(), "side=BUY", (700_004, &missing("symbol")));
    check(usual(), "symbol=NONE", (10_007, "bad symbol"));
    check(flags(|flags| flags.api_tradable = false), LIMIT, (10_007, "symbol not support api"));
    let paused = flags(|flags| flags.status = MarketStatus::Paused);
    check(paused, "symbol=BTCUSDT", (30_000, "suspended transaction for the symbol"));
    let offline = flags(|flags| flags.status = MarketStatus::Offline);
    check(offline, "symbol=BTCUSDT", (30_016, "trading disabled"));
    check(usual(), "symbol=BTCUSDT&side=buy", (700_004, &missing("side")));
    let one_way = flags(|flags| flags.sides = TradeSides::SellOnly);
    check(one_way, "symbol=BTCUSDT&side=BUY", (30_001, "current transaction direction is not allowed"));
    check(usual(), "symbol=BTCUSDT&side=BUY", (700_004, &missing("type")));
    let stop = "symbol=BTCUSDT&side=BUY&type=STOP_LIMIT";
    check(usual(), stop, (30_041, "current order type can not place order"));
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET";
    let no_market = flags(|flags| flags.market_orders = false);
    check(no_market, market, (30_019, "api market order is disabled"));
    check(usual(), market, (10_095, "amount cannot be null"));
    check(usual(), &format!("{market}&quoteOrderQty=1.001"), (400, " amount scale is invalid"));
    check(usual(), &format!("{market}&quoteOrderQty=0.99"), below("1USDT").as_ref());
    check(usual(), LIMIT, (10_095, "amount cannot be null"));
    for (quantity, expected) in [
        ("0", (10_102, "amount cannot be zero or negative")),
        ("-1", (10_102, "amount cannot be zero or negative")),
        ("1e5", (10_097, "amount is error")),
        ("NaN", (10_097, "amount is error")),
        ("1", (33_333, "param is error")),
        ("1&price=0", (33_333, "param is error")),
        ("1&price=x", (33_333, "param is error")),
        ("0.0000001&price=100", (10_096, "amount decimal places is too long")),
        ("1&price=100.001", (10_096, "amount decimal places is too long")),
        ("99999999999999&price=1", (30_003, "maximum transaction volume exceeded")),
        ("40000&price=100.01", (30_003, "maximum transaction volume exceeded")),
        ("0.009999&price=100", below("1USDT").as_ref()),
    ] {
        check(usual(), &format!("{LIMIT}&quantity={quantity}"), expected);
    }
    let maker = "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=1&price=100";
    let bench_refuses = |params: &str, expected: (i64, &str)| {
        let answer = quoted().signed("POST", "order", params);
        assert_eq!((code(&answer), text(&answer.1["msg"])), expected, "{params}");
    };
    bench_refuses(maker, (30_010, "no valid trade price"));
    let kill = "symbol=BTCUSDT&side=BUY&type=FILL_OR_KILL&quantity=1.000001&price=100";
    bench_refuses(kill, (30_025, "no exist opponent order"));
    bench_refuses(&format!("{LIMIT}&quantity=11&price=99"), (30_004, "Insufficient position"));
    let sale = "symbol=BTCUSDT&side=SELL&type=LIMIT&quantity=1001&price=100";
    bench_refuses(sale, (30_005, "Oversold"));
}

/// The refusal of what is too small.
struct Below(String);

fn below(least: &str) -> Below {
    Below(format!("The minimum transaction volume cannot be less than:{least}"))
}

impl Below {
    fn as_ref(&self) -> (i64, &str) {
        (30_002, &self.0)
    }
}

#[test]
fn prices_stay_within_their_band() {
    let band = PriceBand { bid_up: decimal("1.1"), ask_down: decimal("0.9") };
    let flags = MarketFlags { price_band: Some(band), ..MarketFlags::default() };
    let symbol: Symbol = "BTC/USDT".parse().expect("a symbol");
    let mut bench = quoted_with(MexcConfig { markets: [(symbol, flags)].into(), ..MexcConfig::default() });
    let far = "symbol=BTCUSDT&side=SELL&type=LIMIT&quantity=1&price=50";
    assert_eq!(bench.signed("POST", "order/test", far).0, 200, "without a last price there is no band");
    placed(&mut bench, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5");
    for (side, price, is_good) in
        [("BUY", "110", true), ("BUY", "110.01", false), ("SELL", "90", true), ("SELL", "89.99", false)]
    {
        let params = format!("symbol=BTCUSDT&side={side}&type=LIMIT&quantity=1&price={price}");
        let answer = bench.signed("POST", "order/test", &params);
        if is_good {
            assert_eq!(answer, (200, parse("{}")), "{params}");
        } else {
            assert_eq!(
                (code(&answer), text(&answer.1["msg"])),
                (30_087, "Order price exceeds allowed range")
            );
        }
    }
}

#[test]
fn five_hundred_orders_may_be_open() {
    let mut bench = quoted();
    for _ in 0..500 {
        placed(&mut bench, &format!("{LIMIT}&quantity=0.02&price=50"));
    }
    assert_eq!(code(&bench.signed("POST", "order", &format!("{LIMIT}&quantity=0.02&price=50"))), 30_029);
    let ioc = "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=0.02&price=50";
    placed(&mut bench, ioc);
}

#[test]
fn empty_books_refuse_market_orders() {
    let answer = Bench::new().signed("POST", "order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1");
    assert_eq!(code(&answer), 30_025);
}

#[test]
fn a_client_id_used_twice_does_what_is_configured() {
    let params = format!("{LIMIT}&quantity=0.5&price=98&newClientOrderId=twice");
    for (mode, orders, is_same) in [
        (DuplicateClientIds::Reject, 1, false),
        (DuplicateClientIds::Accept, 2, false),
        (DuplicateClientIds::Echo, 1, true),
    ] {
        let mut bench = quoted_with(MexcConfig { duplicate_client_ids: mode, ..MexcConfig::default() });
        let first = placed(&mut bench, &params);
        let second = bench.signed("POST", "order", &params);
        assert_eq!(bench.exchange.orders(bench.client).count(), orders, "{mode:?}");
        if mode == DuplicateClientIds::Reject {
            assert_eq!(code(&second), 400);
        } else {
            assert_eq!(second.1["orderId"] == first["orderId"], is_same, "{mode:?}");
            let found = bench.signed("GET", "order", "symbol=BTCUSDT&origClientOrderId=twice").1;
            assert_eq!(found["orderId"], second.1["orderId"], "{mode:?}: the newest is found");
        }
        placed(&mut bench, &format!("{LIMIT}&quantity=0.5&price=98"));
        placed(&mut bench, &format!("{LIMIT}&quantity=0.5&price=98"));
    }
}

#[test]
fn a_cancel_tells_the_status_before_it() {
    let mut bench = quoted();
    let untouched = placed(&mut bench, &format!("{LIMIT}&quantity=0.5&price=98&newClientOrderId=arb-1"));
    let partial = placed(&mut bench, &format!("{LIMIT}&quantity=1.5&price=100"));
    let id = text(&untouched["orderId"]).to_owned();
    let (status, answer) = bench.signed("DELETE", "order", "symbol=BTCUSDT&origClientOrderId=arb-1");
    let expected = format!(
        r#"{{"symbol":"BTCUSDT","origClientOrderId":"arb-1","orderId":"{id}","clientOrderId":"arb-1",
        "price":"98","origQty":"0.5","executedQty":"0","cummulativeQuoteQty":"0","status":"NEW",
        "timeInForce":null,"type":"LIMIT","side":"BUY"}}"#
    );
    assert_eq!((status, answer), (200, parse(&expected)));
    let by_id = format!("symbol=BTCUSDT&orderId={}", text(&partial["orderId"]));
    let (_, answer) = bench.signed("DELETE", "order", &by_id);
    assert_eq!((text(&answer["status"]), text(&answer["executedQty"])), ("PARTIALLY_FILLED", "1"));
    assert_eq!(text(&queried(&mut bench, &partial)["status"]), "PARTIALLY_CANCELED");
    assert_eq!(text(&queried(&mut bench, &untouched)["status"]), "CANCELED");
    assert_eq!(bench.balance("USDT").1, "0");
    for params in [
        by_id.as_str(),
        "symbol=BTCUSDT&orderId=C02__579000000000099044",
        "symbol=BTCUSDT&orderId=12",
        "symbol=BTCUSDT&origClientOrderId=other",
        &format!("symbol=MXUSDT&orderId={id}"),
    ] {
        let answer = bench.signed("DELETE", "order", params);
        assert_eq!((code(&answer), text(&answer.1["msg"])), (-2011, "Unknown order sent."), "{params}");
    }
    let answer = bench.signed("DELETE", "order", "symbol=BTCUSDT");
    let expected = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null";
    assert_eq!((code(&answer), text(&answer.1["msg"])), (700_004, expected));
}

#[test]
fn orders_of_others_are_not_found() {
    let mut bench = quoted();
    let theirs = bench.exchange.open_orders(bench.house).next().expect("an order").no;
    let params = format!("symbol=BTCUSDT&orderId=C02__{}044", 579_000_000_000_000 + theirs.0);
    let answer = bench.signed("GET", "order", &params);
    assert_eq!((code(&answer), text(&answer.1["msg"])), (-2013, "Order does not exist."));
    assert_eq!(code(&bench.signed("DELETE", "order", &params)), -2011);
}

#[test]
fn all_orders_of_symbols_are_cancelled_together() {
    let mut bench = quoted();
    for price in ["97", "98"] {
        placed(&mut bench, &format!("{LIMIT}&quantity=0.5&price={price}"));
    }
    placed(&mut bench, "symbol=MXUSDT&side=BUY&type=LIMIT&quantity=10&price=1");
    let open = |bench: &mut Bench, query: &str| {
        bench.signed("GET", "openOrders", query).1.as_array().expect("a list").len()
    };
    assert_eq!(
        (open(&mut bench, ""), open(&mut bench, "symbol=BTCUSDT"), open(&mut bench, "symbol=BTCUSDT,MXUSDT")),
        (3, 2, 3)
    );
    let (status, gone) = bench.signed("DELETE", "openOrders", "symbol=BTCUSDT%2CGOLD%28PAXG%29USDT");
    assert_eq!((status, gone.as_array().map(sonic_rs::Array::len)), (200, Some(2)));
    assert_eq!((gone[0]["orderListId"].as_i64(), gone[0]["status"].as_str()), (Some(-1), Some("NEW")));
    assert_eq!(open(&mut bench, ""), 1);
    assert_eq!(bench.signed("DELETE", "openOrders", "symbol=BTCUSDT"), (200, parse("[]")));
    assert_eq!(code(&bench.signed("DELETE", "openOrders", "")), 700_004);
    let six = ["BTCUSDT"; 6].join(",");
    assert_eq!(code(&bench.signed("DELETE", "openOrders", &format!("symbol={six}"))), 700_004);
    let (status, all) = bench.signed("DELETE", "order/all", "");
    assert_eq!((status, all["code"].as_i64(), open(&mut bench, "")), (200, Some(200), 0));
}

#[test]
fn history_is_kept_for_a_week_and_fills_agree_with_the_ledger() {
    let mut bench = quoted();
    placed(&mut bench, &format!("{LIMIT}&quantity=0.5&price=98"));
    bench.pass(Duration::from_secs(3_600));
    let taker = placed(&mut bench, "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=1.5&price=101");
    let rows = |bench: &mut Bench, path: &str, query: &str| {
        let (status, rows) = bench.signed("GET", path, query);
        assert_eq!(status, 200, "{rows:?}");
        rows.as_array().expect("a list").iter().cloned().collect::<Vec<_>>()
    };
    let all = rows(&mut bench, "allOrders", "symbol=BTCUSDT");
    assert_eq!((all.len(), &all[0]["orderId"]), (2, &taker["orderId"]), "newest first");
    let until = format!("symbol=BTCUSDT&startTime=0&endTime={}", NOW.as_millis());
    assert_eq!(rows(&mut bench, "allOrders", &until).len(), 1);
    let trades = rows(&mut bench, "myTrades", "symbol=BTCUSDT");
    let expected = r#"{"symbol":"BTCUSDT","id":"579000000000002024X1","orderId":"C02__579000000000005044",
        "orderListId":-1,"price":"101","qty":"0.5","quoteQty":"50.5","commission":"0.02525",
        "commissionAsset":"USDT","time":1644492990087,"isBuyer":true,"isMaker":false,"isBestMatch":true,
        "isSelfTrade":false,"clientOrderId":null}"#;
    assert_eq!((trades.len(), &trades[0]), (2, &parse(expected)));
    let none = rows(&mut bench, "myTrades", "symbol=BTCUSDT&orderId=C02__579000000000004044");
    assert!(none.is_empty(), "that order only rests");
    bench.pass(Duration::from_secs(8 * 86_400));
    assert!(rows(&mut bench, "allOrders", "symbol=BTCUSDT&startTime=0").is_empty());
    let gone = format!("symbol=BTCUSDT&orderId={}", text(&taker["orderId"]));
    assert_eq!(code(&bench.signed("GET", "order", &gone)), -2013);
    assert_eq!(rows(&mut bench, "myTrades", "symbol=BTCUSDT").len(), 2);
    bench.pass(Duration::from_secs(30 * 86_400));
    assert!(rows(&mut bench, "myTrades", "symbol=BTCUSDT").is_empty());
}

#[test]
fn both_fills_of_a_trade_with_oneself_have_their_own_id() {
    let mut bench = Bench::new();
    placed(&mut bench, "symbol=BTCUSDT&side=SELL&type=LIMIT&quantity=1&price=100");
    placed(&mut bench, "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=100");
    let (_, trades) = bench.signed("GET", "myTrades", "symbol=BTCUSDT");
    let row = |at: usize| (text(&trades[at]["id"]), trades[at]["isSelfTrade"].as_bool());
    assert_eq!(
        [row(0), row(1)],
        [("579000000000001024X1", Some(true)), ("579000000000001024X2", Some(true))]
    );
}

#[test]
fn balances_and_fees_are_exact() {
    let mut bench = quoted();
    placed(&mut bench, "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=1.5&price=101");
    placed(&mut bench, &format!("{LIMIT}&quantity=1&price=90"));
    let (_, account) = bench.signed("GET", "account", "");
    let usdt =
        account["balances"].as_array().expect("a list").iter().find(|row| text(&row["asset"]) == "USDT");
    // 1000 - 150.5 - 0.07525 of fee - 90.
    let expected = r#"{"asset":"USDT","free":"759.42475","locked":"90","available":"759.42475"}"#;
    assert_eq!(usdt, Some(&parse(expected)));
    assert_eq!(bench.balance("BTC"), ("1001.5".to_owned(), "0".to_owned()));
    assert_eq!(bench.exchange.fees(asset("USDT")), decimal("0.07525"));
    assert!(account["makerCommission"].as_str().is_none() && account["canTrade"].as_bool() == Some(true));
    let fee = bench.call_text("tradeFee", "symbol=BTCUSDT");
    let expected = r#"{"data":{"makerCommission":0.000000000000000000,"takerCommission":0.000500000000000000},"code":0,"msg":"success","timestamp":1644489390087}"#;
    assert_eq!(fee, expected);
    assert_eq!(bench.signed("GET", "uid", "").1["uid"].as_str(), Some("20000001"));
    let coins = bench.signed("GET", "capital/config/getall", "").1;
    assert_eq!(coins.as_array().map(sonic_rs::Array::len), Some(5));
    assert_eq!(
        bench.signed("GET", "selfSymbols", "").1["data"].as_array().map(sonic_rs::Array::len),
        Some(4)
    );
}

#[test]
fn a_batch_answers_each_order_by_itself() {
    let mut bench = quoted();
    let batch = r#"[{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT_ORDER","quantity":"0.5","price":98,"newClientOrderId":7},
        {"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","quantity":"0.001","price":"98","newClientOrderId":"x"}]"#;
    let encoded: String = batch.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (status, rows) = bench.signed("POST", "batchOrders", &format!("batchOrders={encoded}"));
    let expected = r#"[{"symbol":"BTCUSDT","orderId":"C02__579000000000004044","newClientOrderId":"7","orderListId":-1},
        {"newClientOrderId":"x","msg":"The minimum transaction volume cannot be less than:1USDT","code":30002}]"#;
    assert_eq!((status, rows), (200, parse(expected)));
}

impl Bench {
    /// The raw body of a signed GET.
    fn call_text(&mut self, path: &str, params: &str) -> String {
        let query = format!("{params}&timestamp={}", self.now.as_millis());
        let query = format!("{query}&signature={}", crate::bench::hmac(crate::bench::SECRET, &query));
        let headers = [("x-mexc-apikey", crate::bench::KEY)];
        let answer = self.call("GET", &format!("/api/v3/{path}"), &query, "", &headers);
        String::from_utf8(answer.body).expect("UTF-8")
    }
}

#[test]
fn a_group_s_orders_do_not_meet_one_another() {
    let config = MexcConfig { stp_groups: [(KEY.to_owned(), 1)].into(), ..MexcConfig::default() };
    for (mode, new_state, old_state) in [
        ("cancel_taker", "CANCELED", "NEW"),
        ("cancel_maker", "NEW", "CANCELED"),
        ("cancel_both", "CANCELED", "CANCELED"),
    ] {
        let mut bench = Bench::with(config.clone());
        let (_, old) =
            bench.signed("POST", "order", "symbol=BTCUSDT&side=SELL&type=LIMIT&quantity=1&price=100");
        let new = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=100&stpMode={mode}");
        let (_, new) = bench.signed("POST", "order", &new);
        assert_eq!(text(&new["stpMode"]), mode);
        let mut state = |order: &sonic_rs::Value| {
            let query = format!("symbol=BTCUSDT&orderId={}", text(&order["orderId"]));
            let (_, found) = bench.signed("GET", "order", &query);
            (text(&found["status"]).to_owned(), text(&found["cancelReason"]).to_owned())
        };
        let reason = |state: &str| if state == "CANCELED" { "stp_cancel" } else { "" };
        assert_eq!(state(&new), (new_state.to_owned(), reason(new_state).to_owned()), "{mode}");
        assert_eq!(state(&old), (old_state.to_owned(), reason(old_state).to_owned()), "{mode}");
    }
}
