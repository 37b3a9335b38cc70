//! What exchanges do that nobody here asked for, with the real transport, adapters and engine: nothing of it makes a wrong
//! book, a second order, or money that is not there.

use crate::stage::{ACCOUNT, Setting, Trader, mx, play};
use cex_core::{Decimal, Side, Symbol};
use cex_risk::Mode;
use cex_sim::fault::{Fault, OrderEffect, Stream, VenueFault, WsEffect};
use cex_sim::server::SimExchange;
use cex_transport::LinkConfig;
use std::time::Duration;

fn with_trader(seed: u64, scenario: impl AsyncFnOnce(Trader) + 'static) {
    play(Setting::new(seed), move |stage| async move {
        let trader = stage.trader(LinkConfig::default(), Mode::Active).await;
        trader.recovers_within(Duration::from_secs(20)).await;
        trader.trades_within(1, Duration::from_secs(30)).await;
        scenario(trader).await;
    });
}

fn symbols(trader: &Trader) -> Vec<Symbol> {
    trader.markets[0].iter().map(cex_core::Market::symbol).collect()
}

/// How often a fault of this kind happened.
fn fired(trader: &Trader, what: &str) -> usize {
    trader.stage.sim.fired().iter().filter(|fired| fired.fault.contains(what)).count()
}

#[test]
fn tops_that_flicker_are_followed_and_cost_nothing_that_is_not_booked() {
    with_trader(61, async |trader: Trader| {
        for exchange in SimExchange::ALL {
            for symbol in symbols(&trader) {
                let flicker = VenueFault::Flicker { symbol, every: Duration::from_millis(40) };
                trader.stage.sim.inject(exchange, &Fault::venue(flicker)).expect("a good fault");
            }
        }
        let compared = trader.watch_for(Duration::from_secs(30)).await;
        assert!(compared > 1_000, "{compared} books compared");
        assert_eq!(fired(&trader, "mx.flicker"), 4);
        trader.stage.sim.clear_all();
        trader.trades_again().await;
        trader.settle().await;
    });
}

#[test]
fn own_orders_that_the_book_echoes_are_no_depth_that_ruins() {
    with_trader(62, async |trader: Trader| {
        for exchange in SimExchange::ALL {
            let echo = Fault::order(OrderEffect::Echo(Duration::from_millis(300))).always();
            trader.stage.sim.inject(exchange, &echo).expect("a good fault");
        }
        trader.trades_within(5, Duration::from_secs(60)).await;
        trader.watch_for(Duration::from_secs(5)).await;
        assert!(fired(&trader, "echo") >= 10, "{} echoes", fired(&trader, "echo"));
        trader.stage.sim.clear_all();
        trader.recovers_within(Duration::from_secs(30)).await;
        trader.settle().await;
    });
}

#[test]
fn a_feed_that_crosses_itself_is_no_book_until_it_is_mended() {
    for (exchange, channel) in [(SimExchange::Mexc, "depth"), (SimExchange::Gateio, "spot.o")] {
        with_trader(65, async move |trader: Trader| {
            let cross = Fault::ws(Stream::Public, &[channel], WsEffect::Cross).times(20).skip(5);
            trader.stage.sim.inject(exchange, &cross).expect("a good fault");
            // Every book that is usable meanwhile is still what the exchange's was.
            trader.watch_for(Duration::from_secs(10)).await;
            assert_eq!(fired(&trader, "cross"), 20, "{exchange}");
            trader.recovers_within(Duration::from_secs(30)).await;
            trader.trades_again().await;
            let view = trader.settle().await;
            assert!(view.venues[exchange as usize].resyncs > 0, "{exchange}: nothing was begun anew");
        });
    }
}

/// Their fills come over our own private stream. What they moved is in our holdings, to the last digit, and in no
/// arbitrage: our profit and the ledgers' differ by the fees of others and by nothing else.
#[test]
fn orders_of_somebody_else_are_counted_and_never_booked_as_ours() {
    with_trader(64, async |trader: Trader| {
        let symbol = symbols(&trader)[0];
        let qty: Decimal = "0.001".parse().expect("a decimal");
        for exchange in SimExchange::ALL {
            let order = VenueFault::ForeignOrder {
                account: ACCOUNT.to_owned(),
                symbol,
                side: Side::Buy,
                qty,
                price: None,
                client_id: "by-hand".to_owned(),
            };
            trader.stage.sim.inject(exchange, &Fault::venue(order)).expect("a good fault");
        }
        trader.watch_for(Duration::from_secs(3)).await;
        assert_eq!(fired(&trader, "mx.foreign_order"), 2);
        assert!(trader.view().totals.foreign_fills >= 2, "{:?}", trader.view().totals);
        trader.trades_again().await;
        let desk = trader.desk.clone();
        let accounts = trader.settle_with_others("by-hand").await;
        let realised = desk.look(|_, view, _, _| view.totals.realised);
        assert_eq!(accounts.proof.mismatches, [], "what others moved is held");
        assert!(!accounts.fees_of_others.is_zero());
        let difference = realised.checked_sub(accounts.proof.profit).expect("small");
        assert_eq!(difference, accounts.fees_of_others, "what others traded is in no arbitrage");
    });
}

/// M5: fees change their coin twice, from quote to MX and back when that runs out, and are booked to the last digit.
#[test]
fn fees_in_a_third_coin_that_runs_out_are_booked() {
    with_trader(66, async |trader: Trader| {
        let fees = VenueFault::FeesIn { account: ACCOUNT.to_owned(), asset: mx(), price: Decimal::from(3) };
        trader.stage.sim.inject(SimExchange::Mexc, &Fault::venue(fees)).expect("a good fault");
        let coins = |trader: &Trader| {
            let ledger = trader.stage.sim.ledger();
            let account = ledger.account(SimExchange::Mexc, ACCOUNT).expect("our account");
            account.fills.iter().map(|fill| fill.fee_asset == mx()).collect::<Vec<_>>()
        };
        let began = tokio::time::Instant::now();
        // In MX first, then no more.
        while !coins(&trader).iter().rev().skip_while(|is_mx| !**is_mx).any(|is_mx| *is_mx)
            || coins(&trader).last() == Some(&true)
        {
            assert!(began.elapsed() < Duration::from_secs(200), "{:?}", coins(&trader));
            trader.watch_for(Duration::from_millis(500)).await;
        }
        let totals = trader.view().totals;
        assert!(totals.other_fee.is_positive(), "they are in the profit: {totals:?}");
        trader.settle().await;
    });
}

/// A hundred times the price at one exchange is no edge: above the ceiling nothing is opened until somebody has looked.
#[test]
fn a_coin_that_is_counted_anew_is_no_edge() {
    with_trader(65, async |trader: Trader| {
        let symbol = symbols(&trader)[0];
        let redenominate = VenueFault::Redenominate { symbol, into_one: 100 };
        trader.stage.sim.inject(SimExchange::Gateio, &Fault::venue(redenominate)).expect("a good fault");
        // What was on its way ends, on what there was.
        trader.watch_for(Duration::from_secs(5)).await;
        let orders = || {
            let ledger = trader.stage.sim.ledger();
            let of = |account: &cex_sim::server::AccountLedger| {
                account.orders.iter().filter(|order| order.symbol == symbol).count()
            };
            ledger.accounts.iter().map(of).sum::<usize>()
        };
        let (before, started) = (orders(), trader.view().totals.started);
        trader.watch_for(Duration::from_secs(30)).await;
        assert_eq!(orders(), before, "an order in a coin that is counted anew");
        assert!(trader.view().totals.started > started, "the other symbol trades on");
    });
}
