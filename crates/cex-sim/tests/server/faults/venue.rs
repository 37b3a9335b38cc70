//! The exchange itself misbehaves: halts, restarts, clocks, keys, fees, old answers.

use super::{Gateio, Mexc, btc, buy, decimal, fill_books, fired, inject, orders};
use crate::client::{Http, Ws, parse, run, start_quiet, text, unix_secs};
use cex_core::Bps;
use cex_sim::dialect::DuplicateClientIds;
use cex_sim::fault::{Fault, VenueFault};
use cex_sim::server::SimExchange;
use fastwebsockets::OpCode;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _};
use std::time::Duration;

#[test]
fn a_halted_symbol_takes_no_orders_and_says_so() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let ids =
            [Gateio, Mexc].map(|exchange| inject(&sim, exchange, Fault::venue(VenueFault::Halt(btc()))));
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let pair = async |http: &mut Http| {
            let (_, body) = http.get("/api/v4/spot/currency_pairs/BTC_USDT").await.expect("an answer");
            text(&parse(&body)["trade_status"]).to_owned()
        };
        assert_eq!(buy(&mut http, "t-one").await.expect("an answer").0, 400);
        assert_eq!(pair(&mut http).await, "untradable");
        let mut mexc = Http::connect(&sim, Mexc).await.expect("connected");
        let (_, body) = mexc.get("/api/v3/exchangeInfo?symbol=BTCUSDT").await.expect("an answer");
        assert_eq!(text(&parse(&body)["symbols"][0]["status"]), "2");
        let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.5&price=101";
        assert_eq!(mexc.mexc("POST", "/order", order).await.1["code"].as_i64(), Some(30_000));
        ids.into_iter().for_each(|id| sim.clear(id).expect("it is there"));
        assert_eq!(buy(&mut http, "t-one").await.expect("an answer").0, 201);
        assert_eq!(pair(&mut http).await, "tradable");
    });
}

#[test]
fn a_frozen_account_trades_no_more_until_its_time_is_over() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let freeze = || Fault::venue(VenueFault::Freeze("rich".to_owned()));
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let id = inject(&sim, Gateio, freeze());
        assert_eq!(buy(&mut http, "t-one").await.expect("an answer").0, 403);
        sim.clear(id).expect("it is there");
        inject(&sim, Gateio, freeze().lasting(Duration::from_millis(20)));
        // The list forgets it at its time, the exchange when it next comes round.
        let thawed = async {
            loop {
                match buy(&mut http, "t-one").await.expect("an answer").0 {
                    403 => tokio::time::sleep(Duration::from_millis(1)).await,
                    status => break status,
                }
            }
        };
        let status = tokio::time::timeout(Duration::from_secs(10), thawed).await;
        assert_eq!(status.expect("it thaws"), 201);
        assert!(sim.faults().expect("running").is_empty());
    });
}

#[test]
fn versions_begin_anew_after_a_reset() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        ws.subscribe("spot.order_book_update", r#"["BTC_USDT","20ms"]"#).await;
        let change = |qty: &str| {
            sim.place_quote(Gateio, btc(), cex_core::Side::Buy, decimal("98"), decimal(qty))
                .expect("on the grid");
        };
        (1..50).for_each(|_| change("1"));
        let versions = async |ws: &mut Ws| {
            let frame = ws.next(|frame| frame["event"].as_str() == Some("update")).await;
            (frame["result"]["U"].as_u64().expect("U"), frame["result"]["u"].as_u64().expect("u"))
        };
        let (_, last) = versions(&mut ws).await;
        let version = || sim.book(Gateio, btc()).expect("a book").version;
        let anew = version() / 2 + 1;
        let id = inject(&sim, Gateio, Fault::venue(VenueFault::VersionReset(btc())));
        change("2");
        let mut next = versions(&mut ws).await;
        // What was under way comes first.
        while next.0 > last {
            next = versions(&mut ws).await;
        }
        assert_eq!((next, version()), ((anew, anew), anew));
        assert_eq!((fired(&sim, id), sim.faults().expect("running").len()), (1, 0));
    });
}

#[test]
fn a_clock_is_wrong_for_everything_and_nothing_stands_still() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        for (millis, allowed) in [(-3_600_000i64, 403), (3_600_000, 403), (-20_000, 201)] {
            let id = inject(&sim, Gateio, Fault::venue(VenueFault::ClockSkew(millis)));
            let mut http = Http::connect(&sim, Gateio).await.expect("connected");
            let (_, body) = http.get("/api/v4/spot/time").await.expect("an answer");
            let told = parse(&body)["server_time"].as_i64().expect("a time");
            let expected = i64::try_from(unix_secs()).expect("small") * 1_000 + millis;
            assert!((told - expected).abs() < 5_000, "{millis}: {told}");
            assert_eq!(buy(&mut http, "t-one").await.expect("an answer").0, allowed, "{millis}");
            let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
            ws.subscribe("spot.order_book_update", r#"["BTC_USDT","20ms"]"#).await;
            sim.place_quote(Gateio, btc(), cex_core::Side::Buy, decimal("98"), decimal("1"))
                .expect("on the grid");
            let frame = ws.next(|frame| frame["event"].as_str() == Some("update")).await;
            let told = frame["result"]["t"].as_i64().expect("a time");
            assert!((told - expected).abs() < 5_000, "{millis}: frames too");
            sim.clear(id).expect("it is there");
        }
        let mut mexc = Http::connect(&sim, Mexc).await.expect("connected");
        inject(&sim, Mexc, Fault::venue(VenueFault::ClockSkew(-2_000)));
        let (_, told) = mexc.mexc("GET", "/account", "").await;
        assert_eq!(told["code"].as_i64(), Some(700_003));
    });
}

#[test]
fn listen_keys_end_early_and_lie() {
    run(async {
        let sim = start_quiet();
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        let (_, made) = http.mexc("POST", "/userDataStream", "").await;
        let key = text(&made["listenKey"]).to_owned();
        let mut ws = Ws::connect_with(&sim, Mexc, &format!("?listenKey={key}")).await.expect("connected");
        inject(&sim, Mexc, Fault::venue(VenueFault::ListenKeysLie));
        let id = inject(&sim, Mexc, Fault::venue(VenueFault::ExpireListenKeys));
        assert_eq!(ws.read().await.expect("a frame").0, OpCode::Close);
        let (status, told) = http.mexc("PUT", "/userDataStream", &format!("listenKey={key}")).await;
        assert_eq!((status, text(&told["listenKey"])), (200, key.as_str()), "it lies");
        let (_, keys) = http.mexc("GET", "/userDataStream", "").await;
        assert!(keys["listenKey"].as_array().is_some_and(sonic_rs::Array::is_empty));
        assert_eq!(fired(&sim, id), 1);
    });
}

#[test]
fn client_ids_that_were_used_before_meet_every_mode() {
    run(async {
        for (mode, status, count) in [
            (DuplicateClientIds::Reject, 400, 1),
            (DuplicateClientIds::Accept, 201, 2),
            (DuplicateClientIds::Echo, 201, 1),
        ] {
            let sim = start_quiet();
            fill_books(&sim);
            inject(&sim, Gateio, Fault::venue(VenueFault::DuplicateClientIds(mode)));
            let mut http = Http::connect(&sim, Gateio).await.expect("connected");
            assert_eq!(buy(&mut http, "t-one").await.expect("an answer").0, 201);
            assert_eq!(buy(&mut http, "t-one").await.expect("an answer").0, status, "{mode:?}");
            assert_eq!(orders(&sim).len(), count, "{mode:?}");
        }
    });
}

#[test]
fn fees_change_for_orders_to_come_and_back() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let fees = VenueFault::Fees { symbol: btc(), maker: Bps::from_bps(20), taker: Bps::from_bps(30) };
        let id = inject(&sim, Mexc, Fault::venue(fees));
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        let order = "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=0.1&price=101";
        http.mexc("POST", "/order", order).await;
        sim.clear(id).expect("it is there");
        http.mexc("POST", "/order", order).await;
        let fees: Vec<_> = sim.fills(Mexc, "rich").expect("an account").iter().map(|fill| fill.fee).collect();
        assert_eq!(fees, [decimal("0.0303"), decimal("0.00505")]);
    });
}

#[test]
fn reads_are_answered_from_the_past() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let path = "/api/v4/spot/order_book".to_owned();
        let lag = VenueFault::ReadLag { path, lag: Duration::from_secs(3_600) };
        let id = inject(&sim, Gateio, Fault::venue(lag));
        let truth = sim.book(Gateio, btc()).expect("a book").version;
        sim.place_quote(Gateio, btc(), cex_core::Side::Buy, decimal("98"), decimal("1"))
            .expect("on the grid");
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let version = async |http: &mut Http| {
            let path = "/api/v4/spot/order_book?currency_pair=BTC_USDT&with_id=true";
            parse(&http.get(path).await.expect("an answer").1)["id"].as_u64()
        };
        assert_eq!(version(&mut http).await, Some(truth));
        sim.clear(id).expect("it is there");
        assert_eq!(version(&mut http).await, Some(truth + 1));
        assert_eq!(fired(&sim, id), 2, "once when it began, once when it answered");
    });
}

#[test]
fn names_that_nobody_has_are_refused() {
    let sim = start_quiet();
    let nobody = Fault::venue(VenueFault::Freeze("nobody".to_owned()));
    let nothing = Fault::venue(VenueFault::Halt("NO/THING".parse().expect("a symbol")));
    for fault in [nobody, nothing] {
        for exchange in SimExchange::ALL {
            assert!(sim.inject(exchange, fault.clone()).is_err(), "{fault}");
        }
    }
    assert!(sim.faults().expect("running").is_empty());
}
