//! Orders that meet a fault inside of the exchange. Money stays exact: what an account has is what it was given, plus
//! what its fills moved, less their fees.

use super::{Gateio, Mexc, btc, decimal, fill_books, fired, inject, orders, purchase, statuses};
use crate::client::{Http, parse, run, start_quiet, text};
use cex_core::{Asset, Bps, Decimal, OrderStatus, Side};
use cex_sim::fault::{Fault, ForcedEnd, OrderEffect, Refused};
use cex_sim::server::{SimExchange, SimHandle};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(30);

/// Checks the only account of an exchange against its fills.
pub(super) fn check_money(sim: &SimHandle, exchange: SimExchange) {
    let ledger = sim.ledger().expect("running");
    let account = ledger.account(exchange, "rich").expect("an account");
    let add = |sum: Decimal, part: Decimal| sum.checked_add(part).expect("small");
    let less = |sum: Decimal, part: Decimal| sum.checked_sub(part).expect("small");
    for (asset, free, locked) in &account.balances {
        let given = account.deposits.iter().find(|(known, _)| known == asset).map(|(_, given)| *given);
        let mut expected = given.unwrap_or_default();
        for fill in &account.fills {
            let (base, quote) = (fill.symbol.base == *asset, fill.symbol.quote == *asset);
            expected = match fill.side {
                Side::Buy if base => add(expected, fill.qty),
                Side::Buy if quote => less(expected, fill.notional),
                Side::Sell if base => less(expected, fill.qty),
                Side::Sell if quote => add(expected, fill.notional),
                Side::Buy | Side::Sell => expected,
            };
            if fill.fee_asset == *asset {
                expected = less(expected, fill.fee);
            }
        }
        assert_eq!(add(*free, *locked), expected, "{exchange} {asset}");
    }
}

/// Asks for the truth until it is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never: {what}");
}

async fn place(http: &mut Http, client_id: &str, tif: &str) -> (u16, sonic_rs::Value) {
    http.gateio("POST", "/spot/orders", "", &purchase(client_id, tif)).await
}

#[test]
fn orders_are_refused_in_the_exchange_s_words() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut gateio = Http::connect(&sim, Gateio).await.expect("connected");
        let mut mexc = Http::connect(&sim, Mexc).await.expect("connected");
        let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.5&price=101";
        for (why, label, code) in [
            (Refused::Halted, "INVALID_CURRENCY_PAIR", 30_000),
            (Refused::Frozen, "FORBIDDEN", 10_098),
            (Refused::Funds, "BALANCE_NOT_ENOUGH", 30_004),
            (Refused::Overloaded, "TOO_BUSY", 503),
        ] {
            for exchange in [Gateio, Mexc] {
                inject(
                    &sim,
                    exchange,
                    Fault::order(OrderEffect::Reject(why)).of_account("rich").in_symbol(btc()),
                );
            }
            let (_, told) = place(&mut gateio, "t-one", "ioc").await;
            assert_eq!(text(&told["label"]), label);
            let (_, told) = mexc.mexc("POST", "/order", order).await;
            assert_eq!(told["code"].as_i64(), Some(code), "{told:?}");
        }
        assert!(orders(&sim).is_empty());
        assert_eq!(place(&mut gateio, "t-one", "ioc").await.0, 201, "all are used up");
    });
}

#[test]
fn a_part_fills_and_the_rest_is_cancelled() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        for (part, tif, filled) in [(4_000, "ioc", "0.2"), (2_000, "gtc", "0.1"), (0, "fok", "0")] {
            inject(&sim, Gateio, Fault::order(OrderEffect::Partial(Bps::from_bps(part))));
            let (status, order) = place(&mut http, "t-one", tif).await;
            assert_eq!((status, text(&order["status"])), (201, "cancelled"), "{tif}");
            assert_eq!(text(&order["filled_amount"]), filled, "{tif}");
        }
        check_money(&sim, Gateio);
    });
}

#[test]
fn the_exchange_ends_orders_for_its_own_reasons() {
    run(async {
        let sim = start_quiet();
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        for (end, told) in [
            (ForcedEnd::SelfTrade, "stp"),
            (ForcedEnd::Depth, "depth_not_enough"),
            (ForcedEnd::Trader, "trader_not_enough"),
            (ForcedEnd::Small, "small"),
            (ForcedEnd::Liquidation, "liquidate_cancelled"),
            (ForcedEnd::PriceProtection, "price_protect_cancelled"),
        ] {
            inject(&sim, Gateio, Fault::order(OrderEffect::EndAs(end)));
            let (_, order) = place(&mut http, "t-one", "gtc").await;
            assert_eq!(text(&order["finish_as"]), told);
        }
        check_money(&sim, Gateio);
    });
}

#[test]
fn a_late_fill_comes_although_nothing_was_to_be_seen() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        inject(&sim, Gateio, Fault::order(OrderEffect::LateFill(SOON)));
        let (_, order) = place(&mut http, "t-one", "ioc").await;
        assert_eq!((text(&order["status"]), text(&order["left"])), ("open", "0.5"));
        until("it fills", || statuses(&sim) == [OrderStatus::Filled]).await;
        check_money(&sim, Gateio);
    });
}

#[test]
fn a_held_order_can_be_cancelled() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        inject(&sim, Gateio, Fault::order(OrderEffect::LateFill(Duration::from_secs(3_600))));
        let (_, order) = place(&mut http, "t-one", "gtc").await;
        let path = format!("/spot/orders/{}", text(&order["id"]));
        let (status, order) = http.gateio("DELETE", &path, "currency_pair=BTC_USDT", "").await;
        assert_eq!((status, text(&order["status"])), (200, "cancelled"));
        assert_eq!(statuses(&sim), [OrderStatus::Canceled]);
        check_money(&sim, Gateio);
    });
}

#[test]
fn an_order_that_failed_is_placed_all_the_same() {
    run(async {
        let sim = start_quiet();
        fill_books(&sim);
        for exchange in [Gateio, Mexc] {
            inject(&sim, exchange, Fault::order(OrderEffect::LateAccept(SOON)));
        }
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let (status, told) = place(&mut http, "t-one", "ioc").await;
        assert_eq!((status, text(&told["label"])), (503, "TOO_BUSY"));
        let mut mexc = Http::connect(&sim, Mexc).await.expect("connected");
        let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.5&price=101";
        assert_eq!(mexc.mexc("POST", "/order", order).await.0, 503);
        until("both are placed", || {
            let count = |exchange| sim.orders(exchange, "rich").expect("an account").len();
            (count(Gateio), count(Mexc)) == (1, 1)
        })
        .await;
        for exchange in [Gateio, Mexc] {
            check_money(&sim, exchange);
        }
    });
}

#[test]
fn forgotten_and_hidden_orders_cannot_be_found() {
    run(async {
        let sim = start_quiet();
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        for (effect, at_first, later) in [
            (OrderEffect::Forget(Duration::ZERO), 404, 404),
            (OrderEffect::Forget(SOON), 200, 404),
            (OrderEffect::Hide(SOON), 404, 200),
        ] {
            inject(&sim, Gateio, Fault::order(effect));
            let (_, order) = place(&mut http, "t-one", "gtc").await;
            let path = format!("/spot/orders/{}", text(&order["id"]));
            let began = tokio::time::Instant::now();
            let (status, _) = http.gateio("GET", &path, "currency_pair=BTC_USDT", "").await;
            // On a machine that is very busy the time may be over already.
            if began.elapsed() < SOON / 2 {
                assert_eq!(status, at_first, "{effect}");
            }
            for _ in 0..2_000 {
                let (status, _) = http.gateio("GET", &path, "currency_pair=BTC_USDT", "").await;
                if status == later {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(http.gateio("GET", &path, "currency_pair=BTC_USDT", "").await.0, later, "{effect}");
        }
        assert_eq!(orders(&sim).len(), 3, "the truth forgets nothing");
        let (_, open) = http.gateio("GET", "/spot/open_orders", "", "").await;
        assert_eq!(open[0]["orders"].as_array().map(sonic_rs::Array::len), Some(1));
    });
}

#[test]
fn what_should_not_rest_rests() {
    run(async {
        let sim = start_quiet();
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        inject(&sim, Gateio, Fault::order(OrderEffect::IgnoreTif));
        let (_, order) = place(&mut http, "t-one", "ioc").await;
        assert_eq!((text(&order["status"]), text(&order["time_in_force"])), ("open", "gtc"));
        assert_eq!(sim.book(Gateio, btc()).expect("a book").bids, [(decimal("101"), decimal("0.5"))]);
    });
}

#[test]
fn a_fill_comes_after_the_confirmed_cancel() {
    run(async {
        let sim = start_quiet();
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        for (part, filled, status) in
            [(5_000, "0.25", OrderStatus::Canceled), (10_000, "0.5", OrderStatus::Filled)]
        {
            let fault = OrderEffect::FillAfterCancel { part: Bps::from_bps(part), after: SOON };
            let id = inject(&sim, Gateio, Fault::order(fault));
            let (_, order) = place(&mut http, "t-one", "gtc").await;
            let path = format!("/spot/orders/{}", text(&order["id"]));
            let (_, order) = http.gateio("DELETE", &path, "currency_pair=BTC_USDT", "").await;
            assert_eq!((text(&order["status"]), text(&order["filled_amount"])), ("cancelled", "0"));
            assert!(sim.book(Gateio, btc()).expect("a book").bids.is_empty());
            until("it fills", || orders(&sim).last().map(|order| order.filled_qty) == Some(decimal(filled)))
                .await;
            assert_eq!(statuses(&sim).last(), Some(&status));
            assert_eq!(fired(&sim, id), 1);
            check_money(&sim, Gateio);
        }
    });
}

#[test]
fn tests_decide_what_fills_and_what_there_is() {
    run(async {
        let sim = start_quiet();
        let usdt: Asset = "USDT".parse().expect("an asset");
        sim.set_balance(Gateio, "rich", usdt, decimal("50.5")).expect("an account");
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        let (_, rows) = http.gateio("GET", "/spot/accounts", "currency=USDT", "").await;
        assert_eq!(text(&rows[0]["available"]), "50.5");
        assert_eq!(place(&mut http, "t-one", "gtc").await.0, 201);
        assert_eq!(text(&place(&mut http, "t-two", "gtc").await.1["label"]), "BALANCE_NOT_ENOUGH");
        sim.place_quote(Gateio, btc(), Side::Sell, decimal("100"), decimal("0.5")).expect("on the grid");
        assert_eq!(statuses(&sim), [OrderStatus::Filled]);
        check_money(&sim, Gateio);
        let (_, body) = http.get("/api/v4/spot/order_book?currency_pair=BTC_USDT").await.expect("an answer");
        assert!(parse(&body)["asks"].as_array().is_some_and(sonic_rs::Array::is_empty));
        let off = sim.place_quote(Gateio, btc(), Side::Sell, decimal("100.001"), decimal("0.5"));
        assert!(off.is_err_and(|error| error.to_string().contains("100.001")));
    });
}
