//! Private frames: the order in which an order's life is told, the numbers in it, and the fields of the vectors.

use crate::bench::{BTC, Bench, text};
use crate::wire::{fields, frame};
use cex_core::{Decimal, Side};
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use cex_proto::mexc::{PrivateAccount, PrivateOrders, PushDataV3ApiWrapper};
use cex_sim::dialect::ConnId;
use sonic_rs::JsonValueTrait as _;

const ALL: [&str; 3] = ["account", "deals", "orders"];

fn quoted() -> (Bench, ConnId) {
    let mut bench = Bench::new();
    bench.rest(BTC, Side::Buy, "99", "2");
    bench.rest(BTC, Side::Sell, "100", "1");
    bench.rest(BTC, Side::Sell, "101", "1");
    let conn = bench.open_private(1, &ALL);
    (bench, conn)
}

fn place(bench: &mut Bench, params: &str) -> String {
    let (status, order) = bench.signed("POST", "order", params);
    assert_eq!(status, 200, "{params}: {order:?}");
    text(&order["orderId"]).to_owned()
}

/// A push in a few words.
fn told(wrapper: &PushDataV3ApiWrapper) -> String {
    match wrapper.body.as_ref().expect("a body") {
        Body::PrivateAccount(PrivateAccount {
            vcoin_name,
            balance_amount_change,
            frozen_amount_change,
            r#type,
            ..
        }) => {
            format!("{type} {vcoin_name} {balance_amount_change} {frozen_amount_change}")
        }
        Body::PrivateOrders(order) => {
            let PrivateOrders { status, cumulative_quantity, last_deal_quantity, .. } = order;
            format!("order {status} {cumulative_quantity} {}", last_deal_quantity.as_deref().unwrap_or("-"))
        }
        Body::PrivateDeals(deal) => format!("deal {} {} fee {}", deal.price, deal.quantity, deal.fee_amount),
        other => panic!("{other:?} is not private"),
    }
}

fn life(bench: &mut Bench, conn: ConnId) -> Vec<String> {
    bench.pushes(conn).iter().map(|(_, wrapper)| told(wrapper)).collect()
}

#[test]
fn a_taker_s_life_is_told_in_order() {
    let (mut bench, conn) = quoted();
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=1.5&price=102");
    let expected = [
        // 1.5 at 102.
        "ENTRUST_PLACE USDT -153 153",
        "order 2 1.5 0.5",
        "ENTRUST USDT 0 -100",
        "ENTRUST BTC 1 0",
        "TRADE_FEE USDT -0.05 0",
        "ENTRUST USDT 0 -50.5",
        "ENTRUST BTC 0.5 0",
        "TRADE_FEE USDT -0.02525 0",
        "ENTRUST_UNFROZEN USDT 2.5 -2.5",
        "deal 100 1 fee 0.05",
        "deal 101 0.5 fee 0.02525",
    ];
    assert_eq!(life(&mut bench, conn), expected);
}

#[test]
fn a_resting_order_s_life_is_told_in_order() {
    let (mut bench, conn) = quoted();
    let id =
        place(&mut bench, "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=2&price=99.5&newClientOrderId=arb-1");
    assert_eq!(life(&mut bench, conn), ["ENTRUST_PLACE USDT -199 199", "order 1 0 0"]);
    bench.house_order(
        BTC,
        Side::Sell,
        cex_sim::matching::NewOrderKind::Market { qty: cex_core::Qty(500_000) },
    );
    let expected = ["order 3 0.5 0.5", "ENTRUST USDT 0 -49.75", "ENTRUST BTC 0.5 0", "deal 99.5 0.5 fee 0"];
    assert_eq!(life(&mut bench, conn), expected);
    bench.signed("DELETE", "order", &format!("symbol=BTCUSDT&orderId={id}"));
    assert_eq!(life(&mut bench, conn), ["order 5 0.5 0.5", "ENTRUST_CANCEL USDT 149.25 -149.25"]);
    assert_eq!(bench.balance("USDT"), ("950.25".to_owned(), "0".to_owned()));
}

#[test]
fn a_partly_filled_and_an_unfilled_taker_end_in_one_push() {
    let (mut bench, conn) = quoted();
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=3&price=100");
    let first = life(&mut bench, conn);
    assert_eq!(first[1], "order 5 1 1");
    assert_eq!(first.last().map(String::as_str), Some("deal 100 1 fee 0.05"));
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=1&price=90");
    let expected = ["ENTRUST_PLACE USDT -90 90", "order 4 0 0", "ENTRUST_UNFROZEN USDT 90 -90"];
    assert_eq!(life(&mut bench, conn), expected);
}

#[test]
fn a_taker_that_rests_is_new_first() {
    let (mut bench, conn) = quoted();
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1.5&price=100");
    let orders: Vec<_> =
        life(&mut bench, conn).into_iter().filter(|told| told.starts_with("order")).collect();
    assert_eq!(orders, ["order 1 0 0", "order 3 1 1"]);
}

#[test]
fn both_orders_of_a_trade_with_oneself_are_told() {
    let mut bench = Bench::new();
    let conn = bench.open_private(1, &["orders", "deals"]);
    place(&mut bench, "symbol=BTCUSDT&side=SELL&type=LIMIT&quantity=1&price=100");
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=100");
    let pushes = bench.pushes(conn);
    let deals: Vec<_> = pushes
        .iter()
        .filter_map(|(_, wrapper)| match wrapper.body.as_ref() {
            Some(Body::PrivateDeals(deal)) => {
                Some((deal.trade_id.as_str(), deal.is_maker, deal.is_self_trade))
            }
            _ => None,
        })
        .collect();
    assert_eq!(deals, [("579000000000001024X2", true, true), ("579000000000001024X1", false, true)]);
    let (_, rows) = bench.signed("GET", "myTrades", "symbol=BTCUSDT");
    assert_eq!(rows[0]["id"].as_str(), Some("579000000000001024X1"), "the ids of REST");
}

/// Each balance says what is left after all those before it, so none may overtake another, whichever order it is of.
#[test]
fn balances_are_told_in_the_order_in_which_they_changed() {
    let (mut bench, conn) = quoted();
    place(&mut bench, "symbol=BTCUSDT&side=SELL&type=LIMIT&quantity=1&price=100.5");
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=IMMEDIATE_OR_CANCEL&quantity=3&price=101");
    let free: Vec<_> = bench
        .pushes(conn)
        .into_iter()
        .filter_map(|(_, wrapper)| match wrapper.body {
            Some(Body::PrivateAccount(account)) if account.vcoin_name == "BTC" => {
                Some(account.balance_amount)
            }
            _ => None,
        })
        .collect();
    // Locked by the sale; bought from the house; sold to oneself, which frees nothing; bought from oneself and again
    // from the house.
    assert_eq!(free, ["999", "1000", "1000", "1001", "1002"]);
}

/// The newest push of a channel, against a vector of the same fields.
fn check(bench: &mut Bench, conn: ConnId, channel: &str, vector: &str) -> PushDataV3ApiWrapper {
    let name = format!("spot@private.{channel}.v3.api.pb");
    let pushes = bench.pushes(conn);
    let (bytes, wrapper) = pushes.into_iter().rfind(|(_, wrapper)| wrapper.channel == name).expect("a push");
    let (mut ours, theirs) = (fields(&bytes), fields(&frame(vector)));
    if !theirs.contains("5") {
        // The wrapper's time of creation is on some private messages and not on others.
        ours.remove("5");
    }
    assert_eq!(ours, theirs, "{vector}");
    wrapper
}

#[test]
fn every_kind_of_private_push_carries_the_fields_of_its_vector() {
    let (mut bench, conn) = quoted();
    let id =
        place(&mut bench, "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=2&price=99.5&newClientOrderId=arb-1");
    let pushes = bench.pushes(conn);
    assert_eq!(fields(&pushes[0].0), fields(&frame("private_account_order_placed")));
    assert_eq!(fields(&pushes[1].0), fields(&frame("private_order_limit_new")));
    let sell = cex_sim::matching::NewOrderKind::Market { qty: cex_core::Qty(500_000) };
    bench.house_order(BTC, Side::Sell, sell);
    let partial = check(&mut bench, conn, "orders", "private_order_limit_partial");
    let Some(Body::PrivateOrders(order)) = partial.body else { panic!("another body") };
    let shown = [
        &order.price,
        &order.quantity,
        &order.amount,
        &order.avg_price,
        &order.remain_amount,
        &order.remain_quantity,
        &order.cumulative_amount,
    ];
    assert_eq!(shown, ["99.5", "2", "199", "99.5", "149.25", "1.5", "49.75"]);
    assert_eq!(
        (order.order_type, order.trade_type, order.is_maker, order.client_id.as_str()),
        (1, 1, true, "arb-1")
    );
    assert_eq!((order.id.as_str(), order.create_time), (id.as_str(), bench.now.as_millis()));
    assert_eq!(partial.symbol.as_deref(), Some("BTCUSDT"));
    bench.house_order(BTC, Side::Sell, sell);
    let deal = check(&mut bench, conn, "deals", "private_deal_buy_maker");
    let Some(Body::PrivateDeals(deal)) = deal.body else { panic!("another body") };
    assert_eq!([&deal.amount, &deal.fee_amount, &deal.fee_currency], ["49.75", "0", "USDT"]);
    assert_eq!((deal.trade_type, deal.order_id.as_str()), (1, id.as_str()));
    bench.signed("DELETE", "order", &format!("symbol=BTCUSDT&orderId={id}"));
    check(&mut bench, conn, "orders", "private_order_limit_partially_canceled");
    place(&mut bench, "symbol=BTCUSDT&side=SELL&type=IMMEDIATE_OR_CANCEL&quantity=1&price=99");
    check(&mut bench, conn, "deals", "private_deal_sell_taker");
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5");
    let market = check(&mut bench, conn, "orders", "private_order_market_buy_filled");
    let Some(Body::PrivateOrders(order)) = market.body else { panic!("another body") };
    // 0.5 at 105 at worst, 50 spent.
    assert_eq!(
        [&order.price, &order.amount, &order.avg_price, &order.remain_amount],
        ["105", "0", "100", "2.5"]
    );
    assert_eq!((order.order_type, order.status), (5, 2));
}

#[test]
fn pushed_balances_are_what_rest_then_says() {
    let (mut bench, conn) = quoted();
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1.7&price=101");
    place(&mut bench, "symbol=BTCUSDT&side=SELL&type=IMMEDIATE_OR_CANCEL&quantity=2.5&price=98");
    let pushes = bench.pushes(conn);
    for coin in ["USDT", "BTC"] {
        let last = pushes.iter().rev().find_map(|(_, wrapper)| match wrapper.body.as_ref() {
            Some(Body::PrivateAccount(account)) if account.vcoin_name == coin => Some(account),
            _ => None,
        });
        let last = last.expect("a change");
        assert_eq!((last.balance_amount.clone(), last.frozen_amount.clone()), bench.balance(coin), "{coin}");
    }
    let filled: Decimal = pushes
        .iter()
        .filter_map(|(_, wrapper)| match wrapper.body.as_ref() {
            Some(Body::PrivateDeals(deal)) if deal.trade_type == 1 => deal.quantity.parse::<Decimal>().ok(),
            _ => None,
        })
        .fold(Decimal::ZERO, |sum, qty| sum.checked_add(qty).expect("small"));
    assert_eq!(filled.to_string(), "1.7");
}

#[test]
fn two_connections_get_the_same_frames() {
    let (mut bench, one) = quoted();
    let two = bench.open_private(2, &ALL);
    place(&mut bench, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5");
    let (first, second) = (bench.take(one), bench.take(two));
    assert!(!first.is_empty());
    assert_eq!(first, second);
}
