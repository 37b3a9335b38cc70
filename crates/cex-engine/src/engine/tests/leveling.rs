//! What a half-done arbitrage left open is traded away, or ends as it must.

use super::*;

#[test]
fn a_leg_that_did_not_fill_is_unwound_with_an_immediate_order() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    let commands = stage.report(&sell, OrderStatus::Canceled, "0");
    let closing = placed(commands);
    let [closing] = closing.as_slice() else { panic!("one closing order, not {closing:?}") };
    assert_eq!((closing.venue, closing.side), (stage.venue(1), Side::Sell), "b still bids higher");
    // 0.5 % below 101.00 is 100.495: no further than that, on the tick.
    let kind = OrderKind::Limit { price: Price(10_050), qty: Qty(500_000), tif: cex_core::TimeInForce::Ioc };
    assert_eq!(closing.kind, kind);
    let closing = *closing;
    stage.fill(&closing, "100.90", "5", ("0.5045", "USDT"));
    assert_eq!(stage.ended(Ending::Unwound), 1);
    assert_eq!(stage.view().totals.realised, decimal("3.24525"));
    // The symbol pauses after an arbitrage that did not fill on both legs.
    stage.now += Duration::from_millis(100);
    stage.delta(0, &[], &[]);
    assert_eq!(placed(stage.delta(1, &[level(10_102, 5_000)], &[])), vec![]);
    stage.now += Duration::from_secs(10);
    stage.delta(0, &[], &[]);
    assert_eq!(placed(stage.delta(1, &[level(10_103, 5_000)], &[])).len(), 2);
}

/// A better price for a sliver leaves most of a leg alone, and takes one of three attempts.
#[test]
fn a_difference_goes_where_its_whole_yields_more_not_where_the_first_of_it_does() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.delta(1, &[level(10_100, 500)], &[]);
    let closing = placed(stage.report(&sell, OrderStatus::Canceled, "0"));
    let [closing] = closing.as_slice() else { panic!("one closing order, not {closing:?}") };
    assert_eq!((closing.venue, closing.kind.qty()), (stage.venue(0), Some(Qty(500_000))), "b takes a tenth");

    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.delta(0, &[], &[level(10_010, 500)]);
    let closing = placed(stage.report(&buy, OrderStatus::Canceled, "0"));
    let [closing] = closing.as_slice() else { panic!("one closing order, not {closing:?}") };
    assert_eq!((closing.venue, closing.kind.qty()), (stage.venue(1), Some(Qty(500_000))), "a offers a tenth");
}

#[test]
fn a_closing_order_that_could_not_leave_is_tried_again_and_three_that_did_not_fill_are_enough() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    let mut closing = placed(stage.report(&sell, OrderStatus::Canceled, "0"));
    for _ in 0..5 {
        let client_id = closing[0].client_id;
        let at_once = stage.feed(Event::PlaceFailed { client_id, outcome: CallOutcome::NotSent });
        assert_eq!(placed(at_once), vec![], "not without a pause");
        closing = placed(stage.pass(250));
        assert_eq!(closing.len(), 1, "what never left is no attempt");
    }
    for attempt in 1..=3 {
        assert_eq!(stage.ended(Ending::Parked), 0, "attempt {attempt}");
        let order = closing[0];
        stage.report(&order, OrderStatus::Canceled, "0");
        closing = placed(stage.pass(250));
    }
    assert_eq!((closing.len(), stage.ended(Ending::Parked)), (0, 1));
    let usdt = stage.engine.gate.funds().reserved(stage.venue(0), asset("USDT"));
    assert_eq!(usdt, Decimal::ZERO);
}

/// While a closing order's fate is unknown nothing may be tried: that takes longer than there is time, and counts for nothing.
#[test]
fn a_closing_order_that_was_lost_leaves_the_next_attempt_its_time() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    let mut lost = placed(stage.report(&sell, OrderStatus::Canceled, "0"));
    for attempt in 2..=3 {
        stage.feed(Event::PlaceFailed { client_id: lost[0].client_id, outcome: CallOutcome::Unknown });
        let (lost_at, venue) = (stage.now, lost[0].venue);
        lost.clear();
        while lost.is_empty() {
            for command in stage.pass(100) {
                let (orders, fills) = (&[], &[]);
                let answer = match command {
                    Command::QueryOrder { client_id, asked_at, .. } => {
                        Event::OrderRead { client_id, asked_at, order: None }
                    }
                    Command::QueryOpen { client_id, asked_at, .. } => {
                        Event::OpenRead { client_id, asked_at, orders, whole: true }
                    }
                    Command::QueryTrades { client_id, asked_at, .. } => {
                        Event::TradesRead { client_id, asked_at, fills, whole: true }
                    }
                    Command::ReadAccount { venue: asked, asked_at } if asked == venue => {
                        let held = stage.engine.gate.funds().held(venue, asset("BTC"));
                        let balance = Balance {
                            asset: asset("BTC"),
                            free: held,
                            locked: Decimal::ZERO,
                            as_of: stage.now,
                        };
                        lost.extend(placed(stage.feed(Event::AccountRead {
                            venue,
                            asked_at,
                            balances: &[balance],
                        })));
                        continue;
                    }
                    other => {
                        lost.extend(placed(vec![other]));
                        continue;
                    }
                };
                lost.extend(placed(stage.feed(answer)));
            }
            assert_eq!(stage.ended(Ending::Parked), 0, "attempt {attempt} was never made");
            assert!(stage.now.since(lost_at) < Duration::from_secs(20), "attempt {attempt}");
        }
        assert!(stage.now.since(lost_at) > stage.engine.config.max_naked, "longer than there was time");
        assert_eq!((lost.len(), lost[0].side), (1, Side::Sell), "attempt {attempt}");
    }
    stage.fill(&lost[0].clone(), "100.90", "5", ("0.5045", "USDT"));
    assert_eq!((stage.ended(Ending::Unwound), stage.ended(Ending::Parked)), (1, 0));
}

#[test]
fn a_difference_below_every_minimum_stays_as_dust() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "4.995", ("0.504495", "USDT"));
    stage.report(&sell, OrderStatus::Canceled, "4.995");
    assert_eq!(stage.ended(Ending::Dust), 1);
}

/// Sold 5 at b; the buy at a was refused. What was sold must be bought back.
fn sold_without_having_bought() -> (Stage, Vec<OrderRequest>) {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    let closing =
        placed(stage.feed(Event::PlaceFailed { client_id: buy.client_id, outcome: CallOutcome::Refused }));
    (stage, closing)
}

#[test]
fn a_difference_is_closed_at_the_venue_that_did_not_just_refuse() {
    let (mut stage, closing) = sold_without_having_bought();
    // a asks 100.10 and b 101.10: a is cheaper, and has just refused to sell.
    assert_eq!(closing.iter().map(|order| order.venue).collect::<Vec<_>>(), [stage.venue(1)]);
    // When b finds nothing either, and a has refused but once, both have failed once: the cheaper one is tried.
    stage.report(&closing[0], OrderStatus::Canceled, "0");
    let next = placed(stage.pass(250));
    assert_eq!(next.iter().map(|order| order.venue).collect::<Vec<_>>(), [stage.venue(0)]);
}

#[test]
fn a_difference_is_closed_where_the_account_is_heard_of_and_as_far_as_it_can_be_paid() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.feed(Event::Link { venue: stage.venue(0), event: LinkEvent::Down, symbols: &[] });
    let usdt = asset("USDT");
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    // b has 300 left: not enough to buy 5 back at 101.60 and pay the fee.
    let venue = stage.venue(1);
    stage.engine.gate.funds_mut().set_held(venue, usdt, decimal("300"));
    let closing = placed(stage.report(&buy, OrderStatus::Canceled, "0"));
    let [closing] = closing.as_slice() else { panic!("one order, not {closing:?}") };
    let OrderKind::Limit { price, qty, .. } = closing.kind else { panic!("a limit, not {closing:?}") };
    // 300 / (101.60 * 1.001) = 2.9497.., in lots of 0.001.
    assert_eq!((closing.venue, price, qty), (venue, Price(10_160), Qty(294_900)));
    // b can pay for nothing more, so the rest is closed at a, heard of or not.
    let closing = *closing;
    stage.fill(&closing, "101.60", "2.949", ("0.298", "USDT"));
    let rest = placed(stage.pass(250));
    assert_eq!(rest.iter().map(|order| order.venue).collect::<Vec<_>>(), [stage.venue(0)]);
}

#[test]
fn what_one_venue_does_not_take_may_wait_for_the_other_ones_book() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.link(0, LinkEvent::Down);
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "4.995", ("0.504495", "USDT"));
    stage.report(&sell, OrderStatus::Canceled, "4.995");
    assert_eq!(stage.ended(Ending::Dust), 0, "a has no book, so nobody knows what it would take");
    stage.pass(5_000);
    assert_eq!(stage.ended(Ending::Parked), 1);
}

#[test]
fn what_becomes_possible_at_the_last_moment_is_tried_once_before_it_is_parked() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    for index in 0..2 {
        stage.link(index, LinkEvent::Down);
    }
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    assert_eq!(placed(stage.report(&sell, OrderStatus::Canceled, "0")), vec![]);
    stage.now += Duration::from_secs(6);
    stage.join(1);
    let closing = placed(stage.pass(0));
    assert_eq!((closing.len(), stage.ended(Ending::Parked)), (1, 0), "never tried so far");
    stage.report(&closing[0], OrderStatus::Canceled, "0");
    assert_eq!((placed(stage.pass(250)).len(), stage.ended(Ending::Parked)), (0, 1));
}

/// While the program stands still nothing can be tried, and after it no book can be used for a moment.
#[test]
fn a_standstill_takes_nothing_from_the_time_to_trade_away() {
    let (config, setups) = setups();
    let mut stage = Stage::with(EngineConfig { max_pause: Duration::from_secs(1), ..config }, &setups);
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    let closing = placed(stage.report(&sell, OrderStatus::Canceled, "0"));
    stage.report(&closing[0], OrderStatus::Canceled, "0");
    stage.pass(60_000);
    let asked_at = stage.now;
    stage.pass(60);
    assert_eq!(stage.ended(Ending::Parked), 0);
    stage.answer_book(1, asked_at);
    let again: Vec<_> = (0..10).flat_map(|_| placed(stage.pass(100))).collect();
    assert_eq!((again.len(), stage.ended(Ending::Parked)), (1, 0), "as soon as a book is there again");
}

#[test]
fn what_was_parked_is_traded_away_when_the_run_is_to_end_flat() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    let mut closing = placed(stage.report(&sell, OrderStatus::Canceled, "0"));
    for _ in 0..3 {
        let order = closing[0];
        stage.report(&order, OrderStatus::Canceled, "0");
        closing = placed(stage.pass(250));
    }
    assert_eq!((stage.ended(Ending::Parked), stage.view().open), (1, 0));
    stage.feed(Event::Kill);
    assert_eq!(placed(stage.pass(1_000)), vec![], "what is parked stays so");
    stage.feed(Event::Flatten { give: Bps::from_bps(100) });
    assert_eq!(stage.view().open, 1);
    let commands = stage.pass(50);
    let parents: Vec<_> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Close { parent, order } => Some((*parent, order.get().client_id)),
            _other => None,
        })
        .collect();
    let [(parent, own)] = parents.as_slice() else { panic!("one order, not {commands:?}") };
    assert_eq!((parent.name, parent.carried), (*own, decimal("5")), "it is its own arbitrage");
    let order = placed(commands)[0];
    // A whole per cent below what b bids.
    let kind = OrderKind::Limit { price: Price(9_999), qty: Qty(500_000), tif: cex_core::TimeInForce::Ioc };
    assert_eq!((order.side, order.kind), (Side::Sell, kind));
    stage.fill(&order, "100", "5", ("0.5", "USDT"));
    stage.report(&order, OrderStatus::Filled, "5");
    assert_eq!((stage.ended(Ending::Swept), stage.view().open), (1, 0));
    // Bought for 500.5 and 0.25025, sold for 500 less 0.5: whatever it was valued at in between.
    assert_eq!(stage.view().totals.realised, decimal("-1.25025"));
    stage.feed(Event::Flatten { give: Bps::from_bps(100) });
    assert_eq!(stage.view().open, 0, "nothing is left over any more");
}

/// Bought 5 at a under the collars that are shipped, and b has refused to buy them; before that the books became these: bid and
/// ask, `None` for one that is lost.
fn bought_without_having_sold(books: [Option<(i64, i64)>; 2]) -> (Stage, Vec<OrderRequest>) {
    let (mut config, setups) = setups();
    (config.limits.max_collar, config.limits.max_cross_collar) = (Bps::from_bps(50), Bps::from_bps(200));
    let mut stage = Stage::with(config, &setups);
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    for ((index, book), (bid, ask)) in books.into_iter().enumerate().zip([(10_000, 10_010), (10_100, 10_110)])
    {
        let commands = match book {
            None => stage.link(index, LinkEvent::Down),
            Some(book) => move_book(&mut stage, index, (bid, ask), book),
        };
        assert_eq!(placed(commands), vec![]);
    }
    let client_id = sell.client_id;
    let closing = placed(stage.feed(Event::PlaceFailed { client_id, outcome: CallOutcome::Refused }));
    (stage, closing)
}

/// A book whose best prices were these has those from now on.
fn move_book(stage: &mut Stage, index: usize, old: (i64, i64), new: (i64, i64)) -> Vec<Command> {
    let side = |old, new| {
        let gone = (old != new).then_some(level(old, 0));
        gone.into_iter().chain([level(new, 10_000)]).collect::<Vec<_>>()
    };
    // What lay behind the best price has gone too.
    let mut bids = side(old.0, new.0);
    if index == 1 && new.0 < 10_000 {
        bids.push(level(10_000, 0));
    }
    bids.sort_by_key(|level| std::cmp::Reverse(level.price));
    let mut asks = side(old.1, new.1);
    asks.sort_by_key(|level| level.price);
    stage.delta(index, &bids, &asks)
}

#[test]
fn a_difference_is_not_traded_away_where_no_price_is() {
    for (why, books) in [
        ("a has thinned out to 40 % below, and b is lost", [Some((6_000, 10_010)), None]),
        ("so has b", [Some((6_000, 10_010)), Some((6_000, 10_110))]),
        (
            "all of a is 40 % below b, and nobody knows which is right",
            [Some((6_000, 6_010)), Some((10_100, 10_110))],
        ),
        ("next to nothing is bid, and that is no reason to take it for dust", [Some((1, 10_010)), None]),
    ] {
        let (mut stage, closing) = bought_without_having_sold(books);
        assert_eq!(closing, vec![], "{why}");
        for _ in 0..19 {
            assert_eq!(placed(stage.pass(250)), vec![], "{why}");
        }
        assert_eq!(stage.view().open, 1, "{why}");
        assert_eq!(placed(stage.pass(250)), vec![], "{why}");
        assert_eq!((stage.ended(Ending::Parked), stage.ended(Ending::Dust)), (1, 0), "{why}");
        // Nor when the run is to end flat.
        stage.feed(Event::Flatten { give: Bps::from_bps(5_000) });
        assert_eq!(placed(stage.pass(250)), vec![], "{why}");
    }
}

#[test]
fn a_difference_is_traded_away_at_prices_that_are_borne_out() {
    for (why, books, venue) in [
        ("as ever where nothing has just been refused", [Some((10_000, 10_010)), Some((10_100, 10_110))], 0),
        ("the market has fallen, and both show it", [Some((6_000, 6_010)), Some((6_010, 6_020))], 0),
        ("b is lost, and a is as it should be", [Some((10_000, 10_010)), None], 0),
        (
            "a bids more than 50 bps below its middle, so b is asked though it has just refused",
            [Some((9_900, 10_000)), Some((10_100, 10_110))],
            1,
        ),
    ] {
        let (_, closing) = bought_without_having_sold(books);
        assert_eq!(closing.iter().map(|order| order.venue.index()).collect::<Vec<_>>(), [venue], "{why}");
    }
}

#[test]
fn a_difference_waits_for_its_price_and_is_traded_away_when_that_is_back() {
    let (mut stage, closing) = bought_without_having_sold([Some((6_000, 10_010)), None]);
    assert_eq!(closing, vec![]);
    assert_eq!(placed(stage.pass(4_000)), vec![]);
    move_book(&mut stage, 0, (6_000, 10_010), (9_990, 10_010));
    let closing = placed(stage.pass(250));
    assert_eq!(closing.iter().map(|order| order.venue).collect::<Vec<_>>(), [stage.venue(0)]);
    stage.fill(&closing[0], "99.90", "5", ("0.24975", "USDT"));
    assert_eq!((stage.ended(Ending::Unwound), stage.ended(Ending::Parked)), (1, 0));
}

#[test]
fn what_no_venue_takes_is_dust_however_far_off_prices_are() {
    let (mut config, setups) = setups();
    (config.limits.max_collar, config.limits.max_cross_collar) = (Bps::from_bps(50), Bps::from_bps(200));
    let mut stage = Stage::with(config, &setups);
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "4.995", ("0.504495", "USDT"));
    move_book(&mut stage, 0, (10_000, 10_010), (6_000, 10_010));
    move_book(&mut stage, 1, (10_100, 10_110), (6_000, 10_110));
    stage.report(&sell, OrderStatus::Canceled, "4.995");
    assert_eq!(stage.ended(Ending::Dust), 1);
}
