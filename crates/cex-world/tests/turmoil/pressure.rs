//! Readers that are slow, and exchanges that cut everybody again and again.

use crate::road::Purpose;
use crate::stage::{Setting, Stage, play};
use cex_risk::Mode;
use cex_sim::server::SimExchange;
use cex_transport::LinkConfig;
use std::time::Duration;
use tokio::time::Instant;

/// A reader that gets a fraction of what is sent falls behind for ever: what it has is old by the exchange's own time, and
/// nothing may be opened on it, though frames come all the time. What waits, waits in the network and at the exchange.
#[test]
fn a_slow_reader_trades_on_nothing_old() {
    for (exchange, seed) in [(SimExchange::Mexc, 41), (SimExchange::Gateio, 42)] {
        play(Setting::new(seed), move |stage| async move {
            let trader = stage.trader(LinkConfig::default(), Mode::Active).await;
            trader.recovers_within(Duration::from_secs(20)).await;
            trader.trades_within(2, Duration::from_secs(30)).await;
            stage.roads.to(exchange).helping(15);
            // Until the lag is larger than an old book may be.
            trader.watch_for(Duration::from_secs(6)).await;
            let (before, compared) =
                (trader.view().totals.started, trader.watch_for(Duration::from_secs(24)).await);
            let opened = trader.view().totals.started - before;
            assert_eq!(opened, 0, "seed {seed}: opened on what a slow reader of {exchange} still had");
            stage.roads.to(exchange).helping(0);
            let took = trader.recovers_within(Duration::from_secs(45)).await;
            trader.trades_again().await;
            trader.settle().await;
            println!("seed {seed}: {exchange}: {compared} books compared while slow, well {took:?} after");
        });
    }
}

/// The most attempts within any second.
fn densest(dials: &[Instant]) -> usize {
    let second = Duration::from_secs(1);
    dials
        .iter()
        .map(|from| dials.iter().filter(|at| *at >= from && **at < *from + second).count())
        .max()
        .unwrap_or(0)
}

fn check_dials(stage: &Stage, exchange: SimExchange, from: Instant, most: usize) -> (usize, usize) {
    let dials = stage.roads.to(exchange).dials(Purpose::Stream);
    let dials: Vec<Instant> = dials.into_iter().filter(|at| *at >= from).collect();
    let spacing = LinkConfig::default().dial_spacing;
    for pair in dials.windows(2) {
        // The clock of the simulation has milliseconds.
        let apart = pair[1].duration_since(pair[0]) + Duration::from_millis(1);
        assert!(apart >= spacing, "seed {}: two attempts within {apart:?} at {exchange}", stage.seed);
    }
    assert!(dials.len() <= most, "seed {}: {} attempts at {exchange}", stage.seed, dials.len());
    (dials.len(), densest(&dials))
}

/// All connections cut twenty times in a minute (T11), then nobody let in for two minutes.
#[test]
fn reconnects_are_bounded_however_often_the_exchange_cuts() {
    for seed in [51, 52] {
        play(Setting::new(seed), |stage| async move {
            let trader = stage.trader(LinkConfig::default(), Mode::Active).await;
            trader.recovers_within(Duration::from_secs(20)).await;
            let from = Instant::now();
            for _ in 0..20 {
                SimExchange::ALL.into_iter().for_each(|exchange| stage.sim.cut_connections(exchange));
                trader.watch_for(Duration::from_secs(3)).await;
            }
            // Two links an exchange: one attempt for each cut, and the pauses grow because none stood long.
            let cuts = SimExchange::ALL.map(|exchange| check_dials(&stage, exchange, from, 2 * 20));
            let from = Instant::now();
            for exchange in SimExchange::ALL {
                stage.roads.to(exchange).refuse(true);
                stage.sim.cut_connections(exchange);
            }
            trader.watch_for(Duration::from_secs(120)).await;
            // Pauses of at most 30 s, evenly drawn: four a link in two minutes on average once they have grown.
            let outage = SimExchange::ALL.map(|exchange| check_dials(&stage, exchange, from, 2 * 24));
            for exchange in SimExchange::ALL {
                stage.roads.to(exchange).refuse(false);
            }
            let took = trader.recovers_within(Duration::from_secs(45)).await;
            trader.trades_again().await;
            trader.settle().await;
            println!(
                "attempts (all, densest second): 20 cuts {cuts:?}, outage {outage:?}; well {took:?} after"
            );
        });
    }
}
