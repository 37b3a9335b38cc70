//! Public frames: the same fields as the vectors of the reference, and the right values in them.

use crate::bench::{BTC, Bench};
use crate::wire::{fields, frame};
use cex_core::{Qty, Side};
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use cex_proto::mexc::{DepthLevel, PushDataV3ApiWrapper};
use cex_sim::dialect::mexc::MexcConfig;
use cex_sim::matching::NewOrderKind;
use std::time::Duration;

/// A bench with a two-sided book of 20 levels a side.
fn deep(june_2026_fields: bool) -> Bench {
    let mut bench = Bench::with(MexcConfig { june_2026_fields, ..MexcConfig::default() });
    for level in 1..=20 {
        bench.rest(BTC, Side::Buy, &(100 - level).to_string(), "1.5");
        bench.rest(BTC, Side::Sell, &(100 + level).to_string(), "1.5");
    }
    bench
}

/// Subscribes, lets something happen, and answers the last frame.
fn last_frame(
    mut bench: Bench,
    channel: &str,
    happen: impl FnOnce(&mut Bench),
) -> (Vec<u8>, PushDataV3ApiWrapper) {
    let conn = bench.open(1, "");
    bench.subscribe(conn, channel);
    bench.pass(Duration::from_secs(2));
    bench.pushes(conn);
    happen(&mut bench);
    bench.pass(Duration::from_secs(2));
    let (bytes, wrapper) = bench.pushes(conn).pop().expect("a frame");
    assert_eq!(wrapper.channel, channel);
    assert_eq!(wrapper.symbol.as_deref(), Some("BTCUSDT"));
    (bytes.to_vec(), wrapper)
}

fn check(june: bool, channel: &str, vector: &str, happen: impl FnOnce(&mut Bench)) -> Body {
    let (ours, wrapper) = last_frame(deep(june), channel, happen);
    assert_eq!(fields(&ours), fields(&frame(vector)), "{vector}");
    wrapper.body.expect("a body")
}

fn both_sides(bench: &mut Bench) {
    bench.rest(BTC, Side::Sell, "150.50", "2.000");
    bench.rest(BTC, Side::Buy, "50", "3");
}

fn sold(bench: &mut Bench) {
    bench.house_order(BTC, Side::Sell, NewOrderKind::Market { qty: Qty(2_000_000) });
}

#[test]
fn depth_frames_carry_the_fields_of_the_vectors() {
    let name = "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT";
    let Body::PublicAggreDepths(depths) = check(false, name, "aggre_depth_100ms_two_sided", both_sides)
    else {
        panic!("another body")
    };
    let level = |price: &str, quantity: &str| DepthLevel { price: price.into(), quantity: quantity.into() };
    assert_eq!(depths.asks, [level("150.5", "2")], "trimmed");
    assert_eq!(depths.bids, [level("50", "3")]);
    assert_eq!((depths.from_version.as_str(), depths.to_version.as_str()), ("1000000041", "1000000042"));
    assert_eq!(depths.event_type, "spot@public.aggre.depth.v3.api.pb@100ms");
    let name = "spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT";
    let body = check(true, name, "aggre_depth_10ms_bids_only_2026_fields", |bench| {
        sold(bench);
        bench.rest(BTC, Side::Buy, "98", "1.25");
    });
    let Body::PublicAggreDepths(depths) = body else { panic!("another body") };
    assert_eq!(
        depths.bids,
        [level("99", "0"), level("98", "2.25")],
        "the last change of each level, best first"
    );
    assert_eq!((depths.from_version.as_str(), depths.to_version.as_str()), ("1000000041", "1000000043"));
}

#[test]
fn single_changes_come_five_to_a_frame() {
    let mut bench = deep(false);
    let conn = bench.open(1, "");
    bench.subscribe(conn, "spot@public.increase.depth.batch.v3.api.pb@BTCUSDT");
    for level in 0..6 {
        bench.rest(BTC, Side::Sell, &(150 + level).to_string(), "1");
    }
    bench.rest(BTC, Side::Buy, "50", "3");
    bench.pass(Duration::from_secs(1));
    let pushes = bench.pushes(conn);
    let mut versions = Vec::new();
    for (_, wrapper) in &pushes {
        let Some(Body::PublicIncreaseDepthsBatch(batch)) = &wrapper.body else { panic!("another body") };
        assert!(batch.items.iter().all(|item| item.asks.len() + item.bids.len() == 1));
        versions.push(batch.items.iter().map(|item| item.version.clone()).collect::<Vec<_>>());
    }
    let expected = [41, 42, 43, 44, 45, 46, 47].map(|version| format!("10000000{version}"));
    assert_eq!(versions, [&expected[..5], &expected[5..]]);
    assert_eq!(fields(&pushes[1].0), fields(&frame("increase_depth_batch")));
}

#[test]
fn limit_depth_frames_are_whole_books() {
    for (june, levels, vector) in [(false, 5, "limit_depth_5"), (true, 20, "limit_depth_20_2026_fields")] {
        let name = format!("spot@public.limit.depth.v3.api.pb@BTCUSDT@{levels}");
        let Body::PublicLimitDepths(depths) = check(june, &name, vector, both_sides) else {
            panic!("another body")
        };
        assert_eq!((depths.asks.len(), depths.bids.len()), (levels, levels));
        assert_eq!((depths.asks[0].price.as_str(), depths.bids[0].price.as_str()), ("101", "99"));
        assert_eq!(
            (depths.version.as_str(), depths.event_type.as_str()),
            ("1000000042", "spot@public.limit.depth.v3.api.pb")
        );
    }
}

#[test]
fn deals_are_told_one_by_one() {
    let name = "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT";
    let Body::PublicAggreDeals(deals) = check(false, name, "aggre_deals_100ms_one", sold) else {
        panic!("another body")
    };
    let told: Vec<_> = deals
        .deals
        .iter()
        .map(|deal| (deal.price.as_str(), deal.quantity.as_str(), deal.trade_type))
        .collect();
    assert_eq!(told, [("99", "1.5", 2), ("98", "0.5", 2)]);
    let name = "spot@public.aggre.deals.v3.api.pb@10ms@BTCUSDT";
    let Body::PublicAggreDeals(deals) = check(true, name, "aggre_deals_10ms_two_2026_fields", sold) else {
        panic!("another body")
    };
    assert_eq!(deals.deals[1].trade_id, "579000000000002024X1");
}

#[test]
fn tickers_are_the_top_of_the_book() {
    for (june, vector) in [(false, "aggre_book_ticker_100ms"), (true, "aggre_book_ticker_10ms_2026_fields")] {
        let speed = if june { "10ms" } else { "100ms" };
        let name = format!("spot@public.aggre.bookTicker.v3.api.pb@{speed}@BTCUSDT");
        let Body::PublicAggreBookTicker(top) = check(june, &name, vector, sold) else {
            panic!("another body")
        };
        assert_eq!(
            [top.bid_price, top.bid_quantity, top.ask_price, top.ask_quantity],
            ["98", "1", "101", "1.5"].map(str::to_owned)
        );
    }
    for (june, vector) in [(false, "book_ticker_batch"), (true, "book_ticker_batch_2026_fields")] {
        let name = "spot@public.bookTicker.batch.v3.api.pb@BTCUSDT";
        let Body::PublicBookTickerBatch(batch) = check(june, name, vector, sold) else {
            panic!("another body")
        };
        assert_eq!((batch.items.len(), batch.items[0].bid_price.as_str()), (1, "98"));
    }
}

#[test]
fn a_ticker_is_sent_when_the_top_changes_and_when_someone_joins() {
    let mut bench = deep(true);
    let conn = bench.open(1, "");
    bench.subscribe(conn, "spot@public.aggre.bookTicker.v3.api.pb@10ms@BTCUSDT");
    bench.pass(Duration::from_millis(50));
    assert_eq!(bench.pushes(conn).len(), 1, "the state at the start");
    both_sides(&mut bench);
    bench.pass(Duration::from_millis(50));
    assert_eq!(bench.pushes(conn).len(), 0, "far levels are no news");
    sold(&mut bench);
    bench.pass(Duration::from_millis(50));
    assert_eq!(bench.pushes(conn).len(), 1);
}

#[test]
fn an_empty_side_is_absent() {
    let (_, wrapper) =
        last_frame(Bench::new(), "spot@public.aggre.bookTicker.v3.api.pb@10ms@BTCUSDT", |bench| {
            bench.rest(BTC, Side::Buy, "100", "1");
        });
    let Some(Body::PublicAggreBookTicker(top)) = wrapper.body else { panic!("another body") };
    assert_eq!((top.bid_price.as_str(), top.ask_price.as_str(), top.ask_quantity.as_str()), ("100", "", ""));
}

#[test]
fn candlesticks_and_day_tickers_carry_the_fields_of_the_vectors() {
    let name = "spot@public.kline.v3.api.pb@BTCUSDT@Min1";
    let Body::PublicSpotKline(kline) = check(true, name, "kline_min1", sold) else { panic!("another body") };
    assert_eq!((kline.window_start, kline.window_end), (1_644_489_360, 1_644_489_420), "seconds");
    assert_eq!(
        [kline.opening_price.as_str(), &kline.closing_price, &kline.volume, &kline.amount],
        ["99", "98", "2", "197.5"]
    );
    let name = "spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8";
    let Body::PublicMiniTicker(ticker) = check(true, name, "mini_ticker", sold) else {
        panic!("another body")
    };
    assert_eq!([ticker.price.as_str(), &ticker.volume, &ticker.quantity], ["98", "197.5", "2"]);
}

#[test]
fn frames_leave_on_the_grid_and_only_when_something_changed() {
    let mut bench = deep(true);
    let conn = bench.open(1, "");
    bench.subscribe(conn, "spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT");
    bench.subscribe(conn, "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.pushes(conn).len(), 0);
    for _ in 0..200 {
        bench.rest(BTC, Side::Buy, "50", "1");
        bench.pass(Duration::from_millis(1));
    }
    bench.pass(Duration::from_millis(100));
    let frames = bench.pushes(conn);
    let sent = |speed: &str, grid: i64| {
        let channel = format!("spot@public.aggre.depth.v3.api.pb@{speed}@BTCUSDT");
        let frames = frames.iter().filter(|(_, wrapper)| wrapper.channel == channel);
        let times: Vec<i64> = frames.filter_map(|(_, wrapper)| wrapper.send_time).collect();
        assert!(times.iter().all(|time| time % grid == 0), "{times:?}");
        times.len()
    };
    assert_eq!((sent("10ms", 10), sent("100ms", 100)), (21, 3));
}

#[test]
fn all_tickers_come_first_and_then_those_that_traded() {
    let mut bench = Bench::new();
    for market in [BTC, crate::bench::MX] {
        bench.rest(market, Side::Sell, "100", "1");
        bench.house_order(
            market,
            Side::Buy,
            cex_sim::matching::NewOrderKind::Market { qty: cex_core::Qty(100_000) },
        );
    }
    let conn = bench.open(1, "");
    let name = "spot@public.miniTickers.v3.api.pb@UTC+8";
    bench.subscribe(conn, name);
    let symbols = |bench: &mut Bench| -> Vec<Vec<String>> {
        bench.pass(Duration::from_secs(1));
        let frames = bench.pushes(conn).into_iter().map(|(_, wrapper)| {
            assert_eq!((wrapper.channel.as_str(), wrapper.symbol.as_deref()), (name, None));
            let Some(Body::PublicMiniTickers(tickers)) = wrapper.body else { panic!("another body") };
            tickers.items.into_iter().map(|item| item.symbol).collect()
        });
        frames.collect()
    };
    assert_eq!(symbols(&mut bench), [["BTCUSDT", "MXUSDT"]]);
    assert_eq!(symbols(&mut bench), Vec::<Vec<String>>::new(), "nothing changed");
    bench.house_order(
        BTC,
        Side::Buy,
        cex_sim::matching::NewOrderKind::Market { qty: cex_core::Qty(100_000) },
    );
    assert_eq!(symbols(&mut bench), [["BTCUSDT"]]);
    let unsubscribe = format!(r#"{{"method":"UNSUBSCRIPTION","params":["{name}"]}}"#);
    bench.send(conn, &unsubscribe);
    bench.house_order(
        BTC,
        Side::Buy,
        cex_sim::matching::NewOrderKind::Market { qty: cex_core::Qty(100_000) },
    );
    assert_eq!(symbols(&mut bench), Vec::<Vec<String>>::new());
}
