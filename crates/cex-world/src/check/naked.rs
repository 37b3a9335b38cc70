//! I6: by the exchanges' ledgers, no arbitrage stays half done for long without anybody being told.

use super::{Checks, Invariant};
use cex_core::{ClientOrderId, Decimal, NumError, Side, Timestamp};
use cex_sim::server::LedgerFill;
use cex_sim::world::World;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the ledgers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a leg may stand alone once nothing is wrong any more: a lost placement is found out after its timeout of 10 s,
/// is proven absent after its expiry, the exchange's lag and two questions 2 s apart, and closing may take 6 s.
const NAKED_MAX: Duration = Duration::from_secs(25);

/// Below the least notional nothing can be traded away: that much is dust.
const DUST: i64 = 5;

/// Since when arbitrages stand on one leg.
#[derive(Debug)]
pub(super) struct Nakedness {
    next_look: Timestamp,
    /// Something was wrong until then.
    excused_until: Timestamp,
    since: BTreeMap<u64, Timestamp>,
    is_alarmed: bool,
}

impl Nakedness {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { next_look: now, excused_until: now, since: BTreeMap::new(), is_alarmed: false }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.next_look
    }

    pub(super) fn excuse_until(&mut self, until: Timestamp) {
        self.excused_until = self.excused_until.max(until);
    }

    /// Somebody was told, and nothing is opened any more.
    pub(super) const fn alarmed(&mut self) {
        self.is_alarmed = true;
    }
}

impl Checks {
    pub(super) fn look_for_naked(&mut self, now: Timestamp, world: &World) {
        self.naked.next_look = now + LOOK_EVERY;
        if !world.faults().is_empty() {
            self.naked.excuse_until(now);
        }
        let residuals = match self.residuals(world) {
            Ok(residuals) => residuals,
            Err(error) => return self.harness(now, format!("a ledger does not add up: {error}")),
        };
        for (number, worth) in residuals {
            let is_naked = worth.abs().is_ok_and(|worth| worth >= Decimal::from(DUST));
            if !is_naked || !self.open.contains_key(&number) {
                self.naked.since.remove(&number);
                continue;
            }
            let since = *self.naked.since.entry(number).or_insert(now);
            let counted_from = since.max(self.naked.excused_until);
            if now.since(counted_from) > NAKED_MAX && !self.naked.is_alarmed {
                let what = format!("arbitrage {number} is naked by {worth} since {since}");
                self.violate(Invariant::I6, now, what);
            }
        }
    }

    /// At the end: nothing that is over stands on one leg, unless somebody was told.
    pub(super) fn check_level(&mut self, now: Timestamp, world: &World) -> Result<(), NumError> {
        for (number, worth) in self.residuals(world)? {
            if worth.abs()? >= Decimal::from(DUST) && !self.parked.contains(&number) && !self.naked.is_alarmed
            {
                let what = format!("arbitrage {number} is over, naked by {worth}, and nobody was told");
                self.violate(Invariant::I6, now, what);
            }
        }
        Ok(())
    }

    /// What each arbitrage bought more than it sold, in quote, by the exchanges' ledgers.
    fn residuals(&self, world: &World) -> Result<BTreeMap<u64, Decimal>, NumError> {
        let ledger = world.ledger();
        let mut sums: BTreeMap<u64, (Decimal, Decimal)> = BTreeMap::new();
        for fill in ledger.accounts.iter().flat_map(|account| &account.fills) {
            let Some(sent) = client_id(fill).and_then(|id| self.sent.get(&id)) else { continue };
            let (sum, price) = sums.entry(sent.of).or_default();
            *sum = match fill.side {
                Side::Buy => sum.checked_add(fill.qty)?,
                Side::Sell => sum.checked_sub(fill.qty)?,
            };
            *price = fill.price;
        }
        sums.into_iter().map(|(number, (sum, price))| Ok((number, sum.checked_mul(price)?))).collect()
    }
}

/// Our id of the order of a fill; Gate.io spells it with a prefix of its own.
pub(super) fn client_id(fill: &LedgerFill) -> Option<ClientOrderId> {
    ours(&fill.client_id)
}

/// Our id as an exchange spells it.
pub(super) fn ours(spelt: &str) -> Option<ClientOrderId> {
    ClientOrderId::new(spelt.strip_prefix("t-").unwrap_or(spelt))
}
