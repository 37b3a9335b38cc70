//! What the engine wants done, as `cex_arb::run::desk` does it, in virtual time. What the answers come to is told by its own rules.

use super::{Day, Desk};
use crate::bugs::Bug;
use crate::rest::{Purpose, Ready};
use cex_arb::run::answers::{self, Keeper};
use cex_arb::run::record::Recorder;
use cex_core::{Fill, Order, OrderRequest, Timestamp, VenueId};
use cex_engine::{Command, Engine, Event, Notice};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{Listing, OrderRef, Reply, Request, TimeRange};
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
                self.desk.checks.sends(now, &self.world, &[first, second]);
                let Self { world, places, .. } = self;
                places[first.venue.index()].rest.send(world, first_ready);
                places[second.venue.index()].rest.send(world, second_ready);
                self.is_written([&first, &second]);
            }
            [(first, Ok(first_ready)), (second, Ok(second_ready))] if self.is_written([&first, &second]) => {
                let now = self.now();
                self.desk.checks.sends(now, &self.world, &[first, second]);
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
        let why = outcome.map(|ready| {
            let leaves = self.has(Bug::WithheldLegLeaves);
            let Self { world, places, .. } = self;
            let rest = &mut places[order.venue.index()].rest;
            if leaves { rest.send(world, ready) } else { rest.give_up(&ready, now) }
        });
        let Desk { engine, out, .. } = &mut self.desk;
        for event in answers::withheld(now, &order, why.err().as_ref()) {
            engine.handle(now, event, out);
        }
    }

    /// The answer to a call of the engine.
    pub(super) fn answered(&mut self, place: usize, purpose: &Purpose, result: Result<Reply, ExchangeError>) {
        let now = self.now();
        self.desk.trace.note(now, format!("{purpose:?}").as_bytes(), || format!("{purpose:?} -> {result:?}"));
        let venue = self.places[place].id;
        if let (Purpose::Fills { client_id, order_id, symbol, since: Some(since) }, true) =
            (purpose, is_forgotten(&result))
        {
            let range = TimeRange { from: Some(*since), to: None };
            let request = Request::MyTrades { symbol: *symbol, order: None, range, limit: FILLS };
            let purpose =
                Purpose::Fills { client_id: *client_id, order_id: *order_id, symbol: *symbol, since: None };
            return self.begin(venue, request, purpose, Urgency::Normal);
        }
        if let (Err(error), true) = (&result, purpose.is_of_engine()) {
            answers::failed(self, venue, error);
        }
        match *purpose {
            Purpose::Place(order) => {
                if !self.spoil_placement(&order, &result) {
                    if let Err(error) = &result {
                        self.desk.checks.placement_failed(error.outcome());
                    }
                    answers::placed(self, &order, result);
                }
            }
            Purpose::Book { symbol, asked_at } => {
                if matches!(result, Ok(Reply::Book(_))) {
                    self.desk.checks.book_news(now, venue, symbol);
                }
                answers::book(self, (venue, symbol), asked_at, result);
            }
            Purpose::Order { client_id, asked_at } => {
                if is_forgotten(&result) && self.has(Bug::AbsenceBelieved) {
                    self.make_absent(venue, client_id, asked_at);
                }
                answers::order(self, client_id, asked_at, result);
            }
            Purpose::Open { client_id, asked_at } => {
                if let Some(answer) = listed(result, orders_of) {
                    answers::open_orders(self, client_id, asked_at, answer);
                }
            }
            Purpose::Trades { client_id, order_id, asked_at } => {
                if let Some(answer) = listed(result, fills_of) {
                    answers::trades(self, (client_id, order_id), asked_at, answer);
                }
            }
            Purpose::Fills { client_id, order_id, .. } => {
                if let Some(mut answer) = listed(result, fills_of) {
                    if let Ok(fills) = &mut answer {
                        fills.rows.retain(|fill| fill.order_id == order_id);
                    }
                    answers::fills(self, client_id, answer);
                }
            }
            Purpose::Account { asked_at } => answers::account(self, venue, asked_at, result),
            Purpose::Setup
            | Purpose::Inquiry(_)
            | Purpose::Clock
            | Purpose::Link { .. }
            | Purpose::Cancel { .. } => {}
        }
    }
}

impl Keeper for Day {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn engine<T>(&self, read: impl FnOnce(&Engine) -> T) -> T {
        read(&self.desk.engine)
    }

    fn record(&mut self, write: impl FnOnce(&mut Recorder)) {
        let now = self.now();
        self.desk.record(now, write);
    }

    fn tell(&mut self, event: Event<'_>) {
        // What is learned of money is an effect; a book is not, nor is time.
        let matters = !matches!(
            event,
            Event::Wake | Event::Book { .. } | Event::BookFailed { .. } | Event::Clock { .. }
        );
        if self.fuse.is_blown() || (matters && !self.fuse.effect()) {
            return;
        }
        let now = self.now();
        let Desk { engine, out, .. } = &mut self.desk;
        engine.handle(now, event, out);
    }

    fn settle(&mut self) {
        if self.fuse.is_blown() {
            return;
        }
        let now = self.now();
        let Desk { engine, out, .. } = &mut self.desk;
        engine.handle(now, Event::Settled, out);
        self.act();
    }
}

/// Whether an exchange does not know the order it was asked about.
fn is_forgotten(result: &Result<Reply, ExchangeError>) -> bool {
    result.as_ref().is_err_and(|error| error.kind == ErrorKind::OrderNotFound)
}

/// The list that was asked for, of which the world reads one page: a full one may be a part of it. `None` when it was no list.
fn listed<T>(
    answer: Result<Reply, ExchangeError>,
    rows_of: impl FnOnce(Reply) -> Option<Vec<T>>,
) -> Option<Result<Listing<T>, ExchangeError>> {
    let (read, lost) = match answer {
        Ok(Reply::Incomplete(incomplete)) => (incomplete.read, incomplete.unreadable.len()),
        Ok(whole) => (whole, 0),
        Err(error) => return Some(Err(error)),
    };
    let rows = rows_of(read)?;
    let unreadable = lost + usize::from(rows.len() >= FILLS as usize);
    Some(Ok(Listing { rows, unreadable }))
}

fn orders_of(reply: Reply) -> Option<Vec<Order>> {
    if let Reply::Orders(orders) = reply { Some(orders) } else { None }
}

fn fills_of(reply: Reply) -> Option<Vec<Fill>> {
    if let Reply::Fills(fills) = reply { Some(fills) } else { None }
}
