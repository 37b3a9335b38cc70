//! Calls that wait for an answer: orders on their way, and the engine's questions. Each answer becomes an event.

use super::{Core, Desk};
use crate::run::record::Recorder;
use cex_core::{ClientOrderId, Fill, OrderId, OrderRequest, SymbolId, Timestamp, VenueId};
use cex_engine::Event;
use cex_errors::{ErrorKind, ExchangeError, Outcome as CallOutcome};
use cex_interface::{OrderRef, Reply, Request};
use cex_transport::{Lists, Rest, Started, Urgency};
use std::sync::Arc;
use std::time::Duration;

/// An exchange's clock is off by less than this.
const CLOCKS_APART: Duration = Duration::from_secs(30);

impl Desk {
    /// Tells the engine what becomes of an order that is on its way.
    pub(super) fn follow(&self, read_at: Timestamp, order: OrderRequest, started: Started) {
        let desk = self.clone();
        tokio::task::spawn_local(async move {
            let answer = started.await;
            let (client_id, now) = (order.client_id, desk.0.borrow().clock.now());
            desk.0.borrow_mut().stopwatch.ordered(read_at, &answer.stamps);
            match answer.result {
                Ok(Reply::Placed(placed)) => {
                    let (order_id, order) = (placed.order_id, placed.order.as_ref());
                    desk.record(|recorder| order.into_iter().for_each(|order| recorder.order(now, order)));
                    desk.feed(now, Event::Placed { client_id, order_id, order });
                }
                Ok(other) => {
                    tracing::error!(venue = %order.venue, reply = ?other, "a placement was answered with something else");
                    desk.feed(now, Event::PlaceFailed { client_id, outcome: CallOutcome::Unknown });
                }
                Err(error) => {
                    tracing::debug!(%error, order = %client_id, outcome = ?error.outcome(), "placement failed");
                    desk.0.borrow_mut().stop_when_contradicted(order.venue);
                    desk.shut_out(order.venue, &error);
                    if error.outcome() != CallOutcome::Unknown {
                        desk.record(|recorder| recorder.refused(now, &order));
                    }
                    desk.feed(now, Event::PlaceFailed { client_id, outcome: error.outcome() });
                }
            }
        });
    }

    /// A key that is refused, or a ban, stops the venue until somebody has looked (R25).
    fn shut_out(&self, venue: VenueId, error: &ExchangeError) {
        if let Some(rule) = shut_out_by(&error.kind) {
            self.tell_engine(Event::ShutOut { venue, rule });
        }
    }

    pub(super) fn record(&self, what: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = &mut self.0.borrow_mut().recorder {
            what(recorder);
        }
    }

    pub(super) fn fetch_book(
        &self,
        core: &Core,
        (venue, symbol): (VenueId, SymbolId),
        depth: u32,
        asked_at: Timestamp,
    ) {
        self.call(core, venue, Request::Book { symbol, depth }, move |desk, now, result| match result {
            Ok(Reply::Book(book)) => desk.feed(
                now,
                Event::Book {
                    venue,
                    symbol,
                    asked_at,
                    seq: book.seq,
                    exchange_ts: book.exchange_ts,
                    bids: &book.bids,
                    asks: &book.asks,
                },
            ),
            Ok(_) => desk.feed(now, Event::BookFailed { venue, symbol, asked_at }),
            Err(error) => {
                tracing::warn!(%error, "no book snapshot");
                desk.feed(now, Event::BookFailed { venue, symbol, asked_at });
            }
        });
    }

    pub(super) fn query_order(
        &self,
        core: &Core,
        (venue, symbol): (VenueId, SymbolId),
        (client_id, order_id): (ClientOrderId, Option<OrderId>),
        asked_at: Timestamp,
    ) {
        let order = order_id.map_or(OrderRef::Client(client_id), OrderRef::Id);
        self.call(core, venue, Request::Order { symbol, order }, move |desk, now, result| match result {
            Ok(Reply::Order(order)) => {
                desk.record(|recorder| recorder.order(now, &order));
                desk.feed(now, Event::OrderRead { client_id, asked_at, order: Some(&order) });
            }
            Err(ExchangeError { kind: ErrorKind::OrderNotFound, .. }) => {
                desk.feed(now, Event::OrderRead { client_id, asked_at, order: None });
            }
            // No answer is no answer: the engine asks again.
            Ok(_) => tracing::error!(%venue, order = %client_id, "a query was answered with something else"),
            Err(error) => tracing::warn!(%error, order = %client_id, "query failed"),
        });
    }

    /// An order must not rest and does. What the answer says is not relied on: the engine asks what became of it.
    pub(super) fn cancel(
        &self,
        core: &Core,
        (venue, symbol): (VenueId, SymbolId),
        client_id: ClientOrderId,
        order_id: Option<OrderId>,
    ) {
        let order = order_id.map_or(OrderRef::Client(client_id), OrderRef::Id);
        tracing::warn!(%venue, order = %client_id, "an order that must not rest does: it is cancelled");
        self.call(core, venue, Request::Cancel { symbol, order }, move |_, _, result| {
            if let Err(error) = result {
                tracing::warn!(%error, order = %client_id, "it could not be cancelled");
            }
        });
    }

    pub(super) fn query_open(
        &self,
        core: &Core,
        (venue, symbol): (VenueId, SymbolId),
        client_id: ClientOrderId,
        asked_at: Timestamp,
    ) {
        let ask = move |rest: Arc<Rest>| async move { Lists::of(&rest).open_orders_of(symbol).await };
        self.ask(core, venue, ask, move |desk, now, result| match result {
            Ok(open) => {
                let ours = open.iter().filter(|order| order.client_id == Some(client_id));
                desk.record(|recorder| ours.for_each(|order| recorder.order(now, order)));
                let (orders, whole) = (open.rows.as_slice(), open.unreadable == 0);
                desk.feed(now, Event::OpenRead { client_id, asked_at, orders, whole });
            }
            Err(error) => tracing::warn!(%error, order = %client_id, "query of open orders failed"),
        });
    }

    /// All fills of an order, however many.
    pub(super) fn query_fills(
        &self,
        core: &Core,
        (venue, symbol): (VenueId, SymbolId),
        (client_id, order_id): (ClientOrderId, OrderId),
        since: Timestamp,
    ) {
        let to = core.clock.now() + CLOCKS_APART;
        let ask = move |rest: Arc<Rest>| async move {
            Lists::of(&rest).fills_of_order(symbol, order_id, since, to).await
        };
        self.ask(core, venue, ask, move |desk, now, result| match result {
            Ok(fills) => {
                // Those that could be read are booked; what they miss to the order's own quantity is asked for again.
                if fills.unreadable > 0 {
                    tracing::error!(%venue, order = %client_id, fills.unreadable, "fills could not be read");
                }
                desk.record(|recorder| fills.iter().for_each(|fill| recorder.fill(now, fill)));
                desk.feed(now, Event::FillsRead { client_id, fills: &fills.rows });
            }
            Err(error) => tracing::warn!(%error, order = %client_id, "query of fills failed"),
        });
    }

    pub(super) fn query_trades(
        &self,
        core: &Core,
        (venue, symbol): (VenueId, SymbolId),
        (client_id, order_id): (ClientOrderId, Option<OrderId>),
        since: Timestamp,
        asked_at: Timestamp,
    ) {
        let to = core.clock.now() + CLOCKS_APART;
        let ask = move |rest: Arc<Rest>| async move { Lists::of(&rest).fills(symbol, since, to).await };
        self.ask(core, venue, ask, move |desk, now, result| match result {
            Ok(fills) => {
                let is_ours =
                    |fill: &&Fill| fill.client_id == Some(client_id) || Some(fill.order_id) == order_id;
                let ours = fills.iter().filter(is_ours);
                desk.record(|recorder| ours.for_each(|fill| recorder.fill(now, fill)));
                let (fills, whole) = (fills.rows.as_slice(), fills.unreadable == 0);
                desk.feed(now, Event::TradesRead { client_id, asked_at, fills, whole });
            }
            Err(error) => tracing::warn!(%error, order = %client_id, "query of trades failed"),
        });
    }

    pub(super) fn read_account(&self, core: &Core, venue: VenueId, asked_at: Timestamp) {
        self.call(core, venue, Request::Account, move |desk, now, result| match result {
            Ok(Reply::Account(account)) => {
                desk.account_read(now, Event::AccountRead { venue, asked_at, balances: &account.balances });
            }
            Ok(_) => tracing::error!(%venue, "an account was answered with something else"),
            Err(error) => tracing::warn!(%error, "account could not be read"),
        });
    }

    /// What an account holds: as far as the engine takes it for held, it is written down before anything follows from it.
    fn account_read(&self, now: Timestamp, event: Event<'_>) {
        let mut core = self.0.borrow_mut();
        let core = &mut *core;
        let before = core.engine.holdings();
        core.engine.handle(now, event, &mut core.out);
        if let Some(recorder) = &mut core.recorder {
            recorder.adopted(now, &before, &core.engine.holdings());
        }
        core.engine.handle(now, Event::Settled, &mut core.out);
        self.act(core, now);
    }

    fn call(
        &self,
        core: &Core,
        venue: VenueId,
        request: Request,
        then: impl FnOnce(&Self, Timestamp, Result<Reply, ExchangeError>) + 'static,
    ) {
        // The engine asks again by its own clock: it must know now.
        let ask = |rest: Arc<Rest>| async move { rest.call_stamped(&request, Urgency::Normal).await.result };
        self.ask(core, venue, ask, then);
    }

    /// Asks something of a venue that may take several calls.
    fn ask<T: 'static, F: Future<Output = Result<T, ExchangeError>>>(
        &self,
        core: &Core,
        venue: VenueId,
        ask: impl FnOnce(Arc<Rest>) -> F + 'static,
        then: impl FnOnce(&Self, Timestamp, Result<T, ExchangeError>) + 'static,
    ) {
        let rest = Arc::clone(&core.venues[venue.index()].rest);
        let desk = self.clone();
        tokio::task::spawn_local(async move {
            let result = ask(rest).await;
            let now = desk.0.borrow().clock.now();
            then(&desk, now, result);
        });
    }
}

/// The rule a failed call trips, when it says that the exchange does not let us in any more.
const fn shut_out_by(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::InvalidKey | ErrorKind::InvalidSignature => Some("auth"),
        ErrorKind::PermissionDenied | ErrorKind::AccountRestricted => Some("permission"),
        ErrorKind::Banned { .. } => Some("banned"),
        _other => None,
    }
}
