//! The rules of an opening, from cheap to dear. The first that is broken refuses it; the mode is the last of them.

use super::{BookFacts, Conditions, Gate, JournalState};
use crate::funds::FundsError;
use crate::limits::MAX_VENUE_LEAD;
use crate::mode::Mode;
use crate::pace::Recent;
use crate::refusal::Refusal;
use crate::stops::Stops;
use crate::trip::{Scope, Trip, Until};
use crate::venue::Wallet;
use cex_core::{Asset, Bps, ClientOrderId, Decimal, Leg, Notional, NumError, Plan, Side, Timestamp, VenueId};
use std::time::Duration;

impl Gate {
    /// Checks everything but the balances; what the legs come to.
    pub(super) fn check(
        &mut self,
        now: Timestamp,
        plan: &Plan,
        conditions: &Conditions,
    ) -> Result<[Amounts; 2], Refusal> {
        self.check_standing(now, plan)?;
        self.check_ages(now, plan, conditions)?;
        self.check_edge(now, plan)?;
        self.check_collars(plan, conditions)?;
        self.check_wallets(now, plan, conditions)?;
        let amounts = [Amounts::of(&plan.buy, conditions)?, Amounts::of(&plan.sell, conditions)?];
        for (leg, Amounts { notional, .. }) in [&plan.buy, &plan.sell].into_iter().zip(amounts) {
            let max = self.limits.max_leg_notional;
            if notional > max {
                return Err(Refusal::LegNotional { notional, max });
            }
            self.check_rate(now, leg.venue, plan)?;
        }
        let gross = gross(&amounts)?;
        self.check_totals(now, gross)?;
        self.check_exposure(plan, conditions, amounts[0].qty, gross)?;
        self.check_inventory(plan, &amounts)?;
        // Last, so that whoever only watches sees what else stands in the way. Nothing has been counted or reserved so far.
        if self.mode == Mode::Active { Ok(amounts) } else { Err(Refusal::Mode(self.mode)) }
    }

    /// Who stands in the way: kill switch, journal, tripped rules, breakers, unknown orders, pauses (R1, R2, R15, R23 to R27,
    /// R33, R34).
    fn check_standing(&mut self, now: Timestamp, plan: &Plan) -> Result<(), Refusal> {
        if self.kill.is_thrown() {
            return Err(Refusal::KillSwitch);
        }
        match self.journal {
            JournalState::Well => {}
            JournalState::Behind => return Err(Refusal::Journal { what: "behind" }),
            JournalState::Failed => return Err(Refusal::Journal { what: "failed" }),
        }
        in_force(&mut self.stops, now)?;
        for venue in [plan.buy.venue, plan.sell.venue] {
            let max = self.limits.max_unknown;
            let state = self.venue(venue);
            in_force(&mut state.stops, now)?;
            if !state.breaker.allows(now) {
                return Err(Refusal::BreakerOpen { venue });
            }
            let unknown = state.unknown;
            if unknown >= max {
                return Err(Refusal::UnknownOrders { venue, unknown, max });
            }
        }
        let max_dust = [(self.dust, self.limits.max_dust)];
        let (limits, symbol) = self.symbol_with_limits(plan.symbol);
        if let Some(why) = symbol.blocked {
            return Err(Refusal::Symbol { why });
        }
        in_force(&mut symbol.stops, now)?;
        let rests_until = symbol.rests_until();
        if rests_until > now {
            return Err(Refusal::Cooldown { left_ms: millis(rests_until.since(now)) });
        }
        if !symbol.breaker.allows(now) {
            return Err(Refusal::SymbolBreakerOpen);
        }
        let mut left_over = max_dust.into_iter().chain([(symbol.dust, limits.max_symbol_dust)]);
        if let Some((dust, max)) = left_over.find(|(dust, max)| dust > max) {
            return Err(Refusal::Dust { dust, max });
        }
        self.check_open(plan)
    }

    fn check_open(&self, plan: &Plan) -> Result<(), Refusal> {
        let (open, max) = (self.open_count(), self.limits.max_open);
        if open >= max {
            return Err(Refusal::TooManyOpen { open, max });
        }
        let count = |test: &dyn Fn(&super::Open) -> bool| {
            u32::try_from(self.open.iter().filter(|open| test(open)).count()).unwrap_or(u32::MAX)
        };
        let (open, max) = (count(&|open| open.symbol == plan.symbol), self.limits.max_open_per_symbol);
        if open >= max {
            return Err(Refusal::SymbolBusy { open, max });
        }
        for venue in [plan.buy.venue, plan.sell.venue] {
            let (open, max) = (count(&|open| open.venues.contains(&venue)), self.limits.max_open_per_venue);
            if open >= max {
                return Err(Refusal::VenueBusy { venue, open, max });
            }
        }
        Ok(())
    }

    /// Books that are new enough to decide on (R7, R8, R9).
    fn check_ages(&self, now: Timestamp, plan: &Plan, conditions: &Conditions) -> Result<(), Refusal> {
        let (buy, sell) = (&conditions.buy_book, &conditions.sell_book);
        let (buy_age, sell_age) = (now.since(buy.as_of), now.since(sell.as_of));
        let limits = &self.limits;
        for (venue, age, book) in [(plan.buy.venue, buy_age, buy), (plan.sell.venue, sell_age, sell)] {
            let ages =
                [(age, limits.max_book_age), (book.venue_age.unwrap_or_default(), limits.max_venue_age)];
            if let Some((age, max)) = ages.into_iter().find(|(age, max)| age > max) {
                return Err(Refusal::BookAge { venue, age_ms: millis(age), max_ms: millis(max) });
            }
            // A time that cannot be says nothing of the book's age, which may be any.
            let (lead, max) = (book.venue_lead, MAX_VENUE_LEAD);
            if lead > max {
                return Err(Refusal::BookAhead { venue, lead_ms: millis(lead), max_ms: millis(max) });
            }
            let (age, max) = (book.audit_age.unwrap_or_default(), limits.max_audit_age);
            if age > max {
                return Err(Refusal::Unaudited { venue, age_ms: millis(age), max_ms: millis(max) });
            }
        }
        let (gap, max) = (buy_age.abs_diff(sell_age), limits.max_age_gap);
        if gap > max {
            return Err(Refusal::AgeGap { gap_ms: millis(gap), max_ms: millis(max) });
        }
        Ok(())
    }

    /// Prices that are where prices are (R10). An edge too good to be true has been told by now: its prices are mostly here
    /// too, and a refusal of this plan alone would leave its symbol to the next one.
    fn check_collars(&self, plan: &Plan, conditions: &Conditions) -> Result<(), Refusal> {
        let (limits, buy, sell) = (&self.limits, &conditions.buy_book, &conditions.sell_book);
        for (leg, BookFacts { mid, .. }) in [(&plan.buy, buy), (&plan.sell, sell)] {
            if let Some(off) = limits.off_mid(leg.limit, *mid) {
                return Err(Refusal::Collar { venue: leg.venue, off, max: limits.max_collar });
            }
        }
        let off = limits.off_other(buy.mid, sell.mid);
        off.map_or(Ok(()), |off| Err(Refusal::CrossCollar { off, max: limits.max_cross_collar }))
    }

    /// An edge worth taking, and not one that is too good to be true (R11).
    fn check_edge(&mut self, now: Timestamp, plan: &Plan) -> Result<(), Refusal> {
        let (edge, min, max) = (plan.net_edge, self.limits.min_edge, self.limits.max_edge);
        if edge < min {
            return Err(Refusal::EdgeBelow { edge, min });
        }
        if edge > max {
            let until = Until::Time(now + self.limits.quarantine);
            self.trip(Trip { rule: "quarantine", scope: Scope::Symbol(plan.symbol), until });
            return Err(Refusal::EdgeAbove { edge, max });
        }
        Ok(())
    }

    /// What is bought can be sent to where it is sold, and what that yields back: over a chain that is open at both ends
    /// (R3).
    fn check_wallets(&self, now: Timestamp, plan: &Plan, conditions: &Conditions) -> Result<(), Refusal> {
        let (base, quote) = (conditions.symbol.base, conditions.symbol.quote);
        for (from, to, asset) in
            [(plan.buy.venue, plan.sell.venue, base), (plan.sell.venue, plan.buy.venue, quote)]
        {
            let refuse = |venue, what| Err(Refusal::Wallet { venue, asset, what });
            let wallet = |venue: VenueId| match self.venues.get(venue.index()) {
                None => Some(Wallet::OPEN),
                Some(state) => state.wallet(now, asset),
            };
            let Some(source) = wallet(from) else { return refuse(from, "not known") };
            let Some(target) = wallet(to) else { return refuse(to, "not known") };
            if source.withdrawals.is_empty() {
                return refuse(from, "closed");
            }
            if target.deposits.is_empty() {
                return refuse(to, "closed");
            }
            if source.withdrawals.and(target.deposits).is_empty() {
                return refuse(to, "closed for the chains it could come over");
            }
        }
        Ok(())
    }

    /// Orders of a venue per second (R17).
    fn check_rate(&mut self, now: Timestamp, venue: VenueId, plan: &Plan) -> Result<(), Refusal> {
        let limits = &self.limits;
        let (all, of_symbol, burst) =
            (limits.max_orders_per_second, limits.max_symbol_orders_per_second, limits.max_burst);
        let state = self.venue(venue);
        if now < state.budget_spent_until {
            let left_ms = millis(state.budget_spent_until.since(now));
            return Err(Refusal::Budget { venue, left_ms });
        }
        let wait = state.windows.wait(now, plan.symbol);
        if !wait.is_zero() {
            return Err(Refusal::Budget { venue, left_ms: millis(wait).max(1) });
        }
        let recent: Recent = state.pace.recent(now, plan.symbol);
        if recent.all >= all as usize {
            return Err(Refusal::OrderRate { venue, max: all });
        }
        if recent.of_symbol >= of_symbol as usize {
            return Err(Refusal::SymbolRate { venue, max: of_symbol });
        }
        if recent.at_once >= burst as usize {
            return Err(Refusal::Burst { venue, max: burst });
        }
        Ok(())
    }

    /// Orders and notional per minute and day (R18): what is reached stops openings for the rest of it.
    fn check_totals(&mut self, now: Timestamp, gross: Decimal) -> Result<(), Refusal> {
        let (minute, today, notional) = self.pace.now(now);
        let limits = &self.limits;
        let legs = 2;
        let notional = notional.checked_add(gross).map_err(|_| Refusal::Overflow)?;
        let rule = if minute + legs > limits.max_orders_per_minute as usize {
            ("minute_orders", now + Duration::from_secs(1))
        } else if today.saturating_add(2) > limits.max_orders_per_day {
            ("day_orders", crate::pace::day_end(now))
        } else if notional > limits.max_day_notional {
            ("day_notional", crate::pace::day_end(now))
        } else {
            return Ok(());
        };
        let trip = Trip { rule: rule.0, scope: Scope::All, until: Until::Time(rule.1) };
        self.trip(trip);
        Err(Refusal::Stopped(trip))
    }

    pub(super) fn note_notional(&mut self, now: Timestamp, gross: Decimal) -> Result<(), Refusal> {
        let noted = self.pace.note(now, gross).and_then(|()| self.pace.note(now, Decimal::ZERO));
        noted.map_err(|_| Refusal::Overflow)
    }

    /// What could go wrong at once (R4, R12, R14).
    fn check_exposure(
        &mut self,
        plan: &Plan,
        conditions: &Conditions,
        qty: Decimal,
        gross: Decimal,
    ) -> Result<(), Refusal> {
        let max = self.limits.max_cycle_notional;
        if gross > max {
            return Err(Refusal::CycleNotional { notional: gross, max });
        }
        let max = self.limits.max_gross;
        let open = self.open.iter().try_fold(gross, |sum, open| sum.checked_add(open.gross));
        let open = open.map_err(|_| Refusal::Overflow)?;
        if open > max {
            return Err(Refusal::Gross { gross: open, max });
        }
        let max = self.limits.max_symbol_net;
        let price = conditions.scale.price_value(plan.buy.limit);
        let worst = self.symbol(plan.symbol).worst(qty).and_then(|worst| worst.checked_mul(price));
        let net = worst.map_err(|_| Refusal::Overflow)?;
        if net > max { Err(Refusal::SymbolNet { net, max }) } else { Ok(()) }
    }

    /// Not too much at one venue, and not the last of a coin away from it (R13).
    fn check_inventory(&mut self, plan: &Plan, amounts: &[Amounts; 2]) -> Result<(), Refusal> {
        let max = self.limits.max_venue_equity;
        for venue in [plan.buy.venue, plan.sell.venue] {
            let equity = self.venue(venue).equity;
            if equity > max {
                return Err(Refusal::Equity { venue, equity, max });
            }
        }
        let share = self.limits.min_inventory_share;
        if share <= Bps::ZERO {
            return Ok(());
        }
        let share = share.fraction();
        for (leg, Amounts { asset, spent, .. }) in [&plan.buy, &plan.sell].into_iter().zip(*amounts) {
            let sums = || -> Result<(Decimal, Decimal), NumError> {
                let venues = [plan.buy.venue, plan.sell.venue];
                let mut total = Decimal::ZERO;
                for venue in venues {
                    total = total.checked_add(self.funds.held(venue, asset))?;
                }
                let left = self.funds.free(leg.venue, asset)?.checked_sub(spent)?;
                Ok((left, total.checked_mul(share)?))
            };
            let (left, min) = sums().map_err(|_| Refusal::Overflow)?;
            if left < min {
                return Err(Refusal::Inventory { venue: leg.venue, asset, left, min });
            }
        }
        Ok(())
    }

    /// Takes what a leg spends at worst out of what is free; the buffer, a part of it, must be there too, but is not taken
    /// (R16).
    pub(super) fn reserve(
        &mut self,
        order: ClientOrderId,
        leg: &Leg,
        &Amounts { asset, spent: needed, .. }: &Amounts,
        buffer: Decimal,
    ) -> Result<(), Refusal> {
        let buffer = needed.checked_mul(buffer).map_err(|_| Refusal::Overflow)?;
        self.funds.reserve(order, leg.venue, asset, needed, buffer).map_err(|error| match error {
            FundsError::Short { free } => Refusal::Balance { venue: leg.venue, asset, needed, free },
            FundsError::Number(_) => Refusal::Overflow,
        })
    }
}

/// What a leg comes to, worked out once for all rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amounts {
    /// Quantity, in base.
    pub(super) qty: Decimal,
    /// Notional it may move, in quote.
    pub(super) notional: Decimal,
    /// Asset that is spent.
    pub(super) asset: Asset,
    /// What it may spend of that at worst: the limit price for all of it plus the fee for a buy, the quantity for a sale
    /// (whose fee comes out of what it yields).
    pub(super) spent: Decimal,
}

impl Amounts {
    /// Of this leg.
    pub(super) fn of(leg: &Leg, conditions: &Conditions) -> Result<Self, Refusal> {
        let qty = conditions.scale.qty_value(leg.qty);
        let notional = conditions.scale.notional_value(at_limit(leg));
        let (asset, spent) = match leg.side {
            Side::Buy => {
                let fee = notional.checked_mul(leg.fee.max(Bps::ZERO).fraction());
                let all = fee.and_then(|fee| notional.checked_add(fee));
                (conditions.symbol.quote, all.map_err(|_| Refusal::Overflow)?)
            }
            Side::Sell => (conditions.symbol.base, qty),
        };
        Ok(Self { qty, notional, asset, spent })
    }
}

/// What both legs may move, in quote.
pub(super) fn gross([buy, sell]: &[Amounts; 2]) -> Result<Decimal, Refusal> {
    buy.notional.checked_add(sell.notional).map_err(|_| Refusal::Overflow)
}

/// Refuses while a trip is in force.
fn in_force(stops: &mut Stops, now: Timestamp) -> Result<(), Refusal> {
    stops.in_force(now).map_or(Ok(()), |trip| Err(Refusal::Stopped(trip)))
}

/// What a leg may move: a buy may cost up to its limit; a sale yields at least its limit and was sized by what the book
/// shows.
const fn at_limit(leg: &Leg) -> Notional {
    match leg.side {
        Side::Buy => leg.limit.times(leg.qty),
        Side::Sell => leg.notional,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
