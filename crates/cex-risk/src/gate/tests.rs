use super::*;
use cex_core::{Price, Qty};

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn decimal(text: &str) -> Decimal {
    text.parse().expect("decimal")
}

fn limits() -> Limits {
    Limits {
        max_leg_notional: decimal("1000"),
        max_open_per_symbol: 1,
        max_open: 2,
        max_book_age: Duration::from_millis(500),
        max_age_gap: Duration::from_millis(300),
        min_edge: Bps::from_bps(3),
        max_edge: Bps::from_bps(300),
        max_orders_per_second: 3,
        cooldown: Duration::from_secs(30),
        max_unknown: 0,
        max_failures: 3,
        breaker_pause: Duration::from_secs(60),
    }
}

fn venue(index: u8) -> VenueId {
    VenueId::new(index, ["a", "b"][usize::from(index)]).expect("short")
}

fn gate() -> Gate {
    let mut gate = Gate::new(limits());
    gate.funds_mut().set_held(venue(0), "USDT".parse().expect("asset"), decimal("2000"));
    gate.funds_mut().set_held(venue(1), "BTC".parse().expect("asset"), decimal("20"));
    gate
}

/// Buys 5 at 100 on venue a, sells 5 at 101 on venue b.
fn plan(symbol: u32) -> Plan {
    let leg = |index, side, price: i64| Leg {
        venue: venue(index),
        side,
        limit: Price(price),
        qty: Qty(5_000),
        notional: Price(price).times(Qty(5_000)),
        fee: Bps::from_bps(10),
    };
    Plan {
        symbol: SymbolId(symbol),
        buy: leg(0, Side::Buy, 10_000),
        sell: leg(1, Side::Sell, 10_100),
        expected: decimal("4"),
        net_edge: Bps::from_bps(80),
    }
}

fn ids(id: &str) -> [ClientOrderId; 2] {
    ['b', 's'].map(|leg| ClientOrderId::new(&format!("{id}{leg}")).expect("plain"))
}

fn conditions() -> Conditions {
    Conditions {
        symbol: "BTC/USDT".parse().expect("symbol"),
        scale: Scale::new(2, 3).expect("fits"),
        buy_book_at: NOW,
        sell_book_at: NOW,
        expires_in: Duration::from_millis(1_500),
    }
}

fn refused(gate: &mut Gate, plan: &Plan, conditions: &Conditions) -> &'static str {
    gate.approve(NOW, plan, conditions, || ids("r")).expect_err("must be refused").rule()
}

#[test]
fn approves_immediate_orders_at_the_worst_level_and_reserves_both_legs() {
    let mut gate = gate();
    let (_, [buy, sell]) =
        gate.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("within all limits");
    let kind = |price| OrderKind::Limit { price: Price(price), qty: Qty(5_000), tif: TimeInForce::Ioc };
    assert_eq!((buy.get().kind, buy.get().side), (kind(10_000), Side::Buy));
    assert_eq!((sell.get().kind, sell.get().side), (kind(10_100), Side::Sell));
    let (usdt, btc) = ("USDT".parse().expect("asset"), "BTC".parse().expect("asset"));
    assert_eq!(gate.funds().reserved(venue(0), usdt), decimal("500.5"), "notional at the limit and the fee");
    assert_eq!(gate.funds().reserved(venue(1), btc), decimal("5"));
}

#[test]
fn each_rule_refuses_at_its_own_edge() {
    let shifted = |millis| NOW - Duration::from_millis(millis);
    let with = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan(0);
        change(&mut plan);
        plan
    };
    assert_eq!(
        refused(&mut gate(), &with(&|plan| plan.net_edge = Bps::from_e8(29_999)), &conditions()),
        "edge_below"
    );
    assert!(
        gate()
            .approve(NOW, &with(&|plan| plan.net_edge = Bps::from_bps(3)), &conditions(), || ids("x"))
            .is_ok()
    );
    assert_eq!(
        refused(&mut gate(), &with(&|plan| plan.net_edge = Bps::from_bps(301)), &conditions()),
        "edge_above"
    );
    assert!(
        gate()
            .approve(NOW, &with(&|plan| plan.net_edge = Bps::from_bps(300)), &conditions(), || ids("x"))
            .is_ok()
    );
    assert_eq!(
        refused(&mut gate(), &with(&|plan| plan.buy.qty = Qty(10_001)), &conditions()),
        "leg_notional"
    );
    assert!(
        gate().approve(NOW, &with(&|plan| plan.buy.qty = Qty(10_000)), &conditions(), || ids("x")).is_ok()
    );
    let old = Conditions { buy_book_at: shifted(501), sell_book_at: shifted(500), ..conditions() };
    assert_eq!(refused(&mut gate(), &plan(0), &old), "book_age");
    let gap = Conditions { buy_book_at: shifted(301), ..conditions() };
    assert_eq!(refused(&mut gate(), &plan(0), &gap), "age_gap");
    let edge = Conditions { buy_book_at: shifted(300), ..conditions() };
    assert!(gate().approve(NOW, &plan(0), &edge, || ids("n")).is_ok());
}

#[test]
fn a_missing_balance_refuses_and_leaves_nothing_reserved() {
    let mut gate = gate();
    let btc = "BTC".parse().expect("asset");
    gate.funds_mut().set_held(venue(1), btc, decimal("4.999"));
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "balance");
    let usdt = "USDT".parse().expect("asset");
    assert_eq!(gate.funds().reserved(venue(0), usdt), Decimal::ZERO);
    assert_eq!(gate.open_count(), 0);
}

#[test]
fn open_arbitrages_are_bounded_per_symbol_and_in_all() {
    let mut gate = gate();
    let (first, _) = gate.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("first");
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "symbol_busy");
    gate.approve(NOW, &plan(1), &conditions(), || ids("y")).expect("another symbol");
    assert_eq!(refused(&mut gate, &plan(2), &conditions()), "too_many_open");
    gate.close(NOW, first, Duration::ZERO);
    assert_eq!(gate.open_count(), 1);
}

#[test]
fn an_unclean_end_pauses_the_symbol() {
    let mut gate = gate();
    let (id, orders) = gate.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("first");
    for order in orders {
        gate.funds_mut().release(order.into_inner().client_id).expect("fits");
    }
    gate.close(NOW, id, gate.limits().cooldown);
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "cooldown");
    let later = NOW + Duration::from_secs(30);
    let fresh = Conditions { buy_book_at: later, sell_book_at: later, ..conditions() };
    assert!(gate.approve(later, &plan(0), &fresh, || ids("n")).is_ok());
}

#[test]
fn order_rate_breakers_unknowns_and_the_kill_switch_refuse_openings() {
    let mut busy = gate();
    busy.limits.max_orders_per_second = 1;
    busy.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("first");
    assert_eq!(refused(&mut busy, &plan(1), &conditions()), "order_rate");

    let mut theirs = gate();
    theirs.set_venue_rate(venue(1), 1);
    theirs.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("first");
    assert_eq!(refused(&mut theirs, &plan(1), &conditions()), "order_rate");

    let mut broken = gate();
    for name in ["a", "b", "c"] {
        let order = ClientOrderId::new(name).expect("plain");
        broken.order_ended(NOW, venue(1), order, OrderResult::Failed);
    }
    assert_eq!(refused(&mut broken, &plan(0), &conditions()), "breaker_open");

    let mut unknown = gate();
    unknown.set_unknown(venue(0), 1);
    assert_eq!(refused(&mut unknown, &plan(0), &conditions()), "unknown_orders");

    let mut killed = gate();
    killed.kill_switch().throw();
    assert_eq!(refused(&mut killed, &plan(0), &conditions()), "kill_switch");
    let closing = killed.approve_closing(NOW, SymbolId(0), &plan(0).sell, &conditions(), ids("c")[0]);
    assert!(closing.is_ok(), "closings pass the kill switch");
}
