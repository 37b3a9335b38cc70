//! The invariants of `docs/reliability.md`, checked while a run goes on and at its end, against the exchanges' own books.
//!
//! What is compared here is reckoned from what left and what the exchanges have, never from what the engine says of itself.

mod books;
mod close;
mod holdings;
mod journal;
mod limits;
mod naked;
mod operator;

use crate::fuse::Death;
use crate::plan::Family;
use crate::run::CANARY;
use cex_core::{
    ClientOrderId, Decimal, Market, MarketEvent, Markets, OrderRequest, Symbol, SymbolId, Timestamp, VenueId,
};
use cex_engine::{Ending, Engine, EngineConfig, Notice};
use cex_errors::{ExchangeError, Outcome};
use cex_interface::Reply;
use cex_risk::{Limits, Scope, Trip};
use cex_sim::world::{Trouble, World};
use limits::Risked;
use naked::Nakedness;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What must hold, as `docs/reliability.md` numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// No limit is exceeded.
    I1,
    /// At most one order is accepted per intent, and none is sent twice.
    I2,
    /// Every fill is booked exactly once.
    I3,
    /// The bank test.
    I4,
    /// The profit we report is the profit by the exchanges' ledgers.
    I5,
    /// A naked leg is closed, or somebody is told.
    I6,
    /// A live book is the exchange's at its version.
    I7,
    /// No order is decided on a stale book.
    I8,
    /// After the kill switch nothing is opened, until an operator has looked; and what they have looked at is theirs.
    I9,
    /// When faults stop, everything works again.
    I10,
    /// No secret shows.
    I11,
    /// No alarm without a reason.
    Alarm,
    /// The harness itself works.
    Harness,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant that does not hold.
    pub invariant: Invariant,
    /// When it was noticed, by the world's clock.
    pub at: Timestamp,
    /// What was found, in words.
    pub what: String,
}

/// What a run came to, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Arbitrages whose legs left.
    pub opened: u64,
    /// Orders that left, closing ones included.
    pub orders: u64,
    /// Fills by the exchanges' ledgers.
    pub fills: u64,
    /// Placements of which nobody could say whether they happened.
    pub unknown: u64,
    /// Arbitrages ended, by how.
    pub endings: BTreeMap<&'static str, u64>,
    /// Books compared with the truth.
    pub books: u64,
    /// Alarms, by what they say.
    pub alarms: BTreeMap<&'static str, u64>,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Frames that reached us.
    pub steps: u64,
    /// Processes that died.
    pub deaths: u64,
    /// Starts that came to nothing, because an exchange could not be asked.
    pub failed_starts: u64,
    /// Starts that looked for orders of which no record tells.
    pub searches: u64,
    /// Fills of such orders that they found.
    pub found: u64,
    /// Acknowledgements of an operator to a process that runs.
    pub resumed: u64,
    /// Acknowledgements of one while no process was there.
    pub resumed_alone: u64,
}

/// An order that left us.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// The arbitrage, by our own counting.
    of: u64,
    /// What its base is valued at: the limit of its arbitrage's buying leg.
    mark: Decimal,
}

/// An arbitrage on the way.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Its first order, which names it.
    name: ClientOrderId,
    since: Timestamp,
    symbol: Option<Symbol>,
    /// What both legs may move, at their limits.
    gross: Decimal,
}

/// How long a process that died may take to be there again and know what became of its orders: 2 s until it is started again,
/// 12 s until an order that never arrived is believed absent, and connections and books.
const RESTART: Duration = Duration::from_secs(20);

/// All that is watched.
pub(crate) struct Checks {
    limits: Limits,
    began: Timestamp,
    markets: Vec<Arc<Markets>>,
    violations: Vec<Violation>,
    pub(crate) counts: Counts,
    sent: BTreeMap<ClientOrderId, Sent>,
    risked: Risked,
    /// How often each placement left, by processes that are gone.
    placements: BTreeMap<ClientOrderId, u32>,
    /// Arbitrages on the way, by our own number.
    open: BTreeMap<u64, Open>,
    arbitrages: u64,
    /// What was told to be left over for people.
    parked: BTreeSet<u64>,
    /// Arbitrages that an operator has looked at while no process was there, by name: what is open of them is theirs.
    theirs: BTreeSet<ClientOrderId>,
    /// When a book was last heard of, by venue and symbol.
    heard: BTreeMap<(VenueId, SymbolId), Timestamp>,
    /// Books that changed since they were last compared.
    touched: Vec<(VenueId, SymbolId)>,
    pub(crate) killed_at: Option<Timestamp>,
    outcomes: Vec<cex_engine::Outcome>,
    naked: Nakedness,
}

impl Checks {
    pub(crate) fn new(now: Timestamp, config: &EngineConfig) -> Self {
        Self {
            limits: config.limits.clone(),
            began: now,
            markets: Vec::new(),
            violations: Vec::new(),
            counts: Counts::default(),
            sent: BTreeMap::new(),
            risked: Risked::default(),
            placements: BTreeMap::new(),
            open: BTreeMap::new(),
            arbitrages: 0,
            parked: BTreeSet::new(),
            theirs: BTreeSet::new(),
            heard: BTreeMap::new(),
            touched: Vec::new(),
            killed_at: None,
            outcomes: Vec::new(),
            naked: Nakedness::new(now),
        }
    }

    /// What a process trades, by its own numbers.
    pub(crate) fn knows(&mut self, markets: Vec<Arc<Markets>>) {
        self.markets = markets;
    }

    /// What this process calls so.
    fn name_of(&self, symbol: SymbolId) -> Option<Symbol> {
        self.markets.iter().find_map(|markets| markets.get(symbol)).map(Market::symbol)
    }

    /// The process died: what it had heard of books is gone with it.
    pub(crate) fn died(&mut self, now: Timestamp, death: Death) {
        self.counts.deaths += 1;
        *self.counts.faults.entry(format!("P proc.{death:?}").to_lowercase()).or_default() += 1;
        self.heard.clear();
        self.risked.died();
        self.touched.clear();
        // Whoever starts it again, and finds out what became of orders, has time.
        self.naked.excuse_until(now + RESTART);
    }

    /// The process ended by itself: what it had heard of books is gone with it.
    pub(crate) fn ended(&mut self) {
        self.heard.clear();
        self.risked.died();
        self.touched.clear();
    }

    /// Placements that left a process that is gone.
    pub(crate) fn left(&mut self, placements: BTreeMap<ClientOrderId, u32>) {
        for (client_id, times) in placements {
            *self.placements.entry(client_id).or_default() += times;
        }
    }

    /// Another process begins, and goes on with what its engine knows. Everything else is over, by what it found out.
    pub(crate) fn goes_on(&mut self, engine: &Engine) {
        self.open.retain(|_, open| engine.knows_order(open.name));
        // One that had ended is gone on with too, where the record of its end was lost.
        let known = self.sent.iter().filter(|(name, _)| engine.knows_order(**name));
        let with: BTreeSet<u64> = known.map(|(_, sent)| sent.of).collect();
        self.risked.goes_on(|number| with.contains(&number));
    }

    /// Of these orders the journal has a record.
    pub(crate) fn journal_has(&mut self, known: impl Fn(ClientOrderId) -> Option<Decimal>) {
        self.risked.journal_has(known);
    }

    /// Whether something does not hold; the run ends then.
    pub(crate) const fn is_broken(&self) -> bool {
        !self.violations.is_empty()
    }

    /// What does not hold.
    pub(crate) fn into_violations(self) -> (Vec<Violation>, Counts) {
        (self.violations, self.counts)
    }

    pub(crate) fn violate(&mut self, invariant: Invariant, at: Timestamp, what: String) {
        self.violations.push(Violation { invariant, at, what });
    }

    /// Something is wrong with the harness.
    pub(crate) fn harness(&mut self, now: Timestamp, what: String) {
        self.violate(Invariant::Harness, now, what);
    }

    /// Something goes wrong on purpose.
    pub(crate) fn went_wrong(&mut self, now: Timestamp, family: Family, trouble: &Trouble) {
        let (kind, lasts) = match *trouble {
            Trouble::Slow { lasts, .. } => ("net.delay", lasts),
            Trouble::Loss { lasts, .. } => ("net.loss", lasts),
            Trouble::ResetOne => ("net.rst one", Duration::ZERO),
            Trouble::CutAll => ("net.rst all", Duration::ZERO),
            Trouble::Refuse { lasts } => ("net.refuse", lasts),
        };
        *self.counts.faults.entry(format!("{family} {kind}")).or_default() += 1;
        self.naked.excuse_until(now + lasts);
    }

    /// An exchange shuts us out, and we are silent towards it for as long as we must take that to last.
    pub(crate) fn went_silent(&mut self, now: Timestamp) {
        self.naked.excuse_until(now + Duration::from_secs(100));
    }

    /// News of the market reached the engine.
    pub(crate) fn market_news(&mut self, now: Timestamp, venue: VenueId, event: &MarketEvent) {
        if let MarketEvent::Book(update) = event {
            self.book_news(now, venue, update.symbol);
        }
    }

    /// News of a book reached the engine.
    pub(crate) fn book_news(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId) {
        self.heard.insert((venue, symbol), now);
        if !self.touched.contains(&(venue, symbol)) {
            self.touched.push((venue, symbol));
        }
    }

    /// The engine wants to open: what it decides on, and whether it may.
    pub(crate) fn opens(&mut self, now: Timestamp, order: &OrderRequest, is_carried: bool, is_usable: bool) {
        let (venue, symbol) = (order.venue, order.symbol);
        if self.killed_at.is_some() {
            self.violate(Invariant::I9, now, format!("{} opens after the kill switch", order.client_id));
        }
        let age = self.heard.get(&(venue, symbol)).map(|at| now.since(*at));
        if !is_carried || !is_usable || age.is_none_or(|age| age > self.limits.max_book_age) {
            let what = format!(
                "{} at {venue} on a book heard of {age:?} ago, connected: {is_carried}, usable: {is_usable}",
                order.client_id
            );
            self.violate(Invariant::I8, now, what);
        }
        match self.notional(order) {
            Some(notional) if notional <= self.limits.max_leg_notional => {}
            notional => {
                self.violate(Invariant::I1, now, format!("a leg of {notional:?} in {order:?}"));
            }
        }
    }

    fn notional(&self, order: &OrderRequest) -> Option<Decimal> {
        let scale = self.markets.get(order.venue.index())?.get(order.symbol)?.scale;
        let (price, qty) = (order.kind.price()?, order.kind.qty()?);
        scale.price_value(price).checked_mul(scale.qty_value(qty)).ok()
    }

    /// Both orders of an opening leave.
    pub(crate) fn sends(&mut self, now: Timestamp, world: &World, orders: &[OrderRequest; 2]) {
        self.arbitrages += 1;
        self.counts.opened += 1;
        let mark = self.limit(&orders[0]).unwrap_or(Decimal::ZERO);
        let gross = orders.iter().try_fold(Decimal::ZERO, |sum, order| {
            sum.checked_add(self.notional(order).unwrap_or(Decimal::from(i64::MAX)))
        });
        let gross = gross.unwrap_or(Decimal::from(i64::MAX));
        let (name, symbol) = (orders[0].client_id, self.name_of(orders[0].symbol));
        self.open.insert(self.arbitrages, Open { name, since: now, symbol, gross });
        self.risked.counts(symbol, self.arbitrages);
        for order in orders {
            self.leaves(now, order, Sent { of: self.arbitrages, mark });
        }
        self.check_limits(now, orders, gross);
        self.check_position(now, world, orders);
    }

    /// A closing order of an arbitrage is to leave.
    pub(crate) fn closes(&mut self, now: Timestamp, order: &OrderRequest, of: ClientOrderId) {
        if self.theirs.contains(&of) {
            let what = format!("{} trades what an operator has looked at", order.client_id);
            self.violate(Invariant::I9, now, what);
        }
        match self.sent.get(&of).copied() {
            Some(sent) => self.leaves(now, order, sent),
            // What trades leftovers away is named after its own first order, and stands on one leg by its nature.
            None if of == order.client_id => {
                self.arbitrages += 1;
                self.parked.insert(self.arbitrages);
                self.risked.counts(self.name_of(order.symbol), self.arbitrages);
                let mark = self.limit(order).unwrap_or(Decimal::ZERO);
                self.leaves(now, order, Sent { of: self.arbitrages, mark });
            }
            None => {
                self.violate(Invariant::I2, now, format!("{} closes what was never opened", order.client_id));
            }
        }
    }

    fn leaves(&mut self, now: Timestamp, order: &OrderRequest, sent: Sent) {
        self.counts.orders += 1;
        self.risked.leaves(now, order);
        if self.sent.insert(order.client_id, sent).is_some() {
            self.violate(Invariant::I2, now, format!("{} is wanted twice", order.client_id));
        }
    }

    fn limit(&self, order: &OrderRequest) -> Option<Decimal> {
        let scale = self.markets.get(order.venue.index())?.get(order.symbol)?.scale;
        Some(scale.price_value(order.kind.price()?))
    }

    /// An answer to a call.
    pub(crate) fn answered(&mut self, result: &Result<Reply, ExchangeError>) {
        if let Err(error) = result {
            let shown = format!("{error} {error:?}");
            if shown.contains(CANARY) {
                self.violate(Invariant::I11, self.began, format!("a secret in an error: {}", error.op));
            }
        }
    }

    /// A placement failed.
    pub(crate) fn placement_failed(&mut self, outcome: Outcome) {
        self.counts.unknown += u64::from(crate::rest::may_have_happened(outcome));
    }

    /// The engine tells something.
    pub(crate) fn notice(&mut self, now: Timestamp, notice: &Notice) {
        match notice {
            Notice::Finished(outcome) => {
                let number = outcome.orders.first().and_then(|name| self.sent.get(name)).map(|sent| sent.of);
                if let Some(number) = number {
                    self.open.remove(&number);
                }
                self.came_to(now, outcome);
                *self.counts.endings.entry(outcome.ending.name()).or_default() += 1;
                if matches!(outcome.ending, Ending::Parked | Ending::Unswept) {
                    // Told to people, and left in the holdings: no longer naked, but inventory.
                    self.parked.extend(number);
                }
                self.outcomes.push((**outcome).clone());
            }
            Notice::Alarm(what) => {
                *self.counts.alarms.entry(what).or_default() += 1;
                self.naked.alarmed();
                self.violate(Invariant::Alarm, now, (*what).to_owned());
            }
            Notice::BookLive { venue, symbol } => self.book_news_quietly(*venue, *symbol),
            Notice::Tripped(Trip { rule: "quarantine", scope: Scope::Symbol(symbol), .. }) => {
                self.quarantined(now, *symbol);
            }
            Notice::BookLost { .. }
            | Notice::Opportunity { .. }
            | Notice::Started { .. }
            | Notice::Tripped(_)
            | Notice::OrderEnded { .. }
            | Notice::HeldAlready { .. }
            | Notice::Noted(_) => {}
        }
    }

    fn book_news_quietly(&mut self, venue: VenueId, symbol: SymbolId) {
        if !self.touched.contains(&(venue, symbol)) {
            self.touched.push((venue, symbol));
        }
    }

    /// When [`Self::look`] is wanted next.
    pub(crate) const fn next_look(&self) -> Timestamp {
        self.naked.next_look()
    }
}
