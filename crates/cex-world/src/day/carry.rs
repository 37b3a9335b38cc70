//! What the engine wants done, and what became of it: the rules of `cex_arb::run::desk`, in virtual time.

use super::{Day, Desk};
use crate::rest::Purpose;
use cex_core::{OrderRequest, VenueId};
use cex_engine::{Command, Event};
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::{OrderRef, Reply, Request, TimeRange};
use cex_risk::Approved;
use cex_transport::Urgency;

/// Fills asked for at once of one order; as the desk does it.
const FILLS: u32 = 100;

impl Day {
    /// Does what the engine wants done, and hears what it tells.
    pub(super) fn act(&mut self) {
        while !self.desk.out.commands.is_empty() {
            for command in std::mem::take(&mut self.desk.out.commands) {
                self.carry_out(command);
            }
        }
        let now = self.now();
        let Desk { out, checks, trace, .. } = &mut self.desk;
        for notice in out.notices.drain(..) {
            trace.tell(now, format!("{notice:?}"));
            checks.notice(now, &notice);
        }
        self.check_books();
    }

    fn carry_out(&mut self, command: Command) {
        let now = self.now();
        self.desk.trace.tell(now, format!("{command:?}"));
        match command {
            Command::Open { legs } => self.open(legs),
            Command::Close { order, .. } => {
                let order = order.into_inner();
                self.desk.checks.closes(now, &order);
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
            Command::QueryFills { venue, symbol, client_id, order_id, .. } => {
                let (order, range) = (Some(order_id), TimeRange::default());
                let request = Request::MyTrades { symbol, order, range, limit: FILLS };
                self.begin(venue, request, Purpose::Fills { client_id, order_id }, Urgency::Normal);
            }
            Command::QueryTrades { venue, symbol, client_id, since, asked_at } => {
                let range = TimeRange { from: Some(since), to: None };
                let request = Request::MyTrades { symbol, order: None, range, limit: FILLS };
                self.begin(venue, request, Purpose::Trades { client_id, asked_at }, Urgency::Normal);
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

    /// Sends both legs of an arbitrage, or neither: each is signed, paid for and has a connection before either leaves.
    fn open(&mut self, legs: [Approved<OrderRequest>; 2]) {
        let now = self.now();
        let orders = legs.map(Approved::into_inner);
        self.check_opening(&orders);
        #[cfg(feature = "bugs")]
        let leaves_all_the_same = self.has(crate::bugs::Bug::WithheldLegLeaves);
        let Self { world, places, desk, .. } = self;
        let ready = orders.map(|order| (order, places[order.venue.index()].rest.prepare(world, order)));
        match ready {
            [(first, Ok(first_ready)), (second, Ok(second_ready))] => {
                desk.checks.sends(now, &first);
                desk.checks.sends(now, &second);
                places[first.venue.index()].rest.send(world, first_ready);
                places[second.venue.index()].rest.send(world, second_ready);
            }
            ready => {
                for (order, outcome) in ready {
                    #[cfg(feature = "bugs")]
                    let outcome = match outcome {
                        Ok(ready) if leaves_all_the_same => {
                            places[order.venue.index()].rest.send(world, ready);
                            Err(ExchangeError::new(
                                order.venue,
                                cex_errors::Op::PlaceOrder,
                                ErrorKind::ShuttingDown,
                            ))
                        }
                        outcome => outcome,
                    };
                    if let Ok(ready) = outcome {
                        places[order.venue.index()].rest.give_up(&ready, now);
                    }
                    desk.checks.withholds(order.client_id);
                    let event = Event::PlaceFailed { client_id: order.client_id, outcome: Outcome::NotSent };
                    desk.engine.handle(now, event, &mut desk.out);
                }
            }
        }
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
                    self.feed(Event::OrderRead { client_id, asked_at, order: Some(&order) });
                }
                Err(ExchangeError { kind: ErrorKind::OrderNotFound, .. }) => {
                    #[cfg(feature = "bugs")]
                    if self.has(crate::bugs::Bug::AbsenceBelieved) {
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
            Purpose::Trades { client_id, asked_at } => match result {
                Ok(Reply::Fills(fills)) => {
                    let whole = fills.len() < FILLS as usize;
                    self.feed(Event::TradesRead { client_id, asked_at, fills: &fills, whole });
                }
                Ok(Reply::Incomplete(incomplete)) => {
                    if let Reply::Fills(fills) = &incomplete.read {
                        self.feed(Event::TradesRead { client_id, asked_at, fills, whole: false });
                    }
                }
                Ok(_) | Err(_) => {}
            },
            Purpose::Fills { client_id, .. } => match result {
                Ok(Reply::Fills(fills)) => self.feed(Event::FillsRead { client_id, fills: &fills }),
                Ok(Reply::Incomplete(incomplete)) => {
                    if let Reply::Fills(fills) = &incomplete.read {
                        self.feed(Event::FillsRead { client_id, fills });
                    }
                }
                Ok(_) | Err(_) => {}
            },
            Purpose::Account { asked_at } => {
                if let Ok(Reply::Account(account)) = result {
                    self.feed(Event::AccountRead { venue, asked_at, balances: &account.balances });
                }
            }
            Purpose::Setup | Purpose::Clock | Purpose::Link { .. } | Purpose::Cancel { .. } => {}
        }
    }

    fn placed(&mut self, order: OrderRequest, result: Result<Reply, ExchangeError>) {
        let client_id = order.client_id;
        #[cfg(feature = "bugs")]
        if self.spoil_placement(&order, &result) {
            return;
        }
        match result {
            Ok(Reply::Placed(placed)) => {
                let (order_id, order) = (placed.order_id, placed.order.as_ref());
                self.feed(Event::Placed { client_id, order_id, order });
            }
            Ok(_) => self.feed(Event::PlaceFailed { client_id, outcome: Outcome::Unknown }),
            Err(error) => {
                let outcome = error.outcome();
                self.desk.checks.placement_failed(outcome);
                self.feed(Event::PlaceFailed { client_id, outcome });
            }
        }
    }
}
