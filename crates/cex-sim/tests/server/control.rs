//! The control interface, the rights of keys, and the market's pace.

use crate::client::{Http, Ws, parse, run, start, text, unix_secs};
use bytes::Bytes;
use cex_sim::fault::{Canned, Fault, Moment, RestEffect};
use cex_sim::server::SimExchange::{Gateio, Mexc};
use cex_sim::server::{Profile, Rights, SimAccount, SimHandle};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait, Value};
use std::time::Duration;
use tokio::net::TcpStream;

fn controlled() -> SimHandle {
    start(|config| {
        config.is_quiet = true;
        config.control_port = Some(0);
    })
}

/// A call to the control interface.
async fn call(sim: &SimHandle, method: &str, path: &str, body: &str) -> (u16, Value) {
    call_as(sim, method, path, body, None).await
}

async fn call_as(
    sim: &SimHandle,
    method: &str,
    path: &str,
    body: &str,
    origin: Option<&str>,
) -> (u16, Value) {
    let base = sim.endpoints().control.clone().expect("a control interface");
    let address =
        base.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/sim/v1")).expect("the base");
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::task::spawn_local(connection);
    let mut request =
        Request::builder().method(method).uri(format!("/sim/v1{path}")).header(header::HOST, address);
    if let Some(origin) = origin {
        request = request.header(header::ORIGIN, origin);
    }
    let request = request.body(Full::<Bytes>::from(body.to_owned())).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    (status, parse(&answer.into_body().collect().await.expect("a body").to_bytes()))
}

#[test]
fn faults_are_injected_listed_logged_and_cleared_over_http() {
    run(async {
        let sim = controlled();
        let fault = r#"{"exchange":"gateio","kind":"rest","path":"/api/v4/spot/time","moment":"before","effect":"answer","status":503,"count":0}"#;
        let (status, told) = call(&sim, "POST", "/faults", fault).await;
        assert_eq!(status, 200, "{told:?}");
        let id = told["id"].as_u64().expect("a number");
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        assert_eq!(http.get("/api/v4/spot/time").await.expect("an answer").0, 503);
        let (_, listed) = call(&sim, "GET", "/faults", "").await;
        assert_eq!((listed[0]["id"].as_u64(), listed[0]["fired"].as_u64()), (Some(id), Some(1)));
        let (_, fired) = call(&sim, "GET", "/fired", "").await;
        assert_eq!(
            (text(&fired[0]["hit"]), text(&fired[0]["exchange"])),
            ("GET /api/v4/spot/time", "gateio")
        );
        assert!(fired[0]["seed"].is_number() && fired[0]["at"].is_number());
        let (_, fired) = call(&sim, "GET", "/fired?since=1", "").await;
        assert_eq!(fired.as_array().map(sonic_rs::Array::len), Some(0));
        assert_eq!(call(&sim, "DELETE", &format!("/faults/{id}"), "").await.0, 200);
        assert_eq!(call(&sim, "DELETE", &format!("/faults/{id}"), "").await.0, 404);
        assert_eq!(http.get("/api/v4/spot/time").await.expect("an answer").0, 200);
        assert_eq!(call(&sim, "DELETE", "/faults", "").await.0, 200);
    });
}

#[test]
fn books_and_balances_are_set_and_read_over_http() {
    run(async {
        let sim = controlled();
        let levels = r#"{"bids":[["99","1"],["98.5","2"]],"asks":[["101","0.5"]]}"#;
        let (status, book) = call(&sim, "PUT", "/books/gateio/BTC_USDT", levels).await;
        assert_eq!((status, text(&book["asks"][0][1])), (200, "0.5"), "{book:?}");
        let (_, again) = call(&sim, "GET", "/books/gateio/BTC_USDT", "").await;
        assert_eq!(again, book);
        let body = r#"{"asset":"USDT","free":"60"}"#;
        let (_, balances) = call(&sim, "PUT", "/balances/gateio/rich", body).await;
        let usdt = balances.as_array().expect("rows").iter().find(|row| text(&row["asset"]) == "USDT");
        assert_eq!(text(&usdt.expect("a row")["free"]), "60");
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let order = r#"{"text":"t-one","currency_pair":"BTC_USDT","side":"buy","amount":"0.5","price":"101","time_in_force":"gtc"}"#;
        assert_eq!(http.gateio("POST", "/spot/orders", "", order).await.0, 201);
        let (_, orders) = call(&sim, "GET", "/orders/gateio/rich", "").await;
        assert_eq!((text(&orders[0]["client_id"]), text(&orders[0]["status"])), ("t-one", "Filled"));
        let (_, fills) = call(&sim, "GET", "/fills/gateio/rich", "").await;
        assert_eq!((text(&fills[0]["price"]), text(&fills[0]["qty"])), ("101", "0.5"));
        let quote = r#"{"side":"sell","price":"99","qty":"1"}"#;
        let (_, book) = call(&sim, "POST", "/books/gateio/BTC_USDT", quote).await;
        assert_eq!(text(&book["bids"][0][0]), "98.5", "it took the bid at 99");
        let (_, dump) = call(&sim, "GET", "/dump", "").await;
        assert_eq!(dump["books"].as_array().map(sonic_rs::Array::len), Some(6));
        let (_, ledger) = call(&sim, "GET", "/ledger", "").await;
        assert_eq!(ledger["accounts"].as_array().map(sonic_rs::Array::len), Some(2));
        let (_, status) = call(&sim, "GET", "/status", "").await;
        assert_eq!((status["seed"].as_u64(), text(&status["accounts"][0]["rights"])), (Some(1), "trade"));
        assert_eq!(call(&sim, "POST", "/cut/gateio", "").await.0, 200);
        assert!(http.get("/api/v4/spot/time").await.is_err(), "cut off");
    });
}

#[test]
fn mistakes_are_named_and_web_pages_kept_out() {
    run(async {
        let sim = controlled();
        for (method, path, body, status, named) in [
            ("GET", "/nothing", "", 404, "no such path"),
            ("GET", "/books/kraken/BTC_USDT", "", 404, "mexc or gateio"),
            ("GET", "/books/mexc/NO_THING", "", 404, "NO/THING"),
            ("GET", "/orders/mexc/nobody", "", 404, "nobody"),
            ("PUT", "/balances/mexc/rich", r#"{"asset":"USDT","free":"-1"}"#, 400, "positive"),
            ("PUT", "/balances/mexc/rich", r#"{"asset":"USDT","fre":"1"}"#, 400, "fre"),
            ("POST", "/books/mexc/BTC_USDT", r#"{"side":"buy","price":"1.001","qty":"9"}"#, 400, "decimals"),
            (
                "POST",
                "/faults",
                r#"{"exchange":"mexc","kind":"ws","effect":"clse"}"#,
                400,
                "refuse_subscription",
            ),
            ("POST", "/faults", "[[[[", 400, "cannot be read"),
            ("POST", "/faults", "", 400, "cannot be read: EOF while parsing at line 1 column 1"),
            ("POST", "/faults", r#"{"exchange":"mexc","kind":"rest"}"#, 400, "it must be close, reset"),
            (
                "POST",
                "/faults",
                r#"{"exchange":"mexc","kind":"ws","effect":"ping_flood","n":100001}"#,
                400,
                "100000 pings",
            ),
            (
                "POST",
                "/faults",
                r#"{"exchange":"mexc","kind":"rest","moment":"after","effect":"answer","status":200,"content_type":"a\nb"}"#,
                400,
                "one line",
            ),
            ("GET", "/fired?last=1", "", 400, "`since`"),
            ("PUT", "/balances/mexc/rich", r#"{"asset":"","free":"1"}"#, 400, "no asset"),
            ("PUT", "/books/mexc/BTC_USDT", r#"{"bids":[["99","1"],["98.001","1"]]}"#, 400, "decimals"),
        ] {
            let (found, told) = call(&sim, method, path, body).await;
            assert_eq!(found, status, "{path}: {told:?}");
            assert!(text(&told["error"]).contains(named), "{path}: {told:?}");
        }
        let (_, book) = call(&sim, "GET", "/books/mexc/BTC_USDT", "").await;
        assert_eq!(book["bids"].as_array().map(sonic_rs::Array::len), Some(0), "nothing of it was put there");
        let deep = "[".repeat(500_000);
        assert_eq!(call(&sim, "POST", "/faults", &deep).await.0, 400);
        assert_eq!(call_as(&sim, "GET", "/status", "", Some("http://evil.example")).await.0, 403);
    });
}

/// What each exchange answers to a read, a placement and a look at withdrawals: codes of MEXC, labels of Gate.io.
#[test]
fn keys_meet_the_errors_of_their_rights() {
    run(async {
        for (rights, mexc, gateio) in [
            (Rights::Trade, [0, 0, 700_007], ["", "", "FORBIDDEN"]),
            (Rights::ReadOnly, [0, 700_007, 700_007], ["", "READ_ONLY", "FORBIDDEN"]),
            (Rights::Expired, [10_072; 3], ["INVALID_KEY"; 3]),
            (Rights::IpBound, [700_006; 3], ["IP_FORBIDDEN"; 3]),
            (Rights::Withdraw, [0, 0, 0], ["", "", ""]),
        ] {
            let sim = start(|config| {
                config.is_quiet = true;
                config.accounts = vec![SimAccount { rights, ..SimAccount::new("rich") }];
            });
            let mut http = Http::connect(&sim, Mexc).await.expect("connected");
            let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.5&price=101";
            let calls = [
                ("GET", "/account", ""),
                ("POST", "/order", order),
                ("GET", "/capital/withdraw/history", ""),
            ];
            for ((method, path, params), code) in calls.into_iter().zip(mexc) {
                let (_, told) = http.mexc(method, path, params).await;
                assert_eq!(
                    told.get("code").and_then(sonic_rs::JsonValueTrait::as_i64).unwrap_or(0),
                    code,
                    "{rights:?} {path}"
                );
            }
            let mut http = Http::connect(&sim, Gateio).await.expect("connected");
            let order =
                r#"{"text":"t-one","currency_pair":"BTC_USDT","side":"buy","amount":"0.5","price":"101"}"#;
            let calls = [
                ("GET", "/spot/accounts", ""),
                ("POST", "/spot/orders", order),
                ("GET", "/wallet/withdrawals", ""),
            ];
            for ((method, path, body), label) in calls.into_iter().zip(gateio) {
                let (_, told) = http.gateio(method, path, "", body).await;
                assert_eq!(
                    told.get("label").and_then(sonic_rs::JsonValueTrait::as_str).unwrap_or(""),
                    label,
                    "{rights:?} {path}"
                );
            }
        }
    });
}

#[test]
fn a_strict_exchange_takes_no_market_orders_and_no_id_twice() {
    run(async {
        let sim = start(|config| {
            config.is_quiet = true;
            config.profile = Profile::Strict;
        });
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        let (_, info) = http.get("/api/v3/exchangeInfo").await.expect("an answer");
        let info = parse(&info);
        let odd = |name: &str, key: &str| {
            let mut rows = info["symbols"].as_array().expect("symbols").iter();
            rows.find(|row| text(&row["symbol"]) == name).unwrap_or_else(|| panic!("no {name}"))[key]
                .to_string()
        };
        for (name, key, value) in [
            ("龙虾USDT", "status", r#""1""#),
            ("GOLD(PAXG)USDT", "baseAsset", r#""GOLD(PAXG)""#),
            ("NOAPIUSDT", "isSpotTradingAllowed", "false"),
            ("PAUSEDUSDT", "status", r#""2""#),
            ("SELLONLYUSDT", "tradeSideType", "3"),
            ("ANYSIZEUSDT", "baseSizePrecision", r#""0""#),
        ] {
            assert_eq!(odd(name, key), value, "{name}");
        }
        let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100";
        assert_eq!(http.mexc("POST", "/order", order).await.1["code"].as_i64(), Some(30_019));
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let order =
            r#"{"text":"t-one","currency_pair":"BTC_USDT","side":"buy","amount":"0.5","price":"101"}"#;
        assert_eq!(http.gateio("POST", "/spot/orders", "", order).await.0, 201);
        assert_eq!(
            text(&http.gateio("POST", "/spot/orders", "", order).await.1["label"]),
            "REPEATED_CREATION"
        );
        // Something trades at 101, and limits are kept within ten per cent of that.
        let (symbol, number) =
            ("BTC/USDT".parse().expect("a symbol"), |text: &str| text.parse().expect("a number"));
        sim.place_quote(Gateio, symbol, cex_core::Side::Sell, number("101"), number("0.1"))
            .expect("on the grid");
        let pair = "/api/v4/spot/currency_pairs/BTC_USDT";
        let (_, pair) = http.get(pair).await.expect("an answer");
        assert_eq!(text(&parse(&pair)["up_rate"]), "0.1");
        for (side, price, is_inside) in
            [("buy", "111.2", false), ("buy", "111.1", true), ("sell", "90.8", false), ("sell", "90.9", true)]
        {
            let order = format!(
                r#"{{"text":"t-{side}{is_inside}","currency_pair":"BTC_USDT","side":"{side}","amount":"0.2","price":"{price}"}}"#
            );
            let (status, told) = http.gateio("POST", "/spot/orders", "", &order).await;
            let label = told.get("label").and_then(JsonValueTrait::as_str).unwrap_or("");
            let expected = if is_inside { (201, "") } else { (400, "PRICE_THRESHOLD_EXCEEDED") };
            assert_eq!((status, label), expected, "{side} {price}");
        }
    });
}

#[test]
fn planned_faults_come_by_themselves() {
    run(async {
        let fault = || Fault::rest("", "", Moment::Before, RestEffect::Answer(Canned::empty(503))).always();
        let sim = start(|config| {
            config.is_quiet = true;
            config.faults =
                vec![(Duration::ZERO, Gateio, fault()), (Duration::from_secs(3_600), Mexc, fault())];
        });
        while sim.faults().expect("running").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for (exchange, path, status) in [(Gateio, "/api/v4/spot/time", 503), (Mexc, "/api/v3/time", 200)] {
            let mut http = Http::connect(&sim, exchange).await.expect("connected");
            assert_eq!(http.get(path).await.expect("an answer").0, status);
        }
    });
}

/// A hostile day over real sockets: things go wrong by themselves, and the simulator still answers afterwards.
#[test]
fn a_hostile_day_ends_with_a_simulator_that_answers() {
    run(async {
        let sim = start(|config| config.profile = Profile::Hostile);
        while sim.fired().expect("running").is_empty() {
            for exchange in [Gateio, Mexc] {
                let Ok(mut http) = Http::connect(&sim, exchange).await else { continue };
                let path = match exchange {
                    Gateio => "/api/v4/spot/time",
                    Mexc => "/api/v3/time",
                };
                // Whatever comes of it: that is the point.
                let _ = tokio::time::timeout(Duration::from_millis(50), http.get(path)).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sim.stop().expect("stopped");
    });
}

#[test]
fn a_fast_market_tells_our_time() {
    run(async {
        let sim = start(|config| config.speed_percent = 2_000);
        let symbol = "BTC/USDT".parse().expect("a symbol");
        let version = || sim.book(Gateio, symbol).expect("a book").version;
        let began = version();
        while version() < began + 2_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let (_, body) =
            http.get("/api/v4/spot/trades?currency_pair=BTC_USDT&limit=1").await.expect("an answer");
        let told: u64 = text(&parse(&body)[0]["create_time"]).parse().expect("seconds");
        assert!(told.abs_diff(unix_secs()) < 10, "{told}");
    });
}

/// What an hour and a day do is tried in a moment, and clients' clocks are still right.
#[test]
fn time_passes_for_all_that_waits_and_not_for_clocks() {
    run(async {
        let sim = controlled();
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        let (_, made) = http.mexc("POST", "/userDataStream", "").await;
        let key = text(&made["listenKey"]).to_owned();
        let mut ws = Ws::connect_with(&sim, Mexc, &format!("?listenKey={key}")).await.expect("connected");
        ws.send(r#"{"method":"SUBSCRIPTION","params":["spot@private.orders.v3.api.pb"]}"#)
            .await
            .expect("sent");
        ws.next(|answer| answer["code"].is_number()).await;
        let mut gateio = Http::connect(&sim, Gateio).await.expect("connected");
        let order =
            r#"{"text":"t-one","currency_pair":"BTC_USDT","side":"buy","amount":"0.5","price":"101"}"#;
        assert_eq!(gateio.gateio("POST", "/spot/orders", "", order).await.0, 201);
        let armed = gateio.gateio("POST", "/spot/countdown_cancel_all", "", r#"{"timeout":600}"#).await;
        assert_eq!(armed.0, 200, "{armed:?}");
        let fault = r#"{"exchange":"gateio","kind":"rest","path":"/api/v4/spot/time","moment":"before","effect":"answer","status":503,"count":0,"lasts_ms":60000}"#;
        assert_eq!(call(&sim, "POST", "/faults", fault).await.0, 200);

        let before = call(&sim, "GET", "/status", "").await.1;
        assert_eq!(call(&sim, "POST", "/advance", r#"{"ms":3601000}"#).await.0, 200);
        let after = call(&sim, "GET", "/status", "").await.1;
        let time = |status: &Value| status["now"].as_u64().expect("nanoseconds");
        assert!(time(&after) - time(&before) < 60_000_000_000, "no clock moved");
        loop {
            match ws.read().await {
                Ok((fastwebsockets::OpCode::Close, _)) | Err(_) => break,
                Ok(_) => {}
            }
        }
        assert_eq!(http.mexc("PUT", "/userDataStream", &format!("listenKey={key}")).await.0, 400);
        assert_eq!(http.mexc("GET", "/account", "").await.0, 200, "its clock is ours");
        let (_, order) = gateio.gateio("GET", "/spot/orders/t-one", "currency_pair=BTC_USDT", "").await;
        assert_eq!(text(&order["status"]), "cancelled", "the dead man's switch fired");
        assert_eq!(gateio.get("/api/v4/spot/time").await.expect("an answer").0, 200, "the fault is over");
        for bad in [r#"{"ms":0}"#, r#"{"ms":99999999999999}"#, r#"{"ms":-1}"#, "{}", ""] {
            assert_eq!(call(&sim, "POST", "/advance", bad).await.0, 400, "{bad}");
        }
    });
}

#[test]
fn limits_that_were_used_up_are_whole_again_when_their_time_has_passed() {
    run(async {
        let sim = start(|config| {
            config.is_quiet = true;
            config.control_port = Some(0);
            config.rate_limits = true;
        });
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        let mut status = 200;
        while status == 200 {
            status = http.get("/api/v3/exchangeInfo").await.expect("an answer").0;
        }
        assert_eq!(status, 429);
        assert_eq!(call(&sim, "POST", "/advance", r#"{"ms":10000}"#).await.0, 200);
        assert_eq!(http.get("/api/v3/exchangeInfo").await.expect("an answer").0, 200);
    });
}
