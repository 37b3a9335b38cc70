//! What an exchange tells of its symbols, coins and keys changes under its clients: rules, sides, wallets, delistings.

use super::{Gateio, Mexc, btc, buy, decimal, fill_books, inject};
use crate::client::{Http, Ws, parse, run, start_quiet, text};
use cex_core::{Asset, OrderStatus};
use cex_sim::fault::{Fault, FaultId, Moment, RestEffect, Stream, VenueFault, WsEffect};
use cex_sim::server::SimHandle;
use fastwebsockets::OpCode;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::time::Duration;

/// Both exchanges with a filled book, a connection to each, and the fault at both.
async fn both(fault: VenueFault) -> (SimHandle, Http, Http, [FaultId; 2]) {
    let sim = start_quiet();
    fill_books(&sim);
    let gateio = Http::connect(&sim, Gateio).await.expect("connected");
    let mexc = Http::connect(&sim, Mexc).await.expect("connected");
    let ids = [Gateio, Mexc].map(|exchange| inject(&sim, exchange, Fault::venue(fault.clone())));
    (sim, gateio, mexc, ids)
}

async fn get(http: &mut Http, target: &str) -> Value {
    let (status, body) = http.get(target).await.expect("an answer");
    assert_eq!(status, 200, "{target}");
    parse(&body)
}

const PAIR: &str = "/api/v4/spot/currency_pairs/BTC_USDT";
const SYMBOL: &str = "/api/v3/exchangeInfo?symbol=BTCUSDT";

fn mexc_order(side: &str, price: &str) -> String {
    format!("symbol=BTCUSDT&side={side}&type=LIMIT&quantity=0.2&price={price}")
}

fn gateio_order(side: &str, price: &str) -> String {
    format!(r#"{{"text":"t-x","currency_pair":"BTC_USDT","side":"{side}","amount":"0.2","price":"{price}"}}"#)
}

#[test]
fn orders_are_refused_for_maintenance_and_reads_are_answered() {
    run(async {
        let (sim, mut gateio, mut mexc, ids) = both(VenueFault::Maintenance).await;
        let mut refused = Vec::new();
        for _ in 0..2 {
            refused.push(buy(&mut gateio, "t-one").await.expect("an answer").0);
            refused.push(mexc.mexc("POST", "/order", &mexc_order("BUY", "101")).await.0);
        }
        assert_eq!(refused, [503, 400, 502, 503], "its own words take turns with a gateway's");
        assert_eq!(mexc.mexc("GET", "/account", "").await.0, 200);
        assert_eq!(gateio.gateio("GET", "/spot/accounts", "", "").await.0, 200);
        ids.into_iter().for_each(|id| sim.clear(id).expect("it is there"));
        assert_eq!(buy(&mut gateio, "t-one").await.expect("an answer").0, 201);
        assert_eq!(mexc.mexc("POST", "/order", &mexc_order("BUY", "101")).await.0, 200);
    });
}

#[test]
fn half_of_the_symbols_vanish_from_the_lists() {
    run(async {
        let (sim, mut gateio, mut mexc, ids) = both(VenueFault::HalfInfo).await;
        let counts = async |gateio: &mut Http, mexc: &mut Http| {
            let pairs = get(gateio, "/api/v4/spot/currency_pairs").await;
            let symbols = get(mexc, "/api/v3/exchangeInfo").await;
            [pairs.as_array(), symbols["symbols"].as_array()].map(|list| list.expect("a list").len())
        };
        assert_eq!(counts(&mut gateio, &mut mexc).await, [2, 2]);
        ids.into_iter().for_each(|id| sim.clear(id).expect("it is there"));
        assert_eq!(counts(&mut gateio, &mut mexc).await, [3, 3]);
    });
}

#[test]
fn one_side_of_a_symbol_is_shut() {
    run(async {
        let fault = VenueFault::Sides { symbol: btc(), buy: false, sell: true };
        let (sim, mut gateio, mut mexc, ids) = both(fault).await;
        assert_eq!(text(&get(&mut gateio, PAIR).await["trade_status"]), "sellable");
        assert_eq!(get(&mut mexc, SYMBOL).await["symbols"][0]["tradeSideType"].as_u64(), Some(3));
        let (_, told) = gateio.gateio("POST", "/spot/orders", "", &gateio_order("buy", "101")).await;
        assert_eq!(text(&told["label"]), "TRADE_RESTRICTED");
        let (_, told) = mexc.mexc("POST", "/order", &mexc_order("BUY", "101")).await;
        assert_eq!(told["code"].as_i64(), Some(30_001));
        assert_eq!(gateio.gateio("POST", "/spot/orders", "", &gateio_order("sell", "99")).await.0, 201);
        assert_eq!(mexc.mexc("POST", "/order", &mexc_order("SELL", "99")).await.0, 200);
        ids.into_iter().for_each(|id| sim.clear(id).expect("it is there"));
        assert_eq!(text(&get(&mut gateio, PAIR).await["trade_status"]), "tradable");
    });
}

#[test]
fn rules_become_coarser_and_minimums_larger() {
    run(async {
        let rules = VenueFault::Rules {
            symbol: btc(),
            price_dp: Some(0),
            qty_dp: Some(1),
            min_notional: Some(decimal("60")),
        };
        let (sim, mut gateio, mut mexc, ids) = both(rules).await;
        let pair = get(&mut gateio, PAIR).await;
        let told = ["precision", "amount_precision"].map(|key| pair[key].as_u64());
        assert_eq!((told, text(&pair["min_quote_amount"])), ([Some(0), Some(1)], "60"));
        let symbol = get(&mut mexc, SYMBOL).await;
        assert_eq!(symbol["symbols"][0]["quotePrecision"].as_u64(), Some(0));
        for (price, label) in [("98.5", "INVALID_PRECISION"), ("99", "INVALID_PARAM_VALUE")] {
            let (_, told) = gateio.gateio("POST", "/spot/orders", "", &gateio_order("buy", price)).await;
            assert_eq!(text(&told["label"]), label, "{price}");
        }
        let (_, told) = mexc.mexc("POST", "/order", &mexc_order("BUY", "99")).await;
        assert_eq!(told["code"].as_i64(), Some(30_002));
        ids.into_iter().for_each(|id| sim.clear(id).expect("it is there"));
        assert_eq!(gateio.gateio("POST", "/spot/orders", "", &gateio_order("buy", "98.5")).await.0, 201);
    });
}

#[test]
fn a_wallet_closes_and_opens() {
    run(async {
        let asset = Asset::new("BTC").expect("short");
        let fault = VenueFault::Wallet { asset, deposits: false, withdrawals: true };
        let (sim, mut gateio, mut mexc, ids) = both(fault).await;
        let told = async |gateio: &mut Http, mexc: &mut Http| {
            let coin = get(gateio, "/api/v4/spot/currencies/BTC").await;
            let (_, coins) = mexc.mexc("GET", "/capital/config/getall", "").await;
            let rows = coins.as_array().expect("coins").iter();
            let row = rows.clone().find(|row| text(&row["coin"]) == "BTC").expect("bitcoin").clone();
            let network = &row["networkList"][0];
            [
                coin["chains"][0]["deposit_disabled"].as_bool(),
                network["depositEnable"].as_bool().map(|open| !open),
                network["withdrawEnable"].as_bool().map(|open| !open),
            ]
        };
        assert_eq!(told(&mut gateio, &mut mexc).await, [Some(true), Some(true), Some(false)]);
        ids.into_iter().for_each(|id| sim.clear(id).expect("it is there"));
        assert_eq!(told(&mut gateio, &mut mexc).await, [Some(false), Some(false), Some(false)]);
    });
}

#[test]
fn a_delisting_is_announced_and_then_ends_all_orders() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut gateio = Http::connect(&sim, Gateio).await.expect("connected");
        assert_eq!(gateio.gateio("POST", "/spot/orders", "", &gateio_order("buy", "98")).await.0, 201);
        let after = Duration::from_secs(3_600);
        inject(&sim, Gateio, Fault::venue(VenueFault::Delist { symbol: btc(), after }));
        let pair = get(&mut gateio, PAIR).await;
        assert!(pair["delisting_time"].as_u64().is_some_and(|at| at > 0), "{pair:?}");
        assert_eq!(text(&pair["trade_status"]), "tradable", "not yet");
        sim.elapse(after).expect("running");
        assert_eq!(super::statuses(&sim), [OrderStatus::Canceled]);
        assert_eq!(text(&get(&mut gateio, PAIR).await["trade_status"]), "untradable");
        assert_eq!(buy(&mut gateio, "t-one").await.expect("an answer").0, 400);
    });
}

#[test]
fn open_orders_are_listed_of_named_symbols_only() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut mexc = Http::connect(&sim, Mexc).await.expect("connected");
        assert_eq!(mexc.mexc("POST", "/order", &mexc_order("BUY", "98")).await.0, 200);
        let id = inject(&sim, Mexc, Fault::venue(VenueFault::OpenOrdersBySymbol));
        let (status, told) = mexc.mexc("GET", "/openOrders", "").await;
        assert_eq!((status, told["code"].as_i64()), (400, Some(700_004)), "{told:?}");
        let (_, named) = mexc.mexc("GET", "/openOrders", "symbol=BTCUSDT").await;
        assert_eq!(named.as_array().map(sonic_rs::Array::len), Some(1));
        sim.clear(id).expect("it is there");
        let (_, all) = mexc.mexc("GET", "/openOrders", "").await;
        assert_eq!(all.as_array().map(sonic_rs::Array::len), Some(1));
    });
}

#[test]
fn a_stream_whose_key_ended_stays_open_and_silent() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut mexc = Http::connect(&sim, Mexc).await.expect("connected");
        let (_, made) = mexc.mexc("POST", "/userDataStream", "").await;
        let query = format!("?listenKey={}", text(&made["listenKey"]));
        let mut ws = Ws::connect_with(&sim, Mexc, &query).await.expect("connected");
        let request = r#"{"method":"SUBSCRIPTION","params":["spot@private.orders.v3.api.pb"]}"#;
        ws.send(request).await.expect("sent");
        ws.read().await.expect("an acknowledgement");
        inject(&sim, Mexc, Fault::venue(VenueFault::ListenKeysEndSilently));
        inject(&sim, Mexc, Fault::venue(VenueFault::ExpireListenKeys));
        assert_eq!(mexc.mexc("POST", "/order", &mexc_order("BUY", "98")).await.0, 200);
        ws.send(r#"{"method":"PING"}"#).await.expect("sent");
        let (opcode, answer) = ws.read().await.expect("a frame");
        assert_eq!((opcode, text(&parse(&answer)["msg"])), (OpCode::Text, "PONG"), "and no order before it");
    });
}

#[test]
fn fees_are_taken_in_a_coin_while_there_is_enough_of_it() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mx = Asset::new("MX").expect("short");
        // A purchase of 0.2 at 101 costs 0.0101 USDT of fee: 0.00404 MX at 2.5.
        sim.set_balance(Mexc, "rich", mx, decimal("0.00404")).expect("a balance");
        let fault = VenueFault::FeesIn { account: "rich".to_owned(), asset: mx, price: decimal("2.5") };
        inject(&sim, Mexc, Fault::venue(fault));
        let mut mexc = Http::connect(&sim, Mexc).await.expect("connected");
        for _ in 0..2 {
            assert_eq!(mexc.mexc("POST", "/order", &mexc_order("BUY", "101")).await.0, 200);
        }
        let (_, trades) = mexc.mexc("GET", "/myTrades", "symbol=BTCUSDT").await;
        let mut fees: Vec<(String, String)> = trades
            .as_array()
            .expect("trades")
            .iter()
            .map(|row| (text(&row["commissionAsset"]).to_owned(), text(&row["commission"]).to_owned()))
            .collect();
        fees.sort();
        assert_eq!(fees[0], ("MX".to_owned(), "0.00404".to_owned()));
        assert_eq!(fees[1].0, "USDT", "it is used up");
        super::orders::check_money(&sim, Mexc);
        let refused = sim.inject(
            Gateio,
            Fault::venue(VenueFault::FeesIn { account: "rich".to_owned(), asset: mx, price: decimal("2.5") }),
        );
        assert!(refused.is_err(), "Gate.io does not know it");
    });
}

#[test]
fn what_claims_to_be_compressed_and_what_lost_bytes_are_told_from_good_answers() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let gzip =
            inject(&sim, Gateio, Fault::rest("GET", "/api/v4/spot/time", Moment::After, RestEffect::Gzip));
        assert_eq!(http.get("/api/v4/spot/time").await.expect("an answer").0, 200);
        assert_eq!(super::fired(&sim, gzip), 1);
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        ws.subscribe("spot.obu", r#"["ob.BTC_USDT.50"]"#).await;
        let whole = ws.next(|frame| frame["event"] == "update").await;
        let flip = inject(&sim, Gateio, Fault::ws(Stream::Public, &["spot.obu"], WsEffect::FlipBytes(64)));
        sim.place_quote(Gateio, btc(), cex_core::Side::Buy, decimal("98"), decimal("0.5"))
            .expect("on the grid");
        // What is no text any more is refused before anybody parses it.
        if let Ok((_, bytes)) = ws.read().await {
            assert!(sonic_rs::from_slice::<Value>(&bytes).is_err(), "after {whole:?}");
        }
        assert_eq!(super::fired(&sim, flip), 1);
    });
}
