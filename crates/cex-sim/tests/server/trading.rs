//! Orders and books over sockets, and the ledger behind them.

use crate::client::{Http, Ws, parse, run, start, text, unix_secs};
use cex_core::{Decimal, Side};
use cex_sim::server::SimExchange::{self, Gateio};
use fastwebsockets::OpCode;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::collections::BTreeMap;

fn decimal(value: &Value) -> Decimal {
    text(value).parse().expect("a decimal")
}

#[test]
fn an_order_lives_over_http_and_websocket_and_the_ledger_agrees() {
    run(async {
        let sim = start(|_| {});
        let account = sim.accounts()[0].clone();
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        for channel in ["spot.orders", "spot.usertrades", "spot.balances"] {
            ws.subscribe_private(&account, channel).await;
        }
        let book = http.gateio("GET", "/spot/order_book", "currency_pair=BTC_USDT", "").await.1;
        let price =
            decimal(&book["asks"][0][0]).checked_mul("1.01".parse().expect("a number")).expect("small");
        let price = price.rounded(1, cex_core::Rounding::Down).expect("small");
        let body = format!(
            r#"{{"text":"t-one","currency_pair":"BTC_USDT","side":"buy","amount":"0.001","price":"{price}","time_in_force":"ioc"}}"#
        );
        let (status, order) = http.gateio("POST", "/spot/orders", "", &body).await;
        assert_eq!((status, text(&order["status"])), (201, "closed"), "{order:?}");

        let pushed = ws.next(|frame| frame["channel"].as_str() == Some("spot.orders")).await;
        assert_eq!(
            (text(&pushed["result"][0]["event"]), text(&pushed["result"][0]["text"])),
            ("finish", "t-one")
        );
        assert_eq!(pushed["result"][0]["id"], order["id"]);
        let (_, fills) = http.gateio("GET", "/spot/my_trades", "currency_pair=BTC_USDT", "").await;

        let ledger = sim.ledger().expect("running");
        let books = ledger.account(Gateio, &account.name).expect("an account");
        assert_eq!(books.fills.len(), fills.as_array().map_or(0, sonic_rs::Array::len));
        let sum = |part: fn(&cex_sim::server::LedgerFill) -> Decimal| {
            books
                .fills
                .iter()
                .map(part)
                .fold(Decimal::ZERO, |sum, next| sum.checked_add(next).expect("small"))
        };
        assert_eq!(sum(|fill| fill.qty), decimal(&order["filled_amount"]));
        assert_eq!(sum(|fill| fill.notional), decimal(&order["filled_total"]));
        assert_eq!(sum(|fill| fill.fee), decimal(&order["fee"]));
        let fill = &books.fills[0];
        assert_eq!((fill.symbol.to_string().as_str(), fill.client_id.as_str()), ("BTC/USDT", "t-one"));
        assert_eq!((fill.side, fill.is_maker), (Side::Buy, false));
        assert_eq!(books.orders.len(), 1);
        let had: BTreeMap<_, _> = books.deposits.iter().copied().collect();
        for (asset, free, locked) in &books.balances {
            let moved = free.checked_sub(had[asset]).expect("small");
            let expected = match asset.as_str() {
                "USDT" => sum(|fill| fill.notional).negated().expect("small"),
                "BTC" => sum(|fill| fill.qty).checked_sub(sum(|fill| fill.fee)).expect("small"),
                _ => Decimal::ZERO,
            };
            assert_eq!((moved, *locked), (expected, Decimal::ZERO), "{asset}");
            let (_, rows) = http.gateio("GET", "/spot/accounts", &format!("currency={asset}"), "").await;
            assert_eq!(decimal(&rows[0]["available"]), *free, "{asset}");
        }
        let other = ledger.account(SimExchange::Mexc, &account.name).expect("an account");
        assert!(other.fills.is_empty(), "one exchange knows nothing of the other");
        sim.stop().expect("stopped");
    });
}

#[test]
fn a_live_book_from_the_wire_is_never_crossed_nor_torn() {
    run(async {
        let sim = start(|_| {});
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        ws.subscribe("spot.obu", r#"["ob.BTC_USDT.50"]"#).await;
        let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
        let (mut version, mut frames) = (None, 0);
        while frames < 25 {
            let frame = ws.next(|frame| frame["event"].as_str() == Some("update")).await;
            let result = &frame["result"];
            match version {
                None => assert_eq!(result["full"].as_bool(), Some(true)),
                Some(last) => assert_eq!(result["U"].as_u64(), Some(last + 1)),
            }
            for (side, levels) in [(&mut bids, &result["b"]), (&mut asks, &result["a"])] {
                for level in levels.as_array().expect("levels") {
                    let (price, qty) = (decimal(&level[0]), decimal(&level[1]));
                    if qty.is_zero() {
                        side.remove(&price)
                    } else {
                        side.insert(price, qty)
                    };
                }
            }
            while bids.len() > 50 {
                bids.pop_first();
            }
            while asks.len() > 50 {
                asks.pop_last();
            }
            let (bid, ask) = (bids.last_key_value(), asks.first_key_value());
            assert!(bid.expect("bids").0 < ask.expect("asks").0, "crossed after {frame:?}");
            (version, frames) = (result["u"].as_u64(), frames + 1);
        }
    });
}

#[test]
fn the_other_exchange_speaks_its_own_language() {
    run(async {
        let sim = start(|_| {});
        let mut http = Http::connect(&sim, SimExchange::Mexc).await.expect("connected");
        let (status, body) = http.get("/api/v3/time").await.expect("an answer");
        assert_eq!(status, 200);
        assert!(parse(&body)["serverTime"].is_number());
        let mut ws = Ws::connect(&sim, SimExchange::Mexc).await.expect("connected");
        let channel = "spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT";
        ws.send(&format!(r#"{{"method":"SUBSCRIPTION","params":["{channel}"]}}"#)).await.expect("sent");
        let answer = ws.next(|_| true).await;
        assert_eq!((answer["code"].as_i64(), text(&answer["msg"])), (Some(0), channel));
        let frame = loop {
            let (opcode, payload) = ws.read().await.expect("a frame");
            if opcode == OpCode::Binary {
                break payload;
            }
        };
        assert!(
            frame.windows(channel.len()).any(|part| part == channel.as_bytes()),
            "the frame names its channel"
        );
    });
}

#[test]
fn one_connection_serves_many_calls_and_the_clock_is_the_wall_s() {
    run(async {
        let sim = start(|_| {});
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        for _ in 0..50 {
            let (status, body) = http.get("/api/v4/spot/time").await.expect("an answer");
            let millis = parse(&body)["server_time"].as_u64().expect("a time");
            assert_eq!(status, 200);
            assert!(millis.abs_diff(unix_secs() * 1_000) < 5_000);
        }
        let (status, body) = http.get("/nowhere").await.expect("an answer");
        assert_eq!((status, text(&parse(&body)["label"])), (404, "NOT_FOUND"));
    });
}

#[test]
fn endpoints_are_where_the_exchanges_are() {
    let sim = start(|config| config.symbols = 1);
    let endpoints = sim.endpoints();
    assert_ne!(endpoints.mexc, endpoints.gateio);
    assert!(endpoints.mexc.rest.starts_with("http://127.0.0.1:") && endpoints.mexc.ws.ends_with("/ws"));
    assert!(endpoints.gateio.ws.starts_with("ws://127.0.0.1:") && endpoints.gateio.ws.ends_with("/ws/v4/"));
    assert_eq!(sim.accounts()[0].name, "rich");
}
