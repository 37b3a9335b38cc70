//! What the journal says, against the exchanges' ledgers and against the engine that wrote it: I3 and I5 over any number of
//! processes.

use super::Invariant;
use super::naked::{client_id, ours};
use crate::day::Day;
use crate::journal;
use crate::run::CANARY;
use cex_arb::run::past::{Past, Traded};
use cex_core::{ClientOrderId, Decimal, NumError, Side, Timestamp};
use cex_journal::messages::{self, ArbitrageEnd};
use cex_journal::{Entry, Reader};
use cex_risk::Gate;
use cex_sim::server::{Ledger, LedgerOrder, SimExchange};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What fills of one order moved: how many, base, quote, fees.
type Moved = (u64, Decimal, Decimal, Decimal);

/// A journal, read as plainly as can be: nothing of the code that recovers is used.
#[derive(Default)]
struct Plain {
    names: BTreeSet<(String, String, String, String)>,
    fills: Vec<messages::Fill>,
    /// Our name of an order, by the exchange's.
    ours: BTreeMap<(String, String), String>,
    /// The arbitrage of an order.
    cycle_of: BTreeMap<String, String>,
    ends: Vec<ArbitrageEnd>,
    /// Names of arbitrages without legs, and of those that a start found: what these asked for is not known.
    swept: BTreeSet<String>,
    /// Whether the session that writes is no process's that trades, but an operator's.
    is_operators: bool,
    /// How often they have looked in one.
    looked: usize,
    /// How often they have looked at all.
    acknowledged: usize,
    /// When a start has told that what was traded before it is not known, of which no operator has looked since.
    unsought_at: Option<Timestamp>,
    /// The last such moment of which one has.
    given_up_at: Option<Timestamp>,
    /// Names of the arbitrages that were open then.
    theirs: BTreeSet<String>,
    /// Of them those of which nobody can tell what they filled.
    untold: BTreeSet<String>,
    /// Orders that were written down, and how often.
    times: BTreeMap<String, u32>,
    /// Orders that a start found: they are valued as the arbitrage is that they were found to be of.
    found: BTreeSet<String>,
    /// What the legs of an opening may have moved, by the name of each.
    moved: BTreeMap<String, Decimal>,
}

impl Day {
    /// Ends the session, and reads the journal from its beginning.
    pub(super) fn check_journal(&mut self, now: Timestamp, ledger: &Ledger) {
        let standing = self.desk.engine.standing(now);
        let counts = self.desk.engine.counts();
        let Some(mut journal) = self.desk.journal.take() else {
            return self.desk.checks.harness(now, "no process is there at the end".to_owned());
        };
        // What nobody waited for is written by now.
        journal.recorder.flush();
        if let Err(error) = journal.recorder.close(now, "finished", 0, &standing) {
            return self.desk.checks.violate(Invariant::I3, now, format!("the journal: {error}"));
        }
        self.check_secrets(now);
        match journal::read(&self.disk) {
            Ok(past) => {
                if let Some(contradiction) = past.contradiction() {
                    let what = format!(
                        "a session ends with another state than its records: {contradiction:?}, {standing}"
                    );
                    self.desk.checks.violate(Invariant::I5, now, what);
                }
                match self.counts_again(&past) {
                    Ok(again) if again == counts => {}
                    Ok(again) => {
                        let what = format!("the next run would count {again}, this one counted {counts}");
                        self.desk.checks.violate(Invariant::I5, now, what);
                    }
                    Err(error) => self.desk.checks.harness(now, format!("counts: {error}")),
                }
                if past.unfinished() > 0 {
                    let what = format!("{} arbitrages have no end in the journal", past.unfinished());
                    self.desk.checks.violate(Invariant::I3, now, what);
                }
            }
            Err(error) => self.desk.checks.violate(Invariant::I3, now, format!("the journal: {error}")),
        }
        let is_told = self.tells_all_it_sent();
        let compare = |plain: Plain| {
            let untellable = if is_told { BTreeSet::new() } else { plain.untellable(ledger) };
            differences(&plain, ledger, &untellable).map_err(|error| error.to_string())
        };
        let wrong = self.plain().and_then(compare);
        match wrong {
            Ok(wrong) => {
                wrong.into_iter().for_each(|what| self.desk.checks.violate(Invariant::I3, now, what));
            }
            Err(error) => self.desk.checks.harness(now, format!("the journal cannot be compared: {error}")),
        }
    }

    /// No secret is in anything that was told, nor in any file (I11).
    fn check_secrets(&mut self, now: Timestamp) {
        let told = self.desk.trace.secret().map(|words| format!("a secret was told: {words}"));
        let files = self.disk.files("");
        let shows = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(CANARY);
        let file = files.iter().find(|(_, bytes)| shows(bytes));
        let written = file.map(|(name, _)| format!("a secret is in {name}"));
        for what in told.into_iter().chain(written) {
            self.desk.checks.violate(Invariant::I11, now, what);
        }
    }

    /// What a run that begins after this one counts of its venues and symbols (R23 to R25, R30, R31).
    fn counts_again(&self, past: &Past) -> Result<String, NumError> {
        let engine = &self.desk.engine;
        let symbols = engine.symbols().map(|(id, symbol)| (symbol.to_string(), id));
        let mut names = Traded::new(symbols, engine.venues().collect::<Vec<_>>());
        let mut gate = Gate::new(engine.limits().clone());
        past.history().tell(&mut gate.recall(), &mut names)?;
        Ok(gate.counts())
    }

    /// What orders that traded leftovers away, or were found, are valued at, as their ends say.
    pub(super) fn marks_of_swept(&mut self) -> BTreeMap<ClientOrderId, Decimal> {
        if let Some(journal) = &mut self.desk.journal {
            journal.recorder.flush();
        }
        // What cannot be read is found out when the journal is compared.
        let plain = self.plain().unwrap_or_default();
        let ends: BTreeMap<&String, Decimal> =
            plain.ends.iter().filter_map(|end| Some((&end.name, end.mark.parse().ok()?))).collect();
        let swept = plain.cycle_of.iter();
        let swept = swept.filter(|(order, name)| plain.swept.contains(*name) || plain.found.contains(*order));
        swept.filter_map(|(order, name)| Some((ClientOrderId::new(order)?, *ends.get(name)?))).collect()
    }

    /// What fees in other coins count as, by the ends of all arbitrages.
    pub(super) fn other_fees_written(&mut self) -> Decimal {
        if let Some(journal) = &mut self.desk.journal {
            journal.recorder.flush();
        }
        // What cannot be read is found out when the journal is compared.
        let ends = self.plain().unwrap_or_default().ends;
        let fees = ends.iter().filter_map(|end| end.other_fee.parse::<Decimal>().ok());
        fees.fold(Decimal::ZERO, |sum, fee| sum.checked_add(fee).unwrap_or(sum))
    }

    /// Orders that the journal has, and what the opening of each may have moved by it: of one that was found, what it filled.
    pub(crate) fn written_orders(&mut self) -> BTreeMap<String, Decimal> {
        if let Some(journal) = &mut self.desk.journal {
            journal.recorder.flush();
        }
        let Plain { cycle_of, moved, .. } = self.plain().unwrap_or_default();
        let of = |name: String| (name.clone(), moved.get(&name).copied().unwrap_or_default());
        cycle_of.into_keys().map(of).collect()
    }

    /// How often an operator has looked while no process was there, and the arbitrages that were open then, by name.
    pub(crate) fn left_to_operator(&self) -> (usize, BTreeSet<String>) {
        self.plain().map(|plain| (plain.looked, plain.theirs)).unwrap_or_default()
    }

    /// How often an operator has looked, as far as the journal says.
    pub(crate) fn acknowledgements(&self) -> usize {
        self.plain().map_or(0, |plain| plain.acknowledged)
    }

    /// Orders that an operator has looked at, or those of their arbitrages: what these came to is in no profit of ours.
    pub(super) fn orders_of_operators(&self, ledger: &Ledger) -> BTreeSet<ClientOrderId> {
        let plain = self.plain().unwrap_or_default();
        let theirs = plain.cycle_of.iter().filter(|(_, name)| plain.theirs.contains(*name));
        let theirs = theirs.filter_map(|(order, _)| ClientOrderId::new(order));
        let untellable = if self.tells_all_it_sent() { BTreeSet::new() } else { plain.untellable(ledger) };
        theirs.chain(untellable).collect()
    }

    /// Whether a loss of power leaves no order that nobody can tell of: it is on disk before it leaves, or named by its trades.
    const fn tells_all_it_sent(&self) -> bool {
        self.is_strict || self.names_trades
    }

    fn plain(&self) -> Result<Plain, String> {
        let mut reader = Reader::new(Arc::new(self.disk.clone()), 0).map_err(|error| error.to_string())?;
        let mut plain = Plain::default();
        while let Some(record) = reader.next_record().map_err(|error| error.to_string())? {
            plain.take(record.at, record.entry().map_err(|error| error.to_string())?);
        }
        Ok(plain)
    }
}

impl Plain {
    fn take(&mut self, at: Timestamp, entry: Entry) {
        if matches!(entry, Entry::OperatorAck(_)) {
            self.acknowledged += 1;
            self.given_up_at = self.unsought_at.take().or(self.given_up_at);
        }
        match entry {
            Entry::PastUnsought(_) => self.unsought_at = Some(at),
            Entry::Fill(fill) => {
                let name =
                    (fill.venue.clone(), fill.symbol.clone(), fill.order_id.clone(), fill.trade_id.clone());
                if !fill.client_id.is_empty() {
                    self.name_order(&fill.venue, &fill.order_id, &fill.client_id);
                }
                if self.names.insert(name) {
                    self.fills.push(fill);
                }
            }
            Entry::OrderEvent(order) => self.name_order(&order.venue, &order.order_id, &order.client_id),
            Entry::Intent(intent) => {
                let first = intent.legs.first().map(|leg| leg.client_id.clone()).unwrap_or_default();
                if intent.parent == first || (intent.parent.is_empty() && intent.purpose == "found") {
                    self.swept.insert(first.clone());
                }
                for leg in &intent.legs {
                    *self.times.entry(leg.client_id.clone()).or_default() += 1;
                }
                if intent.acknowledged {
                    self.theirs.insert(first.clone());
                }
                let names = || intent.legs.iter().map(|leg| leg.client_id.clone());
                if intent.purpose == "found" {
                    self.found.extend(names());
                }
                if intent.parent.is_empty() {
                    let parts = intent.legs.iter().filter_map(|leg| leg.notional.parse::<Decimal>().ok());
                    let moved = parts.fold(Decimal::ZERO, |sum, part| sum.checked_add(part).unwrap_or(sum));
                    self.moved.extend(names().map(|name| (name, moved)));
                }
                let cycle = if intent.parent.is_empty() { first } else { intent.parent };
                self.cycle_of.extend(intent.legs.into_iter().map(|leg| (leg.client_id, cycle.clone())));
            }
            Entry::ArbitrageEnd(end) if end.ending == "left_to_operator" => {
                self.untold.insert(end.name);
            }
            Entry::ArbitrageEnd(end) => self.ends.push(end),
            Entry::SessionStart(start) => {
                self.is_operators = start.seed == 0;
            }
            // Sessions in which an operator alone says something are begun without a number.
            Entry::OperatorAck(_) if self.is_operators => {
                self.looked += 1;
                self.theirs.extend(self.open());
            }
            _other => {}
        }
    }

    /// Orders whose records the power took, and that an exchange forgot which does not name what they traded: an operator was
    /// told so later, and has looked.
    fn untellable(&self, ledger: &Ledger) -> BTreeSet<ClientOrderId> {
        let nameless = ledger.accounts.iter().filter(|account| account.exchange == SimExchange::Mexc);
        let orders = nameless.flat_map(|account| &account.orders);
        let before = |order: &LedgerOrder| self.given_up_at.is_some_and(|at| order.created_at < at);
        let forgotten = orders.filter(|order| order.is_hidden && before(order));
        let ids = forgotten.filter_map(|order| ours(&order.client_id));
        ids.filter(|id| !self.cycle_of.contains_key(id.as_str())).collect()
    }

    /// Names of arbitrages without an end.
    fn open(&self) -> BTreeSet<String> {
        let ended: BTreeSet<&String> = self.ends.iter().map(|end| &end.name).collect();
        let all = self.cycle_of.values().filter(|name| !ended.contains(name) && !self.untold.contains(*name));
        all.cloned().collect()
    }

    fn name_order(&mut self, venue: &str, order_id: &str, client_id: &str) {
        if !order_id.is_empty() && !client_id.is_empty() {
            self.ours.insert((venue.to_owned(), order_id.to_owned()), client_id.to_owned());
        }
    }

    /// What the journal says that each order moved.
    fn moved(&self) -> Result<BTreeMap<String, Moved>, NumError> {
        let mut moved: BTreeMap<String, Moved> = BTreeMap::new();
        for fill in &self.fills {
            let key = (fill.venue.clone(), fill.order_id.clone());
            let name = self.ours.get(&key).cloned().unwrap_or_else(|| format!("nobody's {}", fill.order_id));
            let (price, qty): (Decimal, Decimal) = (fill.price.parse()?, fill.qty.parse()?);
            let fee =
                fill.fees.iter().try_fold(Decimal::ZERO, |sum, fee| sum.checked_add(fee.amount.parse()?));
            add(moved.entry(name).or_default(), qty, price.checked_mul(qty)?, fee?)?;
        }
        Ok(moved)
    }
}

fn add(moved: &mut Moved, qty: Decimal, notional: Decimal, fee: Decimal) -> Result<(), NumError> {
    moved.0 += 1;
    moved.1 = moved.1.checked_add(qty)?;
    moved.2 = moved.2.checked_add(notional)?;
    moved.3 = moved.3.checked_add(fee)?;
    Ok(())
}

/// What the journal and the ledgers tell differently.
fn differences(
    plain: &Plain,
    ledger: &Ledger,
    untellable: &BTreeSet<ClientOrderId>,
) -> Result<Vec<String>, NumError> {
    let mut theirs: BTreeMap<String, Moved> = BTreeMap::new();
    let mut changes: BTreeMap<ClientOrderId, (Decimal, Decimal)> = BTreeMap::new();
    let mut beside: BTreeMap<(ClientOrderId, String), Decimal> = BTreeMap::new();
    for fill in ledger.accounts.iter().flat_map(|account| &account.fills) {
        let Some(id) = client_id(fill) else { continue };
        add(theirs.entry(id.to_string()).or_default(), fill.qty, fill.notional, fill.fee)?;
        let (base, quote) = changes.entry(id).or_default();
        (*base, *quote) = match fill.side {
            Side::Buy => (base.checked_add(fill.qty)?, quote.checked_sub(fill.notional)?),
            Side::Sell => (base.checked_sub(fill.qty)?, quote.checked_add(fill.notional)?),
        };
        if fill.fee_asset == fill.symbol.base {
            *base = base.checked_sub(fill.fee)?;
        } else if fill.fee_asset == fill.symbol.quote {
            *quote = quote.checked_sub(fill.fee)?;
        } else {
            let sum = beside.entry((id, fill.fee_asset.to_string())).or_default();
            *sum = sum.checked_add(fill.fee)?;
        }
    }
    let ours = plain.moved()?;
    let mut wrong = Vec::new();
    let all: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in all {
        let (ours, theirs) = (ours.get(name), theirs.get(name));
        let is_untold = plain.cycle_of.get(name).is_some_and(|cycle| plain.untold.contains(cycle));
        let is_untold = is_untold || ClientOrderId::new(name).is_some_and(|id| untellable.contains(&id));
        if ours != theirs && !is_untold {
            wrong.push(format!("fills of {name}: the journal has {ours:?}, the exchange {theirs:?}"));
        }
    }
    let mut ended: BTreeMap<&String, u32> = BTreeMap::new();
    for end in &plain.ends {
        *ended.entry(&end.name).or_default() += 1;
        let (mut base, mut quote) = (Decimal::ZERO, Decimal::ZERO);
        let mut fees: BTreeMap<String, Decimal> = BTreeMap::new();
        for (order, _) in plain.cycle_of.iter().filter(|(_, cycle)| **cycle == end.name) {
            let id = ClientOrderId::new(order);
            let (more_base, more_quote) = id.and_then(|id| changes.get(&id)).copied().unwrap_or_default();
            (base, quote) = (base.checked_add(more_base)?, quote.checked_add(more_quote)?);
            for ((_, coin), fee) in beside.iter().filter(|((order, _), _)| Some(*order) == id) {
                let sum = fees.entry(coin.clone()).or_default();
                *sum = sum.checked_add(*fee)?;
            }
        }
        let stated = end.other_fees.iter().map(|fee| Ok((fee.asset.clone(), fee.amount.parse()?)));
        if fees != stated.collect::<Result<BTreeMap<String, Decimal>, NumError>>()? {
            wrong.push(format!("{end:?}, by the ledgers fees of {fees:?}"));
        }
        if (Ok(base), Ok(quote)) != (end.base_change.parse(), end.quote_change.parse()) {
            wrong.push(format!("{end:?}, by the ledgers {base} and {quote}"));
        }
    }
    let again = plain.times.iter().filter(|(_, times)| **times > 1);
    wrong.extend(again.map(|(name, times)| format!("{name} was written down {times} times")));
    wrong.extend(
        ended
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(name, times)| format!("{name} ended {times} times")),
    );
    Ok(wrong)
}
