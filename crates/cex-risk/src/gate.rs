//! The only one who can say yes.

mod check;
mod recall;
mod rows;

use check::Amounts;
pub use recall::{Recall, Standing};
pub use rows::Rows;

use crate::breaker::{KillSwitch, OrderResult};
use crate::dust::DustBook;
use crate::funds::Funds;
use crate::limits::Limits;
use crate::losses::Losses;
use crate::mode::Mode;
use crate::pace::{OrderWindow, OrderWindows, Pace};
use crate::refusal::Refusal;
use crate::stops::Stops;
use crate::symbol::SymbolRisk;
use crate::trip::{SYMBOL_FAILURES, Scope, Trip, Until, VENUE_FAILURES};
use crate::venue::{VenueRisk, Wallet};
use cex_core::{
    Asset, Bps, ClientOrderId, Decimal, Fill, Leg, NumError, OrderKind, OrderRequest, Plan, Price, Scale,
    Symbol, SymbolId, TimeInForce, Timestamp, VenueId,
};
use std::hint::black_box;
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

/// What is known of a book that a decision uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookFacts {
    /// When it last changed: when the change arrived, by our clock.
    pub as_of: Timestamp,
    /// How old it is by the exchange's own time; `None` when the exchange does not say.
    pub venue_age: Option<Duration>,
    /// How far the exchange's own time of it lies ahead of the exchange's clock; zero when the exchange does not say.
    pub venue_lead: Duration,
    /// How long ago it was compared with the exchange's own; `None` where a stream brings whole books by itself.
    pub audit_age: Option<Duration>,
    /// The middle between its best prices.
    pub mid: Price,
}

/// What the gate must know beside the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// The symbol.
    pub symbol: Symbol,
    /// Its scale.
    pub scale: Scale,
    /// The book that is bought from.
    pub buy_book: BookFacts,
    /// The book that is sold to.
    pub sell_book: BookFacts,
    /// Time after which the exchange must refuse a late order.
    pub expires_in: Duration,
}

/// Whether what happens is being recorded (R34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JournalState {
    /// It is, or no journal is kept.
    #[default]
    Well,
    /// It lags, or its disk is nearly full.
    Behind,
    /// It cannot be written any more.
    Failed,
}

/// How an arbitrage ended, as the rules see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CycleEnd {
    /// Both legs filled the same.
    Filled,
    /// Neither filled anything: others were faster. Its symbol rests, and nothing else is wrong.
    Missed,
    /// They did not.
    Failed,
    /// They did not, and what is left could not be traded away: its symbol stops.
    Parked,
    /// It had no legs, and traded away what others had left over.
    Swept,
    /// It had no legs, and could not trade away what others had left over: its symbol stops, and nothing else is wrong.
    Unswept,
    /// Neither leg left us; the symbol is left alone this long.
    Withheld {
        /// How long the symbol is left alone.
        pause: Duration,
    },
}

impl CycleEnd {
    /// Whether what is left stays until an operator has looked.
    pub(crate) const fn is_kept(self) -> bool {
        matches!(self, Self::Parked | Self::Unswept)
    }
}

/// What an arbitrage came to, as the rules see it. Money in quote, fees included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CycleSums {
    /// Symbol that was traded.
    pub symbol: Symbol,
    /// Profit, with what is left over valued at `mark`.
    pub profit: Decimal,
    /// Profit over what was paid.
    pub edge: Bps,
    /// Change of base over both venues: what it leaves over, and what it takes from what others left.
    pub base: Decimal,
    /// Quote per base at which that is valued.
    pub mark: Decimal,
}

/// An arbitrage on the way.
#[derive(Debug, Clone, Copy)]
struct Open {
    id: ArbitrageId,
    symbol: SymbolId,
    venues: [VenueId; 2],
    /// What both legs may move, in quote.
    gross: Decimal,
    /// When it was approved, by our clock.
    at: Timestamp,
}

/// Checks plans against every rule and reserves what they may spend, in one step, by one writer.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    mode: Mode,
    kill: KillSwitch,
    stops: Stops,
    journal: JournalState,
    funds: Funds,
    /// State of each venue, by venue index.
    venues: Vec<VenueRisk>,
    /// State of each symbol, by symbol index.
    symbols: Vec<SymbolRisk>,
    /// Open arbitrages, which are few.
    open: Vec<Open>,
    pace: Pace,
    losses: Losses,
    left_over: DustBook,
    /// Its value, in quote.
    dust: Decimal,
    /// Failed arbitrages of all symbols (R26).
    failures: Vec<Timestamp>,
    /// Trips nobody has been told of yet.
    untold: Vec<Trip>,
    next_id: u64,
}

impl Gate {
    /// A gate with these limits and no funds, that lets everything through that they allow.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            mode: Mode::Active,
            kill: KillSwitch::default(),
            stops: Stops::default(),
            journal: JournalState::default(),
            funds: Funds::default(),
            venues: Vec::new(),
            symbols: Vec::new(),
            open: Vec::new(),
            pace: Pace::default(),
            losses: Losses::default(),
            left_over: DustBook::default(),
            dust: Decimal::ZERO,
            failures: Vec::new(),
            untold: Vec::new(),
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

    /// Holdings and reservations, to book releases and what the exchange says.
    pub const fn funds_mut(&mut self) -> &mut Funds {
        &mut self.funds
    }

    /// The kill switch.
    pub const fn kill_switch(&mut self) -> &mut KillSwitch {
        &mut self.kill
    }

    /// What the operator allows (R1).
    pub const fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// What the operator allows.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether what happens is being recorded (R34).
    pub const fn set_journal(&mut self, state: JournalState) {
        self.journal = state;
    }

    /// Whether what happens is being recorded (R34).
    #[must_use]
    pub const fn journal(&self) -> JournalState {
        self.journal
    }

    /// An operator has looked: what only an operator ends is over, the kill switch included.
    pub fn acknowledge(&mut self) {
        self.kill.reset();
        self.stops.acknowledge();
        self.losses.acknowledge();
        self.venues.iter_mut().for_each(VenueRisk::acknowledge);
        for (index, symbol) in self.symbols.iter_mut().enumerate() {
            symbol.stops.acknowledge();
            // Whoever has looked has seen what was left over too; what is on the way is still to be levelled.
            symbol.dust = Decimal::ZERO;
            if self.open.iter().all(|open| open.symbol.index() != index) {
                symbol.forget_position();
            }
        }
        self.left_over.clear();
        self.dust = Decimal::ZERO;
        self.failures.clear();
    }

    /// Stops openings by a rule that is watched elsewhere.
    pub fn trip(&mut self, trip: Trip) {
        let stops = match trip.scope {
            Scope::All => &mut self.stops,
            Scope::Venue(venue) => &mut self.venue(venue).stops,
            Scope::Symbol(symbol) => &mut self.symbol(symbol).stops,
        };
        if stops.add(trip) {
            self.untold.push(trip);
        }
    }

    /// Trips that happened since the last call.
    pub fn take_trips(&mut self) -> impl Iterator<Item = Trip> {
        self.untold.drain(..)
    }

    /// Trips in force.
    pub fn trips(&self, now: Timestamp) -> impl Iterator<Item = Trip> {
        let venues = self.venues.iter().flat_map(VenueRisk::trips);
        let symbols = self.symbols.iter().flat_map(SymbolRisk::trips);
        let all = self.stops.iter().chain(venues).chain(symbols);
        all.filter(move |trip| trip.is_in_force(now))
    }

    /// The symbol must not be traded, or may again (R2): why, in a few words.
    pub fn block(&mut self, symbol: SymbolId, why: Option<&'static str>) {
        self.symbol(symbol).blocked = why;
    }

    /// What a venue says of its wallets (R3); what it does not name counts as not known, and all of it after `max_age`.
    pub fn set_wallets(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        max_age: Duration,
        wallets: impl IntoIterator<Item = (Asset, Wallet)>,
    ) {
        self.venue(venue).set_wallets(now, max_age, wallets);
    }

    /// The value of what a venue holds, in quote (R13).
    pub fn set_equity(&mut self, venue: VenueId, equity: Decimal) {
        self.venue(venue).equity = equity;
    }

    /// Reads what [`Self::approve`] will read of a symbol, and does nothing with it: what lies in the processor's caches then
    /// costs the decision nothing.
    pub fn warm(&self, now: Timestamp, id: SymbolId, symbol: Symbol) {
        if let Some(risk) = self.symbols.get(id.index()) {
            risk.warm(now);
        }
        for venue in &self.venues {
            black_box((venue.wallet(now, symbol.base), venue.wallet(now, symbol.quote)));
        }
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
        let amounts = self.check(now, plan, conditions)?;
        let (gross, [buy, sell]) = (check::gross(&amounts)?, amounts);
        let [buy_id, sell_id] = fresh_ids();
        let buffer = self.limits.fee_buffer.fraction();
        self.reserve(buy_id, &plan.buy, &buy, buffer)?;
        if let Err(refusal) = self.reserve(sell_id, &plan.sell, &sell, buffer) {
            self.funds.release(buy_id).map_err(|_| Refusal::Overflow)?;
            return Err(refusal);
        }
        let id = ArbitrageId(self.next_id);
        self.next_id += 1;
        self.symbol(plan.symbol).breaker.attempt(now, id);
        let venues = [plan.buy.venue, plan.sell.venue];
        self.open.push(Open { id, symbol: plan.symbol, venues, gross, at: now });
        self.note_notional(now, gross)?;
        let buy = self.send(now, plan.symbol, buy_id, &plan.buy, buy.qty, conditions)?;
        let sell = self.send(now, plan.symbol, sell_id, &plan.sell, sell.qty, conditions)?;
        Ok((id, [buy, sell]))
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
        let amounts = Amounts::of(leg, conditions)?;
        self.reserve(client_id, leg, &amounts, Decimal::ZERO)?;
        self.send(now, symbol_id, client_id, leg, amounts.qty, conditions)
    }

    /// Counts an order wherever orders are counted. What could overflow was checked with the plan.
    fn send(
        &mut self,
        now: Timestamp,
        symbol: SymbolId,
        client_id: ClientOrderId,
        leg: &Leg,
        qty: Decimal,
        conditions: &Conditions,
    ) -> Result<Approved<OrderRequest>, Refusal> {
        self.symbol(symbol).ordered(leg.side, qty).map_err(|_| Refusal::Overflow)?;
        self.left(now, leg.venue, symbol, client_id);
        Ok(Approved(immediate(symbol, client_id, leg, conditions.expires_in)))
    }

    /// An order leaves for a venue, or left in an earlier run.
    fn left(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId, order: ClientOrderId) {
        let venue = self.venue(venue);
        venue.pace.note(now, symbol);
        venue.windows.note(now, symbol);
        venue.breaker.attempt(now, order);
    }

    /// Books a fill, whoever's it is: holdings, and the order's reservation. The caller sees to it that a fill is booked once,
    /// and that one of ours moves the symbol's position too: [`Self::carry`].
    pub fn book(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), NumError> {
        self.funds.book(symbol, fill)
    }

    /// An order ended: what it still reserved is free again.
    pub fn order_ended(
        &mut self,
        now: Timestamp,
        order: &OrderRequest,
        qty: Decimal,
        result: OrderResult,
    ) -> Result<(), NumError> {
        self.funds.release(order.client_id)?;
        self.symbol(order.symbol).ended(order.side, qty)?;
        self.order_told(now, order.venue, order.client_id, result);
        Ok(())
    }

    /// An order whose end nobody can work out is given up by an operator who has looked: what it reserved is free again, and the one
    /// attempt after a pause of its venue, if it was that, has failed.
    pub fn gave_up(&mut self, now: Timestamp, venue: VenueId, order: ClientOrderId) -> Result<(), NumError> {
        self.funds.release(order)?;
        self.order_told(now, venue, order, OrderResult::Failed);
        Ok(())
    }

    /// What became of an order tells something of its venue (R25).
    fn order_told(&mut self, now: Timestamp, venue_id: VenueId, order: ClientOrderId, result: OrderResult) {
        self.venue(venue_id);
        let limits = &self.limits;
        let venue = &mut self.venues[venue_id.index()];
        let mut opened = venue.breaker.ended(now, order, result);
        if venue.ended(result, limits) {
            venue.breaker.open(now);
            opened = true;
        }
        if opened {
            let until = Until::Time(now + limits.breaker_pause);
            self.tell_opened(Trip { rule: VENUE_FAILURES, scope: Scope::Venue(venue_id), until });
        }
    }

    /// A breaker opened. It is no other stop of its scope: when its time is over one attempt decides how it goes on.
    fn tell_opened(&mut self, trip: Trip) {
        self.note_opened(trip);
        self.untold.push(trip);
    }

    fn note_opened(&mut self, trip: Trip) {
        match trip.scope {
            Scope::All => {}
            Scope::Venue(venue) => self.venue(venue).opened = Some(trip),
            Scope::Symbol(symbol) => self.symbol(symbol).opened = Some(trip),
        }
    }

    /// An order was charged this much more than the plan reckoned with, as a part of what it moved (R30).
    pub fn charged(&mut self, now: Timestamp, symbol: SymbolId, venue: VenueId, excess: Bps) {
        let (limits, risk) = self.symbol_with_limits(symbol);
        if risk.charged(venue, excess, limits) {
            let until = Until::Time(now + self.limits.breaker_pause);
            self.trip(Trip { rule: "fee_surprise", scope: Scope::Symbol(symbol), until });
        }
    }

    /// What ended arbitrages left over since an operator last looked.
    #[must_use]
    pub const fn left_over(&self) -> &DustBook {
        &self.left_over
    }

    /// An arbitrage is over.
    pub fn finished(
        &mut self,
        now: Timestamp,
        id: ArbitrageId,
        end: CycleEnd,
        sums: CycleSums,
    ) -> Result<(), NumError> {
        let Some(at) = self.open.iter().position(|open| open.id == id) else { return Ok(()) };
        let open = self.open.swap_remove(at);
        if let CycleEnd::Withheld { .. } = end {
            self.pace.take_back(open.at, open.gross)?;
        }
        self.over(now, (id, open.symbol), end, &sums)
    }

    /// What the rules learn from an arbitrage that is over, now or in an earlier run.
    fn over(
        &mut self,
        now: Timestamp,
        (id, symbol): (ArbitrageId, SymbolId),
        end: CycleEnd,
        sums: &CycleSums,
    ) -> Result<(), NumError> {
        let (limits, risk) = self.symbol_with_limits(symbol);
        let unhappy = match end {
            CycleEnd::Withheld { pause } => {
                risk.breaker.ended(now, id, OrderResult::Withheld);
                risk.withheld(now, pause);
                return Ok(());
            }
            CycleEnd::Filled => {
                risk.breaker.ended(now, id, OrderResult::Worked);
                risk.went_well(limits);
                false
            }
            CycleEnd::Missed | CycleEnd::Failed | CycleEnd::Parked => {
                let opened = risk.breaker.ended(now, id, OrderResult::Failed);
                risk.went_wrong(now, limits);
                if opened {
                    let until = Until::Time(now + limits.breaker_pause);
                    self.tell_opened(Trip { rule: SYMBOL_FAILURES, scope: Scope::Symbol(symbol), until });
                }
                end != CycleEnd::Missed
            }
            // What others left over says nothing of how the symbol trades.
            CycleEnd::Swept => return self.note_sums(now, Some(symbol), end, sums),
            CycleEnd::Unswept => {
                self.trip(Trip { rule: "parked", scope: Scope::Symbol(symbol), until: Until::Operator });
                return self.note_sums(now, Some(symbol), end, sums);
            }
        };
        let (limits, risk) = self.symbol_with_limits(symbol);
        // Where nothing was traded nothing was earned or lost (R31).
        if end != CycleEnd::Missed && risk.earned(sums.edge, limits) {
            let until = Until::Time(now + self.limits.breaker_pause);
            self.trip(Trip { rule: "slippage", scope: Scope::Symbol(symbol), until });
        }
        if unhappy {
            self.count_failure(now);
        }
        if end == CycleEnd::Parked {
            self.trip(Trip { rule: "parked", scope: Scope::Symbol(symbol), until: Until::Operator });
        }
        self.note_sums(now, Some(symbol), end, sums)
    }

    /// Money and leftovers of an arbitrage; without a number for a symbol that is not traded any more.
    fn note_sums(
        &mut self,
        now: Timestamp,
        symbol: Option<SymbolId>,
        end: CycleEnd,
        sums: &CycleSums,
    ) -> Result<(), NumError> {
        self.left_over.add(sums.symbol, sums.base, sums.mark, end.is_kept())?;
        self.value_left_over(symbol, sums.symbol)?;
        for trip in self.losses.note(now, sums.profit, &self.limits)?.into_iter().flatten() {
            self.trip(trip);
        }
        Ok(())
    }

    /// Values what is left over anew, after that of a symbol has changed.
    fn value_left_over(&mut self, id: Option<SymbolId>, symbol: Symbol) -> Result<(), NumError> {
        self.dust = self.left_over.value()?;
        if let Some(id) = id {
            self.symbol(id).dust = self.left_over.of(symbol).value()?;
        }
        Ok(())
    }

    fn count_failure(&mut self, now: Timestamp) {
        let window = self.limits.failure_window;
        self.failures.retain(|at| now.since(*at) < window);
        self.failures.push(now);
        if self.failures.len() >= self.limits.max_all_failures as usize {
            self.failures.clear();
            self.trip(Trip { rule: "all_failures", scope: Scope::All, until: Until::Operator });
        }
    }

    /// What a half-done arbitrage left open is worth this much (R28): above the limit its symbol stops.
    pub fn naked(&mut self, symbol: SymbolId, notional: Decimal) {
        if notional > self.limits.max_naked_notional {
            self.trip(Trip { rule: "naked", scope: Scope::Symbol(symbol), until: Until::Operator });
        }
    }

    /// An account was compared with our ledger and differs by this much, in quote (R32): the second time in a row above
    /// the limit the venue stops.
    pub fn drifted(&mut self, venue: VenueId, difference: Decimal) {
        let over = difference > self.limits.max_drift;
        let state = self.venue(venue);
        state.drifts = if over { state.drifts + 1 } else { 0 };
        if state.drifts >= 2 {
            self.trip(Trip { rule: "drift", scope: Scope::Venue(venue), until: Until::Operator });
        }
    }

    /// An account was adopted that held this much more than our ledger, in quote, or less (R32): what is lost a little at a time is
    /// lost all the same. What is more makes up for what was less, and for nothing that comes later. A difference above the limit
    /// itself has been told ([`Self::drifted`]).
    pub fn adopted(&mut self, venue: VenueId, gain: Decimal) {
        let max = self.limits.max_drift;
        if gain.abs().is_ok_and(|size| size > max) {
            return;
        }
        let state = self.venue(venue);
        let lost = state.seeped.checked_sub(gain).unwrap_or(Decimal::from(i64::MAX));
        state.seeped = lost.max(Decimal::ZERO);
        if state.seeped > max {
            self.trip(Trip { rule: "drift_sum", scope: Scope::Venue(venue), until: Until::Operator });
        }
    }

    /// How many orders a venue itself takes: a leg that its budget would refuse must not be decided on.
    pub fn set_order_windows(&mut self, venue: VenueId, windows: &[OrderWindow]) {
        self.venue(venue).windows = OrderWindows::new(windows);
    }

    /// What may be sent to a venue is used up until then: an order that cannot leave is not decided on.
    pub fn set_budget_spent(&mut self, venue: VenueId, until: Timestamp) {
        let state = self.venue(venue);
        state.budget_spent_until = state.budget_spent_until.max(until);
    }

    /// How many orders of a venue have an unknown fate (R27); with too many it stops for a while (R25).
    pub fn set_unknown(&mut self, now: Timestamp, venue: VenueId, count: u32) {
        let more = count > std::mem::replace(&mut self.venue(venue).unknown, count);
        if more && count >= self.limits.stop_unknown {
            let until = Until::Time(now + self.limits.breaker_pause);
            self.trip(Trip { rule: "venue_unknown", scope: Scope::Venue(venue), until });
        }
    }

    /// A venue answered an order after this long, or its answer never came (R25).
    pub fn answered(&mut self, now: Timestamp, venue: VenueId, took: Option<Duration>) {
        self.venue(venue);
        if let Some(rule) = self.venues[venue.index()].answered(took, &self.limits) {
            let until = Until::Time(now + self.limits.breaker_pause);
            self.trip(Trip { rule, scope: Scope::Venue(venue), until });
        }
    }

    /// A book differed from the exchange's own of the same version, and nobody had noticed (R9): its symbol is left alone
    /// for a while.
    pub fn book_drifted(&mut self, now: Timestamp, symbol: SymbolId) {
        let until = Until::Time(now + self.limits.quarantine);
        self.trip(Trip { rule: "audit", scope: Scope::Symbol(symbol), until });
    }

    /// Whether the next arbitrage of a symbol is the one attempt after its breaker's pause: it is to be as small as can be
    /// (R24).
    #[must_use]
    pub fn is_probing(&self, now: Timestamp, symbol: SymbolId) -> bool {
        self.symbols.get(symbol.index()).is_some_and(|risk| risk.breaker.is_trying(now))
    }

    fn venue(&mut self, venue: VenueId) -> &mut VenueRisk {
        let limits = &self.limits;
        if self.venues.len() <= venue.index() {
            self.venues.resize_with(venue.index() + 1, || VenueRisk::new(limits));
        }
        &mut self.venues[venue.index()]
    }

    fn symbol(&mut self, symbol: SymbolId) -> &mut SymbolRisk {
        self.symbol_with_limits(symbol).1
    }

    fn symbol_with_limits(&mut self, symbol: SymbolId) -> (&Limits, &mut SymbolRisk) {
        let limits = &self.limits;
        if self.symbols.len() <= symbol.index() {
            self.symbols.resize_with(symbol.index() + 1, || SymbolRisk::new(limits));
        }
        (limits, &mut self.symbols[symbol.index()])
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

#[cfg(test)]
mod tests;
