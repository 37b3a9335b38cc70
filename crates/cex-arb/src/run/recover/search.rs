//! What an account traded of a symbol that no record may tell of, question by question: after a loss of power orders can be at an
//! exchange whose records were not on disk. As [`super::Inquiry`] it has no IO and no clock.

use super::inquiry::{APART, NotKnown, PAUSE, Turn};
use super::names::{Names, Naming};
use cex_core::{Fill, FillKey, OrderId, SymbolId, Timestamp, TradeId};
use cex_engine::IdParts;
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{OrderRef, Reply, Request, TimeRange};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Fills asked for at once.
const FILLS: u32 = 100;

/// What is looked for: fills of orders of these runs, but for those that a record tells of.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Numbers of the runs.
    pub epochs: BTreeSet<u64>,
    /// Fills of the market that are known.
    pub known: BTreeSet<(OrderId, TradeId)>,
}

impl Wanted {
    fn is_ours(&self, fill: &Fill) -> bool {
        let parts = fill.client_id.and_then(|client_id| IdParts::of(client_id.as_str()));
        parts.is_some_and(|parts| self.epochs.contains(&parts.epoch))
    }
}

/// What was found, each fill once, and whether it is all of it, or why nobody can tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Sought {
    /// Fills of ours that some answer told of.
    pub fills: Vec<Fill>,
    /// Whether there are no others.
    pub whole: Result<(), NotKnown>,
}

/// Where the questions stand.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Resting(Timestamp),
    /// What did the account trade?
    Trades,
    /// Trades that do not say whose they are: how did we name this order?
    Name(Vec<Fill>, OrderId),
    Over(Sought),
}

/// The questions about one symbol at one venue. What an account traded is believed when it was told the same twice, apart, and
/// asked when nothing could arrive any more: histories lag. What others trade meanwhile moves nothing.
#[derive(Debug)]
pub struct Search {
    symbol: SymbolId,
    /// The time that is searched, from and to.
    range: (Timestamp, Timestamp),
    until: Timestamp,
    step: Step,
    asked_at: Timestamp,
    /// Our names of orders, where the exchange does not tell them with a trade.
    names: Names,
    wanted: Wanted,
    before: Option<(Timestamp, Vec<Fill>)>,
    /// All of ours that any answer told of.
    ours: BTreeMap<FillKey, Fill>,
    last: NotKnown,
}

impl Search {
    /// Questions about what was traded from `range.0` to `range.1`, asked when no order of that time can arrive any more: from
    /// `dead_at`, and for so long before an operator must look.
    #[must_use]
    pub fn new(
        symbol: SymbolId,
        range: (Timestamp, Timestamp),
        dead_at: Timestamp,
        patience: Duration,
        wanted: Wanted,
    ) -> Self {
        Self {
            symbol,
            range,
            until: dead_at + patience,
            step: Step::Resting(dead_at),
            asked_at: dead_at,
            names: Names::default(),
            wanted,
            before: None,
            ours: BTreeMap::new(),
            last: NotKnown::not_yet("nothing was asked"),
        }
    }

    /// What is to be done next.
    pub fn turn(&mut self, now: Timestamp) -> Turn<Sought> {
        if let Step::Resting(until) = self.step {
            if now < until {
                return Turn::Wait(until);
            }
            if now >= self.until {
                self.step = self.over(Err(self.last.clone()));
            } else {
                self.step = Step::Trades;
                self.asked_at = now;
            }
        }
        let symbol = self.symbol;
        match &self.step {
            Step::Resting(until) => Turn::Wait(*until),
            Step::Trades => Turn::List(Request::MyTrades {
                symbol,
                order: None,
                range: TimeRange { from: Some(self.range.0), to: Some(self.range.1) },
                limit: FILLS,
            }),
            Step::Name(_, order) => Turn::Ask(Request::Order { symbol, order: OrderRef::Id(*order) }),
            Step::Over(sought) => Turn::Done(sought.clone()),
        }
    }

    /// The answer to the last call that was wanted.
    pub fn answered(&mut self, now: Timestamp, answer: Result<Reply, ExchangeError>) {
        let step = std::mem::replace(&mut self.step, Step::Resting(now + PAUSE));
        let next = match (step, answer) {
            (Step::Trades, Ok(Reply::Fills(fills))) => self.name_all(fills),
            (Step::Trades, Ok(_)) => self.not_known("trades could not be read as a whole"),
            (Step::Trades, Err(error)) => self.no_answer("trades could not be read", &error),
            (Step::Name(fills, id), Ok(Reply::Order(order))) => {
                self.names.tell(id, order.client_id);
                self.name_all(fills)
            }
            (Step::Name(_, id), Ok(_)) => self.not_known(&format!("order {id} could not be read")),
            (Step::Name(fills, id), Err(error)) if error.kind == ErrorKind::OrderNotFound => {
                self.names.deny(id, self.asked_at);
                self.name_all(fills)
            }
            (Step::Name(_, id), Err(error)) => {
                self.no_answer(&format!("order {id} traded and has no name"), &error)
            }
            (step @ (Step::Resting(_) | Step::Over(_)), _) => Some(step),
        };
        if let Some(next) = next {
            self.step = next;
        }
    }

    /// Fills with the names of their orders; those that neither the exchange tells nor the order has are nobody's of ours.
    fn name_all(&mut self, mut fills: Vec<Fill>) -> Option<Step> {
        fills.retain(|fill| !self.wanted.known.contains(&(fill.order_id, fill.trade_id)));
        let naming = self.names.put_on(&mut fills, self.asked_at);
        let ours = fills.iter().filter(|fill| self.wanted.is_ours(fill));
        self.ours.extend(ours.map(|fill| (fill.key(), *fill)));
        match naming {
            Naming::Done => {}
            Naming::Ask(order) => return Some(Step::Name(fills, order)),
            Naming::Denied(order) => {
                self.not_known(&format!("order {order} traded, has no name, and is not known any more"));
                let told = || self.over(Err(self.last.clone()));
                return self.names.are_forgotten(self.asked_at).then(told);
            }
        }
        fills.retain(|fill| self.wanted.is_ours(fill));
        fills.sort_by_key(Fill::key);
        match &self.before {
            Some((first, before)) if *before == fills => {
                (self.asked_at.since(*first) >= APART).then(|| self.over(Ok(())))
            }
            before => {
                let why = if before.is_some() { "answers differ" } else { "it was told only once" };
                self.before = Some((self.asked_at, fills));
                self.last.or_later(NotKnown::not_yet(why));
                None
            }
        }
    }

    fn over(&self, whole: Result<(), NotKnown>) -> Step {
        Step::Over(Sought { fills: self.ours.values().copied().collect(), whole })
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

#[cfg(test)]
mod tests {
    use super::super::names::FORGOTTEN;
    use super::*;
    use cex_core::{ClientOrderId, Decimal, Liquidity, Order, OrderStatus, Side, TradeId, VenueId};
    use cex_errors::Op;

    const PATIENCE: Duration = Duration::from_secs(60);
    const DEAD: Timestamp = Timestamp::from_secs(1_000);

    fn venue() -> VenueId {
        VenueId::new(0, "a").expect("short")
    }

    fn name(text: &str) -> ClientOrderId {
        ClientOrderId::new(text).expect("short")
    }

    fn fill(order: &str, client_id: Option<&str>) -> Fill {
        Fill {
            venue: venue(),
            symbol: SymbolId(0),
            trade_id: TradeId::new("t").expect("short"),
            order_id: OrderId::new(order).expect("short"),
            client_id: client_id.map(name),
            side: Side::Buy,
            price: Decimal::from(100),
            qty: Decimal::from(2),
            fee: Decimal::ZERO,
            fee_asset: "USDT".parse().expect("an asset"),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: DEAD,
        }
    }

    fn order(id: OrderId, client_id: Option<&str>) -> Order {
        Order {
            venue: venue(),
            symbol: SymbolId(0),
            order_id: Some(id),
            client_id: client_id.map(name),
            side: Side::Buy,
            order_type: None,
            status: OrderStatus::Filled,
            price: None,
            qty: None,
            filled_qty: Decimal::from(2),
            filled_notional: Decimal::from(200),
            fee: None,
            created_at: DEAD,
            as_of: DEAD,
        }
    }

    /// Lets the exchange answer the `n`-th list of trades by `trades(n)`, and questions for an order by `named`.
    fn sought(
        trades: impl Fn(u32) -> Result<Reply, ExchangeError>,
        named: impl Fn(OrderId) -> Result<Reply, ExchangeError>,
    ) -> (Sought, Timestamp, u32) {
        let range = (DEAD - Duration::from_secs(60), DEAD);
        let epochs = [IdParts::of("mqhw82kb-1b").expect("ours").epoch].into();
        let known = (OrderId::new("known").expect("short"), TradeId::new("t").expect("short"));
        let wanted = Wanted { epochs, known: [known].into() };
        let mut search = Search::new(SymbolId(0), range, DEAD, PATIENCE, wanted);
        let (mut now, mut reads) = (DEAD - Duration::from_secs(9), 0);
        loop {
            match search.turn(now) {
                Turn::List(Request::MyTrades { order: None, range: asked, .. }) => {
                    assert!(now >= DEAD, "asked while an order could still arrive");
                    assert_eq!((asked.from, asked.to), (Some(range.0), Some(range.1)));
                    reads += 1;
                    search.answered(now, trades(reads));
                }
                Turn::Ask(Request::Order { order: OrderRef::Id(id), .. }) => {
                    search.answered(now, named(id));
                }
                Turn::Ask(other) | Turn::List(other) => panic!("{other:?}"),
                Turn::Wait(until) => now = until,
                Turn::Done(told) => return (told, now, reads),
            }
        }
    }

    fn whole(fills: Vec<Fill>) -> Sought {
        Sought { fills, whole: Ok(()) }
    }

    fn nothing(why: &str) -> Sought {
        Sought { fills: Vec::new(), whole: Err(why.into()) }
    }

    fn nobody(_: OrderId) -> Result<Reply, ExchangeError> {
        Err(ExchangeError::new(venue(), Op::QueryOrder, ErrorKind::OrderNotFound))
    }

    #[test]
    fn what_was_traded_is_believed_when_it_was_told_the_same_twice_apart() {
        let both = |_| Ok(Reply::Fills(vec![fill("1", Some("mqhw82kb-1b"))]));
        let (told, now, _) = sought(both, nobody);
        assert_eq!(told, whole(vec![fill("1", Some("mqhw82kb-1b"))]));
        assert_eq!(now, DEAD + APART);
        // The first two answers lack it: histories lag, and the time apart counts from the first that has it.
        let late =
            |reads| Ok(Reply::Fills(if reads > 2 { vec![fill("1", Some("mqhw82kb-1b"))] } else { vec![] }));
        let (told, now, _) = sought(late, nobody);
        assert_eq!(told, whole(vec![fill("1", Some("mqhw82kb-1b"))]));
        assert_eq!(now, DEAD + PAUSE + PAUSE + APART);
    }

    #[test]
    fn a_trade_without_a_name_is_its_orders() {
        let nameless = |_| Ok(Reply::Fills(vec![fill("1", None), fill("2", None)]));
        let by_id = |id: OrderId| {
            let ours = id == OrderId::new("1").expect("short");
            Ok(Reply::Order(order(id, ours.then_some("mqhw82kb-1b"))))
        };
        let (told, _, _) = sought(nameless, by_id);
        assert_eq!(told, whole(vec![fill("1", Some("mqhw82kb-1b"))]), "the other was placed by hand");
        let (told, now, _) = sought(nameless, nobody);
        assert_eq!(told, nothing("order 1 traded, has no name, and is not known any more"));
        assert_eq!(now, DEAD + FORGOTTEN, "asking on finds nothing out");
    }

    #[test]
    fn an_order_that_is_forgotten_hides_no_other() {
        let nameless = |_| Ok(Reply::Fills(vec![fill("1", None), fill("2", None), fill("3", None)]));
        let by_id = |id: OrderId| {
            let is_known = id == OrderId::new("2").expect("short");
            if is_known { Ok(Reply::Order(order(id, Some("mqhw82kb-1b")))) } else { nobody(id) }
        };
        let (told, ..) = sought(nameless, by_id);
        assert_eq!(told.fills, [fill("2", Some("mqhw82kb-1b"))]);
        assert!(told.whole.is_err_and(|why| !why.passes), "nobody knows whose the others are");
    }

    #[test]
    fn what_others_trade_meanwhile_keeps_no_search_from_its_end() {
        let busy = |reads: u32| {
            let mut fills = vec![fill("1", Some("mqhw82kb-1b")), fill("known", None)];
            // Another program's, one more with each answer; and another run's of ours.
            fills.extend((0..reads).map(|at| fill(&format!("2{at}"), Some("t-another"))));
            fills.extend((0..reads).map(|at| fill(&format!("3{at}"), Some("mqhw82kc-1b"))));
            Ok(Reply::Fills(fills))
        };
        let (told, now, _) = sought(busy, |id| panic!("{id} is known, or has a name"));
        assert_eq!((told, now), (whole(vec![fill("1", Some("mqhw82kb-1b"))]), DEAD + APART));
    }

    #[test]
    fn what_is_certainly_ours_is_told_though_more_may_be() {
        let nameless = |_| Ok(Reply::Fills(vec![fill("1", Some("mqhw82kb-1b")), fill("2", None)]));
        let (told, _, _) = sought(nameless, nobody);
        assert_eq!(told.fills, [fill("1", Some("mqhw82kb-1b"))]);
        assert!(told.whole.is_err_and(|why| why.why.starts_with("order 2 traded")));
        let (one, other) = (fill("1", Some("mqhw82kb-1b")), fill("2", Some("mqhw82kb-2s")));
        let turns = |reads| Ok(Reply::Fills(vec![if reads % 2 == 0 { one } else { other }]));
        let (told, _, _) = sought(turns, nobody);
        assert_eq!(told, Sought { fills: vec![one, other], whole: Err(NotKnown::not_yet("answers differ")) });
    }

    #[test]
    fn half_a_list_tells_nothing() {
        let (told, _, reads) = sought(|_| Ok(Reply::Done), nobody);
        assert_eq!(told, nothing("trades could not be read as a whole"));
        assert!(reads > 10);
    }
}
