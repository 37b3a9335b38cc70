//! Every kind of order, by example.

use super::{BASE_FEE, NOW, Pit, QUOTE_FEE, asset, decimal, deposits, exchange, limit, order};
use cex_core::{Decimal, OrderStatus, Price, Qty, Side};
use cex_sim::matching::{
    AccountIndex, EndReason, ExchangeEvent, MarketIndex, NewOrderKind, OrderNo, Reject, SelfTrade,
};

const fn ioc(price: i64, qty: i64) -> NewOrderKind {
    NewOrderKind::Ioc { price: Price(price), qty: Qty(qty) }
}

const fn fok(price: i64, qty: i64) -> NewOrderKind {
    NewOrderKind::Fok { price: Price(price), qty: Qty(qty) }
}

const fn post_only(price: i64, qty: i64) -> NewOrderKind {
    NewOrderKind::PostOnly { price: Price(price), qty: Qty(qty) }
}

const fn market(qty: i64) -> NewOrderKind {
    NewOrderKind::Market { qty: Qty(qty) }
}

fn notional(text: &str) -> NewOrderKind {
    NewOrderKind::MarketNotional { notional: decimal(text) }
}

/// Places against asks of 10 at 1000, 10 at 1010 and 30 at 1020 (that is 1.0 at 10.00 and so on) and bids of 10 at
/// 990 and 20 at 980, and compares status, reason, filled quantity and turnover.
fn check(side: Side, kind: NewOrderKind, expected: (OrderStatus, EndReason, i64, &str)) {
    let mut pit = ladder();
    let placed = pit.take(QUOTE_FEE, side, kind).expect("a good order");
    let filled = (placed.status, placed.end, placed.filled_qty.0, placed.filled_notional.to_string());
    assert_eq!(filled, (expected.0, expected.1, expected.2, expected.3.to_owned()), "{side} {kind:?}");
    assert_eq!(pit.exchange.order(placed.no), Some(&placed), "what was answered is what is remembered");
    let locked = pit.exchange.balance(pit.taker, asset(if side == Side::Buy { "QQQ" } else { "AAA" })).1;
    assert_eq!(locked.is_zero(), placed.end != EndReason::Open, "{side} {kind:?} locks {locked}");
}

fn ladder() -> Pit {
    let mut pit = Pit::new();
    for (side, price, qty) in [
        (Side::Sell, 1_000, 10),
        (Side::Sell, 1_010, 10),
        (Side::Sell, 1_020, 30),
        (Side::Buy, 990, 10),
        (Side::Buy, 980, 20),
    ] {
        pit.rest(QUOTE_FEE, side, price, qty);
    }
    pit
}

fn refused(side: Side, kind: NewOrderKind, expected: &Reject) {
    let mut pit = ladder();
    let mut events = Vec::new();
    pit.exchange.drain_events(&mut events);
    assert_eq!(pit.take(QUOTE_FEE, side, kind).as_ref(), Err(expected), "{side} {kind:?}");
    events.clear();
    pit.exchange.drain_events(&mut events);
    assert_eq!(events, [], "a refused order changes nothing");
    assert_eq!(pit.exchange.orders(pit.taker).count(), 0);
}

use EndReason as End;
use OrderStatus as Status;
use Side::{Buy, Sell};

#[test]
fn limit_orders_take_what_they_reach_and_rest() {
    check(Buy, limit(999, 5), (Status::New, End::Open, 0, "0"));
    check(Buy, limit(1_000, 4), (Status::Filled, End::Filled, 4, "4"));
    check(Buy, limit(1_010, 20), (Status::Filled, End::Filled, 20, "20.1"));
    check(Buy, limit(1_010, 25), (Status::PartiallyFilled, End::Open, 20, "20.1"));
    check(Sell, limit(991, 5), (Status::New, End::Open, 0, "0"));
    check(Sell, limit(980, 15), (Status::Filled, End::Filled, 15, "14.8"));
    check(Sell, limit(985, 15), (Status::PartiallyFilled, End::Open, 10, "9.9"));
}

#[test]
fn immediate_orders_drop_their_rest() {
    check(Buy, ioc(1_010, 25), (Status::Canceled, End::Ioc, 20, "20.1"));
    check(Buy, ioc(1_010, 15), (Status::Filled, End::Filled, 15, "15.05"));
    check(Buy, ioc(999, 15), (Status::Canceled, End::Ioc, 0, "0"));
    check(Sell, ioc(990, 15), (Status::Canceled, End::Ioc, 10, "9.9"));
}

#[test]
fn fill_or_kill_orders_fill_or_are_refused() {
    check(Buy, fok(1_010, 20), (Status::Filled, End::Filled, 20, "20.1"));
    check(Sell, fok(980, 30), (Status::Filled, End::Filled, 30, "29.5"));
    refused(Buy, fok(1_010, 21), &Reject::CannotFill);
    refused(Sell, fok(980, 31), &Reject::CannotFill);
}

#[test]
fn post_only_orders_rest_or_are_refused() {
    check(Buy, post_only(999, 5), (Status::New, End::Open, 0, "0"));
    check(Sell, post_only(991, 5), (Status::New, End::Open, 0, "0"));
    refused(Buy, post_only(1_000, 5), &Reject::WouldTake);
    refused(Sell, post_only(990, 5), &Reject::WouldTake);
}

#[test]
fn market_orders_sweep_and_drop_their_rest() {
    check(Buy, market(15), (Status::Filled, End::Filled, 15, "15.05"));
    check(Buy, market(60), (Status::Canceled, End::NoLiquidity, 50, "50.7"));
    check(Sell, market(30), (Status::Filled, End::Filled, 30, "29.5"));
    check(Sell, market(31), (Status::Canceled, End::NoLiquidity, 30, "29.5"));
}

#[test]
fn orders_by_notional_never_turn_over_more() {
    check(Buy, notional("10"), (Status::Filled, End::Filled, 10, "10"));
    // 10 at the first level, then 0.3 at 10.10; a tenth more would cost 1.01.
    check(Buy, notional("14"), (Status::Filled, End::Filled, 13, "13.03"));
    check(Buy, notional("900"), (Status::Filled, End::Filled, 50, "50.7"));
    check(Sell, notional("12"), (Status::Filled, End::Filled, 12, "11.86"));
    check(Buy, notional("0.5"), (Status::Canceled, End::NoLiquidity, 0, "0"));
}

#[test]
fn an_empty_book_ends_market_orders_at_once() {
    let mut pit = Pit::new();
    for kind in [market(10), notional("10")] {
        for side in [Buy, Sell] {
            let placed = pit.take(QUOTE_FEE, side, kind).expect("accepted");
            assert_eq!((placed.status, placed.end), (Status::Canceled, End::NoLiquidity));
        }
    }
    assert_eq!(pit.balance(pit.taker, "QQQ"), ("1000".to_owned(), "0".to_owned()));
}

#[test]
fn bad_orders_are_refused_and_change_nothing() {
    let below = Reject::BelowMinNotional(decimal("0.05"));
    let poor = |name: &str, needed: &str| Reject::InsufficientBalance {
        asset: asset(name),
        needed: decimal(needed),
        free: decimal("1000"),
    };
    for kind in [limit(0, 5), limit(5, 0), limit(-5, 5), ioc(5, -5), market(0), notional("0"), notional("-1")]
    {
        refused(Buy, kind, &Reject::NotPositive);
    }
    refused(Buy, limit(900, 1), &Reject::BelowMinQty);
    refused(Sell, market(1), &Reject::BelowMinQty);
    refused(Buy, limit(1, 49), &below);
    refused(Buy, notional("0.049"), &below);
    refused(Sell, limit(2_000, 10_001), &poor("AAA", "1000.1"));
    refused(Sell, market(10_001), &poor("AAA", "1000.1"));
    // 100 at 10.00 would do: fees are no part of what is locked.
    refused(Buy, limit(1_000, 1_001), &poor("QQQ", "1001"));
    refused(Buy, notional("1000.01"), &poor("QQQ", "1000.01"));
    refused(Buy, limit(i64::MAX, i64::MAX), &Reject::TooLarge);
    refused(Sell, limit(i64::MAX, 20_000), &Reject::TooLarge);
    let mut pit = ladder();
    let nowhere = order(MarketIndex(9), Buy, limit(1_000, 5));
    assert_eq!(pit.exchange.place(NOW, pit.taker, nowhere), Err(Reject::UnknownMarket));
}

#[test]
fn the_first_at_a_price_trades_first() {
    let mut pit = Pit::new();
    let orders: Vec<OrderNo> =
        [1_000, 990, 1_000, 990].iter().map(|price| pit.rest(QUOTE_FEE, Sell, *price, 10)).collect();
    pit.exchange.cancel(NOW, pit.maker, orders[1]).expect("it rests");
    let again = pit.rest(QUOTE_FEE, Sell, 990, 10);
    pit.take(QUOTE_FEE, Buy, limit(1_000, 35)).expect("a good order");
    let traded: Vec<OrderNo> = pit.exchange.fills(pit.maker).iter().map(|fill| fill.order).collect();
    assert_eq!(traded, [orders[3], again, orders[0], orders[2]]);
    assert_eq!(pit.levels(QUOTE_FEE, Sell), [(1_000, 5)]);
}

#[test]
fn a_buyer_who_pays_in_quote_pays_the_exact_fee() {
    let mut pit = Pit::new();
    pit.rest(QUOTE_FEE, Sell, 1_003, 7);
    let bought = pit.take(QUOTE_FEE, Buy, limit(1_100, 7)).expect("a good order");
    // 0.7 at 10.03 is 7.021; 5 bps of that is 0.0035105 for the taker, 2 bps 0.0014042 for the maker.
    assert_eq!((bought.fee, bought.fee_asset), (decimal("0.0035105"), asset("QQQ")));
    assert_eq!(pit.balance(pit.taker, "QQQ"), ("992.9754895".to_owned(), "0".to_owned()));
    assert_eq!(pit.balance(pit.taker, "AAA"), ("1000.7".to_owned(), "0".to_owned()));
    assert_eq!(pit.balance(pit.maker, "QQQ"), ("1007.0195958".to_owned(), "0".to_owned()));
    assert_eq!(pit.exchange.fees(asset("QQQ")), decimal("0.0049147"));
}

#[test]
fn a_buyer_who_has_no_quote_left_for_the_fee_pays_it_in_base() {
    let mut pit = Pit::new();
    pit.rest(QUOTE_FEE, Sell, 1_000, 1_000);
    let bought = pit.take(QUOTE_FEE, Buy, limit(1_000, 1_000)).expect("all of the quote, and no more");
    // 100 at 10 is all of the 1,000; 5 bps of 100 is 0.05.
    assert_eq!(pit.balance(pit.taker, "QQQ"), ("0".to_owned(), "0".to_owned()));
    assert_eq!(pit.balance(pit.taker, "AAA"), ("1099.95".to_owned(), "0".to_owned()));
    let fill = &pit.exchange.fills(pit.taker)[0];
    assert_eq!((fill.fee, fill.fee_asset), (decimal("0.05"), asset("AAA")));
    assert_eq!((bought.fee, bought.fee_asset), (decimal("0"), asset("QQQ")), "the fills tell of it");
}

#[test]
fn a_buyer_who_pays_in_base_gets_less_and_a_rebate_is_paid_out() {
    let mut pit = Pit::new();
    pit.rest(BASE_FEE, Buy, 100, 1_000);
    pit.take(BASE_FEE, Sell, limit(100, 300)).expect("a good order");
    // The maker bought 3 at 10 and gets 1 bp of 3 on top; the seller pays 10 bps of 30.
    assert_eq!(pit.balance(pit.maker, "BBB"), ("1003.0003".to_owned(), "0".to_owned()));
    assert_eq!(pit.balance(pit.maker, "QQQ"), ("900".to_owned(), "70".to_owned()));
    assert_eq!(pit.balance(pit.taker, "QQQ"), ("1029.97".to_owned(), "0".to_owned()));
    assert_eq!(pit.exchange.fees(asset("BBB")), decimal("-0.0003"));
    assert_eq!(pit.exchange.fees(asset("QQQ")), decimal("0.03"));
}

#[test]
fn a_resting_buyer_locks_what_the_rest_needs() {
    let mut pit = Pit::new();
    let order = pit.rest(QUOTE_FEE, Buy, 1_000, 100);
    // 10 at 10.00.
    assert_eq!(pit.balance(pit.maker, "QQQ"), ("900".to_owned(), "100".to_owned()));
    pit.take(QUOTE_FEE, Sell, limit(1_000, 40)).expect("a good order");
    // 40 is paid, a maker's 2 bps of it from what is free; 60 is still to buy.
    assert_eq!(pit.balance(pit.maker, "QQQ"), ("899.992".to_owned(), "60".to_owned()));
    let ended = pit.exchange.cancel(NOW, pit.maker, order).expect("it rests");
    assert_eq!((ended.status, ended.end, ended.filled_qty), (Status::Canceled, End::Canceled, Qty(40)));
    assert_eq!(pit.balance(pit.maker, "QQQ"), ("959.992".to_owned(), "0".to_owned()));
}

#[test]
fn an_account_may_trade_with_itself() {
    let mut pit = Pit::new();
    pit.rest(QUOTE_FEE, Sell, 1_000, 10);
    let bought =
        pit.exchange.place(NOW, pit.maker, order(QUOTE_FEE, Buy, limit(1_000, 10))).expect("a good order");
    assert_eq!(bought.status, Status::Filled);
    let sides: Vec<(Side, bool)> =
        pit.exchange.fills(pit.maker).iter().map(|fill| (fill.side, fill.is_maker)).collect();
    assert_eq!(sides, [(Sell, true), (Buy, false)]);
    assert_eq!(pit.balance(pit.maker, "AAA"), ("1000".to_owned(), "0".to_owned()));
    assert_eq!(pit.balance(pit.maker, "QQQ"), ("999.993".to_owned(), "0".to_owned()));
}

#[test]
fn only_the_owner_cancels_and_only_once() {
    let mut pit = Pit::new();
    let resting = pit.rest(QUOTE_FEE, Sell, 1_000, 10);
    assert_eq!(pit.exchange.cancel(NOW, pit.taker, resting), Err(Reject::OrderNotFound));
    assert_eq!(pit.exchange.cancel(NOW, pit.maker, OrderNo(99)), Err(Reject::OrderNotFound));
    assert!(pit.exchange.cancel(NOW, pit.maker, resting).is_ok());
    assert_eq!(pit.exchange.cancel(NOW, pit.maker, resting), Err(Reject::OrderNotFound));
    let taken = pit.rest(QUOTE_FEE, Sell, 1_000, 10);
    pit.take(QUOTE_FEE, Buy, market(10)).expect("a good order");
    assert_eq!(pit.exchange.cancel(NOW, pit.maker, taken), Err(Reject::OrderNotFound));
    assert_eq!(pit.exchange.open_orders(pit.maker).count(), 0);
}

#[test]
fn a_client_id_finds_the_newest_order_or_is_refused_the_second_time() {
    let mut pit = Pit::new();
    let named = || {
        let mut order = order(QUOTE_FEE, Buy, limit(900, 10));
        order.client_id = "mine".to_owned();
        order
    };
    let first = pit.exchange.place(NOW, pit.maker, named()).expect("a good order");
    let second = pit.exchange.place(NOW, pit.maker, named()).expect("ids may be used again");
    assert_ne!(first.no, second.no);
    assert_eq!(pit.exchange.order_by_client_id(pit.maker, "mine").map(|order| order.no), Some(second.no));
    assert_eq!(pit.exchange.order_by_client_id(pit.taker, "mine"), None);
    assert_eq!(pit.exchange.order_by_client_id(pit.maker, ""), None);
    pit.exchange.refuse_duplicate_client_ids(true);
    assert_eq!(pit.exchange.place(NOW, pit.maker, named()), Err(Reject::DuplicateClientId));
    assert!(pit.exchange.place(NOW, pit.taker, named()).is_ok(), "it is another account's id");
    assert!(pit.exchange.place(NOW, pit.taker, order(QUOTE_FEE, Buy, limit(900, 10))).is_ok());
    assert!(
        pit.exchange.place(NOW, pit.taker, order(QUOTE_FEE, Buy, limit(900, 10))).is_ok(),
        "no id is no id"
    );
}

#[test]
fn trades_are_numbered_by_market_and_the_last_thousand_remembered() {
    let mut pit = Pit::new();
    assert_eq!(pit.exchange.last_price(QUOTE_FEE), None);
    for _ in 0..1_200 {
        pit.rest(QUOTE_FEE, Sell, 100, 5);
        pit.take(QUOTE_FEE, Buy, limit(100, 5)).expect("a good order");
    }
    pit.rest(BASE_FEE, Sell, 1_001, 5);
    pit.take(BASE_FEE, Buy, market(5)).expect("a good order");
    let numbers: Vec<u64> = pit.exchange.recent_trades(QUOTE_FEE).map(|trade| trade.market_trade).collect();
    assert_eq!(numbers, (201..=1_200).collect::<Vec<u64>>());
    let other: Vec<_> =
        pit.exchange.recent_trades(BASE_FEE).map(|trade| (trade.trade.0, trade.market_trade)).collect();
    assert_eq!(other, [(1_201, 1)]);
    assert_eq!(pit.exchange.last_price(BASE_FEE), Some(Price(1_001)));
}

#[test]
fn accounts_are_found_by_key_and_list_what_they_have() {
    let exchange = exchange(&["maker", "taker"]);
    assert_eq!(exchange.account_by_key("taker"), Some(AccountIndex(1)));
    assert_eq!(exchange.account_by_key(""), None);
    assert_eq!(exchange.account(AccountIndex(1)).name, "taker");
    let mut assets: Vec<_> = exchange.balances(AccountIndex(0)).collect();
    assets.sort();
    let expected: Vec<_> =
        deposits().into_iter().map(|(asset, amount)| (asset, amount, Decimal::ZERO)).collect();
    assert_eq!(assets, expected);
}

#[test]
fn a_coin_without_a_market_can_be_held() {
    let mut exchange = exchange(&[]);
    let coin = asset("OTHER");
    let account = exchange.open_account(NOW, "holder", "k", "s", &[(coin, decimal("1.000000000000000001"))]);
    assert_eq!(exchange.balance(account, coin), (decimal("1.000000000000000001"), Decimal::ZERO));
    assert_eq!(exchange.balances(account).count(), 1);
}

#[test]
fn house_accounts_are_silent_and_forget() {
    let mut exchange = exchange(&["client"]);
    let house = exchange.open_house_account(NOW, "house", &deposits());
    assert_eq!(exchange.account_by_key(""), None);
    let mut events = Vec::new();
    exchange.drain_events(&mut events);
    events.clear();
    let first =
        exchange.place(NOW, house, order(QUOTE_FEE, Sell, limit(1_000, 10))).expect("a good order").no;
    for _ in 0..5_000 {
        let placed =
            exchange.place(NOW, house, order(QUOTE_FEE, Sell, limit(2_000, 10))).expect("a good order");
        exchange.cancel(NOW, house, placed.no).expect("it rests");
    }
    exchange
        .place(NOW, house, order(QUOTE_FEE, Buy, ioc(1_000, 4)))
        .expect("the house may trade with itself");
    exchange.drain_events(&mut events);
    let is_public =
        |event: &ExchangeEvent| matches!(event, ExchangeEvent::Level { .. } | ExchangeEvent::Trade { .. });
    assert!(events.iter().all(is_public));
    assert_eq!(exchange.orders(house).count(), 256 + 1, "the last ended ones and the open one");
    assert_eq!(exchange.order(OrderNo(first.0 + 1)), None);
    assert_eq!(exchange.order(first).map(|order| order.filled_qty), Some(Qty(4)));
    assert!(exchange.fills(house).is_empty());
    assert_eq!(exchange.orders(AccountIndex(0)).count(), 0);
}

#[test]
fn clients_orders_are_all_kept() {
    let mut pit = Pit::new();
    let numbers: Vec<OrderNo> = (0..2_000)
        .map(|_| {
            let order = pit.rest(QUOTE_FEE, Sell, 1_000, 10);
            pit.exchange.cancel(NOW, pit.maker, order).expect("it rests");
            order
        })
        .collect();
    let kept: Vec<OrderNo> = pit.exchange.orders(pit.maker).map(|order| order.no).collect();
    assert_eq!(kept, numbers);
    assert!(numbers.iter().all(|no| pit.exchange.order(*no).is_some()));
}

/// The maker's ask is in the way of the maker's own bid, behind one of the taker's.
fn own_in_the_way() -> (Pit, OrderNo) {
    let mut pit = Pit::new();
    let other = order(QUOTE_FEE, Sell, limit(1_000, 10));
    pit.exchange.place(NOW, pit.taker, other).expect("a good order");
    let own = pit.rest(QUOTE_FEE, Sell, 1_001, 20);
    pit.exchange.place(NOW, pit.taker, order(QUOTE_FEE, Sell, limit(1_002, 30))).expect("a good order");
    (pit, own)
}

#[test]
fn an_order_that_would_meet_its_own_ends_or_takes_the_other_out() {
    let stp = End::Forced(cex_sim::fault::ForcedEnd::SelfTrade);
    for (act, filled, ended, own_ended, asks) in [
        (SelfTrade::CancelNew, 10, stp, End::Open, vec![(1_001, 20), (1_002, 30)]),
        (SelfTrade::CancelOld, 25, End::Filled, stp, vec![(1_002, 15)]),
        (SelfTrade::CancelBoth, 10, stp, stp, vec![(1_002, 30)]),
    ] {
        let (mut pit, own) = own_in_the_way();
        let (maker, group) = (pit.maker, [pit.maker]);
        let bid = order(QUOTE_FEE, Buy, limit(1_002, 25));
        let placed = pit.exchange.place_apart(NOW, maker, bid, act, &group).expect("a good order");
        assert_eq!((placed.filled_qty, placed.end), (Qty(filled), ended), "{act:?}");
        assert_eq!(pit.exchange.order(own).expect("a client's").end, own_ended, "{act:?}");
        assert_eq!(pit.levels(QUOTE_FEE, Sell), asks, "{act:?}");
        let (_, locked) = pit.balance(pit.maker, "QQQ");
        assert_eq!(locked, "0", "{act:?}: nothing of an ended bid is held");
        let (_, locked) = pit.balance(pit.maker, "AAA");
        assert_eq!(locked, if own_ended == End::Open { "2" } else { "0" }, "{act:?}");
    }
}

#[test]
fn an_order_that_meets_only_others_is_placed_as_any_other() {
    let (mut pit, own) = own_in_the_way();
    let (maker, group) = (pit.maker, [pit.maker]);
    let mut apart = |kind| {
        pit.exchange.place_apart(NOW, maker, order(QUOTE_FEE, Buy, kind), SelfTrade::CancelNew, &group)
    };
    let fok = NewOrderKind::Fok { price: Price(1_001), qty: Qty(15) };
    assert_eq!(apart(fok), Err(Reject::CannotFill), "its own are not there for it");
    let rests = apart(limit(1_000, 12)).expect("a good order");
    assert_eq!((rests.filled_qty, rests.end), (Qty(10), End::Open));
    assert_eq!(pit.exchange.order(own).expect("a client's").end, End::Open);
}
