//! One stream of many that says nothing, while its connection and its neighbours live (W1).

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::follow::{Follow, rule_of};
use crate::stage::Stage;
use cex_core::{LinkEvent, SnapshotSource};
use cex_orderbook::{StaleReason, SyncLimits, WatchLimits};
use cex_sim::fault::{Fault, Stream as Which, WsEffect};
use std::time::Duration;

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, WebsocketPublic, silent_stream_of_one_symbol_is_noticed, "A book whose own stream is mute, while the others of the connection go on, is compared with the exchange's over a call, found overtaken, and unusable; asked for anew it comes back.").rows("W1"),
    behaviour!(Failures, WebsocketPublic, silent_stream_is_not_believed_until_it_speaks, "While a mute stream stays mute no snapshot makes its book live again.").rows("W1 W3"),
    behaviour!(Failures, WebsocketPublic, quiet_symbol_is_vouched_for_and_stays_live, "A symbol in which nothing happens is silent too: the exchange's book over a call is ours, and nothing is given up.").rows("W1").set(|setting| setting.is_quiet = true),
    behaviour!(Failures, WebsocketPublic, lively_book_is_audited_and_found_right, "A book that is compared with the exchange's whole one again and again never differs from it.").rows("B10"),
];

/// Silence is looked into after a fraction of what is usual, so that a test takes a second.
fn impatient(stage: &Stage) -> Result<SyncLimits, Failure> {
    let limits = SyncLimits::for_rule(&rule_of(stage)?, 1_000);
    Ok(SyncLimits {
        resubscribe_timeout: Duration::from_millis(1_500),
        full_wait: Duration::from_millis(1_500),
        watch: WatchLimits {
            floor: Duration::from_millis(300),
            ceiling: Duration::from_secs(1),
            grace: Duration::from_millis(400),
            ..limits.watch
        },
        ..limits
    })
}

/// The first symbol's book, live among three on one connection; then its frames, and no others, vanish.
async fn muted(stage: &Stage) -> Result<Follow, Failure> {
    let mut follow = Follow::open_among(stage, &[0, 1, 2], impatient(stage)?).await?;
    follow.until_live(stage).await?;
    follow.updates(stage, 10).await?;
    let native = stage.market(0)?.native().to_owned();
    stage.inject(Fault::ws(Which::Public, &[&native], WsEffect::Mute))?;
    follow.until(stage, "a stream overtaken", |follow| follow.sync.counters().overtaken > 0).await?;
    ensure!(follow.sync.usable().is_none(), "no usable book in the moment of the proof", follow.state());
    let others = follow.others;
    follow.until(stage, "a stream given up", |follow| follow.wished_anew > 0).await?;
    same("why", &Some(StaleReason::Silent), &follow.sync.outage().map(|outage| outage.why))?;
    ensure!(follow.others > others, "others that go on meanwhile", format_args!("{}", follow.others));
    ensure!(
        !follow.news.contains(&LinkEvent::Down),
        "a connection that stays",
        format_args!("{:?}", follow.news)
    );
    Ok(follow)
}

async fn silent_stream_of_one_symbol_is_noticed(stage: &mut Stage) -> Verdict {
    let mut follow = muted(stage).await?;
    stage.sim()?.clear_all()?;
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}

async fn silent_stream_is_not_believed_until_it_speaks(stage: &mut Stage) -> Verdict {
    let mut follow = muted(stage).await?;
    let mut live = 0;
    follow
        .until(stage, "wishes for another subscription, again and again", |follow| {
            live += usize::from(follow.sync.usable().is_some());
            follow.wished_anew >= 3
        })
        .await?;
    same("times the book was live", &0, &live)?;
    stage.sim()?.clear_all()?;
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}

async fn quiet_symbol_is_vouched_for_and_stays_live(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open_among(stage, &[0, 1], impatient(stage)?).await?;
    follow.until_live(stage).await?;
    let mut lost = 0;
    follow
        .until(stage, "a book vouched for three times", |follow| {
            lost += usize::from(follow.sync.usable().is_none());
            follow.sync.counters().vouched >= 3
        })
        .await?;
    let counters = follow.sync.counters();
    same(
        "times lost, overtaken, resynced, drifted, asked for anew",
        &(0, 0, 0, 0, 0),
        &(lost, counters.overtaken, counters.resyncs, counters.drifts, follow.wished_anew),
    )
}

async fn lively_book_is_audited_and_found_right(stage: &mut Stage) -> Verdict {
    let mut limits = impatient(stage)?;
    limits.watch.audit_every = Duration::from_millis(400);
    let mut follow = Follow::open_among(stage, &[0], limits).await?;
    follow.until_live(stage).await?;
    let before = *follow.sync.counters();
    // A stream of whole books that speaks has nothing to compare an answer with.
    if matches!(rule_of(stage)?.snapshot, SnapshotSource::Rest { .. }) {
        let (mut synced_at, mut compared) = (None, 0);
        follow
            .until(stage, "four comparisons to their end", |follow| {
                let at = follow.sync.live().map(|live| live.synced_at);
                compared += u32::from(at.is_some() && at != std::mem::replace(&mut synced_at, at));
                // The first is how the book began.
                compared > 4
            })
            .await?;
    }
    follow.updates(stage, 5).await?;
    let after = follow.sync.counters();
    same("drifts and resyncs", &(0, before.resyncs), &(after.drifts, after.resyncs))?;
    follow.equals_snapshot(stage).await
}
