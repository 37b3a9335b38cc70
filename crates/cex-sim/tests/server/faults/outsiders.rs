//! What no client asked for: tops that flicker, echoes, foreign orders, coins that are counted anew, feeds that cross.

use super::orders::check_money;
use super::{Gateio, Mexc, btc, buy, decimal, fill_books, fired, inject, orders};
use crate::client::{Http, Ws, run, start, start_quiet, text};
use cex_core::{Decimal, OrderStatus, Side};
use cex_sim::fault::{Fault, OrderEffect, Stream, VenueFault, WsEffect};
use cex_sim::server::{SimExchange, SimHandle};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(40);

/// The best bid and ask of bitcoin, price and quantity.
fn tops(sim: &SimHandle, exchange: SimExchange) -> [Option<(Decimal, Decimal)>; 2] {
    let book = sim.book(exchange, btc()).expect("a book");
    [book.bids.first().copied(), book.asks.first().copied()]
}

/// Waits until the tops are so.
async fn until(sim: &SimHandle, exchange: SimExchange, wanted: [(&str, &str); 2]) {
    let wanted = wanted.map(|(price, qty)| Some((decimal(price), decimal(qty))));
    let began = Instant::now();
    while tops(sim, exchange) != wanted {
        assert!(began.elapsed() < Duration::from_secs(5), "{:?} instead of {wanted:?}", tops(sim, exchange));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_top_flickers_until_it_is_steady_again() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        for (exchange, better) in
            [(Mexc, [("99.01", "1"), ("100.99", "1")]), (Gateio, [("99.1", "1"), ("100.9", "1")])]
        {
            let flicker = Fault::venue(VenueFault::Flicker { symbol: btc(), every: SOON });
            let id = inject(&sim, exchange, flicker);
            for _ in 0..2 {
                until(&sim, exchange, better).await;
                until(&sim, exchange, [("99", "1"), ("101", "1")]).await;
            }
            until(&sim, exchange, better).await;
            sim.clear(id).expect("it is there");
            until(&sim, exchange, [("99", "1"), ("101", "1")]).await;
            tokio::time::sleep(SOON * 3).await;
            assert_eq!(tops(&sim, exchange)[0], Some((decimal("99"), decimal("1"))), "{exchange} is steady");
            assert_eq!(fired(&sim, id), 1);
        }
    });
}

#[test]
fn an_order_is_echoed_by_the_book_and_then_not() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let id = inject(&sim, Gateio, Fault::order(OrderEffect::Echo(SOON)));
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        assert_eq!(buy(&mut http, "t-one").await.expect("an answer").0, 201);
        // Half of what was asked for was taken at 101; the whole of it seems to be bid just below.
        assert_eq!(tops(&sim, Gateio)[0], Some((decimal("100.9"), decimal("0.5"))));
        assert_eq!(orders(&sim)[0].status, OrderStatus::Filled);
        until(&sim, Gateio, [("99", "1"), ("101", "0.5")]).await;
        assert_eq!(fired(&sim, id), 1);
        check_money(&sim, Gateio);
    });
}

#[test]
fn somebody_else_trades_in_a_client_s_name() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        for (exchange, price) in [(Mexc, None), (Gateio, Some(decimal("101")))] {
            let order = VenueFault::ForeignOrder {
                account: "rich".to_owned(),
                symbol: btc(),
                side: Side::Buy,
                qty: decimal("0.25"),
                price,
                client_id: "by-hand".to_owned(),
            };
            let id = inject(&sim, exchange, Fault::venue(order));
            let orders = sim.orders(exchange, "rich").expect("an account");
            assert_eq!((orders.len(), orders[0].client_id.as_str()), (1, "by-hand"), "{exchange}");
            assert_eq!(orders[0].status, OrderStatus::Filled, "{exchange}");
            assert_eq!(fired(&sim, id), 1);
            assert!(sim.faults().expect("running").is_empty(), "it is done, and leaves nothing to clear");
            check_money(&sim, exchange);
        }
        let nobody = VenueFault::ForeignOrder {
            account: "nobody".to_owned(),
            symbol: btc(),
            side: Side::Buy,
            qty: decimal("1"),
            price: None,
            client_id: String::new(),
        };
        assert!(sim.inject(Mexc, Fault::venue(nobody)).is_err());
    });
}

#[test]
fn coins_are_counted_anew() {
    run(async {
        let sim = start(|config| config.symbols = 1);
        for exchange in SimExchange::ALL {
            let price = async || {
                let began = Instant::now();
                loop {
                    if let [Some((bid, _)), Some((ask, _))] = tops(&sim, exchange) {
                        break (bid, ask);
                    }
                    assert!(began.elapsed() < Duration::from_secs(5), "{exchange} quotes");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let held = || {
                let ledger = sim.ledger().expect("running");
                let account = ledger.account(exchange, "rich").expect("an account").clone();
                account.balances.into_iter().find(|(asset, ..)| *asset == btc().base).expect("bitcoin").1
            };
            let ((before, _), had) = (price().await, held());
            let id = inject(
                &sim,
                exchange,
                Fault::venue(VenueFault::Redenominate { symbol: btc(), into_one: 100 }),
            );
            let ((bid, ask), has) = (price().await, held());
            let times = |value: Decimal, by: i64| value.checked_mul(Decimal::from(by)).expect("small");
            assert!(
                bid > times(before, 90) && ask < times(before, 110),
                "{exchange}: {before}, now {bid} to {ask}"
            );
            assert!(times(has, 100) <= had && times(has, 101) > had, "{exchange}: {had}, now {has}");
            assert_eq!(fired(&sim, id), 1);
            check_money(&sim, exchange);
        }
    });
}

#[test]
fn a_feed_crosses_itself_while_the_book_does_not() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        ws.subscribe("spot.order_book_update", r#"["BTC_USDT","100ms"]"#).await;
        let id = inject(&sim, Gateio, Fault::ws(Stream::Public, &["order_book_update"], WsEffect::Cross));
        sim.place_quote(Gateio, btc(), Side::Sell, decimal("102"), decimal("1")).expect("on the grid");
        let frame = ws.next(|frame| frame["event"].as_str() == Some("update")).await;
        let level = &frame["result"]["b"][0];
        assert_eq!((text(&level[0]), text(&level[1])), ("102", "1"), "what was asked comes as a bid");
        assert!(frame["result"]["a"].as_array().is_some_and(sonic_rs::Array::is_empty));
        assert_eq!(fired(&sim, id), 1);
        let [bid, _] = tops(&sim, Gateio);
        assert_eq!(bid, Some((decimal("99"), decimal("1"))));
    });
}
