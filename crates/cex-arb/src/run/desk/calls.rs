//! Calls that wait for an answer: orders on their way, and the engine's questions.

use super::{Core, Desk};
use crate::run::answers::{self, Keeper};
use crate::run::record::Recorder;
use cex_core::{ClientOrderId, OrderId, OrderRequest, SymbolId, Timestamp, VenueId};
use cex_engine::{Engine, Event};
use cex_errors::ExchangeError;
use cex_interface::{OrderRef, Reply, Request};
use cex_transport::{Lists, Rest, Started, Urgency};
use std::sync::Arc;
use std::time::Duration;

/// An exchange's clock is off by less than this.
const CLOCKS_APART: Duration = Duration::from_secs(30);

/// The desk when an answer came.
struct Now<'a> {
    desk: &'a Desk,
    now: Timestamp,
}

impl Keeper for Now<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn engine<T>(&self, read: impl FnOnce(&Engine) -> T) -> T {
        read(&self.desk.0.borrow().engine)
    }

    fn record(&mut self, write: impl FnOnce(&mut Recorder)) {
        self.desk.record(write);
    }

    fn tell(&mut self, event: Event<'_>) {
        self.desk.tell(self.now, event);
    }

    fn settle(&mut self) {
        self.desk.settle(self.now);
    }
}

impl Desk {
    /// Tells the engine what becomes of an order that is on its way.
    pub(super) fn follow(&self, read_at: Timestamp, order: OrderRequest, started: Started) {
        let desk = self.clone();
        tokio::task::spawn_local(async move {
            let answer = started.await;
            desk.0.borrow_mut().stopwatch.ordered(read_at, &answer.stamps);
            if answer.result.is_err() {
                desk.0.borrow_mut().stop_when_contradicted(order.venue);
            }
            answers::placed(&mut desk.at_once(), &order, answer.result);
        });
    }

    fn at_once(&self) -> Now<'_> {
        Now { desk: self, now: self.now() }
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
        self.call(core, venue, Request::Book { symbol, depth }, move |desk, answer| {
            answers::book(desk, (venue, symbol), asked_at, answer);
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
        self.call(core, venue, Request::Order { symbol, order }, move |desk, answer| {
            answers::order(desk, client_id, asked_at, answer);
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
        self.call(core, venue, Request::Cancel { symbol, order }, move |_, answer| {
            if let Err(error) = answer {
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
        let ask =
            move |rest: Arc<Rest>| async move { Lists::of(&rest).urgent().open_orders_of(symbol).await };
        self.ask(core, venue, ask, move |desk, answer| {
            answers::open_orders(desk, client_id, asked_at, answer);
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
            Lists::of(&rest).urgent().fills_of_order(symbol, order_id, since, to).await
        };
        self.ask(core, venue, ask, move |desk, answer| answers::fills(desk, client_id, answer));
    }

    pub(super) fn query_trades(
        &self,
        core: &Core,
        (venue, symbol): (VenueId, SymbolId),
        order: (ClientOrderId, Option<OrderId>),
        since: Timestamp,
        asked_at: Timestamp,
    ) {
        let to = core.clock.now() + CLOCKS_APART;
        let ask =
            move |rest: Arc<Rest>| async move { Lists::of(&rest).urgent().fills(symbol, since, to).await };
        self.ask(core, venue, ask, move |desk, answer| answers::trades(desk, order, asked_at, answer));
    }

    pub(super) fn read_account(&self, core: &Core, venue: VenueId, asked_at: Timestamp) {
        self.call(core, venue, Request::Account, move |desk, answer| {
            answers::account(desk, venue, asked_at, answer);
        });
    }

    fn call(
        &self,
        core: &Core,
        venue: VenueId,
        request: Request,
        then: impl FnOnce(&mut Now<'_>, Result<Reply, ExchangeError>) + 'static,
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
        then: impl FnOnce(&mut Now<'_>, Result<T, ExchangeError>) + 'static,
    ) {
        let rest = Arc::clone(&core.venues[venue.index()].rest);
        let desk = self.clone();
        tokio::task::spawn_local(async move {
            let answer = ask(rest).await;
            let mut now = desk.at_once();
            if let Err(error) = &answer {
                answers::failed(&mut now, venue, error);
            }
            then(&mut now, answer);
        });
    }
}
