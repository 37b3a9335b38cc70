//! Faults of an adapter's links.

use cex_core::{
    AccountEvent, LevelRange, LinkEvent, MarketEvent, OrderId, OrderRequest, Timestamp, TradeId, UpdateKind,
};
use cex_errors::{ErrorKind, ExchangeError, Phase};
use cex_interface::{
    CloseReason, Effect, Input, Link, LinkAnswer, LinkCall, Outbox, Payload, Placed, Reply, Request,
    Subscription,
};
use std::time::Duration;

/// What is wrong with the links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkFault {
    DropUpdates,
    HideGaps,
    KeepDeleted,
    SwapSides,
    NoDown,
    NoRefused,
    NoSubscribed,
    HideUndecodable,
    LoseFills,
    RepeatFills,
    LoseEnds,
    EarlyReady,
    SwapBalances,
    TimeUnit,
    FirstIsResult,
    LossIsNotSent,
    SendsAgain,
    NoExpiry,
    NoResubscribe,
    NoAnnounced,
    NewTradeIds,
}

/// A link with a fault in it.
pub(super) struct BrokenLink {
    inner: Box<dyn Link>,
    fault: LinkFault,
    updates: u64,
    last_seq: Option<u64>,
    /// Orders carried, each with its tag and what was sent of it.
    carried: Vec<(u32, OrderRequest, String)>,
}

impl BrokenLink {
    pub(super) fn new(inner: Box<dyn Link>, fault: LinkFault) -> Self {
        Self { inner, fault, updates: 0, last_seq: None, carried: Vec::new() }
    }

    fn spoil(&mut self, out: &mut Outbox) {
        match self.fault {
            LinkFault::DropUpdates => out.market.retain(|event| {
                let is_book = matches!(event, MarketEvent::Book(_));
                self.updates += u64::from(is_book);
                !(is_book && self.updates.is_multiple_of(20))
            }),
            LinkFault::HideGaps | LinkFault::HideUndecodable => {
                if self.fault == LinkFault::HideUndecodable {
                    out.link.retain(|event| !matches!(event, LinkEvent::Undecodable { .. }));
                }
                for event in &mut out.market {
                    let MarketEvent::Book(update) = event else { continue };
                    if update.kind == UpdateKind::Delta {
                        update.first_seq =
                            self.last_seq.map_or(update.first_seq, |last| last + 1).min(update.last_seq);
                    }
                    self.last_seq = Some(update.last_seq);
                }
            }
            LinkFault::KeepDeleted => keep_deleted(out),
            LinkFault::SwapSides => {
                for event in &mut out.market {
                    if let MarketEvent::Book(update) = event {
                        std::mem::swap(&mut update.bids, &mut update.asks);
                    }
                }
            }
            LinkFault::NoDown => out.link.retain(|event| *event != LinkEvent::Down),
            LinkFault::NoRefused => {
                for event in &mut out.link {
                    if let LinkEvent::Refused { symbol, stream } = *event {
                        *event = LinkEvent::Subscribed { symbol, stream };
                    }
                }
            }
            LinkFault::NoSubscribed => {
                out.link.retain(|event| !matches!(event, LinkEvent::Subscribed { .. }));
            }
            LinkFault::LoseFills => out.account.retain(|event| !matches!(event, AccountEvent::Fill(_))),
            LinkFault::RepeatFills => {
                let again = out.account.iter().filter_map(|event| match event {
                    AccountEvent::Fill(fill) => {
                        let mut fill = *fill;
                        fill.trade_id =
                            TradeId::new(&format!("{}-2", fill.trade_id)).unwrap_or(fill.trade_id);
                        Some(AccountEvent::Fill(fill))
                    }
                    AccountEvent::Order(_) | AccountEvent::Balance(_) => None,
                });
                let again: Vec<_> = again.collect();
                out.account.extend(again);
            }
            LinkFault::LoseEnds => out
                .account
                .retain(|event| !matches!(event, AccountEvent::Order(order) if order.status.is_terminal())),
            LinkFault::EarlyReady => {
                if out.link.is_empty() && self.updates == 0 {
                    out.link.push(LinkEvent::AccountReady);
                    self.updates = 1;
                }
            }
            LinkFault::SwapBalances => {
                for event in &mut out.account {
                    if let AccountEvent::Balance(balance) = event {
                        std::mem::swap(&mut balance.free, &mut balance.locked);
                    }
                }
            }
            LinkFault::LossIsNotSent => {
                for answer in &mut out.answers {
                    if let Err(error) = &mut answer.result
                        && error.kind == ErrorKind::Connection(Phase::AfterSend)
                    {
                        error.kind = ErrorKind::Connection(Phase::BeforeSend);
                    }
                }
            }
            LinkFault::SendsAgain => {
                let ready = |event: &LinkEvent| matches!(event, LinkEvent::Subscribed { .. });
                if out.link.iter().any(ready) {
                    self.carried.drain(..).for_each(|(_, _, text)| out.send_text(text));
                }
            }
            LinkFault::NoAnnounced => {
                out.effects.retain(|effect| *effect != Effect::Reconnect(CloseReason::Announced));
            }
            LinkFault::NewTradeIds => {
                for event in &mut out.account {
                    if let AccountEvent::Fill(fill) = event {
                        self.updates += 1;
                        fill.trade_id = TradeId::new(&format!("{}", self.updates)).unwrap_or(fill.trade_id);
                    }
                }
            }
            // These are broken where a call goes out, and where something comes in.
            LinkFault::NoExpiry | LinkFault::FirstIsResult | LinkFault::NoResubscribe => {}
            LinkFault::TimeUnit => {
                for event in &mut out.market {
                    if let MarketEvent::Book(update) = event {
                        update.exchange_ts = Timestamp::from_nanos(update.exchange_ts.as_nanos() / 1_000);
                    }
                }
            }
        }
    }
}

impl BrokenLink {
    /// Tells the orders that a message names as accepted.
    fn believe(&mut self, frame: &[u8], out: &mut Outbox) {
        let text = String::from_utf8_lossy(frame);
        let named = |(_, order, _): &mut (u32, OrderRequest, String)| text.contains(order.client_id.as_str());
        for (tag, order, _) in self.carried.extract_if(.., named) {
            let placed = Placed { client_id: order.client_id, order_id: OrderId::default(), order: None };
            out.answers.push(LinkAnswer { tag, result: Ok(Reply::Placed(placed)), feedback: Vec::new() });
        }
    }

    fn remember(&mut self, call: &LinkCall<'_>, out: &Outbox) {
        let (Request::Place(order), Some(Effect::Send(Payload::Text(text)))) =
            (call.request, out.effects.last())
        else {
            return;
        };
        self.carried.push((call.tag, *order, text.clone()));
    }
}

/// Leaves out levels of quantity zero. The ranges are moved to the end of the buffer, where there is room.
fn keep_deleted(out: &mut Outbox) {
    let at = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
    let Outbox { market, levels, .. } = out;
    for event in market {
        let MarketEvent::Book(update) = event else { continue };
        for range in [&mut update.bids, &mut update.asks] {
            let kept: Vec<_> =
                range.of(levels).iter().copied().filter(|level| !level.qty.is_zero()).collect();
            let start = levels.len();
            levels.extend(kept);
            *range = LevelRange { start: at(start), end: at(levels.len()) };
        }
    }
}

impl Link for BrokenLink {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        // Spoiling twice what one outbox still holds is as broken as spoiling it once.
        match (self.fault, input) {
            (LinkFault::FirstIsResult, Input::Text(frame)) => self.believe(frame, out),
            (LinkFault::NoResubscribe, Input::Resubscribe(_)) => return Ok(()),
            _ => {}
        }
        let result = self.inner.handle(now, input, out);
        self.spoil(out);
        result
    }

    fn call(&mut self, now: Timestamp, call: LinkCall<'_>, out: &mut Outbox) -> Result<(), ErrorKind> {
        if let (LinkFault::NoExpiry, Request::Place(order)) = (self.fault, call.request) {
            let mut order = *order;
            order.expires_in = Duration::from_secs(60);
            return self.inner.call(now, LinkCall { request: &Request::Place(order), ..call }, out);
        }
        self.inner.call(now, call, out)?;
        self.remember(&call, out);
        Ok(())
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        self.inner.wakeup_at()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn subscriptions(&self) -> &[Subscription] {
        self.inner.subscriptions()
    }
}
