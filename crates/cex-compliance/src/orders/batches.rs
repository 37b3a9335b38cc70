//! Several orders or cancels in one call: each for itself, and none of them sent twice.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, outcome, refused, same, unsupported};
use crate::stage::Stage;
use crate::wire::{Asked, Cause, Fault, Match};
use cex_core::{Market, OrderKind, OrderRequest, OrderStatus, Qty, Rounding, Side, TimeInForce};
use cex_errors::{ErrorKind, Outcome, Retry};
use cex_interface::{BatchRule, OrderRef, PrivateExchange};
use std::time::Duration;

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Orders, RestPrivate, batch_places_each_order, "Every order of a batch stands as it was asked for, in one call.").needs(|claims| claims.place_batch.is_some()),
    behaviour!(Orders, RestPrivate, orders_of_a_batch_fail_by_themselves, "One order that is refused leaves the others placed, and is told as refused.").rows("H11").needs(|claims| claims.place_batch.is_some()),
    behaviour!(Orders, RestPrivate, batch_beyond_its_rule_is_not_sent, "More orders than a batch holds, or none, never leave.").needs(|claims| claims.place_batch.is_some()),
    behaviour!(Orders, RestPrivate, batch_of_unknown_outcome_is_unknown_for_each_and_never_resent, "A batch whose answer was lost: every order is unknown, and each was sent once.").rows("O1 O3").needs(|claims| claims.place_batch.is_some()),
    behaviour!(Orders, RestPrivate, garbage_answer_to_a_batch_is_unknown_for_each, "Whatever is no answer to a batch leaves each of its orders unknown.").rows("T15 H11").needs(|claims| claims.place_batch.is_some()),
    behaviour!(Orders, RestPrivate, late_batch_is_fenced_by_its_expiry, "A batch that arrives after its expiry is refused by the exchange.").rows("O16 O17").needs(|claims| claims.place_batch.is_some()).set(|setting| setting.transport.rest.placement_timeout = Duration::from_secs(6)),
    behaviour!(Orders, RestPrivate, batches_are_unsupported_where_not_claimed, "A batch the exchange lacks is not imitated by many calls.").needs(|claims| claims.place_batch.is_none()),
    behaviour!(Orders, RestPrivate, cancel_batch_ends_each_order, "Every order of a batch of cancels ends, by either identifier; one that never was is told as not found.").rows("O9 H11").needs(|claims| claims.cancel_batch.is_some()),
    behaviour!(Orders, RestPrivate, cancel_batch_beyond_its_rule_is_not_sent, "More cancels than a batch holds, or none, never leave.").needs(|claims| claims.cancel_batch.is_some()),
    behaviour!(Orders, RestPrivate, cancel_batches_are_unsupported_where_not_claimed, "A batch of cancels the exchange lacks is not imitated by many calls.").needs(|claims| claims.cancel_batch.is_none()),
];

fn rule(stage: &Stage) -> Result<BatchRule, Failure> {
    stage.claims().place_batch.ok_or_else(|| Failure::new("a rule of batches", "none"))
}

/// As many orders that rest as a batch of one symbol holds, but no more than four.
async fn some(stage: &Stage, market: &Market) -> Result<Vec<OrderRequest>, Failure> {
    let rule = rule(stage)?;
    let first = stage.resting(market, Side::Buy).await?;
    let count = rule.orders.min(rule.orders_per_symbol).min(4);
    let mut orders = vec![first];
    while orders.len() < count {
        orders.push(stage.request(market, Side::Buy, first.kind)?);
    }
    Ok(orders)
}

/// The calls that carried this order.
fn sent(stage: &Stage, order: &OrderRequest) -> Result<Vec<Asked>, Failure> {
    let wire = stage.wire()?;
    let calls = wire.asked(&Match::method("POST"));
    Ok(calls.into_iter().filter(|call| call.contains(order.client_id.as_str())).collect())
}

async fn batch_places_each_order(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let orders = some(stage, &market).await?;
    let told = stage.exchange.place_batch(orders.clone()).await;
    same("answers", &orders.len(), &told.len())?;
    for (order, placed) in orders.iter().zip(told) {
        let placed = placed?;
        same("client id", &order.client_id, &placed.client_id)?;
        let found = stage.found(order).await?;
        let price = order.kind.price().map(|price| market.scale.price_value(price));
        let expected = (Some(placed.order_id), price, stage.asked_qty(&market, order));
        same("order id, price and quantity", &expected, &(found.order_id, found.price, found.qty))?;
        same("calls that carried it", &1, &sent(stage, order)?.len())?;
    }
    same("orders on record", &orders.len(), &stage.truth()?.orders.len())
}

/// The same order for more than the account has.
pub(super) fn beyond_the_balance(
    stage: &Stage,
    market: &Market,
    order: &OrderRequest,
) -> Result<OrderRequest, Failure> {
    let (free, _) = stage.has(market.symbol().quote)?;
    let price = order.kind.price().ok_or_else(|| Failure::new("a limit order", "another"))?;
    let all = free.checked_div(market.scale.price_value(price), market.info.lot_dp, Rounding::Ceil)?;
    let all = market.scale.qty(all)?.ceil_to(market.lot);
    let qty = all.map(|all| Qty(all.0 + market.lot.0)).ok_or_else(|| Failure::new("a quantity", "none"))?;
    stage.request(market, Side::Buy, OrderKind::Limit { price, qty, tif: TimeInForce::Gtc })
}

async fn orders_of_a_batch_fail_by_themselves(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut orders = some(stage, &market).await?;
    let last = orders.len() - 1;
    orders[last - 1] = beyond_the_balance(stage, &market, &orders[0])?;
    let told = stage.exchange.place_batch(orders.clone()).await;
    for (index, (order, placed)) in orders.iter().zip(told).enumerate() {
        if index == last - 1 {
            refused(placed, &[ErrorKind::InsufficientBalance])?;
            same("orders on record of the one refused", &0, &stage.on_record(order.client_id)?.len())?;
        } else {
            same("client id", &order.client_id, &placed?.client_id)?;
            same("state on record", &OrderStatus::New, &stage.record(order.client_id)?.status)?;
        }
    }
    Ok(())
}

async fn batch_beyond_its_rule_is_not_sent(stage: &mut Stage) -> Verdict {
    let (market, rule) = (stage.market(0)?, rule(stage)?);
    let first = stage.resting(&market, Side::Buy).await?;
    let mut orders = Vec::new();
    while orders.len() <= rule.orders.min(rule.orders_per_symbol) {
        orders.push(stage.request(&market, Side::Buy, first.kind)?);
    }
    let count = orders.len();
    let twice = vec![orders[0], orders[0]];
    for (orders, count) in [(orders, count), (twice, 2)] {
        let told = stage.exchange.place_batch(orders).await;
        same("answers", &count, &told.len())?;
        for placed in told {
            outcome(placed, Outcome::NotSent)?;
        }
    }
    same("answers to nothing", &0, &stage.exchange.place_batch(Vec::new()).await.len())?;
    same("calls sent", &0, &stage.wire()?.asked(&Match::method("POST")).len())
}

async fn unknown_for_each(stage: &Stage, fault: Fault, on_record: usize) -> Verdict {
    let market = stage.market(0)?;
    let orders = some(stage, &market).await?;
    stage.wire()?.on_call(Match::method("POST").and(orders[0].client_id.as_str()), fault);
    let told = stage.exchange.place_batch(orders.clone()).await;
    same("answers", &orders.len(), &told.len())?;
    for (order, placed) in orders.iter().zip(told) {
        let error = outcome(placed, Outcome::Unknown)?;
        ensure!(error.retry() == Retry::Never, "no repeat", format_args!("{:?}", error.retry()));
        same("calls that carried it", &1, &sent(stage, order)?.len())?;
        same("orders on record", &on_record, &stage.on_record(order.client_id)?.len())?;
    }
    Ok(())
}

async fn batch_of_unknown_outcome_is_unknown_for_each_and_never_resent(stage: &mut Stage) -> Verdict {
    unknown_for_each(stage, Fault::LoseAnswer, 1).await?;
    unknown_for_each(stage, Fault::LoseCall, 0).await
}

async fn garbage_answer_to_a_batch_is_unknown_for_each(stage: &mut Stage) -> Verdict {
    for (status, body) in [(200, "[]"), (200, "{}"), (200, r#"[{"x":1},null,7]"#), (502, "<html>"), (200, "")]
    {
        let kind = "application/json";
        let fault = Fault::Instead { cause: Cause::After, status, headers: "", kind, body };
        unknown_for_each(stage, fault, 1).await.map_err(|failure| {
            Failure::new(format_args!("{} after {status} {body:?}", failure.expected), failure.found)
        })?;
    }
    unknown_for_each(stage, Fault::HalfAnswer, 1).await
}

async fn late_batch_is_fenced_by_its_expiry(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut orders = some(stage, &market).await?;
    orders[0].expires_in = Duration::from_secs(1);
    // Well beyond the expiry of the order that expires first, whatever the clocks' error.
    let late = Fault::HoldCall(Duration::from_millis(2_500));
    stage.wire()?.on_call(Match::method("POST").and(orders[0].client_id.as_str()), late);
    let told = stage.exchange.place_batch(orders.clone()).await;
    for (order, placed) in orders.iter().zip(told) {
        outcome(placed, Outcome::Refused)?;
        same("orders on record", &0, &stage.on_record(order.client_id)?.len())?;
    }
    Ok(())
}

async fn batches_are_unsupported_where_not_claimed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    for placed in stage.exchange.place_batch(vec![order]).await {
        unsupported(placed)?;
    }
    same("orders on record", &0, &stage.truth()?.orders.len())
}

async fn cancel_batch_ends_each_order(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (kept, _) = stage.rest(&market, Side::Buy).await?;
    let (one, _) = stage.rest(&market, Side::Buy).await?;
    let (two, placed) = stage.rest(&market, Side::Sell).await?;
    let never = stage.id()?;
    let names = [OrderRef::Client(one.client_id), OrderRef::Client(never), OrderRef::Id(placed.order_id)];
    let told = stage.exchange.cancel_batch(names.map(|name| (market.id, name)).to_vec()).await;
    let [first, second, third] = told.as_slice() else {
        return Err(Failure::new("three answers", told.len()));
    };
    ensure!(first.is_ok() && third.is_ok(), "two orders cancelled", format_args!("{told:?}"));
    refused(second.clone(), &[ErrorKind::OrderNotFound])?;
    for order in [one, two] {
        same("state", &OrderStatus::Canceled, &stage.ended(&order).await?.status)?;
        same("state on record", &OrderStatus::Canceled, &stage.record(order.client_id)?.status)?;
    }
    same("state of the one kept", &OrderStatus::New, &stage.record(kept.client_id)?.status)
}

async fn cancel_batch_beyond_its_rule_is_not_sent(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let rule = stage.claims().cancel_batch.ok_or_else(|| Failure::new("a rule of batches", "none"))?;
    let mut names = Vec::new();
    while names.len() <= rule.orders.min(rule.orders_per_symbol) {
        names.push((market.id, OrderRef::Client(stage.id()?)));
    }
    for canceled in stage.exchange.cancel_batch(names).await {
        outcome(canceled, Outcome::NotSent)?;
    }
    same("calls sent", &0, &stage.wire()?.asked(&Match::method("POST")).len())
}

async fn cancel_batches_are_unsupported_where_not_claimed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    for canceled in stage.exchange.cancel_batch(vec![(market.id, OrderRef::Id(placed.order_id))]).await {
        unsupported(canceled)?;
    }
    same("state on record", &OrderStatus::New, &stage.record(order.client_id)?.status)
}
