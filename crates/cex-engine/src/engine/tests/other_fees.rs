//! Fees in a coin that is neither base nor quote: in profit, in every rule that looks at it, and exact in their own coin.

use super::*;

/// The coin fees are taken in, where it is traded here too.
const COIN: SymbolId = SymbolId(1);

/// A stage that trades the fee's coin as well, under limits changed so.
fn with_coin(change: impl FnOnce(&mut EngineConfig)) -> Stage {
    let (mut config, mut setups) = setups();
    change(&mut config);
    for setup in &mut setups {
        let info = SymbolInfo { symbol: "MX/USDT".parse().expect("symbol"), ..info() };
        let scale = Scale::new(2, 5).expect("fits");
        let coin = Market::new(setup.venue, COIN, info, scale).expect("rules fit");
        let own = setup.markets.iter().cloned();
        setup.markets = Arc::new(Markets::new(own.chain([coin]).collect()));
    }
    Stage::with(config, &setups)
}

/// The coin's book at a venue, ten cents wide.
fn join_coin(stage: &mut Stage, index: usize, ask: i64) {
    let (venue, symbol, symbols) = (stage.venue(index), COIN, &[COIN]);
    let event = LinkEvent::Subscribed { symbol: Some(COIN), stream: StreamKind::Book };
    stage.feed(Event::Link { venue, event, symbols });
    let none = LevelRange { start: 0, end: 0 };
    let (kind, exchange_ts) = (UpdateKind::Delta, stage.now);
    let update =
        BookUpdate { symbol, kind, first_seq: 11, last_seq: 11, exchange_ts, bids: none, asks: none };
    stage.feed(Event::Market { venue, event: &MarketEvent::Book(update), levels: &[] });
    let (asked_at, bids, asks) = (stage.now, [level(ask - 10, 10_000)], [level(ask, 10_000)]);
    stage.feed(Event::Book { venue, symbol, asked_at, seq: 11, exchange_ts, bids: &bids, asks: &asks });
    assert!(stage.engine.book(venue, COIN).is_some());
}

/// Both legs fill five whole, bought at the limit, sold at this price, for fees in the coin; what it came to.
fn traded(stage: &mut Stage, price: &str, fees: [&str; 2]) -> (Decimal, Decimal) {
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", (fees[0], "MX"));
    stage.fill(&sell, price, "5", (fees[1], "MX"));
    assert_eq!(stage.engine.contradiction(), None);
    let finished = stage.out.notices.iter().find_map(|notice| match notice {
        Notice::Finished(outcome) => Some((outcome.realised, outcome.other_fee)),
        _other => None,
    });
    finished.expect("it is over")
}

fn tripped(stage: &Stage) -> Vec<&'static str> {
    stage.engine.gate.trips(stage.now).map(|trip| trip.rule).collect()
}

#[test]
fn a_coin_without_a_book_counts_as_the_whole_taker_fee() {
    let mut stage = Stage::ready();
    // 2.50 more was got than paid; five basis points of 500.50, ten of 503.
    assert_eq!(traded(&mut stage, "100.60", ["0.07", "0.11"]), (decimal("1.74675"), decimal("0.75325")));
    let standing = stage.engine.standing(stage.now);
    assert_eq!((standing.day_profit, standing.total), (decimal("1.74675"), decimal("1.74675")));
    let totals = stage.view().totals;
    assert_eq!((totals.realised, totals.other_fee), (decimal("1.74675"), decimal("0.75325")));
    let held: Vec<_> =
        stage.engine.holdings().into_iter().filter(|(_, coin, _)| *coin == asset("MX")).collect();
    assert_eq!(
        held,
        [(stage.venue(0), asset("MX"), decimal("-0.07")), (stage.venue(1), asset("MX"), decimal("-0.11"))],
        "its own coin is exact"
    );
}

#[test]
fn a_coin_with_a_book_counts_as_what_it_costs_where_it_is_dearest() {
    let mut stage = with_coin(|_| {});
    join_coin(&mut stage, 0, 300);
    // 0.18 at 3.00, since the other venue's book is not there yet.
    assert_eq!(traded(&mut stage, "100.60", ["0.07", "0.11"]), (decimal("1.96"), decimal("0.54")));
    stage.delta(1, &[level(10_100, 0)], &[level(10_010, 10_000)]);
    join_coin(&mut stage, 1, 310);
    assert_eq!(traded(&mut stage, "100.60", ["0.07", "0.11"]), (decimal("1.942"), decimal("0.558")));
    // A book that is lost tells nothing: the other one does, and then the fee of the account.
    for (index, other_fee) in [(1, "0.54"), (0, "0.75325")] {
        stage.feed(Event::Link { venue: stage.venue(index), event: LinkEvent::Down, symbols: &[COIN] });
        stage.delta(1, &[level(10_100, 0)], &[level(10_010, 10_000)]);
        assert_eq!(traded(&mut stage, "100.60", ["0.07", "0.11"]).1, decimal(other_fee));
    }
}

#[test]
fn a_rebate_counts_for_nothing_and_two_coins_of_one_fill_are_one_fee() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    let second_fee = Some((decimal("0.01"), asset("POINT")));
    stage.trades += 1;
    let fill = Fill { second_fee, ..stage.fill_event(&buy, "100.10", "5", ("0.07", "MX")) };
    stage.feed(Event::Account { venue: buy.venue, event: &AccountEvent::Fill(fill) });
    stage.fill(&sell, "101", "5", ("-0.11", "MX"));
    assert_eq!(stage.view().totals.other_fee, decimal("0.25025"), "five basis points of 500.50");
    assert_eq!(stage.engine.contradiction(), None);
}

#[test]
fn every_loss_rule_counts_them() {
    // Half a USDT more was got than paid, and 0.75125 went in fees.
    for (rule, limit) in [
        ("cycle_loss", (|limits, max| limits.max_cycle_loss = max) as fn(&mut Limits, Decimal)),
        ("hour_loss", |limits, max| limits.max_hour_loss = max),
        ("day_loss", |limits, max| limits.max_day_loss = max),
        ("drawdown", |limits, max| limits.max_drawdown = max),
    ] {
        for (max, expected) in [("0.25125", vec![]), ("0.25124", vec![rule])] {
            let (mut config, setups) = setups();
            limit(&mut config.limits, decimal(max));
            let mut stage = Stage::with(config, &setups);
            assert_eq!(traded(&mut stage, "100.20", ["0.07", "0.11"]).0, decimal("-0.25125"));
            assert_eq!(tripped(&stage), expected, "{rule} at {max}");
        }
    }
}

#[test]
fn a_fee_that_costs_more_in_its_coin_than_expected_is_a_surprise() {
    let mut stage = with_coin(|config| config.limits.max_fee_surprise = Bps::from_bps(1));
    join_coin(&mut stage, 0, 300);
    // Six basis points of 500.50 are 0.3003: one more than expected is not too much, and 0.3030 is.
    for (fee, expected) in [("0.1001", vec![]), ("0.101", vec!["fee_surprise"])] {
        for _ in 0..3 {
            stage.delta(1, &[level(10_100, 0)], &[level(10_010, 10_000)]);
            traded(&mut stage, "101", [fee, "0.05"]);
        }
        assert_eq!(tripped(&stage), expected, "{fee}");
    }
}

#[test]
fn a_fill_that_moved_a_third_coin_of_no_arbitrage_is_found() {
    let mut stage = Stage::ready();
    let [buy, _] = stage.cross();
    let symbol = "BTC/USDT".parse().expect("symbol");
    let fill = stage.fill_event(&buy, "100.10", "5", ("0.07", "MX"));
    stage.engine.unexplained.fill(symbol, &fill).expect("fits");
    let without = Fill { fee: Decimal::ZERO, ..fill };
    stage.engine.unexplained.forget(symbol, &without).expect("fits");
    assert_eq!(stage.engine.contradiction(), Some("what fills moved is not what arbitrages came to"));
}
