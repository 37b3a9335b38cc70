//! Partitions, both ways and one way: noticed in the time that is stated, nothing traded on what is old, all well after.

use crate::stage::{Setting, TRADER, play};
use cex_risk::Mode;
use cex_sim::server::SimExchange;
use cex_transport::LinkConfig;
use std::time::Duration;
use tokio::time::Instant;

/// What the risk rules call an old book, and the time a decision and a message take.
const OLD: Duration = Duration::from_millis(1_500 + 100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Both,
    Out,
    Back,
}

fn cut(lost: Lost, exchange: SimExchange) {
    match lost {
        Lost::Both => turmoil::partition(TRADER, exchange.name()),
        Lost::Out => turmoil::partition_oneway(TRADER, exchange.name()),
        Lost::Back => turmoil::partition_oneway(exchange.name(), TRADER),
    }
}

fn mend(lost: Lost, exchange: SimExchange) {
    match lost {
        Lost::Both => turmoil::repair(TRADER, exchange.name()),
        Lost::Out => turmoil::repair_oneway(TRADER, exchange.name()),
        Lost::Back => turmoil::repair_oneway(exchange.name(), TRADER),
    }
}

/// Both exchanges are needed for an arbitrage: while one is not heard, nothing may be opened once its books are old.
fn silence(lost: Lost, exchange: SimExchange, seed: u64) {
    play(Setting::new(seed), move |stage| async move {
        let links = LinkConfig::default();
        let trader = stage.trader(links.clone(), Mode::Active).await;
        trader.recovers_within(Duration::from_secs(20)).await;
        trader.trades_within(2, Duration::from_secs(30)).await;
        cut(lost, exchange);
        let began = Instant::now();
        trader.watch_for(OLD).await;
        let started = trader.view().totals.started;
        while !trader.streams_lie(exchange) {
            trader.watch_for(Duration::from_millis(100)).await;
            let silent = began.elapsed();
            assert!(
                silent <= links.idle_max + Duration::from_secs(1),
                "seed {seed}: {lost:?} at {exchange} unnoticed for {silent:?}"
            );
        }
        let noticed = began.elapsed();
        trader.watch_for(Duration::from_secs(20)).await;
        let opened = trader.view().totals.started - started;
        assert_eq!(opened, 0, "seed {seed}: opened on old books while {lost:?} of {exchange} was lost");
        mend(lost, exchange);
        // A pause after failed attempts, and an attempt that was lost with the network.
        let took =
            trader.recovers_within(links.backoff_cap + links.dial_timeout + Duration::from_secs(5)).await;
        trader.trades_again().await;
        let view = trader.settle().await;
        println!(
            "seed {seed}: {lost:?} of {exchange} noticed after {noticed:?}, all stood {took:?} after it ended; {:?}",
            view.totals.ended
        );
    });
}

#[test]
fn a_partition_is_noticed_within_idle_max_and_nothing_is_traded_on_old_books() {
    silence(Lost::Both, SimExchange::Gateio, 31);
    silence(Lost::Both, SimExchange::Mexc, 32);
}

#[test]
fn a_stream_that_is_only_heard_no_more_is_noticed_within_idle_max() {
    silence(Lost::Back, SimExchange::Gateio, 33);
    silence(Lost::Back, SimExchange::Mexc, 34);
}

/// Quotes come, orders vanish (T3): what was sent is unknown, and while it is nothing more is opened.
#[test]
fn orders_that_vanish_stop_openings_while_quotes_still_come() {
    for (exchange, seed) in [(SimExchange::Gateio, 35), (SimExchange::Mexc, 36)] {
        play(Setting::new(seed), move |stage| async move {
            let trader = stage.trader(LinkConfig::default(), Mode::Active).await;
            trader.recovers_within(Duration::from_secs(20)).await;
            trader.trades_within(1, Duration::from_secs(30)).await;
            let before = trader.view().totals.started;
            cut(Lost::Out, exchange);
            trader.watch_for(Duration::from_secs(25)).await;
            let opened = trader.view().totals.started - before;
            // What may be open at once, by the limits; after the first of them is late nothing follows.
            assert!(opened <= 8, "seed {seed}: {opened} opened while orders to {exchange} vanished");
            mend(Lost::Out, exchange);
            let took = trader.recovers_within(Duration::from_secs(75)).await;
            let view = trader.settle().await;
            println!(
                "seed {seed}: {opened} opened into the void of {exchange}, well {took:?} later; {:?}",
                view.totals.ended
            );
        });
    }
}
