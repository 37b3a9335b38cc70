//! Many seeds of everything at once.

use crate::road::{Purpose, Tear};
use crate::stage::{Setting, Stage, TRADER, play};
use cex_risk::Mode;
use cex_sim::server::SimExchange;
use cex_transport::LinkConfig;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;
use tokio::time::Instant;

/// How long the weather is bad.
const BAD: Duration = Duration::from_secs(30);
/// How long everything may take to stand again: a connection that is half-open is given up after `idle_max`, a connect
/// after `dial_timeout`, and pauses grow to the same.
const RECOVERY: Duration = Duration::from_secs(75);

struct Dice(ChaCha8Rng);

impl Dice {
    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.0.next_u64() % (most - least + 1)
    }

    fn size(&mut self, least: u64, most: u64) -> usize {
        usize::try_from(self.between(least, most)).expect("small")
    }
}

/// One trouble after the other on the way to one exchange, until it is late.
async fn weather(stage: Stage, exchange: SimExchange, until: Instant) {
    let mut dice = ChaCha8Rng::seed_from_u64(stage.seed);
    dice.set_stream(1 + exchange as u64);
    let (mut dice, host, road) = (Dice(dice), exchange.name(), stage.roads.to(exchange));
    loop {
        let pause = dice.between(200, 3_000);
        stage.sleep(pause).await;
        if Instant::now() >= until {
            break road.calm();
        }
        match dice.between(0, 9) {
            0 => {
                turmoil::partition(TRADER, host);
                let lasts = dice.between(100, 9_000);
                stage.sleep(lasts).await;
                turmoil::repair(TRADER, host);
            }
            1 => {
                turmoil::partition_oneway(TRADER, host);
                let lasts = dice.between(100, 9_000);
                stage.sleep(lasts).await;
                turmoil::repair_oneway(TRADER, host);
            }
            2 => {
                turmoil::partition_oneway(host, TRADER);
                let lasts = dice.between(100, 9_000);
                stage.sleep(lasts).await;
                turmoil::repair_oneway(host, TRADER);
            }
            3 => {
                turmoil::hold(TRADER, host);
                let lasts = dice.between(50, 4_000);
                stage.sleep(lasts).await;
                turmoil::release(TRADER, host);
            }
            4 => stage.sim.cut_connections(exchange),
            5 => {
                road.slice(dice.size(1, 7));
                let lasts = dice.between(100, 1_000);
                stage.sleep(lasts).await;
                road.slice(0);
            }
            6 => {
                road.helping(dice.size(20, 400));
                let lasts = dice.between(500, 4_000);
                stage.sleep(lasts).await;
                road.helping(0);
            }
            7 => {
                stage.sim.cut_connections(exchange);
                road.arm(Purpose::Stream, Tear::ReadReset(dice.size(0, 4_000)));
                road.arm(Purpose::Calls, Tear::ReadEnd(dice.size(0, 900)));
            }
            8 => {
                stage.sim.cut_connections(exchange);
                road.arm(Purpose::Stream, Tear::Written(dice.size(0, 900)));
                road.arm(Purpose::Calls, Tear::Written(dice.size(0, 700)));
                road.arm(Purpose::Calls, Tear::ReadReset(dice.size(0, 900)));
            }
            _ => {
                stage.sim.cut_connections(exchange);
                road.refuse(true);
                let lasts = dice.between(100, 5_000);
                stage.sleep(lasts).await;
                road.refuse(false);
            }
        }
    }
}

fn storm(seed: u64) {
    play(Setting::new(seed), |stage| async move {
        // In a third of the storms connections are also replaced all the time, each by one that is heard before it is left.
        let rotate_after = stage.seed.is_multiple_of(3).then_some(Duration::from_secs(4));
        let links = LinkConfig { rotate_after, ..LinkConfig::default() };
        let trader = stage.trader(links, Mode::Active).await;
        trader.recovers_within(Duration::from_secs(20)).await;
        trader.trades_within(1, Duration::from_secs(20)).await;
        let until = Instant::now() + BAD;
        let clouds = SimExchange::ALL
            .map(|exchange| tokio::task::spawn_local(weather(stage.clone(), exchange, until)));
        let compared = trader.watch_for(BAD).await;
        for cloud in clouds {
            while !cloud.is_finished() {
                trader.watch_for(Duration::from_millis(100)).await;
            }
            cloud.await.expect("weather that passes");
        }
        let took = trader.recovers_within(RECOVERY).await;
        let waited = trader.trades_again().await;
        let (seed, rotations) = (stage.seed, trader.rotations());
        assert_eq!(rotations > 0, rotate_after.is_some(), "seed {seed}: {rotations} connections replaced");
        let view = trader.settle().await;
        println!(
            "seed {seed}: {compared} books compared, all stood {took:?} after the storm; {} arbitrages, {:?}, {rotations} connections replaced, an operator was needed: {waited}",
            view.totals.started, view.totals.ended,
        );
    });
}

/// Which half of the seeds: the two run beside each other.
fn storms(half: u64) {
    let (from, count) = (number("TURMOIL_SEED", 0), number("TURMOIL_SEEDS", 20));
    (from..from + count).filter(|seed| seed % 2 == half).for_each(storm);
}

/// A number out of the environment: `TURMOIL_SEED=17 TURMOIL_SEEDS=1` plays one seed again.
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn storms_of_even_seeds_leave_right_books_single_orders_and_exact_money() {
    storms(0);
}

#[test]
fn storms_of_odd_seeds_leave_right_books_single_orders_and_exact_money() {
    storms(1);
}
