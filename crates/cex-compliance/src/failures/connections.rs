//! Connections that break, hang and do not come back.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, same};
use crate::follow::Follow;
use crate::stage::{PATIENCE, Stage, until};
use cex_core::{LinkEvent, Side};
use cex_errors::Outcome;
use cex_interface::{PrivateExchange, PublicExchange};
use std::time::{Duration, Instant};

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Failures,
        WebsocketPublic,
        book_is_stale_at_once_after_a_cut,
        "A lost connection makes the book unusable before anything else."
    )
    .rows("T1"),
    behaviour!(
        Failures,
        WebsocketPublic,
        book_joins_again_after_a_cut,
        "After a cut the stream comes back by itself and the book equals the exchange's."
    )
    .rows("T1 W5"),
    behaviour!(
        Failures,
        WebsocketPublic,
        book_joins_again_after_every_cut,
        "Cut again and again the book always comes back."
    )
    .rows("T11"),
    behaviour!(
        Failures,
        WebsocketPublic,
        confirmation_comes_again_after_a_cut,
        "Subscriptions are made and confirmed anew on each connection."
    )
    .rows("T12 W3"),
    behaviour!(
        Failures,
        WebsocketPublic,
        closed_door_is_tried_until_it_opens,
        "While the exchange accepts nobody the stream tries on, and comes back when it does."
    )
    .rows("T9 T11"),
    behaviour!(
        Failures,
        WebsocketPublic,
        half_open_connection_is_noticed,
        "A connection on which nothing comes any more is given up without a word from the other side."
    )
    .rows("T2 W2")
    .set(|setting| {
        setting.transport.links.idle_max = Duration::from_millis(600);
        setting.transport.links.ping_after = Some(Duration::from_millis(200));
    }),
    behaviour!(
        Failures,
        RestPublic,
        calls_work_again_after_a_cut,
        "After all connections broke the next calls are answered."
    )
    .rows("T13"),
    behaviour!(
        Failures,
        RestPublic,
        silent_exchange_is_a_timeout_in_time,
        "A call nobody answers ends as a timeout when its time is over."
    )
    .rows("T2")
    .set(|setting| {
        setting.transport.rest.market_timeout = Duration::from_millis(300);
    }),
    behaviour!(
        Failures,
        RestPrivate,
        unreachable_exchange_means_not_sent,
        "With the door closed an order is never sent, and said to be so."
    )
    .rows("O2")
    .set(|setting| {
        setting.transport.rest.placement_timeout = Duration::from_secs(2);
    }),
    behaviour!(
        Failures,
        Integration,
        everything_returns_after_a_cut,
        "Book, account stream and orders all work after a cut."
    )
    .rows("T1 T4"),
];

async fn book_is_stale_at_once_after_a_cut(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let before = follow.news.len();
    stage.sim()?.halt_accepting(stage.sim_exchange(), true)?;
    stage.cut()?;
    follow
        .until(stage, "news of the loss", |follow| follow.news[before..].contains(&LinkEvent::Down))
        .await?;
    ensure!(follow.sync.usable().is_none(), "no usable book", "one");
    same("connections up", &0, &stage.exchange.health().links_up.0)
}

async fn rejoin(stage: &Stage, follow: &mut Follow) -> Verdict {
    let before = follow.news.len();
    stage.cut()?;
    follow
        .until(stage, "news of the loss", |follow| follow.news[before..].contains(&LinkEvent::Down))
        .await?;
    follow.until_live(stage).await
}

async fn book_joins_again_after_a_cut(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    rejoin(stage, &mut follow).await?;
    follow.equals_snapshot(stage).await
}

async fn book_joins_again_after_every_cut(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    for _ in 0..4 {
        rejoin(stage, &mut follow).await?;
    }
    let lost = stage.exchange.health().reconnects;
    ensure!(lost >= 4, "four losses counted", lost);
    follow.equals_snapshot(stage).await
}

async fn confirmation_comes_again_after_a_cut(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    let confirmed = |follow: &Follow| {
        follow.news.iter().filter(|event| matches!(event, LinkEvent::Subscribed { .. })).count()
    };
    follow.until(stage, "a confirmation", |follow| confirmed(follow) == 1).await?;
    follow.until_live(stage).await?;
    rejoin(stage, &mut follow).await?;
    follow.until(stage, "a second confirmation", |follow| confirmed(follow) == 2).await
}

async fn closed_door_is_tried_until_it_opens(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    stage.sim()?.halt_accepting(stage.sim_exchange(), true)?;
    stage.cut()?;
    let dials = || stage.exchange.client().link_metrics().iter().map(|link| link.dials).sum::<u64>();
    let before = dials();
    until("three attempts to connect", || async { Ok((dials() >= before + 3).then_some(())) }).await?;
    stage.sim()?.halt_accepting(stage.sim_exchange(), false)?;
    follow.until(stage, "news of the loss", |follow| follow.news.contains(&LinkEvent::Down)).await?;
    follow.until_live(stage).await
}

async fn half_open_connection_is_noticed(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let before = follow.news.len();
    stage.wire()?.freeze(true);
    let down = follow
        .until(stage, "news of the loss", |follow| follow.news[before..].contains(&LinkEvent::Down))
        .await;
    stage.wire()?.freeze(false);
    down?;
    ensure!(follow.sync.usable().is_none(), "no usable book", "one");
    follow.until_live(stage).await
}

async fn calls_work_again_after_a_cut(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for _ in 0..3 {
        stage.exchange.ping().await?;
        stage.exchange.account().await?;
        stage.cut()?;
        stage.exchange.book(market.id, 5).await?;
        stage.exchange.account().await?;
    }
    Ok(())
}

async fn silent_exchange_is_a_timeout_in_time(stage: &mut Stage) -> Verdict {
    stage.wire()?.freeze(true);
    let began = Instant::now();
    let result = tokio::time::timeout(PATIENCE, stage.exchange.ping()).await;
    stage.wire()?.freeze(false);
    let result =
        result.map_err(|_| Failure::new("an end of the call", format_args!("none within {PATIENCE:?}")))?;
    let error = error_of("a timeout", result)?;
    let is_timeout = matches!(error.kind, cex_errors::ErrorKind::Timeout(_));
    ensure!(is_timeout, "a timeout", error);
    let took = began.elapsed();
    ensure!(took > Duration::from_millis(250), "no sooner than its time", format_args!("{took:?}"));
    stage.exchange.ping().await.map_err(Failure::from)
}

async fn unreachable_exchange_means_not_sent(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    // An adapter opened against a port where nobody listens any more once it is open.
    let exchange = stage.another(|_, _| {}).await?;
    stage.sim()?.halt_accepting(stage.sim_exchange(), true)?;
    stage.cut()?;
    // Connections of the pool are noticed to be broken one by one; an order never leaves over any of them twice.
    let error = error_of("a failure", exchange.place(order).await)?;
    let sent = stage.on_record(order.client_id)?.len();
    same("orders on record", &0, &sent)?;
    ensure!(error.outcome() != Outcome::Refused, "not sent, or unknown", error);
    Ok(())
}

async fn everything_returns_after_a_cut(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let _account = stage.exchange.account_stream().await?;
    until("two connections", || async { Ok((stage.exchange.health().links_up == (2, 2)).then_some(())) })
        .await?;
    rejoin(stage, &mut follow).await?;
    until("two connections again", || async {
        Ok((stage.exchange.health().links_up == (2, 2)).then_some(()))
    })
    .await?;
    let (order, _) = stage.take(&market, Side::Buy).await?;
    stage.record(order.client_id).map(|_| ())
}
