//! What must hold at the end of a run: I2, I3, I4, I5, and I10 when the faults have stopped.

use super::naked::{client_id, ours};
use super::{Checks, Invariant};
use crate::day::Day;
use cex_arb::run::proof::prove;
use cex_core::{Asset, ClientOrderId, Decimal, NumError, Side, Timestamp, VenueId};
use cex_engine::Verdict;
use cex_risk::trip::{SYMBOL_FAILURES, VENUE_FAILURES};
use cex_risk::{Limits, Mode, Trip, Until};
use cex_sim::server::{AccountLedger, Ledger};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An order on its way may take this long while nothing is wrong.
const USUAL: Duration = Duration::from_secs(15);

/// What counts over a day, or over an hour, is over with it.
const DAY: Duration = Duration::from_secs(86_400);

/// What a process has tried to open so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    /// Which process.
    restarts: u32,
    opened: u64,
    /// Opportunities that ended while a breaker was in their way.
    broken: u64,
}

impl Day {
    /// I10: the faults stopped a while ago, and `before` is from some seconds ago.
    pub(crate) fn check_recovered(&mut self, before: Option<Tried>) {
        let (now, mut wrong) = (self.now(), self.not_recovered());
        wrong.extend(before.and_then(|before| self.never_tries(before)));
        if !wrong.is_empty() {
            self.desk.checks.violate(Invariant::I10, now, wrong.join("; "));
        }
    }

    /// Whether all works.
    pub(crate) fn is_recovered(&self) -> bool {
        self.not_recovered().is_empty()
    }

    /// What does not work.
    fn not_recovered(&self) -> Vec<String> {
        let now = self.now();
        let view = self.desk.engine.view(now);
        let mut wrong: Vec<String> = Vec::new();
        if !self.is_up() {
            wrong.push("no process is there that trades".to_owned());
        }
        for venue in &view.venues {
            if venue.books_live.0 != venue.books_live.1 {
                wrong.push(format!("{} books live {:?}", venue.venue, venue.books_live));
            }
            if !venue.account_ready {
                wrong.push(format!("{} account not ready", venue.venue));
            }
        }
        if view.unknown > 0 {
            wrong.push(format!("{} arbitrages unknown", view.unknown));
        }
        let stuck = self.desk.checks.open.values().filter(|open| now.since(open.since) > USUAL).count();
        if stuck > 0 {
            wrong.push(format!("{stuck} arbitrages stuck"));
        }
        if view.mode != Mode::Active {
            wrong.push(format!("the mode is {}", view.mode));
        }
        if view.killed {
            wrong.push("the kill switch is on".to_owned());
        }
        let limits = &self.desk.checks.limits;
        let held = view.trips.iter().filter(|trip| !may_still_run(now, trip, limits));
        wrong.extend(held.map(|trip| format!("{trip}, long after the faults have stopped")));
        wrong
    }

    /// What this process has tried so far.
    pub(crate) fn tried(&self) -> Tried {
        let ended = self.desk.engine.view(self.now()).totals.opportunities;
        let broken = ["breaker_open", "symbol_breaker_open"].map(Verdict::Refused);
        Tried {
            restarts: self.life.restarts,
            opened: self.desk.checks.counts.opened,
            broken: broken.iter().filter_map(|verdict| ended.get(verdict)).sum(),
        }
    }

    /// A breaker lets one attempt through after its pause. What it told may be over: what counts is what it does.
    fn never_tries(&self, before: Tried) -> Option<String> {
        let after = self.tried();
        let refused = after.broken.saturating_sub(before.broken);
        let is_stuck = after.restarts == before.restarts && after.opened == before.opened && refused > 0;
        is_stuck.then(|| format!("a breaker refused {refused} times, and nothing was tried"))
    }

    /// Everything has ended: the books are closed.
    pub(crate) fn close(&mut self) {
        let now = self.now();
        let ledger = self.world.ledger();
        if !self.desk.engine.is_idle() {
            let view = self.desk.engine.view(now);
            let what = format!("{} arbitrages still open, {} of them unknown", view.open, view.unknown);
            self.desk.checks.violate(Invariant::I10, now, what);
        }
        self.check_placements(now, &ledger);
        let level = self.desk.checks.check_level(now, &self.world);
        let swept = self.marks_of_swept();
        if let Err(error) = level.and_then(|()| self.check_money(now, &ledger, &swept)) {
            self.desk.checks.harness(now, format!("the ledgers do not add up: {error}"));
        }
        for fired in self.world.fired() {
            let kind: String = fired.fault.split(": ").last().unwrap_or_default().to_owned();
            let kind: String = kind.split(',').next().unwrap_or_default().to_owned();
            let kind: String = kind.chars().filter(|char| !char.is_ascii_digit()).take(24).collect();
            *self.desk.checks.counts.faults.entry(kind.trim().to_owned()).or_default() += 1;
        }
        self.check_journal(now, &ledger);
        self.desk.checks.counts.steps = self.desk.trace.steps();
    }

    /// I2, and that no order is there that we did not send.
    fn check_placements(&mut self, now: Timestamp, ledger: &Ledger) {
        let checks = &mut self.desk.checks;
        let last = self.places.iter_mut().map(|place| std::mem::take(&mut place.rest.placements));
        last.for_each(|placements| checks.left(placements));
        for (client_id, times) in std::mem::take(&mut checks.placements) {
            if times > 1 {
                checks.violate(Invariant::I2, now, format!("{client_id} left {times} times"));
            }
        }
        let mut accepted: BTreeMap<ClientOrderId, u32> = BTreeMap::new();
        for order in ledger.accounts.iter().flat_map(|account| &account.orders) {
            let Some(id) = ours(&order.client_id).filter(|id| checks.sent.contains_key(id)) else {
                checks.violate(Invariant::I2, now, format!("an order nobody sent: {order:?}"));
                continue;
            };
            *accepted.entry(id).or_default() += 1;
        }
        for (id, times) in accepted {
            if times > 1 {
                checks.violate(Invariant::I2, now, format!("{id} was accepted {times} times"));
            }
        }
    }

    fn check_money(
        &mut self,
        now: Timestamp,
        ledger: &Ledger,
        swept: &BTreeMap<ClientOrderId, Decimal>,
    ) -> Result<(), NumError> {
        let other_fee = self.other_fees_written();
        let operators = self.orders_of_operators(ledger);
        let is_first = self.life.restarts == 0;
        let holdings = self.desk.engine.holdings();
        let holdings: BTreeMap<(VenueId, Asset), Decimal> =
            holdings.into_iter().map(|(venue, asset, held)| ((venue, asset), held)).collect();
        let ids = self.places.iter().map(|place| place.id);
        let ledgers: Vec<(VenueId, &AccountLedger)> = ids.zip(&ledger.accounts).collect();
        let totals = self.desk.engine.view(now).totals;
        let total = self.desk.engine.standing(now).total;
        let reserved = self.desk.engine.reserved();
        let checks = &mut self.desk.checks;
        checks.counts.fills = ledger.accounts.iter().map(|account| account.fills.len() as u64).sum();
        for account in &ledger.accounts {
            for (asset, off) in bank_test(account)? {
                let what = format!("{} is off by {off} {asset} in its own books", account.exchange);
                checks.violate(Invariant::I4, now, what);
            }
        }
        for (venue, asset, amount) in reserved {
            let what = format!("{amount} {asset} at {venue} are reserved, and nothing is on the way");
            checks.violate(Invariant::I4, now, what);
        }
        // What traded leftovers away has no buying leg: what it is valued at is in its end.
        let legless = |id: &ClientOrderId| swept.get(id).copied();
        let marks = checks.sent.iter();
        let marks: BTreeMap<ClientOrderId, Decimal> =
            marks.map(|(id, sent)| (*id, legless(id).unwrap_or(sent.mark))).collect();
        let all = ledgers.iter().map(|(venue, _)| *venue).collect();
        let proof = prove(&ledgers, &marks, &holdings, &all)?;
        for mismatch in &proof.mismatches {
            checks.violate(Invariant::I4, now, format!("holdings differ: {mismatch:?}"));
        }
        let profit = proof.profit.checked_sub(came_to(ledger, &operators, &marks)?)?;
        // Earlier processes' profit is known to the rules only, and theirs leave out fills that came late.
        let ours = if is_first { totals.realised } else { total };
        // Fees in an exchange's own coin are in our profit by what they count as, and in the ledgers in that coin.
        let other_fee = if is_first { totals.other_fee } else { other_fee };
        if profit != ours.checked_add(other_fee)? {
            let what = format!("we say {ours} and {other_fee} of fees, the ledgers say {profit}");
            checks.violate(Invariant::I5, now, what);
        }
        if totals.late_fills == 0 {
            checks.check_outcomes(now, ledger)?;
        }
        Ok(())
    }
}

impl Checks {
    /// I3: what every arbitrage is said to have moved is what its orders' fills moved, by the ledgers.
    fn check_outcomes(&mut self, now: Timestamp, ledger: &Ledger) -> Result<(), NumError> {
        let mut moved: BTreeMap<ClientOrderId, (Decimal, Decimal)> = BTreeMap::new();
        let mut beside: BTreeMap<ClientOrderId, BTreeMap<Asset, Decimal>> = BTreeMap::new();
        for fill in ledger.accounts.iter().flat_map(|account| &account.fills) {
            let Some(id) = client_id(fill) else { continue };
            let (base, quote) = moved.entry(id).or_default();
            let (gets, gives) = match fill.side {
                Side::Buy => (fill.qty, fill.notional),
                Side::Sell => (fill.qty.negated()?, fill.notional.negated()?),
            };
            *base = base.checked_add(gets)?;
            *quote = quote.checked_sub(gives)?;
            if fill.fee_asset == fill.symbol.base {
                *base = base.checked_sub(fill.fee)?;
            } else if fill.fee_asset == fill.symbol.quote {
                *quote = quote.checked_sub(fill.fee)?;
            } else {
                let sum = beside.entry(id).or_default().entry(fill.fee_asset).or_default();
                *sum = sum.checked_add(fill.fee)?;
            }
        }
        for outcome in std::mem::take(&mut self.outcomes) {
            let mut sums = (Decimal::ZERO, Decimal::ZERO);
            for (base, quote) in outcome.orders.iter().filter_map(|order| moved.get(order)) {
                sums = (sums.0.checked_add(*base)?, sums.1.checked_add(*quote)?);
            }
            let mut fees: BTreeMap<Asset, Decimal> = BTreeMap::new();
            for (asset, fee) in outcome.orders.iter().filter_map(|order| beside.get(order)).flatten() {
                let sum = fees.entry(*asset).or_default();
                *sum = sum.checked_add(*fee)?;
            }
            let ours: BTreeMap<Asset, Decimal> = outcome.other_fees.iter().collect();
            if fees != ours || ours.is_empty() != outcome.other_fee.is_zero() {
                let what = format!(
                    "arbitrage {:?} was charged {ours:?}, which counts as {}; by the ledgers {fees:?}",
                    outcome.id, outcome.other_fee
                );
                self.violate(Invariant::I3, now, what);
            }
            if sums != (outcome.base_change, outcome.quote_change) {
                let ours = (outcome.base_change, outcome.quote_change);
                let what = format!("arbitrage {:?} moved {ours:?}, by the ledgers {sums:?}", outcome.id);
                self.violate(Invariant::I3, now, what);
            }
        }
        Ok(())
    }
}

/// Whether a trip may be in force though nothing was wrong for a while: what counts over an hour or a day, the pause of a symbol. What
/// waits for an operator has been looked at, and a breaker that opens anew means that orders still fail.
fn may_still_run(now: Timestamp, trip: &Trip, limits: &Limits) -> bool {
    let Until::Time(until) = trip.until else { return false };
    let longest = match trip.rule {
        VENUE_FAILURES | SYMBOL_FAILURES => return false,
        "day_orders" | "day_notional" | "hour_loss" | "day_loss" => DAY,
        "minute_orders" => Duration::from_secs(1),
        "quarantine" | "audit" => limits.quarantine,
        _other => limits.breaker_pause,
    };
    until <= now + longest
}

/// What fills of these orders came to, with their base at its mark, as the proof reckons.
fn came_to(
    ledger: &Ledger,
    orders: &BTreeSet<ClientOrderId>,
    marks: &BTreeMap<ClientOrderId, Decimal>,
) -> Result<Decimal, NumError> {
    let mut sum = Decimal::ZERO;
    for fill in ledger.accounts.iter().flat_map(|account| &account.fills) {
        let Some(id) = client_id(fill).filter(|id| orders.contains(id)) else { continue };
        let (base, quote) = match fill.side {
            Side::Buy => (fill.qty, fill.notional.negated()?),
            Side::Sell => (fill.qty.negated()?, fill.notional),
        };
        let fee_in = |asset: Asset| if fill.fee_asset == asset { fill.fee } else { Decimal::ZERO };
        let base = base.checked_sub(fee_in(fill.symbol.base))?;
        let quote = quote.checked_sub(fee_in(fill.symbol.quote))?;
        let mark = marks.get(&id).copied().unwrap_or(fill.price);
        sum = sum.checked_add(quote)?.checked_add(base.checked_mul(mark)?)?;
    }
    Ok(sum)
}

/// I4: what was there, plus what fills moved, less fees, is what is there. Answers the assets of which it is not.
fn bank_test(account: &AccountLedger) -> Result<Vec<(Asset, Decimal)>, NumError> {
    let mut left: BTreeMap<Asset, Decimal> = BTreeMap::new();
    let mut add = |asset: Asset, amount: Decimal| -> Result<(), NumError> {
        let sum = left.entry(asset).or_default();
        *sum = sum.checked_add(amount)?;
        Ok(())
    };
    for (asset, amount) in &account.deposits {
        add(*asset, *amount)?;
    }
    for fill in &account.fills {
        let (base, quote) = match fill.side {
            Side::Buy => (fill.qty, fill.notional.negated()?),
            Side::Sell => (fill.qty.negated()?, fill.notional),
        };
        add(fill.symbol.base, base)?;
        add(fill.symbol.quote, quote)?;
        add(fill.fee_asset, fill.fee.negated()?)?;
    }
    for (asset, free, locked) in &account.balances {
        add(*asset, free.checked_add(*locked)?.negated()?)?;
    }
    Ok(left.into_iter().filter(|(_, off)| !off.is_zero()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Options, Schedule};
    use cex_arb::run::answers::Keeper as _;
    use cex_engine::Event;
    use cex_risk::Scope;

    #[test]
    fn a_day_in_which_nothing_may_be_opened_is_not_one_in_which_all_works() {
        let starts_at = Timestamp::from_secs(1_800_000_000);
        let schedule = Schedule { starts_at, faults_from: starts_at, calm_from: starts_at, kill_at: None };
        let mut day = Day::new(1, &Options::default(), &schedule).expect("a quiet world");
        day.run_until(day.now() + Duration::from_secs(5));
        assert_eq!(day.not_recovered(), Vec::<String>::new());
        let venue = day.places[0].id;
        for (event, what) in [
            (Event::Mode(Mode::CloseOnly), "the mode is close_only"),
            (Event::Kill, "the kill switch is on"),
            (Event::ShutOut { venue, rule: "banned" }, "rule banned stopped openings at"),
        ] {
            day.feed(event);
            let wrong = day.not_recovered();
            assert!(wrong.len() == 1 && wrong[0].contains(what), "{wrong:?}");
            day.feed(Event::Acknowledge);
            day.feed(Event::Mode(Mode::Active));
            assert!(day.is_recovered(), "{what}: {:?}", day.not_recovered());
        }
    }

    #[test]
    fn a_trip_outlasts_the_faults_only_as_long_as_its_rule_says() {
        let now = Timestamp::from_secs(1_000);
        let limits = Limits { breaker_pause: Duration::from_secs(5), ..Limits::boundless() };
        let runs = |rule, until| may_still_run(now, &Trip { rule, scope: Scope::All, until }, &limits);
        let after = |secs| Until::Time(now + Duration::from_secs(secs));
        assert!(
            runs("day_loss", after(80_000)) && runs("latency", after(5)) && runs("minute_orders", after(1))
        );
        assert!(
            !runs("latency", after(6)) && !runs("minute_orders", after(2)) && !runs("quarantine", after(1))
        );
        assert!(!runs(VENUE_FAILURES, after(1)) && !runs("cycle_loss", Until::Operator));
    }
}
