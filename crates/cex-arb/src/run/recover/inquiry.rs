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
mod tests {
    use super::super::names::FORGOTTEN;
    use super::*;
    use cex_core::{Liquidity, Side, VenueId};
    use cex_errors::Op;

    const DEAD: Timestamp = Timestamp::from_secs(1_000);

    fn not_found() -> Result<Reply, ExchangeError> {
        let venue = VenueId::new(0, "a").expect("short");
        Err(ExchangeError::new(venue, Op::QueryOrder, ErrorKind::OrderNotFound))
    }

    /// Lets `seconds` pass in quarters; to what was asked the exchange knows nothing and the account traded nothing.
    fn denied(inquiry: &mut Inquiry, from: Timestamp, seconds: u32) -> (Timestamp, Option<Told>) {
        let mut now = from;
        for _ in 0..seconds * 4 {
            loop {
                match inquiry.turn(now) {
                    Turn::List(Request::MyTrades { .. }) => {
                        inquiry.answered(now, Ok(Reply::Fills(Vec::new())));
                    }
                    Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
                    Turn::Ask(_) => inquiry.answered(now, not_found()),
                    Turn::Wait(_) => break,
                    Turn::Done(told) => return (now, Some(told)),
                }
            }
            now += PAUSE;
        }
        (now, None)
    }

    fn fill() -> Fill {
        Fill {
            venue: VenueId::new(0, "a").expect("short"),
            symbol: SymbolId(0),
            trade_id: TradeId::new("t").expect("short"),
            order_id: OrderId::new("o").expect("short"),
            client_id: ClientOrderId::new("mqhw82kb-1b"),
            side: Side::Buy,
            price: Decimal::from(100),
            qty: Decimal::from(2),
            fee: Decimal::ZERO,
            fee_asset: "USDT".parse().expect("an asset"),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: DEAD - Duration::from_secs(9),
        }
    }

    #[test]
    fn what_no_exchange_answers_passes_and_what_one_answered_does_not() {
        let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
        let venue = VenueId::new(0, "a").expect("short");
        let silent =
            |op| Err(ExchangeError::new(venue, op, ErrorKind::Timeout(cex_errors::Phase::AfterSend)));
        for answers in [false, true] {
            let (mut inquiry, mut now) = (Inquiry::new(DEAD, SymbolId(0), id, DEAD), DEAD);
            let told = loop {
                match inquiry.turn(now) {
                    Turn::Ask(_) if answers => inquiry.answered(now, not_found()),
                    Turn::List(_) if answers => inquiry.answered(now, Ok(Reply::Done)),
                    Turn::Ask(request) | Turn::List(request) => inquiry.answered(now, silent(request.op())),
                    Turn::Wait(until) => now = until,
                    Turn::Done(told) => break told,
                }
            };
            assert_eq!(told.expect_err("it is not known").passes, !answers);
        }
    }

    #[test]
    fn an_order_that_lives_long_is_asked_for_until_after_its_death() {
        let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
        let begun = DEAD - Duration::from_secs(70);
        let mut inquiry = Inquiry::new(begun, SymbolId(0), id, DEAD);
        assert_eq!(denied(&mut inquiry, begun, 90).1, Some(Ok(None)));
    }

    #[test]
    fn absence_is_believed_of_two_denials_apart_after_the_order_could_arrive() {
        let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
        let begun = DEAD - Duration::from_secs(5);
        let mut inquiry = Inquiry::new(begun, SymbolId(0), id, DEAD);
        let (now, told) = denied(&mut inquiry, begun, 60);
        assert_eq!(told, Some(Ok(None)));
        assert_eq!(
            now,
            DEAD + PAUSE + APART,
            "the first denial that counts is the first after it could arrive"
        );
    }

    #[test]
    fn an_order_that_is_forgotten_and_traded_filled_what_it_traded_told_twice() {
        let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
        let fill = fill();
        let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE);
        let (mut now, mut reads) = (DEAD, 0);
        let told = loop {
            match inquiry.turn(now) {
                Turn::List(Request::MyTrades { .. }) => {
                    reads += 1;
                    // The first answer lacks it: histories lag.
                    let fills = if reads > 1 { vec![fill] } else { Vec::new() };
                    inquiry.answered(now, Ok(Reply::Fills(fills)));
                }
                Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
                Turn::Ask(_) => inquiry.answered(now, not_found()),
                Turn::Wait(until) => now = until,
                Turn::Done(told) => break told,
            }
        };
        let (order, fills) = *told.expect("it is known").expect("it arrived");
        assert_eq!((order.filled_qty, order.filled_notional), (Decimal::from(2), Decimal::from(200)));
        assert_eq!((order.status, fills), (OrderStatus::Canceled, vec![fill]));
        assert_eq!(now, DEAD + PAUSE + APART, "two answers apart that tell of it");
    }

    /// What comes of an order that is not found by its name when the account traded this, and these orders are known by number.
    fn inquired(traded: &[Fill], recorded: Recorded, by_number: impl Fn(OrderId) -> Option<Order>) -> Told {
        let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
        let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE).knowing(recorded);
        let mut now = DEAD;
        loop {
            match inquiry.turn(now) {
                Turn::List(Request::MyTrades { order, .. }) => {
                    let asked = |fill: &&Fill| order.is_none_or(|order| fill.order_id == order);
                    inquiry.answered(now, Ok(Reply::Fills(traded.iter().filter(asked).copied().collect())));
                }
                Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
                Turn::Ask(Request::Order { order: OrderRef::Id(number), .. }) => {
                    let known = by_number(number).map(Reply::Order);
                    inquiry.answered(now, known.map_or_else(not_found, Ok));
                }
                Turn::Ask(_) => inquiry.answered(now, not_found()),
                Turn::Wait(until) => now = until,
                Turn::Done(told) => return told,
            }
        }
    }

    #[test]
    fn trades_without_a_name_are_their_orders_as_records_or_the_exchange_tell() {
        let number = |text: &str| OrderId::new(text).expect("short");
        let trade = TradeId::new("t").expect("short");
        let fill = |order: &str| Fill { order_id: number(order), client_id: None, ..fill() };
        let order = |name: Option<&str>| {
            let client_id = name.and_then(ClientOrderId::new);
            move |order_id| told_by(&[Fill { order_id, client_id, ..fill("o") }])
        };
        let traded = [fill("o")];
        let by_trade = Recorded { trades: [(number("o"), trade)].into(), ..Recorded::default() };
        let by_order = Recorded { orders: [number("o")].into(), ..Recorded::default() };
        for recorded in [by_trade.clone(), by_order] {
            assert_eq!(inquired(&traded, recorded, |order| panic!("{order} is known")), Ok(None));
        }
        for another in [None, Some("mqhw82kb-5b"), Some("t-by-hand")] {
            let told = inquired(&traded, Recorded::default(), order(another));
            assert_eq!(told, Ok(None), "{another:?}");
        }
        let own = Recorded { own: Some(number("o")), ..by_trade };
        for recorded in [own, Recorded::default()] {
            let told = inquired(&traded, recorded, order(Some("mqhw82kb-1b"))).expect("it is known");
            assert_eq!(told.expect("it filled").0.filled_qty, Decimal::from(2));
        }
        let told = inquired(&traded, Recorded::default(), |_| None);
        assert!(told.as_ref().is_err_and(|why| why.why.contains("may be it")), "{told:?}");
        // One that is forgotten hides no other.
        let ours = order(Some("mqhw82kb-1b"));
        let by_number = |order| if order == number("o") { ours(order) } else { None };
        let told = inquired(&[fill("forgotten"), fill("o")], Recorded::default(), by_number);
        assert_eq!(told.expect("it is known").expect("it filled").0.order_id, Some(number("o")));
    }

    #[test]
    fn an_order_that_may_be_a_forgotten_one_is_an_operators_soon() {
        let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
        let traded = vec![Fill { client_id: None, ..fill() }];
        // Once the order is known after all, whoever asks has learnt something, and asks on.
        for known_at in [None, Some(9)] {
            let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE);
            let mut now = DEAD;
            let told = loop {
                match inquiry.turn(now) {
                    Turn::List(Request::MyTrades { .. }) => {
                        inquiry.answered(now, Ok(Reply::Fills(traded.clone())));
                    }
                    Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
                    Turn::Ask(Request::Order { order: OrderRef::Id(_), .. })
                        if known_at.is_some_and(|after| now >= DEAD + Duration::from_secs(after)) =>
                    {
                        let order = told_by(&traded).expect("it adds up");
                        inquiry.answered(now, Ok(Reply::Order(order)));
                    }
                    Turn::Ask(_) => inquiry.answered(now, not_found()),
                    Turn::Wait(until) => now = until,
                    Turn::Done(told) => break told,
                }
            };
            match known_at {
                None => {
                    assert!(told.as_ref().is_err_and(|why| !why.passes), "{told:?}");
                    assert_eq!(now, DEAD + FORGOTTEN);
                }
                Some(after) => {
                    assert_eq!(told, Ok(None), "it is another's");
                    assert_eq!(now, DEAD + Duration::from_secs(after) + APART);
                }
            }
        }
    }

    #[test]
    fn trades_that_cannot_be_read_as_a_whole_keep_an_order_undecided() {
        let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
        let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE);
        let half = Ok(Reply::Done);
        let mut now = DEAD;
        let told = loop {
            match inquiry.turn(now) {
                Turn::List(Request::MyTrades { .. }) => inquiry.answered(now, half.clone()),
                Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(Vec::new()))),
                Turn::Ask(_) => inquiry.answered(now, not_found()),
                Turn::Wait(until) => now = until,
                Turn::Done(told) => break told,
            }
        };
        assert_eq!(told, Err("it is not found, and trades could not be read as a whole".into()));
        assert!(now >= DEAD + PATIENCE);
    }

    #[test]
    fn an_open_order_that_may_be_ours_keeps_it_undecided() {
        let id = ClientOrderId::new("mqhw82kb-1b").expect("short");
        let open = |client_id| Order {
            venue: VenueId::new(0, "a").expect("short"),
            symbol: SymbolId(0),
            order_id: OrderId::new("o").ok(),
            client_id,
            side: Side::Buy,
            order_type: None,
            status: OrderStatus::New,
            price: None,
            qty: None,
            filled_qty: Decimal::ZERO,
            filled_notional: Decimal::ZERO,
            fee: None,
            created_at: DEAD,
            as_of: DEAD,
        };
        let another = ClientOrderId::new("mqhw82kb-2b").expect("short");
        for (name, absent) in [(Some(another), true), (Some(id), false), (None, false)] {
            let mut inquiry = Inquiry::new(DEAD, SymbolId(0), id, DEAD - PAUSE);
            let mut now = DEAD;
            let told = loop {
                match inquiry.turn(now) {
                    Turn::List(Request::MyTrades { .. }) => {
                        inquiry.answered(now, Ok(Reply::Fills(Vec::new())));
                    }
                    Turn::List(_) => inquiry.answered(now, Ok(Reply::Orders(vec![open(name)]))),
                    Turn::Ask(_) => inquiry.answered(now, not_found()),
                    Turn::Wait(until) => now = until,
                    Turn::Done(told) => break told,
                }
            };
            assert_eq!(told == Ok(None), absent, "{name:?}: {told:?}");
        }
    }
}
