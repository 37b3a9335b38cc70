//! Frames that the exchange itself loses, repeats, holds up or spoils, in every way the simulator knows; and an account
//! stream whose rights end without a word.

use crate::behaviour::{Behaviour, Verdict, behaviour, ensure, same};
use crate::follow::Follow;
use crate::stage::{Stage, sum, until};
use cex_core::{LinkEvent, Side};
use cex_interface::{EventSource, PrivateExchange, TimeRange};
use cex_sim::fault::{Fault, Stream as Which, VenueFault, WsEffect};
use std::time::Duration;

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, WebsocketPublic, however_updates_are_spoilt_no_book_is_wrong, "Updates that are lost, doubled, late, cut, flipped, of another kind, crossed or of another symbol make a book unusable at most, never wrong, and it comes back.").rows("B1 B2 B4 B7 T8 W12 W13"),
    behaviour!(Failures, WebsocketPublic, however_a_stream_ends_the_book_comes_back, "A stream that is closed, reset, or dead without a word is replaced, and the book comes back whole.").rows("T1 T2 W5").set(|setting| {
        setting.transport.links.idle_max = Duration::from_millis(700);
        setting.transport.links.ping_after = Some(Duration::from_millis(200));
    }),
    behaviour!(Failures, WebsocketPrivate, lost_rights_of_the_account_stream_leave_calls_telling_everything, "Where the account stream's rights ended without a word, state, fills and balances are found by asking.").rows("W15 W7"),
];

async fn however_updates_are_spoilt_no_book_is_wrong(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let (native, other) = (stage.market(0)?.native().to_owned(), stage.market(1)?.native().to_owned());
    for effect in [
        WsEffect::Drop,
        WsEffect::Duplicate,
        WsEffect::Delay(Duration::from_millis(150)),
        WsEffect::Reorder,
        WsEffect::Truncate(40),
        // So many that what is left cannot be read: one digit among others nobody could tell from a true one.
        WsEffect::FlipBytes(64),
        WsEffect::SwapKind,
        WsEffect::UnknownEnum,
        WsEffect::Cross,
        WsEffect::Replace { from: native.clone(), to: other },
    ] {
        let before = stage.fired()?;
        stage.inject(Fault::ws(Which::Public, &[&native], effect.clone()).times(2))?;
        follow.updates(stage, 8).await?;
        ensure!(stage.fired()? > before, format_args!("{effect} to happen"), "it did not");
        stage.sim()?.clear_all()?;
        follow.until_live(stage).await?;
        follow.equals_snapshot(stage).await?;
    }
    Ok(())
}

async fn however_a_stream_ends_the_book_comes_back(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let native = stage.market(0)?.native().to_owned();
    for effect in [WsEffect::Close, WsEffect::Reset, WsEffect::Blackhole] {
        let news = follow.news.len();
        stage.inject(Fault::ws(Which::Public, &[&native], effect))?;
        follow
            .until(stage, "news of the loss", |follow| follow.news[news..].contains(&LinkEvent::Down))
            .await?;
        ensure!(follow.sync.usable().is_none(), "no usable book", "one");
        follow.until_live(stage).await?;
        follow.equals_snapshot(stage).await?;
    }
    Ok(())
}

async fn lost_rights_of_the_account_stream_leave_calls_telling_everything(stage: &mut Stage) -> Verdict {
    let mut stream = super::news::ready(stage).await?;
    let market = stage.market(0)?;
    stage.inject(Fault::venue(VenueFault::Deauthorize))?;
    same("how often it happened", &1, &stage.fired()?)?;
    let (order, told) = stage.take(&market, Side::Buy).await?;
    let record = stage.record(order.client_id)?;
    same("state and fills", &(record.status, record.filled_qty), &(told.status, told.filled_qty))?;
    until("the fills by asking", || async {
        let told = stage.exchange.my_trades(market.id, told.order_id, TimeRange::default(), 100).await?;
        Ok((sum(told.iter().map(|fill| fill.qty))? == record.filled_qty).then_some(()))
    })
    .await?;
    for asset in [market.symbol().base, market.symbol().quote] {
        let balance = stage.exchange.balance(asset).await?;
        same("free and locked", &stage.has(asset)?, &(balance.free, balance.locked))?;
    }
    let news = tokio::time::timeout(Duration::from_millis(50), stream.next_account()).await;
    ensure!(news.is_err(), "a stream without rights", format_args!("{news:?}"));
    Ok(())
}
