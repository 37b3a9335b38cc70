//! What ended arbitrages left over is traded away at the end of a run, when an operator wants to hold none of it.

use super::Engine;
use crate::execute::{Arbitrage, Carried, Ending, Leveling};
use cex_core::{Bps, Decimal, Leg, Notional, Plan, Qty, Side, SymbolId, Timestamp};

/// What arbitrages of a symbol left over in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leftover {
    /// Bought less sold, in base.
    base: Decimal,
    /// Of the last of them: between which venues, and what leftovers are valued at.
    plan: Plan,
    mark: Decimal,
}

impl Engine {
    /// An arbitrage ended with a difference that stays in inventory.
    pub(super) fn note_left_over(&mut self, arbitrage: &Arbitrage, ending: Ending) {
        match ending {
            Ending::Dust | Ending::Parked => {}
            Ending::BothFilled | Ending::NoneFilled | Ending::Withheld | Ending::Unwound => return,
        }
        let Ok(residual) = arbitrage.residual() else { return };
        let (plan, mark) = (arbitrage.plan, arbitrage.mark);
        let known = self.leftovers.get(&arbitrage.symbol).map_or(Decimal::ZERO, |left| left.base);
        // What does not fit is far more than an arbitrage can leave; the holdings' own check has raised the alarm.
        let base = known.checked_add(residual).unwrap_or(residual);
        self.leftovers.insert(arbitrage.symbol, Leftover { base, plan, mark });
    }

    /// Makes an arbitrage without legs of what is left over in each symbol: it is levelled like any other.
    pub(super) fn flatten(&mut self, now: Timestamp, give: Bps) {
        for (symbol, left) in std::mem::take(&mut self.leftovers) {
            if left.base.is_zero() {
                continue;
            }
            let venues = [left.plan.buy.venue, left.plan.sell.venue];
            let id = self.gate.adopt(now, symbol, venues, Decimal::ZERO);
            self.marks.insert(id, left.mark);
            self.arbitrages.insert(Arbitrage {
                id,
                symbol,
                plan: of_nothing(symbol, &left.plan),
                orders: Vec::new(),
                mark: left.mark,
                started_at: now,
                leveling: Some(Leveling { by: now + self.config.max_naked, next_at: now }),
                carried: Some(Carried { base: left.base, give }),
            });
        }
    }
}

/// A plan between the same venues that trades nothing.
fn of_nothing(symbol: SymbolId, plan: &Plan) -> Plan {
    let leg = |leg: &Leg, side: Side| Leg { side, qty: Qty::ZERO, notional: Notional(0), ..*leg };
    Plan {
        symbol,
        buy: leg(&plan.buy, Side::Buy),
        sell: leg(&plan.sell, Side::Sell),
        expected: Decimal::ZERO,
        net_edge: Bps::ZERO,
    }
}
