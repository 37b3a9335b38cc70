//! An exchange under maintenance: it answers what is read, and takes no orders (H9).

use crate::behaviour::{Behaviour, Verdict, behaviour, ensure, error_of, same};
use crate::follow::Follow;
use crate::orders::entry;
use crate::stage::{Stage, until};
use crate::wire::Match;
use cex_core::{AccountEvent, LinkEvent, OrderRequest, Side};
use cex_errors::{ErrorKind, ExchangeError, Outcome, Retry};
use cex_interface::{EventSource, OrderRef, PrivateExchange, PublicExchange};
use cex_sim::fault::{Fault, VenueFault};
use std::time::Duration;

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, RestPrivate, order_under_maintenance_is_sent_once_and_no_guess, "Whatever the exchange says under maintenance, a placement is refused only where it says so for certain, else unknown; it is sent once.").rows("H9 H3"),
    behaviour!(Failures, RestPrivate, cancel_under_maintenance_leaves_the_order_open, "A cancel that was refused under maintenance ended nothing, and works afterwards.").rows("H9 O9"),
    behaviour!(Failures, Integration, maintenance_of_orders_stops_no_reading, "While orders are refused books, balances and orders are read as ever, and afterwards orders are taken again.").rows("H9"),
    behaviour!(Failures, WebsocketPrivate, streamed_order_under_maintenance_is_sent_once_and_no_guess, "So with orders over a stream.").rows("H9").needs(|claims| claims.order_entry),
];

/// How often each is tried: exchanges have more than one way to say it.
const TURNS: usize = 4;

fn maintain(stage: &Stage) -> Verdict {
    stage.inject(Fault::venue(VenueFault::Maintenance)).map(|_| ())
}

/// What may be said of an order of which there is nothing at the exchange.
fn honest(error: &ExchangeError) -> Verdict {
    let certain = error.kind == ErrorKind::Maintenance && error.outcome() == Outcome::Refused;
    ensure!(
        certain || error.outcome() == Outcome::Unknown,
        "maintenance, or an unknown outcome",
        format_args!("{:?}: {error}", error.outcome())
    );
    // Nobody knows how long it takes, so what may be tried again is tried with a pause.
    ensure!(error.retry() != Retry::Now, "no repeat at once", format_args!("{:?}", error.retry()));
    Ok(())
}

async fn order_under_maintenance_is_sent_once_and_no_guess(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    maintain(stage)?;
    for _ in 0..TURNS {
        let order = stage.resting(&market, Side::Buy).await?;
        honest(&error_of("an error", stage.exchange.place(order).await)?)?;
        same("times sent", &1, &sent(stage, "POST", &order)?)?;
        same("orders on record", &0, &stage.on_record(order.client_id)?.len())?;
    }
    Ok(())
}

fn sent(
    stage: &Stage,
    method: &'static str,
    order: &OrderRequest,
) -> Result<usize, crate::behaviour::Failure> {
    Ok(stage.wire()?.asked(&Match::method(method).and(order.client_id.as_str())).len())
}

async fn cancel_under_maintenance_leaves_the_order_open(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    maintain(stage)?;
    for _ in 0..2 {
        let cancel = stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await;
        let error = error_of("an error", cancel)?;
        ensure!(error.outcome() != Outcome::NotSent, "an exchange that answered", error);
        ensure!(error.kind != ErrorKind::OrderNotFound, "no word of a missing order", error);
        ensure!(!stage.found(&order).await?.status.is_terminal(), "an open order", "one that ended");
    }
    stage.sim()?.clear_all()?;
    stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await?;
    stage.ended(&order).await.map(|_| ())
}

async fn maintenance_of_orders_stops_no_reading(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let mut account = stage.exchange.account_stream().await?;
    let ready =
        async { while account.next_link().await.is_some_and(|event| event != LinkEvent::AccountReady) {} };
    ensure!(
        tokio::time::timeout(crate::stage::PATIENCE, ready).await.is_ok(),
        "a complete account stream",
        "none"
    );
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    maintain(stage)?;
    let refused = stage.resting(&market, Side::Buy).await?;
    for _ in 0..TURNS {
        error_of("an error", stage.exchange.place(stage.request(&market, Side::Buy, refused.kind)?).await)?;
        let balance = stage.exchange.balance(market.symbol().quote).await?;
        same("free and locked", &stage.has(market.symbol().quote)?, &(balance.free, balance.locked))?;
        same("open orders", &1, &stage.exchange.open_orders(Some(market.id)).await?.len())?;
        ensure!(!stage.found(&order).await?.status.is_terminal(), "an open order", "one that ended");
        follow.updates(stage, 2).await?;
    }
    follow.equals_snapshot(stage).await?;
    same("connections up", &(2, 2), &stage.exchange.health().links_up)?;
    stage.sim()?.clear_all()?;
    // At once: that placements were refused cost nothing else.
    let (next, _) = stage.rest(&market, Side::Buy).await?;
    until("one order more on record", || async {
        Ok((stage.on_record(next.client_id)?.len() == 1).then_some(()))
    })
    .await?;
    let told = async {
        while let Some(event) = account.next_account().await {
            if matches!(event, AccountEvent::Order(told) if told.client_id == Some(next.client_id)) {
                return true;
            }
        }
        false
    };
    same(
        "news of it",
        &Ok(true),
        &tokio::time::timeout(Duration::from_secs(8), told).await.map_err(|_| "none"),
    )
}

async fn streamed_order_under_maintenance_is_sent_once_and_no_guess(stage: &mut Stage) -> Verdict {
    let entry = entry(stage).await?;
    maintain(stage)?;
    for _ in 0..TURNS {
        let order = stage.resting(&stage.market(0)?, Side::Buy).await?;
        honest(&error_of("an error", entry.place(order).await)?)?;
        same("times sent", &1, &stage.wire()?.said(&Match::text(order.client_id.as_str())))?;
        same("orders on record", &0, &stage.on_record(order.client_id)?.len())?;
    }
    stage.sim()?.clear_all()?;
    let order = stage.resting(&stage.market(0)?, Side::Buy).await?;
    same("client id", &order.client_id, &entry.place(order).await?.client_id)
}
