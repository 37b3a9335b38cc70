//! MEXC's dialect over sockets: a book that is joined live, an order from placement to ledger, a wrong listen key.

use crate::client::{Http, Ws, parse, run, start, text};
use cex_core::{Decimal, Rounding};
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use cex_proto::mexc::{DepthLevel, PublicAggreDepths, PushDataV3ApiWrapper};
use cex_sim::server::SimExchange::Mexc;
use fastwebsockets::OpCode;
use prost::Message as _;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::collections::BTreeMap;

type Side = BTreeMap<Decimal, Decimal>;

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn side(levels: &Value) -> Side {
    let levels = levels.as_array().expect("levels").iter();
    levels.map(|level| (decimal(text(&level[0])), decimal(text(&level[1])))).collect()
}

fn merge(side: &mut Side, levels: &[DepthLevel]) {
    for level in levels {
        let (price, qty) = (decimal(&level.price), decimal(&level.quantity));
        if qty.is_zero() {
            side.remove(&price)
        } else {
            side.insert(price, qty)
        };
    }
}

async fn subscribe(ws: &mut Ws, channel: &str) {
    ws.send(&format!(r#"{{"method":"SUBSCRIPTION","params":["{channel}"]}}"#)).await.expect("sent");
    let answer = ws.next(|frame| frame.get("code").is_some()).await;
    assert_eq!(text(&answer["msg"]), channel);
}

/// The next push.
async fn push(ws: &mut Ws) -> PushDataV3ApiWrapper {
    loop {
        let (opcode, payload) = ws.read().await.expect("a frame");
        if opcode == OpCode::Binary {
            return PushDataV3ApiWrapper::decode(payload.as_slice()).expect("a valid frame");
        }
    }
}

async fn depth(ws: &mut Ws) -> (u64, u64, PublicAggreDepths) {
    let version = |text: &str| text.parse::<u64>().expect("a version");
    match push(ws).await.body {
        Some(Body::PublicAggreDepths(depths)) => {
            (version(&depths.from_version), version(&depths.to_version), depths)
        }
        other => panic!("{other:?} is no depth"),
    }
}

/// By the table of the wire reference: buffer, snapshot, ignore what is old, apply what joins.
#[test]
fn a_book_is_joined_live_and_stays_whole() {
    run(async {
        let sim = start(|_| {});
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        let mut ws = Ws::connect(&sim, Mexc).await.expect("connected");
        subscribe(&mut ws, "spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT").await;
        let mut previous = depth(&mut ws).await.1;
        let (_, snapshot) = http.get("/api/v3/depth?symbol=BTCUSDT&limit=2000").await.expect("an answer");
        let snapshot = parse(&snapshot);
        let mut last = snapshot["lastUpdateId"].as_u64().expect("a version");
        let (mut bids, mut asks) = (side(&snapshot["bids"]), side(&snapshot["asks"]));
        let mut applied = 0;
        while applied < 100 {
            let (from, to, depths) = depth(&mut ws).await;
            assert_eq!(from, previous + 1, "contiguous");
            previous = to;
            if to <= last {
                continue;
            }
            assert!(from <= last + 1, "a gap: {from} after {last}");
            merge(&mut bids, &depths.bids);
            merge(&mut asks, &depths.asks);
            last = to;
            applied += 1;
            let best = (bids.last_key_value().expect("bids").0, asks.first_key_value().expect("asks").0);
            assert!(best.0 < best.1, "crossed: {best:?}");
        }
        sim.stop().expect("stopped");
    });
}

#[test]
fn an_order_lives_over_http_and_websocket_and_the_ledger_agrees_on_mexc() {
    run(async {
        let sim = start(|_| {});
        let account = sim.accounts()[0].clone();
        let mut http = Http::connect(&sim, Mexc).await.expect("connected");
        let (_, key) = http.mexc("POST", "/userDataStream", "").await;
        let query = format!("?listenKey={}", text(&key["listenKey"]));
        let mut ws = Ws::connect_with(&sim, Mexc, &query).await.expect("connected");
        for channel in ["account", "deals", "orders"] {
            subscribe(&mut ws, &format!("spot@private.{channel}.v3.api.pb")).await;
        }
        let (_, book) = http.get("/api/v3/depth?symbol=BTCUSDT&limit=5").await.expect("an answer");
        let best = decimal(text(&parse(&book)["asks"][0][0]));
        let price = best.checked_mul(decimal("1.01")).and_then(|price| price.rounded(2, Rounding::Down));
        let price = price.expect("small");
        let params = format!(
            "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=0.001&price={price}&newClientOrderId=one"
        );
        let (status, placed) = http.mexc("POST", "/order", &params).await;
        assert_eq!(status, 200, "{placed:?}");

        let Some(Body::PrivateAccount(lock)) = push(&mut ws).await.body else { panic!("no balance first") };
        assert_eq!((lock.vcoin_name.as_str(), lock.r#type.as_str()), ("USDT", "ENTRUST_PLACE"));
        let Some(Body::PrivateOrders(order)) = push(&mut ws).await.body else { panic!("no order next") };
        assert_eq!((order.id.as_str(), order.client_id.as_str()), (text(&placed["orderId"]), "one"));
        assert_eq!((order.status, order.cumulative_quantity.as_str()), (2, "0.001"));
        let deal = loop {
            match push(&mut ws).await.body {
                Some(Body::PrivateDeals(deal)) => break deal,
                Some(Body::PrivateAccount(_)) => {}
                other => panic!("{other:?} in between"),
            }
        };
        let (_, trades) = http.mexc("GET", "/myTrades", "symbol=BTCUSDT").await;
        let ids: Vec<&str> =
            trades.as_array().expect("a list").iter().map(|trade| text(&trade["id"])).collect();
        assert!(ids.contains(&deal.trade_id.as_str()));

        let ledger = sim.ledger().expect("running");
        let books = ledger.account(Mexc, &account.name).expect("an account");
        assert_eq!(books.fills.len(), ids.len());
        assert_eq!((books.orders.len(), books.fills[0].client_id.as_str()), (1, "one"));
        let (_, account) = http.mexc("GET", "/account", "").await;
        for row in account["balances"].as_array().expect("a list") {
            let booked = books.balances.iter().find(|(asset, ..)| asset.as_str() == text(&row["asset"]));
            let (_, free, locked) = booked.expect("a balance");
            let shown = [text(&row["free"]), text(&row["locked"])].map(decimal);
            assert_eq!(shown, [*free, *locked], "{row:?}");
        }
        sim.stop().expect("stopped");
    });
}

#[test]
fn a_wrong_listen_key_is_told_and_the_connection_closed() {
    run(async {
        let sim = start(|_| {});
        let mut ws = Ws::connect_with(&sim, Mexc, "?listenKey=abc").await.expect("connected");
        let (opcode, payload) = ws.read().await.expect("a frame");
        assert_eq!((opcode, payload.as_slice()), (OpCode::Text, b"Invalid listen key".as_slice()));
        assert_eq!(ws.read().await.expect("a frame").0, OpCode::Close);
        sim.stop().expect("stopped");
    });
}
