//! The order of events, as the module promises it.

use super::{NOW, Pit, QUOTE_FEE, limit};
use cex_core::{OrderStatus, Price, Qty, Side};
use cex_sim::matching::{AccountIndex, BalanceReason, ExchangeEvent, NewOrderKind};

/// An event in a few words: who or what, and what became of it.
fn words(event: &ExchangeEvent) -> String {
    let name = |account: AccountIndex| ["maker", "taker"][account.0 as usize];
    match event {
        ExchangeEvent::Level { version, side, price, qty, .. } => {
            format!("level {} {side} {}@{}", version - 1_000_000_000, qty.0, price.0)
        }
        ExchangeEvent::Trade { market_trade, taker, price, qty, .. } => {
            format!("trade {market_trade} {taker} {}@{}", qty.0, price.0)
        }
        ExchangeEvent::Order(order) => {
            format!("{} order {} {} {}", name(order.account), order.no.0, order.status, order.filled_qty.0)
        }
        ExchangeEvent::Fill(fill) => format!("{} fill {} {}", name(fill.account), fill.order.0, fill.qty.0),
        ExchangeEvent::Balance(change) => {
            let (free, locked) = (change.free_change, change.locked_change);
            format!("{} {} {:?} {free} {locked}", name(change.account), change.asset, change.reason)
        }
    }
}

fn check(pit: &mut Pit, expected: &[&str]) {
    let mut events = Vec::new();
    pit.exchange.drain_events(&mut events);
    assert_eq!(events.iter().map(words).collect::<Vec<_>>(), expected);
}

#[test]
fn accounts_open_with_their_deposits() {
    let mut pit = Pit::new();
    let deposit = |who: &str, asset: &str| format!("{who} {asset} {:?} 1000 0", BalanceReason::Deposit);
    let expected: Vec<String> = ["maker", "taker"]
        .iter()
        .flat_map(|who| ["AAA", "BBB", "QQQ"].map(|asset| deposit(who, asset)))
        .collect();
    check(&mut pit, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn an_order_that_takes_and_rests_tells_all_in_order() {
    let mut pit = Pit::new();
    pit.exchange.drain_events(&mut Vec::new());
    pit.rest(QUOTE_FEE, Side::Sell, 1_000, 10);
    check(&mut pit, &["maker AAA OrderPlaced -1 1", "maker order 1 New 0", "level 1 sell 10@1000"]);
    let placed = pit.take(QUOTE_FEE, Side::Buy, limit(1_010, 30)).expect("a good order");
    assert_eq!(placed.status, OrderStatus::PartiallyFilled);
    check(
        &mut pit,
        &[
            "taker QQQ OrderPlaced -30.3 30.3",
            "taker order 2 New 0",
            "level 2 sell 0@1000",
            "trade 1 buy 10@1000",
            "maker fill 1 10",
            "maker AAA Fill 0 -1",
            "maker QQQ Fill 10 0",
            "maker QQQ Fee -0.002 0",
            "maker order 1 Filled 10",
            "taker fill 2 10",
            "taker QQQ Fill 0 -10",
            "taker AAA Fill 1 0",
            "taker QQQ Fee -0.005 0",
            "taker QQQ OrderReleased 0.1 -0.1",
            "taker order 2 PartiallyFilled 10",
            "level 3 buy 20@1010",
        ],
    );
    pit.exchange.cancel(NOW, pit.taker, placed.no).expect("it rests");
    check(
        &mut pit,
        &["level 4 buy 0@1010", "taker QQQ OrderReleased 20.2 -20.2", "taker order 2 Canceled 10"],
    );
}

#[test]
fn an_order_that_ends_at_once_never_says_it_is_new() {
    let mut pit = Pit::new();
    pit.rest(QUOTE_FEE, Side::Buy, 1_000, 10);
    pit.exchange.drain_events(&mut Vec::new());
    let kind = NewOrderKind::Ioc { price: Price(900), qty: Qty(15) };
    pit.take(QUOTE_FEE, Side::Sell, kind).expect("a good order");
    check(
        &mut pit,
        &[
            "taker AAA OrderPlaced -1.5 1.5",
            "level 2 buy 0@1000",
            "trade 1 sell 10@1000",
            "maker fill 1 10",
            "maker QQQ Fill 0 -10",
            "maker AAA Fill 1 0",
            "maker QQQ Fee -0.002 0",
            "maker order 1 Filled 10",
            "taker fill 2 10",
            "taker AAA Fill 0 -1",
            "taker QQQ Fill 10 0",
            "taker QQQ Fee -0.005 0",
            "taker AAA OrderReleased 0.5 -0.5",
            "taker order 2 Canceled 10",
        ],
    );
}
