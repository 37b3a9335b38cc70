//! An account's stream that is lost and comes back.

use super::hearing::{news, next, order, ready};
use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure};
use crate::stage::{Stage, sum, until};
use crate::wire::{Fault, Match};
use cex_core::{LinkEvent, Side};
use cex_interface::{PrivateExchange, PublicExchange};
use std::time::Duration;

/// More than any exchange lets an account leave behind.
const ENDED_BADLY: usize = 64;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_is_complete_again_after_a_cut,
        "After a lost connection the stream says down, then complete again."
    )
    .rows("T1 W6"),
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_outlives_many_cuts,
        "Cut again and again the stream always comes back complete."
    )
    .rows("T11"),
    behaviour!(
        Account,
        Integration,
        fills_while_cut_off_are_found_by_calls,
        "What was filled while the stream was away is found by asking."
    )
    .rows("H7 W7"),
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_becomes_complete_however_many_ended_badly,
        "Streams whose ends never reached the exchange leave nothing behind that keeps the next one from becoming complete."
    )
    .rows("W6"),
];

async fn account_stream_is_complete_again_after_a_cut(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    stage.cut()?;
    news(&mut stream, "news of the loss", |event| event == LinkEvent::Down).await?;
    news(&mut stream, "a complete stream again", |event| event == LinkEvent::AccountReady).await?;
    let market = stage.market(0)?;
    let (placed, _) = stage.rest(&market, Side::Buy).await?;
    next("news of an order", &mut stream, |event| {
        Ok(order(event).filter(|told| told.client_id == Some(placed.client_id)).map(|_| ()))
    })
    .await
}

async fn account_stream_outlives_many_cuts(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    for _ in 0..3 {
        stage.cut()?;
        news(&mut stream, "news of the loss", |event| event == LinkEvent::Down).await?;
        news(&mut stream, "a complete stream again", |event| event == LinkEvent::AccountReady).await?;
    }
    let lost = stage.exchange.health().reconnects;
    ensure!(lost >= 3, "three losses counted", lost);
    Ok(())
}

async fn fills_while_cut_off_are_found_by_calls(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    // The stream is away from before the order until after its end.
    stage.wire()?.on_messages(crate::wire::Match::any(), crate::wire::StreamFault::Drop, usize::MAX);
    let (placed, end) = stage.take(&market, Side::Buy).await?;
    stage.wire()?.clear();
    stage.cut()?;
    news(&mut stream, "a complete stream again", |event| event == LinkEvent::AccountReady).await?;
    let id = end.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
    let expected = sum(stage.fills_on_record(placed.client_id)?.iter().map(|fill| fill.qty))?;
    until("the fills by asking", || async {
        let range = cex_interface::TimeRange { from: Some(stage.now() - Duration::from_secs(60)), to: None };
        let told = stage.exchange.my_trades(market.id, Some(id), range, 100).await?;
        Ok((sum(told.iter().map(|fill| fill.qty))? == expected).then_some(()))
    })
    .await
}

/// What a stream holds at the exchange is given back at its end; here that never arrives, as after a crash.
async fn account_stream_becomes_complete_however_many_ended_badly(stage: &mut Stage) -> Verdict {
    stage.wire()?.on_calls(Match::method("DELETE"), Fault::LoseCall, usize::MAX);
    for round in 0..ENDED_BADLY {
        let complete = ready(stage).await;
        complete.map_err(|failure| {
            Failure::new(format_args!("{} after {round} bad ends", failure.expected), failure.found)
        })?;
    }
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    let (placed, _) = stage.rest(&market, Side::Buy).await?;
    next("news of an order", &mut stream, |event| {
        Ok(order(event).filter(|told| told.client_id == Some(placed.client_id)).map(|_| ()))
    })
    .await
}
