//! The engine equals the naive matcher: answers, orders, fills, balances, books.

use super::naive::{Fill, Naive};
use super::{NOW, deposits, exchange, markets};
use cex_core::{Decimal, Price, Qty, Side};
use cex_sim::matching::{AccountIndex, Exchange, MarketIndex, NewOrder, NewOrderKind, OrderNo};
use proptest::prelude::*;

const CLIENTS: [&str; 3] = ["one", "two", "three"];

#[derive(Debug, Clone)]
enum Step {
    Place(usize, NewOrder),
    Cancel(usize, u64),
}

fn kinds() -> impl Strategy<Value = NewOrderKind> {
    let sizes = || (1i64..12, 0i64..40).prop_map(|(price, qty)| (Price(price), Qty(qty)));
    prop_oneof![
        6 => sizes().prop_map(|(price, qty)| NewOrderKind::Limit { price, qty }),
        1 => sizes().prop_map(|(price, qty)| NewOrderKind::PostOnly { price, qty }),
        2 => sizes().prop_map(|(price, qty)| NewOrderKind::Ioc { price, qty }),
        1 => sizes().prop_map(|(price, qty)| NewOrderKind::Fok { price, qty }),
        1 => sizes().prop_map(|(_, qty)| NewOrderKind::Market { qty }),
        1 => (1i128..6_000).prop_map(|units| NewOrderKind::MarketNotional { notional: Decimal::new(units, 4) }),
        // Now and then one that costs more than anybody has.
        1 => (1i64..12, 30_000i64..120_000)
            .prop_map(|(price, qty)| NewOrderKind::Limit { price: Price(price * 50), qty: Qty(qty) }),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let place =
        (0..CLIENTS.len(), 0u32..3, any::<bool>(), kinds()).prop_map(|(account, market, buys, kind)| {
            let side = if buys { Side::Buy } else { Side::Sell };
            Step::Place(
                account,
                NewOrder { market: MarketIndex(market), client_id: String::new(), side, kind },
            )
        });
    let cancel = (0..CLIENTS.len(), 1u64..60).prop_map(|(account, no)| Step::Cancel(account, no));
    prop_oneof![5 => place, 1 => cancel]
}

/// Whether the naive matcher may judge it: it leaves sizes of nothing to the examples.
fn is_positive(order: &NewOrder) -> bool {
    match order.kind {
        NewOrderKind::Limit { qty, .. }
        | NewOrderKind::PostOnly { qty, .. }
        | NewOrderKind::Ioc { qty, .. }
        | NewOrderKind::Fok { qty, .. }
        | NewOrderKind::Market { qty } => qty > Qty::ZERO,
        NewOrderKind::MarketNotional { .. } => true,
    }
}

fn run(engine: &mut Exchange, naive: &mut Naive, step: &Step) -> Result<(), TestCaseError> {
    match step {
        Step::Place(account, order) => {
            let expected = naive.place(*account, order);
            let placed = engine.place(NOW, AccountIndex(*account as u32), order.clone());
            prop_assert_eq!(placed.clone().map(|view| view.no.0 as usize - 1), expected.clone());
            if let (Ok(view), Ok(at)) = (placed, expected) {
                compare_order(&view, &naive.orders[at])?;
            }
        }
        Step::Cancel(account, no) => {
            let expected = naive.cancel(*account, *no as usize - 1);
            let cancelled = engine.cancel(NOW, AccountIndex(*account as u32), OrderNo(*no));
            prop_assert_eq!(cancelled.map(|_| ()), expected);
        }
    }
    Ok(())
}

fn compare_order(
    view: &cex_sim::matching::OrderView,
    order: &super::naive::Order,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(view.status, order.status);
    prop_assert_eq!(view.end, order.end);
    prop_assert_eq!(view.filled_qty.0, order.filled);
    prop_assert_eq!(view.filled_notional, order.turnover);
    prop_assert_eq!(view.fee, order.fee);
    Ok(())
}

fn compare(engine: &Exchange, naive: &Naive) -> Result<(), TestCaseError> {
    for (index, market) in (0..3).map(|index| (index, MarketIndex(index as u32))) {
        let plain = |(price, qty): (Price, Qty)| (price.0, qty.0);
        prop_assert_eq!(engine.bids(market).map(plain).collect::<Vec<_>>(), naive.levels(index, Side::Buy));
        prop_assert_eq!(engine.asks(market).map(plain).collect::<Vec<_>>(), naive.levels(index, Side::Sell));
    }
    for account in 0..CLIENTS.len() {
        for (asset, _) in deposits() {
            let expected = (naive.free(account, asset), naive.locked(account, asset));
            prop_assert_eq!(engine.balance(AccountIndex(account as u32), asset), expected);
            prop_assert_eq!(engine.fees(asset), naive.fees.get(&asset).copied().unwrap_or_default());
        }
    }
    Ok(())
}

/// The ledgers, and every order ever placed.
fn compare_history(engine: &Exchange, naive: &Naive) -> Result<(), TestCaseError> {
    for account in 0..CLIENTS.len() {
        let index = AccountIndex(account as u32);
        let plain = |fill: &cex_sim::matching::FillView| -> Fill {
            (account, fill.order.0 as usize - 1, fill.price.0, fill.qty.0, fill.fee, fill.is_maker)
        };
        let ledger: Vec<Fill> = engine.fills(index).iter().map(plain).collect();
        let expected: Vec<Fill> = naive.fills.iter().filter(|fill| fill.0 == account).copied().collect();
        prop_assert_eq!(ledger, expected);
    }
    for (at, order) in naive.orders.iter().enumerate() {
        let view = engine.order(OrderNo(at as u64 + 1));
        compare_order(view.expect("clients' orders are all kept"), order)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn engine_equals_naive_matcher(steps in prop::collection::vec(steps(), 1..80)) {
        let mut engine = exchange(&CLIENTS);
        let mut naive = Naive::new(markets(), CLIENTS.len(), &deposits());
        for step in &steps {
            if matches!(step, Step::Place(_, order) if !is_positive(order)) {
                continue;
            }
            run(&mut engine, &mut naive, step)?;
            compare(&engine, &naive)?;
        }
        compare_history(&engine, &naive)?;
    }
}
