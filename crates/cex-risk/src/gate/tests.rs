use super::*;
use crate::venue::Chains;
use cex_core::{Qty, Side};

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
        max_cooldown: Duration::from_secs(60),
        max_unknown: 1,
        max_failures: 3,
        breaker_pause: Duration::from_secs(60),
        failure_window: Duration::from_secs(600),
        ..Limits::boundless()
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

fn book(as_of: Timestamp, mid: i64) -> BookFacts {
    BookFacts { as_of, venue_age: None, venue_lead: Duration::ZERO, audit_age: None, mid: Price(mid) }
}

fn conditions() -> Conditions {
    conditions_at(NOW)
}

fn conditions_at(now: Timestamp) -> Conditions {
    Conditions {
        symbol: "BTC/USDT".parse().expect("symbol"),
        scale: Scale::new(2, 3).expect("fits"),
        buy_book: book(now, 10_000),
        sell_book: book(now, 10_100),
        expires_in: Duration::from_millis(1_500),
    }
}

/// What an arbitrage came to: so much profit, and base left over that is valued at 2.
fn sums(profit: &str, base: &str) -> CycleSums {
    CycleSums {
        symbol: "BTC/USDT".parse().expect("symbol"),
        profit: decimal(profit),
        edge: Bps::ZERO,
        base: decimal(base),
        mark: decimal("2"),
    }
}

/// An arbitrage ends without profit or loss.
fn end(gate: &mut Gate, id: ArbitrageId, end: CycleEnd) {
    gate.finished(NOW, id, end, sums("0", "0")).expect("fits");
}

/// An order of venue b is refused.
fn fail(gate: &mut Gate, order: ClientOrderId) {
    let request = immediate(SymbolId(0), order, &plan(0).sell, Duration::ZERO);
    gate.venue(venue(1));
    gate.order_ended(NOW, &request, decimal("5"), OrderResult::Failed).expect("fits");
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
    let old = Conditions {
        buy_book: book(shifted(501), 10_000),
        sell_book: book(shifted(500), 10_100),
        ..conditions()
    };
    assert_eq!(refused(&mut gate(), &plan(0), &old), "book_age");
    let gap = Conditions { buy_book: book(shifted(301), 10_000), ..conditions() };
    assert_eq!(refused(&mut gate(), &plan(0), &gap), "age_gap");
    let edge = Conditions { buy_book: book(shifted(300), 10_000), ..conditions() };
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
    end(&mut gate, first, CycleEnd::Filled);
    assert_eq!(gate.open_count(), 1);
}

#[test]
fn an_unclean_end_pauses_the_symbol() {
    let mut gate = gate();
    let (id, orders) = gate.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("first");
    for order in orders {
        gate.funds_mut().release(order.into_inner().client_id).expect("fits");
    }
    end(&mut gate, id, CycleEnd::Failed);
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "cooldown");
    let later = NOW + Duration::from_secs(30);
    let fresh = Conditions { buy_book: book(later, 10_000), sell_book: book(later, 10_100), ..conditions() };
    assert!(gate.approve(later, &plan(0), &fresh, || ids("n")).is_ok());
}

#[test]
fn order_rate_breakers_unknowns_and_the_kill_switch_refuse_openings() {
    let mut busy = gate();
    busy.limits.max_orders_per_second = 1;
    busy.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("first");
    assert_eq!(refused(&mut busy, &plan(1), &conditions()), "order_rate");

    let mut theirs = gate();
    let window = OrderWindow { orders: 1, span: Duration::from_millis(1_400), per_symbol: false };
    theirs.set_order_windows(venue(1), &[window]);
    theirs.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("first");
    assert_eq!(refused(&mut theirs, &plan(1), &conditions()), "budget");

    let mut spent = gate();
    spent.set_budget_spent(venue(0), NOW + Duration::from_millis(1));
    spent.set_budget_spent(venue(0), NOW);
    assert_eq!(refused(&mut spent, &plan(0), &conditions()), "budget");
    spent.set_budget_spent(venue(1), NOW);
    spent.venue(venue(0)).budget_spent_until = NOW;
    spent.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("it fits again");

    let mut broken = gate();
    for name in ["a", "b", "c"] {
        let order = ClientOrderId::new(name).expect("plain");
        fail(&mut broken, order);
    }
    assert_eq!(refused(&mut broken, &plan(0), &conditions()), "breaker_open");
    // What is half done is closed there all the same, and that it works says nothing of the next opening.
    let [closing, _] = ids("c");
    let order = broken.approve_closing(NOW, SymbolId(0), &plan(0).sell, &conditions(), closing);
    let order = order.expect("closings pass").into_inner();
    broken.order_ended(NOW, &order, decimal("5"), OrderResult::Worked).expect("fits");
    assert_eq!(refused(&mut broken, &plan(0), &conditions()), "breaker_open");

    let mut unknown = gate();
    unknown.set_unknown(NOW, venue(0), 1);
    assert_eq!(refused(&mut unknown, &plan(0), &conditions()), "unknown_orders");

    let mut killed = gate();
    killed.kill_switch().throw();
    assert_eq!(refused(&mut killed, &plan(0), &conditions()), "kill_switch");
    let closing = killed.approve_closing(NOW, SymbolId(0), &plan(0).sell, &conditions(), ids("c")[0]);
    assert!(closing.is_ok(), "closings pass the kill switch");
}

/// A rule lets through what is at its limit and refuses what is just above.
#[test]
fn each_further_rule_refuses_just_above_its_limit() {
    type Set = fn(&mut Limits, u8);
    // The plan buys 5 at 100.00 and sells 5 at 101.00: 500 and 505. The first notch allows, the second refuses.
    let rules: [(&str, Set); 9] = [
        ("cycle_notional", |limits, notch| {
            limits.max_cycle_notional = [decimal("1005"), decimal("1004.99")][usize::from(notch)];
        }),
        ("gross", |limits, notch| {
            limits.max_gross = [decimal("1005"), decimal("1004.99")][usize::from(notch)];
        }),
        ("symbol_net", |limits, notch| {
            limits.max_symbol_net = [decimal("500"), decimal("499.99")][usize::from(notch)];
        }),
        ("balance", |limits, notch| {
            limits.fee_buffer = [Bps::from_fraction(decimal("2.996")), Bps::from_fraction(decimal("2.9961"))]
                [usize::from(notch)]
            .expect("fits");
        }),
        ("cross_collar", |limits, notch| {
            limits.max_cross_collar = [Bps::from_e8(990_099), Bps::from_e8(990_098)][usize::from(notch)];
        }),
        ("day_notional", |limits, notch| {
            limits.max_day_notional = [decimal("1005"), decimal("1004.99")][usize::from(notch)];
        }),
        ("day_orders", |limits, notch| {
            limits.max_orders_per_day = [2, 1][usize::from(notch)];
        }),
        ("minute_orders", |limits, notch| {
            limits.max_orders_per_minute = [2, 1][usize::from(notch)];
        }),
        ("inventory", |limits, notch| {
            limits.min_inventory_share = [Bps::from_bps(7_497), Bps::from_bps(7_498)][usize::from(notch)];
        }),
    ];
    for (rule, set) in rules {
        for notch in [0, 1] {
            let mut gate = gate();
            set(&mut gate.limits, notch);
            let result =
                gate.approve(NOW, &plan(0), &conditions(), || ids("x")).map_err(|error| error.rule());
            assert_eq!(result.err(), (notch == 1).then_some(rule), "{rule}");
        }
    }
}

#[test]
fn prices_far_from_their_book_and_data_old_by_the_exchange_are_refused() {
    let mut gate = gate();
    gate.limits.max_collar = Bps::from_bps(50);
    gate.limits.max_venue_age = Duration::from_millis(1_000);
    let with = |mid, age| BookFacts { venue_age: Some(Duration::from_millis(age)), ..book(NOW, mid) };
    let facts = |mid, age| Conditions { buy_book: with(mid, age), ..conditions() };
    assert_eq!(refused(&mut gate, &plan(0), &facts(9_950, 0)), "collar", "100.00 is 50.25 bps above 99.50");
    assert_eq!(refused(&mut gate, &plan(0), &facts(0, 0)), "collar", "no middle is no price to go by");
    assert_eq!(refused(&mut gate, &plan(0), &facts(10_000, 1_001)), "book_age");
    assert!(gate.approve(NOW, &plan(0), &facts(9_951, 1_000), || ids("x")).is_ok());
}

#[test]
fn a_book_of_a_time_to_come_is_refused_as_one_too_old_is() {
    let with = |book: BookFacts, millis| BookFacts {
        venue_age: Some(Duration::ZERO),
        venue_lead: Duration::from_millis(millis),
        ..book
    };
    let told = |buy, sell| {
        let Conditions { buy_book, sell_book, .. } = conditions();
        Conditions { buy_book: with(buy_book, buy), sell_book: with(sell_book, sell), ..conditions() }
    };
    assert_eq!(refused(&mut gate(), &plan(0), &told(1_251, 0)), "book_ahead");
    assert_eq!(refused(&mut gate(), &plan(0), &told(0, 1_251)), "book_ahead");
    assert!(
        gate().approve(NOW, &plan(0), &told(1_250, 1_250), || ids("x")).is_ok(),
        "clocks differ a little"
    );
}

#[test]
fn an_edge_too_good_to_be_true_puts_its_symbol_into_quarantine() {
    let mut gate = gate();
    gate.limits.quarantine = Duration::from_secs(300);
    let suspect = Plan { net_edge: Bps::from_bps(301), ..plan(0) };
    assert_eq!(refused(&mut gate, &suspect, &conditions()), "edge_above");
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "quarantine", "also a plan that would do");
    assert!(gate.approve(NOW, &plan(1), &conditions(), || ids("y")).is_ok(), "not another symbol");
    let told: Vec<_> = gate.take_trips().map(|trip| (trip.rule, trip.scope)).collect();
    assert_eq!(told, [("quarantine", Scope::Symbol(SymbolId(0)))]);
    assert_eq!(gate.trips(NOW + Duration::from_secs(299)).count(), 1);
    assert_eq!(gate.trips(NOW + Duration::from_secs(300)).count(), 0);
}

/// Under the limits that are shipped: books 4 % apart, and the edge of them, say more than that this plan is none.
#[test]
fn an_edge_too_good_to_be_true_is_told_though_the_books_are_too_far_apart_as_well() {
    let mut gate = gate();
    (gate.limits.max_cross_collar, gate.limits.max_edge) = (Bps::from_bps(200), Bps::from_bps(300));
    gate.limits.quarantine = Duration::from_secs(300);
    let apart = Conditions { sell_book: book(NOW, 10_400), ..conditions() };
    let wide = Plan { net_edge: Bps::from_bps(400), ..plan(0) };
    // What is too old to decide on says nothing of its edge.
    let old = Conditions { buy_book: book(NOW - Duration::from_millis(501), 10_000), ..apart };
    assert_eq!(refused(&mut gate, &wide, &old), "book_age");
    assert_eq!(gate.take_trips().count(), 0);
    assert_eq!(refused(&mut gate, &wide, &apart), "edge_above");
    let told: Vec<_> = gate.take_trips().map(|trip| (trip.rule, trip.scope)).collect();
    assert_eq!(told, [("quarantine", Scope::Symbol(SymbolId(0)))]);
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "quarantine");
    assert_eq!(refused(&mut gate, &plan(1), &apart), "cross_collar", "an edge that could be");
}

#[test]
fn the_kill_switch_and_the_journal_decide_first_and_the_mode_last() {
    let mut gate = gate();
    let before = gate.standing(NOW);
    for (mode, rule) in [(Mode::Observe, "observe"), (Mode::CloseOnly, "close_only")] {
        gate.set_mode(mode);
        for _ in 0..20 {
            assert_eq!(refused(&mut gate, &plan(0), &conditions()), rule);
        }
        let old = Conditions { buy_book: book(NOW - Duration::from_millis(501), 10_000), ..conditions() };
        assert_eq!(refused(&mut gate, &plan(0), &old), "book_age", "whoever only watches is told why");
        let thin = Plan { net_edge: Bps::ZERO, ..plan(0) };
        assert_eq!(refused(&mut gate, &thin, &conditions()), "edge_below");
        gate.kill_switch().throw();
        assert_eq!(refused(&mut gate, &plan(0), &old), "kill_switch");
        gate.kill_switch().reset();
    }
    assert_eq!((gate.standing(NOW), gate.open_count()), (before, 0), "nothing is counted");
    assert_eq!((gate.trips(NOW).count(), gate.funds().orders().count()), (0, 0));
    gate.set_mode(Mode::Active);
    for state in [JournalState::Behind, JournalState::Failed] {
        gate.set_journal(state);
        assert_eq!(refused(&mut gate, &plan(0), &conditions()), "journal");
    }
    gate.set_journal(JournalState::Well);
    gate.block(SymbolId(0), Some("coins differ"));
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "symbol");
    gate.block(SymbolId(0), None);
    assert!(gate.approve(NOW, &plan(0), &conditions(), || ids("x")).is_ok());
}

#[test]
fn closed_or_unknown_wallets_refuse() {
    let (usdt, btc) = ("USDT".parse().expect("asset"), "BTC".parse().expect("asset"));
    let open = Wallet::OPEN;
    let way = |number| Chains::NONE.with(number);
    let minute = Duration::from_secs(60);
    for (where_, asset, closed) in [
        (0, btc, Wallet { withdrawals: Chains::NONE, ..open }),
        (1, btc, Wallet { deposits: Chains::NONE, ..open }),
        (1, usdt, Wallet { withdrawals: Chains::NONE, ..open }),
        (0, usdt, Wallet { deposits: Chains::NONE, ..open }),
    ] {
        let mut gate = gate();
        let leaves = Wallet { withdrawals: way(0).with(2), ..open };
        gate.set_wallets(NOW, venue(0), minute, [(usdt, open), (btc, leaves)]);
        gate.set_wallets(NOW, venue(1), minute, [(usdt, open), (btc, Wallet { deposits: way(1), ..open })]);
        assert_eq!(refused(&mut gate, &plan(1), &conditions()), "wallet", "it leaves over other chains");
        let arrives = Wallet { deposits: way(1).with(2), ..open };
        gate.set_wallets(NOW, venue(1), minute, [(usdt, open), (btc, arrives)]);
        gate.approve(NOW, &plan(1), &conditions(), || ids("y")).expect("all open");
        let all = [(usdt, open), (btc, open)]
            .map(|(known, wallet)| (known, if known == asset { closed } else { wallet }));
        gate.set_wallets(NOW, venue(where_), minute, all);
        assert_eq!(refused(&mut gate, &plan(0), &conditions()), "wallet", "{asset} at {where_}");
        gate.set_wallets(NOW, venue(where_), minute, [(usdt, open)]);
        assert_eq!(refused(&mut gate, &plan(0), &conditions()), "wallet", "not named");
    }
}

#[test]
fn failures_stop_the_symbol_then_everything_until_an_operator_has_looked() {
    let mut gate = gate();
    (gate.limits.max_symbol_failures, gate.limits.max_all_failures) = (2, 4);
    (gate.limits.cooldown, gate.limits.max_cooldown) = (Duration::ZERO, Duration::ZERO);
    gate.limits.max_orders_per_second = u32::MAX;
    let open = |gate: &mut Gate, symbol, name: &str| {
        let (id, orders) = gate.approve(NOW, &plan(symbol), &conditions(), || ids(name))?;
        for order in orders {
            let order = order.into_inner();
            gate.order_ended(NOW, &order, decimal("5"), OrderResult::Worked).expect("fits");
        }
        end(gate, id, CycleEnd::Failed);
        Ok::<(), Refusal>(())
    };
    open(&mut gate, 0, "a").expect("first");
    open(&mut gate, 0, "b").expect("second");
    assert_eq!(open(&mut gate, 0, "c").map_err(|error| error.rule()), Err("symbol_breaker_open"));
    open(&mut gate, 1, "d").expect("another symbol");
    open(&mut gate, 2, "e").expect("and one more");
    assert_eq!(open(&mut gate, 3, "f").map_err(|error| error.rule()), Err("all_failures"));
    gate.acknowledge();
    open(&mut gate, 3, "g").expect("an operator has looked");
}

#[test]
fn legs_that_found_nothing_rest_their_symbol_and_stop_nothing_else() {
    let mut gate = gate();
    (gate.limits.max_symbol_failures, gate.limits.max_all_failures) = (2, 2);
    (gate.limits.cooldown, gate.limits.max_cooldown) = (Duration::from_secs(30), Duration::from_secs(60));
    gate.limits.max_orders_per_second = u32::MAX;
    for (symbol, name) in [(0, "a"), (1, "b"), (2, "c"), (3, "d")] {
        let (id, orders) =
            gate.approve(NOW, &plan(symbol), &conditions(), || ids(name)).expect("others rest");
        for order in orders {
            let order = order.into_inner();
            gate.order_ended(NOW, &order, decimal("5"), OrderResult::Worked).expect("fits");
        }
        end(&mut gate, id, CycleEnd::Missed);
        assert_eq!(refused(&mut gate, &plan(symbol), &conditions()), "cooldown");
    }
}

#[test]
fn losses_drift_dust_and_naked_legs_stop_what_they_concern() {
    let mut gate = gate();
    gate.limits.max_cycle_loss = decimal("5");
    gate.limits.max_dust = decimal("10");
    gate.limits.max_drift = decimal("1");
    gate.limits.max_naked_notional = decimal("200");
    gate.naked(SymbolId(7), decimal("200"));
    gate.drifted(venue(0), decimal("2"));
    gate.drifted(venue(0), decimal("0"));
    gate.drifted(venue(0), decimal("2"));
    assert_eq!(gate.take_trips().count(), 0, "at the limit, and not twice in a row");
    gate.naked(SymbolId(7), decimal("200.01"));
    gate.drifted(venue(0), decimal("2"));
    let (id, _) = {
        gate.acknowledge();
        gate.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("nothing in force")
    };
    gate.finished(NOW, id, CycleEnd::Failed, sums("-5.01", "5.5")).expect("fits");
    let told: Vec<_> = gate.take_trips().map(|trip| (trip.rule, trip.until)).collect();
    assert_eq!(
        told,
        [("naked", Until::Operator), ("drift", Until::Operator), ("cycle_loss", Until::Operator)]
    );
    assert_eq!(refused(&mut gate, &plan(1), &conditions()), "cycle_loss");
    gate.acknowledge();
    let (id, _) = gate.approve(NOW, &plan(1), &conditions(), || ids("y")).expect("nothing in force");
    gate.finished(NOW, id, CycleEnd::Filled, sums("0", "-5.5")).expect("fits");
    assert_eq!(refused(&mut gate, &plan(2), &conditions()), "dust");
    gate.acknowledge();
    assert!(gate.approve(NOW, &plan(2), &conditions(), || ids("z")).is_ok(), "somebody has looked at it");
}

#[test]
fn whoever_has_looked_at_one_loss_has_not_lifted_the_days_limit() {
    let mut gate = gate();
    (gate.limits.max_cycle_loss, gate.limits.max_day_loss) = (decimal("5"), decimal("5"));
    let (id, _) = gate.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("nothing in force");
    gate.finished(NOW, id, CycleEnd::Filled, sums("-6", "0")).expect("fits");
    let told: Vec<_> = gate.take_trips().map(|trip| trip.rule).collect();
    assert_eq!(told, ["cycle_loss", "day_loss"]);
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "cycle_loss");
    gate.acknowledge();
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "day_loss");
}

#[test]
fn every_rule_that_an_arbitrage_breaks_is_told_and_waits_for_an_operator() {
    let (mut gate, mut later) = (gate(), gate());
    (gate.limits.max_cycle_loss, gate.limits.max_drawdown) = (decimal("5"), decimal("5"));
    let (id, _) = gate.approve(NOW, &plan(0), &conditions(), || ids("x")).expect("nothing in force");
    gate.finished(NOW, id, CycleEnd::Filled, sums("-6", "0")).expect("fits");
    let told: Vec<_> = gate.take_trips().collect();
    let rules = |trips: &[Trip]| trips.iter().map(|trip| trip.rule).collect::<Vec<_>>();
    assert_eq!(rules(&told), ["cycle_loss", "drawdown"]);
    // Whoever takes them writes them down, and the next run has both.
    told.iter().for_each(|trip| later.recall().trip(*trip));
    for gate in [&mut gate, &mut later] {
        assert_eq!(gate.trips(NOW).collect::<Vec<_>>(), told);
        gate.acknowledge();
        assert_eq!(gate.trips(NOW).count(), 0);
    }
    assert!(gate.approve(NOW, &plan(1), &conditions(), || ids("y")).is_ok(), "an operator has looked");
}

#[test]
fn an_acknowledged_drawdown_is_counted_anew_in_this_run_and_in_the_next() {
    let limits = Limits { max_drawdown: decimal("5"), ..limits() };
    let (mut gate, mut later) = (gate(), gate());
    (gate.limits, later.limits) = (limits.clone(), limits);
    let lose = |gate: &mut Gate, later: &mut Gate, profit: &str| {
        let id = gate.adopt(NOW, SymbolId(0), [venue(0), venue(1)], Decimal::ZERO);
        gate.finished(NOW, id, CycleEnd::Filled, sums(profit, "0")).expect("fits");
        let told: Vec<_> = gate.take_trips().map(|trip| trip.rule).collect();
        let mut recall = later.recall();
        recall.end(NOW, Some(SymbolId(0)), CycleEnd::Filled, sums(profit, "0"), None).expect("fits");
        drop(recall);
        assert_eq!(
            later.standing(NOW).to_string(),
            gate.standing(NOW).to_string(),
            "what a session ends with"
        );
        told
    };
    assert_eq!(lose(&mut gate, &mut later, "10"), [] as [&str; 0]);
    assert_eq!(lose(&mut gate, &mut later, "-6"), ["drawdown"]);
    gate.acknowledge();
    later.recall().acknowledged();
    assert_eq!(later.standing(NOW), gate.standing(NOW));
    assert_eq!(gate.standing(NOW).peak, decimal("4"));
    assert_eq!(lose(&mut gate, &mut later, "-5"), [] as [&str; 0], "five since then may be lost");
    assert_eq!(lose(&mut gate, &mut later, "-1"), ["drawdown"]);
    assert_eq!(later.trips(NOW).collect::<Vec<_>>(), gate.trips(NOW).collect::<Vec<_>>());
}

#[test]
fn a_venue_that_is_held_already_tells_of_the_next_rule_too() {
    let mut gate = gate();
    gate.limits.max_drift = decimal("1");
    let scope = Scope::Venue(venue(0));
    gate.trip(Trip { rule: "clock", scope, until: Until::Operator });
    gate.drifted(venue(0), decimal("2"));
    gate.drifted(venue(0), decimal("2"));
    assert_eq!(gate.take_trips().map(|trip| trip.rule).collect::<Vec<_>>(), ["clock", "drift"]);
    assert_eq!(gate.trips(NOW).count(), 2);
    gate.acknowledge();
    assert_eq!(gate.trips(NOW).count(), 0);
}

#[test]
fn an_account_that_goes_on_differing_stops_its_venue_again() {
    let mut gate = gate();
    gate.limits.max_drift = decimal("1");
    for _ in 0..2 {
        gate.drifted(venue(0), decimal("2"));
        assert_eq!(gate.trips(NOW).count(), 0, "once may be a message on its way");
        gate.drifted(venue(0), decimal("2"));
        assert_eq!(gate.trips(NOW).count(), 1);
        gate.acknowledge();
    }
}

/// The same ends, told as they come and recalled after a restart.
#[test]
fn a_restart_forgets_neither_losses_nor_pauses_nor_trips() {
    let limits = Limits { max_day_loss: decimal("5"), max_symbol_failures: 2, ..limits() };
    let (mut gate, mut later) = (Gate::new(limits.clone()), Gate::new(limits));
    for venue in [venue(0), venue(1)] {
        for asset in ["USDT", "BTC"] {
            gate.funds_mut().set_held(venue, asset.parse().expect("asset"), decimal("2000"));
        }
    }
    let ends = [("1", CycleEnd::Filled), ("-4", CycleEnd::Failed), ("-3", CycleEnd::Failed)];
    for (index, (profit, end)) in ends.into_iter().enumerate() {
        let now = NOW + Duration::from_secs(100 * index as u64);
        let fresh = || ids(["r1", "r2", "r3"][index]);
        let (id, _) = gate.approve(now, &plan(0), &conditions_at(now), fresh).expect("passes");
        let sums = CycleSums { edge: Bps::from_bps(-1), ..sums(profit, "-0.25") };
        gate.finished(now, id, end, sums).expect("fits");
        let (opened, mut recall) = ((now, decimal("1005")), later.recall());
        recall.opening(opened.0, opened.1).expect("fits");
        recall.end(now, Some(SymbolId(0)), end, sums, Some(opened)).expect("fits");
    }
    let now = NOW + Duration::from_secs(201);
    assert_eq!(later.standing(now), gate.standing(now));
    assert_eq!(later.standing(now).day_profit, decimal("-6"));
    assert_eq!((later.standing(now).orders_today, later.standing(now).dust), (6, decimal("1.5")));
    let rules = |gate: &Gate| gate.trips(now).map(|trip| trip.rule).collect::<Vec<_>>();
    assert_eq!(
        rules(&later),
        ["day_loss", "symbol_failures"],
        "more than five were lost today, and two failed"
    );
    assert_eq!(rules(&later), rules(&gate));
    assert_eq!(later.take_trips().count(), 0, "it was told when it happened");
    // The day over, what the symbol did still counts.
    let tomorrow = NOW + Duration::from_secs(86_400);
    assert_eq!(later.standing(tomorrow).day_profit, Decimal::ZERO);
    assert_eq!(later.standing(tomorrow).total, decimal("-6"));
    later.acknowledge();
    assert_eq!(later.standing(now).dust, Decimal::ZERO, "somebody has looked at what was left over");
}

#[test]
fn what_is_swept_evens_out_what_was_left_and_fails_nothing() {
    let limits = Limits { max_symbol_dust: decimal("1"), max_all_failures: 1, ..limits() };
    let mut gate = Gate::new(limits);
    for (venue, asset) in [(venue(0), "USDT"), (venue(1), "BTC")] {
        gate.funds_mut().set_held(venue, asset.parse().expect("asset"), decimal("2000"));
    }
    let (id, _) = gate.approve(NOW, &plan(0), &conditions(), || ids("a")).expect("passes");
    gate.finished(NOW, id, CycleEnd::Filled, sums("0", "-0.6")).expect("fits");
    assert_eq!(refused(&mut gate, &plan(0), &conditions()), "dust");
    let venues = [venue(0), venue(1)];
    let sweep = gate.adopt(NOW, SymbolId(0), venues, Decimal::ZERO);
    gate.finished(NOW, sweep, CycleEnd::Swept, sums("-0.1", "0.5")).expect("fits");
    assert_eq!((gate.standing(NOW).dust, gate.standing(NOW).total), (decimal("0.2"), decimal("-0.1")));
    assert!(gate.approve(NOW, &plan(0), &conditions(), || ids("b")).is_ok(), "no pause, no breaker");
}

#[test]
fn what_cannot_be_traded_away_stops_its_symbol_until_an_operator_has_looked() {
    let mut gate = gate();
    let (id, _) = gate.approve(NOW, &plan(0), &conditions(), || ids("a")).expect("passes");
    gate.finished(NOW, id, CycleEnd::Parked, sums("0", "1")).expect("fits");
    let trip = Trip { rule: "parked", scope: Scope::Symbol(SymbolId(0)), until: Until::Operator };
    assert_eq!(gate.take_trips().collect::<Vec<_>>(), [trip]);
    let parked = |gate: &Gate| gate.left_over().iter().any(|(_, dust)| dust.parked);
    assert!(parked(&gate));
    gate.acknowledge();
    assert!(!parked(&gate) && gate.trips(NOW).count() == 0);
}

#[test]
fn the_position_of_a_symbol_is_what_was_received_and_given() {
    let mut gate = gate();
    let symbol: Symbol = "BTC/USDT".parse().expect("symbol");
    let fill = |side, fee_asset: &str| Fill {
        venue: venue(0),
        symbol: SymbolId(0),
        trade_id: cex_core::Text::new("1").expect("short"),
        order_id: cex_core::Text::new("1").expect("short"),
        client_id: None,
        side,
        price: decimal("100"),
        qty: decimal("5"),
        fee: decimal("0.01"),
        fee_asset: fee_asset.parse().expect("asset"),
        second_fee: None,
        liquidity: cex_core::Liquidity::Taker,
        exchange_ts: NOW,
    };
    let worst = |gate: &mut Gate| gate.symbol(SymbolId(0)).worst(Decimal::ZERO).expect("fits").to_string();
    gate.carry(symbol, &fill(Side::Buy, "BTC")).expect("fits");
    assert_eq!(worst(&mut gate), "4.99", "long by what came");
    gate.carry(symbol, &fill(Side::Sell, "BTC")).expect("fits");
    assert_eq!(worst(&mut gate), "0.02", "short by both fees");
    gate.carry(symbol, &fill(Side::Buy, "USDT")).expect("fits");
    assert_eq!(worst(&mut gate), "4.98");
    gate.book(symbol, &fill(Side::Buy, "USDT")).expect("fits");
    assert_eq!(worst(&mut gate), "4.98", "holdings alone are no position");
    let open = gate.adopt(NOW, SymbolId(0), [venue(0), venue(1)], Decimal::ZERO);
    gate.acknowledge();
    assert_eq!(worst(&mut gate), "4.98", "what is on the way is levelled yet");
    gate.finished(NOW, open, CycleEnd::Parked, sums("0", "4.98")).expect("fits");
    gate.acknowledge();
    assert_eq!(worst(&mut gate), "0");
}

#[test]
fn a_venue_whose_orders_failed_is_tried_with_one_order_after_a_restart_too() {
    let (mut gate, mut later) = (gate(), gate());
    for order in ["a", "b", "c"] {
        fail(&mut gate, ClientOrderId::new(order).expect("plain"));
    }
    let trips: Vec<_> = gate.take_trips().collect();
    let until = NOW + Duration::from_secs(60);
    let scope = Scope::Venue(venue(1));
    assert_eq!(trips, [Trip { rule: "venue_failures", scope, until: Until::Time(until) }]);
    later.recall().trip(trips[0]);
    for gate in [&gate, &later] {
        assert_eq!(gate.trips(until - Duration::from_nanos(1)).collect::<Vec<_>>(), trips);
        assert_eq!(gate.trips(until).count(), 0, "the next order decides");
    }
    assert_eq!(refused(&mut later, &plan(0), &conditions()), refused(&mut gate, &plan(0), &conditions()));
    let after = conditions_at(until);
    later.approve(until, &plan(0), &after, || ids("d")).expect("the pause is over");
    let next = later.approve(until, &plan(1), &after, || ids("e")).expect_err("one at a time");
    assert_eq!(next.rule(), "breaker_open");
    assert_eq!(later.take_trips().count(), 0, "it was told when it happened");
}

#[test]
fn a_symbol_whose_arbitrages_failed_is_told_and_tried_with_one_after_a_restart_too() {
    let limits = Limits { max_symbol_failures: 1, cooldown: Duration::ZERO, ..limits() };
    let (mut gate, mut later) = (gate(), gate());
    (gate.limits, later.limits) = (limits.clone(), limits);
    let (id, _) = gate.approve(NOW, &plan(0), &conditions(), || ids("a")).expect("nothing in force");
    end(&mut gate, id, CycleEnd::Failed);
    let trips: Vec<_> = gate.take_trips().collect();
    let until = NOW + Duration::from_secs(60);
    let scope = Scope::Symbol(SymbolId(0));
    assert_eq!(trips, [Trip { rule: "symbol_failures", scope, until: Until::Time(until) }]);
    later.recall().trip(trips[0]);
    let after = conditions_at(until);
    for (gate, names) in [(&mut gate, ["b", "c"]), (&mut later, ["d", "e"])] {
        assert_eq!(gate.trips(until - Duration::from_nanos(1)).collect::<Vec<_>>(), trips);
        gate.acknowledge();
        assert_eq!(refused(gate, &plan(0), &conditions()), "symbol_breaker_open", "time ends it");
        assert_eq!((gate.trips(until).count(), gate.is_probing(until, SymbolId(0))), (0, true));
        let (probe, _) = gate.approve(until, &plan(0), &after, || ids(names[0])).expect("the pause is over");
        gate.limits.max_open_per_symbol = 2;
        let next = gate.approve(until, &plan(0), &after, || ids(names[1])).expect_err("one at a time");
        assert_eq!(next.rule(), "symbol_breaker_open");
        assert_eq!(gate.take_trips().count(), 0, "it was told when it happened");
        // That one failed too: stopped again, and told again.
        gate.finished(until, probe, CycleEnd::Failed, sums("0", "0")).expect("fits");
        let again = Trip { until: Until::Time(until + Duration::from_secs(60)), ..trips[0] };
        assert_eq!(gate.take_trips().collect::<Vec<_>>(), [again]);
        assert_eq!(gate.trips(until).collect::<Vec<_>>(), [again]);
    }
}

#[test]
fn a_longer_stop_of_the_same_scope_hides_no_open_breaker() {
    let mut gate = gate();
    let longer = Until::Time(NOW + Duration::from_secs(600));
    gate.trip(Trip { rule: "latency", scope: Scope::Venue(venue(1)), until: longer });
    for order in ["a", "b", "c"] {
        fail(&mut gate, ClientOrderId::new(order).expect("plain"));
    }
    let rules = |trips: &mut dyn Iterator<Item = Trip>| trips.map(|trip| trip.rule).collect::<Vec<_>>();
    assert_eq!(rules(&mut gate.take_trips()), ["latency", "venue_failures"]);
    assert_eq!(rules(&mut gate.trips(NOW)), ["latency", "venue_failures"]);
}

#[test]
fn what_never_left_does_not_count_for_the_day() {
    let mut gate = gate();
    let before = gate.standing(NOW);
    let (id, _) = gate.approve(NOW, &plan(0), &conditions(), || ids("w")).expect("passes");
    assert_eq!(gate.standing(NOW).orders_today, 2);
    let pause = Duration::from_millis(100);
    gate.finished(NOW, id, CycleEnd::Withheld { pause }, sums("0", "0")).expect("fits");
    assert_eq!(gate.standing(NOW), before);
}

#[test]
fn every_rule_that_trips_can_be_recalled_by_its_name() {
    for rule in crate::trip::RULES {
        assert_eq!(crate::trip::rule(rule), Some(rule));
    }
    assert_eq!(crate::trip::rule("something else"), None);
}

#[test]
fn a_book_not_compared_with_the_exchanges_own_for_too_long_is_not_traded_on() {
    let mut gate = Gate::new(Limits { max_audit_age: Duration::from_secs(300), ..limits() });
    for (venue, asset) in [(venue(0), "USDT"), (venue(1), "BTC")] {
        gate.funds_mut().set_held(venue, asset.parse().expect("asset"), decimal("2000"));
    }
    let audited = |secs: u64| {
        let book = |mid| BookFacts { audit_age: Some(Duration::from_secs(secs)), ..book(NOW, mid) };
        Conditions { buy_book: book(10_000), sell_book: book(10_100), ..conditions() }
    };
    assert_eq!(refused(&mut gate, &plan(0), &audited(301)), "unaudited");
    assert!(gate.approve(NOW, &plan(0), &audited(300), || ids("a")).is_ok());
    gate.book_drifted(NOW, SymbolId(3));
    assert_eq!(
        gate.trips(NOW).map(|trip| trip.rule).collect::<Vec<_>>(),
        [] as [&str; 0],
        "no quarantine is set here"
    );
}

#[test]
fn answers_that_are_late_or_never_come_and_unknown_orders_stop_a_venue_for_a_while() {
    let limits = Limits { max_answer: Duration::from_secs(2), stop_unknown: 2, ..limits() };
    let mut gate = Gate::new(limits);
    let rules = |gate: &Gate, now| gate.trips(now).map(|trip| (trip.rule, trip.scope)).collect::<Vec<_>>();
    for _ in 0..2 {
        assert_eq!(rules(&gate, NOW), []);
        gate.answered(NOW, venue(1), Some(Duration::from_secs(3)));
    }
    assert_eq!(rules(&gate, NOW), [("latency", Scope::Venue(venue(1)))]);
    assert_eq!(rules(&gate, NOW + Duration::from_secs(60)), [], "the pause is over");
    gate.set_unknown(NOW, venue(0), 1);
    gate.set_unknown(NOW, venue(0), 1);
    gate.take_trips().for_each(drop);
    gate.set_unknown(NOW, venue(0), 2);
    assert_eq!(
        gate.take_trips().map(|trip| (trip.rule, trip.scope)).collect::<Vec<_>>(),
        [("venue_unknown", Scope::Venue(venue(0)))]
    );
    gate.set_unknown(NOW, venue(0), 1);
    assert_eq!(gate.take_trips().count(), 0);
}
