//! Frames that are lost, repeated, cut or not what they should be.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::follow::Follow;
use crate::stage::Stage;
use crate::wire::{Match, StreamFault};
use cex_core::{LinkEvent, StreamKind};
use cex_interface::{Effect, Input, Outbox, Payload, Subscription};
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, WebsocketPublic, book_resyncs_after_gap, "A lost update makes the book unusable in the call that shows it, and it comes back equal to the exchange's.").rows("B1"),
    behaviour!(Failures, WebsocketPublic, every_gap_is_noticed, "Whichever update is lost, the book that is live afterwards equals the exchange's.").rows("B1 B10"),
    behaviour!(Failures, WebsocketPublic, repeated_update_changes_nothing, "An update that comes twice leaves the book equal to the exchange's, without a resync.").rows("B2"),
    behaviour!(Failures, WebsocketPublic, half_a_frame_makes_the_book_stale, "A frame that is cut off is never applied in part.").rows("W13"),
    behaviour!(Failures, WebsocketPublic, broken_connection_within_a_frame_loses_the_whole_frame, "A frame whose end never came is never applied.").rows("T1 T6"),
    behaviour!(Failures, WebsocketPublic, foreign_text_between_frames_is_no_update, "Text that is no message of the exchange changes no book.").rows("W12"),
    behaviour!(Failures, WebsocketPublic, foreign_binary_between_frames_is_no_update, "Bytes that are no message of the exchange change no book.").rows("W12 W13"),
    behaviour!(Failures, WebsocketPublic, masked_frame_closes_the_connection, "A frame that breaks the protocol ends the connection, and the book comes back on a new one.").rows("T16"),
    behaviour!(Failures, WebsocketPublic, late_frames_are_applied_in_order, "Frames that are held up come in order, and the book catches up.").rows("T5 T8"),
    behaviour!(Failures, WebsocketPublic, other_symbols_survive_a_gap, "A gap of one book leaves the others of the connection live.").rows("B1"),
    behaviour!(Failures, Compliance, links_survive_whatever_comes, "No bytes make a link panic, and it goes on working.").rows("W11 W13 T16"),
    behaviour!(Failures, Compliance, account_link_survives_whatever_comes, "No bytes make the account's link panic or invent a fill.").rows("W11 W13"),
];

/// Updates of a symbol, and nothing else: acknowledgements name the symbol too, so the book must be live before.
async fn live(stage: &Stage, index: usize) -> Result<(Follow, Match), Failure> {
    let mut follow = Follow::open(stage, index).await?;
    follow.until_live(stage).await?;
    follow.updates(stage, 2).await?;
    let native = stage.market(index)?.native().to_owned();
    Ok((follow, Match::text(native)))
}

async fn after(stage: &Stage, follow: &mut Follow, on: Match, fault: StreamFault) -> Verdict {
    let fired = stage.wire()?.fired();
    stage.wire()?.on_message(on, fault);
    let deadline = std::time::Instant::now() + crate::stage::PATIENCE;
    while stage.wire()?.fired() == fired {
        ensure!(std::time::Instant::now() < deadline, "the fault to happen", "nothing");
        follow.step(stage).await?;
    }
    Ok(())
}

async fn book_resyncs_after_gap(stage: &mut Stage) -> Verdict {
    let (mut follow, on) = live(stage, 0).await?;
    let before = *follow.sync.counters();
    after(stage, &mut follow, on, StreamFault::Drop).await?;
    follow.until(stage, "a gap noticed", |follow| follow.sync.counters().gaps > before.gaps).await?;
    ensure!(follow.sync.counters().resyncs > before.resyncs, "a book given up", follow.state());
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}

async fn every_gap_is_noticed(stage: &mut Stage) -> Verdict {
    let (mut follow, on) = live(stage, 0).await?;
    for count in [1, 2, 3] {
        let before = follow.sync.counters().gaps;
        stage.wire()?.on_messages(on.clone(), StreamFault::Drop, count);
        follow.until(stage, "a gap noticed", |follow| follow.sync.counters().gaps > before).await?;
        follow.until_live(stage).await?;
        follow.equals_snapshot(stage).await?;
    }
    Ok(())
}

async fn repeated_update_changes_nothing(stage: &mut Stage) -> Verdict {
    let (mut follow, on) = live(stage, 0).await?;
    let before = follow.sync.counters().ignored_old;
    after(stage, &mut follow, on, StreamFault::Twice).await?;
    let resyncs = follow.sync.counters().resyncs;
    follow.updates(stage, 5).await?;
    let after = *follow.sync.counters();
    // An exchange whose frames must follow each other exactly may take a repeated one for a gap: that is safe, and the
    // book must come back. Where ranges may overlap the repeated one is just old.
    ensure!(
        after.ignored_old > before || after.resyncs > resyncs || after.gaps > 0,
        "a repeated update noticed",
        follow.state()
    );
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}

async fn mended(stage: &Stage, fault: StreamFault) -> Verdict {
    let (mut follow, on) = live(stage, 0).await?;
    let before = *follow.sync.counters();
    let news = follow.news.len();
    after(stage, &mut follow, on, fault).await?;
    follow
        .until(stage, "the damage noticed", |follow| {
            let told = follow.news[news..]
                .iter()
                .any(|event| matches!(event, LinkEvent::Undecodable { .. } | LinkEvent::Down));
            told || follow.sync.counters().gaps > before.gaps
        })
        .await?;
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}

async fn half_a_frame_makes_the_book_stale(stage: &mut Stage) -> Verdict {
    mended(stage, StreamFault::Half).await
}

async fn broken_connection_within_a_frame_loses_the_whole_frame(stage: &mut Stage) -> Verdict {
    mended(stage, StreamFault::BreakWithin).await
}

async fn foreign_text_between_frames_is_no_update(stage: &mut Stage) -> Verdict {
    mended(stage, StreamFault::Text("<html>maintenance</html>")).await
}

async fn foreign_binary_between_frames_is_no_update(stage: &mut Stage) -> Verdict {
    mended(stage, StreamFault::Binary(b"\xff\xff\xff\xff\x07garbage")).await
}

async fn masked_frame_closes_the_connection(stage: &mut Stage) -> Verdict {
    let (mut follow, on) = live(stage, 0).await?;
    let news = follow.news.len();
    after(stage, &mut follow, on, StreamFault::Masked).await?;
    follow.until(stage, "news of the loss", |follow| follow.news[news..].contains(&LinkEvent::Down)).await?;
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}

async fn late_frames_are_applied_in_order(stage: &mut Stage) -> Verdict {
    let (mut follow, on) = live(stage, 0).await?;
    let before = *follow.sync.counters();
    after(stage, &mut follow, on, StreamFault::Hold(Duration::from_millis(400))).await?;
    follow.updates(stage, 10).await?;
    let seen = follow.sync.counters();
    same("gaps and resyncs", &(before.gaps, before.resyncs), &(seen.gaps, seen.resyncs))?;
    follow.equals_snapshot(stage).await
}

async fn other_symbols_survive_a_gap(stage: &mut Stage) -> Verdict {
    let (mut hurt, on) = live(stage, 0).await?;
    let (mut whole, _) = live(stage, 1).await?;
    let before = *whole.sync.counters();
    let gaps = hurt.sync.counters().gaps;
    after(stage, &mut hurt, on, StreamFault::Drop).await?;
    hurt.until(stage, "a gap noticed", |follow| follow.sync.counters().gaps > gaps).await?;
    whole.updates(stage, 3).await?;
    let seen = whole.sync.counters();
    same("gaps and resyncs of the other", &(before.gaps, before.resyncs), &(seen.gaps, seen.resyncs))?;
    hurt.until_live(stage).await
}

const GARBAGE: [&[u8]; 12] = [
    b"",
    b"{",
    b"null",
    b"{}",
    b"[]",
    b"\xff\xfe\x00\x01",
    b"<html></html>",
    b"{\"channel\":\"spot.trades\",\"event\":\"update\",\"result\":null}",
    b"{\"code\":0,\"msg\":\"Not Subscribed successfully! [].  Reason: Blocked! \"}",
    b"{\"time\":1e400,\"result\":{\"U\":-1,\"u\":null,\"b\":[[\"NaN\",\"1\"]]}}",
    b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x08\x96\x01\x12\x02\x08\x01",
];

fn feed(link: &mut Box<dyn cex_interface::Link>, stage: &Stage, out: &mut Outbox) {
    let now = stage.now();
    // Errors are what is expected of most; the point is that nothing panics and nothing is invented.
    let _ = link.handle(now, Input::Start, out);
    let _ = link.handle(now, Input::Connected, out);
    for bytes in GARBAGE {
        let _ = link.handle(now, Input::Text(bytes), out);
        let _ = link.handle(now, Input::Binary(bytes), out);
        for cut in 0..bytes.len() {
            let _ = link.handle(now, Input::Text(&bytes[..cut]), out);
            let _ = link.handle(now, Input::Binary(&bytes[..cut]), out);
        }
    }
    let _ = link.handle(now, Input::Wake, out);
    let _ = link.handle(now, Input::Pong, out);
    let _ = link.handle(now, Input::Disconnected, out);
}

async fn links_survive_whatever_comes(stage: &mut Stage) -> Verdict {
    let markets = stage.markets();
    let market = stage.market(0)?;
    let wanted = [Subscription { symbol: market.id, stream: StreamKind::Book }];
    let mut links = stage.protocol.market_links(&markets, &wanted)?;
    let link = links.first_mut().ok_or_else(|| Failure::new("a link", "none"))?;
    same("what it carries", &wanted.to_vec(), &link.subscriptions().to_vec())?;
    ensure!(!link.name().is_empty(), "a name", "none");
    let mut out = Outbox::default();
    feed(link, stage, &mut out);
    ensure!(out.account.is_empty(), "no account events", format_args!("{:?}", out.account));
    out.clear();
    // It goes on: asked to start again, it asks to connect and then subscribes.
    let now = stage.now();
    link.handle(now, Input::Start, &mut out)?;
    let connects = out.effects.iter().any(|effect| matches!(effect, Effect::Connect(_)));
    ensure!(connects, "a wish to connect", format_args!("{} effects", out.effects.len()));
    out.clear();
    link.handle(now, Input::Connected, &mut out)?;
    let sends = out
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Send(Payload::Text(_) | Payload::Binary(_))));
    ensure!(sends, "a subscription", format_args!("{} effects", out.effects.len()));
    Ok(())
}

async fn account_link_survives_whatever_comes(stage: &mut Stage) -> Verdict {
    let mut link = stage.protocol.account_link(&stage.markets())?;
    let mut out = Outbox::default();
    feed(&mut link, stage, &mut out);
    ensure!(
        out.account.is_empty() && out.market.is_empty(),
        "no events out of garbage",
        format_args!("{:?} {:?}", out.account, out.market)
    );
    let ready = out.link.contains(&LinkEvent::AccountReady);
    ensure!(!ready, "no complete stream out of garbage", format_args!("{:?}", out.link));
    Ok(())
}
