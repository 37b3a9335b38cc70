//! Bugs on purpose: a harness that cannot find planted bugs proves nothing (G21). Each breaks what stands between the exchanges
//! and the engine, as a careless adapter, transport or desk would; the engine itself is the one that trades.

use crate::check::Invariant;
use crate::day::Day;
use crate::plan::Family;
use crate::rest::{Purpose, may_have_happened};
use crate::run::{CANARY, Options, run};
use cex_core::{
    AccountEvent, Balance, Decimal, Fill, LinkEvent, MarketEvent, Order, OrderId, OrderRequest, OrderStatus,
    SymbolId, Timestamp, TradeId, VenueId,
};
use cex_engine::Event;
use cex_errors::{ExchangeError, Outcome};
use cex_interface::{Outbox, Reply, Request};
use cex_transport::Urgency;
use std::collections::BTreeMap;
use std::time::Duration;

/// Something done wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A fill comes again under another number (W9).
    FillTwice,
    /// A fee is not booked (M5).
    FeeForgotten,
    /// A fill is booked at a price a little off (M1).
    PriceOff,
    /// A fill is booked on the wrong side.
    SideSwapped,
    /// A gap of the stream is papered over (B1).
    GapSkipped,
    /// One level of an update is lost (B1).
    LevelLost,
    /// Levels that are gone stay (B5).
    RemovalIgnored,
    /// A lost connection is not told (T1).
    LossUntold,
    /// Frames that could not be read, and all that could have shown it, are not told (W13).
    UndecodableUntold,
    /// A placement without an answer counts as refused (O5).
    UnknownIsRefused,
    /// A placement without an answer counts as never sent (O1).
    UnknownIsNotSent,
    /// A placement without an answer is made again (O3).
    PlacementRepeated,
    /// A leg that is told to be kept back leaves (O7).
    WithheldLegLeaves,
    /// Not found is believed at once (H8).
    AbsenceBelieved,
    /// The fills of an order are never asked for (W7).
    FillsNeverRead,
    /// An old balance counts as a new one (W16).
    StaleBalanceAdopted,
    /// An acknowledgement is read as the end (O11).
    AckIsFinal,
    /// Calls are signed ten seconds late (H4).
    SignedLate,
    /// The kill switch is not connected (K4).
    KillIgnored,
    /// An error shows a secret (X1).
    SecretShown,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::FillTwice,
        Self::FeeForgotten,
        Self::PriceOff,
        Self::SideSwapped,
        Self::GapSkipped,
        Self::LevelLost,
        Self::RemovalIgnored,
        Self::LossUntold,
        Self::UndecodableUntold,
        Self::UnknownIsRefused,
        Self::UnknownIsNotSent,
        Self::PlacementRepeated,
        Self::WithheldLegLeaves,
        Self::AbsenceBelieved,
        Self::FillsNeverRead,
        Self::StaleBalanceAdopted,
        Self::AckIsFinal,
        Self::SignedLate,
        Self::KillIgnored,
        Self::SecretShown,
    ];
}

/// The first seed in which a bug shows, and what it breaks; `None` when it does not within so many.
#[must_use]
pub fn find(bug: Bug, from: u64, seeds: u64) -> Option<(u64, Invariant)> {
    let options = Options { families: Family::ALL.to_vec(), bug: Some(bug), ..Options::default() };
    (from..from + seeds).find_map(|seed| {
        let report = run(seed, &options);
        report.violations.first().map(|violation| (seed, violation.invariant))
    })
}

/// A bug at work.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) bug: Bug,
    told: BTreeMap<SymbolId, u64>,
    count: u64,
}

impl Planted {
    pub(crate) const fn new(bug: Bug) -> Self {
        Self { bug, told: BTreeMap::new(), count: 0 }
    }

    /// Whether it is this time's turn: now and then, as bugs are.
    fn now_and_then(&mut self, every: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(every)
    }

    /// What becomes of news on their way to the engine.
    pub(crate) fn spoil_news(&mut self, out: &mut Outbox) {
        match self.bug {
            Bug::FillTwice | Bug::FeeForgotten | Bug::PriceOff | Bug::SideSwapped => self.spoil_fills(out),
            Bug::GapSkipped | Bug::LevelLost | Bug::RemovalIgnored => self.spoil_books(out),
            Bug::LossUntold => out.link.retain(|event| *event != LinkEvent::Down),
            Bug::UndecodableUntold => {
                out.link.retain(|event| !matches!(event, LinkEvent::Undecodable { .. }));
                self.paper_over(out);
            }
            Bug::UnknownIsRefused
            | Bug::UnknownIsNotSent
            | Bug::PlacementRepeated
            | Bug::WithheldLegLeaves
            | Bug::AbsenceBelieved
            | Bug::FillsNeverRead
            | Bug::StaleBalanceAdopted
            | Bug::AckIsFinal
            | Bug::SignedLate
            | Bug::KillIgnored
            | Bug::SecretShown => {}
        }
    }

    fn spoil_fills(&mut self, out: &mut Outbox) {
        let mut more = Vec::new();
        for event in &mut out.account {
            let AccountEvent::Fill(fill) = event else { continue };
            if !self.now_and_then(5) {
                continue;
            }
            if self.bug == Bug::FillTwice {
                let trade_id = TradeId::new("again").unwrap_or(fill.trade_id);
                more.push(AccountEvent::Fill(Fill { trade_id, ..*fill }));
            } else if self.bug == Bug::FeeForgotten {
                fill.fee = Decimal::ZERO;
            } else if self.bug == Bug::PriceOff {
                fill.price = fill.price.checked_add(Decimal::new(1, 2)).unwrap_or(fill.price);
            } else {
                fill.side = fill.side.opposite();
            }
        }
        out.account.extend(more);
    }

    fn spoil_books(&mut self, out: &mut Outbox) {
        if self.bug == Bug::GapSkipped {
            self.paper_over(out);
        } else if self.bug == Bug::RemovalIgnored {
            out.levels.iter_mut().for_each(|level| level.qty.0 = level.qty.0.max(1));
        } else if self.now_and_then(50)
            && let Some(level) = out.levels.first_mut()
        {
            level.qty.0 = 0;
        }
    }

    /// Makes every delta continue the one before.
    fn paper_over(&mut self, out: &mut Outbox) {
        for event in &mut out.market {
            let MarketEvent::Book(update) = event else { continue };
            let told = self.told.insert(update.symbol, update.last_seq);
            if let Some(told) = told.filter(|told| *told < update.first_seq) {
                update.first_seq = told + 1;
            }
        }
    }
}

impl Day {
    /// Whether this bug is planted.
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.desk.bug.as_ref().is_some_and(|planted| planted.bug == bug)
    }

    /// What we believe an account holds, as if the exchange had told it.
    pub(crate) fn own_balances(&self, venue: VenueId) -> Vec<Balance> {
        let held = self.desk.engine.holdings().into_iter().filter(|(at, _, _)| *at == venue);
        let told = |asset, free| Balance { asset, free, locked: Decimal::ZERO, as_of: Timestamp::EPOCH };
        held.map(|(_, asset, held)| told(asset, held)).collect()
    }

    /// What becomes of the answer to a placement; whether that was all.
    pub(crate) fn spoil_placement(
        &mut self,
        order: &OrderRequest,
        result: &Result<Reply, ExchangeError>,
    ) -> bool {
        let client_id = order.client_id;
        if self.has(Bug::AckIsFinal)
            && let Ok(Reply::Placed(placed)) = result
        {
            let state = ended(placed.order_id, order);
            let (order_id, order) = (placed.order_id, Some(&state));
            self.feed(Event::Placed { client_id, order_id, order });
            return true;
        }
        if !result.as_ref().err().is_some_and(|error| may_have_happened(error.outcome())) {
            return false;
        }
        if self.has(Bug::UnknownIsRefused) {
            self.feed(Event::PlaceFailed { client_id, outcome: Outcome::Refused });
        } else if self.has(Bug::UnknownIsNotSent) {
            self.feed(Event::PlaceFailed { client_id, outcome: Outcome::NotSent });
        } else if self.has(Bug::PlacementRepeated) {
            let Self { world, places, .. } = self;
            let rest = &mut places[order.venue.index()].rest;
            rest.begin(world, Request::Place(*order), Purpose::Place(*order), Urgency::MustGo);
        } else {
            return false;
        }
        true
    }

    /// What becomes of the answer to any other call.
    pub(crate) fn spoil_answer(&mut self, purpose: &mut Purpose, result: &mut Result<Reply, ExchangeError>) {
        const LATER: Duration = Duration::from_secs(3_600);
        if let Purpose::Order { asked_at, .. } = purpose
            && self.has(Bug::AbsenceBelieved)
        {
            *asked_at += LATER;
        }
        if let Purpose::Account { asked_at } = purpose
            && self.has(Bug::StaleBalanceAdopted)
        {
            *asked_at += LATER;
        }
        if matches!(purpose, Purpose::Fills { .. }) && self.has(Bug::FillsNeverRead) {
            *result = Ok(Reply::Done);
        }
        if let Err(error) = result
            && self.has(Bug::SecretShown)
        {
            error.message = Some(CANARY.into());
        }
    }
}

/// A report that an order has ended, and filled nothing.
fn ended(order_id: OrderId, order: &OrderRequest) -> Order {
    Order {
        venue: order.venue,
        symbol: order.symbol,
        order_id: Some(order_id),
        client_id: Some(order.client_id),
        side: order.side,
        status: OrderStatus::Canceled,
        price: None,
        qty: None,
        filled_qty: Decimal::ZERO,
        filled_notional: Decimal::ZERO,
        fee: None,
        created_at: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH,
    }
}
