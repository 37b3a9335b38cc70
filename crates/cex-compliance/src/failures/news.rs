//! News that come in another order, say what nobody knows, or do not come at all.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::follow::Follow;
use crate::stage::{PATIENCE, Stage, sum, until};
use crate::wire::{Match, StreamFault};
use cex_core::{AccountEvent, ClientOrderId, Decimal, Fill, LinkEvent, Order, OrderStatus, Side};
use cex_interface::{EventSource, PrivateExchange, TimeRange};
use cex_sim::fault::{Fault, Stream as Which, VenueFault, WsEffect};
use cex_transport::client::Stream;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[rustfmt::skip]
pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, WebsocketPublic, pings_do_not_stand_for_data, "A connection that brings pings and no data is given up, and the book comes back on another.").rows("W1 W2").set(|setting| {
        setting.transport.links.data_idle_max = Some(Duration::from_millis(700));
        setting.transport.links.ping_after = Some(Duration::from_millis(100));
    }),
    behaviour!(Failures, WebsocketPublic, flood_of_pings_harms_nothing, "Thousands of pings cost the book nothing.").rows("W2"),
    behaviour!(Failures, WebsocketPublic, reordered_updates_make_no_wrong_book, "Updates that overtake each other are a gap, never a wrong book.").rows("W8 B1"),
    behaviour!(Failures, WebsocketPrivate, reordered_news_still_sum_up, "Private news in another order tell the same fills and the same ends.").rows("W8 W16"),
    behaviour!(Failures, WebsocketPrivate, repeated_news_change_nothing, "Private news that come twice are the same fills under the same identifiers.").rows("W9"),
    behaviour!(Failures, WebsocketPrivate, unknown_words_of_private_news_are_no_guess, "A state that nobody knows is unknown or unreadable, never a guess, and what follows is heard.").rows("W11"),
    behaviour!(Failures, WebsocketPrivate, mute_account_stream_leaves_calls_telling_everything, "What a mute account stream does not tell is found by asking: state, fills and balances.").rows("W7 W1"),
    behaviour!(Failures, WebsocketPrivate, account_stream_survives_keys_that_lie, "Where renewing a key succeeds and renews nothing, the stream still comes back and is complete.").rows("W6"),
];

pub(super) async fn ready(stage: &Stage) -> Result<Stream, Failure> {
    let mut stream = stage.exchange.account_stream().await?;
    heard(&mut stream, LinkEvent::AccountReady).await?;
    Ok(stream)
}

async fn heard(stream: &mut Stream, wanted: LinkEvent) -> Verdict {
    let search = async { while stream.next_link().await.is_some_and(|event| event != wanted) {} };
    let found = tokio::time::timeout(PATIENCE, search).await;
    ensure!(found.is_ok(), format_args!("{wanted:?}"), "nothing of the kind");
    Ok(())
}

/// What a stream told of orders: the furthest state of each, and every fill by its key.
#[derive(Default)]
struct Told {
    orders: BTreeMap<ClientOrderId, Order>,
    fills: Vec<Fill>,
}

impl Told {
    /// Listens until this holds.
    async fn until(&mut self, what: &str, stream: &mut Stream, holds: impl Fn(&Self) -> bool) -> Verdict {
        let search = async {
            while !holds(self) {
                match stream.next_account().await {
                    Some(AccountEvent::Order(order)) => self.order(order),
                    Some(AccountEvent::Fill(fill)) => self.fills.push(fill),
                    Some(AccountEvent::Balance(_)) => {}
                    None => return false,
                }
            }
            true
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        ensure!(
            found == Ok(true),
            what,
            format_args!("{} orders and {} fills", self.orders.len(), self.fills.len())
        );
        Ok(())
    }

    /// Monotone: a report is never undone by an earlier one that comes later.
    fn order(&mut self, order: Order) {
        let Some(client_id) = order.client_id else { return };
        let rank = |order: &Order| (order.status.is_terminal(), order.filled_qty);
        let known = self.orders.entry(client_id).or_insert(order);
        if rank(&order) > rank(known) {
            *known = order;
        }
    }

    fn keys(&self) -> BTreeSet<cex_core::FillKey> {
        self.fills.iter().map(Fill::key).collect()
    }
}

async fn pings_do_not_stand_for_data(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let (before, sockets) = (follow.news.len(), stage.wire()?.sockets());
    stage.wire()?.on_messages(Match::any(), StreamFault::Drop, usize::MAX);
    let lost = follow
        .until(stage, "news of the loss", |follow| follow.news[before..].contains(&LinkEvent::Down))
        .await;
    stage.wire()?.clear();
    lost?;
    ensure!(follow.sync.usable().is_none(), "no usable book", "one");
    follow.until_live(stage).await?;
    ensure!(stage.wire()?.sockets() > sockets, "another connection", "the same");
    follow.equals_snapshot(stage).await
}

async fn flood_of_pings_harms_nothing(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    stage.inject(Fault::ws(Which::Public, &[], WsEffect::PingFlood(2_000)).times(3))?;
    follow.updates(stage, 20).await?;
    same("floods", &3, &stage.fired()?)?;
    ensure!(!follow.news.contains(&LinkEvent::Down), "no news of a loss", "one");
    follow.equals_snapshot(stage).await
}

async fn reordered_updates_make_no_wrong_book(stage: &mut Stage) -> Verdict {
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    let native = stage.market(0)?.native().to_owned();
    stage.inject(Fault::ws(Which::Public, &[&native], WsEffect::Reorder).times(3))?;
    follow.updates(stage, 12).await?;
    ensure!(stage.fired()? > 0, "frames that came in another order", "none");
    follow.until_live(stage).await?;
    follow.equals_snapshot(stage).await
}

/// Trades both ways, and places orders that rest so that whatever was held up comes.
async fn traded(stage: &Stage) -> Result<Vec<ClientOrderId>, Failure> {
    let market = stage.market(1)?;
    let mut ended = Vec::new();
    for side in [Side::Buy, Side::Sell, Side::Buy, Side::Sell] {
        ended.push(stage.take(&market, side).await?.0.client_id);
    }
    for _ in 0..3 {
        stage.rest(&market, Side::Buy).await?;
    }
    Ok(ended)
}

async fn sums_up(stage: &Stage, effect: WsEffect, times: u64) -> Verdict {
    let mut stream = ready(stage).await?;
    stage.inject(Fault::ws(Which::Private, &[], effect).times(times))?;
    let ended = traded(stage).await?;
    ensure!(stage.fired()? > 0, "news that were meddled with", "none");
    let mut told = Told::default();
    let (records, fills) = (stage.truth()?.orders, stage.truth()?.fills);
    let all = |told: &Told| {
        let is_over = |id| told.orders.get(id).is_some_and(|order| order.status.is_terminal());
        ended.iter().all(is_over) && told.keys().len() >= fills.len()
    };
    told.until("the end of every order and all fills", &mut stream, all).await?;
    same("different fills", &fills.len(), &told.keys().len())?;
    for record in records.iter().filter(|record| record.status.is_terminal()) {
        let order = told.orders.iter().find(|(id, _)| record.client_id.ends_with(id.as_str()));
        let order = order.map(|(_, order)| (order.status, order.filled_qty));
        same("state and fills", &Some((record.status, record.filled_qty)), &order)?;
    }
    Ok(())
}

async fn reordered_news_still_sum_up(stage: &mut Stage) -> Verdict {
    sums_up(stage, WsEffect::Reorder, 6).await
}

async fn repeated_news_change_nothing(stage: &mut Stage) -> Verdict {
    sums_up(stage, WsEffect::Duplicate, 1_000).await
}

async fn unknown_words_of_private_news_are_no_guess(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    let id = stage.inject(Fault::ws(Which::Private, &[], WsEffect::UnknownEnum).always())?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    stage.exchange.cancel(market.id, cex_interface::OrderRef::Id(placed.order_id)).await?;
    stage.ended(&order).await?;
    ensure!(stage.fired()? > 0, "news with words that nobody knows", "none");
    stage.sim()?.clear(id)?;
    let (next, _) = stage.rest(&market, Side::Buy).await?;
    let mut told = Told::default();
    told.until("news of a later order", &mut stream, |told| told.orders.contains_key(&next.client_id))
        .await?;
    // The furthest state told: it may be the true one where the words spoilt only explain it.
    let state = told.orders.get(&order.client_id).map(|order| (order.status, order.filled_qty));
    let honest = match state {
        None => true,
        Some((status, filled)) => {
            filled == Decimal::ZERO
                && matches!(status, OrderStatus::Unknown | OrderStatus::New | OrderStatus::Canceled)
        }
    };
    ensure!(honest, "a state that is unknown or true, without fills", format_args!("{state:?}"));
    ensure!(told.fills.is_empty(), "no fills", told.fills.len());
    Ok(())
}

async fn mute_account_stream_leaves_calls_telling_everything(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    stage.inject(Fault::ws(Which::Private, &[], WsEffect::Mute))?;
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
    ensure!(news.is_err(), "a stream that is mute", format_args!("{news:?}"));
    Ok(())
}

async fn account_stream_survives_keys_that_lie(stage: &mut Stage) -> Verdict {
    stage.inject(Fault::venue(VenueFault::ListenKeysLie))?;
    let mut stream = ready(stage).await?;
    for _ in 0..2 {
        stage.inject(Fault::venue(VenueFault::ExpireListenKeys))?;
        stage.cut()?;
        heard(&mut stream, LinkEvent::Down).await?;
        heard(&mut stream, LinkEvent::AccountReady).await?;
    }
    let market = stage.market(0)?;
    let (order, _) = stage.rest(&market, Side::Buy).await?;
    let mut told = Told::default();
    told.until("news of an order", &mut stream, |told| told.orders.contains_key(&order.client_id)).await
}
