//! From books to orders, and what is never traded on.

use super::*;

#[test]
fn a_crossing_becomes_two_immediate_orders_and_an_exact_profit() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    let kind =
        |price| OrderKind::Limit { price: Price(price), qty: Qty(500_000), tif: cex_core::TimeInForce::Ioc };
    assert_eq!((buy.venue, buy.side, buy.kind), (stage.venue(0), Side::Buy, kind(10_010)));
    assert_eq!((sell.venue, sell.side, sell.kind), (stage.venue(1), Side::Sell, kind(10_100)));
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "2", ("0.202", "USDT"));
    assert!(!stage.engine.is_idle());
    stage.fill(&sell, "101", "3", ("0.303", "USDT"));
    assert!(stage.engine.is_idle());
    let totals = stage.view().totals;
    assert_eq!(stage.ended(Ending::BothFilled), 1);
    // 505 - 500.5 - 0.25025 - 0.505
    assert_eq!((totals.realised, totals.expected), (decimal("3.74475"), decimal("3.74475")));
    let held: BTreeMap<_, _> = stage
        .engine
        .holdings()
        .into_iter()
        .map(|(venue, asset, held)| ((venue.index(), asset.to_string()), held))
        .collect();
    assert_eq!(held[&(0, "USDT".to_owned())], decimal("4499.24975"));
    assert_eq!(held[&(1, "BTC".to_owned())], decimal("45"));
}

/// Whoever cannot be traded at keeps the best price for as long as they cannot be.
#[test]
fn a_third_venue_that_cannot_be_traded_at_hides_nothing_that_the_others_offer() {
    let (config, [a, b]) = setups();
    let mut stage = Stage::with(config, &[a, b, setup(2, 5)]);
    let venue = stage.venue(2);
    stage.feed(Event::Link { venue, event: LinkEvent::Down, symbols: &[] });
    stage.now += Duration::from_millis(100);
    let high = stage.delta(2, &[level(10_150, 5_000)], &[level(10_010, 0), level(10_160, 9_000)]);
    let higher = stage.delta(1, &[level(10_005, 5_000)], &[]);
    assert_eq!((placed(high), placed(higher)), (vec![], vec![]), "nobody hears from c's account");
    let orders = placed(stage.delta(0, &[level(10_000, 0), level(9_900, 9_000)], &[level(9_950, 5_000)]));
    let venues: Vec<_> = orders.iter().map(|order| (order.side, order.venue.index())).collect();
    assert_eq!(venues, [(Side::Buy, 0), (Side::Sell, 1)], "c would pay more");
}

#[test]
fn a_gap_takes_the_book_out_before_anything_is_decided() {
    let mut stage = Stage::ready();
    stage.now += Duration::from_millis(100);
    let skipped = stage.seq[1] + 2;
    let commands = stage.delta_at(1, skipped, &[level(10_100, 5_000)], &[level(10_010, 0)]);
    assert_eq!(placed(commands), vec![], "the frame that shows the gap must not be traded on");
    assert!(stage.engine.book(stage.venue(1), SYMBOL).is_none());
    // Venue a's whole book falls below what b bid last.
    let fall = stage.delta(0, &[level(10_000, 0), level(9_700, 1_000)], &[level(9_800, 1_000)]);
    assert_eq!(placed(fall), vec![], "nor may the other venue trade against it");
    assert!(stage.engine.book(stage.venue(0), SYMBOL).is_some());
    let mut joined = Stage::ready();
    joined.now += Duration::from_millis(100);
    let fall = joined.delta(0, &[level(10_000, 0), level(9_700, 1_000)], &[level(9_800, 1_000)]);
    assert_eq!(placed(fall).len(), 2, "without the gap it would");
}

#[test]
fn nothing_filled_ends_without_profit_or_reservation() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.feed(Event::PlaceFailed { client_id: buy.client_id, outcome: CallOutcome::Refused });
    stage.feed(Event::PlaceFailed { client_id: sell.client_id, outcome: CallOutcome::NotSent });
    assert_eq!(stage.ended(Ending::NoneFilled), 1);
    assert_eq!(stage.view().totals.realised, Decimal::ZERO);
    assert!(
        !stage.engine.gate.funds().is_busy(stage.venue(0))
            && !stage.engine.gate.funds().is_busy(stage.venue(1))
    );
}

#[test]
fn a_fee_taken_in_base_lowers_the_profit_by_its_worth() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.0025", "BTC"));
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    assert_eq!(stage.ended(Ending::BothFilled), 1);
    assert_eq!(stage.view().totals.realised, decimal("3.74475"));
}

#[test]
fn every_opportunity_ends_with_a_verdict() {
    let mut stage = Stage::ready();
    // One tick above a's ask: fees eat it.
    stage.now += Duration::from_millis(100);
    assert_eq!(
        placed(stage.delta(1, &[level(10_011, 1_000)], &[level(10_010, 0), level(10_020, 5_000)])),
        vec![]
    );
    stage.delta(1, &[level(10_011, 0)], &[]);
    let verdicts = |stage: &Stage| stage.view().totals.opportunities;
    assert_eq!(verdicts(&stage), BTreeMap::from([(Verdict::BelowEdge, 1)]));
    stage.feed(Event::Kill);
    stage.now += Duration::from_millis(100);
    assert_eq!(
        placed(stage.delta(1, &[level(10_100, 5_000)], &[level(10_020, 0), level(10_110, 1_000)])),
        vec![]
    );
    stage.delta(1, &[level(10_100, 0)], &[]);
    assert_eq!(verdicts(&stage).get(&Verdict::Refused("kill_switch")), Some(&1));
    assert_eq!(stage.view().standing, 0);
}

#[test]
fn whoever_only_watches_is_told_what_stands_in_the_way_beside_the_mode() {
    for (age_ms, verdict) in [(0, Verdict::Refused("observe")), (5_001, Verdict::Stale)] {
        let (mut config, setups) = setups();
        config.mode = Mode::Observe;
        let mut stage = Stage::with(config, &setups);
        stage.now += Duration::from_millis(age_ms);
        let crossed = stage.delta(1, &[level(10_100, 5_000)], &[level(10_010, 0), level(10_110, 9_000)]);
        assert_eq!(placed(crossed), vec![]);
        stage.delta(1, &[level(10_100, 0)], &[]);
        assert_eq!(stage.view().totals.opportunities, BTreeMap::from([(verdict, 1)]), "{age_ms} ms");
    }
}

#[test]
fn a_snapshot_asked_for_before_the_connection_was_lost_is_not_joined_to_the_next() {
    let mut stage = Stage::ready();
    let venue = stage.venue(0);
    stage.link(0, LinkEvent::Down);
    stage.link(0, LinkEvent::Subscribed { symbol: Some(SYMBOL), stream: StreamKind::Book });
    let first = stage.now;
    assert_eq!(
        stage.delta(0, &[], &[]),
        vec![Command::FetchBook { venue, symbol: SYMBOL, depth: 100, asked_at: first }]
    );
    stage.link(0, LinkEvent::Down);
    stage.now += Duration::from_millis(300);
    stage.link(0, LinkEvent::Subscribed { symbol: Some(SYMBOL), stream: StreamKind::Book });
    stage.delta(0, &[], &[]);
    stage.answer_book(0, first);
    assert!(stage.engine.book(venue, SYMBOL).is_none(), "it was true before the loss, not after");
    let second = stage.now;
    stage.answer_book(0, second);
    assert!(stage.engine.book(venue, SYMBOL).is_some());
}

#[test]
fn a_frame_that_another_of_the_same_read_has_overtaken_is_not_traded_on() {
    let mut stage = Stage::ready();
    stage.now += Duration::from_millis(100);
    stage.delta(0, &[], &[]);
    let levels = [level(10_100, 5_000), level(10_010, 0), level(10_110, 1_000)];
    let update = |seq, bids, end| {
        MarketEvent::Book(BookUpdate {
            symbol: SYMBOL,
            kind: UpdateKind::Delta,
            first_seq: seq,
            last_seq: seq,
            exchange_ts: stage.now,
            bids: LevelRange { start: 0, end: bids },
            asks: LevelRange { start: bids, end },
        })
    };
    let crossing = update(stage.seq[1] + 1, 1, 3);
    let uncrossing = update(stage.seq[1] + 2, 1, 1);
    let (venue, gone) = (stage.venue(1), [level(10_100, 0)]);
    stage.out.clear();
    let (now, engine) = (stage.now, &mut stage.engine);
    engine.handle(now, Event::Market { venue, event: &crossing, levels: &levels }, &mut stage.out);
    engine.handle(now, Event::Market { venue, event: &uncrossing, levels: &gone }, &mut stage.out);
    engine.handle(now, Event::Settled, &mut stage.out);
    assert_eq!(stage.out.commands, vec![]);
}

#[test]
fn legs_that_could_not_leave_cost_neither_a_pause_nor_a_failure() {
    let mut stage = Stage::ready();
    let mut legs = stage.cross().to_vec();
    for round in 0..20 {
        assert_eq!(legs.len(), 2, "round {round}");
        for leg in legs {
            stage.feed(Event::PlaceFailed { client_id: leg.client_id, outcome: CallOutcome::NotSent });
        }
        assert_eq!(placed(stage.pass(99)), vec![], "they were held back a moment ago");
        // What never left has taken nothing from the books: they need not show it first.
        stage.now += Duration::from_millis(1);
        legs = placed(stage.delta(0, &[], &[]));
    }
    for leg in legs {
        stage.feed(Event::PlaceFailed { client_id: leg.client_id, outcome: CallOutcome::NotSent });
    }
    assert_eq!((stage.ended(Ending::Withheld), stage.ended(Ending::NoneFilled)), (21, 0));
    assert!(stage.engine.is_idle());
    stage.delta(1, &[level(10_100, 0)], &[]);
    let verdicts = stage.view().totals.opportunities;
    assert_eq!(verdicts, BTreeMap::from([(Verdict::Refused("not_sent"), 1)]));
}

#[test]
fn a_refused_book_is_out_at_once_and_asked_for_again() {
    let mut stage = Stage::ready();
    let venue = stage.venue(0);
    let refused = LinkEvent::Refused { symbol: Some(SYMBOL), stream: StreamKind::Book };
    assert_eq!(stage.link(0, refused), vec![]);
    assert!(stage.engine.book(venue, SYMBOL).is_none());
    assert!(!stage.pass(5_000).contains(&Command::Resubscribe { venue, symbol: SYMBOL }));
    assert!(stage.pass(6_000).contains(&Command::Resubscribe { venue, symbol: SYMBOL }));
    // Refused again, as it would be where the symbol is gone: asked as seldom as before.
    stage.link(0, refused);
    assert!(!stage.pass(5_000).contains(&Command::Resubscribe { venue, symbol: SYMBOL }));
    stage.join(0);
}

#[test]
fn a_book_just_traded_on_must_show_it_before_it_is_traded_on_again() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    // The frame was under way before the exchange saw our order: it still shows what we took.
    stage.now += Duration::from_millis(10);
    assert_eq!(placed(stage.delta(1, &[level(10_100, 5_000)], &[])), vec![]);
    let [_, _] = stage.cross();
}

/// A stream may lag behind the answers to orders: what comes late is from before our fill, however new it looks.
#[test]
fn a_book_from_before_our_fill_by_its_exchanges_clock_is_not_traded_on() {
    let (mut config, setups) = setups();
    config.limits.max_venue_age = Duration::from_secs(1);
    let mut stage = Stage::with(config, &setups);
    let [buy, sell] = stage.cross();
    stage.now += Duration::from_millis(50);
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    // Two frames that were on their way for long: they arrive after all that our order needs to show.
    stage.now += Duration::from_millis(110);
    stage.ahead = [-120_000_000; 3];
    stage.delta(0, &[], &[]);
    assert_eq!(placed(stage.delta(1, &[level(10_100, 5_000)], &[])), vec![]);
    stage.now += Duration::from_millis(50);
    assert_eq!(placed(stage.delta(0, &[], &[])), vec![], "the other one is still from before");
    assert_eq!(placed(stage.delta(1, &[level(10_100, 4_000)], &[])).len(), 2);
}

/// Frames of one venue are read before those of another that have waited as long.
#[test]
fn nothing_is_opened_in_the_moment_after_a_standstill() {
    let (config, setups) = setups();
    let mut stage = Stage::with(EngineConfig { max_pause: Duration::from_secs(1), ..config }, &setups);
    let bids = [level(10_100, 5_000)];
    let asks = [level(10_010, 0), level(10_110, 9_000)];
    stage.pass(50);
    stage.now += Duration::from_millis(200);
    assert_eq!(placed(stage.delta(1, &bids, &asks)), vec![], "a may have moved as well");
    stage.now += Duration::from_millis(50);
    assert_eq!(placed(stage.delta(0, &[], &[])).len(), 2, "nothing else came of it");
}

/// The shortest that may be configured: a quiet market, where nothing comes but the time to look, is no standstill.
#[test]
fn a_quiet_market_is_traded_under_the_shortest_pause() {
    let (config, setups) = setups();
    let mut stage = Stage::with(EngineConfig { max_pause: Duration::from_millis(100), ..config }, &setups);
    for _ in 0..4 {
        stage.pass(60);
    }
    stage.delta(0, &[], &[]);
    stage.pass(60);
    let asks = [level(10_010, 0), level(10_110, 9_000)];
    assert_eq!(placed(stage.delta(1, &[level(10_100, 5_000)], &asks)).len(), 2);
    assert_eq!(stage.view().trips, []);
}

#[test]
fn what_an_order_of_ours_is_out_for_is_not_taken_a_second_time() {
    let (mut config, setups) = setups();
    config.limits.max_open_per_symbol = 2;
    let mut stage = Stage::with(config, &setups);
    let [buy, sell] = stage.cross();
    // Neither order has an answer: the books still show what they take.
    stage.now += Duration::from_millis(100);
    for index in [0, 1] {
        assert_eq!(placed(stage.delta(index, &[level(9_000, 1_000)], &[])), vec![]);
    }
    // One leg is over, and its book has moved on; the other is still out.
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.now += Duration::from_millis(100);
    assert_eq!(placed(stage.delta(0, &[], &[])), vec![]);
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    assert_eq!(placed(stage.delta(0, &[], &[])), vec![], "b does not show it yet");
    let [_, _] = stage.cross();
}

#[test]
fn the_same_events_give_the_same_commands() {
    let run = || {
        let mut stage = Stage::ready();
        let [buy, sell] = stage.cross();
        stage.fill(&buy, "100.10", "3", ("0.15015", "USDT"));
        let mut told = format!("{:?}", stage.out.notices);
        for command in stage.report(&sell, OrderStatus::Canceled, "0") {
            told += &format!("{command:?}");
        }
        for command in stage.report(&buy, OrderStatus::Canceled, "3") {
            told += &format!("{command:?}");
        }
        told + &format!("{:?}", stage.view())
    };
    assert_eq!(run(), run());
}

/// W1: a frozen stream whose exchange moved on is out of the tops in the call that shows it, and is begun anew.
#[test]
fn a_silent_book_is_compared_and_out_when_its_exchange_moved_on() {
    let mut stage = Stage::ready();
    let venue = stage.venue(0);
    let asks = |commands: &[Command]| {
        commands.iter().find_map(|command| match command {
            Command::FetchBook { venue: at, symbol, asked_at, .. } if *at == venue => {
                Some((*symbol, *asked_at))
            }
            _ => None,
        })
    };
    let mut asked = None;
    for _ in 0..1_000 {
        asked = asks(&stage.pass(100));
        if asked.is_some() {
            break;
        }
    }
    let (symbol, asked_at) = asked.expect("asked within the ceiling");
    assert!(stage.engine.book(venue, symbol).is_some(), "silence alone is no fault");
    let (bids, levels) = ([level(9_000, 1_000)], [level(9_010, 1_000)]);
    let seq = stage.seq[0] + 5;
    let exchange_ts = stage.now;
    let moved_on = Event::Book { venue, symbol, asked_at, seq, exchange_ts, bids: &bids, asks: &levels };
    stage.feed(moved_on);
    assert!(stage.engine.book(venue, symbol).is_none());
    assert!(stage.pass(1_100).contains(&Command::Resubscribe { venue, symbol }));
}
