//! What an earlier run left half done goes on by the ordinary policy, and its money is counted once.

use super::*;
use cex_core::{Leg, Plan};

/// Buy 5 at a, sell 5 at b, as an earlier run decided; what filled of each leg, by price, quantity and fee.
fn past(
    stage: &Stage,
    bought: Option<(&str, &str, &str)>,
    sold: Option<(&str, &str, &str)>,
) -> PastArbitrage {
    let leg = |index, side, limit, fee| Leg {
        venue: stage.venue(index),
        side,
        limit: Price(limit),
        qty: Qty(500_000),
        notional: Price(limit).times(Qty(500_000)),
        fee: Bps::from_bps(fee),
    };
    let plan = Plan {
        symbol: SYMBOL,
        buy: leg(0, Side::Buy, 10_010, 5),
        sell: leg(1, Side::Sell, 10_100, 10),
        expected: decimal("3.7"),
        net_edge: Bps::from_bps(74),
    };
    let order = |leg: &Leg, id: &str, filled: Option<(&str, &str, &str)>| {
        let request = OrderRequest {
            venue: leg.venue,
            symbol: SYMBOL,
            client_id: ClientOrderId::new(id).expect("plain"),
            side: leg.side,
            kind: OrderKind::Limit { price: leg.limit, qty: leg.qty, tif: cex_core::TimeInForce::Ioc },
            expires_in: Duration::from_secs(1),
        };
        let fills = filled.map(|(price, qty, fee)| Fill {
            trade_id: Text::new(&format!("past-{id}")).expect("short"),
            ..stage.fill_event(&request, price, qty, (fee, "USDT"))
        });
        PastOrder {
            request,
            order_id: Some(order_id(&request)),
            status: OrderStatus::Canceled,
            fills: fills.into_iter().collect(),
        }
    };
    let orders = vec![order(&plan.buy, "past-1b", bought), order(&plan.sell, "past-1s", sold)];
    PastArbitrage { plan, orders, started_at: stage.now }
}

/// A stage whose engine has adopted it; openings wait.
fn adopted(bought: Option<(&str, &str, &str)>, sold: Option<(&str, &str, &str)>) -> (Stage, PastArbitrage) {
    let mut stage = Stage::ready();
    let past = past(&stage, bought, sold);
    stage.feed(Event::Mode(Mode::CloseOnly));
    stage.engine.adopt(stage.now, &past).expect("fits");
    (stage, past)
}

#[test]
fn what_was_bought_and_not_sold_is_sold_and_its_profit_is_that_of_the_whole() {
    let (mut stage, past) = adopted(Some(("100.10", "5", "0.25025")), None);
    let held = stage.engine.holdings();
    assert_eq!(stage.view().open, 1);
    let commands = stage.pass(50);
    let parents: Vec<_> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Close { parent, .. } => Some(parent.name),
            _other => None,
        })
        .collect();
    assert_eq!(parents, [past.orders[0].request.client_id], "the order says whose it is");
    let closing = placed(commands);
    let [closing] = closing.as_slice() else { panic!("one closing order, not {closing:?}") };
    assert_eq!((closing.side, closing.kind.qty()), (Side::Sell, Some(Qty(500_000))));
    assert_eq!(stage.engine.holdings(), held, "what was filled before is in the accounts already");
    let closing = *closing;
    stage.fill(&closing, "100", "5", ("0.5", "USDT"));
    stage.report(&closing, OrderStatus::Filled, "5");
    assert_eq!((stage.ended(Ending::Unwound), stage.view().open), (1, 0));
    // Bought for 500.5 and 0.25025, sold for 500 less 0.5.
    assert_eq!(stage.view().totals.realised, decimal("-1.25025"));
    let now = stage.now;
    assert_eq!(stage.engine.standing(now).day_profit, decimal("-1.25025"));
}

#[test]
fn what_was_level_ends_at_once_and_nothing_is_sent() {
    let filled = (Some(("100.10", "5", "0.25025")), Some(("101", "5", "0.505")));
    let (mut stage, _) = adopted(filled.0, filled.1);
    assert_eq!(placed(stage.pass(50)), vec![]);
    assert_eq!((stage.ended(Ending::BothFilled), stage.view().open), (1, 0));
    assert_eq!(stage.view().totals.realised, decimal("3.74475"));
    let (mut stage, _) = adopted(None, None);
    assert_eq!(placed(stage.pass(50)), vec![]);
    assert_eq!((stage.ended(Ending::NoneFilled), stage.view().open), (1, 0));
}

#[test]
fn a_fill_of_before_told_again_is_booked_no_second_time() {
    let (mut stage, past) = adopted(Some(("100.10", "5", "0.25025")), None);
    let held = stage.engine.holdings();
    let fill = past.orders[0].fills[0];
    stage.feed(Event::Account { venue: fill.venue, event: &AccountEvent::Fill(fill) });
    assert_eq!(stage.engine.holdings(), held);
    assert_eq!(stage.view().totals.duplicate_fills, 1);
}

#[test]
fn what_cannot_be_traded_away_waits_for_its_venues_and_is_parked_in_the_end() {
    let (mut stage, _) = adopted(Some(("100.10", "5", "0.25025")), None);
    for index in 0..2 {
        stage.link(index, LinkEvent::Down);
    }
    for _ in 0..299 {
        assert_eq!(placed(stage.pass(1_000)), vec![]);
        assert_eq!((stage.ended(Ending::Parked), stage.view().open), (0, 1), "connections may yet come");
    }
    assert_eq!(placed(stage.pass(2_000)), vec![]);
    assert_eq!((stage.ended(Ending::Parked), stage.view().open), (1, 0));
}

#[test]
fn a_start_that_takes_minutes_parks_nothing_untried() {
    let (mut stage, _) = adopted(Some(("100.10", "5", "0.25025")), None);
    for index in 0..2 {
        stage.link(index, LinkEvent::Down);
    }
    assert_eq!(placed(stage.pass(200_000)), vec![]);
    for index in 0..2 {
        stage.link(index, LinkEvent::Up);
        stage.link(index, LinkEvent::AccountReady);
        stage.read_account(index);
    }
    stage.join(1);
    let mut closing = placed(stage.pass(50));
    for attempt in 1..=2 {
        assert_eq!(closing.len(), 1, "one venue is enough to try: attempt {attempt}");
        stage.report(&closing[0], OrderStatus::Canceled, "0");
        closing = placed(stage.pass(250));
    }
    assert_eq!((closing.len(), stage.ended(Ending::Parked)), (0, 0), "the last attempt is the other one's");
    stage.pass(10_000);
    stage.join(0);
    let closing = placed(stage.pass(50));
    assert_eq!(closing.iter().map(|order| order.venue).collect::<Vec<_>>(), [stage.venue(0)]);
}

#[test]
fn the_attempt_kept_for_a_venue_that_never_comes_is_made_before_it_is_parked() {
    let (mut stage, _) = adopted(Some(("100.10", "5", "0.25025")), None);
    stage.link(0, LinkEvent::Down);
    for _ in 1..=2 {
        let closing = placed(stage.pass(250));
        stage.report(&closing[0], OrderStatus::Canceled, "0");
    }
    for _ in 0..299 {
        stage.delta(1, &[], &[]);
        assert_eq!(placed(stage.pass(1_000)), vec![], "the other one may yet come");
    }
    stage.delta(1, &[], &[]);
    let closing = placed(stage.pass(1_000));
    assert_eq!((closing.len(), stage.ended(Ending::Parked)), (1, 0));
    stage.report(&closing[0], OrderStatus::Canceled, "0");
    assert_eq!((placed(stage.pass(250)).len(), stage.ended(Ending::Parked)), (0, 1));
}

#[test]
fn the_time_to_trade_away_what_was_left_begins_when_all_its_venues_can_be_used() {
    let (mut stage, _) = adopted(Some(("100.10", "5", "0.25025")), None);
    assert_eq!(placed(stage.pass(50)).len(), 1);
    for index in 0..2 {
        stage.link(index, LinkEvent::Down);
    }
    let order = stage.engine.arbitrages.iter().flat_map(|arbitrage| &arbitrage.orders).last();
    let order = order.expect("the closing order").request;
    stage.report(&order, OrderStatus::Canceled, "0");
    stage.pass(6_000);
    assert_eq!(stage.ended(Ending::Parked), 1, "both could be used once");
}

#[test]
fn closings_that_no_exchange_knows_were_no_tries() {
    let mut stage = Stage::ready();
    let mut past = past(&stage, Some(("100.10", "5", "0.25025")), None);
    for number in 2..12 {
        let client_id = ClientOrderId::new(&format!("past-{number}c")).expect("plain");
        let request = OrderRequest { client_id, ..past.orders[1].request };
        let status = OrderStatus::Rejected;
        past.orders.push(PastOrder { request, order_id: None, status, fills: Vec::new() });
    }
    stage.feed(Event::Mode(Mode::CloseOnly));
    stage.engine.adopt(stage.now, &past).expect("fits");
    assert_eq!(placed(stage.pass(50)).len(), 1, "this run tries itself");
}

#[test]
fn a_fill_of_an_order_of_an_earlier_run_that_nobody_awaits_is_an_alarm() {
    for (name, alarms) in [(Some("mqhw82kb-1b"), 1), (Some("t-somebody"), 0), (None, 0)] {
        let mut stage = Stage::ready();
        let order = past(&stage, None, None).orders[0].request;
        let client_id = name.map(|name| ClientOrderId::new(name).expect("plain"));
        let fill = Fill { client_id, ..stage.fill_event(&order, "100.10", "5", ("0.25025", "USDT")) };
        stage.feed(Event::Account { venue: order.venue, event: &AccountEvent::Fill(fill) });
        let view = stage.view();
        assert_eq!((view.totals.alarms, view.killed), (alarms, alarms > 0), "{name:?}");
        assert_eq!(view.totals.foreign_fills, 1, "the holdings have it: {name:?}");
    }
}

#[test]
fn nothing_is_opened_before_what_was_left_is_level() {
    let (mut stage, _) = adopted(None, Some(("101", "5", "0.505")));
    let closing = placed(stage.pass(50));
    assert_eq!(closing.iter().map(|order| order.side).collect::<Vec<_>>(), [Side::Buy]);
    stage.now += Duration::from_millis(100);
    stage.delta(0, &[], &[]);
    let crossed = stage.delta(1, &[level(10_100, 5_000)], &[level(10_010, 0), level(10_110, 9_000)]);
    assert_eq!(placed(crossed), vec![], "close only");
    stage.fill(&closing[0], "100.10", "5", ("0.25025", "USDT"));
    stage.report(&closing[0], OrderStatus::Filled, "5");
    stage.feed(Event::Mode(Mode::Active));
    assert_eq!(stage.view().open, 0);
}
