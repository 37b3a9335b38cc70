use super::*;
use proptest::prelude::*;

fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

fn open() -> Bounds {
    Bounds {
        buy_fee: Bps::ZERO,
        sell_fee: Bps::ZERO,
        buy_tick: Price(1),
        sell_tick: Price(1),
        step: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(i64::MAX),
        min_buy_notional: Notional(0),
        min_sell_notional: Notional(0),
        max_order_notional: Notional(i128::MAX),
        max_leg_notional: Notional(i128::MAX),
        quote_free: Notional(i128::MAX),
        base_free: Qty(i64::MAX),
    }
}

/// Tries every multiple of the step, with the rules written down plainly.
fn brute_force(asks: &[Level], bids: &[Level], bounds: &Bounds) -> Option<(i64, i128)> {
    let depth = |levels: &[Level]| levels.iter().map(|level| level.qty.0).sum::<i64>();
    let sweep = |levels: &[Level], qty: i64| {
        let (mut left, mut notional, mut worst) = (qty, 0i128, 0i64);
        for level in levels {
            if left == 0 {
                break;
            }
            let take = left.min(level.qty.0);
            (left, notional, worst) =
                (left - take, notional + i128::from(take) * i128::from(level.price.0), level.price.0);
        }
        (notional, i128::from(worst))
    };
    let one = i128::from(Bps::ONE);
    let (buy_fee, sell_fee) = (i128::from(bounds.buy_fee.e8()), i128::from(bounds.sell_fee.e8()));
    let mut best: Option<(i64, i128)> = None;
    let mut qty = bounds.step.0;
    while qty <= depth(asks).min(depth(bids)) {
        let ((cost, ask), (gain, bid)) = (sweep(asks, qty), sweep(bids, qty));
        let (buy_tick, sell_tick) = (i128::from(bounds.buy_tick.0), i128::from(bounds.sell_tick.0));
        let (ask, bid) = (ceil_div(ask, buy_tick) * buy_tick, bid / sell_tick * sell_tick);
        let (buy, sell) = (ask * i128::from(qty), bid * i128::from(qty));
        let allowed = bid > 0
            && qty >= bounds.min_qty.0
            && qty <= bounds.max_qty.0
            && qty <= bounds.base_free.0
            && buy >= bounds.min_buy_notional.0
            && sell >= bounds.min_sell_notional.0
            && buy <= bounds.max_order_notional.0
            && sell <= bounds.max_order_notional.0
            && buy <= bounds.max_leg_notional.0
            && gain <= bounds.max_leg_notional.0
            && buy * (one + buy_fee.max(0)) <= bounds.quote_free.0.saturating_mul(one);
        let profit = gain * (one - sell_fee) - cost * (one + buy_fee);
        if allowed && profit > best.map_or(0, |(_, known)| known) {
            best = Some((qty, profit));
        }
        qty += bounds.step.0;
    }
    best
}

#[test]
fn sweeps_while_one_more_unit_still_pays() {
    let asks = [level(100, 5), level(101, 5), level(103, 5)];
    let bids = [level(104, 4), level(102, 4), level(101, 9)];
    let size = best_size(asks, bids, &open()).expect("crossed");
    // 4 at 104 against 100, 1 at 102 against 100, 3 at 102 against 101; then 101 against 101 pays nothing.
    assert_eq!(size.qty, Qty(8));
    assert_eq!((size.buy_limit, size.sell_limit), (Price(101), Price(102)));
    assert_eq!((size.buy_notional, size.sell_notional), (Notional(803), Notional(824)));
    assert_eq!(size.profit_e8, 21 * i128::from(Bps::ONE));
}

#[test]
fn a_coarse_lot_may_reach_past_the_crossing_point() {
    let asks = [level(100, 19), level(110, 100)];
    let bids = [level(109, 100)];
    let bounds = Bounds { step: Qty(10), ..open() };
    // 20 loses one unit at 110 against 109 but gains nine at 100: better than stopping at 10.
    assert_eq!(best_size(asks, bids, &bounds).map(|size| size.qty), Ok(Qty(20)));
}

#[test]
fn says_why_there_is_no_size() {
    let crossed = || ([level(100, 5)], [level(101, 5)]);
    let why = |bounds: &Bounds| {
        let (asks, bids) = crossed();
        best_size(asks, bids, bounds).expect_err("no size")
    };
    assert_eq!(why(&Bounds { buy_fee: Bps::from_bps(100), ..open() }), NoSize::NoEdge);
    assert_eq!(why(&Bounds { min_qty: Qty(6), ..open() }), NoSize::TooSmall);
    assert_eq!(why(&Bounds { min_sell_notional: Notional(506), ..open() }), NoSize::TooSmall);
    assert_eq!(why(&Bounds { base_free: Qty(0), ..open() }), NoSize::NoBalance);
    assert_eq!(why(&Bounds { quote_free: Notional(99), ..open() }), NoSize::NoBalance);
    assert_eq!(best_size([level(100, 5)], [], &open()), Err(NoSize::NoEdge));
    let huge = || [level(i64::MAX, i64::MAX)];
    assert_eq!(best_size(huge(), [level(i64::MAX, 1)], &open()), Err(NoSize::NoEdge));
}

#[test]
fn limits_are_multiples_of_the_tick_and_money_is_what_the_book_shows() {
    let (asks, bids) = ([level(1_003, 5), level(1_007, 5)], [level(1_029, 5), level(1_021, 5)]);
    let bounds = Bounds { buy_tick: Price(10), sell_tick: Price(10), ..open() };
    let size = best_size(asks, bids, &bounds).expect("crossed");
    assert_eq!((size.buy_limit, size.sell_limit), (Price(1_010), Price(1_020)));
    assert_eq!((size.buy_notional, size.sell_notional), (Notional(10_050), Notional(10_250)));
    // 10 units at the limit cost 10,100: what the book shows would fit, what the order may spend does not.
    let poor = Bounds { quote_free: Notional(10_099), ..bounds };
    assert_eq!(best_size(asks, bids, &poor).map(|size| size.qty), Ok(Qty(9)));
    let coarse = Bounds { sell_tick: Price(2_000), ..bounds };
    assert_eq!(best_size(asks, bids, &coarse), Err(NoSize::TooSmall), "no price that can be asked is so low");
}

#[test]
fn lots_combine_to_their_least_common_multiple() {
    assert_eq!(common_step(Qty(100), Qty(1)), Some(Qty(100)));
    assert_eq!(common_step(Qty(6), Qty(4)), Some(Qty(12)));
    assert_eq!(common_step(Qty(0), Qty(7)), Some(Qty(7)));
    assert_eq!(common_step(Qty(i64::MAX), Qty(i64::MAX - 1)), None);
}

fn ladder(up: bool) -> impl Strategy<Value = Vec<Level>> {
    proptest::collection::vec((0i64..6, 1i64..25), 0..8).prop_map(move |steps| {
        let mut price = if up { 1_000 } else { 1_030 };
        steps
            .into_iter()
            .map(|(step, qty)| {
                price += if up { step + 1 } else { -step - 1 };
                level(price, qty)
            })
            .collect()
    })
}

fn maybe<T: std::fmt::Debug + Clone + 'static>(
    value: impl Strategy<Value = T> + 'static,
    otherwise: T,
) -> impl Strategy<Value = T> {
    prop_oneof![3 => Just(otherwise), 1 => value]
}

fn any_bounds() -> impl Strategy<Value = Bounds> {
    (
        (-20i32..60, -20i32..60, maybe(1i64..9, 1), maybe(1i64..1_040, 1)),
        (1i64..12, 1i64..20, maybe(1i64..120, i64::MAX)),
        (0i128..40_000, 0i128..40_000),
        (maybe(1i128..120_000, i128::MAX), maybe(1i128..120_000, i128::MAX)),
        (maybe(0i128..120_000, i128::MAX), maybe(0i64..120, i64::MAX)),
    )
        .prop_map(|((buy_fee, sell_fee, buy_tick, sell_tick), lots, minimums, maximums, funds)| Bounds {
            buy_fee: Bps::from_bps(buy_fee),
            sell_fee: Bps::from_bps(sell_fee),
            buy_tick: Price(buy_tick),
            sell_tick: Price(sell_tick),
            step: Qty(lots.0),
            min_qty: Qty(lots.1),
            max_qty: Qty(lots.2),
            min_buy_notional: Notional(minimums.0),
            min_sell_notional: Notional(minimums.1),
            max_order_notional: Notional(maximums.0),
            max_leg_notional: Notional(maximums.1),
            quote_free: Notional(funds.0),
            base_free: Qty(funds.1),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn equals_trying_every_lot(asks in ladder(true), bids in ladder(false), bounds in any_bounds()) {
        let expected = brute_force(&asks, &bids, &bounds);
        let found = best_size(asks, bids, &bounds);
        prop_assert_eq!(found.ok().map(|size| (size.qty.0, size.profit_e8)), expected, "{:?}", found);
    }
}
