//! I1: no limit is exceeded, reckoned from what left and what it came to.

use super::{Checks, Invariant};
use cex_core::{ClientOrderId, Decimal, OrderRequest, Symbol, SymbolId, Timestamp, VenueId};
use cex_engine::{Ending, Outcome};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const AT_ONCE: Duration = Duration::from_millis(100);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// What limits are compared with.
#[derive(Debug, Default)]
pub(super) struct Risked {
    /// Orders of the last second, by venue.
    recent: BTreeMap<VenueId, VecDeque<(Timestamp, SymbolId)>>,
    /// Openings that count: when, by their first order's name, and what they may move.
    openings: VecDeque<(Timestamp, ClientOrderId, Decimal)>,
    /// Arbitrages whose profit was counted: a start may end again what was ended, when that was lost with the power.
    ended: BTreeSet<ClientOrderId>,
    /// Profit by hour and by day, in all and at its highest.
    hours: BTreeMap<i64, Decimal>,
    days: BTreeMap<i64, Decimal>,
    total: Decimal,
    peak: Decimal,
    /// A loss that only an operator may forgive.
    lost: Option<String>,
    /// Symbols that are to rest, by name: another process may number them otherwise.
    rests: BTreeMap<Symbol, Timestamp>,
    /// Symbols whose edge was not believed, and until when they are left alone.
    quarantined: BTreeMap<Symbol, Timestamp>,
    /// Arbitrages whose fills are the position of their symbol.
    pub(super) positions: BTreeMap<Symbol, BTreeSet<u64>>,
    /// Since when this process has heard of all accounts, and of all prices, as far as anybody looked.
    pub(super) told_at: Option<Timestamp>,
}

impl Risked {
    /// An order leaves.
    pub(super) fn leaves(&mut self, now: Timestamp, order: &OrderRequest) {
        let recent = self.recent.entry(order.venue).or_default();
        recent.push_back((now, order.symbol));
        while recent.front().is_some_and(|(at, _)| now.since(*at) >= SECOND) {
            recent.pop_front();
        }
    }

    /// The process died. What left within the last second is not in its journal by venue, and the next one needs longer than
    /// that until it trades, but on a network as fast as the world's.
    pub(super) fn died(&mut self) {
        self.recent.clear();
        // Told in its last moments it is in no journal.
        self.quarantined.clear();
        self.told_at = None;
    }

    /// What an arbitrage trades is part of its symbol's position.
    pub(super) fn counts(&mut self, symbol: Option<Symbol>, arbitrage: u64) {
        if let Some(symbol) = symbol {
            self.positions.entry(symbol).or_default().insert(arbitrage);
        }
    }

    /// Another process begins: of positions it knows those of the arbitrages that it goes on with, and no other.
    pub(super) fn goes_on(&mut self, with: impl Fn(u64) -> bool) {
        self.positions.values_mut().for_each(|numbers| numbers.retain(|number| with(*number)));
    }

    /// Of these orders the journal has a record; no later process can count any other, nor more than the record says.
    pub(super) fn journal_has(&mut self, known: impl Fn(ClientOrderId) -> Option<Decimal>) {
        self.openings.retain_mut(|(_, name, gross)| {
            let moved = known(*name);
            *gross = moved.map_or(*gross, |moved| moved.min(*gross));
            moved.is_some()
        });
    }

    /// An operator has looked.
    pub(super) fn acknowledged(&mut self) {
        self.lost = None;
        self.peak = self.total;
    }
}

impl Checks {
    /// Both orders of an opening are on their way, and counted.
    pub(super) fn check_limits(&mut self, now: Timestamp, orders: &[OrderRequest; 2], gross: Decimal) {
        let mut wrong = self.rates_exceeded(now, orders);
        wrong.extend(self.totals_exceeded(now, orders[0].client_id, gross));
        wrong.extend(self.open_exceeded(orders, gross));
        wrong.extend(self.losses_exceeded(now));
        let symbol = self.name_of(orders[0].symbol);
        for (of, rule) in [(&self.risked.rests, "R23"), (&self.risked.quarantined, "R11")] {
            let until = symbol.and_then(|symbol| of.get(&symbol));
            if let Some(until) = until.filter(|until| now < **until) {
                wrong.push(format!("a symbol is to rest until {until} ({rule})"));
            }
        }
        for what in wrong {
            self.violate(Invariant::I1, now, format!("{}: {what}", orders[0].client_id));
        }
    }

    /// An edge was not believed.
    pub(super) fn quarantined(&mut self, now: Timestamp, symbol: SymbolId) {
        let until = now + self.limits.quarantine;
        self.risked.quarantined.extend(self.name_of(symbol).map(|symbol| (symbol, until)));
    }

    /// R17.
    fn rates_exceeded(&self, now: Timestamp, orders: &[OrderRequest; 2]) -> Vec<String> {
        let limits = &self.limits;
        let mut wrong = Vec::new();
        for order in orders {
            let Some(recent) = self.risked.recent.get(&order.venue) else { continue };
            let count = |test: &dyn Fn(&&(Timestamp, SymbolId)) -> bool| recent.iter().filter(test).count();
            for (what, count, most) in [
                ("orders within a second", recent.len(), limits.max_orders_per_second),
                (
                    "orders of a symbol within a second",
                    count(&|(_, symbol)| *symbol == order.symbol),
                    limits.max_symbol_orders_per_second,
                ),
                ("orders at once", count(&|(at, _)| now.since(*at) < AT_ONCE), limits.max_burst),
            ] {
                if count > size(most) {
                    wrong.push(format!("{count} {what} at {}, at most {most} (R17)", order.venue));
                }
            }
        }
        wrong
    }

    /// R18.
    fn totals_exceeded(&mut self, now: Timestamp, name: ClientOrderId, gross: Decimal) -> Vec<String> {
        let Self { risked, limits, .. } = self;
        risked.openings.push_back((now, name, gross));
        let day = now.as_secs().div_euclid(DAY);
        while risked
            .openings
            .front()
            .is_some_and(|(at, ..)| at.as_secs().div_euclid(DAY) != day && now.since(*at) >= MINUTE)
        {
            risked.openings.pop_front();
        }
        let minute = 2 * risked.openings.iter().filter(|(at, ..)| now.since(*at) < MINUTE).count();
        let mut today = risked.openings.iter().filter(|(at, ..)| at.as_secs().div_euclid(DAY) == day);
        let orders = 2 * today.clone().count();
        let notional = today.try_fold(Decimal::ZERO, |sum, (_, _, gross)| sum.checked_add(*gross));
        let notional = notional.unwrap_or(Decimal::from(i64::MAX));
        let mut wrong = Vec::new();
        if minute > size(limits.max_orders_per_minute) {
            wrong.push(format!("{minute} orders within a minute (R18)"));
        }
        if orders > size(limits.max_orders_per_day) {
            wrong.push(format!("{orders} orders today (R18)"));
        }
        if notional > limits.max_day_notional {
            wrong.push(format!("{notional} moved today (R18)"));
        }
        wrong
    }

    /// R4, R14, R15.
    fn open_exceeded(&self, orders: &[OrderRequest; 2], gross: Decimal) -> Vec<String> {
        let (limits, mut wrong) = (&self.limits, Vec::new());
        if gross > limits.max_cycle_notional {
            wrong.push(format!("an arbitrage of {gross} (R4)"));
        }
        let sum = self.open.values().try_fold(Decimal::ZERO, |sum, open| sum.checked_add(open.gross));
        if sum.is_ok_and(|sum| sum > limits.max_gross) {
            wrong.push(format!("{sum:?} open (R14)"));
        }
        let symbol = self.name_of(orders[0].symbol);
        let of_symbol = self.open.values().filter(|open| open.symbol == symbol).count();
        for (what, count, most) in [
            ("arbitrages open", self.open.len(), limits.max_open),
            ("arbitrages open in a symbol", of_symbol, limits.max_open_per_symbol),
            // Every arbitrage is between the two venues there are.
            ("arbitrages open at a venue", self.open.len(), limits.max_open_per_venue),
        ] {
            if count > size(most) {
                wrong.push(format!("{count} {what}, at most {most} (R15)"));
            }
        }
        wrong
    }

    /// R20, R21: what was lost before stops openings.
    fn losses_exceeded(&self, now: Timestamp) -> Option<String> {
        let (risked, limits, secs) = (&self.risked, &self.limits, now.as_secs());
        let exceeds = |sum: Option<&Decimal>, most: Decimal| {
            sum.is_some_and(|sum| sum.negated().is_ok_and(|loss| loss > most))
        };
        if let Some(lost) = &risked.lost {
            return Some(lost.clone());
        }
        if exceeds(risked.hours.get(&secs.div_euclid(HOUR)), limits.max_hour_loss) {
            return Some("the hour has lost too much (R20)".to_owned());
        }
        exceeds(risked.days.get(&secs.div_euclid(DAY)), limits.max_day_loss)
            .then(|| "the day has lost too much (R20)".to_owned())
    }

    /// An arbitrage is over. That it came to what it is said to have come to is I3's and I5's.
    pub(super) fn came_to(&mut self, now: Timestamp, outcome: &Outcome) {
        // Nothing left us: it moves nothing, and whoever has forgiven a loss has not to forgive it again.
        if outcome.ending == Ending::Withheld {
            return;
        }
        let symbol = self.name_of(outcome.symbol);
        let Self { risked, limits, .. } = self;
        if !outcome.orders.first().is_some_and(|name| risked.ended.insert(*name)) {
            return;
        }
        let (profit, secs) = (outcome.realised, now.as_secs());
        let add = |sum: &mut Decimal| *sum = sum.checked_add(profit).unwrap_or(*sum);
        add(risked.hours.entry(secs.div_euclid(HOUR)).or_default());
        add(risked.days.entry(secs.div_euclid(DAY)).or_default());
        add(&mut risked.total);
        risked.peak = risked.peak.max(risked.total);
        if profit.negated().is_ok_and(|loss| loss > limits.max_cycle_loss) {
            risked.lost = Some("an arbitrage has lost too much (R20)".to_owned());
        }
        if risked.peak.checked_sub(risked.total).is_ok_and(|fall| fall > limits.max_drawdown) {
            risked.lost = Some("profit has fallen too far (R21)".to_owned());
        }
        match outcome.ending {
            Ending::BothFilled | Ending::Withheld | Ending::Swept | Ending::Unswept => {}
            Ending::NoneFilled | Ending::Unwound | Ending::Dust | Ending::Parked => {
                risked.rests.extend(symbol.map(|symbol| (symbol, now + limits.cooldown)));
            }
        }
    }
}

fn size(most: u32) -> usize {
    usize::try_from(most).unwrap_or(usize::MAX)
}
