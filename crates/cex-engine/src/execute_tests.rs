use super::*;
use cex_core::{Liquidity, OrderKind, Price, Qty, Text, TimeInForce, VenueId};

const START: Timestamp = Timestamp::from_secs(100);

fn decimal(text: &str) -> Decimal {
    text.parse().expect("decimal")
}

fn symbol() -> Symbol {
    "BTC/USDT".parse().expect("symbol")
}

fn venue() -> VenueId {
    VenueId::new(0, "a").expect("short")
}

fn run() -> OrderRun {
    let request = OrderRequest {
        venue: venue(),
        symbol: SymbolId(0),
        client_id: ClientOrderId::new("x-1b").expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit { price: Price(100), qty: Qty(5), tif: TimeInForce::Ioc },
        expires_in: Duration::from_secs(1),
    };
    OrderRun::new(START, request, decimal("5"))
}

fn id() -> OrderId {
    Text::new("77").expect("short")
}

fn report(status: OrderStatus, filled: &str) -> Order {
    Order {
        venue: venue(),
        symbol: SymbolId(0),
        order_id: Some(id()),
        client_id: None,
        side: Side::Buy,
        status,
        price: None,
        qty: None,
        filled_qty: decimal(filled),
        filled_notional: Decimal::ZERO,
        fee: None,
        created_at: START,
        as_of: START,
    }
}

fn fill(trade: &str, qty: &str) -> Fill {
    Fill {
        venue: venue(),
        symbol: SymbolId(0),
        trade_id: Text::new(trade).expect("short"),
        order_id: id(),
        client_id: None,
        side: Side::Buy,
        price: decimal("100"),
        qty: decimal(qty),
        fee: decimal("0.001"),
        fee_asset: symbol().base,
        liquidity: Liquidity::Taker,
        exchange_ts: START,
    }
}

fn booked(run: &mut OrderRun, trade: &str, qty: &str) {
    run.fill(symbol(), &fill(trade, qty)).expect("fits");
}

/// Every order of report, fills and answer ends settled with the same money.
#[test]
fn settles_whatever_comes_first() {
    type Step = fn(&mut OrderRun);
    let steps: [Step; 4] = [
        |run| run.accepted(START, id()),
        |run| run.report(START, &report(OrderStatus::Canceled, "3")),
        |run| booked(run, "1", "2"),
        |run| booked(run, "2", "1"),
    ];
    let mut orders = vec![vec![]];
    for count in 0..steps.len() {
        orders = orders
            .into_iter()
            .flat_map(|known: Vec<usize>| {
                (0..=known.len()).map(move |at| {
                    let mut next = known.clone();
                    next.insert(at, count);
                    next
                })
            })
            .collect();
    }
    assert_eq!(orders.len(), 24);
    for order in orders {
        let mut run = run();
        for (position, step) in order.iter().enumerate() {
            assert!(!run.is_settled(), "{order:?} at {position}");
            steps[*step](&mut run);
            if order[..=position].contains(&1)
                && order[..=position].contains(&2)
                && order[..=position].contains(&3)
            {
                break;
            }
        }
        assert!(run.is_settled(), "{order:?}");
        assert_eq!((run.booked.qty, run.booked.base_fee), (decimal("3"), decimal("0.002")), "{order:?}");
    }
}

#[test]
fn a_fully_filled_order_is_over_without_a_report() {
    let mut run = run();
    booked(&mut run, "1", "5");
    assert!(run.is_settled());
    run.report(START, &report(OrderStatus::PartiallyFilled, "2"));
    assert!(run.is_settled(), "an old report changes nothing");
}

#[test]
fn a_late_fill_after_the_end_still_counts() {
    let mut run = run();
    run.report(START, &report(OrderStatus::Canceled, "0"));
    assert!(run.is_settled());
    assert_eq!(run.fill(symbol(), &fill("1", "1")), Ok(true), "it came after the order was settled");
    assert!(run.is_settled());
    assert_eq!(run.booked.qty, decimal("1"));
}

#[test]
fn unknown_is_believed_absent_only_after_expiry_and_twice() {
    let mut run = run();
    run.unknown(START);
    let soon = START + Duration::from_millis(2_900);
    let late = START + Duration::from_millis(3_001);
    run.absent(soon);
    run.absent(soon);
    run.absent(soon);
    assert!(run.is_unknown(), "answers before the order could no longer arrive prove nothing");
    run.absent(late);
    assert!(run.is_unknown());
    run.absent(late);
    assert!(run.is_settled() && run.booked.qty.is_zero());
}

#[test]
fn an_accepted_order_is_not_lost_to_a_lagging_query() {
    let mut run = run();
    run.accepted(START, id());
    for _ in 0..5 {
        run.absent(START + Duration::from_secs(60));
    }
    assert_eq!(run.state, OrderState::Accepted);
}

#[test]
fn asks_when_quiet_and_for_missing_fills() {
    let mut run = run();
    let at = |millis| START + Duration::from_millis(millis);
    assert_eq!(run.question(at(999)), None);
    assert_eq!(run.question(at(1_000)), Some(Question::State));
    assert_eq!(run.question(at(1_199)), None);
    assert_eq!(run.question(at(1_200)), Some(Question::State));
    run.report(at(1_300), &report(OrderStatus::Canceled, "2"));
    assert_eq!(run.question(at(1_599)), None);
    assert_eq!(run.question(at(1_600)), Some(Question::Fills(id())));
    booked(&mut run, "1", "2");
    assert_eq!(run.question(at(99_999)), None, "settled");
    let mut unknown = self::run();
    unknown.unknown(at(50));
    assert_eq!(unknown.question(at(50)), Some(Question::State), "an unknown fate is asked about at once");
}
