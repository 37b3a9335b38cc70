//! What a journal says of earlier runs: read record by record, the same for a start, for the end of a run, and for
//! `arb journal replay`.
//!
//! | part | what |
//! |---|---|
//! | [`Cycle`] | an arbitrage that was written down and whose end was not: its orders and what they filled |
//! | [`Doubt`] | sessions whose last records may have been lost with the power |
//! | [`History`] | what the rules that look back must be told |

mod cycle;
mod doubt;
mod history;
mod ledger;
#[cfg(test)]
mod tests;
mod traded;

pub(crate) use cycle::LEFT_TO_OPERATOR;
pub(super) use cycle::VENUE_LAG;
pub use cycle::{Cycle, Written};
pub use doubt::Doubt;
pub use history::{History, Names, Recalled, Traded, tell_end};
pub use traded::Sending;

use cex_core::{Asset, Decimal, NumError, Timestamp};
use cex_journal::messages::{self, Mode};
use cex_journal::{Entry, JournalError, Reader, Record};
use cex_risk::{Gate, Limits, Standing};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::time::Duration;

/// Fills remembered so that none is booked twice: as many as the engine remembers.
const FILLS_KEPT: usize = 50_000;
/// Fills of orders not known yet: more than all our orders on the way can have.
const UNCLAIMED_KEPT: usize = 1_000;

/// What makes a fill the same fill, by the names a journal has: venue, symbol, order, trade.
pub type FillName = (String, String, String, String);

/// What a journal tells, up to some record. By default for those who ask it, and tell no engine ([`Past::under`]).
#[derive(Debug, Default)]
pub struct Past {
    cycles: BTreeMap<String, Cycle>,
    /// The cycle of each order of a cycle.
    cycle_of: BTreeMap<String, String>,
    known: BTreeSet<FillName>,
    known_in_order: VecDeque<FillName>,
    /// Fills whose order nobody had told of when they came.
    unclaimed: VecDeque<messages::Fill>,
    history: History,
    sessions: doubt::Sessions,
    sendings: traded::Sendings,
    ledger: ledger::Ledger,
    /// Why the last session ended.
    ended: Option<String>,
    /// A halt is written down that no operator has looked at since.
    halted: bool,
    /// Whether the session that writes is a run, and not an operator's where none is: that one is told what stands open, and takes it
    /// over. A run looks after its own; one that only observes leaves it to the next that trades.
    runs: bool,
    /// A session whose end does not say what its records say.
    contradiction: Option<Contradiction>,
    /// The largest number of a session.
    epoch: u64,
}

/// A session ended with another state than its records give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Number of the record.
    pub seq: u64,
    /// The state that the session's records give, in words.
    pub state: String,
    /// An operator has looked since: what the records give is gone on with.
    pub acknowledged: bool,
}

impl Past {
    /// Nothing read yet; an engine with these limits will be told what is.
    #[must_use]
    pub fn under(limits: Limits) -> Self {
        Self { history: History::under(limits), ..Self::default() }
    }

    /// Reads a journal from its beginning.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        Self::of(Reader::of_directory(path, 0)?)
    }

    /// Takes in all that a reader of a whole journal has.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(mut reader: Reader) -> Result<Self, JournalError> {
        let mut past = Self::default();
        while let Some(record) = reader.next_record()? {
            past.take(&record);
        }
        Ok(past)
    }

    /// Takes in the next record, as it was read. One of a kind this version does not know moves nothing it knows.
    pub fn take(&mut self, record: &Record) {
        if let Ok(entry) = record.entry() {
            self.take_in(record.seq, record.at, &entry);
        }
    }

    /// Takes in the next record. A number that is none was not written by us; the order it belongs to stays open and is
    /// asked for.
    pub fn take_in(&mut self, seq: u64, at: Timestamp, entry: &Entry) {
        // The next session does not tell that the last one had written all of what it began.
        if !matches!(entry, Entry::Balance(_) | Entry::SessionStart(_)) {
            self.ledger.listed();
        }
        match entry {
            Entry::SessionStart(start) => {
                self.ended = None;
                self.epoch = self.epoch.max(start.seed);
                self.sessions.begin(start);
                self.ledger.begin(start.mode());
                self.begin(start.mode());
            }
            Entry::PastSought(_) => self.sessions.sought(),
            Entry::PastUnsought(_) => self.sessions.told(),
            Entry::Balance(balance) => {
                if self.ledger.adopt(balance).is_err() {
                    self.ledger.lose(&balance.venue);
                }
            }
            Entry::Intent(intent) => {
                for leg in &intent.legs {
                    self.sessions.sends(Duration::from_nanos(leg.expires_in_ns));
                    // Whether an operator evened it out, or a later reading of the account has it, nobody wrote down.
                    if intent.acknowledged {
                        self.ledger.lose(&leg.venue);
                    }
                }
                if intent.parent.is_empty() {
                    self.open(at, intent);
                } else {
                    self.mend(at, intent);
                }
            }
            Entry::OrderEvent(event) => self.hear(event),
            Entry::Fill(fill) => self.book(at, fill),
            Entry::ArbitrageEnd(end) => self.end(at, end),
            Entry::VenueNote(note) => self.history.push(at, Recalled::Noted(note.clone())),
            Entry::RiskTrip(trip) => self.history.push(at, Recalled::Trip(trip.clone())),
            Entry::Halt(_) => self.halted = true,
            Entry::OperatorAck(_) => self.acknowledge(at),
            Entry::SessionEnd(end) => {
                self.ended = Some(end.reason.clone());
                self.sessions.end();
                self.compare(seq, at, end);
            }
            Entry::Seal(_)
            | Entry::IdBlock(_)
            | Entry::OrderSent(_)
            | Entry::VenueReport(_)
            | Entry::ClockOffset(_)
            | Entry::ConfigChange(_)
            | Entry::Checkpoint(_) => {}
        }
        self.sessions.saw(at);
    }

    /// A session is about to begin after all that was read.
    pub fn begins(&mut self, start: &messages::SessionStart) {
        self.sessions.begin(start);
        self.ledger.begin(start.mode());
    }

    /// A number for a session that starts now, larger than that of any before it: it stands in the names of its orders, and a clock
    /// may have been set back.
    #[must_use]
    pub fn next_epoch(&self, now: Timestamp) -> u64 {
        u64::try_from(now.as_millis()).unwrap_or(0).max(self.epoch.saturating_add(1))
    }

    fn begin(&mut self, mode: Mode) {
        self.runs = mode != Mode::Unspecified;
        // Accounts on paper begin anew, and nothing of theirs is left over.
        if mode == Mode::Paper {
            self.cycles.clear();
            self.cycle_of.clear();
        }
    }

    fn open(&mut self, at: Timestamp, intent: &messages::Intent) {
        let Some(first) = intent.legs.first() else { return };
        let name = first.client_id.clone();
        let cycle = Cycle::new(at, intent);
        self.history.push(at, Recalled::Opening { gross: cycle.gross });
        self.sent(at, intent, true);
        for leg in &intent.legs {
            self.cycle_of.insert(leg.client_id.clone(), name.clone());
        }
        self.cycles.insert(name, cycle);
    }

    /// Its orders left for their venues.
    fn sent(&mut self, at: Timestamp, intent: &messages::Intent, opens: bool) {
        for leg in &intent.legs {
            if let Some(epoch) = self.sessions.sending() {
                self.sendings.sent(&leg.venue, &intent.symbol, Sending { at, epoch });
            }
            let (venue, client_id) = (leg.venue.clone(), leg.client_id.clone());
            self.history.push(at, Recalled::Sent { venue, symbol: intent.symbol.clone(), client_id, opens });
        }
    }

    fn mend(&mut self, at: Timestamp, intent: &messages::Intent) {
        self.sent(at, intent, false);
        let Some(cycle) = self.cycles.get_mut(&intent.parent) else {
            // What trades leftovers away is named after its own first order.
            if let Some(leg) = intent.legs.first().filter(|leg| leg.client_id == intent.parent) {
                self.cycle_of.insert(leg.client_id.clone(), leg.client_id.clone());
                self.cycles.insert(leg.client_id.clone(), Cycle::new(at, intent));
            }
            return;
        };
        for leg in &intent.legs {
            cycle.orders.push(Written::new(at, leg));
            self.cycle_of.insert(leg.client_id.clone(), intent.parent.clone());
        }
    }

    fn order_mut(&mut self, client_id: &str) -> Option<&mut Written> {
        let cycle = self.cycles.get_mut(self.cycle_of.get(client_id)?)?;
        cycle.orders.iter_mut().find(|order| order.leg.client_id == client_id)
    }

    fn hear(&mut self, event: &messages::OrderEvent) {
        let Some(order) = self.order_mut(&event.client_id) else { return };
        order.hear(event);
        let (venue, order_id) = (event.venue.clone(), event.order_id.clone());
        let (its, others) = std::mem::take(&mut self.unclaimed)
            .into_iter()
            .partition(|fill: &messages::Fill| fill.venue == venue && fill.order_id == order_id);
        self.unclaimed = others;
        let its: VecDeque<messages::Fill> = its;
        if let Some(order) = self.order_mut(&event.client_id) {
            its.into_iter().for_each(|fill| order.book(fill));
        }
    }

    fn book(&mut self, at: Timestamp, fill: &messages::Fill) {
        self.know(at, fill);
        let by_number = || {
            let orders = self.cycles.values().flat_map(|cycle| &cycle.orders);
            let mut its =
                orders.filter(|order| order.leg.venue == fill.venue && order.order_id == fill.order_id);
            its.next().map(|order| order.leg.client_id.clone())
        };
        let named = Some(fill.client_id.clone()).filter(|client_id| self.cycle_of.contains_key(client_id));
        let Some(client_id) = named.or_else(by_number) else {
            if fill.client_id.is_empty() {
                self.unclaimed.push_back(fill.clone());
                if self.unclaimed.len() > UNCLAIMED_KEPT {
                    self.unclaimed.pop_front();
                }
            }
            return;
        };
        if let Some(order) = self.order_mut(&client_id) {
            order.book(fill.clone());
        }
    }

    fn know(&mut self, at: Timestamp, fill: &messages::Fill) {
        let name = name_of(fill);
        if self.known.insert(name.clone()) {
            if self.ledger.fill(at, fill).is_err() {
                self.ledger.lose(&fill.venue);
            }
            self.known_in_order.push_back(name);
            if self.known_in_order.len() > FILLS_KEPT
                && let Some(oldest) = self.known_in_order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    fn end(&mut self, at: Timestamp, end: &messages::ArbitrageEnd) {
        let opened = self.cycles.remove(&end.name).map(|cycle| {
            for order in &cycle.orders {
                self.cycle_of.remove(&order.leg.client_id);
            }
            (cycle.at, cycle.gross)
        });
        if end.ending != LEFT_TO_OPERATOR {
            self.history.push(at, Recalled::End { end: end.clone(), opened });
        }
    }

    fn acknowledge(&mut self, at: Timestamp) {
        self.halted = false;
        self.history.push(at, Recalled::Acknowledged);
        if let Some(contradiction) = &mut self.contradiction {
            contradiction.acknowledged = true;
        }
        if !self.runs {
            for cycle in self.cycles.values_mut() {
                (cycle.acknowledged, cycle.looked_at) = (true, at);
            }
            self.sessions.acknowledge();
        }
    }

    /// Whether a session's end says the state its records give; a session of a version that says none is believed.
    fn compare(&mut self, seq: u64, at: Timestamp, end: &messages::SessionEnd) {
        // The first that nobody has looked at is what matters.
        if end.state_hash.is_empty() || self.contradiction.as_ref().is_some_and(|found| !found.acknowledged) {
            return;
        }
        let state = self.state(at).unwrap_or_else(|error| error.to_string());
        if state_hash(&state) != end.state_hash {
            self.contradiction = Some(Contradiction { seq, state, acknowledged: false });
        }
    }

    /// Why the last session ended, as it says; `None` when it does not.
    #[must_use]
    pub fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// Whether a halt is written down that no operator has looked at since: it holds every start.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        self.halted
    }

    /// Arbitrages that were not seen to their end, by name.
    #[must_use]
    pub const fn cycles(&self) -> &BTreeMap<String, Cycle> {
        &self.cycles
    }

    /// An order of such an arbitrage.
    #[must_use]
    pub fn order(&self, client_id: &str) -> Option<&Written> {
        let cycle = self.cycles.get(self.cycle_of.get(client_id)?)?;
        cycle.orders.iter().find(|order| order.leg.client_id == client_id)
    }

    /// What an account holds of a coin by the records; `None` when they do not tell.
    #[must_use]
    pub fn held(&self, venue: &str, asset: Asset) -> Option<Decimal> {
        self.ledger.held(venue, asset)
    }

    /// What an account holds of every coin by the records, `None` when they do not tell, and when its last fill was written down.
    #[must_use]
    pub fn account(&self, venue: &str) -> (Option<BTreeMap<Asset, Decimal>>, Option<Timestamp>) {
        (self.ledger.all_held(venue), self.ledger.moved_at(venue))
    }

    /// Sessions of which orders may have left that no record tells of.
    #[must_use]
    pub const fn doubt(&self) -> Option<&Doubt> {
        self.sessions.doubt()
    }

    /// The last order of a session on live money to a market, if there was one.
    #[must_use]
    pub fn last_sent(&self, venue: &str, symbol: &str) -> Option<Sending> {
        self.sendings.last(venue, symbol)
    }

    /// The last order of such a session to each market, by venue and symbol.
    pub fn all_last_sent(&self) -> impl Iterator<Item = (&str, &str, Sending)> {
        self.sendings.all()
    }

    /// How many arbitrages were not seen to their end, and are no operator's business yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.cycles.values().filter(|cycle| !cycle.acknowledged).count()
    }

    /// How many orders are not known to their end.
    #[must_use]
    pub fn undecided(&self) -> u32 {
        let orders = self.cycles.values().flat_map(|cycle| &cycle.orders);
        u32::try_from(orders.filter(|order| !order.is_settled()).count()).unwrap_or(u32::MAX)
    }

    /// Whether the journal has this fill.
    #[must_use]
    pub fn knows(&self, fill: &messages::Fill) -> bool {
        self.known.contains(&name_of(fill))
    }

    /// The fills of which nobody has told whose order they are of.
    #[must_use]
    pub fn unclaimed(&self) -> BTreeSet<FillName> {
        self.unclaimed.iter().map(name_of).collect()
    }

    /// The newest fills, each once.
    pub fn fills(&self) -> impl Iterator<Item = &FillName> {
        self.known_in_order.iter()
    }

    /// What the rules that look back must be told.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// A session whose end contradicts its records, if there is one: the first that no operator has looked at.
    #[must_use]
    pub const fn contradiction(&self) -> Option<&Contradiction> {
        self.contradiction.as_ref()
    }

    /// What the rules that look back stand at.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn standing(&self, now: Timestamp) -> Result<Standing, NumError> {
        // No limit moves a sum.
        let mut gate = Gate::new(Limits::boundless());
        self.history.tell(&mut gate.recall(), &mut history::Nameless::default())?;
        Ok(gate.standing(now))
    }

    /// The state in words: what [`state`] gives for the standing and the number of arbitrages not seen to their end.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn state(&self, now: Timestamp) -> Result<String, NumError> {
        Ok(state(&self.standing(now)?, self.unfinished()))
    }
}

/// The state a session ends with, in words: the same whether the run says it or its journal does.
#[must_use]
pub fn state(standing: &Standing, unfinished: usize) -> String {
    format!("{standing} unfinished {unfinished}")
}

/// SHA-256 of a state in words.
#[must_use]
pub fn state_hash(state: &str) -> Vec<u8> {
    cex_journal::frame::hash_of(state.as_bytes()).to_vec()
}

fn name_of(fill: &messages::Fill) -> FillName {
    (fill.venue.clone(), fill.symbol.clone(), fill.order_id.clone(), fill.trade_id.clone())
}

/// A decimal a journal holds.
fn decimal(text: &str) -> Result<Decimal, NumError> {
    text.parse()
}
