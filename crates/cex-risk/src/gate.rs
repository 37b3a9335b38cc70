//! The only one who can say yes.

use crate::breaker::{Breaker, KillSwitch, OrderResult};
use crate::funds::{Funds, FundsError};
use crate::limits::{Limits, Refusal};
use cex_core::{
    Asset, Bps, ClientOrderId, Decimal, Leg, NumError, OrderKind, OrderRequest, Plan, Scale, Side, Symbol,
    SymbolId, TimeInForce, Timestamp, VenueId,
};
use std::collections::VecDeque;
use std::time::Duration;

/// Something the gate approved. Only the gate can make one, and taking the content out uses it up.
///
/// ```compile_fail,E0423
/// let forged = cex_risk::Approved(1);
/// ```
///
/// ```compile_fail,E0599
/// fn twice(approved: cex_risk::Approved<u8>) -> (cex_risk::Approved<u8>, cex_risk::Approved<u8>) {
///     (approved.clone(), approved)
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// Uses the approval up.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Number of an arbitrage in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArbitrageId(pub u64);

/// What the gate must know beside the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// The symbol.
    pub symbol: Symbol,
    /// Its scale.
    pub scale: Scale,
    /// When the buying venue's book last changed, by arrival.
    pub buy_book_at: Timestamp,
    /// When the selling venue's book last changed, by arrival.
    pub sell_book_at: Timestamp,
    /// Within which the exchange must refuse a late order.
    pub expires_in: Duration,
}

/// Checks plans against every rule and reserves what they may spend, in one step, by one writer.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    kill: KillSwitch,
    funds: Funds,
    /// By venue index.
    venues: Vec<VenueState>,
    /// Open arbitrages, which are few.
    open: Vec<(ArbitrageId, SymbolId)>,
    /// Until when a symbol pauses, by its index.
    cooldowns: Vec<Timestamp>,
    next_id: u64,
}

/// What the gate knows of a venue.
#[derive(Debug)]
struct VenueState {
    breaker: Breaker,
    /// When orders of the last second left.
    sent: VecDeque<Timestamp>,
    /// Orders whose fate is unknown.
    unknown: u32,
    /// Orders per second the venue itself takes.
    rate: Option<u32>,
}

impl Gate {
    /// A gate with these limits and no funds.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            kill: KillSwitch::default(),
            funds: Funds::default(),
            venues: Vec::new(),
            open: Vec::new(),
            cooldowns: Vec::new(),
            next_id: 1,
        }
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Holdings and reservations.
    #[must_use]
    pub const fn funds(&self) -> &Funds {
        &self.funds
    }

    /// Holdings and reservations, to book fills and releases.
    pub const fn funds_mut(&mut self) -> &mut Funds {
        &mut self.funds
    }

    /// The kill switch.
    pub const fn kill_switch(&mut self) -> &mut KillSwitch {
        &mut self.kill
    }

    /// Arbitrages open now.
    #[must_use]
    pub fn open_count(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// Checks an opening plan and reserves both legs, or says which rule refuses it; then nothing is reserved.
    ///
    /// `fresh_ids` makes two client order ids never used before; it is asked only when nothing but funds can refuse.
    pub fn approve(
        &mut self,
        now: Timestamp,
        plan: &Plan,
        conditions: &Conditions,
        fresh_ids: impl FnOnce() -> [ClientOrderId; 2],
    ) -> Result<(ArbitrageId, [Approved<OrderRequest>; 2]), Refusal> {
        self.check_state(now, plan)?;
        self.check_books(now, plan, conditions)?;
        self.check_edge(plan.net_edge)?;
        for leg in [&plan.buy, &plan.sell] {
            self.check_notional(leg, conditions.scale)?;
            self.check_rate(now, leg.venue)?;
        }
        let [buy_id, sell_id] = fresh_ids();
        self.reserve(buy_id, &plan.buy, conditions)?;
        if let Err(refusal) = self.reserve(sell_id, &plan.sell, conditions) {
            self.funds.release(buy_id).map_err(|_| Refusal::Overflow)?;
            return Err(refusal);
        }
        let id = ArbitrageId(self.next_id);
        self.next_id += 1;
        self.open.push((id, plan.symbol));
        let orders = [(buy_id, &plan.buy), (sell_id, &plan.sell)].map(|(client_id, leg)| {
            let venue = self.venue(leg.venue);
            venue.sent.push_back(now);
            venue.breaker.attempt(client_id);
            Approved(immediate(plan.symbol, client_id, leg, conditions.expires_in))
        });
        Ok((id, orders))
    }

    /// Approves an order that only reduces what a half-done arbitrage left open. The kill switch, breakers and
    /// budgets for openings do not apply; what it spends must still be there.
    pub fn approve_closing(
        &mut self,
        now: Timestamp,
        symbol_id: SymbolId,
        leg: &Leg,
        conditions: &Conditions,
        client_id: ClientOrderId,
    ) -> Result<Approved<OrderRequest>, Refusal> {
        self.reserve(client_id, leg, conditions)?;
        self.venue(leg.venue).sent.push_back(now);
        Ok(Approved(immediate(symbol_id, client_id, leg, conditions.expires_in)))
    }

    /// An arbitrage is over; its symbol pauses this long.
    pub fn close(&mut self, now: Timestamp, id: ArbitrageId, pause: Duration) {
        let Some(at) = self.open.iter().position(|(open, _)| *open == id) else { return };
        let (_, symbol) = self.open.swap_remove(at);
        if pause.is_zero() {
            return;
        }
        if self.cooldowns.len() <= symbol.index() {
            self.cooldowns.resize(symbol.index() + 1, Timestamp::EPOCH);
        }
        self.cooldowns[symbol.index()] = now + pause;
    }

    /// An order of a venue ended.
    pub fn order_ended(&mut self, now: Timestamp, venue: VenueId, order: ClientOrderId, result: OrderResult) {
        self.venue(venue).breaker.ended(now, order, result);
    }

    /// How many orders per second a venue itself takes: a leg that its budget would refuse must not be decided on,
    /// because the other one would then stand alone.
    pub fn set_venue_rate(&mut self, venue: VenueId, orders_per_second: u32) {
        self.venue(venue).rate = Some(orders_per_second);
    }

    /// How many orders of a venue have an unknown fate.
    pub fn set_unknown(&mut self, venue: VenueId, count: u32) {
        self.venue(venue).unknown = count;
    }

    fn venue(&mut self, venue: VenueId) -> &mut VenueState {
        let (failures, pause) = (self.limits.max_failures, self.limits.breaker_pause);
        if self.venues.len() <= venue.index() {
            self.venues.resize_with(venue.index() + 1, || VenueState {
                breaker: Breaker::new(failures, pause),
                sent: VecDeque::new(),
                unknown: 0,
                rate: None,
            });
        }
        &mut self.venues[venue.index()]
    }

    fn check_state(&mut self, now: Timestamp, plan: &Plan) -> Result<(), Refusal> {
        if self.kill.is_thrown() {
            return Err(Refusal::KillSwitch);
        }
        for venue in [plan.buy.venue, plan.sell.venue] {
            let state = self.venue(venue);
            if !state.breaker.allows(now) {
                return Err(Refusal::BreakerOpen { venue });
            }
            let (unknown, max) = (state.unknown, self.limits.max_unknown);
            if unknown > max {
                return Err(Refusal::UnknownOrders { venue, unknown, max });
            }
        }
        let (open, max) = (self.open_count(), self.limits.max_open);
        if open >= max {
            return Err(Refusal::TooManyOpen { open, max });
        }
        let in_symbol = self.open.iter().filter(|(_, symbol)| *symbol == plan.symbol).count();
        let (open, max) = (u32::try_from(in_symbol).unwrap_or(u32::MAX), self.limits.max_open_per_symbol);
        if open >= max {
            return Err(Refusal::SymbolBusy { open, max });
        }
        match self.cooldowns.get(plan.symbol.index()) {
            Some(until) if *until > now => Err(Refusal::Cooldown { left_ms: millis(until.since(now)) }),
            Some(_) | None => Ok(()),
        }
    }

    fn check_books(&self, now: Timestamp, plan: &Plan, conditions: &Conditions) -> Result<(), Refusal> {
        let (buy_age, sell_age) = (now.since(conditions.buy_book_at), now.since(conditions.sell_book_at));
        for (venue, age) in [(plan.buy.venue, buy_age), (plan.sell.venue, sell_age)] {
            if age > self.limits.max_book_age {
                return Err(Refusal::BookAge {
                    venue,
                    age_ms: millis(age),
                    max_ms: millis(self.limits.max_book_age),
                });
            }
        }
        let gap = buy_age.abs_diff(sell_age);
        if gap > self.limits.max_age_gap {
            return Err(Refusal::AgeGap { gap_ms: millis(gap), max_ms: millis(self.limits.max_age_gap) });
        }
        Ok(())
    }

    fn check_edge(&self, edge: Bps) -> Result<(), Refusal> {
        let (min, max) = (self.limits.min_edge, self.limits.max_edge);
        if edge < min {
            return Err(Refusal::EdgeBelow { edge, min });
        }
        if edge > max {
            return Err(Refusal::EdgeAbove { edge, max });
        }
        Ok(())
    }

    fn check_notional(&self, leg: &Leg, scale: Scale) -> Result<(), Refusal> {
        // A buy may cost up to its limit; a sale yields at least its limit and was sized by what the book shows.
        let notional = match leg.side {
            Side::Buy => leg.limit.times(leg.qty),
            Side::Sell => leg.notional,
        };
        let (notional, max) = (scale.notional_value(notional), self.limits.max_leg_notional);
        if notional > max { Err(Refusal::LegNotional { notional, max }) } else { Ok(()) }
    }

    fn check_rate(&mut self, now: Timestamp, venue: VenueId) -> Result<(), Refusal> {
        let ours = self.limits.max_orders_per_second;
        let VenueState { sent, rate, .. } = self.venue(venue);
        while sent.front().is_some_and(|at| now.since(*at) >= Duration::from_secs(1)) {
            sent.pop_front();
        }
        let max = rate.map_or(ours, |theirs| ours.min(theirs));
        if sent.len() >= max as usize { Err(Refusal::OrderRate { venue, max }) } else { Ok(()) }
    }

    fn reserve(&mut self, order: ClientOrderId, leg: &Leg, conditions: &Conditions) -> Result<(), Refusal> {
        let (asset, needed) = spends(leg, conditions).map_err(|_| Refusal::Overflow)?;
        self.funds.reserve(order, leg.venue, asset, needed).map_err(|error| match error {
            FundsError::Short { free } => Refusal::Balance { venue: leg.venue, asset, needed, free },
            FundsError::Number(_) => Refusal::Overflow,
        })
    }
}

/// What a leg may spend at worst, and of what: the limit price for all of it plus the fee for a buy, the quantity for
/// a sale (whose fee comes out of what it yields).
fn spends(leg: &Leg, conditions: &Conditions) -> Result<(Asset, Decimal), NumError> {
    match leg.side {
        Side::Buy => {
            let notional = conditions.scale.notional_value(leg.limit.times(leg.qty));
            let fee = notional.checked_mul(leg.fee.max(Bps::ZERO).fraction())?;
            Ok((conditions.symbol.quote, notional.checked_add(fee)?))
        }
        Side::Sell => Ok((conditions.symbol.base, conditions.scale.qty_value(leg.qty))),
    }
}

fn immediate(symbol: SymbolId, client_id: ClientOrderId, leg: &Leg, expires_in: Duration) -> OrderRequest {
    OrderRequest {
        venue: leg.venue,
        symbol,
        client_id,
        side: leg.side,
        kind: OrderKind::Limit { price: leg.limit, qty: leg.qty, tif: TimeInForce::Ioc },
        expires_in,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
