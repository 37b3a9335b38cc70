//! Orders over a streaming connection: the same orders, cancels, changes and refusals as over calls.

use super::batches::beyond_the_balance;
use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, outcome, refused, same, unsupported};
use crate::stage::{PATIENCE, Stage, until};
use crate::wire::{Match, StreamFault};
use cex_core::{OrderRequest, OrderStatus, Price, Side};
use cex_errors::{ErrorKind, Outcome, Retry};
use cex_interface::{OrderRef, Placed, PrivateExchange};
use cex_sim::fault::{Fault, OrderEffect, Refused, VenueFault};
use cex_transport::OrderEntry;

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Orders, WebsocketPrivate, order_entry_is_unsupported_where_not_claimed, "A stream of orders the exchange lacks is not imitated.").needs(|claims| !claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_order_is_what_was_asked_for, "An order over the stream has the side, price, quantity and client id asked for.").needs(|claims| claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_order_tells_its_fills, "An order that fills is told with what is on record.").needs(|claims| claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_order_is_found_over_calls_and_stream_alike, "Both ways tell the same of one order.").needs(|claims| claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_cancel_ends_the_order, "A cancel over the stream ends the order, by either identifier.").needs(|claims| claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_cancel_of_what_never_was_is_not_found, "Cancelling what never was says so.").rows("O9").needs(|claims| claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_amendment_changes_the_price, "A new price over the stream takes the place of the old one.").needs(|claims| claims.order_entry && claims.amend),
    behaviour!(Orders, WebsocketPrivate, streamed_batch_tells_of_each_order, "Orders of a batch succeed and fail by themselves, and so do cancels.").needs(|claims| claims.order_entry && claims.place_batch.is_some() && claims.cancel_batch.is_some()),
    behaviour!(Orders, WebsocketPrivate, streamed_answers_are_never_mixed_up, "Of many orders at once each gets its own answer, also when answers come twice.").rows("T14").needs(|claims| claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_refusal_means_no_order, "A refusal after the order was received is a refusal.").rows("H11").needs(|claims| claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_order_for_another_venue_is_not_sent, "An order for another venue never leaves.").needs(|claims| claims.order_entry),
    behaviour!(Orders, WebsocketPrivate, streamed_orders_keep_their_own_budget, "An order beyond our own budget does not leave us, and the exchange never has to refuse.").rows("H1 K3").needs(|claims| claims.order_entry).set(|setting| { setting.own_limits = true; setting.exchange_limits = true; }),
    behaviour!(Orders, WebsocketPrivate, streamed_orders_beyond_the_exchanges_limit_are_refused, "Too many orders over the stream are refused, and nothing is placed.").rows("H1").needs(|claims| claims.order_entry).set(|setting| setting.exchange_limits = true),
    behaviour!(Orders, WebsocketPrivate, order_entry_follows_the_exchanges_clock, "Whatever the exchange's clock says, logging in and placing work.").rows("H4").needs(|claims| claims.order_entry),
];

/// A connection for orders that takes calls.
pub(crate) async fn entry(stage: &Stage) -> Result<OrderEntry, Failure> {
    let entry = stage.exchange.client().order_entry()?;
    ensure!(entry.ready(PATIENCE).await, "a connection that takes orders", "none");
    Ok(entry)
}

async fn rest(stage: &Stage, entry: &OrderEntry, side: Side) -> Result<(OrderRequest, Placed), Failure> {
    let order = stage.resting(&stage.market(0)?, side).await?;
    Ok((order, entry.place(order).await?))
}

async fn order_entry_is_unsupported_where_not_claimed(stage: &mut Stage) -> Verdict {
    unsupported(stage.exchange.client().order_entry())
}

async fn streamed_order_is_what_was_asked_for(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    for side in [Side::Buy, Side::Sell] {
        let (order, placed) = rest(stage, &entry, side).await?;
        same("client id", &order.client_id, &placed.client_id)?;
        let record = stage.record(order.client_id)?;
        same("side and state", &(side, OrderStatus::New), &(record.side, record.status))?;
        let told = stage.found(&order).await?;
        let price = order.kind.price().map(|price| market.scale.price_value(price));
        let expected = (Some(placed.order_id), price, stage.asked_qty(&market, &order));
        same("order id, price and quantity", &expected, &(told.order_id, told.price, told.qty))?;
    }
    same("calls that placed orders", &0, &stage.wire()?.asked(&Match::method("POST")).len())
}

async fn streamed_order_tells_its_fills(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    for side in [Side::Buy, Side::Sell] {
        let order = stage.taking(&market, side).await?;
        let placed = entry.place(order).await?;
        let told = match placed.order {
            Some(told) => told,
            None => stage.ended(&order).await?,
        };
        let record = stage.record(order.client_id)?;
        same(
            "state and fills",
            &(record.status, record.filled_qty, record.filled_notional),
            &(told.status, told.filled_qty, told.filled_notional),
        )?;
        ensure!(told.filled_qty.is_positive(), "a fill", "none");
    }
    Ok(())
}

async fn streamed_order_is_found_over_calls_and_stream_alike(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let (order, placed) = rest(stage, &entry, Side::Buy).await?;
    for name in [OrderRef::Client(order.client_id), OrderRef::Id(placed.order_id)] {
        let expected = stage.exchange.order(market.id, name).await?;
        same("the order", &expected, &entry.order(market.id, name).await?)?;
    }
    Ok(())
}

async fn streamed_cancel_ends_the_order(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let (kept, _) = rest(stage, &entry, Side::Buy).await?;
    for by_client_id in [true, false] {
        let (order, placed) = rest(stage, &entry, Side::Sell).await?;
        let name = match by_client_id {
            true => OrderRef::Client(order.client_id),
            false => OrderRef::Id(placed.order_id),
        };
        entry.cancel(market.id, name).await?;
        same("state", &OrderStatus::Canceled, &stage.ended(&order).await?.status)?;
        same("state on record", &OrderStatus::Canceled, &stage.record(order.client_id)?.status)?;
    }
    same("state of the other", &OrderStatus::New, &stage.record(kept.client_id)?.status)
}

async fn streamed_cancel_of_what_never_was_is_not_found(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let never = OrderRef::Client(stage.id()?);
    refused(entry.cancel(market.id, never).await, &[ErrorKind::OrderNotFound])?;
    refused(entry.order(market.id, never).await, &[ErrorKind::OrderNotFound])
}

async fn streamed_amendment_changes_the_price(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let (order, placed) = rest(stage, &entry, Side::Buy).await?;
    let price = order.kind.price().map(|price| Price(price.0 + market.tick.0));
    let told = entry.amend(market.id, OrderRef::Id(placed.order_id), price, None).await?;
    let expected = (price.map(|price| market.scale.price_value(price)), stage.asked_qty(&market, &order));
    same("price and quantity told", &expected, &(told.price, told.qty))?;
    let found = stage.found(&order).await?;
    same("price and quantity", &expected, &(found.price, found.qty))
}

/// The second of three is worth more than the account has.
async fn streamed_batch_tells_of_each_order(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let first = stage.resting(&market, Side::Buy).await?;
    let last = stage.request(&market, Side::Buy, first.kind)?;
    let too_large = beyond_the_balance(stage, &market, &first)?;
    let told = entry.place_batch(vec![first, too_large, last]).await;
    for (order, placed) in [(first, &told[0]), (last, &told[2])] {
        let placed = placed.clone()?;
        same("client id", &order.client_id, &placed.client_id)?;
        same("state on record", &OrderStatus::New, &stage.record(order.client_id)?.status)?;
    }
    outcome(told[1].clone(), Outcome::Refused)?;
    same("orders on record", &0, &stage.on_record(too_large.client_id)?.len())?;
    let names = [first, too_large, last].map(|order| (market.id, OrderRef::Client(order.client_id)));
    let canceled = entry.cancel_batch(names.to_vec()).await;
    ensure!(canceled[0].is_ok() && canceled[2].is_ok(), "two cancels", format_args!("{canceled:?}"));
    refused(canceled[1].clone(), &[ErrorKind::OrderNotFound])
}

async fn streamed_answers_are_never_mixed_up(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    stage.wire()?.on_messages(Match::any(), StreamFault::Twice, usize::MAX);
    let first = stage.resting(&market, Side::Buy).await?;
    for _ in 0..3 {
        let mut orders = Vec::new();
        for _ in 0..5 {
            orders.push(stage.request(&market, Side::Buy, first.kind)?);
        }
        let [a, b, c, d, e] = orders[..] else { return Err(Failure::new("five orders", orders.len())) };
        let told =
            tokio::join!(entry.place(a), entry.place(b), entry.place(c), entry.place(d), entry.place(e));
        for (order, placed) in orders.iter().zip([told.0, told.1, told.2, told.3, told.4]) {
            let placed = placed?;
            same("client id", &order.client_id, &placed.client_id)?;
            same("order id", &Some(placed.order_id), &stage.found(order).await?.order_id)?;
        }
    }
    same("orders on record", &15, &stage.truth()?.orders.len())
}

async fn streamed_refusal_means_no_order(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let order = stage.resting(&market, Side::Buy).await?;
    stage.inject(Fault::order(OrderEffect::Reject(Refused::Funds)).of_account("subject"))?;
    let error = outcome(entry.place(order).await, Outcome::Refused)?;
    same("kind", &ErrorKind::InsufficientBalance, &error.kind)?;
    same("orders on record", &0, &stage.on_record(order.client_id)?.len())
}

async fn streamed_order_for_another_venue_is_not_sent(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let mut order = stage.resting(&market, Side::Buy).await?;
    order.venue = cex_core::VenueId::new(9, "elsewhere").unwrap_or(order.venue);
    outcome(entry.place(order).await, Outcome::NotSent)?;
    same("messages sent", &0, &stage.wire()?.said(&Match::text(order.client_id.as_str())))
}

async fn streamed_orders_keep_their_own_budget(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let first = stage.resting(&market, Side::Buy).await?;
    for count in 0..200 {
        let order = stage.request(&market, Side::Buy, first.kind)?;
        let Err(error) = entry.place(order).await else { continue };
        let throttled = matches!(error.kind, ErrorKind::Throttled { .. });
        ensure!(throttled, "our own budget to say no", error);
        let waits = matches!(error.retry(), Retry::After(wait) if !wait.is_zero());
        ensure!(waits, "when to come back", format_args!("{:?}", error.retry()));
        same("messages of one not sent", &0, &stage.wire()?.said(&Match::text(order.client_id.as_str())))?;
        return same("orders on record", &count, &stage.truth()?.orders.len());
    }
    Err(Failure::new("our own budget to say no", "200 orders went out at once"))
}

async fn streamed_orders_beyond_the_exchanges_limit_are_refused(stage: &mut Stage) -> Verdict {
    let (market, entry) = (stage.market(0)?, entry(stage).await?);
    let first = stage.resting(&market, Side::Buy).await?;
    for _ in 0..200 {
        let order = stage.request(&market, Side::Buy, first.kind)?;
        let Err(error) = entry.place(order).await else { continue };
        ensure!(matches!(error.kind, ErrorKind::RateLimited { .. }), "too many requests", error);
        same("outcome", &Outcome::Refused, &error.outcome())?;
        return same("orders on record", &0, &stage.on_record(order.client_id)?.len());
    }
    Err(Failure::new("the exchange to say no", "200 orders were taken at once"))
}

async fn order_entry_follows_the_exchanges_clock(stage: &mut Stage) -> Verdict {
    for skew in [-90_000, 90_000] {
        let id = stage.inject(Fault::venue(VenueFault::ClockSkew(skew)))?;
        let exchange = stage.another(|_, _| {}).await?;
        let entry = exchange.client().order_entry()?;
        ensure!(entry.ready(PATIENCE).await, format_args!("a login at {skew} ms"), "none");
        let order = stage.resting(&stage.market(0)?, Side::Buy).await?;
        entry.place(order).await?;
        until("the order on record", || async {
            Ok((stage.on_record(order.client_id)?.len() == 1).then_some(()))
        })
        .await?;
        stage.sim()?.clear(id)?;
    }
    Ok(())
}
