//! Connections that are replaced, and subscriptions that are begun anew: what listens never notices.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::follow::{Follow, rule_of};
use crate::stage::{PATIENCE, Setting, Stage, now_or_never};
use cex_core::{AccountEvent, Fill, LinkEvent, Side, SnapshotSource};
use cex_interface::{EventSource, PrivateExchange};
use cex_sim::fault::{Fault, Stream, WsEffect};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, WebsocketPublic, replaced_connection_leaves_no_stale_moment, "A connection is replaced before it is cut, and the book is live all the while.").rows("W5 T12").set(short_lived),
    behaviour!(Failures, WebsocketPrivate, replaced_account_connection_loses_no_fill, "While the account's connection is replaced no fill is lost, and nothing is told as gone.").rows("W5 W9 T12").set(short_lived),
    behaviour!(Failures, WebsocketPublic, announced_end_is_met_by_a_successor, "An exchange that says that it will close a connection finds another in its place, and the book never stale.").rows("W5").needs(|claims| claims.announces_end),
    behaviour!(Failures, WebsocketPublic, resubscribed_book_lives_again_on_its_connection, "Every book stream that is begun anew comes back by itself, without a new connection.").rows("B1 T11"),
    behaviour!(Failures, WebsocketPublic, book_without_a_snapshot_is_begun_anew_and_lives, "A book that no snapshot can be joined to is mended by a new subscription, not by a new connection.").rows("H6 B3"),
];

/// How soon connections are replaced; what overlaps comes on top.
fn short_lived(setting: &mut Setting) {
    setting.transport.links.rotate_after = Some(Duration::from_millis(500));
}

/// How often connections were replaced so far.
fn replaced(stage: &Stage) -> u64 {
    stage.exchange.client().link_metrics().iter().map(|link| link.rotations).sum()
}

/// Follows a live book until its connection was replaced; it must never be unusable meanwhile.
async fn live_while_replaced(stage: &Stage, follow: &mut Follow) -> Verdict {
    let (before, sockets) = (replaced(stage), stage.wire()?.sockets());
    let deadline = Instant::now() + PATIENCE;
    while replaced(stage) == before {
        ensure!(Instant::now() < deadline, "a connection that is replaced", "none");
        follow.step(stage).await?;
        ensure!(follow.sync.usable().is_some(), "a live book all the while", follow.state());
    }
    ensure!(!follow.news.contains(&LinkEvent::Down), "no news of a loss", format_args!("{:?}", follow.news));
    ensure!(stage.wire()?.sockets() > sockets, "another connection", "the same");
    follow.updates(stage, 5).await?;
    follow.equals_snapshot(stage).await
}

async fn replaced_connection_leaves_no_stale_moment(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    live_while_replaced(stage, &mut follow).await
}

async fn announced_end_is_met_by_a_successor(stage: &mut Stage) -> Verdict {
    let announcement = stage.sim_exchange().announcement();
    let announcement =
        announcement.ok_or_else(|| Failure::new("an announcement of the simulated exchange", "none"))?;
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    stage.inject(Fault::ws(Stream::Public, &[], WsEffect::Insert(announcement.to_owned())))?;
    live_while_replaced(stage, &mut follow).await
}

async fn replaced_account_connection_loses_no_fill(stage: &mut Stage) -> Verdict {
    let mut stream = stage.exchange.account_stream().await?;
    let market = stage.market(1)?;
    let ready =
        async { while stream.next_link().await.is_some_and(|event| event != LinkEvent::AccountReady) {} };
    ensure!(tokio::time::timeout(PATIENCE, ready).await.is_ok(), "a complete stream", "none");
    let deadline = Instant::now() + PATIENCE;
    let mut side = Side::Buy;
    while replaced(stage) == 0 {
        ensure!(Instant::now() < deadline, "a connection that is replaced", "none");
        stage.take(&market, side).await?;
        side = side.opposite();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.take(&market, side).await?;
    let expected = stage.truth()?.fills.len();
    let mut told = BTreeSet::new();
    let search = async {
        while told.len() < expected {
            match stream.next_account().await {
                Some(AccountEvent::Fill(fill)) => drop(told.insert(Fill::key(&fill))),
                Some(AccountEvent::Order(_) | AccountEvent::Balance(_)) => {}
                None => return,
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    ensure!(found.is_ok(), format_args!("{expected} fills"), told.len());
    while let Some(Some(event)) = now_or_never(stream.next_link()) {
        ensure!(event != LinkEvent::Down, "no news of a loss", "one");
    }
    Ok(())
}

async fn resubscribed_book_lives_again_on_its_connection(stage: &mut Stage) -> Verdict {
    let ordinary: &[(&str, &str)] = &[];
    for options in std::iter::once(&ordinary).chain(stage.cast().variants) {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options: Vec<_> = options.collect();
        let usual = stage.exchange.clone();
        stage.exchange = stage.another(move |config, _| config.options.extend(options)).await?;
        let mut follow = Follow::open(stage, 0).await?;
        follow.until_live(stage).await?;
        let (confirmed, sockets) = (follow.confirmed(), stage.wire()?.sockets());
        follow.resubscribe();
        follow.until(stage, "a new confirmation", |follow| follow.confirmed() > confirmed).await?;
        follow.until_live(stage).await?;
        follow.updates(stage, 5).await?;
        follow.equals_snapshot(stage).await?;
        ensure!(!follow.news.contains(&LinkEvent::Down), "no news of a loss", "one");
        same("connections made meanwhile", &0, &(stage.wire()?.sockets() - sockets))?;
        stage.exchange = usual;
    }
    Ok(())
}

/// Where the stream brings the first state itself, there is no snapshot that could fail.
async fn book_without_a_snapshot_is_begun_anew_and_lives(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.without_snapshots = true;
    if let SnapshotSource::Rest { .. } = rule_of(stage)?.snapshot {
        follow.until(stage, "a wish for a new subscription", |follow| follow.wished_anew > 0).await?;
        ensure!(follow.sync.usable().is_none(), "no usable book", "one");
        follow.until(stage, "a new confirmation", |follow| follow.confirmed() > 1).await?;
    }
    follow.without_snapshots = false;
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await?;
    ensure!(!follow.news.contains(&LinkEvent::Down), "no news of a loss", "one");
    same("connections", &1, &stage.wire()?.sockets())
}
