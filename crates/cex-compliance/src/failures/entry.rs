//! Orders over a streaming connection whose fate nobody knows.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, outcome, same};
use crate::orders::entry;
use crate::stage::{PATIENCE, Setting, Stage, until};
use crate::wire::{Match, StreamFault};
use cex_core::{OrderRequest, Side};
use cex_errors::{Outcome, Retry};
use cex_interface::Secret;
use cex_sim::fault::{Fault, OrderEffect, Refused};
use cex_transport::OrderEntry;
use std::time::Duration;

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, WebsocketPrivate, streamed_acknowledgement_is_no_result, "That an order was received says nothing of what becomes of it: without more it is unknown.").rows("O1 O11").needs(|claims| claims.order_entry).set(impatient),
    behaviour!(Failures, WebsocketPrivate, silence_after_a_streamed_order_is_unknown, "No answer in time: unknown, sent once, one order.").rows("O1 O3 T4").needs(|claims| claims.order_entry).set(impatient),
    behaviour!(Failures, WebsocketPrivate, late_streamed_answer_is_nobodys, "An answer that comes after its call was given up belongs to nobody.").rows("T14").needs(|claims| claims.order_entry).set(impatient),
    behaviour!(Failures, WebsocketPrivate, half_a_streamed_answer_is_unknown, "Half an answer is no acceptance and no refusal.").rows("T15 W13").needs(|claims| claims.order_entry).set(impatient),
    behaviour!(Failures, WebsocketPrivate, loss_after_a_streamed_order_is_unknown_and_never_resent, "The exchange took the order and the connection broke: unknown, sent once, one order.").rows("O1 O3 T13").needs(|claims| claims.order_entry),
    behaviour!(Failures, WebsocketPrivate, streamed_order_lost_on_its_way_is_unknown_and_never_resent, "The order was lost with the connection: unknown all the same, sent once, no order.").rows("O2 O3").needs(|claims| claims.order_entry),
    behaviour!(Failures, WebsocketPrivate, streamed_order_without_a_connection_is_not_sent, "While nobody is logged in an order does not leave us.").rows("W15").needs(|claims| claims.order_entry),
    behaviour!(Failures, WebsocketPrivate, late_streamed_order_is_fenced_by_its_expiry, "An order that arrives after its expiry is refused by the exchange.").rows("O16 O17").needs(|claims| claims.order_entry).set(|setting| setting.transport.rest.placement_timeout = Duration::from_secs(6)),
    behaviour!(Failures, WebsocketPrivate, overload_at_a_streamed_order_is_unknown, "An exchange in trouble may have taken the order.").rows("H3 O3").needs(|claims| claims.order_entry),
    behaviour!(Failures, WebsocketPrivate, order_entry_comes_back_after_a_cut, "A connection for orders that was cut is made again by itself.").rows("T1").needs(|claims| claims.order_entry),
];

fn impatient(setting: &mut Setting) {
    setting.transport.rest.placement_timeout = Duration::from_millis(400);
}

fn about(order: &OrderRequest) -> Match {
    Match::text(order.client_id.as_str())
}

/// Places an order of which nothing may be believed afterwards: unknown, never to be repeated, sent once, and so many
/// on record.
async fn unknown(stage: &Stage, entry: &OrderEntry, order: OrderRequest, orders: usize) -> Verdict {
    let error = outcome(entry.place(order).await, Outcome::Unknown)?;
    ensure!(error.retry() == Retry::Never, "no repeat", format_args!("{:?}: {error}", error.retry()));
    same("messages sent", &1, &stage.wire()?.said(&about(&order)))?;
    same("orders on record", &orders, &stage.on_record(order.client_id)?.len())
}

/// The connection takes orders again, and the one of unknown fate was not sent with it.
async fn goes_on(stage: &Stage, entry: &OrderEntry, first: &OrderRequest, orders: usize) -> Verdict {
    ensure!(entry.ready(PATIENCE).await, "a connection that takes orders", "none");
    let next = stage.request(&stage.market(0)?, Side::Buy, first.kind)?;
    same("client id", &next.client_id, &entry.place(next).await?.client_id)?;
    same("messages sent", &1, &stage.wire()?.said(&about(first)))?;
    same("orders on record", &orders, &stage.on_record(first.client_id)?.len())
}

async fn resting(stage: &Stage) -> Result<OrderRequest, Failure> {
    stage.resting(&stage.market(0)?, Side::Buy).await
}

/// Where an exchange answers at once, there is nothing after the first message to lose.
async fn streamed_acknowledgement_is_no_result(stage: &mut Stage) -> Verdict {
    let (entry, order) = (entry(stage).await?, resting(stage).await?);
    let wire = stage.wire()?;
    wire.after_first_message(about(&order), StreamFault::Drop);
    match entry.place(order).await {
        Ok(placed) => same("messages lost before success was told", &0, &wire.fired())
            .map_err(|failure| Failure::new(failure.expected, format_args!("{placed:?}"))),
        Err(error) => {
            same(&format!("outcome of {error}:"), &Outcome::Unknown, &error.outcome())?;
            stage.found(&order).await.map(|_| ())
        }
    }
}

async fn silence_after_a_streamed_order_is_unknown(stage: &mut Stage) -> Verdict {
    let (entry, order) = (entry(stage).await?, resting(stage).await?);
    stage.wire()?.on_messages(about(&order), StreamFault::Drop, usize::MAX);
    unknown(stage, &entry, order, 1).await?;
    stage.found(&order).await?;
    goes_on(stage, &entry, &order, 1).await
}

async fn late_streamed_answer_is_nobodys(stage: &mut Stage) -> Verdict {
    let (entry, late) = (entry(stage).await?, resting(stage).await?);
    stage.wire()?.on_message(about(&late), StreamFault::Hold(Duration::from_millis(600)));
    unknown(stage, &entry, late, 1).await?;
    let market = stage.market(0)?;
    // The first may still be held up behind the late answer.
    for wait in [true, false, false] {
        let order = stage.request(&market, Side::Buy, late.kind)?;
        match entry.place(order).await {
            Ok(placed) => {
                same("client id", &order.client_id, &placed.client_id)?;
                same("order id", &Some(placed.order_id), &stage.found(&order).await?.order_id)?;
            }
            Err(error) if wait && error.outcome() == Outcome::Unknown => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn half_a_streamed_answer_is_unknown(stage: &mut Stage) -> Verdict {
    let (entry, order) = (entry(stage).await?, resting(stage).await?);
    stage.wire()?.on_messages(about(&order), StreamFault::Half, usize::MAX);
    unknown(stage, &entry, order, 1).await?;
    goes_on(stage, &entry, &order, 1).await
}

async fn loss_after_a_streamed_order_is_unknown_and_never_resent(stage: &mut Stage) -> Verdict {
    let (entry, order) = (entry(stage).await?, resting(stage).await?);
    stage.wire()?.on_message(about(&order), StreamFault::BreakWithin);
    unknown(stage, &entry, order, 1).await?;
    stage.found(&order).await?;
    goes_on(stage, &entry, &order, 1).await
}

async fn streamed_order_lost_on_its_way_is_unknown_and_never_resent(stage: &mut Stage) -> Verdict {
    let (entry, order) = (entry(stage).await?, resting(stage).await?);
    let wire = stage.wire()?;
    wire.freeze(true);
    let lose = async {
        until("the order on its way", || async { Ok((wire.said(&about(&order)) > 0).then_some(())) }).await?;
        stage.cut()
    };
    let (placed, lost) = tokio::join!(unknown(stage, &entry, order, 0), lose);
    wire.freeze(false);
    placed.and(lost)?;
    goes_on(stage, &entry, &order, 0).await
}

async fn streamed_order_without_a_connection_is_not_sent(stage: &mut Stage) -> Verdict {
    let stranger =
        stage.another(|config, _| config.secret = Secret::new("not-the-secret".to_owned())).await?;
    let entry = stranger.client().order_entry()?;
    let order = resting(stage).await?;
    until("a refused login", || async { Ok((stage.wire()?.sockets() > 1).then_some(())) }).await?;
    for _ in 0..20 {
        let error = crate::behaviour::error_of("no order", entry.place(order).await)?;
        ensure!(error.outcome() != Outcome::Unknown, "an order that was not sent", error);
    }
    ensure!(!entry.is_ready(), "a connection that takes no orders", "one that does");
    same("messages sent", &0, &stage.wire()?.said(&about(&order)))
}

async fn late_streamed_order_is_fenced_by_its_expiry(stage: &mut Stage) -> Verdict {
    let (entry, mut order) = (entry(stage).await?, resting(stage).await?);
    order.expires_in = Duration::from_secs(1);
    let wire = stage.wire()?;
    wire.freeze(true);
    let hold = async {
        // Well beyond the expiry, whatever the clocks' error.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        wire.freeze(false);
    };
    let (placed, ()) = tokio::join!(entry.place(order), hold);
    let error = outcome(placed, Outcome::Refused)?;
    same("messages sent", &1, &wire.said(&about(&order)))?;
    same(&format!("orders on record after {error}:"), &0, &stage.on_record(order.client_id)?.len())
}

async fn overload_at_a_streamed_order_is_unknown(stage: &mut Stage) -> Verdict {
    let (entry, order) = (entry(stage).await?, resting(stage).await?);
    stage.inject(Fault::order(OrderEffect::Reject(Refused::Overloaded)).of_account("subject"))?;
    outcome(entry.place(order).await, Outcome::Unknown)?;
    same("messages sent", &1, &stage.wire()?.said(&about(&order)))
}

async fn order_entry_comes_back_after_a_cut(stage: &mut Stage) -> Verdict {
    let (entry, order) = (entry(stage).await?, resting(stage).await?);
    entry.place(order).await?;
    for _ in 0..2 {
        stage.cut()?;
        until("the loss", || async { Ok((!entry.is_ready()).then_some(())) }).await?;
        goes_on(stage, &entry, &order, 1).await?;
    }
    Ok(())
}
