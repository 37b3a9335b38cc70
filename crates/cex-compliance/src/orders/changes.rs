//! Cancelling, amending, and the dead man's switch.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, error_of, outcome, refused, same};
use crate::stage::{Stage, until};
use cex_core::{Decimal, OrderId, OrderStatus, Price, Qty, Side};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{OrderRef, PrivateExchange};
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Orders,
        RestPrivate,
        cancel_ends_the_order,
        "A cancelled order ends, unfilled, on both sides."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        cancel_by_client_id_ends_the_order,
        "Our own identifier is enough to cancel."
    ),
    behaviour!(Orders, RestPrivate, cancel_touches_one_order_only, "Cancelling one order leaves the others."),
    behaviour!(
        Orders,
        RestPrivate,
        cancel_of_an_ended_order_is_not_found,
        "Cancelling what has ended says that it is not found, and changes nothing."
    )
    .rows("O9"),
    behaviour!(
        Orders,
        RestPrivate,
        cancel_of_an_unknown_order_is_not_found,
        "Cancelling what never was says that it is not found."
    )
    .rows("O9"),
    behaviour!(
        Orders,
        RestPrivate,
        query_of_an_unknown_order_is_not_found,
        "Asking for what never was says that it is not found, which is no proof."
    )
    .rows("H8"),
    behaviour!(
        Orders,
        RestPrivate,
        cancel_all_ends_every_order_of_the_symbol,
        "Cancelling all ends each open order of the symbol."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        cancel_all_leaves_other_symbols_alone,
        "Cancelling all of one symbol never touches another."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        cancel_all_of_nothing_is_no_error,
        "Cancelling all where nothing is open does no harm."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        filled_part_survives_a_cancel,
        "What was filled before a cancel stays filled."
    )
    .rows("O8"),
    behaviour!(
        Orders,
        RestPrivate,
        amended_price_is_the_orders_price,
        "A new price takes the place of the old one."
    )
    .needs(|claims| claims.amend),
    behaviour!(
        Orders,
        RestPrivate,
        amended_quantity_is_the_new_total,
        "A new quantity is the whole quantity."
    )
    .needs(|claims| claims.amend),
    behaviour!(
        Orders,
        RestPrivate,
        amending_an_ended_order_is_refused,
        "An order that has ended cannot be changed."
    )
    .needs(|claims| claims.amend),
    behaviour!(
        Orders,
        RestPrivate,
        amend_is_unsupported_where_not_claimed,
        "Changing in place is not imitated by cancelling and placing."
    )
    .needs(|claims| !claims.amend),
    behaviour!(
        Orders,
        RestPrivate,
        armed_switch_cancels_when_nobody_returns,
        "The dead man's switch cancels what is open."
    )
    .needs(|claims| claims.dead_man_switch),
    behaviour!(
        Orders,
        RestPrivate,
        disarmed_switch_cancels_nothing,
        "A switch that was disarmed does nothing."
    )
    .needs(|claims| claims.dead_man_switch),
    behaviour!(
        Orders,
        RestPrivate,
        switch_is_unsupported_where_not_claimed,
        "A switch the exchange lacks is not imitated."
    )
    .needs(|claims| !claims.dead_man_switch),
];

async fn cancel_ends_the_order(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for side in [Side::Buy, Side::Sell] {
        let (order, placed) = stage.rest(&market, side).await?;
        stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await?;
        let told = stage.ended(&order).await?;
        same("state and fills", &(OrderStatus::Canceled, Decimal::ZERO), &(told.status, told.filled_qty))?;
        same("state on record", &OrderStatus::Canceled, &stage.record(order.client_id)?.status)?;
    }
    Ok(())
}

async fn cancel_by_client_id_ends_the_order(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    stage.exchange.cancel(market.id, OrderRef::Client(order.client_id)).await?;
    same("state", &OrderStatus::Canceled, &stage.ended(&order).await?.status)?;
    same("state on record", &OrderStatus::Canceled, &stage.record(order.client_id)?.status)
}

async fn cancel_touches_one_order_only(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (kept, _) = stage.rest(&market, Side::Buy).await?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await?;
    stage.ended(&order).await?;
    same("state of the other", &OrderStatus::New, &stage.record(kept.client_id)?.status)
}

async fn cancel_of_an_ended_order_is_not_found(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, told) = stage.take(&market, Side::Buy).await?;
    let id = told.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
    refused(stage.exchange.cancel(market.id, OrderRef::Id(id)).await, &[ErrorKind::OrderNotFound])?;
    same("state on record", &OrderStatus::Filled, &stage.record(order.client_id)?.status)
}

fn unknown() -> Result<OrderRef, Failure> {
    let id = OrderId::new("987654321987").map_err(|error| Failure::new("a short id", error))?;
    Ok(OrderRef::Id(id))
}

async fn cancel_of_an_unknown_order_is_not_found(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    refused(stage.exchange.cancel(market.id, unknown()?).await, &[ErrorKind::OrderNotFound])?;
    let never = OrderRef::Client(stage.id()?);
    refused(stage.exchange.cancel(market.id, never).await, &[ErrorKind::OrderNotFound])
}

async fn query_of_an_unknown_order_is_not_found(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    refused(stage.exchange.order(market.id, unknown()?).await, &[ErrorKind::OrderNotFound])?;
    let never = OrderRef::Client(stage.id()?);
    refused(stage.exchange.order(market.id, never).await, &[ErrorKind::OrderNotFound])
}

async fn cancel_all_ends_every_order_of_the_symbol(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut ours = Vec::new();
    for side in [Side::Buy, Side::Sell, Side::Buy] {
        ours.push(stage.rest(&market, side).await?.0);
    }
    stage.exchange.cancel_all(market.id).await?;
    for order in ours {
        stage.ended(&order).await?;
        same("state on record", &OrderStatus::Canceled, &stage.record(order.client_id)?.status)?;
    }
    Ok(())
}

async fn cancel_all_leaves_other_symbols_alone(stage: &mut Stage) -> Verdict {
    let (market, other) = (stage.market(0)?, stage.market(1)?);
    let (kept, _) = stage.rest(&other, Side::Buy).await?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    stage.exchange.cancel_all(market.id).await?;
    stage.ended(&order).await?;
    same("state of the other symbol's order", &OrderStatus::New, &stage.record(kept.client_id)?.status)
}

async fn cancel_all_of_nothing_is_no_error(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    match stage.exchange.cancel_all(market.id).await {
        Ok(orders) => same("orders", &0, &orders.len()),
        Err(error) => same("kind of refusal", &ErrorKind::OrderNotFound, &error.kind),
    }
}

/// A limit at the best bid for more than lies there: part of it fills, the rest is ours to cancel.
async fn filled_part_survives_a_cancel(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    for _ in 0..10 {
        let best = stage.book(&market).await?.bids[0];
        let qty = stage.more_than(&market, best)?;
        let kind = cex_core::OrderKind::Limit { price: best.price, qty, tif: cex_core::TimeInForce::Gtc };
        let order = stage.request(&market, Side::Sell, kind)?;
        stage.exchange.place(order).await?;
        match stage.exchange.cancel(market.id, OrderRef::Client(order.client_id)).await {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::OrderNotFound => {}
            Err(error) => return Err(error.into()),
        }
        let told = stage.ended(&order).await?;
        let record = stage.record(order.client_id)?;
        same("state and fills", &(record.status, record.filled_qty), &(told.status, told.filled_qty))?;
        if record.filled_qty.is_positive() && record.status == OrderStatus::Canceled {
            return Ok(());
        }
    }
    Err(Failure::new("a part filled before a cancel, in ten attempts", "none"))
}

async fn amended_price_is_the_orders_price(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    let price = order.kind.price().map(|price| Price(price.0 + market.tick.0));
    let told = stage.exchange.amend(market.id, OrderRef::Id(placed.order_id), price, None).await?;
    let expected = price.map(|price| market.scale.price_value(price));
    same("price told", &expected, &told.price)?;
    let found = stage.found(&order).await?;
    same("price and quantity", &(expected, stage.asked_qty(&market, &order)), &(found.price, found.qty))
}

async fn amended_quantity_is_the_new_total(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    let qty = order.kind.qty().map(|qty| Qty(qty.0 + market.lot.0));
    stage.exchange.amend(market.id, OrderRef::Id(placed.order_id), None, qty).await?;
    let found = stage.found(&order).await?;
    let price = order.kind.price().map(|price| market.scale.price_value(price));
    let expected = (price, qty.map(|qty| market.scale.qty_value(qty)));
    same("price and quantity", &expected, &(found.price, found.qty))
}

async fn amending_an_ended_order_is_refused(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, told) = stage.take(&market, Side::Buy).await?;
    let id = told.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
    let qty = order.kind.qty().map(|qty| Qty(qty.0 + market.lot.0));
    let result = stage.exchange.amend(market.id, OrderRef::Id(id), None, qty).await;
    outcome(result, Outcome::Refused)?;
    same("filled on record", &told.filled_qty, &stage.record(order.client_id)?.filled_qty)
}

async fn amend_is_unsupported_where_not_claimed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    let price = order.kind.price().map(|price| Price(price.0 - market.tick.0));
    let result = stage.exchange.amend(market.id, OrderRef::Id(placed.order_id), price, None).await;
    crate::behaviour::unsupported(result)?;
    same("orders on record", &1, &stage.truth()?.orders.len())
}

async fn armed_switch_cancels_when_nobody_returns(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    stage.exchange.dead_man_switch(Duration::from_secs(5)).await?;
    same("state at once", &OrderStatus::New, &stage.record(order.client_id)?.status)?;
    until("the switch to cancel the order", || async {
        Ok((stage.record(order.client_id)?.status == OrderStatus::Canceled).then_some(()))
    })
    .await
}

/// The other account's switch, armed later and left alone, tells when ours would have acted.
async fn disarmed_switch_cancels_nothing(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    let five = Duration::from_secs(5);
    stage.exchange.dead_man_switch(five).await?;
    stage.exchange.dead_man_switch(Duration::ZERO).await?;
    let other = stage.other().await?;
    let theirs = stage.request(&market, Side::Buy, order.kind)?;
    other.place(theirs).await?;
    other.dead_man_switch(five).await?;
    until("the other account's switch to act", || async {
        let ended = stage.truth_of("other")?.orders.iter().any(|order| order.status == OrderStatus::Canceled);
        Ok(ended.then_some(()))
    })
    .await?;
    same("state of ours", &OrderStatus::New, &stage.record(order.client_id)?.status)
}

async fn switch_is_unsupported_where_not_claimed(stage: &mut Stage) -> Verdict {
    let error =
        error_of("no dead man's switch", stage.exchange.dead_man_switch(Duration::from_secs(10)).await)?;
    same("kind of refusal", &ErrorKind::Unsupported, &error.kind)
}
