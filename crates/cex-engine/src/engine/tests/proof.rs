//! The ledger's proof of itself finds what does not add up, and nothing else.

use super::*;

/// A minute and a second pass, tick by tick; what was alarmed of.
fn a_minute(stage: &mut Stage) -> (u64, bool) {
    for _ in 0..61 {
        stage.pass(1_000);
    }
    (stage.view().totals.alarms, stage.view().killed)
}

#[test]
fn what_is_on_its_way_left_over_foreign_or_from_before_adds_up() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.0025", "BTC"));
    assert_eq!(stage.engine.contradiction(), None, "half of it is on its way");
    stage.fill(&sell, "101", "4.998", ("0.504495", "USDT"));
    stage.report(&sell, OrderStatus::Canceled, "4.998");
    assert_eq!((stage.ended(Ending::Dust), stage.engine.contradiction()), (1, None));
    stage.trades += 1;
    let number = Text::new("nobody-knows").expect("short");
    let foreign = stage.fill_event(&buy, "100", "1", ("0.1", "USDT"));
    let foreign = Fill { client_id: None, order_id: number, ..foreign };
    stage.feed(Event::Account { venue: buy.venue, event: &AccountEvent::Fill(foreign) });
    assert_eq!(stage.engine.contradiction(), None, "somebody else's");
    stage.fill(&buy, "100.10", "1", ("0.0005", "BTC"));
    assert_eq!(stage.engine.contradiction(), None, "a late fill alarms, and is counted");
}

#[test]
fn a_fill_that_moved_no_arbitrage_is_found_within_a_minute() {
    let mut stage = Stage::ready();
    let [buy, _] = stage.cross();
    let fill = stage.fill_event(&buy, "100.10", "5", ("0", "USDT"));
    let symbol = "BTC/USDT".parse().expect("symbol");
    assert_eq!(a_minute(&mut stage), (0, false));
    stage.engine.unexplained.fill(symbol, &fill).expect("fits");
    assert_eq!(stage.engine.contradiction(), Some("what fills moved is not what arbitrages came to"));
    assert_eq!(a_minute(&mut stage), (1, true));
}

#[test]
fn a_reservation_without_an_order_is_found() {
    let mut stage = Stage::ready();
    stage.cross();
    assert_eq!(stage.engine.contradiction(), None, "both legs reserve");
    let (leak, venue) = (ClientOrderId::new("nobody").expect("plain"), stage.venue(0));
    let funds = stage.engine.gate.funds_mut();
    funds.reserve(leak, venue, asset("USDT"), Decimal::ONE, Decimal::ZERO).expect("there is enough");
    assert_eq!(stage.engine.contradiction(), Some("a reservation belongs to no order on its way"));
}
