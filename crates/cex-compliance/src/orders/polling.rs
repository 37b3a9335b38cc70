//! What becomes of an order, and whether balances agree, found by asking alone.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, same};
use crate::stage::{Stage, sum};
use crate::wire::{Fault as WireFault, Match};
use cex_core::{Decimal, Order, OrderRequest, OrderStatus, Side};
use cex_errors::Outcome;
use cex_interface::{OrderRef, PrivateExchange};
use cex_sim::fault::{Fault, OrderEffect};
use cex_transport::watch::Difference;
use cex_transport::{OrderEnd, Polling, balances_agree, watch_order_to_end};
use std::time::{Duration, Instant};

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Orders, RestPrivate, order_of_unknown_outcome_is_followed_to_its_end_by_asking, "The answer to a placement was lost: asking finds the order, its end, and every fill of it.").rows("O1 W7"),
    behaviour!(Orders, RestPrivate, order_that_never_arrived_is_absent_only_when_it_can_no_longer_arrive, "A placement lost on its way is told as absent, and not before its expiry has passed.").rows("O2 O5"),
    behaviour!(Orders, RestPrivate, order_accepted_late_is_not_taken_for_absent, "An order that the exchange takes after it answered with an error is found.").rows("O5"),
    behaviour!(Orders, RestPrivate, forgotten_order_stays_undecided_and_its_fills_are_told, "That an exchange forgot an order proves nothing: it is undecided, with the fills it had.").rows("H8"),
    behaviour!(Orders, RestPrivate, resting_order_is_followed_until_somebody_cancels_it, "An order that rests is open until it is cancelled, and then ended without fills.").rows("O9"),
    behaviour!(Orders, RestPrivate, balances_agree_to_the_last_digit_or_differ_twice, "Balances are compared exactly; a difference is told with both sides once two answers show it.").rows("W16 W10"),
];

/// As patient as a test can be.
const POLLING: Polling = Polling {
    pause_min: Duration::from_millis(30),
    pause_max: Duration::from_millis(120),
    venue_lag: Duration::from_millis(500),
    apart: Duration::from_millis(200),
    patience: Duration::from_secs(5),
};

/// Fills and state on record are what was told.
fn as_recorded(stage: &Stage, order: &OrderRequest, end: OrderEnd) -> Result<Order, Failure> {
    let OrderEnd::Ended { order: told, fills } = end else {
        return Err(Failure::new("the end of the order", format_args!("{end:?}")));
    };
    let record = stage.record(order.client_id)?;
    same("state and fills", &(record.status, record.filled_qty), &(told.status, told.filled_qty))?;
    same("sum of its fills", &record.filled_qty, &sum(fills.iter().map(|fill| fill.qty))?)?;
    same("fills", &stage.fills_on_record(order.client_id)?.len(), &fills.len())?;
    Ok(told)
}

async fn order_of_unknown_outcome_is_followed_to_its_end_by_asking(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    // Another order's fills lie beside it.
    stage.take(&market, Side::Buy).await?;
    let order = stage.taking(&market, Side::Buy).await?;
    stage.wire()?.on_call(Match::method("POST").and(order.client_id.as_str()), WireFault::LoseAnswer);
    let error = error_of("an unknown outcome", stage.exchange.place(order).await)?;
    same("outcome", &Outcome::Unknown, &error.outcome())?;
    let end = watch_order_to_end(&stage.exchange, &order, None, &POLLING).await;
    let told = as_recorded(stage, &order, end)?;
    ensure!(told.filled_qty.is_positive(), "something filled", told.filled_qty);
    same(
        "placements sent",
        &1,
        &stage.wire()?.asked(&Match::method("POST").and(order.client_id.as_str())).len(),
    )
}

async fn order_that_never_arrived_is_absent_only_when_it_can_no_longer_arrive(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.take(&market, Side::Buy).await?;
    let mut order = stage.taking(&market, Side::Buy).await?;
    order.expires_in = Duration::from_secs(1);
    stage.wire()?.on_call(Match::method("POST").and(order.client_id.as_str()), WireFault::LoseCall);
    error_of("an unknown outcome", stage.exchange.place(order).await)?;
    let began = Instant::now();
    let end = watch_order_to_end(&stage.exchange, &order, None, &POLLING).await;
    ensure!(end == OrderEnd::Absent, "an absent order", format_args!("{end:?}"));
    let least = order.expires_in + POLLING.venue_lag + POLLING.apart;
    ensure!(
        began.elapsed() >= least,
        format_args!("not before {least:?}"),
        format_args!("{:?}", began.elapsed())
    );
    same("orders on record", &0, &stage.on_record(order.client_id)?.len())
}

async fn order_accepted_late_is_not_taken_for_absent(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let late = OrderEffect::LateAccept(Duration::from_millis(900));
    stage.inject(Fault::order(late).of_account("subject"))?;
    let mut order = stage.taking(&market, Side::Buy).await?;
    order.expires_in = Duration::from_secs(1);
    error_of("an error", stage.exchange.place(order).await)?;
    let end = watch_order_to_end(&stage.exchange, &order, None, &POLLING).await;
    as_recorded(stage, &order, end).map(|_| ())
}

async fn forgotten_order_stays_undecided_and_its_fills_are_told(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.inject(Fault::order(OrderEffect::Forget(Duration::ZERO)).of_account("subject"))?;
    let mut order = stage.taking(&market, Side::Buy).await?;
    order.expires_in = Duration::from_millis(300);
    let placed = stage.exchange.place(order).await?;
    let polling = Polling { patience: Duration::from_secs(2), ..POLLING };
    let end = watch_order_to_end(&stage.exchange, &order, Some(placed.order_id), &polling).await;
    let OrderEnd::Undecided { last: None, fills, .. } = end else {
        return Err(Failure::new("an undecided order", format_args!("{end:?}")));
    };
    let recorded = sum(stage.fills_on_record(order.client_id)?.iter().map(|fill| fill.qty))?;
    same("sum of its fills", &recorded, &sum(fills.iter().map(|fill| fill.qty))?)?;
    ensure!(recorded.is_positive(), "something filled", recorded);
    Ok(())
}

async fn resting_order_is_followed_until_somebody_cancels_it(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    let short = Polling { patience: Duration::from_millis(400), ..POLLING };
    let end = watch_order_to_end(&stage.exchange, &order, Some(placed.order_id), &short).await;
    let is_open = matches!(&end, OrderEnd::Undecided { last: Some(last), fills, .. }
        if last.status == OrderStatus::New && fills.is_empty());
    ensure!(is_open, "an open order", format_args!("{end:?}"));
    stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await?;
    let end = watch_order_to_end(&stage.exchange, &order, Some(placed.order_id), &POLLING).await;
    same("state", &OrderStatus::Canceled, &as_recorded(stage, &order, end)?.status)
}

async fn balances_agree_to_the_last_digit_or_differ_twice(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.take(&market, Side::Buy).await?;
    stage.rest(&market, Side::Sell).await?;
    let mut expected = Vec::new();
    for asset in [market.symbol().base, market.symbol().quote] {
        let (free, locked) = stage.has(asset)?;
        expected.push((asset, free.checked_add(locked)?));
    }
    let found = balances_agree(&stage.exchange, &expected, &POLLING).await?;
    same("differences", &Vec::<Difference>::new(), &found)?;
    let (asset, right) = expected[0];
    let wrong = right.checked_add(Decimal::new(1, 8))?;
    expected[0] = (asset, wrong);
    let began = Instant::now();
    let found = balances_agree(&stage.exchange, &expected, &POLLING).await?;
    same("differences", &vec![Difference { asset, expected: wrong, found: right }], &found)?;
    ensure!(
        began.elapsed() >= POLLING.apart,
        "two answers",
        format_args!("one, after {:?}", began.elapsed())
    );
    Ok(())
}
