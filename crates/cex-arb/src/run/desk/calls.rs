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
        let ask =
            move |rest: Arc<Rest>| async move { Lists::of(&rest).urgent().open_orders_of(symbol).await };
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
            Lists::of(&rest).urgent().fills_of_order(symbol, order_id, since, to).await
        };
        self.ask(core, venue, ask, move |desk, now, result| match result {
            Ok(fills) => {
                // Those that could be read are booked; what they miss to the order's own quantity is asked for again.
                if fills.unreadable > 0 {
                    tracing::error!(%venue, order = %client_id, fills.unreadable, "fills could not be read");
                }
                // They are the order's, whether or not the exchange says its name.
                let named = |fill: &Fill| Fill { client_id: Some(client_id), ..*fill };
                desk.record(|recorder| fills.iter().for_each(|fill| recorder.fill(now, &named(fill))));
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
        let ask =
            move |rest: Arc<Rest>| async move { Lists::of(&rest).urgent().fills(symbol, since, to).await };
        self.ask(core, venue, ask, move |desk, now, result| match result {
            Ok(fills) => {
                // Its number may have been learned meanwhile.
                let order_id = desk.0.borrow().engine.order_id(client_id).or(order_id);
                let ours = of_order(&fills.rows, client_id, order_id);
                desk.record(|recorder| ours.for_each(|fill| recorder.fill(now, &fill)));
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
            if let Err(error) = &result {
                desk.shut_out(venue, error);
            }
            let now = desk.0.borrow().clock.now();
            then(&desk, now, result);
        });
    }
}

/// The trades of an order, which some exchanges tell by its number only: with its name, for a record of the number there may be
/// none.
fn of_order(
    fills: &[Fill],
    client_id: ClientOrderId,
    order_id: Option<OrderId>,
) -> impl Iterator<Item = Fill> {
    let is_its = move |fill: &&Fill| fill.client_id == Some(client_id) || Some(fill.order_id) == order_id;
    fills.iter().filter(is_its).map(move |fill| Fill { client_id: Some(client_id), ..*fill })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::past::Past;
    use cex_core::{Decimal, Liquidity, Side, Symbol, TradeId};
    use cex_journal::{Entry, messages, record};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    /// Of an order that was accepted and forgotten the placement's answer was lost, so its number is in no record.
    #[test]
    fn a_trade_told_by_a_number_only_is_its_orders_when_the_journal_is_read() {
        let (name, number) =
            (ClientOrderId::new("mqhw82kb-1b").expect("ours"), OrderId::new("77").expect("short"));
        let trade = |order_id: &str, client_id: Option<ClientOrderId>| Fill {
            venue: VenueId::new(0, "mexc").expect("short"),
            symbol: SymbolId(0),
            trade_id: TradeId::new("t").expect("short"),
            order_id: OrderId::new(order_id).expect("short"),
            client_id,
            side: Side::Buy,
            price: Decimal::from(100),
            qty: Decimal::from(2),
            fee: Decimal::ZERO,
            fee_asset: "USDT".parse().expect("an asset"),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: NOW,
        };
        let fills = [trade("76", None), trade("77", None), trade("78", ClientOrderId::new("another"))];
        let leg = messages::Leg {
            venue: "mexc".to_owned(),
            client_id: name.to_string(),
            side: messages::Side::Buy.into(),
            ..messages::Leg::default()
        };
        let symbol: Symbol = "BTC/USDT".parse().expect("a symbol");
        let mut past = Past::default();
        let intent = messages::Intent { symbol: symbol.to_string(), legs: vec![leg], ..Default::default() };
        past.take_in(1, NOW, &Entry::Intent(intent));
        for fill in of_order(&fills, name, Some(number)) {
            let mut message = messages::Fill::default();
            record::fill(&mut message, &symbol, &fill);
            past.take_in(2, NOW, &Entry::Fill(message));
        }
        let order = past.order(name.as_str()).expect("written down");
        let its: Vec<&str> = order.fills.iter().map(|fill| fill.order_id.as_str()).collect();
        assert_eq!(its, ["77"]);
    }
}
