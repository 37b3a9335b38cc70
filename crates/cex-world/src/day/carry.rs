//! What the engine wants done, and what became of it: the rules of `cex_arb::run::desk`, in virtual time.

use super::{Day, Desk};
use crate::bugs::Bug;
use crate::rest::{Purpose, Ready};
use cex_core::{Fill, OrderRequest, VenueId};
use cex_engine::{Command, Event, Notice};
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::{OrderRef, Reply, Request, TimeRange};
use cex_risk::{Approved, Until};
use cex_transport::Urgency;

/// Fills asked for at once of one order; as the desk does it.
const FILLS: u32 = 100;

impl Day {
    /// Does what the engine wants done, and hears what it tells.
    pub(super) fn act(&mut self) {
        while !self.desk.out.commands.is_empty() {
            // What was decided is known to nobody before it is carried out.
            if !self.fuse.effect() {
                return;
            }
            for command in std::mem::take(&mut self.desk.out.commands) {
                self.carry_out(command);
            }
        }
        let now = self.now();
        for notice in std::mem::take(&mut self.desk.out.notices) {
            if self.fuse.is_blown() {
                return;
            }
            self.desk.trace.tell(now, format!("{notice:?}"));
            let is_written = !(self.has(Bug::EndUnwritten) && matches!(notice, Notice::Finished(_)));
            if is_written {
                self.desk.record(now, |recorder| recorder.notice(now, &notice));
            }
            self.desk.checks.notice(now, &notice);
            if matches!(&notice, Notice::Tripped(trip) if trip.until == Until::Operator) {
                self.call_operator();
            }
        }
        self.check_books();
    }

    fn carry_out(&mut self, command: Command) {
        if self.fuse.is_blown() {
            return;
        }
        let now = self.now();
        self.desk.trace.tell(now, format!("{command:?}"));
        match command {
            Command::Open { legs } => self.open(legs),
            Command::Close { order, parent } => {
                let order = order.into_inner();
                let order = self.spoil_order(order, true);
                let is_written = !self.has(Bug::ClosingUnwritten);
                if is_written {
                    self.desk.record(now, |recorder| recorder.closing(now, parent, &order));
                }
                if self.fuse.is_blown() {
                    return;
                }
                self.desk.checks.closes(now, &order, parent.name);
                if self.has(Bug::ClosingForgotten) {
                    return;
                }
                if self.has(Bug::ClosingTwice) {
                    let name = format!("{}x", order.client_id);
                    let client_id = cex_core::ClientOrderId::new(&name).unwrap_or(order.client_id);
                    let again = OrderRequest { client_id, ..order };
                    self.begin(order.venue, Request::Place(again), Purpose::Setup, Urgency::MustGo);
                }
                self.begin(order.venue, Request::Place(order), Purpose::Place(order), Urgency::MustGo);
            }
            Command::FetchBook { venue, symbol, depth, asked_at } => {
                let purpose = Purpose::Book { symbol, asked_at };
                self.begin(venue, Request::Book { symbol, depth }, purpose, Urgency::Normal);
            }
            Command::Resubscribe { venue, symbol } => {
                let wires = &self.places[venue.index()].wires;
                if let Some(wire) = wires.iter().position(|wire| wire.symbols.contains(&symbol)) {
                    self.with_wire(venue.index(), wire, |wire, around| wire.resubscribe(around, symbol));
                }
            }
            Command::QueryOrder { venue, symbol, client_id, order_id, asked_at } => {
                let order = order_id.map_or(OrderRef::Client(client_id), OrderRef::Id);
                let purpose = Purpose::Order { client_id, asked_at };
                self.begin(venue, Request::Order { symbol, order }, purpose, Urgency::Normal);
            }
            Command::Cancel { venue, symbol, client_id, order_id } => {
                let order = order_id.map_or(OrderRef::Client(client_id), OrderRef::Id);
                let request = Request::Cancel { symbol, order };
                self.begin(venue, request, Purpose::Cancel { client_id }, Urgency::MustGo);
            }
            Command::QueryOpen { venue, symbol, client_id, asked_at } => {
                let request = Request::OpenOrders { symbol: Some(symbol) };
                self.begin(venue, request, Purpose::Open { client_id, asked_at }, Urgency::Normal);
            }
            Command::QueryFills { venue, symbol, client_id, order_id, since } => {
                let (order, range) = (Some(order_id), TimeRange::default());
                let request = Request::MyTrades { symbol, order, range, limit: FILLS };
                let purpose = Purpose::Fills { client_id, order_id, symbol, since: Some(since) };
                self.begin(venue, request, purpose, Urgency::Normal);
            }
            Command::QueryTrades { venue, symbol, client_id, order_id, since, asked_at } => {
                let range = TimeRange { from: Some(since), to: None };
                let request = Request::MyTrades { symbol, order: None, range, limit: FILLS };
                self.begin(
                    venue,
                    request,
                    Purpose::Trades { client_id, order_id, asked_at },
                    Urgency::Normal,
                );
            }
            Command::ReadAccount { venue, asked_at } => {
                self.begin(venue, Request::Account, Purpose::Account { asked_at }, Urgency::Normal);
            }
        }
    }

    fn begin(&mut self, venue: VenueId, request: Request, purpose: Purpose, urgency: Urgency) {
        let Self { world, places, .. } = self;
        places[venue.index()].rest.begin(world, request, purpose, urgency);
    }

    /// Sends both legs of an arbitrage, or neither: each is signed, paid for and has a connection, and both are written down,
    /// before either leaves.
    fn open(&mut self, legs: [Approved<OrderRequest>; 2]) {
        let orders = legs.map(Approved::into_inner);
        let orders = orders.map(|order| self.spoil_order(order, false));
        self.check_opening(&orders);
        let Self { world, places, .. } = self;
        let ready = orders.map(|order| (order, places[order.venue.index()].rest.prepare(world, order)));
        match ready {
            [(first, Ok(first_ready)), (second, Ok(second_ready))] if self.has(Bug::IntentAfterSend) => {
                let now = self.now();
                self.desk.checks.sends(now, &[first, second]);
                let Self { world, places, .. } = self;
                places[first.venue.index()].rest.send(world, first_ready);
                places[second.venue.index()].rest.send(world, second_ready);
                self.is_written([&first, &second]);
            }
            [(first, Ok(first_ready)), (second, Ok(second_ready))] if self.is_written([&first, &second]) => {
                let now = self.now();
                self.desk.checks.sends(now, &[first, second]);
                let forgets = self.has(Bug::SecondLegForgotten);
                let Self { world, places, .. } = self;
                places[first.venue.index()].rest.send(world, first_ready);
                if forgets {
                    return places[second.venue.index()].rest.give_up(&second_ready, now);
                }
                places[second.venue.index()].rest.send(world, second_ready);
            }
            ready => ready.into_iter().for_each(|(order, outcome)| self.withhold(order, outcome)),
        }
    }

    /// Writes down that both legs of a plan are about to leave. If that cannot be, they must not.
    fn is_written(&mut self, legs: [&OrderRequest; 2]) -> bool {
        let now = self.now();
        let Desk { out, journal: Some(journal), .. } = &mut self.desk else { return false };
        let started = out.notices.iter().rev().find_map(|notice| match notice {
            Notice::Started { id, plan } if plan.symbol == legs[0].symbol => Some((id, plan)),
            _other => None,
        });
        let written = started.is_some_and(|(id, plan)| journal.recorder.opening(now, id.0, plan, legs));
        journal.touched(now);
        written
    }

    /// A leg does not leave, because the other one cannot.
    fn withhold(&mut self, order: OrderRequest, outcome: Result<Ready, ExchangeError>) {
        if self.fuse.is_blown() {
            return;
        }
        let now = self.now();
        if let Ok(ready) = outcome {
            if self.has(Bug::WithheldLegLeaves) {
                let Self { world, places, .. } = self;
                places[order.venue.index()].rest.send(world, ready);
                return self.not_sent(order);
            }
            self.places[order.venue.index()].rest.give_up(&ready, now);
        }
        self.not_sent(order);
    }

    fn not_sent(&mut self, order: OrderRequest) {
        let (now, Desk { engine, out, .. }) = (self.now(), &mut self.desk);
        let event = Event::PlaceFailed { client_id: order.client_id, outcome: Outcome::NotSent };
        engine.handle(now, event, out);
    }

    /// The answer to a call of the engine.
    pub(super) fn answered(&mut self, place: usize, purpose: &Purpose, result: Result<Reply, ExchangeError>) {
        let now = self.now();
        self.desk.trace.note(now, format!("{purpose:?}").as_bytes(), || format!("{purpose:?} -> {result:?}"));
        let venue = self.places[place].id;
        match *purpose {
            Purpose::Place(order) => self.placed(order, result),
            Purpose::Book { symbol, asked_at } => match result {
                Ok(Reply::Book(book)) => {
                    self.desk.checks.book_news(now, venue, symbol);
                    self.feed(Event::Book {
                        venue,
                        symbol,
                        asked_at,
                        seq: book.seq,
                        exchange_ts: book.exchange_ts,
                        bids: &book.bids,
                        asks: &book.asks,
                    });
                }
                Ok(_) | Err(_) => self.feed(Event::BookFailed { venue, symbol, asked_at }),
            },
            Purpose::Order { client_id, asked_at } => match result {
                Ok(Reply::Order(order)) => {
                    self.desk.record(now, |recorder| recorder.order(now, &order));
                    self.feed(Event::OrderRead { client_id, asked_at, order: Some(&order) });
                }
                Err(ExchangeError { kind: ErrorKind::OrderNotFound, .. }) => {
                    if self.has(Bug::AbsenceBelieved) {
                        for asked_at in [asked_at - std::time::Duration::from_secs(3), asked_at] {
                            self.feed(Event::OrderRead { client_id, asked_at, order: None });
                            self.feed(Event::OpenRead { client_id, asked_at, orders: &[], whole: true });
                            self.feed(Event::TradesRead { client_id, asked_at, fills: &[], whole: true });
                            // ... and as if the account had been looked at, too.
                            let balances = self.own_balances(venue);
                            self.feed(Event::AccountRead { venue, asked_at, balances: &balances });
                        }
                    }
                    self.feed(Event::OrderRead { client_id, asked_at, order: None });
                }
                Ok(_) | Err(_) => {}
            },
            Purpose::Open { client_id, asked_at } => match result {
                Ok(Reply::Orders(orders)) => {
                    self.feed(Event::OpenRead { client_id, asked_at, orders: &orders, whole: true });
                }
                Ok(Reply::Incomplete(incomplete)) => {
                    if let Reply::Orders(orders) = &incomplete.read {
                        self.feed(Event::OpenRead { client_id, asked_at, orders, whole: false });
                    }
                }
                Ok(_) | Err(_) => {}
            },
            Purpose::Trades { client_id, order_id, asked_at } => {
                let Some((fills, whole)) = fills_of(result) else { return };
                let is_ours =
                    |fill: &&Fill| fill.client_id == Some(client_id) || Some(fill.order_id) == order_id;
                let ours = fills.iter().filter(is_ours);
                self.desk.record(now, |recorder| ours.for_each(|fill| recorder.fill(now, fill)));
                let whole = whole && fills.len() < FILLS as usize;
                self.feed(Event::TradesRead { client_id, asked_at, fills: &fills, whole });
            }
            Purpose::Fills { client_id, order_id, symbol, since: Some(since) } if is_forgotten(&result) => {
                let range = TimeRange { from: Some(since), to: None };
                let request = Request::MyTrades { symbol, order: None, range, limit: FILLS };
                let purpose = Purpose::Fills { client_id, order_id, symbol, since: None };
                self.begin(venue, request, purpose, Urgency::Normal);
            }
            Purpose::Fills { client_id, order_id, .. } => {
                let Some((mut fills, _)) = fills_of(result) else { return };
                fills.retain(|fill| fill.order_id == order_id);
                self.desk.record(now, |recorder| fills.iter().for_each(|fill| recorder.fill(now, fill)));
                self.feed(Event::FillsRead { client_id, fills: &fills });
            }
            Purpose::Account { asked_at } => {
                if let Ok(Reply::Account(account)) = result {
                    let before = self.desk.engine.holdings();
                    self.feed(Event::AccountRead { venue, asked_at, balances: &account.balances });
                    let after = self.desk.engine.holdings();
                    self.desk.record(now, |recorder| recorder.adopted(now, &before, &after));
                }
            }
            Purpose::Setup
            | Purpose::Inquiry(_)
            | Purpose::Clock
            | Purpose::Link { .. }
            | Purpose::Cancel { .. } => {}
        }
    }

    fn placed(&mut self, order: OrderRequest, result: Result<Reply, ExchangeError>) {
        let client_id = order.client_id;
        if self.spoil_placement(&order, &result) {
            return;
        }
        match result {
            Ok(Reply::Placed(placed)) => {
                let (order_id, order) = (placed.order_id, placed.order.as_ref());
                let now = self.now();
                self.desk
                    .record(now, |recorder| order.into_iter().for_each(|order| recorder.order(now, order)));
                self.feed(Event::Placed { client_id, order_id, order });
            }
            Ok(_) => self.feed(Event::PlaceFailed { client_id, outcome: Outcome::Unknown }),
            Err(error) => {
                let outcome = error.outcome();
                self.desk.checks.placement_failed(outcome);
                if outcome != Outcome::Unknown {
                    let now = self.now();
                    self.desk.record(now, |recorder| recorder.refused(now, &order));
                }
                self.feed(Event::PlaceFailed { client_id, outcome });
            }
        }
    }
}

/// Whether an exchange does not know the order it was asked about.
fn is_forgotten(result: &Result<Reply, ExchangeError>) -> bool {
    result.as_ref().is_err_and(|error| error.kind == ErrorKind::OrderNotFound)
}

/// Fills that were asked for, and whether those are all; `None` when it was no such answer, or none at all.
fn fills_of(result: Result<Reply, ExchangeError>) -> Option<(Vec<Fill>, bool)> {
    match result {
        Ok(Reply::Fills(fills)) => Some((fills, true)),
        Ok(Reply::Incomplete(incomplete)) => match incomplete.read {
            Reply::Fills(fills) => Some((fills, false)),
            _other => None,
        },
        Ok(_) | Err(_) => None,
    }
}
