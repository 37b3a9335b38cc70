use super::*;
use cex_core::{ClientOrderId, Liquidity, OrderKind, Price, Qty, Side, SymbolId, Text, TimeInForce, VenueId};

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
        order_type: None,
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
        second_fee: None,
        liquidity: Liquidity::Taker,
        exchange_ts: START,
    }
}

fn booked(run: &mut OrderRun, trade: &str, qty: &str) {
    run.fill(symbol(), &fill(trade, qty), OtherFee::default()).expect("fits");
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
    assert_eq!(
        run.fill(symbol(), &fill("1", "1"), OtherFee::default()),
        Ok(true),
        "it came after the order was settled"
    );
    assert!(run.is_settled());
    assert_eq!(run.booked.qty, decimal("1"));
}

/// The exchange does not know the order, nor is it open, nor in what was traded, nor in what is held.
fn denied(run: &mut OrderRun, asked_at: Timestamp, lag: Duration) {
    run.missing(asked_at, lag);
    run.not_open(asked_at);
    run.traded_read(asked_at);
    run.absent(asked_at);
}

#[test]
fn not_found_is_no_proof_until_all_else_was_looked_at() {
    let at = |millis| START + Duration::from_millis(millis);
    let mut run = run();
    run.unknown(at(500));
    for asked in [2_000, 4_000, 6_000, 8_000] {
        run.missing(at(asked), Duration::ZERO);
    }
    assert!(run.is_unknown(at(9_000)), "an exchange may have forgotten it");
    assert_eq!(run.question(at(9_000)), Some(Question::Open));
    run.traded_read(at(9_000));
    run.absent(at(9_000));
    assert!(run.is_unknown(at(9_000)), "what is held says nothing while the order may be open");
    let mut now = 10_000;
    let mut round = |run: &mut OrderRun| {
        now += 2_000;
        run.missing(at(now), Duration::ZERO);
        assert_eq!(run.question(at(now + 1_000)), Some(Question::Open));
        run.not_open(at(now));
        assert_eq!(run.question(at(now + 2_000)), Some(Question::Trades));
        run.traded_read(at(now));
        run.absent(at(now - 1));
        assert!(run.awaits_account(at(now)), "an answer from before what it traded was asked for is none");
        assert_eq!(run.question(at(now + 3_000)), Some(Question::Account));
        run.absent(at(now));
        at(now)
    };
    let first = round(&mut run);
    assert!(run.is_unknown(first), "once is not twice");
    assert!(!run.awaits_account(at(60_000)), "every round begins with its name");
    round(&mut run);
    assert_eq!(run.state, OrderState::Ended { status: OrderStatus::Rejected, filled: Decimal::ZERO });
}

#[test]
fn an_order_that_rests_is_cancelled_and_asked_about_again() {
    let at = |millis| START + Duration::from_millis(millis);
    let mut run = run();
    run.accepted(at(10), id());
    run.answered(at(900), at(800), &report(OrderStatus::New, "0"));
    assert_eq!(run.question(at(1_100)), Some(Question::State), "an exchange may take a moment");
    run.answered(at(1_150), at(1_100), &report(OrderStatus::PartiallyFilled, "2"));
    assert_eq!(run.question(at(1_150)), Some(Question::Cancel));
    assert_eq!(run.question(at(6_150)), Some(Question::State), "whatever the answer to that was");
    run.answered(at(6_200), at(6_150), &report(OrderStatus::PartiallyFilled, "2"));
    assert_eq!(run.question(at(6_200)), Some(Question::Cancel), "again");
    run.answered(at(11_300), at(11_200), &report(OrderStatus::Canceled, "2"));
    assert_eq!(run.question(at(16_300)), Some(Question::Fills(id())));
}

#[test]
fn unknown_is_believed_absent_only_after_it_could_not_arrive_any_more_and_twice() {
    const LAG: Duration = Duration::from_secs(2);
    let at = |millis| START + Duration::from_millis(millis);
    let mut run = run();
    // It expires one second after it was sent, which was no later than when its fate became unknown.
    run.unknown(at(500));
    for asked in [600, 2_000, 3_500] {
        denied(&mut run, at(asked), LAG);
    }
    assert!(run.is_unknown(at(9_000)), "questions asked while it could still arrive prove nothing");
    denied(&mut run, at(3_501), LAG);
    denied(&mut run, at(3_501), LAG);
    denied(&mut run, at(5_500), LAG);
    assert!(run.is_unknown(at(9_000)), "two questions close together are one");
    denied(&mut run, at(5_501), LAG);
    assert!(run.is_settled() && run.booked.qty.is_zero());
}

#[test]
fn a_denial_is_forgotten_when_the_order_turns_up() {
    let at = |millis| START + Duration::from_millis(millis);
    let mut found = run();
    found.unknown(START);
    denied(&mut found, at(10_000), Duration::ZERO);
    found.report(at(10_100), &report(OrderStatus::New, "0"));
    denied(&mut found, at(20_000), Duration::ZERO);
    assert_eq!(found.state, OrderState::Accepted);
}

/// Exchanges forget orders, and not what was traded by them: that much it filled, once that was the same twice.
#[test]
fn an_order_that_is_forgotten_filled_what_it_traded() {
    let at = |secs| START + Duration::from_secs(secs);
    let over = |filled: &str| OrderState::Ended { status: OrderStatus::Canceled, filled: decimal(filled) };
    let mut filled = run();
    filled.unknown(START);
    booked(&mut filled, "1", "2");
    denied(&mut filled, at(10), Duration::ZERO);
    booked(&mut filled, "2", "1");
    denied(&mut filled, at(12), Duration::ZERO);
    assert!(filled.is_unknown(at(12)), "it was not the same");
    denied(&mut filled, at(14), Duration::ZERO);
    assert_eq!((filled.state, filled.is_settled()), (over("3"), true));
    let mut accepted = run();
    accepted.accepted(START, id());
    for asked in [10, 12] {
        denied(&mut accepted, at(asked), Duration::ZERO);
    }
    assert_eq!(accepted.state, over("0"), "it arrived, and found nothing");
    let mut told = run();
    told.report(START, &report(OrderStatus::PartiallyFilled, "2"));
    booked(&mut told, "1", "1");
    for asked in [10, 12, 14] {
        denied(&mut told, at(asked), Duration::ZERO);
    }
    assert_eq!(told.state, OrderState::Accepted, "it filled more than its trades show");
    booked(&mut told, "2", "1");
    for asked in [16, 18] {
        denied(&mut told, at(asked), Duration::ZERO);
    }
    assert_eq!(told.state, over("2"));
}

#[test]
fn an_accepted_order_is_not_lost_to_a_lagging_query_but_doubted_when_the_denial_lasts() {
    let at = |secs| START + Duration::from_secs(secs);
    let mut run = run();
    run.accepted(START, id());
    run.missing(at(1), Duration::ZERO);
    run.missing(at(5), Duration::ZERO);
    assert!(!run.is_unknown(at(5)));
    assert!(run.is_unknown(at(6)), "denied for five seconds");
    for asked in 6..60 {
        run.missing(at(asked), Duration::ZERO);
    }
    assert_eq!(run.state, OrderState::Accepted, "what else is known of it was not looked at");
    run.report(at(61), &report(OrderStatus::New, "0"));
    assert!(!run.is_unknown(at(61)));
}

#[test]
fn an_order_unsettled_for_two_minutes_is_told_once() {
    let at = |secs| START + Duration::from_secs(secs);
    let mut run = run();
    run.accepted(START, id());
    assert!(!run.is_newly_overdue(at(119)));
    assert!(run.is_newly_overdue(at(120)) && !run.is_newly_overdue(at(121)));
    booked(&mut run, "1", "5");
    let mut settled = self::run();
    booked(&mut settled, "1", "5");
    assert!(!settled.is_newly_overdue(at(500)));
}

#[test]
fn what_speaks_against_a_venue() {
    let mut refused = run();
    refused.refused(START);
    let mut kept = run();
    kept.not_sent();
    let mut empty = run();
    empty.report(START, &report(OrderStatus::Canceled, "0"));
    let mut partial = run();
    partial.report(START, &report(OrderStatus::Canceled, "1"));
    booked(&mut partial, "1", "1");
    let both = |run: &OrderRun| (run.speaks_against_venue(false), run.speaks_against_venue(true));
    assert_eq!(both(&refused), (true, true));
    assert_eq!(both(&kept), (true, true));
    assert_eq!(both(&empty), (false, true), "a leg that found nothing says something about the book only");
    assert_eq!(both(&partial), (false, false));
    assert_eq!(both(&run()), (false, false));
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

#[test]
fn a_refusal_ends_no_order_that_the_exchange_told_of() {
    let told: [fn(&mut OrderRun); 3] = [
        |run| run.accepted(START, id()),
        |run| run.report(START, &report(OrderStatus::PartiallyFilled, "1")),
        |run| booked(run, "1", "1"),
    ];
    for tell in told {
        let mut run = run();
        tell(&mut run);
        run.refused(START + Duration::from_secs(1));
        assert!(!run.is_settled() && !matches!(run.state, OrderState::Ended { .. }), "{run:?}");
        assert_eq!(run.question(START + Duration::from_secs(1)), Some(Question::State));
    }
    let mut filled = run();
    booked(&mut filled, "1", "5");
    filled.refused(START);
    assert_eq!(filled.state, OrderState::Ended { status: OrderStatus::Filled, filled: decimal("5") });
}
