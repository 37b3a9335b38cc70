//! The whole surface: every REST endpoint and every channel that the references name for spot answers as itself. What is
//! named without a shape is refused in the exchange's own words; both lists stand in `docs/simulator.md`.

use crate::client::{Http, Ws, hmac, parse, run, start, text, unix_secs};
use cex_sim::server::SimExchange::{Gateio, Mexc};
use cex_sim::server::{Rights, SimAccount, SimHandle};
use fastwebsockets::OpCode;
use sonic_rs::JsonValueTrait as _;

/// A key that may do everything.
fn sim() -> SimHandle {
    start(|config| {
        config.accounts = vec![SimAccount { rights: Rights::Withdraw, ..SimAccount::new("rich") }];
    })
}

/// The reference's sections 3, 4, 10 and 12 for MEXC.
const MEXC: &[(&str, &str)] = &[
    ("GET", "/ping"),
    ("GET", "/time"),
    ("GET", "/defaultSymbols"),
    ("GET", "/exchangeInfo"),
    ("GET", "/depth?symbol=BTCUSDT"),
    ("GET", "/trades?symbol=BTCUSDT"),
    ("GET", "/historicalTrades?symbol=BTCUSDT"),
    ("GET", "/aggTrades?symbol=BTCUSDT"),
    ("GET", "/klines?symbol=BTCUSDT&interval=60m"),
    ("GET", "/avgPrice?symbol=BTCUSDT"),
    ("GET", "/ticker/24hr"),
    ("GET", "/ticker/price?symbols=BTCUSDT,ETHUSDT"),
    ("GET", "/ticker/bookTicker"),
    ("GET", "/symbol/offline"),
    ("POST", "/order/test?symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=10"),
    ("POST", "/order?symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=10&newClientOrderId=here"),
    ("GET", "/order?symbol=BTCUSDT&origClientOrderId=here"),
    ("GET", "/openOrders?symbol=BTCUSDT"),
    ("GET", "/allOrders?symbol=BTCUSDT"),
    ("DELETE", "/order?symbol=BTCUSDT&origClientOrderId=here"),
    (
        "POST",
        "/batchOrders?batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22LIMIT_ORDER%22%2C%22quantity%22%3A%221%22%2C%22price%22%3A%2211%22%7D%5D",
    ),
    ("DELETE", "/openOrders?symbol=BTCUSDT"),
    ("DELETE", "/order/all"),
    ("GET", "/myTrades?symbol=BTCUSDT"),
    ("GET", "/account"),
    ("GET", "/tradeFee?symbol=BTCUSDT"),
    ("GET", "/selfSymbols"),
    ("GET", "/uid"),
    ("GET", "/kyc/status"),
    ("GET", "/mxDeduct/enable"),
    ("POST", "/mxDeduct/enable?mxDeductEnable=false"),
    ("POST", "/userDataStream"),
    ("GET", "/userDataStream"),
    ("GET", "/capital/config/getall"),
    ("GET", "/capital/withdraw/history"),
    ("GET", "/capital/deposit/hisrec"),
];

/// Named there without a shape: the code each is refused with.
const MEXC_REFUSED: &[(&str, &str, i64)] = &[
    ("POST", "/strategy/group", 730_003),
    ("GET", "/strategy/group", 730_003),
    ("DELETE", "/strategy/group", 730_003),
    ("POST", "/strategy/group/uid", 730_003),
    ("GET", "/strategy/group/uid", 730_003),
    ("DELETE", "/strategy/group/uid", 730_003),
    ("POST", "/capital/withdraw", 10_212),
    ("DELETE", "/capital/withdraw", 10_212),
    ("GET", "/capital/deposit/address", 10_216),
    ("POST", "/capital/deposit/address", 10_216),
    ("POST", "/capital/transfer", 33_333),
    ("GET", "/capital/transfer", 33_333),
];

/// The reference's sections 4, 5 and 12.1 for Gate.io: method, path, query, body, status.
const GATEIO: &[(&str, &str, &str, &str, u16)] = &[
    ("GET", "/spot/time", "", "", 200),
    ("GET", "/spot/currencies", "", "", 200),
    ("GET", "/spot/currencies/BTC", "", "", 200),
    ("GET", "/wallet/currency_chains", "currency=BTC", "", 200),
    ("GET", "/spot/currency_pairs", "", "", 200),
    ("GET", "/spot/currency_pairs/BTC_USDT", "", "", 200),
    ("GET", "/spot/tickers", "currency_pair=BTC_USDT&timezone=utc0", "", 200),
    ("GET", "/spot/order_book", "currency_pair=BTC_USDT&with_id=True", "", 200),
    ("GET", "/spot/candlesticks", "currency_pair=BTC_USDT&interval=1m", "", 200),
    ("GET", "/spot/trades", "currency_pair=BTC_USDT&reverse=False", "", 200),
    ("GET", "/margin/currency_pairs", "", "", 200),
    ("GET", "/futures/usdt/contracts", "", "", 200),
    ("GET", "/delivery/usdt/contracts", "", "", 200),
    ("GET", "/options/underlyings", "", "", 200),
    ("GET", "/spot/accounts", "", "", 200),
    (
        "POST",
        "/spot/orders",
        "",
        r#"{"text":"t-a","currency_pair":"BTC_USDT","side":"buy","amount":"1","price":"10"}"#,
        201,
    ),
    ("GET", "/spot/orders/t-a", "currency_pair=BTC_USDT", "", 200),
    ("PATCH", "/spot/orders/t-a", "", r#"{"currency_pair":"BTC_USDT","price":"11"}"#, 200),
    ("GET", "/spot/orders", "currency_pair=BTC_USDT&status=open", "", 200),
    ("GET", "/spot/open_orders", "", "", 200),
    ("DELETE", "/spot/orders/t-a", "currency_pair=BTC_USDT", "", 200),
    (
        "POST",
        "/spot/batch_orders",
        "",
        r#"[{"text":"t-b","currency_pair":"BTC_USDT","side":"buy","amount":"1","price":"10"}]"#,
        200,
    ),
    (
        "POST",
        "/spot/amend_batch_orders",
        "",
        r#"[{"order_id":"t-b","currency_pair":"BTC_USDT","price":"12"}]"#,
        200,
    ),
    ("POST", "/spot/cancel_batch_orders", "", r#"[{"currency_pair":"BTC_USDT","id":"t-b"}]"#, 200),
    ("DELETE", "/spot/orders", "", "", 200),
    ("GET", "/spot/my_trades", "currency_pair=BTC_USDT", "", 200),
    ("POST", "/spot/countdown_cancel_all", "", r#"{"timeout":0}"#, 200),
    ("GET", "/account/detail", "", "", 200),
    ("GET", "/account/rate_limit", "", "", 200),
    ("GET", "/wallet/fee", "", "", 200),
    ("GET", "/spot/fee", "currency_pair=BTC_USDT", "", 200),
    ("GET", "/spot/batch_fee", "currency_pairs=BTC_USDT,ETH_USDT", "", 200),
    ("GET", "/spot/account_book", "", "", 200),
    ("GET", "/wallet/withdraw_status", "", "", 200),
    (
        "POST",
        "/wallet/transfers",
        "",
        r#"{"currency":"USDT","from":"spot","to":"options","amount":"1"}"#,
        200,
    ),
    ("GET", "/wallet/deposits", "", "", 200),
    ("GET", "/wallet/withdrawals", "", "", 200),
    (
        "POST",
        "/spot/price_orders",
        "",
        r#"{"trigger":{"price":"1","rule":"<=","expiration":60},"put":{"type":"limit","side":"buy","price":"1","amount":"4","account":"normal","time_in_force":"gtc"},"market":"BTC_USDT"}"#,
        201,
    ),
    ("GET", "/spot/price_orders", "status=open", "", 200),
    ("DELETE", "/spot/price_orders", "", "", 200),
];

/// Named there without a shape, or without need: status and label each is refused with.
const GATEIO_REFUSED: &[(&str, &str, u16, &str)] = &[
    ("GET", "/spot/rpi_order_book", 404, "NOT_FOUND"),
    ("GET", "/unified/accounts", 400, "UNIFIED_ACCOUNT_NOT_ACTIVATED"),
    ("GET", "/spot/cross_liquidate_orders", 404, "NOT_FOUND"),
    ("GET", "/spot/insurance_history", 404, "NOT_FOUND"),
    ("GET", "/spot/pov_orders", 404, "NOT_FOUND"),
];

#[test]
fn every_endpoint_of_mexc_answers() {
    run(async {
        let sim = sim();
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        for (method, target) in MEXC {
            let (path, params) = target.split_once('?').unwrap_or((target, ""));
            let (status, told) = http.mexc(method, path, params).await;
            assert_eq!(status, 200, "{method} {path}: {told:?}");
        }
        let (_, made) = http.mexc("POST", "/userDataStream", "").await;
        let key = format!("listenKey={}", text(&made["listenKey"]));
        for method in ["PUT", "DELETE"] {
            assert_eq!(http.mexc(method, "/userDataStream", &key).await.0, 200);
        }
        for outside in ["/api/v1/contract/detail", "/open/api/v2/market/api_default_symbols"] {
            assert_eq!(http.get(outside).await.expect("an answer").0, 200, "{outside}");
        }
        for (method, path, code) in MEXC_REFUSED {
            let (status, told) = http.mexc(method, path, "").await;
            assert_eq!((status, told["code"].as_i64()), (400, Some(*code)), "{method} {path}: {told:?}");
        }
        let (status, _) = http.mexc("GET", "/no/such/path", "").await;
        assert_eq!(status, 404);
    });
}

#[test]
fn every_endpoint_of_gateio_answers() {
    run(async {
        let sim = sim();
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        for (method, path, query, body, expected) in GATEIO {
            let (status, told) = http.gateio(method, path, query, body).await;
            assert_eq!(status, *expected, "{method} {path}: {told:?}");
        }
        for (method, path, status, label) in GATEIO_REFUSED {
            let (found, told) = http.gateio(method, path, "", "").await;
            assert_eq!((found, text(&told["label"])), (*status, *label), "{method} {path}");
        }
    });
}

/// What is transferred away cannot be spent, and comes back.
#[test]
fn a_transfer_leaves_and_comes_back() {
    run(async {
        let sim = sim();
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let usdt = async |http: &mut Http| {
            let (_, rows) = http.gateio("GET", "/spot/accounts", "currency=USDT", "").await;
            text(&rows[0]["available"]).parse::<cex_core::Decimal>().expect("a decimal")
        };
        let before = usdt(&mut http).await;
        let move_it = |from: &str, to: &str, amount: &str| {
            format!(
                r#"{{"currency":"USDT","from":"{from}","to":"{to}","amount":"{amount}","settle":"usdt"}}"#
            )
        };
        for (body, status, label) in [
            (move_it("spot", "futures", "100.5"), 200, ""),
            (move_it("futures", "spot", "100.6"), 400, "BALANCE_NOT_ENOUGH"),
            (move_it("spot", "futures", "99999999"), 400, "BALANCE_NOT_ENOUGH"),
            (move_it("spot", "spot", "1"), 400, "INVALID_PARAM_VALUE"),
            (move_it("spot", "moon", "1"), 400, "INVALID_PARAM_VALUE"),
            (move_it("spot", "margin", "1"), 400, "MISSING_REQUIRED_PARAM"),
            (move_it("spot", "futures", "-1"), 400, "INVALID_PARAM_VALUE"),
        ] {
            let (found, told) = http.gateio("POST", "/wallet/transfers", "", &body).await;
            let said = told.get("label").and_then(|label| label.as_str()).unwrap_or_default();
            assert_eq!((found, said), (status, label), "{body}: {told:?}");
        }
        let gone = before.checked_sub("100.5".parse().expect("a decimal")).expect("small");
        assert_eq!(usdt(&mut http).await, gone);
        let ledger = sim.ledger().expect("running");
        let account = ledger.account(Gateio, "rich").expect("it is there");
        let deposit = account.deposits.iter().find(|(asset, _)| asset.as_str() == "USDT").expect("dollars");
        assert_eq!(deposit.1, gone, "the ledger still adds up");
        assert_eq!(
            http.gateio("POST", "/wallet/transfers", "", &move_it("futures", "spot", "100.5")).await.0,
            200
        );
        assert_eq!(usdt(&mut http).await, before);
    });
}

#[test]
fn every_channel_of_mexc_can_be_subscribed() {
    run(async {
        let sim = sim();
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        let (_, made) = http.mexc("POST", "/userDataStream", "").await;
        let query = format!("?listenKey={}", text(&made["listenKey"]));
        let intervals =
            ["Min1", "Min5", "Min15", "Min30", "Min60", "Hour4", "Hour8", "Day1", "Week1", "Month1"];
        let mut channels: Vec<String> =
            intervals.map(|interval| format!("spot@public.kline.v3.api.pb@BTCUSDT@{interval}")).into();
        for speed in ["10ms", "100ms"] {
            for topic in ["depth", "deals", "bookTicker"] {
                channels.push(format!("spot@public.aggre.{topic}.v3.api.pb@{speed}@BTCUSDT"));
            }
        }
        channels.extend(
            ["5", "10", "20"].map(|depth| format!("spot@public.limit.depth.v3.api.pb@BTCUSDT@{depth}")),
        );
        channels.extend(
            [
                "spot@public.bookTicker.batch.v3.api.pb@BTCUSDT",
                "spot@public.increase.depth.batch.v3.api.pb@BTCUSDT",
                "spot@public.miniTicker.v3.api.pb@BTCUSDT@24H",
                "spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8",
                "spot@public.miniTickers.v3.api.pb@24H",
                "spot@private.account.v3.api.pb",
                "spot@private.deals.v3.api.pb",
                "spot@private.orders.v3.api.pb",
            ]
            .map(str::to_owned),
        );
        assert_eq!(channels.len(), 27, "as many as one connection takes, but for three");
        let mut ws = Ws::connect_with(&sim, Mexc, &query).await.expect("connected");
        for channel in &channels {
            ws.send(&format!(r#"{{"method":"SUBSCRIPTION","params":["{channel}"]}}"#)).await.expect("sent");
            let answer = ws.next(|frame| frame["code"].is_number()).await;
            assert_eq!(text(&answer["msg"]), channel);
        }
        for legacy in ["increase.depth", "deals", "bookTicker"] {
            let channel = format!("spot@public.{legacy}.v3.api.pb@BTCUSDT");
            ws.send(&format!(r#"{{"method":"SUBSCRIPTION","params":["{channel}"]}}"#)).await.expect("sent");
            let answer = ws.next(|frame| frame["code"].is_number()).await;
            let refused = format!("Not Subscribed successfully! [{channel}].  Reason： Blocked! ");
            assert_eq!(text(&answer["msg"]), refused);
        }
    });
}

#[test]
fn every_channel_of_gateio_can_be_subscribed() {
    run(async {
        let sim = sim();
        let account = sim.accounts()[0].clone();
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        for channel in ["tickers", "trades", "trades_v2", "book_ticker"] {
            ws.subscribe(&format!("spot.{channel}"), r#"["BTC_USDT","ETH_USDT"]"#).await;
        }
        for interval in [
            "10s", "30s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "7d",
            "30d",
        ] {
            ws.subscribe("spot.candlesticks", &format!(r#"["{interval}","BTC_USDT"]"#)).await;
        }
        for interval in ["20ms", "100ms"] {
            ws.subscribe("spot.order_book_update", &format!(r#"["BTC_USDT","{interval}"]"#)).await;
        }
        for level in ["1", "5", "10", "20", "30", "50", "100"] {
            for interval in ["100ms", "1000ms"] {
                ws.subscribe("spot.order_book", &format!(r#"["BTC_USDT","{level}","{interval}"]"#)).await;
            }
        }
        for depth in ["50", "400"] {
            ws.subscribe("spot.obu", &format!(r#"["ob.BTC_USDT.{depth}"]"#)).await;
        }
        for channel in [
            "orders",
            "orders_v2",
            "usertrades",
            "usertrades_v2",
            "balances",
            "margin_balances",
            "funding_balances",
            "cross_balances",
            "cross_loan",
            "priceorders",
        ] {
            ws.subscribe_private(&account, &format!("spot.{channel}")).await;
        }
        let trade = ws.next(|frame| frame["event"] == "update" && frame["channel"] == "spot.trades_v2").await;
        assert!(trade["result"]["id"].is_number(), "{trade:?}");
    });
}

/// Every request of the trading interface is known to it: what is wrong with an order is told in the order's own words.
#[test]
fn every_request_of_gateios_trading_interface_is_known() {
    run(async {
        let sim = sim();
        let account = sim.accounts()[0].clone();
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        let time = unix_secs();
        let sign = hmac(&account.secret, &format!("api\nspot.login\n\n{time}"));
        let login = format!(
            r#"{{"time":{time},"channel":"spot.login","event":"api","payload":{{"api_key":"{}","signature":"{sign}","timestamp":"{time}","req_id":"in"}}}}"#,
            account.key
        );
        ws.send(&login).await.expect("sent");
        let answer = ws.next(|frame| frame["request_id"] == "in").await;
        assert_eq!(text(&answer["header"]["status"]), "200", "{answer:?}");
        let one = r#"{"order_id":"t-none","currency_pair":"BTC_USDT"}"#;
        let amend = r#"{"order_id":"t-none","currency_pair":"BTC_USDT","price":"10"}"#;
        let place = r#"{"text":"t-p","currency_pair":"BTC_USDT","side":"buy","amount":"1","price":"10"}"#;
        let batch = r#"[{"text":"t-q","currency_pair":"BTC_USDT","side":"buy","amount":"1","price":"10"}]"#;
        for (channel, param, status) in [
            ("order_place", place, "200"),
            ("order_place", batch, "200"),
            ("order_cancel", one, "404"),
            ("order_cancel_ids", r#"[{"currency_pair":"BTC_USDT","id":"t-none"}]"#, "200"),
            ("order_amend", amend, "404"),
            ("order_status", one, "404"),
            ("order_list", r#"{"currency_pair":"BTC_USDT","status":"open"}"#, "200"),
            ("order_cancel_cp", r#"{"currency_pair":"BTC_USDT","side":"buy"}"#, "200"),
            ("no_such_thing", one, "400"),
        ] {
            let request = format!(
                r#"{{"time":{time},"channel":"spot.{channel}","event":"api","payload":{{"req_id":"{channel}","req_param":{param}}}}}"#
            );
            ws.send(&request).await.expect("sent");
            let answer = loop {
                let (opcode, payload) = ws.read().await.expect("a frame");
                if opcode != OpCode::Text {
                    continue;
                }
                let frame = parse(&payload);
                if frame["request_id"] == channel && frame["ack"] != true {
                    break frame;
                }
            };
            assert_eq!(text(&answer["header"]["status"]), status, "{channel}: {answer:?}");
        }
    });
}
