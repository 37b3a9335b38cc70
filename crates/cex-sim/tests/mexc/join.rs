//! Books from the wire: whoever follows the rules holds the exchange's book, at every version, whenever it joins.

use crate::bench::{BTC, Bench, decimal, text};
use cex_core::{Decimal, Price, Qty, Side};
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use cex_proto::mexc::{DepthLevel, PublicAggreDepths};
use cex_sim::dialect::ConnId;
use cex_sim::matching::NewOrderKind;
use proptest::prelude::*;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A book as a client keeps it, by the table of the reference.
struct ClientBook {
    last: u64,
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
}

impl ClientBook {
    fn of(snapshot: &Value) -> Self {
        let side = |name: &str| {
            let levels = snapshot[name].as_array().expect("levels");
            levels.iter().map(|level| (decimal(text(&level[0])), decimal(text(&level[1])))).collect()
        };
        let last = snapshot["lastUpdateId"].as_u64().expect("a version");
        Self { last, bids: side("bids"), asks: side("asks") }
    }

    /// Answers whether the frame was applied.
    fn apply(&mut self, frame: &PublicAggreDepths) -> bool {
        let (from, to) = versions(frame);
        if to <= self.last {
            return false;
        }
        assert!(from <= self.last + 1, "a gap: {from} after {}", self.last);
        merge(&mut self.bids, &frame.bids);
        merge(&mut self.asks, &frame.asks);
        self.last = to;
        true
    }

    fn assert_is(&self, bench: &Bench) {
        assert_eq!(self.last, bench.exchange.version(BTC));
        let bids: Vec<_> = self.bids.iter().rev().map(|(price, qty)| (*price, *qty)).collect();
        let asks: Vec<_> = self.asks.iter().map(|(price, qty)| (*price, *qty)).collect();
        assert_eq!(bids, bench.levels(BTC, Side::Buy));
        assert_eq!(asks, bench.levels(BTC, Side::Sell));
    }
}

fn merge(side: &mut BTreeMap<Decimal, Decimal>, levels: &[DepthLevel]) {
    for level in levels {
        let (price, qty) = (decimal(&level.price), decimal(&level.quantity));
        if qty.is_zero() {
            side.remove(&price)
        } else {
            side.insert(price, qty)
        };
    }
}

fn versions(frame: &PublicAggreDepths) -> (u64, u64) {
    let version = |text: &str| text.parse().expect("a version");
    (version(&frame.from_version), version(&frame.to_version))
}

/// One thing that happens to the market.
#[derive(Debug, Clone)]
enum Step {
    Order { is_buy: bool, price: i64, qty: i64 },
    Cancel(prop::sample::Index),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), 0i64..140, 1i64..6).prop_map(|(is_buy, price, qty)| Step::Order { is_buy, price, qty }),
        4 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        2 => (1u64..60).prop_map(Step::Pass),
    ]
}

/// Bids and asks overlap a little, so some orders trade.
fn run(bench: &mut Bench, step: &Step) {
    match step {
        Step::Order { is_buy, price, qty } => {
            let (side, price) =
                if *is_buy { (Side::Buy, 10_150 - price) } else { (Side::Sell, 10_145 + price) };
            let (price, qty) = (Price(price), Qty(qty * 1_000_000));
            bench.house_order(BTC, side, NewOrderKind::Limit { price, qty });
        }
        Step::Cancel(index) => {
            let open: Vec<_> = bench.exchange.open_orders(bench.house).map(|order| order.no).collect();
            if !open.is_empty() {
                let order = open[index.index(open.len())];
                bench.exchange.cancel(bench.now, bench.house, order).expect("it is open");
                bench.settle(Vec::new());
            }
        }
        Step::Pass(_) => {}
    }
}

/// Wakes the dialect step by step and shows every frame at its moment.
fn follow(
    bench: &mut Bench,
    conn: ConnId,
    span: Duration,
    mut on_frame: impl FnMut(&Bench, &PublicAggreDepths),
) {
    let until = bench.now + span;
    while let Some(at) = bench.next_wake().filter(|at| *at <= until) {
        bench.now = at;
        bench.wake();
        for (_, wrapper) in bench.pushes(conn) {
            match wrapper.body {
                Some(Body::PublicAggreDepths(frame)) => on_frame(bench, &frame),
                other => panic!("{other:?} is no depth"),
            }
        }
    }
    bench.now = until;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn snapshot_and_stream_join_at_any_moment(
        steps in prop::collection::vec(step(), 50..400),
        is_fast in any::<bool>(),
        joins in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let speed = if is_fast { "10ms" } else { "100ms" };
        let mut bench = Bench::new();
        let conn = bench.open(1, "");
        bench.subscribe(conn, &format!("spot@public.aggre.depth.v3.api.pb@{speed}@BTCUSDT"));
        let joins: Vec<usize> = joins.iter().map(|join| join.index(steps.len())).collect();
        let mut books: Vec<ClientBook> = Vec::new();
        let mut last = None;
        let end = Step::Pass(200);
        for (position, step) in steps.iter().chain([&end]).enumerate() {
            run(&mut bench, step);
            if joins.contains(&position) {
                let (_, snapshot) = bench.public("depth", "symbol=BTCUSDT&limit=1000");
                let book = ClientBook::of(&snapshot);
                book.assert_is(&bench);
                books.push(book);
            }
            let Step::Pass(millis) = step else { continue };
            follow(&mut bench, conn, Duration::from_millis(*millis), |bench, frame| {
                let (from, to) = versions(frame);
                assert!(last.is_none_or(|last| from == last + 1), "frames are contiguous");
                last = Some(to);
                for book in &mut books {
                    if book.apply(frame) {
                        book.assert_is(bench);
                    }
                }
            });
        }
        prop_assert_eq!(last, (bench.exchange.version(BTC) > 1_000_000_000).then(|| bench.exchange.version(BTC)));
        for book in &books {
            book.assert_is(&bench);
        }
    }
}
