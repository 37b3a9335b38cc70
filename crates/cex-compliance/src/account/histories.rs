//! Lists that may be long, or that cannot be read whole.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, outcome, same};
use crate::stage::{Stage, until};
use crate::wire::{Fault, Match};
use cex_core::{
    AccountEvent, LinkEvent, Market, OrderKind, OrderRequest, OrderStatus, Price, Qty, Side, TimeInForce,
    Timestamp,
};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{EventSource, PrivateExchange, TimeRange};
use std::collections::BTreeSet;
use std::time::Duration;

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Account, RestPrivate, order_history_stays_within_its_span, "Orders of a span are all there, and those of another span are not.").rows("H7").needs(|claims| claims.order_history),
    behaviour!(Account, RestPrivate, whole_order_history_has_each_order_once, "All orders of a span of any length, each once.").rows("H7").needs(|claims| claims.order_history),
    behaviour!(Account, RestPrivate, whole_list_of_fills_has_each_fill_once, "All fills of a span of any length, each once and oldest first.").rows("H7"),
    behaviour!(Account, RestPrivate, more_fills_at_once_than_an_answer_holds_are_all_found, "A moment with more fills than an answer shows is told in full, and as whole only where nothing can be missing.").rows("H7").needs(|claims| claims.fills_page.rows <= 100 && claims.place_batch.is_some()).set(|setting| setting.is_quiet = true),
    behaviour!(Account, RestPrivate, one_order_with_more_fills_than_an_answer_holds_is_told_whole_or_not_at_all, "All fills of one order, more than an answer shows: every one of them, or an error where the exchange cannot be made to show them; never fewer. The stream tells all.").rows("H7").needs(|claims| claims.fills_page.rows <= 100).set(|setting| setting.is_quiet = true),
    behaviour!(Account, RestPrivate, span_before_what_is_kept_is_an_error_not_fewer, "A span whose beginning the exchange no longer keeps is refused before anything is sent.").rows("H7").needs(|claims| claims.fills_page.kept.is_some()),
    behaviour!(Account, RestPrivate, span_that_ends_before_it_begins_is_not_sent, "A span that makes no sense never leaves."),
    behaviour!(Account, RestPrivate, unreadable_open_order_is_told_and_costs_the_others_nothing, "Of a list with a row that cannot be read the others stand, and the list says that one is missing.").rows("W11 W13"),
    behaviour!(Account, RestPrivate, unreadable_fill_is_told_and_costs_the_others_nothing, "Of a list with a fill that cannot be read the others stand, and the list says that one is missing.").rows("W13"),
];

const HOUR: Duration = Duration::from_secs(3_600);

/// The last minute, with room for what clocks differ.
fn lately(stage: &Stage) -> (Timestamp, Timestamp) {
    (stage.now() - Duration::from_secs(60), stage.now() + Duration::from_secs(2))
}

async fn taken(stage: &Stage, count: usize) -> Result<Vec<OrderRequest>, Failure> {
    let market = stage.market(0)?;
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.push(stage.take(&market, Side::Buy).await?.0);
    }
    Ok(orders)
}

async fn order_history_stays_within_its_span(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let orders = taken(stage, 3).await?;
    let (from, to) = lately(stage);
    let range = TimeRange { from: Some(from), to: Some(to) };
    until("three orders of the last minute", || async {
        let told = stage.exchange.order_history(market.id, range, 100).await?;
        let holds = |order: &OrderRequest| told.iter().any(|past| past.client_id == Some(order.client_id));
        Ok(orders.iter().all(holds).then_some(()))
    })
    .await?;
    let before = TimeRange { from: Some(from - 2 * HOUR), to: Some(from - HOUR) };
    same("orders of an hour before", &0, &stage.exchange.order_history(market.id, before, 100).await?.len())
}

async fn whole_order_history_has_each_order_once(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let orders = taken(stage, 5).await?;
    let expected: BTreeSet<_> = orders.iter().map(|order| order.client_id).collect();
    let (from, to) = (stage.now() - 30 * HOUR, stage.now() + Duration::from_secs(2));
    until("all orders of a day and more", || async {
        let told = stage.exchange.order_history_all(market.id, from, to).await?;
        let told = told.whole().ok_or_else(|| Failure::new("a whole list", "rows that cannot be read"))?;
        let ended = told.iter().filter(|order| order.status == OrderStatus::Filled);
        let names: Vec<_> = ended.filter_map(|order| order.client_id).collect();
        if names.len() < expected.len() {
            return Ok(None);
        }
        same(
            "orders, and different ones",
            &(expected.len(), &expected),
            &(names.len(), &names.iter().copied().collect()),
        )?;
        Ok(Some(()))
    })
    .await
}

async fn whole_list_of_fills_has_each_fill_once(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    taken(stage, 5).await?;
    let expected = stage.truth()?.fills.len();
    let (from, to) = (stage.now() - 30 * HOUR, stage.now() + Duration::from_secs(2));
    until("all fills of a day and more", || async {
        let told = stage.exchange.my_trades_all(market.id, from, to).await?;
        let told = told.whole().ok_or_else(|| Failure::new("a whole list", "rows that cannot be read"))?;
        if told.len() < expected {
            return Ok(None);
        }
        let keys: BTreeSet<_> = told.iter().map(|fill| fill.trade_id.as_str().to_owned()).collect();
        same("fills, and different ones", &(expected, expected), &(told.len(), keys.len()))?;
        let in_order = told.windows(2).all(|pair| pair[0].exchange_ts <= pair[1].exchange_ts);
        ensure!(in_order, "the oldest first", "another order");
        Ok(Some(()))
    })
    .await
}

/// A market, a price below its best ask, and a quantity of which an account can sell so many there.
async fn small_orders(stage: &Stage, count: u32) -> Result<(Market, Price, Qty), Failure> {
    for market in stage.markets().iter() {
        let price = Price(stage.book(market).await?.asks[0].price.0 - market.tick.0);
        let least = Qty(stage.qty(market, price)?.0 / 12).ceil_to(market.lot).unwrap_or(market.min_qty);
        let qty = least.max(market.min_qty);
        let all = market.scale.qty_value(Qty(qty.0 * i64::from(count)));
        if stage.has(market.symbol().base)?.0 >= all {
            return Ok((market.clone(), price, qty));
        }
    }
    Err(Failure::new(format_args!("a market with enough for {count} orders"), "none"))
}

/// Two orders of one call meet more of the other account's than an answer shows fills, all within a moment.
async fn more_fills_at_once_than_an_answer_holds_are_all_found(stage: &mut Stage) -> Verdict {
    let each = stage.claims().fills_page.rows / 2 + 10;
    let (market, price, qty) = small_orders(stage, 2 * each).await?;
    let other = stage.other().await?;
    for _ in 0..2 * each {
        other.place(stage.request(&market, Side::Sell, OrderKind::PostOnly { price, qty })?).await?;
    }
    let all = Qty(qty.0 * i64::from(each));
    let take = OrderKind::Limit { price, qty: all, tif: TimeInForce::Gtc };
    let orders = vec![stage.request(&market, Side::Buy, take)?, stage.request(&market, Side::Buy, take)?];
    for placed in stage.exchange.place_batch(orders).await {
        placed?;
    }
    let expected = stage.truth()?.fills.len();
    same("fills on record", &(2 * each as usize), &expected)?;
    let (from, to) = lately(stage);
    let told = until("all fills", || async {
        let told = stage.exchange.my_trades_all(market.id, from, to).await?;
        Ok((told.len() >= expected).then_some(told))
    })
    .await?;
    let keys: BTreeSet<_> = told.iter().map(cex_core::Fill::key).collect();
    same("fills, and different ones", &(expected, expected), &(told.len(), keys.len()))?;
    let sure = stage.claims().orders_page.kept.is_none();
    same("told as whole", &sure, &told.whole().is_some())
}

/// One order meets more of the other account's than an answer shows fills, all within a moment.
async fn one_order_with_more_fills_than_an_answer_holds_is_told_whole_or_not_at_all(
    stage: &mut Stage,
) -> Verdict {
    let each = stage.claims().fills_page.rows + 20;
    let mut stream = stage.exchange.account_stream().await?;
    while stream.next_link().await.is_some_and(|event| event != LinkEvent::AccountReady) {}
    let (market, price, qty) = small_orders(stage, each).await?;
    let other = stage.other().await?;
    for _ in 0..each {
        other.place(stage.request(&market, Side::Sell, OrderKind::PostOnly { price, qty })?).await?;
    }
    let all = Qty(qty.0 * i64::from(each));
    let take = OrderKind::Limit { price, qty: all, tif: TimeInForce::Ioc };
    let order = stage.request(&market, Side::Buy, take)?;
    let placed = stage.exchange.place(order).await?;
    let expected = stage.fills_on_record(order.client_id)?.len();
    same("fills on record", &(each as usize), &expected)?;
    let (from, to) = lately(stage);
    match stage.exchange.order_trades_all(market.id, placed.order_id, from, to).await {
        Ok(told) => {
            let keys: BTreeSet<_> = told.iter().map(cex_core::Fill::key).collect();
            same("fills", &expected, &keys.len())?;
        }
        Err(error) => {
            ensure!(error.kind == ErrorKind::AboveMaximum, "every fill, or too many to be shown", error);
        }
    }
    let mut streamed = BTreeSet::new();
    let listen = async {
        while streamed.len() < expected {
            match stream.next_account().await {
                Some(AccountEvent::Fill(fill)) if fill.order_id == placed.order_id => {
                    streamed.insert(fill.key())
                }
                Some(_) => false,
                None => return,
            };
        }
    };
    // When it is over is told by what was heard.
    let _ = tokio::time::timeout(crate::stage::PATIENCE, listen).await;
    same("streamed fills", &expected, &streamed.len())
}

async fn span_before_what_is_kept_is_an_error_not_fewer(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    taken(stage, 1).await?;
    let kept = stage.claims().fills_page.kept.unwrap_or_default();
    let from = stage.now() - kept - HOUR;
    let asked = stage.wire()?.asked(&Match::method("GET")).len();
    outcome(stage.exchange.my_trades_all(market.id, from, stage.now()).await, Outcome::NotSent)?;
    same("calls sent", &asked, &stage.wire()?.asked(&Match::method("GET")).len())
}

async fn span_that_ends_before_it_begins_is_not_sent(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (from, to) = (stage.now(), stage.now() - HOUR);
    outcome(stage.exchange.my_trades_all(market.id, from, to).await, Outcome::NotSent)?;
    outcome(stage.exchange.order_history_all(market.id, from, to).await, Outcome::NotSent).map(|_| ())
}

async fn unreadable_open_order_is_told_and_costs_the_others_nothing(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (spoilt, _) = stage.rest(&market, Side::Buy).await?;
    let (whole, _) = stage.rest(&market, Side::Sell).await?;
    let price = stage.found(&spoilt).await?.price;
    let price = price.ok_or_else(|| Failure::new("a price", "none"))?.to_string();
    let wire = stage.wire()?;
    // What is sought is how a list of orders is asked for: the last call with this symbol that was made.
    let list = stage.exchange.open_orders(Some(market.id)).await?;
    same("open orders, all readable", &(2, 0), &(list.len(), list.unreadable))?;
    let path = last_path(stage)?;
    wire.on_call(Match::method("GET").and(path), Fault::Mangle(price, "1x1"));
    let list = stage.exchange.open_orders(Some(market.id)).await?;
    same("open orders read and unreadable", &(1, 1), &(list.len(), list.unreadable))?;
    same("the one read", &Some(whole.client_id), &list[0].client_id)?;
    ensure!(list.whole().is_none(), "a list that is not whole", "one that is");
    Ok(())
}

async fn unreadable_fill_is_told_and_costs_the_others_nothing(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    taken(stage, 1).await?;
    stage.take(&market, Side::Sell).await?;
    let expected = stage.truth()?.fills.len();
    let told = until("all fills", || async {
        let told = stage.exchange.my_trades(market.id, None, TimeRange::default(), 100).await?;
        Ok((told.len() == expected && told.unreadable == 0).then_some(told))
    })
    .await?;
    let price = told[0].price;
    let spoilt = told.iter().filter(|fill| fill.price.to_string().starts_with(&price.to_string())).count();
    let path = last_path(stage)?;
    stage.wire()?.on_call(Match::method("GET").and(path), Fault::Mangle(price.to_string(), "1x1"));
    let told = stage.exchange.my_trades(market.id, None, TimeRange::default(), 100).await?;
    same("fills read and unreadable", &(expected - spoilt, spoilt), &(told.len(), told.unreadable))?;
    let all = stage.exchange.my_trades(market.id, None, TimeRange::default(), 100).await?;
    same("fills the next time", &(expected, 0), &(all.len(), all.unreadable))
}

/// The path of the last call read.
fn last_path(stage: &Stage) -> Result<String, Failure> {
    let calls = stage.wire()?.asked(&Match::method("GET"));
    let last = calls.last().ok_or_else(|| Failure::new("a call", "none"))?;
    Ok(last.target.split('?').next().unwrap_or_default().to_owned())
}
