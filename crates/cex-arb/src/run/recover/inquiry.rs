//! What became of an order of an earlier run, question by question: no IO and no clock, so that the simulated world asks by the
//! very rules of `arb run`.

use super::names::{Names, Naming};
use cex_core::{ClientOrderId, Decimal, Fill, Order, OrderId, OrderStatus, SymbolId, Timestamp, TradeId};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{OrderRef, Reply, Request, TimeRange};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Two answers that an order is not known are this far apart before they are believed.
pub(super) const APART: Duration = Duration::from_secs(2);
/// Between two questions about one order.
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// An order is asked about for so long before an operator must look.
const PATIENCE: Duration = Duration::from_secs(40);
/// Fills asked for at once.
const FILLS: u32 = 100;

/// Nothing of ours rests on purpose: what fills of an order does so within this of its expiry, clocks included.
const AROUND: Duration = Duration::from_secs(300);

/// What an exchange told of an order, and all its fills; `None` when the order never arrived.
pub type Told = Result<Option<Box<(Order, Vec<Fill>)>>, NotKnown>;

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotKnown {
    /// In words.
    pub why: String,
    /// For reasons that pass: who asks later may get an answer, and there is nothing to look at.
    pub passes: bool,
}

impl NotKnown {
    /// A call failed, and so `what`.
    pub(super) fn after(what: &str, error: &ExchangeError) -> Self {
        Self { why: format!("{what}: {error}"), passes: error.kind.passes() }
    }

    /// It was not asked long enough.
    pub(super) fn not_yet(why: &str) -> Self {
        Self { why: why.to_owned(), passes: true }
    }

    /// Another reason came later. Something to look at stays that, whoever does not answer after it.
    pub(super) fn or_later(&mut self, later: Self) {
        if self.passes || !later.passes {
            *self = later;
        }
    }
}

impl<T: Into<String>> From<T> for NotKnown {
    fn from(why: T) -> Self {
        Self { why: why.into(), passes: false }
    }
}

impl fmt::Display for NotKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn<T = Told> {
    /// Make this call, and hand its answer to whoever wanted it.
    Ask(Request),
    /// The same with a list, which must be whole: a part of it is an error.
    List(Request),
    /// Come back then.
    Wait(Timestamp),
    /// It is known, or will not be.
    Done(T),
}

/// Where the questions stand.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// Between two rounds.
    Resting(Timestamp),
    /// What became of it?
    State,
    /// It is not over: an immediate order that rests is cancelled.
    Cancel,
    /// It is not known under our name: may it be among the open orders?
    Open,
    /// It is not: is it in what the account traded?
    Trades,
    /// These are its trades, and they do not say whose this order is: how did we name it?
    Name(Vec<Fill>, OrderId),
    /// It is: what became of it, by the exchange's number? These are its trades, if `whole` all of them.
    ById {
        order_id: OrderId,
        fills: Vec<Fill>,
        whole: bool,
    },
    /// It is over: what did it fill?
    Fills(OrderId, Box<Order>),
    Over(Told),
}

/// What records tell of the market of an order: trades need no name to be known.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// The order's own number, if it is known.
    pub own: Option<OrderId>,
    /// Numbers of other orders of ours.
    pub orders: BTreeSet<OrderId>,
    /// Trades that belong to some order of ours. One of which nobody knows whose it is may be the order's own, and is not here.
    pub trades: BTreeSet<(OrderId, TradeId)>,
}

impl Recorded {
    fn is_of_another(&self, fill: &Fill) -> bool {
        self.own != Some(fill.order_id)
            && (self.orders.contains(&fill.order_id) || self.trades.contains(&(fill.order_id, fill.trade_id)))
    }
}

/// The questions about one order. That it never arrived is believed of two answers apart, both given to questions of when it
/// could not arrive any more, and only if the account did not trade by it either: exchanges forget names sooner than trades.
#[derive(Debug)]
pub struct Inquiry {
    symbol: SymbolId,
    id: ClientOrderId,
    dead_at: Timestamp,
    until: Timestamp,
    step: Step,
    asked_at: Timestamp,
    absent_since: Option<Timestamp>,
    recorded: Recorded,
    /// Our names of orders, where the exchange does not tell them with a trade.
    names: Names,
    /// What an order traded that the exchange has forgotten, and since when it is told the same.
    traded: Option<(Timestamp, Vec<Fill>)>,
    /// Why it is not known yet.
    last: NotKnown,
}

impl Inquiry {
    /// Questions about an order that the exchange takes no later than `dead_at`.
    #[must_use]
    pub fn new(now: Timestamp, symbol: SymbolId, id: ClientOrderId, dead_at: Timestamp) -> Self {
        Self {
            symbol,
            id,
            dead_at,
            // Before it is dead nothing it is not found by is believed.
            until: now.max(dead_at) + PATIENCE,
            step: Step::Resting(now),
            asked_at: now,
            absent_since: None,
            recorded: Recorded::default(),
            names: Names::default(),
            traded: None,
            last: NotKnown::not_yet("it was not asked for"),
        }
    }

    /// The same questions, by who knows so much of its market.
    #[must_use]
    pub fn knowing(self, recorded: Recorded) -> Self {
        Self { recorded, ..self }
    }

    /// What is to be done next.
    pub fn turn(&mut self, now: Timestamp) -> Turn {
        if let Step::Resting(until) = self.step {
            if now < until {
                return Turn::Wait(until);
            }
            if now >= self.until {
                self.step = Step::Over(Err(self.last.clone()));
            } else {
                self.step = Step::State;
                self.asked_at = now;
            }
        }
        let symbol = self.symbol;
        let from = Some(self.dead_at - AROUND);
        let fills = |order, to| Request::MyTrades {
            symbol,
            order,
            range: TimeRange { from, to: Some(to) },
            limit: FILLS,
        };
        match &self.step {
            Step::Resting(until) => Turn::Wait(*until),
            Step::State => Turn::Ask(Request::Order { symbol, order: OrderRef::Client(self.id) }),
            Step::Cancel => Turn::Ask(Request::Cancel { symbol, order: OrderRef::Client(self.id) }),
            Step::Open => Turn::List(Request::OpenOrders { symbol: Some(symbol) }),
            // An order fills at once or never.
            Step::Trades => Turn::List(fills(None, self.dead_at + AROUND)),
            Step::ById { order_id, .. } | Step::Name(_, order_id) => {
                Turn::Ask(Request::Order { symbol, order: OrderRef::Id(*order_id) })
            }
            // One that rested against our will may have filled until now.
            Step::Fills(order_id, _) => Turn::List(fills(Some(*order_id), now + AROUND)),
            Step::Over(told) => Turn::Done(told.clone()),
        }
    }

    /// The answer to the last call that was wanted.
    pub fn answered(&mut self, now: Timestamp, answer: Result<Reply, ExchangeError>) {
        let step = std::mem::replace(&mut self.step, Step::Resting(now + PAUSE));
        let next = match step {
            Step::Resting(_) => None,
            Step::State => self.state_read(answer),
            Step::Cancel => {
                if let Err(error) = answer {
                    self.not_known(&format!("it rests, and cannot be cancelled: {error}"));
                }
                None
            }
            Step::Open => self.open_read(answer),
            Step::Trades => self.trades_read(answer),
            Step::Name(traded, order_id) => self.name_read(traded, order_id, answer),
            Step::ById { order_id, fills, whole } => self.read_by_id(order_id, (fills, whole), answer),
            Step::Fills(_, order) => self.fills_read(*order, answer),
            Step::Over(told) => Some(Step::Over(told)),
        };
        if let Some(next) = next {
            self.step = next;
        }
    }

    fn state_read(&mut self, answer: Result<Reply, ExchangeError>) -> Option<Step> {
        match answer {
            Ok(Reply::Order(order)) if order.status.is_terminal() => Some(match order.order_id {
                Some(order_id) => over(order_id, order),
                None => Step::Over(Err("the exchange does not say its number".into())),
            }),
            // Nothing of ours rests on purpose.
            Ok(Reply::Order(_)) => {
                self.not_known("it rests, and no cancel has ended it");
                Some(Step::Cancel)
            }
            Ok(other) => Some(Step::Over(Err(format!("the exchange answered {other:?}").into()))),
            Err(error) => {
                let dead = error.kind == ErrorKind::OrderNotFound && self.asked_at > self.dead_at;
                let why = match &error.kind {
                    ErrorKind::OrderNotFound => NotKnown::not_yet("it is not found"),
                    _other => NotKnown::after("it could not be read", &error),
                };
                self.last.or_later(why);
                dead.then_some(Step::Open)
            }
        }
    }

    fn open_read(&mut self, answer: Result<Reply, ExchangeError>) -> Option<Step> {
        match answer {
            Ok(Reply::Orders(open)) if open.iter().all(|order| self.is_another(order)) => Some(Step::Trades),
            Ok(Reply::Orders(_)) => {
                self.not_known("it is not found, but there are open orders that may be it")
            }
            Ok(_) => self.not_known("it is not found, and open orders could not be read as a whole"),
            Err(error) => self.no_answer("it is not found, and open orders could not be read", &error),
        }
    }

    fn is_another(&self, order: &Order) -> bool {
        order.client_id.is_some_and(|theirs| theirs != self.id)
    }

    fn trades_read(&mut self, answer: Result<Reply, ExchangeError>) -> Option<Step> {
        let traded = match answer {
            Ok(Reply::Fills(traded)) => traded,
            Ok(_) => return self.not_known("it is not found, and trades could not be read as a whole"),
            Err(error) => {
                return self.no_answer("it is not found, and trades could not be read", &error);
            }
        };
        self.name_all(traded)
    }

    /// Trades of other orders are none of this one's; of one without a name its order is asked for.
    fn name_all(&mut self, mut traded: Vec<Fill>) -> Option<Step> {
        traded.retain(|fill| fill.client_id == Some(self.id) || !self.recorded.is_of_another(fill));
        for fill in traded.iter_mut().filter(|fill| self.recorded.own == Some(fill.order_id)) {
            fill.client_id = Some(self.id);
        }
        match self.names.put_on(&mut traded, self.asked_at) {
            Naming::Done => self.all_named(traded, true),
            Naming::Ask(order_id) => Some(Step::Name(traded, order_id)),
            Naming::Denied(_) if self.is_told_by(&traded) => self.all_named(traded, false),
            Naming::Denied(order_id) => {
                let why = format!(
                    "it is not found, and order {order_id}, which may be it, traded, has no name, and is not known any more"
                );
                self.not_known(&why);
                let told = || Step::Over(Err(self.last.clone()));
                self.names.are_forgotten(self.asked_at).then(told)
            }
        }
    }

    /// What is certainly its own can be gone on with.
    fn is_told_by(&self, traded: &[Fill]) -> bool {
        traded.iter().any(|fill| fill.client_id == Some(self.id))
    }

    fn name_read(
        &mut self,
        traded: Vec<Fill>,
        order_id: OrderId,
        answer: Result<Reply, ExchangeError>,
    ) -> Option<Step> {
        match answer {
            Ok(Reply::Order(order)) => {
                self.names.tell(order_id, order.client_id);
                self.name_all(traded)
            }
            Err(error) if error.kind == ErrorKind::OrderNotFound => {
                self.names.deny(order_id, self.asked_at);
                self.name_all(traded)
            }
            Ok(_) | Err(_) if self.is_told_by(&traded) => self.all_named(traded, false),
            Ok(_) => self.not_known(&format!("it is not found, and order {order_id} could not be read")),
            Err(error) => {
                let what =
                    format!("it is not found, and order {order_id}, which may be it, traded and has no name");
                self.no_answer(&what, &error)
            }
        }
    }

    /// What became of it by what the account traded; `whole` when the name of every trade is known.
    fn all_named(&mut self, traded: Vec<Fill>, whole: bool) -> Option<Step> {
        let fills: Vec<Fill> = traded.into_iter().filter(|fill| fill.client_id == Some(self.id)).collect();
        if let Some(order_id) = fills.first().map(|fill| fill.order_id) {
            return Some(Step::ById { order_id, fills, whole });
        }
        let first = *self.absent_since.get_or_insert(self.asked_at);
        (self.asked_at.since(first) >= APART).then_some(Step::Over(Ok(None)))
    }

    fn read_by_id(
        &mut self,
        order_id: OrderId,
        (fills, whole): (Vec<Fill>, bool),
        answer: Result<Reply, ExchangeError>,
    ) -> Option<Step> {
        match answer {
            Ok(Reply::Order(order)) if order.status.is_terminal() => Some(over(order_id, order)),
            Ok(_) => self.not_known("it filled, and is not over"),
            Err(error) if whole && error.kind == ErrorKind::OrderNotFound => self.forgotten(fills),
            Err(error) => self.no_answer("it filled, but cannot be read", &error),
        }
    }

    /// The exchange has forgotten the order and not its trades. It cannot arrive any more, so it is over, and what it traded is
    /// what it filled: once that was the same in two answers apart, for histories lag.
    fn forgotten(&mut self, fills: Vec<Fill>) -> Option<Step> {
        match &self.traded {
            Some((first, before)) if *before == fills => {
                if self.asked_at.since(*first) >= APART
                    && let Some(order) = told_by(&fills)
                {
                    return Some(Step::Over(Ok(Some(Box::new((order, fills))))));
                }
            }
            Some(_) | None => self.traded = Some((self.asked_at, fills)),
        }
        self.not_known("it filled, and the exchange does not know it any more")
    }

    /// Histories lag behind states: fills count once they add up to what the order filled.
    fn fills_read(&mut self, order: Order, answer: Result<Reply, ExchangeError>) -> Option<Step> {
        match answer {
            Ok(Reply::Fills(fills)) => {
                let booked = fills.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.qty));
                if booked == Ok(order.filled_qty) {
                    return Some(Step::Over(Ok(Some(Box::new((order, fills))))));
                }
                self.not_known("its fills do not add up to what it filled")
            }
            Ok(_) => self.not_known("its fills could not be read"),
            Err(error) => self.no_answer("its fills could not be read", &error),
        }
    }

    fn not_known(&mut self, why: &str) -> Option<Step> {
        self.last.or_later(why.into());
        None
    }

    fn no_answer(&mut self, what: &str, error: &ExchangeError) -> Option<Step> {
        self.last.or_later(NotKnown::after(what, error));
        None
    }
}

/// An immediate order that is over, by its trades alone.
fn told_by(fills: &[Fill]) -> Option<Order> {
    let first = fills.first()?;
    let sum = |of: &dyn Fn(&Fill) -> Option<Decimal>| {
        fills.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(of(fill)?).ok())
    };
    Some(Order {
        venue: first.venue,
        symbol: first.symbol,
        order_id: Some(first.order_id),
        client_id: first.client_id,
        side: first.side,
        // Whether it was filled whole nobody says, and nothing depends on it.
        order_type: None,
        status: OrderStatus::Canceled,
        price: None,
        qty: None,
        filled_qty: sum(&|fill| Some(fill.qty))?,
        filled_notional: sum(&|fill| fill.notional().ok())?,
        fee: None,
        created_at: first.exchange_ts,
        as_of: first.exchange_ts,
    })
}

/// An order that is over: what it filled is asked for, if it filled anything.
fn over(order_id: OrderId, order: Order) -> Step {
    if order.filled_qty.is_zero() {
        Step::Over(Ok(Some(Box::new((order, Vec::new())))))
    } else {
        Step::Fills(order_id, Box::new(order))
    }
}

#[cfg(test)]
mod tests;
