//! Fees taken of the coin itself: what was received is less than what was filled, and what is short is bought back.

use super::*;
use cex_risk::JournalState;

/// Both legs fill whole; the buy is charged this much of the coin.
fn charged(stage: &mut Stage, fee: &str) {
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", (fee, "BTC"));
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
}

/// Quantities in lots of 0.001.
fn qty(order: &OrderRequest) -> i64 {
    order.kind.qty().map_or(0, |qty| qty.0 / 100)
}

#[test]
fn what_is_sold_again_is_what_was_received() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.0025", "BTC"));
    let closing = placed(stage.report(&sell, OrderStatus::Canceled, "0"));
    let [closing] = closing.as_slice() else { panic!("one closing order, not {closing:?}") };
    assert_eq!((closing.side, qty(closing)), (Side::Sell, 4_997), "4.9975 came, in lots of 0.001");
    let closing = *closing;
    stage.fill(&closing, "100.90", "4.997", ("0.5", "USDT"));
    assert_eq!(stage.ended(Ending::Unwound), 1);
    // 4.997 at 100.90 less 0.5 and 500.5 paid; 0.0005 stay, at 100.10.
    assert_eq!(stage.view().totals.realised, decimal("3.24735"));
    let dust: Vec<_> = stage.engine.gate.left_over().iter().map(|(_, dust)| dust.base.to_string()).collect();
    assert_eq!(dust, ["0.0005"]);
}

#[test]
fn what_a_fee_took_is_bought_back_as_soon_as_a_venue_takes_so_little() {
    let mut stage = Stage::ready();
    charged(&mut stage, "0.0125");
    assert_eq!(stage.ended(Ending::BothFilled), 1, "the legs are level");
    assert_eq!(stage.view().totals.realised, decimal("2.74375"), "short of 0.0125 at 100.10");
    let commands = stage.pass(1_000);
    let carried: Vec<_> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Close { parent, .. } => Some(parent.carried.to_string()),
            _other => None,
        })
        .collect();
    assert_eq!(carried, ["-0.0125"]);
    let orders = placed(commands);
    let [order] = orders.as_slice() else { panic!("one order, not {orders:?}") };
    assert_eq!((order.side, qty(order), order.venue), (Side::Buy, 12, stage.venue(0)), "a is cheaper");
    let order = *order;
    stage.fill(&order, "100.10", "0.012", ("0.000006", "BTC"));
    assert_eq!((stage.ended(Ending::Swept), stage.view().open), (1, 0));
    assert_eq!(stage.view().totals.realised, decimal("2.7431494"), "only its fee was lost");
    let dust = stage.engine.gate.left_over().of("BTC/USDT".parse().expect("symbol"));
    assert_eq!((dust.base, dust.parked), (decimal("-0.000506"), false));
    let now = stage.now;
    assert_eq!(stage.engine.standing(now).dust, decimal("0.0506506"), "at 100.10");
    assert_eq!(placed(stage.pass(10_000)), vec![], "0.05 is too little for any venue");
    // It was no failure: the symbol does not pause.
    assert_eq!(stage.cross().len(), 2);
}

#[test]
fn nothing_left_over_is_traded_away_unrecorded() {
    let mut stage = Stage::ready();
    charged(&mut stage, "0.0125");
    stage.feed(Event::Journal(JournalState::Failed));
    assert_eq!(placed(stage.pass(10_000)), vec![], "the next run would buy it back once more");
    stage.feed(Event::Flatten { give: Bps::from_bps(100) });
    assert_eq!((placed(stage.pass(50)), stage.view().open), (vec![], 0));
    stage.feed(Event::Journal(JournalState::Behind));
    assert_eq!(placed(stage.pass(1_000)), vec![], "it may be lost with the power");
    stage.feed(Event::Journal(JournalState::Well));
    assert_eq!(placed(stage.pass(1_000)).len(), 1);
}

#[test]
fn what_fees_took_adds_up_until_it_can_be_bought_back() {
    let mut stage = Stage::ready();
    for _ in 0..2 {
        charged(&mut stage, "0.004");
        assert_eq!(placed(stage.pass(1_000)), vec![], "less than one quote");
        // b comes back, so that it can cross again.
        stage.delta(1, &[level(10_100, 0)], &[level(10_010, 10_000)]);
    }
    charged(&mut stage, "0.004");
    let bought: Vec<_> = placed(stage.pass(1_000)).iter().map(|order| (order.side, qty(order))).collect();
    assert_eq!(bought, [(Side::Buy, 12)]);
}

#[test]
fn what_is_left_over_is_let_be_while_nothing_may_be_begun() {
    for stop in [Event::Kill, Event::Mode(Mode::CloseOnly)] {
        let mut stage = Stage::ready();
        charged(&mut stage, "0.0125");
        stage.feed(stop);
        assert_eq!(placed(stage.pass(2_000)), vec![]);
        stage.feed(Event::Acknowledge);
        stage.feed(Event::Mode(Mode::Active));
        assert_eq!(placed(stage.pass(2_000)), vec![], "whoever looked has looked at that too");
    }
}

#[test]
fn what_cannot_be_bought_back_is_tried_three_times_and_waits_for_an_operator() {
    let (mut config, setups) = setups();
    (config.limits.max_all_failures, config.limits.max_symbol_failures) = (1, 1);
    let mut stage = Stage::with(config, &setups);
    charged(&mut stage, "0.0125");
    let mut orders = placed(stage.pass(1_000));
    for _ in 0..3 {
        let order = orders[0];
        stage.report(&order, OrderStatus::Canceled, "0");
        orders = placed(stage.pass(250));
    }
    assert_eq!((stage.ended(Ending::Unswept), stage.view().open), (1, 0));
    for _ in 0..30 {
        assert_eq!(placed(stage.pass(1_000)), vec![]);
    }
    let rules: Vec<_> = stage.view().trips.iter().map(|trip| trip.rule).collect();
    assert_eq!(rules, ["parked"], "its symbol waits for an operator too, and no breaker has opened");
}

/// What could not leave says nothing of what a venue takes.
#[test]
fn leftovers_that_could_not_leave_are_tried_again_after_a_while() {
    let mut stage = Stage::ready();
    charged(&mut stage, "0.0125");
    let mut tried = Vec::new();
    for millis in (0..70_000).step_by(250) {
        for order in placed(stage.pass(250)) {
            tried.push(millis);
            let (client_id, outcome) = (order.client_id, CallOutcome::NotSent);
            stage.feed(Event::PlaceFailed { client_id, outcome });
        }
    }
    let pauses: Vec<_> = tried.windows(2).map(|two| two[1] - two[0]).filter(|pause| *pause > 1_000).collect();
    assert!(matches!(pauses[..], [60_000..=61_000]), "one pause between two rows of attempts: {pauses:?}");
    assert_eq!(
        (stage.ended(Ending::Swept), stage.ended(Ending::Unswept), stage.view().trips),
        (1, 0, vec![])
    );
}

#[test]
fn what_no_venue_takes_is_let_be_at_the_end_and_speaks_against_nobody() {
    let (mut config, setups) = setups();
    config.limits.max_all_failures = 1;
    let mut stage = Stage::with(config, &setups);
    charged(&mut stage, "0.004");
    stage.feed(Event::Kill);
    stage.feed(Event::Flatten { give: Bps::from_bps(100) });
    assert_eq!((placed(stage.pass(50)), stage.view().open), (vec![], 0));
    assert_eq!(
        (stage.view().trips, stage.view().totals.ended.len()),
        (vec![], 1),
        "the arbitrage that left it"
    );
}

#[test]
fn what_was_large_enough_and_finds_nobody_pauses_no_symbol() {
    let (mut config, setups) = setups();
    config.limits.max_all_failures = 1;
    let mut stage = Stage::with(config, &setups);
    charged(&mut stage, "0.0125");
    let orders = placed(stage.pass(1_000));
    stage.fill(&orders[0], "100.10", "0.010", ("0", "USDT"));
    stage.report(&orders[0], OrderStatus::Canceled, "0.010");
    assert_eq!((stage.ended(Ending::Swept), stage.view().open, stage.view().trips), (1, 0, vec![]));
}
