//! Books from the wire: whoever follows the rules holds the exchange's book, at every version, whenever it joins.

use crate::bench::{BTC, Bench, decimal, parse, text};
use cex_core::{Decimal, Price, Qty, Side};
use cex_sim::dialect::ConnId;
use cex_sim::matching::NewOrderKind;
use proptest::prelude::*;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A book as a client keeps it, by the rules of the reference.
#[derive(Default)]
struct ClientBook {
    version: Option<u64>,
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
}

impl ClientBook {
    fn replace(&mut self, bids: &Value, asks: &Value, version: u64) {
        (self.bids, self.asks) = (BTreeMap::new(), BTreeMap::new());
        self.merge(bids, asks);
        self.version = Some(version);
    }

    fn merge(&mut self, bids: &Value, asks: &Value) {
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels.as_array().expect("levels") {
                let (price, qty) = (decimal(text(&level[0])), decimal(text(&level[1])));
                if qty.is_zero() {
                    side.remove(&price)
                } else {
                    side.insert(price, qty)
                };
            }
        }
    }

    /// Applies a frame of a depth-limited channel; answers whether it was applied.
    fn apply(&mut self, frame: &Value, depth: usize) -> bool {
        let number = |key: &str| frame[key].as_u64().expect("a version");
        let version = self.version.expect("a snapshot came first");
        if number("u") <= version {
            return false;
        }
        assert!(number("U") <= version + 1, "a gap: {} after {version}", number("U"));
        self.merge(&frame["b"], &frame["a"]);
        self.version = Some(number("u"));
        while self.bids.len() > depth {
            self.bids.pop_first();
        }
        while self.asks.len() > depth {
            self.asks.pop_last();
        }
        true
    }

    fn assert_is(&self, bench: &Bench, depth: usize) {
        let bids: Vec<_> = self.bids.iter().rev().map(|(price, qty)| (*price, *qty)).collect();
        let asks: Vec<_> = self.asks.iter().map(|(price, qty)| (*price, *qty)).collect();
        assert_eq!(bids, bench.levels(BTC, Side::Buy, depth));
        assert_eq!(asks, bench.levels(BTC, Side::Sell, depth));
    }
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
            let (price, qty) = (Price(price), Qty(qty * 100_000_000));
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

fn snapshot(bench: &mut Bench, depth: usize) -> Value {
    let query = format!("currency_pair=BTC_USDT&limit={depth}&with_id=true");
    let answer = bench.call("GET", "/api/v4/spot/order_book", &query, "", &[]);
    parse(&String::from_utf8(answer.body).expect("UTF-8"))
}

/// Wakes the dialect step by step and checks every frame against the exchange at that moment.
fn follow(bench: &mut Bench, conn: ConnId, span: Duration, mut on_frame: impl FnMut(&Bench, &Value)) {
    let until = bench.now + span;
    loop {
        let at = bench.next_wake().filter(|at| *at <= until);
        bench.now = at.unwrap_or(until);
        if at.is_none() {
            return;
        }
        bench.wake();
        for frame in bench.take(conn) {
            on_frame(bench, &frame["result"]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn snapshot_and_updates_join_at_any_moment(
        steps in prop::collection::vec(step(), 50..400),
        is_fast in any::<bool>(),
        joins in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let (interval, depth) = if is_fast { ("20ms", 20) } else { ("100ms", 100) };
        let mut bench = Bench::new();
        let conn = bench.open(1);
        bench.subscribe(conn, "spot.order_book_update", &format!(r#"["BTC_USDT","{interval}"]"#));
        let joins: Vec<usize> = joins.iter().map(|join| join.index(steps.len())).collect();
        let mut books: Vec<ClientBook> = Vec::new();
        let mut last = None;
        for (position, step) in steps.iter().enumerate() {
            run(&mut bench, step);
            if joins.contains(&position) {
                let snapshot = snapshot(&mut bench, depth);
                let mut book = ClientBook::default();
                book.replace(&snapshot["bids"], &snapshot["asks"], snapshot["id"].as_u64().expect("an id"));
                book.assert_is(&bench, depth);
                books.push(book);
            }
            if let Step::Pass(millis) = step {
                follow(&mut bench, conn, Duration::from_millis(*millis), |bench, frame| {
                    let (first, now) = (frame["U"].as_u64().expect("U"), frame["u"].as_u64().expect("u"));
                    assert!(last.is_none_or(|last| first == last + 1), "frames are contiguous");
                    assert_eq!(now, bench.exchange.version(BTC));
                    last = Some(now);
                    for book in &mut books {
                        if book.apply(frame, depth) {
                            book.assert_is(bench, depth);
                        }
                    }
                });
            }
        }
    }

    #[test]
    fn full_frames_and_their_deltas_are_the_book(steps in prop::collection::vec(step(), 50..400)) {
        let mut bench = Bench::new();
        let mut readers: Vec<(ConnId, ClientBook)> = Vec::new();
        for (position, step) in steps.iter().enumerate() {
            if position % 100 == 0 {
                let conn = bench.open(position as u64 + 1);
                bench.subscribe(conn, "spot.obu", r#"["ob.BTC_USDT.50"]"#);
                readers.push((conn, ClientBook::default()));
            }
            run(&mut bench, step);
            let Step::Pass(millis) = step else { continue };
            let until = bench.now + Duration::from_millis(*millis);
            while let Some(at) = bench.next_wake().filter(|at| *at <= until) {
                bench.now = at;
                bench.wake();
                for (conn, book) in &mut readers {
                    for frame in bench.take(*conn) {
                        let frame = &frame["result"];
                        let version = frame["u"].as_u64().expect("u");
                        if frame["full"].as_bool() == Some(true) {
                            book.replace(&frame["b"], &frame["a"], version);
                        } else {
                            let joined = book.version.map(|last| last + 1);
                            assert_eq!(frame["U"].as_u64(), joined, "strictly contiguous");
                            assert!(book.apply(frame, 50));
                        }
                        book.assert_is(&bench, 50);
                    }
                }
            }
            bench.now = until;
        }
    }
}
