//! Rules that an exchange changes while its market is traded.

use super::*;

/// The market of venue b with its rules changed so.
fn changed(change: impl FnOnce(&mut SymbolInfo)) -> Market {
    let (_, [_, setup]) = setups();
    let mut info = info();
    change(&mut info);
    let market = setup.markets.get(SYMBOL).expect("it is there");
    Market::new(setup.venue, SYMBOL, info, market.scale).expect("rules fit")
}

fn tell(stage: &mut Stage, market: &Market) -> Vec<Command> {
    stage.feed(Event::Rules { market, taker_fee: Bps::from_bps(10) })
}

fn rules(stage: &Stage) -> SymbolInfo {
    stage.engine.market("b", "BTC/USDT".parse().expect("symbol")).expect("it is there").info.clone()
}

fn qty(order: &OrderRequest) -> i64 {
    order.kind.qty().map_or(0, |qty| qty.0)
}

#[test]
fn new_rules_are_adopted_between_two_arbitrages_and_not_within_one() {
    let mut stage = Stage::ready();
    let coarser = changed(|info| (info.lot, info.lot_dp) = (decimal("3"), 0));
    let [buy, sell] = stage.cross();
    assert_eq!((qty(&buy), qty(&sell)), (500_000, 500_000));
    assert_eq!(tell(&mut stage, &coarser), vec![]);
    assert_eq!(rules(&stage), info(), "its orders are on their way");
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    assert_eq!(tell(&mut stage, &coarser), vec![]);
    assert_eq!(rules(&stage), info(), "one of them still");
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    assert_eq!(tell(&mut stage, &coarser), vec![]);
    assert_eq!(rules(&stage), coarser.info);
    assert_eq!(
        stage.cross().map(|order| qty(&order)),
        [600_000, 600_000],
        "in lots of three from now on: six earn more than three"
    );
}

#[test]
fn a_new_minimum_and_a_new_fee_count_for_the_next_plan() {
    let mut stage = Stage::ready();
    let dearer = changed(|info| info.min_notional = decimal("1100"));
    tell(&mut stage, &dearer);
    stage.delta(0, &[], &[]);
    let frame = |stage: &mut Stage| {
        stage.delta(1, &[level(10_100, 5_000)], &[level(10_010, 0), level(10_110, 9_000)])
    };
    assert_eq!(placed(frame(&mut stage)), vec![], "a leg has a thousand at most");
    stage.delta(1, &[level(10_100, 0)], &[]);
    tell(&mut stage, &changed(|_| ()));
    let taker_fee = Bps::from_bps(90);
    stage.feed(Event::Rules { market: &changed(|_| ()), taker_fee });
    assert_eq!(stage.engine.reckons_with(&dearer), Some(taker_fee));
    assert_eq!(placed(frame(&mut stage)), vec![], "what is gained goes in fees");
    stage.delta(1, &[level(10_100, 0)], &[]);
    tell(&mut stage, &changed(|_| ()));
    assert_eq!(placed(frame(&mut stage)).len(), 2);
}

#[test]
fn a_new_tick_makes_a_new_book() {
    let mut stage = Stage::ready();
    let (venue, symbol) = (stage.venue(1), SYMBOL);
    let coarser = changed(|info| (info.tick, info.price_dp) = (decimal("0.1"), 1));
    assert_eq!(tell(&mut stage, &coarser), vec![Command::Resubscribe { venue, symbol }]);
    assert!(stage.engine.book(venue, symbol).is_none(), "what counts in other ticks is not decided on");
    assert!(stage.out.notices.contains(&Notice::BookLost { venue, symbol }));
    stage.join(1);
    let [_, sell] = stage.cross();
    assert_eq!(sell.kind.price(), Some(Price(10_100)));
    let market = stage.engine.slot(venue, symbol).expect("it is there").market.clone();
    assert_eq!(market.tick, Price(10));
}

#[test]
fn rules_of_another_scale_or_coin_are_not_adopted() {
    let mut stage = Stage::ready();
    let (_, [_, setup]) = setups();
    let finer = Market::new(setup.venue, SYMBOL, info(), Scale::new(4, 5).expect("fits")).expect("rules fit");
    assert_eq!(tell(&mut stage, &finer), vec![]);
    let other = changed(|info| info.symbol = "ETH/USDT".parse().expect("symbol"));
    assert_eq!(tell(&mut stage, &other), vec![]);
    assert_eq!(rules(&stage), info());
    assert_eq!(stage.cross().map(|order| qty(&order)), [500_000, 500_000]);
}
