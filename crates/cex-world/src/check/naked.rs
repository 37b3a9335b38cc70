//! I6: by the exchanges' ledgers, no arbitrage stays half done for long without anybody being told.

use super::{Checks, Invariant};
use crate::plan::ACCOUNT;
use cex_core::{ClientOrderId, Decimal, NumError, Side, Timestamp};
use cex_sim::server::{LedgerFill, SimExchange};
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
    /// What the fills so far sum up to, by arbitrage.
    sums: BTreeMap<u64, Sum>,
    /// How many fills of each exchange's ledger are read: it only ever grows.
    read: [usize; SimExchange::ALL.len()],
    /// Fills of orders that are not known to have left, with their places in the ledgers.
    unknown: Vec<(Place, LedgerFill)>,
}

/// A fill's place in the ledgers: whose, and how many before it.
type Place = (usize, usize);

/// What the fills of an arbitrage sum up to.
#[derive(Debug, Default)]
struct Sum {
    /// Base bought less base sold.
    base: Decimal,
    /// ... and less what fees took of it.
    kept: Decimal,
    /// The price of the last of them in the order of the ledgers, and where that is.
    price: Decimal,
    priced_at: Place,
}

impl Sum {
    fn add(&mut self, place: Place, fill: &LedgerFill) -> Result<(), NumError> {
        self.base = match fill.side {
            Side::Buy => self.base.checked_add(fill.qty)?,
            Side::Sell => self.base.checked_sub(fill.qty)?,
        };
        let fee = if fill.fee_asset == fill.symbol.base { fill.fee } else { Decimal::ZERO };
        self.kept = match fill.side {
            Side::Buy => self.kept.checked_add(fill.qty)?,
            Side::Sell => self.kept.checked_sub(fill.qty)?,
        }
        .checked_sub(fee)?;
        if place >= self.priced_at {
            (self.price, self.priced_at) = (fill.price, place);
        }
        Ok(())
    }

    /// In quote.
    fn worth(&self) -> Result<Decimal, NumError> {
        self.base.checked_mul(self.price)
    }
}

impl Nakedness {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            next_look: now,
            excused_until: now,
            since: BTreeMap::new(),
            is_alarmed: false,
            sums: BTreeMap::new(),
            read: [0; SimExchange::ALL.len()],
            unknown: Vec::new(),
        }
    }

    /// What an arbitrage has moved of its base so far, by the fills that were read.
    pub(super) fn kept(&self, number: u64) -> Decimal {
        self.sums.get(&number).map_or(Decimal::ZERO, |sum| sum.kept)
    }

    /// When the ledgers are to be looked at next.
    pub(super) const fn next_look(&self) -> Timestamp {
        self.next_look
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
    /// Looks for legs that stand alone. While an exchange that `refused` calls is asked nothing, none can be closed there.
    pub(crate) fn look(&mut self, now: Timestamp, world: &World, refused: bool) {
        self.naked.next_look = now + LOOK_EVERY;
        if world.is_at_fault() || refused {
            self.naked.excuse_until(now);
        }
        match self.read_fills(world).and_then(|()| self.naked_of_open()) {
            Ok(naked) => self.count_naked(now, &naked),
            Err(error) => self.harness(now, format!("a ledger does not add up: {error}")),
        }
    }

    /// What is on the way and stands on one leg, with its worth in quote.
    fn naked_of_open(&self) -> Result<BTreeMap<u64, Decimal>, NumError> {
        let mut naked = BTreeMap::new();
        for number in self.open.keys() {
            let Some(sum) = self.naked.sums.get(number) else { continue };
            let worth = sum.worth()?;
            if worth.abs()? >= Decimal::from(DUST) {
                naked.insert(*number, worth);
            }
        }
        Ok(naked)
    }

    fn count_naked(&mut self, now: Timestamp, naked: &BTreeMap<u64, Decimal>) {
        self.naked.since.retain(|number, _| naked.contains_key(number));
        for (number, worth) in naked {
            let since = *self.naked.since.entry(*number).or_insert(now);
            let counted_from = since.max(self.naked.excused_until);
            if now.since(counted_from) > NAKED_MAX && !self.naked.is_alarmed {
                let what = format!("arbitrage {number} is naked by {worth} since {since}");
                self.violate(Invariant::I6, now, what);
            }
        }
    }

    /// At the end: nothing that is over stands on one leg, unless somebody was told.
    pub(super) fn check_level(&mut self, now: Timestamp, world: &World) -> Result<(), NumError> {
        self.read_fills(world)?;
        for (number, sum) in std::mem::take(&mut self.naked.sums) {
            let worth = sum.worth()?;
            if worth.abs()? >= Decimal::from(DUST) && !self.parked.contains(&number) && !self.naked.is_alarmed
            {
                let what = format!("arbitrage {number} is over, naked by {worth}, and nobody was told");
                self.violate(Invariant::I6, now, what);
            }
        }
        Ok(())
    }

    /// Adds what the ledgers have more than at the last look.
    pub(super) fn read_fills(&mut self, world: &World) -> Result<(), NumError> {
        let mut fills = std::mem::take(&mut self.naked.unknown);
        for (at, (exchange, read)) in SimExchange::ALL.into_iter().zip(&mut self.naked.read).enumerate() {
            for fill in world.fills_after(exchange, ACCOUNT, *read) {
                fills.push(((at, *read), fill));
                *read += 1;
            }
        }
        for (place, fill) in fills {
            match client_id(&fill).and_then(|id| self.sent.get(&id)) {
                Some(sent) => self.naked.sums.entry(sent.of).or_default().add(place, &fill)?,
                None => self.naked.unknown.push((place, fill)),
            }
        }
        Ok(())
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
