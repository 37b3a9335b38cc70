//! What answers about one order add up to.

use super::super::names::FORGOTTEN;
use super::*;
use cex_core::{Liquidity, Side, VenueId};
use cex_errors::Op;

const DEAD: Timestamp = Timestamp::from_secs(1_000);

fn not_found() -> Result<Reply, ExchangeError> {
    let venue = VenueId::new(0, "a").expect("short");
    Err(ExchangeError::new(venue, Op::QueryOrder, ErrorKind::OrderNotFound))
}

/// Lets `seconds` pass in quarters; to what was asked the exchange knows nothing and the account traded nothing.
fn denied(inquiry: &mut Inquiry, from: Timestamp, seconds: u32) -> (Timestamp, Option<Told>) {
    let mut now = from;
    for _ in 0..seconds * 4 {
        loop {
            match inquiry.turn(now) {
                Turn::List(Request::MyTrades { .. }) => {
                    inquiry.answered(now, Ok(Reply::Fills(Vec::new())));
                }
                Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
                Turn::Ask(_) => inquiry.answered(now, not_found()),
                Turn::Wait(_) => break,
                Turn::Done(told) => return (now, Some(told)),
            }
        }
        now += PAUSE;
    }
    (now, None)
}

fn fill() -> Fill {
    Fill {
        venue: VenueId::new(0, "a").expect("short"),
        symbol: SymbolId(0),
        trade_id: TradeId::new("t").expect("short"),
        order_id: OrderId::new("o").expect("short"),
        client_id: ClientOrderId::new("mqhw82kb-1b"),
        side: Side::Buy,
        price: Decimal::from(100),
        qty: Decimal::from(2),
        fee: Decimal::ZERO,
        fee_asset: "USDT".parse().expect("an asset"),
        second_fee: None,
        liquidity: Liquidity::Taker,
        exchange_ts: DEAD - Duration::from_secs(9),
    }
}

#[test]
fn what_no_exchange_answers_passes_and_what_one_answered_does_not() {
    let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
    let venue = VenueId::new(0, "a").expect("short");
    let silent = |op| Err(ExchangeError::new(venue, op, ErrorKind::Timeout(cex_errors::Phase::AfterSend)));
    for answers in [false, true] {
        let (mut inquiry, mut now) = (Inquiry::new(DEAD, SymbolId(0), id, DEAD), DEAD);
        let told = loop {
            match inquiry.turn(now) {
                Turn::Ask(_) if answers => inquiry.answered(now, not_found()),
                Turn::List(_) if answers => inquiry.answered(now, Ok(Reply::Done)),
                Turn::Ask(request) | Turn::List(request) => inquiry.answered(now, silent(request.op())),
                Turn::Wait(until) => now = until,
                Turn::Done(told) => break told,
            }
        };
        assert_eq!(told.expect_err("it is not known").passes, !answers);
    }
}

#[test]
fn an_order_that_lives_long_is_asked_for_until_after_its_death() {
    let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
    let begun = DEAD - Duration::from_secs(70);
    let mut inquiry = Inquiry::new(begun, SymbolId(0), id, DEAD);
    assert_eq!(denied(&mut inquiry, begun, 90).1, Some(Ok(None)));
}

#[test]
fn absence_is_believed_of_two_denials_apart_after_the_order_could_arrive() {
    let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
    let begun = DEAD - Duration::from_secs(5);
    let mut inquiry = Inquiry::new(begun, SymbolId(0), id, DEAD);
    let (now, told) = denied(&mut inquiry, begun, 60);
    assert_eq!(told, Some(Ok(None)));
    assert_eq!(now, DEAD + PAUSE + APART, "the first denial that counts is the first after it could arrive");
}

#[test]
fn an_order_that_is_forgotten_and_traded_filled_what_it_traded_told_twice() {
    let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
    let fill = fill();
    let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE);
    let (mut now, mut reads) = (DEAD, 0);
    let told = loop {
        match inquiry.turn(now) {
            Turn::List(Request::MyTrades { .. }) => {
                reads += 1;
                // The first answer lacks it: histories lag.
                let fills = if reads > 1 { vec![fill] } else { Vec::new() };
                inquiry.answered(now, Ok(Reply::Fills(fills)));
            }
            Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
            Turn::Ask(_) => inquiry.answered(now, not_found()),
            Turn::Wait(until) => now = until,
            Turn::Done(told) => break told,
        }
    };
    let (order, fills) = *told.expect("it is known").expect("it arrived");
    assert_eq!((order.filled_qty, order.filled_notional), (Decimal::from(2), Decimal::from(200)));
    assert_eq!((order.status, fills), (OrderStatus::Canceled, vec![fill]));
    assert_eq!(now, DEAD + PAUSE + APART, "two answers apart that tell of it");
}

/// What comes of an order that is not found by its name when the account traded this, and these orders are known by number.
fn inquired(traded: &[Fill], recorded: Recorded, by_number: impl Fn(OrderId) -> Option<Order>) -> Told {
    let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
    let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE).knowing(recorded);
    let mut now = DEAD;
    loop {
        match inquiry.turn(now) {
            Turn::List(Request::MyTrades { order, .. }) => {
                let asked = |fill: &&Fill| order.is_none_or(|order| fill.order_id == order);
                inquiry.answered(now, Ok(Reply::Fills(traded.iter().filter(asked).copied().collect())));
            }
            Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
            Turn::Ask(Request::Order { order: OrderRef::Id(number), .. }) => {
                let known = by_number(number).map(Reply::Order);
                inquiry.answered(now, known.map_or_else(not_found, Ok));
            }
            Turn::Ask(_) => inquiry.answered(now, not_found()),
            Turn::Wait(until) => now = until,
            Turn::Done(told) => return told,
        }
    }
}

#[test]
fn trades_without_a_name_are_their_orders_as_records_or_the_exchange_tell() {
    let number = |text: &str| OrderId::new(text).expect("short");
    let trade = TradeId::new("t").expect("short");
    let fill = |order: &str| Fill { order_id: number(order), client_id: None, ..fill() };
    let order = |name: Option<&str>| {
        let client_id = name.and_then(ClientOrderId::new);
        move |order_id| told_by(&[Fill { order_id, client_id, ..fill("o") }])
    };
    let traded = [fill("o")];
    let by_trade = Recorded { trades: [(number("o"), trade)].into(), ..Recorded::default() };
    let by_order = Recorded { orders: [number("o")].into(), ..Recorded::default() };
    for recorded in [by_trade.clone(), by_order] {
        assert_eq!(inquired(&traded, recorded, |order| panic!("{order} is known")), Ok(None));
    }
    for another in [None, Some("mqhw82kb-5b"), Some("t-by-hand")] {
        let told = inquired(&traded, Recorded::default(), order(another));
        assert_eq!(told, Ok(None), "{another:?}");
    }
    let own = Recorded { own: Some(number("o")), ..by_trade };
    for recorded in [own, Recorded::default()] {
        let told = inquired(&traded, recorded, order(Some("mqhw82kb-1b"))).expect("it is known");
        assert_eq!(told.expect("it filled").0.filled_qty, Decimal::from(2));
    }
    let told = inquired(&traded, Recorded::default(), |_| None);
    assert!(told.as_ref().is_err_and(|why| why.why.contains("may be it")), "{told:?}");
    // One that is forgotten hides no other.
    let ours = order(Some("mqhw82kb-1b"));
    let by_number = |order| if order == number("o") { ours(order) } else { None };
    let told = inquired(&[fill("forgotten"), fill("o")], Recorded::default(), by_number);
    assert_eq!(told.expect("it is known").expect("it filled").0.order_id, Some(number("o")));
}

#[test]
fn an_order_that_may_be_a_forgotten_one_is_an_operators_soon() {
    let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
    let traded = vec![Fill { client_id: None, ..fill() }];
    // Once the order is known after all, whoever asks has learnt something, and asks on.
    for known_at in [None, Some(9)] {
        let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE);
        let mut now = DEAD;
        let told = loop {
            match inquiry.turn(now) {
                Turn::List(Request::MyTrades { .. }) => {
                    inquiry.answered(now, Ok(Reply::Fills(traded.clone())));
                }
                Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
                Turn::Ask(Request::Order { order: OrderRef::Id(_), .. })
                    if known_at.is_some_and(|after| now >= DEAD + Duration::from_secs(after)) =>
                {
                    let order = told_by(&traded).expect("it adds up");
                    inquiry.answered(now, Ok(Reply::Order(order)));
                }
                Turn::Ask(_) => inquiry.answered(now, not_found()),
                Turn::Wait(until) => now = until,
                Turn::Done(told) => break told,
            }
        };
        match known_at {
            None => {
                assert!(told.as_ref().is_err_and(|why| !why.passes), "{told:?}");
                assert_eq!(now, DEAD + FORGOTTEN);
            }
            Some(after) => {
                assert_eq!(told, Ok(None), "it is another's");
                assert_eq!(now, DEAD + Duration::from_secs(after) + APART);
            }
        }
    }
}

#[test]
fn trades_that_cannot_be_read_as_a_whole_keep_an_order_undecided() {
    let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
    let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE);
    let half = Ok(Reply::Done);
    let mut now = DEAD;
    let told = loop {
        match inquiry.turn(now) {
            Turn::List(Request::MyTrades { .. }) => inquiry.answered(now, half.clone()),
            Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
            Turn::Ask(_) => inquiry.answered(now, not_found()),
            Turn::Wait(until) => now = until,
            Turn::Done(told) => break told,
        }
    };
    assert_eq!(told, Err("it is not found, and trades could not be read as a whole".into()));
    assert!(now >= DEAD + PATIENCE);
}

#[test]
fn an_open_order_that_may_be_ours_keeps_it_undecided() {
    let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
    let open = |client_id| Order {
        venue: VenueId::new(0, "a").expect("short"),
        symbol: SymbolId(0),
        order_id: OrderId::new("o").ok(),
        client_id,
        side: Side::Buy,
        order_type: None,
        status: OrderStatus::New,
        price: None,
        qty: None,
        filled_qty: Decimal::ZERO,
        filled_notional: Decimal::ZERO,
        fee: None,
        created_at: DEAD,
        as_of: DEAD,
    };
    let another = ClientOrderId::new("mqhw82kb-2b").expect("short");
    for (name, absent) in [(Some(another), true), (Some(id), false), (None, false)] {
        let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE);
        let mut now = DEAD;
        let told = loop {
            match inquiry.turn(now) {
                Turn::List(Request::MyTrades { .. }) => {
                    inquiry.answered(now, Ok(Reply::Fills(Vec::new())));
                }
                Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(vec![open(name)]))),
                Turn::Ask(_) => inquiry.answered(now, not_found()),
                Turn::Wait(until) => now = until,
                Turn::Done(told) => break told,
            }
        };
        assert_eq!(told == Ok(None), absent, "{name:?}: {told:?}");
    }
}
