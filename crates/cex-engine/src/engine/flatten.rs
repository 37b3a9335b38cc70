//! What ended arbitrages left over is traded away: what fees took as soon as a venue takes it, and all of it at the end of a
//! run when an operator wants to hold none.

use super::leveling::Closing;
use super::{Engine, Slot, SymbolState};
use crate::execute::{Arbitrage, Carried, Ending, Leveling};
use crate::message::Commands;
use cex_core::{Bps, Decimal, Leg, Notional, Plan, Price, Qty, Side, SymbolId, Timestamp, VenueId};
use cex_risk::{ArbitrageId, Dust, JournalState, Mode};
use std::time::Duration;

/// How often it is looked at: within the time a difference may stand open.
const EVERY: Duration = Duration::from_secs(1);
/// ... after one of which nothing could leave.
const AGAIN: Duration = Duration::from_secs(60);

impl Engine {
    /// Trades away what is left over of a symbol as soon as a venue takes so little, by the policy for every difference. What
    /// could not be traded away once waits for an operator; and what cannot be written down (R34) the next run would trade away
    /// once more, out of what is the operator's.
    pub(super) fn wake_sweeps(&mut self, now: Timestamp, out: &mut Commands) {
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + EVERY;
        let is_recorded = self.gate.journal() == JournalState::Well;
        if self.killed || self.gate.mode() != Mode::Active || !is_recorded {
            return;
        }
        let give = self.config.max_unwind;
        for index in 0..self.symbols.len() {
            let symbol = SymbolId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(dust) = self.left_over(symbol).filter(|dust| !dust.parked) else { continue };
            let Some(sweep) = self.sweep_of(now, symbol, dust, give) else { continue };
            if self.is_worthwhile(&sweep, dust.base) {
                let id = self.begin_sweep(now, sweep);
                self.level(now, id, out);
            }
        }
    }

    /// Makes an arbitrage without legs of what is left over in each symbol: it is levelled like any other.
    pub(super) fn flatten(&mut self, now: Timestamp, give: Bps) {
        if self.gate.journal() == JournalState::Failed {
            return;
        }
        for index in 0..self.symbols.len() {
            let symbol = SymbolId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(dust) = self.left_over(symbol) else { continue };
            let Some(sweep) = self.sweep_of(now, symbol, dust, give) else { continue };
            // What no venue takes stays where it is, and says nothing of how the symbol trades.
            if !matches!(self.closing_legs(&sweep, dust.base), Closing::TooSmall) {
                self.begin_sweep(now, sweep);
            }
        }
    }

    /// What is left over of a symbol, where nothing is on the way that may change it.
    fn left_over(&self, symbol: SymbolId) -> Option<Dust> {
        let dust = self.gate.left_over().of(self.symbol(symbol)?.symbol);
        let busy = || {
            let mut open = self.arbitrages.iter().map(|arbitrage| arbitrage.symbol);
            open.any(|open| open == symbol) || self.starting.iter().any(|new| new.plan.symbol == symbol)
        };
        (!dust.base.is_zero() && !busy()).then_some(dust)
    }

    /// An arbitrage without legs that trades away what is left over; not begun yet.
    fn sweep_of(&self, now: Timestamp, symbol: SymbolId, dust: Dust, give: Bps) -> Option<Arbitrage> {
        Some(Arbitrage {
            id: ArbitrageId(0),
            symbol,
            plan: self.of_nothing(symbol, self.symbol(symbol)?, dust)?,
            orders: Vec::new(),
            mark: dust.mark,
            started_at: now,
            leveling: Some(Leveling::new(now, now + self.config.max_naked)),
            carried: Some(Carried { base: dust.base, give }),
        })
    }

    /// Whether a venue whose account we hear of takes what is left over, with the margin above its minimum that openings keep.
    fn is_worthwhile(&self, sweep: &Arbitrage, base: Decimal) -> bool {
        let Closing::Possible(legs) = self.closing_legs(sweep, base) else { return false };
        legs.into_iter().flatten().any(|leg| {
            let heard = self.venues.get(leg.venue.index()).is_some_and(|state| state.account_ready);
            let slot = self.slot(leg.venue, sweep.symbol);
            heard && slot.is_some_and(|slot| leg.notional >= slot.least_notional)
        })
    }

    /// How an arbitrage ended whose difference could not be traded away. What others left over waits for an operator then; unless
    /// nothing of it could leave at all, which says nothing: it is tried again, but not at once. At a run's end there is no again.
    pub(super) fn ending_of(&mut self, now: Timestamp, arbitrage: &Arbitrage, ending: Ending) -> Ending {
        if ending != Ending::Parked || arbitrage.carried.is_none() {
            return ending;
        }
        if self.killed || !arbitrage.is_withheld() {
            return Ending::Unswept;
        }
        self.sweep_at = self.sweep_at.max(now + AGAIN);
        Ending::Swept
    }

    fn begin_sweep(&mut self, now: Timestamp, sweep: Arbitrage) -> ArbitrageId {
        let venues = [sweep.plan.buy.venue, sweep.plan.sell.venue];
        let id = self.gate.adopt(now, sweep.symbol, venues, Decimal::ZERO);
        self.marks.insert(id, sweep.mark);
        self.arbitrages.insert(Arbitrage { id, ..sweep });
        id
    }

    /// A plan between two venues of a symbol that trades nothing: those whose book can be used, and whose account we hear of, before
    /// others.
    fn of_nothing(&self, symbol: SymbolId, state: &SymbolState, dust: Dust) -> Option<Plan> {
        let is_deaf = |slot: &Slot| {
            let heard = self.venues.get(slot.market.venue.index()).is_some_and(|state| state.account_ready);
            !heard || slot.sync.usable().is_none()
        };
        let mut slots: Vec<_> = state.slots.iter().flatten().collect();
        slots.sort_by_key(|slot| is_deaf(slot));
        slots.truncate(2);
        slots.sort_by_key(|slot| slot.market.venue.index());
        let mut venues = slots.into_iter().map(|slot| (slot.market.venue, slot.taker_fee));
        let first = venues.next()?;
        let second = venues.next().unwrap_or(first);
        let limit = state.scale.price(dust.mark).unwrap_or(Price(0));
        let leg = |(venue, fee): (VenueId, Bps), side| Leg {
            venue,
            side,
            limit,
            qty: Qty::ZERO,
            notional: Notional(0),
            fee,
        };
        Some(Plan {
            symbol,
            buy: leg(first, Side::Buy),
            sell: leg(second, Side::Sell),
            expected: Decimal::ZERO,
            net_edge: Bps::ZERO,
        })
    }
}
