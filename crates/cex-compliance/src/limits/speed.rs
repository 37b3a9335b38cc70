//! How fast it all is, on loopback.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure};
use crate::follow::Follow;
use crate::stage::Stage;
use cex_core::Side;
use cex_interface::{HttpRequest, PrivateExchange, PublicExchange, Request};
use std::time::{Duration, Instant};

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Limits,
        Performance,
        placement_round_trip_is_fast,
        "On loopback a placement's round trip stays below 50 ms."
    ),
    behaviour!(
        Limits,
        Performance,
        read_round_trip_is_fast,
        "On loopback a read's round trip stays below 50 ms."
    ),
    behaviour!(
        Limits,
        Performance,
        frames_are_handled_fast,
        "Half of all socket reads are handled within 100 microseconds."
    ),
    behaviour!(
        Limits,
        Performance,
        connections_are_reused,
        "After warming up ninety-nine of a hundred calls find a connection open."
    ),
    behaviour!(
        Limits,
        Performance,
        orders_are_encoded_and_signed_fast,
        "An order is encoded and signed within 100 microseconds, optimised or not."
    ),
];

fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

async fn placement_round_trip_is_fast(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let first = stage.resting(&market, Side::Buy).await?;
    for _ in 0..60 {
        stage.exchange.place(stage.request(&market, Side::Buy, first.kind)?).await?;
    }
    let seen = stage.exchange.client().call_metrics().of(cex_errors::Op::PlaceOrder).snapshot().round_trip;
    stage.measure("placement_round_trip_p50_us", micros(seen.p50), 50_000.0)?;
    stage.measure("placement_round_trip_p90_us", micros(seen.p90), 50_000.0)
}

async fn read_round_trip_is_fast(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for _ in 0..60 {
        stage.exchange.book(market.id, 20).await?;
    }
    let seen = stage.exchange.client().call_metrics().of(cex_errors::Op::Book).snapshot().round_trip;
    stage.measure("read_round_trip_p50_us", micros(seen.p50), 50_000.0)?;
    stage.measure("read_round_trip_p90_us", micros(seen.p90), 50_000.0)
}

async fn frames_are_handled_fast(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    follow.updates(stage, 150).await?;
    let links = stage.exchange.client().link_metrics();
    let seen = links.first().ok_or_else(|| Failure::new("a link", "none"))?.handling;
    ensure!(seen.count >= 100, "a hundred socket reads", seen.count);
    stage.measure("frame_handling_p50_us", micros(seen.p50), 100.0)
}

async fn connections_are_reused(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for _ in 0..10 {
        stage.exchange.book(market.id, 5).await?;
    }
    let metrics = std::sync::Arc::clone(stage.exchange.client().call_metrics());
    let before = metrics.market.snapshot();
    for _ in 0..300 {
        stage.exchange.book(market.id, 5).await?;
    }
    let after = metrics.market.snapshot();
    let (opened, reused) = (after.opened - before.opened, after.reused - before.reused);
    ensure!(reused >= 300, "300 calls over open connections", reused);
    let share = 100.0 * opened as f64 / (opened + reused) as f64;
    stage.measure("calls_over_new_connections_pct", share, 1.0)
}

async fn orders_are_encoded_and_signed_fast(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = Request::Place(stage.resting(&market, Side::Buy).await?);
    let markets = stage.markets();
    let mut out = HttpRequest::default();
    let mut best = Duration::MAX;
    for _ in 0..200 {
        out.clear();
        let began = Instant::now();
        stage.protocol.encode(stage.now(), &markets, &order, &mut out)?;
        best = best.min(began.elapsed());
    }
    stage.measure("encode_and_sign_best_us", micros(best), 100.0)
}
