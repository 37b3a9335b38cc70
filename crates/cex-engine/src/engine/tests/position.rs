//! What counts as a position of ours (R12): what our own orders did, until an operator has looked.

use super::*;

/// One arbitrage of 5 at 100.10 may be on the way, and no more.
fn narrow() -> Stage {
    let (mut config, setups) = setups();
    config.limits.max_symbol_net = decimal("600");
    Stage::with(config, &setups)
}

#[test]
fn what_somebody_else_trades_by_hand_is_no_position() {
    let mut stage = narrow();
    let theirs = stage.purchase_by("theirs");
    stage.fill(&theirs, "100.10", "5", ("0", "USDT"));
    assert_eq!(stage.engine.gate.funds().held(stage.venue(0), asset("BTC")), decimal("55"));
    let [_, _] = stage.cross();
}

#[test]
fn a_fill_that_came_before_anybody_knew_whose_it_is_counts_when_that_is_known() {
    let mut stage = narrow();
    let [buy, sell] = stage.cross();
    stage.trades += 1;
    let nameless = Fill { client_id: None, ..stage.fill_event(&buy, "100.10", "5", ("0.25025", "USDT")) };
    stage.feed(Event::Account { venue: buy.venue, event: &AccountEvent::Fill(nameless) });
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.report(&sell, OrderStatus::Filled, "5");
    stage.report(&buy, OrderStatus::Filled, "5");
    assert_eq!(stage.ended(Ending::BothFilled), 1);
    let [_, _] = stage.cross();
}

#[test]
fn what_was_parked_is_no_position_any_more_when_an_operator_has_looked() {
    let mut stage = narrow();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    let mut closing = placed(stage.report(&sell, OrderStatus::Canceled, "0"));
    for _ in 0..3 {
        let order = closing[0];
        stage.report(&order, OrderStatus::Canceled, "0");
        closing = placed(stage.pass(250));
    }
    assert_eq!(stage.ended(Ending::Parked), 1);
    stage.feed(Event::Acknowledge);
    stage.now += Duration::from_secs(10);
    let [_, _] = stage.cross();
}
