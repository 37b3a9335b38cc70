//! Faults of an adapter's links.

use cex_core::{AccountEvent, LevelRange, LinkEvent, MarketEvent, Timestamp, TradeId, UpdateKind};
use cex_errors::ExchangeError;
use cex_interface::{Input, Link, Outbox, Subscription};

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
}

/// A link with a fault in it.
pub(super) struct BrokenLink {
    inner: Box<dyn Link>,
    fault: LinkFault,
    updates: u64,
    last_seq: Option<u64>,
}

impl BrokenLink {
    pub(super) fn new(inner: Box<dyn Link>, fault: LinkFault) -> Self {
        Self { inner, fault, updates: 0, last_seq: None }
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
        let result = self.inner.handle(now, input, out);
        self.spoil(out);
        result
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
