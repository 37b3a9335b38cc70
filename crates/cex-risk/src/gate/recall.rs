//! What earlier runs did counts: the day's losses, pauses, breakers and trips do not begin anew with a restart.

use super::{ArbitrageId, CycleEnd, CycleSums, Gate, Open};
use crate::dust::Dust;
use crate::trip::Trip;
use cex_core::{Decimal, Fill, NumError, Side, Symbol, SymbolId, Timestamp, VenueId};
use std::fmt;

/// Arbitrages of earlier runs have no number in this one.
const EARLIER: ArbitrageId = ArbitrageId(u64::MAX);

/// What the rules that look back stand at: the same for a run and for whoever reads its journal. Money in quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Profit of the day (UTC).
    pub day_profit: Decimal,
    /// Profit of the hour.
    pub hour_profit: Decimal,
    /// Profit of all days.
    pub total: Decimal,
    /// Its highest.
    pub peak: Decimal,
    /// Orders of openings today.
    pub orders_today: u32,
    /// What they may have moved.
    pub notional_today: Decimal,
    /// Value left over in all, since an operator last looked.
    pub dust: Decimal,
}

impl fmt::Display for Standing {
    /// The form that a journal's sessions end with a hash of. Numbers that are equal look equal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day_profit, hour_profit, total, peak, orders_today, notional_today, dust } = self;
        write!(
            f,
            "day {day_profit} hour {hour_profit} total {total} peak {peak} orders {orders_today} notional \
             {notional_today} dust {dust}"
        )
    }
}

/// Tells a gate what happened in earlier runs, in order. Nothing of it is told to people a second time.
#[derive(Debug)]
pub struct Recall<'a>(&'a mut Gate);

impl Drop for Recall<'_> {
    fn drop(&mut self) {
        self.0.untold.clear();
    }
}

impl Recall<'_> {
    /// What all arbitrages before those told one by one came to, and the most that ever was.
    pub fn profit(&mut self, total: Decimal, peak: Decimal) {
        self.0.losses.begin_at(total, peak);
    }

    /// What all arbitrages of a symbol before those told one by one left over, since an operator last looked.
    pub fn left_over(&mut self, id: Option<SymbolId>, symbol: Symbol, dust: Dust) -> Result<(), NumError> {
        self.0.left_over.add(symbol, dust.base, dust.mark, dust.parked)?;
        self.0.value_left_over(id, symbol)
    }

    /// Two orders of an opening left at `at`; what they may have moved.
    pub fn opening(&mut self, at: Timestamp, gross: Decimal) -> Result<(), NumError> {
        self.0.pace.now(at);
        self.0.pace.note(at, gross)?;
        self.0.pace.note(at, Decimal::ZERO)
    }

    /// An arbitrage ended at `at`. `None` for a symbol that is not traded any more: its money counts all the same. `opened`
    /// is what [`Self::opening`] was told of it.
    pub fn end(
        &mut self,
        at: Timestamp,
        symbol: Option<SymbolId>,
        end: CycleEnd,
        sums: CycleSums,
        opened: Option<(Timestamp, Decimal)>,
    ) -> Result<(), NumError> {
        let gate = &mut *self.0;
        if let (CycleEnd::Withheld { .. }, Some((opened_at, gross))) = (end, opened) {
            gate.pace.take_back(opened_at, gross)?;
        }
        let Some(symbol) = symbol else {
            return gate.note_sums(at, None, end, &sums);
        };
        let breaker = &mut gate.symbol(symbol).breaker;
        if end != CycleEnd::Swept && breaker.allows(at) {
            breaker.attempt(at, EARLIER);
        }
        gate.over(at, (EARLIER, symbol), end, &sums)
    }

    /// A rule was tripped.
    pub fn trip(&mut self, trip: Trip) {
        self.0.trip(trip);
    }

    /// An operator looked at what had happened before.
    pub fn acknowledged(&mut self) {
        self.0.acknowledge();
    }
}

impl Gate {
    /// To be told what happened in earlier runs.
    pub const fn recall(&mut self) -> Recall<'_> {
        Recall(self)
    }

    /// What the rules that look back stand at.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let [day_profit, hour_profit, total, peak] = self.losses.standing(now);
        let (orders_today, notional_today) = self.pace.today(now);
        Standing { day_profit, hour_profit, total, peak, orders_today, notional_today, dust: self.dust }
    }

    /// An arbitrage that an earlier run began and did not see to its end. It counts as open, whatever the limits say.
    pub fn adopt(
        &mut self,
        at: Timestamp,
        symbol: SymbolId,
        venues: [VenueId; 2],
        gross: Decimal,
    ) -> ArbitrageId {
        let id = ArbitrageId(self.next_id);
        self.next_id += 1;
        self.open.push(Open { id, symbol, venues, gross, at });
        id
    }

    /// What a fill moves of its symbol's position: what was received or given, a fee taken in base included. A fill of an
    /// earlier run counts too, for an arbitrage that is adopted: accounts have it already.
    pub fn carry(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), NumError> {
        let fee = fill.fee_in(symbol.base)?;
        let moved = match fill.side {
            Side::Buy => fill.qty.checked_sub(fee)?,
            Side::Sell => fill.qty.checked_add(fee)?,
        };
        self.symbol(fill.symbol).traded(fill.side, moved)
    }
}
