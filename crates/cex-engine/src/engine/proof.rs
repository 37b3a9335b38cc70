//! The ledger proves itself: what fills moved is what arbitrages came to, and every reservation has its order.
//!
//! Fills move holdings on one way and arbitrages on another. Both are counted here: what a fill moved is added, what an
//! arbitrage that is over came to is taken off, and what then stays must be what those on the way have booked, to the last
//! digit. Whether the exchanges agree is another question, which reading accounts answers (R32).

use super::Engine;
use crate::execute::OtherFees;
use crate::message::Commands;
use cex_core::{Asset, Decimal, Fill, NumError, Side, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(60);

/// What fills moved and no arbitrage that is over accounts for, by coin, over all venues.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unexplained(BTreeMap<Asset, Decimal>);

impl Unexplained {
    /// This much more of one coin.
    fn add(&mut self, asset: Asset, change: Decimal) -> Result<(), NumError> {
        let sum = self.0.get(&asset).copied().unwrap_or_default().checked_add(change)?;
        // A coin of which nothing is left unexplained is not in it, so that equal is equal.
        if sum.is_zero() {
            self.0.remove(&asset);
        } else {
            self.0.insert(asset, sum);
        }
        Ok(())
    }

    /// This much more base and quote, and less of the coins that fees were taken in beside them.
    fn moved(
        &mut self,
        symbol: Symbol,
        (base, quote): (Decimal, Decimal),
        other_fees: &OtherFees,
    ) -> Result<(), NumError> {
        self.add(symbol.base, base)?;
        self.add(symbol.quote, quote)?;
        other_fees.iter().try_for_each(|(asset, fee)| self.add(asset, fee.negated()?))
    }

    /// What an arbitrage that is over came to.
    pub(super) fn explain(
        &mut self,
        symbol: Symbol,
        (base, quote): (Decimal, Decimal),
        other_fees: &OtherFees,
    ) -> Result<(), NumError> {
        self.add(symbol.base, base.negated()?)?;
        self.add(symbol.quote, quote.negated()?)?;
        other_fees.iter().try_for_each(|(asset, fee)| self.add(asset, fee))
    }

    /// What a fill moved.
    pub(super) fn fill(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), NumError> {
        let (changes, other_fees) = moved(symbol, fill)?;
        self.moved(symbol, changes, &other_fees)
    }

    /// A fill that no arbitrage will account for.
    pub(super) fn forget(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), NumError> {
        let (changes, other_fees) = moved(symbol, fill)?;
        self.explain(symbol, changes, &other_fees)
    }
}

/// Base and quote that a fill moved, fees in them included, and its fees in other coins.
pub(super) fn moved(symbol: Symbol, fill: &Fill) -> Result<((Decimal, Decimal), OtherFees), NumError> {
    let (qty, notional) = (fill.qty, fill.notional()?);
    let (base, quote) = match fill.side {
        Side::Buy => (qty, notional.negated()?),
        Side::Sell => (qty.negated()?, notional),
    };
    let mut other_fees = OtherFees::default();
    other_fees.add_fill(symbol, fill)?;
    let quote = quote.checked_sub(fill.fee_in(symbol.quote)?)?;
    Ok(((base.checked_sub(fill.fee_in(symbol.base)?)?, quote), other_fees))
}

impl Engine {
    pub(super) fn wake_proof(&mut self, now: Timestamp, out: &mut Commands) {
        if now < self.proof_at {
            return;
        }
        self.proof_at = now + EVERY;
        // Whoever has to look at an alarm needs no second one for the same.
        if let Some(what) = self.contradiction().filter(|_| !self.killed) {
            self.alarm(what, out);
        }
    }

    /// What of the ledger does not add up.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let known = |order| {
            let runs = self.arbitrages.orders().filter(|run| !run.closed);
            runs.map(|run| run.request.client_id).any(|open| open == order)
                || self.starting.iter().any(|starting| starting.has(order))
        };
        if self.gate.funds().orders().any(|order| !known(order)) {
            return Some("a reservation belongs to no order on its way");
        }
        match self.on_the_way() {
            Ok(explained) if explained == self.unexplained => None,
            Ok(_) | Err(_) => Some("what fills moved is not what arbitrages came to"),
        }
    }

    /// What arbitrages on the way have booked, and fills whose order may yet turn up.
    fn on_the_way(&self) -> Result<Unexplained, NumError> {
        let mut sum = Unexplained::default();
        for arbitrage in self.arbitrages.iter() {
            let Some(state) = self.symbol(arbitrage.symbol) else { continue };
            sum.moved(state.symbol, arbitrage.changes()?, &arbitrage.other_fees()?)?;
        }
        for fill in &self.orphans {
            let Some(state) = self.symbol(fill.symbol) else { continue };
            sum.fill(state.symbol, fill)?;
        }
        Ok(sum)
    }
}
