//! An account from the wire: whatever happens, who follows the pushes knows what the exchange knows.

use crate::bench::{BTC, Bench, asset};
use cex_core::{Decimal, Price, Qty, Side};
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use cex_proto::mexc::{PrivateAccount, PrivateDeals, PrivateOrders, PushDataV3ApiWrapper};
use cex_sim::matching::NewOrderKind;
use proptest::prelude::*;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _};
use std::collections::BTreeMap;

/// What the pushes tell.
#[derive(Default)]
struct Followed {
    /// Free and locked, by coin.
    balances: BTreeMap<String, (Decimal, Decimal)>,
    /// Status and filled quantity, by order.
    orders: BTreeMap<String, (i32, Decimal)>,
    /// Quantity by fill.
    deals: BTreeMap<String, Decimal>,
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn sum(left: Decimal, right: Decimal) -> Decimal {
    left.checked_add(right).expect("small")
}

impl Followed {
    fn push(&mut self, wrapper: PushDataV3ApiWrapper) {
        match wrapper.body.expect("a body") {
            Body::PrivateAccount(change) => self.balance(&change),
            Body::PrivateOrders(order) => self.order(&order),
            Body::PrivateDeals(deal) => self.deal(&deal),
            other => panic!("{other:?} is not private"),
        }
    }

    /// Every change leads from the last balance to the next.
    fn balance(&mut self, change: &PrivateAccount) {
        let after = (decimal(&change.balance_amount), decimal(&change.frozen_amount));
        let moved = (decimal(&change.balance_amount_change), decimal(&change.frozen_amount_change));
        if let Some(before) = self.balances.insert(change.vcoin_name.clone(), after) {
            assert_eq!((sum(before.0, moved.0), sum(before.1, moved.1)), after, "{change:?}");
        }
    }

    /// What is filled never goes back, and nothing follows an end.
    fn order(&mut self, order: &PrivateOrders) {
        let now = (order.status, decimal(&order.cumulative_quantity));
        let open = sum(now.1, decimal(&order.remain_quantity));
        assert_eq!(open, decimal(&order.quantity), "{order:?}");
        if let Some(before) = self.orders.insert(order.id.clone(), now) {
            assert!([1, 3].contains(&before.0) && now.1 >= before.1, "{before:?} then {order:?}");
        }
    }

    fn deal(&mut self, deal: &PrivateDeals) {
        assert!(self.orders.contains_key(&deal.order_id), "its order comes first: {deal:?}");
        let known = self.deals.insert(deal.trade_id.clone(), decimal(&deal.quantity));
        assert_eq!(known, None, "told twice: {deal:?}");
    }

    fn assert_is(&self, bench: &mut Bench) {
        for (coin, told) in &self.balances {
            assert_eq!(*told, bench.exchange.balance(bench.client, asset(coin)), "{coin}");
        }
        let (_, all) = bench.signed("GET", "allOrders", "symbol=BTCUSDT&limit=1000");
        let orders = all.as_array().expect("a list");
        assert_eq!(orders.len(), self.orders.len());
        for row in orders {
            let (status, filled) = self.orders[row["orderId"].as_str().expect("an id")];
            let number = match row["status"].as_str() {
                Some("NEW") => 1,
                Some("FILLED") => 2,
                Some("PARTIALLY_FILLED") => 3,
                Some("CANCELED") => 4,
                Some("PARTIALLY_CANCELED") => 5,
                other => panic!("{other:?} is no status"),
            };
            let executed = decimal(row["executedQty"].as_str().expect("a quantity"));
            assert_eq!((status, filled), (number, executed), "{row:?}");
        }
        let booked: Vec<Decimal> = bench
            .exchange
            .fills(bench.client)
            .iter()
            .map(|fill| Decimal::new(fill.qty.0.into(), 6))
            .collect();
        assert_eq!(self.deals.len(), booked.len());
        let total = |deals: &mut dyn Iterator<Item = Decimal>| deals.fold(Decimal::ZERO, sum);
        assert_eq!(total(&mut self.deals.values().copied()), total(&mut booked.into_iter()));
    }
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Client { kind: &'static str, is_buy: bool, price: i64, qty: i64 },
    House { is_buy: bool, price: i64, qty: i64 },
    Cancel(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = ["LIMIT", "LIMIT_MAKER", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL", "MARKET"];
    let terms = || (any::<bool>(), 9_950i64..10_050, 2i64..300);
    prop_oneof![
        5 => (prop::sample::select(kinds.to_vec()), terms())
            .prop_map(|(kind, (is_buy, price, qty))| Step::Client { kind, is_buy, price, qty }),
        4 => terms().prop_map(|(is_buy, price, qty)| Step::House { is_buy, price, qty }),
        2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
    ]
}

fn run(bench: &mut Bench, step: &Step) {
    match step {
        Step::Client { kind, is_buy, price, qty } => {
            let side = if *is_buy { "BUY" } else { "SELL" };
            let (price, qty) = (Decimal::new((*price).into(), 2), Decimal::new((*qty).into(), 2));
            let params = format!("symbol=BTCUSDT&side={side}&type={kind}&price={price}&quantity={qty}");
            // Some are refused, for want of funds or of a counter order; that must leave no trace.
            bench.signed("POST", "order", &params);
        }
        Step::House { is_buy, price, qty } => {
            let side = if *is_buy { Side::Buy } else { Side::Sell };
            bench.house_order(
                BTC,
                side,
                NewOrderKind::Limit { price: Price(*price), qty: Qty(qty * 10_000) },
            );
        }
        Step::Cancel(index) => {
            let open: Vec<_> = bench.exchange.open_orders(bench.client).map(|order| order.no).collect();
            if !open.is_empty() {
                let order = open[index.index(open.len())];
                bench.exchange.cancel(bench.now, bench.client, order).expect("it is open");
                bench.settle(Vec::new());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn pushes_tell_everything_once_and_in_order(steps in prop::collection::vec(step(), 20..150)) {
        let mut bench = Bench::new();
        let conn = bench.open_private(1, &["account", "deals", "orders"]);
        let mut followed = Followed::default();
        for step in &steps {
            run(&mut bench, step);
            for (_, wrapper) in bench.pushes(conn) {
                followed.push(wrapper);
            }
            followed.assert_is(&mut bench);
        }
    }
}
