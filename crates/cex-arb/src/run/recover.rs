//! The start of a run that trades: what earlier runs left undecided is asked for at the exchanges, fills nobody heard of are
//! booked into the journal, and what is not level goes on in this run's engine. The same way after a crash and after none.

use super::past::{self, Cycle, FillName, Past, Traded, Written};
use super::reconcile::is_our_form;
use super::record::Recorder;
use super::venue::Venue;
use crate::exit::{Exit, Failure};
use cex_core::{
    ClientOrderId, Decimal, Fill, FillKey, NumError, Order, OrderId, Symbol, SymbolId, Timestamp, TradeId,
    VenueId,
};
use cex_engine::Engine;
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{OrderRef, Reply, Request, TimeRange};
use cex_journal::{messages, record};
use cex_transport::Rest;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Two answers that an order is not known are this far apart before they are believed.
const APART: Duration = Duration::from_secs(2);
/// Between two questions about one order.
const PAUSE: Duration = Duration::from_millis(250);
/// An order is asked about for so long before an operator must look.
const PATIENCE: Duration = Duration::from_secs(40);
/// Fills asked for at once of one order: more than an order of ours can have.
const FILLS: u32 = 100;

/// Nothing of ours rests on purpose: what fills of an order does so within this of its expiry, clocks included.
const AROUND: Duration = Duration::from_secs(300);

/// What an exchange told of an order, and all its fills; `None` when the order never arrived.
type Told = Result<Option<(Order, Vec<Fill>)>, String>;

/// Earlier runs, and how their arbitrages stand at the exchanges.
pub struct Unfinished {
    cycles: BTreeMap<String, Cycle>,
    past: Past,
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
        Ok(Self { cycles: past.cycles().clone(), past })
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
    /// Exit code 9 with what an operator must look at.
    pub async fn settle(&mut self, venues: &[Venue], recorder: &mut Recorder) -> Result<(), Failure> {
        let mut asked = JoinSet::new();
        let open = |order: &&Written| !order.is_settled();
        for (name, cycle) in &self.cycles {
            for order in cycle.orders.iter().filter(open) {
                let (name, client_id) = (name.clone(), order.leg.client_id.clone());
                let acknowledged = cycle.acknowledged;
                match question(cycle, order, venues) {
                    Ok(question) => {
                        asked.spawn_local(async move { (name, client_id, question.ask().await) });
                    }
                    Err(why) => tolerate(&client_id, &order.leg.venue, why, acknowledged)?,
                }
            }
        }
        if !asked.is_empty() {
            tracing::warn!(orders = asked.len(), "orders of an earlier run are asked for");
        }
        while let Some(answer) = asked.join_next().await {
            let (name, client_id, told) =
                answer.map_err(|error| Failure::new(Exit::Internal, error.to_string(), ""))?;
            let Some(cycle) = self.cycles.get_mut(&name) else { continue };
            let acknowledged = cycle.acknowledged;
            let Some(order) = cycle.orders.iter_mut().find(|order| order.leg.client_id == client_id) else {
                continue;
            };
            let venue = order.leg.venue.clone();
            let settled = told.and_then(|told| {
                let now = venues.first().map_or(Timestamp::EPOCH, |venue| venue.rest.clock().now());
                settled(&self.past, &cycle.symbol, order, told.as_ref(), (now, recorder))
            });
            if let Err(why) = settled {
                tolerate(&client_id, &venue, &why, acknowledged)?;
            }
        }
        recorder.flush();
        Ok(())
    }

    /// Hands all of it to the engine: what counts for its rules, the fills it must not book again, and the arbitrages to go
    /// on with. How many those are.
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
        for name in self.past.fills() {
            if let Some(key) = key_of(engine, name) {
                engine.remember_past(key);
            }
        }
        let (mut adopted, mut open) = (0, Vec::new());
        for (name, cycle) in self.cycles.iter().filter(|(_, cycle)| !cycle.acknowledged) {
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
                Err(why) if !cycle.carried.is_zero() || cycle.residual().is_ok_and(Decimal::is_zero) => {
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
                        "even it out at the exchanges, then: arb resume",
                    ));
                }
            }
        }
        recorder.knows_past(open);
        Ok(adopted)
    }
}

/// Cancels open orders that this program once gave their names: nothing of ours rests on purpose, and no run is on.
///
/// # Errors
/// Exit code 5 when an exchange does not say what is open, or does not cancel it.
pub async fn cancel_strays(venues: &[Venue]) -> Result<(), Failure> {
    for venue in venues {
        let failed = |error: ExchangeError| {
            Failure::new(Exit::Unreachable, error.to_string(), "look at the open orders at the exchange")
        };
        let orders = match venue.rest.call(&Request::OpenOrders { symbol: None }).await.map_err(failed)? {
            Reply::Orders(orders) => orders,
            other => {
                let what = format!("{}: open orders were answered as {other:?}", venue.id);
                return Err(Failure::new(Exit::Unreachable, what, "look at the open orders at the exchange"));
            }
        };
        for order in orders {
            let ours = order.client_id.is_some_and(|client_id| is_our_form(client_id.as_str()));
            let Some(order_id) = order.order_id.filter(|_| ours) else { continue };
            tracing::warn!(venue = %venue.id, order = %order_id, "an open order of an earlier run is cancelled");
            let request = Request::Cancel { symbol: order.symbol, order: OrderRef::Id(order_id) };
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
    let end = cycle.end(name)?;
    recorder.ended_before(now, &end);
    let mut names = traded(engine);
    past::tell_end(now, &mut engine.recall(), &end, Some((cycle.at, cycle.gross)), &mut names)
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

/// What is not known of an order keeps a run from trading, unless an operator has looked since.
fn tolerate(client_id: &str, venue: &str, why: &str, acknowledged: bool) -> Result<(), Failure> {
    let what = format!("order {client_id} at {venue} of an earlier run: {why}");
    if acknowledged {
        tracing::warn!(what, "an operator has looked at it");
        return Ok(());
    }
    Err(Failure::new(Exit::Residual, what, "look for it at the exchange, then: arb resume"))
}

/// Writes down what was told of an order, as far as the journal does not have it.
fn settled(
    past: &Past,
    symbol: &str,
    order: &mut Written,
    told: Option<&(Order, Vec<Fill>)>,
    (now, recorder): (Timestamp, &mut Recorder),
) -> Result<(), String> {
    let client_id = ClientOrderId::new(&order.leg.client_id).ok_or("its name is none of ours")?;
    let Some((report, fills)) = told else {
        tracing::info!(order = %client_id, "never arrived");
        recorder.never_arrived(now, symbol, &order.leg);
        order.end = Some((messages::Status::Rejected, Decimal::ZERO));
        return if order.fills.is_empty() {
            Ok(())
        } else {
            Err("the exchange forgot what it had filled".to_owned())
        };
    };
    let booked = fills.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.qty));
    if booked != Ok(report.filled_qty) {
        return Err("its fills do not add up to what it filled".to_owned());
    }
    recorder.order(now, &Order { client_id: Some(client_id), ..*report });
    let symbol: Symbol = symbol.parse().map_err(|_| "its symbol is none")?;
    for fill in fills {
        let fill = Fill { client_id: Some(client_id), ..*fill };
        let mut message = messages::Fill::default();
        record::fill(&mut message, &symbol, &fill);
        if !past.knows(&message) {
            tracing::warn!(order = %client_id, trade = %fill.trade_id, "a fill nobody heard of is booked");
        }
        // One the journal has without our name of the order is written again with it, and counts once.
        recorder.fill(now, &fill);
        order.book(message);
    }
    order.ended(report);
    if order.is_settled() { Ok(()) } else { Err("its fills do not add up to what it filled".to_owned()) }
}

/// A question about one order.
struct Question {
    rest: Arc<Rest>,
    symbol: SymbolId,
    id: ClientOrderId,
    dead_at: Timestamp,
}

fn question(cycle: &Cycle, order: &Written, venues: &[Venue]) -> Result<Question, &'static str> {
    let venue = venues.iter().find(|venue| venue.id.name() == order.leg.venue);
    let venue = venue.ok_or("its exchange is not configured any more")?;
    let symbol = cycle.symbol.parse::<Symbol>().ok();
    let market = symbol.and_then(|symbol| venue.rest.markets().by_symbol(symbol).map(|market| market.id));
    Ok(Question {
        rest: Arc::clone(&venue.rest),
        symbol: market.ok_or("its symbol is not traded any more")?,
        id: ClientOrderId::new(&order.leg.client_id).ok_or("its name is none of ours")?,
        dead_at: order.dead_at,
    })
}

impl Question {
    /// What became of the order. That it never arrived is believed of two answers apart, both given to questions of when it
    /// could not arrive any more.
    async fn ask(self) -> Told {
        let Self { rest, symbol, id, dead_at } = self;
        let (mut absent_since, mut last) = (None, String::from("it is still open"));
        let until = rest.clock().now() + PATIENCE;
        while rest.clock().now() < until {
            let asked_at = rest.clock().now();
            match rest.call(&Request::Order { symbol, order: OrderRef::Client(id) }).await {
                Ok(Reply::Order(order)) if order.status.is_terminal() => {
                    let order_id = order.order_id.ok_or("the exchange does not say its number")?;
                    match fills(&rest, symbol, order_id, order.filled_qty).await {
                        Ok(fills) => return Ok(Some((order, fills))),
                        // Histories lag behind states.
                        Err(why) => last = why,
                    }
                }
                // Nothing of ours rests on purpose.
                Ok(Reply::Order(_)) => {
                    let cancel = Request::Cancel { symbol, order: OrderRef::Client(id) };
                    if let Err(error) = rest.call(&cancel).await {
                        last = error.to_string();
                    }
                }
                Ok(other) => return Err(format!("the exchange answered {other:?}")),
                Err(error) if error.kind == ErrorKind::OrderNotFound => {
                    if asked_at > dead_at {
                        match forgotten(&rest, symbol, id, dead_at).await {
                            Ok(Some(found)) => return Ok(Some(found)),
                            Ok(None) => {
                                let first = *absent_since.get_or_insert(asked_at);
                                if asked_at.since(first) >= APART {
                                    return Ok(None);
                                }
                                last = error.to_string();
                            }
                            Err(why) => last = why,
                        }
                    } else {
                        last = error.to_string();
                    }
                }
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(last)
    }
}

/// An order that the exchange does not find under our name, by what the account traded since: exchanges forget names sooner
/// than trades. `None` when it is not among them.
async fn forgotten(
    rest: &Rest,
    symbol: SymbolId,
    id: ClientOrderId,
    dead_at: Timestamp,
) -> Result<Option<(Order, Vec<Fill>)>, String> {
    // An order fills at once or never.
    let range = TimeRange { from: Some(dead_at - AROUND), to: Some(dead_at + AROUND) };
    let request = Request::MyTrades { symbol, order: None, range, limit: FILLS };
    let traded = match rest.call(&request).await {
        Ok(Reply::Fills(traded)) if traded.len() < FILLS as usize => traded,
        Ok(_) => return Err("it is not found, and trades could not be read as a whole".to_owned()),
        Err(error) => return Err(format!("it is not found, and trades could not be read: {error}")),
    };
    let Some(ours) = traded.iter().find(|fill| fill.client_id == Some(id)) else {
        if traded.iter().any(|fill| fill.client_id.is_none()) {
            return Err("it is not found, but there are trades of orders without a name".to_owned());
        }
        return Ok(None);
    };
    match rest.call(&Request::Order { symbol, order: OrderRef::Id(ours.order_id) }).await {
        Ok(Reply::Order(order)) if order.status.is_terminal() => {
            let fills = fills(rest, symbol, ours.order_id, order.filled_qty).await?;
            Ok(Some((order, fills)))
        }
        Ok(_) => Err("it filled, and is not over".to_owned()),
        Err(error) => Err(format!("it filled, but cannot be read: {error}")),
    }
}

/// All fills of an order, once they add up to what it filled.
async fn fills(rest: &Rest, symbol: SymbolId, order: OrderId, filled: Decimal) -> Result<Vec<Fill>, String> {
    if filled.is_zero() {
        return Ok(Vec::new());
    }
    let request = Request::MyTrades { symbol, order: Some(order), range: TimeRange::default(), limit: FILLS };
    match rest.call(&request).await {
        Ok(Reply::Fills(fills)) => {
            let booked = fills.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.qty));
            if booked == Ok(filled) {
                Ok(fills)
            } else {
                Err("its fills do not add up to what it filled".to_owned())
            }
        }
        Ok(_) => Err("its fills could not be read".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
