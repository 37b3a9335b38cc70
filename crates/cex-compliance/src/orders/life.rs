//! An order from placement to end: identifiers, queries, fills.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::stage::{Stage, sum, until};
use cex_core::{ClientOrderId, Decimal, OrderStatus, Side};
use cex_interface::{OrderRef, PrivateExchange, PublicExchange, TimeRange};
use cex_sim::fault::{Fault, VenueFault};
use std::collections::BTreeSet;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Orders, RestPrivate, one_intent_is_one_order, "A placement makes exactly one order.").rows("O3 O4"),
    behaviour!(Orders, RestPrivate, placement_names_both_identifiers, "An accepted placement names our identifier and the exchange's.").rows("O12"),
    behaviour!(Orders, RestPrivate, placement_tells_no_more_than_claimed, "A placement's answer tells the order's state exactly where that is claimed: an acknowledgement is no fill.").rows("O11"),
    behaviour!(Orders, RestPrivate, resting_order_is_open_and_unfilled, "An order away from the market rests, with nothing filled."),
    behaviour!(Orders, RestPrivate, order_is_found_by_either_identifier, "Both identifiers find the same order."),
    behaviour!(Orders, RestPrivate, order_reports_what_was_asked_for, "Side, price and quantity of the report are those of the request, exactly.").rows("M2"),
    behaviour!(Orders, RestPrivate, side_is_never_swapped, "A purchase is on record as a purchase, a sale as a sale."),
    behaviour!(Orders, RestPrivate, quantity_is_never_scaled, "What is filled on record is what was asked for, to the last digit.").rows("M2 M8"),
    behaviour!(Orders, RestPrivate, open_orders_list_the_order_until_it_ends, "Open orders hold an order while it rests and not after."),
    behaviour!(Orders, RestPrivate, open_orders_of_all_symbols_hold_each, "Without a symbol the open orders of all registered symbols come."),
    behaviour!(Orders, RestPrivate, open_orders_come_where_symbols_must_be_named, "Where open orders are listed of named symbols only, those of all registered symbols come all the same.").needs(|claims| claims.open_orders_of.is_some()),
    behaviour!(Orders, RestPrivate, filled_order_sums_up, "Filled quantity and turnover of the report are the sums of its fills on record.").rows("O6"),
    behaviour!(Orders, RestPrivate, taking_never_pays_more_than_the_limit, "No fill is worse than the limit."),
    behaviour!(Orders, RestPrivate, longest_client_id_is_kept_whole, "A client order id of the longest form comes back as it was."),
    behaviour!(Orders, RestPrivate, client_ids_keep_their_characters, "Dashes, underscores and both cases survive."),
    behaviour!(Orders, RestPrivate, orders_placed_together_are_all_accounted_for, "Placements side by side make one order each.").rows("O3 T14"),
    behaviour!(Orders, RestPrivate, answers_belong_to_their_questions, "Queries side by side get their own orders.").rows("T14"),
    behaviour!(Orders, RestPrivate, order_history_holds_ended_orders, "An order that was filled is found in the history.").needs(|claims| claims.order_history),
    behaviour!(Orders, RestPrivate, order_history_honours_its_limit, "No more orders than asked for.").needs(|claims| claims.order_history).rows("H7"),
    behaviour!(Orders, RestPrivate, order_times_are_plausible, "The time of an order is in the right unit.").rows("W14"),
    behaviour!(Orders, RestPrivate, venue_and_symbol_of_reports_are_ours, "Reports name the venue and the symbol they are about."),
];

async fn one_intent_is_one_order(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let before = stage.truth()?.orders.len();
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    stage.record(order.client_id)?;
    same("orders on record", &(before + 1), &stage.truth()?.orders.len())?;
    let sent = stage.wire()?.asked(&crate::wire::Match::method("POST").and(order.client_id.as_str()));
    same("placements sent", &1, &sent.len())
}

async fn placement_names_both_identifiers(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    same("our identifier", &order.client_id, &placed.client_id)?;
    ensure!(!placed.order_id.is_empty(), "the exchange's identifier", "nothing");
    let found = stage.exchange.order(market.id, OrderRef::Id(placed.order_id)).await?;
    same("client id of that order", &Some(order.client_id), &found.client_id)
}

async fn placement_tells_no_more_than_claimed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for resting in [true, false] {
        let order = if resting {
            stage.resting(&market, Side::Buy).await?
        } else {
            stage.taking(&market, Side::Buy).await?
        };
        let placed = stage.exchange.place(order).await?;
        let Some(told) = placed.order else {
            ensure!(!stage.claims().placement_tells_state, "the order's state, as claimed", "none");
            continue;
        };
        ensure!(
            stage.claims().placement_tells_state,
            "no state, since none is claimed",
            format_args!("{told:?}")
        );
        let record = stage.record(order.client_id)?;
        same("filled quantity told", &record.filled_qty, &told.filled_qty)?;
        if resting {
            same("state", &OrderStatus::New, &told.status)?;
        }
    }
    Ok(())
}

async fn resting_order_is_open_and_unfilled(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for side in [Side::Buy, Side::Sell] {
        let (order, _) = stage.rest(&market, side).await?;
        let told = stage.found(&order).await?;
        same("state", &OrderStatus::New, &told.status)?;
        same("filled", &(Decimal::ZERO, Decimal::ZERO), &(told.filled_qty, told.filled_notional))?;
        same("leaves", &stage.asked_qty(&market, &order), &told.leaves())?;
        same("state on record", &OrderStatus::New, &stage.record(order.client_id)?.status)?;
    }
    Ok(())
}

async fn order_is_found_by_either_identifier(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Sell).await?;
    stage.found(&order).await?;
    let by_id = stage.exchange.order(market.id, OrderRef::Id(placed.order_id)).await?;
    let by_client = stage.exchange.order(market.id, OrderRef::Client(order.client_id)).await?;
    same("the same order", &(by_id.order_id, by_id.client_id), &(by_client.order_id, by_client.client_id))?;
    same("its identifier", &Some(placed.order_id), &by_client.order_id)
}

async fn order_reports_what_was_asked_for(stage: &mut Stage) -> Verdict {
    for index in 0..3 {
        let market = stage.market(index)?;
        for side in [Side::Buy, Side::Sell] {
            let (order, _) = stage.rest(&market, side).await?;
            let told = stage.found(&order).await?;
            let price = order.kind.price().map(|price| market.scale.price_value(price));
            same(
                "side, price and quantity",
                &(side, price, stage.asked_qty(&market, &order)),
                &(told.side, told.price, told.qty),
            )?;
        }
    }
    Ok(())
}

async fn side_is_never_swapped(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for side in [Side::Buy, Side::Sell] {
        let order = stage.resting(&market, side).await?;
        // Swapped it would trade at a price nobody asked for.
        stage.exchange.place(order).await?;
        same("side on record", &side, &stage.record(order.client_id)?.side)?;
    }
    Ok(())
}

async fn quantity_is_never_scaled(stage: &mut Stage) -> Verdict {
    for index in 0..3 {
        let market = stage.market(index)?;
        let order = stage.taking(&market, Side::Sell).await?;
        stage.exchange.place(order).await?;
        stage.ended(&order).await?;
        let record = stage.record(order.client_id)?;
        let asked = stage.asked_qty(&market, &order).ok_or_else(|| Failure::new("a quantity", "none"))?;
        same("filled on record", &asked, &record.filled_qty)?;
    }
    Ok(())
}

async fn open_orders_list_the_order_until_it_ends(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    let listed =
        |orders: &[cex_core::Order]| orders.iter().any(|open| open.client_id == Some(order.client_id));
    until("the order among the open ones", || async {
        Ok(listed(&stage.exchange.open_orders(Some(market.id)).await?).then_some(()))
    })
    .await?;
    stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await?;
    until("the order gone from the open ones", || async {
        Ok((!listed(&stage.exchange.open_orders(Some(market.id)).await?)).then_some(()))
    })
    .await
}

async fn open_orders_of_all_symbols_hold_each(stage: &mut Stage) -> Verdict {
    let mut ours = BTreeSet::new();
    for index in 0..3 {
        let market = stage.market(index)?;
        ours.insert(stage.rest(&market, Side::Buy).await?.0.client_id);
    }
    until("an open order of each symbol", || async {
        let open = match stage.exchange.open_orders(None).await {
            Ok(open) => open,
            // Where the exchange asks for a symbol, the adapter must say so without sending anything.
            Err(error) if error.outcome() == cex_errors::Outcome::NotSent => return Ok(Some(())),
            Err(error) => return Err(error.into()),
        };
        let found: BTreeSet<ClientOrderId> = open.iter().filter_map(|order| order.client_id).collect();
        Ok((found == ours).then_some(()))
    })
    .await
}

async fn open_orders_come_where_symbols_must_be_named(stage: &mut Stage) -> Verdict {
    stage.inject(Fault::venue(VenueFault::OpenOrdersBySymbol))?;
    open_orders_of_all_symbols_hold_each(stage).await
}

async fn filled_order_sums_up(stage: &mut Stage) -> Verdict {
    let market = stage.market(1)?;
    for side in [Side::Buy, Side::Sell] {
        let (order, told) = stage.take(&market, side).await?;
        let fills = stage.fills_on_record(order.client_id)?;
        let qty = sum(fills.iter().map(|fill| fill.qty))?;
        let notional = sum(fills.iter().map(|fill| fill.notional))?;
        ensure!(qty.is_positive(), "a fill", "none");
        same("filled quantity and turnover", &(qty, notional), &(told.filled_qty, told.filled_notional))?;
        same("state", &OrderStatus::Filled, &told.status)?;
    }
    Ok(())
}

async fn taking_never_pays_more_than_the_limit(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for side in [Side::Buy, Side::Sell] {
        let (order, told) = stage.take(&market, side).await?;
        let limit = order.kind.price().map(|price| market.scale.price_value(price));
        let limit = limit.ok_or_else(|| Failure::new("a limit", "none"))?;
        let paid = told.average_price(12).ok_or_else(|| Failure::new("an average price", "none"))?;
        let holds = match side {
            Side::Buy => paid <= limit,
            Side::Sell => paid >= limit,
        };
        ensure!(holds, format_args!("a price no worse than {limit}"), paid);
    }
    Ok(())
}

async fn with_client_id(stage: &Stage, text: &str) -> Verdict {
    let market = stage.market(0)?;
    let mut order = stage.resting(&market, Side::Buy).await?;
    order.client_id = ClientOrderId::new(text).ok_or_else(|| Failure::new("a valid client id", text))?;
    let placed = stage.exchange.place(order).await?;
    same("client id of the placement", &order.client_id, &placed.client_id)?;
    let told = stage.found(&order).await?;
    same("client id of the report", &Some(order.client_id), &told.client_id)?;
    stage.record(order.client_id).map(|_| ())
}

async fn longest_client_id_is_kept_whole(stage: &mut Stage) -> Verdict {
    let most = stage.claims().client_id_len.min(28);
    ensure!(most >= 18, "room for eighteen characters", most);
    let text: String = "abcdefghijklmnopqrstuvwxyz0123456789".chars().take(most).collect();
    with_client_id(stage, &text).await
}

async fn client_ids_keep_their_characters(stage: &mut Stage) -> Verdict {
    with_client_id(stage, "aZ-09_zA-7").await
}

async fn orders_placed_together_are_all_accounted_for(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let first = stage.resting(&market, Side::Buy).await?;
    let mut orders = vec![first];
    for _ in 0..5 {
        orders.push(stage.request(&market, Side::Buy, first.kind)?);
    }
    let tasks: Vec<_> = orders
        .iter()
        .map(|order| {
            let (exchange, order) = (stage.exchange.clone(), *order);
            tokio::spawn(async move { (order.client_id, exchange.place(order).await) })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for task in tasks {
        let (client_id, placed) = task.await.map_err(|error| Failure::new("a placement that ends", error))?;
        let placed = placed?;
        same("our identifier", &client_id, &placed.client_id)?;
        ids.insert(placed.order_id.as_str().to_owned());
        stage.record(client_id)?;
    }
    same("orders", &orders.len(), &ids.len())
}

async fn answers_belong_to_their_questions(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut orders = Vec::new();
    for _ in 0..5 {
        let (order, _) = stage.rest(&market, Side::Buy).await?;
        stage.found(&order).await?;
        orders.push(order);
    }
    let ask = |client_id| {
        let (exchange, symbol) = (stage.exchange.clone(), market.id);
        tokio::spawn(async move { (client_id, exchange.order(symbol, OrderRef::Client(client_id)).await) })
    };
    let tasks: Vec<_> = (0..20).map(|at| ask(orders[at % orders.len()].client_id)).collect();
    for task in tasks {
        let (asked, told) = task.await.map_err(|error| Failure::new("a query that ends", error))?;
        same("client id", &Some(asked), &told?.client_id)?;
    }
    Ok(())
}

async fn order_history_holds_ended_orders(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, told) = stage.take(&market, Side::Buy).await?;
    until("the order in the history", || async {
        let history = stage.exchange.order_history(market.id, TimeRange::default(), 50).await?;
        let found = history.iter().find(|past| past.client_id == Some(order.client_id));
        let Some(past) = found else { return Ok(None) };
        same(
            "state and fills",
            &(told.status, told.filled_qty, told.filled_notional),
            &(past.status, past.filled_qty, past.filled_notional),
        )?;
        Ok(Some(()))
    })
    .await
}

async fn order_history_honours_its_limit(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for _ in 0..4 {
        stage.take(&market, Side::Buy).await?;
    }
    until("four orders in the history", || async {
        let history = stage.exchange.order_history(market.id, TimeRange::default(), 50).await?;
        Ok((history.len() >= 4).then_some(()))
    })
    .await?;
    let history = stage.exchange.order_history(market.id, TimeRange::default(), 2).await?;
    same("orders", &2, &history.len())
}

async fn order_times_are_plausible(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    let told = stage.found(&order).await?;
    let now = stage.now();
    let apart = now.since(told.created_at).max(told.created_at.since(now));
    ensure!(apart.as_secs() < 60, format_args!("a time near {now}"), told.created_at);
    Ok(())
}

async fn venue_and_symbol_of_reports_are_ours(stage: &mut Stage) -> Verdict {
    for index in 0..2 {
        let market = stage.market(index)?;
        let (order, _) = stage.rest(&market, Side::Sell).await?;
        let told = stage.found(&order).await?;
        same("venue and symbol", &(stage.exchange.venue(), market.id), &(told.venue, told.symbol))?;
    }
    Ok(())
}
