//! The start of a run that trades: what earlier runs left undecided is asked for at the exchanges, fills nobody heard of are
//! booked into the journal, and what is not level goes on in this run's engine. The same way after a crash and after none.

mod ask;
mod audit;
mod found;
mod inquiry;
mod lost;
mod names;
mod prove;
mod search;
#[cfg(test)]
pub(super) mod stage;
mod tell;
#[cfg(test)]
mod tests;

pub use audit::{Audit, Explained};
pub use inquiry::{Inquiry, NotKnown, Recorded, Told, Turn};
pub use lost::Searched;
pub use search::{Search, Sought, Wanted};

use super::past::{self, Cycle, FillName, Past, Traded, Written};
use super::record::Recorder;
use super::venue::Venue;
use crate::exit::{Exit, Failure};
use cex_core::{
    ClientOrderId, Decimal, Fill, FillKey, Markets, NumError, Order, OrderId, Symbol, Timestamp, TradeId,
    VenueId,
};
use cex_engine::{Ending, Engine, EngineView, is_our_form};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{OrderRef, Request};
use cex_journal::{Entry, messages};
use cex_transport::Lists;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// What earlier runs left undecided is an operator's after so long, also where only an answer is waited for.
const PASSES_WITHIN: Duration = Duration::from_secs(1_800);

/// Earlier runs, and how their arbitrages stand at the exchanges. What is found out is written down and read back at once, so
/// that this start knows what the next one would read.
pub struct Unfinished {
    past: Past,
    /// Orders that seem never to have arrived: written down as such when the accounts say the same.
    absent: Vec<prove::Absent>,
    /// Arbitrages of which an operator has looked at what no exchange tells: written down as over when the start goes on.
    left: BTreeSet<String>,
}

impl Unfinished {
    /// What a journal tells of earlier runs.
    ///
    /// # Errors
    /// Exit code 10 when a session's end contradicts its records.
    pub fn new(past: Past) -> Result<Self, Failure> {
        if let Some(contradiction) = past.contradiction().filter(|found| !found.acknowledged) {
            let what = format!(
                "record {} of the journal ends a session with another state than its records give ({})",
                contradiction.seq, contradiction.state
            );
            let fix = "compare what was traded with both accounts, then arb resume goes on with what the records give; \
                       arb journal replay --dir tells more";
            return Err(Failure::new(Exit::CheckFailed, what, fix));
        }
        Ok(Self { past, absent: Vec::new(), left: BTreeSet::new() })
    }

    /// How many orders are not known to their end.
    #[must_use]
    pub fn undecided_orders(&self) -> u32 {
        self.past.undecided()
    }

    /// What something stands open in, or may: whatever else a run trades, it trades these.
    #[must_use]
    pub fn open_symbols(&self) -> BTreeSet<Symbol> {
        let cycles = self.past.cycles().values().filter(|cycle| !cycle.acknowledged);
        cycles.filter_map(|cycle| cycle.symbol.parse().ok()).collect()
    }

    /// Tells those who only look what waits for a run that trades.
    pub fn tell(&self) {
        let open = self.past.unfinished();
        if open > 0 {
            tracing::warn!(
                arbitrages = open,
                "earlier runs did not see these to their end: arb run --live does"
            );
        }
    }

    /// Asks the exchanges for every order that is not known to its end, all at once, and writes down what they tell.
    ///
    /// # Errors
    /// Exit code 9 with what an operator must look at, 5 when an exchange did not answer.
    pub async fn settle(&mut self, venues: &[Venue], recorder: &mut Recorder) -> Result<(), Failure> {
        let Some(clock) = venues.first().map(|venue| venue.rest.clock()) else { return Ok(()) };
        let markets: Vec<_> = venues.iter().map(|venue| (venue.id, venue.rest.markets())).collect();
        let mut asked = JoinSet::new();
        for Undecided { order, venue, inquiry } in self.undecided(clock.now(), &markets, recorder)? {
            let Some(venue) = venues.iter().find(|known| known.id == venue) else { continue };
            let rest = Arc::clone(&venue.rest);
            asked.spawn_local(async move { (order, ask::ask(&rest, inquiry).await) });
        }
        if !asked.is_empty() {
            tracing::warn!(orders = asked.len(), "orders of an earlier run are asked for");
        }
        let mut all = Ok(());
        while let Some(answer) = asked.join_next().await {
            let (order, told) =
                answer.map_err(|error| Failure::new(Exit::Internal, error.to_string(), ""))?;
            match self.decided(clock.now(), &order, told, recorder) {
                Err(failure) if failure.exit == Exit::Unreachable => all = all.and(Err(failure)),
                // What somebody must look at waits for no exchange.
                decided => decided?,
            }
        }
        recorder.flush();
        all
    }

    /// Every order that is not known to its end, and the questions that find it out.
    ///
    /// # Errors
    /// Exit code 9 when one cannot be asked for.
    pub fn undecided(
        &mut self,
        now: Timestamp,
        markets: &[(VenueId, Arc<Markets>)],
        recorder: &mut Recorder,
    ) -> Result<Vec<Undecided>, Failure> {
        let undecided = self.to_ask(now, markets);
        self.doubted(now, undecided, recorder)
    }

    fn to_ask(&self, now: Timestamp, markets: &[(VenueId, Arc<Markets>)]) -> Result<Vec<Undecided>, Failure> {
        let mut all = Vec::new();
        for (name, cycle) in self.past.cycles() {
            for order in cycle.orders.iter().filter(|order| !order.is_settled()) {
                match inquire(now, cycle, order, markets) {
                    Ok((venue, inquiry)) => {
                        let inquiry = inquiry.knowing(self.recorded(&cycle.symbol, order));
                        let order = OrderName { cycle: name.clone(), client_id: order.leg.client_id.clone() };
                        all.push(Undecided { order, venue, inquiry });
                    }
                    Err(why) => {
                        tolerate(now, order, &why.into(), cycle.acknowledged)?;
                    }
                }
            }
        }
        Ok(all)
    }

    /// What records tell of the market of an order, and not of the order.
    fn recorded(&self, symbol: &str, order: &Written) -> Recorded {
        let venue = &order.leg.venue;
        let number = |order: &Written| OrderId::new(&order.order_id).ok().filter(|id| !id.is_empty());
        let cycles = self.past.cycles().values().filter(|cycle| cycle.symbol == symbol);
        let others = cycles.flat_map(|cycle| &cycle.orders).filter(|other| other.leg.venue == *venue);
        let others = others.filter(|other| other.leg.client_id != order.leg.client_id);
        let fills = self.past.fills().filter(|(at, of, ..)| at == venue && of == symbol);
        let unclaimed = self.past.unclaimed();
        let fills = fills.filter(|name| !unclaimed.contains(*name));
        Recorded {
            own: number(order),
            orders: others.filter_map(number).collect(),
            trades: fills
                .filter_map(|(_, _, order, trade)| {
                    Some((OrderId::new(order).ok()?, TradeId::new(trade).ok()?))
                })
                .collect(),
        }
    }

    /// Writes down what was found out of an order.
    ///
    /// # Errors
    /// Exit code 9 with what an operator must look at, 5 when an exchange did not answer.
    pub fn decided(
        &mut self,
        now: Timestamp,
        name: &OrderName,
        told: Told,
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let Some(cycle) = self.past.cycles().get(&name.cycle) else { return Ok(()) };
        let (acknowledged, symbol) = (cycle.acknowledged, cycle.symbol.clone());
        let Some(order) = self.past.order(&name.client_id).cloned() else { return Ok(()) };
        let settled = told.and_then(|told| {
            self.settled(&symbol, &order.leg, told.as_deref(), (now, recorder)).map_err(NotKnown::from)
        });
        let decided = settled.or_else(|why| {
            tolerate(now, &order, &why, acknowledged)?;
            self.left.insert(name.cycle.clone());
            Ok(())
        });
        self.doubted(now, decided, recorder)
    }

    /// Writes down what was told of an order, as far as the journal does not have it.
    fn settled(
        &mut self,
        symbol: &str,
        leg: &messages::Leg,
        told: Option<&(Order, Vec<Fill>)>,
        (now, recorder): (Timestamp, &mut Recorder),
    ) -> Result<(), String> {
        let client_id = ClientOrderId::new(&leg.client_id).ok_or("its name is none of ours")?;
        let Some((report, fills)) = told else {
            if self.past.order(&leg.client_id).is_none_or(|order| !order.fills.is_empty()) {
                return Err("the exchange forgot what it had filled".to_owned());
            }
            self.absent.push(prove::Absent { symbol: symbol.to_owned(), leg: leg.clone() });
            return Ok(());
        };
        let booked = fills.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.qty));
        if booked != Ok(report.filled_qty) {
            return Err("its fills do not add up to what it filled".to_owned());
        }
        let symbol: Symbol = symbol.parse().map_err(|_| "its symbol is none")?;
        self.learn(now, &tell::order(&symbol, &Order { client_id: Some(client_id), ..*report }), recorder);
        for fill in fills {
            let message = tell::fill(&symbol, &Fill { client_id: Some(client_id), ..*fill });
            if !self.past.knows(&message) {
                tracing::warn!(order = %client_id, trade = %fill.trade_id, "a fill nobody heard of is booked");
            }
            // One the journal has without our name of the order is written again with it, and counts once.
            self.learn(now, &Entry::Fill(message), recorder);
        }
        if self.past.order(&leg.client_id).is_some_and(Written::is_settled) {
            Ok(())
        } else {
            Err("its fills do not add up to what it filled".to_owned())
        }
    }

    /// Writes down what was found out, and reads it back.
    fn learn(&mut self, now: Timestamp, entry: &Entry, recorder: &mut Recorder) {
        recorder.learned(now, entry);
        self.past.take_in(0, now, entry);
    }

    /// As [`Self::tell_doubt`] when something is wrong that does not pass by itself.
    fn doubted<T>(
        &mut self,
        now: Timestamp,
        found: Result<T, Failure>,
        recorder: &mut Recorder,
    ) -> Result<T, Failure> {
        found.map_err(|failure| match failure.exit {
            Exit::Unreachable => failure,
            _for_operator => self.tell_doubt(now, failure, recorder),
        })
    }

    /// What sends an operator to the accounts of a machine that may have lost its power says so, and is written down: only an
    /// acknowledgement after that is one of it.
    pub fn tell_doubt(&mut self, now: Timestamp, mut failure: Failure, recorder: &mut Recorder) -> Failure {
        let Some(since) = self.past.doubt().map(|doubt| doubt.since) else { return failure };
        let lost = "the power may have been lost, and the last records with it: compare all that both accounts traded since";
        failure.what = format!("{}; {lost} {since}", failure.what);
        let reason = failure.what.clone();
        self.learn(now, &Entry::PastUnsought(messages::PastUnsought { reason }), recorder);
        recorder.flush();
        failure
    }

    /// A start ends with this: it says what stands open too, which whoever resumes takes upon themselves, whatever else ended it.
    #[must_use]
    pub fn naming_what_is_open(&self, mut failure: Failure) -> Failure {
        let open = standing_open(&self.past);
        if !open.is_empty() {
            failure.what = format!("{}; earlier runs left open: {}", failure.what, open.join("; "));
        }
        failure
    }

    /// Hands all of it to the engine: what counts for its rules, what accounts should hold, the fills it must not book again, and
    /// the arbitrages to go on with. How many those are.
    ///
    /// # Errors
    /// Exit code 9 when an arbitrage stands open that it cannot go on with.
    pub fn enter(
        &self,
        now: Timestamp,
        engine: &mut Engine,
        recorder: &mut Recorder,
    ) -> Result<usize, Failure> {
        let mut names = traded(engine);
        self.past.history().tell_engine(engine, &mut names).map_err(|error| {
            let what = format!("the journal's sums do not fit: {error}");
            Failure::new(Exit::CheckFailed, what, "arb journal replay tells where")
        })?;
        let venues: Vec<VenueId> = engine.venues().collect();
        for venue in venues {
            let (held, moved_at) = self.past.account(venue.name());
            engine.recall_account(now, venue, held, moved_at);
        }
        for name in self.past.fills() {
            if let Some(key) = key_of(engine, name) {
                engine.remember_past(key);
            }
        }
        let (mut adopted, mut open) = (0, Vec::new());
        for (name, cycle) in self.past.cycles().iter().filter(|(_, cycle)| !cycle.acknowledged) {
            let residual =
                cycle.residual().map_or_else(|error| error.to_string(), |open| left_open(cycle, open));
            let gone_on = cycle.for_engine(engine).and_then(|past| {
                let entered = engine.adopt(now, &past);
                entered.map(|_| past.orders[0].request.client_id).map_err(|_| "its money does not fit")
            });
            match gone_on {
                Ok(first) => {
                    tracing::warn!(
                        arbitrage = name,
                        left = residual,
                        "an arbitrage of an earlier run goes on"
                    );
                    open.push(first);
                    adopted += 1;
                }
                // What is level needs nothing done, and what was to be flattened was a wish for the end of a run.
                Err(why) if !cycle.carried.is_zero() || cycle.is_level() => {
                    tracing::warn!(
                        arbitrage = name,
                        why,
                        left = residual,
                        "an arbitrage of an earlier run is over"
                    );
                    over(now, (name, cycle), engine, recorder).map_err(|error| {
                        Failure::new(Exit::CheckFailed, format!("arbitrage {name} does not fit: {error}"), "")
                    })?;
                }
                Err(why) => {
                    let what = format!("an earlier run left open: {residual}; {why}");
                    return Err(Failure::new(
                        Exit::Residual,
                        what,
                        "even it out at the exchanges, then: arb resume --take-over",
                    ));
                }
            }
        }
        recorder.knows_past(open);
        Ok(adopted)
    }
}

/// An order of an arbitrage, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderName {
    cycle: String,
    client_id: String,
}

/// An order that is not known to its end.
#[derive(Debug)]
pub struct Undecided {
    /// The order, by its arbitrage and our identifier.
    pub order: OrderName,
    /// Where it is asked for.
    pub venue: VenueId,
    /// The questions that are asked about it.
    pub inquiry: Inquiry,
}

/// How what earlier runs left open stands in an engine that goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leveled {
    /// Some of it is open.
    NotYet,
    /// All of it is level.
    All,
    /// Some of it could not be traded away, which is an operator's.
    NotAll,
}

/// Whether an engine that has opened nothing yet has levelled what it went on with.
#[must_use]
pub fn leveled(view: &EngineView) -> Leveled {
    let parked = view.totals.ended.get(&Ending::Parked).copied().unwrap_or(0);
    match (view.open, parked) {
        (0, 0) => Leveled::All,
        (0, _) => Leveled::NotAll,
        (_, _) => Leveled::NotYet,
    }
}

/// Calls that cancel those of these open orders that this program once gave their names.
pub fn cancel_ours(orders: Vec<Order>) -> impl Iterator<Item = (OrderId, Request)> {
    orders.into_iter().filter_map(|order| {
        let ours = order.client_id.is_some_and(|client_id| is_our_form(client_id.as_str()));
        let order_id = order.order_id.filter(|_| ours)?;
        Some((order_id, Request::Cancel { symbol: order.symbol, order: OrderRef::Id(order_id) }))
    })
}

/// Cancels open orders that this program once gave their names: nothing of ours rests on purpose, and no run is on.
///
/// # Errors
/// Exit code 5 when an exchange does not say what is open, or does not cancel it, for a reason that passes; 9 for any other.
pub async fn cancel_strays(venues: &[Venue]) -> Result<(), Failure> {
    for venue in venues {
        let failed = |error: ExchangeError| {
            let exit = if error.kind.passes() { Exit::Unreachable } else { Exit::Residual };
            Failure::new(exit, error.to_string(), "look at the open orders at the exchange")
        };
        let open = Lists::of(&venue.rest).open_orders().await.map_err(failed)?;
        if open.unreadable > 0 {
            let what = format!("{}: {} open orders could not be read", venue.id, open.unreadable);
            return Err(Failure::new(Exit::Residual, what, "look at the open orders at the exchange"));
        }
        for (order_id, request) in cancel_ours(open.rows) {
            tracing::warn!(venue = %venue.id, order = %order_id, "an open order of an earlier run is cancelled");
            match venue.rest.call(&request).await {
                Ok(_) => {}
                // It ended meanwhile.
                Err(error) if error.kind == ErrorKind::OrderNotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
    Ok(())
}

/// Writes down the end of an arbitrage of an earlier run, and tells the rules of it.
fn over(
    now: Timestamp,
    (name, cycle): (&str, &Cycle),
    engine: &mut Engine,
    recorder: &mut Recorder,
) -> Result<(), NumError> {
    let end = cycle.end(name, |venue| engine.full_fee(venue))?;
    recorder.ended_before(now, &end);
    let mut names = traded(engine);
    past::tell_end(now, &mut engine.recall(), &end, Some((cycle.at, cycle.gross)), &mut names)
}

/// What of earlier runs is not level, or not known to its end, and no operator has looked at.
pub(super) fn standing_open(past: &Past) -> Vec<String> {
    let cycles = past.cycles().iter().filter(|(_, cycle)| !cycle.acknowledged);
    let told = cycles.filter_map(|(name, cycle)| {
        let asked = cycle.orders.iter().filter(|order| !order.is_settled()).count();
        match asked {
            0 if cycle.is_level() => None,
            0 => Some(left_of(name, cycle)),
            asked => Some(format!("{}, {asked} orders not known to their end", left_of(name, cycle))),
        }
    });
    told.collect()
}

/// What an arbitrage left, with its name.
fn left_of(name: &str, cycle: &Cycle) -> String {
    let left = cycle.residual().map_or_else(|error| error.to_string(), |net| left_open(cycle, net));
    format!("arbitrage {name}, {left}")
}

fn left_open(cycle: &Cycle, net: Decimal) -> String {
    let what = match (net.is_zero(), net.is_negative()) {
        (true, _) => return format!("{}: nothing", cycle.symbol),
        (false, true) => "sold and not bought",
        (false, false) => "bought and not sold",
    };
    format!("{}: {} {what}", cycle.symbol, net.abs().unwrap_or(net))
}

fn traded(engine: &Engine) -> Traded {
    Traded::new(
        engine.symbols().map(|(id, symbol)| (symbol.to_string(), id)),
        engine.venues().collect::<Vec<VenueId>>(),
    )
}

fn key_of(engine: &Engine, (venue, symbol, order, trade): &FillName) -> Option<FillKey> {
    let market = engine.market(venue, symbol.parse::<Symbol>().ok()?)?;
    Some((market.venue, market.id, OrderId::new(order).ok()?, TradeId::new(trade).ok()?))
}

/// What a start must know it could not find out, for reasons that pass: the next start may, and there is nothing to look at. But
/// what has been undecided for long is somebody's, whatever the reason.
fn passing(what: String, undecided_for: Duration) -> Failure {
    let (exit, fix) = if undecided_for > PASSES_WITHIN {
        let fix = "look at the exchange; start again when it answers, or even out what is open there, then: arb resume --take-over";
        (Exit::Residual, fix)
    } else {
        (Exit::Unreachable, "nothing was opened: start again when the exchange answers")
    };
    Failure::new(exit, what, fix)
}

/// What is not known of an order keeps a run from trading, unless an operator has looked since.
fn tolerate(now: Timestamp, order: &Written, why: &NotKnown, acknowledged: bool) -> Result<(), Failure> {
    let messages::Leg { client_id, venue, .. } = &order.leg;
    let what = format!("order {client_id} at {venue} of an earlier run: {why}");
    if acknowledged {
        tracing::warn!(what, "an operator has looked at it");
        return Ok(());
    }
    if why.passes {
        return Err(passing(what, now.since(order.dead_at)));
    }
    Err(Failure::new(Exit::Residual, what, "look for it at the exchange, then: arb resume --take-over"))
}

/// How an order is asked for, and where.
fn inquire(
    now: Timestamp,
    cycle: &Cycle,
    order: &Written,
    markets: &[(VenueId, Arc<Markets>)],
) -> Result<(VenueId, Inquiry), &'static str> {
    let venue = markets.iter().find(|(venue, _)| venue.name() == order.leg.venue);
    let (venue, markets) = venue.ok_or("its exchange is not configured any more")?;
    let symbol = cycle.symbol.parse::<Symbol>().ok();
    let market = symbol.and_then(|symbol| markets.by_symbol(symbol));
    let symbol = market.ok_or("its symbol is not traded any more")?.id;
    let id = ClientOrderId::new(&order.leg.client_id).ok_or("its name is none of ours")?;
    Ok((*venue, Inquiry::new(now, symbol, id, order.dead_at)))
}
