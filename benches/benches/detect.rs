//! Budgets: detection after one changed top, with few and many venues and symbols; the exactly optimal size.

use cex_benches::measure::{Budget, Contestant, finish, measure};
use cex_benches::workload::{Dice, story};
use cex_core::{Bps, Level, Notional, Price, Qty};
use cex_engine::{Bounds, Tops, best_size};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut kept = vec![
        detection("detection after one update, 2 venues, 1,000 symbols", 2, 1_000, Budget::Nanos(50.0)),
        detection("detection after one update, 16 venues, 1,000 symbols", 16, 1_000, Budget::Nanos(200.0)),
    ];
    kept.push(growth());
    kept.push(sizing());
    finish(&kept)
}

/// Tops of `symbols` symbols on `venues` venues, uncrossed.
fn tops(venues: usize, symbols: usize) -> Vec<Tops> {
    (0..symbols)
        .map(|_| {
            let mut tops = Tops::new(&vec![Bps::from_bps(5); venues]);
            for venue in 0..venues {
                tops.set(venue, Some(Price(99_990)), Some(Price(100_010)));
            }
            tops
        })
        .collect()
}

fn step(tops: &mut [Tops], dice: &mut Dice, venues: u64) -> u64 {
    let pick = |dice: &mut Dice, below: u64| usize::try_from(dice.below(below)).unwrap_or(0);
    let symbol = pick(dice, tops.len() as u64);
    let venue = pick(dice, venues);
    let mid = 99_995 + i64::try_from(dice.below(10)).unwrap_or(0);
    let tops = &mut tops[symbol];
    tops.set(venue, Some(Price(mid - 10)), Some(Price(mid + 10)));
    tops.crossing(venue, None).map_or(0, |(_, crossing)| crossing.buy as u64 + 1)
}

fn detection(title: &str, venues: usize, symbols: usize, budget: Budget) -> bool {
    let mut tops = tops(venues, symbols);
    let mut dice = Dice::new(1);
    let job = move || (0..1_000).map(|_| step(&mut tops, &mut dice, venues as u64)).sum();
    measure(title, budget, vec![Contestant::new("changed venue against the others", 1_000, job)])
}

fn growth() -> bool {
    let contestant = |name, symbols| {
        let mut tops = tops(2, symbols);
        let mut dice = Dice::new(1);
        Contestant::new(name, 1_000, move || (0..1_000).map(|_| step(&mut tops, &mut dice, 2)).sum())
    };
    // What grows is cache misses: ten thousand symbols do not fit where ten do.
    measure(
        "growth with the number of symbols",
        Budget::AtMostTimes(6.0),
        vec![contestant("10,000 symbols", 10_000), contestant("10 symbols", 10)],
    )
}

fn sizing() -> bool {
    let told = story(42, 100_000, 100, 1);
    let shifted: Vec<Level> = told
        .start
        .bids
        .iter()
        .map(|level| Level { price: Price(level.price.0 + 60), qty: level.qty })
        .collect();
    let bounds = Bounds {
        buy_fee: Bps::from_bps(2),
        sell_fee: Bps::from_bps(2),
        buy_tick: Price(1),
        sell_tick: Price(1),
        step: Qty(1_000),
        min_qty: Qty(1_000),
        max_qty: Qty(i64::MAX),
        min_buy_notional: Notional(1),
        min_sell_notional: Notional(1),
        max_order_notional: Notional(i128::MAX),
        max_leg_notional: Notional(i128::MAX),
        quote_free: Notional(i128::MAX / 1_000_000_000),
        base_free: Qty(i64::MAX),
    };
    let levels = best_size(told.start.asks.iter().copied(), shifted.iter().copied(), &bounds)
        .map_or(0, |size| size.buy_limit.0 - 100_000 + 1);
    println!("(the size below sweeps {levels} asks)\n");
    measure(
        "exactly optimal size",
        Budget::Nanos(2_000.0),
        vec![Contestant::new("both ladders walked", 1, || {
            best_size(told.start.asks.iter().copied(), shifted.iter().copied(), &bounds)
                .map_or(0, |size| size.qty.0.unsigned_abs())
        })],
    )
}
