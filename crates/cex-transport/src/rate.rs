//! An exchange's request budgets, kept on our side so that its limits are never hit.
//!
//! Every call that left is remembered for one window, so no window of that length, wherever it begins, ever holds more
//! than its capacity: a bucket that merely refills would allow twice that in one window. Exact integers; time is an
//! argument. Part of each budget is a reserve that only calls which must go through may touch, so that market data and
//! new orders run dry before cancels and questions about lost orders do.

use cex_core::{SymbolId, Timestamp};
use cex_interface::{Bucket, BucketRule, CallClass, Charge, Cost, Feedback};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A venue that refuses everything again so soon after it let calls through refuses it for longer and longer ...
const AGAIN_WITHIN: Duration = Duration::from_secs(10);
/// ... up to this, unless it asks for more: what is open must be closed some time.
const DOUBLED_MAX: Duration = Duration::from_secs(60);

/// Whether a call can wait for its budget, and whether it may use the reserve even if its class may not: a hedge is a
/// placement that must go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Urgency {
    /// Nobody trades on the answer: the budget is waited for, within bounds, and its reserve is left to those who cannot
    /// wait. A placement is refused at once all the same.
    CanWait,
    /// As the call's class says.
    #[default]
    Normal,
    /// The reserve may be used.
    MustGo,
}

/// Why a call may not leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It may, after this long.
    Wait(Duration),
    /// It never may: it weighs more than the budget, or is charged to one that has no rule.
    Never,
}

/// All budgets of one venue.
#[derive(Debug)]
pub struct Budget {
    pools: Vec<Pool>,
    /// No call at all leaves before this.
    blocked_until: Timestamp,
    /// How long that was from when it was said.
    blocked_for: Duration,
    /// Added to every window: the exchange counts arrivals, we count departures, and the way between them varies.
    spread: Duration,
}

#[derive(Debug)]
struct Pool {
    rule: BucketRule,
    blocked_until: Timestamp,
    shared: Window,
    by_symbol: BTreeMap<SymbolId, Window>,
    narrow: Option<Narrow>,
}

/// A smaller budget over all symbols, kept beside the usual one for a while.
#[derive(Debug)]
struct Narrow {
    capacity: u32,
    length: Duration,
    until: Timestamp,
    taken: Window,
}

/// What left within the last window, oldest first.
#[derive(Debug, Default)]
struct Window {
    taken: VecDeque<(Timestamp, u32)>,
    sum: u64,
}

/// The rules with this part of every budget kept that keeps a part at all; `None` for what the exchange's adapter says.
#[must_use]
pub fn reserving(rules: &[BucketRule], reserve_pct: Option<u8>) -> Vec<BucketRule> {
    let kept = |rule: &BucketRule| BucketRule {
        reserve_pct: reserve_pct.filter(|_| rule.reserve_pct > 0).unwrap_or(rule.reserve_pct),
        ..*rule
    };
    rules.iter().map(kept).collect()
}

/// How many calls that may not touch the reserve a budget lets leave in one window. The reserve is rounded up, but never
/// takes the last call away.
#[must_use]
pub fn open_capacity(rule: &BucketRule, capacity: u32) -> u32 {
    let reserve = (u64::from(capacity) * u64::from(rule.reserve_pct.min(100))).div_ceil(100);
    let open = u64::from(capacity) - reserve;
    u32::try_from(open).unwrap_or(u32::MAX).max(capacity.min(1))
}

impl Budget {
    /// Full budgets. `spread` lengthens every window.
    #[must_use]
    pub fn new(rules: &[BucketRule], spread: Duration) -> Self {
        let pool = |rule: &BucketRule| Pool {
            rule: *rule,
            blocked_until: Timestamp::EPOCH,
            shared: Window::default(),
            by_symbol: BTreeMap::new(),
            narrow: None,
        };
        Self {
            pools: rules.iter().map(pool).collect(),
            blocked_until: Timestamp::EPOCH,
            blocked_for: Duration::ZERO,
            spread,
        }
    }

    /// Takes what the call costs from all its budgets, or from none.
    ///
    /// # Errors
    /// When the call may not leave now.
    pub fn acquire(&mut self, cost: &Cost, urgency: Urgency, now: Timestamp) -> Result<(), Refusal> {
        match self.next_allowed(cost, urgency, now) {
            Some(Duration::ZERO) => {}
            Some(wait) => return Err(Refusal::Wait(wait)),
            None => return Err(Refusal::Never),
        }
        for charge in cost.charges.iter().flatten() {
            if let Some(pool) = self.pool(charge.bucket) {
                pool.window(charge.symbol).take(charge.weight, now);
                pool.narrow.iter_mut().for_each(|narrow| narrow.taken.take(charge.weight, now));
            }
        }
        Ok(())
    }

    /// Puts back what [`Self::acquire`] took at `taken_at` for a call that did not leave.
    pub fn give_back(&mut self, cost: &Cost, taken_at: Timestamp) {
        for charge in cost.charges.iter().flatten() {
            if let Some(pool) = self.pool(charge.bucket) {
                pool.window(charge.symbol).give_back(charge.weight, taken_at);
                pool.narrow.iter_mut().for_each(|narrow| narrow.taken.give_back(charge.weight, taken_at));
            }
        }
    }

    /// How long until the call may leave if nothing else does; `None` when it never may.
    pub fn next_allowed(&mut self, cost: &Cost, urgency: Urgency, now: Timestamp) -> Option<Duration> {
        let spread = self.spread;
        let mut at = now.max(self.blocked_until);
        for charge in cost.charges.iter().flatten() {
            let weight = weight_in(cost, charge);
            let with_reserve = may_use_reserve(cost.class, urgency);
            let pool = self.pool(charge.bucket)?;
            at = at.max(pool.free_at(charge.symbol, weight, with_reserve, now, spread)?);
            at = at.max(pool.narrow_free_at(weight_of(cost, charge.bucket), with_reserve, now));
        }
        Some(at.since(now))
    }

    /// Learns from a response. Budgets only ever shrink by it: the exchange may count a call that is still on its way
    /// to us, never the other way round.
    pub fn learn(&mut self, feedback: &Feedback, now: Timestamp) {
        let spread = self.spread;
        match *feedback {
            Feedback::Remaining { bucket, symbol, weight } => {
                let Some(pool) = self.pool(bucket) else { return };
                let (capacity, length) = (u64::from(pool.rule.capacity), pool.rule.window + spread);
                let window = pool.window(symbol);
                window.expire(now, length);
                let excess = capacity.saturating_sub(window.sum).saturating_sub(u64::from(weight));
                window.take(u32::try_from(excess).unwrap_or(u32::MAX), now);
            }
            Feedback::Narrowed { bucket, capacity, window, lasts } => {
                if let Some(pool) = self.pool(bucket) {
                    let mut taken = Window::default();
                    taken.take(capacity, now);
                    pool.narrow =
                        Some(Narrow { capacity, length: window + spread, until: now + lasts, taken });
                }
            }
            Feedback::Blocked { bucket: Some(bucket), wait } => {
                if let Some(pool) = self.pool(bucket) {
                    pool.blocked_until = pool.blocked_until.max(now + wait);
                }
            }
            Feedback::Blocked { bucket: None, wait } => {
                // Whoever asks on as before is shut out in the end.
                let again = now >= self.blocked_until && now < self.blocked_until + AGAIN_WITHIN;
                let wait = if again { wait.max((self.blocked_for * 2).min(DOUBLED_MAX)) } else { wait };
                if now + wait > self.blocked_until {
                    (self.blocked_for, self.blocked_until) = (wait, now + wait);
                }
            }
        }
    }

    /// What is taken of a budget and its capacity, for metrics. `None` for a budget without a rule.
    pub fn usage(&mut self, bucket: Bucket, symbol: Option<SymbolId>, now: Timestamp) -> Option<(u64, u32)> {
        let spread = self.spread;
        let pool = self.pool(bucket)?;
        let (capacity, length) = (pool.rule.capacity, pool.rule.window + spread);
        let window = pool.window(symbol);
        window.expire(now, length);
        Some((window.sum, capacity))
    }

    fn pool(&mut self, bucket: Bucket) -> Option<&mut Pool> {
        self.pools.iter_mut().find(|pool| pool.rule.bucket == bucket)
    }
}

/// All a call takes from the budget of one of its charges; a call may be charged to the same one twice.
fn weight_in(cost: &Cost, charge: &Charge) -> u64 {
    let same = |other: &&Charge| other.bucket == charge.bucket && other.symbol == charge.symbol;
    cost.charges.iter().flatten().filter(same).map(|other| u64::from(other.weight)).sum()
}

/// All a call takes from a budget, whatever the symbols.
fn weight_of(cost: &Cost, bucket: Bucket) -> u64 {
    let of_it = cost.charges.iter().flatten().filter(|charge| charge.bucket == bucket);
    of_it.map(|charge| u64::from(charge.weight)).sum()
}

const fn may_use_reserve(class: CallClass, urgency: Urgency) -> bool {
    match (class, urgency) {
        (CallClass::Cancel, _) | (CallClass::Query, Urgency::Normal) | (_, Urgency::MustGo) => true,
        // What compares, again and again, would leave a hedge nothing of a budget that all calls share.
        (CallClass::Query, Urgency::CanWait) => false,
        (CallClass::MarketData | CallClass::Placement, Urgency::CanWait | Urgency::Normal) => false,
    }
}

impl Pool {
    fn window(&mut self, symbol: Option<SymbolId>) -> &mut Window {
        match symbol {
            Some(symbol) if self.rule.per_symbol => self.by_symbol.entry(symbol).or_default(),
            Some(_) | None => &mut self.shared,
        }
    }

    /// How much of this capacity may be taken in one window.
    fn limit(&self, capacity: u32, with_reserve: bool) -> u64 {
        u64::from(if with_reserve { capacity } else { open_capacity(&self.rule, capacity) })
    }

    /// When the smaller budget lets a call pass. One that weighs more than all of it waits until it is over.
    fn narrow_free_at(&mut self, weight: u64, with_reserve: bool, now: Timestamp) -> Timestamp {
        self.narrow.take_if(|narrow| narrow.until <= now);
        let Some(capacity) = self.narrow.as_ref().map(|narrow| narrow.capacity) else { return now };
        let limit = self.limit(capacity, with_reserve);
        self.narrow.as_mut().map_or(now, |narrow| {
            narrow.taken.expire(now, narrow.length);
            let free_at = narrow.taken.free_at(weight, limit, now, narrow.length);
            free_at.map_or(narrow.until, |at| at.min(narrow.until))
        })
    }

    fn free_at(
        &mut self,
        symbol: Option<SymbolId>,
        weight: u64,
        with_reserve: bool,
        now: Timestamp,
        spread: Duration,
    ) -> Option<Timestamp> {
        let (limit, length) = (self.limit(self.rule.capacity, with_reserve), self.rule.window + spread);
        let blocked_until = self.blocked_until;
        let window = self.window(symbol);
        window.expire(now, length);
        Some(blocked_until.max(window.free_at(weight, limit, now, length)?))
    }
}

impl Window {
    fn take(&mut self, weight: u32, now: Timestamp) {
        if weight == 0 {
            return;
        }
        self.sum += u64::from(weight);
        match self.taken.back_mut() {
            Some((at, last)) if *at >= now => *last = last.saturating_add(weight),
            Some(_) | None => self.taken.push_back((now, weight)),
        }
    }

    /// Takes back what was booked at that instant. One that has expired meanwhile is gone already; one that was booked under
    /// a later time, since the clock had gone back, stays until that expires: nothing is taken from what left later.
    fn give_back(&mut self, weight: u32, taken_at: Timestamp) {
        let Some((_, taken)) = self.taken.iter_mut().find(|(at, _)| *at == taken_at) else { return };
        let back = weight.min(*taken);
        *taken -= back;
        self.sum -= u64::from(back);
        while self.taken.pop_back_if(|(_, taken)| *taken == 0).is_some() {}
    }

    fn expire(&mut self, now: Timestamp, length: Duration) {
        while let Some((at, weight)) = self.taken.front().copied() {
            if at + length > now {
                return;
            }
            self.taken.pop_front();
            self.sum -= u64::from(weight);
        }
    }

    /// When `weight` more fits under `limit`, if nothing else is taken; `None` when it never does.
    fn free_at(&self, weight: u64, limit: u64, now: Timestamp, length: Duration) -> Option<Timestamp> {
        let mut sum = self.sum;
        if sum + weight <= limit {
            return Some(now);
        }
        for (at, taken) in &self.taken {
            sum -= u64::from(*taken);
            if sum + weight <= limit {
                return Some(*at + length);
            }
        }
        None
    }
}

#[cfg(test)]
#[path = "rate_tests.rs"]
mod tests;
